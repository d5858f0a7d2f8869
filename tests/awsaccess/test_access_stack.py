"""The access stack: what is rendered is read back by a parser of our own, by cfn-lint, and against AWS's limits."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import json
import re
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awsaccess.policy import documents
from awsaccess.provision import access_stack
from awsaccess.provision.access_stack import (
    AccessGrantSpec,
    BadGrant,
    ExpectedRole,
    expected_role,
    render_template,
    role_name_for,
    shown_name,
)

ACCOUNT = "441709265583"
END = dt.datetime(2026, 12, 18, 18, 0, tzinfo=dt.UTC)
LIST_BUCKETS = {"Sid": "Buckets", "Effect": "Allow", "Action": ["s3:ListAllMyBuckets"], "Resource": "*"}
SPEC = AccessGrantSpec(
    practice_name="Northgate Cloud",
    client_name="Brightwater Dental",
    engagement_code="7qk2m4xw9p",
    hub_account_id="111111111111",
    hub_role_arn="arn:aws:iam::111111111111:role/latchkey-hub",
    external_id="2f1c7d0e-6f0b-4a52-9a3e-8d1f0c5b7e44",
    expires_at=END,
    managed_policy_arns=(
        "arn:aws:iam::aws:policy/ReadOnlyAccess",
        "arn:aws:iam::aws:policy/job-function/Billing",
    ),
    statements=(LIST_BUCKETS,),
    look_only=True,
)
ANY_TEXT = st.text(max_size=400) | st.text(alphabet=string.printable + "äß漢${}\\\"'\u2028", max_size=300)
Json = Any  # Any: templates nest as they like


def with_(**changes: Any) -> AccessGrantSpec:  # Any: fields of many types
    return dataclasses.replace(SPEC, **changes)


def resolved(node: Json, pseudo: dict[str, str]) -> Json:
    """What CloudFormation makes of a value; any intrinsic beyond the three fixed ones fails."""
    match node:
        case {"Ref": name}:
            assert len(node) == 1
            return pseudo[name]
        case {"Fn::Join": [separator, parts]}:
            assert len(node) == 1
            return separator.join(resolved(part, pseudo) for part in parts)
        case dict():
            assert not any(key.startswith("Fn::") or key == "Ref" for key in node)
            return {key: resolved(value, pseudo) for key, value in node.items()}
        case list():
            return [resolved(part, pseudo) for part in node]
        case _:
            return node


def deployed(template: str, *, account_id: str, partition: str) -> tuple[ExpectedRole, dict[str, Json]]:
    """The role as AWS would have it, read from the template's text, and its raw properties."""
    body = json.loads(template)
    assert set(body) == {"AWSTemplateFormatVersion", "Description", "Resources", "Outputs"}
    assert body["Outputs"]["RoleArn"]["Value"] == {"Fn::GetAtt": ["AccessRole", "Arn"]}
    (resource,) = body["Resources"].values()
    assert set(resource) == {"Type", "Properties"}
    assert resource["Type"] == "AWS::IAM::Role"
    role = resolved(resource["Properties"], {"AWS::Partition": partition, "AWS::AccountId": account_id})
    made = ExpectedRole(
        trust_document=role["AssumeRolePolicyDocument"],
        inline_documents={policy["PolicyName"]: policy["PolicyDocument"] for policy in role["Policies"]},
        attached_policy_arns=frozenset(role.get("ManagedPolicyArns", [])),
        max_session_duration=role["MaxSessionDuration"],
        tags={tag["Key"]: tag["Value"] for tag in role["Tags"]},
    )
    return made, role


def lint(template: str) -> list[str]:
    from cfnlint import api

    config = api.ManualArgs(regions=["eu-west-1"])
    return [str(match) for match in api.lint(template, config=config)]


@pytest.mark.parametrize("look_only", [True, False])
@pytest.mark.parametrize("managed", [SPEC.managed_policy_arns, ()])
def test_what_is_deployed_is_what_is_expected(*, look_only: bool, managed: tuple[str, ...]) -> None:
    spec = with_(look_only=look_only, managed_policy_arns=managed)
    made, role = deployed(render_template(spec), account_id=ACCOUNT, partition="aws")
    assert made == expected_role(spec, ACCOUNT)
    assert role["RoleName"] == "latchkey-7qk2m4xw9p" == role_name_for("7qk2m4xw9p")
    sids = [statement["Sid"] for statement in made.inline_documents["latchkey-access"]["Statement"]]
    assert sids == ["Buckets", "ReadSelf", "SelfExpiry", "NoPassingOn"] + ["NoContents"] * look_only


