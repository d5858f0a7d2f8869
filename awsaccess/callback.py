"""What a stack reports: read strictly, believed never. Pure: no database, no network, no clock.

Anyone may publish to the hub's topics (AWS_FACTS §4), so that a message is a hint at best. What comes out here is a `Hint`
with nothing but checked parts, or a `Refusal` with a reason. Neither proves anything: proof is entering the role.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from awsaccess.aws.answering import BadResponseUrl, ResponseAddress, response_address
from awsaccess.aws.arns import BadArn, RoleArn
from awsaccess.aws.messages import StackId, TopicArn

LONGEST_BODY: Final = 64 * 1024
DEEPEST: Final = 8
MOST_MEMBERS: Final = 64
RESOURCE_TYPE: Final = "Custom::LatchkeyCallback"
TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{32}", re.ASCII)
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9-]{8,128}", re.ASCII)
MESSAGE_ID: Final = re.compile(r"[A-Za-z0-9-]{8,100}", re.ASCII)
LOGICAL_ID: Final = re.compile(r"[A-Za-z0-9]{1,255}", re.ASCII)
PHYSICAL_ID: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,1022}[\x21-\x7e])?", re.ASCII)
Json = dict[str, Any]  # Any: JSON of a stranger


class Kind(StrEnum):
    """What happened to the resource that reports."""

    CREATE = "Create"
    UPDATE = "Update"
    DELETE = "Delete"


class Reason(StrEnum):
    """Why a message is not even a hint."""

    TOO_LARGE = "too-large"
    NOT_UTF8 = "not-utf8"
    TOO_DEEP = "too-deep"
    NOT_JSON = "not-json"
    TWICE = "a-name-twice"
    NOT_FROM_SNS = "not-from-sns"
    OTHER_TOPIC = "other-topic"
    NOT_A_REQUEST = "not-a-request"
    OTHER_RESOURCE = "other-resource"
    BAD_STACK = "bad-stack"
    OTHER_REGION = "other-region"
    BAD_RESPONSE_URL = "bad-response-url"
    BAD_TOKEN = "bad-token"  # noqa: S105  # a reason, no secret
    BAD_ROLE = "bad-role"
    # The rest is found out with the database's help.
    UNKNOWN_TOKEN = "unknown-token"  # noqa: S105  # a reason, no secret
    SPENT_TOKEN = "spent-token"  # noqa: S105  # a reason, no secret
    OTHER_ACCOUNT = "other-account"
    REPLAYED = "replayed"
    TOO_MANY = "too-many"


WORDS: Final[dict[Reason, str]] = {
    Reason.TOO_LARGE: "It is longer than any message of CloudFormation's.",
    Reason.NOT_UTF8: "It is not text in UTF-8.",
    Reason.TOO_DEEP: "It is nested deeper than any message of CloudFormation's.",
    Reason.NOT_JSON: "It is not JSON.",
    Reason.TWICE: "It has a name twice.",
    Reason.NOT_FROM_SNS: "It is not a notification of SNS.",
    Reason.OTHER_TOPIC: "It did not come by a topic of this hub.",
    Reason.NOT_A_REQUEST: "It is not a request of CloudFormation's for a custom resource.",
    Reason.OTHER_RESOURCE: "It is for a custom resource of another kind.",
    Reason.BAD_STACK: "It names no stack.",
    Reason.OTHER_REGION: "Its stack is in another region than its topic.",
    Reason.BAD_RESPONSE_URL: "It wants its answer at an address that is not CloudFormation's.",
    Reason.BAD_TOKEN: "Its token has another form than ours.",
    Reason.BAD_ROLE: "It names no role of the account its stack is in.",
    Reason.UNKNOWN_TOKEN: "Its token belongs to no offer.",
    Reason.SPENT_TOKEN: "Its token was used by another stack.",
    Reason.OTHER_ACCOUNT: "Its stack is in another account than the one that was agreed.",
    Reason.REPLAYED: "It was there before.",
    Reason.TOO_MANY: "There were too many of them in a short time.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """A message in the form that CloudFormation gives it. `token` and `role` are None where a Delete lacks them."""

    kind: Kind
    message_id: str
    topic: TopicArn
    stack: StackId
    request_id: str
    logical_id: str
    physical_id: str
    response: ResponseAddress
    token: str | None = field(repr=False)
    role: RoleArn | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A message that is dropped. `reason` stands in the list of dead letters."""

    reason: Reason

    @property
    def words(self) -> str:
        """For people."""
        return WORDS[self.reason]


class _Refused(Exception):
    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def read_message(body: str | bytes, *, topics: Collection[str]) -> Hint | Refusal:
    """A message of the queue as SNS delivers it. `topics` are the ARNs of the hub's own. Never raises."""
    try:
        envelope = _parsed(body)
        topic, message_id = _envelope(envelope, topics)
        request = _parsed(_text(envelope, "Message", Reason.NOT_FROM_SNS))
        return _hint(request, topic, message_id)
    except _Refused as refused:
        return Refusal(reason=refused.reason)


