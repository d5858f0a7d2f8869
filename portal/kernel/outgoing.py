"""The one door by which the portal asks servers whose addresses somebody typed in.

Whoever sets up a sign-in service names a host, and that host's answers name more. Each of these addresses is looked at
here: https on port 443, a host by name, every address of that name public. The name is resolved once and the connection
goes to the very address that was looked at, so that a name which answers differently the second time gains nothing. TLS
is verified for the name. Redirects are answers like others and are not followed.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from django.conf import settings

TIMEOUT_SECONDS: Final = 4.0  # for each step: connecting, the handshake, each read
DEADLINE_SECONDS: Final = 8.0  # for all of it: an answer that drips must not hold a process
LARGEST_ANSWER: Final = 256 * 1024
LONGEST_ADDRESS: Final = 2000
ADDRESSES_TRIED: Final = 3
TLS_PORT: Final = 443
LABEL: Final = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
# The last label holds a letter first: what is read as a number is an address in one of its many spellings.
HOST: Final = re.compile(rf"(?:{LABEL}\.)+(?=[a-z]){LABEL}", re.ASCII)
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost"})
# Beside what Python calls not global, which differs between its versions.
CLOSED: Final = tuple(
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "2001::/23",  # Teredo and its neighbours: another address is hidden in them
        "2001:db8::/32",
        "2002::/16",  # 6to4: as above
        "3fff::/20",
    )
)
UNICAST: Final = ipaddress.ip_network("2000::/3")  # leaves out mapped, translated, local and multicast ones


class OutgoingFault(Exception):
    """Raised when nothing useful came back. `reason` is in words for whoever typed the address; it holds no secret."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class AddressRefused(OutgoingFault):
    """Raised before anything is connected to: that address may not be asked at all."""


class NoAnswer(OutgoingFault):
    """Raised when the server could not be reached, is not who it says, or answered something else. May be tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An address that may be asked, taken apart. `path` holds the query."""

    host: str
    port: int
    path: str
    is_plain: bool = False  # http to this machine: tests and the demo


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status and JSON object of an answer."""

    status: int
    said: Mapping[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Basic:
    """Name and password of RFC 6749 §2.3.1, each spelt as in a form before they are joined."""

    name: str
    password: str

    @property
    def header(self) -> str:
        """The value of `Authorization`."""
        pair = f"{quote(self.name, safe='')}:{quote(self.password, safe='')}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"


def get(url: str) -> Answer:
    """Ask by GET. Raises AddressRefused, NoAnswer."""
    return _ask(_target_of(url), "GET")


def post(url: str, fields: Mapping[str, str], *, basic: Basic | None = None) -> Answer:
    """Send a form by POST. Raises AddressRefused, NoAnswer."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if basic is not None:
        headers["Authorization"] = basic.header
    return _ask(_target_of(url), "POST", body=urlencode(fields), headers=headers)


def check(url: str) -> Target:
    """What of an address can be judged without asking anybody. Raises AddressRefused."""
    return _target_of(url)


def is_public(address: str) -> bool:
    """True for an address of the public internet, and for nothing that leads elsewhere under another spelling."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False  # with a zone, too: those are local
    if isinstance(found, ipaddress.IPv6Address) and found not in UNICAST:
        return False
    is_closed = any(found in block for block in CLOSED if block.version == found.version)
    return found.is_global and not found.is_multicast and not is_closed


def may_loop_back() -> bool:
    """Whether http to this machine counts: only where the portal itself is served without TLS."""
    return bool(settings.SIGN_IN_SERVICES_ON_LOOPBACK) and not settings.USE_TLS


def _target_of(url: str) -> Target:
    if len(url) > LONGEST_ADDRESS or not url.isascii() or any(one <= " " or one in '\\"<>' for one in url):
        raise AddressRefused("An address has plain characters only, and no spaces.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressRefused("That is not an address.") from None
    if "@" in parts.netloc or "#" in url:
        raise AddressRefused("The address must not hold a user name, a password or a “#”.")
    host, path = parts.hostname or "", f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    if may_loop_back() and parts.scheme == "http" and host in LOOPBACK and port:
        return Target(host=host, port=port, path=path, is_plain=True)
    if parts.scheme != "https":
        raise AddressRefused("The address has to begin with https://")
    if port not in {None, TLS_PORT} or parts.netloc.endswith(":"):
        raise AddressRefused("The address must not name another port than 443.")
    if len(host) > 253 or not HOST.fullmatch(host):
        raise AddressRefused("The host has to be a full name such as login.example.com, not a number.")
    return Target(host=host, port=TLS_PORT, path=path)


def _addresses_of(target: Target) -> Sequence[str]:
    """Where the host is, if every place it claims to be at is public."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NoAnswer(f"There is no host called {target.host}.") from None
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    if target.is_plain:
        fit = [one for one in addresses if one in {"127.0.0.1", "::1"}]
    else:
        fit = [one for one in addresses if is_public(one)]
    if not addresses or len(fit) != len(addresses):
        raise AddressRefused(f"{target.host} does not lie on the public internet.")
    return fit[:ADDRESSES_TRIED]


