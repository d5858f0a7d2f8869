"""Deny statements of the profiles that change things: contents stay closed unless a profile says otherwise.

A role that only looks has the same guard from the template; these are for the others. What they must cover is proved
by the tests against `awsaccess.policy.limits`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from engagements.profiles.shapes import Statement

NO_DATA: Final = "NoData"
KEEP_DATA: Final = "KeepData"
KEEP_RECORDS: Final = "KeepRecords"
NO_MONEY: Final = "NoMoney"

# What is inside of things, by what a client would call it.
CONTENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "code": ("codecommit:Get*", "codecommit:GitPull", "lambda:GetFunction", "lambda:GetLayerVersion"),
    "data": (
        "athena:GetQueryResults*",
        "cassandra:Select",
        "dynamodb:BatchGetItem",
        "dynamodb:GetItem",
        "dynamodb:GetRecords",
        "dynamodb:PartiQLSelect",
        "dynamodb:Query",
        "dynamodb:Scan",
        "ebs:GetSnapshotBlock",
        "ecr:BatchGetImage",
        "ecr:GetAuthorizationToken",
        "ecr:GetDownloadUrlForLayer",
        "es:ESHttpGet",
        "es:ESHttpPost",
        "glacier:GetJobOutput",
        "kinesis:GetRecords",
        "rds-data:BatchExecuteStatement",
        "rds-data:ExecuteStatement",
        "rds-db:connect",
        "redshift-data:GetStatementResult",
        "redshift-serverless:GetCredentials",
        "redshift:GetClusterCredentials*",
        "s3:GetObject",
        "s3:GetObjectTorrent",
        "s3:GetObjectVersion",
        "s3:GetObjectVersionTorrent",
        "sqs:ReceiveMessage",
        "timestream:Select",
        "workmailmessageflow:GetRawMessageContent",
    ),
    "database logs": ("rds:DownloadCompleteDBLogFile", "rds:DownloadDBLogFilePortion"),
    "logs": (
        "logs:FilterLogEvents",
        "logs:GetLogEvents",
        "logs:GetLogRecord",
        "logs:GetQueryResults",
        "logs:StartLiveTail",
        "logs:StartQuery",
    ),
    "secrets": (
        "kms:Decrypt",
        "secretsmanager:BatchGetSecretValue",
        "secretsmanager:GetSecretValue",
        "ssm:GetParameter",
        "ssm:GetParameterHistory",
        "ssm:GetParameters",
        "ssm:GetParametersByPath",
    ),
    "servers": (
        "ec2-instance-connect:Send*",
        "ec2:GetConsoleOutput",
        "ec2:GetConsoleScreenshot",
        "ec2:GetPasswordData",
        "ecs:ExecuteCommand",
        "lightsail:DownloadDefaultKeyPair",
        "lightsail:GetInstanceAccessDetails",
        "lightsail:GetRelationalDatabaseMasterUserPassword",
        "ssm:ResumeSession",
        "ssm:SendCommand",
        "ssm:StartSession",
    ),
}


def no_data(*, opened: Collection[str] = ()) -> Statement:
    """Keeps contents closed, but for those that are opened. Raises KeyError for contents that do not exist."""
    for name in opened:
        CONTENTS[name]
    actions = [action for name, group in CONTENTS.items() if name not in opened for action in group]
    return _deny(NO_DATA, *actions)


def keep_data() -> Statement:
    """Keeps files, databases and backups from being deleted."""
    return _deny(
        KEEP_DATA,
        "backup:DeleteBackupVault",
        "backup:DeleteRecoveryPoint",
        "dynamodb:DeleteBackup",
        "dynamodb:DeleteTable",
        "ec2:DeleteSnapshot",
        "ec2:DeleteVolume",
        "elasticfilesystem:DeleteFileSystem",
        "rds:DeleteDB*",
        "redshift:DeleteCluster",
        "s3:DeleteBucket",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
    )


def keep_records() -> Statement:
    """Keeps the records of what is done from being switched off, by whom they are about."""
    return _deny(
        KEEP_RECORDS,
        "cloudtrail:Delete*",
        "cloudtrail:PutEventSelectors",
        "cloudtrail:Stop*",
        "cloudtrail:Update*",
        "config:DeleteConfigurationRecorder",
        "config:StopConfigurationRecorder",
        "guardduty:DeleteDetector",
        "guardduty:UpdateDetector",
    )


def no_money() -> Statement:
    """Keeps long contracts, payment details and the account itself as they are."""
    return _deny(
        NO_MONEY,
        "account:CloseAccount",
        "aws-marketplace:AcceptAgreementRequest",
        "aws-marketplace:Subscribe",
        "aws-portal:Modify*",
        "billing:Update*",
        "dynamodb:Purchase*",
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
    )


def _deny(sid: str, *actions: str) -> Statement:
    return {"Sid": sid, "Effect": "Deny", "Action": list(actions), "Resource": "*"}
