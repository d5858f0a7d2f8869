"""Drafts and offers: what can never be agreed to is not drafted, and what is asked is sealed by its hash."""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
import json
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from hypothesis import assume, given
from hypothesis import strategies as st

from accounts.lifecycle import MemberRole
from accounts.models import Membership, User
from engagements.lifecycle import AssignmentRole, EngagementStatus
from engagements.models import Assignment, Engagement, Offer
from engagements.selectors import offer_current
from engagements.services.drafts import (
    BadDraft,
    assignment_make_within,
    engagement_draft,
    offer_freeze_within,
    offer_hash,
    offer_published,
    purpose_phrase,
)
from portal.kernel import clock, tenancy
from portal.kernel.errors import NotAllowed
from portal.kernel.models import AuditBody
from tests.engagements.records import kinds, promises, refused
from tests.factories import (
    ACCOUNT_ID,
    Firm,
    acting,
    freeze_offer,
    make_client,
    make_engagement_drafted,
    make_engagement_invited,
)

Json = dict[str, Any]  # Any: JSON nests as it likes


def draft(firm: Firm, **over: Any) -> Engagement:  # Any: one of the service's own arguments
    wanted: Json = {
        "client": firm.client,
        "lead": firm.owner,
        "title": "Cost review",
        "purpose": "to find out why the bill went up",
        "profile": "cost_review",
        "ends_at": clock.now() + dt.timedelta(days=1),
        "actor": acting(firm.owner),
    }
    return engagement_draft(**{**wanted, **over})


def make_colleague(firm: Firm) -> User:
    user = User.objects.create_user(f"ben@{firm.practice.code}.example", name="Ben Li")
    with tenancy.use(firm.practice_side):
        Membership.objects.create(practice=firm.practice, user=user, role=MemberRole.CONSULTANT)
    return user


# Drafts.


def test_a_draft_holds_what_was_written(north: Firm) -> None:
    moment = clock.now() + dt.timedelta(days=9)
    with tenancy.use(north.practice_side):
        made = draft(
            north, ends_at=moment, account_id=ACCOUNT_ID, account_name="Main", contract_reference="PO 7"
        )
        row = Engagement.objects.get(pk=made.pk)
    assert (row.practice_id, row.client_id) == (north.practice.pk, north.client.pk)
    assert (row.title, row.purpose) == ("Cost review", "to find out why the bill went up")
    assert (row.account_id, row.account_name, row.contract_reference) == (ACCOUNT_ID, "Main", "PO 7")
    assert (row.profile, row.ends_at, row.status) == ("cost_review", moment, EngagementStatus.DRAFT)


def test_a_draft_needs_no_account_yet(north: Firm) -> None:
    with tenancy.use(north.practice_side):
        assert draft(north).account_id == ""


def test_a_draft_has_its_lead_from_now_on(north: Firm) -> None:
    moment = clock.now()
    with tenancy.use(north.practice_side), clock.frozen(moment):
        draft(north)
        lead = Assignment.objects.get()
    assert (lead.consultant_id, lead.role, lead.starts_at, lead.ends_at) == (
        north.owner.pk,
        AssignmentRole.LEAD,
        moment,
        None,
    )


