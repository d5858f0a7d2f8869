"""The rooms behind the main way, before a real browser: they fit every width, and axe finds nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pages import rooms
from tests.pages.screen import Chromium
from tests.pages.test_screens import SMALL_TARGETS, faults, film_of, sideways

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.usefixtures("db")
# One of each page and of each of its parts; in which words a state is told makes no other page of it.
LOOKED_AT = (
    "question",
    "colleague",
    "trouble",
    "hand over",
    "elsewhere",
    "elsewhere, asked",
    "elsewhere, confirmed",
    "change, account",
    "change, much",
    "change, for AWS",
    "consent, doorbell",
    "door",
    "door, nobody",
    "status, rung",
    "visits",
    "key",
    "key, none",
    "open visits",
    "open visits, in AWS",
    "connect, differing",
)


@pytest.mark.parametrize("name", LOOKED_AT)
def test_a_room_fits_every_width_and_axe_finds_nothing(name: str, chromium: Chromium) -> None:
    film, path = film_of(rooms.SIGHTS[name])

    def look(page: Page) -> tuple[dict[str, int], list[str], list[str]]:
        wide, small = sideways(page), page.evaluate(SMALL_TARGETS)
        return wide, small, faults(page)

    assert chromium.look(film, path, look) == ({}, [], [])
