"""The gate of pages that ask for a fresh proof: reads the request, says what to show, hands on to the services."""

from __future__ import annotations

import datetime as dt
from typing import Final, cast

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts import selectors
from accounts.ceremonies import ask_to_sign, judge
from accounts.lifecycle import Proof
from accounts.models import User
from accounts.services.attempts import FACTOR_TRIES, attempt_count, attempts_forgive
from accounts.services.factors import WrongCode, factor_prove
from accounts.services.step_up import (
    step_up_code_fits,
    step_up_code_mail,
    step_up_is_ready,
    step_up_make,
    step_up_refusal_record,
    step_up_spend,
)
from portal.kernel import clock
from portal.kernel.errors import PortalError
from portal.kernel.step_up import CODE_FIELD, MAIL_FIELD, PASSKEY_FIELD, Act, Prompt

CHANGE_FACTORS: Final = "accounts.user.factors"  # every change of them is one kind of act, on the person
MAILED: Final = "step_up_mailed"  # in the session: for which act, the code's keyed hash, and when


class StepUpGate:
    """`settings.STEP_UP_GATE`. Authenticator app or passkey; for clients' people who have neither, a mailed code."""

    def prompt(self, request: HttpRequest, act: Act, *, error: str = "") -> Prompt:
        """What to ask this person for."""
        user = _user(request)
        if step_up_is_ready(user=user, session_key=_key(request), act=act):
            return Prompt(is_ready=True)
        factors = selectors.factors_of(user.pk)
        return Prompt(
            passkey_options=ask_to_sign(request, _purpose(act), user) if factors.has_passkey else "",
            by_app=factors.has_totp,
            by_recovery=act.name == CHANGE_FACTORS and factors.recovery_left > 0,
            by_mail=_may_mail(request, factors),
            is_mailed=_mailed(request, act) != "",
            error=error,
        )

    def take_proof(self, request: HttpRequest, act: Act) -> str:
        """Check what was typed, if anything was; what is wrong with it in words, or ""."""
        user = _user(request)
        try:
            if _wants_mail(request, act):
                _mail(request, act)
                return ""
            method = _proved(request, act)
        except PortalError as refusal:
            step_up_refusal_record(user=user, act=act)
            return str(refusal.user_message)
        if method is not None:
            step_up_make(user=user, session_key=_key(request), act=act, method=method)
        return ""

    def spend(self, request: HttpRequest, act: Act) -> None:
        """Use the proof up. Raises StepUpRequired."""
        step_up_spend(user=_user(request), session_key=_key(request), act=act)


def _proved(request: HttpRequest, act: Act) -> Proof | None:
    """What was signed or typed proves; None when nothing was. Raises PasskeyRefused, WrongCode, RateLimited."""
    if answer := request.POST.get(PASSKEY_FIELD):
        return Proof(judge(request, _purpose(act), _user(request), answer).value)
    code = request.POST.get(CODE_FIELD, "").strip()
    if not code:
        return None
    user = _user(request)
    factors = selectors.factors_of(user.pk)
    if _may_mail(request, factors):
        return _mail_proved(request, act, code)
    changes_factors = act.name == CHANGE_FACTORS
    return Proof(factor_prove(user=user, code=code[:20], with_recovery=changes_factors).value)


def _purpose(act: Act) -> str:
    return f"{act.name}:{act.object_id}"


def _wants_mail(request: HttpRequest, act: Act) -> bool:
    """The button for a new code, or the first press by somebody who can be asked for nothing else."""
    if not _may_mail(request, selectors.factors_of(_user(request).pk)):
        return False
    is_pressed = bool(request.POST.get(MAIL_FIELD))
    has_code = bool(request.POST.get(CODE_FIELD) or _mailed(request, act))
    is_ready = step_up_is_ready(user=_user(request), session_key=_key(request), act=act)
    return is_pressed or not (has_code or is_ready)


def _mail(request: HttpRequest, act: Act) -> None:
    mark = step_up_code_mail(user=_user(request), act=act)
    request.session[MAILED] = [act.name, str(act.object_id), mark, clock.now().isoformat()]


def _mail_proved(request: HttpRequest, act: Act, code: str) -> Proof:
    user = _user(request)
    attempt_count(FACTOR_TRIES, str(user.pk))
    mark = _mailed(request, act)
    if not mark or not step_up_code_fits(user=user, act=act, code=code, mark=mark):
        raise WrongCode(_("That code doesn’t match. Look for the newest email, or ask for a new code."))
    attempts_forgive(FACTOR_TRIES, str(user.pk))
    request.session.pop(MAILED, None)
    return Proof.MAILED_CODE


def _may_mail(request: HttpRequest, factors: selectors.Factors) -> bool:
    """Never on the practice's side, and never for who could show a factor instead."""
    return getattr(request, "contact", None) is not None and not factors.is_enough


def _mailed(request: HttpRequest, act: Act) -> str:
    """The hash of the code that was mailed for this act and is still good; or ""."""
    held = request.session.get(MAILED) or ["", "", "", ""]
    if held[:2] != [act.name, str(act.object_id)]:
        return ""
    life = dt.timedelta(seconds=settings.SIGN_IN_CODE_SECONDS)
    return held[2] if clock.now() < dt.datetime.fromisoformat(held[3]) + life else ""


def _user(request: HttpRequest) -> User:
    return cast("User", request.user)


def _key(request: HttpRequest) -> str:
    return request.session.session_key or ""
