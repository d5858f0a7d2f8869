"""Engagements are drafted by a consultant and offered to a client."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from accounts.lifecycle import WORKERS, ContactRole
from accounts.models import Client, Contact, User
from accounts.services.people import memberships_locked
from engagements.lifecycle import AssignmentRole, EngagementEvent, EngagementStatus
from engagements.models import MOST_APPROVALS, Assignment, Engagement, Offer, Variant
from engagements.profiles import Kind
from engagements.selectors import profile_for
from engagements.services.moves import engagement_locked
from engagements.services.records import engagement_record_within
from portal.kernel import audit, clock, due, tenancy
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove, NotAllowed, PortalError, Stale


class BadDraft(PortalError):
    """Raised for a draft that could never be agreed to, with the field that is wrong."""

    code = "bad-draft"


# Each optional line doubles the number of templates that are frozen.
MOST_OPTIONAL: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a draft says. `account_id` is 12 digits, or empty while unknown.

    `optional`: keys of the profile's optional lines that the client may tick; the others are not offered at all.
    `approvals_needed` people of the client have to agree, 1 to 3; None: as many as the risk asks for (`approvals_by_risk`).
    `code_at_agreement` asks each for a mailed code.
    `doorbell`: the client lets each visit in; `break_glass`: except in an emergency, of which it is told at once.
    """

    title: str
    purpose: str
    profile: str
    ends_at: dt.datetime
    account_id: str = ""
    account_name: str = ""
    contract_reference: str = ""
    optional: tuple[str, ...] = ()
    approvals_needed: int | None = None
    code_at_agreement: bool = False
    doorbell: bool = False
    break_glass: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From when and until when somebody works on it; None: from now on, and to the end of the engagement."""

    starts_at: dt.datetime | None = None
    ends_at: dt.datetime | None = None


ALWAYS: Final = Span()
TWO_PEOPLE: Final = 2
PART_OVER: Final = "assignment.over"  # the due row of a planned end


@transaction.atomic(durable=True)
def engagement_draft(
    *,
    client: Client,
    lead: User,
    title: str,
    purpose: str,
    profile: str,
    ends_at: dt.datetime,
    actor: Actor,
    account_id: str = "",
    account_name: str = "",
    contract_reference: str = "",
    optional: Sequence[str] = (),
    approvals_needed: int | None = None,
    code_at_agreement: bool = False,
    doorbell: bool = False,
    break_glass: bool = False,
) -> Engagement:
    """Write down what will be asked, with its lead consultant. `account_id` is 12 digits, or empty while unknown.

    Raises BadDraft for an end that has passed and a profile or line that is not offered, NotAllowed for a lead who is not of
    the practice (any more) or only audits.
    """
    terms = Terms(
        title=title,
        purpose=purpose_phrase(purpose),
        profile=profile,
        ends_at=ends_at,
        account_id=account_id,
        account_name=account_name,
        contract_reference=contract_reference,
        optional=tuple(optional),
        approvals_needed=approvals_needed,
        code_at_agreement=code_at_agreement,
        doorbell=doorbell,
        break_glass=break_glass,
    )
    return engagement_draft_within(client=client, lead=lead, terms=terms, actor=actor)


def engagement_draft_within(*, client: Client, lead: User, terms: Terms, actor: Actor) -> Engagement:
    """As above, in the caller's transaction; `terms.purpose` is a `purpose_phrase`. BadDraft comes before any write."""
    tenancy.require_transaction("a draft")
    require_possible(terms)
    terms = _settled(terms, client.pk)
    engagement = Engagement.objects.create(practice_id=client.practice_id, client=client, **asdict(terms))
    # Held before the record's head, and by whoever leaves: nobody leads who is gone.
    place = memberships_locked(lead.pk).get(lead.pk)
    if place is None or place.role not in WORKERS:
        raise NotAllowed(f"{lead.name} can’t lead it: they don’t work here. Nothing was changed.")
    engagement_record_within(EngagementEvent.DRAFTED, engagement, engagement, actor, {"title": terms.title})
    assignment_make_within(engagement=engagement, consultant=lead, role=AssignmentRole.LEAD, actor=actor)
    return engagement


