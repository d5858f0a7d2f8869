"""Copies one engagement's rows thousands of times inside PostgreSQL, each copy a consistent whole under its own ids.

Number n's ids are MD5(old id, n), so that every table finds its neighbours without asking. Ten engagements share a
client; copies of people and clients are numbered by n / 10, and number 0 is the first client itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql

PER_CLIENT: Final = 10
N, GROUP = "n", f"(n / {PER_CLIENT})"
CLIENT_COLUMNS: Final = frozenset({"client_id", "contact_id"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many engagements and audit events there are in the end."""

    engagements: int
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table whose rows are copied. `renewed` are its own ids and the ids of its neighbours; `unlike` are unique texts."""

    name: str
    renewed: frozenset[str]
    unlike: frozenset[str] = frozenset()


# Each client's people first, then what hangs on each engagement.
PER_CLIENT_TABLES: Final = (
    Table(name="accounts_client", renewed=frozenset({"id"}), unlike=frozenset({"code"})),
    Table(name="accounts_contact", renewed=frozenset({"id", "client_id", "user_id"})),
)
PER_ENGAGEMENT_TABLES: Final = (
    Table(name="engagements_engagement", renewed=frozenset({"id"}), unlike=frozenset({"code"})),
    Table(name="engagements_assignment", renewed=frozenset({"id", "engagement_id"})),
    Table(name="engagements_offer", renewed=frozenset({"id", "engagement_id"})),
    Table(name="engagements_consent", renewed=frozenset({"id", "engagement_id", "offer_id"})),
    Table(
        name="awsaccess_grant",
        renewed=frozenset({"id", "engagement_id", "offer_id"}),
        unlike=frozenset({"external_id", "role_name"}),
    ),
    Table(name="awsaccess_visit", renewed=frozenset({"id", "engagement_id", "grant_id"})),
)


def multiply(admin_url: str, size: Size) -> None:
    """Fill the tables up to `size`, then collect what the planner wants to know. Needs a superuser."""
    with psycopg.connect(admin_url, autocommit=True) as admin:
        # Copies are consistent by construction: keys need no check for each, triggers would only cost.
        admin.execute("SET session_replication_role = replica")
        clients = -(-size.engagements // PER_CLIENT)
        _copy_people(admin, clients)
        for table in PER_CLIENT_TABLES:
            _copy(admin, table, "g * 10", clients)
        for table in PER_ENGAGEMENT_TABLES:
            _copy(admin, table, "g", size.engagements)
        _lengthen_record(admin, size)
        admin.execute("VACUUM ANALYZE")


def _copy_people(admin: psycopg.Connection[tuple[object, ...]], clients: int) -> None:
    """The approver, once for each client: one person at a thousand clients would be nobody real."""
    approver = "SELECT user_id FROM accounts_contact"
    columns = _columns(admin, "accounts_user")
    values = _values(
        columns,
        {"id": _renewed("id", GROUP), "email": _email()},
    )
    _insert(admin, "accounts_user", values, f"id IN ({approver})", "g * 10", clients)


def _copy(admin: psycopg.Connection[tuple[object, ...]], table: Table, number: str, count: int) -> None:
    own = GROUP if table in PER_CLIENT_TABLES else N
    changed = {name: _renewed(name, own) for name in table.renewed}
    changed |= {name: _unlike(name, own) for name in table.unlike}
    columns = _columns(admin, table.name)
    changed |= {name: _renewed(name, GROUP) for name in CLIENT_COLUMNS & set(columns)}
    _insert(admin, table.name, _values(columns, changed), "true", number, count)


def _lengthen_record(admin: psycopg.Connection[tuple[object, ...]], size: Size) -> None:
    """Events of all engagements in turn. Their hashes are copies too: this record is read, never verified."""
    columns = [name for name in _columns(admin, "kernel_auditevent") if name != "id"]
    engagement = f"mod(g, {size.engagements})"
    changed = {
        "seq": sql.SQL("(SELECT max(seq) FROM kernel_auditevent) + g"),
        "about_id": _renewed("about_id", N),
        "client_id": _renewed("client_id", GROUP),
    }
    newest = "seq = (SELECT max(seq) FROM kernel_auditevent WHERE about_id IS NOT NULL)"
    _insert(admin, "kernel_auditevent", _values(columns, changed), newest, engagement, size.events)


def _insert(
    admin: psycopg.Connection[tuple[object, ...]],
    table: str,
    values: Mapping[str, sql.Composable],
    which: str,
    number: str,
    count: int,
) -> None:
    """Copies 1 to `count` - 1; `number` says in terms of g which engagement the copy belongs to."""
    admin.execute(
        sql.SQL(
            "INSERT INTO {table} ({columns}) SELECT {values} FROM (SELECT * FROM {table} WHERE {which}) old,"
            " (SELECT g, {number} AS n FROM generate_series(1, %s) g) numbers"
        ).format(
            table=sql.Identifier(table),
            columns=sql.SQL(", ").join(map(sql.Identifier, values)),
            values=sql.SQL(", ").join(values.values()),
            which=_plain(which),
            number=_plain(number),
        ),
        [count - 1],
    )


def _columns(admin: psycopg.Connection[tuple[object, ...]], table: str) -> list[str]:
    found = admin.execute(
        "SELECT column_name::text FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s",
        [table],
    )
    return [str(name) for (name,) in found]


def _values(columns: list[str], changed: Mapping[str, sql.Composable]) -> dict[str, sql.Composable]:
    return {name: changed.get(name, sql.Identifier("old", name)) for name in columns}


def _renewed(column: str, number: str) -> sql.Composable:
    """The id that this copy has instead; number 0 keeps the old one."""
    old = sql.Identifier("old", column)
    return sql.SQL("CASE WHEN {n} = 0 THEN {old} ELSE md5({old}::text || ':' || {n})::uuid END").format(
        n=_plain(number), old=old
    )


def _unlike(column: str, number: str) -> sql.Composable:
    old = sql.Identifier("old", column)
    return sql.SQL("left({old}, 4) || lpad({n}::text, 6, '0')").format(n=_plain(number), old=old)


def _email() -> sql.Composable:
    return sql.SQL("{n} || '.' || old.email").format(n=_plain(GROUP))


def _plain(words: str) -> sql.SQL:
    """Our own constant words as SQL."""
    return sql.SQL(words)
