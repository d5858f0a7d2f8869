"""One trust policy, one AssumeRole, one verdict each. The source is where AWS says so.

AWS_FACTS are the collected facts with their paragraphs; UG is the IAM User Guide with its page, SAR the service
authorization reference, API the STS reference. `allow` for a wrong or missing external id is an unsafe role: AWS lets
it through, and the portal has to find it by its negative probes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from tests.awsaccess.sandbox.contract.world import (
    CLIENT,
    CONSULTANT,
    HUB,
    HUB_SESSION,
    OTHER,
    PORTAL_USER,
    ROOT,
    THIRD,
)
from tests.awsaccess.sandbox.making import COMPANIONS, Statement, policy, trust

ALLOW: Final = "allow"
DENY: Final = "AccessDenied"
MALFORMED: Final = "MalformedPolicyDocument"
INVALID: Final = "ValidationError"

_PRINCIPAL: Final = "UG reference_policies_elements_principal"
_OPERATORS: Final = "UG reference_policies_elements_condition_operators"
_SETS: Final = "UG reference_policies_condition-single-vs-multi-valued-context-keys"
_KEYS: Final = "UG reference_policies_condition-keys"
_LOGIC: Final = "UG reference_policies_evaluation-logic"
_GRAMMAR: Final = "UG reference_policies_grammar"
_TRUST: Final = "AWS_FACTS §1"
_ASSUME: Final = "AWS_FACTS §6"
_PROBES: Final = "AWS_FACTS §9"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Make a role of the client with this trust, then assume it so.

    `document` replaces the statements by a text; `role` and `call` are more parameters of CreateRole and AssumeRole.
    `refused_by` says whose policy an AccessDenied must come from, where a simulation can tell.
    """

    label: str
    expected: str
    source: str
    statements: tuple[Statement, ...] = ()
    document: str | None = None
    external_id: str | None = "good-id"
    caller: str = "hub"
    refused_by: Literal["trust", "caller"] = "trust"
    role: Mapping[str, Any] = field(default_factory=dict)  # Any: AWS's parameters
    call: Mapping[str, Any] = field(default_factory=dict)  # Any: AWS's parameters


def case(
    label: str, expected: str, source: str, *statements: Statement, **more: Any
) -> Case:  # Any: Case's fields
    """A case with its statements in a row."""
    return Case(label=label, expected=expected, source=source, statements=statements, **more)


def external_id(value: object = "good-id", operator: str = "StringEquals") -> dict[str, object]:
    """A condition on the external id."""
    return {operator: {"sts:ExternalId": value}}


GOOD: Final = external_id()
FROM_HUB: Final = {"ArnEquals": {"aws:PrincipalArn": HUB}}
STANDARD: Final = (trust(ROOT, GOOD | FROM_HUB), trust(ROOT, FROM_HUB, list(COMPANIONS)))
TAGS: Final = {"Tags": [{"Key": "engagement", "Value": "lk-1"}]}
MIRA: Final = {"SourceIdentity": "mira"}


def moving() -> tuple[Statement, ...]:
    """The standard trust while an access moves from one hub role to another."""
    either = {"ArnEquals": {"aws:PrincipalArn": [HUB, OTHER]}}
    return trust(ROOT, GOOD | either), trust(ROOT, either, list(COMPANIONS))


def by(value: object = "good-id", operator: str = "StringEquals") -> Statement:
    """Trust in the consultant's account under this condition on the external id."""
    return trust(ROOT, external_id(value, operator))


def under(**condition: object) -> Statement:
    """Trust with the right external id and one more condition."""
    return trust(ROOT, GOOD | condition)


def deny(condition: object = None, principal: object = "*", action: object = "sts:AssumeRole") -> Statement:
    """A Deny of a trust policy."""
    return {**trust(principal, condition, action), "Effect": "Deny"}


def naming(principal: object) -> Statement:
    """Trust in a principal of another kind than AWS, or in none."""
    return {**trust(ROOT, GOOD), "Principal": principal}


