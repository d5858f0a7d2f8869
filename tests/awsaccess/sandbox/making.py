"""Short words for policies and roles, for the tests of the simulated AWS."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from awsaccess.sandbox.signing import Keys
from tests.plugins.sandbox_process import BRIGHTWATER, NORTHGATE, SandboxProcess

HUB: Final = f"arn:aws:iam::{NORTHGATE}:role/latchkey-hub"
ROOT: Final = f"arn:aws:iam::{NORTHGATE}:root"
COMPANIONS: Final = ("sts:TagSession", "sts:SetSourceIdentity")
FROM_HUB: Final = {"ArnEquals": {"aws:PrincipalArn": HUB}}
GOOD_ID: Final = {"StringEquals": {"sts:ExternalId": "good-id"}}
Statement = Mapping[str, object]


def policy(*statements: Statement) -> str:
    """A policy document as text."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def grant(action: object, resource: object = "*", **more: object) -> Statement:
    """An Allow of an identity policy."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(principal: object = ROOT, condition: object = None, action: object = "sts:AssumeRole") -> Statement:
    """An Allow of a trust policy."""
    who = "*" if principal == "*" else {"AWS": principal}
    statement = {"Effect": "Allow", "Principal": who, "Action": action}
    return statement | ({"Condition": condition} if condition else {})


EVERYTHING: Final = policy(grant("*"))
STANDARD: Final = (trust(ROOT, GOOD_ID | FROM_HUB), trust(ROOT, FROM_HUB, list(COMPANIONS)))


def make_role(
    sandbox: SandboxProcess,
    *statements: Statement,
    name: str = "latchkey-r",
    document: str = EVERYTHING,
    **more: Any,
) -> str:
    """A role of Brightwater with this trust and these rights; returns its ARN. Any: CreateRole's parameters."""
    iam = sandbox.iam(BRIGHTWATER)
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(*(statements or STANDARD)), **more)
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document)
    return made["Role"]["Arn"]


def enter(sandbox: SandboxProcess, role_arn: str, keys: Keys | None = None, **more: Any) -> Keys:
    """Assume the role as the portal's hub with the right external id. Any: AssumeRole's parameters."""
    given = {"ExternalId": "good-id", "RoleSessionName": "mira", **more}
    return sandbox.assume(keys or sandbox.as_hub(), role_arn, **given)


def make_user(sandbox: SandboxProcess, account_id: str, name: str, document: str | None = None) -> Keys:
    """A user of an account with keys."""
    iam = sandbox.iam(account_id)
    iam.create_user(UserName=name)
    if document:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Keys(access_key_id=key["AccessKeyId"], secret_access_key=key["SecretAccessKey"])


def refused(code: str, call: Callable[..., object], *args: Any, **more: Any) -> str:
    """The call must fail with this code; returns AWS's words. Any: the call's own arguments."""
    with pytest.raises(ClientError) as caught:
        call(*args, **more)
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    return error["Message"]
