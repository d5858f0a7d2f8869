"""The paper side of the pack: the engagement, what was asked, what people decided, what was shown to them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from awsaccess.evidence.shapes import File, Json, fields_of, iso, person_of, text_of
from awsaccess.lifecycle import AccessEvent
from engagements.lifecycle import EngagementEvent
from engagements.models import Consent, Document, Doorbell, Engagement, Offer, ScopeChange
from engagements.selectors import grouped
from portal.kernel.models import AuditEvent

# What people decided, asked and were refused. The pack's verifier knows the same kinds, and misses none.
DECISIONS: Final = (
    EngagementEvent.MOVED,
    EngagementEvent.MOVE_REFUSED,
    EngagementEvent.CONSENT_GIVEN,
    EngagementEvent.CONSENT_REFUSED,
    EngagementEvent.CONSENT_WITHDRAWN,
    EngagementEvent.CODE_MAILED,
    EngagementEvent.QUESTION_ASKED,
    EngagementEvent.QUESTION_ANSWERED,
    EngagementEvent.COLLEAGUE_NAMED,
    EngagementEvent.CHANGE_ASKED,
    EngagementEvent.CHANGE_MOVED,
    EngagementEvent.ACCOUNT_WISHED,
    EngagementEvent.WISH_MOVED,
    EngagementEvent.RING_REFUSED,
    AccessEvent.VISIT_NOT_BEGUN,
    AccessEvent.SESSIONS_END_ASKED,
    AccessEvent.DELETION_CONFIRMED,
)
ENGAGEMENT: Final = (
    *("code", "title", "purpose", "contract_reference", "account_id", "account_name", "profile", "status"),
    *("approvals_needed", "code_at_agreement", "doorbell", "break_glass"),
    *("invited_at", "agreed_at", "activated_at", "paused_at", "ends_at", "closing_at", "closed_at"),
)
CONSENT: Final = (
    *("given_at", "account_id", "shown_sha256", "offer_sha256", "choice", "template_sha256"),
    *("agreed_sha256", "evidence", "withdrawn_at"),
)
OFFER: Final = (
    *("number", "lines", "documents", "template_sha256", "offer_sha256", "frozen_at", "template_version_id"),
)
RING: Final = ("reason", "status", "rung_at", "expires_at", "answered_at")


def paper_files(engagement: Engagement) -> Iterator[File]:
    """Each file with its name. The engagement comes with practice and client."""
    yield "engagement.json", text_of(_engagement(engagement))
    consents = list(_consents(engagement))
    yield "decisions.json", text_of(_decisions(engagement, consents))
    for number, consent in enumerate(consents, start=1):
        yield f"shown/consent-{number}.html", consent.shown_html.encode()
        if consent.record:  # none of those from before records were kept
            yield f"consents/consent-{number}.json", consent.record.encode()
    yield from _offers(engagement)
    for document in Document.objects.filter(engagement=engagement).order_by("made_at", "pk"):
        yield f"papers/{document.kind}-{grouped(document.reference)}.pdf", bytes(document.pdf)
    rings = Doorbell.objects.filter(engagement=engagement).select_related("answered_by")
    yield "rings.json", text_of({"rings": [_ring(row) for row in rings.order_by("rung_at", "pk")]})


def _engagement(engagement: Engagement) -> Json:
    staff = engagement.assignments.select_related("consultant").order_by("starts_at", "pk")
    changes = engagement.changes.select_related("offer", "before", "moved_by").order_by("asked_at", "pk")
    return {
        **fields_of(engagement, ENGAGEMENT),
        "client": engagement.client.name,
        "practice": engagement.practice.legal_name,
        "people": [
            {
                "name": row.consultant.name,
                "part": row.role,
                "from": iso(row.starts_at),
                "until": iso(row.ends_at),
            }
            for row in staff
        ],
        "changes": [_change(row) for row in changes],
    }


def _change(change: ScopeChange) -> Json:
    return {
        "change": str(change.pk),
        "offer": change.offer.number,
        "instead_of": change.before.number,
        **fields_of(change, ("status", "asked_at", "answered_at", "in_force_at")),
        "answered_by": change.moved_by.name if change.moved_by else None,
        "note": change.moved_note,
    }


def _consents(engagement: Engagement) -> Iterator[Consent]:
    rows = Consent.objects.filter(engagement=engagement).select_related(
        "offer", "contact__user", "withdrawn_by"
    )
    yield from rows.order_by("given_at", "pk")


def _decisions(engagement: Engagement, consents: list[Consent]) -> Json:
    kinds = [kind.value for kind in DECISIONS]
    events = AuditEvent.objects.select_related("body").filter(
        practice_id=engagement.practice_id, about_id=engagement.pk, kind__in=kinds
    )
    return {
        "consents": [_consent(row) for row in consents],
        "decisions": [_decision(event) for event in events.order_by("seq")],
    }


def _consent(consent: Consent) -> Json:
    person = consent.contact.user
    return {
        "consent": str(consent.pk),
        "offer": consent.offer.number,
        "by": person.name,
        "email": person.email,
        "title": consent.contact.title,
        **fields_of(consent, CONSENT),
        "withdrawn_by": consent.withdrawn_by.name if consent.withdrawn_by else None,
    }


def _decision(event: AuditEvent) -> Json:
    """An event in words; a body that was erased leaves none."""
    body = getattr(event, "body", None)
    told = json.loads(body.text) if body else {}
    return {
        "number": event.seq,
        "at": iso(event.at),
        "what": event.kind,
        "by": told.get("name"),
        "details": told.get("details", {}),
    }


def _offers(engagement: Engagement) -> Iterator[File]:
    for offer in engagement.offers.order_by("number"):
        yield f"offers/offer-{offer.number}.json", text_of(fields_of(offer, OFFER))
        yield f"offers/template-{offer.number}.txt", offer.template.encode()
        yield from _variants(offer)


def _variants(offer: Offer) -> Iterator[File]:
    """The template of each choice, numbered from 1 in the order in which the offer's `choices` seal them."""
    templates = {tuple(variant.choice): variant.template for variant in offer.variants.all()}
    for number, choice in enumerate(offer.documents.get("choices", ()), start=1):
        yield f"offers/template-{offer.number}-{number}.txt", templates[tuple(choice["keys"])].encode()


def _ring(ring: Doorbell) -> Json:
    return {
        "ring": str(ring.pk),
        "by": ring.consultant_name,
        "way": ring.kind,
        **fields_of(ring, RING),
        "answered_by": person_of(ring.answered_by),
    }
