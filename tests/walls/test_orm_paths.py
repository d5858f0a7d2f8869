"""Every way that Django's ORM knows past a manager, against rows of somebody else: none of them finds or moves one (SECURITY T4)."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, connection, models, transaction
from django.db.models import Count, Exists

from accounts.models import Client, Practice
from portal.kernel import tenancy
from tests.conftest import SqlAs
from tests.walls.actors import World
from tests.walls.digests import digests

Row = models.Model
Model = type[models.Model]


def tenant_models(column: str) -> list[Model]:
    """Every model with rows that belong to one practice, or to one client of it."""
    return [
        model
        for model in apps.get_models()
        if model._meta.managed and column in {field.column for field in model._meta.concrete_fields}
    ]


def rows_of(model: Model) -> models.QuerySet[Row]:
    return model._base_manager.all()


# Reading: each gives back what it found of the one row, and has to find nothing.


async def _asked_by_async_for(model: Model, pk: object) -> list[Row]:
    return [row async for row in rows_of(model).filter(pk=pk)]


def _by_cursor(model: Model, pk: Any) -> object:
    key, table = model._meta.pk.column, model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f'select 1 from {table} where "{key}" = %s', [pk])  # noqa: S608  # names of our own
        return cursor.fetchone()


def _by_traversal(model: Model, pk: object) -> object:
    """As a key of another row that leads there would: through the related field's own manager."""
    leading = next((one for one in model._meta.related_objects if not one.many_to_many), None)
    if leading is None or not isinstance(leading.field, models.ForeignKey):
        return None
    child = leading.related_model(**{leading.field.attname: pk})
    with contextlib.suppress(ObjectDoesNotExist):
        return getattr(child, leading.field.name)
    return None


READS: Final[dict[str, Callable[[Model, Any], object]]] = {  # Any: a key of any kind
    "exists": lambda model, pk: rows_of(model).filter(pk=pk).exists(),
    "first": lambda model, pk: rows_of(model).filter(pk=pk).first(),
    "all": lambda model, pk: [row for row in rows_of(model) if row.pk == pk],
    "count": lambda model, pk: rows_of(model).filter(pk=pk).count(),
    "aggregate": lambda model, pk: rows_of(model).filter(pk=pk).aggregate(found=Count("pk"))["found"],
    "in_bulk": lambda model, pk: rows_of(model).in_bulk([pk]),
    "iterator": lambda model, pk: list(rows_of(model).filter(pk=pk).iterator(chunk_size=1)),
    "values": lambda model, pk: list(rows_of(model).filter(pk=pk).values()),
    "union": lambda model, pk: list(rows_of(model).filter(pk=pk).union(rows_of(model).none())),
    "subquery": lambda model, pk: any(
        rows_of(model).annotate(theirs=Exists(rows_of(model).filter(pk=pk))).values_list("theirs", flat=True)
    ),
    # The first line is the plan's own end; those below it may count rows of settings.
    "explain": lambda model, pk: (
        "rows=0" not in rows_of(model).filter(pk=pk).explain(analyze=True, costs=False).splitlines()[0]
    ),
    "async for": async_to_sync(_asked_by_async_for),
    "cursor": _by_cursor,
    "traversal": _by_traversal,
}


# Writing: each says how many rows it changed, or is refused by the database.


def _refresh(row: Row) -> object:
    with contextlib.suppress(ObjectDoesNotExist):
        row.refresh_from_db()
        return row
    return None


def _same(row: Row) -> dict[str, object]:
    return {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if not field.primary_key
    }


def _again(row: Row) -> Row:
    """A row of theirs that never was."""
    return type(row)(**_same(row))


def _save(row: Row, *, force_insert: bool = False, force_update: bool = False) -> object:
    row.save(force_insert=force_insert, force_update=force_update)
    return "saved"


WRITES: Final[dict[str, Callable[[Row], object]]] = {
    "update": lambda row: rows_of(type(row)).filter(pk=row.pk).update(**_same(row)),
    "delete many": lambda row: rows_of(type(row)).filter(pk=row.pk)._raw_delete("default"),
    "refresh": _refresh,
    "save": _save,
    "save what is there": lambda row: _save(row, force_update=True),
    "delete": lambda row: row.delete()[0],
    "create": lambda row: _save(_again(row), force_insert=True),
    "bulk_create": lambda row: rows_of(type(row)).bulk_create([_again(row)]),
    "bulk_create and overlook": lambda row: (
        rows_of(type(row)).bulk_create([row], ignore_conflicts=True) and None
    ),
    "bulk_update": lambda row: rows_of(type(row)).bulk_update([row], [row._meta.concrete_fields[-1].name]),
}


def theirs(world: World, whose: str) -> Iterator[Row]:
    """One row of theirs of every table that has any."""
    room = world.rooms[whose]
    with tenancy.use(tenancy.practice_scope(room.practice_id)):
        itself: Row = Practice.objects.get() if whose == "B" else Client.objects.get(pk=room.client_id)
    yield itself
    for model in tenant_models("practice_id" if whose == "B" else "client_id"):
        with tenancy.use(tenancy.practice_scope(room.practice_id)):
            rows = model._base_manager.filter(practice_id=room.practice_id)
            row = (rows if whose == "B" else rows.filter(client_id=room.client_id)).first()
        if row is not None:
            yield row


def ours(world: World, whose: str) -> tenancy.Scope:
    """The practice's side against another practice, and a client's against another client of the same practice."""
    room = world.rooms["X"]
    if whose == "B":
        return tenancy.practice_scope(room.practice_id)
    return tenancy.client_scope(room.practice_id, room.client_id)


@pytest.mark.parametrize("whose", ["B", "Y"])
def test_no_way_of_reading_finds_a_row_of_somebody_else(world: World, whose: str) -> None:
    found = []
    rows = list(theirs(world, whose))
    assert len(rows) > 15
    for row in rows:
        with tenancy.use(ours(world, whose)):
            found += [(type(row).__name__, name) for name, read in READS.items() if read(type(row), row.pk)]
    assert found == []


def test_each_way_of_reading_finds_it_for_who_it_belongs_to(world: World) -> None:
    """Else finding nothing would prove nothing."""
    room = world.rooms["B"]
    model = apps.get_model("engagements", "Engagement")
    with tenancy.use(tenancy.practice_scope(room.practice_id)):
        row = model._base_manager.get(pk=room.engagement_ids["active"])
        assert [name for name, read in READS.items() if not read(model, row.pk)] == []


@pytest.mark.parametrize("whose", ["B", "Y"])
def test_no_way_of_writing_moves_a_row_of_somebody_else(world: World, sql_as: SqlAs, whose: str) -> None:
    look, done = sql_as("superuser"), []
    before = digests(look)
    for row in theirs(world, whose):
        for name, write in WRITES.items():
            with tenancy.use(ours(world, whose)):
                try:
                    with transaction.atomic(durable=True):
                        changed = write(copy.copy(row))
                except (DatabaseError, ObjectDoesNotExist, models.ProtectedError):
                    continue
            if changed:
                done.append((type(row).__name__, name, changed))
    assert done == []
    assert digests(look) == before
