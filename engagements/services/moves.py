"""The only place that writes `Engagement.status`."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from engagements.lifecycle import MOVES, EngagementEvent, EngagementStatus
from engagements.models import Engagement
from portal.kernel import audit, tenancy
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove


def engagement_move_within(
    *, engagement: Engagement, to: EngagementStatus, actor: Actor, **stamps: dt.datetime
) -> None:
    """Swap the status that was read for `to`, in the caller's transaction, and record it.

    Raises InvalidMove if the lifecycle does not allow it or somebody was faster.
    """
    tenancy.require_transaction("a move of an engagement")
    seen = EngagementStatus(engagement.status)
    rows = Engagement.objects.filter(pk=engagement.pk, status=seen)
    if to not in MOVES[seen] or rows.update(status=to, **stamps) != 1:
        raise InvalidMove
    engagement.status = to
    audit.record(
        EngagementEvent.MOVED,
        subject=engagement,
        actor=actor,
        about_id=engagement.pk,
        client_id=engagement.client_id,
        details={"from": seen.value, "to": to.value},
    )


@transaction.atomic(durable=True)
def engagement_cancel(*, engagement: Engagement, actor: Actor) -> None:
    """Take back a draft or an unanswered invitation: draft|invited -> cancelled."""
    engagement_move_within(engagement=engagement, to=EngagementStatus.CANCELLED, actor=actor)
