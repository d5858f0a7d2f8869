"""Sign-in: temporary credentials become a token, the token becomes a console session. As AWS_FACTS §7 has it."""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from awsaccess.sandbox import clock
from awsaccess.sandbox.guard.caller import SESSIONS, Session, find_caller

TOKEN_SECONDS: Final = 15 * 60


class SignInRefused(Exception):
    """AWS answers a bare 400; the reason here is for the person at the sandbox and for tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Issued:
    session: Session
    expires: float


@dataclass(slots=True)
class SignIn:
    """The tokens that were given out and not yet used."""

    _tokens: dict[str, _Issued] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def issue(self, form: Mapping[str, str]) -> str:
        """getSigninToken: a single-use token, good for 15 minutes. Raises SignInRefused."""
        session = _presented(form.get("Session", ""))
        _check_duration(session, form.get("SessionDuration"))
        token = secrets.token_urlsafe(64)
        with self._lock:
            expires = clock.now().timestamp() + TOKEN_SECONDS
            self._tokens[token] = _Issued(session=session, expires=expires)
        return token

    def redeem(self, token: str) -> Session:
        """login: whose session this token opens. Raises SignInRefused."""
        with self._lock:
            issued = self._tokens.pop(token, None)
        if issued is None or issued.expires < clock.now().timestamp():
            raise SignInRefused("Your sign-in link has expired or was used before")
        if issued.session.expires <= clock.now() or find_caller(issued.session.access_key_id) is None:
            raise SignInRefused("The credentials behind this link are no longer valid")
        return issued.session

    def clear(self) -> None:
        """Forget all tokens."""
        with self._lock:
            self._tokens = {}


def _presented(text: str) -> Session:
    try:
        given = json.loads(text)
        key, secret, token = str(given["sessionId"]), str(given["sessionKey"]), str(given["sessionToken"])
    except (KeyError, TypeError, ValueError) as error:
        raise SignInRefused("Session is not the JSON that is asked for") from error
    session = SESSIONS.get(key)
    if session is None or find_caller(key) is None:
        raise SignInRefused("Unknown credentials")
    same = hmac.compare_digest(secret, session.secret_access_key) and hmac.compare_digest(
        token, session.session_token
    )
    if not same or session.expires <= clock.now():
        raise SignInRefused("Wrong or expired credentials")
    return session


def _check_duration(session: Session, text: str | None) -> None:
    if text is None:
        return
    if session.chained:
        raise SignInRefused("SessionDuration cannot be sent with credentials from role chaining")
    if not text.isascii() or not text.isdigit() or not 900 <= int(text) <= 43200:
        raise SignInRefused("SessionDuration must be 900 to 43200 seconds")


def destination_is_allowed(destination: str, own_host: str) -> bool:
    """Is this a console address, AWS's or the sandbox's own? Anything else would be an open redirector."""
    parts = urlsplit(destination)
    if parts.scheme == "https":
        host = parts.hostname or ""
        return host == "console.aws.amazon.com" or host.endswith(".console.aws.amazon.com")
    return parts.scheme == "http" and parts.netloc == own_host
