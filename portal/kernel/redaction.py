"""Keeps tokens of links out of the log: they stand in addresses, and Django logs the address of each refusal."""

from __future__ import annotations

import logging
import re
from typing import Final

TOKEN_IN_PATH: Final = re.compile(r"/i/[^/\s'\"]+")


def hide_tokens(text: str) -> str:
    """The text with every link's token taken out."""
    return TOKEN_IN_PATH.sub("/i/[hidden]", text)


class HideTokens(logging.Filter):
    """On the handler, so that it sees what every logger says."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the line; never drop it."""
        said = record.getMessage()
        if TOKEN_IN_PATH.search(said):
            record.msg, record.args = hide_tokens(said), ()
        return True
