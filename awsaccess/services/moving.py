"""Moving live accesses to another hub role of the same account: the same two steps as a new external ID (ADR 13).

What was agreed names the practice's account, and that stays. An access that is not moved goes on with the role it has, so
both roles have to stay until nobody names the old one any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from awsaccess.door import hub_for
from awsaccess.lifecycle import WATCHED, AccessEvent, GrantStatus, RotationStatus
from awsaccess.models import Grant, Hub, Rotation
from awsaccess.services.rotating import LIVE, begin_within, held_within, rotation_can_begin
from engagements.models import Engagement
from portal.kernel import audit
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove

OTHER_ACCOUNT: Final = (
    "The hub now lies in another AWS account than the one the client agreed to let in. "
    "An access cannot move there: it needs a new engagement, to which the client agrees."
)
# One press writes so many down at most, each in a transaction of its own; the next press goes on.
MOST_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """What one press did. `waiting` are those that could not begin now, each with the reason."""

    begun: int
    waiting: tuple[tuple[Grant, str], ...]


@transaction.atomic(durable=True)
def hub_move_begin(*, grant: Grant, actor: Actor) -> Rotation:
    """From the hub role in force to the one that the practice has set up now. Nothing changes until the client acts.

    Raises InvalidMove where there is nothing to move to, for a hub of another account, and as `rotation_begin`.
    """
    current, hub = held_within(grant), Hub.objects.get()
    before = hub_for(current.offer, current)
    if hub.role_arn == before.role_arn:
        raise InvalidMove
    if (hub.partition, hub.account_id) != (before.partition, before.account_id):
        raise InvalidMove(OTHER_ACCOUNT)
    roles = {"old_hub_role_arn": before.role_arn, "new_hub_role_arn": hub.role_arn}
    rotation = begin_within(current, roles, actor)
    audit.record(
        AccessEvent.HUB_MOVE_BEGUN,
        subject=current,
        actor=actor,
        about_id=current.engagement_id,
        client_id=current.client_id,
        details={"from": before.role_arn, "to": hub.role_arn},
    )
    return rotation


def hub_moves_begin(*, hub: Hub, actor: Actor) -> Moves:
    """Each live access that still names another hub role begins to move, one transaction each; the others go on as they are.

    Twice does no harm: what moves already is left alone.
    """
    begun, waiting = 0, []
    for grant in hub_moves_possible(hub):
        try:
            hub_move_begin(grant=grant, actor=actor)
        except InvalidMove as error:
            waiting.append((grant, str(error.user_message)))
        else:
            begun += 1
        if begun == MOST_AT_ONCE:
            break
    return Moves(begun=begun, waiting=tuple(waiting))


def hub_moves_possible(hub: Hub) -> QuerySet[Grant]:
    """Those that could begin now, as far as a query can tell. Reads only."""
    rows = grants_elsewhere(hub).filter(status=GrantStatus.VERIFIED, engagement__status__in=LIVE)
    return rows.filter(is_rotating=False)


def grants_elsewhere(hub: Hub) -> QuerySet[Grant]:
    """Those in use that another hub role than the hub's own is in force for, also while they move."""
    there = Q(moved_hub_role_arn=hub.role_arn) | Q(
        moved_hub_role_arn="", offer__documents__hub_role_arn=hub.role_arn
    )
    rows = Grant.objects.filter(status__in=WATCHED).exclude(there)
    moving = Rotation.objects.filter(
        grant=OuterRef("pk"), status=RotationStatus.DROPPING, new_hub_role_arn=hub.role_arn
    )
    arrived = Grant.objects.filter(Exists(moving), status__in=WATCHED)
    found = (rows | arrived).select_related("offer__practice", "engagement", "client")
    return found.order_by("client__name", "pk")


def hub_move_can_begin(grant: Grant, engagement: Engagement) -> bool:
    """True for a live access that is well and names another role of the hub's account. Reads only."""
    hub = Hub.objects.first()
    if hub is None or not rotation_can_begin(grant, engagement):
        return False
    before = hub_for(grant.offer, grant)
    is_here = (hub.partition, hub.account_id) == (before.partition, before.account_id)
    return is_here and hub.role_arn != before.role_arn