EXTERNAL_ID: Final = (
    case("standard trust, right id", ALLOW, _TRUST, *STANDARD),
    case("standard trust, wrong id", DENY, _PROBES, *STANDARD, external_id="bad-id"),
    case("standard trust, no id", DENY, _PROBES, *STANDARD, external_id=None),
    case("id differs in case only", DENY, _OPERATORS, *STANDARD, external_id="Good-Id"),
    case("id is a prefix of the right one", DENY, _OPERATORS, *STANDARD, external_id="good-i"),
    case("no condition, any id", ALLOW, _PROBES, trust(ROOT), external_id="any"),
    case("no condition, no id", ALLOW, _PROBES, trust(ROOT), external_id=None),
    case("StringLike *, wrong id", ALLOW, _TRUST, by("*", "StringLike"), external_id="bad-id"),
    case("StringLike *, no id", DENY, _OPERATORS, by("*", "StringLike"), external_id=None),
    case(
        "StringLike with a prefix, fitting id",
        ALLOW,
        _TRUST,
        by("good-*", "StringLike"),
        external_id="good-bad",
    ),
    case(
        "StringLike with a prefix, other id",
        DENY,
        _OPERATORS,
        by("good-*", "StringLike"),
        external_id="bad-id",
    ),
    case("StringLike without wildcards, right id", ALLOW, _OPERATORS, by("good-id", "StringLike")),
    case("StringEquals *, which is no wildcard", DENY, _OPERATORS, by("*")),
    case("StringEqualsIgnoreCase, other case", ALLOW, _OPERATORS, by("GOOD-ID", "StringEqualsIgnoreCase")),
    case(
        "StringEqualsIfExists, no id", ALLOW, _TRUST, by("good-id", "StringEqualsIfExists"), external_id=None
    ),
    case("StringEqualsIfExists, wrong id", DENY, _OPERATORS, by("x-id", "StringEqualsIfExists")),
    case("ForAllValues, no id", ALLOW, _SETS, by("good-id", "ForAllValues:StringEquals"), external_id=None),
    case("ForAllValues, wrong id", DENY, _SETS, by("x-id", "ForAllValues:StringEquals")),
    case(
        "ForAllValues with Null false, no id",
        DENY,
        _SETS,
        trust(ROOT, external_id("good-id", "ForAllValues:StringEquals") | external_id("false", "Null")),
        external_id=None,
    ),
    case("ForAnyValue, right id", ALLOW, _SETS, by("good-id", "ForAnyValue:StringEquals")),
    case("ForAnyValue, no id", DENY, _SETS, by("good-id", "ForAnyValue:StringEquals"), external_id=None),
    case("list of ids, second one", ALLOW, _OPERATORS, by(["old-id", "good-id"])),
    case("list of ids, none of them", DENY, _OPERATORS, by(["old-id", "good-id"]), external_id="bad-id"),
    case("StringNotEquals, no id", ALLOW, _OPERATORS, by("bad-id", "StringNotEquals"), external_id=None),
    case("StringNotEquals, that id", DENY, _OPERATORS, by("good-id", "StringNotEquals")),
    case("Null false, any id", ALLOW, _OPERATORS, by("false", "Null"), external_id="any"),
    case("Null false, no id", DENY, _OPERATORS, by("false", "Null"), external_id=None),
    case("two operators, one fails", DENY, _OPERATORS, trust(ROOT, GOOD | external_id("x*", "StringLike"))),
    case(
        "name of the key in other case",
        ALLOW,
        _KEYS,
        trust(ROOT, {"StringEquals": {"STS:EXTERNALID": "good-id"}}),
    ),
    case(
        "second statement without condition, wrong id",
        ALLOW,
        _LOGIC,
        *STANDARD,
        trust(ROOT),
        external_id="bad-id",
    ),
    case("id shorter than two characters", INVALID, _ASSUME, trust(ROOT), external_id="x"),
    case("id with a space", INVALID, _ASSUME, trust(ROOT), external_id="good id"),
)