def test_another_partition_has_its_own_arns() -> None:
    spec = with_(partition="aws-us-gov", hub_role_arn=SPEC.hub_role_arn.replace("aws", "aws-us-gov"))
    made, _ = deployed(render_template(spec), account_id=ACCOUNT, partition="aws-us-gov")
    assert made == expected_role(spec, ACCOUNT)
    assert "arn:aws-us-gov:iam::aws:policy/ReadOnlyAccess" in made.attached_policy_arns


def test_the_role_may_look_at_itself_and_at_no_other() -> None:
    made = expected_role(SPEC, ACCOUNT).inline_documents["latchkey-access"]
    (read_self,) = [statement for statement in made["Statement"] if statement["Sid"] == "ReadSelf"]
    assert read_self["Resource"] == f"arn:aws:iam::{ACCOUNT}:role/latchkey-7qk2m4xw9p"
    assert set(read_self["Action"]) == {
        "iam:GetRole",
        "iam:ListRolePolicies",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
    }


def test_who_and_why_stand_on_the_role() -> None:
    _, role = deployed(render_template(SPEC), account_id=ACCOUNT, partition="aws")
    assert role["Description"] == (
        "Northgate Cloud (AWS account 111111111111) may work for Brightwater Dental in this account until "
        "2026-12-18T18:00:00Z, as agreed in engagement 7qk2m4xw9p. Delete this stack to end the access at any time."
    )
    assert {tag["Key"]: tag["Value"] for tag in role["Tags"]} == {
        "latchkey:client": "Brightwater Dental",
        "latchkey:engagement": "7qk2m4xw9p",
        "latchkey:practice": "Northgate Cloud",
    }


def test_the_same_spec_gives_the_same_bytes() -> None:
    turned = with_(
        managed_policy_arns=SPEC.managed_policy_arns[::-1],
        statements=(dict(reversed(LIST_BUCKETS.items())),),
        expires_at=END.astimezone(dt.timezone(dt.timedelta(hours=-7))),
    )
    assert render_template(turned) == render_template(SPEC)
    assert render_template(SPEC).isascii()


def test_rendering_leaves_the_spec_as_it_was() -> None:
    before = copy.deepcopy(SPEC)
    render_template(SPEC)
    assert before == SPEC


@pytest.mark.parametrize("look_only", [True, False])
def test_cfn_lint_finds_nothing(*, look_only: bool) -> None:
    spec = with_(look_only=look_only, practice_name="Größe & Söhne", client_name="漢字クリニック")
    assert lint(render_template(spec)) == []


def test_cfn_lint_would_find_something() -> None:
    assert lint(render_template(SPEC).replace('"sts:AssumeRole"', '"sts:NoSuchThing"')) != []


@settings(max_examples=1000, deadline=None)
@given(practice=ANY_TEXT, client=ANY_TEXT)
def test_names_change_tags_and_descriptions_only(practice: str, client: str) -> None:
    text = render_template(with_(practice_name=practice, client_name=client))
    body, plain = json.loads(text), json.loads(render_template(SPEC))
    role, plain_role = (part["Resources"]["AccessRole"]["Properties"] for part in (body, plain))
    assert body["Description"] == role["Description"]
    assert len(body["Description"].encode()) <= 1024
    assert re.fullmatch(r"[\x20-\x7e\xa1-\xff]{1,1000}", role["Description"])
    for tag in role["Tags"]:
        assert re.fullmatch(r"[\w .:/=+@-]{1,256}", tag["Value"])
    for part in (body, plain, role, plain_role):
        part.pop("Description")
    role.pop("Tags")
    plain_role.pop("Tags")
    assert body == plain
    assert "{{" not in text
    assert "${" not in text


@settings(max_examples=1000, deadline=None)
@given(st.text(alphabet=string.ascii_letters + string.digits + "äß漢字_.:/=+@-", min_size=1, max_size=256))
def test_a_name_that_a_tag_takes_comes_back_equal(name: str) -> None:
    _, role = deployed(
        render_template(with_(client_name=name, practice_name=name)), account_id=ACCOUNT, partition="aws"
    )
    assert [tag["Value"] for tag in role["Tags"]] == [name, "7qk2m4xw9p", name]


@pytest.mark.parametrize(
    ("name", "shown"),
    [("O'Neil & Sons, Ltd.", "O Neil Sons Ltd."), ("{{resolve:ssm:x}}", "resolve:ssm:x"), ("\u2028\n", "-"),
     ("Cafe\u0301", "Café"), ("x" * 300, "x" * 256)],
)  # fmt: skip
def test_a_name_is_shown_as_a_tag_takes_it(name: str, shown: str) -> None:
    assert shown_name(name, otherwise="-") == shown


