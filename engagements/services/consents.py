"""Consent is given to one offer, with the exact bytes that were shown; it is withdrawn, never edited."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from django.db import transaction

from accounts.lifecycle import ContactRole
from accounts.models import Contact
from engagements.lifecycle import EngagementEvent, EngagementStatus
from engagements.models import Consent, Engagement, Offer
from engagements.services.changes import change_agree_within
from engagements.services.choices import Chosen, chosen_from
from engagements.services.moves import engagement_locked, engagement_move_within
from portal.kernel import audit, clock, outbox, refusals
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove, NotAllowed, PortalError, Stale

ACCOUNT: Final = re.compile(r"(?!0{12})[0-9]{12}", re.ASCII)


class BadAccount(PortalError):
    """Raised for an account number that cannot be the client's."""

    code = "bad-account"
    title = "That account number can't be right"
    user_message = (
        "Nothing was saved. An AWS account number has 12 digits; you find it at the top right in AWS."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the contact saw: the document's exact HTML, its SHA-256 as it was shown, and when."""

    html: str
    sha256: str
    displayed_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The circumstances of the agreement. `sign_in` says how the person proved who they are."""

    ip: str
    user_agent: str
    accept_language: str
    sign_in: str
    timezone: str


@refusals.told(EngagementEvent.CONSENT_REFUSED, about="engagement")
@transaction.atomic(durable=True)
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
) -> Consent:
    """invited -> agreed, with consent, evidence, receipt and the first look into AWS promised, or nothing at all.

    `choice`: keys of the optional lines that were ticked. The consent is to the template with these and no others.

    Raises NotAllowed for anyone but an approver, Stale if offer, choice or bytes are not those that hold now,
    BadAccount for an account that cannot be the client's, InvalidMove if it was answered meanwhile.
    """
    current = engagement_locked(engagement.pk)
    require_approver(contact, current)
    _require_same_offer(offer, current, shown)
    chosen = chosen_from(offer, choice)
    is_change = change_agree_within(engagement=current, offer=offer, actor=actor)
    if not is_change and (current.status != EngagementStatus.INVITED or current.ends_at <= clock.now()):
        raise InvalidMove
    _settle_account(current, offer, account_id)
    if not is_change:
        engagement_move_within(engagement=current, to=EngagementStatus.AGREED, actor=actor)
    consent = _write(current, offer, chosen, contact, shown, evidence)
    _promise(consent, current)
    audit.record(
        EngagementEvent.CONSENT_GIVEN,
        subject=consent,
        actor=actor,
        about_id=current.pk,
        client_id=current.client_id,
        details={
            "offer_sha256": offer.offer_sha256,
            "agreed_sha256": chosen.agreed_sha256,
            "choice": ", ".join(chosen.keys),
            "shown_sha256": shown.sha256,
            "account": account_id,
        },
    )
    return consent


def consent_refuse_record(*, engagement: Engagement, actor: Actor, error: PortalError) -> None:
    """Tell of an agreement that was refused before it came here: to a paper that was forged, or is not shown any more."""
    refusals.refusal_record(
        EngagementEvent.CONSENT_REFUSED,
        subject=engagement,
        actor=actor,
        details={"code": error.code, "reason": error.user_message},
    )


@refusals.told(EngagementEvent.MOVE_REFUSED, about="engagement")
@transaction.atomic(durable=True)
def engagement_decline(*, engagement: Engagement, contact: Contact, reason: str, actor: Actor) -> None:
    """invited -> declined. The reason is optional; the lead hears of it. Nothing exists in AWS."""
    current = engagement_locked(engagement.pk)
    require_approver(contact, current)
    engagement_move_within(engagement=current, to=EngagementStatus.DECLINED, actor=actor, note=reason)
    outbox.put(
        "engagements.declined", current.pk, dedupe_key=f"declined:{current.pk}", client_id=current.client_id
    )


def consent_withdraw_within(*, engagement: Engagement, actor: Actor) -> None:
    """Mark every consent that stands as withdrawn, in the caller's transaction: of changes that wait, too."""
    for consent in Consent.objects.filter(engagement=engagement, withdrawn_at=None).order_by("given_at"):
        rows = Consent.objects.filter(pk=consent.pk, withdrawn_at=None)
        rows.update(withdrawn_at=clock.now(), withdrawn_by_id=actor.user_id)
        audit.record(
            EngagementEvent.CONSENT_WITHDRAWN,
            subject=consent,
            actor=actor,
            about_id=engagement.pk,
            client_id=engagement.client_id,
        )


def require_approver(contact: Contact, engagement: Engagement) -> None:
    """Read under the engagement's lock, which whoever ends a contact takes too: who left a moment ago decides nothing."""
    rows = Contact.objects.filter(pk=contact.pk, client_id=engagement.client_id, ended_at=None)
    if not rows.filter(role=ContactRole.APPROVER).exists():
        raise NotAllowed("Someone else at your company has to answer this. Nothing was changed.")


def _require_same_offer(offer: Offer, engagement: Engagement, shown: Shown) -> None:
    newest = engagement.offers.order_by("-number").first()
    same_bytes = hashlib.sha256(shown.html.encode()).hexdigest() == shown.sha256
    if newest is None or newest.pk != offer.pk or not same_bytes:
        raise Stale


def _settle_account(engagement: Engagement, offer: Offer, account_id: str) -> None:
    """The number that was asked for stands; an unknown one is written down once, here."""
    ours = str(offer.documents.get("hub_account_id", ""))
    if not ACCOUNT.fullmatch(account_id) or account_id == ours:
        raise BadAccount
    if engagement.account_id and engagement.account_id != account_id:
        raise Stale
    Engagement.objects.filter(pk=engagement.pk).update(account_id=account_id)
    engagement.account_id = account_id


def _write(
    engagement: Engagement, offer: Offer, chosen: Chosen, contact: Contact, shown: Shown, evidence: Evidence
) -> Consent:
    return Consent.objects.create(
        practice_id=engagement.practice_id,
        client_id=engagement.client_id,
        engagement=engagement,
        offer=offer,
        contact=contact,
        account_id=engagement.account_id,
        shown_html=shown.html,
        shown_sha256=shown.sha256,
        offer_sha256=offer.offer_sha256,
        choice=list(chosen.keys),
        template_sha256=chosen.template_sha256,
        agreed_sha256=chosen.agreed_sha256,
        evidence={**asdict(evidence), "displayed_at": shown.displayed_at.isoformat()},
        given_at=clock.now(),
    )


def _promise(consent: Consent, engagement: Engagement) -> None:
    client = engagement.client_id
    outbox.put("engagements.receipt", consent.pk, dedupe_key=f"receipt:{consent.pk}", client_id=client)
    outbox.put("engagement.agreed", engagement.pk, dedupe_key=f"agreed:{consent.pk}", client_id=client)
