"""The outbox: written with its cause, claimed once, delivered at least once, fenced by its lease."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, connection, transaction

from portal.kernel import clock, outbox, tasks, tenancy
from portal.kernel.models import OutboxMessage, OutboxState
from tests.conftest import SqlAs

A, B, CLIENT = UUID(int=0xA), UUID(int=0xB), UUID(int=0xC)
AsWorker = Callable[[], AbstractContextManager[None]]


@transaction.atomic(durable=True)
def promise(object_id: UUID, *, key: str = "", not_before: dt.datetime | None = None) -> None:
    outbox.put("sample", object_id, dedupe_key=key or f"sample:{object_id}", not_before=not_before)


def promise_for(practice: UUID, count: int) -> None:
    with tenancy.use(tenancy.practice_scope(practice)):
        for _ in range(count):
            promise(uuid4())


def claim(limit: int = 50) -> list[outbox.Claim]:
    with tenancy.use(tenancy.SYSTEM):
        return outbox.claim(limit)


def only_message(practice: UUID = A) -> OutboxMessage:
    with tenancy.use(tenancy.practice_scope(practice)):
        return OutboxMessage.objects.get()


@pytest.fixture
def heard() -> Iterator[list[outbox.Claim]]:
    """What the handler of these tests was given, in the scope it was given it in."""
    found: list[outbox.Claim] = []

    def listen(held: outbox.Claim) -> None:
        assert tenancy.practice_id() == held.practice_id
        assert not tenancy.is_in_transaction()
        found.append(held)

    outbox.handles("sample")(listen)
    yield found
    outbox.HANDLERS.pop("sample")


def test_a_promise_outside_a_transaction_is_refused(real_db: None) -> None:
    with tenancy.use(tenancy.practice_scope(A)), pytest.raises(tenancy.OutsideTransaction):
        outbox.put("sample", uuid4(), dedupe_key="x")


def test_a_rolled_back_cause_promises_nothing(real_db: None) -> None:
    with tenancy.use(tenancy.practice_scope(A)):
        with transaction.atomic(durable=True):
            outbox.put("sample", uuid4(), dedupe_key="x")
            transaction.set_rollback(True)
        assert OutboxMessage.objects.count() == 0


def test_the_same_effect_is_promised_once(real_db: None) -> None:
    with tenancy.use(tenancy.practice_scope(A)):
        promise(UUID(int=1), key="receipt:1")
        promise(UUID(int=2), key="receipt:1")
    assert only_message().object_id == UUID(int=1)


def test_a_commit_wakes_whoever_listens(real_db: None, sql_as: SqlAs) -> None:
    listener = sql_as("portal_worker")
    listener.execute(f"listen {outbox.CHANNEL}")
    promise_for(A, 1)
    assert [notice.channel for notice in listener.notifies(timeout=5, stop_after=1)] == [outbox.CHANNEL]


def test_the_web_role_cannot_claim(real_db: None) -> None:
    promise_for(A, 1)
    assert claim() == []


def test_the_worker_claims_for_all_practices_and_delivers_each_in_its_own(
    real_db: None, as_worker: AsWorker, heard: list[outbox.Claim]
) -> None:
    promise_for(A, 2)
    promise_for(B, 1)
    with as_worker():
        assert all(outbox.deliver(held) for held in claim())
        assert claim() == []
    assert sorted(held.practice_id for held in heard) == [A, A, B]
    message = only_message(B)
    assert (message.state, message.attempts, message.sent_at is not None) == (OutboxState.SENT, 1, True)


def test_a_message_is_not_due_before_its_time(real_db: None, as_worker: AsWorker) -> None:
    with tenancy.use(tenancy.practice_scope(A)):
        promise(uuid4(), not_before=clock.now() + dt.timedelta(hours=1))
    with as_worker():
        assert claim() == []


def test_a_failure_waits_and_is_tried_again(real_db: None, as_worker: AsWorker) -> None:
    promise_for(A, 1)

    @outbox.handles("sample")
    def fail(_held: outbox.Claim) -> None:
        raise outbox.Later("mail server answered 421")

    with as_worker():
        assert outbox.deliver(claim()[0])
        assert claim() == []
    message = only_message()
    assert message.state == OutboxState.WAITING
    assert message.last_error == "Later: mail server answered 421"
    assert message.next_at > message.created_at
    outbox.HANDLERS.pop("sample")


@pytest.mark.parametrize("error", [outbox.Hopeless("no such mailbox"), None])
def test_a_hopeless_or_unknown_message_is_dead_and_visible(
    real_db: None, as_worker: AsWorker, error: Exception | None
) -> None:
    promise_for(A, 1)
    if error is not None:

        def refuse(_held: outbox.Claim) -> None:
            raise error

        outbox.handles("sample")(refuse)
    with as_worker():
        assert outbox.deliver(claim()[0])
    outbox.HANDLERS.pop("sample", None)
    assert only_message().state == OutboxState.DEAD


def test_after_the_last_attempt_a_message_is_dead(real_db: None, as_worker: AsWorker, sql_as: SqlAs) -> None:
    promise_for(A, 1)
    sql_as("superuser").execute("update kernel_outboxmessage set attempts = %s", [outbox.MAX_ATTEMPTS - 1])

    @outbox.handles("sample")
    def fail(_held: outbox.Claim) -> None:
        raise outbox.Later("still away")

    with as_worker():
        outbox.deliver(claim()[0])
    outbox.HANDLERS.pop("sample")
    assert only_message().state == OutboxState.DEAD


def test_a_dead_workers_message_is_claimed_again_and_the_old_lease_writes_nothing(
    real_db: None, as_worker: AsWorker, sql_as: SqlAs, heard: list[outbox.Claim]
) -> None:
    promise_for(A, 1)
    with as_worker():
        old = claim()[0]
        assert claim() == []
        sql_as("superuser").execute(
            "update kernel_outboxmessage set lease_until = now() - interval '1 second'"
        )
        new = claim()[0]
        assert new.message_id == old.message_id
        assert not outbox.deliver(old)
        assert only_message().state == OutboxState.INFLIGHT
        assert outbox.deliver(new)
    assert only_message().attempts == 2


def test_a_task_that_comes_after_its_lease_does_nothing(
    real_db: None, as_worker: AsWorker, sql_as: SqlAs, heard: list[outbox.Claim]
) -> None:
    promise_for(A, 1)
    with as_worker():
        (held,) = claim()
        sql_as("superuser").execute("update kernel_outboxmessage set lease_until = now()")
        assert not tasks.outbox_deliver_task.run(held.message_id, str(held.lease_id), str(held.practice_id))
    assert heard == []


def test_a_claim_given_back_is_due_at_once(real_db: None, as_worker: AsWorker) -> None:
    promise_for(A, 1)
    with as_worker():
        held = claim()[0]
        assert outbox.release(held)
        assert not outbox.release(held)
        assert [again.message_id for again in claim()] == [held.message_id]


def test_two_sweeps_at_once_share_the_messages(real_db: None, as_worker: AsWorker) -> None:
    promise_for(A, 60)
    barrier = threading.Barrier(3)
    taken: list[int] = []

    def sweep() -> None:
        barrier.wait()
        try:
            while batch := claim(limit=7):
                taken.extend(held.message_id for held in batch)
        finally:
            connection.close()

    with as_worker():
        threads = [threading.Thread(target=sweep) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(taken) == len(set(taken)) == 60


def test_a_client_sees_its_own_promises_only(real_db: None) -> None:
    with tenancy.use(tenancy.client_scope(A, CLIENT)):
        promise(uuid4())
    with tenancy.use(tenancy.client_scope(A, UUID(int=0xD))):
        assert OutboxMessage.objects.count() == 0
    assert only_message().client_id == CLIENT


def test_what_was_promised_cannot_be_rewritten(real_db: None) -> None:
    promise_for(A, 1)
    with tenancy.use(tenancy.practice_scope(A)), pytest.raises(DatabaseError, match="frozen"):
        OutboxMessage.objects.update(object_id=uuid4())


def test_waiting_doubles_up_to_six_hours() -> None:
    assert 4.5 <= outbox.wait_seconds(1) <= 5.5
    assert 18 <= outbox.wait_seconds(3) <= 22
    assert outbox.wait_seconds(40) <= outbox.LONGEST_WAIT_SECONDS * 1.1
    assert str(OutboxMessage(kind="sample", state=OutboxState.SENT)) == "sample sent"
