"""The way out to a ResponseURL: the one address that a message from outside may make us call.

The rule (AWS_FACTS §4, SECURITY A17) lets through the bucket that CloudFormation keeps for such answers in the stack's own
region, and nothing else. The name is resolved once, only to public addresses, and what was resolved is what is called.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

from awsaccess.aws.arns import PARTITIONS, BadAddress, loopback_origin
from awsaccess.aws.errors import AwsMisconfigured, AwsRejected, AwsTransient
from awsaccess.aws.messages import StackId

SECONDS: Final = 5.0
LONGEST_URL: Final = 8192
LONGEST_ANSWER: Final = 4096
LONGEST_REASON: Final = 1000
LONGEST_STATUS_LINE: Final = 1024
HTTPS: Final = 443
# Anchored by fullmatch: `$` would let a trailing newline through. No character here can end the host early.
RESPONSE_URL: Final = re.compile(
    r"https://(?P<host>cloudformation-custom-resource-response-(?P<squeezed>[a-z0-9]{4,24})"
    r"\.s3(?:[.-](?P<region>[a-z0-9-]{4,24}))?\.(?P<suffix>amazonaws\.com(?:\.cn)?))(?::443)?"
    r"(?P<target>/(?P<path>[A-Za-z0-9%._~/:|+=,-]+)\?(?P<query>[A-Za-z0-9%._~/:+=&,-]+))",
    re.ASCII,
)
BROKEN_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
AFTER_THE_RESOURCE: Final = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?\r?\n")


class BadResponseUrl(ValueError):
    """Raised for every address but CloudFormation's own. Its text never holds the address: its query is a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseAddress:
    """Where the answer goes: a host that was built, not received, and the signed rest of the address."""

    host: str
    target: str = field(repr=False)

    @property
    def url(self) -> str:
        """The whole address again: a secret, to be sealed."""
        return f"https://{self.host}{self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What CloudFormation is told. `reason` is shown to the client among the stack's events, so it names no secret."""

    succeeded: bool
    reason: str
    stack_id: str
    request_id: str
    logical_id: str
    physical_id: str

    def body(self) -> bytes:
        """ASCII JSON of at most 4,096 bytes: the reason is cut, never what CloudFormation compares."""
        for length in (LONGEST_REASON, 300, 60, 0):
            document = {
                "Status": "SUCCESS" if self.succeeded else "FAILED",
                "Reason": self.reason[:length] or "see Latchkey",
                "PhysicalResourceId": self.physical_id,
                "StackId": self.stack_id,
                "RequestId": self.request_id,
                "LogicalResourceId": self.logical_id,
            }
            body = json.dumps(document).encode("ascii")
            if len(body) <= LONGEST_ANSWER:
                return body
        raise AwsRejected("the answer would be longer than CloudFormation takes")


def response_address(url: str, *, stack: StackId, logical_id: str) -> ResponseAddress:
    """The address of a message that says it comes from this stack. Raises BadResponseUrl.

    Host, region and path must all fit the stack: else somebody could own a bucket of a made-up region.
    """
    found = RESPONSE_URL.fullmatch(url) if len(url) <= LONGEST_URL else None
    if found is None:
        raise BadResponseUrl("it is not an address of CloudFormation's")
    if found["squeezed"] != stack.region.replace("-", ""):
        raise BadResponseUrl("its bucket is of another region than the stack")
    if found["region"] not in {None, stack.region}:
        raise BadResponseUrl("its host is of another region than the stack")
    if found["suffix"] != PARTITIONS[stack.partition].api_suffix:
        raise BadResponseUrl("its host is of another partition than the stack")
    if not _names(found["path"], f"{stack}|{logical_id}|"):
        raise BadResponseUrl("its path names another stack or resource")
    if BROKEN_PERCENT.search(found["query"]):
        raise BadResponseUrl("its signature cannot be read")
    return ResponseAddress(host=found["host"], target=found["target"])


def _names(path: str, expected: str) -> bool:
    if BROKEN_PERCENT.search(path):
        return False
    try:
        decoded = unquote_to_bytes(path).decode("ascii")
    except UnicodeDecodeError:
        return False
    return decoded.startswith(expected) and bool(AFTER_THE_RESOURCE.fullmatch(decoded[len(expected) :]))


Resolve = Callable[[str], list[str]]
Connect = Callable[[str, int, float], socket.socket]


