"""The way to a company's sign-in page and back in a real browser: its own policy must let it go, and come in once."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from django.urls import reverse

from tests import provider as fake
from tests.accounts.conftest import make_browser
from tests.accounts.test_service_sign_in import ben, door, idp, north, set_up  # noqa: F401  # fixtures
from tests.pages.conftest import chromium  # noqa: F401  # as above
from tests.pages.screen import Answer, Chromium, Film, answer_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from accounts.models import User
    from tests.factories import Firm
    from tests.provider import Provider

pytestmark = [pytest.mark.django_db, pytest.mark.e2e]
THERE = Answer(status=200, headers={"content-type": "text/html"}, body=b"<h1>There</h1>")


def _arrive(page: Page) -> str:
    page.get_by_role("heading", name="There").wait_for()
    return page.url


@pytest.mark.parametrize("has_script", [True, False])
def test_the_browser_goes_there_by_itself_with_or_without_scripts(
    chromium: Chromium,  # noqa: F811  # the fixture
    north: Firm,  # noqa: F811  # as above
    idp: Provider,  # noqa: F811  # as above
    *,
    has_script: bool,
) -> None:
    set_up(north, idp)
    film = Film()
    film.add(f"GET {door(north)}", answer_of(make_browser().post(door(north))))
    film.add("GET /authorize", THERE)
    found = chromium.look(film, door(north), _arrive, has_script=has_script)
    assert found.startswith(f"{idp.issuer}/authorize?response_type=code")


def test_the_way_back_presses_its_own_button_once(
    chromium: Chromium,  # noqa: F811  # as above
    north: Firm,  # noqa: F811  # as above
    ben: User,  # noqa: F811  # as above
    idp: Provider,  # noqa: F811  # as above
) -> None:
    set_up(north, idp)
    browser = make_browser()
    browser.get(door(north))
    address = str(browser.post(door(north)).context["address"])
    parts = urlsplit(fake.visit(address))
    path = f"{parts.path}?{parts.query}"
    film = Film().shoot(browser, path).add(f"POST {parts.path}", THERE)
    chromium.look(film, path, _arrive)
    assert [one.split()[0] for one in film.asked] == ["GET", "POST"]
    assert "state=" in film.sent[0]
    assert "code=" in film.sent[0]


@pytest.mark.parametrize("width", [1280, 390])
def test_the_pages_fit_and_have_one_heading(chromium: Chromium, north: Firm, width: int) -> None:  # noqa: F811  # as above
    for url in (
        reverse("account_login"),
        reverse("service_pick"),
        door(north),
        reverse("service_back", args=["north"]),
    ):
        film = Film().shoot(make_browser(), url)
        found = chromium.look(
            film,
            url,
            lambda page: (
                page.evaluate("document.documentElement.scrollWidth"),
                page.locator("h1").count(),
                page.locator("[style], style, script:not([src])").count(),
            ),
            width=width,
            has_script=False,
        )
        assert found == (width, 1, 0), url
