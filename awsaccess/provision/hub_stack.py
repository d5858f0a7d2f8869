"""The hub's own stacks for call-back: a queue with its first topic, and one more topic for each further region.

A structure is built and serialised, as for the access stack. The topics must be open to everybody, because CloudFormation
publishes with the session of whoever makes the stack (AWS_FACTS §4), and a condition on aws:CalledVia would break stacks
with a service role. What is not a request for our kind of custom resource is left out where SNS delivers.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from awsaccess.aws.arns import CONTROL_ROLE
from awsaccess.provision.access_stack import CALLBACK_TYPE, REGION

Node = Any  # Any: CloudFormation's JSON nests as it likes
QUEUE_ARN: Final = re.compile(
    r"arn:(?P<partition>aws(?:-us-gov|-cn)?):sqs:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):(?P<name>[A-Za-z0-9_-]{1,80})",
    re.ASCII,
)
NAME: Final = "latchkey-callback"
HUB_ROLE: Final = "latchkey-hub"
ROLE: Final = re.compile(r"(?:[A-Za-z0-9+=,.@_-]+/)*[A-Za-z0-9+=,.@_-]{1,64}", re.ASCII)
KEPT_SECONDS: Final = 14 * 24 * 60 * 60  # the longest that SQS keeps
HIDDEN_SECONDS: Final = 60
TRIES: Final = 20
# Roles that want named sessions (ADR 17) can be asked only by who may name them.
ASK_AND_NAME: Final = ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]


class BadHubStack(ValueError):
    """Raised instead of rendering a template that AWS would refuse."""


def render_main(
    *,
    topics_also_in: tuple[str, ...] = (),
    hub_role: str = HUB_ROLE,
    also_hub_roles: tuple[str, ...] = (),
) -> str:
    """Queue, dead-letter queue, the topic of the queue's own region, and the control role.

    `topics_also_in` may deliver into the queue, too. `hub_role` is the name of the role that enters the control role, with its path;
    empty leaves the control role out, because it is there already. `also_hub_roles` enter it as well, while accesses move from
    one hub role to another. Raises BadHubStack.
    """
    _require(all(REGION.fullmatch(region) for region in topics_also_in), "no such region")
    hub_roles = (hub_role, *also_hub_roles) if hub_role else ()
    _require(all(ROLE.fullmatch(role) for role in hub_roles), "that is not the name of a role")
    topics = [_joined(_topic_arn({"Ref": "AWS::Region"}))]
    topics += [_joined(_topic_arn(region)) for region in topics_also_in]
    resources = {
        "DeadLetters": _queue(f"{NAME}-dead", {}),
        "Queue": _queue(
            NAME,
            {
                "VisibilityTimeout": HIDDEN_SECONDS,
                "RedrivePolicy": {
                    "deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetters", "Arn"]},
                    "maxReceiveCount": TRIES,
                },
            },
        ),
        "QueuePolicy": _queue_policy(topics),
        **_topic({"Fn::GetAtt": ["Queue", "Arn"]}),
        **(_control_role(hub_roles) if hub_roles else {}),
    }
    outputs = {
        "QueueAddress": {"Value": {"Ref": "Queue"}},
        "QueueArn": {"Value": {"Fn::GetAtt": ["Queue", "Arn"]}},
        "TopicArn": {"Value": {"Ref": "Topic"}},
        "HubRolePolicy": {
            "Description": "Add this statement to the policy of the hub role",
            "Value": _joined(
                [
                    '{"Effect":"Allow","Action":["sqs:ReceiveMessage","sqs:DeleteMessage"],"Resource":"',
                    {"Fn::GetAtt": ["Queue", "Arn"]},
                    '"}',
                ]
            ),
        },
    }
    return _text("Latchkey: where clients' stacks report, with the topic of this region", resources, outputs)


def render_topic(*, queue_arn: str) -> str:
    """The topic of one further region, which delivers into the queue of the first. Raises BadHubStack."""
    _require(QUEUE_ARN.fullmatch(queue_arn) is not None, "that is not the ARN of a queue")
    outputs = {"TopicArn": {"Value": {"Ref": "Topic"}}}
    return _text("Latchkey: where clients' stacks of this region report", _topic(queue_arn), outputs)


def _text(description: str, resources: Node, outputs: Node) -> str:
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": description,
        "Resources": resources,
        "Outputs": outputs,
    }
    return json.dumps(template, indent=2, sort_keys=True) + "\n"


def _queue(name: str, more: dict[str, Node]) -> Node:
    properties = {
        "QueueName": name,
        "MessageRetentionPeriod": KEPT_SECONDS,
        "SqsManagedSseEnabled": True,
        **more,
    }
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def _queue_policy(topics: list[Node]) -> Node:
    """Topics of regions that must be switched on deliver under a name of their own (AWS_FACTS §4); ours are not such."""
    statement = {
        "Sid": "OnlyOurTopicsDeliver",
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": {"Fn::GetAtt": ["Queue", "Arn"]},
        "Condition": {"ArnEquals": {"aws:SourceArn": topics}},
    }
    return {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {"Queues": [{"Ref": "Queue"}], "PolicyDocument": _document(statement)},
    }


def _topic(queue_arn: Node) -> dict[str, Node]:
    publish = {
        "Sid": "StacksOfAnyAccountReport",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "sns:Publish",
        "Resource": {"Ref": "Topic"},
    }
    # By the message's body: only requests for our kind of resource reach the queue, whoever publishes.
    filtered = {"RequestType": ["Create", "Update", "Delete"], "ResourceType": [CALLBACK_TYPE]}
    return {
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": NAME}},
        "TopicPolicy": {
            "Type": "AWS::SNS::TopicPolicy",
            "Properties": {"Topics": [{"Ref": "Topic"}], "PolicyDocument": _document(publish)},
        },
        "Subscription": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {
                "TopicArn": {"Ref": "Topic"},
                "Protocol": "sqs",
                "Endpoint": queue_arn,
                "RawMessageDelivery": False,
                "FilterPolicyScope": "MessageBody",
                "FilterPolicy": filtered,
            },
        },
    }


def _control_role(hub_roles: tuple[str, ...]) -> dict[str, Node]:
    """What no client trusts: the hub enters it to prove that it may enter roles, and it asks where it must be refused."""
    trust = {
        "Sid": "OnlyTheHubAndItself",
        "Effect": "Allow",
        "Principal": {"AWS": _joined(_iam_arn("root"))},
        "Action": ASK_AND_NAME,
        "Condition": {
            "ArnEquals": {
                "aws:PrincipalArn": [_joined(_iam_arn(f"role/{role}")) for role in (*hub_roles, CONTROL_ROLE)]
            }
        },
    }
    ask = {
        "Sid": "Ask",
        "Effect": "Allow",
        "Action": ASK_AND_NAME,
        "Resource": _joined(["arn:", {"Ref": "AWS::Partition"}, ":iam::*:role/latchkey-*"]),
    }
    properties = {
        "RoleName": CONTROL_ROLE,
        "Description": "Latchkey: proves that refusals are the clients' own. No client trusts it.",
        "AssumeRolePolicyDocument": _document(trust),
        "Policies": [{"PolicyName": "ask", "PolicyDocument": _document(ask)}],
    }
    return {"ControlRole": {"Type": "AWS::IAM::Role", "Properties": properties}}


def _iam_arn(what: str) -> list[Node]:
    return ["arn:", {"Ref": "AWS::Partition"}, ":iam::", {"Ref": "AWS::AccountId"}, f":{what}"]


def _document(statement: Node) -> Node:
    return {"Version": "2012-10-17", "Statement": [statement]}


def _topic_arn(region: Node) -> list[Node]:
    return ["arn:", {"Ref": "AWS::Partition"}, ":sns:", region, ":", {"Ref": "AWS::AccountId"}, f":{NAME}"]


def _joined(parts: list[Node]) -> Node:
    return {"Fn::Join": ["", parts]}


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001  # a guard reads best so
    if not holds:
        raise BadHubStack(otherwise)
