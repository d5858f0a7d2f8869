"""Stacks: what is refused before anything is made, what is shown, and what is left when a step fails."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from awsaccess.sandbox.signing import Keys
from tests.awsaccess.sandbox.making import enter, grant, make_role, make_user, policy, refused, trust
from tests.plugins.sandbox_process import BRIGHTWATER, NORTHGATE, SandboxProcess

TOPIC = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "t"}}
NAMED: Final[list[Any]] = ["CAPABILITY_NAMED_IAM"]  # Any: boto3's Literal


def role_resource(name: str | None = "latchkey-made", **more: object) -> dict[str, object]:
    """A role in a template."""
    trusted = json.loads(policy(trust()))
    properties = {"AssumeRolePolicyDocument": trusted} | ({"RoleName": name} if name else {}) | more
    return {"Type": "AWS::IAM::Role", "Properties": properties}


def template(resources: Mapping[str, object], **more: object) -> str:
    """A template as text."""
    return json.dumps({"Resources": resources, **more})


def make(
    sandbox: SandboxProcess, body: str, name: str = "s", **more: Any
) -> str:  # Any: CreateStack's parameters
    """Create a stack as Brightwater's administrator; its id."""
    given = {"Capabilities": NAMED, **more}
    made = sandbox.cloudformation(BRIGHTWATER).create_stack(StackName=name, TemplateBody=body, **given)
    return made["StackId"]


def shown(sandbox: SandboxProcess, stack: str) -> Any:  # Any: one stack of DescribeStacks
    """A stack as it is described."""
    return sandbox.cloudformation(BRIGHTWATER).describe_stacks(StackName=stack)["Stacks"][0]


def events(sandbox: SandboxProcess, stack: str) -> list[tuple[str, str]]:
    """(logical id, status), oldest first."""
    found = sandbox.cloudformation(BRIGHTWATER).describe_stack_events(StackName=stack)["StackEvents"]
    return [(e["LogicalResourceId"], e["ResourceStatus"]) for e in reversed(found)]


def reason(sandbox: SandboxProcess, stack: str, status: str) -> str:
    """Why, in the first event with this status."""
    found = sandbox.cloudformation(BRIGHTWATER).describe_stack_events(StackName=stack)["StackEvents"]
    return next(e["ResourceStatusReason"] for e in reversed(found) if e["ResourceStatus"] == status)


def role_names(sandbox: SandboxProcess) -> list[str]:
    """Brightwater's roles."""
    return [role["RoleName"] for role in sandbox.iam(BRIGHTWATER).list_roles()["Roles"]]


# ---------------------------------------------------------------- before anything is made


@pytest.mark.parametrize(
    ("name", "given", "needed"),
    [
        (None, [], "CAPABILITY_IAM"),
        (None, ["CAPABILITY_IAM"], None),
        (None, NAMED, None),
        ("x", ["CAPABILITY_IAM"], "CAPABILITY_NAMED_IAM"),
        ("x", ["CAPABILITY_AUTO_EXPAND"], "CAPABILITY_NAMED_IAM"),
        ("x", NAMED, None),
    ],
)
def test_iam_must_be_acknowledged(
    sandbox: SandboxProcess, name: str | None, given: list[str], needed: str | None
) -> None:
    """moto makes the stack whatever was acknowledged."""
    body = template({"Role": role_resource(name)})
    if needed is None:
        assert shown(sandbox, make(sandbox, body, Capabilities=given))["StackStatus"] == "CREATE_COMPLETE"
        return
    message = refused("InsufficientCapabilitiesException", make, sandbox, body, Capabilities=given)
    assert message == f"Requires capabilities : [{needed}]"
    assert role_names(sandbox) == []


