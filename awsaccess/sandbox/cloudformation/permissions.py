"""The rights that CloudFormation needs in its caller's name, per resource type. A type not listed is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from moto.cloudformation.exceptions import ValidationError

from awsaccess.sandbox.cloudformation.template import Template
from awsaccess.sandbox.guard.caller import Caller, caller_of_role, role_by_arn
from awsaccess.sandbox.guard.checks import allowed
from awsaccess.sandbox.guard.context import CURRENT, judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Actions that must be allowed; `arn` is a pattern over account, region and name, or `*`."""

    create: tuple[str, ...]
    update: tuple[str, ...]
    delete: tuple[str, ...]
    arn: str = "*"


def _simple(service: str, what: str, *, update: str = "", arn: str = "*") -> Rights:
    change = (f"{service}:{update}",) if update else (f"{service}:Modify{what}Attribute",)
    return Rights(
        create=(f"{service}:Create{what}",), update=change, delete=(f"{service}:Delete{what}",), arn=arn
    )


RIGHTS: Final[Mapping[str, Rights]] = {
    "AWS::IAM::Role": Rights(
        create=("iam:CreateRole",),
        update=("iam:UpdateAssumeRolePolicy", "iam:UpdateRole"),
        delete=("iam:DeleteRole",),
        arn="arn:aws:iam::{account}:role{path}{name}",
    ),
    "AWS::IAM::ManagedPolicy": Rights(
        create=("iam:CreatePolicy",),
        update=("iam:CreatePolicyVersion",),
        delete=("iam:DeletePolicy",),
        arn="arn:aws:iam::{account}:policy{path}{name}",
    ),
    "AWS::IAM::Policy": Rights(
        create=("iam:PutRolePolicy",), update=("iam:PutRolePolicy",), delete=("iam:DeleteRolePolicy",)
    ),
    "AWS::IAM::InstanceProfile": _simple("iam", "InstanceProfile", update="AddRoleToInstanceProfile"),
    "AWS::S3::Bucket": _simple("s3", "Bucket", update="PutBucketTagging", arn="arn:aws:s3:::{name}"),
    "AWS::SNS::Topic": _simple(
        "sns", "Topic", update="SetTopicAttributes", arn="arn:aws:sns:{region}:{account}:{name}"
    ),
    "AWS::SQS::Queue": _simple(
        "sqs", "Queue", update="SetQueueAttributes", arn="arn:aws:sqs:{region}:{account}:{name}"
    ),
    "AWS::Logs::LogGroup": _simple("logs", "LogGroup", update="PutRetentionPolicy"),
    "AWS::KMS::Key": Rights(
        create=("kms:CreateKey",), update=("kms:PutKeyPolicy",), delete=("kms:ScheduleKeyDeletion",)
    ),
    "AWS::SSM::Parameter": Rights(
        create=("ssm:PutParameter",), update=("ssm:PutParameter",), delete=("ssm:DeleteParameter",)
    ),
    "AWS::DynamoDB::Table": _simple("dynamodb", "Table", update="UpdateTable"),
    "AWS::EC2::VPC": _simple("ec2", "Vpc"),
    "AWS::EC2::Subnet": _simple("ec2", "Subnet"),
    "AWS::EC2::InternetGateway": _simple("ec2", "InternetGateway", update="CreateTags"),
    "AWS::EC2::VPCGatewayAttachment": Rights(
        create=("ec2:AttachInternetGateway",),
        update=("ec2:AttachInternetGateway",),
        delete=("ec2:DetachInternetGateway",),
    ),
    "AWS::EC2::RouteTable": _simple("ec2", "RouteTable", update="CreateTags"),
    "AWS::EC2::Route": _simple("ec2", "Route", update="ReplaceRoute"),
    "AWS::EC2::SubnetRouteTableAssociation": Rights(
        create=("ec2:AssociateRouteTable",),
        update=("ec2:ReplaceRouteTableAssociation",),
        delete=("ec2:DisassociateRouteTable",),
    ),
    "AWS::EC2::SecurityGroup": _simple("ec2", "SecurityGroup", update="AuthorizeSecurityGroupIngress"),
    "AWS::EC2::EIP": Rights(
        create=("ec2:AllocateAddress",), update=("ec2:AssociateAddress",), delete=("ec2:ReleaseAddress",)
    ),
    "AWS::EC2::Instance": Rights(
        create=("ec2:RunInstances",),
        update=("ec2:ModifyInstanceAttribute",),
        delete=("ec2:TerminateInstances",),
    ),
    "AWS::RDS::DBSubnetGroup": _simple("rds", "DBSubnetGroup", update="ModifyDBSubnetGroup"),
    "AWS::RDS::DBInstance": _simple("rds", "DBInstance", update="ModifyDBInstance"),
}
_CUSTOM: Final = "AWS::CloudFormation::CustomResource"


