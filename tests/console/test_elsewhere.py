"""A client asks to use another AWS account: shown where it needs somebody, with both numbers; confirmed or refused once."""

from __future__ import annotations

import pytest

from engagements.lifecycle import ChangeStatus, WishStatus
from engagements.models import AccountWish, ScopeChange
from engagements.services.wishes import wish_make, wish_take_back
from portal.kernel import tenancy
from tests.console.cast import House, house
from tests.pages import stage
from tests.pages.test_elsewhere import wish_of, wished
from tests.pages.test_hitches import OTHER

pytestmark = pytest.mark.django_db
CONFIRM, REFUSE = "account-confirm/", "account-refuse/"


@pytest.fixture
def home() -> House:
    return house(wished())


def text(home: House, slug: str = "") -> str:
    return " ".join(home.owner.get(home.url(slug)).content.decode().split())


def yes(home: House, **over: str) -> dict[str, str]:
    return {"confirm": "yes", "wish": str(wish_of(home.stage).pk), **over}


def changes(home: House) -> list[ScopeChange]:
    with tenancy.use(home.stage.scope):
        return list(ScopeChange.objects.select_related("offer"))


def test_it_stands_on_the_first_page_and_on_the_engagements_with_both_numbers(home: House) -> None:
    first = " ".join(home.owner.get("/console/").content.decode().split())
    assert "Brightwater Dental asks to use another AWS account" in first
    assert "…2222 instead of …5583. Confirm it, or say why not." in first
    page = text(home)
    assert "Another AWS account" in page
    assert "2222 2222 2222" in page
    assert "4417 0926 5583" in page
    assert "Waiting for your answer" in page
    assert home.url(CONFIRM) in page
    assert home.url(REFUSE) in page


def test_confirming_asks_the_client_to_agree_and_shows_it(home: House) -> None:
    form = text(home, CONFIRM)
    assert "They ask for account 2222 2222 2222 instead of 4417 0926 5583." in form
    assert "Make sure with Brightwater Dental that the account is theirs" in form
    answer = home.assigned.post(home.url(CONFIRM), yes(home))
    assert (answer.status_code, answer["Location"]) == (302, home.url())
    (change,) = changes(home)
    assert (change.status, change.offer.other_account) == (ChangeStatus.ASKED, OTHER)
    page = text(home)
    assert "Waiting for the client’s answer" in page
    assert "instead of 4417 0926 5583" in page
    assert home.url(CONFIRM) not in page
    assert "asks to use another AWS account" not in " ".join(
        home.owner.get("/console/").content.decode().split()
    )
    told = home.events()
    home.owner.post(home.url(CONFIRM), yes(home))
    assert (home.events(), len(changes(home))) == (told, 1)
    assert home.owner.post(home.url("change-back/"), {"confirm": "yes"}).status_code == 302
    assert [one.status for one in changes(home)] == [ChangeStatus.TAKEN_BACK]


def test_refusing_needs_a_reason(home: House) -> None:
    assert "They get a mail with your reason." in text(home, REFUSE)
    assert home.owner.post(home.url(REFUSE), yes(home)).status_code == 422
    assert home.owner.post(home.url(REFUSE), yes(home, reason="  ")).status_code == 422
    answer = home.owner.post(home.url(REFUSE), yes(home, reason="It is another firm’s."))
    assert answer.status_code == 302
    found = wish_of(home.stage)
    assert (found.status, found.moved_note) == (WishStatus.REFUSED, "It is another firm’s.")
    assert changes(home) == []


def test_what_came_after_the_page_was_read_is_not_confirmed(home: House) -> None:
    read_before, scene = yes(home), home.stage
    with tenancy.use(scene.client_scope):
        wish_take_back(engagement=scene.engagement, contact=scene.contact, actor=scene.sam_acts)
        wish_make(
            engagement=scene.engagement,
            contact=scene.contact,
            account_id="333333333333",
            actor=scene.sam_acts,
        )
    answer = home.owner.post(home.url(CONFIRM), read_before)
    assert "took it back, or it was answered already" in answer.content.decode()
    assert changes(home) == []
    with tenancy.use(scene.scope):
        assert AccountWish.objects.filter(status=WishStatus.ASKED).count() == 1


def test_a_mark_that_our_page_did_not_write_is_no_wish(home: House) -> None:
    for mark in ("", "not-a-key", "x" * 40):
        assert home.owner.post(home.url(CONFIRM), {"confirm": "yes", "wish": mark}).status_code == 422
    assert changes(home) == []


def test_only_who_works_on_it_answers(home: House) -> None:
    for slug in (CONFIRM, REFUSE):
        for browser, status in (
            (home.auditor, 403),
            (home.unassigned, 404),
            (home.stranger, 404),
            (home.contact, 404),
        ):
            assert browser.post(home.url(slug), yes(home, reason="no")).status_code == status
    assert wish_of(home.stage).status == WishStatus.ASKED


def test_without_a_wish_nothing_is_shown() -> None:
    home = house(stage.agreed())
    assert "Another AWS account" not in text(home)
    assert home.owner.get(home.url(CONFIRM)).status_code == 302
