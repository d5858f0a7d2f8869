"""What must happen outside PostgreSQL: written with its cause, claimed under a lease, told at least once (SECURITY §9.3)."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from portal.kernel import clock, tenancy
from portal.kernel.models import OutboxMessage, OutboxState

CHANNEL: Final = "latchkey_outbox"
MAX_ATTEMPTS: Final = 12
LONGEST_WAIT_SECONDS: Final = 6 * 60 * 60


class Hopeless(Exception):
    """Raised by a handler when trying again cannot help. The message is dead and shown to the practice."""


class Later(Exception):
    """Raised by a handler when the other side did not answer. The message waits and is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One message that this worker holds until its lease ends."""

    message_id: int
    lease_id: UUID
    practice_id: UUID
    client_id: UUID | None
    kind: str
    object_id: UUID
    attempts: int


Handler = Callable[[Claim], None]
HANDLERS: Final[dict[str, Handler]] = {}


def handles(kind: str) -> Callable[[Handler], Handler]:
    """Register the one handler of a kind. It runs in the practice's scope, outside any transaction, maybe twice."""

    def register(handler: Handler) -> Handler:
        HANDLERS[kind] = handler
        return handler

    return register


def put(
    kind: str,
    object_id: UUID,
    *,
    dedupe_key: str,
    client_id: UUID | None = None,
    not_before: dt.datetime | None = None,
) -> None:
    """Promise one effect within the caller's transaction; a second promise under the same key changes nothing.

    `dedupe_key` names the effect, such as `receipt:<consent id>`. Raises OutsideTransaction.
    """
    tenancy.require_transaction(kind)
    moment = clock.now()
    message = OutboxMessage(
        practice_id=tenancy.practice_id(),
        client_id=client_id or tenancy.current().client_id,
        kind=kind,
        object_id=object_id,
        dedupe_key=dedupe_key,
        next_at=not_before or moment,
        created_at=moment,
    )
    OutboxMessage.objects.bulk_create([message], ignore_conflicts=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])  # delivered at commit, and only then


def is_on_its_way(kind: str, object_id: UUID) -> bool:
    """True while a message of this practice's about that object was promised and is neither delivered nor given up."""
    rows = OutboxMessage.objects.filter(practice_id=tenancy.practice_id(), kind=kind, object_id=object_id)
    return rows.filter(state__in=(OutboxState.QUEUED, OutboxState.INFLIGHT, OutboxState.WAITING)).exists()


@transaction.atomic(durable=True)
def put_again(message_ids: Collection[int]) -> int:
    """Promise once more what was kept, or given up; how many there were. Whoever keeps it looks whether it is still so."""
    done = (OutboxState.SENT, OutboxState.DEAD)
    rows = OutboxMessage.objects.filter(pk__in=message_ids, practice_id=tenancy.practice_id(), state__in=done)
    count = rows.update(state=OutboxState.QUEUED, attempts=0, next_at=clock.now(), last_error="")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])
    return count


CLAIM_SQL: Final = """
with due as (
  select id from kernel_outboxmessage
  where (state in ('queued', 'waiting') and next_at <= clock_timestamp())
     or (state = 'inflight' and lease_until < clock_timestamp())
  order by next_at limit %s for update skip locked)
update kernel_outboxmessage o
set state = 'inflight', lease_id = gen_random_uuid(), attempts = attempts + 1,
    lease_until = clock_timestamp() + make_interval(secs => %s)
from due where o.id = due.id
returning o.id, o.lease_id, o.practice_id, o.client_id, o.kind, o.object_id, o.attempts
"""


def claim(limit: int = 50) -> list[Claim]:
    """Take up to `limit` due messages of all practices. Only in system scope, and so only by the worker's role."""
    with connection.cursor() as cursor:
        cursor.execute(CLAIM_SQL, [limit, settings.OUTBOX_LEASE_SECONDS])
        return [
            Claim(
                message_id=row[0],
                lease_id=row[1],
                practice_id=row[2],
                client_id=row[3],
                kind=row[4],
                object_id=row[5],
                attempts=row[6],
            )
            for row in cursor.fetchall()
        ]


def find_claim(*, message_id: int, lease_id: UUID, practice_id: UUID) -> Claim | None:
    """The claim that these three still name together, or None."""
    with tenancy.use(tenancy.practice_scope(practice_id)):
        row = OutboxMessage.objects.filter(
            pk=message_id,
            practice_id=practice_id,
            lease_id=lease_id,
            lease_until__gt=Now(),  # a task that lay in the queue of a dead worker comes too late
            state=OutboxState.INFLIGHT,
        ).first()
    if row is None:
        return None
    return Claim(
        message_id=row.pk,
        lease_id=lease_id,
        practice_id=practice_id,
        client_id=row.client_id,
        kind=row.kind,
        object_id=row.object_id,
        attempts=row.attempts,
    )


def deliver(held: Claim) -> bool:
    """Run the handler in the practice's scope and write down how it went. False if the lease was lost meanwhile."""
    with tenancy.use(tenancy.practice_scope(held.practice_id)):
        try:
            HANDLERS[held.kind](held)
        except Later as error:
            return _postpone(held, error)
        except (Hopeless, KeyError) as error:
            return _swap(held, state=OutboxState.DEAD, last_error=_words(error))
        return _swap(held, state=OutboxState.SENT, sent_at=clock.now(), last_error="")


def release(held: Claim) -> bool:
    """Give a claim back that could not be handed on, as if it had not been taken."""
    with tenancy.use(tenancy.practice_scope(held.practice_id)):
        return _swap(held, state=OutboxState.QUEUED, next_at=clock.now(), lease_id=uuid4())


def wait_seconds(attempts: int) -> float:
    """How long to wait after the n-th failure: doubling from 5 s to 6 h, spread by a fifth."""
    doubled = float(5 * 2 ** (attempts - 1))
    return min(LONGEST_WAIT_SECONDS, doubled) * random.uniform(0.9, 1.1)  # noqa: S311  # jitter, no secret


def _postpone(held: Claim, error: Exception) -> bool:
    if held.attempts >= MAX_ATTEMPTS:
        return _swap(held, state=OutboxState.DEAD, last_error=_words(error))
    next_at = clock.now() + dt.timedelta(seconds=wait_seconds(held.attempts))
    return _swap(held, state=OutboxState.WAITING, next_at=next_at, last_error=_words(error))


@transaction.atomic(durable=True)
def _swap(held: Claim, **changes: object) -> bool:
    """Fencing: only the holder of the newest lease may write the outcome."""
    rows = OutboxMessage.objects.filter(
        pk=held.message_id, lease_id=held.lease_id, state=OutboxState.INFLIGHT
    )
    return rows.update(**changes) == 1


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]
