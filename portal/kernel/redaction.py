"""Keeps tokens of links out of the log, and makes each entry one: addresses and names in it were written by others."""

from __future__ import annotations

import logging
import re
from typing import Any, Final

TOKEN_IN_PATH: Final = re.compile(r"/i/[^/\s'\"]+")
# What begins a new line for some reader, or steers a terminal.
STEERING: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class HideTokens(logging.Filter):
    """On the handler, so that it sees what every logger says."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the line; never drop it."""
        said = record.getMessage()
        if TOKEN_IN_PATH.search(said):
            record.msg, record.args = TOKEN_IN_PATH.sub("/i/[hidden]", said), ()
        return True


class OneLine(logging.Formatter):
    """Nobody who chooses an address or a name can write a line of the log: each entry begins at the margin, alone."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's own name
        """The line itself, with line breaks and control characters spelled out."""
        return _spelled_out(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802  # as above  # Any: logging's own signature
        """A traceback, indented: what an error says may have lines of its own, and tokens too."""
        lines = TOKEN_IN_PATH.sub("/i/[hidden]", super().formatException(ei)).split("\n")
        return "\n".join(f"    {_spelled_out(line)}" for line in lines)


def _spelled_out(text: str) -> str:
    return STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
