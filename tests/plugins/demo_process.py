"""The demo as its user starts it: real processes under one parent, in a folder and on a port of their own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from portal.demo import commands, mailbox
from portal.demo.mailbox import Mail
from portal.kernel import clock

ROOT: Final = Path(__file__).resolve().parents[2]
PATIENCE: Final = 60


def measured() -> dict[str, str]:
    """What lets coverage follow into a process whose environment is otherwise bare."""
    return {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}


@dataclass(slots=True)
class Demo:
    """One demo under test in a folder of its own."""

    folder: Path
    port: int
    process: subprocess.Popen[str] | None = None

    def call(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        """The launcher with these words, not waited for."""
        surroundings = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "DEMO_FOLDER": str(self.folder)}
        return subprocess.Popen(
            [sys.executable, "-m", "portal.demo", *words],
            cwd=ROOT,
            env={**surroundings, **measured(), "PORT": str(self.port), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, **environment: str) -> tuple[int, str]:
        """For calls that end by themselves: exit code and what was said on standard error."""
        process = self.call(*words, **environment)
        _, said = process.communicate(timeout=PATIENCE)
        return process.returncode, said

    def start(self) -> list[str]:
        """Start, and give the lines up to the one with the address."""
        self.process = self.call()
        assert self.process.stdout
        lines: list[str] = []
        for line in self.process.stdout:
            lines.append(line)
            if "ready" in line:
                return lines
        raise AssertionError(self.process.communicate())

    def end(self, how: int = signal.SIGINT) -> tuple[int, str]:
        """Exit code and what it said on standard error."""
        assert self.process
        self.process.send_signal(how)
        _, said = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said

    @property
    def url(self) -> str:
        """Where the portal answers."""
        return f"http://localhost:{self.port}"

    @property
    def state(self) -> dict[str, Any]:  # Any: JSON
        """Ports and process ids of what runs."""
        found: dict[str, Any] = json.loads((self.folder / "state.json").read_text())
        return found

    def setting(self, name: str) -> str:
        """What the running web process was told."""
        surroundings = (
            Path(f"/proc/{self.state['processes']['web']}/environ").read_bytes().decode().split("\0")
        )
        return dict(line.split("=", 1) for line in surroundings if "=" in line)[name]

    def mails(self, to: str) -> list[Mail]:
        """What this address was sent, newest first."""
        found = mailbox.mails(self.folder / "mail")
        return [mail for mail in found if to in {address for _name, address in mail.recipients}]

    def await_mail(self, to: str, subject: str) -> Mail:
        """The newest mail to `to` whose subject holds `subject`, waited for."""
        found: list[Mail] = []

        def came() -> bool:
            found[:] = [mail for mail in self.mails(to) if subject in mail.subject]
            return bool(found)

        assert clock.wait_until(came, seconds=PATIENCE), [mail.subject for mail in self.mails(to)]
        return found[0]

    def set_aws_clock(self, seconds: float) -> None:
        """Let the simulated AWS run ahead of the machine by so many seconds, or behind it."""
        address = urlsplit(self.setting("AWS_ENDPOINT_URL")).netloc
        with contextlib.closing(http.client.HTTPConnection(address, timeout=10)) as line:
            line.request("PUT", "/_sandbox/clock", json.dumps({"offset_seconds": seconds}))
            assert line.getresponse().status == 200

    def left(self) -> list[str]:
        """Command lines of processes that still belong to this demo."""
        return [name for path in Path("/proc").glob("[0-9]*") if (name := _belongs(path, str(self.folder)))]


def _belongs(process: Path, folder: str) -> str:
    with contextlib.suppress(OSError):
        command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        surroundings = (process / "environ").read_bytes().decode(errors="replace")
        if folder in command or folder in surroundings:
            return command
    return ""


@contextmanager
def a_demo() -> Iterator[Demo]:
    """A short path that PostgreSQL's user may pass, and an end whatever the test did."""
    folder = Path(tempfile.mkdtemp(prefix="lkdemo-"))
    folder.chmod(0o755)
    one = Demo(folder, commands.free_port())
    try:
        yield one
    finally:
        if one.process and one.process.poll() is None:
            one.process.terminate()
            one.process.communicate(timeout=PATIENCE)
        gone = clock.wait_until(lambda: not one.left(), seconds=20)
        shutil.rmtree(folder, ignore_errors=True)
    assert gone, one.left()
