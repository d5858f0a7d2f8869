"""The way a stack's report takes: topic, filter, queue, dead letters, and who may do what with them (AWS_FACTS §4)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from awsaccess.sandbox.signing import Keys
from portal.kernel.clock import wait_until
from tests.awsaccess.sandbox.contract.cases import ALLOW
from tests.awsaccess.sandbox.contract.stories import story
from tests.awsaccess.sandbox.contract.world import CLIENT, CONSULTANT, THIRD, World
from tests.awsaccess.sandbox.making import Statement, grant, policy

REGION: Final = "eu-west-1"
REQUEST: Final = {"RequestType": "Create", "ResourceType": "Custom::LatchkeyCallback", "Token": "t"}
FILTER: Final = {"RequestType": ["Create", "Update", "Delete"], "ResourceType": ["Custom::LatchkeyCallback"]}
NOTHING: Final = "nothing came"
_DELIVERY: Final = "SNSDG sns-sqs-as-subscriber"
_FILTERS: Final = "SNSDG sns-message-filtering-scope"
_SQS: Final = "SQSDG sqs-basic-examples-of-sqs-policies"
_HIDDEN: Final = "SQSDG sqs-visibility-timeout"
_DEAD: Final = "SQSDG sqs-dead-letter-queues"
_SNS: Final = "SNSDG sns-access-policy-use-cases"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A topic that delivers into a queue, as the hub's own stack makes them; `reader` may receive and delete."""

    topic: str
    url: str
    queue: str
    reader: Keys


def _as(world: World, service: str, account: str = CONSULTANT) -> Any:  # Any: a client of boto3
    return world.client(service, world.administrators[account])


def _queue(world: World, name: str, **attributes: str) -> tuple[str, str]:
    sqs = _as(world, "sqs")
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, f"arn:aws:sqs:{REGION}:{CONSULTANT}:{name}"


def _delivering(queue: str, topic: str) -> str:
    who: Statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    return policy(who)


def _open_topic(world: World) -> str:
    sns = _as(world, "sns")
    topic: str = sns.create_topic(Name=world.unused("reports"))["TopicArn"]
    publish: Statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "SNS:Publish",
        "Resource": topic,
    }
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy(publish))
    return topic


def _line(world: World, *, lets_in: str = "", **attributes: str) -> Line:
    topic, name = _open_topic(world), world.unused("queue")
    queue = f"arn:aws:sqs:{REGION}:{CONSULTANT}:{name}"
    url, _ = _queue(world, name, Policy=_delivering(queue, lets_in or topic), **attributes)
    sns = _as(world, "sns")
    subscribed = sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=queue,
        ReturnSubscriptionArn=True,
        Attributes={"FilterPolicyScope": "MessageBody", "FilterPolicy": json.dumps(FILTER)},
    )
    assert subscribed["SubscriptionArn"]
    may = policy(grant(["sqs:ReceiveMessage", "sqs:DeleteMessage"], queue))
    reader = world.make_user(CONSULTANT, world.unused("reader"), may)
    return Line(topic=topic, url=url, queue=queue, reader=reader)


def _report(world: World, line: Line, account: str = CLIENT, **more: str) -> None:
    _as(world, "sns", account).publish(TopicArn=line.topic, Message=json.dumps({**REQUEST, **more}))


def _received(world: World, line: Line, **asked: int) -> list[dict[str, Any]]:  # Any: JSON
    sqs = world.client("sqs", line.reader)
    answer = sqs.receive_message(QueueUrl=line.url, MaxNumberOfMessages=10, WaitTimeSeconds=1, **asked)
    found: list[dict[str, Any]] = answer.get("Messages", [])
    return found


@story("a client's stack publishes to the open topic", ALLOW, _SNS)
def _stack_publishes(world: World) -> None:
    _report(world, _line(world))


@story("a stranger publishes to the open topic", ALLOW, _SNS)
def _stranger_publishes(world: World) -> None:
    _report(world, _line(world), THIRD)


