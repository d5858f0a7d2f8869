"""The relay: what is promised is handed on at once, without beat, and again after the database hung up."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from django.db import InterfaceError, transaction
from kombu.exceptions import OperationalError

from engagements.lifecycle import EngagementStatus
from engagements.models import Engagement
from engagements.services.moves import WINDOW
from portal.kernel import audit, clock, due, outbox, relay, tasks, tenancy
from portal.kernel.models import Due, OutboxMessage, OutboxState
from tests.conftest import SqlAs
from tests.factories import Firm, make_engagement_invited, make_firm

ROOT = Path(__file__).resolve().parents[1]
A = UUID(int=0xA)
LISTENERS = "select pid from pg_stat_activity where datname = current_database() and query like 'LISTEN%'"
WORKERS = "select pid from pg_stat_activity where datname = current_database() and usename = 'portal_worker'"
AsWorker = Callable[[], AbstractContextManager[None]]
Start = Callable[[], subprocess.Popen[bytes]]


@transaction.atomic(durable=True)
def promise() -> None:
    outbox.put("kind-nobody-handles", uuid4(), dedupe_key=str(uuid4()))


@transaction.atomic(durable=True)
def plan() -> None:
    due.schedule("kind-nobody-handles", uuid4(), at=clock.now())


def in_practice(*writes: Callable[[], None]) -> None:
    with tenancy.use(tenancy.practice_scope(A)):
        for write in writes:
            write()


def pids(sql_as: SqlAs, query: str) -> set[int]:
    return {int(pid) for (pid,) in sql_as("superuser").execute(query)}


def hang_up(sql_as: SqlAs, query: str) -> set[int]:
    """End the connections that the query finds, as a restart of PostgreSQL would; which they were."""
    found = pids(sql_as, query)
    for pid in found:
        sql_as("superuser").execute("select pg_terminate_backend(%s)", [pid])
    return found


def is_listening(sql_as: SqlAs, *, except_for: AbstractSet[int] = frozenset()) -> bool:
    return clock.wait_until(lambda: bool(pids(sql_as, LISTENERS) - except_for), seconds=10)


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was handed to the broker, by the name of the task."""
    found: list[str] = []
    monkeypatch.setattr(tasks.outbox_deliver_task, "delay", lambda *_ids: found.append("outbox"))
    monkeypatch.setattr(tasks.due_take_task, "delay", lambda *_ids: found.append("due"))
    return found


@pytest.fixture
def start_relay(
    as_worker: AsWorker, handed: list[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], relay.Relay]]:
    """A relay as a worker runs it, in a thread of this process, with short waits."""
    monkeypatch.setattr(relay, "ROUND_SECONDS", 0.1)
    monkeypatch.setattr(relay, "WAIT_AFTER_LOSS_SECONDS", 0.1)
    started: list[relay.Relay] = []

    def start() -> relay.Relay:
        started.append(relay.Relay())
        started[-1].start()
        return started[-1]

    with as_worker():
        yield start
        for thread in started:
            thread.stop()
            thread.join(10)
            assert not thread.is_alive()


def test_draining_goes_on_until_nothing_is_due(real_db: None, as_worker: AsWorker, handed: list[str]) -> None:
    in_practice(*[promise] * 60, *[plan] * 60)
    with as_worker():
        relay.drain()
    assert (handed.count("outbox"), handed.count("due")) == (60, 60)


