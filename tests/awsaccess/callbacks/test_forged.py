"""Messages that no stack of ours sent: none leaves a trace but a dead letter with its reason, and none reaches the way out.

The way out is the real one; any name that it resolves and any connection that it begins is noted.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any, Final

import pytest

from awsaccess.aws.answering import BadResponseUrl, response_address
from awsaccess.aws.messages import StackId
from awsaccess.callback import DEEPEST, LONGEST_BODY, Hint, Reason, Refusal, read_message
from awsaccess.models import DeadLetter
from awsaccess.services import callbacks as service
from portal.kernel import tenancy
from tests.awsaccess.callbacks import scene
from tests.awsaccess.callbacks.scene import HOST, Spy, envelope, request, response_url, stack_id
from tests.awsaccess.services.cast import Case
from tests.awsaccess.services.worlds import InMemory
from tests.factories import ACCOUNT_ID, Firm
from tests.plugins.sandbox_process import HARBOUR, NORTHGATE, STRANGER

TOKEN: Final = "A" * 32
ROLE: Final = f"arn:aws:iam::{ACCOUNT_ID}:role/latchkey-abcd1234"
Make = Callable[[str, str], str]
"""From the real token and role to a message: also who has seen our template can forge."""


def changed(kind: str = "Create", **changes: Any) -> Make:  # Any: JSON
    return lambda token, role: envelope(request(token, role, kind, **changes))


def wrapped(**changes: Any) -> Make:  # Any: JSON
    return lambda token, role: envelope(request(token, role), **changes)


def with_property(name: str, value: object) -> Make:
    return changed(properties={name: value})


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + closing * depth


def twice(name: str) -> Make:
    def make(token: str, role: str) -> str:
        text = json.dumps(request(token, role))
        return envelope(text.replace("{", f'{{"{name}": "x", ', 1))

    return make


def twice_deep(token: str, role: str) -> str:
    text = json.dumps(request(token, role))
    return envelope(text.replace('"Token"', '"Token": "x", "Token"', 1))


def twice_outside(token: str, role: str) -> str:
    return envelope(request(token, role)).replace("{", '{"Message": "x", ', 1)


OTHER_STACK: Final = stack_id(STRANGER)
US: Final = stack_id(region="us-east-1")
FORGED: Final[dict[str, tuple[Make, Reason]]] = {
    # not even a message
    "empty": (lambda _t, _r: "", Reason.NOT_JSON),
    "text": (lambda _t, _r: "hello", Reason.NOT_JSON),
    "a number": (lambda _t, _r: "42", Reason.NOT_JSON),
    "null": (lambda _t, _r: "null", Reason.NOT_JSON),
    "a list": (lambda _t, _r: "[]", Reason.NOT_JSON),
    "cut off": (lambda t, r: envelope(request(t, r))[:-5], Reason.NOT_JSON),
    "two documents": (lambda t, r: envelope(request(t, r)) * 2, Reason.NOT_JSON),
    "NaN": (lambda _t, _r: '{"Type": NaN}', Reason.NOT_JSON),
    "Infinity inside": (lambda _t, _r: envelope('{"RequestType": -Infinity}'), Reason.NOT_JSON),
    "a NUL": (lambda _t, _r: '{"Type": "\x00"}', Reason.NOT_JSON),
    "a byte order mark": (lambda t, r: "\ufeff" + envelope(request(t, r)), Reason.NOT_JSON),
    "half a surrogate": (lambda _t, _r: '{"Type": "\ud800"}', Reason.NOT_UTF8),
    "half a surrogate, escaped": (lambda _t, _r: envelope('{"a": "\\ud800"}'), Reason.NOT_A_REQUEST),
    "XML": (lambda _t, _r: "<Message/>", Reason.NOT_JSON),
    # too much of it
    "a megabyte": (lambda _t, _r: '{"Type": "' + "x" * 2**20 + '"}', Reason.TOO_LARGE),
    "one byte too long": (lambda _t, _r: '"' + "x" * (LONGEST_BODY - 1) + '"', Reason.TOO_LARGE),
    "a thousand members": (
        lambda _t, _r: json.dumps({str(number): 1 for number in range(1000)}),
        Reason.TOO_LARGE,
    ),
    "lists in lists": (lambda _t, _r: nested(DEEPEST + 1), Reason.TOO_DEEP),
    "ten thousand lists": (lambda _t, _r: nested(10_000), Reason.TOO_DEEP),
    "ten thousand lists inside": (lambda _t, _r: envelope(nested(10_000)), Reason.TOO_DEEP),
    "never closed": (lambda _t, _r: "[" * 30_000, Reason.TOO_DEEP),
    "objects in properties": (
        with_property("x", json.loads(nested(8, '{"a":', "}").replace(":}", ":1}"))),
        Reason.TOO_DEEP,
    ),
    "a number of 60,000 digits": (lambda _t, _r: "9" * 60_000, Reason.NOT_JSON),
    # a name twice
    "RequestType twice": (twice("RequestType"), Reason.TWICE),
    "ResponseURL twice": (twice("ResponseURL"), Reason.TWICE),
    "StackId twice": (twice("StackId"), Reason.TWICE),
    "Token twice": (twice_deep, Reason.TWICE),
    "Message twice": (twice_outside, Reason.TWICE),
    # not by our topic
    "without its wrapping": (lambda t, r: json.dumps(request(t, r)), Reason.NOT_FROM_SNS),
    "a confirmation": (wrapped(Type="SubscriptionConfirmation"), Reason.NOT_FROM_SNS),
    "no message id": (wrapped(MessageId=None), Reason.NOT_FROM_SNS),
    "a message id of a list": (wrapped(MessageId=["x"]), Reason.NOT_FROM_SNS),
    "a message that is no text": (wrapped(Message={"RequestType": "Create"}), Reason.NOT_FROM_SNS),
    "a stranger's topic": (wrapped(TopicArn=scene.TOPIC.replace("1" * 12, STRANGER)), Reason.OTHER_TOPIC),
    "another practice's topic": (
        wrapped(TopicArn=scene.TOPIC.replace("1" * 12, HARBOUR)),
        Reason.OTHER_TOPIC,
    ),
    "another topic of ours": (wrapped(TopicArn=f"{scene.TOPIC}-2"), Reason.OTHER_TOPIC),
    "a topic with a newline": (wrapped(TopicArn=f"{scene.TOPIC}\n"), Reason.OTHER_TOPIC),
    "a topic with a star": (wrapped(TopicArn=scene.TOPIC.replace("latchkey", "*")), Reason.OTHER_TOPIC),
    # not a request
    "no kind": (changed(RequestType=None), Reason.NOT_A_REQUEST),
    "another kind": (changed(RequestType="Execute"), Reason.NOT_A_REQUEST),
    "a kind in small letters": (changed(RequestType="create"), Reason.NOT_A_REQUEST),
    "no properties": (changed(ResourceProperties="x"), Reason.NOT_A_REQUEST),
    "a Create with a physical id": (changed(PhysicalResourceId="x"), Reason.NOT_A_REQUEST),
    "an Update without one": (changed("Update", PhysicalResourceId=None), Reason.NOT_A_REQUEST),
    "a physical id with a newline": (changed("Update", PhysicalResourceId="x\ny"), Reason.NOT_A_REQUEST),
    "a request id of a number": (changed(RequestId=12345678), Reason.NOT_A_REQUEST),
    "a request id with a quote": (changed(RequestId="12345678'--"), Reason.NOT_A_REQUEST),
    "a logical id with a slash": (changed(LogicalResourceId="a/b"), Reason.NOT_A_REQUEST),
    "another custom resource": (changed(ResourceType="Custom::Else"), Reason.OTHER_RESOURCE),
    # stacks and roles
    "a stack that is a list": (changed(StackId=[stack_id()]), Reason.BAD_STACK),
    "a stack with a newline": (changed(StackId=f"{stack_id()}\n"), Reason.BAD_STACK),
    "a stack of eleven digits": (changed(StackId=stack_id(ACCOUNT_ID[:11])), Reason.BAD_STACK),
    "a stack in Arabic digits": (changed(StackId=stack_id("٤٤١٧٠٩٢٦٥٥٨٣")), Reason.BAD_STACK),
    "a stack of a made-up region": (changed(StackId=stack_id(region="eu-evil-99")), Reason.BAD_STACK),
    "a stack of a made-up partition": (
        changed(StackId=stack_id().replace(":aws:", ":aws-x:")),
        Reason.BAD_STACK,
    ),
    "a stack of another region": (changed(StackId=US), Reason.OTHER_REGION),
    "a stack of another partition": (
        changed(StackId=stack_id(region="cn-north-1").replace(":aws:", ":aws-cn:", 1)),
        Reason.OTHER_REGION,
    ),
    "no role": (with_property("RoleArn", None), Reason.BAD_ROLE),
    "a role of another account": (
        with_property("RoleArn", ROLE.replace(ACCOUNT_ID, STRANGER)),
        Reason.BAD_ROLE,
    ),
    "a role with a star": (
        with_property("RoleArn", f"arn:aws:iam::{ACCOUNT_ID}:role/latchkey-*"),
        Reason.BAD_ROLE,
    ),
    "a session for a role": (
        with_property("RoleArn", f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/latchkey-x/me"),
        Reason.BAD_ROLE,
    ),
    "a user for a role": (
        with_property("RoleArn", f"arn:aws:iam::{ACCOUNT_ID}:user/latchkey-x"),
        Reason.BAD_ROLE,
    ),
    "a role of 2,049 characters": (
        with_property("RoleArn", ROLE.replace("role/", "role/" + "p/" * 1000)),
        Reason.BAD_ROLE,
    ),
    "another role of that account": (
        with_property("RoleArn", f"arn:aws:iam::{ACCOUNT_ID}:role/Admin"),
        Reason.BAD_ROLE,
    ),
    "our role under a path": (
        lambda t, r: envelope(request(t, r.replace(":role/", ":role/evil/"))),
        Reason.BAD_ROLE,
    ),
    "the hub for a role": (
        with_property("RoleArn", f"arn:aws:iam::{NORTHGATE}:role/latchkey-hub"),
        Reason.BAD_ROLE,
    ),
    # tokens
    "no token": (with_property("Token", None), Reason.BAD_TOKEN),
    "a token that is a list": (with_property("Token", [TOKEN]), Reason.BAD_TOKEN),
    "a token with a newline": (with_property("Token", TOKEN[:-1] + "\n"), Reason.BAD_TOKEN),
    "a token of SQL": (with_property("Token", "' or 1=1 --"), Reason.BAD_TOKEN),
    "somebody's token": (with_property("Token", TOKEN), Reason.UNKNOWN_TOKEN),
    "the digest for a token": (with_property("Token", "0" * 32), Reason.UNKNOWN_TOKEN),
    # answers elsewhere; the rest of them stands below
    "an answer to nobody": (changed(ResponseURL=None), Reason.BAD_RESPONSE_URL),
    "an answer to this machine": (changed(ResponseURL="http://127.0.0.1/"), Reason.BAD_RESPONSE_URL),
    "an answer to the instance's keys": (
        changed("Delete", ResponseURL="http://169.254.169.254/latest/meta-data/"),
        Reason.BAD_RESPONSE_URL,
    ),
    "a Delete of another topic": (
        lambda t, r: envelope(request(t, r, "Delete"), TopicArn=f"{scene.TOPIC}x"),
        Reason.OTHER_TOPIC,
    ),
}


def test_there_are_sixty_of_them() -> None:
    assert len(FORGED) >= 60


@pytest.fixture
def real_way_out(settings: Any, shut_answer_door: None) -> None:  # Any: pytest-django's private type
    """As in production: no stand-in."""
    settings.CFN_RESPONSE_ENDPOINT_URL = ""


@pytest.mark.usefixtures("db", "real_way_out")
@pytest.mark.parametrize("name", FORGED)
def test_a_forged_message_changes_nothing_and_reaches_nobody(
    name: str, north: Firm, memory: InMemory, lines: list[object]
) -> None:
    make, reason = FORGED[name]
    case = scene.expected(north)
    before = scene.state(case)
    scene.tell(memory, case, make(scene.token_of(case), case.grant().role_arn))
    assert [letter.reason for letter in scene.dead(case)] == [reason]
    assert scene.state(case) == before
    assert scene.callbacks(case) == []
    assert lines == []
    assert [call.method for call in memory.fake.calls if call.method == "assume"] == []
    assert memory.fake.queues[scene.QUEUE] == []  # it does not come back
    assert "aws:stack:told" not in case.kinds()


def test_bytes_that_are_no_text_are_refused() -> None:
    for raw in (b"\xff\xfe{}", b'{"Type": "\xc3\x28"}', b"\xed\xa0\x80", b"\xc0\xaf"):
        assert read_message(raw, topics={scene.TOPIC}) == Refusal(reason=Reason.NOT_UTF8)


def test_every_refusal_has_words_and_the_dead_letter_tells_them(
    db: None, north: Firm, memory: InMemory
) -> None:
    assert all(Refusal(reason=reason).words for reason in Reason)
    case = scene.expected(north)
    scene.tell(memory, case, "hello")
    (letter,) = scene.dead(case)
    assert letter.words == "It is not JSON."
    assert str(letter).startswith("not-json at ")
    assert (letter.size, letter.message_id) == (5, "message-1")


def test_what_a_stack_sends_is_read_with_fields_that_are_not_known_yet() -> None:
    body = envelope(request(TOKEN, ROLE, New={"a": ["b", 1, True, None]}), More=[1.5])
    hint = read_message(body, topics={scene.TOPIC})
    assert isinstance(hint, Hint)
    assert (hint.stack.account_id, hint.request_id, hint.physical_id) == (ACCOUNT_ID, scene.REQUEST, "")
    assert TOKEN not in repr(hint)
    assert "Signature" not in repr(hint)


# ---------------------------------------------------------------- where answers may go

STACK: Final = StackId.parse(stack_id())
GOOD: Final = response_url(str(STACK))
PATH: Final = GOOD.partition(".amazonaws.com")[2]
BUCKET: Final = "cloudformation-custom-resource-response-euwest1"


def at(host: str) -> str:
    return f"https://{host}{PATH}"


EVIL: Final = {
    "plain http": GOOD.replace("https", "http"),
    "ftp": GOOD.replace("https", "ftp"),
    "a file": "file:///etc/passwd",
    "no scheme": GOOD.removeprefix("https:"),
    "capital scheme": GOOD.replace("https", "HTTPS"),
    "this machine": at("127.0.0.1"),
    "this machine by name": at("localhost"),
    "this machine in IPv6": at("[::1]"),
    "this machine in one number": at("2130706433"),
    "the instance's metadata": at("169.254.169.254"),
    "another host": at("evil.example"),
    "ours in front of another": at(f"{HOST}.evil.example"),
    "another, then a dot": at(f"{HOST}."),
    "ours as a user": at(f"{HOST}@evil.example"),
    "ours as user and password": at(f"{HOST}:x@evil.example"),
    "a user at ours": at(f"user@{HOST}"),
    "a backslash": at(f"evil.example\\.{HOST}"),
    "a backslash and an at": at(f"evil.example\\@{HOST}"),
    "another port": at(f"{HOST}:8443"),
    "port 80": at(f"{HOST}:80"),
    "port 443 twice": at(f"{HOST}:443:443"),
    "port 0443": at(f"{HOST}:0443"),
    "a suffix of one's own": at(f"{BUCKET}.s3.evil.amazonaws.com"),
    "a website": at(f"{BUCKET}.s3-website-eu-west-1.amazonaws.com"),
    "another region's host": at(f"{BUCKET}.s3.us-east-1.amazonaws.com"),
    "another region's bucket": at(
        "cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com"
    ),
    "a made-up region": at("cloudformation-custom-resource-response-evil1.s3.amazonaws.com"),
    "another bucket": at("evil-bucket.s3.eu-west-1.amazonaws.com"),
    "a longer bucket": at(f"x{BUCKET}.s3.eu-west-1.amazonaws.com"),
    "a dot in the bucket": at(f"evil.{BUCKET}.s3.eu-west-1.amazonaws.com"),
    "path style": f"https://s3.eu-west-1.amazonaws.com/{BUCKET}{PATH}",
    "another service": at(f"{BUCKET}.execute-api.eu-west-1.amazonaws.com"),
    "another partition": at(f"{BUCKET}.s3.eu-west-1.amazonaws.com.cn"),
    "a letter that looks alike": at(HOST.replace("amazonaws", "\u0430mazonaws")),
    "punycode": at(HOST.replace("amazonaws", "xn--mazonaws-3fg")),
    "wide letters": at(HOST.replace("s3", "\uff53\uff13")),
    "a wide dot": at(HOST.replace(".com", "\u3002com")),
    "a fragment": f"{GOOD}#@evil.example/",
    "a fragment in the host": at(f"evil.example#{HOST}"),
    "a query in the host": at(f"evil.example?{HOST}"),
    "a newline at the end": f"{GOOD}\n",
    "a newline and a header": f"{GOOD} HTTP/1.1\r\nHost: evil.example",
    "a tab in the host": GOOD.replace("amazon", "ama\tzon"),
    "a space in front": f" {GOOD}",
    "a NUL": f"{GOOD}\x00",
    "no query": GOOD.partition("?")[0],
    "no path": f"https://{HOST}/?{scene.SIGNATURE}",
    "up and away": GOOD.replace("/arn", "/../other/arn"),
    "another stack": response_url(stack_id(STRANGER)),
    "another resource": response_url(str(STACK), "Another"),
    "broken percent": GOOD.replace("%7C", "%7"),
    "percent of a newline": GOOD.replace("%7C", "%0d%0a", 1),
    "percent, not ASCII": GOOD.replace("%7C", "%c3%bc", 1),
    "percent twice": GOOD.replace("%7C", "%257C"),
    "broken percent in the query": f"{GOOD}%",
    "ten thousand characters": f"{GOOD}&x={'y' * 10_000}",
    "two addresses": f"{GOOD},{GOOD}",
    "nothing": "",
}


def test_there_are_forty_addresses() -> None:
    assert len(EVIL) >= 40


@pytest.mark.parametrize("name", EVIL)
def test_an_evil_address_is_refused_and_never_told(name: str) -> None:
    with pytest.raises(BadResponseUrl) as caught:
        response_address(EVIL[name], stack=STACK, logical_id=scene.LOGICAL)
    assert "://" not in str(caught.value)


@pytest.mark.usefixtures("db", "real_way_out")
@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
def test_no_evil_address_is_ever_called(
    kind: str, north: Firm, memory: InMemory, lines: list[object]
) -> None:
    case = scene.expected(north)
    before = scene.state(case)
    for url in EVIL.values():
        memory.fake.publish(scene.QUEUE, scene.genuine(case, kind, ResponseURL=url))
    while memory.fake.queues[scene.QUEUE]:
        scene.listen(case)
    assert lines == []
    assert {letter.reason for letter in scene.dead(case)} == {Reason.BAD_RESPONSE_URL}
    assert len(scene.dead(case)) == len(EVIL)
    assert scene.state(case) == before


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "cloudformation-custom-resource-response-useast1.s3.amazonaws.com"),
        ("us-east-1", "cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com"),
        ("us-west-2", "cloudformation-custom-resource-response-uswest2.s3-us-west-2.amazonaws.com"),
        ("eu-west-1", "cloudformation-custom-resource-response-euwest1.s3-eu-west-1.amazonaws.com"),
        ("eu-central-1", "cloudformation-custom-resource-response-eucentral1.s3.eu-central-1.amazonaws.com"),
        (
            "us-gov-west-1",
            "cloudformation-custom-resource-response-usgovwest1.s3.us-gov-west-1.amazonaws.com",
        ),
        ("cn-north-1", "cloudformation-custom-resource-response-cnnorth1.s3.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_hosts_that_real_stacks_were_seen_with_are_let_through(region: str, host: str) -> None:
    partition = {"us-gov-west-1": "aws-us-gov", "cn-north-1": "aws-cn"}.get(region, "aws")
    stack = StackId.parse(stack_id(region=region).replace(":aws:", f":{partition}:", 1))
    url = response_url(str(stack), host=host)
    address = response_address(url, stack=stack, logical_id=scene.LOGICAL)
    assert (address.host, address.url) == (host, url)
    assert "Signature" not in repr(address)
    with_port = response_address(
        url.replace(".com/", ".com:443/").replace(".cn/", ".cn:443/"), stack=stack, logical_id=scene.LOGICAL
    )
    assert with_port == address


# ---------------------------------------------------------------- replayed, reordered, in masses


@pytest.mark.usefixtures("db")
def test_replayed_five_times_and_shuffled_it_ends_as_one_delivery(
    north: Firm, memory: InMemory, spy: Spy
) -> None:
    case = scene.expected(north)
    memory.deploy(case)
    create = scene.genuine(case)
    for _ in range(5):
        memory.fake.publish(scene.QUEUE, create)
    scene.listen(case)
    scene.answer(case)
    after = scene.state(case)
    for _ in range(5):
        memory.fake.publish(scene.QUEUE, create)
    scene.listen(case)
    assert scene.answer(case) == []
    assert scene.state(case) == after
    assert len(spy.sent) == 1
    assert {letter.reason for letter in scene.dead(case)} == {Reason.REPLAYED}
    assert len(scene.callbacks(case)) == 1


@pytest.mark.usefixtures("db")
def test_a_deletion_before_its_creation_ends_nothing(north: Firm, memory: InMemory, spy: Spy) -> None:
    case = scene.expected(north)
    memory.deploy(case)
    scene.tell(memory, case, scene.genuine(case, "Delete", RequestId="d" * 36))
    scene.tell(memory, case, scene.genuine(case, "Update", RequestId="e" * 36))
    scene.tell(memory, case, scene.genuine(case, "Create"))
    scene.answer(case)
    assert case.grant().status == "verified"
    assert len(spy.sent) == 3
    assert all(answer.succeeded for _, answer in spy.sent)


@pytest.mark.usefixtures("db")
def test_a_used_token_is_of_no_use_to_another_stack_until_its_own_is_deleted(
    north: Firm, memory: InMemory, spy: Spy
) -> None:
    case = scene.expected(north)
    memory.deploy(case)
    scene.tell(memory, case, scene.genuine(case))
    scene.answer(case)
    other = stack_id(guid=scene.GUID.replace("6d", "7e"))
    again = scene.genuine(case, StackId=other, RequestId="f" * 36)
    scene.tell(memory, case, again)
    assert [letter.reason for letter in scene.dead(case)] == [Reason.SPENT_TOKEN]
    assert len(spy.sent) == 1
    scene.tell(memory, case, scene.genuine(case, "Delete", RequestId="d" * 36))
    scene.tell(memory, case, again)
    scene.answer(case)
    assert case.grant().callback_stack == other


@pytest.mark.usefixtures("db")
def test_a_flood_with_a_real_token_is_cut_off(north: Firm, memory: InMemory, spy: Spy) -> None:
    case = scene.expected(north)
    for number in range(service.MOST_OF_A_GRANT + 5):
        memory.fake.publish(scene.QUEUE, scene.genuine(case, RequestId=f"{number:036}"))
    while memory.fake.queues[scene.QUEUE]:
        scene.listen(case)
    assert len(scene.callbacks(case)) == service.MOST_OF_A_GRANT
    assert {letter.reason for letter in scene.dead(case)} == {Reason.TOO_MANY}
    assert spy.sent == []


@pytest.mark.usefixtures("db")
def test_a_flood_of_nonsense_fills_no_disk(
    north: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_DEAD_LETTERS", 3)
    case = scene.expected(north)
    for number in range(9):
        memory.fake.publish(scene.QUEUE, f"nonsense {number}")
    scene.listen(case)
    assert len(scene.dead(case)) == 3
    assert memory.fake.queues[scene.QUEUE] == []


@pytest.mark.usefixtures("db")
def test_a_dead_letter_is_the_practices_alone_and_cannot_be_changed(
    north: Firm, harbour: Firm, memory: InMemory
) -> None:
    case = scene.expected(north)
    scene.tell(memory, case, "hello")
    for scope in (harbour.practice_side, north.client_side):
        with tenancy.use(scope):
            assert not DeadLetter.objects.exists()
    from django.db import Error, transaction

    with tenancy.use(north.practice_side), pytest.raises(Error), transaction.atomic():
        DeadLetter.objects.update(reason="too-large")


@pytest.mark.usefixtures("db")
def test_no_secret_is_logged_even_when_everything_is(
    north: Firm, memory: InMemory, spy: Spy, caplog: pytest.LogCaptureFixture
) -> None:
    """Token, signature and role of genuine, refused and undeliverable messages, at DEBUG."""
    caplog.set_level(logging.DEBUG)
    case = scene.expected(north)
    memory.deploy(case)
    token = scene.token_of(case)
    scene.tell(memory, case, scene.genuine(case, ResponseURL=EVIL["ours as a user"]))
    scene.tell(memory, case, scene.genuine(case))
    scene.answer(case)
    scene.tell(memory, case, scene.genuine(case, "Delete", RequestId="d" * 36))
    for kept in (caplog.text, *(str(row.__dict__) for row in (*scene.dead(case), *scene.callbacks(case)))):
        assert token not in kept
        assert "28UijZePE5I4dvukKQqM" not in kept
    assert token not in json.dumps([details for _, details in case.told()])


def test_the_case_is_ours(north: Firm, memory: InMemory, spy: Spy, db: None) -> None:
    """Else the tables above would prove nothing: unchanged, the message is taken and answered."""
    case: Case = scene.expected(north)
    memory.deploy(case)
    scene.tell(memory, case, scene.genuine(case))
    assert scene.dead(case) == []
    assert scene.answer(case) == [None]
    ((address, answer),) = spy.sent
    assert address.host == HOST
    assert answer.succeeded
