"""The IAM documents of an access role, as plain dicts: serialised with json.dumps and never pasted together."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, Final

Statement = dict[str, Any]  # Any: IAM's JSON nests as it likes
Document = dict[str, Any]

COMPANIONS: Final = ("sts:SetSourceIdentity", "sts:TagSession")
# Deny beside a look-only role, because ReadOnlyAccess and its like also read contents (AWS_FACTS §2).
SENSITIVE_ACTIONS: Final = (
    "athena:GetQueryResults",
    "athena:GetQueryResultsStream",
    "cassandra:Select",
    "codecommit:GetBlob",
    "codecommit:GetFile",
    "codecommit:GitPull",
    "dynamodb:BatchGetItem",
    "dynamodb:GetItem",
    "dynamodb:GetRecords",
    "dynamodb:PartiQLSelect",
    "dynamodb:Query",
    "dynamodb:Scan",
    "ebs:GetSnapshotBlock",
    "ec2-instance-connect:SendSSHPublicKey",
    "ec2-instance-connect:SendSerialConsoleSSHPublicKey",
    "ec2:GetConsoleOutput",
    "ec2:GetConsoleScreenshot",
    "ec2:GetPasswordData",
    "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
    "ecs:ExecuteCommand",
    "es:ESHttpGet",
    "es:ESHttpPost",
    "glacier:GetJobOutput",
    "kinesis:GetRecords",
    "kms:Decrypt",
    "lambda:GetFunction",
    "lambda:GetLayerVersion",
    "lightsail:DownloadDefaultKeyPair",
    "lightsail:GetInstanceAccessDetails",
    "lightsail:GetRelationalDatabaseMasterUserPassword",
    "logs:FilterLogEvents",
    "logs:GetLogEvents",
    "logs:GetLogRecord",
    "logs:GetQueryResults",
    "logs:StartLiveTail",
    "logs:StartQuery",
    "rds-data:BatchExecuteStatement",
    "rds-data:ExecuteStatement",
    "rds-db:connect",
    "rds:DownloadCompleteDBLogFile",
    "rds:DownloadDBLogFilePortion",
    "redshift-data:GetStatementResult",
    "redshift-serverless:GetCredentials",
    "redshift:GetClusterCredentials",
    "redshift:GetClusterCredentialsWithIAM",
    "s3:GetObject",
    "s3:GetObjectTorrent",
    "s3:GetObjectVersion",
    "s3:GetObjectVersionTorrent",
    "secretsmanager:BatchGetSecretValue",
    "secretsmanager:GetSecretValue",
    "sqs:ReceiveMessage",
    "ssm:GetParameter",
    "ssm:GetParameterHistory",
    "ssm:GetParameters",
    "ssm:GetParametersByPath",
    "ssm:ResumeSession",
    "ssm:SendCommand",
    "ssm:StartSession",
    "timestream:Select",
    "workmailmessageflow:GetRawMessageContent",
)
# IAM reads these in a value as wildcard or variable; a condition must hold one literal.
SPECIAL: Final = re.compile(r"[*?]|\$\{")
ROLE_ARN: Final = re.compile(r"arn:(aws|aws-us-gov|aws-cn):iam::([0-9]{12}):role/[\w+=,.@/-]+", re.ASCII)


class UnsafeDocument(ValueError):
    """Raised instead of writing a document that could open wider than its words say."""


def document(*statements: Statement) -> Document:
    """An IAM policy of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust_document(
    *,
    hub_role_arn: str,
    external_id: str,
    expires_at: dt.datetime,
    also_external_id: str = "",
    also_hub_role_arn: str = "",
) -> Document:
    """Exactly the two statements of AWS_FACTS §1.

    The account root with `aws:PrincipalArn`, because a role named as Principal is stored by its unique id and breaks
    when the role is made anew. Two statements, because `sts:ExternalId` is a key of AssumeRole only.
    `also_external_id` opens it as well, while one is exchanged for the other, and `also_hub_role_arn`, of the same
    account, may come as well, while an access moves from one hub role to the other (ADR 13).
    Raises UnsafeDocument for a wildcard, a short external ID or a moment without zone.
    """
    hubs = [hub_role_arn, also_hub_role_arn] if also_hub_role_arn else [hub_role_arn]
    found = ROLE_ARN.fullmatch(hub_role_arn)
    if found is None or not all(ROLE_ARN.fullmatch(each) for each in hubs):
        raise UnsafeDocument("the hub role's ARN must be one literal role")
    keys = [external_id, also_external_id] if also_external_id else [external_id]
    if any(SPECIAL.search(key) or len(key) < 32 for key in keys):
        raise UnsafeDocument("the external ID must be one literal of at least 32 characters")
    principal = {"AWS": f"arn:{found[1]}:iam::{found[2]}:root"}
    from_hub = {"ArnEquals": {"aws:PrincipalArn": hubs if also_hub_role_arn else hub_role_arn}}
    return document(
        {
            "Sid": "AssumeForThisEngagement",
            "Effect": "Allow",
            "Principal": principal,
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"sts:ExternalId": keys if also_external_id else external_id},
                **from_hub,
                "DateLessThan": {"aws:CurrentTime": iam_time(expires_at)},
            },
        },
        {
            "Sid": "NameTheHuman",
            "Effect": "Allow",
            "Principal": principal,
            "Action": list(COMPANIONS),
            "Condition": from_hub,
        },
    )


def self_expiry_statement(expires_at: dt.datetime) -> Statement:
    """Ends live sessions too, judged by AWS at every call, with the portal off. Unproven on real AWS."""
    return {
        "Sid": "SelfExpiry",
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"DateGreaterThan": {"aws:CurrentTime": iam_time(expires_at)}},
    }


def deny_older_sessions_statement(before: dt.datetime) -> Statement:
    """Denies everything to sessions that were opened before the moment, judged by AWS at every call (AWS_FACTS §8)."""
    return {
        "Sid": "NoOlderSessions",
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"DateLessThan": {"aws:TokenIssueTime": iam_time(before)}},
    }


def deny_sensitive_data_statement() -> Statement:
    """Keeps a look-only role out of contents, secrets and log-ins, whatever else it is allowed."""
    return {"Sid": "NoContents", "Effect": "Deny", "Action": list(SENSITIVE_ACTIONS), "Resource": "*"}


def deny_passing_on_statement() -> Statement:
    """Nobody who comes in can let somebody else in, or take these guards away: an administrator could do both."""
    return {
        "Sid": "NoPassingOn",
        "Effect": "Deny",
        "Action": [
            "iam:Add*",
            "iam:Attach*",
            "iam:Create*",
            "iam:Delete*",
            "iam:Detach*",
            "iam:PassRole",
            "iam:Put*",
            "iam:Remove*",
            "iam:Set*",
            "iam:Update*",
            "iam:Upload*",
            "identitystore:Create*",
            "sso:Attach*",
            "sso:Create*",
            "sso:Put*",
            "sts:AssumeRole*",
        ],
        "Resource": "*",
    }


def iam_time(moment: dt.datetime) -> str:
    """ISO 8601 in UTC with Z, whole seconds, as IAM compares it. Raises UnsafeDocument without a zone."""
    if moment.utcoffset() is None:
        raise UnsafeDocument("a moment needs its zone")
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
