"""Stops what the launcher started when the launcher itself is killed. Standard library only, run as a script.

The launcher writes `+PID SIGNAL` and `-PID` lines to its standard input. The end of that input means that the
launcher is gone, whatever killed it; this works on every Unix, where a death signal works on Linux alone. The
demo's lock is inherited, so nobody starts over before everything has stopped.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from typing import Final

PATIENCE_SECONDS: Final = 10


def alive(pid: int) -> bool:
    """Whether the process still runs (or waits, as a zombie, to be buried by somebody else)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def stop_all(wards: dict[int, int]) -> None:
    """Ask each politely, wait, then end whole process groups: grandchildren too."""
    for pid, number in wards.items():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    pause = threading.Event()
    for _ in range(PATIENCE_SECONDS * 10):
        if not any(alive(pid) for pid in wards):
            break
        pause.wait(0.1)
    for pid in wards:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def main() -> None:
    """Listen until the launcher is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wards: dict[int, int] = {}
    for line in sys.stdin:
        pid, _, gentle = line[1:].partition(" ")
        if line.startswith("+"):
            wards[int(pid)] = int(gentle)
        else:
            wards.pop(int(pid), None)
    stop_all(wards)


if __name__ == "__main__":
    main()