PRINCIPALS: Final = (
    case("account root", ALLOW, _PRINCIPAL, by()),
    case("bare account id", ALLOW, _PRINCIPAL, trust(CONSULTANT, GOOD)),
    case("role", ALLOW, _PRINCIPAL, trust(HUB, GOOD)),
    case("another role of the consultant", DENY, _PRINCIPAL, trust(OTHER, GOOD)),
    case("list of roles, second one", ALLOW, _PRINCIPAL, trust([OTHER, HUB], GOOD)),
    case("session", ALLOW, _PRINCIPAL, trust(HUB_SESSION, GOOD)),
    case("session of another name", DENY, _PRINCIPAL, trust(HUB_SESSION.replace("portal", "else"), GOOD)),
    case("user", ALLOW, _PRINCIPAL, trust(PORTAL_USER, GOOD), caller="portal"),
    case("user, called by a role", DENY, _PRINCIPAL, trust(PORTAL_USER, GOOD)),
    case("another user", DENY, _PRINCIPAL, trust(PORTAL_USER, GOOD), caller="plain"),
    case("service", DENY, _PRINCIPAL, naming({"Service": "ec2.amazonaws.com"})),
    case("service or account", ALLOW, _PRINCIPAL, naming({"Service": "ec2.amazonaws.com", "AWS": ROOT})),
    case("web identity provider", DENY, _PRINCIPAL, naming({"Federated": "accounts.google.com"})),
    case("*, called from a third account", ALLOW, _PRINCIPAL, trust("*", GOOD), caller="stranger"),
    case("AWS *, called from a third account", ALLOW, _PRINCIPAL, naming({"AWS": "*"}), caller="stranger"),
    case("AWS *, wrong id", DENY, _PRINCIPAL, naming({"AWS": "*"}), caller="stranger", external_id="bad-id"),
    case("third account, called by the consultant", DENY, _PRINCIPAL, trust(THIRD, GOOD)),
    case("standard trust, called from a third account", DENY, _TRUST, *STANDARD, caller="stranger"),
    case("PrincipalArn of the hub, called by another role", DENY, _TRUST, *STANDARD, caller="other"),
    case(
        "PrincipalArn is not the session's", DENY, _TRUST, under(ArnEquals={"aws:PrincipalArn": HUB_SESSION})
    ),
    case("part of a name", MALFORMED, _PRINCIPAL, trust(f"arn:aws:iam::{CONSULTANT}:role/h*", GOOD)),
    case(
        "everybody of an account by wildcard",
        MALFORMED,
        _PRINCIPAL,
        trust(f"arn:aws:iam::{CONSULTANT}:*", GOOD),
    ),
    case(
        "role that is not there",
        MALFORMED,
        "UG reference_policies_elements_principal, troubleshoot_roles",
        trust(f"{HUB}-nope", GOOD),
    ),
    case("unique id of nobody", MALFORMED, _PRINCIPAL, trust("AROAJJJJJJJJJJJJJJJJJ", GOOD)),
    case("account id of eleven digits", MALFORMED, _PRINCIPAL, trust("11111111111", GOOD)),
    case(
        "NotPrincipal with Allow",
        MALFORMED,
        "UG reference_policies_elements_notprincipal",
        {"Effect": "Allow", "NotPrincipal": {"AWS": ROOT}, "Action": "sts:AssumeRole"},
    ),
    case(
        "NotPrincipal with Deny",
        MALFORMED,
        "UG reference_policies_elements_notprincipal",
        *STANDARD,
        {"Effect": "Deny", "NotPrincipal": {"AWS": [HUB, ROOT]}, "Action": "sts:AssumeRole"},
    ),
    case("caller has no permission", DENY, _LOGIC, by(), caller="nobody", refused_by="caller"),
    case("caller has a Deny", DENY, _LOGIC, by(), caller="denier", refused_by="caller"),
)

DENIES: Final = (
    case(
        "Deny without an id, none given",
        DENY,
        _OPERATORS,
        trust(ROOT),
        deny(external_id("true", "Null")),
        external_id=None,
    ),
    case("Deny without an id, one given", ALLOW, _OPERATORS, trust(ROOT), deny(external_id("true", "Null"))),
    case(
        "Deny of other ids, no id",
        DENY,
        _OPERATORS,
        trust(ROOT),
        deny(external_id("good-id", "StringNotEquals")),
        external_id=None,
    ),
    case(
        "Deny of other ids, right id",
        ALLOW,
        _OPERATORS,
        trust(ROOT),
        deny(external_id("good-id", "StringNotEquals")),
    ),
    case("Deny first, Allow second", DENY, _LOGIC, deny(principal=ROOT), by()),
    case("Deny of the role, Allow of its account", DENY, _LOGIC, by(), deny(principal=HUB)),
    case("Deny of another role", ALLOW, _LOGIC, by(), deny(principal=OTHER)),
    case("Deny of a third account", ALLOW, _LOGIC, by(), deny(principal=THIRD)),
    case("Deny of tags, call without", ALLOW, _LOGIC, *STANDARD, deny(action="sts:TagSession")),
    case("Deny of tags, call with", DENY, _LOGIC, *STANDARD, deny(action="sts:TagSession"), call=TAGS),
    case(
        "Deny after a date that is past",
        DENY,
        "AWS_FACTS §2",
        *STANDARD,
        deny({"DateGreaterThan": {"aws:CurrentTime": "2001-01-01T00:00:00Z"}}),
    ),
    case(
        "Deny after a date to come",
        ALLOW,
        "AWS_FACTS §2",
        *STANDARD,
        deny({"DateGreaterThan": {"aws:CurrentTime": "2099-01-01T00:00:00Z"}}),
    ),
    case("Deny of plain http", ALLOW, _KEYS, *STANDARD, deny({"Bool": {"aws:SecureTransport": "false"}})),
)

