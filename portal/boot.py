"""What web, worker and beat ask once before they start: is the database ours, complete and walled?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection

from portal.kernel import roles
from portal.kernel.checks import unwalled

# Gunicorn takes 4 for "this application cannot load" and gives up; after another code it would try for ever.
EXIT_CODE: Final = 4


@contextmanager
def one_sentence() -> Iterator[None]:
    """End the process when it must not start, and say why without a traceback that would only hide it."""
    try:
        yield
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_CODE)


def refuse_unready() -> None:
    """Raise ImproperlyConfigured with everything that is wrong, in one sentence."""
    try:
        faults = [*_wrong_role(), *_unmade_tables()] or unwalled(connection)
    except DatabaseError as error:
        first_line = str(error).strip().partition("\n")[0]
        faults = [f"the database does not answer ({first_line})"]
    finally:
        # Processes forked after this one must not share its connection.
        if not connection.in_atomic_block:
            connection.close()
    if faults:
        raise ImproperlyConfigured(f"Latchkey does not start: {'; '.join(faults)}. See docs/running.md.")


def _wrong_role() -> list[str]:
    """Policies and grants name the roles, so a role with another name would see too much or nothing."""
    variable = settings.DATABASE_VARIABLES[settings.PROCESS]
    wanted = next(role for role, name in roles.ROLES.items() if name == variable)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        (found,) = cursor.fetchone()
    return [] if found == wanted else [f"{variable} logs in as {found} instead of {wanted}"]


def _unmade_tables() -> list[str]:
    from django.db.migrations.executor import MigrationExecutor  # not for every management command

    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"the database lacks {len(pending)} migrations, run database_prepare first"] if pending else []
