"""The demo's mail server: takes every mail, keeps it as a file, sends nothing on."""

from __future__ import annotations

import itertools
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from aiosmtpd.controller import Controller

LIMIT_BYTES: Final = 10 * 1024 * 1024


class Keeper:
    """aiosmtpd's handler: 250 only after the mail lies in the folder, whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name; Any: untyped
        """Keep one mail, named after the moment of its arrival."""
        # Names sort by arrival, also across restarts and within one tick of the clock.
        name = f"{time.time_ns():020d}-{next(self._numbers):06d}"
        draft = self._folder / f".{name}"
        draft.write_bytes(envelope.original_content)
        draft.replace(self._folder / f"{name}.eml")
        return "250 Kept"


def main() -> None:
    """`python -m portal.demo.catcher PORT FOLDER`: serve until SIGTERM."""
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_signal: over.set())
    controller = Controller(Keeper(folder), hostname="127.0.0.1", port=port, data_size_limit=LIMIT_BYTES)
    controller.start()
    over.wait()
    controller.stop()


if __name__ == "__main__":
    main()
