"""Setting a call-back up: the hub's facts, the console's form, the template of an offer, the hub's own template."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from io import StringIO
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cfnlint import api
from django.core.management import CommandError, call_command

from awsaccess.models import Grant, Hub
from awsaccess.provision.access_stack import AccessGrantSpec, BadGrant, expected_role, render_template
from awsaccess.provision.hub_stack import BadHubStack, render_main, render_topic
from awsaccess.services.hubs import LISTEN, BadHub
from portal.kernel import due, tenancy
from portal.kernel.secrets import fingerprint
from tests.awsaccess.callbacks import scene
from tests.awsaccess.services.cast import sent
from tests.awsaccess.services.worlds import Simulated
from tests.console.cast import House, house
from tests.factories import ACCOUNT_ID, Firm
from tests.pages.stage import agreed
from tests.plugins.sandbox_process import STRANGER

EUROPE, AMERICA = scene.TOPIC, scene.TOPIC.replace("eu-west-1", "us-east-1")
TOKEN = "aB3_" * 8
Json = Any  # Any: templates nest as they like
SPEC = AccessGrantSpec(
    practice_name="Northgate Cloud",
    client_name="Brightwater Dental",
    engagement_code="7qk2m4xw9p",
    hub_account_id="111111111111",
    hub_role_arn="arn:aws:iam::111111111111:role/latchkey-hub",
    external_id="2f1c7d0e-6f0b-4a52-9a3e-8d1f0c5b7e44",
    expires_at=dt.datetime(2026, 12, 18, 18, 0, tzinfo=dt.UTC),
    managed_policy_arns=("arn:aws:iam::aws:policy/ReadOnlyAccess",),
    look_only=True,
)
REPORTING = dataclasses.replace(
    SPEC, callback_topics=(("eu-west-1", EUROPE), ("us-east-1", AMERICA)), callback_token=TOKEN
)


def faults_of(template: str) -> list[str]:
    """What cfn-lint finds."""
    config = api.ManualArgs(regions=["eu-west-1"])
    return [str(match) for match in api.lint(template, config=config)]


# ---------------------------------------------------------------- the template of an offer


def test_one_resource_reports_in_each_region_that_has_a_topic() -> None:
    body: Json = json.loads(render_template(REPORTING))
    assert set(body["Resources"]) == {"AccessRole", "CallbackEuWest1", "CallbackUsEast1"}
    assert body["Conditions"]["InUsEast1"] == {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]}
    made = body["Resources"]["CallbackUsEast1"]
    assert (made["Type"], made["Condition"]) == ("Custom::LatchkeyCallback", "InUsEast1")
    assert made["Properties"] == {
        "ServiceToken": AMERICA,
        "ServiceTimeout": "300",
        "Token": TOKEN,
        "RoleArn": {"Fn::GetAtt": ["AccessRole", "Arn"]},
        "Expires": "2026-12-18T18:00:00Z",
    }
    assert faults_of(render_template(REPORTING)) == []
    assert TOKEN not in repr(REPORTING)


def test_without_a_topic_the_template_is_what_it_was() -> None:
    body: Json = json.loads(render_template(SPEC))
    assert set(body) == {"AWSTemplateFormatVersion", "Description", "Resources", "Outputs"}
    assert set(body["Resources"]) == {"AccessRole"}
    assert (
        body["Resources"]["AccessRole"] == json.loads(render_template(REPORTING))["Resources"]["AccessRole"]
    )


def test_what_the_role_must_look_like_does_not_depend_on_it() -> None:
    assert expected_role(SPEC, ACCOUNT_ID) == expected_role(REPORTING, ACCOUNT_ID)


@pytest.mark.parametrize(
    "changes",
    [
        {"callback_token": ""},
        {"callback_topics": ()},
        {"callback_token": "short"},
        {"callback_token": TOKEN[:-1] + "\n"},
        {"callback_token": "${AWS::AccountId}" + "x" * 15},
        {"callback_topics": (("eu-west-1", AMERICA),)},
        {"callback_topics": (("eu-west-1", EUROPE), ("eu-west-1", EUROPE))},
        {"callback_topics": (("eu-west-1", EUROPE.replace("1" * 12, "2" * 12)),)},
        {"callback_topics": (("eu-west-1", EUROPE + ":x"),)},
        {"callback_topics": (("eu-west-1", EUROPE.replace("sns", "lambda")),)},
        {"callback_topics": (("EU", EUROPE.replace("eu-west-1", "EU")),)},
    ],
)
def test_a_call_back_that_aws_would_refuse_is_not_rendered(changes: dict[str, Any]) -> None:
    with pytest.raises(BadGrant):
        render_template(dataclasses.replace(REPORTING, **changes))


@pytest.mark.usefixtures("db")
def test_each_offer_has_a_token_of_its_own_and_the_row_only_its_digest(north: Firm) -> None:
    scene.set_up(north)
    first, second = sent(north), sent(north)
    tokens = {scene.token_of(first), scene.token_of(second)}
    assert len(tokens) == 2
    assert first.grant().callback_sha256 == fingerprint(scene.token_of(first))
    assert first.offer().documents["queue_url"] == scene.QUEUE
    with tenancy.use(north.practice_side):
        (row,) = Grant.objects.filter(engagement=first.engagement).values()
    assert not any(token in str(row) for token in tokens)


# ---------------------------------------------------------------- the hub


@pytest.mark.usefixtures("db")
def test_a_hub_with_a_queue_is_listened_to_at_once(north: Firm) -> None:
    hub = scene.set_up(north, topic_arns=[f" {EUROPE} ", "", AMERICA], queue_url=f"{scene.QUEUE}\n")
    assert hub.topic_arns == {"eu-west-1": EUROPE, "us-east-1": AMERICA}
    assert hub.queue_url == scene.QUEUE
    with tenancy.use(north.practice_side):
        assert due.next_look(LISTEN, hub.pk)


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"topic_arns": []}, "both a queue and at least one topic"),
        ({"queue_url": ""}, "both a queue and at least one topic"),
        ({"queue_url": "https://evil.example/111111111111/q"}, "not the address of a queue"),
        ({"queue_url": scene.QUEUE.replace("1" * 12, "2" * 12)}, "another account"),
        ({"topic_arns": ["latchkey-callback"]}, "not the ARN of a topic"),
        ({"topic_arns": [EUROPE.replace("1" * 12, "2" * 12)]}, "another account"),
        ({"topic_arns": [EUROPE, f"{EUROPE}-2"]}, "Each region has one topic"),
    ],
)
def test_a_call_back_that_aws_could_not_have_is_refused(
    north: Firm, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadHub, match=words):
        scene.set_up(north, **changes)
    with tenancy.use(north.practice_side):
        assert Hub.objects.get().queue_url == ""


FORM = {
    "account_id": "1111 1111 1111",
    "role_arn": "arn:aws:iam::111111111111:role/latchkey-hub",
    "region": "eu-west-1",
    "template_bucket": "latchkey-templates-111111111111",
    "queue_url": scene.QUEUE,
    "topic_arns": f"{EUROPE}\n{AMERICA}\n",
}


def _url(home: House, slug: str) -> str:
    with tenancy.use(home.stage.scope):
        return f"/console/awsaccess/hub/{Hub.objects.get().pk}/{slug}"


@pytest.mark.usefixtures("db")
def test_an_owner_enters_queue_and_topics_and_sees_what_was_dropped() -> None:
    home = house(agreed())
    answer = home.owner.post(_url(home, "edit/"), {"confirm": "yes", **FORM})
    assert answer.status_code == 302
    with tenancy.use(home.stage.scope):
        assert Hub.objects.get().topic_arns == {"eu-west-1": EUROPE, "us-east-1": AMERICA}
    page = home.owner.get(_url(home, "")).content.decode()
    for shown in (scene.QUEUE, "eu-west-1, us-east-1", "Messages that were dropped"):
        assert shown in page
    again = home.owner.get(_url(home, "edit/")).content.decode()
    assert f"{EUROPE}\n{AMERICA}" in again.replace("\r", "")


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("queue_url", "https://evil.example/1/q"),
        ("topic_arns", "arn:aws:sns:eu-west-1:222222222222:x"),
        ("topic_arns", ""),
    ],
)
def test_a_wrong_call_back_is_refused_at_its_field(field: str, value: str) -> None:
    home = house(agreed())
    answer = home.owner.post(_url(home, "edit/"), {"confirm": "yes", **FORM, field: value})
    assert answer.status_code == 422
    assert f'id="id_{field}_error"' in answer.content.decode()


# ---------------------------------------------------------------- the hub's own template


def test_the_hubs_template_is_taken_by_cloudformations_linter() -> None:
    assert faults_of(render_main()) == []
    assert faults_of(render_main(topics_also_in=("eu-central-1",))) == []
    assert faults_of(render_main(hub_role="")) == []
    arn = "arn:aws:sqs:eu-west-1:111111111111:latchkey-callback"
    assert faults_of(render_topic(queue_arn=arn)) == []


def test_anybody_may_publish_only_our_requests_pass_and_only_our_topics_deliver() -> None:
    body: Json = json.loads(render_main(topics_also_in=("eu-central-1",)))
    resources = body["Resources"]
    (publish,) = resources["TopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (publish["Principal"], publish["Action"]) == ({"AWS": "*"}, "sns:Publish")
    subscription = resources["Subscription"]["Properties"]
    assert subscription["FilterPolicyScope"] == "MessageBody"
    assert subscription["FilterPolicy"]["ResourceType"] == ["Custom::LatchkeyCallback"]
    assert subscription["RawMessageDelivery"] is False
    (deliver,) = resources["QueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert deliver["Principal"] == {"Service": "sns.amazonaws.com"}
    assert len(deliver["Condition"]["ArnEquals"]["aws:SourceArn"]) == 2
    assert resources["Queue"]["Properties"]["RedrivePolicy"]["maxReceiveCount"] == 20


def test_while_accesses_move_the_control_role_lets_in_both_hub_roles() -> None:
    made = render_main(hub_role="our-hub", also_hub_roles=("new/hub",))
    (statement,) = _control(made)["AssumeRolePolicyDocument"]["Statement"]
    names = [arn["Fn::Join"][1][-1] for arn in statement["Condition"]["ArnEquals"]["aws:PrincipalArn"]]
    assert names == [":role/our-hub", ":role/new/hub", ":role/latchkey-control"]
    assert faults_of(made) == []


def test_the_control_role_lets_in_the_hub_and_itself_and_may_only_ask() -> None:
    (statement,) = _control(render_main(hub_role="team/our-hub"))["AssumeRolePolicyDocument"]["Statement"]
    root, *allowed = (
        "".join(
            {"AWS::Partition": "aws", "AWS::AccountId": "1" * 12}.get(part["Ref"], "")
            if isinstance(part, dict)
            else part
            for part in arn["Fn::Join"][1]
        )
        for arn in (statement["Principal"]["AWS"], *statement["Condition"]["ArnEquals"]["aws:PrincipalArn"])
    )
    assert root == "arn:aws:iam::111111111111:root"
    assert allowed == [
        "arn:aws:iam::111111111111:role/team/our-hub",
        "arn:aws:iam::111111111111:role/latchkey-control",
    ]
    (policy,) = _control(render_main())["Policies"]
    (ask,) = policy["PolicyDocument"]["Statement"]
    # Roles that want named sessions can be asked only by who may name them (ADR 17).
    only_asking = ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]
    assert (ask["Effect"], ask["Action"]) == ("Allow", only_asking)
    assert ask["Resource"]["Fn::Join"][1][-1] == ":iam::*:role/latchkey-*"
    assert "ControlRole" not in json.loads(render_main(hub_role=""))["Resources"]


def test_cloudformation_makes_a_control_role_that_works(simulated: Simulated) -> None:
    """In a stranger's account, which has none: its hub enters it, and it enters itself."""
    sandbox, account = simulated.sandbox, STRANGER
    iam = sandbox.iam(account)
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": "sts:AssumeRole",
    }
    enter = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::*:role/latchkey-*"}
    iam.create_role(RoleName="latchkey-hub", AssumeRolePolicyDocument=_policy(trust))
    iam.put_role_policy(RoleName="latchkey-hub", PolicyName="hub", PolicyDocument=_policy(enter))
    template = json.loads(render_main())
    template["Resources"] = {"ControlRole": template["Resources"]["ControlRole"]}
    del template["Outputs"]
    stacks = sandbox.cloudformation(account)
    stacks.create_stack(
        StackName="control", TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    control = f"arn:aws:iam::{account}:role/latchkey-control"
    hub = sandbox.assume(sandbox.accounts[account].admin_keys, f"arn:aws:iam::{account}:role/latchkey-hub")
    inside = sandbox.assume(hub, control)
    sandbox.assume(inside, control)  # it may ask for itself, or this raises
    sandbox.assume(inside, control, SourceIdentity="latchkey-check", Tags=[{"Key": "a", "Value": "b"}])
    with pytest.raises(ClientError):
        sandbox.assume(sandbox.accounts[account].admin_keys, control)
    stacks.delete_stack(StackName="control")
    iam.delete_role_policy(RoleName="latchkey-hub", PolicyName="hub")
    iam.delete_role(RoleName="latchkey-hub")


def _policy(statement: Json) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _control(template: str) -> Json:
    return json.loads(template)["Resources"]["ControlRole"]["Properties"]


def test_the_command_prints_either_template() -> None:
    for words, expected in (
        ([], render_main()),
        (["--hub-role", "our-hub"], render_main(hub_role="our-hub")),
        (["--also-hub-role", "new/hub"], render_main(also_hub_roles=("new/hub",))),
        (["--without-control-role"], render_main(hub_role="")),
        (["--topic-in", "eu-central-1"], render_main(topics_also_in=("eu-central-1",))),
        (["--queue-arn", "arn:aws:sqs:eu-west-1:111111111111:q"], None),
    ):
        said = StringIO()
        call_command("hub_stack", *words, stdout=said)
        assert json.loads(said.getvalue())["Resources"]["Topic"]
        assert expected is None or said.getvalue() == expected


@pytest.mark.parametrize(
    "words", [["--topic-in", "europe"], ["--hub-role", "a b"], ["--also-hub-role", "*"], ["--queue-arn", "q"]]
)
def test_the_command_says_what_is_wrong(words: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("hub_stack", *words, stdout=StringIO())


def test_a_template_that_aws_would_refuse_is_not_rendered() -> None:
    with pytest.raises(BadHubStack):
        render_topic(queue_arn="arn:aws:sqs:*:111111111111:q")
