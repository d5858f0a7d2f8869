"""What a look at AWS does to an exchange of an external ID or a hub role: the next step, once it was proved for long enough."""

from __future__ import annotations

import datetime as dt
from typing import Final
from uuid import UUID

from awsaccess.lifecycle import (
    PROPAGATION,
    ROTATION_MOVES,
    ROTATION_NEXT,
    ROTATION_WANTS,
    WHILE_ROTATING,
    WHILE_SPREADING,
    AccessEvent,
    RotationStatus,
    Verdict,
)
from awsaccess.models import Grant, Rotation
from awsaccess.probes import Result
from awsaccess.selectors import is_denial_awaited
from awsaccess.services.records import grant_record_within
from portal.kernel import clock, outbox, tenancy
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove

DENIAL: Final = "awsaccess.publish_denial"
MAILS: Final = {
    RotationStatus.DROPPING: "engagements.key_drop",
    RotationStatus.DONE: "engagements.key_done",
}


def rotation_look_within(rotation_id: UUID, result: Result, *, actor: Actor) -> dt.datetime:
    """Count what a look found, in the caller's transaction, which holds the grant. Gives when to look again.

    A step needs two looks that found it, as far apart as IAM takes to spread a change: from then on nobody is refused
    because some part of AWS does not know the new lock yet.
    """
    tenancy.require_transaction("a rotation")
    rotation, now = Rotation.objects.select_for_update(of=("self",)).get(pk=rotation_id), clock.now()
    status = RotationStatus(rotation.status)
    found = (result.lock, result.other_opens) == ROTATION_WANTS[status]
    if not found:
        if result.verdict is Verdict.OK and rotation.seen_at is not None:
            Rotation.objects.filter(pk=rotation.pk).update(seen_at=None)
        return now + WHILE_ROTATING
    if rotation.seen_at is None:
        Rotation.objects.filter(pk=rotation.pk).update(seen_at=now)
        return now + WHILE_SPREADING
    if now - rotation.seen_at < PROPAGATION:
        return now + WHILE_SPREADING
    rotation_move_within(rotation, to=ROTATION_NEXT[status], actor=actor)
    return now + WHILE_SPREADING


def rotation_move_within(rotation: Rotation, *, to: RotationStatus, actor: Actor) -> None:
    """The only place that writes a rotation's status, and with it what the grant has in force. Raises InvalidMove."""
    tenancy.require_transaction("a move of a rotation")
    seen, now = RotationStatus(rotation.status), clock.now()
    if to not in ROTATION_MOVES[seen]:
        raise InvalidMove
    is_over = not ROTATION_MOVES[to]
    changes: dict[str, object] = {"status": to, "seen_at": None}
    if to is RotationStatus.DROPPING:
        changes["turned_at"] = now
    if is_over:
        changes["ended_at"] = now
    if Rotation.objects.filter(pk=rotation.pk, status=seen).update(**changes) != 1:
        raise InvalidMove
    _turn_grant(rotation, to, now, is_over=is_over)
    grant = Grant.objects.get(pk=rotation.grant_id)
    told = AccessEvent.HUB_MOVE_MOVED if rotation.is_hub_move else AccessEvent.ROTATION_MOVED
    grant_record_within(told, grant, actor, {"from": seen.value, "to": to.value})
    if kind := MAILS.get(to):
        key = f"{kind}:{rotation.pk}"
        outbox.put(kind, grant.engagement_id, dedupe_key=key, client_id=grant.client_id)


def lock_key(code: str, rotation: Rotation, which: str) -> str:
    """Where a template with another lock lies in the bucket: `both` or `alone`."""
    return f"{code}/key-{rotation.pk.hex[:12]}-{which}.json"


def _turn_grant(rotation: Rotation, to: RotationStatus, now: dt.datetime, *, is_over: bool) -> None:
    changes: dict[str, object] = {"lock_changed_at": now, "is_rotating": not is_over}
    if to is RotationStatus.DROPPING:
        grant = Grant.objects.select_related("engagement").get(pk=rotation.grant_id)
        changes |= {
            **_new_in_force(rotation),
            "lock_template_key": lock_key(grant.engagement.code, rotation, "alone"),
            "lock_version_id": rotation.alone_version_id,
            # A refusal right after the turn may be IAM catching up with itself.
            "role_seen_at": now,
        }
        if is_denial_awaited(grant, now=now):
            changes |= _denial_anew_within(grant, now)
    Grant.objects.filter(pk=rotation.grant_id).update(**changes)


def _new_in_force(rotation: Rotation) -> dict[str, str]:
    if rotation.is_hub_move:
        return {"moved_hub_role_arn": rotation.new_hub_role_arn}
    return {"rotated_external_id": rotation.new_external_id}


def _denial_anew_within(grant: Grant, now: dt.datetime) -> dict[str, object]:
    """A denial that was made for the client before holds the lock from before: put in now, it would keep everybody out."""
    key = f"denial:{grant.pk}:{now.isoformat()}"
    outbox.put(DENIAL, grant.pk, dedupe_key=key, client_id=grant.client_id)
    return {"deny_version_id": ""}
