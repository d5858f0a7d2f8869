"""Custom resources with an SNS service token: the request, the address to answer at, the wait, the answer.

As documented (AWS_FACTS §4): the ResponseURL looks like AWS's own and works once, an answer is checked before it is
believed, and a resource that nobody answers for fails after its ServiceTimeout.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import quote

from moto.moto_api._internal import mock_random
from moto.sns.models import sns_backends

from awsaccess.sandbox import ids
from awsaccess.sandbox.guard.checks import allowed
from awsaccess.sandbox.guard.context import CURRENT, judged

Kind = Literal["Create", "Update", "Delete"]
Properties = dict[str, Any]  # Any: JSON

_MOST_BYTES: Final = 4096
_NO_ANSWER: Final = "CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [{}]."
_SUBJECT: Final = "AWS CloudFormation custom resource request"


class NotSent(Exception):
    """The request did not reach the service token; the text is what the event shows."""


@dataclass(slots=True, kw_only=True)
class CustomResource:
    """A custom resource as the rest of its stack sees it."""

    logical_id: str
    resource_type: str
    stack_id: str
    properties: Properties
    physical_id: str = ""
    data: dict[str, Any] = field(default_factory=dict)  # Any: JSON

    @property
    def physical_resource_id(self) -> str:
        """What Ref gives; moto's name for it."""
        return self.physical_id

    @staticmethod
    def has_cfn_attr(_: str) -> bool:
        """Any attribute may be in the answer's Data; moto asks before anything is made."""
        return True

    def get_cfn_attribute(self, name: str) -> Any:  # Any: JSON
        """What Fn::GetAtt gives; moto's name for it."""
        return self.data.get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the other side said. `reason` is None on success."""

    physical_id: str
    data: dict[str, Any]  # Any: JSON
    reason: str | None


@dataclass(slots=True, kw_only=True)
class Pending:
    """A request that waits for its answer."""

    document: dict[str, Any]  # Any: JSON
    on_answer: Callable[[Answer], None]
    seconds: float
    timer: threading.Timer | None = None


@dataclass(slots=True)
class Waiting:
    """All requests that wait, and where a time-out is to be reported."""

    requests: dict[str, Pending] = field(default_factory=dict)
    report: Callable[[str, bytes], object] | None = None


WAITING: Final = Waiting()


def _service_token(resource: CustomResource) -> str:
    token = str(resource.properties.get("ServiceToken", ""))
    region = resource.stack_id.split(":")[3]
    if not token.startswith("arn:aws:sns:"):
        raise NotSent("The sandbox simulates custom resources with an SNS topic as service token only")
    if token.split(":")[3] != region:
        raise NotSent(f"Invalid service token: it must be in the same region as the stack, {region}")
    return token


def _as_text(value: Any) -> Any:  # Any: JSON
    if isinstance(value, dict):
        return {key: _as_text(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_text(inner) for inner in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def _response_url(resource: CustomResource, token: str) -> str:
    region = resource.stack_id.split(":")[3]
    host = f"cloudformation-custom-resource-response-{region.replace('-', '')}.s3.{region}.amazonaws.com"
    path = quote(f"{resource.stack_id}|{resource.logical_id}|{token}", safe="")
    return (
        f"https://{host}/{path}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=7199&X-Amz-SignedHeaders=host"
    )


def _document(
    kind: Kind, resource: CustomResource, token: str, old: Properties | None
) -> dict[str, Any]:  # Any: JSON
    document: dict[str, Any] = {  # Any: JSON
        "RequestType": kind,
        "ServiceToken": _service_token(resource),
        "ResponseURL": _response_url(resource, token),
        "StackId": resource.stack_id,
        "RequestId": str(mock_random.uuid4()),
        "LogicalResourceId": resource.logical_id,
        "ResourceType": resource.resource_type,
        "ResourceProperties": _as_text(resource.properties),
    }
    if kind != "Create":
        document["PhysicalResourceId"] = resource.physical_id
    if old is not None:
        document["OldResourceProperties"] = _as_text(old)
    return document


def ask(
    kind: Kind, resource: CustomResource, on_answer: Callable[[Answer], None], old: Properties | None = None
) -> str:
    """Send a request to the resource's topic in the caller's name and wait; returns the token of its ResponseURL.

    Raises NotSent when the topic is missing or does not let the caller publish.
    """
    token = mock_random.token_urlsafe(24)
    document = _document(kind, resource, token, old)
    _publish(document)
    seconds = float(resource.properties.get("ServiceTimeout", 3600))
    pending = Pending(document=document, on_answer=on_answer, seconds=seconds)
    WAITING.requests[token] = pending
    if not CURRENT.replaying:
        _start_clock(token, pending)
    return token


def _publish(document: dict[str, Any]) -> None:  # Any: JSON
    topic_arn = str(document["ServiceToken"])
    account, region = topic_arn.split(":")[4], topic_arn.split(":")[3]
    if not judged(f"SNS:Publish {topic_arn}", lambda: _may_publish(topic_arn)):
        who = CURRENT.caller.arn if CURRENT.caller else "nobody"
        raise NotSent(f"User: {who} is not authorized to perform: SNS:Publish on resource: {topic_arn}")
    if not CURRENT.replaying:
        # The message's id is drawn apart: a replay does not publish, and has to draw what comes after it alike.
        with ids.apart():
            sns_backends[account][region].publish(json.dumps(document), arn=topic_arn, subject=_SUBJECT)


def _may_publish(topic_arn: str) -> bool:
    account, region = topic_arn.split(":")[4], topic_arn.split(":")[3]
    exists = topic_arn in sns_backends[account][region].topics
    caller = CURRENT.caller
    return exists and caller is not None and allowed(caller, "SNS:Publish", topic_arn, CURRENT.context)


def _start_clock(token: str, pending: Pending) -> None:
    pending.timer = threading.Timer(pending.seconds, _time_is_up, [token])
    pending.timer.daemon = True
    pending.timer.start()


def _time_is_up(token: str) -> None:
    pending = WAITING.requests.get(token)
    if pending is None or WAITING.report is None:
        return
    echo = {key: pending.document[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    reason = _NO_ANSWER.format(pending.document["RequestId"])
    physical = pending.document.get("PhysicalResourceId", "none")
    message = {"Status": "FAILED", "Reason": reason, "PhysicalResourceId": physical, **echo}
    WAITING.report(token, json.dumps(message).encode())


def take_answer(token: str, body: bytes) -> str | None:
    """What was PUT to a ResponseURL: None when it was taken, else why it was refused. An address works once."""
    pending = WAITING.requests.pop(token, None)
    if pending is None:
        return "expired or unknown ResponseURL"
    if pending.timer:
        pending.timer.cancel()
    pending.on_answer(_read(pending.document, body))
    return None


def _read(document: dict[str, Any], body: bytes) -> Answer:  # Any: JSON
    """Believe an answer only when it has the form that is asked for; S3 takes anything, CloudFormation does not."""
    fault = _fault(document, body)
    if fault:
        return Answer(physical_id=str(document.get("PhysicalResourceId", "")), data={}, reason=fault)
    message = json.loads(body)
    reason = str(message.get("Reason") or "no reason") if message["Status"] == "FAILED" else None
    return Answer(physical_id=message["PhysicalResourceId"], data=message.get("Data") or {}, reason=reason)


def _fault(document: dict[str, Any], body: bytes) -> str | None:  # Any: JSON
    if len(body) > _MOST_BYTES:
        return "Response is too long."
    try:
        message = json.loads(body)
    except ValueError:
        return "Invalid response: not JSON"
    if not isinstance(message, dict) or message.get("Status") not in {"SUCCESS", "FAILED"}:
        return "Invalid response: Status must be SUCCESS or FAILED"
    for key in ("StackId", "RequestId", "LogicalResourceId"):
        if message.get(key) != document[key]:
            return f"Invalid response: {key} differs from the request's"
    physical = message.get("PhysicalResourceId")
    if not isinstance(physical, str) or not 1 <= len(physical.encode()) <= 1024:
        return "Invalid PhysicalResourceId"
    return None


def forget(token: str) -> None:
    """The resource is given up: a late answer is refused."""
    pending = WAITING.requests.pop(token, None)
    if pending and pending.timer:
        pending.timer.cancel()


def ask_again() -> None:
    """After a restart the queue is empty: send what is still waiting once more, with its time anew."""
    for token, pending in WAITING.requests.items():
        arn = str(pending.document["ServiceToken"])
        backend = sns_backends[arn.split(":")[4]][arn.split(":")[3]]
        if arn in backend.topics:
            backend.publish(json.dumps(pending.document), arn=arn, subject=_SUBJECT)
        _start_clock(token, pending)


def stop_waiting() -> None:
    """Give up on every request, without a word."""
    for token in list(WAITING.requests):
        forget(token)
