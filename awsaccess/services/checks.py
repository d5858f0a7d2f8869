"""Verifying a grant: read what it should be, ask AWS, write down what was proved unless it is stale by then."""

from __future__ import annotations

import datetime as dt
import random
import time
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from awsaccess.asking import spec_beside, spec_of
from awsaccess.aws.arns import session_name_for
from awsaccess.aws.gateway import AwsGateway, HubIdentity
from awsaccess.door import gateway, hub_for
from awsaccess.lifecycle import (
    BROKEN,
    NOT_SEEN_YET,
    ROTATING,
    SPREAD,
    WATCHED,
    AccessEvent,
    GrantStatus,
    Verdict,
    check_wait,
    denials_after,
    is_last_look,
    status_after,
)
from awsaccess.models import Grant, Rotation, Verification
from awsaccess.probes import OK, Entered, Overlap, Result, Target, enter, examine
from awsaccess.provision.access_stack import expected_role
from awsaccess.provision.naming import LOOK, Names
from awsaccess.services.records import grant_record_within
from awsaccess.services.turning import rotation_look_within
from engagements.lifecycle import CLOSED_BY_ITSELF, ChangeStatus, EngagementStatus
from engagements.models import Engagement, Offer, ScopeChange
from engagements.services.changes import change_in_force_within
from engagements.services.closing import engagement_activate_within
from engagements.services.moves import engagement_locked
from engagements.services.standing import offers_standing
from portal.kernel import clock, due, outbox
from portal.kernel.actor import machine
from portal.kernel.database.repeated import Repeated, any_id

CHECK: Final = "grant.check"
WATCHER: Final = machine("watch")
# A refusal may be IAM catching up with itself; people are told when it is refused again and again.
DENIALS_BEFORE_MAIL: Final = 3
SOONEST: Final = dt.timedelta(seconds=3)
NOT_AS_AGREED: Final = frozenset({Verdict.DRIFTED, Verdict.UNSAFE})
STANDING: Final = (ChangeStatus.AGREED, ChangeStatus.IN_FORCE)
# No account is asked before its owner agreed, nor after the end (AWS_FACTS §5).
LOOKED_AT: Final = CLOSED_BY_ITSELF
OFFER: Final = "offer_sha256"  # among the findings of a good check
# As a grant is before anything was asked of AWS.
UNSEEN: Final[dict[str, Any]] = {  # Any: columns
    "checks": {},
    "checked_at": None,
    "last_verdict": "",
    "denials": 0,
    "unknowns": 0,
    "role_id": "",
    "role_seen_at": None,
}


def found_as_agreed(grant: Grant, held: Offer | None = None) -> bool:
    """True if the newest good check found in the account what the offer that holds asks for, by the offer's hash."""
    newest, held = _NEWEST_GOOD.first(grant.pk), held or standing_of(grant).held
    return newest is not None and newest.findings.get(OFFER) == held.offer_sha256


