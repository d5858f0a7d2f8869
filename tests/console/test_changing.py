"""A change of a running access from the console: asked once, taken back, never in force by itself."""

from __future__ import annotations

import datetime as dt

import pytest

from engagements.lifecycle import ChangeStatus
from engagements.models import Engagement, ScopeChange
from portal.console import reads
from portal.kernel import tenancy
from tests.console.cast import House, house
from tests.pages import stage

pytestmark = pytest.mark.django_db
YES = {"confirm": "yes"}


@pytest.fixture
def home() -> House:
    return house(stage.active())


def asked(home: House, **over: object) -> dict[str, object]:
    return {
        **YES,
        "profile": "security_review",
        "optional": ["security_review:network"],
        "ends_at": "2036-12-18T18:00",
        **over,
    }


def changes(home: House) -> list[ScopeChange]:
    with tenancy.use(home.stage.scope):
        return list(ScopeChange.objects.select_related("offer").order_by("asked_at"))


def text(home: House, slug: str = "") -> str:
    return " ".join(home.owner.get(home.url(slug)).content.decode().split())


def test_a_change_is_asked_from_the_page_and_shown_there(home: House) -> None:
    assert home.url("ask-change/") in text(home)
    form = text(home, "ask-change/")
    assert 'value="cost_review"' in form
    assert "What holds now goes on until they agree" in form
    answer = home.owner.post(home.url("ask-change/"), asked(home))
    assert (answer.status_code, answer["Location"]) == (302, home.url())
    (change,) = changes(home)
    assert [line["key"] for line in change.offer.documents["optional"]] == ["network"]
    page = text(home)
    assert "Waiting for the client’s answer" in page
    assert "opens more and takes something away" in page
    assert home.url("ask-change/") not in page
    assert home.engagement.profile == "cost_review"
    with tenancy.use(home.stage.scope):
        assert change.offer in set(reads.unpublished_offers())


def test_what_would_change_nothing_or_could_not_be_agreed_to_keeps_what_was_typed(home: House) -> None:
    answer = home.owner.post(home.url("ask-change/"), asked(home, ends_at="2020-01-01T00:00"))
    assert answer.status_code == 422
    assert "must lie in the future" in answer.content.decode()
    wrong = asked(home, optional=["cost_review:advice"])
    answer = home.owner.post(home.url("ask-change/"), wrong)
    assert answer.status_code == 422
    assert "belongs to another kind of access" in answer.content.decode()
    assert changes(home) == []


def test_nothing_would_change_is_said(home: House) -> None:
    with tenancy.use(home.stage.scope):
        Engagement.objects.filter(pk=home.engagement.pk).update(ends_at=_frozen_end(home))
    same = {"profile": "cost_review", "optional": [], "ends_at": home.engagement.ends_at.isoformat()}
    answer = home.owner.post(home.url("ask-change/"), {**YES, **same})
    assert answer.status_code == 422
    assert "Nothing would change" in answer.content.decode()
    assert changes(home) == []


def _frozen_end(home: House) -> dt.datetime:
    return dt.datetime.fromisoformat(home.stage.offer().documents["expires_at"])


def test_a_change_is_taken_back_once(home: House) -> None:
    home.owner.post(home.url("ask-change/"), asked(home))
    assert "can’t agree to the change any more" in text(home, "change-back/")
    assert home.assigned.post(home.url("change-back/"), YES).status_code == 302
    assert [change.status for change in changes(home)] == [ChangeStatus.TAKEN_BACK]
    told = home.events()
    home.owner.post(home.url("change-back/"), YES)
    assert home.events() == told
    assert home.url("ask-change/") in text(home)


def test_only_who_works_on_it_asks(home: House) -> None:
    for browser, status in (
        (home.auditor, 403),
        (home.unassigned, 404),
        (home.stranger, 404),
        (home.contact, 404),
    ):
        assert browser.post(home.url("ask-change/"), asked(home)).status_code == status
    assert changes(home) == []


def test_a_change_is_for_what_is_on() -> None:
    home = house(stage.invited())
    assert home.url("ask-change/") not in text(home)
    home.owner.post(home.url("ask-change/"), asked(home))
    assert changes(home) == []
