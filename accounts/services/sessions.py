"""Sessions of a person: which there are, and their end."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db import transaction

from accounts.browsers import browser_words
from accounts.lifecycle import AccountEvent
from accounts.models import BrowserSession, User
from accounts.services.sign_in import person_event_record
from accounts.sessions import SessionStore, live_sessions
from portal.kernel import secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """One browser that is signed in. `mark` is what the page posts to end it; it opens nothing."""

    mark: str
    is_this_one: bool
    browser: str  # as people call it
    since: dt.datetime
    seen_at: dt.datetime


def sessions_of(*, user: User, session_key: str) -> list[OpenSession]:
    """Every browser in which this person is signed in, the one used last first."""
    own = secrets.fingerprint(session_key)
    rows = live_sessions().filter(user=user).order_by("-seen_at")
    return [
        OpenSession(
            mark=row.pk,
            is_this_one=row.pk == own,
            browser=browser_words(str(SessionStore().decode(row.session_data).get("browser", ""))),
            since=row.made_at,
            seen_at=row.seen_at,
        )
        for row in rows
    ]


def sessions_end(*, user: User, mark: str = "", keep_key: str = "") -> int:
    """Sign a person out of one browser, or of all but the one whose key is kept; how many there were.

    What a browser was about to do with its session it can do no more: the row is read on each request.
    """
    rows = BrowserSession.objects.filter(user=user)
    rows = rows.filter(pk=mark) if mark else rows.exclude(pk=secrets.fingerprint(keep_key))
    if count := rows.count():
        person_event_record(AccountEvent.SESSION_ENDED, user=user, details={"count": count})
    return _end(user, [row.pk for row in rows.only("pk")])


@transaction.atomic(durable=True)
def _end(user: User, keys: list[str]) -> int:
    return BrowserSession.objects.filter(user=user, pk__in=keys).delete()[0]
