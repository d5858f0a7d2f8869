"""What was done with one set of credentials, in four words: looked at, changed, deleted, denied. Pure.

The account's own event history names calls as CloudTrail does; here they become IAM's action names again, so that what
is grave about an action is known from the same lists as everywhere else.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final

from awsaccess.policy.documents import SENSITIVE_ACTIONS
from awsaccess.policy.risks import CREDENTIALS, ESCALATES, EXPOSES

Kept = dict[str, Any]  # Any: JSON
LOOKUP: Final = "cloudtrail:LookupEvents"


class Deed(StrEnum):
    """What one call was."""

    LOOKED = "looked"
    CHANGED = "changed"
    DELETED = "deleted"
    DENIED = "denied"


# Where CloudTrail's name of a service is not IAM's.
PREFIXES: Final = {
    "monitoring": "cloudwatch",
    "tagging": "tag",
    "email": "ses",
}
VERSION: Final = re.compile(
    r"_?20[0-9]{2}_?[0-9]{2}_?[0-9]{2}(?:v[0-9]+)?$", re.ASCII
)  # of Lambda, CloudFront
REFUSED: Final = re.compile(r"AccessDenied|Unauthorized|Forbidden|NotAuthorized|OptInRequired")
TAKES_AWAY: Final = re.compile(
    r"(?:Batch)?(?:Delete|Terminate|Remove|Purge|Destroy|Deregister|ScheduleKeyDeletion|Release|Revoke|Detach|Disassociate)"
)
RECORDS: Final = (
    "cloudtrail:Delete*",
    "cloudtrail:PutEventSelectors",
    "cloudtrail:StopLogging",
    "cloudtrail:Update*",
    "config:Delete*",
    "config:StopConfigurationRecorder",
    "guardduty:Delete*",
    "guardduty:UpdateDetector",
)
GRAVE: Final = tuple(
    sorted({one.lower() for one in (*SENSITIVE_ACTIONS, *EXPOSES, *CREDENTIALS, *ESCALATES, *RECORDS)})
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One kind of call and how often it was made."""

    action: str
    count: int
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How many calls of each kind, and the calls behind them, the most frequent first."""

    counts: Mapping[Deed, int]
    behind: Mapping[Deed, tuple[Done, ...]]


def action_of(source: str, name: str) -> str:
    """`ec2:StopInstances`, from what CloudTrail says."""
    service = source.partition(".")[0]
    return f"{PREFIXES.get(service, service)}:{VERSION.sub('', name)}"


def deed_of(name: str, *, read_only: bool, error_code: str) -> Deed | None:
    """What a call was; None for one that failed for another reason than a refusal: it did nothing."""
    if REFUSED.search(error_code):
        return Deed.DENIED
    if error_code:
        return None
    if read_only:
        return Deed.LOOKED
    return Deed.DELETED if TAKES_AWAY.match(name) else Deed.CHANGED


@lru_cache(maxsize=4096)
def is_grave(action: str) -> bool:
    """Reads what is inside, gives rights away, opens to the world, or touches the record of what was done."""
    return any(fnmatchcase(action.lower(), pattern) for pattern in GRAVE)


def sudden(events: Iterable[Kept], *, before: Collection[str]) -> tuple[str, ...]:
    """Grave actions, also tried ones, that were in no earlier visit. In order, each once."""
    used = dict.fromkeys(str(one["action"]) for one in events)
    return tuple(action for action in used if is_grave(action) and action not in before)


def summary_of(events: Iterable[Kept]) -> Summary:
    """The kept events of a report, grouped."""
    by_deed: dict[Deed, Counter[tuple[str, str]]] = {deed: Counter() for deed in Deed}
    for one in events:
        if one["deed"]:
            by_deed[Deed(one["deed"])][str(one["action"]), str(one["region"])] += 1
    return Summary(
        counts={deed: sum(found.values()) for deed, found in by_deed.items()},
        behind={
            deed: tuple(
                Done(action=action, count=count, region=region)
                for (action, region), count in sorted(found.items(), key=lambda each: (-each[1], each[0]))
            )
            for deed, found in by_deed.items()
        },
    )


def lets_look_up(lines: Iterable[Mapping[str, Any]]) -> bool:  # Any: JSON of an offer
    """True if one of the lines that the client read says that the event history may be looked at."""
    named = (str(action).lower() for line in lines for action in line["actions"])
    return any(fnmatchcase(LOOKUP.lower(), pattern) for pattern in named)
