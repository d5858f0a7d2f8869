"""Django's PostgreSQL backend, which tells the connection the current scope before each statement.

`set_config` is undone by a rollback, also to a savepoint, and unknown to a new connection; there the backend
forgets what it told and tells again (SECURITY §3.3). "Told" counts only after the statement succeeded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.backends.postgresql import base

from portal.kernel import tenancy


class DatabaseWrapper(base.DatabaseWrapper):
    """One connection and what it was last told."""

    _told: tenancy.Scope | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's own signature
        super().__init__(*args, **kwargs)
        self.execute_wrappers.append(self._tell_first)

    def _tell_first(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,  # noqa: FBT001  # positional: Django calls it so
        context: dict[str, Any],  # Django calls it so
    ) -> Any:
        self._tell_what_is_new()
        return execute(sql, params, many, context)

    def _set_autocommit(self, autocommit: bool) -> None:  # noqa: FBT001  # Django calls it so
        # A transaction is read-only or not from its beginning: after a page that only read, the next one that
        # writes must have said so before it begins.
        if not autocommit:
            self._tell_what_is_new()
        super()._set_autocommit(autocommit)  # type: ignore[misc]  # private to Django, unknown to its stubs

    def _tell_what_is_new(self) -> None:
        scope = tenancy.current()
        if scope != self._told:
            self._tell(scope)

    def _tell(self, scope: tenancy.Scope) -> None:
        calls = ", ".join("set_config(%s, %s, false)" for _ in scope.settings)
        values = [text for pair in scope.settings for text in pair]
        self._told = None
        with self.wrap_database_errors, self.connection.cursor() as cursor:
            cursor.execute(f"SELECT {calls}", values)
        self._told = scope

    def connect(self) -> None:
        """Open a connection, which knows nothing yet."""
        self._told = None
        super().connect()

    def _rollback(self) -> None:
        self._told = None
        super()._rollback()  # type: ignore[misc]  # private to Django, unknown to its stubs

    def _savepoint_rollback(self, sid: str) -> None:
        # In an aborted transaction a telling before this statement would fail, and the way back with it.
        self._told = tenancy.current()
        try:
            super()._savepoint_rollback(sid)  # type: ignore[misc]  # as above
        finally:
            self._told = None

    def _close(self) -> None:
        self._told = None
        super()._close()  # type: ignore[misc]  # as above
