"""Keeps tokens of links out of the log: they stand in addresses, and Django logs the address of each refusal."""

from __future__ import annotations

import logging
import re
from typing import Final

TOKEN_IN_PATH: Final = re.compile(r"/i/[^/\s'\"]+")


class HideTokens(logging.Filter):
    """On the handler, so that it sees what every logger says."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the line; never drop it."""
        said = record.getMessage()
        if TOKEN_IN_PATH.search(said):
            record.msg, record.args = TOKEN_IN_PATH.sub("/i/[hidden]", said), ()
        return True
