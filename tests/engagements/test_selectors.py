"""Reads of the paper side: what is not yours, or not yet yours, does not exist."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.lifecycle import MemberRole
from accounts.models import Membership, User
from engagements.lifecycle import AssignmentRole, EngagementStatus
from engagements.models import Assignment, Engagement
from engagements.selectors import (
    assignments_of,
    consent_latest,
    consent_live,
    engagement_for_client,
    engagements_of_client,
    offer_current,
)
from engagements.services.drafts import assignment_make_within
from portal.kernel import clock, tenancy
from portal.kernel.errors import NotVisible
from tests.factories import (
    Firm,
    acting,
    freeze_offer,
    make_client,
    make_engagement_active,
    make_engagement_agreed,
    make_engagement_closing,
    make_engagement_drafted,
    make_engagement_invited,
)

HIDDEN = {EngagementStatus.DRAFT, EngagementStatus.CANCELLED}


def put_in(firm: Firm, engagement: Engagement, status: EngagementStatus) -> None:
    with tenancy.use(firm.practice_side):
        Engagement.objects.filter(pk=engagement.pk).update(status=status)


@pytest.mark.parametrize("status", sorted(set(EngagementStatus) - HIDDEN))
def test_a_client_finds_what_was_sent_to_it(north: Firm, status: EngagementStatus) -> None:
    engagement = make_engagement_invited(north)
    put_in(north, engagement, status)
    with tenancy.use(north.client_side):
        assert engagement_for_client(engagement.code) == engagement


@pytest.mark.parametrize("status", sorted(HIDDEN))
def test_a_client_does_not_find_what_is_not_meant_for_it(north: Firm, status: EngagementStatus) -> None:
    engagement = make_engagement_invited(north)
    put_in(north, engagement, status)
    with tenancy.use(north.client_side):
        with pytest.raises(NotVisible):
            engagement_for_client(engagement.code)
        assert engagements_of_client() == []


@pytest.mark.parametrize("code", ["", "nobody", "' or 1=1 --"])
def test_a_code_that_was_made_up_finds_nothing(north: Firm, code: str) -> None:
    make_engagement_invited(north)
    with tenancy.use(north.client_side), pytest.raises(NotVisible):
        engagement_for_client(code)


def another_client(north: Firm, _harbour: Firm) -> tenancy.Scope:
    return tenancy.client_scope(north.practice.pk, make_client(north, "Hollins Farm").pk)


def another_practice(_north: Firm, harbour: Firm) -> tenancy.Scope:
    return harbour.practice_side


def nobody(_north: Firm, _harbour: Firm) -> tenancy.Scope:
    return tenancy.NOBODY


@pytest.mark.parametrize("stranger", [another_client, another_practice, nobody])
def test_a_stranger_finds_nothing_under_a_real_code(
    north: Firm, harbour: Firm, stranger: Callable[[Firm, Firm], tenancy.Scope]
) -> None:
    engagement = make_engagement_agreed(north)
    with tenancy.use(stranger(north, harbour)):
        with pytest.raises(NotVisible):
            engagement_for_client(engagement.code)
        with pytest.raises(NotVisible):
            offer_current(engagement)
        assert engagements_of_client() == []
        assert assignments_of(engagement) == []
        assert (consent_latest(engagement), consent_live(engagement)) == (None, None)


def test_a_page_reads_its_engagement_with_one_query(north: Firm) -> None:
    code = make_engagement_agreed(north).code
    with (
        tenancy.use(north.client_side),
        CaptureQueriesContext(
            connection,
        ) as queries,
    ):
        found = engagement_for_client(code)
        assert (found.practice.name, found.client.name) == ("North", "Client of north")
        assert found.moved_by == north.approver
    assert len(queries) == 1


def test_the_newest_engagement_comes_first(north: Firm) -> None:
    made = [make_engagement_invited(north) for _ in range(3)]
    with tenancy.use(north.client_side):
        assert engagements_of_client() == made[::-1]


def test_the_newest_offer_is_the_current_one(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    newest = freeze_offer(north, engagement, template="Resources: {more: true}\n")
    with tenancy.use(north.client_side):
        assert offer_current(engagement) == newest


def test_without_an_offer_there_is_none_to_show(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    with tenancy.use(north.practice_side), pytest.raises(NotVisible):
        offer_current(engagement)


def test_before_an_answer_there_is_no_consent(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    with tenancy.use(north.client_side):
        assert (consent_latest(engagement), consent_live(engagement)) == (None, None)


def test_a_given_consent_is_live(north: Firm) -> None:
    engagement = make_engagement_active(north)
    with tenancy.use(north.client_side):
        live = consent_live(engagement)
        assert live is not None
        assert live == consent_latest(engagement)


def test_a_withdrawn_consent_is_kept_but_not_live(north: Firm) -> None:
    engagement = make_engagement_closing(north)
    with tenancy.use(north.client_side):
        latest = consent_latest(engagement)
        assert latest is not None
        assert latest.withdrawn_by == north.approver
        assert consent_live(engagement) is None


def test_a_consent_comes_with_its_people_in_one_query(north: Firm) -> None:
    engagement = make_engagement_closing(north)
    with tenancy.use(north.client_side), CaptureQueriesContext(connection) as queries:
        latest = consent_latest(engagement)
        assert latest is not None
        assert (latest.contact.user.name, latest.offer.number) == ("Sam Carter", 1)
        assert latest.withdrawn_by == north.approver
    assert len(queries) == 1


def add_colleague(firm: Firm, engagement: Engagement, word: str, role: AssignmentRole) -> User:
    user = User.objects.create_user(f"{word}@{firm.practice.code}.example", name=word.title())
    with tenancy.use(firm.practice_side):
        Membership.objects.create(practice=firm.practice, user=user, role=MemberRole.CONSULTANT)
        with transaction.atomic(durable=True):
            assignment_make_within(
                engagement=engagement, consultant=user, role=role, actor=acting(firm.owner)
            )
    return user


def test_the_lead_comes_first_and_then_who_came_first(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    observer = add_colleague(north, engagement, "ann", AssignmentRole.OBSERVER)
    member = add_colleague(north, engagement, "ben", AssignmentRole.MEMBER)
    with tenancy.use(north.practice_side):
        Assignment.objects.filter(role=AssignmentRole.LEAD).update(
            starts_at=clock.now() + dt.timedelta(hours=1)
        )
        assert [row.consultant for row in assignments_of(engagement)] == [north.owner, observer, member]


def test_who_left_is_not_listed(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    add_colleague(north, engagement, "ben", AssignmentRole.MEMBER)
    with tenancy.use(north.practice_side):
        Assignment.objects.filter(role=AssignmentRole.MEMBER).update(ends_at=clock.now())
        assert [row.consultant for row in assignments_of(engagement)] == [north.owner]


def test_the_people_are_read_with_one_query(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    add_colleague(north, engagement, "ben", AssignmentRole.MEMBER)
    with tenancy.use(north.client_side), CaptureQueriesContext(connection) as queries:
        assert [row.consultant.name for row in assignments_of(engagement)] == ["Maya Okafor", "Ben"]
    assert len(queries) == 1
