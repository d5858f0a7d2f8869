"""Verifying a grant: read what it should be, ask AWS, write down what was proved unless it is stale by then."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from awsaccess.asking import spec_of
from awsaccess.aws.arns import session_name_for
from awsaccess.door import gateway, hub_of
from awsaccess.lifecycle import BROKEN, WATCHED, AccessEvent, GrantStatus, Verdict, check_wait, status_after
from awsaccess.models import Grant, Verification
from awsaccess.probes import OK, Entered, Result, Target, enter, examine
from awsaccess.provision.access_stack import expected_role
from engagements.lifecycle import CLOSED_BY_ITSELF, ChangeStatus, EngagementStatus
from engagements.models import Engagement, Offer, ScopeChange
from engagements.services.changes import change_in_force_within
from engagements.services.closing import engagement_activate_within
from engagements.services.moves import engagement_locked
from portal.kernel import audit, clock, due, outbox
from portal.kernel.actor import Actor, machine

CHECK: Final = "grant.check"
WATCHER: Final = machine("watch")
# A refusal may be IAM catching up with itself; people are told when it is refused again and again.
DENIALS_BEFORE_MAIL: Final = 3
SOONEST: Final = dt.timedelta(seconds=3)
NOT_AS_AGREED: Final = frozenset({Verdict.DRIFTED, Verdict.UNSAFE})
STANDING: Final = (ChangeStatus.AGREED, ChangeStatus.IN_FORCE)
# No account is asked before its owner agreed, nor after the end (AWS_FACTS §5).
LOOKED_AT: Final = CLOSED_BY_ITSELF


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The grant as it was read: the answer of AWS counts only if it still stands like this."""

    grant_id: UUID
    engagement_id: UUID
    status: GrantStatus
    checked_at: dt.datetime | None
    target: Target
    change: ScopeChange | None = None
    changed: Target | None = (
        None  # as the role should be once the client's stack has the change they agreed to
    )


def grant_watch(*, engagement_id: UUID) -> None:
    """The client has agreed: write the account into the expected grant and look for the role from now on."""
    with transaction.atomic(durable=True):
        engagement = engagement_locked(engagement_id)
        for grant in Grant.objects.filter(engagement=engagement, status=GrantStatus.EXPECTED):
            Grant.objects.filter(pk=grant.pk, account_id="").update(account_id=engagement.account_id)
            due.schedule(CHECK, grant.pk, at=clock.now(), client_id=grant.client_id)


@transaction.atomic(durable=True)
def check_soon(*, engagement: Engagement) -> bool:
    """Somebody asks to look now. At most once in three seconds; False if it was looked at just now."""
    now = clock.now()
    asked = [
        grant
        for grant in _watched().filter(engagement=engagement)
        if grant.checked_at is None or now - grant.checked_at >= SOONEST
    ]
    for grant in asked:
        due.schedule(CHECK, grant.pk, at=now, client_id=grant.client_id)
    return bool(asked)


def grant_verify(*, grant_id: UUID) -> dt.datetime | None:
    """One whole check. Gives the moment of the next, or None when the grant is watched no more."""
    seen = read(grant_id)
    if seen is None:
        return None
    door = gateway()
    entered = enter(door, seen.target)
    if isinstance(entered, Entered):
        seen = _found(seen)
        result = examine(door, seen.target, entered)
    else:
        result = entered
    if seen.changed is None or not isinstance(entered, Entered) or result.verdict not in NOT_AS_AGREED:
        return _conclude(seen, result)
    later = examine(door, seen.changed, entered)
    if later.verdict is Verdict.OK:
        return _conclude(seen, later, change=seen.change)
    return _conclude(seen, between(result, later))


