"""Values that are good for a while, made once per key however many threads ask."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar


class Ending(Protocol):
    """A value with an end."""

    @property
    def expires_at(self) -> dt.datetime: ...


KeyT = TypeVar("KeyT", bound=Hashable)
EndingT = TypeVar("EndingT", bound=Ending)


@dataclass(slots=True)
class _Slot(Generic[EndingT]):
    lock: threading.Lock = field(default_factory=threading.Lock)
    value: EndingT | None = None


class Kept(Generic[KeyT, EndingT]):
    """Keeps what `make` gives until `margin` before its end."""

    def __init__(
        self, *, make: Callable[[KeyT], EndingT], now: Callable[[], dt.datetime], margin: dt.timedelta
    ) -> None:
        self._make = make
        self._now = now
        self._margin = margin
        self._slots: dict[KeyT, _Slot[EndingT]] = {}
        self._lock = threading.Lock()

    def get(self, key: KeyT) -> EndingT:
        """The kept value, or a new one. Raises what `make` raises, and keeps nothing then."""
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
        with slot.lock:  # one lock per key: a slow answer for one must not hold up the others
            if slot.value is None or slot.value.expires_at - self._margin <= self._now():
                slot.value = self._make(key)
            return slot.value

    def forget(self, key: KeyT, value: EndingT) -> None:
        """Drop the value, unless another thread has renewed it already."""
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
        with slot.lock:
            if slot.value is value:
                slot.value = None
