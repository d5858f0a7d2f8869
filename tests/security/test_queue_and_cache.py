"""Whoever writes to Valkey makes noise: no code of theirs runs, nobody gets in, and no task gives credentials out."""

from __future__ import annotations

import inspect
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
import redis
from django.conf import settings
from django.core.cache import cache
from hypothesis import given
from hypothesis import strategies as st

from portal.celery import app
from portal.kernel import clock, outbox, tenancy
from portal.kernel.caching import JsonSerializer
from portal.kernel.models import OutboxMessage, OutboxState
from tests.test_worker import Start, promise_one, queue, start_worker  # noqa: F401  # fixtures

AsWorker = Callable[[], AbstractContextManager[None]]
# Every task there is. A new one is argued for here: what it is given, and that it opens no visit (SECURITY T8).
TASKS: Final = {
    "accounts.sessions_sweep": (),
    "kernel.due_sweep": (),
    "kernel.due_take": ("due_id", "lease_id", "practice_id"),
    "kernel.due_take_many": ("kind", "found"),  # of each three ids, as above
    "kernel.outbox_deliver": ("message_id", "lease_id", "practice_id"),
    "kernel.outbox_due_sweep": (),
}


class Evil:
    """Pickled, it makes a file when somebody reads it."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:  # Any: as pickle has it
        return (Path.touch, (self.mark,))


@pytest.fixture
def valkey() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        yield client


# The cache.


def test_a_pickle_in_the_cache_is_not_read(valkey: redis.Redis, tmp_path: Path) -> None:
    mark, key = tmp_path / "ran", f"k{uuid4().hex}"
    planted = pickle.dumps(Evil(mark))
    valkey.set(cache.make_key(key), planted)
    assert cache.get(key, "nothing") is None
    assert cache.get_many([key]) == {key: None}
    assert not mark.exists()
    pickle.loads(planted)  # noqa: S301  # it would have
    assert mark.exists()


def test_what_is_counted_comes_back() -> None:
    key = f"k{uuid4().hex}"
    for value in (3, [1700000000.25, 1.5], "y", None, True):
        cache.set(key, value, 30)
        assert cache.get(key) == value
    cache.set(key, 3, 30)
    assert (cache.incr(key), cache.get(key)) == (4, 4)
    assert settings.CACHES["default"]["OPTIONS"] == {"serializer": "portal.kernel.caching.JsonSerializer"}


def test_what_json_has_not_is_not_kept() -> None:
    with pytest.raises(TypeError):
        cache.set("k", object(), 30)


@given(st.binary() | st.just(b"[" * 100_000))
def test_any_bytes_are_json_or_nothing(data: bytes) -> None:
    found = JsonSerializer().loads(data)
    assert found is None or isinstance(found, str | int | float | list | dict)


# The queue.


def test_these_are_all_tasks_and_each_takes_ids() -> None:
    app.loader.import_default_modules()
    found = {
        name: tuple(inspect.signature(task.run).parameters)
        for name, task in app.tasks.items()
        if not name.startswith("celery.")
    }
    assert found == TASKS
    assert settings.CELERY_ACCEPT_CONTENT == ["json"]
    assert list(app.conf.accept_content) == ["json"]
    assert list(app.conf.result_accept_content or ["json"]) == ["json"]
    assert app.conf.task_serializer == "json"


def forged(held: outbox.Claim, mark: Path) -> list[dict[str, Any]]:  # Any: what celery sends
    """Messages as somebody writes them who has the broker: each names the claim, and none has all that it takes."""
    good = [held.message_id, str(held.lease_id), str(held.practice_id)]
    other, mine = str(uuid4()), {"name": "kernel.outbox_deliver"}
    return [
        {**mine, "args": [*good[:2], other]},
        {**mine, "args": [good[0], other, good[2]]},
        {**mine, "args": [held.message_id + 1, *good[1:]]},
        {**mine, "args": [good[0], "' or true --", good[2]]},
        {**mine, "args": good[:2]},
        {**mine, "args": [*good, "more"]},
        {**mine, "args": [[good[0]], {"$ne": None}, good[2]]},
        {**mine, "args": [Evil(mark)], "serializer": "pickle"},
        {**mine, "args": good, "serializer": "pickle"},
        {"name": "kernel.due_take_many", "args": ["outbox", [good]]},
        {"name": "kernel.due_take", "args": good},
        {"name": "awsaccess.services.visits.visit_open", "args": good},
        {"name": "os.system", "args": [f"touch {mark}"]},
    ]


def test_messages_that_somebody_made_by_hand_do_nothing_and_stop_nobody(
    start_worker: Start,  # noqa: F811  # the fixture, here and below
    as_worker: AsWorker,
    queue: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    promise_one()
    promise_one()
    mark = tmp_path / "ran"
    with as_worker(), tenancy.use(tenancy.SYSTEM):
        held, another = outbox.claim()
    for message in forged(held, mark):
        app.send_task(**message, queue=queue)
    take(another, queue)
    start_worker()
    assert clock.wait_until(lambda: state_of(another) == (OutboxState.DEAD, 1), seconds=60)
    assert not mark.exists()
    assert state_of(held) == (OutboxState.INFLIGHT, 1)
    said = (tmp_path / "worker.log").read_text()
    assert said.count("Received invalid task message: Refusing to deserialize") == 2
    assert said.count("Received unregistered task of type") == 2
    # The claim itself is taken once, however often its message comes.
    for _ in range(3):
        take(held, queue)
    assert clock.wait_until(lambda: state_of(held) == (OutboxState.DEAD, 1), seconds=60)


def take(held: outbox.Claim, queue: str) -> None:  # noqa: F811  # its name, not the fixture
    ids = [held.message_id, str(held.lease_id), str(held.practice_id)]
    app.send_task("kernel.outbox_deliver", args=ids, queue=queue)


def state_of(held: outbox.Claim) -> tuple[str, int]:
    with tenancy.use(tenancy.practice_scope(held.practice_id)):
        message = OutboxMessage.objects.get(pk=held.message_id)
    return message.state, message.attempts
