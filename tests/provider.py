"""An OpenID Connect provider on this machine: real addresses, real keys, real signatures, and as crooked as asked.

Nothing of the product is replaced by it: the portal talks to it as it would to any other, over a socket.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import http.client
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

Claims = dict[str, Any]  # Any: JSON, and sometimes on purpose what should not be there
KID = "key-1"


@functools.cache
def rsa_key(name: str = KID) -> RSAKey:
    """One key per name for the whole run: making one takes a while."""
    return RSAKey.generate_key(2048, {"kid": name})


@functools.cache
def ec_key(name: str = "key-ec") -> ECKey:
    return ECKey.generate_key("P-256", {"kid": name})


def signed(claims: Claims, *, key: Any = None, alg: str = "RS256", **header: Any) -> str:  # Any: keys, JSON
    """A token as providers make them."""
    held = key or rsa_key()
    return jwt.encode({"alg": alg, "kid": held.kid, **header}, claims, held, algorithms=[alg])


def plain_part(value: Any) -> str:  # Any: JSON
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass(slots=True, kw_only=True)
class Asked:
    """What the browser came with, kept for its code."""

    nonce: str
    challenge: str
    redirect_uri: str


@dataclass(slots=True)
class Provider:
    """Its people are whoever `subject` and `email` say. The callables bend what it tells; `bodies` replaces answers."""

    server: ThreadingHTTPServer
    client_id: str = "latchkey"
    client_secret: str = "s3cret:/+ ü"
    subject: str = "account-1"
    email: str = ""
    names_itself: bool = True
    change_claims: Callable[[Claims], Claims] = lambda claims: claims
    change_discovery: Callable[[Claims], Claims] = lambda said: said
    make_token: Callable[[Claims], object] = signed
    keys: list[Claims] = field(default_factory=lambda: [rsa_key().as_dict(private=False)])
    bodies: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    codes: dict[str, Asked] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def discovery(self) -> Claims:
        said = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "authorization_response_iss_parameter_supported": self.names_itself,
        }
        return self.change_discovery(said)

    def claims(self, nonce: str) -> Claims:
        now = int(time.time())
        return {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": self.client_id,
            "exp": now + 300,
            "iat": now,
            "nonce": nonce,
            "email": self.email,
            "email_verified": True,
        }

    def let_in(self, asked: dict[str, list[str]]) -> str:
        """Where the browser is sent back to."""
        code = secrets.token_urlsafe(16)
        assert asked["response_type"] == ["code"]
        assert asked["client_id"] == [self.client_id]
        assert asked["code_challenge_method"] == ["S256"]
        assert "openid" in asked["scope"][0].split()
        self.codes[code] = Asked(
            nonce=asked["nonce"][0],
            challenge=asked["code_challenge"][0],
            redirect_uri=asked["redirect_uri"][0],
        )
        told = {"code": code, "state": asked["state"][0]}
        if self.names_itself:
            told["iss"] = self.issuer
        return f"{asked['redirect_uri'][0]}?{urlencode(told)}"

    def give_token(self, form: dict[str, list[str]], authorization: str) -> tuple[int, Claims]:
        """For a code, once, to the client that asked, with the verifier of its challenge."""
        if not self._is_client(form, authorization):
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form["code"][0], None)
        if asked is None or form["redirect_uri"] != [asked.redirect_uri]:
            return 400, {"error": "invalid_grant"}
        digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        if plain_part(digest) != asked.challenge:
            return 400, {"error": "invalid_grant"}
        token = self.make_token(self.change_claims(self.claims(asked.nonce)))
        return 200, {"access_token": "unused", "token_type": "Bearer", "id_token": token}

    def _is_client(self, form: dict[str, list[str]], authorization: str) -> bool:
        if authorization.startswith("Basic "):
            name, _, password = base64.b64decode(authorization[6:]).decode().partition(":")
            return (unquote(name), unquote(password)) == (self.client_id, self.client_secret)
        given = (form.get("client_id", [""])[0], form.get("client_secret", [""])[0])
        return given == (self.client_id, self.client_secret)


class Handler(BaseHTTPRequestHandler):
    """Four addresses."""

    provider: Provider

    def do_GET(self) -> None:  # the library's name
        path = urlsplit(self.path)
        self.provider.seen.append(path.path)
        if path.path in self.provider.bodies:
            self._say(*self.provider.bodies[path.path])
        elif path.path == "/authorize":
            self.send_response(302)
            self.send_header("Location", self.provider.let_in(parse_qs(path.query)))
            self.end_headers()
        elif path.path == "/.well-known/openid-configuration":
            self._say_json(200, self.provider.discovery())
        elif path.path == "/jwks":
            self._say_json(200, {"keys": self.provider.keys})
        else:
            self._say_json(404, {})

    def do_POST(self) -> None:  # as above
        self.provider.seen.append(self.path)
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if self.path in self.provider.bodies:
            self._say(*self.provider.bodies[self.path])
        else:
            self._say_json(*self.provider.give_token(form, self.headers.get("Authorization", "")))

    def _say_json(self, status: int, said: Claims) -> None:
        self._say(status, json.dumps(said).encode())

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in self.provider.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # Any: the library's signature
        """Quiet."""


@contextmanager
def running() -> Iterator[Provider]:
    """A provider of its own at a free port."""

    class OwnHandler(Handler):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), OwnHandler)
    server.daemon_threads = True
    OwnHandler.provider = Provider(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield OwnHandler.provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def visit(address: str) -> str:
    """What a browser does at the provider; where it is sent back to."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 302
    return answer.headers["Location"]
