"""Pausing is easy for both sides; resuming is for the side that paused."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext

from accounts.lifecycle import ContactRole
from accounts.models import Contact
from engagements.lifecycle import EngagementEvent, EngagementStatus
from engagements.models import Consent, Engagement
from engagements.services.moves import engagement_locked, engagement_move_within
from portal.kernel import clock, outbox, refusals, tenancy
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove, NotAllowed


@refusals.told(EngagementEvent.MOVE_REFUSED, about="engagement")
@transaction.atomic(durable=True)
def engagement_pause(*, engagement: Engagement, actor: Actor, reason: str = "") -> None:
    """active -> paused: no new visit from the next second on. The reason is optional."""
    current = engagement_locked(engagement.pk)
    engagement_move_within(engagement=current, to=EngagementStatus.PAUSED, actor=actor, note=reason)
    _tell(current, "engagements.paused")


@refusals.told(EngagementEvent.MOVE_REFUSED, about="engagement")
@transaction.atomic(durable=True)
def engagement_resume(*, engagement: Engagement, actor: Actor) -> None:
    """paused -> active: same permissions, same end.

    Raises NotAllowed if the client paused and a consultant resumes, or for a contact who may not decide (any more);
    InvalidMove after the end or a withdrawal.
    """
    current = engagement_locked(engagement.pk)
    if current.status != EngagementStatus.PAUSED or current.ends_at <= clock.now():
        raise InvalidMove
    if not Consent.objects.filter(engagement=current, withdrawn_at=None).exists():
        raise InvalidMove
    _require_own_pause(current)
    _require_approver(current, actor)
    engagement_move_within(engagement=current, to=EngagementStatus.ACTIVE, actor=actor)
    _tell(current, "engagements.resumed")


def _require_own_pause(engagement: Engagement) -> None:
    paused_by = engagement.moved_by_id
    if paused_by is None or tenancy.current().side is tenancy.Side.CLIENT:
        return
    if Contact.objects.filter(client_id=engagement.client_id, user_id=paused_by).exists():
        raise NotAllowed("The client paused this access, so only the client can switch it back on.")


def _require_approver(engagement: Engagement, actor: Actor) -> None:
    """On the client's side, who left or lost the right a moment ago switches nothing on."""
    if tenancy.current().side is not tenancy.Side.CLIENT:
        return
    rows = Contact.objects.filter(client_id=engagement.client_id, role=ContactRole.APPROVER, ended_at=None)
    if actor.user_id is None or not rows.filter(user_id=actor.user_id).exists():
        raise NotAllowed(gettext("Someone else at your company has to do this. Nothing was changed."))


def _tell(engagement: Engagement, kind: str) -> None:
    """One mail for each pause and each resumption: its key holds the move's moment."""
    moment = clock.now().isoformat()
    outbox.put(
        kind, engagement.pk, dedupe_key=f"{kind}:{engagement.pk}:{moment}", client_id=engagement.client_id
    )