PARAMETERS = {
    "Id": {"Type": "String", "MinLength": 4, "MaxLength": 8, "NoEcho": True},
    "Account": {"Type": "String", "AllowedPattern": "[0-9]{12}", "Default": "111111111111"},
    "Size": {"Type": "Number", "MinValue": 1, "MaxValue": 5, "Default": 2},
    "Kind": {"Type": "String", "AllowedValues": ["a", "b"], "Default": "a"},
}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "Parameters: [Id] must have values"),
        ({"Id": "good", "Else": "x"}, "Parameters: [Else] do not exist in the template"),
        ({"Id": "bad"}, "at least 4 characters"),
        ({"Id": "far-too-long"}, "at most 8 characters"),
        ({"Id": "good", "Account": "11111111111x"}, "must match pattern"),
        ({"Id": "good", "Size": "6"}, "not greater than 5"),
        ({"Id": "good", "Size": "x"}, "must be a number"),
        ({"Id": "good", "Kind": "c"}, "must be one of AllowedValues"),
    ],
)
def test_parameters_are_checked(sandbox: SandboxProcess, given: dict[str, str], words: str) -> None:
    """Missing, unknown, and each constraint."""
    body = template({"Topic": TOPIC}, Parameters=PARAMETERS)
    pairs = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
    assert words in refused("ValidationError", make, sandbox, body, Parameters=pairs)


def test_a_secret_parameter_is_never_shown(sandbox: SandboxProcess) -> None:
    """Defaults are, as AWS does."""
    body = template({"Topic": TOPIC}, Parameters=PARAMETERS)
    stack = make(sandbox, body, Parameters=[{"ParameterKey": "Id", "ParameterValue": "secret"}])
    values = {p["ParameterKey"]: p["ParameterValue"] for p in shown(sandbox, stack)["Parameters"]}
    assert values == {"Id": "****", "Account": "111111111111", "Size": "2", "Kind": "a"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", "JSON not well-formed"),
        ("a: [", "YAML not well-formed"),
        ("[]", "unsupported structure"),
        ("{}", "At least one Resources member"),
        (template({"A": {"Type": "AWS::Budgets::Budget"}}), "AWS::Budgets::Budget"),
        (template({"A": {"Type": "AWS::S3::BucketPolicy"}}), "does not simulate"),
        (template({"A": TOPIC}, Transform="AWS::Serverless-2016-10-31"), "does not simulate"),
        (
            template({"A": {**TOPIC, "Properties": {"TopicName": {"Ref": "B"}}}}),
            "Unresolved resource dependencies [B]",
        ),
        (
            template({"A": TOPIC}, Outputs={"O": {"Value": {"Fn::Sub": "${Nope.Arn}"}}}),
            "in the Outputs block",
        ),
        (
            template({"A": {**TOPIC, "DependsOn": "B"}, "B": {**TOPIC, "DependsOn": "A"}}),
            "Circular dependency",
        ),
    ],
)
def test_a_bad_template_is_refused(sandbox: SandboxProcess, body: str, words: str) -> None:
    """In AWS's words, and what is not simulated by its name."""
    assert words in refused("ValidationError", make, sandbox, body)


def test_names_and_repetition(sandbox: SandboxProcess) -> None:
    """The same request token is the same stack; the same name is not."""
    body = template({"Topic": TOPIC})
    first = make(sandbox, body, ClientRequestToken="token-1")
    assert make(sandbox, body, ClientRequestToken="token-1") == first
    refused("AlreadyExistsException", make, sandbox, body)
    assert "stackName" in refused("ValidationError", make, sandbox, body, name="1-begins-wrong")


def test_a_summary_says_what_it_will_make(sandbox: SandboxProcess) -> None:
    """Types, capability, parameters; also of a template without a version."""
    body = template({"Role": role_resource()}, Parameters=PARAMETERS, Description="d")
    summary = sandbox.cloudformation(BRIGHTWATER).get_template_summary(TemplateBody=body)
    assert (summary["ResourceTypes"], summary["Capabilities"]) == (["AWS::IAM::Role"], NAMED)
    assert {p["ParameterKey"]: p["NoEcho"] for p in summary["Parameters"]}["Id"] is True


# ---------------------------------------------------------------- made


