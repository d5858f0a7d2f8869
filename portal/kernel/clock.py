"""The one clock: the database's, so that web, worker and database can never disagree (SECURITY P6)."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import connection

_frozen: ContextVar[dt.datetime | None] = ContextVar("frozen_clock", default=None)


def now() -> dt.datetime:
    """The database's time as aware UTC. Costs one short query; a page asks once and passes it on."""
    if (moment := _frozen.get()) is not None:
        return moment
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (found,) = cursor.fetchone()
    return told(found)


def told(moment: dt.datetime) -> dt.datetime:
    """What the database said beside something else, as `now()` would have given it in a statement of its own."""
    return _frozen.get() or moment.astimezone(dt.UTC)


@contextmanager
def frozen(moment: dt.datetime) -> Iterator[None]:
    """Let `now()` answer this aware moment in the current context. For tests."""
    token = _frozen.set(moment)
    try:
        yield
    finally:
        _frozen.reset(token)


def wait_until(condition: Callable[[], bool], *, seconds: float, every_seconds: float = 0.05) -> bool:
    """Ask until the condition holds or the time is over; True if it held. Never called inside a transaction."""
    pause = threading.Event()
    for _ in range(max(1, int(seconds / every_seconds))):
        if condition():
            return True
        pause.wait(every_seconds)
    return condition()
