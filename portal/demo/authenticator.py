"""The phones of the sample consultants: each has an authenticator app, and the desk shows what it says."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from dataclasses import dataclass

from allauth.mfa.models import Authenticator

from accounts.lifecycle import FactorKind
from accounts.models import User
from accounts.services import totp
from portal.kernel import clock, tenancy


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneCode:
    """The code to type now; empty while the next one is awaited, which comes in `seconds_left`."""

    code: str
    seconds_left: int


def secret_of(email: str) -> str:
    """The seed of a sample person's app: known to everybody, so for the demo alone."""
    return base64.b32encode(hashlib.sha256(f"latchkey demo {email}".encode()).digest()[:20]).decode()


def phone_code(email: str) -> PhoneCode | None:
    """What the person's app shows, or its next code when this one was used; None for who has no app of ours."""
    user = User.objects.filter(email=email.lower()).first()
    if user is None:
        return None
    with tenancy.use(tenancy.NOBODY), tenancy.use(tenancy.user_scope(user.pk, read_only=True)):
        row = Authenticator.objects.filter(user_id=user.pk, type=FactorKind.TOTP).first()
        moment = clock.now()
    if row is None or totp.opened(row.data, user_id=user.pk) != secret_of(user.email):
        return None
    return _next_code(secret_of(user.email), row.data["last_step"], moment)


def _next_code(secret: str, last_step: int, moment: dt.datetime) -> PhoneCode:
    """A step ahead is accepted too (a phone's clock may be fast), so most of the time nobody has to wait."""
    now = totp.step_at(moment)
    step = max(now, last_step + 1)
    is_good = totp.matching_step(secret, totp.code_of(secret, step), moment) == step
    left = 30 - int(moment.timestamp()) % 30
    return PhoneCode(code=totp.code_of(secret, step) if is_good else "", seconds_left=left)
