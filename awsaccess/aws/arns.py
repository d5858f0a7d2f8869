"""Account numbers and role ARNs: what is kept is always rebuilt from its parts, never the text received (SECURITY A4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

PARTITIONS: Final = frozenset({"aws", "aws-us-gov", "aws-cn"})
ACCOUNT: Final = re.compile(r"[0-9]{12}", re.ASCII)
ROLE_ARN: Final = re.compile(
    r"arn:(?P<partition>aws|aws-us-gov|aws-cn):iam::(?P<account_id>[0-9]{12}):role"
    r"(?P<path>/(?:[A-Za-z0-9+=,.@_-]+/)*)(?P<name>[A-Za-z0-9+=,.@_-]{1,64})",
    re.ASCII,
)
SESSION_ARN: Final = re.compile(
    r"arn:(?:aws|aws-us-gov|aws-cn):sts::(?P<account_id>[0-9]{12}):assumed-role/(?P<name>[\w+=,.@-]{1,64})/[\w+=,.@-]{2,64}",
    re.ASCII,
)
NOT_IN_A_SESSION_NAME: Final = re.compile(r"[^\w+=,.@-]+", re.ASCII)


class BadAccountId(ValueError):
    """Raised for what is no AWS account number. Its text is meant for the person who typed it."""


class BadArn(ValueError):
    """Raised for what is no role or session ARN of a partition that is offered."""


def parse_account_id(text: str) -> str:
    """Twelve digits, from what people type: spaces and dashes between groups are fine. Raises BadAccountId."""
    digits = re.sub(r"[ \t-]", "", text)
    if not ACCOUNT.fullmatch(digits) or digits == "0" * 12:
        raise BadAccountId("An AWS account number has 12 digits. You find it at the top right in AWS.")
    return digits


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
        if found is None or not 20 <= len(text) <= 2048:
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


def session_name(person: str, visit_code: str) -> str:
    """RoleSessionName that names the human in the client's CloudTrail: 2 to 64 of `[\\w+=,.@-]`, ASCII.

    The visit's code always stands whole at the end; a long name is cut.
    """
    tail = NOT_IN_A_SESSION_NAME.sub("", visit_code)[:20] or "visit"
    head = NOT_IN_A_SESSION_NAME.sub("-", person).strip("-") or "consultant"
    return f"{head[: 63 - len(tail)]}-{tail}"
