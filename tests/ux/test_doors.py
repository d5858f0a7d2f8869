"""Rows 2 to 5: mailed addresses, the code, the passkey that is offered, and how every page names itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import pytest
from django.test import Client as Browser

from accounts.emails import invitation_url
from accounts.models import Invitation
from portal.kernel import tenancy
from tests.accounts.conftest import make_browser
from tests.accounts.test_factors import SECRET, now_code
from tests.accounts.test_sign_in import ADDRESS, CODE, ask, code_in, is_in
from tests.conftest import SqlAs
from tests.mailbox import Mailbox
from tests.pages import stage
from tests.pages.reading import Page as Seen
from tests.pages.reading import read
from tests.pages.screen import Answer, Chromium, Film, answer_of
from tests.pages.stage import Stage
from tests.pages.test_costs import checksums
from tests.pages.test_screens import SIGHTS, Sight
from tests.signing_in import let_in

from accounts.services.factors import totp_enrol  # isort: skip

if TYPE_CHECKING:
    from playwright.sync_api import Page

Deliver = Callable[[], int]
HELP: Final = ("/help/", "/help/safety/", "/help/privacy/", "/help/accessibility/", "/verify/")
OWN: Final = (
    "/account/factors/",
    "/account/factors/offer/",
    "/account/factors/app/",
    "/account/factors/passkey/",
    "/account/sessions/",
    "/account/logout/",
    "/choose/",
    "/e/none/",
)
MISTAKES: Final[dict[str, dict[str, str]]] = {
    "/account/login/": {"email": "sam at brightwater"},
    "/verify/": {},
    "/account/factors/app/": {"code": ""},
    "/account/factors/passkey/": {"name": ""},
    "question/": {"question": ""},
    "colleague/": {"name": "", "email": "nobody"},
    "decline/": {"reason": "x" * 400},
    "pause/": {"reason": "x" * 400},
    "agree/": {},
}


@pytest.fixture
def asked(real_db: None, mailbox: Mailbox, deliver: Deliver) -> tuple[Stage, Browser, str]:
    """Sam before the code page, and the code."""
    scene, browser = stage.visited(), make_browser()
    while deliver():
        pass
    mailbox.letters.clear()
    assert ask(browser, scene.sam.email)["Location"] == CODE
    deliver()
    return scene, browser, code_in(mailbox)


def link_of(scene: Stage) -> str:
    """The mailed link, as a path."""
    with tenancy.use(scene.scope):
        found = invitation_url(Invitation.objects.select_related("practice").latest("pk"))
    return "/" + found.split("/", 3)[3]


def test_ux_row_02_mailed_addresses_change_nothing_on_get_or_head(real_db: None, sql_as: SqlAs) -> None:
    scene = stage.invited()
    link, sam = link_of(scene), scene.browser()
    mailed = [scene.path(page) for page in ("", "receipt/", "certificate/", "question/", "end/", "resume/")]
    before = checksums(sql_as)
    for browser in (make_browser(), sam):
        for path in (link, *mailed):
            for look in (browser.get, browser.head):
                for _ in range(3):
                    assert look(path).status_code < 500, path
    assert checksums(sql_as) == before
    guest = make_browser()
    assert guest.post(link)["Location"] == scene.path()
    assert is_in(guest)
    assert checksums(sql_as) != before
    assert make_browser().post(link).status_code == 410


def test_ux_row_03_the_code_is_one_field_that_takes_what_is_pasted(
    asked: tuple[Stage, Browser, str], chromium: Chromium
) -> None:
    _scene, browser, code = asked
    assert re.fullmatch(r"\d{6}", code)
    film = Film().shoot(browser, CODE)
    film.add(f"POST {CODE}", Answer(status=204, headers={}, body=b""))

    def paste(page: Page) -> tuple[int, str | None, str | None]:
        field = page.locator("main input[type=text], main input[name=code]")
        field.first.focus()
        page.keyboard.insert_text(f" {code[:3]} {code[3:]} ")  # what a paste puts in
        with page.expect_response(lambda response: response.request.method == "POST"):
            page.get_by_role("button", name="Continue").click()
        return field.count(), field.get_attribute("autocomplete"), field.get_attribute("inputmode")

    assert chromium.look(film, CODE, paste) == (1, "one-time-code", "numeric")
    sent = dict(parse_qsl(film.sent[0]))
    assert sent["code"].strip() != code  # the browser sent it as it was pasted
    assert browser.post(CODE, {**sent, "action": "verify"}).status_code == 302
    assert is_in(browser)


def test_ux_row_04_a_passkey_is_offered_after_success_and_can_be_passed_by(
    asked: tuple[Stage, Browser, str], chromium: Chromium
) -> None:
    scene, browser, code = asked
    for page in (ADDRESS, CODE):
        assert "Add a passkey" not in make_browser().get(page).content.decode()
        assert "Add a passkey" not in browser.get(page).content.decode()
    offer = browser.post(CODE, {"code": code, "action": "verify"})["Location"]
    film = Film().shoot(browser, offer)
    film.add("GET /", answer_of(browser.get("/", follow=True)))

    def pass_by(page: Page) -> tuple[str, str]:
        offered = page.get_by_role("link", name="Add a passkey").get_attribute("href") or ""
        page.get_by_role("link", name="Not now").click()
        return offered, page.get_by_role("heading", level=1).inner_text()

    offered, arrived = chromium.look(film, offer, pass_by, has_script=False)
    assert browser.get(offered).status_code == 200
    assert arrived == "Your projects"
    assert is_not_offered(scene)


def is_not_offered(scene: Stage) -> bool:
    """To who has a second factor already, and to consultants, who must have one anyway."""
    browser = let_in(make_browser(), scene.sam)
    session = browser.session
    session["signed_in_by"] = "code"
    session.save()
    assert browser.get(ADDRESS)["Location"] == "/account/factors/offer/"
    totp_enrol(user=scene.sam, secret=SECRET, code=now_code(ahead=-1))
    return bool(browser.get(ADDRESS)["Location"] == "/")


def seen(answer: Any) -> Seen:  # Any: Django's test response
    """One H1, whose words begin the title."""
    page = read(answer)
    assert page.title.removeprefix("Error: ").startswith(page.h1), (page.title, page.h1)
    return page


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("name", SIGHTS)
def test_ux_row_05_each_page_has_one_h1_that_begins_its_title(name: str) -> None:
    page = seen(look_at(SIGHTS[name]))
    assert not page.title.startswith("Error")


def look_at(sight: Sight) -> Any:  # Any: as above
    scene = sight.make()
    user = scene.sam if sight.role == "approver" else scene.colleague(sight.role)
    return scene.browser(user).get("/e/" if sight.page == "../" else scene.path(sight.page))


@pytest.mark.usefixtures("db")
def test_ux_row_05_so_do_the_pages_around_them() -> None:
    scene = stage.invited()
    for path in (*HELP, link_of(scene), "/i/nothing/", ADDRESS, "/nowhere/", "/account/inactive/"):
        seen(make_browser().get(path))
    for path in OWN:
        seen(scene.browser().get(path))


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("path", MISTAKES)
def test_ux_row_05_a_mistake_is_told_first_takes_the_focus_and_leads_to_its_field(
    path: str, chromium: Chromium
) -> None:
    scene = stage.active() if path == "pause/" else stage.invited()
    browser = make_browser() if path == "/account/login/" else scene.browser()
    there = path if path.startswith("/") else scene.path(path)
    given = MISTAKES[path]
    if path == "agree/":
        given = {"shown": read(browser.get(scene.path())).fields["shown"]}
    answer = browser.post(there, given)
    assert seen(answer).title.startswith("Error: ")
    film = Film().add(f"GET {there}", answer_of(answer))

    def look(page: Page) -> tuple[str, str, str]:
        focused: str = page.evaluate("document.activeElement.getAttribute('role')")
        link = page.locator("[role=alert] a").first
        aim = (link.get_attribute("href") or "").removeprefix("#")
        link.click()
        return focused, aim, str(page.evaluate("document.activeElement.id"))

    focused, aim, reached = chromium.look(film, there, look)
    assert (focused, reached) == ("alert", aim)
    assert aim
