"""Looks that come again: planned with their cause, taken once, fenced by their lease, never lost by a crash."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from uuid import UUID, uuid4

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError, connection, transaction
from kombu.exceptions import OperationalError

from portal.kernel import clock, due, outbox, tasks, tenancy
from portal.kernel.models import Due
from tests.conftest import SqlAs

A, B, CLIENT, OTHER_CLIENT = (UUID(int=number) for number in (0xA, 0xB, 0xC, 0xD))
THING = UUID(int=0x7)
HOUR = dt.timedelta(hours=1)
AsWorker = Callable[[], AbstractContextManager[None]]
Answer = Callable[[due.Turn], dt.datetime | None]
MakeHandler = Callable[[Answer], None]


@transaction.atomic(durable=True)
def plan(object_id: UUID, *, after: dt.timedelta = -HOUR, client_id: UUID | None = None) -> None:
    due.schedule("sample", object_id, at=clock.now() + after, client_id=client_id)


def plan_for(practice: UUID, count: int) -> None:
    with tenancy.use(tenancy.practice_scope(practice)):
        for _ in range(count):
            plan(uuid4())


def plan_thing() -> None:
    with tenancy.use(tenancy.practice_scope(A)):
        plan(THING)


def claim(limit: int = 50) -> list[due.Turn]:
    with tenancy.use(tenancy.SYSTEM):
        return due.claim(limit)


def only_row(practice: UUID = A) -> Due:
    with tenancy.use(tenancy.practice_scope(practice)):
        return Due.objects.get()


def rows(practice: UUID = A) -> int:
    with tenancy.use(tenancy.practice_scope(practice)):
        return Due.objects.count()


def end_leases(sql_as: SqlAs) -> None:
    sql_as("superuser").execute("update kernel_due set lease_until = now() - interval '1 second'")


@pytest.fixture
def answer_with() -> Iterator[MakeHandler]:
    """Registers what the handler of these tests does, and forgets it afterwards."""
    yield lambda answer: due.HANDLERS.update(sample=answer)
    due.HANDLERS.pop("sample", None)


@pytest.fixture
def heard(answer_with: MakeHandler) -> list[due.Turn]:
    """What the handler was given, in the scope it was given it in. It has nothing left to look at."""
    found: list[due.Turn] = []

    def listen(turn: due.Turn) -> None:
        assert tenancy.practice_id() == turn.practice_id
        assert not tenancy.is_in_transaction()
        found.append(turn)

    answer_with(listen)
    return found


def test_a_plan_outside_a_transaction_is_refused(real_db: None) -> None:
    with tenancy.use(tenancy.practice_scope(A)), pytest.raises(tenancy.OutsideTransaction):
        due.schedule("sample", THING, at=clock.now())


def test_dropping_outside_a_transaction_is_refused(real_db: None) -> None:
    plan_thing()
    with tenancy.use(tenancy.practice_scope(A)), pytest.raises(tenancy.OutsideTransaction):
        due.drop("sample", THING)
    assert rows() == 1


def test_a_plan_without_a_practice_is_refused(real_db: None) -> None:
    with pytest.raises(tenancy.ScopeError):
        plan(THING)


def test_a_rolled_back_cause_plans_nothing(real_db: None) -> None:
    with tenancy.use(tenancy.practice_scope(A)), transaction.atomic(durable=True):
        due.schedule("sample", THING, at=clock.now())
        transaction.set_rollback(True)
    assert rows() == 0


def test_a_commit_wakes_whoever_listens(real_db: None, sql_as: SqlAs) -> None:
    listener = sql_as("portal_worker")
    listener.execute(f"listen {outbox.CHANNEL}")
    plan_thing()
    assert [notice.channel for notice in listener.notifies(timeout=5, stop_after=1)] == [outbox.CHANNEL]


@pytest.mark.parametrize(("after", "wakes"), [(dt.timedelta(seconds=5), 1), (HOUR, 0)])
def test_many_that_look_again_soon_wake_whoever_listens(
    real_db: None, sql_as: SqlAs, as_worker: AsWorker, after: dt.timedelta, wakes: int
) -> None:
    plan_for(A, 2)
    due.MANY_HANDLERS["sample"] = lambda turns: ((turn, clock.now() + after) for turn in turns)
    listener = sql_as("portal_worker")
    try:
        with as_worker():
            turns = claim()
            listener.execute(f"listen {outbox.CHANNEL}")
            assert due.take_many("sample", turns) == len(turns) == 2
    finally:
        del due.MANY_HANDLERS["sample"]
    listener.execute("select 1")  # a notice comes no later than the answer to what is asked after its commit
    assert len(list(listener.notifies(timeout=0.2))) == wakes


def test_the_latest_plan_counts(real_db: None) -> None:
    moment = clock.now() + HOUR
    plan_thing()
    with tenancy.use(tenancy.practice_scope(A)):
        with transaction.atomic(durable=True):
            due.schedule("sample", THING, at=moment)
        assert due.next_look("sample", THING) == moment
        assert Due.objects.count() == 1


def test_the_same_thing_is_looked_at_in_several_kinds(real_db: None) -> None:
    plan_thing()
    with tenancy.use(tenancy.practice_scope(A)), transaction.atomic(durable=True):
        due.schedule("another", THING, at=clock.now())
    assert rows() == 2


def test_what_is_dropped_is_not_looked_at(real_db: None, as_worker: AsWorker) -> None:
    plan_thing()
    with tenancy.use(tenancy.practice_scope(A)):
        with transaction.atomic(durable=True):
            due.drop("sample", THING)
        assert due.next_look("sample", THING) is None
    with as_worker():
        assert claim() == []


def test_the_web_role_cannot_claim(real_db: None) -> None:
    plan_thing()
    assert claim() == []


def test_the_worker_claims_for_all_practices_and_looks_in_each_ones_scope(
    real_db: None, as_worker: AsWorker, heard: list[due.Turn]
) -> None:
    plan_for(A, 2)
    plan_for(B, 1)
    with as_worker():
        assert all(due.take(turn) for turn in claim())
    assert sorted(turn.practice_id for turn in heard) == [A, A, B]


def test_a_turn_says_what_was_planned(real_db: None, as_worker: AsWorker) -> None:
    with tenancy.use(tenancy.practice_scope(A)):
        plan(THING, client_id=CLIENT)
    with as_worker():
        (turn,) = claim()
    assert (turn.practice_id, turn.client_id, turn.kind, turn.object_id, turn.attempts) == (
        A,
        CLIENT,
        "sample",
        THING,
        1,
    )


def test_the_ripest_are_claimed_first(real_db: None, as_worker: AsWorker) -> None:
    with tenancy.use(tenancy.practice_scope(A)):
        plan(UUID(int=1), after=-HOUR)
        plan(UUID(int=2), after=-3 * HOUR)
        plan(UUID(int=3), after=-2 * HOUR)
    with as_worker():
        assert {turn.object_id for turn in claim(limit=2)} == {UUID(int=2), UUID(int=3)}


def test_nothing_is_looked_at_before_its_moment(real_db: None, as_worker: AsWorker) -> None:
    with tenancy.use(tenancy.practice_scope(A)):
        plan(THING, after=HOUR)
    with as_worker():
        assert claim() == []


def test_a_claimed_row_is_not_claimed_again_while_its_lease_holds(real_db: None, as_worker: AsWorker) -> None:
    plan_thing()
    with as_worker():
        assert (len(claim()), len(claim())) == (1, 0)


def test_when_nothing_is_left_the_row_goes(real_db: None, as_worker: AsWorker, heard: list[due.Turn]) -> None:
    plan_thing()
    with as_worker():
        assert due.take(claim()[0])
    assert rows() == 0


def test_the_handler_says_when_to_look_next(
    real_db: None, as_worker: AsWorker, answer_with: MakeHandler
) -> None:
    moment = clock.now() + HOUR
    answer_with(lambda _turn: moment)
    plan_thing()
    with as_worker():
        assert due.take(claim()[0])
    row = only_row()
    assert (row.next_at, row.lease_id, row.lease_until) == (moment, None, None)


@pytest.mark.parametrize("planned", [None, dt.timedelta(days=9)])
def test_a_plan_made_during_a_look_outlives_the_looks_own(
    real_db: None, as_worker: AsWorker, answer_with: MakeHandler, planned: dt.timedelta | None
) -> None:
    def look(_turn: due.Turn) -> dt.datetime | None:
        plan(THING, after=HOUR)
        return clock.now() + planned if planned else None

    answer_with(look)
    plan_thing()
    with as_worker():
        assert not due.take(claim()[0])
    row = only_row()
    assert clock.now() < row.next_at <= clock.now() + HOUR
    assert (row.attempts, row.lease_id) == (0, None)


@pytest.mark.parametrize("error", [ValueError("a bug"), SoftTimeLimitExceeded(), SystemExit(1)])
def test_a_crash_looks_again_after_a_minute_and_goes_on(
    real_db: None, as_worker: AsWorker, answer_with: MakeHandler, error: BaseException
) -> None:
    def crash(_turn: due.Turn) -> None:
        raise error

    answer_with(crash)
    plan_thing()
    moment = clock.now()
    with as_worker(), clock.frozen(moment), pytest.raises(type(error)):
        due.take(claim()[0])
    row = only_row()
    assert (row.next_at - moment, row.lease_id) == (dt.timedelta(minutes=1), None)


def test_a_kind_that_nobody_handles_is_heard_of_and_kept(real_db: None, as_worker: AsWorker) -> None:
    plan_thing()
    with as_worker(), pytest.raises(KeyError):
        due.take(claim()[0])
    assert only_row().next_at > clock.now()


def test_a_crash_after_the_lease_was_lost_plans_nothing(
    real_db: None, as_worker: AsWorker, answer_with: MakeHandler
) -> None:
    def crash(_turn: due.Turn) -> None:
        plan(THING, after=9 * HOUR)
        raise ValueError

    answer_with(crash)
    plan_thing()
    with as_worker(), pytest.raises(ValueError):  # noqa: PT011  # the handler's own
        due.take(claim()[0])
    assert only_row().next_at > clock.now() + 8 * HOUR


def test_a_dead_workers_look_is_claimed_again_and_the_old_lease_plans_nothing(
    real_db: None, as_worker: AsWorker, sql_as: SqlAs, heard: list[due.Turn]
) -> None:
    plan_thing()
    with as_worker():
        old = claim()[0]
        end_leases(sql_as)
        new = claim()[0]
        assert (new.due_id, new.attempts) == (old.due_id, 2)
        assert not due.take(old)
        assert only_row().lease_id == new.lease_id
        assert due.take(new)


def test_a_task_that_comes_after_its_lease_looks_at_nothing(
    real_db: None, as_worker: AsWorker, sql_as: SqlAs, heard: list[due.Turn]
) -> None:
    plan_thing()
    with as_worker():
        (turn,) = claim()
        end_leases(sql_as)
        assert not tasks.due_take_task.run(turn.due_id, str(turn.lease_id), str(turn.practice_id))
    assert heard == []


def test_a_turn_given_back_is_ripe_at_once(real_db: None, as_worker: AsWorker) -> None:
    plan_thing()
    with as_worker():
        (turn,) = claim()
        assert due.release(turn)
        assert [again.due_id for again in claim()] == [turn.due_id]


def test_a_turn_is_given_back_once(real_db: None, as_worker: AsWorker) -> None:
    plan_thing()
    with as_worker():
        (turn,) = claim()
        assert [due.release(turn), due.release(turn)] == [True, False]


def test_two_sweeps_at_once_share_the_looks(real_db: None, as_worker: AsWorker) -> None:
    plan_for(A, 60)
    barrier = threading.Barrier(3)
    taken: list[int] = []

    def sweep() -> None:
        barrier.wait()
        try:
            while batch := claim(limit=7):
                taken.extend(turn.due_id for turn in batch)
        finally:
            connection.close()

    with as_worker():
        threads = [threading.Thread(target=sweep) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(taken) == len(set(taken)) == 60


def test_a_turn_is_found_by_its_three_names(real_db: None, as_worker: AsWorker) -> None:
    plan_thing()
    with as_worker():
        (turn,) = claim()
        assert due.find_turn(due_id=turn.due_id, lease_id=turn.lease_id, practice_id=turn.practice_id) == turn


def test_a_forged_turn_finds_nothing(real_db: None, as_worker: AsWorker, heard: list[due.Turn]) -> None:
    plan_thing()
    with as_worker():
        (turn,) = claim()
        assert not tasks.due_take_task.run(turn.due_id, str(turn.lease_id), str(B))
        assert not tasks.due_take_task.run(turn.due_id, str(uuid4()), str(A))
        assert not tasks.due_take_task.run(turn.due_id + 1, str(turn.lease_id), str(A))
    assert heard == []
    assert only_row().lease_id == turn.lease_id


def test_another_practice_sees_no_plan_of_ours(real_db: None) -> None:
    plan_thing()
    with tenancy.use(tenancy.practice_scope(B)):
        assert due.next_look("sample", THING) is None


def test_another_practice_cannot_drop_our_plan(real_db: None) -> None:
    plan_thing()
    with tenancy.use(tenancy.practice_scope(B)), transaction.atomic(durable=True):
        due.drop("sample", THING)
    assert rows() == 1


def test_another_practice_cannot_move_our_plan(real_db: None) -> None:
    plan_thing()
    before = only_row().next_at
    with (
        tenancy.use(tenancy.practice_scope(B)),
        pytest.raises(DatabaseError, match="row-level security"),
    ):
        plan(THING, after=9 * HOUR)
    assert only_row().next_at == before


def test_a_client_plans_and_sees_its_own(real_db: None) -> None:
    with tenancy.use(tenancy.client_scope(A, CLIENT)):
        plan(THING)
        assert due.next_look("sample", THING) is not None
    assert only_row().client_id == CLIENT


def test_a_client_sees_no_plan_of_another_client_or_of_the_practice(real_db: None) -> None:
    with tenancy.use(tenancy.practice_scope(A)):
        plan(uuid4(), client_id=CLIENT)
        plan(uuid4())
    with tenancy.use(tenancy.client_scope(A, OTHER_CLIENT)):
        assert Due.objects.count() == 0


def test_a_client_cannot_plan_for_another_client(real_db: None) -> None:
    with (
        tenancy.use(tenancy.client_scope(A, OTHER_CLIENT)),
        pytest.raises(DatabaseError, match="row-level security"),
    ):
        plan(THING, client_id=CLIENT)
    assert rows() == 0


@pytest.mark.parametrize("column", ["practice_id", "client_id", "object_id"])
def test_what_is_looked_at_never_changes(real_db: None, column: str) -> None:
    plan_thing()
    change = {column: uuid4()}
    with tenancy.use(tenancy.practice_scope(A)), pytest.raises(DatabaseError, match="frozen"):
        Due.objects.update(**change)


def test_a_row_says_what_and_when() -> None:
    moment = dt.datetime(2026, 12, 18, 18, 0, tzinfo=dt.UTC)
    assert str(Due(kind="sample", next_at=moment)) == "sample at 2026-12-18 18:00:00+00:00"


def test_a_sweep_hands_each_look_on_once(
    real_db: None, as_worker: AsWorker, heard: list[due.Turn], monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[tuple[int, str, str]] = []
    monkeypatch.setattr(tasks.due_take_task, "delay", lambda *ids: handed.append(ids))
    plan_thing()
    with as_worker():
        assert (tasks.due_sweep_task.run(), tasks.due_sweep_task.run()) == (1, 0)
        assert tasks.due_take_task.run(*handed[0])
        assert not tasks.due_take_task.run(*handed[0])
    assert [turn.object_id for turn in heard] == [THING]


def test_without_a_broker_the_look_is_ripe_again(
    real_db: None, as_worker: AsWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_ids: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(tasks.due_take_task, "delay", refuse)
    plan_thing()
    with as_worker():
        assert tasks.due_sweep_task.run() == 0
        assert len(claim()) == 1
