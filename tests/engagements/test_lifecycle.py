"""The table of moves, walked blindly, and walked by the services that move."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from engagements.lifecycle import (
    CLOSED_BY_ITSELF,
    MOVES,
    TERMINAL,
    WAITING_FOR_AN_ANSWER,
    EngagementEvent,
    EngagementStatus,
)
from engagements.models import Engagement
from engagements.services.closing import (
    engagement_activate_within,
    engagement_close_within,
    engagement_end,
    engagement_expire,
)
from engagements.services.consents import engagement_decline
from engagements.services.moves import engagement_cancel, engagement_invite_within
from engagements.services.pauses import engagement_pause, engagement_resume
from portal.kernel import clock, tenancy
from portal.kernel.errors import InvalidMove
from tests.engagements.records import as_stored, moves
from tests.factories import (
    TESTER,
    Firm,
    acting,
    give_consent,
    make_engagement_agreed,
    make_engagement_invited,
)

Act = Callable[[Firm, Engagement], None]
WISHES = st.lists(st.sampled_from(EngagementStatus), max_size=40)


def walk(wishes: list[EngagementStatus]) -> list[EngagementStatus]:
    """Where somebody gets who tries each wish in turn."""
    path = [EngagementStatus.DRAFT]
    for wish in wishes:
        if wish in MOVES[path[-1]]:
            path.append(wish)
    return path


@given(WISHES, WISHES)
def test_no_wish_leads_out_of_an_end(before: list[EngagementStatus], after: list[EngagementStatus]) -> None:
    path = walk(before)
    if path[-1] in TERMINAL:
        assert walk(before + after) == path


@given(WISHES)
def test_nobody_gets_access_without_an_answer(wishes: list[EngagementStatus]) -> None:
    path = walk(wishes)
    if EngagementStatus.ACTIVE in path:
        first = path.index(EngagementStatus.ACTIVE)
        assert path[:first] == [
            EngagementStatus.DRAFT,
            EngagementStatus.INVITED,
            EngagementStatus.AGREED,
        ]


@given(WISHES)
def test_what_was_agreed_ends_by_closing_only(wishes: list[EngagementStatus]) -> None:
    path = walk(wishes)
    if EngagementStatus.AGREED in path and path[-1] in TERMINAL:
        assert path[-2:] == [EngagementStatus.CLOSING, EngagementStatus.CLOSED]


@given(WISHES)
def test_only_a_pause_is_undone(wishes: list[EngagementStatus]) -> None:
    path = walk(wishes)
    for status in set(path) - {EngagementStatus.ACTIVE, EngagementStatus.PAUSED}:
        assert path.count(status) == 1


def test_the_named_sets_and_the_ends_share_nothing() -> None:
    named = [WAITING_FOR_AN_ANSWER, CLOSED_BY_ITSELF, TERMINAL, frozenset({EngagementStatus.CLOSING})]
    assert sum(map(len, named)) == len(frozenset().union(*named)) == len(EngagementStatus)


def test_events_are_named_by_source_subject_and_action() -> None:
    assert all(len(event.value.split(":")) == 3 for event in EngagementEvent)


# Every service that moves, from the side that calls it.


def invite(firm: Firm, engagement: Engagement) -> None:
    with tenancy.use(firm.practice_side), transaction.atomic(durable=True):
        engagement_invite_within(engagement=engagement, actor=acting(firm.owner))


def cancel(firm: Firm, engagement: Engagement) -> None:
    with tenancy.use(firm.practice_side):
        engagement_cancel(engagement=engagement, actor=acting(firm.owner))


def agree(firm: Firm, engagement: Engagement) -> None:
    give_consent(firm, engagement)


def decline(firm: Firm, engagement: Engagement) -> None:
    with tenancy.use(firm.client_side):
        engagement_decline(
            engagement=engagement, contact=firm.contact, reason="", actor=acting(firm.approver)
        )


def activate(firm: Firm, engagement: Engagement) -> None:
    with tenancy.use(firm.practice_side), transaction.atomic(durable=True):
        engagement_activate_within(engagement=engagement, actor=TESTER)


def pause(firm: Firm, engagement: Engagement) -> None:
    with tenancy.use(firm.client_side):
        engagement_pause(engagement=engagement, actor=acting(firm.approver))


def resume(firm: Firm, engagement: Engagement) -> None:
    with tenancy.use(firm.client_side):
        engagement_resume(engagement=engagement, actor=acting(firm.approver))


def end_by_client(firm: Firm, engagement: Engagement) -> None:
    with tenancy.use(firm.client_side):
        engagement_end(engagement=engagement, actor=acting(firm.approver))


def end_by_practice(firm: Firm, engagement: Engagement) -> None:
    with tenancy.use(firm.practice_side):
        engagement_end(engagement=engagement, actor=acting(firm.owner))


def expire(firm: Firm, engagement: Engagement) -> None:
    with tenancy.use(firm.practice_side), clock.frozen(engagement.ends_at):
        engagement_expire(engagement_id=engagement.pk)


def close(firm: Firm, engagement: Engagement) -> None:
    with tenancy.use(firm.practice_side), transaction.atomic(durable=True):
        engagement_close_within(engagement=engagement, actor=TESTER)


ACTS: tuple[Act, ...] = (
    invite,
    cancel,
    agree,
    decline,
    activate,
    pause,
    resume,
    end_by_client,
    end_by_practice,
    expire,
    close,
)
UNANSWERED = {
    EngagementStatus.DRAFT,
    EngagementStatus.INVITED,
    EngagementStatus.DECLINED,
    EngagementStatus.CANCELLED,
}


def in_status(firm: Firm, status: EngagementStatus) -> Engagement:
    """An engagement with all papers that its status can have, put there past the services."""
    make = make_engagement_invited if status in UNANSWERED else make_engagement_agreed
    engagement = make(firm)
    with tenancy.use(firm.practice_side):
        Engagement.objects.filter(pk=engagement.pk).update(status=status)
    return as_stored(firm, engagement)


def outcome(firm: Firm, status: EngagementStatus, act: Act) -> EngagementStatus:
    """Where the act leads from this status."""
    engagement = in_status(firm, status)
    try:
        act(firm, engagement)
    except InvalidMove:
        assert as_stored(firm, engagement).status == status
    return EngagementStatus(as_stored(firm, engagement).status)


@pytest.mark.parametrize("status", EngagementStatus)
def test_the_services_together_walk_exactly_the_table(north: Firm, status: EngagementStatus) -> None:
    assert {outcome(north, status, act) for act in ACTS} - {status} == MOVES[status]


@pytest.mark.parametrize("act", ACTS)
def test_no_service_moves_twice_from_the_same_page(north: Firm, act: Act) -> None:
    start = next(status for status in EngagementStatus if outcome(north, status, act) != status)
    engagement = in_status(north, start)
    seen = as_stored(north, engagement)
    act(north, engagement)
    before = moves(north, engagement)
    try:
        act(north, seen)
    except InvalidMove:
        pass
    else:
        assert act is expire  # a sweep that comes late has nothing to do, and nobody to tell
    assert moves(north, engagement) == before
