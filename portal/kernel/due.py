"""What is looked at again and again: one row per thing with the moment of its next look (ARCHITECTURE §6).

The rows hold ids and moments only, so that a sweep may read them across practices. The look itself happens in the
practice's scope. Unlike an outbox message, a due row stays: its handler says when to look next.
"""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from portal.kernel import clock, outbox, tenancy
from portal.kernel.models import Due

# After a handler broke, the same look is tried again: a bug must not become a storm, nor a silence.
WAIT_AFTER_CRASH: Final = dt.timedelta(minutes=1)
# Looks further ahead are beat's: hourly checks of thousands of roles should not wake anybody one by one.
SOON: Final = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One look that this worker holds until its lease ends."""

    due_id: int
    lease_id: UUID
    practice_id: UUID
    client_id: UUID | None
    kind: str
    object_id: UUID
    attempts: int


Handler = Callable[[Turn], dt.datetime | None]
HANDLERS: Final[dict[str, Handler]] = {}


def handles(kind: str) -> Callable[[Handler], Handler]:
    """Register the one handler of a kind. It runs in the practice's scope, outside any transaction, maybe twice.

    It returns the moment of the next look, or None when nothing is left to look at.
    """

    def register(handler: Handler) -> Handler:
        HANDLERS[kind] = handler
        return handler

    return register


ManyHandler = Callable[[Sequence[Turn]], Iterator[tuple[Turn, dt.datetime | None]]]
MANY_HANDLERS: Final[dict[str, ManyHandler]] = {}


def handles_many(kind: str) -> Callable[[ManyHandler], ManyHandler]:
    """Register the handler that takes many ripe looks of a kind at once, beside the one for a single look.

    It runs in no scope, because the turns may be of several practices, and gives each turn with its next look, or
    None, as soon as that is known: what it has not given when it breaks is tried again.
    """

    def register(handler: ManyHandler) -> ManyHandler:
        MANY_HANDLERS[kind] = handler
        return handler

    return register


SCHEDULE_SQL: Final = """
insert into kernel_due (practice_id, client_id, kind, object_id, next_at, attempts)
values (%s, %s, %s, %s, %s, 0)
on conflict (kind, object_id) do update
set next_at = excluded.next_at, attempts = 0, lease_id = null, lease_until = null
"""


def schedule(kind: str, object_id: UUID, *, at: dt.datetime, client_id: UUID | None = None) -> None:
    """Look at the object at this moment, whatever was planned before, in the caller's transaction.

    A look that is under way loses its lease, so its own plan cannot overwrite this one. Raises OutsideTransaction.
    """
    tenancy.require_transaction(kind)
    client = client_id or tenancy.current().client_id
    with connection.cursor() as cursor:
        cursor.execute(SCHEDULE_SQL, [tenancy.practice_id(), client, kind, object_id, at])
    _wake()


def drop(kind: str, object_id: UUID) -> None:
    """Nothing is left to look at. In the caller's transaction."""
    tenancy.require_transaction(kind)
    Due.objects.filter(kind=kind, object_id=object_id).delete()


def next_look(kind: str, object_id: UUID) -> dt.datetime | None:
    """When the object is looked at next, or None if it is not planned."""
    return Due.objects.filter(kind=kind, object_id=object_id).values_list("next_at", flat=True).first()


CLAIM_SQL: Final = """
with ripe as (
  select id from kernel_due
  where next_at <= clock_timestamp() and (lease_until is null or lease_until < clock_timestamp())
  order by next_at limit %s for update skip locked)
update kernel_due d
set lease_id = gen_random_uuid(), attempts = attempts + 1, lease_until = clock_timestamp() + make_interval(secs => %s)
from ripe where d.id = ripe.id
returning d.id, d.lease_id, d.practice_id, d.client_id, d.kind, d.object_id, d.attempts
"""
TURN_FIELDS: Final = ("due_id", "lease_id", "practice_id", "client_id", "kind", "object_id", "attempts")


def claim(limit: int = 100) -> list[Turn]:
    """Take up to `limit` ripe rows of all practices. Only in system scope, and so only by the worker's role."""
    with connection.cursor() as cursor:
        cursor.execute(CLAIM_SQL, [limit, settings.OUTBOX_LEASE_SECONDS])
        return [Turn(**dict(zip(TURN_FIELDS, row, strict=True))) for row in cursor.fetchall()]


NEXT_SQL: Final = """
select extract(epoch from min(next_at) - clock_timestamp()) from kernel_due
where lease_until is null or lease_until < clock_timestamp()
"""


def seconds_to_next() -> float:
    """Until the next row is ripe: 0 if one is, infinity if there is none. Only in system scope, as `claim`."""
    with connection.cursor() as cursor:
        cursor.execute(NEXT_SQL)
        (seconds,) = cursor.fetchone()
    return math.inf if seconds is None else max(0.0, float(seconds))


