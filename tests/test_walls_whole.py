"""What must hold of the whole schema, whatever tables come next."""

from __future__ import annotations

import pytest
from django.db import connection

# The only tables that the worker may read across practices: they hold ids and moments, no tenant's words.
OPEN_TO_SWEEPS = {"kernel_outboxmessage", "kernel_due"}


@pytest.mark.django_db
def test_system_scope_opens_only_tables_of_ids() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "select tablename from pg_policies where qual like '%%''system''%%' or qual like '%%= ''system%%'"
        )
        assert {name for (name,) in cursor.fetchall()} == OPEN_TO_SWEEPS


@pytest.mark.django_db
def test_the_web_role_may_truncate_nothing() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "select relname from pg_class c join pg_namespace n on n.oid = relnamespace where nspname = 'public' "
            "and relkind in ('r', 'p') and has_table_privilege(current_user, c.oid, 'TRUNCATE')"
        )
        assert cursor.fetchall() == []
