"""What ASVS asks for and no other test shows: papers that say what the code does, randomness, smuggling, storage."""

from __future__ import annotations

import ast
import os
import random
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar, Final
from uuid import uuid4

import pytest
from allauth.account.adapter import get_adapter
from django import forms
from django.apps import apps
from django.conf import settings
from django.test import Client as Browser

from accounts import sessions
from accounts.brand import png
from accounts.models import User
from accounts.services import attempts, recovery, totp
from accounts.sessions import SessionStore
from awsaccess.aws.clients import Keys
from awsaccess.aws.errors import AwsMisconfigured
from awsaccess.aws.federation import request_signin_token
from awsaccess.services.checks import SOONEST
from engagements.models import Engagement
from portal.kernel import clock, tenancy
from portal.kernel.secrets import KEEPERS
from tests.conftest import SqlAs
from tests.pages import stage
from tests.security import tables
from tests.walls.addresses import own_forms

ROOT: Final = Path(__file__).resolve().parents[2]
PAPERS: Final = ROOT / "docs" / "security"
APPS: Final = ("portal", "accounts", "engagements", "awsaccess")


def paper(name: str) -> str:
    return (PAPERS / name).read_text()


def section(name: str, heading: str) -> str:
    """What stands under a heading, up to the next one."""
    return paper(name).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[str]:
    """The rows of its table, without heading and rule."""
    return [line for line in text.splitlines() if line.startswith("|")][2:]


# Papers that say what the code does.


def read_or_rewritten(name: str, heading: str, right: list[str]) -> list[str]:
    """The rows of a table that the code decides; `make papers` writes them anew before they are read."""
    if os.environ.get("REWRITE_PAPERS") == "true":
        old, text = section(name, heading), paper(name)
        table = "\n".join(rows(old))
        assert text.count(table) == 1
        (PAPERS / name).write_text(text.replace(table, "\n".join(right)))
    return rows(section(name, heading))


def test_the_rules_of_every_field_are_written_down() -> None:
    right = tables.fields_of_forms()
    assert read_or_rewritten("input.md", "Fields", right) == right, "`make papers` writes them anew"


def test_every_field_of_text_has_a_limit() -> None:
    endless = [row for row in tables.fields_of_forms() if "the request's limit" in row]
    assert endless == []


@pytest.mark.django_db
def test_the_columns_that_never_change_are_written_down(sql_as: SqlAs) -> None:
    superuser = sql_as("superuser")
    right = tables.frozen_columns(superuser)
    told = read_or_rewritten("fields.md", "Columns that never change", right)
    assert told == right, "`make papers` writes them anew"
    for table in tables.append_only(superuser):
        assert f"`{table}`" in section("fields.md", "Columns that never change")


@pytest.mark.django_db
def test_every_table_has_its_level_and_its_time(sql_as: SqlAs) -> None:
    named = re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in rows(section("logs.md", DATA))))
    assert sorted(named) == sorted(tables.tables(sql_as("superuser")))


DATA: Final = "Data, how much it needs protecting, and how long it stays"


def test_every_key_stands_in_the_inventory() -> None:
    """Purposes and salts are read off the code: a new one has to be written down."""
    found = {f"purpose `{name}`" for name in _purposes()} | {f"salt `{name}`" for name in _salts()}
    told = {row.split("|")[1].strip() for row in rows(section("keys.md", "Inventory"))}
    assert found <= told
    assert {one for one in told if one.startswith(("purpose ", "salt "))} <= found
    assert set(KEEPERS) <= _purposes()


def _purposes() -> set[str]:
    """What is given to seal, unseal and tokens, as a text or as a constant of its module."""
    found: set[str] = set()
    for module, call in _calls({"seal", "tokens"}):
        first = call.args[0]
        if isinstance(first, ast.Constant):
            found.add(str(first.value))
        elif isinstance(first, ast.Name) and first.id in (known := _constants(module)):
            found.add(known[first.id])
    return found


def _salts() -> set[str]:
    found = {known["SALT"] for module in _modules() if "SALT" in (known := _constants(module))}
    kept = (ROOT / "portal/pages/keeping.py").read_text()
    return found | set(re.findall(r'f"(\w+):\{code\}"', kept))


def _modules() -> Iterator[Path]:
    for app in APPS:
        yield from (file for file in (ROOT / app).rglob("*.py") if "sandbox" not in file.parts)


