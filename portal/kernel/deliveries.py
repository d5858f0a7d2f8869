"""What becomes of each mail: accepted, refused, or come back. One row per mail, its address in the practice's own rows.

The sender's address of each mail is its own: `<ours>+b<token>@<our domain>`. The token is worked out from a key, so that
whoever never saw the mail cannot say that it came back, and the database knows the token's SHA-256 alone.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Final
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from portal.kernel import clock, outbox, secrets, tenancy
from portal.kernel.models import MailTrace, TraceState

CHANGED: Final = "mail.delivery"  # promised when an address stops taking mail, or begins to again
PURPOSE: Final = "mail come back"
MARK: Final = "+b"
LONGEST_LOCAL_PART: Final = 64  # RFC 5321 §4.5.3.1.1
KEPT_FOR: Final = dt.timedelta(days=180)
COMES_BACK_WITHIN: Final = dt.timedelta(days=30)
FAILED: Final = frozenset({TraceState.REFUSED, TraceState.BOUNCED})
# What a mail may be before it comes back: a second report of the same mail changes nothing.
OUT: Final = frozenset({TraceState.SENDING, TraceState.ACCEPTED, TraceState.WAITING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How the handing over of one mail went, or what a report about it says. `status` is that of RFC 3463, or empty."""

    state: TraceState
    status: str = ""
    said: str = ""


def return_path(message_key: str) -> str:
    """The address that this mail comes back to: our own with a token, or plainly our own if that would be too long."""
    local, _at, domain = _own_address().rpartition("@")
    marked = f"{local}{MARK}{next(secrets.tokens(PURPOSE, message_key.encode()))}"
    return f"{marked}@{domain}" if len(marked) <= LONGEST_LOCAL_PART else f"{local}@{domain}"


def tokens_in(addresses: Iterable[str]) -> list[str]:
    """The tokens of those addresses that have the form of ours."""
    local, _at, domain = _own_address().lower().rpartition("@")
    ours = re.compile(rf"{re.escape(local + MARK)}([a-z2-7]{{32}})@{re.escape(domain)}", re.ASCII)
    found = [ours.fullmatch(address.lower()) for address in addresses]
    return [one[1] for one in found if one is not None]


def begin(*, address: str, message_key: str, kind: str) -> None:
    """Write down that a mail is on its way; again before each try. Nothing where no practice is in scope."""
    if tenancy.current().practice_id is not None:
        _begin(address, message_key, kind)


def settle(*, message_key: str, outcome: Outcome) -> None:
    """Write down how a try went. Nothing where no practice is in scope."""
    if tenancy.current().practice_id is not None:
        _settle(message_key, outcome)


@transaction.atomic(durable=True)
def _begin(address: str, message_key: str, kind: str) -> None:
    now, address = clock.now(), address.lower()
    MailTrace.objects.filter(address=address, made_at__lt=now - KEPT_FOR).delete()
    trace = MailTrace(
        id=uuid4(),
        practice_id=tenancy.practice_id(),
        message_key=message_key,
        token_sha256=secrets.fingerprint(next(secrets.tokens(PURPOSE, message_key.encode()))),
        address=address,
        kind=kind,
        state=TraceState.SENDING,
        made_at=now,
        changed_at=now,
    )
    MailTrace.objects.bulk_create([trace], ignore_conflicts=True)


@transaction.atomic(durable=True)
def _settle(message_key: str, outcome: Outcome) -> None:
    trace = MailTrace.objects.filter(practice_id=tenancy.practice_id(), message_key=message_key).first()
    if trace is not None:
        _change(trace, MailTrace.objects.filter(pk=trace.pk), outcome)


def come_back(*, token: str, outcome: Outcome) -> bool:
    """Write down that a mail came back. False, and nothing changed, for tokens that are none, old mails and repeats.

    Opens the scopes it needs itself.
    """
    with tenancy.use(tenancy.bearer_scope(secrets.fingerprint(token), read_only=True)):
        found = MailTrace.objects.filter(made_at__gt=clock.now() - COMES_BACK_WITHIN).first()
    if found is None:
        return False
    with tenancy.use(tenancy.practice_scope(found.practice_id)):
        return _come_back(found, outcome)


@transaction.atomic(durable=True)
def _come_back(trace: MailTrace, outcome: Outcome) -> bool:
    return _change(trace, MailTrace.objects.filter(pk=trace.pk, state__in=OUT), outcome)


@transaction.atomic(durable=True)
def copy(trace: MailTrace, *, address: str) -> None:
    """Let the practice in force know what a mail of the installation's own, such as a sign-in code, met at an address.

    Neither what mail it was nor when it was asked for: any mail of the practice's own would have told as much.
    """
    now = clock.now()
    known = MailTrace(
        id=uuid4(),
        practice_id=tenancy.practice_id(),
        message_key=f"copy-{trace.pk}-{trace.state}",
        token_sha256="",
        address=address.lower(),
        kind="",
        state=trace.state,
        status=trace.status,
        said=trace.said,
        made_at=now,
        changed_at=now,
    )
    MailTrace.objects.bulk_create([known], ignore_conflicts=True)


def newest_of(address: str) -> QuerySet[MailTrace]:
    """What is known of an address in the scope in force, the newest first; mails on their way say nothing yet."""
    rows = MailTrace.objects.filter(practice_id=tenancy.practice_id(), address=address.lower())
    return rows.exclude(state=TraceState.SENDING).order_by("-changed_at")


def fails(address: str) -> bool:
    """Whether the newest mail to this address was refused or came back."""
    newest = newest_of(address).first()
    return newest is not None and newest.state in FAILED


def _change(trace: MailTrace, rows: QuerySet[MailTrace], outcome: Outcome) -> bool:
    """The news of an address is promised once for each turn from well to ill and back."""
    before, now = fails(trace.address), clock.now()
    changed = rows.update(
        state=outcome.state, status=outcome.status[:12], said=outcome.said[:200], changed_at=now
    )
    is_news = outcome.state in FAILED or (before and outcome.state == TraceState.ACCEPTED)
    # A mail that tells of this very thing must not tell of itself.
    if changed and is_news and trace.kind != CHANGED:
        outbox.put(CHANGED, trace.pk, dedupe_key=f"delivery:{trace.pk}:{now.isoformat()}")
    return bool(changed)


def _own_address() -> str:
    return parseaddr(settings.MAIL_FROM)[1]
