"""The way out itself: one address, public, under the host's certificate, nothing followed, five seconds in all."""

from __future__ import annotations

import datetime as dt
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from awsaccess import door
from awsaccess.aws import answering
from awsaccess.aws.answering import LONGEST_ANSWER, Answer, AnswerDoor, ResponseAddress, response_address
from awsaccess.aws.arns import BadAddress
from awsaccess.aws.errors import AwsMisconfigured, AwsRejected, AwsTransient
from awsaccess.aws.messages import StackId
from tests.awsaccess.callbacks import scene

PUBLIC: Final = "52.218.0.1"
STACK: Final = scene.stack_id()
ADDRESS: Final = response_address(
    scene.response_url(STACK), stack=StackId.parse(STACK), logical_id=scene.LOGICAL
)
ANSWER: Final = Answer(
    succeeded=False,
    reason="Für den Kunden: “nein”",
    stack_id=STACK,
    request_id=scene.REQUEST,
    logical_id=scene.LOGICAL,
    physical_id="latchkey-lk",
)


class Server:
    """Takes one connection at a time, keeps what it is sent, says what it is told to say."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.got: list[bytes] = []
        self.says = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        self.pause = 0.0
        self._over = threading.Event()
        self._context = context
        self._line = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._line.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                peer, _ = self._line.accept()
                with self._context.wrap_socket(peer, server_side=True) if self._context else peer as line:
                    self._answer(line)
            except OSError:
                continue

    def _answer(self, line: socket.socket) -> None:
        line.settimeout(2)
        got = b""
        while b"\r\n\r\n" not in got or len(got.partition(b"\r\n\r\n")[2]) < _length(got):
            piece = line.recv(65536)
            if not piece:
                return
            got += piece
        self.got.append(got)
        for byte in range(len(self.says)) if self.pause else ():
            self._over.wait(self.pause)
            line.sendall(self.says[byte : byte + 1])
        if not self.pause:
            line.sendall(self.says)

    def close(self) -> None:
        self._over.set()
        self._line.close()


def _length(got: bytes) -> int:
    (line,) = (each for each in got.split(b"\r\n") if each.lower().startswith(b"content-length"))
    return int(line.split(b":")[1])


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


@pytest.fixture
def plain(server: Server) -> AnswerDoor:
    return AnswerDoor(f"http://127.0.0.1:{server.port}")


def test_it_puts_as_awss_own_module_does(server: Server, plain: AnswerDoor) -> None:
    plain.put(ADDRESS, ANSWER)
    head, _, body = server.got[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == f"PUT {ADDRESS.target} HTTP/1.1"
    assert f"Host: {scene.HOST}" in lines
    assert "Content-Type: " in lines
    assert not any(line.lower().startswith(("authorization", "user-agent", "accept")) for line in lines)
    assert json.loads(body) == {
        "Status": "FAILED",
        "Reason": ANSWER.reason,
        "PhysicalResourceId": "latchkey-lk",
        "StackId": STACK,
        "RequestId": scene.REQUEST,
        "LogicalResourceId": scene.LOGICAL,
    }
    assert body.isascii()


@pytest.mark.parametrize(
    ("says", "error"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", None),
        (b"HTTP/1.0 200\r\n\r\n", None),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://169.254.169.254/\r\n\r\n", AwsRejected),
        (b"HTTP/1.1 307 Elsewhere\r\nLocation: https://evil.example/\r\n\r\n", AwsRejected),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", AwsRejected),
        (b"HTTP/1.1 408 Slow\r\n\r\n", AwsTransient),
        (b"HTTP/1.1 503 SlowDown\r\n\r\n", AwsTransient),
        (b"HTTP/1.1 100 Continue\r\n\r\n", AwsRejected),
        (b"SSH-2.0-OpenSSH\r\n", AwsTransient),
        (b"x" * 100_000, AwsTransient),
        (b"", AwsTransient),
    ],
)
def test_what_it_is_answered(
    says: bytes, error: type[Exception] | None, server: Server, plain: AnswerDoor
) -> None:
    server.says = says
    if error is None:
        plain.put(ADDRESS, ANSWER)
        return
    with pytest.raises(error) as caught:
        plain.put(ADDRESS, ANSWER)
    assert "Signature" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert len(server.got) == 1  # nothing is followed, nothing is tried twice


def test_a_trickle_ends_after_the_time_of_the_whole(server: Server) -> None:
    server.pause = 0.1
    begun = time.monotonic()
    with pytest.raises(AwsTransient):
        AnswerDoor(f"http://127.0.0.1:{server.port}", seconds=0.5).put(ADDRESS, ANSWER)
    assert time.monotonic() - begun < 2


def test_nobody_there_is_transient() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(AwsTransient):
        AnswerDoor(f"http://127.0.0.1:{port}").put(ADDRESS, ANSWER)


@pytest.mark.parametrize("length", [0, 5, 900, 100_000])
@pytest.mark.parametrize("letter", ["x", "ü", "\U0001f600"])
def test_an_answer_is_never_too_long(length: int, letter: str) -> None:
    answer = Answer(
        succeeded=False,
        reason=letter * length,
        stack_id=STACK,
        request_id="r" * 128,
        logical_id="l" * 255,
        physical_id="p" * 1024,
    )
    body = answer.body()
    assert len(body) <= LONGEST_ANSWER
    assert json.loads(body)["Reason"]
    assert json.loads(body)["PhysicalResourceId"] == "p" * 1024


def test_what_cannot_be_said_in_4096_bytes_is_not_sent() -> None:
    answer = Answer(
        succeeded=True, reason="", stack_id="s" * 5000, request_id="r", logical_id="l", physical_id="p"
    )
    with pytest.raises(AwsRejected):
        answer.body()


# ---------------------------------------------------------------- names and certificates


class Net:
    """Who is resolved and called, without a network."""

    def __init__(self, *numbers: str) -> None:
        self.numbers = list(numbers)
        self.resolved: list[str] = []
        self.called: list[tuple[str, int]] = []
        self.port = 0

    def resolve(self, host: str) -> list[str]:
        self.resolved.append(host)
        return self.numbers

    def connect(self, address: str, port: int, seconds: float) -> socket.socket:
        self.called.append((address, port))
        return socket.create_connection(("127.0.0.1", self.port), timeout=seconds)


@pytest.mark.parametrize(
    "number",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104  # it is to be refused
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "fe80::1",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "ff02::1",
    ],
)
@pytest.mark.parametrize("beside", [True, False])
def test_a_name_that_leads_inside_is_not_called(number: str, beside: bool) -> None:  # noqa: FBT001  # a column
    net = Net(*([PUBLIC] if beside else []), number)
    with pytest.raises(AwsMisconfigured, match="private address"):
        AnswerDoor(resolve=net.resolve, connect=net.connect).put(ADDRESS, ANSWER)
    assert net.called == []


def test_a_name_without_addresses_is_transient() -> None:
    net = Net()
    with pytest.raises(AwsTransient):
        AnswerDoor(resolve=net.resolve, connect=net.connect).put(ADDRESS, ANSWER)


def test_a_resolver_that_hangs_or_fails_is_left_behind() -> None:
    hanging = threading.Event()

    def hang(_host: str) -> list[str]:
        hanging.wait(5)
        return [PUBLIC]

    def fail(_host: str) -> list[str]:
        raise socket.gaierror

    for resolve in (hang, fail):
        with pytest.raises(AwsTransient):
            AnswerDoor(resolve=resolve, seconds=0.2).put(ADDRESS, ANSWER)
    hanging.set()


def _certificate(folder: Path, name: str) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(plain)
    (folder / "certificate.pem").write_bytes(made.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


@pytest.mark.parametrize(("name", "is_taken"), [(scene.HOST, True), ("evil.example", False)])
def test_it_calls_what_it_resolved_once_under_the_hosts_own_certificate(
    name: str,
    is_taken: bool,  # noqa: FBT001  # a column of the table
    tmp_path: Path,
) -> None:
    server, net = Server(_certificate(tmp_path, name)), Net(PUBLIC, "2600:1fa0::1")
    net.port = server.port
    trusting = AnswerDoor(
        resolve=net.resolve,
        connect=net.connect,
        context=lambda: ssl.create_default_context(cafile=str(tmp_path / "certificate.pem")),
    )
    if is_taken:
        trusting.put(ADDRESS, ANSWER)
        assert len(server.got) == 1
    else:
        with pytest.raises(AwsMisconfigured, match="certificate"):
            trusting.put(ADDRESS, ANSWER)
        assert server.got == []
    assert net.resolved == [scene.HOST]
    assert net.called == [(PUBLIC, 443)]
    server.close()


def test_the_systems_own_resolver_and_line_are_asked_for_port_443(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []  # Any: the arguments of socket

    def getaddrinfo(*where: Any, **named: Any) -> list[Any]:
        asked.append((*where, named["type"]))
        return [(0, 0, 0, "", (PUBLIC, 443)), (0, 0, 0, "", (PUBLIC, 443))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket, "create_connection", lambda where, timeout: asked.append((where, timeout)))
    assert answering.resolve(scene.HOST) == [PUBLIC]
    answering.connect(PUBLIC, 443, 1.0)
    assert asked == [(scene.HOST, 443, socket.SOCK_STREAM), ((PUBLIC, 443), 1.0)]


def test_nothing_of_an_answer_is_logged(
    server: Server, plain: AnswerDoor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    plain.put(ADDRESS, ANSWER)
    assert caplog.text == ""
    assert "Signature" not in repr(ADDRESS)


# ---------------------------------------------------------------- the stand-in


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1",
        "http://evil.example",
        "https://127.0.0.1:1",
        "http://127.0.0.1.evil.example",
        "http://user@127.0.0.1",
    ],
)
def test_a_stand_in_is_on_this_machine_or_refused(url: str) -> None:
    with pytest.raises(BadAddress):
        AnswerDoor(url)


@pytest.mark.parametrize(
    ("stand_in", "aws", "is_fine"),
    [
        ("", "", True),
        ("http://127.0.0.1:7001", "http://127.0.0.1:7001", True),
        ("http://127.0.0.1:7001", "", False),
        ("http://127.0.0.1:7001", "https://sts.amazonaws.com", False),
        ("http://evil.example", "http://127.0.0.1:7001", False),
    ],
)
def test_a_stand_in_beside_the_real_aws_is_refused_at_start(
    stand_in: str,
    aws: str,
    is_fine: bool,  # noqa: FBT001  # a column of the table
    settings: Any,  # Any: pytest-django's private type
) -> None:
    settings.CFN_RESPONSE_ENDPOINT_URL, settings.AWS_ENDPOINT_URL = stand_in, aws
    found = door.check_stand_in()
    assert (found == []) is is_fine
    assert all(message.id == "awsaccess.E001" for message in found)


def test_the_process_has_one_way_out(shut_answer_door: None, settings: Any) -> None:  # Any: as above
    settings.CFN_RESPONSE_ENDPOINT_URL = ""
    assert door.answer_door() is door.answer_door()
    assert isinstance(ADDRESS, ResponseAddress)
