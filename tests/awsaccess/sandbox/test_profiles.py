"""Shipped profiles in real calls: the role as its template makes it, entered, and tried at both sides of its limits."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from awsaccess.provision.access_stack import AccessGrantSpec, expected_role
from awsaccess.sandbox.signing import Keys
from engagements.profiles import PROFILES, AccessProfile, Kind
from tests.awsaccess.sandbox.making import HUB, enter, make_role
from tests.plugins.sandbox_process import BRIGHTWATER, NORTHGATE, SandboxProcess

Call = tuple[str, str, dict[str, Any]]  # service, method, parameters
REFUSED: Final = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
NEW_ROLE: Final = {"RoleName": "other", "AssumeRolePolicyDocument": "{}"}
SOMEONE_IN: Final[tuple[Call, ...]] = (
    ("iam", "create_user", {"UserName": "mallory"}),
    ("iam", "create_role", NEW_ROLE),
    ("iam", "create_access_key", {"UserName": "portal"}),
)
CONTENTS: Final[tuple[Call, ...]] = (
    ("s3", "get_object", {"Bucket": "invoices", "Key": "2026.csv"}),
    ("dynamodb", "scan", {"TableName": "patients"}),
    ("secretsmanager", "get_secret_value", {"SecretId": "main"}),
    ("ssm", "get_parameter", {"Name": "main"}),
)
CHANGES: Final[tuple[Call, ...]] = (
    ("s3", "delete_bucket", {"Bucket": "invoices"}),
    ("ec2", "run_instances", {"ImageId": "ami-12345678", "MinCount": 1, "MaxCount": 1}),
    ("sqs", "create_queue", {"QueueName": "more"}),
)
DATA_GONE: Final[tuple[Call, ...]] = (
    ("s3", "delete_bucket", {"Bucket": "invoices"}),
    ("dynamodb", "delete_table", {"TableName": "patients"}),
)
RECORDS: Final[Call] = ("cloudtrail", "stop_logging", {"Name": "main"})
# What each may do, and what it must not.
TRIED: Final[dict[str, tuple[tuple[Call, ...], tuple[Call, ...]]]] = {
    "cost_review": (
        (("s3", "list_buckets", {}), ("ec2", "describe_instances", {}), ("dynamodb", "list_tables", {})),
        (*CONTENTS, *CHANGES, *SOMEONE_IN),
    ),
    "security_review": (
        (("iam", "list_users", {}), ("iam", "list_roles", {}), ("ec2", "describe_security_groups", {})),
        (*CONTENTS, *CHANGES, *SOMEONE_IN),
    ),
    "serverless_build": (
        (
            ("sqs", "create_queue", {"QueueName": "orders"}),
            ("dynamodb", "list_tables", {}),
            ("logs", "describe_log_groups", {}),
        ),
        (*CONTENTS, *DATA_GONE, RECORDS, *SOMEONE_IN),
    ),
    "full_administrator": (
        (
            ("sqs", "create_queue", {"QueueName": "orders"}),
            ("s3", "list_buckets", {}),
            ("ssm", "put_parameter", {"Name": "note", "Value": "x", "Type": "String"}),
        ),
        (RECORDS, *SOMEONE_IN),
    ),
}


def entered(sandbox: SandboxProcess, profile: AccessProfile) -> Keys:
    """A session in a role of Brightwater that has exactly what the profile's template gives it."""
    spec = AccessGrantSpec(
        practice_name="Northgate Cloud",
        client_name="Brightwater Dental",
        engagement_code="7qk2m4xw9p",
        hub_account_id=NORTHGATE,
        hub_role_arn=HUB,
        external_id="2f1c7d0e-6f0b-4a52-9a3e-8d1f0c5b7e44",
        expires_at=dt.datetime.now(dt.UTC) + dt.timedelta(days=30),
        managed_policy_arns=profile.managed_policies,
        statements=profile.statements,
        look_only=profile.kind is Kind.LOOK,
    )
    inline = expected_role(spec, BRIGHTWATER).inline_documents["latchkey-access"]
    role = make_role(sandbox, name=spec.role_name, document=json.dumps(inline))
    for arn in profile.managed_policies:
        sandbox.iam(BRIGHTWATER).attach_role_policy(RoleName=spec.role_name, PolicyArn=arn)
    return enter(sandbox, role)


def outcome(sandbox: SandboxProcess, keys: Keys, call: Call) -> str:
    """`done`, or AWS's error code."""
    service, method, parameters = call
    act: Callable[..., object] = getattr(sandbox.client(service, keys), method)
    try:
        act(**parameters)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "done"


@pytest.mark.parametrize("code", TRIED)
def test_a_profile_opens_what_it_says_and_nothing_that_it_says_it_does_not(
    sandbox: SandboxProcess, code: str
) -> None:
    keys = entered(sandbox, PROFILES[code])
    allowed, limits = TRIED[code]
    assert {call[1]: outcome(sandbox, keys, call) for call in allowed} == {
        call[1]: "done" for call in allowed
    }
    told = {call[1]: outcome(sandbox, keys, call) for call in limits}
    assert set(told.values()) <= REFUSED, told
