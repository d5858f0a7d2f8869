"""The evidence pack: everything about one engagement in one ZIP, with what verifies it and a page that explains it.

The record in it is the practice's whole chain, because a chain holds only as a whole; names and reasons are given of this
engagement alone. Reads only.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import zipfile
from collections.abc import Iterator
from typing import IO, Any, Final

from django.conf import settings
from django.db.models import Model

from awsaccess.models import ExitProof, Grant, Verification, Visit
from engagements.lifecycle import EngagementEvent
from engagements.models import Consent, Document, Engagement
from engagements.selectors import grouped
from portal.kernel import checkpoints, clock, export
from portal.kernel.models import AuditCheckpoint, AuditEvent
from portal.kernel.papers import keys

FORMAT: Final = "latchkey-evidence-1"
TOOLS: Final = {"verify.py": "evidence_verify.py", "audit_verify.py": "audit_verify.py"}
DECISIONS: Final = (
    EngagementEvent.MOVED,
    EngagementEvent.MOVE_REFUSED,
    EngagementEvent.CONSENT_GIVEN,
    EngagementEvent.CONSENT_REFUSED,
    EngagementEvent.CONSENT_WITHDRAWN,
)
Json = dict[str, Any]  # Any: JSON for people and for the verifier
File = tuple[str, bytes]
README: Final = """Evidence of an access, packed by Latchkey
=========================================

Project   {title} ({code})
Client    {client}
Practice  {practice}
Packed    {made}

What is in it
-------------
papers/            Signed receipts and certificates, as they were mailed. A PDF reader shows their signatures.
shown/             The pages that were shown and agreed to, byte for byte.
offers/            What was asked: plain words, permissions, and the template that AWS got.
engagement.json    What, why, who, until when.
decisions.json     Each consent with its circumstances; each answer, also no; each act that was refused.
visits.json        Each time a consultant went into the account, or tried to: who, why, from when to when.
checks.json        Each time the portal looked whether the access was as agreed.
access.json        The roles that were made in AWS, and what became of them.
exit_proof.json    How it was proved that the access is gone.
record/            The practice's whole record, as a chain of hashes, and its signed checkpoints. Names and reasons
                   are given for this project alone; of everything else only fingerprints are here.
certificates.pem   The certificates that the papers were signed with.
verify.py, audit_verify.py   Programs that check all of it. They need Python 3.11 or newer and nothing else.

How to check it
---------------
1. Unpack it into an empty folder.
2. In that folder: python3 verify.py
   It says that nothing is wrong, or names each file that is not right.
3. Whoever made the pack could have made up a record as well. So keep what was mailed to you: the seal in a receipt, or a
   mail with a checkpoint, vouches for the record from outside:
   python3 verify.py --checkpoint mail.eml --key 'the key in that mail'
