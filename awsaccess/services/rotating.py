"""Exchanging what opens a live grant: begun in the console, done by the client in two updates of the stack (ADR 13).

Either its external ID, or the hub role that may come (`moving`): the steps are the same. First the lock accepts both, and the portal goes on with the old one. Once AWS was seen to take the new one the portal enters
with that, and the client drops the old one. No step needs the next one: a client who never does it keeps a working access.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from uuid import UUID, uuid4

from django.db import transaction

from awsaccess.asking import spec_of
from awsaccess.aws.errors import AwsMisconfigured, AwsRejected, AwsTransient
from awsaccess.door import gateway, hub_for
from awsaccess.lifecycle import ROTATING, AccessEvent, GrantStatus, RotationStatus
from awsaccess.models import Grant, Rotation
from awsaccess.provision import links
from awsaccess.provision.access_stack import AccessGrantSpec, with_lock
from awsaccess.selectors import StackUpdate, is_denial_awaited, stack_update, template_address
from awsaccess.services.checks import CHECK, standing_of
from awsaccess.services.records import grant_record_within
from awsaccess.services.turning import DENIAL, lock_key, rotation_move_within
from engagements.lifecycle import EngagementStatus
from engagements.models import Engagement
from engagements.selectors import change_open, template_agreed
from engagements.services.moves import engagement_locked
from portal.kernel import clock, due, outbox, tenancy
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove

PUBLISH: Final = "awsaccess.publish_key"
LIVE: Final = frozenset({EngagementStatus.ACTIVE, EngagementStatus.PAUSED})
CHANGE_FIRST: Final = (
    "A change of the access is waiting. Wait until it is in force, or take it back, then exchange the key: "
    "one update of the stack at a time."
)
SESSIONS_FIRST: Final = (
    "The client is ending open visits in AWS. Wait until they are over, then exchange the key: "
    "one update of the stack at a time."
)


@transaction.atomic(durable=True)
def rotation_begin(*, grant: Grant, actor: Actor) -> Rotation:
    """A new external ID, made by us, for a grant that is well. Nothing changes for anybody until the client acts.

    Raises InvalidMove unless the grant is verified, its access live, its template published and no exchange under way;
    and while the client's stack waits for another update.
    """
    current = held_within(grant)
    keys = {"old_external_id": current.external_id_in_force, "new_external_id": str(uuid4())}
    rotation = begin_within(current, keys, actor)
    grant_record_within(AccessEvent.ROTATION_BEGUN, current, actor, {})
    return rotation


def held_within(grant: Grant) -> Grant:
    """The grant as it is now, locked after its engagement, and with it."""
    tenancy.require_transaction("an exchange")
    engagement = engagement_locked(grant.engagement_id)
    rows = Grant.objects.select_for_update(of=("self",)).select_related("offer", "engagement")
    current = rows.get(pk=grant.pk)
    current.engagement = engagement
    return current


def begin_within(current: Grant, exchanged: Mapping[str, str], actor: Actor) -> Rotation:
    """The row of an exchange, and the promise of its templates, in the caller's transaction. Raises as `rotation_begin`."""
    now = clock.now()
    if not rotation_can_begin(current, current.engagement):
        raise InvalidMove
    _require_no_other_update(current, current.engagement, now)
    rotation = Rotation.objects.create(
        practice_id=current.practice_id,
        client_id=current.client_id,
        grant=current,
        begun_at=now,
        begun_by_id=actor.user_id,
        **exchanged,
    )
    Grant.objects.filter(pk=current.pk).update(is_rotating=True, lock_changed_at=now)
    outbox.put(PUBLISH, rotation.pk, dedupe_key=f"key:{rotation.pk}", client_id=current.client_id)
    return rotation


def rotation_can_begin(grant: Grant, engagement: Engagement) -> bool:
    """True for a grant that is well, live and published, whose key is not being exchanged already. Reads only."""
    is_well = grant.status == GrantStatus.VERIFIED and engagement.status in LIVE
    if not is_well or grant.is_rotating:
        return False
    return bool(template_agreed(standing_of(grant).held).version_id)


def _require_no_other_update(grant: Grant, engagement: Engagement, now: dt.datetime) -> None:
    """Two templates at once would each undo what the other is for. Under the engagement's lock."""
    if change_open(engagement) is not None:
        raise InvalidMove(CHANGE_FIRST)
    # Asked for is enough: the worker that dates the denial may come after us.
    if outbox.is_on_its_way(DENIAL, grant.pk) or is_denial_awaited(grant, now=now):
        raise InvalidMove(SESSIONS_FIRST)


