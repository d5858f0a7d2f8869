"""Icons for papers: the drawings of our own sprite, one by one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from django.conf import settings

SYMBOL: Final = re.compile(
    r'<symbol id="(?P<name>[a-z0-9-]+)" (?P<how>[^>]*)>(?P<drawing>.*?)</symbol>', re.DOTALL
)
PLAIN_ICON: Final = "circle"


def icons(names: Sequence[str]) -> dict[str, str]:
    """Drawings of our own sprite as SVG, by name; a circle for a name that it does not have."""
    drawn = _sprite()
    return {name: drawn.get(name, drawn[PLAIN_ICON]) for name in names}


@cache
def _sprite() -> dict[str, str]:
    text = (settings.BASE_DIR / "static" / "icons.svg").read_text(encoding="utf-8")
    return {
        found["name"]: f'<svg xmlns="http://www.w3.org/2000/svg" {found["how"]}>{found["drawing"]}</svg>'
        for found in SYMBOL.finditer(text)
    }
