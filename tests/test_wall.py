"""The scope reaches PostgreSQL, and PostgreSQL decides: shown on a table made for these tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.kernel import rls, tenancy
from portal.kernel.checks import unwalled
from tests.conftest import SqlAs

A, B = UUID(int=0xA), UUID(int=0xB)
X, Y = UUID(int=0x1), UUID(int=0x2)
ROWS = {(A, X): "ax", (A, Y): "ay", (B, X): "bx"}


@pytest.fixture
def notes(real_db: None, sql_as: SqlAs) -> Iterator[None]:
    """A tenant table with three rows: two clients of practice A, one of practice B."""
    owner = sql_as("portal_owner")
    owner.execute("create table note (practice_id uuid not null, client_id uuid not null, body text)")
    owner.execute(rls.tenant_table("note", using=rls.CLIENT_ROWS, worker_also=rls.IS_SYSTEM).sql)  # type: ignore[arg-type]  # an str
    superuser = sql_as("superuser")
    for (practice, client), body in ROWS.items():
        superuser.execute("insert into note values (%s, %s, %s)", [practice, client, body])
    yield
    owner.close()
    superuser.close()


def seen() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("select body from note")
        return {body for (body,) in cursor.fetchall()}


@pytest.mark.django_db
def test_the_suite_runs_as_the_web_role() -> None:
    with connection.cursor() as cursor:
        cursor.execute("select current_user, session_user")
        assert cursor.fetchone() == ("portal_web", "portal_web")


def test_without_scope_there_are_no_rows(notes: None) -> None:
    assert seen() == set()


def test_a_practice_sees_all_its_clients_and_no_other_practice(notes: None) -> None:
    with tenancy.use(tenancy.practice_scope(A)):
        assert seen() == {"ax", "ay"}


def test_a_client_sees_itself_alone(notes: None) -> None:
    with tenancy.use(tenancy.client_scope(A, X)):
        assert seen() == {"ax"}


def test_nothing_stays_behind_after_the_scope(notes: None) -> None:
    with tenancy.use(tenancy.practice_scope(A)):
        seen()
    assert seen() == set()


def test_system_scope_gives_the_web_role_nothing(notes: None) -> None:
    with tenancy.use(tenancy.SYSTEM):
        assert seen() == set()


def test_system_scope_is_the_worker_roles_alone(notes: None, sql_as: SqlAs) -> None:
    worker = sql_as("portal_worker")
    worker.execute("select set_config('app.side', 'system', false)")
    found = worker.execute("select count(*) from note").fetchone()
    assert found == (3,)


def test_another_tenants_row_cannot_be_written(notes: None) -> None:
    with (
        tenancy.use(tenancy.practice_scope(A)),
        pytest.raises(DatabaseError, match="row-level security"),
        connection.cursor() as cursor,
    ):
        cursor.execute("insert into note values (%s, %s, 'forged')", [B, X])


def test_a_rollback_to_a_savepoint_is_told_again(notes: None) -> None:
    with tenancy.use(tenancy.practice_scope(A)), transaction.atomic(durable=True):
        fail_in_a_savepoint()
        assert seen() == {"ax", "ay"}


def test_after_a_rollback_the_next_scope_is_told(notes: None) -> None:
    with tenancy.use(tenancy.practice_scope(A)):
        with transaction.atomic(durable=True):
            seen()
            transaction.set_rollback(True)
        assert seen() == {"ax", "ay"}
    with tenancy.use(tenancy.practice_scope(B)):
        assert seen() == {"bx"}


def test_a_new_connection_is_told(notes: None) -> None:
    with tenancy.use(tenancy.practice_scope(A)):
        seen()
        connection.close()
        assert seen() == {"ax", "ay"}


def test_a_thread_inherits_no_scope(notes: None) -> None:
    found: list[set[str]] = []

    def look() -> None:
        with closing(connection):
            found.append(seen())

    with tenancy.use(tenancy.practice_scope(A)):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert found == [set()]


def test_a_safe_request_cannot_write(notes: None) -> None:
    with (
        tenancy.use(tenancy.practice_scope(A, read_only=True)),
        pytest.raises(DatabaseError, match="read-only"),
        connection.cursor() as cursor,
    ):
        cursor.execute("insert into note values (%s, %s, 'late')", [A, X])


def test_the_read_only_mark_does_not_outlive_its_scope(notes: None) -> None:
    with tenancy.use(tenancy.practice_scope(A, read_only=True)):
        seen()
    with tenancy.use(tenancy.practice_scope(A).writable()), connection.cursor() as cursor:
        cursor.execute("insert into note values (%s, %s, 'fine')", [A, X])
        assert cursor.rowcount == 1


SCOPES = st.sampled_from(
    [
        (tenancy.NOBODY, set()),
        (tenancy.practice_scope(A), {"ax", "ay"}),
        (tenancy.practice_scope(B), {"bx"}),
        (tenancy.client_scope(A, Y), {"ay"}),
        (tenancy.user_scope(uuid4()), set()),
        (tenancy.bearer_scope("f" * 64), set()),
    ]
)
DISTURBANCES = st.sampled_from(["none", "rollback", "savepoint", "close", "error"])


def fail_in_a_savepoint() -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select 1/0")


def disturb(how: str) -> None:
    """What a real request may do to its connection between two reads."""
    if how == "close":
        connection.close()
    if how == "error":
        with pytest.raises(DatabaseError), connection.cursor() as cursor:
            cursor.execute("select nonsense")
    if how == "rollback":
        with transaction.atomic():
            seen()
            transaction.set_rollback(True)
    if how == "savepoint":
        with transaction.atomic():
            fail_in_a_savepoint()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(SCOPES, DISTURBANCES), min_size=1, max_size=12))
def test_rows_seen_always_equal_the_scope(
    notes: None, steps: list[tuple[tuple[tenancy.Scope, set[str]], str]]
) -> None:
    for (scope, expected), disturbance in steps:
        with tenancy.use(scope):
            disturb(disturbance)
            assert seen() == expected


def test_a_scope_cannot_change_inside_a_transaction(notes: None) -> None:
    with (
        transaction.atomic(durable=True),
        pytest.raises(tenancy.ScopeError, match="inside a transaction"),
        tenancy.use(tenancy.practice_scope(A)),
    ):
        pytest.fail("entered")


@pytest.mark.parametrize(
    "make",
    [
        lambda: tenancy.Scope(side=tenancy.Side.PRACTICE),
        lambda: tenancy.Scope(side=tenancy.Side.CLIENT, practice_id=A),
        lambda: tenancy.Scope(side=tenancy.Side.PRACTICE, practice_id=A, client_id=X),
        lambda: tenancy.Scope(side=tenancy.Side.USER),
        lambda: tenancy.Scope(side=tenancy.Side.BEARER),
        lambda: tenancy.Scope(side=tenancy.Side.SYSTEM, practice_id=A),
        lambda: tenancy.practice_scope(None),  # type: ignore[arg-type]  # the mistake that must be refused
        lambda: tenancy.practice_scope(True),  # type: ignore[arg-type]  # noqa: FBT003
        lambda: tenancy.practice_scope(""),  # type: ignore[arg-type]
    ],
)
def test_half_a_tenant_is_no_scope(make: object) -> None:
    assert callable(make)
    with pytest.raises(tenancy.ScopeError):
        make()


def test_another_tenants_scope_does_not_nest() -> None:
    with (
        tenancy.use(tenancy.practice_scope(A)),
        pytest.raises(tenancy.ScopeError, match="another tenant"),
        tenancy.use(tenancy.practice_scope(B)),
    ):
        pytest.fail("entered")


def test_a_client_cannot_become_the_practice() -> None:
    with (
        tenancy.use(tenancy.client_scope(A, X)),
        pytest.raises(tenancy.ScopeError, match="client's scope"),
        tenancy.use(tenancy.practice_scope(A)),
    ):
        pytest.fail("entered")


def test_practice_id_needs_a_scope() -> None:
    with pytest.raises(tenancy.ScopeError):
        tenancy.practice_id()


def test_append_only_rows_cannot_be_changed_by_anybody(real_db: None, sql_as: SqlAs) -> None:
    owner = sql_as("portal_owner")
    owner.execute("create table mark (practice_id uuid, body text)")
    owner.execute(rls.tenant_table("mark", using=rls.PRACTICE_ROWS).sql)  # type: ignore[arg-type]
    owner.execute(rls.append_only("mark").sql)  # type: ignore[arg-type]
    sql_as("superuser").execute("insert into mark values (%s, 'kept')", [A])
    web = sql_as("portal_web")
    web.execute(
        "select set_config('app.side', 'practice', false), set_config('app.practice', %s, false)", [str(A)]
    )
    for statement in ("update mark set body = 'x'", "delete from mark", "truncate mark"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            web.execute(statement)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            sql_as("superuser").execute(statement)


def test_frozen_columns_keep_their_value(real_db: None, sql_as: SqlAs) -> None:
    owner = sql_as("portal_owner")
    owner.execute("create table thing (secret text, free text)")
    owner.execute(rls.frozen_columns("thing", "secret").sql)  # type: ignore[arg-type]
    owner.execute("insert into thing values ('first', 'a')")
    owner.execute("update thing set free = 'b'")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"thing.secret is frozen"):
        owner.execute("update thing set secret = 'second'")


def test_a_composite_key_stops_a_row_that_points_across_the_wall(real_db: None, sql_as: SqlAs) -> None:
    owner = sql_as("portal_owner")
    owner.execute("create table parent (id uuid primary key, practice_id uuid not null)")
    owner.execute("create table child (parent_id uuid, practice_id uuid not null)")
    owner.execute(rls.wall_target("parent", "practice_id", "id").sql)  # type: ignore[arg-type]
    key = rls.composite_key(
        "child", ("practice_id", "parent_id"), to="parent", to_columns=("practice_id", "id")
    )
    owner.execute(key.sql)  # type: ignore[arg-type]
    owner.execute("insert into parent values (%s, %s)", [X, A])
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        owner.execute("insert into child values (%s, %s)", [X, B])


def test_the_boot_check_passes_where_the_wall_stands(notes: None) -> None:
    assert unwalled(connection) == []


def test_the_boot_check_names_an_open_table(real_db: None, sql_as: SqlAs) -> None:
    sql_as("portal_owner").execute("create table leak (practice_id uuid)")
    assert unwalled(connection) == ["row security not forced on leak", "no policy on leak"]


def test_the_boot_check_names_a_second_permissive_policy(notes: None, sql_as: SqlAs) -> None:
    sql_as("portal_owner").execute("create policy wide on note for select to portal_web using (true)")
    assert unwalled(connection) == ["two permissive policies on note"]


def test_the_boot_check_names_a_view_that_runs_as_its_owner(notes: None, sql_as: SqlAs) -> None:
    sql_as("portal_owner").execute("create view peek as select * from note")
    assert unwalled(connection) == ["view without security_invoker: peek"]


def test_no_role_of_the_product_bypasses_row_security(sql_as: SqlAs) -> None:
    for role in ("portal_owner", "portal_web", "portal_worker", "portal_audit_ro"):
        row = (
            sql_as(role)
            .execute(
                "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb from pg_roles where rolname = current_user"
            )
            .fetchone()
        )
        assert row == (False, False, False, False), role


def test_only_a_scope_can_be_used() -> None:
    with pytest.raises(tenancy.ScopeError, match="not a scope"), tenancy.use(None):  # type: ignore[arg-type]  # the mistake
        pytest.fail("entered")


def test_the_platforms_own_rows_have_a_practice_of_their_own() -> None:
    with tenancy.use(tenancy.platform_scope()):
        assert tenancy.practice_id() == tenancy.PLATFORM_ID


def test_manage_check_refuses_an_open_table(real_db: None, sql_as: SqlAs) -> None:
    from django.core.management import call_command
    from django.core.management.base import SystemCheckError

    call_command("check", databases=["default"])
    sql_as("portal_owner").execute("create table leak (practice_id uuid)")
    with pytest.raises(SystemCheckError, match=r"portal\.E001.*not forced on leak"):
        call_command("check", databases=["default"])


def test_the_first_thing_after_a_page_that_only_read_may_be_a_write(real_db: None) -> None:
    with tenancy.use(tenancy.practice_scope(A, read_only=True)), connection.cursor() as cursor:
        cursor.execute("select 1")
    with (
        tenancy.use(tenancy.practice_scope(A)),
        transaction.atomic(durable=True),
        connection.cursor() as cursor,
    ):
        cursor.execute("show transaction_read_only")
        assert cursor.fetchone() == ("off",)
    with (
        tenancy.use(tenancy.practice_scope(A, read_only=True)),
        transaction.atomic(durable=True),
        connection.cursor() as cursor,
    ):
        cursor.execute("show transaction_read_only")
        assert cursor.fetchone() == ("on",)
