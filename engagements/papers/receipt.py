"""The receipt of a consent: what was agreed, by whom and how, and how to take it back. Reads rows, writes none."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse

from engagements.models import Consent
from engagements.offer_words import OfferWords, words_of
from engagements.papers import parts
from engagements.papers.parts import Fact, Head, Paper, Part
from engagements.papers.wording import Wording
from engagements.selectors import lines_agreed, role_in, template_with, with_choice
from portal.kernel import audit, checkpoints
from portal.kernel.models import AuditCheckpoint

LOOK: Final = "look"
SIGN_INS: Final = ("invitation", "code", "passkey")
Json = dict[str, Any]  # Any: JSON as the offer froze it


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What a receipt is made of. `consent` comes with its offer, contact, person, engagement, practice and client.

    `people` could go in when it was given; `reference` is in groups of five; `seal` vouches for the consent.
    """

    consent: Consent
    people: tuple[str, ...]
    reference: str
    seal: AuditCheckpoint | None


def receipt_paper(agreed: Agreed, say: Wording) -> Paper:
    """The same rows give the same paper, whenever it is made."""
    consent = agreed.consent
    documents: Json = consent.offer.documents
    engagement = consent.engagement
    names = {
        "signer": consent.contact.user.name,
        "people": say.joined(agreed.people) or engagement.practice.name,
        "client": engagement.client.name,
        "day": say.day(consent.given_at),
    }
    head = Head(
        title=say("receipt.title"),
        kind=say("receipt.kind", client=engagement.client.name),
        tag=say("receipt.tag"),
        lead=say("receipt.lead_look" if documents.get("kind") == LOOK else "receipt.lead_change", **names),
        signed=say("receipt.signed"),
        reference=agreed.reference,
    )
    told = words_of(consent.offer, say.language)
    rows = (
        _short(agreed, say),
        parts.able(say("lines.heading"), _lines(consent, told)),
        parts.unable(
            say("lines.cannot"),
            list(told.limits),
            note=say("lines.cannot_note", practice=engagement.practice.name),
        ),
        _signer(consent, say),
        _way_back(consent, say),
        _fingerprints(consent, say),
        _seal(agreed.seal, say),
        parts.code(
            say("annex.heading"),
            [say("annex.words")],
            parts.laid_out(policy_of(consent)),
            new_page=True,
        ),
    )
    return parts.paper(engagement, say, head, rows)


def policy_of(consent: Consent) -> Json:
    """What the role may do, as the template says it; as the offer froze it where the template cannot be read."""
    role = role_in(template_with(consent.offer, consent.choice).text)
    if role is not None:
        inline = [policy["PolicyDocument"] for policy in role.get("Policies", ())]
        return {"managed_policies": role.get("ManagedPolicyArns", []), "policies": inline}
    documents: Json = with_choice(consent.offer.documents, consent.choice)
    names = ("managed_policy_arns", "statements")
    return {name: documents.get(name, []) for name in names}


def policy_sha256(consent: Consent) -> str:
    """SHA-256 of the permissions as canonical JSON."""
    return hashlib.sha256(audit.canonical(policy_of(consent))).hexdigest()


def verify_url() -> str:
    """Where anybody may check a paper."""
    return str(settings.SITE_URL) + reverse("verify")


def _short(agreed: Agreed, say: Wording) -> Part:
    consent = agreed.consent
    engagement, documents = consent.engagement, consent.offer.documents
    contract = documents.get("contract_reference", engagement.contract_reference)
    is_look = documents.get("kind") == LOOK
    return parts.facts(
        say("short.heading"),
        (
            Fact(
                name=say("short.reference"),
                value=agreed.reference,
                notes=(say("short.verify", address=verify_url()),),
            ),
            Fact(
                name=say("short.project"),
                value=documents.get("title", engagement.title),
                notes=(say("short.contract", contract=contract),) if contract else (),
            ),
            Fact(name=say("short.why"), value=documents.get("purpose", engagement.purpose)),
            Fact(
                name=say("short.people"),
                value=say.joined(agreed.people),
                notes=(engagement.practice.legal_name,),
            ),
            parts.account_fact(consent, say),
            Fact(
                name=say("short.kind"),
                value=say("short.look" if is_look else "short.change"),
                notes=tuple(filter(None, (words_of(consent.offer, say.language).summary,))),
            ),
            _until(consent, say),
        ),
    )


