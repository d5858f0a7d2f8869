"""Engagement templates: what a gig that is sold again and again asks for."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from django.db import transaction

from accounts.models import Practice
from engagements.lifecycle import EngagementEvent
from engagements.models import EngagementTemplate, IntakePage, Shop
from engagements.services.drafts import purpose_phrase
from portal.kernel import audit, clock
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove, Stale


@dataclass(frozen=True, slots=True, kw_only=True)
class Gig:
    """What a template says. `profile` is the code of an access profile, `days` how long the access lasts."""

    name: str
    title: str
    purpose: str
    profile: str
    days: int
    account_name: str = ""


@transaction.atomic(durable=True)
def template_add(*, practice: Practice, gig: Gig, actor: Actor) -> EngagementTemplate:
    """Keep a new one."""
    row = EngagementTemplate.objects.create(practice=practice, **_fields(gig))
    _record(EngagementEvent.TEMPLATE_SAVED, row, actor)
    return row


@transaction.atomic(durable=True)
def template_change(*, template: EngagementTemplate, gig: Gig, actor: Actor) -> EngagementTemplate:
    """Save over what was read as `template`. Drafts that were made of it stay as they are. Raises Stale."""
    rows = EngagementTemplate.objects.filter(pk=template.pk, number=template.number, retired_at=None)
    if rows.update(number=template.number + 1, **_fields(gig)) != 1:
        raise Stale
    template.refresh_from_db()
    _record(EngagementEvent.TEMPLATE_SAVED, template, actor)
    return template


@transaction.atomic(durable=True)
def template_retire(*, template: EngagementTemplate, actor: Actor) -> None:
    """Offer it no more. Raises InvalidMove while the intake page or a shop makes drafts of it, Stale if it changed."""
    rows = EngagementTemplate.objects.filter(pk=template.pk, number=template.number, retired_at=None)
    if rows.update(retired_at=clock.now()) != 1:
        raise Stale
    pages = IntakePage.objects.filter(template=template, is_open=True)
    if pages.exists() or Shop.objects.filter(template=template, closed_at=None).exists():
        raise InvalidMove(
            "The intake page or a shop makes drafts of it. Choose another template there first.",
            title="It is still needed",
        )
    _record(EngagementEvent.TEMPLATE_RETIRED, template, actor)


def _fields(gig: Gig) -> dict[str, str | int]:
    return {**asdict(gig), "purpose": purpose_phrase(gig.purpose)}


def _record(kind: EngagementEvent, row: EngagementTemplate, actor: Actor) -> None:
    details: dict[str, str | int | None] = {
        "title": row.name,
        "profile": row.profile,
        "days": row.days,
        "number": row.number,
    }
    audit.record(kind, subject=row, actor=actor, details=details)
