"""Migration operations that put the wall into PostgreSQL (SECURITY §3.1).

Each tenant table gets exactly one permissive policy per role. Settings are read in sub-selects: once per
statement, usable by an index, frozen for the life of a cursor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.db.migrations.operations import RunSQL

WEB, WORKER, OWNER, AUDIT = "portal_web", "portal_worker", "portal_owner", "portal_audit_ro"

PRACTICE: Final = "practice_id = (select app_uuid('app.practice'))"
ON_PRACTICE_SIDE: Final = "(select current_setting('app.side', true)) = 'practice'"
OWN_CLIENT: Final = f"({ON_PRACTICE_SIDE} or client_id = (select app_uuid('app.client')))"
OWN_USER: Final = "user_id = (select app_uuid('app.user'))"
OWN_LINK: Final = (
    "((select current_setting('app.side', true)) = 'bearer' "
    "and token_sha256 = (select nullif(current_setting('app.token', true), '')))"
)
IS_SYSTEM: Final = "(select current_setting('app.side', true)) = 'system'"

# Who sees a row, by the kind of table.
PRACTICE_ROWS: Final = f"{PRACTICE} and {ON_PRACTICE_SIDE}"
CLIENT_ROWS: Final = f"{PRACTICE} and {OWN_CLIENT}"
SHARED_ROWS: Final = PRACTICE  # both sides of one practice: its name, its people, the head of its audit chain

FUNCTIONS: Final = """
create function app_uuid(name text) returns uuid language sql stable parallel safe
  as $$ select nullif(current_setting(name, true), '')::uuid $$;
create function refuse_change() returns trigger language plpgsql
  as $$ begin raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege'; end $$;
create function refuse_frozen() returns trigger language plpgsql as $$
  declare name text; begin
    foreach name in array tg_argv loop
      if to_jsonb(old) -> name is distinct from to_jsonb(new) -> name then
        raise exception '%.% is frozen', tg_table_name, name using errcode = 'insufficient_privilege';
      end if;
    end loop;
    return new;
  end $$;
"""

# Tables made later by the owner are usable at once; what must be less is revoked table by table.
DEFAULT_GRANTS: Final = f"""
grant select, insert, update, delete on all tables in schema public to {WEB}, {WORKER};
grant usage, select on all sequences in schema public to {WEB}, {WORKER};
grant select on all tables in schema public to {AUDIT};
alter default privileges in schema public grant select, insert, update, delete on tables to {WEB}, {WORKER};
alter default privileges in schema public grant usage, select on sequences to {WEB}, {WORKER};
alter default privileges in schema public grant select on tables to {AUDIT};
"""


def ground() -> RunSQL:
    """Functions and grants that every later table leans on. Once, in the kernel's first migration."""
    return RunSQL(
        DEFAULT_GRANTS + FUNCTIONS,
        "drop function app_uuid; drop function refuse_change; drop function refuse_frozen;",
    )


def tenant_table(table: str, *, using: str, worker_also: str = "") -> RunSQL:
    """Row-level security, forced. `using` decides for every role; `worker_also` widens for the worker's role alone."""
    for_worker = f"({using}) or {worker_also}" if worker_also else using
    return RunSQL(
        f"""
        alter table {table} enable row level security, force row level security;
        create policy tenant on {table} for all to {WEB}, {OWNER} using ({using});
        create policy tenant_worker on {table} for all to {WORKER} using ({for_worker});
        create policy audit_read on {table} for select to {AUDIT} using (true);
        """,
        f"""
        drop policy tenant on {table}; drop policy tenant_worker on {table}; drop policy audit_read on {table};
        alter table {table} disable row level security, no force row level security;
        """,
    )


def closed_table(table: str) -> RunSQL:
    """A table that comes with a package and that nothing here uses: no role but the owner reaches it."""
    rights = f"on {table}"
    return RunSQL(
        f"revoke all {rights} from {WEB}, {WORKER}, {AUDIT}",
        f"grant select, insert, update, delete {rights} to {WEB}, {WORKER}; grant select {rights} to {AUDIT}",
    )


def writing_only(table: str, *, when: str) -> RunSQL:
    """What may be seen by more people than may write it: restrictive policies for every kind of write."""
    commands = {"insert": f"with check ({when})", "update": f"using ({when})", "delete": f"using ({when})"}
    made = "".join(
        f"create policy {command}_only on {table} as restrictive for {command} to {WEB}, {WORKER} {rule};"
        for command, rule in commands.items()
    )
    return RunSQL(made, "".join(f"drop policy {command}_only on {table};" for command in commands))


def reading_only(table: str, *, when: str) -> RunSQL:
    """A further condition on the rows that exist: restrictive policies for seeing, changing and deleting them.

    None for making one: a row may have to exist before that which lets its maker see it. Columns that the database
    fills in while it inserts would be read back, and so need the condition at once.
    """
    commands = ("select", "update", "delete")
    made = "".join(
        f"create policy {command}_seen on {table} as restrictive for {command} to {WEB}, {WORKER} using ({when});"
        for command in commands
    )
    return RunSQL(made, "".join(f"drop policy {command}_seen on {table};" for command in commands))


def composite_key(table: str, columns: Sequence[str], *, to: str, to_columns: Sequence[str]) -> RunSQL:
    """A foreign key that carries the tenant, so that no row points across a wall: plain keys ignore row security."""
    name = f"{table}_{'_'.join(columns[-1:])}_wall"
    return RunSQL(
        f"alter table {table} add constraint {name} foreign key ({', '.join(columns)}) "
        f"references {to} ({', '.join(to_columns)}) deferrable initially immediate",
        f"alter table {table} drop constraint {name}",
    )


def wall_target(table: str, *columns: str) -> RunSQL:
    """The unique key that composite foreign keys point at."""
    name = f"{table}_{'_'.join(columns)}_wall_target"[:63]
    return RunSQL(
        f"alter table {table} add constraint {name} unique ({', '.join(columns)})",
        f"alter table {table} drop constraint {name}",
    )


def append_only(table: str) -> RunSQL:
    """INSERT and SELECT only: by grant, by row trigger, by statement trigger for TRUNCATE; triggers that replicas fire too."""
    return RunSQL(
        f"""
        revoke update, delete, truncate on {table} from {WEB}, {WORKER};
        create trigger no_change before update or delete on {table} for each row execute function refuse_change();
        create trigger no_truncate before truncate on {table} for each statement execute function refuse_change();
        alter table {table} enable always trigger no_change, enable always trigger no_truncate;
        """,
        f"drop trigger no_change on {table}; drop trigger no_truncate on {table};",
    )


def frozen_columns(table: str, *columns: str) -> RunSQL:
    """Columns that keep the value they were made with, whatever the code does."""
    names = ", ".join(f"'{column}'" for column in columns)
    return RunSQL(
        f"create trigger frozen before update on {table} for each row execute function refuse_frozen({names});"
        f"alter table {table} enable always trigger frozen;",
        f"drop trigger frozen on {table}",
    )
