"""Keeps tokens of links out of the log, and makes each entry one: addresses and names in it were written by others."""

from __future__ import annotations

import logging
import re
import time
from typing import Final

TOKEN_IN_PATH: Final = re.compile(r"(/i/|/to/[^/\s'\"]+/)[^/\s'\"]+")


def hide_tokens(text: str) -> str:
    """The text with every link's token taken out."""
    return TOKEN_IN_PATH.sub(r"\1[hidden]", text)


class HideTokens(logging.Filter):
    """On the handler, so that it sees what every logger says."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the line; never drop it."""
        said = record.getMessage()
        if TOKEN_IN_PATH.search(said):
            record.msg, record.args = hide_tokens(said), ()
        return True


class OneLine(logging.Formatter):
    """A record is one line: whatever somebody else wrote into it cannot begin another.

    A traceback follows on lines of its own, each behind a mark, because exceptions tell what somebody sent as well.
    Times are UTC, so that lines of several machines can be laid side by side.
    """

    default_msec_format = "%s,%03dZ"

    def converter(self, seconds: float | None) -> time.struct_time:
        """UTC, wherever the machine stands."""
        return time.gmtime(seconds)

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback's lines under it."""
        said = super().format(record)
        if not record.exc_info and not record.exc_text and not record.stack_info:
            return said
        first, *rest = said.split("\n")
        return "\n".join([first, *(f"  | {escaped(hide_tokens(line))}" for line in rest)])

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's own name
        """What was said, with everything escaped that could end or rewrite the line."""
        return escaped(super().formatMessage(record))


def escaped(text: str) -> str:
    """Control characters and line separators as Python writes them, such as \\x1b."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
