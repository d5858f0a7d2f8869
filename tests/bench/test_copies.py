"""Copied rows are consistent, although no key was checked while they were made."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from kit.copies import Size, multiply
from kit.world import make_world
from psycopg import sql

SIZE = Size(engagements=20, events=50)
COUNTS = {
    "accounts_client": 2,
    "accounts_contact": 2,
    "engagements_engagement": 20,
    "engagements_offer": 20,
    "engagements_consent": 20,
    "awsaccess_grant": 20,
    "awsaccess_visit": 20 * 17,
}


@pytest.fixture
def copied(real_db: None, database_name: str, settings: Any) -> str:  # Any: pytest-django's private type
    """A superuser's address of a database in which one engagement became twenty."""
    settings.ROOT_URLCONF = "kit.urls"
    make_world()
    url = urlsplit(os.environ["LATCHKEY_TEST_ADMIN_URL"])._replace(path=f"/{database_name}").geturl()
    multiply(url, SIZE)
    return url


def test_every_engagement_is_a_whole(copied: str) -> None:
    with psycopg.connect(copied) as admin:
        assert {name: _count(admin, name) for name in COUNTS} == COUNTS
        assert _count(admin, "kernel_auditevent") >= SIZE.events
        lonely = admin.execute(
            "SELECT count(*) FROM engagements_engagement e WHERE NOT EXISTS"
            " (SELECT 1 FROM engagements_consent c JOIN accounts_contact p ON p.id = c.contact_id"
            " WHERE c.engagement_id = e.id AND p.client_id = e.client_id)"
        ).fetchone()
    assert lonely == (0,)


def test_every_foreign_key_holds(copied: str) -> None:
    with psycopg.connect(copied) as admin:
        keys = admin.execute(
            "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype = 'f' AND connamespace = 'public'::regnamespace"
        ).fetchall()
        assert keys
        for number, (table, definition) in enumerate(keys):  # a new key is checked over all rows
            admin.execute(f"ALTER TABLE {table} ADD CONSTRAINT again_{number} {definition}".encode())
        admin.rollback()


def _count(admin: psycopg.Connection[tuple[Any, ...]], table: str) -> int:
    row = admin.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
    assert row is not None
    return int(row[0])
