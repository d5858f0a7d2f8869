"""What lies in every table, as one digest per table, practice and client: quick enough to take before and after."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

import psycopg

from portal.kernel import tenancy

# Whose rows a digest is of: table, practice ("" for tables of the installation), client ("" where there is none).
Owner = tuple[str, str, str]
Digests = Mapping[Owner, str]
# The sign-in machinery's own, written by design: sessions, how often something was tried, proofs that are spent.
OF_SIGNING_IN: Final = frozenset({"accounts_browsersession", "accounts_attempts", "accounts_stepup"})
# Where a refusal is told, in the practice of whoever was refused, or in the installation's.
RECORD: Final = frozenset({"kernel_auditevent", "kernel_auditbody", "kernel_audithead"})
SIGNING: Final[Owner] = (
    "kernel_due",
    str(tenancy.PLATFORM_ID),
    "",
)  # the first refusal has it signed in time
TABLES: Final = """
    select relname, exists (select from pg_attribute where attrelid = c.oid and attname = 'practice_id'),
           exists (select from pg_attribute where attrelid = c.oid and attname = 'client_id')
    from pg_class c join pg_namespace n on n.oid = relnamespace
    where nspname = 'public' and relkind in ('r', 'p') order by relname
"""


def digests(superuser: psycopg.Connection[tuple[Any, ...]]) -> dict[Owner, str]:
    """Of all tables but those of signing in, in one statement."""
    parts = [
        _one(table, has_practice=has_practice, has_client=has_client)
        for table, has_practice, has_client in superuser.execute(TABLES).fetchall()
        if table not in OF_SIGNING_IN
    ]
    rows = superuser.execute(" union all ".join(parts)).fetchall()
    return {(table, practice, client): digest for table, practice, client, digest in rows}


def changed(before: Digests, after: Digests, *, telling: AbstractSet[str] = frozenset()) -> set[Owner]:
    """Whose rows are not what they were; of practices that are `telling`, the record of refusals is left out."""
    found = {owner for owner in {*before, *after} if before.get(owner) != after.get(owner)}
    return {one for one in found if not (one[1] in telling and (one[0] in RECORD or one == SIGNING))}


def _one(table: str, *, has_practice: bool, has_client: bool) -> str:
    practice = "coalesce(practice_id::text, '')" if has_practice else "''"
    own = "id" if table in {"accounts_practice", "accounts_client"} else ""
    if table == "accounts_practice":
        practice, own = "id::text", ""
    client = "coalesce(client_id::text, '')" if has_client else "''"
    if own:
        client = "id::text"
    return (
        f"(select '{table}', {practice}, {client}, md5(string_agg(t::text, '|' order by t::text)) "  # noqa: S608  # as above
        f"from {table} t group by 2, 3)"
    )