CONDITIONS: Final = (
    case(
        "before a date that is past",
        DENY,
        _TRUST,
        under(DateLessThan={"aws:CurrentTime": "2001-01-01T00:00:00Z"}),
    ),
    case(
        "before a date to come",
        ALLOW,
        _TRUST,
        under(DateLessThan={"aws:CurrentTime": "2099-01-01T00:00:00Z"}),
    ),
    case(
        "after a date that is past",
        ALLOW,
        _OPERATORS,
        under(DateGreaterThan={"aws:CurrentTime": "2001-01-01T00:00:00Z"}),
    ),
    case(
        "after a date to come",
        DENY,
        _OPERATORS,
        under(DateGreaterThan={"aws:CurrentTime": "2099-01-01T00:00:00Z"}),
    ),
    case(
        "between two dates",
        ALLOW,
        _OPERATORS,
        under(
            DateGreaterThan={"aws:CurrentTime": "2001-01-01"}, DateLessThan={"aws:CurrentTime": "2099-01-01"}
        ),
    ),
    case("a date in seconds", DENY, _OPERATORS, under(DateLessThan={"aws:EpochTime": "1000000000"})),
    case("MFA asked of a role session", DENY, _TRUST, under(Bool={"aws:MultiFactorAuthPresent": "true"})),
    case(
        "MFA asked of a user's long-term key",
        DENY,
        _KEYS,
        under(Bool={"aws:MultiFactorAuthPresent": "true"}),
        caller="portal",
    ),
    case(
        "MFA if it exists, a user's long-term key",
        ALLOW,
        _KEYS,
        under(BoolIfExists={"aws:MultiFactorAuthPresent": "true"}),
        caller="portal",
    ),
    case(
        "no MFA, a user's long-term key has no such key",
        DENY,
        _KEYS,
        under(Bool={"aws:MultiFactorAuthPresent": "false"}),
        caller="portal",
    ),
    case(
        "source address fits",
        ALLOW,
        _OPERATORS,
        under(IpAddress={"aws:SourceIp": ["192.0.2.1/32", "127.0.0.0/8"]}),
    ),
    case("source address does not fit", DENY, _OPERATORS, under(IpAddress={"aws:SourceIp": "192.0.2.1/32"})),
    case("any address but this one", ALLOW, _OPERATORS, under(NotIpAddress={"aws:SourceIp": "192.0.2.0/24"})),
    case(
        "ArnLike with a wildcard",
        ALLOW,
        _TRUST,
        under(ArnLike={"aws:PrincipalArn": f"arn:aws:iam::{CONSULTANT}:role/h*"}),
    ),
    case(
        "ArnEquals with a wildcard",
        ALLOW,
        _TRUST,
        under(ArnEquals={"aws:PrincipalArn": f"arn:aws:iam::{CONSULTANT}:role/h?b"}),
    ),
    case(
        "ArnLike, wildcard for users",
        DENY,
        _OPERATORS,
        under(ArnLike={"aws:PrincipalArn": f"arn:aws:iam::{CONSULTANT}:user/*"}),
    ),
    case(
        "ArnLike, any account",
        ALLOW,
        _OPERATORS,
        under(ArnLike={"aws:PrincipalArn": "arn:aws:iam::*:role/hub"}),
    ),
    case(
        "ArnLike, a star stays in its part",
        DENY,
        _OPERATORS,
        under(ArnLike={"aws:PrincipalArn": "arn:*:role/hub"}),
    ),
    case(
        "two hub roles while accesses move, the one",
        ALLOW,
        _TRUST,
        *moving(),
        call=MIRA | TAGS,
    ),
    case(
        "two hub roles while accesses move, the other",
        ALLOW,
        _TRUST,
        *moving(),
        caller="other",
        call=MIRA | TAGS,
    ),
    case("two hub roles while accesses move, a user", DENY, _TRUST, *moving(), caller="portal"),
    case("two hub roles while accesses move, no id", DENY, _TRUST, *moving(), external_id=None),
    case("ArnNotEquals of another role", ALLOW, _OPERATORS, under(ArnNotEquals={"aws:PrincipalArn": OTHER})),
    case("StringEquals of the PrincipalArn", ALLOW, _KEYS, under(StringEquals={"aws:PrincipalArn": HUB})),
    case(
        "PrincipalAccount",
        ALLOW,
        _KEYS,
        trust("*", GOOD | {"StringLike": {"aws:PrincipalAccount": CONSULTANT}}),
    ),
    case("PrincipalAccount of the client", DENY, _KEYS, under(StringLike={"aws:PrincipalAccount": CLIENT})),
    case("PrincipalType of a session", ALLOW, _KEYS, under(StringLike={"aws:PrincipalType": "AssumedRole"})),
    case("PrincipalType of a user", DENY, _KEYS, under(StringLike={"aws:PrincipalType": "User"})),
    case("PrincipalTag of the role", ALLOW, _TRUST, under(StringLike={"aws:PrincipalTag/team": "blue"})),
    case("PrincipalTag of another value", DENY, _TRUST, under(StringLike={"aws:PrincipalTag/team": "red"})),
    case("another organization", DENY, _KEYS, under(StringLike={"aws:PrincipalOrgID": "o-aaaaaaaaaa"})),
    case(
        "an organization, asked of who is in none",
        DENY,
        _KEYS,
        trust("*", {"StringLike": {"aws:PrincipalOrgID": "o-*"}}),
        caller="stranger",
    ),
    case("region of the call", ALLOW, _KEYS, under(StringLike={"aws:RequestedRegion": "eu-west-1"})),
    case(
        "Null true of the token's time, a session has one",
        DENY,
        _OPERATORS,
        under(Null={"aws:TokenIssueTime": "true"}),
    ),
    case(
        "Null true of the token's time, a user has none",
        ALLOW,
        _OPERATORS,
        under(Null={"aws:TokenIssueTime": "true"}),
        caller="portal",
    ),
    case(
        "session name pinned, right name", ALLOW, _TRUST, under(StringLike={"sts:RoleSessionName": "sess*"})
    ),
    case("session name pinned, other name", DENY, _TRUST, under(StringLike={"sts:RoleSessionName": "lk-*"})),
    case("unknown operator", MALFORMED, _GRAMMAR, under(StringSounds={"sts:ExternalId": "x"})),
)

