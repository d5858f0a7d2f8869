"""Account numbers, role ARNs, partitions and AWS's own addresses: rebuilt from parts, never the text received (SECURITY A4, C5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class BadAccountId(ValueError):
    """Raised for what is no AWS account number. Its text is meant for the person who typed it."""


class BadArn(ValueError):
    """Raised for what is no role or session ARN of a partition that is offered."""


class BadAddress(ValueError):
    """Raised for a partition or region that is not offered, or a stand-in for AWS that is not on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One of AWS's separate worlds (AWS_FACTS §14). `bare_region` is the region whose hosts carry no prefix."""

    name: str
    signin_host: str
    console_host: str
    api_suffix: str
    default_region: str
    bare_region: str
    regions: re.Pattern[str]

    def check_region(self, region: str) -> str:
        """The region itself. Raises BadAddress for another partition's, and for anything that is no region."""
        if self.regions.fullmatch(region) is None:
            raise BadAddress(f"not a region of {self.name}")
        return region

    def host(self, host: str, region: str) -> str:
        """`host` as that region has it."""
        self.check_region(region)
        return host if region == self.bare_region else f"{region}.{host}"


PARTITIONS: Final = {
    "aws": Partition(
        name="aws",
        signin_host="signin.aws.amazon.com",
        console_host="console.aws.amazon.com",
        api_suffix="amazonaws.com",
        default_region="us-east-1",
        bare_region="us-east-1",
        regions=re.compile(r"(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]{4,12}-[0-9]", re.ASCII),
    ),
    "aws-us-gov": Partition(
        name="aws-us-gov",
        signin_host="signin.amazonaws-us-gov.com",
        console_host="console.amazonaws-us-gov.com",
        api_suffix="amazonaws.com",
        default_region="us-gov-west-1",
        bare_region="us-gov-west-1",
        regions=re.compile(r"us-gov-[a-z]{4,12}-[0-9]", re.ASCII),
    ),
    "aws-cn": Partition(
        name="aws-cn",
        signin_host="signin.amazonaws.cn",
        console_host="console.amazonaws.cn",
        api_suffix="amazonaws.com.cn",
        default_region="cn-north-1",
        bare_region="cn-north-1",
        regions=re.compile(r"cn-[a-z]{4,12}-[0-9]", re.ASCII),
    ),
}


class ConsoleService(StrEnum):
    """Where in the console a visit may land. The value is the console's own path (AWS_FACTS §7)."""

    HOME = "console"
    CLOUDFORMATION = "cloudformation"
    CLOUDWATCH = "cloudwatch"
    COSTS = "costmanagement"
    EC2 = "ec2"
    ECS = "ecs"
    EKS = "eks"
    IAM = "iam"
    LAMBDA = "lambda"
    RDS = "rds"
    S3 = "s3"
    VPC = "vpc"


# A role of a practice's own that its hub may enter and that no client trusts: see `gateway.AwsGateway.control`.
CONTROL_ROLE: Final = "latchkey-control"
ACCOUNT: Final = re.compile(r"[0-9]{12}", re.ASCII)
_PARTITION_NAMES: Final = "|".join(PARTITIONS)
ROLE_ARN: Final = re.compile(
    rf"arn:(?P<partition>{_PARTITION_NAMES}):iam::(?P<account_id>[0-9]{{12}}):role"
    r"(?P<path>/(?:[A-Za-z0-9+=,.@_-]+/)*)(?P<name>[A-Za-z0-9+=,.@_-]{1,64})",
    re.ASCII,
)
SESSION_ARN: Final = re.compile(
    rf"arn:(?:{_PARTITION_NAMES}):sts::(?P<account_id>[0-9]{{12}})"
    r":assumed-role/(?P<name>[\w+=,.@-]{1,64})/[\w+=,.@-]{2,64}",
    re.ASCII,
)
SESSION_NAME: Final = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
NOT_IN_A_SESSION_NAME: Final = re.compile(r"[^\w+=,.@-]+", re.ASCII)
ON_THIS_MACHINE: Final = re.compile(
    r"(?P<origin>https?://(?:127\.0\.0\.1|localhost|\[::1\])(?::(?P<port>[0-9]{1,5}))?)/?", re.ASCII
)


