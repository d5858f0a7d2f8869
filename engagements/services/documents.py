"""Signed papers: made once, outside any transaction, and kept for ever as they are.

Setting type, signing and asking for a time stamp take their time and may fail; what they give is written down in one
transaction, with its marks and its event. A second try that finds a paper there gives that one.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import secrets as chance
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import QuerySet

from engagements.lifecycle import WORKING, DocumentKind, EngagementEvent
from engagements.models import Consent, Document, DocumentMark, Engagement, lead_first
from engagements.papers import parts
from engagements.papers.certificate import Ended, EndFacts, certificate_paper
from engagements.papers.parts import Paper
from engagements.papers.receipt import Agreed, receipt_paper
from engagements.papers.wording import wording_for
from engagements.selectors import REFERENCE_LETTERS, consent_checkpoint, document_of, grouped, reference_mark
from engagements.services.records import engagement_record_within
from portal.kernel import audit, checkpoints, clock
from portal.kernel.actor import Actor, machine
from portal.kernel.papers import keys

if TYPE_CHECKING:
    from portal.kernel.papers.signing import Signed

REFERENCE_LENGTH: Final = 20  # of 32 letters: 100 bits
SEALER: Final = machine("papers")
log: Final = logging.getLogger("portal.papers")


class PaperFailed(Exception):
    """Raised when a paper could not be made now. Trying again later may help, and does no harm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """What is settled before anything is written: whose paper, of what kind, from when, and how its words are made."""

    consent: Consent
    kind: DocumentKind
    at: dt.datetime
    write: Callable[[str], Paper]  # takes the reference in groups


def receipt_make(*, consent_id: UUID) -> Document | None:
    """The receipt of a consent, made now unless there is one. None when there is no such consent. Raises PaperFailed."""
    consent = _consents().filter(pk=consent_id).first()
    if consent is None:
        return None

    def write(reference: str) -> Paper:
        say = wording_for(_language_of(consent), str(consent.evidence.get("timezone", "")))
        people = _people_at(consent.engagement, consent.given_at)
        seal = consent_checkpoint(consent)
        return receipt_paper(Agreed(consent=consent, people=people, reference=reference, seal=seal), say)

    return _make(_Draft(consent=consent, kind=DocumentKind.RECEIPT, at=consent.given_at, write=write))


def certificate_make(*, consent_id: UUID, end: EndFacts) -> Document:
    """The certificate of the end, made now unless there is one. Raises PaperFailed."""
    consent = _consents().get(pk=consent_id)

    def write(reference: str) -> Paper:
        receipt = document_of(consent, DocumentKind.RECEIPT)
        ended = Ended(
            consent=consent,
            end=end,
            people=_people_ever(consent.engagement),
            reference=reference,
            receipt=grouped(receipt.reference) if receipt else "",
            seal=checkpoints.checkpoint_latest(consent.practice_id),
        )
        say = wording_for(_language_of(consent), str(consent.evidence.get("timezone", "")))
        return certificate_paper(ended, say)

    return _make(_Draft(consent=consent, kind=DocumentKind.CERTIFICATE, at=end.proved_at, write=write))


@transaction.atomic(durable=True)
def evidence_taken_record(*, engagement: Engagement, actor: Actor, sha256: str) -> None:
    """Tell of an evidence pack that somebody took out of the house. `sha256` is the file's."""
    engagement_record_within(
        EngagementEvent.EVIDENCE_TAKEN, engagement, engagement, actor, {"sha256": sha256}
    )


def _language_of(consent: Consent) -> str:
    """The papers speak as the page did that was agreed to."""
    return str(consent.evidence.get("language") or consent.contact.user.reads)


def _make(draft: _Draft) -> Document:
    if (found := document_of(draft.consent, draft.kind)) is not None:
        return found
    reference = "".join(chance.choice(REFERENCE_LETTERS) for _ in range(REFERENCE_LENGTH))
    paper = draft.write(grouped(reference))
    signed, signer = _signed(draft, paper)
    return _keep(draft, paper, reference, signed, signer=signer)


