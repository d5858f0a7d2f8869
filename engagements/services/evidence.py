"""The record of one agreement, put together from the rows as they are at that moment."""

from __future__ import annotations

import datetime as dt
import json
from uuid import UUID

from django.conf import settings

from accounts.models import Contact
from engagements import consent_record
from engagements.consent_record import Agreement, Asked, Party
from engagements.models import Consent, Engagement, Offer
from engagements.offer_words import titles_of, words_of
from engagements.selectors import account_asked, role_in, template_with, with_choice
from engagements.services.choices import Chosen
from portal.kernel.errors import NotVisible


def record_text(
    *,
    consent_id: UUID,
    engagement: Engagement,
    offer: Offer,
    chosen: Chosen,
    contact: Contact,
    shown_html: str,
    shown_sha256: str,
    displayed_at: dt.datetime,
    given_at: dt.datetime,
    evidence: dict[str, str],
    number: int,
) -> str:
    """The JSON that is kept with the consent. `number` says the how-manieth agreement to this offer it is."""
    agreement = Agreement(
        record_id=str(consent_id),
        practice=_practice(engagement),
        client=_client(engagement, contact),
        signer=_signer(contact),
        asked=_asked(engagement, offer, chosen, evidence.get("language", ""), shown_html, shown_sha256),
        displayed_at=displayed_at,
        given_at=given_at,
        ends_at=_ends_at(engagement, offer),
        evidence=evidence,
        number=number,
        needed=engagement.approvals_needed,
        withdrawal_url=f"{settings.SITE_URL}/e/{engagement.code}/end/",
    )
    return consent_record.text_of(consent_record.record_of(agreement))


def record_now(consent: Consent) -> str:
    """The record for whoever asks for it: as it was kept, with the withdrawal if there was one.

    Raises NotVisible for a consent from before records were kept.
    """
    if not consent.record:
        raise NotVisible
    if consent.withdrawn_at is None:
        return consent.record
    kept = json.loads(consent.record)
    ended = consent_record.withdrawn(kept, at=consent.withdrawn_at, by=f"person:{consent.withdrawn_by_id}")
    return consent_record.text_of(ended)


def _practice(engagement: Engagement) -> Party:
    practice = engagement.practice
    return Party(
        party_id=f"practice:{practice.pk}",
        role="requester",
        kind="organisation",
        name=practice.legal_name,
        address=practice.address,
        email=practice.support_email,
        phone=practice.support_phone,
        contact=practice.support_email,
    )


def _client(engagement: Engagement, contact: Contact) -> Party:
    """Nobody asks a client for its address: who agreed for it says how to reach it."""
    client = engagement.client
    return Party(
        party_id=f"client:{client.pk}",
        role="client",
        kind="organisation",
        name=client.name,
        contact=contact.user.email,
    )


def _signer(contact: Contact) -> Party:
    user = contact.user
    return Party(
        party_id=f"person:{user.pk}",
        role="signer",
        kind="person",
        name=user.name,
        title=contact.title,
        email=user.email,
        phone=user.phone,
        contact=user.email,
    )


def _ends_at(engagement: Engagement, offer: Offer) -> dt.datetime:
    """The end that this offer asks for: a change may have another than the access that is on."""
    frozen = offer.documents.get("expires_at")
    return dt.datetime.fromisoformat(frozen) if frozen else engagement.ends_at


def _asked(
    engagement: Engagement, offer: Offer, chosen: Chosen, language: str, shown_html: str, shown_sha256: str
) -> Asked:
    told, template = words_of(offer, language), template_with(offer, chosen.keys)
    role = role_in(template.text) or {}
    return Asked(
        engagement=engagement.code,
        title=engagement.title,
        purpose=engagement.purpose,
        contract_reference=engagement.contract_reference,
        account_id=account_asked(engagement, offer),
        offer_number=offer.number,
        offer_sha256=offer.offer_sha256,
        template_sha256=chosen.template_sha256,
        template_version_id=template.version_id,
        agreed_sha256=chosen.agreed_sha256,
        role_name=str(role.get("RoleName", "")),
        lines=(*(line["title"] for line in told.lines), *titles_of(offer, chosen.keys, language)),
        limits=told.limits,
        documents=with_choice(offer.documents, chosen.keys),
        shown_html=shown_html,
        shown_sha256=shown_sha256,
    )