SESSIONS: Final = (
    case("SourceIdentity, not trusted", DENY, _TRUST, by(), call=MIRA),
    case("SourceIdentity, standard trust", ALLOW, _TRUST, *STANDARD, call=MIRA),
    case(
        "SourceIdentity, one statement under the id",
        DENY,
        "SAR sts, AWS_FACTS §1",
        trust(ROOT, GOOD, ["sts:AssumeRole", *COMPANIONS]),
        call=MIRA,
    ),
    case(
        "SourceIdentity pinned, right one",
        ALLOW,
        "SAR sts",
        by(),
        trust(ROOT, {"StringLike": {"sts:SourceIdentity": "mi*"}}, "sts:SetSourceIdentity"),
        call=MIRA,
    ),
    case(
        "SourceIdentity pinned, other one",
        DENY,
        "SAR sts",
        by(),
        trust(ROOT, {"StringLike": {"sts:SourceIdentity": "jo*"}}, "sts:SetSourceIdentity"),
        call=MIRA,
    ),
    case(
        "SourceIdentity asked for by the trust, none given",
        DENY,
        "SAR sts",
        under(Null={"sts:SourceIdentity": "false"}),
    ),
    case(
        "SourceIdentity that begins with aws:",
        INVALID,
        _ASSUME,
        *STANDARD,
        call={"SourceIdentity": "aws:root"},
    ),
    case(
        "caller may not set a SourceIdentity",
        DENY,
        _TRUST,
        *STANDARD[1:],
        trust(ROOT, None, "sts:*"),
        caller="plain",
        call=MIRA,
        refused_by="caller",
    ),
    case("tags, not trusted", DENY, _TRUST, by(), call=TAGS),
    case("tags, standard trust", ALLOW, _TRUST, *STANDARD, call=TAGS),
    case(
        "tags, one statement under the id",
        DENY,
        "SAR sts, AWS_FACTS §1",
        trust(ROOT, GOOD, ["sts:AssumeRole", *COMPANIONS]),
        call=TAGS,
    ),
    case(
        "caller may not tag",
        DENY,
        _TRUST,
        trust(ROOT, None, "sts:*"),
        caller="plain",
        call=TAGS,
        refused_by="caller",
    ),
    case(
        "tag asked for by the trust, right value",
        ALLOW,
        "SAR sts",
        by(),
        trust(ROOT, {"StringEquals": {"aws:RequestTag/engagement": "lk-1"}}, "sts:TagSession"),
        call=TAGS,
    ),
    case(
        "tag asked for by the trust, other value",
        DENY,
        "SAR sts",
        by(),
        trust(ROOT, {"StringEquals": {"aws:RequestTag/engagement": "lk-2"}}, "sts:TagSession"),
        call=TAGS,
    ),
    case(
        "only these tags, another one",
        DENY,
        "SAR sts",
        by(),
        trust(ROOT, {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}, "sts:TagSession"),
        call=TAGS,
    ),
    case(
        "a tag key of 129 characters",
        INVALID,
        _ASSUME,
        *STANDARD,
        call={"Tags": [{"Key": "k" * 129, "Value": ""}]},
    ),
    case("session name with a space", INVALID, _ASSUME, *STANDARD, call={"RoleSessionName": "a b"}),
    case("899 seconds", INVALID, _ASSUME, by(), call={"DurationSeconds": 899}),
    case("43,201 seconds", INVALID, _ASSUME, by(), call={"DurationSeconds": 43201}, caller="portal"),
    case(
        "longer than the role allows", INVALID, _ASSUME, by(), call={"DurationSeconds": 7200}, caller="portal"
    ),
    case(
        "as long as the role allows",
        ALLOW,
        _ASSUME,
        by(),
        role={"MaxSessionDuration": 7200},
        call={"DurationSeconds": 7200},
        caller="portal",
    ),
    case(
        "chained for an hour",
        ALLOW,
        _ASSUME,
        by(),
        role={"MaxSessionDuration": 7200},
        call={"DurationSeconds": 3600},
    ),
    case(
        "chained for longer than an hour",
        INVALID,
        _ASSUME,
        by(),
        role={"MaxSessionDuration": 7200},
        call={"DurationSeconds": 3601},
    ),
    case("session policy that is no JSON", MALFORMED, _ASSUME, by(), call={"Policy": "not json"}),
    case("session policy of 2,049 characters", INVALID, _ASSUME, by(), call={"Policy": policy().ljust(2049)}),
)