def rotation_publish(*, rotation_id: UUID) -> None:
    """Put both templates into the hub's bucket, and tell the client's people that there is something to do.

    Twice does no harm. Raises outbox.Later while AWS does not answer or our set-up is broken, outbox.Hopeless if AWS
    will not take it.
    """
    rows = Rotation.objects.select_related("grant__offer__practice", "grant__engagement")
    rotation = rows.get(pk=rotation_id)
    if rotation.both_version_id or rotation.status != RotationStatus.ADDING:
        return
    try:
        versions = {which: _upload(rotation, which) for which in ("both", "alone")}
    except (AwsTransient, AwsMisconfigured) as error:
        raise outbox.Later(error.user_message) from None
    except AwsRejected as error:
        raise outbox.Hopeless(error.user_message) from None
    _published(rotation, versions)


def _upload(rotation: Rotation, which: str) -> str:
    grant = rotation.grant
    key, body = lock_key(grant.engagement.code, rotation, which), lock_template(rotation, which)
    return gateway().upload_template(hub_for(grant.offer, grant), key=key, body=body.encode())


def lock_template(rotation: Rotation, which: str) -> str:
    """The agreed template, choice included, with another lock: for `both`, or for the new one `alone`."""
    grant = rotation.grant
    held = standing_of(grant).held
    return with_lock(
        template_agreed(held).text, _lock(spec_of(held, grant), rotation, is_both=which == "both")
    )


def _lock(spec: AccessGrantSpec, rotation: Rotation, *, is_both: bool) -> AccessGrantSpec:
    if rotation.is_hub_move:
        also = rotation.old_hub_role_arn if is_both else ""
        return replace(spec, hub_role_arn=rotation.new_hub_role_arn, also_hub_role_arn=also)
    also = rotation.old_external_id if is_both else ""
    return replace(spec, external_id=rotation.new_external_id, also_external_id=also)


@transaction.atomic(durable=True)
def _published(rotation: Rotation, versions: dict[str, str]) -> None:
    rows = Rotation.objects.filter(pk=rotation.pk, status=RotationStatus.ADDING, both_version_id="")
    if rows.update(both_version_id=versions["both"], alone_version_id=versions["alone"]) == 1:
        outbox.put(
            "engagements.key_add",
            rotation.grant.engagement_id,
            dedupe_key=f"engagements.key_add:{rotation.pk}",
            client_id=rotation.client_id,
        )


@transaction.atomic(durable=True)
def rotation_cancel(*, grant: Grant, actor: Actor) -> None:
    """Give it up before the new one came into force; what the client did already is then undone in the same way.

    Raises InvalidMove once the portal enters with the new one: from there it only goes on.
    """
    engagement_locked(grant.engagement_id)
    current = Grant.objects.select_for_update(of=("self",)).get(pk=grant.pk)
    rotation = Rotation.objects.filter(grant=current, status=RotationStatus.ADDING).first()
    if rotation is None:
        raise InvalidMove
    # Without a template nobody can have done anything yet.
    to = RotationStatus.UNDOING if rotation.both_version_id else RotationStatus.CANCELLED
    rotation_move_within(rotation, to=to, actor=actor)
    kind = AccessEvent.HUB_MOVE_CANCELLED if rotation.is_hub_move else AccessEvent.ROTATION_CANCELLED
    grant_record_within(kind, current, actor, {})
    due.schedule(CHECK, current.pk, at=clock.now(), client_id=current.client_id)
    if rotation.seen_at is not None:
        outbox.put(
            "engagements.key_drop",
            current.engagement_id,
            dedupe_key=f"engagements.key_drop:{rotation.pk}:undo",
            client_id=current.client_id,
        )


def rotation_of(grant: Grant) -> Rotation | None:
    """The exchange that is under way, with its grant. Reads only."""
    rows = Rotation.objects.select_related("grant__offer", "grant__engagement")
    return rows.filter(grant=grant, status__in=ROTATING).first() if grant.is_rotating else None


def rotation_update(rotation: Rotation) -> StackUpdate | None:
    """The client's step in AWS now; None while the templates are on their way, or open visits are ended first.

    The step's template would take the denial away that those visits are to be met with.
    """
    grant = rotation.grant
    if not rotation.both_version_id or is_denial_awaited(grant, now=clock.now()):
        return None
    if rotation.status != RotationStatus.ADDING:  # the template that is in force, alone
        return stack_update(grant, template_address(standing_of(grant).held))
    documents = grant.offer.documents
    address = links.template_url(
        bucket=documents["bucket"],
        region=documents["region"],
        key=lock_key(grant.engagement.code, rotation, "both"),
        version_id=rotation.both_version_id,
        partition=documents["partition"],
    )
    return stack_update(grant, address)
