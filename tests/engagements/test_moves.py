"""Moves: what one writes down, and the watch over the window that begins with the invitation."""

from __future__ import annotations

import json

import pytest
from django.db import transaction

from engagements.lifecycle import EngagementStatus
from engagements.models import Engagement
from engagements.services.moves import (
    WINDOW,
    engagement_cancel,
    engagement_invite_within,
    engagement_locked,
    engagement_move_within,
)
from portal.kernel import clock, due, tenancy
from portal.kernel.errors import InvalidMove, NotVisible
from portal.kernel.models import AuditBody, Due
from tests.engagements.records import as_stored, moves, promises, refused
from tests.factories import (
    TESTER,
    Firm,
    acting,
    make_client,
    make_engagement_active,
    make_engagement_closed,
    make_engagement_drafted,
    make_engagement_invited,
    make_engagement_paused,
)

_S = EngagementStatus
STAMPED = [
    (_S.DRAFT, _S.INVITED, "invited_at"),
    (_S.INVITED, _S.AGREED, "agreed_at"),
    (_S.AGREED, _S.ACTIVE, "activated_at"),
    (_S.ACTIVE, _S.PAUSED, "paused_at"),
    (_S.ACTIVE, _S.CLOSING, "closing_at"),
    (_S.CLOSING, _S.CLOSED, "closed_at"),
    (_S.INVITED, _S.DECLINED, ""),
    (_S.INVITED, _S.CANCELLED, ""),
]
MOMENTS = [name for _, _, name in STAMPED if name]


@transaction.atomic(durable=True)
def move(engagement: Engagement, to: EngagementStatus, note: str = "") -> None:
    engagement_move_within(engagement=engagement, to=to, actor=TESTER, note=note)


def put_in(firm: Firm, engagement: Engagement, status: EngagementStatus) -> None:
    with tenancy.use(firm.practice_side):
        Engagement.objects.filter(pk=engagement.pk).update(status=status)
    engagement.status = status


@pytest.mark.parametrize(("seen", "to", "name"), STAMPED)
def test_a_move_writes_down_its_own_moment_and_no_other(
    north: Firm, seen: EngagementStatus, to: EngagementStatus, name: str
) -> None:
    engagement = make_engagement_drafted(north)
    put_in(north, engagement, seen)
    moment = clock.now()
    with tenancy.use(north.practice_side), clock.frozen(moment):
        move(engagement, to)
    row = as_stored(north, engagement)
    assert {field: getattr(row, field) for field in MOMENTS} == {
        field: moment if field == name else None for field in MOMENTS
    }


def test_only_the_first_activation_counts(north: Firm) -> None:
    engagement = make_engagement_paused(north)
    first = engagement.activated_at
    assert first is not None
    with tenancy.use(north.practice_side):
        move(engagement, EngagementStatus.ACTIVE)
    assert as_stored(north, engagement).activated_at == first


def test_the_instance_knows_what_was_written(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    with tenancy.use(north.practice_side), transaction.atomic(durable=True):
        engagement_move_within(
            engagement=engagement, to=EngagementStatus.INVITED, actor=acting(north.owner), note="hello"
        )
    row = as_stored(north, engagement)
    for name in ("status", "invited_at", "moved_by_id", "moved_note"):
        assert getattr(engagement, name) == getattr(row, name)


def test_a_refused_move_leaves_the_instance_as_it_was(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    with refused(north, InvalidMove), tenancy.use(north.practice_side):
        move(engagement, EngagementStatus.CLOSED)
    assert (engagement.status, engagement.closed_at) == (EngagementStatus.DRAFT, None)


def test_a_machines_move_names_no_person(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    with tenancy.use(north.practice_side):
        move(engagement, EngagementStatus.CANCELLED)
    assert as_stored(north, engagement).moved_by_id is None


def test_a_note_is_cut_in_the_row_and_in_the_record(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    with tenancy.use(north.practice_side):
        move(engagement, EngagementStatus.CANCELLED, note="x" * 301)
        body = AuditBody.objects.get(event__kind="engagement:engagement:moved").text
    assert as_stored(north, engagement).moved_note == json.loads(body)["details"]["note"] == "x" * 300


def test_a_lock_outside_a_transaction_is_refused(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    with tenancy.use(north.practice_side), pytest.raises(tenancy.OutsideTransaction):
        engagement_locked(engagement.pk)


def test_a_lock_reads_the_row_as_it_is_now(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    with tenancy.use(north.practice_side), transaction.atomic(durable=True):
        Engagement.objects.filter(pk=engagement.pk).update(status=EngagementStatus.INVITED)
        assert engagement_locked(engagement.pk).status == EngagementStatus.INVITED


def test_another_clients_engagement_cannot_be_locked(north: Firm) -> None:
    engagement = make_engagement_active(north)
    other = make_client(north, "Hollins Farm")
    with (
        tenancy.use(tenancy.client_scope(north.practice.pk, other.pk)),
        pytest.raises(NotVisible),
        transaction.atomic(durable=True),
    ):
        engagement_locked(engagement.pk)


def test_another_practice_moves_nothing_of_ours(north: Firm, harbour: Firm) -> None:
    engagement = make_engagement_invited(north)
    with refused(north, InvalidMove), tenancy.use(harbour.practice_side):
        engagement_cancel(engagement=engagement, actor=acting(harbour.owner))


def test_from_the_invitation_on_the_window_is_watched(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    with tenancy.use(north.practice_side):
        row = Due.objects.get(kind=WINDOW)
    assert (row.kind, row.object_id, row.next_at) == (WINDOW, engagement.pk, engagement.ends_at)
    assert row.client_id == north.client.pk


def test_a_draft_is_not_watched(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    with tenancy.use(north.practice_side):
        assert due.next_look(WINDOW, engagement.pk) is None


def test_an_invitation_is_not_sent_twice(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    with (
        refused(north, InvalidMove),
        tenancy.use(north.practice_side),
        transaction.atomic(durable=True),
    ):
        engagement_invite_within(engagement=engagement, actor=acting(north.owner))


def test_an_unanswered_invitation_is_taken_back(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    with tenancy.use(north.practice_side):
        engagement_cancel(engagement=engagement, actor=acting(north.owner))
    assert moves(north, engagement)[-1] == (f"user:{north.owner.pk}", "invited", "cancelled")
    assert promises(north) == set()


def test_what_runs_cannot_be_cancelled(north: Firm) -> None:
    engagement = make_engagement_active(north)
    with refused(north, InvalidMove), tenancy.use(north.practice_side):
        engagement_cancel(engagement=engagement, actor=acting(north.owner))


def test_what_is_closed_cannot_be_moved(north: Firm) -> None:
    engagement = make_engagement_closed(north)
    with refused(north, InvalidMove), tenancy.use(north.practice_side):
        move(engagement, EngagementStatus.ACTIVE)
