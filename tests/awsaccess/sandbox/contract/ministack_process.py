"""ministack as a process: the second simulated AWS, by other authors, which judges ours."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from portal.kernel.clock import wait_until

ENVIRONMENT: Final = Path(__file__).resolve().parents[4] / "var" / "ministack"
PYTHON: Final = ENVIRONMENT / "bin" / "python"
_ENTRY: Final = Path(__file__).with_name("ministack_entry.py")
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0


class MinistackDidNotStart(RuntimeError):
    """The process ended or kept silent; the text is what it said."""


def is_installed() -> bool:
    """Did `make ministack` run to its end?"""
    return PYTHON.exists() and (ENVIRONMENT / "made.stamp").exists()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Ministack:
    """`with Ministack(folder) as ministack:`; `base_url` is its endpoint. Every start is an empty AWS."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.base_url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        # BIND_HOST: it would listen on all addresses. HOME and TMPDIR: whatever it writes stays in the folder.
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder),
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self._port),
        }
        with (self._folder / "ministack.log").open("wb") as log:
            self._process = subprocess.Popen(
                [PYTHON, _ENTRY], env=environment, cwd=self._folder, stdout=log, stderr=subprocess.STDOUT
            )
        if not wait_until(self._settled, seconds=_START_SECONDS) or self._process.poll() is not None:
            self._stop()
            raise MinistackDidNotStart((self._folder / "ministack.log").read_text())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _settled(self) -> bool:
        """Ready, or ended."""
        return (self._process is not None and self._process.poll() is not None) or self._is_ready()

    def _is_ready(self) -> bool:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)) as connection:
            try:
                connection.request("GET", "/_ministack/ready")
                return connection.getresponse().status == 200
            except OSError:
                return False

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
