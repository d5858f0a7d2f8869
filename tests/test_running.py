"""The embedded server, the database roles, the health pages, and a start with settings missing."""

from __future__ import annotations

import atexit
import gc
import importlib.util
import io
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults

import psycopg
import pytest
from django.test import Client, override_settings

from portal import loading
from portal.demo import postgres
from portal.kernel import clock, errors, roles
from tests.plugins.demo_process import measured

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ("SITE_URL", "SECRET_KEY", "DATABASE_URL", "REDIS_URL", "EMAIL_URL", "MAIL_FROM")


def manage(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`manage.py` as an operator runs it, with nothing but these variables."""
    bare = {"PATH": os.environ["PATH"], **measured(), **environment}
    return subprocess.run(
        [sys.executable, "manage.py", *words], cwd=ROOT, env=bare, capture_output=True, text=True, check=False
    )


def test_a_half_configured_start_names_every_missing_setting() -> None:
    run = manage("check")
    assert run.returncode != 0
    last_line = run.stderr.strip().splitlines()[-1]
    assert all(name in last_line for name in NEEDED)


def test_only_the_missing_settings_are_named(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file")
    run = manage("check", SITE_URL="http://localhost", SECRET_KEY_FILE=str(tmp_path / "key"))
    last_line = run.stderr.strip().splitlines()[-1]
    assert "DATABASE_URL" in last_line
    assert "SECRET_KEY" not in last_line
    assert "SITE_URL" not in last_line


def test_an_unknown_kind_of_process_is_refused() -> None:
    run = manage("check", PORTAL_PROCESS="webb", **dict.fromkeys(NEEDED, "x"))
    assert "PORTAL_PROCESS is 'webb'" in run.stderr


def test_the_server_starts_again_on_the_same_data(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o755)  # noqa: PTH101, S103  # where PostgreSQL runs as another user, it must get in
    server = postgres.Postgres(folder=tmp_path / "pg", fast=True).start()
    with psycopg.connect(server.url()) as connection:
        connection.execute("create table kept (n int)")
    server.stop()
    server.stop()  # twice is no error
    server.start()
    with psycopg.connect(server.url()) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)
    server.stop()
    assert server.process is not None
    assert server.process.poll() is not None


def test_the_server_starts_again_after_it_was_killed(tmp_path: Path) -> None:
    server = postgres.Postgres(folder=tmp_path / "pg", fast=True).start()
    assert server.process is not None
    with psycopg.connect(server.url()) as connection:
        pid = connection.execute(
            "select pid from pg_stat_activity where backend_type = 'checkpointer'"
        ).fetchone()
    assert pid is not None
    server.process.send_signal(signal.SIGKILL)
    server.process.wait(10)
    assert clock.wait_until(lambda: not _answers(server), seconds=10)
    server.start()
    assert _answers(server)
    server.stop()


def _answers(server: postgres.Postgres) -> bool:
    try:
        psycopg.connect(server.url(), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_broken_data_folder_gives_the_end_of_the_log(tmp_path: Path) -> None:
    server = postgres.Postgres(folder=tmp_path / "pg", fast=True).start()
    server.stop()
    (server.data / "postgresql.conf").write_text("nonsense = yes\n")
    with pytest.raises(postgres.PostgresError, match="nonsense"):
        server.start()


def test_preparing_the_roles_twice_renews_passwords(sql_as: object) -> None:
    admin = os.environ["LATCHKEY_TEST_ADMIN_URL"]
    name = f"prepared_{os.getpid()}"
    passwords = dict.fromkeys(roles.ROLES, "test")
    roles.prepare(admin, database=name, passwords=passwords)
    roles.prepare(admin, database=name, passwords=passwords)
    place = urlsplit(admin)
    login = f"portal_web:test@{place.hostname}:{place.port}"
    web = place._replace(netloc=login, path=f"/{name}").geturl()
    with psycopg.connect(web) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("create table mine (n int)")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


def prepare(name: str, *words: str, **over: str) -> subprocess.CompletedProcess[str]:
    """`database_prepare` for a database of this name on the tests' own server."""
    admin = urlsplit(os.environ["LATCHKEY_TEST_ADMIN_URL"])
    told = {
        variable: admin._replace(
            netloc=f"{role}:test@{admin.hostname}:{admin.port}", path=f"/{name}"
        ).geturl()
        for role, variable in roles.ROLES.items()
    }
    told |= {
        "PORTAL_PROCESS": "owner",
        "ADMIN_DATABASE_URL": admin.geturl(),
        "SITE_URL": "https://portal.example.com",
        "SECRET_KEY": "k" * 60,
        "REDIS_URL": "redis://localhost/0",
        "EMAIL_URL": "smtp://localhost:25",
        "MAIL_FROM": "portal@example.com",
    }
    return manage("database_prepare", *words, **(told | over))


def test_preparing_the_database_makes_roles_and_tables_and_may_be_done_again() -> None:
    name = f"made_{os.getpid()}"
    try:
        run = prepare(name)
        assert (run.returncode, run.stdout) == (0, f"The database {name!r} is ready.\n"), run.stderr
        again = prepare(name, "--verbosity=0")
        assert (again.returncode, again.stdout) == (0, ""), again.stderr
    finally:
        with psycopg.connect(os.environ["LATCHKEY_TEST_ADMIN_URL"], autocommit=True) as connection:
            connection.execute(f"drop database if exists {name} with (force)")


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"PORTAL_PROCESS": "web"}, "Run this as the owner: PORTAL_PROCESS=owner."),
        ({"ADMIN_DATABASE_URL": ""}, "Set ADMIN_DATABASE_URL"),
        (
            {"WORKER_DATABASE_URL": "postgresql://portal_web:test@127.0.0.1:1/x"},
            "WORKER_DATABASE_URL has to log in as portal_worker, with a password.",
        ),
        (
            {"ADMIN_DATABASE_URL": "postgresql://root:x@127.0.0.1:1/postgres"},
            "The database does not let ADMIN_DATABASE_URL in",
        ),
    ],
)
def test_preparing_the_database_says_in_a_sentence_what_is_wrong(over: dict[str, str], said: str) -> None:
    run = prepare("never_made", **over)
    assert run.returncode == 1
    assert said in run.stderr
    assert "Traceback" not in run.stderr