@settings(max_examples=1000, deadline=None)
@given(
    external_id=st.text(max_size=80)
    | st.text(alphabet=string.ascii_letters + "*${}:/=-\n", min_size=30, max_size=50)
)
def test_an_accepted_external_id_comes_back_equal(external_id: str) -> None:
    try:
        text = render_template(with_(external_id=external_id))
    except BadGrant:
        return
    made, _ = deployed(text, account_id=ACCOUNT, partition="aws")
    condition = made.trust_document["Statement"][0]["Condition"]
    assert condition["StringEquals"] == {"sts:ExternalId": external_id}
    assert re.fullmatch(r"[\w+=,.@:/-]{32,}", external_id, re.ASCII)


TEXTS = st.text(alphabet=string.printable + "${é漢", max_size=20)
LITERALS = (
    st.sampled_from(["s3:Get*", "ec2:DescribeInstances", "*", "arn:aws:s3:::b/*", "arn:aws-cn:s3:::b", "Allow", "Deny"])
    | TEXTS | st.builds("{}:{}".format, TEXTS, TEXTS)
)  # fmt: skip
CONDITIONS = st.dictionaries(
    st.sampled_from(["StringEquals", "Bool", "Ref", "Fn::Sub", "ForAnyValue:StringLike"]) | TEXTS,
    st.dictionaries(st.sampled_from(["aws:RequestedRegion", "Ref", "s3:prefix"]) | TEXTS,
                    LITERALS | st.lists(LITERALS, max_size=2) | st.booleans() | st.none(), max_size=2),
    max_size=2,
)  # fmt: skip
STATEMENTS = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny", "Maybe"]), "Action": LITERALS | st.lists(LITERALS, max_size=2),
     "Resource": LITERALS | st.lists(LITERALS, max_size=2)},
    optional={"Condition": CONDITIONS, "Sid": TEXTS, "NotAction": LITERALS},
)  # fmt: skip


@settings(max_examples=1000, deadline=None)
@given(st.lists(STATEMENTS, min_size=1, max_size=2))
def test_accepted_statements_come_back_equal_beside_all_guards(statements: list[documents.Statement]) -> None:
    spec = with_(statements=tuple(statements))
    try:
        text = render_template(spec)
    except BadGrant:
        return
    made, _ = deployed(text, account_id=ACCOUNT, partition="aws")
    assert made == expected_role(spec, ACCOUNT)
    whole = made.inline_documents["latchkey-access"]["Statement"]
    assert whole[: len(statements)] == statements
    assert [statement["Sid"] for statement in whole[len(statements) :]] == [
        "ReadSelf",
        "SelfExpiry",
        "NoPassingOn",
        "NoContents",
    ]
    assert "{{" not in text
    assert "${" not in text


@pytest.mark.parametrize(
    "statement",
    [
        {**LIST_BUCKETS, "Action": ["s3:ListBucket", "ec2:Describe*"], "Resource": ["arn:aws:s3:::a", "arn:*:s3:::b/*"]},
        {**LIST_BUCKETS, "Effect": "Deny", "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1"]}}},
        {**LIST_BUCKETS, "Condition": {"Bool": {"aws:SecureTransport": True}, "Null": {"aws:TokenIssueTime": "false"}}},
        {**LIST_BUCKETS, "Condition": {"NumericLessThanEquals": {"s3:max-keys": 10}}},
    ],
)  # fmt: skip
def test_plain_statements_are_accepted(statement: documents.Statement) -> None:
    assert lint(render_template(with_(statements=(statement,)))) == []


@pytest.mark.parametrize(
    "statement",
    [
        {**LIST_BUCKETS, "Action": "*"},
        {**LIST_BUCKETS, "Action": []},
        {**LIST_BUCKETS, "Action": {"Ref": "AWS::Region"}},
        {**LIST_BUCKETS, "Resource": "arn:aws:s3:::${aws:username}"},
        {**LIST_BUCKETS, "Resource": "arn:aws:s3:::{{resolve:ssm:x}}"},
        {**LIST_BUCKETS, "Resource": "arn:aws-cn:s3:::a"},
        {**LIST_BUCKETS, "Resource": {"Fn::Sub": "arn:aws:s3:::a"}},
        {**LIST_BUCKETS, "Effect": "allow"},
        {**LIST_BUCKETS, "Effect": {"Ref": "x"}},
        {**LIST_BUCKETS, "Sid": "not this"},
        {**LIST_BUCKETS, "Sid": "SelfExpiry"},
        {**LIST_BUCKETS, "NotAction": "s3:*"},
        {**LIST_BUCKETS, "Principal": "*"},
        {"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"},
        {**LIST_BUCKETS, "Condition": {}},
        {**LIST_BUCKETS, "Condition": "none"},
        {**LIST_BUCKETS, "Condition": {"Ref": "AWS::Region"}},
        {**LIST_BUCKETS, "Condition": {"Ref": {"aws:username": "x"}}},
        {**LIST_BUCKETS, "Condition": {"StringEquals": {}}},
        {**LIST_BUCKETS, "Condition": {"StringEquals": {"Ref": "AWS::Region"}}},
        {**LIST_BUCKETS, "Condition": {"StringEquals": {"Fn::Sub": "AWS::Region"}}},
        {**LIST_BUCKETS, "Condition": {"StringEquals": {"aws:username": "${x}"}}},
        {**LIST_BUCKETS, "Condition": {"StringEquals": {"aws:username": {"Ref": "AWS::Region"}}}},
        {**LIST_BUCKETS, "Condition": {"StringEquals": {"aws:username": 0.5}}},
        "Allow",
    ],
)
def test_statements_that_are_not_plain_are_refused(statement: Any) -> None:  # Any: wrong on purpose
    with pytest.raises(BadGrant, match="statement 1"):
        render_template(with_(statements=(statement,)))


