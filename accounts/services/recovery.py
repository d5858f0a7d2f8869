"""Ten codes for the day on which the phone is lost: shown once, kept as keyed hashes, each good for one sign-in."""

from __future__ import annotations

import secrets as randomness
from typing import Final

from allauth.mfa.models import Authenticator

from accounts.lifecycle import FactorKind
from accounts.models import CODE_LETTERS, User
from portal.kernel import secrets

COUNT: Final = 10
LETTERS: Final = 12  # 58 bits
PURPOSE: Final = "recovery-code"


def recovery_codes_make_within(user: User) -> list[str]:
    """Ten new codes, as they are shown; older ones stop working."""
    codes = [_new_code() for _ in range(COUNT)]
    kept = {"codes": [_marks(user, code)[0] for code in codes]}
    Authenticator.objects.filter(user_id=user.pk, type=FactorKind.RECOVERY).delete()
    Authenticator.objects.create(user=user, type=FactorKind.RECOVERY, data=kept)
    return codes


def recovery_code_spend_within(*, user: User, code: str) -> bool:
    """Use a code up. The row is locked: two at the same moment are one after the other."""
    rows = Authenticator.objects.filter(user_id=user.pk, type=FactorKind.RECOVERY)
    row = rows.select_for_update(of=("self",)).first()
    if row is None:
        return False
    marks = set(_marks(user, code))
    left = [one for one in row.data["codes"] if one not in marks]
    if len(left) == len(row.data["codes"]):
        return False
    rows.filter(pk=row.pk).update(data={"codes": left})
    return True


def _new_code() -> str:
    drawn = "".join(randomness.choice(CODE_LETTERS) for _ in range(LETTERS))
    return "-".join(drawn[start : start + 4] for start in range(0, LETTERS, 4))


def _marks(user: User, code: str) -> list[str]:
    plain = "".join(letter for letter in code.lower() if letter.isalnum())
    return list(secrets.tokens(PURPOSE, f"{user.pk}:{plain}".encode()))