def parse_account_id(text: str) -> str:
    """Twelve digits, from what people type: spaces and dashes between groups are fine. Raises BadAccountId."""
    digits = re.sub(r"[ \t-]", "", text)
    if not ACCOUNT.fullmatch(digits) or digits == "0" * 12:
        raise BadAccountId("An AWS account number has 12 digits. You find it at the top right in AWS.")
    return digits


# Numbers that stand in AWS's own documentation and in everybody's copies of it, and those that people make up.
EXAMPLE_ACCOUNTS: Final = frozenset(
    {
        *(digit * 12 for digit in "0123456789"),
        *("123456789012", "012345678901", "210987654321", "987654321098", "098765432109"),
        *("111122223333", "444455556666", "777788889999", "123456789123", "123123123123"),
    }
)


def is_example_account(account_id: str) -> bool:
    """True for a number of twelve digits that is an example, and nobody's account."""
    return account_id in EXAMPLE_ACCOUNTS


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleArn:
    """One role. `path` begins and ends with a slash; AWS leaves it out of session ARNs."""

    partition: str
    account_id: str
    name: str
    path: str = "/"

    @classmethod
    def parse(cls, text: str) -> RoleArn:
        """Raises BadArn unless rebuilding gives the same text and the length is AWS's 20 to 2,048."""
        found = ROLE_ARN.fullmatch(text)
        if found is None or not 20 <= len(text) <= 2048 or found["account_id"] == "0" * 12:
            raise BadArn("not the ARN of a role")
        return cls(**found.groupdict())

    def __str__(self) -> str:
        return f"arn:{self.partition}:iam::{self.account_id}:role{self.path}{self.name}"


def assumed_role_parts(session_arn: str) -> tuple[str, str]:
    """Account and role name behind a session ARN; the path is not in it (AWS_FACTS §5). Raises BadArn."""
    found = SESSION_ARN.fullmatch(session_arn)
    if found is None:
        raise BadArn("not the ARN of an assumed role")
    return found["account_id"], found["name"]


def session_name_for(email_or_name: str, visit_code: str) -> str:
    """RoleSessionName that names the human in the client's CloudTrail: 2 to 64 of `[\\w+=,.@-]`, ASCII.

    The visit's code always stands whole at the end; a long name is cut.
    """
    tail = NOT_IN_A_SESSION_NAME.sub("", visit_code)[:20] or "visit"
    head = NOT_IN_A_SESSION_NAME.sub("-", email_or_name).strip("-") or "consultant"
    return f"{head[: 63 - len(tail)]}-{tail}"


def partition_named(name: str) -> Partition:
    """Raises BadAddress for a partition that is not offered."""
    try:
        return PARTITIONS[name]
    except KeyError:
        raise BadAddress("no such partition is offered") from None


def loopback_origin(url: str) -> str:
    """`scheme://host[:port]` of a stand-in for AWS. Raises BadAddress unless it is on this machine.

    One strict pattern instead of a parser: parsers disagree on user info, backslashes and odd forms of an address.
    """
    found = ON_THIS_MACHINE.fullmatch(url)
    if found is None or int(found["port"] or 0) > 65535:
        raise BadAddress(
            "a stand-in for AWS must be http(s) on 127.0.0.1, localhost or [::1], without a path"
        )
    return found["origin"]


def console_origin(partition: str, region: str, *, console_base_url: str | None = None) -> str:
    """The console of a region, or its stand-in on this machine. Raises BadAddress."""
    world = partition_named(partition)
    origin = f"https://{world.host(world.console_host, region)}"
    return loopback_origin(console_base_url) if console_base_url else origin


def console_destination(
    partition: str, region: str, service: ConsoleService, *, console_base_url: str | None = None
) -> str:
    """A page of the console: host by partition and region, path by enum, so that it cannot lead elsewhere."""
    origin = console_origin(partition, region, console_base_url=console_base_url)
    return f"{origin}/{ConsoleService(service).value}/home?region={region}"


def signin_endpoint(partition: str, region: str, *, federation_base_url: str | None = None) -> str:
    """Where sign-in tokens are made and redeemed, or its stand-in on this machine. Raises BadAddress."""
    world = partition_named(partition)
    origin = f"https://{world.host(world.signin_host, region)}"
    return f"{loopback_origin(federation_base_url) if federation_base_url else origin}/federation"
