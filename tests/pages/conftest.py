"""The browser that the pages are shown to."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.pages.screen import Chromium, find_chromium


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """Skips where there is no browser; on CI that is a failure."""
    if not find_chromium():
        words = "no Chromium: install it (Debian: apt-get install chromium) to run the browser tests"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    browser = Chromium()
    yield browser
    browser.close()
