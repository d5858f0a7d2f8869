"""Checks that are ripe together go to one worker together; whoever is killed loses none of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from kombu.exceptions import OperationalError

from awsaccess.lifecycle import GrantStatus
from awsaccess.models import Grant, Verification
from awsaccess.services.checks import CHECK
from portal.kernel import clock, due, tasks, tenancy
from portal.kernel.models import Due
from tests.awsaccess.services.cast import Case, make_practice, verified
from tests.awsaccess.services.worlds import InMemory
from tests.factories import Firm

AsWorker = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def real_north(real_db: None) -> Iterator[Firm]:
    """Northgate Cloud, committed for real. The clock stands: threads that ask AWS must not ask the database."""
    with clock.frozen(clock.now()):
        yield make_practice("northgate")


def plan_all(cases: Sequence[Case]) -> None:
    """The checks are ripe, and nothing else is: queues are listened to another day."""
    with tenancy.use(cases[0].firm.practice_side):
        Due.objects.exclude(kind=CHECK).update(next_at=clock.now() + dt.timedelta(days=1))
    for case in cases:
        with tenancy.use(case.firm.practice_side), transaction.atomic():
            due.schedule(CHECK, case.grant().pk, at=clock.now() - dt.timedelta(seconds=5))


def handed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[list[Any], list[Any]]:  # Any: what the broker would carry
    single: list[Any] = []
    many: list[Any] = []
    monkeypatch.setattr(tasks.due_take_task, "delay", lambda *found: single.append(found))
    monkeypatch.setattr(tasks.due_take_many_task, "delay", lambda *found: many.append(found))
    return single, many


def checked(cases: Sequence[Case]) -> list[int]:
    with tenancy.use(cases[0].firm.practice_side):
        return [Verification.objects.filter(grant__engagement=case.engagement).count() for case in cases]


def test_ripe_checks_go_to_one_worker_together_and_a_killed_one_loses_none(
    real_north: Firm, memory: InMemory, as_worker: AsWorker, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    cases = [verified(real_north, memory) for _ in range(5)]
    plan_all(cases)
    single, many = handed_on(monkeypatch)
    settings.OUTBOX_LEASE_SECONDS = 0
    with as_worker():
        assert tasks.due_sweep_task.run() == 5  # this worker is killed with the whole batch in its hands
        settings.OUTBOX_LEASE_SECONDS = 150
        assert (tasks.due_sweep_task.run(), tasks.due_sweep_task.run()) == (5, 0)
        lost, held = many
        taken = [tasks.due_take_many_task.run(*batch) for batch in (lost, held, held)]
    assert (single, taken) == ([], [0, 5, 0])
    assert checked(cases) == [2] * 5
    with tenancy.use(real_north.practice_side):
        assert all(
            row.lease_id is None and row.next_at > clock.now() for row in Due.objects.filter(kind=CHECK)
        )
        assert {grant.status for grant in Grant.objects.all()} == {GrantStatus.VERIFIED}


def test_a_batch_of_one_goes_alone(
    real_north: Firm, memory: InMemory, as_worker: AsWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_all([verified(real_north, memory)])
    single, many = handed_on(monkeypatch)
    with as_worker():
        assert tasks.due_sweep_task.run() == 1
    assert (len(single), many) == (1, [])


def test_without_a_broker_a_batch_is_ripe_again(
    real_north: Firm, memory: InMemory, as_worker: AsWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_all([verified(real_north, memory) for _ in range(3)])

    def refuse(*_found: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(tasks.due_take_many_task, "delay", refuse)
    with as_worker():
        assert tasks.due_sweep_task.run() == 0
        with tenancy.use(tenancy.SYSTEM):
            assert len(due.claim()) == 3


def test_a_batch_that_breaks_keeps_what_it_did_and_plans_the_rest(
    real_north: Firm, memory: InMemory, as_worker: AsWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [verified(real_north, memory) for _ in range(3)]
    plan_all(cases)
    far = clock.now() + dt.timedelta(hours=5)

    def breaks(turns: Sequence[due.Turn]) -> Iterator[tuple[due.Turn, dt.datetime | None]]:
        yield turns[0], far
        yield turns[1], None
        raise RuntimeError("a bug")

    monkeypatch.setitem(due.MANY_HANDLERS, CHECK, breaks)
    with as_worker():
        with tenancy.use(tenancy.SYSTEM):
            turns = due.claim()
        with pytest.raises(RuntimeError, match="a bug"):
            due.take_many(CHECK, turns)
        with tenancy.use(tenancy.SYSTEM):
            left: dict[UUID, dt.datetime] = dict(Due.objects.values_list("object_id", "next_at"))
    assert left[turns[0].object_id] == far
    assert turns[1].object_id not in left
    assert dt.timedelta(0) < left[turns[2].object_id] - clock.now() < dt.timedelta(minutes=3)
