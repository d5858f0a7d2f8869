"""What is loaded stays until the end: Python need not look through it for rubbish while it grows, nor when it ends.

Half of what a command took was that search: most of it in the last moment, over modules that are about to be gone anyway.
"""

from __future__ import annotations

import atexit
import gc
from typing import Final

# More than loading everything leaves lying about, and few enough that a long command's rubbish stays bounded.
WHILE_LOADING: Final = 300_000
USUAL: Final = gc.get_threshold()


def loading_begin() -> None:
    """Before anything is loaded. A command stays so; a server says when it is ready."""
    gc.set_threshold(WHILE_LOADING)
    atexit.register(gc.freeze)


def loading_end() -> None:
    """A server is ready: Python's own pace again, and what was loaded is not looked through any more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*USUAL)
