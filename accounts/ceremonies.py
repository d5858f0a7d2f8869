"""Passkeys between page and service: the challenge waits in the session, under the purpose it was made for."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest

from accounts.lifecycle import FactorKind
from accounts.models import User
from accounts.services.passkeys import (
    Challenge,
    assertion_begin,
    passkey_enrol,
    passkey_owner,
    passkey_prove,
    registration_begin,
)

WAITING: Final = "passkeys"
MOST: Final = 8  # tabs with a challenge each; the oldest is forgotten first
SIGN_IN: Final = "sign-in"
SHOW: Final = "show"
ADD: Final = "add"


def ask_for_new(request: HttpRequest, user: User) -> str:
    """The options, as JSON, with which the browser makes a key."""
    return _keep(request, ADD, registration_begin(user))


def ask_to_sign(request: HttpRequest, purpose: str, user: User | None) -> str:
    """The options, as JSON, with which the browser signs; the answer counts for this purpose alone."""
    return _keep(request, purpose, assertion_begin(user))


def keep_new(request: HttpRequest, user: User, *, answer: str, name: str) -> list[str]:
    """Keep the new key; recovery codes, if these are the first. Raises PasskeyRefused, InvalidMove."""
    return passkey_enrol(user=user, state=_take(request, ADD), answer=answer, name=name)


def judge(request: HttpRequest, purpose: str, user: User, answer: str) -> FactorKind:
    """Whether this person's device signed, for this purpose. Raises PasskeyRefused."""
    return passkey_prove(user=user, state=_take(request, purpose), answer=answer)


def judge_anybody(request: HttpRequest, answer: str) -> User:
    """Who signed in with their device. Raises PasskeyRefused."""
    user = passkey_owner(answer)
    passkey_prove(user=user, state=_take(request, SIGN_IN), answer=answer)
    return user


def _keep(request: HttpRequest, purpose: str, challenge: Challenge) -> str:
    waiting: dict[str, Any] = request.session.get(WAITING) or {}  # Any: what fido2 keeps
    waiting.pop(purpose, None)
    request.session[WAITING] = dict([*waiting.items(), (purpose, challenge.state)][-MOST:])
    return challenge.options


def _take(request: HttpRequest, purpose: str) -> dict[str, Any]:  # Any: as above
    waiting: dict[str, Any] = request.session.get(WAITING) or {}
    found: dict[str, Any] = waiting.pop(purpose, None) or {}
    request.session[WAITING] = waiting
    return found
