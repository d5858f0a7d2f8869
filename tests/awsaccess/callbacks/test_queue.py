"""The two calls of SQS: each error code that AWS documents for them, and both gateways alike."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from typing import Any, Final

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from botocore.stub import Stubber

from awsaccess.aws.arns import BadAddress, BadArn
from awsaccess.aws.errors import AwsError, AwsMisconfigured, AwsTransient
from awsaccess.aws.fake import FakeAwsGateway
from awsaccess.aws.gateway import AwsGateway, BotoGateway, HubIdentity, SessionCredentials
from awsaccess.aws.messages import QueueAddress, StackId, TopicArn
from tests.awsaccess.callbacks import scene
from tests.awsaccess.services.worlds import InMemory, Simulated, hub_of
from tests.plugins.sandbox_process import NORTHGATE

HUB: Final = hub_of("northgate")
QUEUE: Final = QueueAddress.parse(scene.QUEUE)
HANDLE: Final = "receipt-handle-of-a-message"
PREFIX: Final = "AWS.SimpleQueueService."
# What the service's own model and its page of common errors name for ReceiveMessage and DeleteMessage.
OURS: Final = (
    f"{PREFIX}NonExistentQueue",
    "QueueDoesNotExist",
    f"{PREFIX}UnsupportedOperation",
    "UnsupportedOperation",
    "InvalidAddress",
    "InvalidSecurity",
    "InvalidIdFormat",
    "KmsDisabled",
    "KmsInvalidState",
    "KmsNotFound",
    "KmsOptInRequired",
    "KmsAccessDenied",
    "KmsInvalidKeyUsage",
    "AccessDenied",
    "AccessDeniedException",
    "NotAuthorized",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "ExpiredToken",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "OptInRequired",
    "RequestExpired",
    "InvalidAction",
    "InvalidParameterValue",
    "ValidationError",
)
TRANSIENT: Final = (
    "OverLimit",
    "RequestThrottled",
    "Throttling",
    "ThrottlingException",
    "KmsThrottled",
    "KMS.ThrottlingException",
    "ServiceUnavailable",
    "InternalFailure",
    "InternalError",
)


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[AwsGateway, Stubber]]:
    """The real gateway, whose hub session is there already and whose SQS answers as told."""
    client = boto3.client(
        "sqs",
        region_name="eu-west-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )
    gateway = BotoGateway(total_max_attempts=1, sts_total_max_attempts=1)
    credentials = SessionCredentials(
        access_key_id="x",
        secret_access_key="x",
        session_token="x",
        expires_at=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1),
        assumed_role_id="AROAX:x",
        session_arn="x",
    )
    from awsaccess.aws import gateway as module

    made = module._HubSession(
        credentials=credentials,
        sts=None,  # type: ignore[arg-type]  # not asked here
        make_sqs=lambda *_: client,
    )
    monkeypatch.setattr(gateway._hubs, "_make", lambda _hub: made)
    with Stubber(client) as stubber:
        yield gateway, stubber


def call(gateway: AwsGateway, method: str) -> object:
    if method == "receive_message":
        return gateway.receive_messages(HUB, QUEUE, wait_seconds=1)
    if method == "try":
        gateway.try_queue(HUB, QUEUE)
        return None
    gateway.delete_message(HUB, QUEUE, receipt_handle=HANDLE)
    return None


@pytest.mark.parametrize("method", ["receive_message", "delete_message"])
@pytest.mark.parametrize(
    ("code", "kind"),
    [*((code, AwsMisconfigured) for code in OURS), *((code, AwsTransient) for code in TRANSIENT)],
)
def test_each_error_is_ours_or_passes(
    stubbed: tuple[AwsGateway, Stubber],
    method: str,
    code: str,
    kind: type[AwsError],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    gateway, stubber = stubbed
    stubber.add_client_error(method, code, f"echo of {HANDLE}", 400)
    with pytest.raises(AwsError) as caught:
        call(gateway, method)
    assert type(caught.value) is kind
    assert HANDLE not in f"{caught.value} {caught.value.user_message}"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_errors_pass(stubbed: tuple[AwsGateway, Stubber], status: int) -> None:
    gateway, stubber = stubbed
    stubber.add_client_error("receive_message", "Whatever", "x", status)
    with pytest.raises(AwsTransient):
        call(gateway, "receive_message")


@pytest.mark.parametrize(
    "error",
    [
        ConnectTimeoutError(endpoint_url="https://sqs"),
        ReadTimeoutError(endpoint_url="https://sqs"),
        EndpointConnectionError(endpoint_url="https://sqs"),
    ],
)
def test_silence_passes(
    stubbed: tuple[AwsGateway, Stubber], error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, stubber = stubbed

    def silent(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(stubber.client, "_make_api_call", silent)
    with pytest.raises(AwsTransient):
        call(gateway, "receive_message")


def test_a_handle_that_is_too_old_is_no_fault(stubbed: tuple[AwsGateway, Stubber]) -> None:
    gateway, stubber = stubbed
    stubber.add_client_error("delete_message", "ReceiptHandleIsInvalid", "x", 400)
    gateway.delete_message(HUB, QUEUE, receipt_handle=HANDLE)


def test_what_is_asked_and_what_comes_back(stubbed: tuple[AwsGateway, Stubber]) -> None:
    gateway, stubber = stubbed
    asked = {
        "QueueUrl": scene.QUEUE,
        "MaxNumberOfMessages": 10,
        "WaitTimeSeconds": 2,
        "VisibilityTimeout": 60,
        "MessageSystemAttributeNames": ["SentTimestamp"],
    }
    rows = [
        {
            "MessageId": "m1",
            "ReceiptHandle": "h1",
            "Body": "{}",
            "Attributes": {"SentTimestamp": "1700000000123"},
        },
        {"MessageId": "m2", "ReceiptHandle": "h2", "Attributes": {"SentTimestamp": "soon"}},
    ]
    stubber.add_response("receive_message", {"Messages": rows}, asked)
    first, second = gateway.receive_messages(HUB, QUEUE, wait_seconds=2)
    assert first.sent_at == dt.datetime(2023, 11, 14, 22, 13, 20, 123000, dt.UTC)
    assert (first.body, second.body, second.sent_at) == ("{}", "", None)
    assert "h1" not in repr(first)
    stubber.add_response("receive_message", {}, asked)
    assert gateway.receive_messages(HUB, QUEUE, wait_seconds=2) == ()


def test_trying_the_queue_hides_nothing_from_who_listens(stubbed: tuple[AwsGateway, Stubber]) -> None:
    gateway, stubber = stubbed
    asked = {"QueueUrl": scene.QUEUE, "MaxNumberOfMessages": 1, "WaitTimeSeconds": 1, "VisibilityTimeout": 0}
    stubber.add_response("receive_message", {}, asked)
    gateway.try_queue(HUB, QUEUE)
    stubber.add_client_error("receive_message", "AccessDenied", "no", 403)
    with pytest.raises(AwsMisconfigured):
        call(gateway, "try")


@pytest.mark.usefixtures("db")
def test_both_gateways_read_and_forget(world: InMemory | Simulated) -> None:
    door: Any = world.door.inner  # Any: as the door's own calls
    if isinstance(world, InMemory):
        world.fake.publish(scene.QUEUE, "hello")
    else:
        keys = world.sandbox.accounts[NORTHGATE].admin_keys
        world.sandbox.client("sqs", keys).send_message(QueueUrl=scene.QUEUE, MessageBody="hello")
    door.try_queue(HUB, QUEUE)
    found = door.receive_messages(HUB, QUEUE, wait_seconds=1)
    assert "hello" in [message.body for message in found]
    for message in found:
        door.delete_message(HUB, QUEUE, receipt_handle=message.receipt_handle)
    assert door.receive_messages(HUB, QUEUE, wait_seconds=1) == ()


def test_another_practices_queue_is_not_read(simulated: Simulated) -> None:
    theirs = QueueAddress.parse(scene.QUEUE.replace("1" * 12, "9" * 12))
    with pytest.raises(AwsMisconfigured):
        simulated.door.inner.receive_messages(HUB, theirs, wait_seconds=1)


def test_a_hub_that_nobody_knows_reads_nothing() -> None:
    nobody = HubIdentity(
        practice_code="x", account_id="1" * 12, role_arn="x", region="eu-west-1", template_bucket="x"
    )
    with pytest.raises(AwsMisconfigured):
        FakeAwsGateway().receive_messages(nobody, QUEUE, wait_seconds=1)


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://sqs.eu-west-1.amazonaws.com/111111111111/q",
        "https://sqs.eu-west-1.amazonaws.com/111111111111/q\n",
        "https://sqs.eu-west-1.amazonaws.com/11111111111/q",
        "https://sqs.eu-west-1.amazonaws.com/111111111111/q.fifo",
        "https://sqs.eu-west-1.amazonaws.com.evil.example/111111111111/q",
        "https://sqs.eu-west-1.amazonaws.com@evil.example/111111111111/q",
        "https://sqs.cn-north-1.amazonaws.com/111111111111/q",
        "https://sqs.eu-west-1.amazonaws.com.cn/111111111111/q",
        "https://sqs.xx-evil-1.amazonaws.com/111111111111/q",
        "https://127.0.0.1/111111111111/q",
    ],
)
def test_what_is_no_queue(text: str) -> None:
    with pytest.raises(BadAddress):
        QueueAddress.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        scene.QUEUE,
        "https://sqs.us-gov-west-1.amazonaws.com/111111111111/q",
        "https://sqs.cn-north-1.amazonaws.com.cn/111111111111/Q_1-x",
    ],
)
def test_a_queue_is_rebuilt_as_it_was(text: str) -> None:
    assert str(QueueAddress.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{scene.TOPIC}\n",
        f"{scene.TOPIC}.fifo",
        scene.TOPIC.replace("sns", "sqs"),
        scene.TOPIC.replace(":aws:", ":aws-iso:"),
        scene.TOPIC.replace(":aws:", ":aws-cn:"),
        scene.TOPIC.replace("eu-west-1", "*"),
        f"{scene.TOPIC}:6d1bd1f0-2b5c-11ee-a2a0-0a1b2c3d4e5f",
    ],
)
def test_what_is_no_topic(text: str) -> None:
    with pytest.raises(BadArn):
        TopicArn.parse(text)


def test_topics_and_stacks_are_rebuilt_as_they_were() -> None:
    assert str(TopicArn.parse(scene.TOPIC)) == scene.TOPIC
    assert str(StackId.parse(scene.stack_id())) == scene.stack_id()