def resolve(host: str) -> list[str]:
    """The addresses of a name. Raises OSError."""
    found = socket.getaddrinfo(host, HTTPS, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def connect(address: str, port: int, seconds: float) -> socket.socket:
    """A connection to a number, never to a name. Raises OSError."""
    return socket.create_connection((address, port), timeout=seconds)


class AnswerDoor:
    """Sends answers. `endpoint_url` stands in for AWS in demo and tests and must be on this machine (BadAddress)."""

    def __init__(
        self,
        endpoint_url: str = "",
        *,
        resolve: Resolve = resolve,
        connect: Connect = connect,
        context: Callable[[], ssl.SSLContext] = ssl.create_default_context,
        seconds: float = SECONDS,
    ) -> None:
        self._stand_in = urlsplit(_plain(endpoint_url)) if endpoint_url else None
        self._resolve = resolve
        self._connect = connect
        self._context = context
        self._seconds = seconds

    def put(self, address: ResponseAddress, answer: Answer) -> None:
        """PUT the answer, once, within five seconds in all, following nothing.

        Raises AwsTransient when it may be tried again, AwsRejected when that would not help, AwsMisconfigured when the
        name leads to a private address or the certificate is not the host's.
        """
        request = _request(address, answer.body())
        until = time.monotonic() + self._seconds
        try:
            with contextlib.closing(self._open(address, until)) as line:
                line.settimeout(_left(until))
                line.sendall(request)
                status = _status(line, until)
        except ssl.SSLCertVerificationError:
            raise AwsMisconfigured(
                "The certificate of CloudFormation's address could not be verified."
            ) from None
        except OSError:  # time-outs and TLS are OSErrors; their texts may hold the address
            raise AwsTransient("CloudFormation's address did not answer.") from None
        _judge(status)

    def _open(self, address: ResponseAddress, until: float) -> socket.socket:
        if self._stand_in is not None:
            return self._connect(str(self._stand_in.hostname), self._stand_in.port or 80, _left(until))
        # Only the numbers that were judged are called: resolving again could give another one.
        number = _public(_in_time(self._resolve, address.host, until))
        line = self._connect(number, HTTPS, _left(until))
        try:
            line.settimeout(_left(until))
            return self._context().wrap_socket(line, server_hostname=address.host)
        except BaseException:
            line.close()
            raise


def _plain(url: str) -> str:
    origin = loopback_origin(url)
    if not origin.startswith("http://"):
        raise BadAddress("the stand-in for CloudFormation's address speaks plain http")
    return origin


def _in_time(resolve: Resolve, host: str, until: float) -> list[str]:
    """The resolver of the system knows no time-out of ours, so it is asked from a thread that may be left behind."""
    answers: queue.Queue[list[str]] = queue.Queue()

    def ask() -> None:
        with contextlib.suppress(OSError):
            answers.put(resolve(host))

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    try:
        return answers.get(timeout=_left(until))
    except queue.Empty:
        raise TimeoutError from None


def _public(numbers: list[str]) -> str:
    """The first number, if every one is public: a name that also leads inside is not AWS's."""
    if not numbers:
        raise TimeoutError
    found = [ipaddress.ip_address(number) for number in numbers]
    if not all(each.is_global and not each.is_multicast for each in found):
        raise AwsMisconfigured("The name of CloudFormation's address leads to a private address here.")
    return numbers[0]


def _request(address: ResponseAddress, body: bytes) -> bytes:
    """As AWS's own answer module: an empty Content-Type, because the signature covers none."""
    lines = (
        f"PUT {address.target} HTTP/1.1",
        f"Host: {address.host}",
        "Content-Type: ",
        f"Content-Length: {len(body)}",
        "Connection: close",
        "",
        "",
    )
    return "\r\n".join(lines).encode("ascii") + body


def _status(line: socket.socket, until: float) -> int:
    """Of the first line of the answer; nothing else of it is read. Raises OSError for what is no HTTP."""
    begun = b""
    while b"\n" not in begun and len(begun) <= LONGEST_STATUS_LINE:
        line.settimeout(_left(until))
        piece = line.recv(LONGEST_STATUS_LINE)
        if not piece:
            break
        begun += piece
    found = STATUS_LINE.match(begun)
    if found is None:
        raise ConnectionError
    return int(found[1])


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _judge(status: int) -> None:
    if 200 <= status < 300:
        return
    if status in {408, 429} or status >= 500:
        raise AwsTransient("CloudFormation's address did not answer.", code=f"HTTP{status}")
    if 300 <= status < 400:
        raise AwsRejected(
            "CloudFormation's address leads elsewhere, which is never followed", code=f"HTTP{status}"
        )
    raise AwsRejected("CloudFormation waits for this answer no more", code=f"HTTP{status}")
