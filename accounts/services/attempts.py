"""Counting tries, in PostgreSQL: a flushed cache forgets none, and twenty at once are twenty."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.db.models import Case, F, Q, When
from django.db.models.functions import Now
from django.utils.translation import gettext

from accounts.models import Attempts
from accounts.selectors import apart
from portal.kernel import secrets, tenancy
from portal.kernel.errors import RateLimited


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `tries` within `within`, counted from the first of them."""

    name: str
    tries: int
    within: dt.timedelta


# Three codes are right at any moment: five tries leave a guesser three chances in two hundred thousand.
FACTOR_TRIES: Final = Limit(name="factor", tries=5, within=dt.timedelta(minutes=15))
# A mailed code has a million values: thirty tries an hour leave a guesser one chance in thirty thousand.
CODE_TRIES: Final = Limit(name="mailed code", tries=30, within=dt.timedelta(hours=1))
CODE_MAILS: Final = Limit(name="mail with a code", tries=10, within=dt.timedelta(hours=1))


def attempt_count(limit: Limit, subject: str) -> None:
    """Count one try before it is made. Raises RateLimited when there were too many; those are not counted."""
    with apart(_row_of(limit, subject)):
        if not _count(limit):
            raise RateLimited(gettext("Nothing is at risk. Wait a quarter of an hour, then try again."))


def attempts_forgive(limit: Limit, subject: str) -> None:
    """Start over, after the right answer."""
    with apart(_row_of(limit, subject)):
        _forgive()


def _row_of(limit: Limit, subject: str) -> tenancy.Scope:
    """The scope that sees the one counter. Its key says neither what is counted nor whose it is."""
    mark = next(secrets.tokens("attempts", f"{limit.name}:{subject}".encode()))
    return tenancy.bearer_scope(secrets.fingerprint(mark))


@transaction.atomic(durable=True)
def _count(limit: Limit) -> bool:
    if limit.tries < 1:
        return False  # nothing is let through, nor after the time is over
    if _counted(limit):
        return True
    # The first try has no row yet; one too many finds it there, and is refused again.
    Attempts.objects.bulk_create([Attempts(key=tenancy.current().token_sha256)], ignore_conflicts=True)
    return _counted(limit)


def _counted(limit: Limit) -> bool:
    """One statement starts over, reads and writes: of many at the same moment, each sees the count of the one before."""
    row = Attempts.objects.filter(key=tenancy.current().token_sha256)
    is_over = Q(since__lte=Now() - limit.within)
    counted = row.filter(is_over | Q(tries__lt=limit.tries)).update(
        tries=Case(When(is_over, then=1), default=F("tries") + 1),
        since=Case(When(is_over, then=Now()), default=F("since")),
    )
    return counted == 1


@transaction.atomic(durable=True)
def _forgive() -> None:
    Attempts.objects.filter(key=tenancy.current().token_sha256).update(tries=0)
