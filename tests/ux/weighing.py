"""What a page costs a browser: every request with its bytes, as compressed as any proxy compresses them."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from tests.pages.screen import ORIGIN, STATIC, Chromium
from tests.ux.scenes import Shot

PACKED: Final = (".woff2", ".png", ".webp")  # compressed by themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One request: its whole address, and the bytes of its answer over the wire."""

    url: str
    size: int

    @property
    def is_ours(self) -> bool:
        return self.url.startswith(f"{ORIGIN}/")


def loads_of(chromium: Chromium, shot: Shot) -> list[Load]:
    """Everything that the browser asks for until the page stands. Fails at any complaint of the browser."""
    chromium.look(shot.film, shot.path, lambda page: page.evaluate("document.fonts.ready.then(() => true)"))
    return [Load(url=url, size=_size(shot, url)) for url in shot.film.urls]


def _size(shot: Shot, url: str) -> int:
    """Of the answer, compressed unless it is by itself."""
    path = urlsplit(url).path
    if path.startswith("/static/"):
        body = (STATIC / path.removeprefix("/static/")).read_bytes()
        return len(body) if path.endswith(PACKED) else len(gzip.compress(body, 6))
    return sum(len(gzip.compress(answer.body, 6)) for answer in shot.film.answers.get(f"GET {path}", []))
