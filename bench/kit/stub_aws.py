"""`python -m kit.stub_aws PORT LATENCY_MS CALLS_PER_SECOND DOCUMENTS`: an STS and IAM for speed alone.

It adds latency, throttles AssumeRole as STS does, counts, and checks nothing but what a check of a role asks about:
the external ID belongs to the role, our roles want a name, and a session of the control role comes in nowhere. Never
for correctness.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, quote

from kit.load import LOOPBACK

HUB_ACCOUNT: Final = "111111111111"
CONTROL: Final = "latchkey-control"
CREDENTIAL: Final = re.compile(rb"credential=([a-z0-9]+)/")
LENGTH: Final = re.compile(rb"content-length: *([0-9]+)")
STS: Final = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"'
IAM: Final = 'xmlns="https://iam.amazonaws.com/doc/2010-05-08/"'
ANCHOR: Final = "consultant"  # botocove's own roles: it names nobody
PLACEHOLDER: Final = "EXTERNAL-ID-OF-THE-ROLE"


def external_id_of(role_name: str) -> str:
    """The one that opens a role: by rule, so that ten thousand need no table."""
    return f"bench-external-id-of-the-role-{role_name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who a session belongs to."""

    account: str
    role: str


@dataclass(slots=True, kw_only=True)
class StubAws:
    """All that it knows. `documents`: trust, inline, attached, tags as the roles have them."""

    latency: float
    rate: float
    documents: dict[str, str]
    sessions: dict[str, Caller] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=lambda: {"opened": 0, "refused": 0, "throttled": 0})
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    tokens: float = 0.0
    filled_at: float = 0.0

    def answer(self, head: bytes, body: bytes) -> bytes:
        """The response to one request, complete."""
        if head.startswith(b"get /stats"):
            return _response(200, json.dumps(self.counts), "application/json")
        if b"action=getsignintoken" in body.lower():
            return _response(200, json.dumps({"SigninToken": "t" * 700}), "application/json")
        asked = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        found = CREDENTIAL.search(head)
        caller = self.sessions.get(found[1].decode().upper() if found else "")
        match asked.get("Action"):
            case "AssumeRole":
                return self._assume(asked, caller)
            case "GetCallerIdentity":
                return self._identity(caller)
            case "GetRole":
                return self._role(asked["RoleName"])
            case "ListRolePolicies":
                return _iam("ListRolePolicies", _members("PolicyNames", self.documents["inline_name"]))
            case "GetRolePolicy":
                document = quote(self.documents["inline"])
                return _iam("GetRolePolicy", f"<PolicyDocument>{document}</PolicyDocument>")
            case "ListAttachedRolePolicies":
                return _iam("ListAttachedRolePolicies", self.documents["attached"])
            case _:
                return _error(400, "InvalidAction", "not simulated")

    def _assume(self, asked: dict[str, str], caller: Caller | None) -> bytes:
        if self._is_throttled():
            self.counts["throttled"] += 1
            return _error(400, "Throttling", "Rate exceeded")
        _, _, _, _, account, path = asked["RoleArn"].split(":")
        role = path.removeprefix("role/")
        is_ours = account == HUB_ACCOUNT
        by_control = caller is not None and caller.role == CONTROL
        nameless = role != ANCHOR and "SourceIdentity" not in asked
        if not is_ours and (by_control or nameless or asked.get("ExternalId") != external_id_of(role)):
            self.counts["refused"] += 1
            return _error(403, "AccessDenied", "not authorized to perform: sts:AssumeRole")
        self.counts["opened"] += 1
        return self._opened(account, role, asked["RoleSessionName"])

    def _opened(self, account: str, role: str, session: str) -> bytes:
        key = f"ASIA{next(self.numbers):016}"
        self.sessions[key] = Caller(account=account, role=role)
        arn = f"arn:aws:sts::{account}:assumed-role/{role}/{session}"
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        return _sts(
            "AssumeRole",
            f"<AssumedRoleUser><AssumedRoleId>{_role_id(role)}:{session}</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser>"
            f"<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{'s' * 40}</SecretAccessKey>"
            f"<SessionToken>{'t' * 700}</SessionToken><Expiration>{ends}</Expiration></Credentials>",
        )

    def _identity(self, caller: Caller | None) -> bytes:
        known = caller or Caller(account=HUB_ACCOUNT, role="portal")
        arn = f"arn:aws:sts::{known.account}:assumed-role/{known.role}/bench"
        words = (
            f"<Arn>{arn}</Arn><UserId>{_role_id(known.role)}:bench</UserId><Account>{known.account}</Account>"
        )
        return _sts("GetCallerIdentity", words)

    def _role(self, name: str) -> bytes:
        trust = quote(self.documents["trust"].replace(PLACEHOLDER, external_id_of(name)))
        return _iam(
            "GetRole",
            f"<Role><Path>/</Path><RoleName>{name}</RoleName><RoleId>{_role_id(name)}</RoleId>"
            f"<Arn>arn:aws:iam::1:role/{name}</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>"
            f"<AssumeRolePolicyDocument>{trust}</AssumeRolePolicyDocument>"
            f"<MaxSessionDuration>3600</MaxSessionDuration>{self.documents['tags']}</Role>",
        )

    def _is_throttled(self) -> bool:
        """A bucket that holds one second's calls; without a rate there is none."""
        if not self.rate:
            return False
        now = time.monotonic()
        self.tokens = min(self.rate, self.tokens + (now - self.filled_at) * self.rate)
        self.filled_at = now
        if self.tokens < 1:
            return True
        self.tokens -= 1
        return False


