"""A visit that takes less: never more than the role gives, within AWS's 2,048 characters, judged by the simulated AWS's evaluator."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, Final

import pytest

from awsaccess.aws.gateway import LONGEST_SESSION_POLICY
from awsaccess.policy.documents import SENSITIVE_ACTIONS
from awsaccess.policy.narrowing import (
    AS_AGREED,
    CONTENTS,
    OF_NO_REGION,
    BadNarrowing,
    Narrowing,
    only,
    session_policy,
    session_policy_arns,
)
from awsaccess.sandbox.guard.language import Question, evaluate

ADDRESSES: Final = ("", "203.0.113.9", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff")
AT_HOME: Final = {
    "aws:requestedregion": "eu-west-1",
    "aws:sourceip": "203.0.113.9",
    "aws:viaawsservice": "false",
}


def every() -> Iterator[Narrowing]:
    kinds = itertools.product((False, True), ("", "ap-southeast-2"), ADDRESSES, (False, True))
    for read_only, region, address, no_contents in kinds:
        yield Narrowing(read_only=read_only, region=region, address=address, no_contents=no_contents)


def judged(narrowing: Narrowing, action: str, **over: str) -> str | None:
    text = session_policy(narrowing)
    assert text is not None
    context: Any = {**AT_HOME, **{f"aws:{name}": value for name, value in over.items()}}  # Any: IAM's keys
    return evaluate([json.loads(text)], Question(action=action, resource="*", context=context))


@pytest.mark.parametrize("narrowing", list(every()), ids=str)
def test_every_combination_fits_and_only_takes_away(narrowing: Narrowing) -> None:
    """Beside Denies stands at most one Allow, of everything: with it the session has what its role has, and no more."""
    text = session_policy(narrowing)
    arns = session_policy_arns(narrowing, partition="aws-cn")
    assert arns == (("arn:aws-cn:iam::aws:policy/ReadOnlyAccess",) if narrowing.read_only else ())
    if text is None:
        assert narrowing in {AS_AGREED, Narrowing(read_only=True)}
        return
    assert len(text) <= LONGEST_SESSION_POLICY
    allowed = [each for each in json.loads(text)["Statement"] if each["Effect"] != "Deny"]
    assert allowed == ([] if narrowing.read_only else [{"Effect": "Allow", "Action": "*", "Resource": "*"}])


def test_everything_inside_of_things_is_covered() -> None:
    covered = [pattern.lower() for pattern in CONTENTS]
    left = [
        action for action in SENSITIVE_ACTIONS if not any(fnmatchcase(action.lower(), p) for p in covered)
    ]
    assert left == []


@pytest.mark.parametrize("pattern", [*CONTENTS, *OF_NO_REGION])
def test_a_service_is_always_named_whole(pattern: str) -> None:
    """AWS takes no wildcard before the colon."""
    service, colon, action = pattern.partition(":")
    assert colon
    assert action
    assert "*" not in service


def test_contents_stay_shut_and_the_rest_open() -> None:
    shut = Narrowing(no_contents=True)
    assert judged(shut, "s3:GetObject") == "deny"
    assert judged(shut, "secretsmanager:GetSecretValue") == "deny"
    assert judged(shut, "s3:GetBucketLocation") == "allow"
    assert judged(shut, "ec2:StopInstances") == "allow"


def test_one_region_leaves_what_has_none() -> None:
    there = Narrowing(region="eu-west-1")
    assert judged(there, "ec2:DescribeInstances") == "allow"
    assert judged(there, "ec2:DescribeInstances", requestedregion="us-east-1") == "deny"
    assert judged(there, "iam:ListRoles", requestedregion="us-east-1") == "allow"


def test_one_address_lets_services_act_for_the_visitor() -> None:
    tied = Narrowing(address="203.0.113.9")
    assert judged(tied, "ec2:DescribeInstances") == "allow"
    assert judged(tied, "ec2:DescribeInstances", sourceip="198.51.100.7") == "deny"
    assert judged(tied, "ec2:DescribeInstances", sourceip="198.51.100.7", viaawsservice="true") == "allow"


@pytest.mark.parametrize("address", ["unknown", "203.0.113.0/24", "0.0.0.0/0", "203.0.113.9, 198.51.100.7"])
def test_what_is_no_address_ties_nothing(address: str) -> None:
    with pytest.raises(BadNarrowing):
        session_policy(Narrowing(address=address))


def test_only_what_holds_is_kept_and_never_the_address() -> None:
    assert AS_AGREED.kept() == {}
    kept = Narrowing(read_only=True, region="eu-west-1", address="203.0.113.9", no_contents=True).kept()
    assert kept == {"read_only": True, "region": "eu-west-1", "one_address": True, "no_contents": True}


def test_a_session_for_one_thing_can_do_nothing_else() -> None:
    document = json.loads(only("cloudtrail:LookupEvents"))
    asked = [
        evaluate([document], Question(action=action, resource="*", context={}))
        for action in ("cloudtrail:LookupEvents", "s3:ListAllMyBuckets")
    ]
    assert asked == ["allow", None]
