"""How much work something is, without a clock: a busy machine must fail no test."""

from __future__ import annotations

import sys
from collections.abc import Callable


def steps(act: Callable[[], object]) -> int:
    """How many functions are called meanwhile: the same on every machine, however busy it is."""
    counted = 0

    def count(_frame: object, event: str, _what: object) -> None:
        nonlocal counted
        counted += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
    return counted
