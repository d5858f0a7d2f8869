"""Every page that the walk reaches, before a real browser: its policy stops nothing, and axe finds nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.test import Client as Browser

from tests.console.screen import ConsoleFilm
from tests.pages.screen import Answer, Chromium, Film
from tests.pages.test_screens import BY_COLOUR, EVERY_RULE
from tests.walls.actors import World
from tests.walls.addresses import TURNING, Address, addresses

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Between them they see every page there is: one who is not signed in, one of each side.
LOOKING: Final = ("anonymous", "a_owner", "x_approver")
# On the way to a practice's sign-in service and back the pages go on by themselves, before anybody looks at them:
# tests/accounts/test_service_screens.py holds them.
GONE_AT_ONCE: Final = frozenset({"service_door", "service_back"})
BRAND: Final = re.compile(r'(?:href|src)="(/brand/[^"]+)"')
# Colours that are on their way from light to dark are neither.
ARRIVE: Final = """() => document.getAnimations().forEach(
    one => one instanceof CSSTransition && one.finish())"""
PART: Final = re.compile(r'hx-get="(/[^"?]+)')


def pages(world: World, actor: str) -> list[Address]:
    """Where this person is shown a page."""
    browser = world.browser(actor)
    found = []
    for one in addresses():
        answer = browser.get(one.at(world.rooms["X"]))
        kind = answer.get("Content-Type", "")
        if (
            answer.status_code == 200
            and kind.startswith("text/html")
            and one.name not in TURNING | GONE_AT_ONCE
        ):
            found.append(one)
    return found


def filmed(browser: Browser, path: str) -> Film:
    """The page with what it is dressed in; a part that is asked for again has nothing new."""
    film = ConsoleFilm()
    film.shoot(browser, path)
    shown = film.answers[f"GET {path}"][0].body.decode()
    for worn in BRAND.findall(shown):
        film.shoot(browser, worn)
    for again in PART.findall(shown):
        film.add(f"GET {again}", Answer(status=204, headers={}, body=b""))
    return film


def faults(page: Page) -> list[str]:
    """What axe finds by every rule of WCAG 2.2 AA and of good practice, and again of colours in the dark."""
    page.evaluate(AXE_SCRIPT)
    found = []
    for scheme, options in (("light", EVERY_RULE), ("dark", BY_COLOUR)):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.evaluate(ARRIVE)
        told: dict[str, Any] = page.evaluate("options => axe.run(options)", options)  # Any: axe's own JSON
        found += [
            f"{scheme}: {fault['id']}: {[node['html'][:120] for node in fault['nodes']]}"
            for fault in told["violations"]
        ]
    return found


@pytest.mark.parametrize("actor", LOOKING)
def test_on_every_page_axe_finds_nothing_and_the_policy_stops_nothing(
    world: World, chromium: Chromium, actor: str
) -> None:
    browser, room = world.browser(actor), world.rooms["X"]
    reached = pages(world, actor)
    assert len(reached) > 10
    found = {}
    for one in reached:
        path = one.at(room)
        # What the browser complains of, its policy first, fails the look itself.
        if told := chromium.look(filmed(browser, path), path, faults):
            found[one.name] = told
    assert found == {}


HALF_A_MINUTE: Final = 30_000  # milliseconds
# Where mails lead, for who follows every address in them: nobody's browser, and one that is signed in.
MAILED: Final = (
    "invitation",
    "client:front",
    "client:end",
    "client:resume",
    "client:change",
    "client:connect",
)


@pytest.mark.parametrize("actor", ["anonymous", "x_approver"])
def test_a_scanner_that_runs_scripts_presses_nothing(world: World, chromium: Chromium, actor: str) -> None:
    """Mail scanners open addresses in real browsers and wait: no page sends a form by itself (SECURITY P1)."""

    def wait(page: Page) -> None:
        page.clock.install()
        page.reload()
        page.clock.run_for(HALF_A_MINUTE)
        page.mouse.move(200, 200)
        page.mouse.wheel(0, 2000)
        page.clock.run_for(HALF_A_MINUTE)

    browser = world.browser(actor)
    for one in addresses():
        path = one.at(world.rooms["X"])
        if one.name not in MAILED or browser.get(path).status_code != 200:
            continue
        film = filmed(browser, path)
        chromium.look(film, path, wait)
        assert [asked for asked in film.asked if not asked.startswith("GET ")] == [], one.name
        assert film.asked.count(f"GET {path}") == 2
