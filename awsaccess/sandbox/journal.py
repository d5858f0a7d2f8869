"""What was changed, in order, so that a restart of the sandbox is not an empty AWS.

moto keeps everything in memory. Each accepted change is written down as the request it was, with its moment, its
account and the seed its ids were drawn from, and is sent again at the next start: same role ids, same stack ids,
same version ids, same dates. What does not come back is told in `docs/sandbox.md`.
"""

from __future__ import annotations

import base64
import datetime as dt
import importlib.metadata
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

KEPT_HEADERS = (
    "Content-Type",
    "Host",
    "User-Agent",
    "X-Amz-Target",
    "X-Amz-Content-Sha256",
    "X-Amz-Decoded-Content-Length",
    "X-Amz-Tagging",
    "X-Amz-Acl",
    "X-Amz-Copy-Source",
)


class JournalOfAnotherVersion(Exception):
    """The journal was written with another moto, which would draw other ids from the same seeds: start over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One accepted change. `body` is base64; `at` is ISO 8601 UTC."""

    at: str
    account: str
    service: str
    region: str
    access_key_id: str
    """Whose request it was: a stack that is still waiting goes on in their name."""
    seed: str
    method: str
    target: str
    """Path and query, as they were sent."""
    headers: dict[str, str]
    body: str
    refused: list[str]
    """Steps of it that were refused while the whole was accepted: a stack that rolled back."""

    @property
    def moment(self) -> dt.datetime:
        """Aware UTC."""
        return dt.datetime.fromisoformat(self.at)

    @property
    def content(self) -> bytes:
        """The request's body."""
        return base64.b64decode(self.body)


class Journal:
    """An append-only file, readable by its owner only; without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / "journal.jsonl" if folder else None

    def entries(self) -> Iterator[Entry]:
        """What was written, in order. A last line cut off by a crash is left out; it was never answered."""
        if self._path is None or not self._path.exists():
            return
        lines = self._path.read_bytes().split(b"\n")
        if lines[0] and json.loads(lines[0]) != _version():
            raise JournalOfAnotherVersion(str(self._path))
        for line in lines[1:-1]:  # after the last newline there is nothing, or the cut-off line
            yield Entry(**json.loads(line))

    def append(self, entry: Entry) -> None:
        """Write one change down before it is answered."""
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "r+b") as file:
            _mend(file)
            if file.seek(0, os.SEEK_END) == 0:
                file.write(json.dumps(_version()).encode() + b"\n")
            file.write(json.dumps(asdict(entry)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def clear(self) -> None:
        """Forget everything: the next start is an empty AWS."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _version() -> dict[str, str]:
    return {"moto": importlib.metadata.version("moto")}


def _mend(file: BinaryIO) -> None:
    """Cut off a last line that a crash left without its end."""
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        return
    file.seek(size - 1)
    if file.read(1) == b"\n":
        return
    file.seek(0)
    file.truncate(file.read().rfind(b"\n") + 1)
