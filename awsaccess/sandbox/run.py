"""Runs the simulated AWS until it is told to stop: for the command line and for the management command."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import warnings
from pathlib import Path
from urllib.parse import urlsplit


def _origin(text: str) -> str:
    if not text:
        return ""  # argparse sends the default through here as well
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/"):
        raise argparse.ArgumentTypeError("an origin is wanted, such as http://127.0.0.1:8000")
    return f"{parts.scheme}://{parts.netloc}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument(
        "--state-dir", type=Path, default=None, help="keeps accounts.json and the journal here"
    )
    parser.add_argument(
        "--portal-origin", type=_origin, default="", help="where the console's way back leads to"
    )


def run(port: int, state_dir: Path | None, portal_origin: str) -> None:
    """Serve until SIGINT or SIGTERM."""
    # moto warns at every denial that the code is none of the service's own: AccessDenied never is.
    warnings.filterwarnings("ignore", message=".*does not match an error shape", category=UserWarning)
    from awsaccess.sandbox.server import SandboxServer  # moto takes seconds to import: --help shall not wait

    server = SandboxServer(port, state_dir, portal_origin)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    threading.Thread(target=server.serve_forever, name="sandbox", daemon=True).start()
    sys.stdout.write(f"Simulated AWS ready at {server.url}\n")
    sys.stdout.flush()
    stopping.wait()
    server.stop()
