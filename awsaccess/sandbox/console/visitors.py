"""Who is signed in to the simulated console: an account's administrator, or somebody with a role session."""

from __future__ import annotations

import datetime as dt
import secrets
import threading
from dataclasses import dataclass, field

from awsaccess.sandbox import clock
from awsaccess.sandbox.guard.caller import Session
from awsaccess.sandbox.parties import Account
from awsaccess.sandbox.signing import Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody at the console, and the keys that the console acts with."""

    keys: Keys
    account_id: str
    account_name: str
    arn: str
    who: str
    """A user's or a role's name."""
    session_name: str | None = None
    source_identity: str | None = None
    expires: dt.datetime | None = None
    issuer: str = ""
    """Where somebody whose session ended gets a new one; of the portal only."""
    destination: str = ""

    @property
    def is_over(self) -> bool:
        """Did the session's time run out?"""
        return self.expires is not None and self.expires <= clock.now()

    @property
    def seconds_left(self) -> int | None:
        """Until the session ends; None for a user, whose keys have no end."""
        return None if self.expires is None else int((self.expires - clock.now()).total_seconds())


def administrator(account: Account) -> Visitor:
    """The administrator of an account, as the chooser lets one in."""
    return Visitor(
        keys=account.admin_keys,
        account_id=account.account_id,
        account_name=account.name,
        arn=f"arn:aws:iam::{account.account_id}:user/{account.admin_user}",
        who=account.admin_user,
    )


def role_session(session: Session, account_name: str, *, issuer: str, destination: str) -> Visitor:
    """Somebody who came in with a sign-in token."""
    keys = Keys(
        access_key_id=session.access_key_id,
        secret_access_key=session.secret_access_key,
        session_token=session.session_token,
    )
    return Visitor(
        keys=keys,
        account_id=session.account,
        account_name=account_name,
        arn=session.arn,
        who=session.role_arn.rsplit("/", 1)[1],
        session_name=session.name,
        source_identity=session.source_identity,
        expires=session.expires,
        issuer=issuer,
        destination=destination,
    )


@dataclass(slots=True)
class Visitors:
    """Everybody who is signed in, by the value of their cookie. A restart signs everybody out."""

    _visitors: dict[str, Visitor] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def let_in(self, visitor: Visitor) -> str:
        """A new cookie value for this visitor."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._visitors[token] = visitor
        return token

    def find(self, token: str | None) -> Visitor | None:
        """Whose cookie this is."""
        with self._lock:
            return self._visitors.get(token or "")

    def let_out(self, token: str | None) -> None:
        """Sign out."""
        with self._lock:
            self._visitors.pop(token or "", None)