def test_a_stack_is_made_in_order_with_events(sandbox: SandboxProcess) -> None:
    """Managed policy before the role that carries it; values that are none are left out."""
    document = json.loads(policy(grant("ec2:Describe*")))
    resources = {
        "Role": role_resource(
            ManagedPolicyArns=[{"Ref": "Policy"}, {"Fn::If": ["No", "arn:never", {"Ref": "AWS::NoValue"}]}],
            Policies=[{"PolicyName": "in", "PolicyDocument": document}],
            PermissionsBoundary={"Ref": "Policy"},
        ),
        "Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}},
        "Never": {**TOPIC, "Condition": "No"},
    }
    outputs = {
        "Arn": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}},
        "Id": {"Value": {"Fn::GetAtt": ["Role", "RoleId"]}},
    }
    conditions = {"No": {"Fn::Equals": ["a", "b"]}}
    stack = make(sandbox, template(resources, Outputs=outputs, Conditions=conditions))
    assert events(sandbox, stack) == [
        ("s", "CREATE_IN_PROGRESS"),
        ("Policy", "CREATE_IN_PROGRESS"),
        ("Policy", "CREATE_COMPLETE"),
        ("Role", "CREATE_IN_PROGRESS"),
        ("Role", "CREATE_COMPLETE"),
        ("s", "CREATE_COMPLETE"),
    ]
    role = sandbox.iam(BRIGHTWATER).get_role(RoleName="latchkey-made")["Role"]
    values = {o["OutputKey"]: o["OutputValue"] for o in shown(sandbox, stack)["Outputs"]}
    assert values == {"Arn": role["Arn"], "Id": role["RoleId"]}
    inline = sandbox.iam(BRIGHTWATER).get_role_policy(RoleName="latchkey-made", PolicyName="in")
    assert inline["PolicyDocument"] == document
    attached = sandbox.iam(BRIGHTWATER).list_attached_role_policies(RoleName="latchkey-made")
    assert len(attached["AttachedPolicies"]) == 1


def test_a_failing_resource_rolls_all_back(sandbox: SandboxProcess) -> None:
    """The trust policy names nobody who exists; what was made before it goes again."""
    nobody = json.loads(policy(trust(f"arn:aws:iam::{NORTHGATE}:role/nope")))
    resources = {
        "Topic": TOPIC,
        "Role": {**role_resource(AssumeRolePolicyDocument=nobody), "DependsOn": "Topic"},
    }
    stack = make(sandbox, template(resources))
    assert shown(sandbox, stack)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert events(sandbox, stack)[-6:] == [
        ("Role", "CREATE_IN_PROGRESS"),
        ("Role", "CREATE_FAILED"),
        ("s", "ROLLBACK_IN_PROGRESS"),
        ("Topic", "DELETE_IN_PROGRESS"),
        ("Topic", "DELETE_COMPLETE"),
        ("s", "ROLLBACK_COMPLETE"),
    ]
    assert "Invalid principal in policy" in reason(sandbox, stack, "CREATE_FAILED")
    assert sandbox.client("sns", sandbox.accounts[BRIGHTWATER].admin_keys).list_topics()["Topics"] == []


@pytest.mark.parametrize(
    ("more", "status", "topics"),
    [
        ({}, "ROLLBACK_COMPLETE", 0),
        ({"OnFailure": "DO_NOTHING"}, "CREATE_FAILED", 1),
        ({"DisableRollback": True}, "CREATE_FAILED", 1),
        ({"OnFailure": "DELETE"}, "DELETE_COMPLETE", 0),
    ],
)
def test_what_becomes_of_a_failure_is_chosen(
    sandbox: SandboxProcess, more: dict[str, Any], status: str, topics: int
) -> None:
    """Rolled back unless told otherwise; none of the leftovers can be updated, all can be deleted."""
    nobody = json.loads(policy(trust(f"arn:aws:iam::{NORTHGATE}:role/nope")))
    role = {**role_resource(AssumeRolePolicyDocument=nobody), "DependsOn": "Topic"}
    body = template({"Topic": TOPIC, "Role": role})
    stack = make(sandbox, body, **more)
    assert shown(sandbox, stack)["StackStatus"] == status
    sns = sandbox.client("sns", sandbox.accounts[BRIGHTWATER].admin_keys)
    assert len(sns.list_topics()["Topics"]) == topics
    cloudformation = sandbox.cloudformation(BRIGHTWATER)
    given = {"StackName": stack, "TemplateBody": body, "Capabilities": NAMED}
    refused("ValidationError", cloudformation.update_stack, **given)
    cloudformation.delete_stack(StackName=stack)
    assert shown(sandbox, stack)["StackStatus"] == "DELETE_COMPLETE"
    assert sns.list_topics()["Topics"] == []


