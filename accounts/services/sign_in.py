"""What the record says of people who sign in, and of what they do to their own sign-in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from django.db import transaction

from accounts import selectors
from accounts.lifecycle import AccountEvent, FactorKind, SignInKind
from accounts.models import User
from accounts.selectors import Seat
from portal.kernel import actor as actors
from portal.kernel import audit, clock, refusals, tenancy
from portal.kernel.models import AuditEvent

PAUSE: Final = dt.timedelta(minutes=1)  # whoever tries without end must not fill the record


def sign_in_record(*, user: User, by: SignInKind, factor: FactorKind | None = None) -> None:
    """Tell each practice and client where this person sits that they came in; the installation, if nowhere."""
    details = {"by": by.value} | ({"factor": factor.value} if factor else {})
    person_event_record(AccountEvent.SIGNED_IN, user=user, details=details)


def person_event_record(
    kind: AccountEvent,
    *,
    user: User,
    details: Mapping[str, str | int | None] | None = None,
    seats: list[Seat] | None = None,
) -> None:
    """An event of a person, told to each practice and client where they sit; to the installation, if nowhere.

    `seats` names them where it is to be told at some of them alone. Opens each scope itself, one transaction for each: call it before what it tells is done.
    """
    where = selectors.seats_of(user.pk) if seats is None else seats
    scopes = [seat.scope() for seat in where] or [tenancy.platform_scope()]
    for scope in scopes:
        with selectors.apart(scope):
            _record(kind, user=user, details=details or {})


def sign_in_refuse(*, address: str, reason: str, origin: str) -> None:
    """Tell the installation's record of a refused sign-in; no more than one a minute for one reason and origin.

    Known and unknown addresses cost the same and leave the same: who is asking is not proved. `origin` is the
    internet address.
    """
    about = uuid5(NAMESPACE_URL, f"sign-in:{reason}:{origin}:{address.lower()}")
    with selectors.apart(tenancy.platform_scope()):
        lately = AuditEvent.objects.filter(about_id=about, practice_id=tenancy.PLATFORM_ID)
        if lately.filter(at__gt=clock.now() - PAUSE).exists():
            return
        refusals.refusal_record(
            AccountEvent.SIGN_IN_REFUSED,
            subject=User(pk=about),
            actor=actors.Actor(reference="person:unproved", name="", email=address[:254]),
            details={"reason": reason, "origin": origin},
            about_id=about,
        )


@transaction.atomic(durable=True)
def _record(kind: AccountEvent, *, user: User, details: Mapping[str, str | int | None]) -> None:
    audit.record(
        kind,
        subject=user,
        actor=actors.person(user.pk, name=user.name, email=user.email),
        details=details,
    )