def test_the_record_tells_of_draft_and_lead_and_nobody_is_told(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    assert kinds(north, engagement) == ["engagement:engagement:drafted", "engagement:assignment:made"]
    assert promises(north) == set()


@pytest.mark.parametrize("late", [dt.timedelta(0), dt.timedelta(days=1)])
def test_an_end_that_has_passed_is_refused(north: Firm, late: dt.timedelta) -> None:
    moment = clock.now()
    with refused(north, BadDraft), clock.frozen(moment), tenancy.use(north.practice_side):
        draft(north, ends_at=moment - late)


@pytest.mark.parametrize("profile", ["", "administrator", "COST_REVIEW"])
def test_a_profile_that_is_not_offered_is_refused(north: Firm, profile: str) -> None:
    with refused(north, BadDraft), tenancy.use(north.practice_side):
        draft(north, profile=profile)


def test_a_lead_of_another_practice_is_refused(north: Firm, harbour: Firm) -> None:
    with refused(north, NotAllowed), tenancy.use(north.practice_side):
        draft(north, lead=harbour.owner)


def test_a_client_of_another_practice_is_refused(north: Firm, harbour: Firm) -> None:
    with refused(harbour, DatabaseError), tenancy.use(north.practice_side):
        draft(north, client=harbour.client)


def test_a_client_drafts_nothing_for_itself(north: Firm) -> None:
    with refused(north, NotAllowed), tenancy.use(north.client_side):
        draft(north)


def test_one_more_consultant_is_recorded_by_address_and_role(north: Firm) -> None:
    engagement, colleague = make_engagement_drafted(north), make_colleague(north)
    with tenancy.use(north.practice_side):
        with transaction.atomic(durable=True):
            made = assignment_make_within(
                engagement=engagement,
                consultant=colleague,
                role=AssignmentRole.OBSERVER,
                actor=acting(north.owner),
            )
        body = json.loads(AuditBody.objects.get(event__subject=f"engagements.assignment:{made.pk}").text)
    assert body["details"] == {"consultant": "ben@north.example", "role": "observer"}


def test_nobody_is_assigned_twice(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    with (
        refused(north, IntegrityError),
        tenancy.use(north.practice_side),
        transaction.atomic(durable=True),
    ):
        assignment_make_within(
            engagement=engagement,
            consultant=north.owner,
            role=AssignmentRole.MEMBER,
            actor=acting(north.owner),
        )


# Offers.


def test_an_offer_is_numbered_and_sealed(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    moment = clock.now()
    with clock.frozen(moment):
        made = freeze_offer(north, engagement, template="Ünïcode: {}\n")
    with tenancy.use(north.client_side):
        offer = Offer.objects.get(pk=made.pk)
    assert (offer.number, offer.frozen_at, offer.template_version_id) == (1, moment, "")
    assert offer.template_sha256 == hashlib.sha256("Ünïcode: {}\n".encode()).hexdigest()
    assert kinds(north, engagement)[-1] == "engagement:offer:frozen"


def test_the_hash_can_be_computed_again_from_what_is_stored(north: Firm) -> None:
    offer = freeze_offer(north, make_engagement_drafted(north))
    with tenancy.use(north.client_side):
        row = Offer.objects.get(pk=offer.pk)
    template_sha256 = hashlib.sha256(row.template.encode()).hexdigest()
    assert row.offer_sha256 == offer_hash(row.lines, row.documents, template_sha256)


def test_each_engagement_counts_its_own_offers(north: Firm) -> None:
    first, second = make_engagement_drafted(north), make_engagement_drafted(north)
    numbers = [freeze_offer(north, engagement).number for engagement in (first, first, second, first)]
    assert numbers == [1, 2, 1, 3]


def test_an_offer_outside_a_transaction_is_refused(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    with refused(north, tenancy.OutsideTransaction), tenancy.use(north.practice_side):
        offer_freeze_within(
            engagement=engagement, lines=[], documents={}, template="", actor=acting(north.owner)
        )


def test_a_published_template_is_written_down_once(north: Firm) -> None:
    offer = freeze_offer(north, make_engagement_drafted(north))
    with tenancy.use(north.practice_side):
        told = [
            offer_published(offer=offer, version_id=version, actor=acting(north.owner))
            for version in ("v1", "v2")
        ]
        assert Offer.objects.get().template_version_id == "v1"
    assert told == [True, False]


def test_a_publication_is_recorded_once(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    offer = freeze_offer(north, engagement)
    with tenancy.use(north.practice_side):
        for version in ("v1", "v2"):
            offer_published(offer=offer, version_id=version, actor=acting(north.owner))
    assert kinds(north, engagement).count("engagement:offer:published") == 1


def test_another_practice_publishes_nothing_of_ours(north: Firm, harbour: Firm) -> None:
    offer = freeze_offer(north, make_engagement_drafted(north))
    with tenancy.use(harbour.practice_side):
        assert not offer_published(offer=offer, version_id="v1", actor=acting(harbour.owner))
    with tenancy.use(north.practice_side):
        assert Offer.objects.get().template_version_id == ""


def test_another_clients_offer_is_not_seen(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    other = make_client(north, "Hollins Farm")
    with tenancy.use(tenancy.client_scope(north.practice.pk, other.pk)):
        assert Offer.objects.count() == 0
    with tenancy.use(north.client_side):
        assert offer_current(engagement).number == 1


# The hash.

SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=5), VALUES, max_size=4)
LINES = st.lists(OBJECTS, max_size=3)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)


def reordered(value: Any) -> Any:  # Any: JSON
    """The same value with the keys of every object in the opposite order."""
    if isinstance(value, dict):
        return {key: reordered(inner) for key, inner in reversed(value.items())}
    return [reordered(inner) for inner in value] if isinstance(value, list) else value


def spelled(value: Any) -> str:  # Any: JSON
    """One text for one JSON value; Python's own `==` holds 1 and True for the same."""
    return json.dumps(value, sort_keys=True)


@given(LINES, OBJECTS, DIGESTS)
def test_the_hash_does_not_depend_on_the_order_of_keys(lines: list[Json], documents: Json, sha: str) -> None:
    assert offer_hash(reordered(lines), reordered(documents), sha) == offer_hash(lines, documents, sha)


@given(LINES, OBJECTS)
def test_the_hash_does_not_depend_on_who_holds_the_values(lines: list[Json], documents: Json) -> None:
    read_back = json.loads(json.dumps(documents))
    assert offer_hash(copy.deepcopy(lines), read_back, "0" * 64) == offer_hash(lines, documents, "0" * 64)


@given(LINES, OBJECTS, DIGESTS, LINES, OBJECTS, DIGESTS)
def test_the_hash_changes_with_any_change(
    lines: list[Json], documents: Json, sha: str, lines_b: list[Json], documents_b: Json, sha_b: str
) -> None:
    assume(spelled([lines, documents, sha]) != spelled([lines_b, documents_b, sha_b]))
    assert offer_hash(lines, documents, sha) != offer_hash(lines_b, documents_b, sha_b)


@given(OBJECTS, st.text(max_size=5), SCALARS)
def test_the_hash_changes_with_one_value(documents: Json, key: str, value: object) -> None:
    changed = {**documents, key: value}
    assume(spelled(changed) != spelled(documents))
    assert offer_hash([], changed, "0" * 64) != offer_hash([], documents, "0" * 64)


@given(LINES)
def test_the_hash_tells_lines_from_documents(lines: list[Json]) -> None:
    assume(lines)
    moved: Json = {"lines": lines}
    assert offer_hash(lines, {}, "0" * 64) != offer_hash([], moved, "0" * 64)


@given(LINES)
def test_the_order_of_lines_is_part_of_what_is_asked(lines: list[Json]) -> None:
    assume(spelled(lines) != spelled(lines[::-1]))
    assert offer_hash(lines, {}, "0" * 64) != offer_hash(lines[::-1], {}, "0" * 64)


@pytest.mark.parametrize(
    "typed", ["find out why", "to find out why", "To find out why.", "  find out why. ", "to find out why."]
)
def test_the_reason_fits_the_sentence_however_it_was_typed(typed: str) -> None:
    assert purpose_phrase(typed) == "to find out why"
