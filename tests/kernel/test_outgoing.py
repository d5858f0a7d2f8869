"""The one door to servers whose addresses somebody typed in: what it refuses without connecting, and whom it believes."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.core.checks import run_checks
from hypothesis import given
from hypothesis import strategies as st

from portal.kernel import outgoing
from portal.kernel.outgoing import AddressRefused, NoAnswer
from tests import provider as fake

# Refused as they stand, whatever a name server says
CROOKED = (
    "",
    "https",
    "//login.example.com/",
    "http://login.example.com/",
    "ftp://login.example.com/",
    "file:///etc/passwd",
    "gopher://login.example.com/",
    "javascript:alert(1)",
    "https://login.example.com:8443/",
    "https://login.example.com:80/",
    "https://login.example.com:/",
    "https://login.example.com:99999/",
    "https://login.example.com:abc/",
    "https://user@login.example.com/",
    "https://user:word@login.example.com/",
    "https://login.example.com@evil.example/",
    "https://login.example.com#@evil.example/",
    "https://login.example.com/\\@evil.example/",
    "https://login.example.com\\.evil.example/",
    "https://login.example.com/\r\nHost: evil.example",
    "https://login.example.com/ x",
    "https://login.example.com/\x00",
    "https://lögin.example.com/",
    "https://login。example。com/",
    "https://localhost/",
    "https://intranet/",
    "https://login.example.com./",
    "https://.example.com/",
    "https://-login.example.com/",
    "https://log_in.example.com/",
    "https://login..example.com/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://8.8.8.8/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[2606:4700::1]/",
    "https://[fe80::1%25eth0]/",
    "https://" + "a" * 64 + ".example.com/",
    "https://" + "a." * 130 + "example.com/",
    "https://login.example.com/" + "x" * 2000,
    "http://127.0.0.1:8000/",
    "http://localhost:8000/",
    "http://169.254.169.254/latest/meta-data/",
)
# Where a proper name may be said to lie, and must not be asked
INSIDE = (
    "0.0.0.0",  # noqa: S104  # nobody listens there
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.8.8.8",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.7",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "not-an-address",
)
OUTSIDE = ("8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001:813::200e")


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[Any]:  # Any: whatever somebody connects to
    """Where anybody tried to connect to; nobody gets through."""
    tried: list[Any] = []

    def refuse(self: socket.socket, address: Any) -> None:
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    return tried


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What the name server says; it counts in `asked` how often."""
    known: dict[str, list[str]] = {"asked": []}

    def answer(host: str, port: int, *_rest: Any, **_named: Any) -> list[Any]:  # Any: the library's own
        known["asked"].append(host)
        if host not in known:
            raise socket.gaierror
        kinds = [socket.AF_INET6 if ":" in one else socket.AF_INET for one in known[host]]
        return [(kind, 1, 6, "", (one, port)) for kind, one in zip(kinds, known[host], strict=True)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return known


@pytest.mark.parametrize("url", CROOKED)
def test_a_crooked_address_is_refused_unasked(
    url: str, names: dict[str, list[str]], connected: list[Any]
) -> None:
    with pytest.raises(AddressRefused):
        outgoing.get(url)
    assert (names["asked"], connected) == ([], [])


@pytest.mark.parametrize("address", INSIDE)
def test_a_name_that_leads_inside_is_refused_without_connecting(
    address: str, names: dict[str, list[str]], connected: list[Any]
) -> None:
    names["login.example.com"] = [address]
    with pytest.raises(AddressRefused):
        outgoing.get("https://login.example.com/")
    names["login.example.com"] = ["8.8.8.8", address]
    with pytest.raises(AddressRefused):
        outgoing.post("https://login.example.com/", {"code": "x"})
    assert connected == []


@pytest.mark.parametrize("address", OUTSIDE)
def test_a_public_address_is_connected_to_as_it_was_looked_at(
    address: str, names: dict[str, list[str]], connected: list[Any]
) -> None:
    """By number: the name is asked once, so a second answer of the name server changes nothing."""
    names["login.example.com"] = [address]
    asked_for: list[str] = []
    real = outgoing.PinnedConnection.__init__

    def noted(self: Any, target: Any, place: str, **named: Any) -> None:
        asked_for.append(place)
        real(self, target, place, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outgoing.PinnedConnection, "__init__", noted)
        with pytest.raises(NoAnswer):
            outgoing.get("https://login.example.com/")
    assert asked_for == [address]
    assert names["asked"][0] == "login.example.com"
    assert set(names["asked"][1:]) <= {address}  # connecting looks the number up again, not the name


def test_the_next_address_is_tried_and_no_more_than_three(
    names: dict[str, list[str]], connected: list[Any]
) -> None:
    addresses = ["8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1"]
    names["login.example.com"] = addresses
    names.update({one: [one] for one in addresses})
    with pytest.raises(NoAnswer):
        outgoing.get("https://login.example.com/")
    assert [one[0] for one in connected] == addresses[:3]


def test_a_name_that_nobody_knows(names: dict[str, list[str]]) -> None:
    with pytest.raises(NoAnswer, match="no host called"):
        outgoing.get("https://login.example.com/")


def test_a_name_without_any_address(names: dict[str, list[str]]) -> None:
    names["login.example.com"] = []
    with pytest.raises(AddressRefused):
        outgoing.get("https://login.example.com/")


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_no_address_counts_as_public_that_python_calls_otherwise(address: Any) -> None:
    if outgoing.is_public(str(address)):
        assert address.is_global
        assert not any((address.is_private, address.is_loopback, address.is_link_local, address.is_multicast))
        assert getattr(address, "ipv4_mapped", None) is None


@given(st.ip_addresses(v=4))
def test_an_address_hidden_in_another_is_none(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    for prefix, shift in (("::ffff:0:0", 0), ("64:ff9b::", 0), ("2002::", 80), ("::", 0)):
        hidden = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) + (number << shift))
        assert not outgoing.is_public(str(hidden))


