"""The way out, watched."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from awsaccess import door
from awsaccess.services import callbacks
from tests.awsaccess.callbacks.scene import Spy


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    """Nothing is sent; all that would be is kept."""
    one = Spy([], [])
    monkeypatch.setattr(callbacks, "answer_door", lambda: one)
    return one


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every name that is resolved and every connection that is begun by the way out, which stands in no test's way."""
    begun: list[object] = []

    def refuse(*where: object, **_named: object) -> object:
        begun.append(where)
        raise OSError("nothing leaves a test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    return begun


@pytest.fixture
def shut_answer_door() -> Iterator[None]:
    """No way out is kept from one test to the next."""
    door.answer_door.cache_clear()
    yield
    door.answer_door.cache_clear()
