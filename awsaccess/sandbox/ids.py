"""Random ids that a replay can draw again.

Every id moto makes comes from one shared generator. While a thread works under `seeded`, its draws come from a
generator of its own, so that the same request with the same seed gets the same role id, stack id and version id,
whatever other threads draw meanwhile. Everything else is drawn from the operating system.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from moto.moto_api._internal.moto_random import MotoRandom

_SYSTEM = random.SystemRandom()


class _Local(threading.local):
    source: random.Random | None = None


_LOCAL = _Local()


def _random(_: MotoRandom) -> float:
    return (_LOCAL.source or _SYSTEM).random()


def _getrandbits(_: MotoRandom, bits: int) -> int:
    return (_LOCAL.source or _SYSTEM).getrandbits(bits)


def install() -> None:
    """Put the thread's source under moto's generator."""
    MotoRandom.random = _random  # type: ignore[assignment,method-assign]  # the seam this module is for
    MotoRandom.getrandbits = _getrandbits  # type: ignore[assignment,method-assign]  # the same


@contextmanager
def apart() -> Iterator[None]:
    """Draw from the operating system meanwhile: for what a replay leaves out."""
    before, _LOCAL.source = _LOCAL.source, None
    try:
        yield
    finally:
        _LOCAL.source = before


@contextmanager
def seeded(seed: str) -> Iterator[None]:
    """Draw this thread's ids from `seed`, so that drawing again gives the same ids."""
    before, _LOCAL.source = _LOCAL.source, random.Random(seed)  # noqa: S311  # ids of a simulation
    try:
        yield
    finally:
        _LOCAL.source = before
