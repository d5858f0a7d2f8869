"""ARNs, IAM documents and links: whatever text goes in, a parser reads the same back."""

from __future__ import annotations

import datetime as dt
import json
import re
import string
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awsaccess.aws.arns import (
    BadAccountId,
    BadArn,
    RoleArn,
    assumed_role_parts,
    parse_account_id,
    session_name_for,
)
from awsaccess.policy import documents
from awsaccess.provision import links

HUB = "arn:aws:iam::111122223333:role/latchkey-hub"
EXTERNAL_ID = "2f1c7d0e-6f0b-4a52-9a3e-8d1f0c5b7e44"
END = dt.datetime(2026, 12, 18, 18, 0, tzinfo=dt.UTC)
WILD = st.text(alphabet=string.printable + "äöü*${}٤٥\u2028", max_size=60)
ARN_LIKE = st.builds(
    "arn:{}:iam::{}:role/{}".format,
    st.sampled_from(["aws", "aws-cn", "aws-us-gov", "aws-eusc", "AWS"]),
    st.text(alphabet="0123456789٤x", min_size=11, max_size=13),
    st.text(alphabet=string.ascii_letters + "/+=,.@_-*\n ", max_size=80),
)


@settings(max_examples=5000, deadline=None)
@given(st.one_of(ARN_LIKE, WILD))
def test_an_accepted_arn_is_rebuilt_to_the_same_text(text: str) -> None:
    try:
        arn = RoleArn.parse(text)
    except BadArn:
        return
    assert str(arn) == text
    assert text.isascii()
    assert not re.search(r"[\s*]", text)


@pytest.mark.parametrize(
    "arn", [HUB, "arn:aws:iam::111122223333:role/a/b/c", "arn:aws-cn:iam::111122223333:role/x.y@z"]
)
def test_good_arns_are_accepted(arn: str) -> None:
    assert str(RoleArn.parse(arn)) == arn


@pytest.mark.parametrize(
    "arn",
    [HUB + "\n", HUB + "*", HUB.replace("aws", "aws-eusc"), HUB.replace("role", "user"), HUB + "/" * 2, "x" * 2049,
     "arn:aws:sts::111122223333:assumed-role/x/y", "arn:aws:iam::111122223333:role/" + "p/" * 1100 + "x"],
)  # fmt: skip
def test_arn_tricks_are_refused(arn: str) -> None:
    with pytest.raises(BadArn):
        RoleArn.parse(arn)


@pytest.mark.parametrize("typed", ["441709265583", "4417 0926 5583", "4417-0926-5583", " 441709265583 "])
def test_an_account_number_is_read_as_people_type_it(typed: str) -> None:
    assert parse_account_id(typed) == "441709265583"


@pytest.mark.parametrize(
    "typed",
    ["", "44170926558", "4417092655834", "4417x9265583", "٤٤١٧٠٩٢٦٥٥٨٣", "000000000000", "441709265583\n"],
)
def test_what_is_no_account_number_is_refused_in_words(typed: str) -> None:
    with pytest.raises(BadAccountId, match="12 digits"):
        parse_account_id(typed)


def test_a_session_arn_gives_account_and_role_name() -> None:
    assert assumed_role_parts("arn:aws:sts::441709265583:assumed-role/latchkey-x/maya-1") == (
        "441709265583",
        "latchkey-x",
    )
    with pytest.raises(BadArn):
        assumed_role_parts(HUB)


@settings(max_examples=3000, deadline=None)
@given(WILD, WILD)
def test_a_session_name_is_always_one_that_sts_takes(person: str, code: str) -> None:
    assert re.fullmatch(r"[\w+=,.@-]{2,64}", session_name_for(person, code), re.ASCII)


def test_a_session_name_names_person_and_visit() -> None:
    assert session_name_for("Maya@northgate.example", "7qk2m4") == "Maya@northgate.example-7qk2m4"
    assert session_name_for("m" * 90, "7qk2m4").endswith("-7qk2m4")


def test_the_trust_policy_has_exactly_the_two_statements() -> None:
    assume, name = documents.trust_document(hub_role_arn=HUB, external_id=EXTERNAL_ID, expires_at=END)[
        "Statement"
    ]
    assert assume["Action"] == "sts:AssumeRole"
    assert assume["Principal"] == name["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}
    assert assume["Condition"] == {
        "StringEquals": {"sts:ExternalId": EXTERNAL_ID},
        "ArnEquals": {"aws:PrincipalArn": HUB},
        "DateLessThan": {"aws:CurrentTime": "2026-12-18T18:00:00Z"},
    }
    assert sorted(name["Action"]) == ["sts:SetSourceIdentity", "sts:TagSession"]
    assert name["Condition"] == {"ArnEquals": {"aws:PrincipalArn": HUB}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"external_id": "*" * 40},
        {"external_id": "${aws:username}" * 3},
        {"external_id": "short"},
        {"hub_role_arn": "arn:aws:iam::111122223333:role/*"},
        {"hub_role_arn": "arn:aws:iam::111122223333:root"},
        {"expires_at": END.replace(tzinfo=None)},
    ],
)
def test_a_trust_policy_that_opens_wider_is_not_written(wrong: dict[str, object]) -> None:
    right: dict[str, object] = {"hub_role_arn": HUB, "external_id": EXTERNAL_ID, "expires_at": END}
    with pytest.raises(documents.UnsafeDocument):
        documents.trust_document(**(right | wrong))  # type: ignore[arg-type]  # wrong on purpose


