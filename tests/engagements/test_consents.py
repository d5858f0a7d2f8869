"""Agreeing, saying no and taking it back: by the right person, to the right bytes, whole or not at all."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json

import pytest
from django.db import transaction

from accounts.lifecycle import ContactRole
from accounts.models import Contact
from engagements.lifecycle import EngagementStatus
from engagements.models import Consent, Engagement, Offer
from engagements.selectors import offer_current
from engagements.services.closing import engagement_end
from engagements.services.consents import (
    BadAccount,
    Shown,
    consent_give,
    consent_withdraw_within,
    engagement_decline,
)
from portal.kernel import audit, clock, due, outbox, tenancy
from portal.kernel.errors import InvalidMove, NotAllowed, NotVisible, Stale
from portal.kernel.models import AuditBody, AuditEvent, AuditHead, OutboxMessage, OutboxState
from tests.engagements.records import as_stored, kinds, moves, promises, refused
from tests.factories import (
    ACCOUNT_ID,
    EVIDENCE,
    HUB_ACCOUNT_ID,
    PAPER,
    Firm,
    acting,
    freeze_offer,
    give_consent,
    make_client,
    make_contact,
    make_engagement_agreed,
    make_engagement_drafted,
    make_engagement_invited,
    make_engagement_paused,
    paper_shown,
)


def agree(
    firm: Firm,
    engagement: Engagement,
    *,
    offer: Offer | None = None,
    contact: Contact | None = None,
    account_id: str = ACCOUNT_ID,
    shown: Shown | None = None,
) -> Consent:
    """As somebody in the scope that is in force would, with one thing different."""
    person = contact or firm.contact
    return consent_give(
        engagement=engagement,
        offer=offer or offer_current(engagement),
        contact=person,
        account_id=account_id,
        shown=shown or paper_shown(),
        evidence=EVIDENCE,
        signed_in_at=clock.now(),
        actor=acting(person.user),
    )


def decline(firm: Firm, engagement: Engagement, *, contact: Contact | None = None, reason: str = "") -> None:
    person = contact or firm.contact
    engagement_decline(engagement=engagement, contact=person, reason=reason, actor=acting(person.user))


@transaction.atomic(durable=True)
def withdraw(firm: Firm, engagement: Engagement) -> None:
    consent_withdraw_within(engagement=engagement, actor=acting(firm.approver))


# What an agreement writes.


def test_the_engagement_is_agreed_by_the_approver(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    moment = clock.now()
    with clock.frozen(moment):
        give_consent(north, engagement)
    row = as_stored(north, engagement)
    assert (row.status, row.agreed_at, row.moved_by_id) == (
        EngagementStatus.AGREED,
        moment,
        north.approver.pk,
    )


def test_the_consent_holds_exactly_what_was_shown_and_how(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    moment = clock.now()
    with clock.frozen(moment):
        made = give_consent(north, engagement)
    with tenancy.use(north.client_side):
        consent = Consent.objects.select_related("offer").get(pk=made.pk)
    assert consent.shown_html == PAPER
    assert consent.shown_sha256 == hashlib.sha256(PAPER.encode()).hexdigest()
    assert consent.offer_sha256 == consent.offer.offer_sha256
    assert (consent.account_id, consent.contact_id) == (ACCOUNT_ID, north.contact.pk)
    assert (consent.given_at, consent.withdrawn_at, consent.withdrawn_by_id) == (moment, None, None)
    assert consent.evidence == {
        "ip": "192.0.2.7",
        "user_agent": "Mozilla/5.0",
        "accept_language": "en-GB",
        "sign_in": "link:mail",
        "timezone": "Europe/London",
        "language": "",
        "authority": "",
        "ticket": "",
        "displayed_at": (moment - dt.timedelta(minutes=1)).isoformat(),
    }


def test_it_was_shown_before_it_was_agreed_to(north: Firm) -> None:
    consent = give_consent(north, make_engagement_invited(north))
    assert dt.datetime.fromisoformat(consent.evidence["displayed_at"]) < consent.given_at


def test_the_consent_belongs_to_the_engagements_practice_and_client(north: Firm) -> None:
    consent = give_consent(north, make_engagement_invited(north))
    assert (consent.practice_id, consent.client_id) == (north.practice.pk, north.client.pk)


def test_one_receipt_and_one_first_look_are_promised(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    consent = give_consent(north, engagement)
    assert promises(north) == {
        ("engagements.receipt", consent.pk, f"receipt:{consent.pk}", north.client.pk),
        ("engagement.agreed", engagement.pk, f"agreed:{consent.pk}", north.client.pk),
    }


def test_the_receipt_waits_for_the_worker(north: Firm) -> None:
    give_consent(north, make_engagement_invited(north))
    with tenancy.use(north.practice_side):
        message = OutboxMessage.objects.get(kind="engagements.receipt")
    assert (message.state, message.attempts, message.sent_at) == (OutboxState.QUEUED, 0, None)


def test_the_record_tells_of_the_move_and_the_consent(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    give_consent(north, engagement)
    assert kinds(north, engagement)[-2:] == ["engagement:engagement:moved", "client:consent:given"]
    assert moves(north, engagement)[-1] == (f"user:{north.approver.pk}", "invited", "agreed")


def test_the_record_seals_what_was_agreed_to(north: Firm) -> None:
    consent = give_consent(north, make_engagement_invited(north))
    with tenancy.use(north.practice_side):
        event = AuditEvent.objects.get(kind="client:consent:given")
        body = json.loads(AuditBody.objects.get(event=event).text)
    assert event.subject == f"engagements.consent:{consent.pk}"
    assert (event.actor, event.client_id) == (f"user:{north.approver.pk}", north.client.pk)
    assert body["details"] == {
        "offer_sha256": consent.offer_sha256,
        "agreed_sha256": consent.agreed_sha256,
        "choice": "",
        "shown_sha256": consent.shown_sha256,
        "account": ACCOUNT_ID,
        "displayed_at": consent.evidence["displayed_at"],
        "record_sha256": hashlib.sha256(consent.record.encode()).hexdigest(),
    }


def test_the_chain_still_verifies_after_a_whole_life(north: Firm) -> None:
    engagement = make_engagement_paused(north)
    with tenancy.use(north.client_side):
        engagement_end(engagement=engagement, actor=acting(north.approver))
    with tenancy.use(north.practice_side):
        events = list(AuditEvent.objects.order_by("seq"))
        bodies = AuditBody.objects.select_related("event").order_by("event__seq")
        assert audit.first_fault(events, head=AuditHead.objects.get()) is None
        assert audit.first_body_fault(bodies) is None


def test_an_unknown_account_is_settled_by_the_answer(north: Firm) -> None:
    engagement = make_engagement_invited(north, account_id="")
    consent = give_consent(north, engagement, account_id="222222222222")
    assert consent.account_id == as_stored(north, engagement).account_id == "222222222222"


def test_a_page_read_before_the_invitation_still_agrees_to_what_holds_now(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    seen = as_stored(north, engagement)
    freeze_offer(north, engagement)
    with tenancy.use(north.practice_side):
        Engagement.objects.update(status=EngagementStatus.INVITED)
    with tenancy.use(north.client_side):
        agree(north, seen)
    assert as_stored(north, engagement).status == EngagementStatus.AGREED


# Who may not agree, and to what nobody can.


@pytest.mark.parametrize("role", [ContactRole.VIEWER, ContactRole.AWS_ADMIN])
def test_only_an_approver_agrees(north: Firm, role: ContactRole) -> None:
    engagement = make_engagement_invited(north)
    contact = make_contact(north, "lee", role)
    with refused(north, NotAllowed), tenancy.use(north.client_side):
        agree(north, engagement, contact=contact)


def test_an_approver_who_left_does_not_agree(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    with tenancy.use(north.practice_side):  # after the page was read: the row that it holds says nothing
        Contact.objects.filter(pk=north.contact.pk).update(ended_at=clock.now())
    with refused(north, NotAllowed), tenancy.use(north.client_side):
        agree(north, engagement)


def test_an_approver_of_another_client_does_not_agree(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    other = make_client(north, "Hollins Farm")
    contact = make_contact(north, "hal", ContactRole.APPROVER, client=other)
    with refused(north, NotAllowed), tenancy.use(north.client_side):
        agree(north, engagement, contact=contact)


def test_from_another_clients_side_the_engagement_does_not_exist(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    with tenancy.use(north.client_side):
        offer = offer_current(engagement)
    other = make_client(north, "Hollins Farm")
    contact = make_contact(north, "hal", ContactRole.APPROVER, client=other)
    scope = tenancy.client_scope(north.practice.pk, other.pk)
    with refused(north, NotVisible), tenancy.use(scope):
        agree(north, engagement, offer=offer, contact=contact)


def test_from_another_practices_side_the_engagement_does_not_exist(north: Firm, harbour: Firm) -> None:
    engagement = make_engagement_invited(north)
    with tenancy.use(north.client_side):
        offer = offer_current(engagement)
    with refused(north, NotVisible), tenancy.use(harbour.client_side):
        agree(harbour, engagement, offer=offer)


def test_an_offer_that_was_replaced_is_stale(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    with tenancy.use(north.client_side):
        old = offer_current(engagement)
    freeze_offer(north, engagement, template="Resources: {more: true}\n")
    with refused(north, Stale), tenancy.use(north.client_side):
        agree(north, engagement, offer=old)


def test_an_offer_of_another_engagement_is_stale(north: Firm) -> None:
    engagement, other = make_engagement_invited(north), make_engagement_invited(north)
    with tenancy.use(north.client_side):
        foreign = offer_current(other)
    with refused(north, Stale), tenancy.use(north.client_side):
        agree(north, engagement, offer=foreign)


def test_an_engagement_without_any_offer_is_stale(north: Firm) -> None:
    bare, other = make_engagement_drafted(north), make_engagement_invited(north)
    with tenancy.use(north.client_side):
        foreign = offer_current(other)
    with refused(north, Stale), tenancy.use(north.client_side):
        agree(north, bare, offer=foreign)


@pytest.mark.parametrize(
    "html", [PAPER + " ", PAPER.replace("bills", "mails"), PAPER.replace("\r\n", "\n"), ""]
)
def test_bytes_other_than_those_shown_are_stale(north: Firm, html: str) -> None:
    engagement = make_engagement_invited(north)
    tampered = dataclasses.replace(paper_shown(), html=html)
    with refused(north, Stale), tenancy.use(north.client_side):
        agree(north, engagement, shown=tampered)


def test_a_digest_other_than_that_of_the_bytes_is_stale(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    tampered = dataclasses.replace(paper_shown(), sha256="0" * 64)
    with refused(north, Stale), tenancy.use(north.client_side):
        agree(north, engagement, shown=tampered)


@pytest.mark.parametrize(
    "account_id",
    [
        "",
        "000000000000",
        "44170926558",
        "4417092655833",
        "44170926558x",
        " 441709265583",
        "441709265583\n",
        "4417-0926-5583",
        "٤٤١٧٠٩٢٦٥٥٨٣",
        HUB_ACCOUNT_ID,
    ],
)
@pytest.mark.parametrize("asked", ["", ACCOUNT_ID])
def test_a_number_that_cannot_be_the_clients_is_refused(north: Firm, asked: str, account_id: str) -> None:
    engagement = make_engagement_invited(north, account_id=asked)
    with refused(north, BadAccount), tenancy.use(north.client_side):
        agree(north, engagement, account_id=account_id)


def test_our_own_account_is_refused_even_if_it_was_asked_for(north: Firm) -> None:
    engagement = make_engagement_invited(north, account_id=HUB_ACCOUNT_ID)
    with refused(north, BadAccount), tenancy.use(north.client_side):
        agree(north, engagement, account_id=HUB_ACCOUNT_ID)


def test_an_account_other_than_the_one_asked_for_is_stale(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    with refused(north, Stale), tenancy.use(north.client_side):
        agree(north, engagement, account_id="222222222222")


def test_an_offer_that_names_no_hub_takes_any_client_account(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    with tenancy.use(north.practice_side):
        Offer.objects.create(
            practice=north.practice,
            client=north.client,
            engagement=engagement,
            number=1,
            lines=[],
            documents={},
            template="",
            template_sha256="a" * 64,
            offer_sha256="b" * 64,
            frozen_at=clock.now(),
        )
        Engagement.objects.update(status=EngagementStatus.INVITED)
    assert give_consent(north, engagement).account_id == ACCOUNT_ID


@pytest.mark.parametrize("late", [dt.timedelta(0), dt.timedelta(days=1)])
def test_after_the_end_of_the_window_nobody_agrees(north: Firm, late: dt.timedelta) -> None:
    engagement = make_engagement_invited(north)
    with (
        refused(north, InvalidMove),
        clock.frozen(engagement.ends_at + late),
        tenancy.use(north.client_side),
    ):
        agree(north, engagement)


def test_just_before_the_end_of_the_window_somebody_agrees(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    with clock.frozen(engagement.ends_at - dt.timedelta(microseconds=1)):
        give_consent(north, engagement)
    assert as_stored(north, engagement).status == EngagementStatus.AGREED


@pytest.mark.parametrize("status", sorted(set(EngagementStatus) - {EngagementStatus.INVITED}))
def test_only_an_open_invitation_is_agreed_to(north: Firm, status: EngagementStatus) -> None:
    engagement = make_engagement_invited(north)
    with tenancy.use(north.practice_side):
        Engagement.objects.update(status=status)
    with refused(north, InvalidMove), tenancy.use(north.client_side):
        agree(north, engagement)


def test_agreeing_twice_gives_one_consent(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    give_consent(north, engagement)
    with refused(north, InvalidMove), tenancy.use(north.client_side):
        agree(north, engagement)


def test_an_offer_replaced_after_the_answer_leaves_the_consent_alone(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    consent = give_consent(north, engagement)
    freeze_offer(north, engagement, template="Resources: {more: true}\n")
    with refused(north, InvalidMove), tenancy.use(north.client_side):
        agree(north, engagement)
    with tenancy.use(north.client_side):
        assert Consent.objects.get().offer_id == consent.offer_id


# Saying no.


def test_a_no_is_told_once_with_its_words(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    with tenancy.use(north.client_side):
        decline(north, engagement, reason="we do it ourselves")
    row = as_stored(north, engagement)
    assert (row.status, row.moved_by_id, row.moved_note) == (
        EngagementStatus.DECLINED,
        north.approver.pk,
        "we do it ourselves",
    )
    assert promises(north) == {
        ("engagements.declined", engagement.pk, f"declined:{engagement.pk}", north.client.pk)
    }


def test_a_no_needs_no_reason(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    with tenancy.use(north.client_side):
        decline(north, engagement)
    assert moves(north, engagement)[-1] == (f"user:{north.approver.pk}", "invited", "declined")


def test_a_long_reason_is_cut_instead_of_refused(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    with tenancy.use(north.client_side):
        decline(north, engagement, reason="é" * 1000)
    assert as_stored(north, engagement).moved_note == "é" * 300


@pytest.mark.parametrize("role", [ContactRole.VIEWER, ContactRole.AWS_ADMIN])
def test_only_an_approver_says_no(north: Firm, role: ContactRole) -> None:
    engagement = make_engagement_invited(north)
    contact = make_contact(north, "lee", role)
    with refused(north, NotAllowed), tenancy.use(north.client_side):
        decline(north, engagement, contact=contact)


def test_saying_no_twice_is_told_once(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    with tenancy.use(north.client_side):
        decline(north, engagement)
    with refused(north, InvalidMove), tenancy.use(north.client_side):
        decline(north, engagement)


def test_after_a_yes_there_is_no_no(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    with refused(north, InvalidMove), tenancy.use(north.client_side):
        decline(north, engagement)


# Taking it back.


def test_a_withdrawal_says_when_and_by_whom(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    moment = clock.now()
    with tenancy.use(north.client_side), clock.frozen(moment):
        withdraw(north, engagement)
        consent = Consent.objects.get()
    assert (consent.withdrawn_at, consent.withdrawn_by_id) == (moment, north.approver.pk)
    assert kinds(north, engagement)[-1] == "client:consent:withdrawn"


def test_what_is_withdrawn_is_not_withdrawn_again(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    with tenancy.use(north.client_side):
        withdraw(north, engagement)
        first = Consent.objects.get().withdrawn_at
        withdraw(north, engagement)
        assert Consent.objects.get().withdrawn_at == first
    assert kinds(north, engagement).count("client:consent:withdrawn") == 1


def test_without_a_consent_there_is_nothing_to_withdraw(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    with tenancy.use(north.client_side):
        withdraw(north, engagement)
    assert "client:consent:withdrawn" not in kinds(north, engagement)


def test_a_promise_that_fails_takes_the_consent_with_it(north: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    engagement = make_engagement_invited(north)

    def break_down(*_given: object, **_named: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(outbox, "put", break_down)
    with refused(north, ConnectionError), tenancy.use(north.client_side):
        agree(north, engagement)


def test_agreeing_leaves_the_end_of_the_window_planned(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    with tenancy.use(north.client_side):
        assert due.next_look("engagement.window", engagement.pk) == engagement.ends_at