def test_an_address_with_a_written_port_and_a_query_is_fine() -> None:
    target = outgoing.check("https://login.example.com:443/token?tenant=1")
    assert (target.host, target.port, target.path) == ("login.example.com", 443, "/token?tenant=1")
    assert outgoing.check("https://LOGIN.example.com").host == "login.example.com"


# Http on this machine


@pytest.fixture
def here(settings: Any) -> Iterator[fake.Provider]:  # Any: pytest-django's private type
    settings.SIGN_IN_SERVICES_ON_LOOPBACK = True
    with fake.running() as provider:
        yield provider


def test_this_machine_is_asked_only_where_that_is_allowed(here: fake.Provider, settings: Any) -> None:
    assert outgoing.get(f"{here.issuer}/jwks").said["keys"]
    assert outgoing.get(f"{here.issuer.replace('127.0.0.1', 'localhost')}/jwks").status == 200
    for refused in ("http://127.0.0.2:8000/", "http://127.0.0.1/", "http://login.example.com:8000/"):
        with pytest.raises(AddressRefused):
            outgoing.get(refused)
    settings.USE_TLS = True
    with pytest.raises(AddressRefused):
        outgoing.get(f"{here.issuer}/jwks")
    settings.USE_TLS, settings.SIGN_IN_SERVICES_ON_LOOPBACK = False, False
    with pytest.raises(AddressRefused):
        outgoing.get(f"{here.issuer}/jwks")
    assert here.seen == ["/jwks", "/jwks"]


def test_this_machines_name_must_lead_here(
    here: fake.Provider, names: dict[str, list[str]], connected: list[Any]
) -> None:
    names["localhost"] = ["8.8.8.8"]
    with pytest.raises(AddressRefused):
        outgoing.get(f"{here.issuer.replace('127.0.0.1', 'localhost')}/jwks")
    assert connected == []


@pytest.mark.parametrize(
    ("demo", "tls", "expected"), [(False, False, 1), (False, True, 1), (True, True, 1), (True, False, 0)]
)
def test_the_check_refuses_it_outside_of_a_demo_without_tls(
    settings: Any, *, demo: bool, tls: bool, expected: int
) -> None:
    settings.SIGN_IN_SERVICES_ON_LOOPBACK, settings.DEMO_MODE, settings.USE_TLS = True, demo, tls
    assert [one.id for one in run_checks(tags=["security"])] == ["portal.E002"] * expected
    settings.SIGN_IN_SERVICES_ON_LOOPBACK = False
    assert run_checks(tags=["security"]) == []