@story("a stranger publishes to a topic of the consultant's own", "AuthorizationError", _SNS)
def _closed_topic(world: World) -> None:
    topic = _as(world, "sns").create_topic(Name=world.unused("own"))["TopicArn"]
    _as(world, "sns", THIRD).publish(TopicArn=topic, Message="hello")


@story("the topic delivers into the queue that lets it in", ALLOW, _DELIVERY)
def _delivered(world: World) -> str:
    line = _line(world)
    _report(world, line)
    return ALLOW if _received(world, line) else NOTHING


@story("what is delivered is an envelope round the message", ALLOW, _DELIVERY)
def _envelope(world: World) -> str:
    line = _line(world)
    _report(world, line)
    (message,) = _received(world, line)
    body = json.loads(message["Body"])
    is_whole = body["Type"] == "Notification" and {"MessageId", "Timestamp"} <= set(body)
    is_ours = (body["TopicArn"], json.loads(body["Message"])) == (line.topic, REQUEST)
    return ALLOW if is_whole and is_ours else f"{sorted(body)}"


@story("a queue that lets in another topic gets nothing", NOTHING, _DELIVERY)
def _other_topic(world: World) -> str:
    line = _line(world, lets_in=f"arn:aws:sns:{REGION}:{CONSULTANT}:another")
    _report(world, line)
    return ALLOW if _received(world, line) else NOTHING


@story("a filter on the body keeps other messages out", NOTHING, _FILTERS)
def _filtered(world: World) -> str:
    line = _line(world)
    _report(world, line, ResourceType="Custom::Other")
    return ALLOW if _received(world, line) else NOTHING


@story("a filter on the body keeps out what is no JSON", NOTHING, _FILTERS)
def _no_json(world: World) -> str:
    line = _line(world)
    _as(world, "sns", CLIENT).publish(TopicArn=line.topic, Message="hello")
    return ALLOW if _received(world, line) else NOTHING


@story("a stranger writes into the queue directly", "AccessDenied", _SQS)
def _writes_directly(world: World) -> None:
    line = _line(world)
    _as(world, "sqs", THIRD).send_message(QueueUrl=line.url, MessageBody="hello")


@story("a stranger reads the queue", "AccessDenied", _SQS)
def _reads(world: World) -> None:
    line = _line(world)
    _as(world, "sqs", THIRD).receive_message(QueueUrl=line.url)


@story("who may receive may not send", "AccessDenied", _SQS)
def _reader_sends(world: World) -> None:
    line = _line(world)
    world.client("sqs", line.reader).send_message(QueueUrl=line.url, MessageBody="hello")


@story("what was received is hidden from the next who asks", NOTHING, _HIDDEN)
def _hidden(world: World) -> str:
    line = _line(world)
    _report(world, line)
    assert _received(world, line)
    return ALLOW if _received(world, line) else NOTHING


@story("what was not deleted comes again", ALLOW, _HIDDEN)
def _again(world: World) -> str:
    line = _line(world)
    _report(world, line)
    assert _received(world, line, VisibilityTimeout=0)
    return ALLOW if _received(world, line) else NOTHING


@story("what was deleted does not come again", NOTHING, _HIDDEN)
def _deleted(world: World) -> str:
    line = _line(world)
    _report(world, line)
    (message,) = _received(world, line, VisibilityTimeout=0)
    sqs = world.client("sqs", line.reader)
    sqs.delete_message(QueueUrl=line.url, ReceiptHandle=message["ReceiptHandle"])
    return ALLOW if _received(world, line) else NOTHING


@story("what nobody deletes becomes a dead letter", ALLOW, _DEAD)
def _dead(world: World) -> str:
    dead, arn = _queue(world, world.unused("dead"))
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "1"})
    line = _line(world, RedrivePolicy=redrive)
    _report(world, line)
    assert _received(world, line, VisibilityTimeout=0)

    def is_there() -> bool:
        _received(world, line, VisibilityTimeout=0)
        return bool(_as(world, "sqs").receive_message(QueueUrl=dead).get("Messages"))

    return ALLOW if wait_until(is_there, seconds=10) else NOTHING
