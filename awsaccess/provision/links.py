"""Links into AWS, built in one place and percent-encoded: in them a `+` would become a space."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

CONSOLE_HOSTS: Final = {
    "aws": "console.aws.amazon.com",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-cn": "console.amazonaws.cn",
}
HOME_REGIONS: Final = {"aws": "us-east-1", "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"}
API_SUFFIXES: Final = {"aws": "amazonaws.com", "aws-us-gov": "amazonaws.com", "aws-cn": "amazonaws.com.cn"}
REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]", re.ASCII)
STACK_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}", re.ASCII)
STACK_ARN: Final = re.compile(
    r"arn:aws(-us-gov|-cn)?:cloudformation:[a-z0-9-]+:[0-9]{12}:stack/[A-Za-z][A-Za-z0-9-]{0,127}/[0-9a-f-]+",
    re.ASCII,
)
LONGEST_TEMPLATE_URL: Final = 1024  # the console's limit (AWS_FACTS §3)


class BadLink(ValueError):
    """Raised instead of handing out a link that AWS would refuse or that leads elsewhere."""


def console_origin(*, region: str, partition: str = "aws") -> str:
    """The console of a region; the partition's first region has no prefix."""
    _require(REGION.fullmatch(region) is not None, "no such region")
    _require(partition in CONSOLE_HOSTS, "no such partition")
    prefix = "" if region == HOME_REGIONS[partition] else f"{region}."
    return f"https://{prefix}{CONSOLE_HOSTS[partition]}"


def template_url(*, bucket: str, region: str, key: str, version_id: str, partition: str = "aws") -> str:
    """The pinned version of a template. Raises BadLink beyond AWS's 1,024 characters."""
    _require(bool(version_id), "the version must be pinned")
    _require(REGION.fullmatch(region) is not None, "no such region")
    host = f"{bucket}.s3.{region}.{API_SUFFIXES[partition]}"
    url = f"https://{host}/{quote(key)}?versionId={quote(version_id, safe='')}"
    _require(len(url) <= LONGEST_TEMPLATE_URL, "the template's address is too long")
    return url


def quick_create_link(
    *, region: str, template: str, stack_name: str, partition: str = "aws", console_base_url: str = ""
) -> str:
    """CloudFormation's review page with template and name filled in. Nothing in a link can tick its IAM box.

    `console_base_url` stands in for AWS's host when the console is simulated.
    """
    _require(STACK_NAME.fullmatch(stack_name) is not None, "a stack's name has letters, digits and hyphens")
    origin = console_base_url.rstrip("/") or console_origin(region=region, partition=partition)
    query = f"templateURL={quote(template, safe='')}&stackName={quote(stack_name, safe='')}"
    return f"{origin}/cloudformation/home?region={region}#/stacks/create/review?{query}"


def update_link(
    *, region: str, template: str, stack: str, partition: str = "aws", console_base_url: str = ""
) -> str:
    """CloudFormation's update of one stack with the template filled in. `stack` is its name, or its ARN where known.

    AWS documents links that create, and none that update: many products use this one, and no page relies on it alone.
    """
    is_one = STACK_NAME.fullmatch(stack) or STACK_ARN.fullmatch(stack)
    _require(is_one is not None, "neither the name of a stack nor its ARN")
    origin = console_base_url.rstrip("/") or console_origin(region=region, partition=partition)
    query = f"stackId={quote(stack, safe='')}&templateURL={quote(template, safe='')}"
    return f"{origin}/cloudformation/home?region={region}#/stacks/update/template?{query}"


def stacks_link(*, region: str, stack_name: str, partition: str = "aws", console_base_url: str = "") -> str:
    """CloudFormation's list of stacks, filtered to one name: where a client deletes the access."""
    _require(STACK_NAME.fullmatch(stack_name) is not None, "a stack's name has letters, digits and hyphens")
    origin = console_base_url.rstrip("/") or console_origin(region=region, partition=partition)
    filtered = f"filteringText={quote(stack_name, safe='')}&filteringStatus=active"
    return f"{origin}/cloudformation/home?region={region}#/stacks?{filtered}"


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001  # a guard reads best so
    if not holds:
        raise BadLink(otherwise)
