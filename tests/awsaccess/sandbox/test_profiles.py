"""Shipped profiles in real calls: the role as its template makes it, entered, and tried at both sides of its limits."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from itertools import combinations
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from awsaccess.provision.access_stack import AccessGrantSpec, expected_role
from awsaccess.sandbox.signing import Keys
from engagements.profiles import PROFILES, AccessProfile, Kind
from tests.awsaccess.sandbox.making import HUB, enter, make_role
from tests.plugins.sandbox_process import BRIGHTWATER, NORTHGATE, SandboxProcess

Call = tuple[str, str, dict[str, Any]]  # service, method, parameters
# Nobody was let in: what the simulated AWS lacks, and what it cannot read (Route 53's GET requests, for one).
UNHEARD: Final = {"NotImplemented", "nothing"}
REFUSED: Final = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
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
BUCKET: Final = {"Bucket": "more", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
PERSON: Final = {
    "FirstName": "A",
    "LastName": "B",
    "ContactType": "PERSON",
    "Email": "a@a.example",
    "PhoneNumber": "+49.30123456",
    "AddressLine1": "1 Road",
    "City": "Berlin",
    "CountryCode": "DE",
    "ZipCode": "10115",
}
DOMAIN: Final = {
    "DomainName": "a.example",
    "DurationInYears": 1,
    "AdminContact": PERSON,
    "RegistrantContact": PERSON,
    "TechContact": PERSON,
}
# What each line opens, by one call at least; a call that finds nothing has been let in all the same. Without a call: the
# simulated AWS has no such service, and its judge alone is asked (tests/engagements/test_profiles.py).
OPENS: Final[dict[str, tuple[Call, ...]]] = {
    "costs": (("budgets", "describe_budgets", {"AccountId": BRIGHTWATER}),),
    "invoices": (),
    "inventory": (
        ("s3", "list_buckets", {}),
        ("ec2", "describe_instances", {}),
        ("dynamodb", "list_tables", {}),
    ),
    "metrics": (("cloudwatch", "list_metrics", {}),),
    "advice": (),
    "history": (("cloudtrail", "lookup_events", {}),),
    "settings": (("iam", "list_users", {}), ("kms", "list_keys", {})),
    "backups": (("backup", "list_backup_vaults", {}),),
    "quotas": (("service-quotas", "list_aws_default_service_quotas", {"ServiceCode": "vpc"}),),
    "network": (("directconnect", "describe_connections", {}),),
    "moving": (),
    "licences": (),
    "databases": (("rds", "describe_db_instances", {}), ("dynamodb", "list_tables", {})),
    "databases_change": (("rds", "reboot_db_instance", {"DBInstanceIdentifier": "main"}),),
    "databases_backup": (("dynamodb", "create_backup", {"TableName": "patients", "BackupName": "one"}),),
    "databases_logs": (),
    "functions": (("lambda", "list_functions", {}),),
    "functions_change": (
        ("lambda", "put_function_concurrency", {"FunctionName": "f", "ReservedConcurrentExecutions": 1}),
    ),
    "interfaces_change": (),
    "stores_make": (("sqs", "create_queue", {"QueueName": "orders"}),),
    "logs": (("logs", "describe_log_groups", {}),),
    "names": (("route53domains", "list_domains", {}),),
    "names_change": (("route53", "create_hosted_zone", {"Name": "a.example", "CallerReference": "1"}),),
    "mail_change": (("sesv2", "create_email_identity", {"EmailIdentity": "a.example"}),),
    "name_servers": (
        (
            "route53domains",
            "update_domain_nameservers",
            {"DomainName": "a.example", "Nameservers": [{"Name": "ns.a.example"}]},
        ),
    ),
    "stop": (("ec2", "stop_instances", {"InstanceIds": ["i-12345678"]}),),
    "proof": (("ec2", "create_snapshot", {"VolumeId": "vol-12345678"}),),
    "all_change": (("sqs", "create_queue", {"QueueName": "orders"}), ("s3", "create_bucket", BUCKET)),
    "all_read": (("s3", "list_buckets", {}), ("ssm", "get_parameter", {"Name": "main"})),
}
# What each sentence keeps closed.
CLOSES: Final[dict[str, tuple[Call, ...]]] = {
    "contents": CONTENTS,
    "data": CONTENTS[:2],
    "secrets": CONTENTS[2:],
    "log_in": (("ssm", "send_command", {"DocumentName": "AWS-RunShellScript"}),),
    "change": CHANGES,
    "delete_data": DATA_GONE,
    "records": (("cloudtrail", "stop_logging", {"Name": "main"}),),
    "money": (("route53domains", "register_domain", DOMAIN),),
    "pass_on": SOMEONE_IN,
}
CHOICES: Final = [
    (code, choice)
    for code, profile in PROFILES.items()
    for count in range(len(profile.optional_lines) + 1)
    for choice in combinations([line.key for line in profile.optional_lines], count)
]


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
    """`done`, or AWS's error code; `nothing` for an answer without one."""
    service, method, parameters = call
    act: Callable[..., object] = getattr(sandbox.client(service, keys), method)
    try:
        act(**parameters)
    except ClientError as error:
        return str(error.response["Error"]["Code"] or "nothing")
    return "done"


@pytest.mark.parametrize(
    ("code", "choice"), CHOICES, ids=["+".join((code, *choice)) for code, choice in CHOICES]
)
def test_each_line_opens_and_each_limit_holds_whatever_is_chosen(
    sandbox: SandboxProcess, code: str, choice: tuple[str, ...]
) -> None:
    profile = PROFILES[code].with_optional(choice)
    keys = entered(sandbox, profile)
    for line in profile.lines:
        for call in OPENS[line.key]:
            assert outcome(sandbox, keys, call) not in REFUSED | UNHEARD, (line.title, call)
    for limit in profile.limits:
        for call in CLOSES[limit.key]:
            assert outcome(sandbox, keys, call) in REFUSED, (limit.title, call)
    opened = [call for line in profile.lines for call in OPENS[line.key]]
    for line in profile.optional_lines:  # what was left out is not in the role
        for call in OPENS[line.key]:
            assert call in opened or outcome(sandbox, keys, call) in REFUSED, (line.title, call)


def test_every_line_and_every_limit_that_is_shipped_is_tried() -> None:
    lines = {line.key for each in PROFILES.values() for line in (*each.lines, *each.optional_lines)}
    assert set(OPENS) == lines
    assert set(CLOSES) == {limit.key for each in PROFILES.values() for limit in each.limits}
    assert all(CLOSES.values())
    for profile in PROFILES.values():
        assert any(OPENS[line.key] for line in profile.lines), profile.code
