"""Make the database ready for this version: roles, rights, tables. `PORTAL_PROCESS=owner manage.py database_prepare`.

Needs ADMIN_DATABASE_URL (a superuser, used for roles and the database alone) and the four addresses of the product,
whose passwords the roles get. Safe to run at every start. Without a superuser: make the roles by hand, then `migrate`.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from environ import FileAwareEnv

from portal.kernel import roles

ADMIN = "ADMIN_DATABASE_URL"


class Command(BaseCommand):
    """Exits with 1 and one sentence when a setting is missing or the database does not answer."""

    help = "Create or renew the database roles and the database, and migrate."
    requires_system_checks = []  # they ask for walls that only this command will build

    def handle(self, *_args: Any, **options: Any) -> None:  # Any: Django's signature
        """Roles first, then the tables as their owner."""
        if settings.PROCESS != "owner":
            raise CommandError("Run this as the owner: PORTAL_PROCESS=owner.")
        addresses = _addresses()
        passwords = {role: _password(role, addresses[name]) for role, name in roles.ROLES.items()}
        database = addresses["OWNER_DATABASE_URL"].path.lstrip("/")
        try:
            roles.prepare(addresses[ADMIN].geturl(), database=database, passwords=passwords)
        except psycopg.OperationalError as error:
            raise CommandError(f"The database does not let {ADMIN} in: {error}") from error
        call_command("migrate", interactive=False, verbosity=0)
        if options["verbosity"]:
            self.stdout.write(f"The database {database!r} is ready.")


def _addresses() -> dict[str, SplitResult]:
    names = (ADMIN, *roles.ROLES.values())
    missing = [name for name in names if not (os.environ.get(name) or os.environ.get(f"{name}_FILE"))]
    if missing:
        raise CommandError(f"Set {', '.join(missing)} (or the same names with _FILE). See docs/running.md.")
    environment = FileAwareEnv()
    return {name: urlsplit(environment.str(name).strip()) for name in names}


def _password(role: str, address: SplitResult) -> str:
    if address.username != role or not address.password:
        raise CommandError(f"{roles.ROLES[role]} has to log in as {role}, with a password.")
    return unquote(address.password)