def between(before: Result, after: Result) -> Result:
    """A role of which each part is as agreed either before or after the change is a stack being updated: proves nothing."""
    if after.verdict is Verdict.UNKNOWN:
        return after
    sides = [set(each.findings.get("differences", ())) for each in (before, after)]
    # Without a comparison there is nothing to be between: the way in, or the reading of the role, is what failed.
    if not all(sides) or sides[0] & sides[1]:
        return before
    return Result(
        verdict=Verdict.UNKNOWN,
        reason="The role is just being changed, as you agreed.",
        findings={**before.findings, "unknown": "changing"},
    )


def read(grant_id: UUID) -> Seen | None:
    """What is checked: a watched grant whose account is known and agreed to."""
    grant = (
        _watched()
        .select_related("offer__practice", "offer__consent", "engagement")
        .filter(pk=grant_id)
        .first()
    )
    if grant is None:
        return None
    held, change = standing_of(grant)
    return Seen(
        grant_id=grant.pk,
        engagement_id=grant.engagement_id,
        status=GrantStatus(grant.status),
        checked_at=grant.checked_at,
        target=_target(grant, held),
        change=change,
        changed=_target(grant, change.offer) if change else None,
    )


def _watched() -> QuerySet[Grant]:
    rows = Grant.objects.filter(status__in=WATCHED, engagement__status__in=LOOKED_AT)
    return rows.exclude(account_id="")


def target_of(grant: Grant) -> Target:
    """The role as it should be now, changes that hold included."""
    return _target(grant, standing_of(grant)[0])


def standing_of(grant: Grant) -> tuple[Offer, ScopeChange | None]:
    """The offer that holds for a role, and the change that was agreed to and is not in AWS yet, if any."""
    rows = ScopeChange.objects.select_related("offer__practice", "offer__consent").order_by("offer__number")
    held, waiting = grant.offer, None
    for change in rows.filter(engagement=grant.engagement_id, status__in=STANDING):
        if change.status == ChangeStatus.IN_FORCE:
            held = change.offer
        else:
            waiting = change
    return held, waiting


def _target(grant: Grant, offer: Offer) -> Target:
    """The external ID comes from the grant's row, never from a message (SECURITY A1)."""
    return Target(
        hub=hub_of(offer),
        account_id=grant.account_id,
        role_name=grant.role_name,
        role_arn=grant.role_arn,
        external_id=grant.external_id,
        expected=expected_role(spec_of(offer, grant), grant.account_id),
        session_name=session_name_for("latchkey-check", grant.engagement.code),
    )


@transaction.atomic(durable=True)
def _found(seen: Seen) -> Seen:
    """The role is there: both sides may read so while the rest is looked at."""
    if seen.status is not GrantStatus.EXPECTED:
        return seen
    rows = Grant.objects.filter(pk=seen.grant_id, status=GrantStatus.EXPECTED)
    if rows.update(status=GrantStatus.CHECKING, checks={"found": OK}) != 1:
        return seen
    _record_move(Grant.objects.get(pk=seen.grant_id), seen.status, GrantStatus.CHECKING, "")
    return replace(seen, status=GrantStatus.CHECKING)


@transaction.atomic(durable=True)
def _conclude(seen: Seen, result: Result, *, change: ScopeChange | None = None) -> dt.datetime | None:
    """Write the verdict if the grant is still as it was read; a stale answer is dropped.

    `change`: what the role was proved to be; from now on it holds.
    """
    engagement = engagement_locked(seen.engagement_id)
    grant = Grant.objects.select_for_update(of=("self",)).get(pk=seen.grant_id)
    now = clock.now()
    if (grant.status, grant.checked_at) != (seen.status, seen.checked_at) or not _still_stands(seen):
        return now + SOONEST if grant.status in WATCHED else None
    _write_verification(grant, result, now)
    status = status_after(seen.status, result.verdict)
    changes = _changes(grant, result, status, now)
    Grant.objects.filter(pk=grant.pk).update(**changes)
    if status is not seen.status:
        _record_move(grant, seen.status, status, result.reason)
    if change is not None:
        change_in_force_within(engagement=engagement, change=change, actor=WATCHER)
    _notice(grant, engagement, seen.status, status, changes, result)
    if seen.change is not None and seen.change.answered_at is not None and change is None:
        # The client's stack may change at any moment: looked for as closely as a role that is new.
        return now + check_wait(
            GrantStatus.EXPECTED, result.verdict, searching_for=now - seen.change.answered_at
        )
    return now + check_wait(status, result.verdict, searching_for=now - (engagement.agreed_at or now))


