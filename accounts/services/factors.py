"""Factors of people: set up, used, taken away. Each service opens the person's own scope itself."""

from __future__ import annotations

from typing import Final

from allauth.mfa.models import Authenticator
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from accounts import selectors
from accounts.lifecycle import STRONG_FACTORS, AccountEvent, FactorKind
from accounts.models import User
from accounts.selectors import Seat
from accounts.services import recovery, totp
from accounts.services.attempts import FACTOR_TRIES, attempt_count, attempts_forgive
from accounts.services.sign_in import person_event_record
from portal.kernel import clock, tenancy
from portal.kernel.errors import InvalidMove, NotVisible, PortalError, RateLimited

WRONG: Final = _("That code doesn’t match, or was used already. Wait for the next one and try that.")


class WrongCode(PortalError):
    """Raised for a code that does not fit, is too old or was used. Nothing was done; another may be tried."""

    code = "wrong-code"
    http_status = 422
    title = _("That code doesn’t match")
    user_message = _("Wait for the next code of your authenticator app and try that.")


def totp_enrol(*, user: User, secret: str, code: str) -> list[str]:
    """Set up an authenticator app that shows the code of this secret; recovery codes, if there were none.

    Raises WrongCode, RateLimited, and InvalidMove when there is one already.
    """
    _count(user, str(user.pk), None)
    step = totp.matching_step(secret, code, clock.now())
    if step is None:
        raise WrongCode(str(WRONG))
    if selectors.factors_of(user.pk).has_totp:
        raise InvalidMove(str(_("You have an authenticator app already.")))
    person_event_record(AccountEvent.FACTOR_ADDED, user=user, details={"kind": FactorKind.TOTP.value})
    with selectors.apart(tenancy.user_scope(user.pk)):
        codes = _enrol(user=user, secret=secret, step=step)
    attempts_forgive(FACTOR_TRIES, str(user.pk))
    return codes


def factor_prove(
    *, user: User, code: str, with_recovery: bool = False, only_practice: str = ""
) -> FactorKind:
    """Use a code of the authenticator app up, or where allowed a recovery code. Raises WrongCode, RateLimited.

    Tries of a session that is good for `only_practice` count apart and are told there: whoever runs that practice's
    sign-in service must not be able to lock its members out elsewhere.
    """
    told = _seats_told(user, only_practice)
    tries = f"{user.pk}:{only_practice}" if only_practice else str(user.pk)
    _count(user, tries, told)
    with selectors.apart(tenancy.user_scope(user.pk)):
        kind = _prove(user=user, code=code, with_recovery=with_recovery)
    if kind is None:
        raise WrongCode(str(WRONG))
    attempts_forgive(FACTOR_TRIES, tries)
    person_event_record(AccountEvent.FACTOR_USED, user=user, details={"kind": kind.value}, seats=told)
    return kind


def recovery_codes_renew(*, user: User) -> list[str]:
    """Ten new recovery codes; the old ones stop working."""
    person_event_record(AccountEvent.RECOVERY_CODES_MADE, user=user)
    with selectors.apart(tenancy.user_scope(user.pk)):
        return _renew(user)


def factor_remove(*, user: User, factor_id: int) -> None:
    """Take an app or a passkey away. Raises NotVisible, and InvalidMove for a consultant's last one."""
    factors = selectors.factors_of(user.pk)
    found = next((one for one in factors.strong if one.pk == factor_id), None)
    if found is None:
        raise NotVisible
    if user.is_staff and len(factors.strong) == 1:
        raise InvalidMove(str(_("This is your only one. Set up another before you take it away.")))
    person_event_record(AccountEvent.FACTOR_REMOVED, user=user, details={"kind": found.kind.value})
    with selectors.apart(tenancy.user_scope(user.pk)):
        _remove(user=user, factor_id=factor_id)


def _seats_told(user: User, only_practice: str) -> list[Seat] | None:
    return selectors.seats_of(user.pk, only_practice=only_practice) if only_practice else None


def _count(user: User, tries: str, told: list[Seat] | None) -> None:
    """One more try, before it is known whether it is right. The refusal is an event of its own."""
    try:
        attempt_count(FACTOR_TRIES, tries)
    except RateLimited:
        person_event_record(AccountEvent.FACTOR_LOCKED, user=user, seats=told)
        raise


@transaction.atomic(durable=True)
def _enrol(*, user: User, secret: str, step: int) -> list[str]:
    try:
        totp.totp_add_within(user=user, secret=secret, step=step)
    except IntegrityError:
        raise InvalidMove(str(_("You have an authenticator app already."))) from None
    has_codes = selectors.factors_seen(user.pk).recovery_left > 0
    return [] if has_codes else recovery.recovery_codes_make_within(user)


@transaction.atomic(durable=True)
def _prove(*, user: User, code: str, with_recovery: bool) -> FactorKind | None:
    if totp.totp_spend_within(user=user, code=code, moment=clock.now()):
        return FactorKind.TOTP
    if with_recovery and recovery.recovery_code_spend_within(user=user, code=code):
        return FactorKind.RECOVERY
    return None


@transaction.atomic(durable=True)
def _remove(*, user: User, factor_id: int) -> None:
    """The rows are locked, so that two removals at once leave a consultant one; recovery codes alone are no use."""
    mine = Authenticator.objects.filter(user_id=user.pk)
    strong = mine.filter(type__in=STRONG_FACTORS)
    left = [row.pk for row in strong.select_for_update(of=("self",)).order_by("pk") if row.pk != factor_id]
    if user.is_staff and not left:
        raise InvalidMove(str(_("This is your only one. Set up another before you take it away.")))
    (strong.filter(pk=factor_id) if left else mine).delete()


@transaction.atomic(durable=True)
def _renew(user: User) -> list[str]:
    return recovery.recovery_codes_make_within(user)