_NEWEST_GOOD: Final = Repeated(
    lambda key: Verification.objects.filter(grant=key, verdict=Verdict.OK).order_by("-at")[:1], mark=any_id()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The grant as it was read: the answer of AWS counts only if it still stands like this."""

    grant_id: UUID
    engagement_id: UUID
    status: GrantStatus
    checked_at: dt.datetime | None
    target: Target
    offer_sha256: str
    lock_changed_at: dt.datetime | None = None
    rotation_id: UUID | None = None
    change: ScopeChange | None = None  # agreed to, and not in AWS yet
    changed: Target | None = None  # as the role should be once the client's stack has that change


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a grant's role should be: the offer that holds, and the change that was agreed to and is not in AWS yet."""

    held: Offer
    waiting: ScopeChange | None = None

    @property
    def offers(self) -> tuple[Offer, ...]:
        """Both, the one that holds first."""
        return (self.held, self.waiting.offer) if self.waiting else (self.held,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What follows from one result for one row. `changes` are its new columns.

    `is_last`: the role was looked for long enough, and is not looked for any more by itself.
    """

    status: GrantStatus
    changes: dict[str, object]
    next_at: dt.datetime
    is_last: bool = False


def grant_watch(*, engagement_id: UUID) -> None:
    """The client has agreed: write the account into the expected grant and look for the role from now on."""
    with transaction.atomic(durable=True):
        engagement = engagement_locked(engagement_id)
        rows = Grant.objects.select_for_update(of=("self",)).filter(engagement=engagement)
        for grant in rows.filter(status__in=NOT_SEEN_YET):
            account_settle_within(grant, engagement)
            due.schedule(CHECK, grant.pk, at=clock.now(), client_id=grant.client_id)


def account_settle_within(grant: Grant, engagement: Engagement) -> None:
    """The account that was agreed to is the grant's, under both locks. Of another one nothing was ever known (ADR 18)."""
    row, to = Grant.objects.filter(pk=grant.pk), engagement.account_id
    if not grant.account_id:
        row.update(account_id=to)
    elif grant.account_id != to:
        # A look that began before does not count: what it saw was the first account's.
        row.update(account_id=to, status=GrantStatus.EXPECTED, lock_changed_at=clock.now(), **UNSEEN)
        grant_record_within(AccessEvent.ACCOUNT_TURNED, grant, WATCHER, {"from": grant.account_id, "to": to})
        if grant.status != GrantStatus.EXPECTED:
            _record_move(
                grant, GrantStatus(grant.status), GrantStatus.EXPECTED, "another account was agreed to"
            )


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
    door, began = gateway(), time.monotonic()
    entered = enter(door, seen.target)
    if isinstance(entered, Entered):
        seen = found(seen)
        result = judged(door, seen, entered)
    else:
        result = entered
    return conclude(seen, replace(result, latency_ms=int((time.monotonic() - began) * 1000)))


def judged(door: AwsGateway, seen: Seen, entered: Entered) -> Result:
    """The open role against what holds; where a change waits, against that too. Network only, no database."""
    result = vouched(seen.offer_sha256, examine(door, seen.target, entered))
    if seen.change is None or seen.changed is None:
        return result
    if seen.changed.expected == seen.target.expected:  # nothing was ticked of what could be added
        return vouched(seen.change.offer.offer_sha256, result)
    if result.verdict not in NOT_AS_AGREED:
        return result
    later = examine(door, seen.changed, entered)
    if later.verdict is Verdict.OK:
        return vouched(seen.change.offer.offer_sha256, later)
    return between(result, later)


def vouched(offer_sha256: str, result: Result) -> Result:
    """A good answer with what it is good for: a visit needs a consent to the hash that was found in the account."""
    if result.verdict is not Verdict.OK:
        return result
    return replace(result, findings={**result.findings, OFFER: offer_sha256})


def between(before: Result, after: Result) -> Result:
    """A role of which each part is as agreed either before or after the change is a stack being updated: proves nothing.

    A denial of older sessions differs from neither: it stands beside what was agreed, and comes and goes with updates.
    """
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
    """What is checked: a watched grant whose account is known, and whose owner agrees to exactly its offer."""
    return next(iter(read_all([grant_id])), None)


def read_all(grant_ids: Iterable[UUID]) -> list[Seen]:
    """Those of them that are watched, their accounts known, and agreed to as they are."""
    rows = _watched().select_related("offer__practice", "engagement").filter(pk__in=list(grant_ids))
    grants = list(rows)
    by_grant, rotations = standings_of(grants), rotations_open(grants)
    needed = {
        offer: grant.engagement.approvals_needed for grant in grants for offer in by_grant[grant.pk].offers
    }
    agreed = offers_standing(needed)
    return [
        _seen(grant, by_grant[grant.pk], agreed, rotations.get(grant.pk))
        for grant in grants
        if by_grant[grant.pk].held.pk in agreed
    ]


def rotations_open(grants: Iterable[Grant]) -> dict[UUID, Rotation]:
    """Of those whose external ID or hub role is being exchanged, by grant. No query where there is none."""
    asked = [grant.pk for grant in grants if grant.is_rotating]
    rows = Rotation.objects.filter(grant__in=asked, status__in=ROTATING) if asked else []
    return {rotation.grant_id: rotation for rotation in rows}


def _seen(grant: Grant, standing: Standing, agreed: Container[UUID], rotation: Rotation | None) -> Seen:
    held, waiting = standing.held, standing.waiting
    is_agreed = waiting is not None and waiting.offer_id in agreed
    return Seen(
        grant_id=grant.pk,
        engagement_id=grant.engagement_id,
        status=GrantStatus(grant.status),
        checked_at=grant.checked_at,
        target=_target(grant, held, rotation),
        offer_sha256=held.offer_sha256,
        lock_changed_at=grant.lock_changed_at,
        rotation_id=rotation.pk if rotation else None,
        change=waiting,
        changed=_target(grant, waiting.offer, rotation) if waiting and is_agreed else None,
    )


def _watched() -> QuerySet[Grant]:
    """In the account that was agreed to: one that is about to be turned to another is not asked meanwhile."""
    rows = Grant.objects.filter(status__in=WATCHED, engagement__status__in=LOOKED_AT)
    return rows.exclude(account_id="").filter(account_id=F("engagement__account_id"))


def target_of(grant: Grant, rotation: Rotation | None = None, *, held: Offer | None = None) -> Target:
    """The role as it should be now, changes that hold included; `held` as `standing_of` told, if that was asked before.

    While `rotation` is under way the lock may accept its other external ID or hub role, too.
    """
    return _target(grant, held or standing_of(grant).held, rotation)


def standing_of(grant: Grant) -> Standing:
    """What holds for a role, and the change that was agreed to and is not in AWS yet, if any."""
    return _standing(grant, _CHANGES_OF_ONE.rows(grant.engagement_id))


def standings_of(grants: Sequence[Grant]) -> dict[UUID, Standing]:
    """The same for many, in one query, by the grant's key."""
    rows = _changes().filter(engagement__in={grant.engagement_id for grant in grants})
    changes: dict[UUID, list[ScopeChange]] = defaultdict(list)
    for change in rows:
        changes[change.engagement_id].append(change)
    return {grant.pk: _standing(grant, changes[grant.engagement_id]) for grant in grants}


def _changes() -> QuerySet[ScopeChange]:
    rows = ScopeChange.objects.select_related("offer__practice").filter(status__in=STANDING)
    return rows.order_by("offer__number")


_CHANGES_OF_ONE: Final = Repeated(lambda key: _changes().filter(engagement=key), mark=any_id())


def _standing(grant: Grant, changes: Iterable[ScopeChange]) -> Standing:
    held, waiting = grant.offer, None
    for change in changes:
        if change.status == ChangeStatus.IN_FORCE:
            held = change.offer
        else:
            waiting = change
    return Standing(held=held, waiting=waiting)


def _target(grant: Grant, offer: Offer, rotation: Rotation | None) -> Target:
    """The external ID comes from the grant's row, never from a message (SECURITY A1)."""
    hub, spec = hub_for(offer, grant), spec_of(offer, grant)
    return Target(
        hub=hub,
        account_id=grant.account_id,
        role_name=grant.role_name,
        role_arn=grant.role_arn,
        external_id=grant.external_id_in_force,
        expected=expected_role(spec, grant.account_id),
        session_name=session_name_for(LOOK, grant.engagement.code),
        names=Names(
            person=LOOK,
            practice_code=hub.practice_code,
            engagement_code=grant.engagement.code,
            visit=LOOK,
        ),
        names_required=spec.names_required,
        overlap=_overlap(grant, offer, rotation, hub) if rotation else None,
    )


def _overlap(grant: Grant, offer: Offer, rotation: Rotation, hub: HubIdentity) -> Overlap:
    return Overlap(
        hub=replace(hub, role_arn=rotation.other_hub_role_arn or hub.role_arn),
        external_id=rotation.other_external_id or grant.external_id_in_force,
        both=expected_role(spec_beside(offer, grant, rotation), grant.account_id),
    )


@transaction.atomic(durable=True)
def found(seen: Seen) -> Seen:
    """The role is there: both sides may read so while the rest is looked at."""
    if seen.status is not GrantStatus.EXPECTED:
        return seen
    rows = Grant.objects.filter(pk=seen.grant_id, status=GrantStatus.EXPECTED)
    rows = rows.filter(account_id=seen.target.account_id)
    if rows.update(status=GrantStatus.CHECKING, checks={"found": OK}, role_seen_at=clock.now()) != 1:
        return seen
    _record_move(Grant.objects.get(pk=seen.grant_id), seen.status, GrantStatus.CHECKING, "")
    return replace(seen, status=GrantStatus.CHECKING)


@transaction.atomic(durable=True)
def conclude(seen: Seen, result: Result) -> dt.datetime | None:
    """Write the verdict if the grant is still as it was read; a stale answer is dropped.

    A change that the role was proved to be holds from now on.
    """
    engagement = engagement_locked(seen.engagement_id)
    grant = Grant.objects.select_for_update(of=("self",)).get(pk=seen.grant_id)
    now = clock.now()
    is_there = engagement.account_id == seen.target.account_id
    if not is_as_read(grant, seen) or not is_there or not _still_stands(seen):
        return now + SOONEST if grant.status in WATCHED else None
    outcome = outcome_of(grant, result, now, agreed_at=engagement.agreed_at)
    if is_worth_a_row(grant, result):
        verification_of(grant, result, now).save(force_insert=True)
    Grant.objects.filter(pk=grant.pk).update(**outcome.changes)
    if outcome.status is not seen.status:
        _record_move(grant, seen.status, outcome.status, result.reason)
    if seen.change is not None and is_changed(seen, result):
        change_in_force_within(engagement=engagement, change=seen.change, actor=WATCHER)
    _notice(grant, engagement, seen.status, outcome, result)
    awaited = [outcome.next_at]
    if (change_at := _change_awaited(seen, result, now)) is not None:
        awaited.append(change_at)
    if seen.rotation_id is not None:
        awaited.append(rotation_look_within(seen.rotation_id, result, actor=WATCHER))
    return None if outcome.is_last else min(awaited)


def is_as_read(grant: Grant, seen: Seen) -> bool:
    """Nobody moved or checked it since."""
    now = (grant.status, grant.checked_at, grant.lock_changed_at)
    return now == (seen.status, seen.checked_at, seen.lock_changed_at)


def is_changed(seen: Seen, result: Result) -> bool:
    """The role was proved to be what the waiting change says."""
    if seen.change is None or result.verdict is not Verdict.OK:
        return False
    return bool(result.findings.get(OFFER) == seen.change.offer.offer_sha256)


def _change_awaited(seen: Seen, result: Result, now: dt.datetime) -> dt.datetime | None:
    """The client's stack may change at any moment: looked for as closely as a role that is new. None if nothing waits."""
    answered_at = seen.change.answered_at if seen.change else None
    if answered_at is None or is_changed(seen, result):
        return None
    return now + spread(check_wait(GrantStatus.EXPECTED, result.verdict, searching_for=now - answered_at))


def _still_stands(seen: Seen) -> bool:
    """A change that was taken back, agreed to or came into force while AWS was asked makes the answer stale."""
    known = ScopeChange.objects.filter(engagement=seen.engagement_id, status=ChangeStatus.AGREED)
    return known.values_list("pk", flat=True).first() == (seen.change.pk if seen.change else None)


def is_worth_a_row(grant: Grant, result: Result) -> bool:
    """A role that is waited for is refused every five seconds: one row says it until something else is proved."""
    waiting = grant.status == GrantStatus.EXPECTED and result.verdict in (Verdict.DENIED, Verdict.UNKNOWN)
    return not waiting or grant.last_verdict != result.verdict


def verification_of(grant: Grant, result: Result, now: dt.datetime) -> Verification:
    """The row that keeps what was seen; not saved yet."""
    return Verification(
        practice_id=grant.practice_id,
        client_id=grant.client_id,
        grant=grant,
        at=now,
        verdict=result.verdict,
        reason=result.reason[:300],
        findings=result.findings,
        latency_ms=result.latency_ms,
    )


def outcome_of(grant: Grant, result: Result, now: dt.datetime, *, agreed_at: dt.datetime | None) -> Outcome:
    """Where the grant goes, what is written down and when it is looked at next. Reads and writes nothing."""
    before = GrantStatus(grant.status)
    seen_for = now - grant.role_seen_at if grant.role_seen_at else None
    denials = denials_after(result.verdict, before=grant.denials, role_seen_for=seen_for)
    unknowns = grant.unknowns + 1 if result.verdict is Verdict.UNKNOWN else 0
    after = status_after(before, result.verdict, denials=denials)
    changes: dict[str, object] = {
        "checked_at": now,
        "last_verdict": result.verdict,
        "denials": denials,
        "unknowns": unknowns,
    }
    if _proves_something(before, after, result.verdict):
        changes |= _proved(grant, result, after, now)
    searching_for = now - (agreed_at or now)
    wait = check_wait(after, result.verdict, searching_for=searching_for, unknowns=unknowns)
    return Outcome(
        status=after,
        changes=changes,
        next_at=now + spread(wait, is_search=after in NOT_SEEN_YET),
        is_last=is_last_look(after, searching_for=searching_for),
    )


def _proves_something(before: GrantStatus, after: GrantStatus, verdict: Verdict) -> bool:
    """A first refusal, like no answer, leaves all that was known."""
    first_refusal = verdict is Verdict.DENIED and before is after and after is not GrantStatus.UNREACHABLE
    return verdict is not Verdict.UNKNOWN and not first_refusal


def _proved(grant: Grant, result: Result, after: GrantStatus, now: dt.datetime) -> dict[str, object]:
    changes: dict[str, object] = {
        "status": after,
        "checks": result.checks,
        "problem": result.reason[:300] if after in BROKEN else "",
        "is_narrower": result.is_narrower,
        "denied_before": result.denied_before,
    }
    if result.role_id and result.role_id != grant.role_id:
        changes |= {"role_id": result.role_id, "role_seen_at": now}
    if result.verdict is Verdict.OK:
        changes["verified_at"] = grant.verified_at or now
    # What was entered and holds no more than was agreed is as good as new for the next visit.
    if result.verdict is Verdict.OK or result.is_narrower:
        changes["last_ok_at"] = now
    return changes


def spread(wait: dt.timedelta, *, is_search: bool = False) -> dt.timedelta:
    """Somebody waits at a short one; long ones drift apart, or all checks after an outage would come at once."""
    if wait < dt.timedelta(seconds=10):
        return wait
    middle = 1 - 1.5 * SPREAD if is_search else 1.0
    reach = SPREAD / 2 if is_search else SPREAD
    return wait * random.uniform(middle - reach, middle + reach)  # noqa: S311  # jitter, no secret


def _notice(
    grant: Grant, engagement: Engagement, before: GrantStatus, outcome: Outcome, result: Result
) -> None:
    """What follows from a verdict: access that is on, a role made anew, a problem told to both sides."""
    after, made_anew = outcome.status, is_made_anew(grant, result)
    if made_anew:
        grant_record_within(AccessEvent.ROLE_MADE_ANEW, grant, WATCHER, {"role_id": result.role_id})
    if after is GrantStatus.VERIFIED and engagement.status == EngagementStatus.AGREED:
        engagement_activate_within(engagement=engagement, actor=WATCHER)
    if outcome.is_last:
        # Once for each search: agreeing to another account begins a second one (ADR 18).
        search = f"{grant.pk}:{engagement.agreed_at}"
        outbox.put(
            "engagements.not_switched_on",
            engagement.pk,
            dedupe_key=f"not-switched-on:{search}",
            client_id=grant.client_id,
        )
    if is_told(grant, before, outcome, result):
        moment = clock.now().isoformat()
        outbox.put(
            "engagements.problem",
            engagement.pk,
            dedupe_key=f"problem:{grant.pk}:{moment}",
            client_id=grant.client_id,
        )


def is_made_anew(grant: Grant, result: Result) -> bool:
    """Another role answers under the agreed name."""
    return bool(result.role_id and grant.role_id and result.role_id != grant.role_id)


def is_told(grant: Grant, before: GrantStatus, outcome: Outcome, result: Result) -> bool:
    """Whether both sides get a mail: a change for the worse, also from less to more than was agreed."""
    after = outcome.status
    if after is GrantStatus.UNREACHABLE:
        return outcome.changes["denials"] == DENIALS_BEFORE_MAIL
    widened = after is GrantStatus.DRIFTED and grant.is_narrower and not result.is_narrower
    return after in BROKEN and (before is not after or (widened and result.verdict is Verdict.DRIFTED))


def _record_move(grant: Grant, before: GrantStatus, after: GrantStatus, reason: str) -> None:
    details = {"from": before.value, "to": after.value, "reason": reason[:300]}
    grant_record_within(AccessEvent.GRANT_MOVED, grant, WATCHER, details)
