"""The event history of the simulated accounts, as CloudTrail keeps and shows it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, Final

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.cloudtrail.responses import CloudTrailResponse

from tests.awsaccess.sandbox.making import enter, grant, make_role, policy, refused
from tests.plugins.sandbox_process import BRIGHTWATER, NORTHGATE, SandboxProcess

LOOKS: Final = policy(grant(["ec2:Describe*", "s3:*", "cloudtrail:LookupEvents", "iam:ListRoles"]))


def trail(sandbox: SandboxProcess, keys: Any, region: str = "eu-west-1") -> Any:  # Any: boto3's own
    make: Any = boto3.Session().client
    return make(
        "cloudtrail",
        region_name=region,
        endpoint_url=sandbox.base_url,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        aws_session_token=keys.session_token,
        config=Config(retries={"mode": "standard", "total_max_attempts": 5}),
    )


def told(
    sandbox: SandboxProcess, access_key_id: str, *, region: str = "eu-west-1", account: str = BRIGHTWATER
) -> list[dict[str, Any]]:  # Any: JSON of AWS
    asked = [{"AttributeKey": "AccessKeyId", "AttributeValue": access_key_id}]
    found = trail(sandbox, sandbox.accounts[account].admin_keys, region).lookup_events(LookupAttributes=asked)
    return list(found["Events"])


def inside(sandbox: SandboxProcess) -> Any:  # Any: the sandbox's own keys
    return enter(sandbox, make_role(sandbox, document=LOOKS), SourceIdentity="maya@northgate.example")


def test_moto_still_has_no_lookup_of_its_own() -> None:
    assert "lookup_events" not in vars(CloudTrailResponse)


def test_what_a_session_did_is_found_by_its_key_with_the_human_behind_it(sandbox: SandboxProcess) -> None:
    keys = inside(sandbox)
    sandbox.client("ec2", keys).describe_instances()
    (event,) = told(sandbox, keys.access_key_id)
    said = json.loads(event["CloudTrailEvent"])
    assert (event["EventName"], event["EventSource"], event["ReadOnly"]) == (
        "DescribeInstances",
        "ec2.amazonaws.com",
        "true",
    )
    assert event["AccessKeyId"] == said["userIdentity"]["accessKeyId"] == keys.access_key_id
    assert said["userIdentity"]["sessionContext"]["sourceIdentity"] == "maya@northgate.example"
    assert said["recipientAccountId"] == BRIGHTWATER
    assert "errorCode" not in said


def test_a_refused_call_is_there_with_its_code(sandbox: SandboxProcess) -> None:
    keys = inside(sandbox)
    with pytest.raises(ClientError):
        sandbox.client("ec2", keys).stop_instances(InstanceIds=["i-12345678"])
    (event,) = told(sandbox, keys.access_key_id)
    said = json.loads(event["CloudTrailEvent"])
    assert (said["eventName"], said["errorCode"]) == ("StopInstances", "UnauthorizedOperation")
    assert event["ReadOnly"] == "false"


def test_what_is_inside_of_things_is_in_no_event_history(sandbox: SandboxProcess) -> None:
    keys = inside(sandbox)
    s3 = sandbox.s3(keys)
    s3.create_bucket(
        Bucket=f"history-{keys.access_key_id.lower()}",
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
    )
    s3.put_object(Bucket=f"history-{keys.access_key_id.lower()}", Key="a", Body=b"x")
    names = [event["EventName"] for event in told(sandbox, keys.access_key_id)]
    assert "CreateBucket" in names
    assert "PutObject" not in names


def test_services_of_the_whole_world_are_told_in_one_region(sandbox: SandboxProcess) -> None:
    keys = inside(sandbox)
    sandbox.client("iam", keys).list_roles()
    assert told(sandbox, keys.access_key_id) == []
    (event,) = told(sandbox, keys.access_key_id, region="us-east-1")
    assert event["EventName"] == "ListRoles"


def test_entering_is_told_in_both_accounts_under_one_id(sandbox: SandboxProcess) -> None:
    hub = sandbox.as_hub()
    enter(sandbox, make_role(sandbox), hub)
    mine = told(sandbox, hub.access_key_id, account=NORTHGATE)
    shared = json.loads(mine[0]["CloudTrailEvent"])["sharedEventID"]
    asked = [{"AttributeKey": "EventName", "AttributeValue": "AssumeRole"}]
    theirs = trail(sandbox, sandbox.accounts[BRIGHTWATER].admin_keys).lookup_events(LookupAttributes=asked)
    (same,) = [
        said
        for one in theirs["Events"]
        if (said := json.loads(one["CloudTrailEvent"])).get("sharedEventID") == shared
    ]
    assert same["userIdentity"]["type"] == "AWSAccount"
    assert same["recipientAccountId"] == BRIGHTWATER


def test_pages_hold_as_many_as_were_asked_for_newest_first(sandbox: SandboxProcess) -> None:
    keys = inside(sandbox)
    ec2 = sandbox.client("ec2", keys)
    for _ in range(3):
        ec2.describe_instances()
    ec2.describe_vpcs()
    asked = [{"AttributeKey": "AccessKeyId", "AttributeValue": keys.access_key_id}]
    client = trail(sandbox, sandbox.accounts[BRIGHTWATER].admin_keys)
    first = client.lookup_events(LookupAttributes=asked, MaxResults=3)
    rest = client.lookup_events(LookupAttributes=asked, MaxResults=3, NextToken=first["NextToken"])
    names = [one["EventName"] for one in (*first["Events"], *rest["Events"])]
    assert names == ["DescribeVpcs", *["DescribeInstances"] * 3]
    assert "NextToken" not in rest


def test_the_third_request_within_a_second_is_too_many(sandbox: SandboxProcess) -> None:
    make: Any = boto3.Session().client
    keys = sandbox.accounts[BRIGHTWATER].admin_keys
    once = make(
        "cloudtrail",
        region_name="ap-south-1",
        endpoint_url=sandbox.base_url,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
    )
    codes = []
    for _ in range(4):
        try:
            once.lookup_events()
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
    assert set(codes) == {"ThrottlingException"}


def test_events_come_as_late_as_they_are_told_to(sandbox: SandboxProcess) -> None:
    keys = inside(sandbox)
    sandbox.control("PUT", "history", delay_seconds=900)
    try:
        sandbox.client("ec2", keys).describe_instances()
        assert told(sandbox, keys.access_key_id) == []
    finally:
        sandbox.control("PUT", "history", delay_seconds=0)
    assert len(told(sandbox, keys.access_key_id)) == 1


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (
            {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "x"}] * 2},
            "InvalidLookupAttributesException",
        ),
        ({"NextToken": "made up"}, "InvalidNextTokenException"),
        (
            {
                "StartTime": dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
                "EndTime": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
            },
            "InvalidTimeRangeException",
        ),
    ],
)
def test_what_aws_would_not_take_is_refused(
    sandbox: SandboxProcess, asked: dict[str, Any], code: str
) -> None:
    client = trail(sandbox, sandbox.accounts[BRIGHTWATER].admin_keys, "us-west-2")
    refused(code, client.lookup_events, **asked)


def test_who_may_not_look_is_refused(sandbox: SandboxProcess) -> None:
    keys = enter(sandbox, make_role(sandbox, document=policy(grant("ec2:Describe*"))))
    refused("AccessDeniedException", trail(sandbox, keys).lookup_events)
