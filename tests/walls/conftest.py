"""The world, built once per process and copied for everybody who walks it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.pages.conftest import chromium  # noqa: F401  # the fixture
from tests.walls.actors import World, build

DOORS = ("awsaccess.services.visits", "awsaccess.services.hubs", "awsaccess.services.sending")


def _copy(source: str, target: str) -> None:
    with psycopg.connect(os.environ["LATCHKEY_TEST_ADMIN_URL"], autocommit=True) as admin:
        names = sql.Identifier(target), sql.Identifier(source)
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(names[0]))
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER portal_owner").format(*names))


@pytest.fixture(scope="session")
def built(
    django_db_setup: None, django_db_blocker: Any, database_name: str
) -> tuple[World, str]:  # Any: pytest-django's private type
    """The world, and the database it lies in."""
    from django.db import connection

    kept = f"{database_name}_walls"
    empty = f"{database_name}_before"
    with django_db_blocker.unblock():
        connection.close()
        _copy(database_name, empty)
        world = build()
        connection.close()
    _copy(database_name, kept)
    _copy(empty, database_name)
    return world, kept


@pytest.fixture(scope="package")
def left_clean(built: tuple[World, str], database_name: str) -> Iterator[None]:
    """Whoever walks starts from a copy; so the database is made empty again once, when all have been here."""
    yield
    _copy(f"{database_name}_before", database_name)


@pytest.fixture
def world(
    built: tuple[World, str],
    left_clean: None,
    django_db_blocker: Any,  # Any: pytest-django's private type
    database_name: str,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,  # Any: as above
) -> Iterator[World]:
    """A fresh copy, with real commits, and an AWS in memory behind every door."""
    from django.db import connection

    made, kept = built
    settings.ACCOUNT_RATE_LIMITS = False  # everybody comes from one address here, and within a minute
    _copy(kept, database_name)
    for place in DOORS:
        monkeypatch.setattr(f"{place}.gateway", lambda: made.aws)
    with django_db_blocker.unblock():
        yield made
        connection.close()