def test_draining_ends_when_the_broker_does_not_answer(
    real_db: None, as_worker: AsWorker, handed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_ids: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(tasks.outbox_deliver_task, "delay", refuse)
    in_practice(promise, plan)
    with as_worker():
        relay.drain()
    assert handed == ["due"]


def test_what_was_promised_while_nobody_listened_is_handed_on(
    start_relay: Callable[[], relay.Relay], handed: list[str]
) -> None:
    in_practice(promise, plan)
    start_relay()
    assert clock.wait_until(lambda: sorted(handed) == ["due", "outbox"], seconds=10)


@pytest.mark.parametrize(("write", "name"), [(promise, "outbox"), (plan, "due")])
def test_a_listening_relay_hands_on_what_is_written(
    start_relay: Callable[[], relay.Relay],
    handed: list[str],
    sql_as: SqlAs,
    write: Callable[[], None],
    name: str,
) -> None:
    start_relay()
    assert is_listening(sql_as)
    in_practice(write)
    assert clock.wait_until(lambda: handed == [name], seconds=10)


def test_two_relays_hand_each_promise_on_once(
    start_relay: Callable[[], relay.Relay], handed: list[str], sql_as: SqlAs
) -> None:
    start_relay()
    start_relay()
    assert clock.wait_until(lambda: len(pids(sql_as, LISTENERS)) == 2, seconds=10)
    in_practice(*[promise] * 20)
    assert clock.wait_until(lambda: len(handed) >= 20, seconds=10)
    assert in_flight() == 20
    assert len(handed) == 20


def in_flight() -> int:
    with tenancy.use(tenancy.practice_scope(A)):
        return OutboxMessage.objects.filter(state=OutboxState.INFLIGHT, attempts=1).count()


def test_a_quiet_relay_asks_the_tables_nothing(
    start_relay: Callable[[], relay.Relay], sql_as: SqlAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[None] = []
    monkeypatch.setattr(relay, "drain", lambda: asked.append(None))
    start_relay()
    assert is_listening(sql_as)
    assert not clock.wait_until(lambda: len(asked) > 1, seconds=0.5)


def test_a_look_is_handed_on_when_its_moment_comes(
    start_relay: Callable[[], relay.Relay], handed: list[str], sql_as: SqlAs
) -> None:
    @transaction.atomic(durable=True)
    def plan_ahead() -> None:
        due.schedule("kind-nobody-handles", uuid4(), at=clock.now() + dt.timedelta(seconds=0.7))

    start_relay()
    assert is_listening(sql_as)
    in_practice(plan_ahead)
    assert clock.wait_until(lambda: handed == ["due"], seconds=10)


def test_a_look_that_plans_its_next_one_soon_wakes_the_relay(
    start_relay: Callable[[], relay.Relay], handed: list[str], sql_as: SqlAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(due.HANDLERS, "again", lambda _turn: clock.now() + dt.timedelta(seconds=0.3))

    @transaction.atomic(durable=True)
    def plan_again() -> None:
        due.schedule("again", uuid4(), at=clock.now())

    def take_as_worker(due_id: int, lease_id: str, practice_id: str) -> None:
        handed.append("due")
        if len(handed) < 3:
            tasks.due_take_task.run(due_id, lease_id, practice_id)

    monkeypatch.setattr(tasks.due_take_task, "delay", take_as_worker)
    start_relay()
    assert is_listening(sql_as)
    in_practice(plan_again)
    assert clock.wait_until(lambda: len(handed) == 3, seconds=10)


@pytest.mark.parametrize("lost", [LISTENERS, WORKERS])
def test_after_its_connection_was_ended_it_listens_again(
    start_relay: Callable[[], relay.Relay], handed: list[str], sql_as: SqlAs, lost: str
) -> None:
    start_relay()
    assert is_listening(sql_as)
    ended = hang_up(sql_as, lost)
    assert is_listening(sql_as, except_for=ended)
    in_practice_after_a_loss(promise)
    assert clock.wait_until(lambda: handed == ["outbox"], seconds=10)


def in_practice_after_a_loss(write: Callable[[], None]) -> None:
    """This thread's own connection may have been among those that were ended."""
    from django.db import connection

    connection.close()
    in_practice(write)


def test_a_promise_made_while_it_was_away_is_handed_on_when_it_is_back(
    start_relay: Callable[[], relay.Relay],
    handed: list[str],
    sql_as: SqlAs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay, "WAIT_AFTER_LOSS_SECONDS", 1.0)
    start_relay()
    assert is_listening(sql_as)
    hang_up(sql_as, LISTENERS)
    in_practice(promise)
    assert clock.wait_until(lambda: handed == ["outbox"], seconds=10)


def test_a_connection_that_the_driver_gave_up_does_not_end_the_relay(
    start_relay: Callable[[], relay.Relay], handed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drain, broken = relay.drain, threading.Event()

    def break_once() -> None:
        if not broken.is_set():
            broken.set()
            raise InterfaceError("connection already closed")
        drain()

    monkeypatch.setattr(relay, "drain", break_once)
    in_practice(promise)
    start_relay()
    assert clock.wait_until(lambda: handed == ["outbox"], seconds=10)


def test_a_stopped_relay_ends_and_leaves_no_connection(
    start_relay: Callable[[], relay.Relay], sql_as: SqlAs
) -> None:
    thread = start_relay()
    assert is_listening(sql_as)
    thread.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert clock.wait_until(lambda: not pids(sql_as, LISTENERS), seconds=10)


def test_a_relay_stopped_before_its_first_round_does_nothing(as_worker: AsWorker, handed: list[str]) -> None:
    in_practice(promise)
    thread = relay.Relay()
    thread.stop()
    with as_worker():
        thread.run()
    assert handed == []


@pytest.fixture
def start_worker(real_db: None, database_name: str, tmp_path: Path) -> Iterator[Start]:
    """Starts `celery worker` as an operator would, on its usual queue in a corner of the broker that is this test's
    own. There is no beat."""
    started: list[subprocess.Popen[bytes]] = []
    place = urlsplit(os.environ["WORKER_DATABASE_URL"])._replace(path=f"/{database_name}").geturl()
    corner = 1 + int("0" + "".join(filter(str.isdigit, os.environ.get("PYTEST_XDIST_WORKER", "")))) % 14
    environment = {
        **os.environ,
        "PORTAL_PROCESS": "worker",
        "WORKER_DATABASE_URL": place,
        "CELERY_BROKER_URL": f"{os.environ['CELERY_BROKER_URL']}?virtual_host={corner}",
        "DJANGO_SETTINGS_MODULE": "tests.settings",
    }
    command = [sys.executable, "-m", "celery", "-A", "portal", "worker", "-P", "solo"]

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / "worker.log").open("ab") as log:
            started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        process.wait(20)


def message_state() -> str:
    with tenancy.use(tenancy.practice_scope(A)):
        return OutboxMessage.objects.get().state


def test_a_real_worker_delivers_a_promise_without_beat(start_worker: Start, sql_as: SqlAs) -> None:
    start_worker()
    assert clock.wait_until(lambda: bool(pids(sql_as, LISTENERS)), seconds=30)
    in_practice(promise)
    # Nobody handles this kind: the worker says so by burying it, visibly.
    assert clock.wait_until(lambda: message_state() == OutboxState.DEAD, seconds=5)


def test_a_real_worker_ends_with_its_relay(start_worker: Start, sql_as: SqlAs) -> None:
    process = start_worker()
    assert clock.wait_until(lambda: bool(pids(sql_as, LISTENERS)), seconds=30)
    process.terminate()
    assert process.wait(20) == 0
    assert clock.wait_until(lambda: not pids(sql_as, WORKERS), seconds=10)


def test_a_real_worker_ends_an_unanswered_invitation_when_its_window_is_over(start_worker: Start) -> None:
    firm = make_firm("north")
    engagement = make_engagement_invited(firm)
    with tenancy.use(firm.practice_side):
        Engagement.objects.update(ends_at=clock.now())
    look_now(firm, engagement)
    start_worker()
    assert clock.wait_until(lambda: status_of(firm, engagement) == "cancelled", seconds=30)
    assert clock.wait_until(lambda: plans(firm) == 0, seconds=5)


def look_now(firm: Firm, engagement: Engagement) -> None:
    with tenancy.use(firm.practice_side), transaction.atomic(durable=True):
        due.schedule(WINDOW, engagement.pk, at=clock.now(), client_id=engagement.client_id)


def status_of(firm: Firm, engagement: Engagement) -> str:
    with tenancy.use(firm.practice_side):
        return EngagementStatus(Engagement.objects.get(pk=engagement.pk).status).value


def plans(firm: Firm) -> int:
    with tenancy.use(firm.practice_side):
        return Due.objects.exclude(kind=audit.CHECKPOINT).count()