TAG: Final = "aws:RequestTag/engagement"
SOMEBODY: Final = {"sts:SourceIdentity": "?*", TAG: "?*"}


def wanting(operator: str, names: Mapping[str, str]) -> tuple[Statement, Statement]:
    """The standard trust, of sessions that name somebody (AWS_FACTS §1: keys of AssumeRole itself)."""
    first = trust(ROOT, GOOD | FROM_HUB | {operator: dict(names)})
    return first, trust(ROOT, FROM_HUB, list(COMPANIONS))


def named(label: str, expected: str, *statements: Statement, **more: Any) -> Case:  # Any: Case's fields
    """A case about who has to be named."""
    return case(f"names wanted, {label}", expected, "SAR sts, AWS_FACTS §1", *statements, **more)


WANTED: Final = wanting("StringLike", SOMEBODY)
UNTAGGED: Final = {"Tags": [{"Key": "engagement", "Value": ""}]}
TAGGED_OTHERWISE: Final = {"Tags": [{"Key": "team", "Value": "blue"}]}
NAMES: Final = (
    named("all told", ALLOW, *WANTED, call=TAGS | MIRA),
    named("none told", DENY, *WANTED),
    named("nobody told, only tags", DENY, *WANTED, call=TAGS),
    named("no tag told, only who", DENY, *WANTED, call=MIRA),
    named("an empty tag", DENY, *WANTED, call=UNTAGGED | MIRA),
    named("another tag", DENY, *WANTED, call=TAGGED_OTHERWISE | MIRA),
    named("all told and the wrong id", DENY, *WANTED, call=TAGS | MIRA, external_id="bad-id"),
    named("all told and no id", DENY, *WANTED, call=TAGS | MIRA, external_id=None),
    named("all told by another role", DENY, *WANTED, caller="other", call=TAGS | MIRA),
    named("all told and nobody may tell", DENY, WANTED[0], call=TAGS | MIRA),
    named("a star takes an empty tag", ALLOW, *wanting("StringLike", {TAG: "*"}), call=UNTAGGED),
    named("a star takes no missing tag", DENY, *wanting("StringLike", {TAG: "*"})),
    named("if they exist, none told", ALLOW, *wanting("StringLikeIfExists", SOMEBODY)),
    named("by Null, all told", ALLOW, *wanting("Null", dict.fromkeys(SOMEBODY, "false")), call=TAGS | MIRA),
    named("by Null, none told", DENY, *wanting("Null", dict.fromkeys(SOMEBODY, "false"))),
    named("the right engagement", ALLOW, *wanting("StringLike", {TAG: "lk-1"}), call=TAGS),
    named("another engagement", DENY, *wanting("StringLike", {TAG: "lk-2"}), call=TAGS),
    named("the tag's name in other case", ALLOW, *wanting("StringLike", {TAG.upper(): "lk-1"}), call=TAGS),
)

