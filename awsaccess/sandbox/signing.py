"""Signature Version 4, both ways: the console signs its calls as the person does, and presigned addresses are checked.

moto checks signatures in the Authorization header itself; it does not check presigned ones.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

ALGORITHM: Final = "AWS4-HMAC-SHA256"
UNSIGNED: Final = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Credentials; a user's have no session token."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a signature is good for."""

    stamp: str
    """`20260131T120000Z`"""
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.stamp[:8]}/{self.region}/{self.service}/aws4_request"


def _encode(text: str) -> str:
    return quote(text, safe="-_.~")


def _canonical_query(pairs: list[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" for name, value in sorted((_encode(n), _encode(v)) for n, v in pairs))


def _canonical_headers(headers: dict[str, str]) -> str:
    return "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in sorted(headers))


def _signing_key(secret: str, scope: Scope) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (scope.stamp[:8], scope.region, scope.service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _signature(secret: str, scope: Scope, canonical_request: str) -> str:
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    text = f"{ALGORITHM}\n{scope.stamp}\n{scope}\n{digest}"
    return hmac.new(_signing_key(secret, scope), text.encode(), hashlib.sha256).hexdigest()


def signed_headers(
    *, keys: Keys, scope: Scope, method: str, url: str, body: bytes, headers: dict[str, str]
) -> dict[str, str]:
    """The headers of a request with its Authorization. `url` is absolute and percent-encoded."""
    parts = urlsplit(url)
    payload = hashlib.sha256(body).hexdigest()
    own = {"host": parts.netloc, "x-amz-date": scope.stamp, "x-amz-content-sha256": payload}
    if keys.session_token:
        own["x-amz-security-token"] = keys.session_token
    every = {name.lower(): value for name, value in headers.items()} | own
    names = ";".join(sorted(every))
    query = _canonical_query(parse_qsl(parts.query, keep_blank_values=True))
    canonical = "\n".join([method, parts.path or "/", query, _canonical_headers(every), names, payload])
    signature = _signature(keys.secret_access_key, scope, canonical)
    credential = f"Credential={keys.access_key_id}/{scope}"
    every["authorization"] = f"{ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
    return every


@dataclass(frozen=True, slots=True, kw_only=True)
class Presigned:
    """A presigned address, taken apart."""

    access_key_id: str
    scope: Scope
    issued: dt.datetime
    seconds: int
    token: str | None
    signature: str
    signed_names: tuple[str, ...]
    query: tuple[tuple[str, str], ...]

    @property
    def expires(self) -> dt.datetime:
        """Aware UTC."""
        return self.issued + dt.timedelta(seconds=self.seconds)


def read_presigned(query_string: str) -> Presigned | None:
    """Take a presigned query apart; None when there is no signature, ValueError when it is not well formed."""
    pairs = parse_qsl(query_string, keep_blank_values=True)
    values = dict(pairs)
    if "X-Amz-Signature" not in values:
        return None
    try:
        key, _, region, service, _ = values["X-Amz-Credential"].split("/")
        stamp = values["X-Amz-Date"]
        return Presigned(
            access_key_id=key,
            scope=Scope(stamp=stamp, region=region, service=service),
            issued=dt.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC),
            seconds=int(values["X-Amz-Expires"]),
            token=values.get("X-Amz-Security-Token"),
            signature=values["X-Amz-Signature"],
            signed_names=tuple(values["X-Amz-SignedHeaders"].split(";")),
            query=tuple(pairs),
        )
    except KeyError as error:
        raise ValueError(f"{error.args[0]} is missing") from error


def presigned_is_right(
    presigned: Presigned, *, secret: str, method: str, path: str, headers: dict[str, str]
) -> bool:
    """Was this address signed with this secret? `path` as it was sent; `headers` in lower case."""
    signed = {name: headers.get(name, "") for name in presigned.signed_names}
    query = _canonical_query([(n, v) for n, v in presigned.query if n != "X-Amz-Signature"])
    names = ";".join(presigned.signed_names)
    canonical = "\n".join([method, path, query, _canonical_headers(signed), names, UNSIGNED])
    return hmac.compare_digest(_signature(secret, presigned.scope, canonical), presigned.signature)
