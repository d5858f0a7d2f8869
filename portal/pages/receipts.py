"""The consent as evidence: who, when, from where, to which bytes."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from django.utils.translation import get_language, gettext

from engagements.models import Consent
from engagements.offer_words import titles_of
from portal.kernel import checkpoints
from portal.kernel.languages import spelling
from portal.kernel.models import AuditCheckpoint
from portal.pages import words
from portal.pages.activity import reference_of
from portal.pages.frames import Desk, human
from portal.pages.pagemodels import Fact, Receipt


def receipt_of(desk: Desk, consent: Consent, checkpoint: AuditCheckpoint | None) -> Receipt:
    """Every fact that was kept, in words; the bytes themselves are shown beside it."""
    evidence: dict[str, str] = consent.evidence
    zone = desk.zone
    signer = consent.contact
    displayed = dt.datetime.fromisoformat(evidence["displayed_at"])
    rows = (
        Fact(
            title=gettext("Shown to them at"),
            text=spelling.long_moment(displayed, zone),
            exact=_utc(displayed),
        ),
        _sign_in(evidence.get("sign_in", ""), zone),
        *_choice(consent),
        Fact(title=gettext("Internet address"), text=evidence.get("ip") or gettext("not recorded")),
        Fact(title=gettext("Browser"), text=evidence.get("user_agent") or gettext("not recorded")),
        *_confirmed(evidence, zone),
    )
    return Receipt(
        reference=reference_of(desk.engagement, consent),
        signer=human(signer.user, title=signer.title),
        given_local=spelling.long_moment(consent.given_at, zone),
        given_zone=spelling.zone_words(zone, consent.given_at),
        given_utc=_utc(consent.given_at),
        account_number=words.account_number(consent.account_id),
        rows=rows,
        shown_sha256=consent.shown_sha256,
        offer_sha256=consent.offer_sha256,
        agreed_sha256=consent.agreed_sha256,
        withdrawn=spelling.long_moment(consent.withdrawn_at, zone) if consent.withdrawn_at else "",
        withdrawn_utc=_utc(consent.withdrawn_at) if consent.withdrawn_at else "",
        seal=bytes(checkpoint.hash).hex() if checkpoint else "",
        seal_words=_seal_words(checkpoint, zone) if checkpoint else "",
        seal_utc=_utc(checkpoint.signed_at) if checkpoint else "",
        seal_note=checkpoints.note_of(checkpoint) if checkpoint else "",
    )


def _choice(consent: Consent) -> tuple[Fact, ...]:
    """What was added of the optional lines; nothing to tell where there were none."""
    if not consent.offer.documents.get("optional"):
        return ()
    titles = titles_of(consent.offer, consent.choice, get_language() or "")
    return (Fact(title=gettext("You also allowed"), text=spelling.joined(titles) or gettext("nothing more")),)


def _confirmed(evidence: dict[str, str], zone: ZoneInfo) -> tuple[Fact, ...]:
    """What was ticked, and the code that was retyped where one was asked for."""
    found = []
    if said := evidence.get("authority"):
        found.append(Fact(title=gettext("They confirmed"), text=said))
    if typed := evidence.get("code_typed_at"):
        moment = dt.datetime.fromisoformat(typed)
        found.append(
            Fact(
                title=gettext("Typed the code we emailed"),
                text=spelling.long_moment(moment, zone),
                exact=_utc(moment),
            )
        )
    return tuple(found)


def _seal_words(checkpoint: AuditCheckpoint, zone: ZoneInfo) -> str:
    told = {
        "size": checkpoint.size,
        "moment": spelling.long_moment(checkpoint.signed_at, zone),
        "key": checkpoint.key_id,
    }
    return gettext("The record up to event %(size)s, signed %(moment)s with key %(key)s.") % told


def _sign_in(told: str, zone: ZoneInfo) -> Fact:
    """How they proved who they are, from the words that `circumstances.sign_in_of` keeps."""
    title = gettext("Signed in by")
    by, _, at = told.partition(" at ")
    words_for = {"invitation": gettext("The link in the invitation"), "code": gettext("A code sent by email")}
    if by not in words_for:
        return Fact(title=title, text=told or gettext("not recorded"))
    if not at:
        return Fact(title=title, text=words_for[by])
    moment = dt.datetime.fromisoformat(at)
    return Fact(
        title=title, text=f"{words_for[by]}, {spelling.long_moment(moment, zone)}", exact=_utc(moment)
    )


def _utc(moment: dt.datetime) -> str:
    """To the second, as machines and lawyers write it."""
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds")
