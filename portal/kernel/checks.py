"""Boot check: the wall stands, as seen by the role this process runs under (SECURITY §3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

FAULTS: Final = """
with me as (select oid from pg_roles where rolname = current_user),
rel as (select c.* from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public'),
tenant as (select * from rel where relkind in ('r', 'p') and exists (select 1 from pg_attribute a
  where a.attrelid = rel.oid and a.attname = 'practice_id' and not a.attisdropped)),
mine as (select p.* from pg_policy p, me where exists (select 1 from unnest(p.polroles) q
  where q = 0 or pg_has_role(me.oid, q, 'MEMBER')))
select 'may become ' || r.rolname from pg_roles r, me
  where (r.rolsuper or r.rolbypassrls) and pg_has_role(me.oid, r.oid, 'MEMBER')
union all select 'reaches the owner of ' || t.relname from tenant t, me where pg_has_role(me.oid, t.relowner, 'MEMBER')
union all select 'row security not forced on ' || relname from tenant
  where not (relrowsecurity and relforcerowsecurity)
union all select 'no policy on ' || relname from tenant t where not exists (select 1 from mine where polrelid = t.oid)
union all select 'two permissive policies on ' || relname from tenant t
  where (select count(*) from mine where polrelid = t.oid and polpermissive) > 1
union all select 'view without security_invoker: ' || relname from rel
  where relkind = 'v' and not coalesce(reloptions @> array['security_invoker=true'], false)
"""


def unwalled(connection: BaseDatabaseWrapper) -> list[str]:
    """Every fault of the wall in words; empty when it stands. Raises DatabaseError when the database is away."""
    with connection.cursor() as cursor:
        cursor.execute(FAULTS)
        return [fault for (fault,) in cursor.fetchall()]


@register(Tags.security)
def check_loopback(**_kwargs: Any) -> list[CheckMessage]:  # Any: Django's signature
    """Only the demo and tests may have sign-in services without TLS on this machine."""
    if not settings.SIGN_IN_SERVICES_ON_LOOPBACK or (settings.DEMO_MODE and not settings.USE_TLS):
        return []
    return [
        Error(
            "SIGN_IN_SERVICES_ON_LOOPBACK is for the demo and for tests.",
            hint="Leave it out: sign-in services have to be https on the public internet.",
            id="portal.E002",
        )
    ]


@register(Tags.database)
def check_wall(
    *, databases: Sequence[str] | None = None, **_kwargs: Any
) -> list[CheckMessage]:  # Any: Django's signature
    """`manage.py check --database default` refuses a superuser, a bypassing role and an open tenant table."""
    return [
        Error(
            f"The tenant wall is open: {fault}.",
            hint="Run the process as portal_web or portal_worker.",
            id="portal.E001",
        )
        for alias in databases or []
        for fault in unwalled(connections[alias])
    ]
