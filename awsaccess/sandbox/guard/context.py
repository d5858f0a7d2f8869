"""The condition keys of a request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from moto.organizations.models import organizations_backends

from awsaccess.sandbox import clock
from awsaccess.sandbox.guard.caller import Caller
from awsaccess.sandbox.guard.language import Context

Params = Mapping[str, Any]  # Any: the parameters of any AWS call

# The service authorization reference lists these for sts:AssumeRole only. Unproven on real AWS; being strict here
# makes templates use the two-statement trust policy, which is right either way (AWS_FACTS, the trust policy).
ASSUME_ONLY_KEYS: Final = frozenset({"sts:externalid", "sts:rolesessionname"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the guard knows of a call besides its caller."""

    region: str
    source_ip: str
    params: Params


def _of_the_call(request: Request) -> dict[str, str | Sequence[str]]:
    at = clock.now()
    return {
        "aws:currenttime": at.isoformat(),
        "aws:epochtime": str(at.timestamp()),
        "aws:requestedregion": request.region,
        "aws:securetransport": "true",
        "aws:sourceip": request.source_ip,
        "aws:viaawsservice": "false",
    }


def _of_the_caller(caller: Caller) -> dict[str, str | Sequence[str]]:
    principal, session = caller.principal, caller.session
    keys: dict[str, str | Sequence[str]] = {
        "aws:principalarn": principal.principal_arn,
        "aws:principalaccount": principal.account,
        "aws:userid": f"{principal.unique_id}:{session.name}" if session else principal.unique_id,
    }
    if organization := _organization_of(principal.account):
        keys["aws:principalorgid"] = organization
    is_user = ":user/" in principal.arn
    keys["aws:principaltype"] = "User" if is_user else "AssumedRole"
    if is_user:
        keys["aws:username"] = caller.entity.name
    if session is None:
        return keys
    keys["aws:multifactorauthpresent"] = "false"  # absent for long-term keys, which is not the same
    keys["aws:tokenissuetime"] = session.issued.isoformat()
    if session.source_identity:
        keys["aws:sourceidentity"] = session.source_identity
    return keys


def _organization_of(account: str) -> str | None:
    """The id of the organization that an account manages or belongs to."""
    manager, partition = organizations_backends.master_accounts.get(account, (account, "aws"))
    found = organizations_backends[manager][partition].org if manager in organizations_backends else None
    return str(found.id) if found else None


def _principal_tags(caller: Caller) -> dict[str, str]:
    own = caller.entity.tags
    tags = {t["Key"]: t["Value"] for t in own} if isinstance(own, list) else {}
    return tags | (caller.session.tags if caller.session else {})


def tags_of(params: Params) -> dict[str, str]:
    """The tags in a request, whatever its protocol made of them."""
    tags = params.get("Tags") or []
    return {t["Key"]: t["Value"] for t in tags if isinstance(t, dict) and "Key" in t}


def _of_the_parameters(params: Params) -> dict[str, str | Sequence[str]]:
    keys: dict[str, str | Sequence[str]] = {
        f"sts:{name.lower()}": str(params[name])
        for name in ("ExternalId", "RoleSessionName", "SourceIdentity")
        if params.get(name)
    }
    tags = tags_of(params)
    keys |= {f"aws:requesttag/{key.lower()}": value for key, value in tags.items()}
    if tags:
        keys["aws:tagkeys"] = list(tags)
    for key, name in (("cloudformation:templateurl", "TemplateURL"), ("cloudformation:rolearn", "RoleARN")):
        if params.get(name):
            keys[key] = str(params[name])
    return keys


def request_context(caller: Caller | None, request: Request) -> Context:
    """All condition keys of a call, in lower case; without a caller it is an anonymous one."""
    keys = _of_the_call(request) | _of_the_parameters(request.params)
    if caller is not None:
        keys |= _of_the_caller(caller)
        keys |= {f"aws:principaltag/{k.lower()}": v for k, v in _principal_tags(caller).items()}
    return keys


class _Current(threading.local):
    def __init__(self) -> None:
        self.caller: Caller | None = None
        self.context: Context = {}
        self.action = ""
        """What is being called, as IAM names it; empty before the guard has looked."""
        self.replaying = False
        """What is relived was judged when it happened: it is not judged again."""
        self.refused: list[str] = []
        """Steps inside an accepted change that were refused, so that a replay fails at the same ones."""


CURRENT: Final = _Current()


def judged(step: str, decide: Callable[[], bool]) -> bool:
    """May this step of a change be taken? A replay gives the answer that was given the first time."""
    if CURRENT.replaying:
        return step not in CURRENT.refused
    may = decide()
    if not may:
        CURRENT.refused.append(step)
    return may


def remember(caller: Caller | None, context: Context, action: str = "") -> None:
    """Keep who is calling, for what is done in their name later in this thread (CloudFormation)."""
    CURRENT.caller, CURRENT.context = caller, context
    CURRENT.action = action


@contextmanager
def acting(caller: Caller | None, context: Context) -> Iterator[None]:
    """Act for somebody who is not calling right now, such as the owner of a stack that goes on."""
    before = (CURRENT.caller, CURRENT.context)
    remember(caller, context)
    try:
        yield
    finally:
        remember(*before)
