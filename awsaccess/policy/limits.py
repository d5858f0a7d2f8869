"""What a role can not do: sentences that are said only if every action behind them is proved to stay closed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from awsaccess.policy import catalogue
from awsaccess.policy.documents import SENSITIVE_ACTIONS
from awsaccess.policy.reach import Actions, Reach
from awsaccess.policy.risks import EXPOSES

# Said of everything that changes something, in any service, and so of the services that the list cannot name.
ANY_CHANGE: Final = "any change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One sentence, by its key, and the actions that must stay closed for it: patterns, or ANY_CHANGE.

    `within`: the key of a wider sentence, beside which this one need not be said.
    """

    key: str
    patterns: tuple[str, ...]
    within: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cannot:
    """A promise that holds. `sids`: the Denies that keep it; empty where nothing allows it in the first place.

    `locked`: Denies take all of it, so that it holds whatever else the role is given.
    """

    key: str
    sids: tuple[str, ...]
    locked: bool


PROMISES: Final = (
    Promise(key="contents", patterns=SENSITIVE_ACTIONS),
    Promise(
        key="secrets",
        within="contents",
        patterns=(
            "kms:Decrypt",
            "secretsmanager:BatchGetSecretValue",
            "secretsmanager:GetSecretValue",
            "ssm:GetParameter",
            "ssm:GetParameterHistory",
            "ssm:GetParameters",
            "ssm:GetParametersByPath",
        ),
    ),
    Promise(
        key="data",
        within="contents",
        patterns=(
            "athena:GetQueryResults",
            "dynamodb:BatchGetItem",
            "dynamodb:GetItem",
            "dynamodb:GetRecords",
            "dynamodb:PartiQLSelect",
            "dynamodb:Query",
            "dynamodb:Scan",
            "ebs:GetSnapshotBlock",
            "rds-data:ExecuteStatement",
            "rds-db:connect",
            "redshift:GetClusterCredentials",
            "s3:GetObject",
            "s3:GetObjectVersion",
            "sqs:ReceiveMessage",
        ),
    ),
    Promise(
        key="log_in",
        within="contents",
        patterns=(
            "ec2-instance-connect:Send*",
            "ec2:GetPasswordData",
            "ecs:ExecuteCommand",
            "ssm:ResumeSession",
            "ssm:SendCommand",
            "ssm:StartSession",
        ),
    ),
    Promise(key="change", patterns=(ANY_CHANGE,)),
    Promise(
        key="delete",
        within="change",
        patterns=(
            "backup:Delete*",
            "cloudformation:DeleteStack*",
            "dynamodb:Delete*",
            "ec2:Delete*",
            "ec2:TerminateInstances",
            "elasticfilesystem:Delete*",
            "kms:ScheduleKeyDeletion",
            "lambda:Delete*",
            "rds:Delete*",
            "redshift:Delete*",
            "route53:DeleteHostedZone",
            "s3:Delete*",
            "secretsmanager:DeleteSecret",
        ),
    ),
    Promise(
        key="delete_data",
        within="delete",
        patterns=(
            "backup:DeleteBackupVault",
            "backup:DeleteRecoveryPoint",
            "dynamodb:DeleteBackup",
            "dynamodb:DeleteTable",
            "ec2:DeleteSnapshot",
            "ec2:DeleteVolume",
            "elasticfilesystem:DeleteFileSystem",
            "rds:DeleteDBCluster",
            "rds:DeleteDBClusterSnapshot",
            "rds:DeleteDBInstance",
            "rds:DeleteDBInstanceAutomatedBackup",
            "rds:DeleteDBSnapshot",
            "redshift:DeleteCluster",
            "s3:DeleteBucket",
            "s3:DeleteObject",
            "s3:DeleteObjectVersion",
        ),
    ),
    Promise(key="public", within="change", patterns=EXPOSES),
    Promise(
        key="records",
        within="change",
        patterns=(
            "cloudtrail:DeleteEventDataStore",
            "cloudtrail:DeleteTrail",
            "cloudtrail:PutEventSelectors",
            "cloudtrail:StopEventDataStoreIngestion",
            "cloudtrail:StopLogging",
            "cloudtrail:UpdateEventDataStore",
            "cloudtrail:UpdateTrail",
            "config:DeleteConfigurationRecorder",
            "config:StopConfigurationRecorder",
            "guardduty:DeleteDetector",
            "guardduty:UpdateDetector",
        ),
    ),
    Promise(
        key="money",
        within="change",
        patterns=(
            "account:CloseAccount",
            "aws-marketplace:AcceptAgreementRequest",
            "aws-marketplace:Subscribe",
            "aws-portal:Modify*",
            "billing:Update*",
            "dynamodb:PurchaseReservedCapacityOfferings",
            "ec2:Purchase*",
            "elasticache:Purchase*",
            "es:Purchase*",
            "memorydb:Purchase*",
            "organizations:LeaveOrganization",
            "payments:Create*",
            "payments:Delete*",
            "payments:MakePayment",
            "payments:Update*",
            "purchase-orders:Add*",
            "purchase-orders:Modify*",
            "rds:Purchase*",
            "redshift:Purchase*",
            "route53domains:RegisterDomain",
            "route53domains:TransferDomain*",
            "savingsplans:CreateSavingsPlan",
            "tax:Put*",
        ),
    ),
    Promise(
        key="pass_on",
        patterns=(
            "iam:AddRoleToInstanceProfile",
            "iam:AddUserToGroup",
            "iam:Attach*",
            "iam:CreateAccessKey",
            "iam:CreateLoginProfile",
            "iam:CreateOpenIDConnectProvider",
            "iam:CreatePolicy",
            "iam:CreatePolicyVersion",
            "iam:CreateRole",
            "iam:CreateSAMLProvider",
            "iam:CreateServiceSpecificCredential",
            "iam:CreateUser",
            "iam:PassRole",
            "iam:Put*",
            "iam:SetDefaultPolicyVersion",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateLoginProfile",
            "identitystore:CreateUser",
            "sso:AttachManagedPolicyToPermissionSet",
            "sso:CreateAccountAssignment",
            "sts:AssumeRole",
        ),
    ),
)
BY_KEY: Final[Mapping[str, Promise]] = {promise.key: promise for promise in PROMISES}


