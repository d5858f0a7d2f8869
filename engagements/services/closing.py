"""How an engagement ends: by the client, by the consultant, or at the end of its window."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from engagements.lifecycle import CLOSED_BY_ITSELF, WAITING_FOR_AN_ANSWER, EngagementEvent, EngagementStatus
from engagements.models import Engagement
from engagements.services.changes import change_drop_within
from engagements.services.consents import consent_withdraw_within
from engagements.services.moves import WINDOW, engagement_locked, engagement_move_within
from engagements.services.wishes import wish_drop_within
from portal.kernel import clock, due, outbox, refusals, tenancy
from portal.kernel.actor import Actor, machine


@refusals.told(EngagementEvent.MOVE_REFUSED, about="engagement")
@transaction.atomic(durable=True)
def engagement_end(*, engagement: Engagement, actor: Actor, reason: str = "") -> None:
    """agreed|active|paused -> closing. When the client ends it, the consent is withdrawn too."""
    current = engagement_locked(engagement.pk)
    if tenancy.current().side is tenancy.Side.CLIENT:
        consent_withdraw_within(engagement=current, actor=actor)
    _begin_closing(current, actor, reason)


@transaction.atomic(durable=True)
def engagement_expire(*, engagement_id: UUID) -> None:
    """The window is over: what runs is closed, what nobody answered is cancelled. Nothing to do otherwise."""
    current = engagement_locked(engagement_id)
    status = EngagementStatus(current.status)
    if current.ends_at > clock.now():
        due.schedule(WINDOW, current.pk, at=current.ends_at, client_id=current.client_id)
    elif status in CLOSED_BY_ITSELF:
        _begin_closing(current, machine("window"), "the agreed end has come")
    elif status in WAITING_FOR_AN_ANSWER:
        engagement_move_within(engagement=current, to=EngagementStatus.CANCELLED, actor=machine("window"))


def engagement_activate_within(*, engagement: Engagement, actor: Actor) -> None:
    """agreed -> active, in the transaction that writes the proof of access. Told once.

    Another account that was asked for meanwhile is out of the question: what was agreed is on.
    """
    engagement_move_within(engagement=engagement, to=EngagementStatus.ACTIVE, actor=actor)
    wish_drop_within(engagement=engagement, actor=actor)
    change_drop_within(engagement=engagement, actor=actor)
    outbox.put(
        "engagements.access_on",
        engagement.pk,
        dedupe_key=f"on:{engagement.pk}",
        client_id=engagement.client_id,
    )


def engagement_close_within(*, engagement: Engagement, actor: Actor) -> None:
    """closing -> closed, in the transaction that writes the exit proof. Told once."""
    engagement_move_within(engagement=engagement, to=EngagementStatus.CLOSED, actor=actor)
    outbox.put(
        "engagements.closed",
        engagement.pk,
        dedupe_key=f"closed:{engagement.pk}",
        client_id=engagement.client_id,
    )


def certificate_key(engagement_id: UUID) -> str:
    """Under which key the promise of a certificate stands in the outbox."""
    return f"certificate:{engagement_id}"


def _begin_closing(engagement: Engagement, actor: Actor, reason: str) -> None:
    engagement_move_within(engagement=engagement, to=EngagementStatus.CLOSING, actor=actor, note=reason)
    wish_drop_within(engagement=engagement, actor=actor)
    change_drop_within(engagement=engagement, actor=actor)
    due.drop(WINDOW, engagement.pk)
    client = engagement.client_id
    outbox.put("engagement.closing", engagement.pk, dedupe_key=f"closing:{engagement.pk}", client_id=client)
    outbox.put("engagements.ended", engagement.pk, dedupe_key=f"ended:{engagement.pk}", client_id=client)
