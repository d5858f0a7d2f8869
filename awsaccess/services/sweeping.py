"""Verifying many grants at once: read together, asked by a pool of threads, written together where nothing changed.

No thread of the pool touches the database. What moves a grant or tells somebody goes through the same service as a
single check, one grant at a time; nine of ten checks find all as it was, and those are three statements for a hundred.
"""

from __future__ import annotations

import contextvars
import datetime as dt
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import transaction

from awsaccess.aws.gateway import AwsGateway
from awsaccess.aws.pace import PacedGateway, Paces
from awsaccess.door import gateway
from awsaccess.lifecycle import AFTER_A_DOUBT, WATCHED, GrantStatus
from awsaccess.models import Grant, Verification
from awsaccess.probes import Entered, Result, enter
from awsaccess.services.checks import (
    SOONEST,
    Outcome,
    Seen,
    conclude,
    found,
    is_as_read,
    is_made_anew,
    is_told,
    is_worth_a_row,
    judged,
    outcome_of,
    read_all,
    spread,
    verification_of,
)
from engagements.lifecycle import EngagementStatus
from portal.kernel import clock, tenancy
from portal.kernel.due import Turn

THREADS: Final = 32
# A task is stopped after 90 seconds; AWS may take half a minute for each of a check's calls to time out.
ASKING_SECONDS: Final = 40.0
Given = TypeVar("Given")
Answer = TypeVar("Answer")
Planned = tuple[UUID, dt.datetime | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One grant on its way. `practice_id` names the scope in which it was read and will be written."""

    practice_id: UUID
    seen: Seen
    entered: Entered | Result | None
    seconds: float = 0.0


def grants_verify(turns: Sequence[Turn]) -> Iterator[tuple[Turn, dt.datetime | None]]:
    """A whole check of each; gives each turn with the moment of its next, None for grants watched no more."""
    by_grant = {turn.object_id: turn for turn in turns}
    door, until = PacedGateway(gateway(), paces()), time.monotonic() + ASKING_SECONDS
    read = [seen for practice_id, ids in _by_practice(turns) for seen in _read(practice_id, ids)]
    entered = [_found(each) for each in in_threads(lambda each: _entered(door, each, until), read)]
    asked = in_threads(lambda each: _examined(door, each, until), entered)
    known = {each.seen.grant_id for each in asked}
    yield from ((turn, None) for grant_id, turn in by_grant.items() if grant_id not in known)
    for grant_id, next_at in _written(asked):
        yield by_grant[grant_id], next_at


@cache
def paces() -> Paces:
    """The process's own: each worker has its share of what a hub may ask."""
    return Paces(settings.STS_CALLS_PER_SECOND)


@cache
def _pool() -> ThreadPoolExecutor:
    """Made at the first batch, so in the process that works and not in the one it was forked from."""
    return ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="check")


def in_threads(work: Callable[[Given], Answer], given: Iterable[Given]) -> list[Answer]:
    """Each by one thread of the pool, in this one's context; the answers in order. Raises what the first one raised."""
    started = [_pool().submit(contextvars.copy_context().run, work, each) for each in given]
    return [each.result() for each in started]


def _by_practice(turns: Iterable[Turn]) -> list[tuple[UUID, list[UUID]]]:
    found: dict[UUID, list[UUID]] = defaultdict(list)
    for turn in turns:
        found[turn.practice_id].append(turn.object_id)
    return list(found.items())


def _read(practice_id: UUID, grant_ids: list[UUID]) -> list[_Asked]:
    with tenancy.use(tenancy.practice_scope(practice_id)):
        return [_Asked(practice_id=practice_id, seen=seen, entered=None) for seen in read_all(grant_ids)]


def _entered(door: AwsGateway, asked: _Asked, until: float) -> _Asked:
    began = time.monotonic()
    if began > until:
        return asked
    entered = enter(door, asked.seen.target)
    return replace(asked, entered=entered, seconds=time.monotonic() - began)


