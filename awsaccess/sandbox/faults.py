"""AWS having a bad day, on request: error codes, server errors, slowness, cut connections."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from awsaccess.sandbox.calls import Call

_SERVER_ERRORS: Final = {
    "InternalError": 500,
    "InternalFailure": 500,
    "ServiceUnavailable": 503,
    "SlowDown": 503,
}
_DENIALS: Final = frozenset(
    {
        "AccessDenied",
        "ExpiredToken",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "RegionDisabledException",
    }
)
_XML_SERVICES: Final = frozenset(
    {
        "autoscaling",
        "cfn-response",
        "cloudformation",
        "cloudfront",
        "ec2",
        "elasticache",
        "elasticloadbalancing",
        "email",
    }
    | {"iam", "monitoring", "rds", "redshift", "route53", "s3", "sns", "sts"}
)
"""All others speak JSON: the newer ones, and those that neither moto nor the sandbox has."""

SWITCHES: Final[Mapping[str, Mapping[str, Any]]] = {  # Any: the arguments of `Faults.add`
    "throttle": {"service": "*", "code": "Throttling"},
    "down": {"service": "*", "code": "ServiceUnavailable"},
    "slow": {"service": "*", "latency": 5.0},
    "deny": {"service": "*", "code": "AccessDenied"},
    "cut": {"service": "*", "cut": True},
    "html": {"service": "*", "html": True},
}
"""Faults by name; where they apply can be narrowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong, where, and how often still.

    `service`, `action` and `account` may be `*`; an account is the caller's or, for AssumeRole, the role's.
    `times` None means until cleared. `html` answers with a page no AWS client can parse.
    """

    number: int
    service: str
    action: str
    account: str
    code: str | None
    status: int | None
    latency: float
    cut: bool
    html: bool
    times: int | None

    def concerns(self, call: Call) -> bool:
        """Is this call hit?"""
        accounts = {"*", call.account, call.target}
        return (
            {self.service} <= {"*", call.service}
            and {self.action} <= {"*", call.action}
            and self.account in accounts
        )

    @property
    def answers(self) -> bool:
        """Does it answer instead of AWS, or does it only delay?"""
        return bool(self.code or self.status or self.html or self.cut)


class ConnectionCut(ConnectionError):
    """The connection is to be closed without an answer. werkzeug answers every other kind of error with a 500."""


@dataclass(slots=True)
class Faults:
    """The faults in force. Safe to change while the server answers."""

    _faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def add(
        self,
        service: str,
        action: str = "*",
        account: str = "*",
        *,
        code: str | None = None,
        status: int | None = None,
        latency: float = 0,
        cut: bool = False,
        html: bool = False,
        times: int | None = None,
    ) -> Fault:
        """Let calls fail: with AWS's error `code`, a bare HTTP `status`, an HTML page, a cut, or late (seconds)."""
        with self._lock:
            fault = Fault(
                number=next(self._numbers),
                service=service,
                action=action,
                account=account,
                code=code,
                status=status,
                latency=latency,
                cut=cut,
                html=html,
                times=times,
            )
            self._faults.append(fault)
        return fault

    def remove(self, number: int) -> None:
        """Take one fault away; nothing happens when it is gone already."""
        with self._lock:
            self._faults = [fault for fault in self._faults if fault.number != number]

    def clear(self) -> None:
        """All is well again."""
        with self._lock:
            self._faults = []

    def current(self) -> list[Fault]:
        """What is in force now."""
        with self._lock:
            return list(self._faults)

    def hit(self, call: Call) -> list[Fault]:
        """The faults that meet this call, each used up by one."""
        with self._lock:
            met = [fault for fault in self._faults if fault.concerns(call)]
            left = [
                replace(f, times=f.times - 1) if f in met and f.times is not None else f for f in self._faults
            ]
            self._faults = [fault for fault in left if fault.times is None or fault.times > 0]
        return met


def _status_of(fault: Fault) -> int:
    code = fault.code or ""
    return fault.status or _SERVER_ERRORS.get(code, 403 if code in _DENIALS else 400)


def error_body(call: Call, code: str, message: str) -> tuple[str, str]:
    """Body and content type of an error in the service's own protocol."""
    if call.service not in _XML_SERVICES:
        return json.dumps({"__type": code, "message": message}), "application/x-amz-json-1.1"
    error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if call.service == "s3":
        return f"<?xml version='1.0'?><Error>{error}</Error>", "application/xml"
    if call.service == "ec2":
        return (
            f"<?xml version='1.0'?><Response><Errors><Error>{error}</Error></Errors></Response>",
            "text/xml",
        )
    return (
        f"<?xml version='1.0'?><ErrorResponse><Error><Type>Sender</Type>{error}</Error></ErrorResponse>",
        "text/xml",
    )


def suffer(fault: Fault, call: Call, closing: threading.Event) -> Response | None:
    """Wait, then give the faulty answer; None when the fault was only slowness. Raises ConnectionCut."""
    closing.wait(fault.latency)
    if fault.cut:
        raise ConnectionCut
    if fault.html:
        return Response(
            "<html><body><h1>503 Service Unavailable</h1></body></html>",
            fault.status or 503,
            mimetype="text/html",
        )
    if not fault.answers:
        return None
    code = fault.code or ("ServiceUnavailable" if _status_of(fault) >= 500 else "BadRequest")
    message = "Rate exceeded" if code.startswith("Thrott") else "Fault set in the sandbox"
    body, kind = error_body(call, code, message)
    return Response(body, _status_of(fault), content_type=kind)
