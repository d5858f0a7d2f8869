"""The event history of each simulated account: every call as CloudTrail shows it, and LookupEvents to read it.

Faithful to what the portal leans on (SANDBOX §5): one lookup attribute, 50 a page, 90 days, two requests a second for
an account and region, management events only, an AssumeRole in both accounts with one shared id, services of the whole
world in us-east-1. It is in memory: a restart forgets it. How late events come is a control, `history`.
"""

# ruff: noqa: SLF001  # moto's own seams; each has a canary
from __future__ import annotations

import datetime as dt
import json
import re
import threading
import uuid
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any, Final

from moto.cloudtrail.responses import CloudTrailResponse
from werkzeug.wrappers import Request, Response

from awsaccess.sandbox import clock
from awsaccess.sandbox.calls import Call
from awsaccess.sandbox.guard.caller import Caller, Moto
from awsaccess.sandbox.guard.checks import fail

HOME: Final = "us-east-1"
OF_THE_WHOLE_WORLD: Final = frozenset(
    {"iam", "organizations", "route53", "cloudfront", "support", "ce", "budgets", "health"}
)
SOURCES: Final = {"tag": "tagging", "cloudwatch": "monitoring", "ses": "email"}
KEPT_DAYS: Final = 90
PAGE: Final = 50
REQUESTS_A_SECOND: Final = 2
ATTRIBUTES: Final = {
    "EventId": "EventId",
    "EventName": "EventName",
    "ReadOnly": "ReadOnly",
    "Username": "Username",
    "EventSource": "EventSource",
    "AccessKeyId": "AccessKeyId",
}
# What is inside of things is in no event history: data events go to trails alone, and only when one asks for them.
DATA: Final = re.compile(
    r"s3:(?:Get|Put|Delete|Head|Post)Object\w*|dynamodb:(?:Batch\w*|Get|Put|Update|Delete)Item|dynamodb:(?:Query|Scan)"
    r"|lambda:Invoke\w*|sns:Publish\w*|sqs:(?:Send|Receive|Delete)Message\w*"
)
READS: Final = re.compile(r"(?:Get|List|Describe|Head|Lookup|Search|Query|Simulate|Validate|Select|View)")
Event = dict[str, Any]  # Any: JSON as CloudTrail shows it


@dataclass(slots=True)
class History:
    """The events by account and region, newest last. `delay` is how late they come to be seen."""

    delay: dt.timedelta = dt.timedelta()
    _events: dict[tuple[str, str], deque[Event]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=20_000))
    )
    _asked: dict[tuple[str, str], deque[float]] = field(default_factory=lambda: defaultdict(deque))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, account: str, region: str, event: Event) -> None:
        """One more event of an account."""
        with self._lock:
            self._events[account, region].append(event)

    def seen(self, account: str, region: str) -> list[Event]:
        """What can be looked up now, newest first."""
        now = clock.now()
        oldest, newest = now - dt.timedelta(days=KEPT_DAYS), now - self.delay
        with self._lock:
            held = list(self._events[account, region])
        return [one for one in reversed(held) if oldest <= one["at"] <= newest]

    def is_too_fast(self, account: str, region: str) -> bool:
        """Two requests a second, by account and region; those that are refused are not counted."""
        now = clock.now().timestamp()
        with self._lock:
            lately = self._asked[account, region]
            while lately and now - lately[0] >= 1:
                lately.popleft()
            if len(lately) >= REQUESTS_A_SECOND:
                return True
            lately.append(now)
        return False

    def clear(self) -> None:
        """Forget everything, and be prompt."""
        with self._lock:
            self._events.clear()
            self._asked.clear()
            self.delay = dt.timedelta()


HISTORY: Final = History()


def record(request: Request, answer: Response, call: Call, caller: Caller | None, action: str) -> None:
    """Write a call down as it was answered, whoever made it; unsigned ones are nobody's."""
    if caller is None or not action or DATA.fullmatch(action):
        return
    code, message = _error_of(answer)
    service, _, name = action.partition(":")
    region = HOME if service in OF_THE_WHOLE_WORLD else call.region
    event: Event = {
        "eventVersion": "1.11",
        "userIdentity": _identity(caller, _key_of(request)),
        "eventSource": f"{SOURCES.get(service, service)}.amazonaws.com",
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": request.remote_addr or "127.0.0.1",
        "userAgent": request.headers.get("User-Agent", ""),
        **({"errorCode": code, "errorMessage": message} if code else {}),
        "requestParameters": None,
        "responseElements": None,
        "requestID": str(uuid.uuid4()),
        # AWS counts AssumeRole among what only reads.
        "readOnly": bool(READS.match(name)) or action == "sts:AssumeRole",
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "eventCategory": "Management",
    }
    _keep(event, caller.account, region)
    if action == "sts:AssumeRole" and not code and call.target not in {None, caller.account}:
        _share(event, caller, str(call.target), region)


def _keep(event: Event, account: str, region: str, **more: object) -> None:
    at = clock.now()
    told = {
        **event,
        "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventID": str(uuid.uuid4()),
        "recipientAccountId": account,
        **more,
    }
    HISTORY.add(account, region, {"at": at, "told": told})