def purpose_phrase(text: str) -> str:
    """“to find out why the bill went up”, however it was typed: it ends sentences on pages and in mails."""
    words = text.strip().rstrip(".").removeprefix("To ").removeprefix("to ")
    return f"to {words}"


@transaction.atomic(durable=True)
def engagement_edit(*, engagement: Engagement, terms: Terms, seen: str, actor: Actor) -> Engagement:
    """Write a draft anew. `seen` is the `draft_mark` of what the person began from.

    Raises Stale if somebody edited it meanwhile, InvalidMove once it was sent, BadDraft as `engagement_draft` does.
    """
    current = engagement_locked(engagement.pk)
    if current.status != EngagementStatus.DRAFT:
        raise InvalidMove("It was sent already, and what the client reads stays as it is.", title="Too late")
    if draft_mark(current) != seen:
        raise Stale("Somebody else changed this draft meanwhile. Look at it again before you save yours.")
    require_possible(terms)
    terms = _settled(terms, current.client_id)
    before = asdict(_terms_of(current))
    after = {**asdict(terms), "purpose": purpose_phrase(terms.purpose)}
    changed = {name: value for name, value in after.items() if value != before[name]}
    if not changed:
        return current
    Engagement.objects.filter(pk=current.pk).update(
        **changed
    )  # still a draft: its row is locked since the look
    for name, value in changed.items():
        setattr(current, name, value)
    engagement_record_within(
        EngagementEvent.EDITED,
        current,
        current,
        actor,
        {
            f"new_{name}": value.isoformat() if isinstance(value, dt.datetime) else _listed(value)
            for name, value in changed.items()
        },
    )
    return current


