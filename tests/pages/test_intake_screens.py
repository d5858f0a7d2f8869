"""The public page and a practice's own look before a real browser."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client as Browser

from accounts.services.branding import brand_mark, look_of, practice_brand
from portal.kernel import tenancy
from tests.brand.pictures import png
from tests.engagements.test_orders import make_page
from tests.factories import acting, make_firm
from tests.pages.screen import Chromium, Film, answer_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.django_db, pytest.mark.e2e]
URL = "/to/north/"
ASSET = re.compile(r"/brand/[0-9a-f]{64}\.\w+")


def filmed() -> Film:
    """The page in green, with a logo."""
    firm = make_firm("north")
    make_page(firm)
    with tenancy.use(firm.practice_side):
        look = replace(look_of(firm.practice), colour="#0b6b3a")
        seen = brand_mark(firm.practice)
        practice_brand(
            practice=firm.practice, look=look, seen=seen, logo=png(64, 64), actor=acting(firm.owner)
        )
    answer = Browser().get(URL)
    film = Film().add(f"GET {URL}", answer_of(answer))
    for path in set(ASSET.findall(answer.content.decode())):
        film.add(f"GET {path}", answer_of(Browser().get(path)))
    return film


def _measure(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(
        """() => ({
          wide: document.documentElement.scrollWidth,
          button: getComputedStyle(document.querySelector('main .btn')).backgroundColor,
          logo: document.querySelector('.logo').naturalWidth,
          inline: document.querySelectorAll('[style], style, script').length,
        })"""
    )
    return found


@pytest.mark.parametrize(
    ("width", "is_dark", "green"),
    [(1280, False, "rgb(11, 107, 58)"), (320, True, "rgb(17, 167, 91)")],
)
def test_the_page_wears_the_practices_look_and_fits(
    chromium: Chromium,
    width: int,
    is_dark: bool,  # noqa: FBT001
    green: str,
) -> None:
    found = chromium.look(filmed(), URL, _measure, width=width, is_dark=is_dark)
    assert found == {"wide": width, "button": green, "logo": 64, "inline": 0}


def _tab_through(page: Page) -> list[str]:
    page.focus("#id_name")
    names = []
    for _ in range(7):
        names.append(page.evaluate("() => document.activeElement.name || document.activeElement.tagName"))
        page.keyboard.press("Tab")
    return names


def test_people_never_reach_the_field_for_robots(chromium: Chromium) -> None:
    names = chromium.look(filmed(), URL, _tab_through)
    assert names == ["name", "email", "company", "order_number", "account_id", "SUMMARY", "BUTTON"]