def _found(asked: _Asked) -> _Asked:
    """A role that opened for the first time is told before the rest is looked at."""
    if not isinstance(asked.entered, Entered) or asked.seen.status is not GrantStatus.EXPECTED:
        return asked
    with tenancy.use(tenancy.practice_scope(asked.practice_id)):
        return replace(asked, seen=found(asked.seen))


def _examined(door: AwsGateway, asked: _Asked, until: float) -> _Asked:
    began = time.monotonic()
    if not isinstance(asked.entered, Entered):
        return asked
    if began > until:
        return replace(asked, entered=None)
    result = judged(door, asked.seen, asked.entered)
    return replace(asked, entered=result, seconds=asked.seconds + time.monotonic() - began)


def _written(asked: Iterable[_Asked]) -> Iterator[Planned]:
    """The quiet ones of each practice together; then the others, in no order, so that a broken one blocks none."""
    by_practice: dict[UUID, list[tuple[Seen, Result]]] = defaultdict(list)
    for each in asked:
        if isinstance(each.entered, Result):
            result = replace(each.entered, latency_ms=int(each.seconds * 1000))
            by_practice[each.practice_id].append((each.seen, result))
        else:  # time was over before AWS was asked: nothing is known, and nothing is written
            yield each.seen.grant_id, clock.now() + spread(AFTER_A_DOUBT)
    loud: list[tuple[UUID, Seen, Result]] = []
    for practice_id, results in by_practice.items():
        with tenancy.use(tenancy.practice_scope(practice_id)):
            planned, left = _write_quiet(results)
        yield from planned
        loud += [(practice_id, seen, result) for seen, result in left]
    random.shuffle(loud)
    for practice_id, seen, result in loud:
        with tenancy.use(tenancy.practice_scope(practice_id)):
            next_at = conclude(seen, result)
        yield seen.grant_id, next_at


@transaction.atomic(durable=True)
def _write_quiet(results: list[tuple[Seen, Result]]) -> tuple[list[Planned], list[tuple[Seen, Result]]]:
    """Write the checks that move nothing and tell nobody; give their next moments, and the others back.

    Where a change of the access waits, the answer is judged under the engagement's lock, one grant at a time.

    Only grants are locked, in the order of their keys: whoever locks an engagement too does so before.
    """
    rows = Grant.objects.select_for_update(of=("self",)).select_related("engagement")
    grants = {
        grant.pk: grant for grant in rows.filter(pk__in=[seen.grant_id for seen, _ in results]).order_by("pk")
    }
    now = clock.now()
    planned: list[Planned] = []
    left: list[tuple[Seen, Result]] = []
    rows_to_keep: list[Verification] = []
    together: dict[str, tuple[dict[str, object], list[UUID]]] = {}
    for seen, result in results:
        grant = grants[seen.grant_id]
        if not is_as_read(grant, seen) or grant.engagement.account_id != seen.target.account_id:
            planned.append((grant.pk, now + SOONEST if grant.status in WATCHED else None))
            continue
        outcome = outcome_of(grant, result, now, agreed_at=grant.engagement.agreed_at)
        awaits_a_step = seen.change is not None or seen.rotation_id is not None
        if awaits_a_step or not _is_quiet(grant, result, outcome):
            left.append((seen, result))
            continue
        if is_worth_a_row(grant, result):
            rows_to_keep.append(verification_of(grant, result, now))
        changes, ids = together.setdefault(repr(sorted(outcome.changes.items())), (outcome.changes, []))
        ids.append(grant.pk)
        planned.append((grant.pk, outcome.next_at))
    Verification.objects.bulk_create(rows_to_keep)
    for changes, ids in together.values():
        Grant.objects.filter(pk__in=ids).update(**changes)
    return planned, left


def _is_quiet(grant: Grant, result: Result, outcome: Outcome) -> bool:
    """Nothing moves, nobody is told, and no engagement is switched on by it."""
    before = GrantStatus(grant.status)
    switches_on = (
        outcome.status is GrantStatus.VERIFIED and grant.engagement.status == EngagementStatus.AGREED
    )
    moves = outcome.status is not before or is_made_anew(grant, result)
    return (
        not moves and not switches_on and not outcome.is_last and not is_told(grant, before, outcome, result)
    )
