"""Every page in words that are a third longer, and from right to left: nothing is cut off, nothing was forgotten.

UX row 68. The browser is real, 320 pixels wide, which is the narrowest that is promised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from django.test import Client as Browser
from django.urls import reverse

from accounts.emails import invitation_url
from accounts.lifecycle import ContactRole
from accounts.models import Invitation
from portal.kernel import tenancy
from tests.engagements.test_orders import make_page
from tests.factories import make_firm
from tests.languages import crawl
from tests.languages.crawl import Seen
from tests.languages.pseudo import BOTH, TURNED, Pseudo
from tests.pages import rooms, stage
from tests.pages.screen import Chromium, Film
from tests.pages.test_hitches import handed
from tests.pages.test_screens import SIGHTS, faults

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.usefixtures("db", "pseudo_spoken"), pytest.mark.e2e]
NARROW: Final = 320


SAID_BY_AWS: Final = (
    "User: arn:aws:iam::222222222222:user/sam is not authorized to perform: iam:CreateRole",
    "AccessDenied: with an explicit deny in a service control policy",
    "Requires capabilities : [CAPABILITY_NAMED_IAM]",
    "AccessDenied",
    "The role already exists",
    "LimitExceeded",
    "Template format error",
    "ROLLBACK_COMPLETE",
    "Something that nobody has seen",
)
ALL_SIGHTS: Final = SIGHTS | rooms.SIGHTS
KEY_SIGHTS: Final = ("consent", "connect", "status", "closing", "end")
OF_A_PERSON: Final = (
    "choose",
    "welcome",
    "account_logout",
    "sessions",
    "factors",
    "factor_passkey",
    "factor_totp",
    "factor_offer",
)
OF_ANYBODY: Final = (
    "account_login",
    "account_inactive",
    "service_pick",
    "help",
    "protection",
    "privacy",
    "accessibility",
    "verify",
    "language",
    "find",
)


def is_well(pseudo: Pseudo, seen: Seen) -> None:
    """In its language, from its side, no wider than the window, without a plain word, and no sentence cut in two."""
    assert (seen.language, seen.direction) == (pseudo.code, pseudo.direction)
    assert seen.plain == ()
    assert seen.width == NARROW
    assert seen.open_brackets == 0


@pytest.mark.parametrize("name", ALL_SIGHTS)
def test_ux_row_68_a_clients_page_holds_longer_words_and_turns_round(name: str, chromium: Chromium) -> None:
    sight = ALL_SIGHTS[name]
    scene = sight.make()
    user = scene.sam if sight.role == ContactRole.APPROVER else scene.colleague(sight.role)
    path = "/e/" if sight.page == "../" else scene.path(sight.page)
    look = crawl.look([*crawl.words_of_offer(scene), scene.engagement.code.upper()])
    for pseudo in BOTH:
        crawl.speak(pseudo, user)
        film = crawl.film_of(scene.browser(user), path, scene.path("live/"))
        is_well(pseudo, chromium.look(film, path, look, width=NARROW))


def test_ux_row_68_the_pages_of_a_person_hold_longer_words_and_turn_round(chromium: Chromium) -> None:
    scene = stage.invited()
    for pseudo in BOTH:
        crawl.speak(pseudo, scene.sam)
        browser = scene.browser()
        for name in OF_A_PERSON:
            path = reverse(name)
            is_well(pseudo, _seen(chromium, crawl.film_of(browser, path), path))


def test_ux_row_68_the_pages_of_anybody_hold_longer_words_and_turn_round(chromium: Chromium) -> None:
    make_page(make_firm("north"))
    dead = [reverse("invitation", args=["nobody"]), "/no/such/page/"]
    order = [reverse(name, args=["north"]) for name in ("intake", "intake_sent", "intake_done")]
    for pseudo in BOTH:
        browser = Browser(headers={"accept-language": pseudo.code})
        for path in (*(reverse(name) for name in OF_ANYBODY), *dead, *order):
            is_well(pseudo, _seen(chromium, crawl.film_of(browser, path), path))


def test_ux_row_68_what_is_said_of_a_mistake_is_translated_too(chromium: Chromium) -> None:
    scene = stage.invited(account_id="")
    for pseudo in BOTH:
        crawl.speak(pseudo, scene.sam)
        browser, path = scene.browser(), scene.path("agree/")
        shown = stage_seal(browser, scene.path())
        film = crawl.film_of_answer(browser, path, {"shown": shown, "account_id": "12"})
        film.add(f"GET {scene.path('live/')}", crawl.NOTHING_NEW)
        is_well(pseudo, _seen(chromium, film, path, *crawl.words_of_offer(scene)))


@pytest.mark.parametrize("name", rooms.FOLDED)
def test_ux_row_68_what_was_folded_away_fits_the_window_too(name: str, chromium: Chromium) -> None:
    scene = rooms.SIGHTS[name].make()
    path = scene.path(rooms.SIGHTS[name].page)
    for pseudo in BOTH:
        crawl.speak(pseudo, scene.sam)
        film = crawl.film_of(scene.browser(), path, scene.path("live/"))
        folds, width = chromium.look(film, path, _unfolded, width=NARROW)
        assert folds > 0
        assert width == NARROW


def test_ux_row_68_the_proof_that_letting_in_takes_is_translated_too(chromium: Chromium) -> None:
    scene = rooms.rung()
    path = scene.path("door/")
    for pseudo in BOTH:
        crawl.speak(pseudo, scene.sam)
        film = crawl.film_of_answer(scene.browser(), path, {"ring": rooms.key_of_ring(scene), "answer": "in"})
        film.add(f"GET {scene.path('live/')}", crawl.NOTHING_NEW)
        is_well(pseudo, _seen(chromium, film, path))


@pytest.mark.parametrize("said", SAID_BY_AWS)
def test_ux_row_68_what_a_message_of_aws_means_is_translated_too(said: str, chromium: Chromium) -> None:
    scene = stage.agreed()
    path = scene.path("trouble/")
    for pseudo in BOTH:
        crawl.speak(pseudo, scene.sam)
        film = crawl.film_of_answer(scene.browser(), path, {"said": said})
        film.add(f"GET {scene.path('live/')}", crawl.NOTHING_NEW)
        is_well(pseudo, _seen(chromium, film, path))


def test_ux_row_68_the_pages_of_a_step_handed_on_are_translated_too(chromium: Chromium) -> None:
    scene = stage.agreed()
    alex = handed(scene)
    with tenancy.use(scene.scope):
        invitation = Invitation.objects.get(contact__user=alex)
    landing = invitation_url(invitation).removeprefix("http://testserver")
    for pseudo in BOTH:
        crawl.speak(pseudo, scene.sam, alex)
        for path, browser in (
            (landing, Browser(headers={"accept-language": pseudo.code})),
            (f"{landing}not-mine/", Browser(headers={"accept-language": pseudo.code})),
            (scene.path("connect/"), scene.browser(alex)),
            (scene.path("hand-over/"), scene.browser()),
        ):
            film = crawl.film_of(browser, path, scene.path("live/"))
            is_well(pseudo, _seen(chromium, film, path))


@pytest.mark.parametrize("name", KEY_SIGHTS)
def test_ux_row_68_axe_finds_nothing_from_right_to_left(name: str, chromium: Chromium) -> None:
    sight = SIGHTS[name]
    scene = sight.make()
    crawl.speak(TURNED, scene.sam)
    film = crawl.film_of(scene.browser(), scene.path(sight.page), scene.path("live/"))
    assert chromium.look(film, scene.path(sight.page), faults) == []


def test_ux_row_68_what_is_beside_something_changes_sides(chromium: Chromium) -> None:
    """The list's numbers stand where a line begins."""
    scene = stage.agreed()
    where: dict[str, float] = {}
    for pseudo in BOTH:
        crawl.speak(pseudo, scene.sam)
        film = crawl.film_of(scene.browser(), scene.path(), scene.path("live/"))
        where[pseudo.direction] = chromium.look(film, scene.path(), _place_of_first_step)
    assert where["ltr"] < 0.5 < where["rtl"]


def stage_seal(browser: Browser, path: str) -> str:
    """What the page carries of what it showed."""
    page = browser.get(path).content.decode()
    return page.partition('name="shown" value="')[2].partition('"')[0]


def _place_of_first_step(page: Page) -> float:
    """Where the words of the first step begin, as a part of the list's width."""
    found: Any = page.evaluate(  # Any: numbers of JavaScript
        """() => { const step = document.querySelector('.how > li'), words = step.querySelector('h3'),
          range = document.createRange(); range.selectNodeContents(words);
          const whole = step.getBoundingClientRect(), text = range.getBoundingClientRect();
          return ((text.left + text.right) / 2 - whole.left) / whole.width; }"""
    )
    return float(found)


def _unfolded(page: Page) -> tuple[int, int]:
    """How many folds were opened, and how wide the page is then."""
    folds: int = page.evaluate(
        "[...document.querySelectorAll('main details')].filter(fold => fold.open = true).length"
    )
    width: int = page.evaluate("document.documentElement.scrollWidth")
    return folds, width


def _seen(chromium: Chromium, film: Film, path: str, *data: str) -> Seen:
    return chromium.look(film, path, crawl.look(data), width=NARROW)
