"""One try to sign in by a practice's service: from the button to the answer, in one browser, once, ten minutes long.

Nothing is kept about it here. `state` is sealed and travels with the browser to the service and back; it opens only
together with the cookie of the browser that pressed the button, so that nobody finishes in one browser what was begun
in another. Two presses of the button make two states, and each of them is right.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import json
import secrets as randomness
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from accounts.services.attempts import Limit, attempt_count
from portal.kernel import clock, secrets
from portal.kernel.errors import RateLimited

PURPOSE: Final = "sign-in attempt"
LIFE: Final = dt.timedelta(minutes=10)
ONCE: Final = Limit(name="sign-in attempt", tries=1, within=dt.timedelta(hours=1))
BROWSER_BYTES: Final = 24
LONGEST: Final = 1500


class AttemptDead(Exception):
    """Raised for a state that is not ours, not this browser's, too old, or used. `reason` is for the record."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What was begun: for which service as it stood then, and where to go afterwards."""

    mark: str
    service_id: UUID
    revision: int
    next_path: str
    begun_at: dt.datetime
    browser: str

    @property
    def nonce(self) -> str:
        """What the ID token has to repeat."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """What PKCE (RFC 7636) shows when the code is exchanged: 64 letters and digits that never left the portal."""
        return self._derived("verifier") + self._derived("verifier, second half")

    @property
    def challenge(self) -> str:
        """The verifier's SHA-256, which goes with the browser."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    @property
    def state(self) -> str:
        """All of it, sealed for this browser."""
        told = {
            "mark": self.mark,
            "service": str(self.service_id),
            "revision": self.revision,
            "next": self.next_path,
            "at": self.begun_at.isoformat(),
        }
        sealed = secrets.seal(PURPOSE, json.dumps(told).encode(), bound_to=self.browser)
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def _derived(self, what: str) -> str:
        return next(secrets.tokens(f"{PURPOSE}: {what}", f"{self.browser}:{self.mark}".encode()))


def new_browser() -> str:
    """What the cookie of a browser holds."""
    return randomness.token_urlsafe(BROWSER_BYTES)


def attempt_begin(*, service_id: UUID, revision: int, browser: str, next_path: str) -> Attempt:
    """A new try."""
    return Attempt(
        mark=randomness.token_urlsafe(16),
        service_id=service_id,
        revision=revision,
        next_path=next_path,
        begun_at=clock.now(),
        browser=browser,
    )


def attempt_take(*, state: str, browser: str, service_id: UUID, revision: int) -> Attempt:
    """The try that a state belongs to, used up by this call. Raises AttemptDead."""
    attempt = _opened(state, browser)
    if (attempt.service_id, attempt.revision) != (service_id, revision):
        raise AttemptDead("begun under other settings")
    if clock.now() >= attempt.begun_at + LIFE:
        raise AttemptDead("begun more than ten minutes ago")
    try:
        attempt_count(ONCE, attempt.mark)
    except RateLimited:
        raise AttemptDead("used before") from None
    return attempt


def _opened(state: str, browser: str) -> Attempt:
    if not browser or not state or len(state) > LONGEST:
        raise AttemptDead("not begun in this browser")
    try:
        sealed = base64.b64decode(state + "=" * (-len(state) % 4), altchars=b"-_", validate=True)
        told = json.loads(secrets.unseal(PURPOSE, sealed, bound_to=browser))
    except (binascii.Error, ValueError, secrets.Unreadable):
        raise AttemptDead("not begun in this browser") from None
    return Attempt(
        mark=told["mark"],
        service_id=UUID(told["service"]),
        revision=told["revision"],
        next_path=told["next"],
        begun_at=dt.datetime.fromisoformat(told["at"]),
        browser=browser,
    )
