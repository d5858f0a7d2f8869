"""What somebody's own sign-in needs to make and remove an access stack. Pure data: the client's page shows it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

STACK_ACTIONS: Final = (
    "cloudformation:CreateStack",
    "cloudformation:DeleteStack",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStacks",
    "cloudformation:UpdateStack",
)
# They name no stack: AWS asks for them before there is one, and for its lists.
LIST_ACTIONS: Final = ("cloudformation:GetTemplateSummary", "cloudformation:ListStacks")
ROLE_ACTIONS: Final = (
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:PutRolePolicy",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
)


def needed_policy(
    *,
    partition: str,
    account_id: str,
    role_name: str,
    stack_name: str,
    topic_arns: Sequence[str] = (),
    bucket: str = "",
) -> str:
    """A policy document, as indented JSON, with which one stack can be made, and no other role.

    `topic_arns` are those that the stack reports to; `bucket` is where its template lies. `account_id` may be empty.
    """
    account = account_id or "*"
    statements: list[dict[str, Any]] = [  # Any: JSON
        _allow(
            "Stack",
            STACK_ACTIONS,
            [f"arn:{partition}:cloudformation:*:{account}:stack/{stack_name}/*"],
        ),
        _allow("StackLists", LIST_ACTIONS, ["*"]),
        _allow("Role", ROLE_ACTIONS, [f"arn:{partition}:iam::{account}:role/{role_name}"]),
    ]
    if bucket:
        read = ("s3:GetObject", "s3:GetObjectVersion")
        statements.append(_allow("Template", read, [f"arn:{partition}:s3:::{bucket}/*"]))
    if topic_arns:
        statements.append(_allow("Report", ("sns:Publish",), sorted(topic_arns)))
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)


def _allow(sid: str, actions: Sequence[str], resources: list[str]) -> dict[str, Any]:  # Any: JSON
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resources}
