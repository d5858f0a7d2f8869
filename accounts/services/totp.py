"""Codes of authenticator apps (RFC 6238): six digits, half a minute each, accepted once.

The seed is sealed for its owner: a row that is copied to somebody else does not open (SECURITY C2). The last accepted
time step stands beside it, in PostgreSQL and not in a cache, so that no code works twice.
"""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any, Final, TypedDict
from urllib.parse import quote, urlencode
from uuid import UUID

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, generate_totp_secret, hotp_value
from django.db import transaction

from accounts.lifecycle import FactorKind
from accounts.models import User
from portal.kernel import secrets, tenancy

PURPOSE: Final = "totp"
ISSUER: Final = "Latchkey"

new_secret = generate_totp_secret


class TotpData(TypedDict):
    """What the row of a factor holds: the sealed seed and the last accepted time step."""

    secret: str
    last_step: int


def step_at(moment: dt.datetime) -> int:
    """The number of the half minute."""
    return int(moment.timestamp()) // int(app_settings.TOTP_PERIOD)


def code_of(secret: str, step: int) -> str:
    """The six digits of a base32 secret in one half minute."""
    return str(format_hotp_value(hotp_value(secret, step)))


def matching_step(secret: str, code: str, moment: dt.datetime) -> int | None:
    """The half minute that a code belongs to, of those that are near enough; None for a wrong code."""
    now, slack = step_at(moment), int(app_settings.TOTP_TOLERANCE)
    near = range(now - slack, now + slack + 1)
    return next((one for one in near if compare_user_code(actual=code, expected=code_of(secret, one))), None)


def address_of(secret: str, *, email: str, host: str) -> str:
    """What the QR code says to an authenticator app."""
    issuer = f"{ISSUER} ({host})"
    return f"otpauth://totp/{quote(f'{issuer}:{email}')}?{urlencode({'secret': secret, 'issuer': issuer}, quote_via=quote)}"


def sealed(secret: str, *, user_id: UUID) -> str:
    """The seed, for this user's row alone."""
    return base64.b64encode(secrets.seal(PURPOSE, secret.encode(), bound_to=str(user_id))).decode()


def opened(data: TotpData, *, user_id: UUID) -> str:
    """The seed again. Raises Unreadable."""
    return secrets.unseal(PURPOSE, base64.b64decode(data["secret"]), bound_to=str(user_id)).decode()


def totp_add_within(*, user: User, secret: str, step: int) -> Any:  # Any: allauth's model
    """Keep a seed whose code was just shown; that code is used up. Raises IntegrityError if there is one already."""
    data = TotpData(secret=sealed(secret, user_id=user.pk), last_step=step)
    return Authenticator.objects.create(user=user, type=FactorKind.TOTP, data=data)


def totp_spend_within(*, user: User, code: str, moment: dt.datetime) -> bool:
    """Accept a code once, and after it none that is older. Of several at the same moment, one is accepted."""
    row = Authenticator.objects.filter(user_id=user.pk, type=FactorKind.TOTP).first()
    if row is None:
        return False
    step = matching_step(opened(row.data, user_id=user.pk), code, moment)
    if step is None:
        return False
    # With the seed as it was read: sealed anew meanwhile, it must not be put back under its old key.
    newer = Authenticator.objects.filter(pk=row.pk, data__last_step__lt=step, data__secret=row.data["secret"])
    data = {**row.data, "last_step": step}
    return bool(newer.update(data=data, last_used_at=moment) == 1)


def _everybody() -> list[tenancy.Scope]:
    """Seeds are seen by their owner alone."""
    return [tenancy.user_scope(key) for key in User.objects.order_by("pk").values_list("pk", flat=True)]


def _sealed_seeds() -> list[secrets.SealedThing]:
    return [
        secrets.SealedThing(
            place=(row.pk, row.data), sealed=base64.b64decode(row.data["secret"]), bound_to=str(row.user_id)
        )
        for row in Authenticator.objects.filter(type=FactorKind.TOTP)
    ]


@transaction.atomic(durable=True)
def _swap_seed(thing: secrets.SealedThing, sealed: bytes) -> bool:
    """Only if nothing of the row changed: a code that is being used writes its time step."""
    key, data = thing.place
    renewed = {**data, "secret": base64.b64encode(sealed).decode()}
    return bool(Authenticator.objects.filter(pk=key, data=data).update(data=renewed) == 1)


secrets.keeps(secrets.Keeper(purpose=PURPOSE, scopes=_everybody, things=_sealed_seeds, swap=_swap_seed))