def _still_stands(seen: Seen) -> bool:
    """A change that was taken back, agreed to or came into force while AWS was asked makes the answer stale."""
    known = ScopeChange.objects.filter(engagement=seen.engagement_id, status=ChangeStatus.AGREED)
    return known.values_list("pk", flat=True).first() == (seen.change.pk if seen.change else None)


def _write_verification(grant: Grant, result: Result, now: dt.datetime) -> None:
    """A role that is waited for is refused every five seconds: one row says it until something else is proved."""
    waiting = grant.status == GrantStatus.EXPECTED and result.verdict in (Verdict.DENIED, Verdict.UNKNOWN)
    if waiting and grant.last_verdict == result.verdict:
        return
    Verification.objects.create(
        practice_id=grant.practice_id,
        client_id=grant.client_id,
        grant=grant,
        at=now,
        verdict=result.verdict,
        reason=result.reason[:300],
        findings=result.findings,
    )


def _changes(grant: Grant, result: Result, status: GrantStatus, now: dt.datetime) -> dict[str, object]:
    changes: dict[str, object] = {
        "status": status,
        "checked_at": now,
        "last_verdict": result.verdict,
        "denials": grant.denials + 1 if result.verdict is Verdict.DENIED else 0,
    }
    if result.verdict is Verdict.UNKNOWN:
        return {name: changes[name] for name in ("checked_at", "last_verdict")}
    changes["checks"] = result.checks
    changes["problem"] = result.reason[:300] if status in BROKEN else ""
    if result.role_id:
        changes["role_id"] = result.role_id
    if result.verdict is Verdict.OK:
        changes |= {"last_ok_at": now, "verified_at": grant.verified_at or now}
    return changes


def _notice(
    grant: Grant,
    engagement: Engagement,
    before: GrantStatus,
    after: GrantStatus,
    changes: dict[str, object],
    result: Result,
) -> None:
    """What follows from a verdict: access that is on, a role made anew, a problem told to both sides."""
    if result.role_id and grant.role_id and result.role_id != grant.role_id:
        _record(AccessEvent.ROLE_MADE_ANEW, grant, WATCHER, {"role_id": result.role_id})
    if after is GrantStatus.VERIFIED and engagement.status == EngagementStatus.AGREED:
        engagement_activate_within(engagement=engagement, actor=WATCHER)
    if _is_told(before, after, changes.get("denials")):
        moment = clock.now().isoformat()
        outbox.put(
            "engagements.problem",
            engagement.pk,
            dedupe_key=f"problem:{grant.pk}:{moment}",
            client_id=grant.client_id,
        )


def _is_told(before: GrantStatus, after: GrantStatus, denials: object) -> bool:
    if after is GrantStatus.UNREACHABLE:
        return denials == DENIALS_BEFORE_MAIL
    return after in BROKEN and before is not after


def _record_move(grant: Grant, before: GrantStatus, after: GrantStatus, reason: str) -> None:
    details = {"from": before.value, "to": after.value, "reason": reason[:300]}
    _record(AccessEvent.GRANT_MOVED, grant, WATCHER, details)


def _record(kind: AccessEvent, grant: Grant, actor: Actor, details: dict[str, str]) -> None:
    audit.record(
        kind,
        subject=grant,
        actor=actor,
        about_id=grant.engagement_id,
        client_id=grant.client_id,
        details=details,
    )
