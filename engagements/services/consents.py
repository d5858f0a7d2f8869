"""Consent is given to one offer, with the exact bytes that were shown; it is withdrawn, never edited."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final
from uuid import uuid4

from django.db import transaction
from django.utils.translation import gettext, gettext_lazy

from accounts.lifecycle import ContactRole
from accounts.models import Contact
from engagements.consent_record import digest, utc
from engagements.lifecycle import EngagementEvent, EngagementStatus
from engagements.models import AgreementCode, Consent, Engagement, Offer, ScopeChange
from engagements.selectors import account_asked, choice_fixed
from engagements.services.agreement_codes import (
    CodeNeeded,
    agreement_code_is_asked,
    agreement_code_match,
    agreement_code_use_within,
)
from engagements.services.changes import change_agree_within, change_to_answer
from engagements.services.choices import Chosen, chosen_from
from engagements.services.evidence import record_text
from engagements.services.moves import engagement_locked, engagement_move_within
from engagements.services.records import engagement_record_within
from portal.kernel import clock, outbox, refusals
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove, NotAllowed, PortalError, Stale

ACCOUNT: Final = re.compile(r"(?!0{12})[0-9]{12}", re.ASCII)


class BadAccount(PortalError):
    """Raised for an account number that cannot be the client's."""

    code = "bad-account"
    title = gettext_lazy("That account number can't be right")
    user_message = gettext_lazy(
        "Nothing was saved. An AWS account number has 12 digits; you find it at the top right in AWS."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the contact saw: the document's exact HTML, its SHA-256 as it was shown, and when.

    `ticket` is the signed value that the page carried, which proves the three: showing writes nothing down.
    """

    html: str
    sha256: str
    displayed_at: dt.datetime
    ticket: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The circumstances of the agreement. `sign_in` says how the person proved who they are.

    `language` is the page's, `authority` the sentence about their right to agree that they ticked.
    """

    ip: str
    user_agent: str
    accept_language: str
    sign_in: str
    timezone: str
    language: str = ""
    authority: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """One person's yes, as it came. `typed`: the mailed code that they typed, if it was right."""

    offer: Offer
    contact: Contact
    account_id: str
    shown: Shown
    evidence: Evidence
    choice: Sequence[str]
    signed_in_at: dt.datetime | None
    typed: AgreementCode | None


@refusals.told(EngagementEvent.CONSENT_REFUSED, about="engagement")
def consent_give(
    *,
    engagement: Engagement,
    offer: Offer,
    contact: Contact,
    account_id: str,
    shown: Shown,
    evidence: Evidence,
    actor: Actor,
    choice: Sequence[str] = (),
    signed_in_at: dt.datetime | None = None,
    code: str = "",
) -> Consent:
    """One yes, with its evidence, record and receipt; with the last that is needed, invited -> agreed. Or nothing at all.

    `choice`: keys of the optional lines that were ticked. The consent is to the template with these and no others; where
    several people have to agree, the first one's choice is everybody's. Of a change, the last yes makes it agreed.

    Raises NotAllowed for anyone but an approver, Stale if offer, choice or bytes are not those that hold now,
    BadAccount for an account that cannot be the client's, CodeNeeded without the mailed code where one is asked: by the
    engagement, or because the person's sign-in (`signed_in_at`) is not fresh.
    InvalidMove if it was answered meanwhile, or by this person before.
    """
    answer = _Answer(
        offer=offer,
        contact=contact,
        account_id=account_id,
        shown=shown,
        evidence=evidence,
        choice=choice,
        signed_in_at=signed_in_at,
        typed=agreement_code_match(offer=offer, contact=contact, typed=code) if code else None,
    )
    return _give(engagement, answer, actor)


@transaction.atomic(durable=True)
def _give(engagement: Engagement, answer: _Answer, actor: Actor) -> Consent:
    current, offer = engagement_locked(engagement.pk), answer.offer
    require_approver(answer.contact, current)
    _require_same_offer(offer, current, answer.shown)
    chosen = chosen_from(offer, answer.choice)
    change = _require_open(current, offer)
    number = _require_first(offer, answer.contact) + 1
    _require_same_choice(offer, chosen)
    code = _code_evidence(current, answer)
    _settle_account(current, offer, answer.account_id)
    is_last = number >= current.approvals_needed
    if is_last:
        _make_agreed(current, change, actor)
    consent = _write(current, answer, chosen, code, number=number)
    _promise(consent, current, is_last=is_last)
    _record(consent, current, answer, actor, number=number)
    return consent


def consent_refuse_record(*, engagement: Engagement, actor: Actor, error: PortalError) -> None:
    """Tell of an agreement that was refused before it came here: to a paper that was forged, or is not shown any more."""
    refusals.refusal_record(
        EngagementEvent.CONSENT_REFUSED,
        subject=engagement,
        actor=actor,
        details={"code": error.code, "reason": str(error.user_message)},
    )


@refusals.told(EngagementEvent.MOVE_REFUSED, about="engagement")
@transaction.atomic(durable=True)
def engagement_decline(*, engagement: Engagement, contact: Contact, reason: str, actor: Actor) -> None:
    """invited -> declined. The reason is optional; the lead hears of it. Nothing exists in AWS.

    One no ends it for everybody: what colleagues agreed to before is taken back with it.
    """
    current = engagement_locked(engagement.pk)
    require_approver(contact, current)
    consent_withdraw_within(engagement=current, actor=actor)
    engagement_move_within(engagement=current, to=EngagementStatus.DECLINED, actor=actor, note=reason)
    outbox.put(
        "engagements.declined", current.pk, dedupe_key=f"declined:{current.pk}", client_id=current.client_id
    )


def consent_withdraw_within(*, engagement: Engagement, actor: Actor, offer: Offer | None = None) -> None:
    """Mark every consent that stands as withdrawn, in the caller's transaction: of changes that wait, too.

    `offer`: only those to it. Nothing to do when there is none.
    """
    rows = Consent.objects.filter(engagement=engagement, withdrawn_at=None)
    rows = rows if offer is None else rows.filter(offer=offer)
    for consent in rows.order_by("given_at"):
        mine = Consent.objects.filter(pk=consent.pk, withdrawn_at=None)
        mine.update(withdrawn_at=clock.now(), withdrawn_by_id=actor.user_id)
        engagement_record_within(EngagementEvent.CONSENT_WITHDRAWN, consent, engagement, actor, {})


def require_approver(contact: Contact, engagement: Engagement) -> None:
    """Read under the engagement's lock, which whoever ends a contact takes too: who left a moment ago decides nothing."""
    rows = Contact.objects.filter(pk=contact.pk, client_id=engagement.client_id, ended_at=None)
    if not rows.filter(role=ContactRole.APPROVER).exists():
        raise NotAllowed(gettext("Someone else at your company has to answer this. Nothing was changed."))


def _require_same_offer(offer: Offer, engagement: Engagement, shown: Shown) -> None:
    newest = engagement.offers.order_by("-number").first()
    same_bytes = hashlib.sha256(shown.html.encode()).hexdigest() == shown.sha256
    if newest is None or newest.pk != offer.pk or not same_bytes:
        raise Stale


def _require_open(engagement: Engagement, offer: Offer) -> ScopeChange | None:
    """The change that this offer asks for, or None for the first question. Raises InvalidMove for one that is over."""
    change = change_to_answer(engagement=engagement, offer=offer)
    if change is None and (
        engagement.status != EngagementStatus.INVITED or engagement.ends_at <= clock.now()
    ):
        raise InvalidMove
    return change


def _require_first(offer: Offer, contact: Contact) -> int:
    """How many agreed before. Raises InvalidMove for whoever did: nobody counts twice."""
    live = Consent.objects.filter(offer=offer, withdrawn_at=None)
    if live.filter(contact=contact).exists():
        raise InvalidMove
    return live.count()


def _require_same_choice(offer: Offer, chosen: Chosen) -> None:
    """Several people agree to one thing: the first of them chose for all."""
    fixed = choice_fixed(offer)
    if fixed is not None and fixed != chosen.keys:
        raise Stale(
            "A colleague who agreed before you chose what to add, and you agree to the same. Read it again."
        )


def _code_evidence(engagement: Engagement, answer: _Answer) -> dict[str, str]:
    """What is kept of the mailed code, which is used up here. Raises CodeNeeded where one is asked."""
    now = clock.now()
    if not agreement_code_is_asked(engagement=engagement, signed_in_at=answer.signed_in_at, now=now):
        return {}
    typed = answer.typed
    if typed is None:
        raise CodeNeeded
    agreement_code_use_within(row=typed, offer=answer.offer, contact=answer.contact)
    return {"code_mailed_at": utc(typed.made_at), "code_typed_at": utc(now)}


def _settle_account(engagement: Engagement, offer: Offer, account_id: str) -> None:
    """The number that was asked for stands; an unknown one is written down once, here.

    Another account than the agreed one holds with the last consent to it, not before.
    """
    ours = str(offer.documents.get("hub_account_id", ""))
    if not ACCOUNT.fullmatch(account_id) or account_id == ours:
        raise BadAccount
    asked = account_asked(engagement, offer)
    if asked and asked != account_id:
        raise Stale
    if engagement.account_id:
        return
    Engagement.objects.filter(pk=engagement.pk).update(account_id=account_id)
    engagement.account_id = account_id


def _make_agreed(engagement: Engagement, change: ScopeChange | None, actor: Actor) -> None:
    """With the last yes that is needed."""
    if change is not None:
        change_agree_within(engagement=engagement, change=change, actor=actor)
    else:
        engagement_move_within(engagement=engagement, to=EngagementStatus.AGREED, actor=actor)


def _write(
    engagement: Engagement, answer: _Answer, chosen: Chosen, code: dict[str, str], *, number: int
) -> Consent:
    key, given_at = uuid4(), clock.now()
    offer, contact, shown = answer.offer, answer.contact, answer.shown
    kept = {
        **asdict(answer.evidence),
        **code,
        "ticket": shown.ticket,
        "displayed_at": shown.displayed_at.isoformat(),
    }
    return Consent.objects.create(
        pk=key,
        practice_id=engagement.practice_id,
        client_id=engagement.client_id,
        engagement=engagement,
        offer=offer,
        contact=contact,
        account_id=account_asked(engagement, offer),
        shown_html=shown.html,
        shown_sha256=shown.sha256,
        offer_sha256=offer.offer_sha256,
        choice=list(chosen.keys),
        template_sha256=chosen.template_sha256,
        agreed_sha256=chosen.agreed_sha256,
        evidence=kept,
        record=record_text(
            consent_id=key,
            engagement=engagement,
            offer=offer,
            chosen=chosen,
            contact=contact,
            shown_html=shown.html,
            shown_sha256=shown.sha256,
            displayed_at=shown.displayed_at,
            given_at=given_at,
            evidence=kept,
            number=number,
        ),
        given_at=given_at,
    )


def _promise(consent: Consent, engagement: Engagement, *, is_last: bool) -> None:
    client = engagement.client_id
    outbox.put("engagements.receipt", consent.pk, dedupe_key=f"receipt:{consent.pk}", client_id=client)
    if engagement.approvals_needed > 1:
        outbox.put("engagements.approved", consent.pk, dedupe_key=f"approved:{consent.pk}", client_id=client)
    if is_last:
        outbox.put("engagement.agreed", engagement.pk, dedupe_key=f"agreed:{consent.pk}", client_id=client)


def _record(consent: Consent, engagement: Engagement, answer: _Answer, actor: Actor, *, number: int) -> None:
    details: dict[str, str | int | None] = {
        "offer_sha256": consent.offer_sha256,
        "agreed_sha256": consent.agreed_sha256,
        "choice": ", ".join(consent.choice),
        "shown_sha256": consent.shown_sha256,
        "account": answer.account_id,
        "displayed_at": answer.shown.displayed_at.isoformat(),
        "record_sha256": digest(consent.record),
    }
    if engagement.approvals_needed > 1:
        details["agreement"] = f"{number} of {engagement.approvals_needed}"
    engagement_record_within(EngagementEvent.CONSENT_GIVEN, consent, engagement, actor, details)