def _constants(module: Path) -> dict[str, str]:
    """Texts that stand under a name at the top of a module."""
    nodes = ast.parse(module.read_text()).body
    return {
        ast.unparse(one.target): str(one.value.value)
        for one in nodes
        if isinstance(one, ast.AnnAssign) and isinstance(one.value, ast.Constant)
    }


def _calls(names: set[str]) -> Iterator[tuple[Path, ast.Call]]:
    for module in _modules():
        for node in ast.walk(ast.parse(module.read_text())):
            named = getattr(node, "func", None)
            name = getattr(named, "attr", getattr(named, "id", ""))
            if isinstance(node, ast.Call) and name in names and node.args:
                yield module, node


def test_the_limits_on_paper_are_those_of_the_code() -> None:
    said = {
        row.split("|")[3].strip(): row.split("|")[2].strip() for row in rows(section("input.md", "Limits"))
    }
    hour = attempts.CODE_TRIES.within
    assert (attempts.CODE_MAILS.within, attempts.FACTOR_TRIES.within.total_seconds()) == (hour, 15 * 60)
    assert hour.total_seconds() == 60 * 60
    assert said == {
        "`DATA_UPLOAD_MAX_MEMORY_SIZE`": f"{settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024} KiB, unread beyond it",
        "Django's default": f"{settings.DATA_UPLOAD_MAX_NUMBER_FIELDS:,}",
        "`FACTOR_TRIES`": f"{attempts.FACTOR_TRIES.tries} in 15 minutes",
        "`CODE_TRIES`": f"{attempts.CODE_TRIES.tries} in an hour",
        "`CODE_MAILS`": f"{attempts.CODE_MAILS.tries} in an hour",
        "`VISITS_PER_HOUR`": f"{settings.VISITS_PER_HOUR} in an hour",
        "`PRACTICE_VISITS_PER_HOUR`": f"{settings.PRACTICE_VISITS_PER_HOUR} in an hour",
        "`SOONEST`": f"once in {SOONEST.seconds} seconds",
    }
    for name in re.findall(r"`([A-Z_]+)`", section("input.md", "Costly functions")):
        assert f"`{name}`" in said


def test_the_limits_of_files_are_those_of_the_code() -> None:
    said = {row.split("|")[5].strip(): row for row in rows(section("input.md", "Files"))}
    assert set(said) == {"`LARGEST_FILE`", "`LARGEST_PAPER`"}
    assert f"| {png.LARGEST_FILE // 1024} kB," in said["`LARGEST_FILE`"]
    assert f"of {png.SMALLEST_SIDE} to {png.LARGEST_SIDE} pixels" in said["`LARGEST_FILE`"]
    assert f"| {settings.LARGEST_PAPER // 1024**2} MB |" in said["`LARGEST_PAPER`"]
    takers = {
        f"{form.__module__}.{form.__name__}"
        for form in own_forms()
        if any(isinstance(field, forms.FileField) for field in form.base_fields.values())
    }
    assert takers == {"portal.console.intake_forms.BrandForm", "portal.pages.verifying.VerifyForm"}


def test_the_paper_on_signing_in_says_the_numbers_of_the_code() -> None:
    said = " ".join((ROOT / "docs" / "sign-in.md").read_text().split())
    assert (sessions.IDLE.total_seconds(), sessions.ABSOLUTE.total_seconds()) == (30 * 60, 12 * 60 * 60)
    assert "Half an hour without a request ends a session, twelve hours end it whatever was done." in said
    assert attempts.FACTOR_TRIES.tries == 5
    assert attempts.CODE_TRIES.tries == 30
    assert attempts.CODE_MAILS.tries == 10
    assert (
        "five wrong codes of an app in a quarter of an hour, thirty mailed codes tried and ten mailed in an hour"
        in said
    )
    assert (settings.SIGN_IN_CODE_SECONDS, settings.ACCOUNT_LOGIN_BY_CODE_MAX_ATTEMPTS) == (15 * 60, 5)
    assert "A mailed code has six digits, lives fifteen minutes and may be tried five times" in said
    assert "as many browsers as they like" in said
    assert "a link of seven days" in said


def test_every_library_of_production_has_its_reason() -> None:
    asked = re.findall(r"^([\w-]+)", (ROOT / "requirements.in").read_text(), re.MULTILINE)
    said = re.findall(r"^\| `([\w-]+)` \|", paper("libraries.md"), re.MULTILINE)
    assert sorted(said) == sorted(asked)