def _listed(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def draft_mark(engagement: Engagement) -> str:
    """A digest of everything that can be edited: it differs as soon as somebody has saved something else."""
    terms = asdict(_terms_of(engagement))
    terms["ends_at"] = engagement.ends_at.astimezone(dt.UTC).isoformat()
    return hashlib.sha256(audit.canonical(terms)).hexdigest()


def assignment_make_within(
    *,
    engagement: Engagement,
    consultant: User,
    role: AssignmentRole,
    actor: Actor,
    span: Span = ALWAYS,
) -> Assignment:
    """Put a consultant on the engagement, in the caller's transaction. Tells nobody: see `people.assignment_make`."""
    made = Assignment.objects.create(
        practice_id=engagement.practice_id,
        client_id=engagement.client_id,
        engagement=engagement,
        consultant=consultant,
        role=role,
        starts_at=span.starts_at or clock.now(),
        ends_at=span.ends_at,
    )
    if made.ends_at is not None:
        due.schedule(PART_OVER, made.pk, at=made.ends_at, client_id=made.client_id)
    engagement_record_within(
        EngagementEvent.ASSIGNED,
        made,
        engagement,
        actor,
        {"consultant": consultant.email, "role": role.value, **_until(span)},
    )
    return made


def _until(span: Span) -> dict[str, str]:
    return {"until": span.ends_at.isoformat()} if span.ends_at else {}


def offer_freeze_within(
    *,
    engagement: Engagement,
    lines: list[dict[str, Any]],  # Any: JSON
    documents: dict[str, Any],
    template: str,
    actor: Actor,
    variants: Mapping[tuple[str, ...], str] | None = None,
) -> Offer:
    """Freeze what is asked, with the SHA-256 of the template and of the whole, in the caller's transaction.

    `variants`: the template for each choice of optional lines; their SHA-256 are part of what the offer's own covers.
    """
    tenancy.require_transaction("an offer")
    template_sha256 = _sha256(template)
    if variants:
        sealed = [
            {"keys": list(choice), "template_sha256": _sha256(text)} for choice, text in variants.items()
        ]
        documents = {**documents, "choices": sealed}
    number = (engagement.offers.aggregate(newest=Max("number"))["newest"] or 0) + 1
    offer = Offer.objects.create(
        practice_id=engagement.practice_id,
        client_id=engagement.client_id,
        engagement=engagement,
        number=number,
        lines=lines,
        documents=documents,
        template=template,
        template_sha256=template_sha256,
        offer_sha256=offer_hash(lines, documents, template_sha256),
        frozen_at=clock.now(),
    )
    Variant.objects.bulk_create(_variant(offer, choice, text) for choice, text in (variants or {}).items())
    engagement_record_within(
        EngagementEvent.OFFER_FROZEN, offer, engagement, actor, {"sha256": offer.offer_sha256}
    )
    return offer


def _variant(offer: Offer, choice: tuple[str, ...], template: str) -> Variant:
    return Variant(
        practice_id=offer.practice_id,
        client_id=offer.client_id,
        engagement_id=offer.engagement_id,
        offer=offer,
        choice=list(choice),
        template=template,
        template_sha256=_sha256(template),
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def offer_hash(lines: list[dict[str, Any]], documents: dict[str, Any], template_sha256: str) -> str:
    """SHA-256 over the canonical JSON of everything that is asked; the template enters by its own hash."""
    whole = {"v": 1, "lines": lines, "documents": documents, "template_sha256": template_sha256}
    return hashlib.sha256(audit.canonical(whole)).hexdigest()


@transaction.atomic(durable=True)
def offer_published(*, offer: Offer, version_id: str, actor: Actor) -> bool:
    """Write down which version in the bucket holds the template. False if that is known already."""
    rows = Offer.objects.filter(pk=offer.pk, template_version_id="")
    if rows.update(template_version_id=version_id) != 1:
        return False
    engagement_record_within(
        EngagementEvent.OFFER_PUBLISHED, offer, offer.engagement, actor, {"version": version_id}
    )
    return True


@transaction.atomic(durable=True)
def variant_published(*, variant: Variant, version_id: str, actor: Actor) -> bool:
    """The same for the template of one choice."""
    rows = Variant.objects.filter(pk=variant.pk, template_version_id="")
    if rows.update(template_version_id=version_id) != 1:
        return False
    details: dict[str, str | int | None] = {"version": version_id, "choice": ", ".join(variant.choice)}
    engagement_record_within(
        EngagementEvent.OFFER_PUBLISHED, variant.offer, variant.engagement, actor, details
    )
    return True


def require_possible(terms: Terms) -> None:
    """Raises BadDraft for what could never be agreed to. Reads only, the practice's own profiles too."""
    if terms.ends_at <= clock.now():
        raise BadDraft("The end of the access must lie in the future.")
    if terms.approvals_needed is not None and not 1 <= terms.approvals_needed <= MOST_APPROVALS:
        raise BadDraft(f"One to {MOST_APPROVALS} people can be asked to agree.")
    if terms.break_glass and not terms.doorbell:
        raise BadDraft("Without a doorbell nobody waits, so there is nothing to leave out in an emergency.")
    try:
        profile = profile_for(terms.profile)
    except KeyError:
        raise BadDraft("That kind of access is not offered any more. Choose another.") from None
    if len(terms.optional) > MOST_OPTIONAL:
        raise BadDraft(f"Offer at most {MOST_OPTIONAL} lines to choose from.")
    try:
        profile.offering(terms.optional)
    except KeyError:
        raise BadDraft("This kind of access has no such line any more. Choose the lines again.") from None


def approvals_by_risk(kind: Kind, *, approvers: int) -> int:
    """How many people should agree where nobody said: one to a look, two to what changes things, if so many may."""
    return 1 if kind is Kind.LOOK else max(1, min(TWO_PEOPLE, approvers))


def _settled(terms: Terms, client_id: UUID) -> Terms:
    """With a number of people in any case."""
    if terms.approvals_needed is not None:
        return terms
    rows = Contact.objects.filter(client_id=client_id, role=ContactRole.APPROVER, ended_at=None)
    found = approvals_by_risk(profile_for(terms.profile).kind, approvers=rows.count())
    return replace(terms, approvals_needed=found)


def _terms_of(engagement: Engagement) -> Terms:
    read = {field.name: getattr(engagement, field.name) for field in fields(Terms)}
    return Terms(**{**read, "optional": tuple(engagement.optional)})