def _share(event: Event, caller: Caller, target: str, region: str) -> None:
    """The account of the role reads of it too: from which account, and under which id both know it."""
    shared = str(uuid.uuid4())
    with HISTORY._lock:
        HISTORY._events[caller.account, region][-1]["told"]["sharedEventID"] = shared
    stranger = {
        "type": "AWSAccount",
        "principalId": event["userIdentity"]["principalId"],
        "accountId": caller.account,
    }
    _keep(event, target, region, userIdentity=stranger, sharedEventID=shared)


def _identity(caller: Caller, key: str) -> Event:
    principal, session = caller.principal, caller.session
    own: Event = {"arn": principal.arn, "accountId": caller.account, "accessKeyId": key}
    if session is None:
        return {
            "type": "IAMUser",
            "principalId": principal.unique_id,
            **own,
            "userName": str(getattr(caller.entity, "name", "")),
        }
    context: Event = {
        "sessionIssuer": {
            "type": "Role",
            "principalId": session.role_id,
            "arn": session.role_arn,
            "accountId": session.account,
            "userName": session.role_arn.rpartition("/")[2],
        },
        "attributes": {
            "creationDate": session.issued.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "mfaAuthenticated": "false",
        },
    }
    if session.source_identity:
        context["sourceIdentity"] = session.source_identity
    return {
        "type": "AssumedRole",
        "principalId": f"{session.role_id}:{session.name}",
        **own,
        "sessionContext": context,
    }


def _key_of(request: Request) -> str:
    return request.headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]


def _error_of(answer: Response) -> tuple[str, str]:
    """AWS's own code and words out of an answer of any of its protocols."""
    if answer.status_code < 300:
        return "", ""
    text = answer.get_data(as_text=True)
    if text[:1] == "{":
        said = json.loads(text)
        code = str(said.get("__type") or said.get("code") or answer.headers.get("x-amzn-errortype", ""))
        return code.rpartition("#")[2] or "Unknown", str(said.get("message") or said.get("Message") or "")
    code = text.partition("<Code>")[2].partition("</Code>")[0]
    return code or "Unknown", text.partition("<Message>")[2].partition("</Message>")[0]


# ---------------------------------------------------------------- LookupEvents


def lookup_events(self: Moto) -> str:
    """A method for moto's CloudTrail, which has none."""
    account, region = self.current_account, self.region
    if HISTORY.is_too_fast(account, region):
        fail(self, "ThrottlingException", "Rate exceeded", 400)
    wanted = _wanted(self)
    start, end = _span(self)
    size, offset = _size(self), _offset(self)
    found = [_shown(one) for one in HISTORY.seen(account, region) if start <= one["at"] <= end]
    found = [one for one in found if all(str(one.get(name, "")) == value for name, value in wanted)]
    answer: Event = {"Events": found[offset : offset + size]}
    if offset + size < len(found):
        answer["NextToken"] = f"after-{offset + size}"
    return json.dumps(answer)


def _wanted(response: Moto) -> list[tuple[str, str]]:
    asked = response._get_param("LookupAttributes") or []
    if len(asked) > 1:
        fail(response, "InvalidLookupAttributesException", "You can specify only one lookup attribute.", 400)
    for each in asked:
        if each.get("AttributeKey") in {"ResourceType", "ResourceName"}:
            fail(response, "NotImplemented", "The sandbox does not simulate lookups by resource", 501)
        if each.get("AttributeKey") not in ATTRIBUTES or not each.get("AttributeValue"):
            fail(response, "InvalidLookupAttributesException", "The lookup attribute is not valid.", 400)
    return [(ATTRIBUTES[each["AttributeKey"]], str(each["AttributeValue"])) for each in asked]


def _span(response: Moto) -> tuple[dt.datetime, dt.datetime]:
    given = [response._get_param(name) for name in ("StartTime", "EndTime")]
    start, end = (None if one is None else dt.datetime.fromtimestamp(float(one), dt.UTC) for one in given)
    start = start or clock.now() - dt.timedelta(days=KEPT_DAYS)
    end = end or clock.now() + dt.timedelta(seconds=1)
    if start > end:
        fail(response, "InvalidTimeRangeException", "The start time is after the end time.", 400)
    return start, end


def _size(response: Moto) -> int:
    size = int(response._get_param("MaxResults") or PAGE)
    if not 1 <= size <= PAGE:
        fail(response, "InvalidMaxResultsException", f"MaxResults must be between 1 and {PAGE}.", 400)
    return size


def _offset(response: Moto) -> int:
    token = str(response._get_param("NextToken") or "after-0")
    found = re.fullmatch(r"after-([0-9]{1,9})", token, re.ASCII)
    if found is None:
        fail(response, "InvalidNextTokenException", "The token is not one of ours.", 400)
    return int(found[1])


def _shown(kept: Event) -> Event:
    told, identity = kept["told"], kept["told"]["userIdentity"]
    shown = {
        "EventId": told["eventID"],
        "EventName": told["eventName"],
        "ReadOnly": str(told["readOnly"]).lower(),
        "EventTime": kept["at"].timestamp(),
        "EventSource": told["eventSource"],
        "Username": str(identity.get("principalId", "")).rpartition(":")[2]
        if identity["type"] == "AssumedRole"
        else str(identity.get("userName", "")),
        "Resources": [],
        "CloudTrailEvent": json.dumps(told),
    }
    if key := identity.get("accessKeyId"):
        shown["AccessKeyId"] = key
    return shown


def install() -> None:
    """Give moto's CloudTrail its missing method."""
    response: Moto = CloudTrailResponse
    response.lookup_events = lookup_events
