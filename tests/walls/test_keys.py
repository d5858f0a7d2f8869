"""What the schema itself refuses: rows that point across a wall, and uniqueness that would tell of other tenants.

Read off the models and the catalogue, so that a table that comes later is asked the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from django.apps import apps
from django.db import connection, models

pytestmark = pytest.mark.django_db
# Unique over the whole installation, and why that tells a stranger nothing.
MADE_BY_THE_PORTAL: Final = {
    ("accounts_client", ("code",)): "a random code",
    ("engagements_engagement", ("code",)): "a random code",
    ("accounts_invitation", ("token_sha256",)): "the hash of a random token",
    ("accounts_signinservice", ("door_sha256",)): "the hash of the practice's own code, which is unique",
    ("awsaccess_grant", ("external_id",)): "a random id",
    ("awsaccess_grant", ("rotated_external_id",)): "a random id",
    ("awsaccess_rotation", ("new_external_id",)): "a random id",
    ("engagements_document", ("reference",)): "a random reference of 100 bits",
    ("engagements_document", ("sha256",)): "the hash of a signed paper, which holds its random reference",
    ("kernel_due", ("kind", "object_id")): "a random id under a name of the code's",
}
# Chosen by people, and unique only once it is proved to be theirs.
ONCE_PROVED: Final = {("awsaccess_grant", ("account_id", "partition", "role_name")): "'verified'"}


Column = tuple[str, str]  # table, column


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A foreign key as the catalogue has it: pairs of own and other columns, and which of the own may be empty."""

    table: str
    to: str
    pairs: dict[str, str]
    nullable: frozenset[str]

    def binds(self, column: str) -> bool:
        """True if no row escapes it: a key with one empty column holds for none of them."""
        others = self.nullable - {column}
        return "practice_id" in self.pairs and column in self.pairs and not others


def _columns(model: type[models.Model]) -> set[str]:
    return {str(field.column) for field in model._meta.concrete_fields}


def _keys() -> Iterator[Column]:
    """Columns that point from one walled table to another, as the models declare them."""
    for model in apps.get_models():
        if "practice_id" not in _columns(model):
            continue
        for field in model._meta.concrete_fields:
            other = field.related_model
            if isinstance(other, type) and "practice_id" in _columns(other):
                yield model._meta.db_table, str(field.column)


KEYS: Final = list(_keys())


@pytest.fixture(scope="module")
def constraints(django_db_setup: None, django_db_blocker: Any) -> list[Constraint]:  # Any: a private type
    """All of them."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "select conrelid::regclass::text, confrelid::regclass::text, array_agg(a.attname::text), "
            "array_agg(b.attname::text), array_agg(a.attname::text) filter (where not a.attnotnull) "
            "from pg_constraint c cross join unnest(conkey, confkey) as pair(here, there) "
            "join pg_attribute a on a.attrelid = conrelid and a.attnum = here "
            "join pg_attribute b on b.attrelid = confrelid and b.attnum = there "
            "where contype = 'f' group by c.oid, 1, 2"
        )
        return [
            Constraint(
                table=table,
                to=to,
                pairs=dict(zip(here, there, strict=True)),
                nullable=frozenset(empty or ()),
            )
            for table, to, here, there, empty in cursor.fetchall()
        ]


def _is_walled(column: Column, constraints: list[Constraint]) -> bool:
    """A composite key leads from here, with the practice, to the row itself or to a row that is walled in the same way."""
    table, name = column
    return any(
        one.pairs[name] == "id" or _is_walled((one.to, one.pairs[name]), constraints)
        for one in constraints
        if one.table == table and one.binds(name)
    )


@pytest.mark.parametrize("column", KEYS, ids=".".join)
def test_a_key_between_walled_tables_carries_the_practice(
    column: Column, constraints: list[Constraint]
) -> None:
    assert _is_walled(column, constraints)


def test_what_belongs_to_a_client_points_at_rows_of_that_client(constraints: list[Constraint]) -> None:
    """A table with a client, whose key leads to another with a client, carries that too."""
    with_client = {
        model._meta.db_table: model._meta.get_field("client")
        for model in apps.get_models()
        if {"practice_id", "client_id"} <= _columns(model)
        and "client" in {f.name for f in model._meta.fields}
    }
    loose = [
        f"{one.table} -> {one.to}"
        for one in constraints
        if one.table in with_client and one.to in with_client and "practice_id" in one.pairs
        if "client_id" not in one.pairs
    ]
    assert loose == []


def test_there_are_keys_to_look_at() -> None:
    assert len(KEYS) >= 15


def test_uniqueness_ends_at_the_wall() -> None:
    """A duplicate is told to whoever makes it: over a wall, that would be an oracle, and a way to squat."""
    telling = {
        (table, columns): predicate
        for table, columns, predicate in _unique_indexes()
        if not {"practice_id", *_ids_of_walled_rows(table)} & set(columns)
        and (table, columns) not in MADE_BY_THE_PORTAL
    }
    assert set(telling) == set(ONCE_PROVED)
    for key, condition in ONCE_PROVED.items():
        assert condition in telling[key]


def _unique_indexes() -> list[tuple[str, tuple[str, ...], str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select i.indrelid::regclass::text, array(select a.attname::text from unnest(i.indkey) k "
            "join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k order by 1), "
            "coalesce(pg_get_expr(indpred, indrelid), '') from pg_index i "
            "join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace "
            "where n.nspname = 'public' and i.indisunique and not i.indisprimary and exists (select from "
            "pg_attribute a where a.attrelid = i.indrelid and a.attname = 'practice_id')"
        )
        return [(table, tuple(columns), predicate) for table, columns, predicate in cursor.fetchall()]


def _ids_of_walled_rows(table: str) -> set[str]:
    """Columns that hold the id of a row behind the same wall: a pair with one of them is unique inside it."""
    return {name for owner, name in KEYS if owner == table}
