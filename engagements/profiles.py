"""Access profiles: what can be asked for, in plain words beside the exact permissions. Pure data.

Each "can't do" names the Deny statement that keeps it so; `tests/engagements/test_profiles.py` holds them together.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final


class Kind(StrEnum):
    """How far an access goes, in the two words that clients read."""

    LOOK = "look"
    CHANGE = "change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One permission as the client reads it: at most six words, then a "so we can" sentence, then AWS's names."""

    key: str
    icon: str
    title: str
    why: str
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One thing that stays impossible, and the Deny statement (its Sid) or missing permission that keeps it so."""

    title: str
    kept_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessProfile:
    """A set of permissions with a name. `managed_policies` are AWS's own, as `arn:aws:iam::aws:policy/...`."""

    code: str
    title: str
    kind: Kind
    summary: str
    lines: tuple[Line, ...]
    limits: tuple[Limit, ...]
    managed_policies: tuple[str, ...]
    statements: tuple[dict[str, Any], ...]  # Any: IAM's JSON nests as it likes

    def lines_as_data(self) -> list[dict[str, Any]]:
        """What an offer freezes of the lines: JSON."""
        return [{**asdict(line), "actions": list(line.actions)} for line in self.lines]


NO_CONTENTS: Final = "NoContents"
NO_PASSING_ON: Final = "NoPassingOn"
NOTHING_ALLOWED: Final = "only reading is allowed"
LOOK_LIMITS: Final = (
    Limit(title="Open your files, databases, emails or passwords", kept_by=NO_CONTENTS),
    Limit(title="Change, add or delete anything", kept_by=NOTHING_ALLOWED),
    Limit(title="Buy anything or touch your payment details", kept_by=NOTHING_ALLOWED),
    Limit(title="Pass this access on to anyone else", kept_by=NO_PASSING_ON),
)
COSTS: Final = Line(
    key="costs",
    icon="receipt-text",
    title="Your AWS bills and usage",
    why="So we can see what you pay for, and where it went up.",
    actions=("ce:Describe*", "ce:Get*", "ce:List*", "cur:Describe*", "budgets:View*", "budgets:Describe*"),
)
INVENTORY: Final = Line(
    key="inventory",
    icon="server",
    title="A list of what you run",
    why="Names, sizes and settings of servers, databases and storage, so we can see what causes the cost. "
    "Not what is inside them.",
    actions=("ec2:Describe*", "rds:Describe*", "s3:ListAllMyBuckets", "s3:GetBucketLocation", "tag:Get*"),
)
METRICS: Final = Line(
    key="metrics",
    icon="chart-line",
    title="How busy things are",
    why="Performance charts, so we can spot machines that are bigger than they need to be.",
    actions=("cloudwatch:GetMetric*", "cloudwatch:ListMetrics", "compute-optimizer:Get*"),
)
HISTORY: Final = Line(
    key="history",
    icon="history",
    title="Who changed what, and when",
    why="Your account’s change history, so we can explain what happened.",
    actions=("cloudtrail:LookupEvents",),
)
SETTINGS: Final = Line(
    key="settings",
    icon="shield-check",
    title="Your security settings",
    why="So we can tell you which settings leave a door open.",
    actions=(
        "access-analyzer:List*",
        "config:Describe*",
        "guardduty:Get*",
        "guardduty:List*",
        "iam:GenerateCredentialReport",
        "iam:Get*",
        "iam:List*",
        "securityhub:Get*",
    ),
)


def _looking(code: str, title: str, summary: str, *lines: Line) -> AccessProfile:
    statement = {
        "Sid": "Look",
        "Effect": "Allow",
        "Action": sorted({action for line in lines for action in line.actions}),
        "Resource": "*",
    }
    return AccessProfile(
        code=code,
        title=title,
        kind=Kind.LOOK,
        summary=summary,
        lines=lines,
        limits=LOOK_LIMITS,
        managed_policies=(),
        statements=(statement,),
    )


PROFILES: Final = {
    profile.code: profile
    for profile in (
        _looking(
            "cost_review",
            "Cost review",
            "They can read bills and settings. They can’t change anything.",
            COSTS,
            INVENTORY,
            METRICS,
        ),
        _looking(
            "security_review",
            "Security review",
            "They can read settings and the change history. They can’t change anything.",
            SETTINGS,
            INVENTORY,
            HISTORY,
        ),
    )
}


def profile_named(code: str) -> AccessProfile:
    """Raises KeyError for a profile that is not offered."""
    return PROFILES[code]