def test_healthz_asks_nobody(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_readyz_is_green_when_everything_answers(client: Client) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"failing": []})


@pytest.mark.django_db
def test_readyz_names_the_queue_when_it_is_away(client: Client) -> None:
    with override_settings(REDIS_URL="unix:///nowhere/at-all.sock"):
        answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"failing": ["queue"]})


def test_readyz_names_the_database_when_it_is_away(client: Client, real_db: None) -> None:
    from django.db import connection

    connection.close()
    name, connection.settings_dict["NAME"] = connection.settings_dict["NAME"], "no_such_database"
    try:
        answer = client.get("/readyz")
    finally:
        connection.close()
        connection.settings_dict["NAME"] = name
    assert (answer.status_code, answer.json()) == (503, {"failing": ["database"]})


@pytest.mark.django_db
def test_the_clock_is_the_databases_and_can_be_frozen() -> None:
    moment = clock.now()
    assert moment.utcoffset() is not None
    with clock.frozen(moment):
        assert clock.now() == moment


def test_locks_name_no_host_and_no_path() -> None:
    for lock in ROOT.glob("requirements*.txt"):
        text = lock.read_text()
        assert "://" not in text
        assert "file:" not in text


@pytest.mark.django_db  # the request may close a connection that an earlier test left open
def test_the_served_application_answers() -> None:
    from portal.wsgi import application

    request: dict[str, Any] = {"wsgi.input": io.BytesIO()}
    setup_testing_defaults(request)
    request |= {"PATH_INFO": "/healthz", "HTTP_HOST": "testserver"}
    answered: list[str] = []

    def start(
        status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], object]:
        answered.append(status)
        return io.BytesIO().write

    assert (b"".join(application(request, start)), answered) == (b"ok\n", ["200 OK"])


@pytest.mark.parametrize(
    "error",
    [
        errors.NotVisible,
        errors.NotAllowed,
        errors.InvalidMove,
        errors.Stale,
        errors.LinkDead,
        errors.RateLimited,
        errors.Unavailable,
    ],
)
def test_every_refusal_says_what_happened_and_one_next_step(error: type[errors.PortalError]) -> None:
    refusal = error()
    assert refusal.title
    assert refusal.user_message
    assert refusal.next_label
    assert 400 <= refusal.http_status < 600
    assert (
        str(error("Other words.", title="T", next_url="/x", next_label="Go")) == f"{error.code}: Other words."
    )


@pytest.mark.parametrize("way", ["setuid", "userns", "plain"])
def test_each_way_of_running_is_found_out(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0 if way != "plain" else 1000)
    monkeypatch.setattr(shutil, "which", lambda _name: None if way == "setuid" else "/bin/true")
    monkeypatch.setattr(subprocess, "run", lambda *_a, **_k: subprocess.CompletedProcess([], 0))
    assert postgres._way() == way


def test_without_any_binaries_the_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PG_BIN", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(Path, "glob", lambda *_a: iter(()))
    with pytest.raises(postgres.PostgresError, match="make test"):
        postgres._binaries()


def test_given_binaries_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PG_BIN", "/opt/pg/bin")
    assert postgres._binaries() == Path("/opt/pg/bin")


def test_no_user_to_run_as_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_name: str) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwnam", unknown)
    with pytest.raises(postgres.PostgresError, match="postgres or nobody"):
        postgres._unprivileged_user()


def test_a_server_that_is_loaded_goes_back_to_pythons_own_pace() -> None:
    loading.loading_begin()
    try:
        assert gc.get_threshold()[0] == loading.WHILE_LOADING
        loading.loading_end()
        assert gc.get_threshold() == loading.USUAL
        assert gc.get_freeze_count() > 0
    finally:
        gc.set_threshold(*loading.USUAL)
        gc.unfreeze()
        atexit.unregister(gc.freeze)
