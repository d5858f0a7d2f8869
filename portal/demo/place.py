"""Where the demo keeps everything: one folder, one demo at a time."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
DEFAULT_FOLDER: Final = ROOT / "var" / "demo"
SECRET_NAMES: Final = (
    "SECRET_KEY",
    "AUDIT_SIGNING_KEY",
    "VALKEY_PASSWORD",
    "portal_owner",
    "portal_web",
    "portal_worker",
    "portal_audit_ro",
)


class DemoError(RuntimeError):
    """The demo cannot start or go on; the message is one sentence for the person at the keyboard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The folder and what lies in it. Only `lock` survives a reset."""

    folder: Path

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    @property
    def logs(self) -> Path:
        return self.folder / "log"

    @property
    def mail(self) -> Path:
        """One `.eml` file for each mail, named so that names sort by arrival."""
        return self.folder / "mail"

    @property
    def sandbox(self) -> Path:
        return self.folder / "sandbox"

    @property
    def world(self) -> Path:
        """The simulated accounts with their keys, written by the sandbox."""
        return self.sandbox / "accounts.json"

    @property
    def seeded(self) -> Path:
        """Exists once the sample data is complete."""
        return self.folder / "seeded"

    @property
    def state(self) -> Path:
        """Addresses of the running (or last) demo, for tests and tools."""
        return self.folder / "state.json"

    def prepare(self) -> None:
        """Make the folders. Private ones are closed to others; PostgreSQL's user must be able to pass the first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for private in (self.logs, self.mail, self.sandbox, self.folder / "valkey", self.folder / "beat"):
            private.mkdir(mode=0o700, exist_ok=True)

    def secrets(self) -> dict[str, str]:
        """The demo's own secrets, made once and kept in a file that only its owner can read."""
        path = self.folder / "secrets.json"
        kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        if missing := [name for name in SECRET_NAMES if name not in kept]:
            kept |= {name: secrets.token_hex(32) for name in missing}
            write_private(path, json.dumps(kept, indent=2))
        return kept

    def old_state(self) -> dict[str, object]:
        """What the last start wrote down; empty before the first."""
        if not self.state.exists():
            return {}
        kept: dict[str, object] = json.loads(self.state.read_text())
        return kept


def write_private(path: Path, text: str) -> None:
    """Write in one step, mode 0600 from the start: a reader sees the old file or the whole new one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(name).replace(path)


@contextmanager
def held(place: Place) -> Iterator[int]:
    """Hold the folder for one demo and give the lock's file descriptor. Raises DemoError when somebody else has it."""
    place.folder.mkdir(parents=True, exist_ok=True)
    with place.lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            address = place.old_state().get("demo_url", "this folder")
            raise DemoError(f"A demo already runs at {address}: stop it there with Ctrl-C first.") from None
        yield file.fileno()


def reset(place: Place) -> None:
    """Remove everything the demo ever kept. Raises DemoError while it runs."""
    with held(place):
        for entry in place.folder.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry != place.lock:
                entry.unlink()
