"""The ARN that a call is about. moto gives one for S3 and AssumeRole only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from awsaccess.sandbox.guard.context import Params

Arn = Callable[[str, str, Params], str | None]


def _stack(account: str, region: str, params: Params) -> str | None:
    name = params.get("StackName")
    if not name or str(name).startswith("arn:"):
        return name
    return f"arn:aws:cloudformation:{region}:{account}:stack/{name}/*"


def _iam(account: str, _: str, params: Params) -> str | None:
    for kind in ("Role", "User", "Group", "InstanceProfile"):
        if name := params.get(f"{kind}Name"):
            word = "instance-profile" if kind == "InstanceProfile" else kind.lower()
            return f"arn:aws:iam::{account}:{word}/{name}"
    return params.get("PolicyArn")


def _parameter(account: str, region: str, params: Params) -> str | None:
    name = params.get("Name")
    return name and f"arn:aws:ssm:{region}:{account}:parameter/{str(name).lstrip('/')}"


def _queue(account: str, region: str, params: Params) -> str | None:
    if url := params.get("QueueUrl"):
        owner, queue = str(url).rsplit("/", 2)[1:]
        return f"arn:aws:sqs:{region}:{owner}:{queue}"
    name = params.get("QueueName")
    return name and f"arn:aws:sqs:{region}:{account}:{name}"


def _topic(account: str, region: str, params: Params) -> str | None:
    name = params.get("Name")
    return params.get("TopicArn") or (name and f"arn:aws:sns:{region}:{account}:{name}")


_ARNS: Final[Mapping[str, Arn]] = {
    "cloudformation": _stack,
    "iam": _iam,
    "sns": _topic,
    "sqs": _queue,
    "ssm": _parameter,
}


def resource_arn(service: str, account: str, region: str, params: Params) -> str:
    """What the call is about, or `*` where no ARN is known: then only a policy on `*` can allow it."""
    find = _ARNS.get(service)
    return (find and find(account, region, params)) or "*"
