"""The database's login roles: who owns, who serves, who works, who audits. Pure psycopg, no Django."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

# Setting that names each role's address. None may bypass row security, and none may become another.
ROLES: Final = {
    "portal_owner": "OWNER_DATABASE_URL",
    "portal_web": "DATABASE_URL",
    "portal_worker": "WORKER_DATABASE_URL",
    "portal_audit_ro": "AUDIT_DATABASE_URL",
}
RIGHTS: Final = sql.SQL("LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION")


def prepare(admin_url: str, *, database: str, passwords: Mapping[str, str]) -> None:
    """Make or renew the four roles and the database they share. Safe to run again.

    `admin_url` logs in as a superuser; `passwords` maps role name to password.
    """
    with psycopg.connect(admin_url, autocommit=True) as admin:
        for role, password in passwords.items():
            _prepare_role(admin, role, password)
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER portal_owner").format(sql.Identifier(database)))
    _close_public_door(admin_url, database)


def _prepare_role(admin: psycopg.Connection[tuple[object, ...]], role: str, password: str) -> None:
    known = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    verb = sql.SQL("ALTER ROLE") if known else sql.SQL("CREATE ROLE")
    admin.execute(
        sql.SQL("{} {} {} PASSWORD {}").format(verb, sql.Identifier(role), RIGHTS, sql.Literal(password))
    )


def _close_public_door(admin_url: str, database: str) -> None:
    """Nobody but the owner makes tables; everybody else gets what migrations grant."""
    address = urlsplit(admin_url)._replace(path=f"/{database}").geturl()
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute("ALTER SCHEMA public OWNER TO portal_owner")
        admin.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        admin.execute("GRANT USAGE ON SCHEMA public TO portal_web, portal_worker, portal_audit_ro")
