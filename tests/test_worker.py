"""Sweep and delivery by a real worker process over a real broker, and what they do when something is forged or away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from kombu.exceptions import OperationalError

from portal.celery import app
from portal.kernel import clock, outbox, tasks, tenancy
from portal.kernel.models import OutboxMessage, OutboxState

ROOT = Path(__file__).resolve().parents[1]
A, B = UUID(int=0xA), UUID(int=0xB)
AsWorker = Callable[[], AbstractContextManager[None]]
Start = Callable[[], subprocess.Popen[bytes]]


@transaction.atomic(durable=True)
def promise() -> None:
    outbox.put("kind-nobody-handles", uuid4(), dedupe_key=str(uuid4()))


def promise_one() -> None:
    with tenancy.use(tenancy.practice_scope(A)):
        promise()


def state() -> tuple[str, int]:
    with tenancy.use(tenancy.practice_scope(A)):
        message = OutboxMessage.objects.get()
    return message.state, message.attempts


@pytest.fixture
def queue() -> str:
    """A queue that no worker of another test can still be listening on."""
    return f"test-{uuid4().hex}"


@pytest.fixture
def start_worker(real_db: None, database_name: str, queue: str, tmp_path: Path) -> Iterator[Start]:
    """Starts `celery worker` as an operator would, on a queue of this test's own; ends what it started."""
    started: list[subprocess.Popen[bytes]] = []
    place = urlsplit(os.environ["WORKER_DATABASE_URL"])._replace(path=f"/{database_name}").geturl()
    environment = {**os.environ, "PORTAL_PROCESS": "worker", "WORKER_DATABASE_URL": place}
    environment["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    command = [sys.executable, "-m", "celery", "-A", "portal", "worker", "-P", "solo", "-Q", queue]

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / "worker.log").open("ab") as log:
            started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))
        return started[-1]

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def test_a_real_worker_takes_a_claim_over_the_broker(
    start_worker: Start, as_worker: AsWorker, queue: str
) -> None:
    promise_one()
    start_worker()
    with as_worker(), tenancy.use(tenancy.SYSTEM):
        (held,) = outbox.claim()
    arguments = [held.message_id, str(held.lease_id), str(held.practice_id)]
    app.send_task("kernel.outbox_deliver", args=arguments, queue=queue)
    # Nobody handles this kind: the worker says so by burying it, visibly, instead of losing it.
    assert clock.wait_until(lambda: state() == (OutboxState.DEAD, 1), seconds=60)


def test_a_sweep_hands_each_claim_on_once(
    real_db: None, as_worker: AsWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[tuple[int, str, str]] = []
    monkeypatch.setattr(tasks.outbox_deliver_task, "delay", lambda *ids: handed.append(ids))
    promise_one()
    with as_worker():
        assert (tasks.outbox_due_sweep_task.run(), tasks.outbox_due_sweep_task.run()) == (1, 0)
        message_id, lease_id, practice_id = handed[0]
        assert practice_id == str(A)
        assert tasks.outbox_deliver_task.run(message_id, lease_id, practice_id)
        assert not tasks.outbox_deliver_task.run(message_id, lease_id, practice_id)
    assert state() == (OutboxState.DEAD, 1)


def test_a_forged_pair_finds_nothing(real_db: None, as_worker: AsWorker) -> None:
    promise_one()
    with as_worker():
        with tenancy.use(tenancy.SYSTEM):
            (held,) = outbox.claim()
        assert not tasks.outbox_deliver_task.run(held.message_id, str(held.lease_id), str(B))
        assert not tasks.outbox_deliver_task.run(held.message_id, str(uuid4()), str(A))
    assert state() == (OutboxState.INFLIGHT, 1)


def test_without_a_broker_the_message_is_due_again(
    real_db: None, as_worker: AsWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(tasks.outbox_deliver_task, "delay", refuse)
    promise_one()
    with as_worker():
        assert tasks.outbox_due_sweep_task.run() == 0
        assert state() == (OutboxState.QUEUED, 1)
        with tenancy.use(tenancy.SYSTEM):
            assert len(outbox.claim()) == 1


def test_beat_fires_tasks_that_exist() -> None:
    app.loader.import_default_modules()
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)
