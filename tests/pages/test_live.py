"""What the live card is answered: nothing new, something new, slow down, the last one, signed out (UX §9)."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.http import HttpResponseBase
from django.test import Client as Browser

from accounts.lifecycle import ContactRole
from awsaccess.lifecycle import GrantStatus, Verdict
from awsaccess.models import ExitProof, Grant
from engagements.models import Offer
from portal.kernel import clock, tenancy
from tests.pages import stage
from tests.pages.reading import read
from tests.pages.stage import Stage

pytestmark = pytest.mark.usefixtures("db")
FRAGMENT = {"HX-Request": "true"}
TEN_MINUTES, AN_HOUR = 10 * 60, 60 * 60


def ask(scene: Stage, browser: Browser | None = None, *, age: int = 0, **told: str | int) -> HttpResponseBase:
    """What htmx asks. `age` is how many seconds ago the page came."""
    started = int(clock.now().timestamp()) - age
    query = {"from": started, "pace": 3, **told}
    return (browser or scene.browser()).get(scene.path("live/"), query, headers=FRAGMENT)


def body(response: HttpResponseBase) -> str:
    return getattr(response, "content", b"").decode()


def digest(scene: Stage) -> str:
    """What the card on the page remembers."""
    found = re.search(r'id="live-seen" name="seen" value="([0-9a-f]{16})"', body(ask(scene)))
    assert found
    return found[1]


def move(scene: Stage, **changes: object) -> None:
    """The access in AWS as the worker would write it down."""
    with tenancy.use(scene.scope):
        Grant.objects.filter(engagement=scene.engagement).update(**changes)


@pytest.mark.parametrize("make", [stage.agreed, stage.paused, stage.closing])
def test_nothing_new_is_204_without_a_body(make: object) -> None:
    assert callable(make)
    scene = make()
    response = ask(scene, seen=digest(scene))
    assert (response.status_code, body(response)) == (204, "")


def test_something_new_is_the_inside_of_the_card_and_one_sentence_to_be_read_aloud() -> None:
    scene = stage.agreed()
    seen = digest(scene)
    move(scene, status=GrantStatus.CHECKING, checks={"found": "ok"})
    response = ask(scene, seen=seen)
    assert response.status_code == 200
    assert "HX-Reswap" not in response.headers
    told = body(response)
    assert "<html" not in told
    assert 'id="live"' not in told
    assert '<p id="live-msg" hx-swap-oob="innerHTML">Found it. Checking the details</p>' in told
    assert "Access role found in your account Yes" in read(response).text  # type: ignore[arg-type]  # has content


def test_the_button_into_aws_comes_with_the_template() -> None:
    scene = stage.agreed(published=False)
    seen = digest(scene)
    with tenancy.use(scene.scope):
        Offer.objects.filter(engagement=scene.engagement).update(template_version_id="v1")
    told = body(ask(scene, seen=seen))
    assert '<div id="open-aws" hx-swap-oob="innerHTML"><a id="open-aws-link"' in told


@pytest.mark.parametrize(
    ("age", "pace", "slower"),
    [(TEN_MINUTES, 3, 15), (AN_HOUR, 15, 60), (AN_HOUR, 3, 60)],
)
def test_after_a_while_the_card_comes_back_whole_and_asks_less(age: int, pace: int, slower: int) -> None:
    scene = stage.agreed()
    response = ask(scene, age=age, seen=digest(scene), pace=pace)
    assert response.status_code == 200
    assert response.headers["HX-Reswap"] == "outerHTML"
    assert f'hx-trigger="every {slower}s"' in body(response)
    assert f"pace={slower}" in body(response)


@pytest.mark.parametrize(("age", "pace"), [(TEN_MINUTES - 5, 3), (TEN_MINUTES, 15), (AN_HOUR, 60)])
def test_it_slows_down_once(age: int, pace: int) -> None:
    scene = stage.agreed()
    assert ask(scene, age=age, seen=digest(scene), pace=pace).status_code == 204


def test_the_last_one_is_286() -> None:
    scene = stage.agreed()
    seen = digest(scene)
    move(
        scene,
        status=GrantStatus.VERIFIED,
        checks=stage.ALL_WELL,
        verified_at=clock.now(),
        last_verdict=Verdict.OK,
    )
    response = ask(scene, seen=seen)
    assert response.status_code == 286
    told = body(response)
    assert "hx-get" not in told
    assert "Access is on and checked" in told
    assert "There is nothing left to do in AWS." in told
    assert f'href="{scene.path()}">Continue' in told


def test_the_closing_list_ticks_itself_off() -> None:
    scene = stage.closing()
    seen = digest(scene)
    with tenancy.use(scene.scope):
        ExitProof.objects.update(refused_since=clock.now())
    response = ask(scene, seen=seen)
    assert response.status_code == 200
    told = body(response)
    assert "1 of 3 done" in told
    assert "AWS no longer lets us in." in told
    assert "I have deleted it" not in told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "It first refused us 0 seconds after the end."),
        (1, "It first refused us 1 second after the end."),
        (42, "It first refused us 42 seconds after the end."),
        (119, "It first refused us 119 seconds after the end."),
        (125, "It first refused us 2 minutes after the end."),
    ],
)
def test_the_closing_list_shows_how_long_aws_let_us_in_after_the_end(seconds: int, told: str) -> None:
    scene = stage.closing()
    assert "It first refused us" not in body(ask(scene))
    with tenancy.use(scene.scope):
        begun = ExitProof.objects.get().begun_at
        ExitProof.objects.update(refused_since=begun + dt.timedelta(seconds=seconds))
    assert told in body(ask(scene))


@pytest.mark.parametrize(("role", "has_paper"), [(ContactRole.VIEWER, True), (ContactRole.AWS_ADMIN, False)])
def test_the_closing_list_ends_with_the_certificate_for_its_readers(
    role: ContactRole,
    has_paper: bool,  # noqa: FBT001  # a column of the table
) -> None:
    scene = stage.closed()
    response = ask(scene, scene.browser(scene.colleague(role)))
    assert response.status_code == 286
    assert "Everything is gone" in body(response)
    assert (scene.path("certificate/") in body(response)) is has_paper


def test_a_pause_shows_on_a_card_that_still_stands() -> None:
    scene = stage.paused()
    assert "Access is paused" in body(ask(scene))


def test_silence_of_aws_is_told_without_alarm() -> None:
    scene = stage.agreed()
    seen = digest(scene)
    move(scene, last_verdict=Verdict.UNKNOWN, checked_at=clock.now())
    told = body(ask(scene, seen=seen))
    assert "AWS hasn’t answered yet. We keep trying for 7 days, and email you then." in told
    assert "Open AWS" in told


@pytest.mark.parametrize("garbage", ["", "-1", "1e9", "\N{FULLWIDTH DIGIT NINE}", "9" * 40, "abc"])
def test_numbers_that_are_none_are_not_believed(garbage: str) -> None:
    scene = stage.agreed()
    query = {"seen": digest(scene), "from": garbage, "pace": garbage}
    assert scene.browser().get(scene.path("live/"), query, headers=FRAGMENT).status_code == 204


def test_signed_out_the_page_is_told_to_go() -> None:
    scene = stage.agreed()
    response = ask(scene, Browser())
    assert response.status_code == 401
    assert response.headers["HX-Redirect"] == "/account/login/"


def test_for_others_the_card_does_not_exist() -> None:
    scene = stage.agreed()
    response = ask(scene, scene.browser(scene.neighbour()))
    assert response.status_code == 404
    assert "<html" not in body(response)
    assert "There is nothing here." in body(response)


def test_opened_as_a_page_it_leads_to_the_page() -> None:
    scene = stage.agreed()
    assert scene.browser().get(scene.path("live/")).headers["Location"] == scene.path()


def test_looking_again_answers_with_the_whole_card_at_its_quickest() -> None:
    scene = stage.agreed()
    response = scene.browser().post(scene.path("check/"), headers=FRAGMENT)
    assert response.status_code == 200
    told = body(response)
    assert told.startswith('<div id="live"') or '<div id="live" class="card live"' in told
    assert 'hx-trigger="every 3s"' in told


def test_looking_again_while_closing_answers_with_the_list() -> None:
    scene = stage.closing()
    response = scene.browser().post(scene.path("check/"), headers=FRAGMENT)
    assert "0 of 3 done" in body(response)
    assert '<div id="live"' in body(response)
