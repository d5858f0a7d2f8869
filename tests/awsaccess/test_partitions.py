"""Each cell of AWS_FACTS §14 that is used, in every place that builds or takes an address of that partition."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, replace
from typing import Any, Final

import botocore.session
import pytest

from awsaccess.aws import arns
from awsaccess.aws.arns import PARTITIONS, BadAddress, BadArn, ConsoleService, RoleArn, assumed_role_parts
from awsaccess.aws.clients import Clients, Keys
from awsaccess.aws.gateway import HubIdentity
from awsaccess.aws.messages import QueueAddress, StackId, TopicArn
from awsaccess.policy.narrowing import Narrowing, session_policy_arns
from awsaccess.provision import links
from awsaccess.provision.access_stack import AccessGrantSpec, BadGrant, expected_role, render_template

CLIENT: Final = "441709265583"
OURS: Final = "111111111111"
KEYS: Final = Keys(access_key_id="x", secret_access_key="x", session_token=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One partition as AWS_FACTS §14 writes it; `elsewhere` is a region whose hosts carry a prefix."""

    name: str
    suffix: str
    console: str
    signin: str
    bare: str
    elsewhere: str


ROWS: Final = {
    row.name: row
    for row in (
        Row(
            name="aws",
            suffix="amazonaws.com",
            console="console.aws.amazon.com",
            signin="signin.aws.amazon.com",
            bare="us-east-1",
            elsewhere="eu-west-1",
        ),
        Row(
            name="aws-us-gov",
            suffix="amazonaws.com",
            console="console.amazonaws-us-gov.com",
            signin="signin.amazonaws-us-gov.com",
            bare="us-gov-west-1",
            elsewhere="us-gov-east-1",
        ),
        Row(
            name="aws-cn",
            suffix="amazonaws.com.cn",
            console="console.amazonaws.cn",
            signin="signin.amazonaws.cn",
            bare="cn-north-1",
            elsewhere="cn-northwest-1",
        ),
    )
}
each_partition = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
PAIRS: Final = [(one, other) for one in ROWS.values() for other in ROWS.values() if one is not other]
two_partitions = pytest.mark.parametrize(("row", "other"), PAIRS, ids=lambda row: row.name)


def spec_in(row: Row) -> AccessGrantSpec:
    return AccessGrantSpec(
        practice_name="Northgate Cloud",
        client_name="Brightwater Dental",
        engagement_code="7qk2m4xw9p",
        hub_account_id=OURS,
        hub_role_arn=f"arn:{row.name}:iam::{OURS}:role/latchkey-hub",
        external_id="2f1c7d0e-6f0b-4a52-9a3e-8d1f0c5b7e44",
        expires_at=dt.datetime(2026, 12, 18, 18, tzinfo=dt.UTC),
        managed_policy_arns=("arn:aws:iam::aws:policy/ReadOnlyAccess",),
        look_only=True,
        partition=row.name,
        names_required=True,
        callback_topics=((row.elsewhere, f"arn:{row.name}:sns:{row.elsewhere}:{OURS}:latchkey-callback"),),
        callback_token="t" * 32,
    )