@settings(max_examples=3000, deadline=None)
@given(st.text(min_size=32, max_size=80))
def test_any_external_id_parses_back_and_changes_nothing_else(external_id: str) -> None:
    try:
        made = documents.trust_document(hub_role_arn=HUB, external_id=external_id, expires_at=END)
    except documents.UnsafeDocument:
        return
    read = json.loads(json.dumps(made))
    assert read["Statement"][0]["Condition"]["StringEquals"].pop("sts:ExternalId") == external_id
    plain = documents.trust_document(hub_role_arn=HUB, external_id=EXTERNAL_ID, expires_at=END)
    plain["Statement"][0]["Condition"]["StringEquals"].pop("sts:ExternalId")
    assert read == plain


def test_the_guards_deny() -> None:
    guards = [
        documents.self_expiry_statement(END.astimezone(dt.timezone(dt.timedelta(hours=5)))),
        documents.deny_sensitive_data_statement(),
        documents.deny_passing_on_statement(),
    ]
    assert all(guard["Effect"] == "Deny" and guard["Resource"] == "*" for guard in guards)
    assert guards[0]["Condition"] == {"DateGreaterThan": {"aws:CurrentTime": "2026-12-18T18:00:00Z"}}
    assert {"s3:GetObject", "secretsmanager:GetSecretValue", "kms:Decrypt"} <= set(guards[1]["Action"])
    assert {"iam:Delete*", "iam:Detach*", "iam:Put*", "iam:Set*", "iam:PassRole"} <= set(guards[2]["Action"])
    assert len(set(documents.SENSITIVE_ACTIONS)) == len(documents.SENSITIVE_ACTIONS)


def test_a_quick_create_link_reads_back_as_the_console_reads_it() -> None:
    template = links.template_url(
        bucket="latchkey-templates", region="eu-west-1", key="a b/t.json", version_id="v+/1"
    )
    link = links.quick_create_link(region="eu-west-1", template=template, stack_name="latchkey-access")
    address = urlsplit(link)
    assert (address.hostname, address.query) == ("eu-west-1.console.aws.amazon.com", "region=eu-west-1")
    path, _, query = address.fragment.partition("?")
    assert path == "/stacks/create/review"
    assert parse_qs(query, strict_parsing=True) == {
        "templateURL": [template],
        "stackName": ["latchkey-access"],
    }
    assert parse_qs(urlsplit(template).query) == {"versionId": ["v+/1"]}


@pytest.mark.parametrize(
    ("region", "partition", "origin"),
    [
        ("us-east-1", "aws", "https://console.aws.amazon.com"),
        ("eu-central-1", "aws", "https://eu-central-1.console.aws.amazon.com"),
        ("us-gov-west-1", "aws-us-gov", "https://console.amazonaws-us-gov.com"),
        ("cn-northwest-1", "aws-cn", "https://cn-northwest-1.console.amazonaws.cn"),
    ],
)
def test_each_partition_has_its_console(region: str, partition: str, origin: str) -> None:
    assert links.console_origin(region=region, partition=partition) == origin


def test_a_simulated_console_takes_the_place_of_awss() -> None:
    link = links.quick_create_link(
        region="eu-west-1", template="https://x", stack_name="a", console_base_url="http://127.0.0.1:1/"
    )
    assert link.startswith("http://127.0.0.1:1/cloudformation/home?region=eu-west-1#")


@pytest.mark.parametrize(
    "stack",
    [
        "latchkey-7qk2m4xw9p",
        "arn:aws:cloudformation:eu-west-1:441709265583:stack/latchkey-7qk2m4xw9p/51af3dc0-da77-11e4-872e-1234567db123",
    ],
)
def test_an_update_link_names_the_stack_and_the_template(stack: str) -> None:
    link = links.update_link(region="eu-west-1", template="https://x/t?versionId=v+1", stack=stack)
    address = urlsplit(link)
    assert (address.hostname, address.query) == ("eu-west-1.console.aws.amazon.com", "region=eu-west-1")
    place, _, query = address.fragment.partition("?")
    assert place == "/stacks/update/template"
    assert parse_qs(query, strict_parsing=True) == {
        "templateURL": ["https://x/t?versionId=v+1"],
        "stackId": [stack],
    }
    with pytest.raises(links.BadLink, match="neither"):
        links.update_link(region="eu-west-1", template="x", stack=f"{stack}&more")


def test_links_that_aws_would_refuse_are_not_made() -> None:
    with pytest.raises(links.BadLink, match="too long"):
        links.template_url(bucket="b", region="eu-west-1", key="k" * 1024, version_id="v")
    with pytest.raises(links.BadLink, match="pinned"):
        links.template_url(bucket="b", region="eu-west-1", key="k", version_id="")
    with pytest.raises(links.BadLink, match="stack's name"):
        links.quick_create_link(region="eu-west-1", template="x", stack_name="1&evil=2")
    with pytest.raises(links.BadLink, match="region"):
        links.console_origin(region="eu-west-1.evil.example")
    with pytest.raises(links.BadLink, match="partition"):
        links.console_origin(region="eu-west-1", partition="aws-iso")


def test_the_pure_libraries_load_neither_django_nor_boto3() -> None:
    program = "import sys, awsaccess.aws.arns, awsaccess.policy.documents, awsaccess.provision.links; print({'django', 'boto3'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