class Connection(asyncio.Protocol):
    """Keep-alive, one request after the other."""

    def __init__(self, aws: StubAws) -> None:
        self._aws, self._held = aws, b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            head = self._held[:end].lower()
            found = LENGTH.search(head)
            length = int(found[1]) if found else 0
            if len(self._held) < end + 4 + length:
                return
            body, self._held = self._held[end + 4 : end + 4 + length], self._held[end + 4 + length :]
            self._send(self._aws.answer(head, body))

    def _send(self, answer: bytes) -> None:
        assert self._transport is not None
        asyncio.get_running_loop().call_later(self._aws.latency, self._transport.write, answer)


def _role_id(role: str) -> str:
    return "AROA" + re.sub(r"[^A-Z0-9]", "", role.upper())[-16:].rjust(16, "0")


def _members(name: str, *values: str) -> str:
    return f"<{name}>{''.join(f'<member>{value}</member>' for value in values)}</{name}><IsTruncated>false</IsTruncated>"


def _sts(action: str, words: str) -> bytes:
    return _response(200, _wrapped(action, words, STS))


def _iam(action: str, words: str) -> bytes:
    return _response(200, _wrapped(action, words, IAM))


def _wrapped(action: str, words: str, space: str) -> str:
    return (
        f"<{action}Response {space}><{action}Result>{words}</{action}Result>"
        f"<ResponseMetadata><RequestId>bench</RequestId></ResponseMetadata></{action}Response>"
    )


def _error(status: int, code: str, words: str) -> bytes:
    return _response(
        status,
        f"<ErrorResponse {STS}><Error><Type>Sender</Type><Code>{code}</Code><Message>{words}</Message></Error>"
        "<RequestId>bench</RequestId></ErrorResponse>",
    )


def _response(status: int, words: str, kind: str = "text/xml") -> bytes:
    body = words.encode()
    return b"HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (
        status,
        kind.encode(),
        len(body),
        body,
    )


async def _serve(port: int, aws: StubAws) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(aws), LOOPBACK, port, backlog=1024
    )
    await server.serve_forever()


def main() -> None:
    """Serve until killed."""
    port, latency, rate, documents = sys.argv[1:]
    aws = StubAws(
        latency=float(latency) / 1000, rate=float(rate), documents=json.loads(Path(documents).read_text())
    )
    asyncio.run(_serve(int(port), aws))


if __name__ == "__main__":
    main()