def test_a_sid_stands_once() -> None:
    with pytest.raises(BadGrant, match="statement 2: its Sid is taken"):
        render_template(with_(statements=(LIST_BUCKETS, LIST_BUCKETS)))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"engagement_code": "../x"}, "code"),
        ({"engagement_code": "7QK2M4"}, "code"),
        ({"partition": "aws-iso"}, "partition"),
        ({"hub_account_id": "٤٤١٧٠٩٢٦٥٥٨٣"}, "12 digits"),
        ({"hub_account_id": "222222222222"}, "another account"),
        ({"partition": "aws-cn"}, "another account"),
        ({"hub_role_arn": "arn:aws:iam::111111111111:role/*"}, "one literal role"),
        ({"hub_role_arn": "arn:aws:iam::111111111111:role/" + "p/" * 900 + "x"}, "2,048"),
        ({"external_id": "x" * 31}, "external ID"),
        ({"external_id": "*" * 40}, "external ID"),
        ({"external_id": "x" * 1225}, "external ID"),
        ({"expires_at": END.replace(tzinfo=None)}, "zone"),
        ({"max_session_seconds": 3599}, "1 to 12 hours"),
        ({"max_session_seconds": 43_201}, "1 to 12 hours"),
        ({"managed_policy_arns": ("arn:aws:iam::222222222222:policy/Own",)}, "AWS's own"),
        ({"managed_policy_arns": ("arn:aws:iam::aws:policy/${x}",)}, "AWS's own"),
        ({"managed_policy_arns": SPEC.managed_policy_arns[:1] * 2}, "twice"),
        ({"managed_policy_arns": tuple(f"arn:aws:iam::aws:policy/P{n}" for n in range(11))}, "at most 10"),
        ({"managed_policy_arns": (), "statements": ()}, "nothing"),
        ({"statements": ({**LIST_BUCKETS, "Resource": ["arn:aws:s3:::" + "b" * 60] * 200},)}, "10,240"),
        (
            {
                "statements": (
                    {**LIST_BUCKETS, "Condition": {"StringEquals": {"aws:RequestTag/x": "é" * 7600}}},
                )
            },
            "51,200",
        ),
    ],
)
def test_a_grant_that_aws_would_refuse_is_not_rendered(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(BadGrant, match=why):
        render_template(with_(**changes))
    if why != "51,200":
        with pytest.raises(BadGrant, match=why):
            expected_role(with_(**changes), ACCOUNT)


def test_an_account_is_12_digits() -> None:
    with pytest.raises(BadGrant, match="12 digits"):
        expected_role(SPEC, "44170926558")


def test_ten_managed_policies_and_the_longest_permissions_fit() -> None:
    own = {**LIST_BUCKETS, "Resource": ["arn:aws:s3:::" + "b" * 60] * 90}
    spec = with_(
        managed_policy_arns=tuple(f"arn:aws:iam::aws:policy/P{n}" for n in range(10)),
        statements=(own,),
        max_session_seconds=43_200,
    )
    made, _ = deployed(render_template(spec), account_id=ACCOUNT, partition="aws")
    assert len(made.attached_policy_arns) == 10
    assert len(render_template(spec)) <= access_stack.LONGEST_TEMPLATE_BODY


def test_no_secret_stands_in_a_repr_or_a_refusal() -> None:
    with pytest.raises(BadGrant) as refused:
        render_template(with_(external_id="planted-external-id" * 2 + "!"))
    assert "planted" not in str(refused.value)
    assert SPEC.external_id not in repr(SPEC)
    assert SPEC.external_id not in repr(expected_role(SPEC, ACCOUNT))