class RightMissing(Exception):
    """The caller may not do what the stack asks for; the text is what the event shows."""


def is_custom(resource_type: str) -> bool:
    """Is it a custom resource, in either spelling?"""
    return resource_type.startswith("Custom::") or resource_type == _CUSTOM


def check_types(template: Template) -> None:
    """Refuse by name what is not simulated: nothing is skipped in silence. Raises ValidationError."""
    types = {str(resource["Type"]) for resource in template["Resources"].values()}
    if unknown := sorted(kind for kind in types if kind not in RIGHTS and not is_custom(kind)):
        raise ValidationError(
            message=f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]"
            " (the sandbox does not simulate them)"
        )


def acting_for(role_arn: str | None) -> Caller | None:
    """Whose rights count: the stack's service role, if it has one, else whoever calls."""
    if role_arn and (role := role_by_arn(role_arn)):
        return caller_of_role(role)
    return CURRENT.caller


def check_pass_role(role_arn: str) -> None:
    """A service role must exist and the caller must be allowed to pass it. Raises ValidationError."""
    if CURRENT.replaying:
        return
    caller = CURRENT.caller
    if role_by_arn(role_arn) is None or caller is None or not _may(caller, "iam:PassRole", role_arn):
        name = caller.arn if caller else "nobody"
        raise ValidationError(
            message=f"User: {name} is not authorized to perform: iam:PassRole on resource: {role_arn}"
        )


def _may(caller: Caller, action: str, arn: str) -> bool:
    context = {
        **CURRENT.context,
        "aws:viaawsservice": "true",
        "aws:calledvia": ["cloudformation.amazonaws.com"],
    }
    return allowed(caller, action, arn, context)


def _may_step(caller: Caller | None, action: str, arn: str) -> bool:
    return judged(f"{action} {arn}", lambda: caller is not None and _may(caller, action, arn))


def require(
    resource_type: str,
    verb: str,
    *,
    account: str,
    region: str,
    properties: Mapping[str, Any],
    name: str,
    role_arn: str | None,
) -> None:  # Any: JSON
    """Check the rights for one step (`create`, `update` or `delete`) of a stack. Raises RightMissing."""
    if is_custom(resource_type):
        return
    rights, caller = RIGHTS[resource_type], acting_for(role_arn)
    path = properties.get("Path", "/")
    # The ARN of a managed policy, say, is its own physical id.
    arn = (
        name
        if name.startswith("arn:")
        else rights.arn.format(account=account, region=region, name=name, path=path)
    )
    actions: tuple[str, ...] = getattr(rights, verb)
    for action in (*actions, *_companions(resource_type, verb, properties)):
        if not _may_step(caller, action, arn):
            who = caller.arn if caller else "nobody"
            raise RightMissing(f"User: {who} is not authorized to perform: {action} on resource: {arn}")


def _companions(resource_type: str, verb: str, properties: Mapping[str, Any]) -> list[str]:  # Any: JSON
    """A role with policies needs more than CreateRole."""
    if resource_type != "AWS::IAM::Role":
        return []
    ends = verb == "delete"
    inline = ["iam:DeleteRolePolicy" if ends else "iam:PutRolePolicy"] if properties.get("Policies") else []
    attached = "iam:DetachRolePolicy" if ends else "iam:AttachRolePolicy"
    return inline + ([attached] if properties.get("ManagedPolicyArns") else [])
