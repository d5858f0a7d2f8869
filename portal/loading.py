"""What is loaded stays: looking through it for rubbish again and again while it is made took a seventh of the start."""

from __future__ import annotations

import gc
from typing import Final

# More than loading everything leaves lying about, and few enough that a long command's rubbish stays bounded.
WHILE_LOADING: Final = 300_000


def loading_begin() -> None:
    """Before anything is loaded. A command ends so; a server says when it is ready."""
    gc.set_threshold(WHILE_LOADING)


def loading_end(usual: tuple[int, int, int] = (700, 10, 10)) -> None:
    """A server is ready: Python's own pace again, and what was loaded is not looked through any more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*usual)