def _until(consent: Consent, say: Wording) -> Fact:
    frozen = consent.offer.documents.get("expires_at")
    until = dt.datetime.fromisoformat(frozen) if frozen else consent.engagement.ends_at
    days = max(0, (until.astimezone(say.zone).date() - consent.given_at.astimezone(say.zone).date()).days)
    return Fact(
        name=say("short.until"),
        value=say.moment(until),
        notes=(
            parts.zone_note(until, say),
            say("short.days_one" if days == 1 else "short.days_many", days=days),
            say("short.by_itself"),
        ),
    )


def _lines(consent: Consent, told: OfferWords) -> list[dict[str, str]]:
    """What was agreed to, and nothing of what was offered and left out."""
    offer = consent.offer
    offered = [*offer.lines, *offer.documents.get("optional", ())]
    agreed = {line["key"] for line in lines_agreed(offer, consent.choice)}
    return [
        {"icon": line.get("icon", ""), "title": said["title"], "text": said.get("why", "")}
        for line, said in zip(offered, [*told.lines, *told.optional], strict=True)
        if line["key"] in agreed
    ]


def _signer(consent: Consent, say: Wording) -> Part:
    evidence: Mapping[str, str] = consent.evidence
    contact = consent.contact
    shown = dt.datetime.fromisoformat(evidence["displayed_at"])
    who = ", ".join(filter(None, (contact.user.name, contact.title)))
    return parts.facts(
        say("signer.heading"),
        (
            Fact(
                name=say("signer.who"),
                value=who,
                notes=(f"{consent.engagement.client.name} · {contact.user.email}",),
            ),
            parts.moment_fact(say("signer.shown"), shown, say),
            parts.moment_fact(say("signer.when"), consent.given_at, say),
            _sign_in(evidence.get("sign_in", ""), say),
            Fact(name=say("signer.address"), value=evidence.get("ip") or say("signer.no_record")),
            Fact(name=say("signer.browser"), value=evidence.get("user_agent") or say("signer.no_record")),
        ),
        note=say("signer.note", host=urlsplit(settings.SITE_URL).netloc),
    )


def _sign_in(told: str, say: Wording) -> Fact:
    """From the words that the page keeps, such as "code at 2026-11-19T14:20:00+00:00"; others stand as they are."""
    name = say("signer.sign_in")
    by, _, at = told.partition(" at ")
    if by not in SIGN_INS:
        return Fact(name=name, value=told or say("signer.no_record"))
    notes = (say.exact(dt.datetime.fromisoformat(at)),) if at else ()
    return Fact(name=name, value=say(f"signer.sign_in_{by}"), notes=notes)


def _way_back(consent: Consent, say: Wording) -> Part:
    engagement = consent.engagement
    address = str(settings.SITE_URL) + reverse("client:end", args=[engagement.code])
    rows: Sequence[str] = (
        say("back.page", address=address),
        say("back.stack", stack=f"latchkey-{engagement.code}"),
        say("back.mail", email=engagement.practice.support_email),
    )
    return parts.words(say("back.heading"), rows)


def _fingerprints(consent: Consent, say: Wording) -> Part:
    template = template_with(consent.offer, consent.choice)
    version = (
        (say("prints.version", version=template.version_id, practice=consent.engagement.practice.name),)
        if template.version_id
        else ()
    )
    # Consents from before there was a choice have no seal of their own.
    agreed = (
        (Fact(name=say("prints.agreed"), value=consent.agreed_sha256, is_code=True),)
        if consent.agreed_sha256
        else ()
    )
    return parts.facts(
        say("prints.heading"),
        (
            Fact(name=say("prints.shown"), value=consent.shown_sha256, is_code=True),
            Fact(name=say("prints.offer"), value=consent.offer_sha256, is_code=True),
            *agreed,
            Fact(name=say("prints.policy"), value=policy_sha256(consent), is_code=True),
            Fact(name=say("prints.template"), value=template.sha256, notes=version, is_code=True),
            Fact(name=say("prints.consent"), value=str(consent.pk), is_code=True),
        ),
        note=say("prints.note"),
    )


def _seal(seal: AuditCheckpoint | None, say: Wording) -> Part:
    """Left out before the first checkpoint."""
    if seal is None:
        return parts.words("", ())
    told = say("seal.words", size=seal.size, moment=say.moment(seal.signed_at))
    return parts.code(say("seal.heading"), [told], checkpoints.note_of(seal).strip())