def find_turn(*, due_id: int, lease_id: UUID, practice_id: UUID) -> Turn | None:
    """The turn that these three still name together, or None."""
    with tenancy.use(tenancy.practice_scope(practice_id)):
        row = Due.objects.filter(
            pk=due_id, practice_id=practice_id, lease_id=lease_id, lease_until__gt=Now()
        ).first()
    return None if row is None else _turn_of(row, lease_id)


def find_turns(found: Iterable[tuple[int, UUID, UUID]]) -> list[Turn]:
    """The turns that such threes still name: number, lease, practice. Only in system scope, as `claim`."""
    wanted = {due_id: (lease_id, practice_id) for due_id, lease_id, practice_id in found}
    rows = Due.objects.filter(pk__in=wanted, lease_until__gt=Now())
    return [
        _turn_of(row, row.lease_id)
        for row in rows
        if row.lease_id is not None and wanted[row.pk] == (row.lease_id, row.practice_id)
    ]


def _turn_of(row: Due, lease_id: UUID) -> Turn:
    return Turn(
        due_id=row.pk,
        lease_id=lease_id,
        practice_id=row.practice_id,
        client_id=row.client_id,
        kind=row.kind,
        object_id=row.object_id,
        attempts=row.attempts,
    )


def take_many(kind: str, turns: Sequence[Turn]) -> int:
    """Run the handler of many and plan their next looks; how many leases were still held.

    Only by the worker's role. What a handler raises goes on, after the next looks have been planned.
    """
    plans: dict[Turn, dt.datetime | None] = {}
    try:
        for turn, next_at in MANY_HANDLERS[kind](turns):
            plans[turn] = next_at  # noqa: PERF403  # what was given before it broke must be kept
    finally:
        if left := [turn for turn in turns if turn not in plans]:
            now = clock.now()
            plans |= {turn: now + WAIT_AFTER_CRASH * random.uniform(1, 2) for turn in left}  # noqa: S311  # jitter
        planned = _plan_many(plans)
    return planned


PLAN_SQL: Final = """
update kernel_due d set next_at = v.next_at, lease_id = null, lease_until = null
from unnest(%s::bigint[], %s::uuid[], %s::timestamptz[]) as v(id, lease_id, next_at)
where d.id = v.id and d.lease_id = v.lease_id
"""
FINISH_SQL: Final = """
delete from kernel_due d using unnest(%s::bigint[], %s::uuid[]) as v(id, lease_id)
where d.id = v.id and d.lease_id = v.lease_id
"""


def _plan_many(plans: dict[Turn, dt.datetime | None]) -> int:
    """Fencing as in `_plan`: only the holders of the newest leases plan."""
    later = [(turn, at) for turn, at in plans.items() if at is not None]
    over = [turn for turn, at in plans.items() if at is None]
    with tenancy.use(tenancy.SYSTEM), connection.cursor() as cursor:
        ids, leases = [turn.due_id for turn, _ in later], [turn.lease_id for turn, _ in later]
        cursor.execute(PLAN_SQL, [ids, leases, [at for _, at in later]])
        planned = cursor.rowcount
        cursor.execute(FINISH_SQL, [[turn.due_id for turn in over], [turn.lease_id for turn in over]])
        planned += cursor.rowcount
        now = clock.now()
        if any(at - now < SOON for _, at in later):
            _wake()
    return int(planned)


def take(turn: Turn) -> bool:
    """Run the handler and plan its next look. False if the lease was lost meanwhile. What a handler raises goes on,
    after the next look has been planned."""
    with tenancy.use(tenancy.practice_scope(turn.practice_id)):
        try:
            next_at = HANDLERS[turn.kind](turn)
        except BaseException:
            _plan(turn, clock.now() + WAIT_AFTER_CRASH)
            raise
        return _plan(turn, next_at)


def release(turn: Turn) -> bool:
    """Give a turn back that could not be handed on: it is ripe again at once."""
    with tenancy.use(tenancy.practice_scope(turn.practice_id)):
        return _plan(turn, clock.now())


@transaction.atomic(durable=True)
def _plan(turn: Turn, next_at: dt.datetime | None) -> bool:
    """Fencing: only the holder of the newest lease may plan."""
    rows = Due.objects.filter(pk=turn.due_id, lease_id=turn.lease_id)
    if next_at is None:
        return rows.delete()[0] == 1
    planned = rows.update(next_at=next_at, lease_id=None, lease_until=None) == 1
    if planned and next_at - clock.now() < SOON:
        _wake()
    return planned


def _wake() -> None:
    """A relay that sleeps till the next look it knows of learns at commit that there may be an earlier one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [outbox.CHANNEL])
