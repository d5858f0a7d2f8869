"""One AWS call as it arrives: which service, which action, whose account. And how many of each there were."""

from __future__ import annotations

import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, unquote

from moto.iam.models import iam_backends
from werkzeug.wrappers import Request

from awsaccess.sandbox.guard.caller import SESSIONS

_READS: Final = re.compile(
    r"(Get|List|Describe|Head|Lookup|Simulate|Validate|Estimate|Decode|BatchGet|Search|Query|Scan|Select)"
)
# Messages are delivered once and are not state that a restart brings back; sessions end with the process.
_FLEETING: Final = frozenset(
    {"sns:Publish", "sns:PublishBatch", "sqs:SendMessage", "sqs:SendMessageBatch", "sqs:ReceiveMessage"}
    | {"sqs:DeleteMessage", "sqs:DeleteMessageBatch", "sqs:ChangeMessageVisibility"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Whose call it is and what for. `target` is the account of the role in an AssumeRole."""

    service: str
    action: str
    account: str
    region: str
    target: str | None = None

    @property
    def changes(self) -> bool:
        """Does it change what a restart has to bring back?"""
        name = f"{self.service}:{self.action}"
        return self.service != "sts" and name not in _FLEETING and not _READS.match(self.action)


def account_of(access_key_id: str) -> str:
    """The account of an access key, or 'unknown'."""
    if session := SESSIONS.get(access_key_id):
        return session.account
    for account, partitions in list(iam_backends.items()):
        if access_key_id in partitions["aws"].access_keys:
            return str(account)
    return "unknown"


def _s3_action(request: Request) -> str:
    has_key = "/" in unquote(request.path).strip("/")
    is_bucket = bool(request.path.strip("/"))
    what = "Object" if has_key else "Bucket" if is_bucket else "Buckets"
    verb = {
        "GET": "Get" if has_key else "List",
        "HEAD": "Head",
        "PUT": "Put",
        "DELETE": "Delete",
        "POST": "Post",
    }
    return f"{verb.get(request.method, request.method.title())}{what}"


def _form(request: Request, body: bytes) -> dict[str, str]:
    if "x-www-form-urlencoded" not in request.headers.get("Content-Type", ""):
        return {}
    return {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}


def _action(service: str, request: Request, form: dict[str, str]) -> str:
    if target := request.headers.get("X-Amz-Target"):
        return target.split(".")[-1]
    if action := form.get("Action") or request.args.get("Action"):
        return action
    if service == "s3":
        return _s3_action(request)
    return f"{'Get' if request.method in {'GET', 'HEAD'} else request.method.title()} {request.path}"


def read_call(request: Request, body: bytes) -> Call:
    """Take a request apart without judging it."""
    credential = request.headers.get("Authorization", "").partition("Credential=")[2].partition(",")[0]
    credential = credential or request.args.get("X-Amz-Credential", "")
    parts = credential.split("/")
    key, region, service = (parts[0], parts[2], parts[3]) if len(parts) == 5 else ("", "us-east-1", "s3")
    form = _form(request, body)
    role = form.get("RoleArn", "").split(":")
    target = role[4] if form.get("Action") == "AssumeRole" and len(role) > 4 else None
    account = account_of(key) if key else "anonymous"
    return Call(
        service=service, action=_action(service, request, form), account=account, region=region, target=target
    )


@dataclass(slots=True)
class CallCounter:
    """How often each action of each service was called, by account."""

    _counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, call: Call) -> None:
        """Count one call, whatever becomes of it."""
        with self._lock:
            self._counts[call.service, call.action, call.account] += 1

    def count(self, service: str, action: str, account: str | None = None) -> int:
        """Calls of this action, of one account or of all."""
        with self._lock:
            wanted = [
                n
                for (s, a, who), n in self._counts.items()
                if (s, a) == (service, action) and account in {None, who}
            ]
        return sum(wanted)

    def clear(self) -> None:
        """Start counting anew."""
        with self._lock:
            self._counts.clear()

    def as_rows(self) -> list[dict[str, str | int]]:
        """For the JSON page: one row per service, action and account."""
        with self._lock:
            counted = sorted(self._counts.items())
        return [{"service": s, "action": a, "account": who, "count": n} for (s, a, who), n in counted]
