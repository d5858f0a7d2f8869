"""Where browser sessions are kept: settings.SESSION_ENGINE.

Django's own table is read as it is by whoever has a copy of the database: a key in it opens the session. Here only the
key's SHA-256 is stored, the content is sealed, and PostgreSQL's clock decides what is over: after half an hour without
a request, and twelve hours after the key was made, whatever was done in between.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import IntegrityError, transaction
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Now

from accounts.models import BrowserSession
from portal.kernel import secrets

IDLE: Final = dt.timedelta(minutes=30)
ABSOLUTE: Final = dt.timedelta(hours=12)
NOTED: Final = dt.timedelta(minutes=1)  # how exactly the last request is remembered: not each one writes
Data = dict[str, Any]  # Any: what views keep in their session


def live_sessions() -> QuerySet[BrowserSession]:
    """Sessions that are not over. Who has not signed in yet has time to look for the mail with the code."""
    is_fresh = Q(user__isnull=True) | Q(seen_at__gt=Now() - IDLE)
    return BrowserSession.objects.filter(is_fresh, made_at__gt=Now() - ABSOLUTE)


class SessionStore(DatabaseStore):
    """One browser's session."""

    @classmethod
    def get_model_class(cls) -> type[BrowserSession]:  # type: ignore[override]  # a table of our own shape
        """The table."""
        return BrowserSession

    def load(self) -> Data:
        """What is kept under this key; nothing once the session is over."""
        row = _live_row(self.session_key) if self.session_key else None
        if row is None:
            self._session_key = None
            return {}
        _note_use(row)
        return self.decode(row.session_data)

    def exists(self, session_key: str) -> bool:
        """Whether this key is taken, over or not."""
        return BrowserSession.objects.filter(pk=_kept(session_key)).exists()

    def save(self, must_create: bool = False) -> None:  # noqa: FBT001, FBT002  # Django's signature
        """Keep the session. Raises CreateError for a key that is taken, UpdateError for one that is gone."""
        if self.session_key is None:
            self.create()
            return
        data: Data = self._get_session(no_load=must_create)  # type: ignore[attr-defined]  # Django's own
        row = {"session_data": self.encode(data), "user_id": data.get("_auth_user_id")}
        if must_create:
            _insert(_kept(self.session_key), row)
        elif BrowserSession.objects.filter(pk=_kept(self.session_key)).update(**row) != 1:
            raise UpdateError

    def delete(self, session_key: str | None = None) -> None:
        """Forget the session."""
        if key := session_key or self.session_key:
            BrowserSession.objects.filter(pk=_kept(key)).delete()

    @classmethod
    def clear_expired(cls) -> None:
        """Forget all that are over."""
        BrowserSession.objects.exclude(pk__in=live_sessions().values("pk")).delete()


def _kept(session_key: str | None) -> str:
    return secrets.fingerprint(session_key or "")


def _live_row(session_key: str) -> BrowserSession | None:
    is_due = ExpressionWrapper(Q(seen_at__lt=Now() - NOTED), output_field=BooleanField())
    return live_sessions().annotate(is_due=is_due).filter(pk=_kept(session_key)).first()


def _note_use(row: BrowserSession) -> None:
    """Once a minute. The row says by the database's clock whether that is over; the statement asks again."""
    if vars(row)["is_due"]:
        BrowserSession.objects.filter(pk=row.pk, seen_at__lt=Now() - NOTED).update(seen_at=Now())


def _insert(kept: str, row: Data) -> None:
    try:
        with transaction.atomic():
            BrowserSession.objects.create(session_key=kept, **row)
    except IntegrityError as error:
        raise CreateError from error