def _signed(draft: _Draft, paper: Paper) -> tuple[Signed, str]:
    """The bytes, and the fingerprint of the certificate that vouches for them. Raises PaperFailed."""
    from portal.kernel.papers import (
        signing,
        stamping,
        typesetting,
    )  # only a worker that makes papers loads these

    try:
        key = keys.signing_key()
        url = settings.RECEIPT_TIMESTAMP_URL
        authority = stamping.Authority(url) if url else None
        plain = typesetting.typeset(parts.TEMPLATE, paper.data, made_at=draft.at)
    except (typesetting.TypesettingFailed, ImproperlyConfigured) as error:
        log.exception("paper %s of consent %s could not be made", draft.kind, draft.consent.pk)
        raise PaperFailed(f"{type(error).__name__}: {error}") from error
    signed = signing.sign(plain, key=key, reason=paper.reason, authority=authority)
    if signed.trouble:
        log.warning("paper %s of consent %s: %s", draft.kind, draft.consent.pk, signed.trouble)
    return signed, keys.fingerprint(key.certificate)


@transaction.atomic(durable=True)
def _keep(draft: _Draft, paper: Paper, reference: str, signed: Signed, *, signer: str) -> Document:
    """Under the consent's lock: of two that were made at the same moment, the first one counts."""
    consent = Consent.objects.select_for_update(of=("self",)).get(pk=draft.consent.pk)
    if (found := document_of(consent, draft.kind)) is not None:
        return found
    tenant = {"practice_id": consent.practice_id, "client_id": consent.client_id}
    document = Document.objects.create(
        **tenant,
        engagement_id=consent.engagement_id,
        consent=consent,
        kind=draft.kind,
        language=paper.language,
        reference=reference,
        pdf=signed.pdf,
        sha256=hashlib.sha256(signed.pdf).hexdigest(),
        made_at=clock.now(),
        signed_by=signer,
        stamped_at=signed.stamped_at,
        trouble=signed.trouble,
    )
    for mark in (document.sha256, reference_mark(reference)):
        DocumentMark.objects.create(**tenant, token_sha256=mark, document=document)
    audit.record(
        EngagementEvent.DOCUMENT_SIGNED,
        subject=document,
        actor=SEALER,
        about_id=consent.engagement_id,
        client_id=consent.client_id,
        details={
            "kind": document.kind,
            "sha256": document.sha256,
            "consent": str(consent.pk),
            "signed_by": signer,
            "stamped_at": signed.stamped_at.isoformat() if signed.stamped_at else None,
            "trouble": signed.trouble or None,
        },
    )
    return document


def _consents() -> QuerySet[Consent]:
    names = ("offer", "contact__user", "withdrawn_by", "engagement__practice", "engagement__client")
    return Consent.objects.select_related(*names)


def _people_at(engagement: Engagement, at: dt.datetime) -> tuple[str, ...]:
    """Who could have gone in at that moment, the lead first."""
    return _names(engagement, lambda starts, ends: starts <= at and (ends is None or ends > at))


def _people_ever(engagement: Engagement) -> tuple[str, ...]:
    """Who could go in while it was on, the lead first."""
    since = engagement.activated_at
    over = engagement.closing_at
    return _names(
        engagement,
        lambda starts, ends: (
            (ends is None or since is None or ends > since) and (over is None or starts < over)
        ),
    )


def _names(
    engagement: Engagement, holds: Callable[[dt.datetime, dt.datetime | None], bool]
) -> tuple[str, ...]:
    rows = lead_first(engagement.assignments.select_related("consultant").filter(role__in=WORKING))
    names = [row.consultant.name for row in rows if holds(row.starts_at, row.ends_at)]
    return tuple(dict.fromkeys(names))
