"""From CloudTrail's names to four words and to what is grave."""

from __future__ import annotations

import pytest

from awsaccess.policy.activity import Deed, action_of, deed_of, is_grave, lets_look_up, sudden, summary_of


@pytest.mark.parametrize(
    ("source", "name", "action"),
    [
        ("ec2.amazonaws.com", "StopInstances", "ec2:StopInstances"),
        ("monitoring.amazonaws.com", "PutMetricAlarm", "cloudwatch:PutMetricAlarm"),
        ("lambda.amazonaws.com", "GetFunction20150331v2", "lambda:GetFunction"),
        ("cloudfront.amazonaws.com", "CreateDistribution2020_05_31", "cloudfront:CreateDistribution"),
    ],
)
def test_actions_have_iams_names(source: str, name: str, action: str) -> None:
    assert action_of(source, name) == action


@pytest.mark.parametrize(
    ("name", "read_only", "error", "deed"),
    [
        ("DescribeInstances", True, "", Deed.LOOKED),
        ("StopInstances", False, "", Deed.CHANGED),
        ("TerminateInstances", False, "", Deed.DELETED),
        ("BatchDeleteImage", False, "", Deed.DELETED),
        ("StopInstances", False, "Client.UnauthorizedOperation", Deed.DENIED),
        ("GetSecretValue", True, "AccessDenied", Deed.DENIED),
        ("StopInstances", False, "InvalidInstanceID.NotFound", None),
    ],
)
def test_a_call_is_one_of_four_things_or_did_nothing(
    name: str, *, read_only: bool, error: str, deed: Deed | None
) -> None:
    assert deed_of(name, read_only=read_only, error_code=error) == deed


@pytest.mark.parametrize(
    ("action", "grave"),
    [
        ("secretsmanager:GetSecretValue", True),
        ("iam:CreateAccessKey", True),
        ("cloudtrail:StopLogging", True),
        ("ec2:DescribeInstances", False),
        ("ec2:StopInstances", False),
    ],
)
def test_what_is_grave(action: str, *, grave: bool) -> None:
    assert is_grave(action) is grave


def test_only_what_is_new_is_sudden() -> None:
    events = [
        {"action": one} for one in ("kms:Decrypt", "ec2:DescribeVpcs", "kms:Decrypt", "ssm:GetParameter")
    ]
    assert sudden(events, before={"ssm:GetParameter"}) == ("kms:Decrypt",)


def test_a_summary_counts_and_names_the_calls_behind() -> None:
    def one(action: str, deed: str) -> dict[str, str]:
        return {"action": action, "deed": deed, "region": "eu-west-1"}

    found = summary_of(
        [
            one("a:B", "looked"),
            one("a:C", "looked"),
            one("a:C", "looked"),
            one("a:D", "denied"),
            one("a:E", ""),
        ]
    )
    assert found.counts == {Deed.LOOKED: 3, Deed.CHANGED: 0, Deed.DELETED: 0, Deed.DENIED: 1}
    assert [(each.action, each.count) for each in found.behind[Deed.LOOKED]] == [("a:C", 2), ("a:B", 1)]


def test_the_line_must_say_so() -> None:
    assert lets_look_up([{"actions": ["ec2:Describe*"]}, {"actions": ["cloudtrail:LookupEvents"]}])
    assert lets_look_up([{"actions": ["cloudtrail:Lookup*"]}])
    assert not lets_look_up([{"actions": ["ec2:Describe*"]}])
    assert not lets_look_up([])