ANSWERS: dict[str, tuple[int, bytes]] = {
    "not a number": (200, b'{"exp": NaN}'),
    "infinity": (200, b'{"exp": -Infinity}'),
    "a text": (200, b'"x"'),
    "nothing": (200, b""),
    "half": (200, b'{"a":'),
    "not utf-8": (200, b'{"a":"\xff"}'),
    "too much": (200, b'{"a":"' + b"x" * outgoing.LARGEST_ANSWER + b'"}'),
    "deep": (200, b"[" * 100_000),
    "sends elsewhere": (302, b"{}"),
    "sends elsewhere for good": (308, b"{}"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_that_are_none(here: fake.Provider, name: str) -> None:
    here.bodies["/x"] = ANSWERS[name]
    here.headers["Location"] = f"{here.issuer}/jwks"
    with pytest.raises(NoAnswer):
        outgoing.get(f"{here.issuer}/x")
    assert here.seen == ["/x"]


def test_an_answer_that_drips_is_cut_off(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SIGN_IN_SERVICES_ON_LOOPBACK = True
    monkeypatch.setattr(outgoing, "DEADLINE_SECONDS", 0.4)
    over = threading.Event()

    def drip(held: socket.socket) -> None:
        try:
            held.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not over.wait(0.05):
                held.sendall(b"y")
        except OSError:
            return

    with listening(drip) as port:
        begun = dt.datetime.now(tz=dt.UTC)
        with pytest.raises(NoAnswer):
            outgoing.get(f"http://127.0.0.1:{port}/")
        took = dt.datetime.now(tz=dt.UTC) - begun
        over.set()
    assert took < dt.timedelta(seconds=3)


# TLS


@contextmanager
def listening(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port on this machine where somebody answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                held, _where = server.accept()
            except OSError:
                return
            with held:
                talk(held)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
    thread.join(5)


def certified(name: str, folder: Path) -> Path:
    """A certificate with its key, good for this name, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(tz=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    clear = serialization.NoEncryption()
    kinds = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    file = folder / f"{name}.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*kinds, clear))
    return file


@pytest.mark.parametrize(
    ("shown", "trusted", "is_believed"),
    [
        ("login.example.com", "login.example.com", True),
        ("evil.example", "evil.example", False),  # trusted, but not for this name
        ("login.example.com", "", False),  # the name, but nobody vouches for it
    ],
)
def test_tls_is_for_the_name_though_the_address_is_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, shown: str, trusted: str, is_believed: bool
) -> None:
    file = certified(shown, tmp_path)
    trust = ssl.create_default_context()
    if trusted:
        trust.load_verify_locations(file)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    heard: list[bytes] = []

    def talk(held: socket.socket) -> None:
        try:
            with server.wrap_socket(held, server_side=True) as tls:
                heard.append(tls.recv(4096))
                body = json.dumps({"hello": "world"}).encode()
                tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        except OSError:
            return

    monkeypatch.setattr(outgoing, "_addresses_of", lambda _target: ["127.0.0.1"] * 2)
    monkeypatch.setattr(ssl, "create_default_context", lambda: trust)
    with listening(talk) as port:
        target = outgoing.Target(host="login.example.com", port=port, path="/")
        if is_believed:
            assert outgoing._ask(target, "GET").said == {"hello": "world"}
            assert b"Host: login.example.com" in heard[0]
        else:
            with pytest.raises(NoAnswer, match="does not prove"):
                outgoing._ask(target, "GET")
            assert heard == []


def test_a_name_and_password_are_spelt_as_in_forms() -> None:
    import base64

    header = outgoing.Basic(name="a:b", password="c d/é+").header
    assert base64.b64decode(header.removeprefix("Basic ")) == b"a%3Ab:c%20d%2F%C3%A9%2B"


def test_cutting_what_is_over_or_has_not_begun_is_no_fault() -> None:
    target = outgoing.Target(host="login.example.com", port=443, path="/")
    connection = outgoing.PinnedConnection(target, "127.0.0.1", trust=None)
    connection.cut()
    left, right = socket.socketpair()
    right.close()
    left.close()
    connection.sock = left
    connection.cut()
    assert left.fileno() == -1
