"""Tables of the papers, read off the code and the database: a paper that says something else fails its test."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import psycopg
from django import forms
from django.urls import get_resolver

from portal.kernel.fields import Lines
from tests.walls.addresses import own_forms

FROZEN: Final = """
select c.relname, encode(t.tgargs, 'escape') from pg_trigger t join pg_class c on c.oid = t.tgrelid
where t.tgname = 'frozen' order by 1
"""
APPEND_ONLY: Final = """
select distinct c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid
join pg_proc p on p.oid = t.tgfoid where p.proname = 'refuse_change' and t.tgtype & 16 > 0 order by 1
"""
ALL: Final = "select relname from pg_class c join pg_namespace n on n.oid = relnamespace where nspname = 'public' and relkind in ('r', 'p') order by 1"


def fields_of_forms() -> list[str]:
    """One row for each field that somebody may fill in: form, field, what it takes, how much of it, whether it must be."""
    assert get_resolver().url_patterns  # loads every page, and with them every form
    rows = {
        f"| `{form.__module__}.{form.__name__}` | `{name}` | {_kind(field)} | {_measure(field)} | {'yes' if field.required else 'no'} |"
        for form in own_forms()
        for name, field in form.base_fields.items()
    }
    return sorted(rows)


def _kind(field: forms.Field) -> str:
    match field:
        case forms.BooleanField():
            return "a tick"
        case forms.ModelChoiceField() | forms.ChoiceField():
            return "a choice of those offered"
        case forms.EmailField():
            return "an address"
        case forms.DateTimeField():
            return "a moment"
        case forms.IntegerField():
            return "a number"
        case Lines():
            return "lines of text"
        case forms.CharField():
            return (
                "what our page put there"
                if isinstance(field.widget, forms.HiddenInput)
                else "one line of text"
            )
        case _:
            return type(field).__name__


def _measure(field: forms.Field) -> str:
    if isinstance(field, forms.CharField):
        return f"{field.max_length} characters" if field.max_length else "the request's limit"
    if isinstance(field, forms.IntegerField):
        return f"{field.min_value} to {field.max_value}"
    return "–"


def frozen_columns(superuser: psycopg.Connection[tuple[Any, ...]]) -> list[str]:
    """One row for each table with columns that never change."""
    return [
        f"| `{table}` | {', '.join(f'`{name}`' for name in _names(arguments))} |"
        for table, arguments in superuser.execute(FROZEN).fetchall()
    ]


def append_only(superuser: psycopg.Connection[tuple[Any, ...]]) -> list[str]:
    """The tables whose rows are never changed nor deleted."""
    return [table for (table,) in superuser.execute(APPEND_ONLY).fetchall()]


def tables(superuser: psycopg.Connection[tuple[Any, ...]]) -> set[str]:
    """Every table there is."""
    return {table for (table,) in superuser.execute(ALL).fetchall()}


def _names(arguments: str) -> Iterable[str]:
    return [name for name in arguments.split("\\000") if name]
