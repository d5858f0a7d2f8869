"""The browser that the pages are shown to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from engagements.models import Engagement
from engagements.selectors import engagement_for_client
from portal.kernel import tenancy
from portal.pages import doors
from tests.pages.screen import Chromium, find_chromium
from tests.pages.stage import Stage

Overtake = Callable[[Stage], None]


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


@pytest.fixture
def overtake(monkeypatch: pytest.MonkeyPatch) -> Overtake:
    """Pages read the engagement as it is now, whatever happens next: a request that somebody else overtakes."""

    def hold(scene: Stage) -> None:
        with tenancy.use(scene.client_scope):
            seen = engagement_for_client(scene.engagement.code)

        def remembered(code: str) -> Engagement:
            assert code == seen.code
            return seen

        monkeypatch.setattr(doors, "engagement_for_client", remembered)

    return hold
