"""The sandbox's own time: the machine's clock, plus an offset a test may set, or the moment a replay relives."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Clock(threading.local):
    """One clock for the process; `at` holds for the calling thread only."""

    offset = dt.timedelta()
    relived: dt.datetime | None = None


CLOCK = Clock()


def now() -> dt.datetime:
    """Aware UTC. Looking does not change it: the guard looks the first time and not at a replay."""
    return CLOCK.relived or dt.datetime.now(dt.UTC) + Clock.offset


def naive_now() -> dt.datetime:
    """Naive UTC, as moto keeps its moments. Inside `at` each is a millisecond later, so that events keep their order."""
    if CLOCK.relived is not None:
        CLOCK.relived += dt.timedelta(milliseconds=1)
    return now().replace(tzinfo=None)


def aware(moment: dt.datetime) -> dt.datetime:
    """A moment of moto's as aware UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def set_offset(seconds: float) -> None:
    """Move the sandbox's time away from the machine's, for expiry and self-expiry dates. 0 puts it back."""
    Clock.offset = dt.timedelta(seconds=seconds)


def offset_seconds() -> float:
    """How far the sandbox is ahead of the machine, in seconds."""
    return Clock.offset.total_seconds()


@contextmanager
def at(moment: dt.datetime) -> Iterator[None]:
    """Let this thread believe that it is `moment` (aware UTC)."""
    CLOCK.relived = moment
    try:
        yield
    finally:
        CLOCK.relived = None