class PinnedConnection(http.client.HTTPConnection):
    """A connection to one address that was looked at; TLS is for the host's name, whatever the address."""

    default_port = TLS_PORT

    def __init__(self, target: Target, address: str, *, trust: ssl.SSLContext | None) -> None:
        super().__init__(target.host, target.port, timeout=TIMEOUT_SECONDS)
        self._address = address
        self._trust = trust

    def connect(self) -> None:
        """Connect, and without TLS only to this machine."""
        self.sock = socket.create_connection((self._address, self.port), TIMEOUT_SECONDS)
        if self._trust is not None:
            self.sock = self._trust.wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
            self.sock.do_handshake()

    def cut(self) -> None:
        """End whatever is going on, from another thread: its next read finds the end."""
        if (held := self.sock) is not None:
            try:
                socket.socket.shutdown(held, socket.SHUT_RDWR)  # not TLS's own, which would wait
            except OSError:
                return  # it was over already


def _ask(target: Target, method: str, *, body: str = "", headers: Mapping[str, str] | None = None) -> Answer:
    addresses = _addresses_of(target)
    trust = None if target.is_plain else ssl.create_default_context()
    try:
        with closing(_reach(target, addresses, trust)) as connection, _watched(connection):
            return _talk(connection, target, method, body, headers or {})
    except ssl.SSLCertVerificationError:
        raise NoAnswer(f"The certificate of {target.host} does not prove that it is {target.host}.") from None
    except (OSError, http.client.HTTPException, ValueError):
        raise NoAnswer(f"{target.host} does not answer.") from None


def _reach(target: Target, addresses: Sequence[str], trust: ssl.SSLContext | None) -> PinnedConnection:
    """The first address that lets itself be connected to; a wrong certificate is the last word."""
    *others, last = addresses
    for address in others:
        connection = PinnedConnection(target, address, trust=trust)
        try:
            return _connected(connection)
        except ssl.SSLCertVerificationError:
            raise
        except OSError:
            continue
    return _connected(PinnedConnection(target, last, trust=trust))


def _connected(connection: PinnedConnection) -> PinnedConnection:
    with _watched(connection):
        try:
            connection.connect()
        except OSError:
            connection.close()
            raise
    return connection


@contextmanager
def _watched(connection: PinnedConnection) -> Iterator[None]:
    watch = threading.Timer(DEADLINE_SECONDS, connection.cut)
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


def _talk(
    connection: PinnedConnection, target: Target, method: str, body: str, headers: Mapping[str, str]
) -> Answer:
    told = {"Accept": "application/json", "Accept-Encoding": "identity", "Connection": "close", **headers}
    connection.request(method, target.path, body=body.encode() if body else None, headers=told)
    answer = connection.getresponse()
    raw = answer.read(LARGEST_ANSWER + 1)
    if len(raw) > LARGEST_ANSWER:
        raise NoAnswer(f"{target.host} answers with too much.")
    if 300 <= answer.status < 400:
        raise NoAnswer(f"{target.host} sends elsewhere, which is not followed.")
    return Answer(status=answer.status, said=_object(raw, target))


def _object(raw: bytes, target: Target) -> Mapping[str, Any]:  # Any: JSON
    try:
        said = json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise NoAnswer(f"{target.host} answers with something else than JSON.") from None
    if not isinstance(said, dict):
        raise NoAnswer(f"{target.host} answers with something else than a JSON object.")
    return said


def _refuse_constant(name: str) -> None:
    """NaN and the infinities are no JSON, and no comparison with them means anything."""
    raise ValueError(name)