DOCUMENTS: Final = (
    case("NotAction that leaves AssumeRole out", DENY, "UG reference_policies_elements_notaction",
         {"Effect": "Allow", "Principal": {"AWS": ROOT}, "NotAction": "sts:AssumeRole"}),
    case("NotAction of a companion", ALLOW, "UG reference_policies_elements_notaction",
         {"Effect": "Allow", "Principal": {"AWS": ROOT}, "NotAction": "sts:TagSession"}),
    case("Deny with NotAction", DENY, "UG reference_policies_elements_notaction",
         *STANDARD, {"Effect": "Deny", "Principal": "*", "NotAction": "sts:AssumeRole"}, call=TAGS),
    case("name of the action in other case", ALLOW, "UG reference_policies_elements_action",
         trust(ROOT, GOOD, "STS:assumerole")),
    case("actions by wildcard", ALLOW, "UG reference_policies_elements_action", trust(ROOT, GOOD, "sts:Assume*")),
    case("only the companions", DENY, _TRUST, trust(ROOT, None, list(COMPANIONS))),
    case("one statement without a list", ALLOW, _GRAMMAR,
         document=json.dumps({"Version": "2012-10-17", "Statement": by()})),
    case("broken JSON", MALFORMED, _GRAMMAR, document="{bad"),
    case("a list instead of an object", MALFORMED, _GRAMMAR, document="[]"),
    case("no statement", MALFORMED, _GRAMMAR, document='{"Version": "2012-10-17"}'),
    case("a version that does not exist", MALFORMED, "UG reference_policies_elements_version",
         document=json.dumps({"Version": "2020-01-01", "Statement": [by()]})),
    case("effect in small letters", MALFORMED, "UG reference_policies_elements_effect", {**by(), "Effect": "allow"}),
    case("no principal", MALFORMED, _PRINCIPAL, {"Effect": "Allow", "Action": "sts:AssumeRole"}),
    case("no action", MALFORMED, _GRAMMAR, {"Effect": "Allow", "Principal": {"AWS": ROOT}}),
    case("a resource", MALFORMED, "UG troubleshoot_policies, prohibited field Resource", {**by(), "Resource": "*"}),
    case("an element that does not exist", MALFORMED, _GRAMMAR, {**by(), "Conditions": {}}),
    case("longer than 2,048 characters", "LimitExceeded", _TRUST, by("x" * 2048)),
    case("white space does not count", ALLOW, _TRUST, document=policy(*STANDARD).ljust(4000)),
)  # fmt: skip

CASES: Final = EXTERNAL_ID + PRINCIPALS + DENIES + CONDITIONS + SESSIONS + NAMES + DOCUMENTS
