"""The only place that writes `Engagement.status`."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import transaction

from engagements.lifecycle import MOVES, EngagementEvent, EngagementStatus
from engagements.models import Engagement
from engagements.services.reminders import reminders_plan_within
from portal.kernel import audit, clock, due, tenancy
from portal.kernel.actor import Actor
from portal.kernel.database.repeated import Repeated, any_id
from portal.kernel.errors import InvalidMove, NotVisible

WINDOW = "engagement.window"  # the due row that ends an engagement at the end of its window
# Which moment a move writes down.
STAMPS = {
    EngagementStatus.INVITED: "invited_at",
    EngagementStatus.AGREED: "agreed_at",
    EngagementStatus.PAUSED: "paused_at",
    EngagementStatus.CLOSING: "closing_at",
    EngagementStatus.CLOSED: "closed_at",
}


def engagement_locked(engagement_id: UUID) -> Engagement:
    """The row as it is now, held until the caller's transaction ends, so that its facts and its move agree.

    Raises NotVisible, also for a consultant who was taken off it a moment ago.
    """
    tenancy.require_transaction("a lock of an engagement")
    if (found := _LOCKED.first(engagement_id)) is None:
        raise NotVisible
    return found


# Nearly every service begins with it.
_LOCKED: Final = Repeated(
    lambda key: Engagement.objects.select_for_update(of=("self",)).filter(pk=key), mark=any_id()
)


def engagement_move_within(
    *, engagement: Engagement, to: EngagementStatus, actor: Actor, note: str = ""
) -> None:
    """Swap the status that was read for `to`, in the caller's transaction, and record it with its moment.

    Raises InvalidMove if the lifecycle does not allow it or somebody was faster.
    """
    tenancy.require_transaction("a move of an engagement")
    seen = EngagementStatus(engagement.status)
    changes: dict[str, object] = {"status": to, "moved_by_id": actor.user_id, "moved_note": note[:300]}
    if name := _stamp(engagement, to):
        changes[name] = clock.now()
    if to not in MOVES[seen] or _swapped(engagement, seen, changes) != 1:
        raise InvalidMove
    for name, value in changes.items():
        setattr(engagement, name, value)
    audit.record(
        EngagementEvent.MOVED,
        subject=engagement,
        actor=actor,
        about_id=engagement.pk,
        client_id=engagement.client_id,
        details={"from": seen.value, "to": to.value, "note": note[:300]},
    )
    reminders_plan_within(engagement)


def engagement_invite_within(*, engagement: Engagement, actor: Actor) -> None:
    """draft -> invited, and from then on the end of the window is watched, answered or not."""
    engagement_move_within(engagement=engagement, to=EngagementStatus.INVITED, actor=actor)
    due.schedule(WINDOW, engagement.pk, at=engagement.ends_at, client_id=engagement.client_id)


@transaction.atomic(durable=True)
def engagement_cancel(*, engagement: Engagement, actor: Actor) -> None:
    """Take back a draft or an unanswered invitation: draft|invited -> cancelled."""
    engagement_move_within(engagement=engagement, to=EngagementStatus.CANCELLED, actor=actor)


def _swapped(engagement: Engagement, seen: EngagementStatus, changes: dict[str, object]) -> int:
    return Engagement.objects.filter(pk=engagement.pk, status=seen).update(**changes)


def _stamp(engagement: Engagement, to: EngagementStatus) -> str:
    """The first activation counts; a pause that ends is no new beginning."""
    if to is EngagementStatus.ACTIVE:
        return "" if engagement.activated_at else "activated_at"
    return STAMPS.get(to, "")
