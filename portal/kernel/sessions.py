"""Browser sessions in the database under the hash of their key: whoever reads the table, or a backup, holds no cookie.

Only the calls that Django makes for ordinary views; there are no asynchronous ones here.
"""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db.models.functions import Now


def stored_key(session_key: str) -> str:
    """What the table has instead of a cookie: 160 bits of its SHA-256, as many letters as the column takes."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:40]


class SessionStore(db.SessionStore):
    """Django's own, except for the name of the row."""

    def _get_session_from_db(self) -> AbstractBaseSession | None:
        found = self.model.objects.filter(
            session_key=stored_key(self.session_key or ""), expire_date__gt=Now()
        ).first()
        if found is None:
            self._session_key = None
        return found

    def exists(self, session_key: str) -> bool:
        """Is there a row for this cookie?"""
        return super().exists(stored_key(session_key))

    def create_model_instance(
        self, data: dict[str, Any]
    ) -> AbstractBaseSession:  # Any: Django's own signature
        """The row as it is saved."""
        row = super().create_model_instance(data)
        row.session_key = stored_key(row.session_key)
        return row

    def delete(self, session_key: str | None = None) -> None:
        """Forget one session: this one, unless another's cookie is given."""
        key = session_key or self.session_key
        if key:
            super().delete(stored_key(key))
