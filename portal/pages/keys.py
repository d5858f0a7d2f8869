"""Exchanging the access's key, which AWS calls the external ID: the client's page, in two small steps."""

from __future__ import annotations

from dataclasses import dataclass

from awsaccess.lifecycle import RotationStatus
from awsaccess.models import Rotation
from awsaccess.selectors import StackUpdate, grant_of, is_denial_awaited
from awsaccess.services.rotating import rotation_of, rotation_update
from portal.kernel import clock
from portal.pages.frames import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStep:
    """The page. `step` is `add`, `drop`, `undo` or `none`; `is_seen`: AWS has it, and is looked at once more.

    `is_after_visits`: open visits are being ended in AWS, and the step comes when they are over. `old_role` and `new_role`
    are the consultant's own roles in AWS where one is exchanged for the other, and empty where the external ID is.
    """

    step: str
    is_seen: bool
    is_after_visits: bool
    update: StackUpdate | None
    old_role: str = ""
    new_role: str = ""


STEPS = {
    RotationStatus.ADDING: "add",
    RotationStatus.DROPPING: "drop",
    RotationStatus.UNDOING: "undo",
}


def key_step(desk: Desk) -> KeyStep:
    """What the client has to do now, if anything."""
    rotation = _under_way(desk)
    if rotation is None:
        return KeyStep(step="none", is_seen=False, is_after_visits=False, update=None)
    return KeyStep(
        step=STEPS[RotationStatus(rotation.status)],
        is_seen=rotation.seen_at is not None,
        is_after_visits=is_denial_awaited(rotation.grant, now=clock.now()),
        update=rotation_update(rotation),
        old_role=rotation.old_hub_role_arn,
        new_role=rotation.new_hub_role_arn,
    )


def _under_way(desk: Desk) -> Rotation | None:
    grant = grant_of(desk.engagement)
    return rotation_of(grant) if grant else None
