"""Who is looking: the scope of the running request, task or sweep.

The scope lives in a context variable. The database backend (`portal.kernel.database`) tells it to PostgreSQL
before the next statement, and the row-level policies (`portal.kernel.rls`) decide. No scope: no rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from uuid import UUID

from django.db import connection

# The pseudo-practice of rows that exist before any tenant is known, such as a sign-in code on its way.
PLATFORM_ID: Final = UUID(int=0)


class Side(StrEnum):
    """From which side of the wall somebody looks."""

    NOBODY = "nobody"
    BEARER = "bearer"  # holds a link: sees the one invitation whose hash it is
    USER = "user"  # signed in, no practice or client chosen yet: sees the own memberships
    PRACTICE = "practice"
    CLIENT = "client"
    SYSTEM = "system"  # a sweep of the worker: sees due rows, which hold ids only


class ScopeError(RuntimeError):
    """Raised when code would change or widen the scope where that is never right. A bug, not a refusal."""


class OutsideTransaction(RuntimeError):
    """Raised when an event or a promise would be written apart from the transaction of its cause. A bug."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One tenant's view. Made by the named constructors below, which refuse half a tenant."""

    side: Side
    practice_id: UUID | None = None
    client_id: UUID | None = None
    user_id: UUID | None = None
    token_sha256: str = ""
    read_only: bool = False

    def __post_init__(self) -> None:
        needs = {
            Side.BEARER: bool(self.token_sha256),
            Side.USER: _is_id(self.user_id) and self.practice_id is None,
            Side.PRACTICE: _is_id(self.practice_id) and self.client_id is None,
            Side.CLIENT: _is_id(self.practice_id) and _is_id(self.client_id),
        }
        if not needs.get(self.side, self.practice_id is None and self.client_id is None):
            raise ScopeError(f"a {self.side} scope needs its ids, all of them and no others")

    @property
    def settings(self) -> tuple[tuple[str, str], ...]:
        """What PostgreSQL is told, name and value."""
        return (
            ("app.side", self.side.value),
            ("app.practice", str(self.practice_id or "")),
            ("app.client", str(self.client_id or "")),
            ("app.user", str(self.user_id or "")),
            ("app.token", self.token_sha256),
            ("default_transaction_read_only", "on" if self.read_only else "off"),
        )

    def writable(self) -> Scope:
        """The same view without the read-only mark, for the audit row of a refused safe request."""
        return replace(self, read_only=False)


def _is_id(value: object) -> bool:
    return isinstance(value, UUID)


NOBODY: Final = Scope(side=Side.NOBODY)
SYSTEM: Final = Scope(side=Side.SYSTEM)
_current: ContextVar[Scope] = ContextVar("scope", default=NOBODY)


def practice_scope(practice_id: UUID, *, user_id: UUID | None = None, read_only: bool = False) -> Scope:
    """The whole of one practice."""
    return Scope(side=Side.PRACTICE, practice_id=practice_id, user_id=user_id, read_only=read_only)


def client_scope(
    practice_id: UUID, client_id: UUID, *, user_id: UUID | None = None, read_only: bool = False
) -> Scope:
    """One client of one practice."""
    return Scope(
        side=Side.CLIENT, practice_id=practice_id, client_id=client_id, user_id=user_id, read_only=read_only
    )


def user_scope(user_id: UUID, *, read_only: bool = False) -> Scope:
    """A person's own memberships and contacts, across practices."""
    return Scope(side=Side.USER, user_id=user_id, read_only=read_only)


def bearer_scope(token_sha256: str, *, read_only: bool = False) -> Scope:
    """The one invitation that this link opens."""
    return Scope(side=Side.BEARER, token_sha256=token_sha256, read_only=read_only)


def platform_scope() -> Scope:
    """Rows of the installation itself: sign-in mails and refused sign-ins."""
    return Scope(side=Side.PRACTICE, practice_id=PLATFORM_ID)


def impersonal() -> Scope:
    """The same tenant's view without the person, for what must see all that it touches, whoever asked for it.

    Policies hide from a consultant what nobody assigned to them: a service that ends something everywhere, or writes
    the outcome of what it began, looks through this. It decides nothing by what it sees.
    """
    return replace(current(), user_id=None)


def current() -> Scope:
    """The scope that is in force here."""
    return _current.get()


def practice_id() -> UUID:
    """The practice in force. Raises ScopeError outside one."""
    if (found := current().practice_id) is None:
        raise ScopeError("no practice in scope")
    return found


@contextmanager
def use(scope: Scope) -> Iterator[Scope]:
    """Put a scope in force for the block. Raises ScopeError inside a transaction or inside another tenant's scope."""
    if not isinstance(scope, Scope):
        raise ScopeError(f"not a scope: {type(scope).__name__}")
    _refuse_inside_transaction(scope)
    _refuse_other_tenant(scope)
    token = _current.set(scope)
    try:
        yield scope
    finally:
        _current.reset(token)


def _refuse_inside_transaction(scope: Scope) -> None:
    """Once a transaction is aborted, telling fails too: a scope never changes inside one (SECURITY §3.3)."""
    if scope != current() and is_in_transaction():
        raise ScopeError("the scope cannot change inside a transaction")


def is_in_transaction() -> bool:
    """True inside a real transaction; the wrapper that a test puts round itself does not count."""
    return any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)


def require_transaction(what: str) -> None:
    """Raises OutsideTransaction unless `what` is being written together with its cause."""
    if not is_in_transaction():
        raise OutsideTransaction(f"{what} must be written in the transaction of its cause")


def _refuse_other_tenant(scope: Scope) -> None:
    held, wanted = current().practice_id, scope.practice_id
    if held is not None and wanted is not None and held != wanted:
        raise ScopeError("already inside another tenant's scope")
    if current().side is Side.CLIENT and scope.side is not Side.CLIENT and wanted is not None:
        raise ScopeError("a client's scope cannot become the practice's")