def test_every_accepted_rest_names_its_risk() -> None:
    known = set(re.findall(r"^\| (R\d+) \|", paper("accepted-risks.md"), re.MULTILINE))
    for name in ("asvs.md", "threat-model.md"):
        for line in paper(name).splitlines():
            if line.startswith("|") and "accepted:" in line:
                named = re.findall(r"\bR\d+\b", line.partition("accepted:")[2])
                assert named, line
                assert set(named) <= known, line


# Randomness.


def _draws() -> dict[str, Callable[[], str]]:
    """Everything that somebody might want to guess, and how it is made."""
    user = User(pk=uuid4())
    return {
        "sign-in code": lambda: str(get_adapter().generate_login_code()),
        "session key": lambda: str(SessionStore()._get_new_session_key()),  # type: ignore[attr-defined]  # Django's own
        "recovery code": recovery._new_code,
        "app's seed": totp.new_secret,
        "engagement's code": lambda: str(Engagement(practice_id=user.pk).code),
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", ["sign-in code", "session key", "recovery code", "app's seed", "engagement's code"]
)
def test_what_must_not_be_guessed_comes_from_the_operating_system(name: str) -> None:
    """A generator that is set back repeats itself; the operating system's cannot be."""
    draw = _draws()[name]
    random.seed(7)
    first = [draw() for _ in range(4)]
    random.seed(7)
    assert [draw() for _ in range(4)] != first
    many = {draw() for _ in range(400)}
    assert len(many) > 395  # of a million codes, four hundred hold a pair once in thirteen times


@pytest.mark.django_db
def test_keys_of_sessions_are_long_and_codes_have_every_digit_everywhere() -> None:
    draws = _draws()
    key = draws["session key"]()
    assert (len(key), key.isalnum()) == (32, True)  # 36 ** 32: 165 bits
    codes = [draws["sign-in code"]() for _ in range(600)]
    assert {len(code) for code in codes} == {6}
    for place in range(6):
        assert {code[place] for code in codes} == set("0123456789")


# Forms.


@pytest.mark.django_db
def test_no_form_takes_a_column_that_it_does_not_ask_for() -> None:
    """Every column of every model is sent to every form: nothing comes out that the form has no field for."""
    columns = {field.name: "1" for model in apps.get_models() for field in model._meta.get_fields()}
    columns |= {f"{name}_id": "1" for name in columns}
    taken: list[tuple[str, set[str]]] = []
    scene = stage.active()
    needs: dict[str, dict[str, object]] = {
        "AgreeForm": {"account_known": False},
        "DraftForm": {"leads": User.objects.all(), "me": scene.maya},
        "CodeForm": {"code": "000000"},
        "OrderForm": {"practice_code": "northgate"},
    }
    for form in own_forms():
        assert not issubclass(form, forms.ModelForm), form
        with tenancy.use(scene.scope):
            make: Any = form  # Any: some ask for more than Django's own
            bound = make(columns, **needs.get(form.__name__, {}))
            bound.is_valid()
        taken.append((form.__name__, set(bound.cleaned_data) - set(bound.fields)))
    assert len(taken) > 15
    assert [one for one in taken if one[1]] == []


@pytest.mark.django_db
def test_a_parameter_that_comes_twice_counts_once() -> None:
    """The last one, on its own: never both, never one for the check and the other for the act."""
    scene = stage.active()
    reasons = ["not\x00 this", "second"]
    assert scene.browser().post(scene.path("pause/"), {"reason": reasons}).status_code == 302
    assert scene.fresh().moved_note == "second"
    seats = [str(uuid4()), str(scene.contact.pk)]
    assert scene.browser().post("/choose/", {"seat": seats}).status_code == 302
    assert scene.browser().post("/choose/", {"seat": seats[::-1]}).status_code == 404


# What the browser and the image keep.


def test_nothing_is_kept_in_a_browser_but_cookies() -> None:
    """No script of ours knows a browser's storage, and htmx is never told to keep pages for the way back."""
    scripts = [file for file in (ROOT / "static").rglob("*.js") if file.name != "htmx.min.js"]
    pages = list((ROOT / "templates").rglob("*.html"))
    assert scripts
    assert pages
    for file in [*scripts, *pages]:
        text = file.read_text()
        assert not re.search(r"localStorage|sessionStorage|indexedDB|document\.cookie|caches\.", text), file
        assert not re.search(r"hx-(push-url|replace-url|boost|history)", text), file