def _hint(request: Json, topic: TopicArn, message_id: str) -> Hint:
    kind = _kind(request)
    if request.get("ResourceType") != RESOURCE_TYPE:
        raise _Refused(Reason.OTHER_RESOURCE)
    stack = _stack(request, topic)
    logical_id = _matching(request, "LogicalResourceId", LOGICAL_ID)
    request_id = _matching(request, "RequestId", REQUEST_ID)
    has_physical = "PhysicalResourceId" in request
    if has_physical is (kind is Kind.CREATE):  # always with Update and Delete, never with Create
        raise _Refused(Reason.NOT_A_REQUEST)
    properties = request.get("ResourceProperties")
    if not isinstance(properties, dict):
        raise _Refused(Reason.NOT_A_REQUEST)
    return Hint(
        kind=kind,
        message_id=message_id,
        topic=topic,
        stack=stack,
        request_id=request_id,
        logical_id=logical_id,
        physical_id=_matching(request, "PhysicalResourceId", PHYSICAL_ID) if has_physical else "",
        response=_response(request, stack, logical_id),
        token=_token(properties, kind),
        role=_role(properties, kind, stack),
    )


# ---------------------------------------------------------------- JSON of a stranger


def _parsed(body: str | bytes) -> Json:
    text = _decoded(body)
    if _depth(text) > DEEPEST:
        raise _Refused(Reason.TOO_DEEP)
    try:
        found = json.loads(
            text, object_pairs_hook=_once, parse_constant=_no_constant, parse_int=_number, parse_float=_number
        )
    except (ValueError, RecursionError):
        raise _Refused(Reason.NOT_JSON) from None
    if not isinstance(found, dict):
        raise _Refused(Reason.NOT_JSON)
    return found


def _decoded(body: str | bytes) -> str:
    try:
        raw = body.encode("utf-8") if isinstance(body, str) else body
        if len(raw) > LONGEST_BODY:
            raise _Refused(Reason.TOO_LARGE)
        text = raw.decode("utf-8")
    except UnicodeError:
        raise _Refused(Reason.NOT_UTF8) from None
    if "\x00" in text:
        raise _Refused(Reason.NOT_JSON)
    return text


def _depth(text: str) -> int:
    """How deep brackets nest outside of strings, without recursion: Python's own parser gives up too late."""
    deepest = depth = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _once(pairs: list[tuple[str, Any]]) -> Json:  # Any: JSON
    found = dict(pairs)
    if len(found) != len(pairs):  # readers disagree on which of the two counts
        raise _Refused(Reason.TWICE)
    if len(pairs) > MOST_MEMBERS:
        raise _Refused(Reason.TOO_LARGE)
    return found


def _no_constant(_word: str) -> Any:  # Any: json's own signature
    raise ValueError  # NaN and Infinity are Python's, not JSON's


def _number(_text: str) -> int:
    """Any number is as good: nothing here counts with one, and a long one would cost time."""
    return 0


# ---------------------------------------------------------------- its parts


def _envelope(envelope: Json, topics: Collection[str]) -> tuple[TopicArn, str]:
    message_id = envelope.get("MessageId")
    if envelope.get("Type") != "Notification" or not isinstance(message_id, str):
        raise _Refused(Reason.NOT_FROM_SNS)
    if not MESSAGE_ID.fullmatch(message_id):
        raise _Refused(Reason.NOT_FROM_SNS)
    named = _text(envelope, "TopicArn", Reason.NOT_FROM_SNS)
    try:
        topic = TopicArn.parse(named)
    except BadArn:
        raise _Refused(Reason.OTHER_TOPIC) from None
    if named not in topics:
        raise _Refused(Reason.OTHER_TOPIC)
    return topic, message_id


def _kind(request: Json) -> Kind:
    try:
        return Kind(_text(request, "RequestType", Reason.NOT_A_REQUEST))
    except ValueError:
        raise _Refused(Reason.NOT_A_REQUEST) from None


def _stack(request: Json, topic: TopicArn) -> StackId:
    try:
        stack = StackId.parse(_text(request, "StackId", Reason.BAD_STACK))
    except BadArn:
        raise _Refused(Reason.BAD_STACK) from None
    if (stack.partition, stack.region) != (topic.partition, topic.region):
        raise _Refused(Reason.OTHER_REGION)
    return stack


def _response(request: Json, stack: StackId, logical_id: str) -> ResponseAddress:
    try:
        url = _text(request, "ResponseURL", Reason.BAD_RESPONSE_URL)
        return response_address(url, stack=stack, logical_id=logical_id)
    except BadResponseUrl:
        raise _Refused(Reason.BAD_RESPONSE_URL) from None


def _token(properties: Json, kind: Kind) -> str | None:
    """A Delete is answered whatever it holds, or the client could not delete the stack."""
    token = properties.get("Token")
    if isinstance(token, str) and TOKEN.fullmatch(token):
        return token
    if kind is Kind.DELETE:
        return None
    raise _Refused(Reason.BAD_TOKEN)


def _role(properties: Json, kind: Kind, stack: StackId) -> RoleArn | None:
    text = properties.get("RoleArn")
    try:
        role = RoleArn.parse(text) if isinstance(text, str) else None
    except BadArn:
        role = None
    if role is not None and (role.partition, role.account_id) == (stack.partition, stack.account_id):
        return role
    if kind is Kind.DELETE:
        return None
    raise _Refused(Reason.BAD_ROLE)


def _text(document: Json, name: str, otherwise: Reason) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise _Refused(otherwise)
    return value


def _matching(document: Json, name: str, pattern: re.Pattern[str]) -> str:
    text = _text(document, name, Reason.NOT_A_REQUEST)
    if not pattern.fullmatch(text):
        raise _Refused(Reason.NOT_A_REQUEST)
    return text