def test_exactly_these_are_offered() -> None:
    assert set(PARTITIONS) == set(ROWS)
    for name in ("aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "AWS", ""):
        with pytest.raises(BadAddress):
            arns.partition_named(name)
        with pytest.raises(BadArn):
            RoleArn.parse(f"arn:{name}:iam::{CLIENT}:role/latchkey-7qk2m4xw9p")


@each_partition
def test_its_regions_are_botocores(row: Row) -> None:
    """None of its own is refused, and none of another partition's is taken."""
    session = botocore.session.get_session()
    own = session.get_available_regions("sts", partition_name=row.name)
    assert {row.bare, row.elsewhere} <= set(own)
    assert [PARTITIONS[row.name].check_region(region) for region in own] == own
    for other in {"aws", "aws-us-gov", "aws-cn", "aws-eusc", "aws-iso"} - {row.name}:
        for region in session.get_available_regions("sts", partition_name=other):
            with pytest.raises(BadAddress):
                PARTITIONS[row.name].check_region(region)


@each_partition
def test_sts_is_asked_in_its_region(row: Row) -> None:
    """Tokens of the global endpoint are not good in regions that have to be switched on (AWS_FACTS §6)."""
    clients = Clients(endpoint_url=None, attempts=1, sts_attempts=1)
    for region in (row.bare, row.elsewhere):
        client: Any = clients.sts(region, KEYS)  # Any: its types do not tell the address
        assert client.meta.endpoint_url == f"https://sts.{region}.{row.suffix}"


@each_partition
def test_console_and_sign_in(row: Row) -> None:
    for region, prefix in ((row.bare, ""), (row.elsewhere, f"{row.elsewhere}.")):
        console = f"https://{prefix}{row.console}"
        assert arns.console_origin(row.name, region) == console
        assert links.console_origin(region=region, partition=row.name) == console
        assert arns.signin_endpoint(row.name, region) == f"https://{prefix}{row.signin}/federation"
        found = arns.console_destination(row.name, region, ConsoleService.EC2)
        assert found == f"{console}/ec2/home?region={region}"


@two_partitions
def test_a_region_of_another_partition_leads_nowhere(row: Row, other: Row) -> None:
    with pytest.raises(BadAddress):
        arns.console_origin(row.name, other.elsewhere)
    with pytest.raises(BadAddress):
        arns.signin_endpoint(row.name, other.elsewhere)
    with pytest.raises(BadArn):
        TopicArn.parse(f"arn:{row.name}:sns:{other.elsewhere}:{OURS}:latchkey-callback")
    with pytest.raises(BadArn):
        StackId.parse(
            f"arn:{row.name}:cloudformation:{other.elsewhere}:{CLIENT}:stack/a/5f0c1e9a-0000-4000-8000-000000000000"
        )


@each_partition
def test_links_into_cloudformation(row: Row) -> None:
    template = links.template_url(
        bucket="latchkey-templates", region=row.elsewhere, key="a.json", version_id="v", partition=row.name
    )
    assert template == f"https://latchkey-templates.s3.{row.elsewhere}.{row.suffix}/a.json?versionId=v"
    start = f"https://{row.elsewhere}.{row.console}/cloudformation/home?region={row.elsewhere}#/stacks"
    made = {
        "create/review": links.quick_create_link(
            region=row.elsewhere, template=template, stack_name="latchkey", partition=row.name
        ),
        "update/template": links.update_link(
            region=row.elsewhere, template=template, stack="latchkey", partition=row.name
        ),
        "": links.stacks_link(region=row.elsewhere, stack_name="latchkey", partition=row.name),
    }
    for place, link in made.items():
        assert link.startswith(f"{start}/{place}?" if place else f"{start}?")


@each_partition
def test_queue_topic_and_stack(row: Row) -> None:
    queue = QueueAddress.parse(f"https://sqs.{row.elsewhere}.{row.suffix}/{OURS}/latchkey-callback")
    assert (queue.partition, queue.region) == (row.name, row.elsewhere)
    topic = TopicArn.parse(f"arn:{row.name}:sns:{row.elsewhere}:{OURS}:latchkey-callback")
    assert (topic.partition, str(topic).split(":")[1]) == (row.name, row.name)


@each_partition
def test_arns_of_roles_and_sessions(row: Row) -> None:
    text = f"arn:{row.name}:iam::{CLIENT}:role/latchkey-7qk2m4xw9p"
    assert (str(RoleArn.parse(text)), RoleArn.parse(text).partition) == (text, row.name)
    session = f"arn:{row.name}:sts::{CLIENT}:assumed-role/latchkey-7qk2m4xw9p/maya"
    assert assumed_role_parts(session) == (CLIENT, "latchkey-7qk2m4xw9p")
    hub = HubIdentity(
        practice_code="northgate",
        account_id=OURS,
        role_arn=f"arn:{row.name}:iam::{OURS}:role/latchkey-hub",
        region=row.elsewhere,
        template_bucket="b",
        partition=row.name,
    )
    assert hub.control_role_arn == f"arn:{row.name}:iam::{OURS}:role/latchkey-control"
    assert session_policy_arns(Narrowing(read_only=True), partition=row.name) == (
        f"arn:{row.name}:iam::aws:policy/ReadOnlyAccess",
    )


@each_partition
def test_the_template_and_the_role_that_it_makes(row: Row) -> None:
    spec = spec_in(row)
    role = expected_role(spec, CLIENT)
    foreign = [f'"arn:{name}:' for name in ROWS if name != row.name]
    for document in (role.trust_document, *role.inline_documents.values()):
        assert not [start for start in foreign if start in json.dumps(document)]
    assert role.trust_document["Statement"][0]["Principal"] == {"AWS": f"arn:{row.name}:iam::{OURS}:root"}
    assert role.attached_policy_arns == {f"arn:{row.name}:iam::aws:policy/ReadOnlyAccess"}
    template = render_template(spec)
    assert not [start for start in foreign if start in template]
    assert '"AWS::Partition"' in template


@two_partitions
def test_nothing_crosses_from_one_to_another(row: Row, other: Row) -> None:
    for wrong in (
        {"hub_role_arn": f"arn:{other.name}:iam::{OURS}:role/latchkey-hub"},
        {
            "callback_topics": (
                (row.elsewhere, f"arn:{other.name}:sns:{row.elsewhere}:{OURS}:latchkey-callback"),
            )
        },
        {
            "statements": (
                {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:{other.name}:s3:::b"},
            )
        },
    ):
        with pytest.raises(BadGrant):
            render_template(replace(spec_in(row), **wrong))
