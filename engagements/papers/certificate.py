"""The certificate of the end: what the access was, how it ended, and how its end was proved."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from engagements.models import Consent
from engagements.papers import parts
from engagements.papers.parts import Fact, Head, Paper, Part
from engagements.papers.receipt import verify_url
from engagements.papers.wording import Wording
from portal.kernel import checkpoints
from portal.kernel.models import AuditCheckpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class EndFacts:
    """What the AWS side knows of the end. Moments are aware; those that never came are None."""

    role_arn: str
    visits: int
    refusals: int
    refused_since: dt.datetime | None
    last_refused_at: dt.datetime | None
    confirmed_at: dt.datetime | None
    sessions_over_at: dt.datetime | None
    proved_at: dt.datetime
    evidence_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a certificate is made of. `people` could go in at any time; `receipt` is the reference of the receipt."""

    consent: Consent
    end: EndFacts
    people: tuple[str, ...]
    reference: str
    receipt: str
    seal: AuditCheckpoint | None


def certificate_paper(ended: Ended, say: Wording) -> Paper:
    """The same rows give the same paper, whenever it is made."""
    engagement = ended.consent.engagement
    names = {"practice": engagement.practice.name, "client": engagement.client.name}
    head = Head(
        title=say("certificate.title"),
        kind=say("certificate.kind", client=engagement.client.name),
        tag=say("certificate.tag"),
        lead=say("certificate.lead", **names),
        signed=say("certificate.signed"),
        reference=ended.reference,
    )
    rows = (
        _what_it_was(ended, say),
        _proof(ended.end, say),
        parts.words(say("kept.heading"), [say("kept.words")]),
    )
    return parts.paper(engagement, say, head, (*rows, _seal(ended.seal, say)))


def _what_it_was(ended: Ended, say: Wording) -> Part:
    consent = ended.consent
    engagement = consent.engagement
    begun = engagement.activated_at or consent.given_at
    over = engagement.closing_at or engagement.ends_at
    return parts.facts(
        say("end.heading"),
        (
            Fact(
                name=say("short.reference"),
                value=ended.reference,
                notes=(say("short.verify", address=verify_url()),),
            ),
            Fact(name=say("end.consent"), value=ended.receipt),
            Fact(name=say("short.project"), value=engagement.title),
            Fact(
                name=say("end.people"),
                value=say.joined(ended.people),
                notes=(engagement.practice.legal_name,),
            ),
            parts.account_fact(consent, say),
            Fact(
                name=say("end.period"),
                value=say("end.from_to", begun=say.day(begun), ended=say.day(over)),
            ),
            _how(consent, say),
            Fact(name=say("end.visits"), value=str(ended.end.visits)),
        ),
    )


def _how(consent: Consent, say: Wording) -> Fact:
    """Whoever took the consent back ended it; otherwise the practice did, or it ended on its day."""
    at, who, engagement = consent.withdrawn_at, consent.withdrawn_by, consent.engagement
    value = say("end.by_itself")
    if who is not None:
        value = say("end.by_person", name=who.name)
    elif engagement.closing_at is not None and engagement.closing_at < engagement.ends_at:
        value = say("end.by_practice", practice=engagement.practice.name)
    return Fact(
        name=say("end.how"),
        value=value,
        notes=(say("end.withdrawn", moment=say.moment(at)),) if at else (),
    )


def _proof(end: EndFacts, say: Wording) -> Part:
    moments = (
        ("proof.proved", end.proved_at),
        ("proof.since", end.refused_since),
        ("proof.last", end.last_refused_at),
        ("proof.sessions", end.sessions_over_at),
        ("proof.confirmed", end.confirmed_at),
    )
    told = [parts.moment_fact(say(key), at, say) for key, at in moments if at is not None]
    return parts.facts(
        say("proof.heading"),
        (
            *told,
            Fact(name=say("proof.refusals"), value=str(end.refusals)),
            Fact(name=say("proof.role"), value=end.role_arn, is_code=True),
            Fact(name=say("proof.print"), value=end.evidence_sha256, is_code=True),
        ),
        note=say("proof.note"),
    )


def _seal(seal: AuditCheckpoint | None, say: Wording) -> Part:
    if seal is None:
        return parts.words("", ())
    told = say("seal.words_end", size=seal.size, moment=say.moment(seal.signed_at))
    return parts.code(say("seal.heading"), [told], checkpoints.note_of(seal).strip())
