"""The running demo and a real browser, for stories that go through the whole house."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.pages.screen import find_chromium
from tests.plugins.demo_process import Demo, a_demo


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    """A fresh demo, started as `make demo` starts it."""
    if not find_chromium():
        if os.environ.get("CI") == "true":
            pytest.fail("Browser tests need Chromium: make browser")
        pytest.skip("no Chromium here: make browser")
    with a_demo() as one:
        one.start()
        yield one
