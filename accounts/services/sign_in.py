"""What the record says of people who sign in."""

from __future__ import annotations

from django.db import transaction

from accounts import selectors
from accounts.lifecycle import AccountEvent, SignInKind
from accounts.models import User
from portal.kernel import actor as actors
from portal.kernel import audit, tenancy


def sign_in_record(*, user: User, by: SignInKind) -> None:
    """Tell each practice and client where this person sits that they came in; the installation, if nowhere."""
    scopes = [seat.scope() for seat in selectors.seats_of(user.pk)] or [tenancy.platform_scope()]
    for scope in scopes:
        with selectors.apart(scope):
            _record(user=user, by=by)


@transaction.atomic(durable=True)
def _record(*, user: User, by: SignInKind) -> None:
    audit.record(
        AccountEvent.SIGNED_IN,
        subject=user,
        actor=actors.person(user.pk, name=user.name, email=user.email),
        details={"by": by.value},
    )
