"""The client keeps things as they are: the old access goes on, and nothing in AWS is touched."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Contact
from engagements.lifecycle import ChangeStatus, EngagementEvent
from engagements.models import Engagement, ScopeChange
from engagements.services.changes import change_move_within
from engagements.services.consents import require_approver
from engagements.services.moves import engagement_locked
from portal.kernel import outbox, refusals
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove


@refusals.told(EngagementEvent.MOVE_REFUSED, about="engagement")
@transaction.atomic(durable=True)
def change_decline(*, engagement: Engagement, contact: Contact, reason: str, actor: Actor) -> None:
    """asked -> declined. The reason is optional; the consultants hear of it.

    Raises NotAllowed for anyone but an approver, InvalidMove if nothing is asked (any more).
    """
    current = engagement_locked(engagement.pk)
    require_approver(contact, current)
    change = ScopeChange.objects.filter(engagement=current, status=ChangeStatus.ASKED).first()
    if change is None:
        raise InvalidMove
    change_move_within(change=change, to=ChangeStatus.DECLINED, actor=actor, note=reason)
    outbox.put(
        "engagements.change_declined",
        change.pk,
        dedupe_key=f"change-declined:{change.pk}",
        client_id=change.client_id,
    )
