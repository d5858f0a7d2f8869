"""Engagements are drafted by a consultant and offered to a client."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

from django.db import transaction
from django.db.models import Max

from accounts.models import Client, Membership, User
from engagements.lifecycle import AssignmentRole, EngagementEvent, EngagementStatus
from engagements.models import Assignment, Engagement, Offer
from engagements.profiles import profile_named
from engagements.services.moves import engagement_locked
from portal.kernel import audit, clock, tenancy
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove, NotAllowed, PortalError


class BadDraft(PortalError):
    """Raised for a draft that could never be agreed to, with the field that is wrong."""

    code = "bad-draft"


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
) -> Engagement:
    """Write down what will be asked, with its lead consultant. `account_id` is 12 digits, or empty while unknown.

    Raises BadDraft for an end that has passed and a profile that is not offered.
    """
    now = clock.now()
    if ends_at <= now:
        raise BadDraft("The end of the access must lie in the future.")
    _require_profile(profile)
    engagement = Engagement.objects.create(
        practice_id=client.practice_id,
        client=client,
        title=title,
        purpose=purpose_phrase(purpose),
        profile=profile,
        ends_at=ends_at,
        account_id=account_id,
        account_name=account_name,
        contract_reference=contract_reference,
    )
    _record(EngagementEvent.DRAFTED, engagement, engagement, actor, {"title": title})
    assignment_make_within(engagement=engagement, consultant=lead, role=AssignmentRole.LEAD, actor=actor)
    return engagement


def purpose_phrase(text: str) -> str:
    """“to find out why the bill went up”, however it was typed: it ends sentences on pages and in mails."""
    words = text.strip().rstrip(".").removeprefix("To ").removeprefix("to ")
    return f"to {words}"


@transaction.atomic(durable=True)
def assignment_make(
    *, engagement: Engagement, consultant: User, role: AssignmentRole, actor: Actor
) -> Assignment:
    """Put one more person of the practice on a draft.

    Raises InvalidMove once it was sent, because the client reads and agrees to people by name, and for somebody who
    is on it already; NotAllowed for somebody who is not of the practice.
    """
    current = engagement_locked(engagement.pk)
    if current.status != EngagementStatus.DRAFT:
        raise InvalidMove("It was sent already, and the client agrees to people by name.", title="Too late")
    if not Membership.objects.filter(user=consultant, ended_at=None).exists():
        raise NotAllowed
    if Assignment.objects.filter(engagement=current, consultant=consultant).exists():
        raise InvalidMove(f"{consultant.name} is on it already.", title="Already there")
    return assignment_make_within(engagement=current, consultant=consultant, role=role, actor=actor)


def assignment_make_within(
    *, engagement: Engagement, consultant: User, role: AssignmentRole, actor: Actor
) -> Assignment:
    """Put a consultant on the engagement from now on, in the caller's transaction."""
    made = Assignment.objects.create(
        practice_id=engagement.practice_id,
        client_id=engagement.client_id,
        engagement=engagement,
        consultant=consultant,
        role=role,
        starts_at=clock.now(),
    )
    _record(
        EngagementEvent.ASSIGNED,
        made,
        engagement,
        actor,
        {"consultant": consultant.email, "role": role.value},
    )
    return made


def offer_freeze_within(
    *,
    engagement: Engagement,
    lines: list[dict[str, Any]],  # Any: JSON
    documents: dict[str, Any],
    template: str,
    actor: Actor,
) -> Offer:
    """Freeze what is asked, with the SHA-256 of the template and of the whole, in the caller's transaction."""
    tenancy.require_transaction("an offer")
    template_sha256 = hashlib.sha256(template.encode()).hexdigest()
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
    _record(EngagementEvent.OFFER_FROZEN, offer, engagement, actor, {"sha256": offer.offer_sha256})
    return offer


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
    _record(EngagementEvent.OFFER_PUBLISHED, offer, offer.engagement, actor, {"version": version_id})
    return True


def _require_profile(code: str) -> None:
    try:
        profile_named(code)
    except KeyError:
        raise BadDraft("That kind of access is not offered any more. Choose another.") from None


def _record(
    kind: EngagementEvent,
    subject: Assignment | Engagement | Offer,
    engagement: Engagement,
    actor: Actor,
    details: dict[str, str | int | None],
) -> None:
    audit.record(
        kind,
        subject=subject,
        actor=actor,
        about_id=engagement.pk,
        client_id=engagement.client_id,
        details=details,
    )
