"""Every end: by either side, by the calendar, and proved. Each is told once and leaves nothing planned."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db import transaction

from engagements.lifecycle import CLOSED_BY_ITSELF, WAITING_FOR_AN_ANSWER, EngagementStatus
from engagements.models import Consent, Engagement
from engagements.services.closing import (
    engagement_activate_within,
    engagement_close_within,
    engagement_end,
    engagement_expire,
)
from engagements.services.moves import WINDOW
from engagements.tasks import window_over
from portal.kernel import clock, due, tenancy
from portal.kernel.errors import InvalidMove, NotVisible
from portal.kernel.models import Due
from tests.engagements.records import as_stored, everything, kinds, moves, promises, refused
from tests.factories import (
    TESTER,
    Firm,
    acting,
    make_client,
    make_engagement_active,
    make_engagement_agreed,
    make_engagement_closed,
    make_engagement_closing,
    make_engagement_drafted,
    make_engagement_invited,
    make_engagement_paused,
)

Make = Callable[[Firm], Engagement]
RUNNING: list[Make] = [make_engagement_agreed, make_engagement_active, make_engagement_paused]
UNANSWERED: list[Make] = [make_engagement_drafted, make_engagement_invited]
OVER: list[Make] = [make_engagement_closing, make_engagement_closed]


def end(firm: Firm, engagement: Engagement, *, by_client: bool, reason: str = "") -> None:
    scope, user = (firm.client_side, firm.approver) if by_client else (firm.practice_side, firm.owner)
    with tenancy.use(scope):
        engagement_end(engagement=engagement, actor=acting(user), reason=reason)


def expire(firm: Firm, engagement: Engagement, *, after: dt.timedelta = dt.timedelta(0)) -> None:
    with tenancy.use(firm.practice_side), clock.frozen(engagement.ends_at + after):
        engagement_expire(engagement_id=engagement.pk)


def planned(firm: Firm, engagement: Engagement) -> dt.datetime | None:
    with tenancy.use(firm.practice_side):
        return due.next_look(WINDOW, engagement.pk)


def consent_of(firm: Firm, engagement: Engagement) -> Consent:
    with tenancy.use(firm.practice_side):
        return Consent.objects.get(engagement=engagement)


# Ended by people.


@pytest.mark.parametrize("make", RUNNING)
@pytest.mark.parametrize("by_client", [True, False])
def test_either_side_ends_what_runs(
    north: Firm,
    make: Make,
    by_client: bool,  # noqa: FBT001  # pytest passes by name
) -> None:
    engagement = make(north)
    end(north, engagement, by_client=by_client, reason="done")
    row = as_stored(north, engagement)
    user = north.approver if by_client else north.owner
    assert (row.status, row.moved_by_id, row.moved_note) == (EngagementStatus.CLOSING, user.pk, "done")


@pytest.mark.parametrize("make", RUNNING)
def test_an_end_by_the_client_withdraws_the_consent(north: Firm, make: Make) -> None:
    engagement = make(north)
    moment = clock.now()
    with clock.frozen(moment):
        end(north, engagement, by_client=True)
    consent = consent_of(north, engagement)
    assert (consent.withdrawn_at, consent.withdrawn_by_id) == (moment, north.approver.pk)


def test_an_end_by_the_practice_leaves_the_consent_as_it_was(north: Firm) -> None:
    engagement = make_engagement_active(north)
    end(north, engagement, by_client=False)
    assert consent_of(north, engagement).withdrawn_at is None


def test_an_end_promises_the_cleaning_and_one_mail(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    before = promises(north)
    end(north, engagement, by_client=True)
    assert promises(north) - before == {
        ("engagement.closing", engagement.pk, f"closing:{engagement.pk}", north.client.pk),
        ("engagements.ended", engagement.pk, f"ended:{engagement.pk}", north.client.pk),
    }


@pytest.mark.parametrize("by_client", [True, False])
def test_after_an_end_the_window_is_not_watched(
    north: Firm,
    by_client: bool,  # noqa: FBT001  # pytest passes by name
) -> None:
    engagement = make_engagement_active(north)
    end(north, engagement, by_client=by_client)
    assert planned(north, engagement) is None


def test_the_record_tells_of_the_withdrawal_and_then_of_the_end(north: Firm) -> None:
    engagement = make_engagement_active(north)
    end(north, engagement, by_client=True)
    assert kinds(north, engagement)[-2:] == ["client:consent:withdrawn", "engagement:engagement:moved"]


@pytest.mark.parametrize("make", [*UNANSWERED, *OVER])
@pytest.mark.parametrize("by_client", [True, False])
def test_what_does_not_run_is_not_ended(
    north: Firm,
    make: Make,
    by_client: bool,  # noqa: FBT001  # pytest passes by name
) -> None:
    engagement = make(north)
    with refused(north, InvalidMove):
        end(north, engagement, by_client=by_client)


def test_a_refused_end_withdraws_nothing(north: Firm) -> None:
    engagement = make_engagement_active(north)
    end(north, engagement, by_client=False)
    with refused(north, InvalidMove):
        end(north, engagement, by_client=True)
    assert consent_of(north, engagement).withdrawn_at is None


def test_another_client_ends_nothing_of_ours(north: Firm) -> None:
    engagement = make_engagement_active(north)
    other = make_client(north, "Hollins Farm")
    scope = tenancy.client_scope(north.practice.pk, other.pk)
    with refused(north, NotVisible), tenancy.use(scope):
        engagement_end(engagement=engagement, actor=TESTER)


def test_another_practice_ends_nothing_of_ours(north: Firm, harbour: Firm) -> None:
    engagement = make_engagement_active(north)
    with refused(north, NotVisible), tenancy.use(harbour.practice_side):
        engagement_end(engagement=engagement, actor=acting(harbour.owner))


# Ended by the calendar.


@pytest.mark.parametrize("make", RUNNING)
def test_at_the_end_of_the_window_what_runs_is_closed(north: Firm, make: Make) -> None:
    engagement = make(north)
    before = engagement.status
    expire(north, engagement)
    assert moves(north, engagement)[-1] == ("system:window", before, "closing")
    assert as_stored(north, engagement).moved_note == "the agreed end has come"


@pytest.mark.parametrize("make", RUNNING)
def test_the_end_of_the_window_promises_what_every_end_does(north: Firm, make: Make) -> None:
    engagement = make(north)
    before = promises(north)
    expire(north, engagement)
    assert {key for _, _, key, _ in promises(north) - before} == {
        f"closing:{engagement.pk}",
        f"ended:{engagement.pk}",
    }


def test_the_end_of_the_window_withdraws_no_consent(north: Firm) -> None:
    engagement = make_engagement_active(north)
    expire(north, engagement)
    assert consent_of(north, engagement).withdrawn_at is None


@pytest.mark.parametrize("make", UNANSWERED)
def test_at_the_end_of_the_window_what_nobody_answered_is_cancelled(north: Firm, make: Make) -> None:
    engagement = make(north)
    expire(north, engagement)
    assert as_stored(north, engagement).status == EngagementStatus.CANCELLED
    assert promises(north) == set()


@pytest.mark.parametrize("status", sorted(set(EngagementStatus) - CLOSED_BY_ITSELF - WAITING_FOR_AN_ANSWER))
def test_at_the_end_of_the_window_what_is_over_stays_as_it_is(north: Firm, status: EngagementStatus) -> None:
    engagement = make_engagement_agreed(north)
    with tenancy.use(north.practice_side):
        Engagement.objects.update(status=status)
    before = everything(north)
    expire(north, engagement)
    assert everything(north) == before


def test_a_moment_before_the_end_nothing_is_closed(north: Firm) -> None:
    engagement = make_engagement_active(north)
    expire(north, engagement, after=-dt.timedelta(microseconds=1))
    assert as_stored(north, engagement).status == EngagementStatus.ACTIVE


def test_a_look_that_came_too_early_is_planned_again(north: Firm) -> None:
    engagement = make_engagement_active(north)
    later = engagement.ends_at + dt.timedelta(days=7)
    with tenancy.use(north.practice_side):
        Engagement.objects.update(ends_at=later)
    expire(north, engagement)
    assert planned(north, engagement) == later


def test_another_practices_window_is_not_found(north: Firm, harbour: Firm) -> None:
    engagement = make_engagement_active(north)
    with refused(north, NotVisible), tenancy.use(harbour.practice_side):
        engagement_expire(engagement_id=engagement.pk)


# The look itself, as the worker takes it.


def turn_of(firm: Firm, engagement: Engagement) -> due.Turn:
    """The turn that a sweep would have claimed."""
    lease = uuid4()
    with tenancy.use(firm.practice_side):
        row = Due.objects.get(kind=WINDOW, object_id=engagement.pk)
        Due.objects.filter(pk=row.pk).update(lease_id=lease)
    return due.Turn(
        due_id=row.pk,
        lease_id=lease,
        practice_id=row.practice_id,
        client_id=row.client_id,
        kind=row.kind,
        object_id=row.object_id,
        attempts=1,
    )


def test_the_window_is_watched_by_its_handler() -> None:
    assert due.HANDLERS[WINDOW] is window_over


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (make_engagement_invited, "cancelled"),
        (make_engagement_agreed, "closing"),
        (make_engagement_active, "closing"),
        (make_engagement_paused, "closing"),
    ],
)
def test_a_ripe_look_ends_it_and_is_not_planned_again(north: Firm, make: Make, status: str) -> None:
    engagement = make(north)
    turn = turn_of(north, engagement)
    with clock.frozen(engagement.ends_at):
        due.take(turn)
    assert as_stored(north, engagement).status == status
    assert planned(north, engagement) is None


@pytest.mark.parametrize("status", ["declined", "cancelled", "closing", "closed"])
def test_a_ripe_look_at_what_is_over_only_goes(north: Firm, status: str) -> None:
    engagement = make_engagement_invited(north)
    with tenancy.use(north.practice_side):
        Engagement.objects.update(status=status)
    turn = turn_of(north, engagement)
    with clock.frozen(engagement.ends_at):
        assert due.take(turn)
    assert as_stored(north, engagement).status == status
    assert planned(north, engagement) is None


def test_an_early_look_leaves_the_new_plan_standing(north: Firm) -> None:
    engagement = make_engagement_active(north)
    turn = turn_of(north, engagement)
    assert not due.take(turn)
    assert planned(north, engagement) == engagement.ends_at


def test_a_look_that_comes_twice_ends_it_once(north: Firm) -> None:
    engagement = make_engagement_active(north)
    turn = turn_of(north, engagement)
    with clock.frozen(engagement.ends_at):
        due.take(turn)
        before = everything(north)
        assert not due.take(turn)
    assert everything(north) == before


# Proved by AWS, and written down here.


@transaction.atomic(durable=True)
def activate(engagement: Engagement) -> None:
    engagement_activate_within(engagement=engagement, actor=TESTER)


@transaction.atomic(durable=True)
def close(engagement: Engagement) -> None:
    engagement_close_within(engagement=engagement, actor=TESTER)


def test_proved_access_switches_it_on_and_is_told_once(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    before = promises(north)
    with tenancy.use(north.practice_side):
        activate(engagement)
    assert as_stored(north, engagement).status == EngagementStatus.ACTIVE
    assert promises(north) - before == {
        ("engagements.access_on", engagement.pk, f"on:{engagement.pk}", north.client.pk)
    }


def test_proved_access_after_the_end_switches_nothing_on(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    end(north, engagement, by_client=True)
    with refused(north, InvalidMove), tenancy.use(north.practice_side):
        activate(engagement)


def test_a_proved_exit_closes_it_and_is_told_once(north: Firm) -> None:
    engagement = make_engagement_closing(north)
    before = promises(north)
    with tenancy.use(north.practice_side):
        close(engagement)
    assert as_stored(north, engagement).status == EngagementStatus.CLOSED
    assert promises(north) - before == {
        ("engagements.closed", engagement.pk, f"closed:{engagement.pk}", north.client.pk)
    }


@pytest.mark.parametrize("make", RUNNING)
def test_what_runs_is_not_closed_without_an_end(north: Firm, make: Make) -> None:
    engagement = make(north)
    with refused(north, InvalidMove), tenancy.use(north.practice_side):
        close(engagement)


def test_a_proof_outside_a_transaction_is_refused(north: Firm) -> None:
    engagement = make_engagement_closing(north)
    with refused(north, tenancy.OutsideTransaction), tenancy.use(north.practice_side):
        engagement_close_within(engagement=engagement, actor=TESTER)
