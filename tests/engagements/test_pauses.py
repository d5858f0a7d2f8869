"""Pausing is for everyone, at once; switching back on is not for the side that was shut out."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import transaction

from engagements.lifecycle import EngagementStatus
from engagements.models import Engagement
from engagements.services.consents import consent_withdraw_within
from engagements.services.moves import engagement_move_within
from engagements.services.pauses import engagement_pause, engagement_resume
from portal.kernel import clock, due, tenancy
from portal.kernel.errors import InvalidMove, NotAllowed, NotVisible
from tests.engagements.records import as_stored, moves, promises, refused
from tests.factories import (
    TESTER,
    Firm,
    acting,
    make_client,
    make_engagement_active,
    make_engagement_agreed,
    make_engagement_closing,
    make_engagement_paused,
)


def pause(firm: Firm, engagement: Engagement, *, by_client: bool, reason: str = "") -> None:
    scope, user = (firm.client_side, firm.approver) if by_client else (firm.practice_side, firm.owner)
    with tenancy.use(scope):
        engagement_pause(engagement=engagement, actor=acting(user), reason=reason)


def resume(firm: Firm, engagement: Engagement, *, by_client: bool) -> None:
    scope, user = (firm.client_side, firm.approver) if by_client else (firm.practice_side, firm.owner)
    with tenancy.use(scope):
        engagement_resume(engagement=engagement, actor=acting(user))


@pytest.mark.parametrize("by_client", [True, False])
def test_each_side_pauses(north: Firm, by_client: bool) -> None:  # noqa: FBT001  # pytest passes by name
    engagement = make_engagement_active(north)
    pause(north, engagement, by_client=by_client, reason="audit week")
    row = as_stored(north, engagement)
    user = north.approver if by_client else north.owner
    assert (row.status, row.moved_by_id, row.moved_note) == (
        EngagementStatus.PAUSED,
        user.pk,
        "audit week",
    )


def test_a_pause_is_told_once(north: Firm) -> None:
    engagement = make_engagement_active(north)
    moment = clock.now()
    with clock.frozen(moment):
        pause(north, engagement, by_client=True)
    key = f"engagements.paused:{engagement.pk}:{moment.isoformat()}"
    assert promises(north, kind="engagements.paused") == {
        ("engagements.paused", engagement.pk, key, north.client.pk)
    }


def test_each_pause_and_each_resumption_is_told(north: Firm) -> None:
    engagement = make_engagement_active(north)
    for _ in range(2):
        pause(north, engagement, by_client=True)
        resume(north, engagement, by_client=True)
    told = [kind for kind, *_ in promises(north)]
    assert (told.count("engagements.paused"), told.count("engagements.resumed")) == (2, 2)


@pytest.mark.parametrize("by_client", [True, False])
def test_what_is_paused_is_not_paused_again(
    north: Firm,
    by_client: bool,  # noqa: FBT001  # pytest passes by name
) -> None:
    engagement = make_engagement_paused(north)
    with refused(north, InvalidMove):
        pause(north, engagement, by_client=by_client)


def test_what_was_only_agreed_is_not_paused(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    with refused(north, InvalidMove):
        pause(north, engagement, by_client=True)


def test_another_client_pauses_nothing_of_ours(north: Firm) -> None:
    engagement = make_engagement_active(north)
    other = make_client(north, "Hollins Farm")
    scope = tenancy.client_scope(north.practice.pk, other.pk)
    with refused(north, NotVisible), tenancy.use(scope):
        engagement_pause(engagement=engagement, actor=TESTER)


def test_another_practice_pauses_nothing_of_ours(north: Firm, harbour: Firm) -> None:
    engagement = make_engagement_active(north)
    with refused(north, NotVisible), tenancy.use(harbour.practice_side):
        engagement_pause(engagement=engagement, actor=acting(harbour.owner))


@pytest.mark.parametrize(("paused_by_client", "resumed_by_client"), [(1, 1), (0, 0), (0, 1)])
def test_who_may_switch_back_on_does(north: Firm, paused_by_client: int, resumed_by_client: int) -> None:
    engagement = make_engagement_paused(north, by_client=bool(paused_by_client))
    resume(north, engagement, by_client=bool(resumed_by_client))
    user = north.approver if resumed_by_client else north.owner
    assert moves(north, engagement)[-1] == (f"user:{user.pk}", "paused", "active")


def test_a_consultant_cannot_undo_the_clients_pause(north: Firm) -> None:
    engagement = make_engagement_paused(north, by_client=True)
    with refused(north, NotAllowed):
        resume(north, engagement, by_client=False)


def test_the_clients_pause_holds_after_the_person_left_the_client(north: Firm) -> None:
    engagement = make_engagement_paused(north, by_client=True)
    with tenancy.use(north.practice_side):
        north.contact.ended_at = clock.now()
        north.contact.save(update_fields=["ended_at"])
    with refused(north, NotAllowed):
        resume(north, engagement, by_client=False)


def test_a_pause_by_the_portal_itself_is_undone_by_a_consultant(north: Firm) -> None:
    engagement = make_engagement_active(north)
    with tenancy.use(north.practice_side), transaction.atomic(durable=True):
        engagement_move_within(engagement=engagement, to=EngagementStatus.PAUSED, actor=TESTER)
    resume(north, engagement, by_client=False)
    assert as_stored(north, engagement).status == EngagementStatus.ACTIVE


def test_the_same_end_stays_planned_through_pause_and_resumption(north: Firm) -> None:
    engagement = make_engagement_paused(north)
    resume(north, engagement, by_client=True)
    with tenancy.use(north.practice_side):
        assert due.next_look("engagement.window", engagement.pk) == engagement.ends_at


@pytest.mark.parametrize("late", [dt.timedelta(0), dt.timedelta(days=1)])
def test_after_the_end_nothing_is_switched_back_on(north: Firm, late: dt.timedelta) -> None:
    engagement = make_engagement_paused(north)
    with refused(north, InvalidMove), clock.frozen(engagement.ends_at + late):
        resume(north, engagement, by_client=True)


def test_without_a_live_consent_nothing_is_switched_back_on(north: Firm) -> None:
    engagement = make_engagement_paused(north)
    with tenancy.use(north.client_side), transaction.atomic(durable=True):
        consent_withdraw_within(engagement=engagement, actor=acting(north.approver))
    with refused(north, InvalidMove):
        resume(north, engagement, by_client=True)


def test_a_consent_to_another_engagement_switches_nothing_on(north: Firm) -> None:
    engagement = make_engagement_paused(north)
    make_engagement_agreed(north)
    with tenancy.use(north.client_side), transaction.atomic(durable=True):
        consent_withdraw_within(engagement=engagement, actor=acting(north.approver))
    with refused(north, InvalidMove):
        resume(north, engagement, by_client=True)


def test_what_runs_is_not_switched_on_again(north: Firm) -> None:
    engagement = make_engagement_active(north)
    with refused(north, InvalidMove):
        resume(north, engagement, by_client=True)


def test_what_is_closing_is_not_switched_back_on(north: Firm) -> None:
    engagement = make_engagement_closing(north)
    with refused(north, InvalidMove):
        resume(north, engagement, by_client=True)


def test_a_stale_page_cannot_pause_what_ended_meanwhile(north: Firm) -> None:
    engagement = make_engagement_closing(north)
    engagement.status = EngagementStatus.ACTIVE
    with refused(north, InvalidMove):
        pause(north, engagement, by_client=True)