def cannot(reach: Reach, *, can_escalate: bool) -> tuple[Cannot, ...]:
    """Every promise that holds, but for those that a wider one says already.

    Who can raise their own rights is not stopped by what is missing: of those, only what a Deny takes is said.
    """
    kept = {promise.key: _kept(promise, reach) for promise in PROMISES if _holds(promise, reach)}
    if can_escalate:
        kept = {key: each for key, each in kept.items() if each.locked}
    return tuple(each for key, each in kept.items() if kept.keys().isdisjoint(_wider(BY_KEY[key])))


def is_kept(key: str, reach: Reach) -> bool:
    """Whether this promise, wide or narrow, holds. Raises KeyError for one that does not exist."""
    return _holds(BY_KEY[key], reach)


def actions_behind(key: str) -> tuple[str, ...]:
    """All actions that must stay closed for a promise, as AWS spells them, in order."""
    behind = _behind(BY_KEY[key].patterns)
    return tuple(
        sorted(catalogue.spelled(prefix, name) for prefix, names in behind.items() for name in names)
    )


def _holds(promise: Promise, reach: Reach) -> bool:
    if promise.patterns == (ANY_CHANGE,):
        # What the data does not know could be a change as well.
        return not reach.unknown and all(
            names.isdisjoint(catalogue.changing(prefix)) for prefix, names in reach.granted.items()
        )
    return not reach.within(_behind(promise.patterns))


def _kept(promise: Promise, reach: Reach) -> Cannot:
    if promise.patterns == (ANY_CHANGE,) and not _refuses_every_service(reach):
        # No Deny takes every change: that needs no look at every service.
        return Cannot(key=promise.key, sids=(), locked=False)
    behind = _behind(promise.patterns)
    return Cannot(key=promise.key, sids=reach.refused_by(behind), locked=reach.is_refused(behind))


def _refuses_every_service(reach: Reach) -> bool:
    return any(len(each.actions) == len(catalogue.services()) for each in reach.refusals)


def _wider(promise: Promise) -> Iterable[str]:
    while promise.within is not None:
        yield promise.within
        promise = BY_KEY[promise.within]


@cache
def _behind(patterns: tuple[str, ...]) -> Actions:
    found: dict[str, frozenset[str]] = defaultdict(frozenset)
    for pattern in patterns:
        for prefix, names in _meant(pattern).items():
            found[prefix] |= names
    return dict(found)


def _meant(pattern: str) -> Actions:
    if pattern == ANY_CHANGE:
        return {prefix: catalogue.changing(prefix) for prefix in catalogue.services()}
    return catalogue.matching(pattern)
