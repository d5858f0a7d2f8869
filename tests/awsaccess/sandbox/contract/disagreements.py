"""Where a simulation answers otherwise than AWS does, and why. Asserted exactly: one that disappears fails too.

Anything added names what in AWS's documents it contradicts: the case's own source. The same table for people is in
docs/sandbox.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """What the backend answers instead of the expected verdict."""

    verdict: str
    reason: str


def _all(verdict: str, reason: str, *labels: str) -> dict[str, Disagreement]:
    return {label: Disagreement(verdict=verdict, reason=reason) for label in labels}


SANDBOX: Final[Mapping[str, Disagreement]] = {}

MINISTACK: Final[Mapping[str, Disagreement]] = {
    **_all(
        "allow",
        "AssumeRole's parameters are not checked: lengths, characters, numbers",
        "id shorter than two characters",
        "id with a space",
        "SourceIdentity that begins with aws:",
        "a tag key of 129 characters",
        "session name with a space",
        "899 seconds",
        "43,201 seconds",
    ),
    **_all(
        "allow",
        "neither MaxSessionDuration nor the hour of role chaining is enforced",
        "longer than the role allows",
        "chained for longer than an hour",
        "client's session chained for longer than an hour",
    ),
    **_all(
        "AccessDenied",
        "CreateRole takes any text as a trust policy; nobody can use it afterwards",
        "broken JSON",
        "a list instead of an object",
        "no statement",
        "effect in small letters",
        "no principal",
        "no action",
        "unknown operator",
    ),
    **_all(
        "allow",
        "CreateRole takes any text as a trust policy; what AWS would refuse is passed over",
        "a version that does not exist",
        "a resource",
        "an element that does not exist",
    ),
    **_all(
        "AccessDenied",
        "CreateRole does not ask whether a principal is there",
        "part of a name",
        "everybody of an account by wildcard",
        "role that is not there",
        "unique id of nobody",
        "account id of eleven digits",
    ),
    **_all(
        "AccessDenied",
        "UpdateAssumeRolePolicy takes a trust policy that names nobody, and with it the old one is gone",
        "broken update leaves the trust as it was",
    ),
    **_all(
        "AccessDenied",
        "no quota on the trust policy's length",
        "longer than 2,048 characters",
    ),
    **_all(
        "allow",
        "sts:SetSourceIdentity is asked of nobody",
        "SourceIdentity, not trusted",
        "SourceIdentity, one statement under the id",
        "SourceIdentity pinned, other one",
        "caller may not set a SourceIdentity",
    ),
    **_all("not echoed", "SourceIdentity is not answered", "SourceIdentity is echoed"),
    **_all("not kept", "SourceIdentity is forgotten", "SourceIdentity stays along a chain"),
    **_all(
        "allow",
        "SourceIdentity is forgotten",
        "SourceIdentity changed along a chain",
        "Deny of one engineer by SourceIdentity, that one",
    ),
    **_all(
        "AccessDenied",
        "sts:SourceIdentity is no key of a call, whatever was given",
        "names wanted, all told",
        "names wanted, by Null, all told",
    ),
    **_all("allow", "sts:TagSession is asked of the trust policy only", "caller may not tag"),
    **_all(
        "allow",
        "sts:ExternalId is seen by sts:TagSession, where the service authorization reference has no such key",
        "tags, one statement under the id",
    ),
    **_all("allow", "an ARN is matched as one text, not part by part", "ArnLike, a star stays in its part"),
    **_all("AccessDenied", "it is told that the call came by plain http, as it did", "Deny of plain http"),
    **_all(
        "allow",
        "a session outlives its role",
        "role deleted, old session",
        "role made anew, old session",
    ),
    **_all(
        "AccessDenied",
        "at home the caller's own policies must allow as well",
        "at home, user named, no permission of its own",
    ),
    **_all(
        "allow",
        "a principal is known by its ARN, not by its unique id",
        "hub role made anew, trust names its ARN",
        "user made anew, trust names its ARN",
    ),
    **_all(
        "shown by ARN",
        "a principal is known by its ARN, not by its unique id",
        "hub role deleted, trust shows its unique id",
    ),
}


def rows(table: Mapping[str, Disagreement]) -> list[str]:
    """The table as docs/sandbox.md has it: one row per reason and verdict."""
    labels: dict[Disagreement, list[str]] = {}
    for label, known in table.items():
        labels.setdefault(known, []).append(label)
    return [f"| {known.reason} | {known.verdict} | {'; '.join(found)} |" for known, found in labels.items()]
