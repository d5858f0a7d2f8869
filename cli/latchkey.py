#!/usr/bin/env python3
"""latchkey: the portal from a terminal. Standard library only, so that it runs wherever Python does.

    latchkey.py doctor https://portal.example.com    does the installation answer, and what does it miss?

Exit codes: 0 all is well, 1 something is wrong (one line each says what and what to do), 2 wrong use.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

TIMEOUT_SECONDS: Final = 10
ADVICE: Final = {
    "database": "PostgreSQL does not answer: look at its log, and at DATABASE_URL of the web process.",
    "queue": "Valkey does not answer: mails and checks wait, nothing is lost. Look at REDIS_URL.",
}


class CannotAsk(Exception):
    """Raised when the portal gave no answer that can be read; the text says what to do."""


def main(words: Sequence[str]) -> int:
    """Run one command; its exit code."""
    arguments = _parser().parse_args(words)
    try:
        return doctor(arguments.url)
    except CannotAsk as error:
        sys.stderr.write(f"{error}\n")
        return 1


def doctor(url: str) -> int:
    """Print what is well and what is not. Raises CannotAsk."""
    if ask(url, "/healthz") != b"ok\n":
        raise CannotAsk(f"{url} answers, but not as Latchkey does: is this the portal's address?")
    sys.stdout.write("ok    the portal answers\n")
    failing = json.loads(ask(url, "/readyz"))["failing"]
    for name in failing:
        sys.stdout.write(f"fail  {ADVICE.get(str(name), f'{name} does not answer: look at its log.')}\n")
    if not failing:
        sys.stdout.write("ok    everything it depends on answers\n")
    return 1 if failing else 0


def ask(url: str, path: str) -> bytes:
    """The body of one answer of the portal. Raises CannotAsk."""
    address = f"{_origin(url)}{path}"
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  # see _origin
            return bytes(answer.read(65_536))
    except urllib.error.HTTPError as error:
        if error.code == 503:  # /readyz says what fails in the body
            return error.read(65_536)
        raise CannotAsk(f"{address} answers {error.code}: is this the portal's address?") from None
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise CannotAsk(f"{address} does not answer ({reason}). Is the web process running?") from None


def _origin(url: str) -> str:
    parts = urlsplit(url if "://" in url else f"https://{url}")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise CannotAsk(f"{url!r} is no address; it looks like https://portal.example.com")
    return f"{parts.scheme}://{parts.netloc}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="latchkey.py", description="Latchkey from a terminal.")
    commands = parser.add_subparsers(dest="command", required=True)
    checked = commands.add_parser("doctor", help="does the installation answer, and what does it miss?")
    checked.add_argument("url", help="the portal's address, such as https://portal.example.com")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
