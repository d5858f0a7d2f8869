"""The processes under the launcher: started with a log each, watched, and stopped to the last one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from portal.demo.place import ROOT, DemoError

CARETAKER: Final = Path(__file__).with_name("caretaker.py")
PATIENCE_SECONDS: Final = 10


class Stopped(Exception):
    """Somebody asked the demo to stop."""


@dataclass(slots=True, kw_only=True)
class Child:
    """One process that has to live as long as the demo."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    gentle: int = signal.SIGTERM
    is_server: bool = False  # stopped last, when nobody uses it any more

    def obituary(self) -> str:
        """One sentence, and where the rest is told."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        last = f" Its log ends: {lines[-1][:300]}" if lines else ""
        return (
            f"The {self.name} stopped by itself (exit code {self.process.returncode}); see {self.log}.{last}"
        )


class Crew:
    """All children. Every wait notices a dead child (DemoError) and a wish to stop (Stopped)."""

    def __init__(self, *, logs: Path, lock: int) -> None:
        self.stopping = False
        self._logs = logs
        self._children: list[Child] = []
        self._wake = threading.Event()
        self._lock = lock
        self._caretaker: subprocess.Popen[bytes] | None = None

    def ask_to_stop(self, *_signal: object) -> None:
        """For signal handlers: only a flag, so that no start is torn in two."""
        self.stopping = True

    def open(self) -> None:
        """Start the caretaker: from now on nothing outlives this process."""
        self._caretaker = subprocess.Popen(  # noqa: S603  # our own script
            [sys.executable, "-I", "-S", str(CARETAKER)],
            stdin=subprocess.PIPE,
            pass_fds=[self._lock],
            start_new_session=True,
        )

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, is_server: bool = False
    ) -> Child:
        """Start one child off the terminal: Ctrl-C must reach the launcher alone, which stops all in order."""
        log = self._logs / f"{name.replace(' ', '-')}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603  # our own commands
                list(command),
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return self.adopt(Child(name=name, process=process, log=log, is_server=is_server))

    def adopt(self, child: Child) -> Child:
        """Watch a process that somebody else started."""
        self._tell(f"+{child.process.pid} {child.gentle}")
        self._children.append(child)
        return child

    def finish_all(self, children: Sequence[Child], *, seconds: float) -> None:
        """Wait until children that do one thing have done it. Raises DemoError if one failed or took too long."""
        over = self._wait(lambda: all(_is_over(c) for c in children), seconds=seconds, except_for=children)
        if not over:
            slow = next(child for child in children if not _is_over(child))
            raise DemoError(f"The {slow.name} did not finish within {seconds:.0f} s; see {slow.log}.")
        for child in children:
            self._forget(child)
        if failed := next((child for child in children if child.process.returncode != 0), None):
            raise DemoError(failed.obituary())

    def wait_for(self, what: str, condition: Callable[[], bool], *, seconds: float) -> None:
        """Wait until the condition holds. Raises DemoError when it does not in time."""
        if not self._wait(condition, seconds=seconds):
            raise DemoError(
                f"The {what} did not answer within {seconds:.0f} s; see the logs in {self._logs}."
            )

    def watch(self) -> None:
        """Stay until somebody asks to stop (Stopped) or a child dies (DemoError)."""
        while True:
            self._look()
            self._wake.wait(0.2)

    def stop(self) -> None:
        """Stop all, newest first: programs together, then the servers they use, then the caretaker."""
        for servers in (False, True):
            group = [child for child in self._children if child.is_server is servers]
            _stop_together(group)
            for child in group:
                self._forget(child)
        if self._caretaker and self._caretaker.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._caretaker.stdin.close()
            self._caretaker.wait()

    def processes(self) -> dict[str, int]:
        """Name and process id of each child, for those who want to see it die."""
        return {child.name: child.process.pid for child in self._children}

    def _wait(
        self, condition: Callable[[], bool], *, seconds: float, except_for: Sequence[Child] = ()
    ) -> bool:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if condition():
                return True
            self._look(except_for=except_for)
            self._wake.wait(0.05)
        return False

    def _look(self, *, except_for: Sequence[Child] = ()) -> None:
        if self.stopping:
            raise Stopped
        if self._caretaker and self._caretaker.poll() is not None:
            raise DemoError("The caretaker, which cleans up after the demo, was killed.")
        for child in self._children:
            if child not in except_for and _is_over(child):
                raise DemoError(child.obituary())

    def _forget(self, child: Child) -> None:
        self._children.remove(child)
        self._tell(f"-{child.process.pid}")

    def _tell(self, line: str) -> None:
        pipe: IO[bytes] | None = self._caretaker.stdin if self._caretaker else None
        if pipe is None:
            return
        with contextlib.suppress(BrokenPipeError):  # its death is noticed by the next look
            pipe.write(f"{line}\n".encode())
            pipe.flush()


def _is_over(child: Child) -> bool:
    return child.process.poll() is not None


def _stop_together(children: Sequence[Child]) -> None:
    for child in reversed(children):
        if child.process.poll() is None:
            child.process.send_signal(child.gentle)
    until = time.monotonic() + PATIENCE_SECONDS
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.process.wait(max(0.0, until - time.monotonic()))
        # Also after a good end: a program killed from outside may have left children in its group.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()
