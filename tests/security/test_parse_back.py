"""Any text goes into each generator that exists, a real parser reads the output: the value is there, the rest constant."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import email
import email.policy
import html.parser
import io
import json
import re
import shlex
import subprocess
from collections.abc import Callable
from email.message import EmailMessage
from types import SimpleNamespace
from typing import Any, Final, cast
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from awsaccess.aws import arns
from awsaccess.aws.gateway import AssumeRequest, SessionCredentials
from awsaccess.policy.documents import UnsafeDocument, trust_document
from awsaccess.provision import links
from awsaccess.provision.access_stack import BadGrant, render_template, shown_name
from awsaccess.provision.cli_keys import forms_of
from awsaccess.provision.ways import (
    REFERENCE,
    BadWay,
    StackAsk,
    connect_script,
    delete_script,
    end_sessions_script,
    terraform,
)
from portal.kernel import mail, tenancy
from portal.kernel.spreadsheets import FORMULA, csv_text
from portal.pages.compose import question_mail
from portal.pages.frames import Desk
from tests.awsaccess.test_access_stack import END, LIST_BUCKETS, SPEC, with_
from tests.pages import stage
from tests.security.hostile import HOSTILE, PIECES, THOROUGH

Json = Any  # Any: parsed JSON nests as it likes
INTRINSICS: Final = {"Ref", "Fn::Join", "Fn::GetAtt"}
HUB: Final = "arn:aws:iam::111111111111:role/latchkey-hub"


def keys_of(node: Json) -> set[str]:
    """Every key at any depth."""
    if isinstance(node, dict):
        return set(node).union(*map(keys_of, node.values()))
    return set().union(*map(keys_of, node)) if isinstance(node, list) else set()


# CloudFormation.


def without_names(template: Json) -> Json:
    """The template with its three places for free text taken out."""
    role = template["Resources"]["AccessRole"]["Properties"]
    assert template.pop("Description") == role.pop("Description")
    for tag in role["Tags"]:
        tag.pop("Value")
    return template


PLAIN_TEMPLATE: Final = without_names(json.loads(render_template(SPEC)))


@THOROUGH
@given(practice=HOSTILE, client=HOSTILE)
def test_names_come_back_from_a_template_and_change_nothing_else(practice: str, client: str) -> None:
    text = render_template(with_(practice_name=practice, client_name=client))
    template = json.loads(text)
    tags = template["Resources"]["AccessRole"]["Properties"]["Tags"]
    assert [tag["Value"] for tag in tags] == [
        shown_name(client, otherwise="-"),
        SPEC.engagement_code,
        shown_name(practice, otherwise="-"),
    ]
    assert without_names(template) == PLAIN_TEMPLATE
    assert not [name for name in keys_of(template) - INTRINSICS if name.startswith("Fn::")]
    assert "{{" not in text
    assert "${" not in text


# Scripts and Terraform.

ASK: Final = StackAsk(
    account_id="441709265583",
    region="eu-west-1",
    stack_name="latchkey-7qk2m4xw9p",
    template_url="https://b-1.s3.eu-west-1.amazonaws.com/k?versionId=v",
)
TEMPLATE: Final = "https://b-1.s3.eu-west-1.amazonaws.com/k?versionId="
ASKED: Final = st.builds(
    StackAsk,
    account_id=st.just(ASK.account_id) | HOSTILE,
    region=st.just(ASK.region) | HOSTILE,
    stack_name=st.just(ASK.stack_name) | HOSTILE,
    template_url=HOSTILE.map(TEMPLATE.__add__),
    partition=st.just("aws") | HOSTILE,
)


def head_and_rest(script: str) -> tuple[list[str], str]:
    """The lines that set values, and all others."""
    lines = script.splitlines()
    values = [line for line in lines if re.match(r"(account|region|stack|template)=", line)]
    return values, "\n".join(line for line in lines if line not in values)


def printed_by_a_shell(script: str) -> list[str]:
    """The words that a script shows, each with a NUL behind it, as a real shell in an empty environment understands it."""
    done = subprocess.run(["/bin/sh", "-eu"], input=script.encode(), capture_output=True, env={}, check=True)
    assert done.stderr == b""
    return done.stdout.decode().split("\0")[:-1]


def shown(*names: str) -> str:
    """A line that shows these variables."""
    return "printf '%s\\0' " + " ".join('"${' + name + '-}"' for name in names)


def collected(strategy: st.SearchStrategy[Any]) -> list[Any]:  # Any: as the strategy has it
    """As many examples as every generator gets, to be asked in few processes."""
    found: list[Any] = []

    @THOROUGH
    @given(one=strategy)
    def collect(one: Any) -> None:
        found.append(one)

    collect()
    return found


@THOROUGH
@given(ask=ASKED)
def test_a_script_of_any_values_is_refused_or_holds_them_as_one_word_each(ask: StackAsk) -> None:
    for write in (connect_script, end_sessions_script, delete_script):
        try:
            script = write(ask)
        except BadWay:
            continue
        values, rest = head_and_rest(script)
        assert rest == head_and_rest(write(ASK))[1]
        given = [ask.account_id, ask.region, ask.stack_name, ask.template_url]
        words = [shlex.split(line.partition("=")[2]) for line in values]
        assert words == [[value] for value in given[: len(values)]]


AT_ONCE: Final = 250


@pytest.mark.parametrize("write", [connect_script, end_sessions_script, delete_script])
def test_a_real_shell_reads_those_words_too(write: Callable[[StackAsk], str]) -> None:
    asks = [dataclasses.replace(ASK, template_url=TEMPLATE + url) for url in collected(HOSTILE)]
    scripts = []
    for ask in asks:
        with contextlib.suppress(BadWay):
            scripts.append((ask, write(ask)))
    assert len(scripts) > len(asks) / 20
    for at in range(0, len(scripts), AT_ONCE):
        some = scripts[at : at + AT_ONCE]
        whole = "\n".join(script for _, script in some)
        subprocess.run(["/bin/sh", "-n"], input=whole.encode(), check=True)
        heads = ["\n".join(head_and_rest(script)[0]) for _, script in some]
        show = shown("account", "region", "stack", "template")
        words = printed_by_a_shell("\n".join(f"{head}\n{show}" for head in heads))
        template = [ask.template_url if write is not delete_script else "" for ask, _ in some]
        assert words == [
            word for url in template for word in (ASK.account_id, ASK.region, ASK.stack_name, url)
        ]


SETTINGS: Final = ("access_key_id", "secret_access_key", "session_token")


def test_credentials_of_any_letters_are_one_word_each_to_a_real_shell() -> None:
    """What comes from AWS, and the name they are kept under; `aws` shows here what it was called with."""
    found = [text.replace("\0", "") for text in collected(HOSTILE)]
    for at in range(0, len(found), AT_ONCE):
        script, expected = ["aws() { printf '%s\\0' \"$@\"; }"], list[str]()
        for text in found[at : at + AT_ONCE]:
            values = (f"A{text}", f"{text}B", text)
            forms = forms_of(credentials_of(*values), region="eu-west-1", profile=text)
            assert json.loads(forms.process)["SecretAccessKey"] == f"{text}B"
            script += [forms.env, shown(*(f"AWS_{name.upper()}" for name in SETTINGS)), forms.configure]
            expected += values
            for name, value in (*zip(SETTINGS, values, strict=True), ("region", "eu-west-1")):
                key = name if name == "region" else f"aws_{name}"
                expected += ["configure", "set", key, value, "--profile", text]
        assert printed_by_a_shell("\n".join(script)) == expected


def credentials_of(key: str, secret: str, token: str) -> SessionCredentials:
    return SessionCredentials(
        access_key_id=key,
        secret_access_key=secret,
        session_token=token,
        expires_at=END,
        assumed_role_id="AROAEXAMPLE:maya",
        session_arn="arn:aws:sts::441709265583:assumed-role/latchkey-x/maya",
    )


def unescaped(node: Json) -> Json:
    """As Terraform reads its JSON: the two interpolations, written twice, stand for themselves."""
    if isinstance(node, dict):
        return {key: unescaped(value) for key, value in node.items()}
    if isinstance(node, list):
        return [unescaped(value) for value in node]
    if not isinstance(node, str) or node == REFERENCE:
        return node
    assert not re.search(r"(?<!\$)\$\{|(?<!%)%\{", node)
    return node.replace("$${", "${").replace("%%{", "%{")


@THOROUGH
@given(ask=ASKED)
def test_a_terraform_file_of_any_values_is_refused_or_holds_them_literally(ask: StackAsk) -> None:
    try:
        found = unescaped(json.loads(terraform(ask)))
    except BadWay:
        return
    plain = json.loads(terraform(ASK))
    stack = plain["resource"]["aws_cloudformation_stack"]["latchkey"]
    stack |= {"name": ask.stack_name, "template_url": ask.template_url}
    plain["provider"]["aws"] = {"region": ask.region, "allowed_account_ids": [ask.account_id]}
    assert found == plain


# Spreadsheets.


@THOROUGH
@given(rows=st.lists(st.tuples(HOSTILE, HOSTILE), max_size=4))
def test_a_table_of_any_cells_comes_back_and_calculates_nothing(rows: list[tuple[str, str]]) -> None:
    text = csv_text(("one", "two"), rows)
    header, *found = csv.reader(io.StringIO(text, newline=""))
    assert header == ["one", "two"]
    assert [
        tuple(cell.removeprefix("'") if FORMULA.match(cell[1:]) else cell for cell in row) for row in found
    ] == [tuple(cell.removeprefix("'") if FORMULA.match(cell[1:]) else cell for cell in row) for row in rows]
    assert not [cell for row in found for cell in row if FORMULA.match(cell)]


@pytest.mark.parametrize("first", "=+-@|\t\r\n\uff1d\uff0b\uff0d\uff20")
def test_whatever_begins_a_formula_is_shown_as_text(first: str) -> None:
    (cell,) = next(csv.reader(io.StringIO(csv_text((f"{first}1+1",), ()), newline="")))
    assert cell == f"'{first}1+1"


# IAM.


@THOROUGH
@given(action=HOSTILE, resource=HOSTILE, key=HOSTILE, value=HOSTILE)
def test_a_statement_of_any_text_is_refused_or_stands_alone_and_literal(
    action: str, resource: str, key: str, value: str
) -> None:
    statement = {
        "Effect": "Allow",
        "Action": f"s3:{action}",
        "Resource": f"arn:aws:s3:::{resource}",
        "Condition": {"StringEquals": {f"aws:{key}": value}},
    }
    try:
        text = render_template(with_(statements=(statement,)))
    except BadGrant:
        return
    (policy,) = json.loads(text)["Resources"]["AccessRole"]["Properties"]["Policies"]
    first, *guards = policy["PolicyDocument"]["Statement"]
    assert first == statement
    assert [guard["Sid"] for guard in guards] == ["ReadSelf", "SelfExpiry", "NoPassingOn", "NoContents"]
    assert not re.search(r"\$\{|\{\{|[\x00-\x1f\x7f]", json.dumps(statement, ensure_ascii=False))


@THOROUGH
@given(external_id=HOSTILE | HOSTILE.map(lambda text: text + "0" * 32), role=HOSTILE)
def test_a_trust_policy_names_one_role_and_one_literal_or_is_not_written(external_id: str, role: str) -> None:
    try:
        document = trust_document(hub_role_arn=f"{HUB}{role}", external_id=external_id, expires_at=END)
    except UnsafeDocument:
        return
    enter, name = json.loads(json.dumps(document))["Statement"]
    assert enter["Condition"]["StringEquals"] == {"sts:ExternalId": external_id}
    assert enter["Principal"] == name["Principal"] == {"AWS": "arn:aws:iam::111111111111:root"}
    assert enter["Condition"]["ArnEquals"] == {"aws:PrincipalArn": f"{HUB}{role}"}
    assert not re.search(r"[*?\s]|\$\{", f"{HUB}{role}")
    assert not re.search(r"[*?]|\$\{", external_id)


@THOROUGH
@given(who=HOSTILE, visit=st.uuids())
def test_any_person_is_named_to_sts_in_its_own_alphabet(who: str, visit: Any) -> None:  # Any: a UUID
    name = arns.session_name_for(who, visit.hex[:12])
    request = AssumeRequest(
        role_arn=HUB,
        external_id=None,
        role_session_name=name,
        duration_seconds=900,
        tags=(("latchkey:visit", str(visit)),),
    )
    assert re.fullmatch(r"[A-Za-z0-9_+=,.@-]{2,64}", request.role_session_name)
    assert name.endswith(f"-{visit.hex[:12]}")
    parts = arns.assumed_role_parts(f"arn:aws:sts::441709265583:assumed-role/latchkey-x/{name}")
    assert parts == ("441709265583", "latchkey-x")


# Links.


@THOROUGH
@given(key=HOSTILE, version=HOSTILE, name=HOSTILE)
def test_a_link_to_make_a_stack_leads_to_aws_with_exactly_its_parameters(
    key: str, version: str, name: str
) -> None:
    try:
        template = links.template_url(bucket="b-1", region="eu-west-1", key=key, version_id=version)
        link = links.quick_create_link(region="eu-west-1", template=template, stack_name=f"a{name}")
    except links.BadLink:
        return
    parts = urlsplit(link)
    assert (parts.scheme, parts.netloc) == ("https", "eu-west-1.console.aws.amazon.com")
    assert (parts.path, parts.query) == ("/cloudformation/home", "region=eu-west-1")
    page, _, query = parts.fragment.partition("?")
    assert page == "/stacks/create/review"
    assert dict(parse_qsl(query, strict_parsing=True)) == {"templateURL": template, "stackName": f"a{name}"}
    assert query.count("&") == 1
    inside = urlsplit(template)
    assert inside.netloc == "b-1.s3.eu-west-1.amazonaws.com"
    assert parse_qs(inside.query, strict_parsing=True) == {"versionId": [version]}
    assert inside.fragment == ""


@THOROUGH
@given(partition=HOSTILE | st.sampled_from(["aws", "aws-cn"]), region=HOSTILE, service=HOSTILE)
def test_the_console_destination_is_aws_or_nothing(partition: str, region: str, service: str) -> None:
    for tried in (region, f"eu-west-1{region}", f"{region}eu-west-1"):
        try:
            url = arns.console_destination(partition, tried, cast("arns.ConsoleService", service or "ec2"))
        except (arns.BadAddress, ValueError):
            continue
        hosts = tuple(f".{world.console_host}" for world in arns.PARTITIONS.values())
        assert f".{urlsplit(url).hostname}".endswith(hosts)


def desk(**over: str) -> Desk:
    """As much of a desk as the two letters read."""
    lead = SimpleNamespace(name="Maya", first_name="Maya", phone="", email="maya@northgate.example")
    lead.__dict__.update({name[5:]: value for name, value in over.items() if name.startswith("lead_")})
    frame = SimpleNamespace(
        practice=over.get("practice", "Northgate"),
        title=over.get("title", "Costs"),
        lead=lead,
        me=SimpleNamespace(name=over.get("me", "Sam")),
    )
    return cast("Desk", SimpleNamespace(frame=frame, engagement=SimpleNamespace(account_id="441709265583")))


def sent_by(link: str) -> tuple[str, dict[str, list[str]]]:
    """The address and the fields that a mail program reads from a link (RFC 6068)."""
    parts = urlsplit(link)
    assert parts.scheme == "mailto"
    assert parts.fragment == ""
    return parts.path, parse_qs(parts.query, strict_parsing=True, keep_blank_values=True, separator="&")


@pytest.mark.parametrize(
    "address",
    [
        "maya?bcc=eve%40evil.example&x=@northgate.example",
        "maya&cc=x@northgate.example",
        "m%40x@northgate.example",
    ],
)
def test_a_question_goes_to_the_lead_and_to_nobody_else(address: str) -> None:
    to, fields = sent_by(question_mail(desk(lead_email=address, title="Costs & more?")))
    assert unquote(to) == address
    assert fields == {"subject": ["Question about “Costs & more?”"]}


@pytest.mark.django_db
def test_the_leads_address_on_every_page_is_one_address_and_no_fields() -> None:
    scene = stage.active()
    odd = "maya?bcc=eve&x=@northgate.example"
    with tenancy.use(scene.scope):
        User.objects.filter(pk=scene.maya.pk).update(email=odd)
    page = scene.browser().get(scene.path()).content.decode()
    found = [html.unescape(link) for link in re.findall(r'href="(mailto:[^"]*)"', page)]
    assert found
    for link in found:
        to, _, query = link.removeprefix("mailto:").partition("?")
        assert unquote(to) == odd
        assert "bcc" not in query


# Mail.

HEADERS: Final = {
    "Content-Type", "MIME-Version", "Subject", "From", "To", "Reply-To", "Date", "Message-ID", "Auto-Submitted",
    "X-Portal-Reason", "List-Id", "In-Reply-To", "References", "Content-Transfer-Encoding",
}  # fmt: skip


def received(letter: mail.Letter) -> EmailMessage:
    """The letter as the other side's parser reads it from the bytes on the wire."""
    parsed = email.message_from_bytes(mail._message(letter).message().as_bytes(), policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


@THOROUGH
@given(subject=HOSTILE, name=HOSTILE, other=HOSTILE)
def test_a_letter_of_any_words_has_our_headers_and_one_sender(subject: str, name: str, other: str) -> None:
    letter = mail.Letter(
        to="sam@brightwater.example",
        subject=subject,
        text=other,
        from_name=name,
        reason=other,
        list_label="northgate",
        thread=other,
        message_key="outbox-1",
    )
    found = received(letter)
    assert set(found.keys()) <= HEADERS
    assert len(found.keys()) == len(set(found.keys()))
    (sender,) = found["From"].addresses
    assert sender.addr_spec == "portal@northgate.example"
    assert [to.addr_spec for to in found["To"].addresses] == ["sam@brightwater.example"]
    assert str(found["Subject"]).split() == mail.one_line(subject).split()
    assert found["Message-ID"] == mail.message_id("outbox-1")
    assert found.get_content_type() == "text/plain"


@THOROUGH
@given(local=HOSTILE, host=HOSTILE)
def test_an_address_is_one_address_or_none(local: str, host: str) -> None:
    for address in (f"{local}@{host}.example", f"sam{local}@brightwater.example", f"sam@{host}"):
        try:
            letter = mail.Letter(to=address, subject="x", text="x", message_key="k", reply_to=address)
        except ValidationError:
            continue
        found = received(letter)
        box, _, domain = address.rpartition("@")
        on_the_wire = f"{box}@{domain.encode('idna').decode()}".lower()
        assert [to.addr_spec.lower() for to in found["To"].addresses] == [on_the_wire]
        assert len(found["Reply-To"].addresses) == 1


class Skeleton(html.parser.HTMLParser):
    """The tags of a page with the names of their attributes, without any text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def skeleton(text: str) -> Skeleton:
    found = Skeleton()
    found.feed(text)
    return found


def invitation_of(name: str) -> mail.Letter:
    """The plain invitation, in which every name is this one."""
    person = SimpleNamespace(first_name=name, name=name, email="sam@brightwater.example")
    practice = SimpleNamespace(name=name, legal_name=name, address=name, support_email="a@b.example")
    context = {
        "person": person,
        "inviter": person,
        "practice": practice,
        "client": SimpleNamespace(name=name),
        "url": "http://testserver/i/x/",
        "invitation": SimpleNamespace(),
    }
    return mail.compose("invitation", context, to=person.email, from_name=name, message_key="k")


@pytest.mark.parametrize("piece", PIECES)
def test_a_name_in_a_mail_is_words_and_never_markup_or_a_template(piece: str) -> None:
    letter, plain = invitation_of(f"Zq{piece}qZ"), invitation_of("Zq-qZ")
    assert skeleton(letter.html).tags == skeleton(plain.html).tags
    assert letter.text.count("Zq") == plain.text.count("Zq")
    assert f"Zq{piece}qZ" in letter.text
    assert "test-secret-key" not in letter.text + letter.html


# What stacks are named by.


@THOROUGH
@given(region=HOSTILE, code=HOSTILE)
def test_regions_and_names_of_stacks_need_no_quote(region: str, code: str) -> None:
    """What is accepted for a region and an engagement's code has no special character."""
    for tried in (region, f"eu-west-1{region}"):
        try:
            accepted = arns.partition_named("aws").check_region(tried)
        except arns.BadAddress:
            continue
        assert re.fullmatch(r"[a-z0-9-]+", accepted)
    try:
        spec = dataclasses.replace(SPEC, engagement_code=f"abcd{code}", statements=(LIST_BUCKETS,))
        assert re.fullmatch(r"latchkey-[a-z0-9]+", spec.role_name)
    except BadGrant:
        return
