"""Where several people have to agree: each by themselves, nobody twice, and one no ends it."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.db import DatabaseError, transaction

from accounts.lifecycle import ContactRole
from accounts.models import Contact
from awsaccess.services.sending import NotReady, engagement_send
from engagements.lifecycle import EngagementStatus
from engagements.models import Consent, Engagement
from engagements.profiles import Kind
from engagements.selectors import approvals_of, consent_latest
from engagements.services.closing import engagement_end
from engagements.services.consents import engagement_decline
from engagements.services.drafts import (
    BadDraft,
    Terms,
    approvals_by_risk,
    draft_mark,
    engagement_draft,
    engagement_edit,
)
from engagements.services.standing import consent_stands
from portal.kernel import clock, tenancy
from portal.kernel.errors import InvalidMove, NotAllowed
from tests.awsaccess.services.cast import make_practice
from tests.engagements.records import as_stored, kinds, promises, refused
from tests.factories import (
    Firm,
    acting,
    freeze_offer,
    give_consent,
    make_contact,
    make_engagement_drafted,
    make_engagement_invited,
)


@pytest.fixture
def lee(north: Firm) -> Contact:
    """A second approver."""
    return make_contact(north, "lee", ContactRole.APPROVER)


@pytest.fixture
def mia(north: Firm) -> Contact:
    """A third."""
    return make_contact(north, "mia", ContactRole.APPROVER)


def invited(north: Firm, needed: int) -> Engagement:
    return make_engagement_invited(north, approvals_needed=needed)


def consents(north: Firm) -> list[Consent]:
    with tenancy.use(north.client_side):
        return list(Consent.objects.order_by("given_at"))


def test_it_is_agreed_with_the_last_and_not_before(north: Firm, lee: Contact, mia: Contact) -> None:
    engagement = invited(north, 3)
    for contact in (north.contact, lee):
        give_consent(north, engagement, contact=contact)
        now = as_stored(north, engagement)
        assert (now.status, now.agreed_at) == (EngagementStatus.INVITED, None)
        assert not any(kind == "engagement.agreed" for kind, *_ in promises(north))
    last = give_consent(north, engagement, contact=mia)
    now = as_stored(north, engagement)
    assert (now.status, now.moved_by_id) == (EngagementStatus.AGREED, mia.user_id)
    assert ("engagement.agreed", engagement.pk, f"agreed:{last.pk}", north.client.pk) in promises(north)
    assert kinds(north, engagement).count("client:consent:given") == 3


def test_each_has_evidence_record_and_receipt_of_their_own(north: Firm, lee: Contact) -> None:
    engagement = invited(north, 2)
    given = [give_consent(north, engagement, contact=contact) for contact in (north.contact, lee)]
    kept = consents(north)
    assert [row.pk for row in kept] == [row.pk for row in given]
    accepted = [json.loads(row.record)["events"][1] for row in kept]
    assert [one["approval"] for one in accepted] == [{"number": n, "needed": 2} for n in (1, 2)]
    assert [one["entity_id"] for one in accepted] == [
        f"person:{north.approver.pk}",
        f"person:{lee.user_id}",
    ]
    receipts = {(kind, about) for kind, about, *_ in promises(north) if kind == "engagements.receipt"}
    assert receipts == {("engagements.receipt", row.pk) for row in kept}
    with tenancy.use(north.client_side):
        assert [consent_latest(engagement, first=one) for one in (north.contact, lee)] == kept
        assert consent_latest(engagement) == kept[-1]


def test_nobody_counts_twice(north: Firm, lee: Contact) -> None:
    engagement = invited(north, 2)
    give_consent(north, engagement)
    with refused(north, InvalidMove):
        give_consent(north, engagement)
    assert as_stored(north, engagement).status == EngagementStatus.INVITED
    first = consents(north)[0]
    kept = {field.attname: getattr(first, field.attname) for field in Consent._meta.concrete_fields}
    del kept["id"]
    with tenancy.use(north.client_side), pytest.raises(DatabaseError), transaction.atomic():
        Consent.objects.create(**kept)


def test_a_viewer_does_not_count(north: Firm) -> None:
    engagement = invited(north, 2)
    give_consent(north, engagement)
    viewer = make_contact(north, "val", ContactRole.VIEWER)
    with refused(north, NotAllowed):
        give_consent(north, engagement, contact=viewer)


def test_everybody_sees_who_has_agreed_and_who_is_asked(north: Firm, lee: Contact, mia: Contact) -> None:
    engagement = invited(north, 2)
    with tenancy.use(north.client_side):
        before = approvals_of(engagement)
    assert (before.agreed, [one.pk for one in before.asked]) == ((), [lee.pk, mia.pk, north.contact.pk])
    give_consent(north, engagement, contact=mia)
    with tenancy.use(north.client_side):
        after = approvals_of(engagement)
    assert [one.contact_id for one in after.agreed] == [mia.pk]
    assert [one.pk for one in after.asked] == [lee.pk, north.contact.pk]
    assert (after.has_agreed(mia), after.has_agreed(lee)) == (True, False)


def test_where_one_is_enough_nothing_is_read(north: Firm) -> None:
    engagement = invited(north, 1)
    found = approvals_of(engagement)  # outside of every scope
    assert (found.needed, found.agreed, found.asked) == (1, (), ())


def test_one_no_ends_it_and_takes_back_what_others_said(north: Firm, lee: Contact) -> None:
    engagement = invited(north, 2)
    give_consent(north, engagement)
    with tenancy.use(north.client_side):
        engagement_decline(engagement=engagement, contact=lee, reason="Too wide", actor=acting(lee.user))
    assert as_stored(north, engagement).status == EngagementStatus.DECLINED
    (consent,) = consents(north)
    assert consent.withdrawn_by_id == lee.user_id
    assert kinds(north, engagement)[-2:] == ["client:consent:withdrawn", "engagement:engagement:moved"]


def test_a_new_offer_starts_the_count_anew(north: Firm, lee: Contact) -> None:
    engagement = invited(north, 2)
    give_consent(north, engagement)
    freeze_offer(north, engagement, template="Resources: {more: true}\n")
    give_consent(north, engagement, contact=lee)
    assert as_stored(north, engagement).status == EngagementStatus.INVITED
    give_consent(north, engagement)
    assert as_stored(north, engagement).status == EngagementStatus.AGREED


def test_who_ends_it_takes_back_every_agreement(north: Firm, lee: Contact) -> None:
    engagement = invited(north, 2)
    last = [give_consent(north, engagement, contact=contact) for contact in (north.contact, lee)][-1]
    with tenancy.use(north.client_side):
        assert consent_stands(engagement=engagement, offer=last.offer)
        engagement_end(engagement=engagement, actor=acting(north.approver))
        assert not consent_stands(engagement=engagement, offer=last.offer)
    assert all(consent.withdrawn_at for consent in consents(north))


@pytest.mark.parametrize("needed", [0, 4])
def test_one_to_three_people_can_be_asked(north: Firm, needed: int) -> None:
    with refused(north, BadDraft):
        make_engagement_drafted(north, approvals_needed=needed)


@pytest.mark.parametrize("needed", [0, 4])
def test_postgresql_counts_to_three_too(north: Firm, needed: int) -> None:
    make_engagement_drafted(north)
    with tenancy.use(north.practice_side), pytest.raises(DatabaseError), transaction.atomic():
        Engagement.objects.update(approvals_needed=needed)


@pytest.mark.parametrize(
    ("profile", "approvers", "needed"),
    [
        ("cost_review", 3, 1),
        ("serverless_build", 1, 1),
        ("serverless_build", 2, 2),
        ("full_administrator", 3, 2),
    ],
)
def test_where_nobody_says_how_many_the_risk_does(
    north: Firm, profile: str, approvers: int, needed: int
) -> None:
    for number in range(1, approvers):
        make_contact(north, f"more{number}", ContactRole.APPROVER)
    make_contact(north, "looks", ContactRole.VIEWER)
    assert drafted_as(north, profile).approvals_needed == needed
    assert drafted_as(north, profile, 3).approvals_needed == 3


def drafted_as(north: Firm, profile: str, approvals: int | None = None) -> Engagement:
    with tenancy.use(north.practice_side):
        return engagement_draft(
            client=north.client,
            lead=north.owner,
            title="Work",
            purpose="to do some work",
            profile=profile,
            ends_at=clock.now() + dt.timedelta(days=9),
            approvals_needed=approvals,
            actor=acting(north.owner),
        )


def test_a_draft_that_asks_for_more_than_before_is_settled_anew(north: Firm, lee: Contact) -> None:
    draft = drafted_as(north, "cost_review")
    terms = Terms(title="Work", purpose="to do it", profile="serverless_build", ends_at=draft.ends_at)
    with tenancy.use(north.practice_side):
        seen = draft_mark(draft)
        after = engagement_edit(engagement=draft, terms=terms, seen=seen, actor=acting(north.owner))
    assert (draft.approvals_needed, after.approvals_needed) == (1, 2)
    assert as_stored(north, draft).approvals_needed == 2


def test_a_client_whom_nobody_represents_yet_is_asked_for_one() -> None:
    assert approvals_by_risk(Kind.CHANGE, approvers=0) == 1


@pytest.mark.usefixtures("db")
def test_it_is_not_sent_to_fewer_than_have_to_agree() -> None:
    firm = make_practice("northgate")
    engagement = make_engagement_drafted(firm, approvals_needed=2)
    with tenancy.use(firm.practice_side):
        with pytest.raises(NotReady, match="2 people have to agree, and this client has 1"):
            engagement_send(engagement=engagement, actor=acting(firm.owner))
        assert as_stored(firm, engagement).status == EngagementStatus.DRAFT
    make_contact(firm, "lee", ContactRole.APPROVER)
    with tenancy.use(firm.practice_side):
        engagement_send(engagement=engagement, actor=acting(firm.owner))
    assert as_stored(firm, engagement).status == EngagementStatus.INVITED