def test_no_history_and_no_secret_comes_into_the_image() -> None:
    """The list of what Docker sees begins with nothing, and lets in folders of the product alone."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    let_in = {line[1:] for line in lines if line.startswith("!")}
    assert let_in == {
        *APPS,
        "cli",
        "docker/healthy.py",
        "static",
        "templates",
        "manage.py",
        "requirements.txt",
        "LICENSE",
    }
    assert not [name for name in let_in if name.startswith(".") or "secret" in name or "tests" in name]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/static/", "/static/admin-theme/", "/.git/HEAD", "/.env", "/secrets/", "/static/../manage.py"]
)
def test_no_folder_is_listed_and_no_file_of_the_machine_is_served(path: str) -> None:
    answer = Browser().get(path)
    assert answer.status_code == 404
    assert b"Index of" not in answer.content


# The way to the portal.


def test_only_the_health_addresses_answer_without_tls() -> None:
    """Probes inside the machine come without TLS; everybody else is led to it (tests/walls/test_headers.py)."""
    assert settings.SECURE_REDIRECT_EXEMPT == ["^healthz$", "^readyz$"]


SMUGGLED: Final = {
    "two lengths": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "length and chunks": (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
    ),
    "chunks in disguise": (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n"
        b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
    ),
    "a blank before the colon": b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length : 5\r\n\r\nabcde",
    "a length that is no number": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +4\r\n\r\nabcd",
    "a folded header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n c: d\r\n\r\n",
}
APPLICATION: Final = (
    "seen = []\n"
    "def application(environ, start):\n"
    "    start('200 OK', [('Content-Type', 'text/plain'), ('X-Path', environ['PATH_INFO'])])\n"
    "    return [b'seen']\n"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The locked gunicorn with the workers of the image, on loopback; it answers whatever it lets through."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "served.py").write_text(APPLICATION)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [
        "-m",
        "gunicorn",
        "served",
        "--bind",
        f"127.0.0.1:{port}",
        "--threads",
        "4",
        "--no-control-socket",
    ]
    process = subprocess.Popen([sys.executable, *command], cwd=folder, stderr=subprocess.DEVNULL)
    try:
        assert clock.wait_until(lambda: _answers(port, b"GET / HTTP/1.0\r\n\r\n") != b"", seconds=30)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _answers(port: int, said: bytes) -> bytes:
    """Everything that comes back, until the other side has no more to say."""
    heard = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=3) as wire:
            wire.sendall(said)
            while part := wire.recv(65536):
                heard += part
    except OSError:
        pass
    return heard


def test_the_server_answers_what_is_no_trick(server: int) -> None:
    told = _answers(server, b"GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 200 OK")
    assert b"X-Path: /a" in told


@pytest.mark.parametrize("trick", SMUGGLED)
def test_no_request_hides_in_another(server: int, trick: str) -> None:
    told = _answers(server, SMUGGLED[trick])
    assert b"/smuggled" not in told
    assert told.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501")), told[:80]
    assert told.count(b"HTTP/1.1") == 1


class Elsewhere(BaseHTTPRequestHandler):
    """Sends everybody on, and remembers who came."""

    asked: ClassVar[list[str]] = []

    def do_POST(self) -> None:  # http.server's name
        """To another address of the same host."""
        self.asked.append(self.path)
        self.send_response(307)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_said: object) -> None:
        """Quiet."""


def test_a_redirect_of_the_sign_in_service_is_not_followed() -> None:
    keys = Keys(access_key_id="ASIAEXAMPLE", secret_access_key="s" * 40, session_token="t" * 40)
    with HTTPServer(("127.0.0.1", 0), Elsewhere) as redirecting:
        thread = threading.Thread(target=redirecting.serve_forever)
        thread.start()
        try:
            with pytest.raises(AwsMisconfigured, match="never followed"):
                request_signin_token(
                    keys,
                    partition="aws",
                    region="eu-west-1",
                    federation_base_url=f"http://127.0.0.1:{redirecting.server_port}",
                )
        finally:
            redirecting.shutdown()
            thread.join()
    assert Elsewhere.asked == ["/federation"]


# Logs.


def test_times_in_the_log_are_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    import logging
    import time

    from portal.kernel.redaction import OneLine

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        logging_: Any = settings.LOGGING  # Any: settings have no types
        line = logging_["formatters"]["line"]
        record = logging.makeLogRecord(
            {"msg": "x", "created": 0.5, "msecs": 500.0, "levelname": "INFO", "name": "n"}
        )
        assert OneLine(line["fmt"]).format(record) == "1970-01-01 00:00:00,500Z INFO n x"
    finally:
        monkeypatch.undo()
        time.tzset()