def test_a_stack_may_do_only_what_its_maker_may(sandbox: SandboxProcess) -> None:
    """moto makes every resource by itself, with nobody's rights."""
    keys = make_user(sandbox, BRIGHTWATER, "narrow", policy(grant(["cloudformation:*", "sns:*"])))
    cloudformation = sandbox.client("cloudformation", keys)
    body = template({"Topic": TOPIC, "Role": {**role_resource(), "DependsOn": "Topic"}})
    cloudformation.create_stack(StackName="s", TemplateBody=body, Capabilities=NAMED)
    assert shown(sandbox, "s")["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "is not authorized to perform: iam:CreateRole" in reason(sandbox, "s", "CREATE_FAILED")


def test_a_service_role_acts_instead_of_the_caller(sandbox: SandboxProcess) -> None:
    """It must be there, and the caller must be allowed to pass it."""
    service = sandbox.iam(BRIGHTWATER).create_role(
        RoleName="deployer",
        AssumeRolePolicyDocument=policy(
            {
                "Effect": "Allow",
                "Principal": {"Service": "cloudformation.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ),
    )["Role"]["Arn"]
    body, given = template({"Topic": TOPIC}), {"StackName": "s", "RoleARN": service}
    plain = make_user(sandbox, BRIGHTWATER, "plain", policy(grant("cloudformation:*")))
    passing = make_user(sandbox, BRIGHTWATER, "passing", policy(grant(["cloudformation:*", "iam:PassRole"])))
    create = sandbox.client("cloudformation", plain).create_stack
    assert "iam:PassRole" in refused("ValidationError", create, TemplateBody=body, **given)
    sandbox.client("cloudformation", passing).create_stack(TemplateBody=body, **given)
    assert "sns:CreateTopic" in reason(sandbox, "s", "CREATE_FAILED")


# ---------------------------------------------------------------- changed


def test_an_update_changes_the_role_in_place(sandbox: SandboxProcess) -> None:
    """Same unique id; what the template put there follows it, what was put by hand stays."""
    document = json.loads(policy(grant("ec2:Describe*")))
    one = role_resource(Policies=[{"PolicyName": "in", "PolicyDocument": document}])
    stack = make(sandbox, template({"Role": one}))
    iam = sandbox.iam(BRIGHTWATER)
    before = iam.get_role(RoleName="latchkey-made")["Role"]
    iam.put_role_policy(RoleName="latchkey-made", PolicyName="by-hand", PolicyDocument=policy(grant("s3:*")))
    two = role_resource(MaxSessionDuration=7200, ManagedPolicyArns=["arn:aws:iam::aws:policy/ReadOnlyAccess"])
    cloudformation = sandbox.cloudformation(BRIGHTWATER)
    cloudformation.update_stack(StackName=stack, TemplateBody=template({"Role": two}), Capabilities=NAMED)
    after = iam.get_role(RoleName="latchkey-made")["Role"]
    assert (after["RoleId"], after["MaxSessionDuration"]) == (before["RoleId"], 7200)
    assert iam.list_role_policies(RoleName="latchkey-made")["PolicyNames"] == ["by-hand"]
    assert shown(sandbox, stack)["StackStatus"] == "UPDATE_COMPLETE"
    again = {"StackName": stack, "TemplateBody": template({"Role": two}), "Capabilities": NAMED}
    assert (
        refused("ValidationError", cloudformation.update_stack, **again) == "No updates are to be performed."
    )


def test_another_name_is_another_role(sandbox: SandboxProcess) -> None:
    """Replaced: the new one first, the old one cleaned up afterwards."""
    stack = make(sandbox, template({"Role": role_resource("latchkey-one")}))
    body = template({"Role": role_resource("latchkey-two")})
    sandbox.cloudformation(BRIGHTWATER).update_stack(StackName=stack, TemplateBody=body, Capabilities=NAMED)
    assert role_names(sandbox) == ["latchkey-two"]
    assert ("s", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS") in events(sandbox, stack)


def test_a_failing_update_goes_back(sandbox: SandboxProcess) -> None:
    """The role is what it was, and the stack says so."""
    stack = make(sandbox, template({"Role": role_resource()}))
    nobody = json.loads(policy(trust(f"arn:aws:iam::{NORTHGATE}:role/nope")))
    body = template({"Role": role_resource(AssumeRolePolicyDocument=nobody, MaxSessionDuration=7200)})
    sandbox.cloudformation(BRIGHTWATER).update_stack(StackName=stack, TemplateBody=body, Capabilities=NAMED)
    assert shown(sandbox, stack)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    role = sandbox.iam(BRIGHTWATER).get_role(RoleName="latchkey-made")["Role"]
    assert role["MaxSessionDuration"] == 3600
    assert "nope" not in json.dumps(role["AssumeRolePolicyDocument"])


# ---------------------------------------------------------------- deleted


def test_a_deleted_stack_is_found_by_its_id_only(sandbox: SandboxProcess) -> None:
    """And describing it does not make its resources again, as plain moto does."""
    stack = make(sandbox, template({"Role": role_resource()}))
    sandbox.cloudformation(BRIGHTWATER).delete_stack(StackName="s")
    refused("ValidationError", shown, sandbox, "s")
    assert shown(sandbox, stack)["StackStatus"] == "DELETE_COMPLETE"
    assert role_names(sandbox) == []


def test_a_policy_put_by_hand_stops_the_deletion(sandbox: SandboxProcess) -> None:
    """The trap of "Revoke active sessions"; then it can be retained, forced or taken off."""
    stack = make(sandbox, template({"Role": role_resource()}))
    iam, cloudformation = sandbox.iam(BRIGHTWATER), sandbox.cloudformation(BRIGHTWATER)
    iam.put_role_policy(
        RoleName="latchkey-made", PolicyName="AWSRevokeOlderSessions", PolicyDocument=policy(grant("s3:*"))
    )
    refused("ValidationError", cloudformation.delete_stack, StackName=stack, RetainResources=["Role"])
    cloudformation.delete_stack(StackName=stack)
    assert shown(sandbox, stack)["StackStatus"] == "DELETE_FAILED"
    assert "must delete policies first" in reason(sandbox, stack, "DELETE_FAILED")
    cloudformation.delete_stack(StackName=stack, RetainResources=["Role"])
    assert shown(sandbox, stack)["StackStatus"] == "DELETE_COMPLETE"
    assert role_names(sandbox) == ["latchkey-made"]


def test_a_failed_deletion_can_be_forced(sandbox: SandboxProcess) -> None:
    """The stack goes, what was in its way stays; like RetainResources only after a failure."""
    stack = make(sandbox, template({"Role": role_resource(), "Topic": TOPIC}))
    iam, cloudformation = sandbox.iam(BRIGHTWATER), sandbox.cloudformation(BRIGHTWATER)
    iam.put_role_policy(RoleName="latchkey-made", PolicyName="x", PolicyDocument=policy(grant("s3:*")))
    force: dict[str, Any] = {"StackName": stack, "DeletionMode": "FORCE_DELETE_STACK"}  # Any: a literal
    refused("ValidationError", cloudformation.delete_stack, **force)
    cloudformation.delete_stack(StackName=stack)
    states = {
        r["LogicalResourceId"]: r["ResourceStatus"]
        for r in cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    }
    assert states["Role"] == "DELETE_FAILED"
    cloudformation.delete_stack(**force)
    assert shown(sandbox, stack)["StackStatus"] == "DELETE_COMPLETE"
    assert role_names(sandbox) == ["latchkey-made"]


def test_what_is_kept_on_purpose_is_skipped(sandbox: SandboxProcess) -> None:
    """DeletionPolicy: Retain; and a protected stack is not touched at all."""
    body = template({"Role": {**role_resource(), "DeletionPolicy": "Retain"}})
    stack = make(sandbox, body, EnableTerminationProtection=True)
    cloudformation = sandbox.cloudformation(BRIGHTWATER)
    refused("ValidationError", cloudformation.delete_stack, StackName=stack)
    cloudformation.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
    cloudformation.delete_stack(StackName=stack)
    assert ("Role", "DELETE_SKIPPED") in events(sandbox, stack)
    assert role_names(sandbox) == ["latchkey-made"]


def test_a_bucket_that_is_not_empty_stays(sandbox: SandboxProcess) -> None:
    """moto says DELETE_COMPLETE and keeps it."""
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "full"}}
    stack = make(sandbox, template({"Bucket": bucket}))
    s3 = sandbox.s3(sandbox.accounts[BRIGHTWATER].admin_keys)
    s3.put_object(Bucket="full", Key="k", Body=b"x")
    cloudformation = sandbox.cloudformation(BRIGHTWATER)
    cloudformation.delete_stack(StackName=stack)
    assert shown(sandbox, stack)["StackStatus"] == "DELETE_FAILED"
    s3.delete_object(Bucket="full", Key="k")
    cloudformation.delete_stack(StackName=stack)
    assert shown(sandbox, stack)["StackStatus"] == "DELETE_COMPLETE"


# ---------------------------------------------------------------- custom resources


class CallBack:
    """A practice's topic and queue for custom resources."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self._sandbox = sandbox
        keys = sandbox.accounts[NORTHGATE].admin_keys
        sns, self._sqs = sandbox.client("sns", keys), sandbox.client("sqs", keys)
        self.topic: str = sns.create_topic(Name="calls")["TopicArn"]
        everybody = {
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": "SNS:Publish",
            "Resource": self.topic,
        }
        sns.set_topic_attributes(
            TopicArn=self.topic, AttributeName="Policy", AttributeValue=policy(everybody)
        )
        arn = f"arn:aws:sqs:eu-west-1:{NORTHGATE}:calls"
        deliver = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": self.topic}},
        }
        made = self._sqs.create_queue(QueueName="calls", Attributes={"Policy": policy(deliver)})
        self._queue = made["QueueUrl"]
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn)

    def resource(self, **properties: object) -> dict[str, object]:
        """A custom resource that reports here."""
        return {"Type": "Custom::Access", "Properties": {"ServiceToken": self.topic, **properties}}

    def take(self) -> dict[str, Any]:  # Any: JSON
        """The request that came, taken from the queue."""
        found = self._sqs.receive_message(QueueUrl=self._queue, WaitTimeSeconds=10)["Messages"]
        assert len(found) == 1
        self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=found[0]["ReceiptHandle"])
        request: dict[str, Any] = json.loads(json.loads(found[0]["Body"])["Message"])  # Any: JSON
        return request

    def answer(self, request: Mapping[str, Any], **more: object) -> int:
        """PUT an answer where the request says, at the sandbox's own address."""
        echo = {key: request[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
        body = {"Status": "SUCCESS", "PhysicalResourceId": "engagement-1", **echo, **more}
        parts = urlsplit(request["ResponseURL"])
        assert (parts.scheme, parts.netloc) == (
            "https",
            "cloudformation-custom-resource-response-euwest1.s3.eu-west-1.amazonaws.com",
        )
        path = f"{parts.path}?{parts.query}"
        return self._sandbox.http("PUT", path, json.dumps(body).encode())[0]


def test_a_custom_resource_is_asked_and_waited_for(sandbox: SandboxProcess) -> None:
    """Create, Update and Delete; its data goes into the outputs; an address works once."""
    calls = CallBack(sandbox)
    outputs = {"Connection": {"Value": {"Fn::GetAtt": ["Report", "ConnectionId"]}}}
    stack = make(sandbox, template({"Report": calls.resource(Flag=True)}, Outputs=outputs))
    assert shown(sandbox, stack)["StackStatus"] == "CREATE_IN_PROGRESS"
    request = calls.take()
    assert (request["RequestType"], request["ResourceProperties"]["Flag"]) == ("Create", "true")
    assert "PhysicalResourceId" not in request
    assert calls.answer(request, Data={"ConnectionId": "lk-1"}) == 200
    assert calls.answer(request) == 403
    assert shown(sandbox, stack)["Outputs"][0]["OutputValue"] == "lk-1"
    cloudformation = sandbox.cloudformation(BRIGHTWATER)
    cloudformation.update_stack(
        StackName=stack, TemplateBody=template({"Report": calls.resource(Flag=False)})
    )
    request = calls.take()
    assert (request["RequestType"], request["OldResourceProperties"]["Flag"]) == ("Update", "true")
    calls.answer(request)
    assert shown(sandbox, stack)["StackStatus"] == "UPDATE_COMPLETE"
    cloudformation.delete_stack(StackName=stack)
    request = calls.take()
    assert (request["RequestType"], request["PhysicalResourceId"]) == ("Delete", "engagement-1")
    calls.answer(request)
    assert shown(sandbox, stack)["StackStatus"] == "DELETE_COMPLETE"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"Status": "FAILED", "Reason": "not yours"}, "not yours"),
        ({"StackId": "another"}, "StackId differs"),
        ({"PhysicalResourceId": ""}, "Invalid PhysicalResourceId"),
        ({"Data": {"x": "y" * 5000}}, "Response is too long"),
    ],
)
def test_a_bad_answer_rolls_the_stack_back(sandbox: SandboxProcess, more: dict[str, Any], words: str) -> None:
    """S3 takes anything; CloudFormation believes only what is right. The Delete is asked all the same."""
    calls = CallBack(sandbox)
    stack = make(sandbox, template({"Report": calls.resource()}))
    assert calls.answer(calls.take(), **more) == 200
    assert words in reason(sandbox, stack, "CREATE_FAILED")


def test_nobody_answers(sandbox: SandboxProcess) -> None:
    """After its ServiceTimeout the resource fails, and its Delete is asked and waited for as long again."""
    calls = CallBack(sandbox)
    stack = make(sandbox, template({"Report": calls.resource(ServiceTimeout=1)}))
    assert [calls.take()["RequestType"], calls.take()["RequestType"]] == ["Create", "Delete"]
    assert "did not receive a response" in reason(sandbox, stack, "CREATE_FAILED")


def test_a_topic_that_does_not_let_the_client_in(sandbox: SandboxProcess) -> None:
    """Or is elsewhere: the event says what is missing."""
    sns = sandbox.client("sns", sandbox.accounts[NORTHGATE].admin_keys)
    shut = sns.create_topic(Name="shut")["TopicArn"]
    elsewhere = shut.replace("eu-west-1", "us-east-1")
    for number, (topic, words) in enumerate(((shut, "SNS:Publish"), (elsewhere, "same region"))):
        body = template({"Report": {"Type": "Custom::Access", "Properties": {"ServiceToken": topic}}})
        stack = make(sandbox, body, name=f"s{number}")
        assert words in reason(sandbox, stack, "CREATE_FAILED")


def test_what_cloudformation_lacks_here_is_refused(sandbox: SandboxProcess) -> None:
    """By name, not by a wrong answer."""
    cloudformation = sandbox.cloudformation(BRIGHTWATER)
    body = template({"Topic": TOPIC})
    message = refused(
        "NotImplemented",
        cloudformation.create_change_set,
        StackName="s",
        ChangeSetName="c",
        TemplateBody=body,
    )
    assert "CreateChangeSet" in message
    refused("NotImplemented", cloudformation.create_stack_set, StackSetName="s", TemplateBody=body)
    message = refused("NotImplemented", cloudformation.detect_stack_drift, StackName=make(sandbox, body))
    assert message == "The sandbox does not simulate cloudformation:DetectStackDrift"


def test_a_role_made_by_a_stack_opens_like_any_other(sandbox: SandboxProcess) -> None:
    """And closes with its stack."""
    keys: Keys = enter(sandbox, make_role(sandbox, trust()))
    assert keys.session_token
    make(sandbox, template({"Role": role_resource()}))
    arn = f"arn:aws:iam::{BRIGHTWATER}:role/latchkey-made"
    sandbox.assume(sandbox.as_hub(), arn)
    sandbox.cloudformation(BRIGHTWATER).delete_stack(StackName="s")
    refused("AccessDenied", sandbox.assume, sandbox.as_hub(), arn)
