"""Reads whose SQL never changes: written once in a process, asked with another key each time.

Django writes the SQL of a queryset anew for each request, which takes longer than reading the rows. What is kept here
is the statement and how its columns become rows; never a row, and never anything of who asks: the connection tells the
scope before each statement, as always.
"""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model, QuerySet
from django.db.models.query import ModelIterable
from django.db.transaction import TransactionManagementError

Row = TypeVar("Row", bound=Model)
Key = TypeVar("Key", UUID, str)


class Repeated(Generic[Row, Key]):
    """`build` makes the queryset for a key; `mark` is any key of the right kind, which stands for the real one meanwhile.

    The key has to be all that differs between two askings, and `build` may only compare with it.
    """

    def __init__(self, build: Callable[[Key], QuerySet[Row]], *, mark: Key) -> None:
        self._build: Callable[[Key], QuerySet[Row]] = build
        self._mark: Key = mark
        self._statement: _Statement | None = None

    def rows(self, key: Key) -> list[Row]:
        """The rows of this key as `build(key)` would find them now. One query."""
        if self._statement is None:
            self._statement = _written(self._build(self._mark), self._mark)
        asked: Any = _Asked(self._statement, key)  # in a queryset's place: it has what is asked of one
        return list(ModelIterable(asked))

    def first(self, key: Key) -> Row | None:
        """The first of them; for a queryset that is cut to one."""
        return next(iter(self.rows(key)), None)

    def get(self, key: Key) -> Row:
        """The row of this key; for a queryset that compares with a key of the table. Raises ObjectDoesNotExist."""
        if (found := self.first(key)) is None:
            raise ObjectDoesNotExist
        return found


def any_id() -> UUID:
    """A mark where keys are ids: no row's."""
    return UUID(bytes=secrets.token_bytes(16))


def any_text() -> str:
    """A mark where keys are texts: nobody's."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statement:
    """The SQL with its parameters, where among them the key stands, and the compiler that knows the columns."""

    sql: str
    params: tuple[Any, ...]  # Any: whatever the database takes
    places: tuple[int, ...]
    compiler: Any  # private to Django

    def params_for(self, key: UUID | str) -> tuple[Any, ...]:  # Any: as above
        """The parameters with this key."""
        return tuple(key if place in self.places else held for place, held in enumerate(self.params))


def _written(rows: QuerySet[Any], mark: UUID | str) -> _Statement:
    compiler = rows.query.get_compiler(using=DEFAULT_DB_ALIAS)
    sql, params = compiler.as_sql()
    places = tuple(place for place, held in enumerate(params) if held == mark)
    if not places:
        raise ValueError("The key stands nowhere in this statement.")
    return _Statement(sql=sql, params=tuple(params), places=places, compiler=compiler)


class _Asked:
    """What Django's own iteration over rows wants of a queryset: here with the SQL that is written already."""

    db = DEFAULT_DB_ALIAS
    _known_related_objects: dict[Any, Any] = {}  # as a queryset has it; never written to

    def __init__(self, statement: _Statement, key: UUID | str) -> None:
        self.query = self
        self._statement, self._key = statement, key

    def get_compiler(self, using: str) -> Any:  # private to Django
        """The compiler of the statement, on this thread's connection."""
        found = copy.copy(self._statement.compiler)
        found.connection = connections[using]
        # Django asks only while it writes the SQL; a lock outside of a transaction would be gone before it is used.
        if found.query.select_for_update and found.connection.get_autocommit():
            raise TransactionManagementError("select_for_update cannot be used outside of a transaction.")
        written = (self._statement.sql, self._statement.params_for(self._key))
        found.as_sql = lambda: written
        return found