4. Take verify.py from a pack that you trust, or from Latchkey's own source, if you do not trust this one.
5. A single paper can be checked at {verify} too.
"""


def write_pack(engagement: Engagement, file: IO[bytes]) -> str:
    """Write the ZIP; its SHA-256. The engagement comes with practice and client. Nothing is changed."""
    made = clock.now()
    prints: dict[str, str] = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, content in _files(engagement, made):
            _put(pack, name, content, made)
            prints[name] = hashlib.sha256(content).hexdigest()
        manifest = _text(
            {
                "format": FORMAT,
                "engagement": engagement.code,
                "engagement_id": str(engagement.pk),
                "practice_id": str(engagement.practice_id),
                "made_at": _iso(made),
                "files": prints,
            }
        )
        _put(pack, "manifest.json", manifest, made)
        told = f"{hashlib.sha256(manifest).hexdigest()}  manifest.json\n"
        _put(pack, "manifest.sha256", told.encode(), made)
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # the stub wants more than it uses


def _put(pack: zipfile.ZipFile, name: str, content: bytes, made: dt.datetime) -> None:
    told = zipfile.ZipInfo(name, date_time=made.timetuple()[:6])
    told.compress_type, told.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    pack.writestr(told, content)


def _files(engagement: Engagement, made: dt.datetime) -> Iterator[File]:
    yield "README.txt", _readme(engagement, made).encode()
    yield "engagement.json", _text(_engagement(engagement))
    consents = list(_consents(engagement))
    yield "decisions.json", _text(_decisions(engagement, consents))
    for consent in consents:
        yield f"shown/consent-{consent.offer.number}.html", consent.shown_html.encode()
    yield from _offers(engagement)
    for document in Document.objects.filter(engagement=engagement).order_by("made_at", "pk"):
        yield f"papers/{document.kind}-{grouped(document.reference)}.pdf", bytes(document.pdf)
    yield "visits.json", _text({"visits": [_visit(row) for row in _rows(Visit, engagement, "intended_at")]})
    checks = Verification.objects.filter(grant__engagement=engagement).order_by("at", "pk")
    yield "checks.json", _text({"checks": [_check(row) for row in checks]})
    yield "access.json", _text({"roles": [_grant(row) for row in _rows(Grant, engagement, "offer__number")]})
    yield (
        "exit_proof.json",
        _text({"proofs": [_proof(row) for row in _rows(ExitProof, engagement, "begun_at")]}),
    )
    yield from _record(engagement)
    yield "certificates.pem", "".join(keys.pem_of(der) for der in keys.known_certificates()).encode()
    for name, source in TOOLS.items():
        yield name, (settings.BASE_DIR / "cli" / source).read_bytes()


def _record(engagement: Engagement) -> Iterator[File]:
    lines = export.lines_of(engagement.practice_id, about_id=engagement.pk)
    yield "record/record.jsonl", "".join(lines).encode()
    sealed = AuditCheckpoint.objects.filter(practice_id=engagement.practice_id).order_by("size")
    yield "record/checkpoints.txt", "\n".join(checkpoints.note_of(one) for one in sealed).encode()


def _readme(engagement: Engagement, made: dt.datetime) -> str:
    return README.format(
        title=engagement.title,
        code=engagement.code,
        client=engagement.client.name,
        practice=engagement.practice.legal_name,
        made=_iso(made),
        verify=f"{settings.SITE_URL}/verify/",
    )


def _engagement(engagement: Engagement) -> Json:
    names = (
        "code",
        "title",
        "purpose",
        "contract_reference",
        "account_id",
        "account_name",
        "profile",
        "status",
    )
    moments = ("invited_at", "agreed_at", "activated_at", "paused_at", "ends_at", "closing_at", "closed_at")
    staff = engagement.assignments.select_related("consultant").order_by("starts_at", "pk")
    return {
        **{name: getattr(engagement, name) for name in names},
        **{name: _iso(getattr(engagement, name)) for name in moments},
        "client": engagement.client.name,
        "practice": engagement.practice.legal_name,
        "people": [
            {
                "name": row.consultant.name,
                "part": row.role,
                "from": _iso(row.starts_at),
                "until": _iso(row.ends_at),
            }
            for row in staff
        ],
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
        "given_at": _iso(consent.given_at),
        "account_id": consent.account_id,
        "shown_sha256": consent.shown_sha256,
        "offer_sha256": consent.offer_sha256,
        "choice": consent.choice,
        "template_sha256": consent.template_sha256,
        "agreed_sha256": consent.agreed_sha256,
        "evidence": consent.evidence,
        "withdrawn_at": _iso(consent.withdrawn_at),
        "withdrawn_by": consent.withdrawn_by.name if consent.withdrawn_by else None,
    }


def _decision(event: AuditEvent) -> Json:
    """An event in words; a body that was erased leaves none."""
    body = getattr(event, "body", None)
    told = json.loads(body.text) if body else {}
    return {
        "number": event.seq,
        "at": _iso(event.at),
        "what": event.kind,
        "by": told.get("name"),
        "details": told.get("details", {}),
    }


def _offers(engagement: Engagement) -> Iterator[File]:
    for offer in engagement.offers.order_by("number"):
        told = {
            "number": offer.number,
            "lines": offer.lines,
            "documents": offer.documents,
            "template_sha256": offer.template_sha256,
            "offer_sha256": offer.offer_sha256,
            "frozen_at": _iso(offer.frozen_at),
            "template_version_id": offer.template_version_id,
        }
        yield f"offers/offer-{offer.number}.json", _text(told)
        yield f"offers/template-{offer.number}.txt", offer.template.encode()


def _visit(visit: Visit) -> Json:
    return {
        "visit": str(visit.pk),
        "by": visit.consultant_name,
        "reason": visit.reason,
        "way": visit.kind,
        "status": visit.status,
        "intended_at": _iso(visit.intended_at),
        "issued_at": _iso(visit.issued_at),
        "ends_at": _iso(visit.ends_at),
        "access_key_id": visit.access_key_id,
        "session_name": visit.session_name,
        "refusal": visit.refusal,
    }


def _check(check: Verification) -> Json:
    return {
        "at": _iso(check.at),
        "verdict": check.verdict,
        "reason": check.reason,
        "findings": check.findings,
    }


def _grant(grant: Grant) -> Json:
    """The role's policies and its external ID stand in the template that was agreed to."""
    return {
        "account_id": grant.account_id,
        "role_name": grant.role_name,
        "status": grant.status,
        "verified_at": _iso(grant.verified_at),
        "last_ok_at": _iso(grant.last_ok_at),
        "gone_at": _iso(grant.gone_at),
    }


def _proof(proof: ExitProof) -> Json:
    return {
        "begun_at": _iso(proof.begun_at),
        "confirmed_at": _iso(proof.confirmed_at),
        "proved_at": _iso(proof.proved_at),
        "evidence": proof.evidence,
        "evidence_sha256": proof.evidence_sha256,
    }


def _rows(model: type[Model], engagement: Engagement, order: str) -> list[Any]:  # Any: rows of that model
    return list(model._default_manager.filter(engagement=engagement).order_by(order, "pk"))  # noqa: SLF001  # Django documents it


def _text(value: Json) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n").encode()


def _iso(moment: dt.datetime | None) -> str | None:
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds") if moment else None
