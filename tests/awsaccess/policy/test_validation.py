"""Policies of a practice, judged before anything is saved: the right message at the right line, and nothing slips by."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awsaccess.policy import documents, located
from awsaccess.policy.located import NotJson
from awsaccess.policy.validation import (
    LONGEST_INLINE,
    LONGEST_TEXT,
    RESERVED_SIDS,
    Finding,
    Review,
    review,
    room_for,
)
from awsaccess.provision.statements import GUARD_SIDS, BadStatement, check_statements
from tests.awsaccess.policy.conftest import ManagedPolicies

GUARDS = (documents.deny_passing_on_statement(), documents.deny_sensitive_data_statement())
LOOK = {"Sid": "Look", "Effect": "Allow", "Action": ["ec2:Describe*"], "Resource": "*"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def text_of(*statements: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, indent=2)


def judged(*statements: object, look_only: bool = False) -> Review:
    return review(text_of(*statements), look_only=look_only)


def changed(**parts: Any) -> dict[str, Any]:
    return {name: part for name, part in {**LOOK, **parts}.items() if part is not None}


def only(found: Review) -> Finding:
    assert len(found.findings) == 1, [str(each) for each in found.findings]
    return found.findings[0]


def is_whole(value: object) -> bool:
    """Whether no text in it holds a lone surrogate."""
    return re.search("[\ud800-\udfff]", json.dumps(value, ensure_ascii=False)) is None


# ---------------------------------------------------------------- JSON with its places


@given(JSON)
def test_what_json_reads_is_read_alike(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=3), json.dumps(value, ensure_ascii=False)):
        if is_whole(value):
            assert located.read(text).plain() == json.loads(text)
        else:
            with pytest.raises(NotJson, match="half a character"):
                located.read(text)


@given(st.text(alphabet='{}[]",:0123e.-truefalsn \n\\u', max_size=40))
def test_what_json_refuses_is_refused_alike(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        expected = NotJson
    if expected is NotJson:
        with pytest.raises(NotJson):
            located.read(text)
    else:
        assert located.read(text).plain() == expected


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", (1, 1), "a value must stand here"),
        ('{\n  "Statement": [\n    {"Effect" "Allow"}\n  ]\n}', (3, 15), "a colon must stand here"),
        ('{\n  "Statement": [1,]\n}', (2, 19), "a value must stand here"),
        ('{\n  "Statement": [1\n}', (3, 1), "a comma or ] must stand here"),
        ("{\n  Statement: []\n}", (2, 3), "a name in double quotes must stand here"),
        ('{"Statement": "a\n"}', (1, 15), "does not end"),
        ('{"Statement": []} x', (1, 19), "something follows after its end"),
        ("[" * 100, (1, 32), "nested too deep"),
        ('"\\ud800"', (1, 1), "half a character"),
    ],
)
def test_what_is_not_json_is_told_at_its_place(text: str, place: tuple[int, int], words: str) -> None:
    found = only(review(text, look_only=True))
    assert (found.line, found.column, found.code) == (*place, "not-json")
    assert words in found.message
    assert str(found).startswith(f"Line {place[0]}: This is not JSON: ")


# ---------------------------------------------------------------- size


def test_a_policy_with_no_room_in_a_role_is_told_where_the_room_ends() -> None:
    long = changed(Resource=[f"arn:aws:s3:::{'b' * 50}{number}" for number in range(200)])
    found = only(review(text_of(long), look_only=True, guards=GUARDS))
    assert found.code == "too-large"
    assert found.line > 100
    assert f"{room_for(GUARDS):,} characters are left" in found.message
    assert room_for(GUARDS) < room_for(()) < LONGEST_INLINE


def test_white_space_does_not_count() -> None:
    assert review(text_of(LOOK) + "\n" * LONGEST_INLINE, look_only=True, guards=GUARDS).errors == ()


def test_an_endless_text_is_not_even_read() -> None:
    found = only(review("[" * (LONGEST_TEXT + 1), look_only=True))
    assert (found.code, found.column) == ("too-large", LONGEST_TEXT + 1)


# ---------------------------------------------------------------- one thing wrong at a time


@pytest.mark.parametrize(
    ("statement", "line", "code", "words"),
    [
        (changed(Action=["s3:GetBucketAcls"]), 8, "unknown-action", "Did you mean s3:GetBucketAcl?"),
        (changed(Action=["clodtrail:LookupEvents"]), 8, "unknown-action", "no service “clodtrail”"),
        (changed(Action=["s3:Fly*"]), 8, "unknown-action", "covers no action"),
        (changed(Action=["DescribeInstances"]), 8, "action", "service:Name"),
        (changed(Action=["ec2:Describe*", "*"]), 9, "everything", "every service"),
        (changed(Action=["ec2:Describe*", 7]), 9, "action", "service:Name"),
        (changed(Action=[]), 7, "missing", "Action is empty"),
        (changed(Action=None), 4, "missing", "Action is missing"),
        (changed(Effect="allow"), 6, "effect", "“Allow” or “Deny”"),
        (changed(Resource="arn:gcp:x"), 10, "resource", "ARN"),
        (changed(Resource="arn:aws:s3:::${aws:username}"), 10, "variable", "without variables"),
        (changed(Resource={"Ref": "Bucket"}), 10, "resource", "ARN"),
        (changed(Action=None, NotAction=["iam:*"]), 8, "backwards", "with Action"),
        (changed(Resource=None, NotResource="arn:aws:s3:::a"), 10, "backwards", "with Resource"),
        (changed(Principal="*"), 11, "backwards", "the role's own"),
        (changed(Actions=["s3:GetObject"]), 11, "element", "Did you mean Action?"),
        (changed(Sid="No good"), 5, "sid", "letters and digits"),
        (changed(Sid="SelfExpiry"), 5, "sid-taken", "taken"),
        (changed(Condition={}), 11, "condition", "operators"),
        (changed(Condition={"StringIs": {"aws:SourceIp": "1"}}), 12, "operator", "StringIs"),
        (changed(Condition={"Bool": {}}), 12, "condition", "keys"),
        (
            changed(Condition={"Bool": {"aws:ViaAwsServices": "true"}}),
            13,
            "unknown-key",
            "aws:ViaAWSService?",
        ),
        (changed(Condition={"StringEquals": {"s3:prefixes": "a"}}), 13, "unknown-key", "s3:prefix?"),
        (changed(Condition={"StringEquals": {"s3:prefix": "{{resolve:ssm:a}}"}}), 13, "value", "variables"),
        (changed(Condition={"StringEquals": {"s3:prefix": []}}), 13, "value", "plain text"),
        ("Allow all", 4, "statement", "curly brackets"),
    ],
)
def test_each_fault_is_told_at_its_line(statement: object, line: int, code: str, words: str) -> None:
    found = judged(statement, look_only=False)
    first = found.errors[0]
    assert (first.line, first.code) == (line, code), [str(each) for each in found.findings]
    assert words in first.message
    assert found.statements == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[]", "empty"),
        ('{"Version": "2012-10-17", "Statement": []}', "empty"),
        ('{"Version": "2020-01-01", "Statement": {}}', "version"),
        ('{"Statement": [], "Statements": []}', "element"),
        ('{"Effect": "Allow", "Effect": "Deny", "Action": "s3:List*", "Resource": "*"}', "twice"),
        ("7", "statement"),
    ],
)
def test_what_is_no_policy_is_told(text: str, code: str) -> None:
    found = review(text, look_only=True)
    assert code in {each.code for each in found.errors}
    assert found.statements == ()


def test_two_statements_may_not_share_a_name() -> None:
    assert only(judged(LOOK, LOOK)).code == "sid-taken"
    assert only(review(text_of(LOOK), look_only=True, taken_sids={"Look"})).code == "sid-taken"


def test_all_faults_are_told_at_once_in_the_order_of_the_lines() -> None:
    found = judged(changed(Effect="Maybe", Action=["s3:Nothing", "ec2:Nothing"]))
    assert [each.code for each in found.errors] == ["effect", "unknown-action", "unknown-action"]
    assert [each.line for each in found.errors] == sorted(each.line for each in found.errors)


# ---------------------------------------------------------------- broader than it is said to be


def test_a_look_that_changes_things_is_broader_than_the_client_is_told() -> None:
    found = only(judged(changed(Action=["ec2:Describe*", "ec2:StopInstances"]), look_only=True))
    assert (found.code, found.line) == ("too-broad", 9)
    assert "“ec2:StopInstances” changes things" in found.message
    assert judged(changed(Action=["ec2:StopInstances"]), look_only=False).errors == ()


def test_a_wildcard_that_covers_a_change_is_found_out() -> None:
    found = only(judged(changed(Action=["s3:*Bucket*"]), look_only=True))
    assert found.code == "too-broad"
    assert "more)" in found.message


def test_wide_wildcards_are_warned_of() -> None:
    assert {each.code for each in judged(changed(Action=["sqs:*"])).warnings} == {"whole-service"}
    assert {each.code for each in judged(changed(Action=["sqs:Set*", "sqs:Cre*"])).findings} == {"wildcard"}


@pytest.mark.parametrize(
    "action", ["iam:PutRolePolicy", "iam:*", "sts:AssumeRole", "sso:CreateAccountAssignment", "iam:Attach*"]
)
def test_who_could_give_themselves_any_right_is_refused(action: str) -> None:
    assert "escalation" in {each.code for each in judged(changed(Action=[action])).errors}


@pytest.mark.parametrize("action", ["lambda:UpdateFunctionCode", "ssm:SendCommand", "codebuild:StartBuild"])
def test_who_could_act_with_the_rights_of_something_else_is_warned_of(action: str) -> None:
    found = judged(changed(Action=[action]))
    assert found.errors == ()
    assert "escalation" in {each.code for each in found.warnings}


@pytest.mark.parametrize(
    ("resource", "condition", "faults"),
    [
        ("*", None, 2),
        ("arn:aws:iam::*:role/*", {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}, 1),
        ("arn:aws:iam::*:role/build", None, 1),
        (
            "arn:aws:iam::*:role/build",
            {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
            0,
        ),
    ],
)
def test_a_role_is_passed_by_name_to_a_named_service(
    resource: str, condition: dict[str, Any] | None, faults: int
) -> None:
    found = judged(changed(Action=["iam:PassRole"], Resource=resource, Condition=condition))
    assert [each.code for each in found.errors] == ["pass-role"] * faults


def test_what_the_guards_take_is_told_to_be_without_effect() -> None:
    statement = changed(Action=["s3:GetObject", "iam:PassRole"])
    found = review(text_of(statement), look_only=True, guards=GUARDS)
    assert [each.code for each in found.findings] == ["no-effect", "no-effect"]
    assert found.errors == ()


def test_a_deny_may_take_what_it_likes() -> None:
    assert judged(changed(Effect="Deny", Action=["s3:*", "iam:*"]), look_only=True).findings == ()


# ---------------------------------------------------------------- what passes


@pytest.mark.parametrize("form", ["policy", "list", "object"])
def test_a_good_policy_passes_in_each_form(form: str) -> None:
    texts = {"policy": text_of(LOOK), "list": json.dumps([LOOK]), "object": json.dumps(LOOK)}
    found = review(texts[form], look_only=True, guards=GUARDS)
    assert found.findings == ()
    assert found.statements == (LOOK,)


def test_what_passes_here_may_stand_in_a_template(managed: ManagedPolicies) -> None:
    """The two readers agree on AWS's own policies: nothing saved is refused later, when it is sent."""
    passed = 0
    for document in managed.values():
        statements = review(json.dumps(document), look_only=False).statements
        try:
            check_statements(statements, partition="aws")
        except BadStatement as error:
            pytest.fail(f"{error}: {document}")
        passed += bool(statements)
    assert passed > 300


@given(JSON)
def test_nothing_that_a_text_holds_ends_in_an_exception(value: object) -> None:
    statement = {"Effect": "Allow", "Action": value, "Resource": value, "Condition": value, "Sid": value}
    for each in (value, statement, {"Statement": value}, {**LOOK, "Condition": {"Bool": value}}):
        found = review(json.dumps(each), look_only=True, guards=GUARDS)
        assert bool(found.statements) != bool(found.errors)


def test_the_names_of_the_guards_are_the_ones_that_the_template_keeps() -> None:
    assert RESERVED_SIDS == GUARD_SIDS
