"""A change that does not come: the client keeps things as they are, or somebody takes it back. Nothing in AWS is touched."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Contact
from engagements.lifecycle import OPEN_CHANGES, ChangeStatus, EngagementEvent
from engagements.models import Engagement, ScopeChange
from engagements.services.changes import change_move_within
from engagements.services.consents import consent_withdraw_within, require_approver
from engagements.services.moves import engagement_locked
from portal.kernel import outbox, refusals
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove


@refusals.told(EngagementEvent.MOVE_REFUSED, about="engagement")
@transaction.atomic(durable=True)
def change_decline(*, engagement: Engagement, contact: Contact, reason: str, actor: Actor) -> None:
    """asked -> declined. The reason is optional; the consultants hear of it.

    One no is everybody's: what colleagues agreed to of it before is taken back with it.

    Raises NotAllowed for anyone but an approver, InvalidMove if nothing is asked (any more).
    """
    current = engagement_locked(engagement.pk)
    require_approver(contact, current)
    change = ScopeChange.objects.filter(engagement=current, status=ChangeStatus.ASKED).first()
    if change is None:
        raise InvalidMove
    consent_withdraw_within(engagement=current, offer=change.offer, actor=actor)
    change_move_within(change=change, to=ChangeStatus.DECLINED, actor=actor, note=reason)
    outbox.put(
        "engagements.change_declined",
        change.pk,
        dedupe_key=f"change-declined:{change.pk}",
        client_id=change.client_id,
    )


@refusals.told(EngagementEvent.MOVE_REFUSED, about="engagement")
@transaction.atomic(durable=True)
def change_take_back(*, engagement: Engagement, actor: Actor) -> None:
    """The consultant asks for it no more; an agreed one that AWS does not have yet is let go. Raises InvalidMove."""
    change_move_within(
        change=_waiting(engagement_locked(engagement.pk)), to=ChangeStatus.TAKEN_BACK, actor=actor
    )


@refusals.told(EngagementEvent.MOVE_REFUSED, about="engagement")
@transaction.atomic(durable=True)
def change_undo(*, engagement: Engagement, contact: Contact, actor: Actor) -> None:
    """The client agreed and has not updated the stack: they take it back, and their consents to it with it.

    Raises NotAllowed for anyone but an approver, InvalidMove if nothing waits (any more).
    """
    current = engagement_locked(engagement.pk)
    require_approver(contact, current)
    change = _waiting(current)
    consent_withdraw_within(engagement=current, offer=change.offer, actor=actor)
    change_move_within(change=change, to=ChangeStatus.TAKEN_BACK, actor=actor)


def _waiting(engagement: Engagement) -> ScopeChange:
    rows = ScopeChange.objects.select_related("offer")
    change = rows.filter(engagement=engagement, status__in=OPEN_CHANGES).first()
    if change is None:
        raise InvalidMove
    return change
