"""The command line as a person runs it: a process of its own, against a real HTTP server on the loopback address."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

COMMAND = Path(__file__).resolve().parents[1] / "cli" / "latchkey.py"
Answers = dict[str, tuple[int, bytes]]
Serve = Callable[[Answers], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server with these answers; gives its address."""
    servers: list[HTTPServer] = []

    def start(answers: Answers) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = answers.get(self.path, (404, b""))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_words: object) -> None:
                """Quiet."""

        servers.append(HTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", str(COMMAND), *words], capture_output=True, text=True, check=False, timeout=30
    )


def test_doctor_says_that_all_is_well(serve: Serve) -> None:
    found = run("doctor", serve({"/healthz": (200, b"ok\n"), "/readyz": (200, b'{"failing": []}')}))
    assert (found.returncode, found.stderr) == (0, "")
    assert "everything it depends on answers" in found.stdout


@pytest.mark.parametrize(("name", "words"), [("queue", "nothing is lost"), ("moon", "moon does not answer")])
def test_doctor_names_what_fails(serve: Serve, name: str, words: str) -> None:
    body = f'{{"failing": ["{name}"]}}'.encode()
    found = run("doctor", serve({"/healthz": (200, b"ok\n"), "/readyz": (503, body)}))
    assert found.returncode == 1
    assert words in found.stdout


@pytest.mark.parametrize("answers", [{}, {"/healthz": (200, b"<html>")}])
def test_doctor_knows_that_somebody_else_answers(serve: Serve, answers: Answers) -> None:
    found = run("doctor", serve(answers))
    assert found.returncode == 1
    assert "is this the portal's address?" in found.stderr


def test_doctor_says_that_nobody_answers() -> None:
    found = run("doctor", "http://127.0.0.1:9")
    assert found.returncode == 1
    assert "Is the web process running?" in found.stderr


def test_doctor_refuses_what_is_no_address() -> None:
    found = run("doctor", "ftp://portal.example.com")
    assert found.returncode == 1
    assert "is no address" in found.stderr


def test_without_a_command_it_explains_itself() -> None:
    found = run()
    assert found.returncode == 2
    assert "doctor" in found.stderr
