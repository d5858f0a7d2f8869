"""Every page before a real browser: no complaint, no sideways scroll, light and dark, by keyboard, without JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import pytest
from axe_playwright_python.base import AXE_SCRIPT

from accounts.lifecycle import ContactRole
from awsaccess.lifecycle import GrantStatus, Verdict
from awsaccess.models import Grant
from portal.kernel import clock, tenancy
from tests.pages import stage
from tests.pages.reading import read
from tests.pages.screen import Answer, Chromium, Film, answer_of
from tests.pages.stage import Stage
from tests.pages.test_fronts import declined
from tests.pages.test_problems import CASES, TECHNICAL

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.usefixtures("db")
WIDTHS: Final = (320, 390, 1280)
FRAGMENT: Final = {"HX-Request": "true"}
# WCAG to 2.2 AA and best practice; axe leaves the size of targets out unless it is asked.
EVERY_RULE: Final = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
# What a narrow window can change, and what the dark theme can.
BY_WIDTH: Final = {
    "runOnly": ["color-contrast", "target-size", "scrollable-region-focusable", "link-name", "button-name"]
}
BY_COLOUR: Final = {"runOnly": ["color-contrast"]}
FOCUSED: Final = "document.activeElement.id || document.activeElement.textContent.trim()"
SMALL_TARGETS: Final = """[...document.querySelectorAll('.btn')].filter(
    button => button.getClientRects().length && button.getBoundingClientRect().height < 44).map(b => b.textContent)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A page to look at: how the stage is set, which page, and with which role."""

    make: Callable[[], Stage]
    page: str = ""
    role: ContactRole = ContactRole.APPROVER


def broken() -> Stage:
    """Somebody changed the lock."""
    case = CASES["trusts anyone"]
    return stage.broken(case.checks, status=case.status, problem=TECHNICAL)


def unknown_account() -> Stage:
    """Nobody has told the account yet."""
    return stage.invited(account_id="")


SIGHTS: dict[str, Sight] = {
    "consent": Sight(make=stage.invited),
    "consent, account unknown": Sight(make=unknown_account),
    "consent, viewer": Sight(make=stage.invited, role=ContactRole.VIEWER),
    "not yet": Sight(make=stage.invited, role=ContactRole.AWS_ADMIN),
    "decline": Sight(make=stage.invited, page="decline/"),
    "declined": Sight(make=declined),
    "connect": Sight(make=stage.agreed),
    "connect, on": Sight(make=stage.active, page="connect/"),
    "connect, broken": Sight(make=broken, page="connect/"),
    "status, new": Sight(make=stage.active),
    "status": Sight(make=stage.visited),
    "status, broken": Sight(make=broken),
    "pause": Sight(make=stage.visited, page="pause/"),
    "paused": Sight(make=stage.paused),
    "resume": Sight(make=stage.paused, page="resume/"),
    "end": Sight(make=stage.visited, page="end/"),
    "closing": Sight(make=stage.closing),
    "certificate": Sight(make=stage.closed),
    "over": Sight(make=stage.closed, role=ContactRole.AWS_ADMIN),
    "receipt": Sight(make=stage.agreed, page="receipt/"),
    "projects": Sight(make=stage.visited, page="../"),
    "refused": Sight(make=stage.invited, page="end/", role=ContactRole.VIEWER),
}


def film_of(sight: Sight) -> tuple[Film, str]:
    """The page as it is, with a live card that hears nothing new."""
    scene = sight.make()
    user = scene.sam if sight.role == ContactRole.APPROVER else scene.colleague(sight.role)
    path = "/e/" if sight.page == "../" else scene.path(sight.page)
    nothing_new = Answer(status=204, headers={}, body=b"")
    return Film().shoot(scene.browser(user), path).add(f"GET {scene.path('live/')}", nothing_new), path


def sideways(page: Page) -> dict[str, int]:
    """The widths at which the page is wider than the window, light or dark."""
    found: dict[str, int] = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        wide: int = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            found[str(width)] = wide
    return found


def faults(page: Page) -> list[str]:
    """What axe finds at each width, in light and in dark, with where."""
    found: list[str] = []
    page.evaluate(AXE_SCRIPT)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        wide = width == WIDTHS[-1]
        for scheme, options in (("light", EVERY_RULE if wide else BY_WIDTH), ("dark", BY_COLOUR)):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            told: dict[str, Any] = page.evaluate(
                "options => axe.run(options)", options
            )  # Any: axe's own JSON
            for fault in told["violations"]:
                places = [node["html"][:120] for node in fault["nodes"]]
                found.append(f"{width} px, {scheme}: {fault['id']}: {places}")
    return found


@pytest.mark.parametrize("name", SIGHTS)
def test_a_page_fits_every_width_and_axe_finds_nothing(name: str, chromium: Chromium) -> None:
    film, path = film_of(SIGHTS[name])

    def look(page: Page) -> tuple[dict[str, int], list[str], list[str]]:
        wide, small = sideways(page), page.evaluate(SMALL_TARGETS)
        return wide, small, faults(page)

    assert chromium.look(film, path, look) == ({}, [], [])


def test_what_is_asked_stands_above_the_fold(chromium: Chromium) -> None:
    film, path = film_of(SIGHTS["consent"])
    bottom = chromium.look(film, path, lambda page: page.locator("#facts").bounding_box())
    assert bottom is not None
    assert bottom["y"] + bottom["height"] < 900


@pytest.mark.parametrize("account_id", ["441709265583", ""])
def test_agreeing_by_keyboard_takes_ten_tabs_at_most(chromium: Chromium, account_id: str) -> None:
    scene = stage.invited(account_id=account_id)
    browser = scene.browser()
    film = Film().shoot(browser, scene.path())
    film.add(f"POST {scene.path('agree/')}", Answer(status=204, headers={}, body=b""))

    def tab_to(page: Page, place: str) -> int:
        for pressed in range(1, 20):
            page.keyboard.press("Tab")
            if page.evaluate(FOCUSED) == place:
                return pressed
        raise AssertionError(f"{place} is never reached")

    def agree(page: Page) -> int:
        tabs = 0
        if not account_id:
            tabs += tab_to(page, "id_account_id")
            page.keyboard.type("4417 0926 5583")
        tabs += tab_to(page, "id_agree")
        page.keyboard.press("Space")
        tabs += tab_to(page, "Agree and continue")
        outline: str = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert outline == "3px"
        with page.expect_response(lambda response: response.request.method == "POST"):
            page.keyboard.press("Enter")
        return tabs

    assert chromium.look(film, scene.path(), agree) <= 10
    (sent,) = film.sent
    assert browser.post(scene.path("agree/"), dict(parse_qsl(sent))).status_code == 302
    (consent,) = scene.consents()
    assert consent.account_id == "441709265583"


def test_a_mistake_takes_the_focus_and_leads_to_its_field(chromium: Chromium) -> None:
    scene = unknown_account()
    browser = scene.browser()
    shown = read(browser.get(scene.path())).fields["shown"]
    answer = browser.post(scene.path("agree/"), {"shown": shown, "account_id": "12"})
    film = Film().add(f"GET {scene.path()}", answer_of(answer))

    def look(page: Page) -> tuple[str, str]:
        first: str = page.evaluate("document.activeElement.getAttribute('role')")
        page.locator(".errors a").first.click()
        return first, page.evaluate("document.activeElement.id")

    assert chromium.look(film, scene.path(), look) == ("alert", "id_account_id")


@pytest.mark.parametrize("name", ["consent", "connect", "status", "closing"])
def test_without_javascript_the_page_is_whole(name: str, chromium: Chromium) -> None:
    film, path = film_of(SIGHTS[name])
    plain = chromium.look(film, path, lambda page: page.inner_text("main"), has_script=False)
    scripted = chromium.look(film, path, lambda page: page.inner_text("main"))
    assert plain == scripted


def test_without_javascript_consent_is_a_tick_and_a_press(chromium: Chromium) -> None:
    scene = stage.invited()
    browser = scene.browser()
    film = Film().shoot(browser, scene.path())
    film.add(f"POST {scene.path('agree/')}", Answer(status=204, headers={}, body=b""))

    def agree(page: Page) -> None:
        page.check("#id_agree")
        with page.expect_response(lambda response: response.request.method == "POST"):
            page.click("text=Agree and continue")

    chromium.look(film, scene.path(), agree, has_script=False)
    assert browser.post(scene.path("agree/"), dict(parse_qsl(film.sent[0]))).status_code == 302
    assert len(scene.consents()) == 1


def test_the_card_turns_green_by_itself_and_then_asks_no_more(chromium: Chromium) -> None:
    scene = stage.agreed()
    browser = scene.browser()
    film = Film().shoot(browser, scene.path())
    live, check = scene.path("live/"), scene.path("check/")
    film.add(f"POST {check}", answer_of(browser.post(check, headers=FRAGMENT)))
    with tenancy.use(scene.scope):
        Grant.objects.update(
            status=GrantStatus.VERIFIED,
            checks=stage.ALL_WELL,
            verified_at=clock.now(),
            last_verdict=Verdict.OK,
        )
    film.add(f"GET {live}", answer_of(browser.get(live, {"pace": 3}, headers=FRAGMENT)))

    def wait(page: Page) -> tuple[str, str, int]:
        with page.expect_response(lambda response: response.url.endswith(check)):
            page.click("#check-now")
        page.wait_for_selector("#live .banner.ok", timeout=10_000)
        said, beside = page.inner_text("#live-msg"), page.inner_text("#open-aws")
        return said, beside, page.locator("#live[hx-trigger]").count()

    said, beside, _asking = chromium.look(film, scene.path(), wait)
    assert said == "Access is on and checked"
    assert beside == "Done. There is nothing left to do in AWS."
    asked = [line for line in film.asked if line.startswith(f"GET {live}")]
    assert len(asked) == 1
    assert "seen=" in asked[0]
