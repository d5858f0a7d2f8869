"""The policy language by itself: no AWS, no process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from awsaccess.sandbox.guard.language import (
    Context,
    Principal,
    Question,
    UnknownElement,
    Verdict,
    condition_holds,
    evaluate,
    glob_match,
    parse_document,
)
from awsaccess.sandbox.guard.validation import assume_role_fault, trust_document_fault

HUB = "arn:aws:iam::111111111111:role/latchkey-hub"
SESSION = "arn:aws:sts::111111111111:assumed-role/latchkey-hub/portal"
CALLER = Principal(account="111111111111", arn=SESSION, principal_arn=HUB, unique_id="AROAHUB")
CONTEXT: Context = {
    "sts:externalid": "good",
    "aws:principalarn": HUB,
    "aws:currenttime": "2026-06-01T12:00:00+00:00",
    "aws:epochtime": "1780315200",
    "aws:sourceip": "127.0.0.1",
    "aws:principaltag/team": "blue",
    "aws:tagkeys": ["a", "b"],
    "aws:multifactorauthpresent": "false",
}


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "holds"),
    [
        ("StringEquals", "sts:ExternalId", "good", True),
        ("StringEquals", "STS:EXTERNALID", "good", True),
        ("StringEquals", "sts:ExternalId", ["bad", "good"], True),
        ("StringEquals", "sts:ExternalId", "Good", False),
        ("StringEqualsIgnoreCase", "sts:ExternalId", "GOOD", True),
        ("StringNotEquals", "sts:ExternalId", "good", False),
        ("StringNotEquals", "sts:ExternalId", ["bad", "good"], False),
        ("StringNotEquals", "sts:Missing", "good", True),
        ("StringEquals", "sts:Missing", "good", False),
        ("StringEqualsIfExists", "sts:Missing", "good", True),
        ("StringEqualsIfExists", "sts:ExternalId", "bad", False),
        ("StringLike", "sts:ExternalId", "g??d", True),
        ("StringLike", "sts:ExternalId", "g?d", False),
        ("StringLike", "sts:ExternalId", "*", True),
        ("StringLike", "sts:Missing", "*", False),
        ("StringNotLike", "sts:ExternalId", "g*", False),
        ("ArnEquals", "aws:PrincipalArn", HUB, True),
        ("ArnEquals", "aws:PrincipalArn", "arn:aws:iam::111111111111:role/*", True),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:user/*", False),
        ("ArnNotEquals", "aws:PrincipalArn", HUB, False),
        ("DateLessThan", "aws:CurrentTime", "2026-06-01T12:00:01Z", True),
        ("DateLessThan", "aws:CurrentTime", "2026-06-01T12:00:00Z", False),
        ("DateLessThanEquals", "aws:CurrentTime", "2026-06-01T12:00:00Z", True),
        ("DateGreaterThan", "aws:CurrentTime", "2026-01-01", True),
        ("NumericGreaterThanEquals", "aws:EpochTime", "1780315200", True),
        ("NumericNotEquals", "aws:EpochTime", 5, True),
        ("Bool", "aws:MultiFactorAuthPresent", True, False),
        ("Bool", "aws:MultiFactorAuthPresent", "false", True),
        ("BoolIfExists", "aws:Missing", "true", True),
        ("IpAddress", "aws:SourceIp", ["192.0.2.0/24", "127.0.0.0/8"], True),
        ("NotIpAddress", "aws:SourceIp", "127.0.0.1/32", False),
        ("Null", "sts:ExternalId", "false", True),
        ("Null", "sts:Missing", True, True),
        ("Null", "sts:ExternalId", "true", False),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b", "c"], True),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a"], False),
        ("ForAllValues:StringEquals", "aws:Missing", ["a"], True),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["b"], True),
        ("ForAnyValue:StringEquals", "aws:Missing", ["b"], False),
        ("StringEquals", "aws:PrincipalTag/Team", "${aws:PrincipalTag/team}", True),
        ("StringEquals", "aws:PrincipalTag/Team", "${aws:PrincipalTag/other}", False),
    ],
)
def test_a_condition_holds_or_not(operator: str, key: str, wanted: Any, holds: bool) -> None:  # noqa: FBT001  # a column of the table
    """Every operator, with the key there and missing."""
    assert condition_holds(operator, key, wanted, CONTEXT) is holds


@pytest.mark.parametrize(
    "operator", ["StringSounds", "Some:StringEquals", "NotBool", "", "StringEqualsIfExist"]
)
def test_an_unknown_operator_is_loud(operator: str) -> None:
    """Silence would be a yes or a no that nobody asked for."""
    with pytest.raises(UnknownElement):
        condition_holds(operator, "sts:ExternalId", "x", CONTEXT)


def _verdict(*statements: Mapping[str, object], pinned: dict[str, str] | None = None) -> Verdict | None:
    question = Question(
        action="sts:AssumeRole",
        resource="arn:aws:iam::441709265583:role/r",
        context=CONTEXT,
        principal=CALLER,
        pinned_ids=pinned or {},
    )
    return evaluate([{"Statement": list(statements)}], question)


def _allow(principal: object, **more: object) -> dict[str, object]:
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}


@pytest.mark.parametrize(
    ("principal", "verdict"),
    [
        ("*", "allow"),
        ({"AWS": "*"}, "allow"),
        ({"AWS": "111111111111"}, "allow"),
        ({"AWS": "arn:aws:iam::111111111111:root"}, "allow"),
        ({"AWS": ["222222222222", HUB]}, "direct"),
        ({"AWS": SESSION}, "direct"),
        ({"AWS": "arn:aws:iam::111111111111:role/other"}, None),
        ({"AWS": "222222222222"}, None),
        ({"AWS": "arn:aws:iam::111111111111:*"}, None),
        ({"Service": "ec2.amazonaws.com"}, None),
    ],
)
def test_principals(principal: object, verdict: Verdict | None) -> None:
    """An ARN in a Principal has no wildcards."""
    assert _verdict(_allow(principal)) == verdict


def test_a_named_role_is_known_by_its_unique_id() -> None:
    """Deleted and made again, it is somebody else."""
    assert _verdict(_allow({"AWS": HUB}), pinned={HUB: "AROAHUB"}) == "direct"
    assert _verdict(_allow({"AWS": HUB}), pinned={HUB: "AROAOLD"}) is None


def test_a_deny_wins_whatever_its_place() -> None:
    """Before or after the Allow."""
    deny = {"Effect": "Deny", "Principal": "*", "Action": "sts:*"}
    assert _verdict(_allow("*"), deny) == _verdict(deny, _allow("*")) == "deny"


def test_actions_and_their_negation() -> None:
    """Names are compared without case; NotAction means all others."""
    assert _verdict(_allow("*", Action=["STS:assume*"])) == "allow"
    assert _verdict({"Effect": "Allow", "Principal": "*", "NotAction": "sts:AssumeRole"}) is None
    assert _verdict({"Effect": "Allow", "Principal": "*", "NotAction": "s3:*"}) == "allow"


def test_resources_and_their_negation() -> None:
    """In identity policies."""

    def verdict(**resource: object) -> Verdict | None:
        statement = {"Effect": "Allow", "Action": "s3:*", **resource}
        question = Question(action="s3:GetObject", resource="arn:aws:s3:::b/blue/x", context=CONTEXT)
        return evaluate([{"Statement": statement}], question)

    assert verdict(Resource="arn:aws:s3:::b/*") == "allow"
    assert verdict(Resource=["arn:aws:s3:::c/*", "arn:aws:s3:::b/${aws:PrincipalTag/team}/*"]) == "allow"
    assert verdict(Resource="arn:aws:s3:::b") is None
    assert verdict(NotResource="arn:aws:s3:::b/*") is None


def test_a_glob_is_literal_but_for_two_characters() -> None:
    """Square brackets and dots are themselves."""
    assert glob_match("a.[b]*", "a.[b]cd")
    assert not glob_match("a.c", "abc")
    assert glob_match("a?c", "a\nc")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{bad", "invalid Json"),
        ('"text"', "Syntax errors"),
        ("{}", "Syntax errors"),
        ('{"Statement": [{"Effect": "allow"}]}', "Syntax errors"),
        ('{"Statement": {"Effect": "Allow", "Condition": {"StringEquals": "x"}}}', "Syntax errors"),
        ('{"Statement": {"Effect": "Allow", "Condition": {"Sounds": {"a": "b"}}}}', "condition operator"),
        ('{"Statement": {"Effect": "Allow", "NotPrincipal": "*"}}', "NotPrincipal"),
    ],
)
def test_what_is_no_policy_is_refused(text: str, words: str) -> None:
    """Where it is written, not where it is used."""
    with pytest.raises(UnknownElement, match=words):
        parse_document(text)


def test_a_trust_policy_has_principal_and_action_and_no_resource() -> None:
    """AWS's own checks at CreateRole."""

    def fault(**statement: object) -> str | None:
        return trust_document_fault(json.dumps({"Statement": {"Effect": "Allow", **statement}}))

    assert fault(Principal="*", Action="sts:AssumeRole") is None
    assert fault(Principal="*") == "Missing required field Action"
    assert fault(Action="sts:AssumeRole") == "Missing required field Principal"
    assert fault(Principal="*", Action="sts:AssumeRole", Resource="*") == "Has prohibited field Resource"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, None),
        ({"RoleArn": ""}, "ValidationError"),
        ({"RoleSessionName": "a b"}, "ValidationError"),
        ({"RoleSessionName": "é-name"}, "ValidationError"),
        ({"RoleSessionName": "x" * 65}, "ValidationError"),
        ({"ExternalId": "x"}, "ValidationError"),
        ({"ExternalId": "a b"}, "ValidationError"),
        ({"ExternalId": "a/b:c=d,e.f@g-h"}, None),
        ({"SourceIdentity": "aws:root"}, "ValidationError"),
        ({"SourceIdentity": "mira.novak@example.org"}, None),
        ({"DurationSeconds": 899}, "ValidationError"),
        ({"DurationSeconds": 43201}, "ValidationError"),
        ({"Policy": "not json"}, "MalformedPolicyDocument"),
        ({"Policy": "x" * 2049}, "ValidationError"),
        ({"Tags": [{"Key": "k" * 129, "Value": ""}]}, "ValidationError"),
        ({"Tags": [{"Key": str(n), "Value": ""} for n in range(51)]}, "ValidationError"),
    ],
)
def test_parameters_of_assume_role(more: dict[str, Any], code: str | None) -> None:
    """What AWS refuses before it looks at any policy."""
    fault = assume_role_fault(
        {"RoleArn": "arn:aws:iam::111111111111:role/x", "RoleSessionName": "ab", **more}
    )
    assert (fault.code if fault else None) == code
