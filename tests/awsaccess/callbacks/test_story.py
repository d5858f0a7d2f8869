"""From the client's stack to the answer among its events, over the simulated AWS: topic, queue, role, probes, PUT."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from awsaccess.lifecycle import CALLBACK_DOUBT_FOR, CallbackStatus, GrantStatus
from awsaccess.services.callbacks import AFTER_A_DELETE
from engagements.lifecycle import EngagementStatus
from portal.kernel import clock
from tests.awsaccess.callbacks import scene
from tests.awsaccess.services.cast import Case, check
from tests.awsaccess.services.worlds import Simulated
from tests.factories import Firm
from tests.plugins.sandbox_process import NORTHGATE, STRANGER

pytestmark = pytest.mark.usefixtures("db", "shut_answer_door")


@pytest.fixture
def answering(simulated: Simulated, settings: Any) -> Simulated:  # Any: pytest-django's private type
    """The simulated AWS, which also waits for answers; nothing of an earlier test lies in its queue."""
    settings.CFN_RESPONSE_ENDPOINT_URL = simulated.sandbox.base_url
    keys = simulated.sandbox.accounts[NORTHGATE].admin_keys
    sqs = simulated.sandbox.client("sqs", keys)
    while left := sqs.receive_message(QueueUrl=scene.QUEUE, MaxNumberOfMessages=10).get("Messages"):
        for message in left:
            sqs.delete_message(QueueUrl=scene.QUEUE, ReceiptHandle=message["ReceiptHandle"])
    return simulated


def events(world: Simulated, case: Case) -> list[tuple[str, str, str]]:
    """Logical id, status and reason of each event of the stack, oldest first."""
    found = world.sandbox.cloudformation(case.account_id).describe_stack_events(
        StackName=f"latchkey-{case.engagement.code}"
    )["StackEvents"]
    return [
        (
            event["LogicalResourceId"],
            event["ResourceStatus"],
            event.get("ResourceStatusReason", ""),
        )
        for event in reversed(found)
    ]


def test_a_stack_reports_is_checked_and_answered(answering: Simulated, north: Firm) -> None:
    case = scene.expected(north)
    answering.deploy(case)
    begun = time.monotonic()
    assert ("CallbackEuWest1", "CREATE_IN_PROGRESS", "") in events(answering, case)
    assert case.grant().status == GrantStatus.EXPECTED
    scene.listen(case)
    (told,) = scene.callbacks(case)
    assert (told.kind, told.status) == ("Create", CallbackStatus.OPEN)
    assert scene.planned(case, told)
    assert scene.answer(case) == [None]
    seconds = time.monotonic() - begun
    (told,) = scene.callbacks(case)
    assert told.status == CallbackStatus.GRANTED
    assert told.answered_at
    assert bytes(told.sealed_url) == b""
    assert case.grant().status == GrantStatus.VERIFIED
    assert case.fresh().status == EngagementStatus.ACTIVE
    assert events(answering, case)[-1][1] == "CREATE_COMPLETE"
    assert case.grant().callback_stack == told.stack_id
    print(f"call-back: {seconds:.2f} s from the report to the stack's answer")  # noqa: T201  # a figure to be read
    assert seconds < 5
    assert scene.dead(case) == []
    kinds = case.kinds()
    assert "aws:stack:told" in kinds
    assert "aws:stack:answered" in kinds


def test_the_reason_of_a_refusal_stands_among_the_clients_events(answering: Simulated, north: Firm) -> None:
    case = scene.expected(north)
    template = json.loads(case.offer().template)
    template["Resources"]["AccessRole"]["Properties"]["Policies"].append(
        {
            "PolicyName": "more",
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
            },
        }
    )
    answering.sandbox.cloudformation(case.account_id).create_stack(
        StackName=f"latchkey-{case.engagement.code}",
        TemplateBody=json.dumps(template),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    scene.listen(case)
    (waits_until,) = scene.answer(case)
    assert waits_until  # it may be a half-made role: looked at again
    with clock.frozen(clock.now() + CALLBACK_DOUBT_FOR):
        assert scene.answer(case) == [None]
    told = events(answering, case)
    (reason,) = [
        reason for name, status, reason in told if (name, status) == ("CallbackEuWest1", "CREATE_FAILED")
    ]
    assert "The role is not as agreed" in reason
    scene.listen(case)  # the Delete of the roll-back
    assert events(answering, case)[-1][1] == "ROLLBACK_COMPLETE"
    assert {each.kind: each.status for each in scene.callbacks(case)} == {
        "Create": CallbackStatus.REFUSED,
        "Delete": CallbackStatus.GRANTED,
    }


def test_an_update_is_answered_and_a_deletion_is_answered_at_once_and_only_looked_into(
    answering: Simulated, north: Firm
) -> None:
    case = scene.expected(north)
    answering.deploy(case)
    scene.listen(case)
    scene.answer(case)
    cloudformation = answering.sandbox.cloudformation(case.account_id)
    changed = json.loads(case.offer().template)
    changed["Resources"]["CallbackEuWest1"]["Properties"]["Expires"] = "2027-01-01T00:00:00Z"
    name = f"latchkey-{case.engagement.code}"
    cloudformation.update_stack(
        StackName=name, TemplateBody=json.dumps(changed), Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    scene.listen(case)
    assert scene.answer(case) == [None]
    assert events(answering, case)[-1][1] == "UPDATE_COMPLETE"
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName=name)
    scene.listen(case)
    assert cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    assert case.grant().status == GrantStatus.VERIFIED  # nothing is believed
    assert case.grant().callback_stack == ""
    assert case.next_check() <= clock.now() + AFTER_A_DELETE
    assert scene.dead(case) == []


def test_a_stack_in_another_account_is_told_so(answering: Simulated, north: Firm) -> None:
    case = scene.expected(north)
    cloudformation = answering.sandbox.cloudformation(STRANGER)
    name = f"latchkey-{case.engagement.code}"
    cloudformation.create_stack(
        StackName=name, TemplateBody=case.offer().template, Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    scene.listen(case)
    assert scene.answer(case) == [None]
    reasons = [
        event.get("ResourceStatusReason", "")
        for event in cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    ]
    assert any("another AWS account" in reason for reason in reasons)
    assert case.account_id not in " ".join(reasons)
    assert case.grant().status == GrantStatus.EXPECTED


def test_in_a_region_without_a_topic_nothing_is_told_and_the_role_is_found_by_trying(
    answering: Simulated, north: Firm
) -> None:
    case = scene.expected(north)
    keys = answering.sandbox.accounts[case.account_id].admin_keys
    cloudformation = answering.sandbox.client("cloudformation", keys, "eu-central-1")
    made = cloudformation.create_stack(
        StackName="elsewhere", TemplateBody=case.offer().template, Capabilities=["CAPABILITY_NAMED_IAM"]
    )["StackId"]
    (stack,) = cloudformation.describe_stacks(StackName=made)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    scene.listen(case)
    assert scene.callbacks(case) == []
    check(case)
    assert case.grant().status == GrantStatus.VERIFIED


def test_a_cut_line_is_tried_again(answering: Simulated, north: Firm) -> None:
    case = scene.expected(north)
    answering.deploy(case)
    answering.sandbox.control("POST", "faults", service="cfn-response", cut=True, times=1)
    scene.listen(case)
    (again,) = scene.answer(case)
    assert again
    (told,) = scene.callbacks(case)
    assert (told.status, told.answered_at) == (CallbackStatus.GRANTED, None)
    assert scene.answer(case) == [None]
    assert events(answering, case)[-1][1] == "CREATE_COMPLETE"


def test_while_the_queue_cannot_be_read_the_role_is_found_by_trying(
    answering: Simulated, north: Firm
) -> None:
    case = scene.expected(north)
    answering.deploy(case)
    answering.sandbox.control("POST", "faults", service="sqs", code="AccessDenied")
    assert scene.listen(case)
    check(case)
    assert case.grant().status == GrantStatus.VERIFIED
    assert scene.callbacks(case) == []
    answering.sandbox.control("DELETE", "faults")
    scene.listen(case)
    assert scene.answer(case) == [None]
    assert events(answering, case)[-1][1] == "CREATE_COMPLETE"
