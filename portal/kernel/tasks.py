"""Sweeps that find due rows and tasks that act on one. Arguments are ids; state is read again from the database."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from uuid import UUID

from celery import shared_task
from kombu.exceptions import OperationalError

from portal.kernel import due, outbox, tenancy


@shared_task(name="kernel.outbox_due_sweep")
def outbox_due_sweep_task() -> int:
    """Claim what is due and hand each message to a worker; how many. Two sweeps at once share the rows."""
    with tenancy.use(tenancy.SYSTEM):
        claims = outbox.claim()
    return sum(_hand_on(held) for held in claims)


@shared_task(name="kernel.outbox_deliver")
def outbox_deliver_task(message_id: int, lease_id: str, practice_id: str) -> bool:
    """Deliver one claimed message. A forged, replayed or late call finds no such lease and does nothing."""
    held = outbox.find_claim(message_id=message_id, lease_id=UUID(lease_id), practice_id=UUID(practice_id))
    return held is not None and outbox.deliver(held)


@shared_task(name="kernel.due_sweep")
def due_sweep_task() -> int:
    """Claim what is ripe and hand each look to a worker; how many."""
    with tenancy.use(tenancy.SYSTEM):
        turns = due.claim()
    handed = 0
    for kind, batch in groupby(sorted(turns, key=attrgetter("kind")), key=attrgetter("kind")):
        handed += _hand_turns_on(kind, list(batch))
    return handed


@shared_task(name="kernel.due_take")
def due_take_task(due_id: int, lease_id: str, practice_id: str) -> bool:
    """Take one claimed look. A forged, replayed or late call finds no such lease and does nothing."""
    turn = due.find_turn(due_id=due_id, lease_id=UUID(lease_id), practice_id=UUID(practice_id))
    return turn is not None and due.take(turn)


@shared_task(name="kernel.due_take_many")
def due_take_many_task(kind: str, found: list[tuple[int, str, str]]) -> int:
    """Take many claimed looks of one kind at once; how many. What no lease names any more is left out."""
    wanted = [(due_id, UUID(lease_id), UUID(practice_id)) for due_id, lease_id, practice_id in found]
    with tenancy.use(tenancy.SYSTEM):
        turns = [turn for turn in due.find_turns(wanted) if turn.kind == kind]
    return due.take_many(kind, turns) if turns else 0


def _hand_turns_on(kind: str, turns: list[due.Turn]) -> int:
    """A single look goes alone: somebody may be waiting for it."""
    if kind not in due.MANY_HANDLERS or len(turns) == 1:
        return sum(_hand_turn_on(turn) for turn in turns)
    found = [(turn.due_id, str(turn.lease_id), str(turn.practice_id)) for turn in turns]
    try:
        due_take_many_task.delay(kind, found)
    except OperationalError:
        for turn in turns:
            due.release(turn)
        return 0
    return len(turns)


def _hand_turn_on(turn: due.Turn) -> bool:
    try:
        due_take_task.delay(turn.due_id, str(turn.lease_id), str(turn.practice_id))
    except OperationalError:
        due.release(turn)
        return False
    return True


def _hand_on(held: outbox.Claim) -> bool:
    try:
        outbox_deliver_task.delay(held.message_id, str(held.lease_id), str(held.practice_id))
    except OperationalError:  # the broker is away: the row is due again at once, nothing is lost
        outbox.release(held)
        return False
    return True
