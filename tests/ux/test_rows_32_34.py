"""UX rows 32 and 34, over every client page: few requests, few bytes, nobody else's, nothing inline."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from django.conf import settings

from tests.pages.screen import Chromium
from tests.ux.scenes import SCENES, shots_of
from tests.ux.weighing import loads_of

MOST_BYTES, MOST_REQUESTS = 100_000, 8
POLICY: Final = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
}
# A mail is read elsewhere, under no policy of ours: there, and only there, styles are inline.
INLINE: Final = {
    "an inline style": re.compile(r"<[^>]+\sstyle\s*="),
    "a style sheet in the page": re.compile(r"<style\b"),
    "an inline script": re.compile(r"<script(?![^>]*\bsrc=)"),
    "an event handler": re.compile(r"<[a-z][^>]*\son[a-z]+\s*="),
    "a data address": re.compile(r"""["'(]data:"""),
    "a script address": re.compile(r"javascript:"),
}
TEMPLATES: Final = sorted(Path(settings.BASE_DIR, "templates").rglob("*.html"))


@pytest.mark.parametrize("scene", SCENES)
def test_ux_row_32_and_34_pages_are_light_and_ask_nobody_else(
    db: None, chromium: Chromium, scene: str
) -> None:
    """Row 34's browser part is here too: `loads_of` fails at any message of the browser, those of the CSP included."""
    for shot in shots_of(scene):
        assert set(shot.answer.headers["Content-Security-Policy"].split("; ")) == POLICY, shot.name
        loads = loads_of(chromium, shot)
        assert loads, shot.name
        assert [load.url for load in loads if not load.is_ours] == []
        assert len(loads) <= MOST_REQUESTS, (shot.name, loads)
        assert sum(load.size for load in loads) <= MOST_BYTES, (shot.name, loads)


@pytest.mark.parametrize("name", INLINE)
def test_ux_row_34_no_template_holds_anything_inline(name: str) -> None:
    pages = [path for path in TEMPLATES if "mail" not in path.relative_to(TEMPLATES[0].parents[1]).parts]
    assert len(pages) > 60
    found = [
        f"{path}: {match.group()[:80]}"
        for path in pages
        for match in INLINE[name].finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []
    sheets = Path(settings.BASE_DIR, "static").rglob("*.css") if name == "a data address" else ()
    assert [str(sheet) for sheet in sheets if "data:" in sheet.read_text(encoding="utf-8")] == []
