"""The record that nobody can quietly change: one hash chain per practice (SECURITY §6).

`hash = SHA-256("latchkey-audit-v1\\n" || prev || header)`; the header is canonical JSON of every stored column.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from django.db import DatabaseError, connection, models

from portal.kernel import clock, due, tenancy
from portal.kernel.actor import Actor
from portal.kernel.models import AuditBody, AuditEvent, AuditHead

MARK: Final = b"latchkey-audit-v1\n"
START: Final = bytes(32)
CHECKPOINT: Final = "audit.checkpoint"  # the due row that signs the chain's end, once a day
CHECKPOINT_EVERY: Final = dt.timedelta(days=1)
BATCH: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The first broken link of a chain: its number and what is wrong with it."""

    seq: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A place in a chain: how many events there are up to it, and the hash of the last of them."""

    seq: int
    hash: bytes


BEGINNING: Final = Link(seq=0, hash=START)


class Unrecorded(DatabaseError):
    """Raised when an act's event cannot be written, and so the act does not happen: its transaction goes with it."""


def record(
    kind: StrEnum,
    *,
    subject: models.Model,
    actor: Actor,
    about_id: UUID | None = None,
    client_id: UUID | None = None,
    details: Mapping[str, str | int | None] | None = None,
) -> AuditEvent:
    """Append one event to the chain of the practice in scope, as the last statement before the commit.

    `about_id` names the thing under whose history it is told; `details` go into the erasable body.
    Raises OutsideTransaction, ScopeError without a practice, and Unrecorded when the database refuses or is away.
    """
    tenancy.require_transaction(kind)
    try:
        return _append(kind, subject, actor, about_id, client_id, _body(actor, details or {}))
    except DatabaseError as error:
        raise Unrecorded(kind.value) from error


def _append(
    kind: StrEnum,
    subject: models.Model,
    actor: Actor,
    about_id: UUID | None,
    client_id: UUID | None,
    body: str,
) -> AuditEvent:
    head, now = _lock_head(tenancy.practice_id())
    event = AuditEvent(
        practice_id=head.practice_id,
        client_id=client_id or tenancy.current().client_id,
        seq=head.seq + 1,
        at=now,
        kind=kind.value,
        actor=actor.reference,
        subject=reference(subject),
        about_id=about_id,
        body_sha256=hashlib.sha256(body.encode()).hexdigest(),
        prev=bytes(head.hash),
    )
    event.hash = link(bytes(head.hash), header(event))
    event.save(force_insert=True)
    AuditBody.objects.create(event=event, practice_id=event.practice_id, client_id=event.client_id, text=body)
    AuditHead.objects.filter(pk=head.pk).update(seq=event.seq, hash=event.hash)
    if event.seq == 1:
        due.schedule(CHECKPOINT, event.practice_id, at=event.at + CHECKPOINT_EVERY)
    return event


def reference(row: models.Model) -> str:
    """How the chain names a row: its table's label and its key."""
    return f"{row._meta.label_lower}:{row.pk}"  # noqa: SLF001  # Django documents _meta


def header(event: AuditEvent) -> bytes:
    """Canonical JSON (sorted keys, no spaces) of every column that is stored."""
    return canonical(header_fields(event))


def header_fields(event: AuditEvent) -> dict[str, str | int | None]:
    """Every column that is stored, as it is hashed and exported."""
    return {
        "v": 1,
        "practice": str(event.practice_id),
        "client": str(event.client_id) if event.client_id else None,
        "seq": event.seq,
        "at": event.at.astimezone(dt.UTC).isoformat(timespec="microseconds"),
        "kind": event.kind,
        "actor": event.actor,
        "subject": event.subject,
        "about": str(event.about_id) if event.about_id else None,
        "body_sha256": event.body_sha256,
    }


def canonical(value: Mapping[str, object]) -> bytes:
    """One spelling for one value: what is hashed must not depend on who writes it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def link(prev: bytes, header_bytes: bytes) -> bytes:
    """The hash of an event, given its predecessor's."""
    return hashlib.sha256(MARK + prev + header_bytes).digest()


def first_fault(
    events: Iterable[AuditEvent], *, head: AuditHead | None, after: Link = BEGINNING
) -> Fault | None:
    """The first event that is not what was appended, or None. `events` follow `after`, in order of `seq`."""
    prev, seq = after.hash, after.seq
    for event in events:
        seq += 1
        if event.seq != seq:
            return Fault(seq=seq, reason="this number is missing or stands twice")
        if bytes(event.prev) != prev:
            return Fault(seq=seq, reason="it does not follow its predecessor")
        if bytes(event.hash) != link(prev, header(event)):
            return Fault(seq=seq, reason="its content was changed")
        prev = bytes(event.hash)
    known = (head.seq, bytes(head.hash)) if head else (after.seq, after.hash)
    if known != (seq, prev):
        return Fault(seq=seq + 1, reason="the chain's end and its head differ")
    return None


def events_of(practice: UUID, *, until: int, after: int = 0) -> Iterator[AuditEvent]:
    """The events after one number and up to another, with their bodies. In batches: server-side cursors are shut."""
    chain = AuditEvent.objects.filter(practice_id=practice, seq__lte=until).select_related("body")
    rows, onward = chain.order_by("seq", "pk"), models.Q(seq__gt=after)
    while batch := list(rows.filter(onward)[:BATCH]):
        yield from batch
        last = batch[-1]
        # By key too: a number that stands twice must not hide behind the end of a batch.
        onward = models.Q(seq__gt=last.seq) | models.Q(seq=last.seq, pk__gt=last.pk)


def first_body_fault(bodies: Iterable[AuditBody]) -> Fault | None:
    """The first body whose text is not what its event sealed. `bodies` come with their events."""
    for body in bodies:
        if hashlib.sha256(body.text.encode()).hexdigest() != body.event.body_sha256:
            return Fault(seq=body.event.seq, reason="its details were changed")
    return None


def _body(actor: Actor, details: Mapping[str, str | int | None]) -> str:
    # The salt keeps a short body from being guessed back from its digest.
    named = {
        "salt": secrets.token_hex(32),
        "name": actor.name,
        "email": actor.email,
        "details": dict(details),
    }
    return canonical(named).decode()


# The clock is read outside of the locked rows, and so after the wait for them: no event is older than the one before.
LOCK_SQL: Final = """
with head as materialized (select seq, hash from kernel_audithead where practice_id = %s for update)
select seq, hash, clock_timestamp() from head
"""


def _lock_head(practice: UUID) -> tuple[AuditHead, dt.datetime]:
    """A locked row and the time it was locked; not a sequence: a sequence leaves gaps on rollback."""
    found = _locked(practice)
    if found is None:
        AuditHead.objects.bulk_create([AuditHead(practice_id=practice, hash=START)], ignore_conflicts=True)
        found = _locked(practice)
    if found is None:
        raise AuditHead.DoesNotExist
    return found


def _locked(practice: UUID) -> tuple[AuditHead, dt.datetime] | None:
    with connection.cursor() as cursor:
        cursor.execute(LOCK_SQL, [practice])
        row = cursor.fetchone()
    if row is None:
        return None
    seq, digest, now = row
    return AuditHead(practice_id=practice, seq=seq, hash=digest), clock.told(now)
