"""The user or the role session behind an access key, and what AWS remembers of a session and moto does not."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from moto.iam.models import iam_backends

from awsaccess.sandbox.guard.language import Principal
from awsaccess.sandbox.guard.propagation import PROPAGATION

Moto = Any  # moto's objects: their attributes are checked by the canary tests, not by types


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One set of temporary credentials."""

    account: str
    arn: str
    role_arn: str
    role_id: str
    name: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    issued: dt.datetime
    expires: dt.datetime
    chained: bool
    source_identity: str | None
    policy: str | None
    managed: tuple[str, ...]
    """ARNs of managed policies that limit it beside `policy`."""
    tags: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A principal with what its rights follow from: `entity` is moto's user or role."""

    principal: Principal
    entity: Moto
    session: Session | None = None

    @property
    def account(self) -> str:
        """The account that the caller belongs to."""
        return self.principal.account

    @property
    def arn(self) -> str:
        """As GetCallerIdentity shows it."""
        return self.principal.arn


SESSIONS: dict[str, Session] = {}


def role_by_arn(arn: str) -> Moto | None:
    """The role with this ARN, in whichever account, or None."""
    account = arn.split(":")[4]
    return next((role for role in list(iam_backends[account]["aws"].roles.values()) if role.arn == arn), None)


def role_seen(arn: str) -> Moto | None:
    """The role as STS knows it, which IAM's last change of it may not have reached yet."""
    return PROPAGATION.seen(arn, role_by_arn(arn))


def caller_of_role(role: Moto) -> Caller:
    """A role acting by itself, as CloudFormation's service role does."""
    principal = Principal(account=role.account_id, arn=role.arn, principal_arn=role.arn, unique_id=role.id)
    return Caller(principal=principal, entity=role)


def _caller_of_session(session: Session) -> Caller | None:
    role = role_seen(session.role_arn)
    if role is None or role.id != session.role_id:
        return None  # deleted or made anew under the session: its token is dead
    principal = Principal(
        account=session.account, arn=session.arn, principal_arn=session.role_arn, unique_id=role.id
    )
    return Caller(principal=principal, entity=role, session=session)


def _caller_of_user(account: str, user: Moto) -> Caller:
    principal = Principal(account=account, arn=user.arn, principal_arn=user.arn, unique_id=user.id)
    return Caller(principal=principal, entity=user)


def find_caller(access_key_id: str) -> Caller | None:
    """Who holds this access key; None for an unknown, deactivated or dead one."""
    if session := SESSIONS.get(access_key_id):
        return _caller_of_session(session)
    for account, partitions in list(iam_backends.items()):
        key = partitions["aws"].access_keys.get(access_key_id)
        if key is None or key.status != "Active":
            continue
        user = next((u for u in list(partitions["aws"].users.values()) if u.name == key.user_name), None)
        return _caller_of_user(account, user) if user else None
    return None


def secret_of(access_key_id: str) -> str | None:
    """The secret that belongs to an access key, of a user or of a session."""
    if session := SESSIONS.get(access_key_id):
        return session.secret_access_key
    for partitions in list(iam_backends.values()):
        if key := partitions["aws"].access_keys.get(access_key_id):
            return str(key.secret_access_key)
    return None
