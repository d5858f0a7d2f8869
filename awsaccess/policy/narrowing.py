"""How a visit takes less than the role gives: session policies, which AWS intersects with what the role may (AWS_FACTS §6).

Nothing here can widen: AWS allows a session what its role and its session policies both allow. `read_only` leans on
AWS's own ReadOnlyAccess, because no list of ours would fit into 2,048 characters; beside it stand only Denies.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from typing import Any, Final

from awsaccess.policy.documents import Document, Statement, document

Kept = dict[str, Any]  # Any: JSON
READ_ONLY_ACCESS: Final = "iam::aws:policy/ReadOnlyAccess"
# Services that AWS answers for in one region for the whole world, or that belong to none.
OF_NO_REGION: Final = (
    "account:*",
    "aws-portal:*",
    "billing:*",
    "budgets:*",
    "ce:*",
    "cloudfront:*",
    "cur:*",
    "freetier:*",
    "globalaccelerator:*",
    "health:*",
    "iam:*",
    "invoicing:*",
    "organizations:*",
    "route53:*",
    "route53domains:*",
    "s3:GetBucketLocation",
    "s3:ListAllMyBuckets",
    "shield:*",
    "sts:*",
    "support:*",
    "trustedadvisor:*",
)
# All of `documents.SENSITIVE_ACTIONS`, shortened: a Deny that takes a little more is still only less.
CONTENTS: Final = (
    "athena:GetQueryR*",
    "cassandra:Select",
    "codecommit:G*",
    "dynamodb:*Get*",
    "dynamodb:P*Select",
    "dynamodb:Query",
    "dynamodb:Scan",
    "ebs:Get*",
    "ec2-instance-connect:*",
    "ec2:GetConsole*",
    "ec2:GetPass*",
    "ecr:BatchGetImage",
    "ecr:GetAuth*",
    "ecr:GetDown*",
    "ecs:Exec*",
    "es:ESHttp*",
    "glacier:GetJob*",
    "kinesis:GetR*",
    "kms:Decrypt",
    "lambda:GetFunction",
    "lambda:GetLayer*",
    "lightsail:Down*",
    "lightsail:Get*Acc*",
    "lightsail:Get*Pass*",
    "logs:*Query*",
    "logs:FilterLog*",
    "logs:GetLog*",
    "logs:StartL*",
    "rds-data:*",
    "rds-db:connect",
    "rds:Down*",
    "redshift-data:Get*",
    "redshift-serverless:GetC*",
    "redshift:GetClusterC*",
    "s3:GetObject",
    "s3:GetObjectT*",
    "s3:GetObjectV*",
    "secretsmanager:*Get*",
    "sqs:Rec*",
    "ssm:GetParam*",
    "ssm:ResumeS*",
    "ssm:SendC*",
    "ssm:StartS*",
    "timestream:Sel*",
    "workmailmessageflow:Get*",
)


class BadNarrowing(ValueError):
    """Raised for an address that is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """What a visit does without: everything that changes, other regions, other addresses, what is inside of things.

    `region` is one that was checked before, or empty; `address` an IPv4 or IPv6 address, or empty.
    """

    read_only: bool = False
    region: str = ""
    address: str = ""
    no_contents: bool = False

    def kept(self) -> Kept:
        """What a visit's row keeps of it: only what holds. The address itself is nobody's business."""
        held: Kept = {"read_only": self.read_only, "region": self.region}
        held |= {"one_address": bool(self.address), "no_contents": self.no_contents}
        return {name: value for name, value in held.items() if value}


AS_AGREED: Final = Narrowing()


def session_policy(narrowing: Narrowing) -> str | None:
    """The inline session policy as JSON text of at most 2,048 characters; None where none is needed.

    Raises BadNarrowing.
    """
    denied = [*_one_region(narrowing.region), *_one_address(narrowing.address)]
    if narrowing.no_contents:
        denied.append(_deny("NoContents", Action=list(CONTENTS)))
    if not denied:
        return None
    allowed: list[Statement] = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    return _compact(document(*([] if narrowing.read_only else allowed), *denied))


def session_policy_arns(narrowing: Narrowing, *, partition: str) -> tuple[str, ...]:
    """AWS's own policies that limit the session beside the inline one."""
    return (f"arn:{partition}:{READ_ONLY_ACCESS}",) if narrowing.read_only else ()


def only(*actions: str) -> str:
    """A session that can do nothing else, whatever its role may."""
    return _compact(document({"Effect": "Allow", "Action": list(actions), "Resource": "*"}))


def _one_region(region: str) -> list[Statement]:
    if not region:
        return []
    elsewhere = {"StringNotEquals": {"aws:RequestedRegion": region}}
    return [_deny("OneRegion", NotAction=list(OF_NO_REGION), Condition=elsewhere)]


def _one_address(address: str) -> list[Statement]:
    """With `aws:ViaAWSService`: what CloudFormation and its like do for the visitor comes from AWS's own addresses."""
    if not address:
        return []
    try:
        only_from = str(ipaddress.ip_address(address))
    except ValueError:
        raise BadNarrowing("that is no address of the internet") from None
    elsewhere = {"NotIpAddress": {"aws:SourceIp": only_from}, "Bool": {"aws:ViaAWSService": "false"}}
    return [_deny("OneAddress", Action="*", Condition=elsewhere)]


def _deny(sid: str, **parts: object) -> Statement:
    return {"Sid": sid, "Effect": "Deny", "Resource": "*", **parts}


def _compact(made: Document) -> str:
    return json.dumps(made, separators=(",", ":"))
