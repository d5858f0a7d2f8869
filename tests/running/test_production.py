"""The image and the compose file: what they promise, and their own commands run against real servers."""

from __future__ import annotations

import ast
import http.client
import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal import boot
from portal.demo.postgres import _binaries
from portal.kernel import clock, roles
from tests.conftest import SqlAs
from tests.running.compose import (
    BIN,
    GIVEN,
    PATIENCE,
    ROOT,
    Site,
    composed,
    filled,
    installation,
    instructions,
    last,
    make_secrets,
    service,
)

OURS = ("web", "worker", "beat", "prepare", "audit")
STAYING = ("web", "worker", "beat")
EVERY = (*OURS, "postgres", "valkey")
LONE_DATABASE = {"web": "DATABASE_URL", "worker": "WORKER_DATABASE_URL", "beat": "WORKER_DATABASE_URL"}
ADMIN_ONLY = {"ADMIN_DATABASE_URL"}  # read by database_prepare itself


# What the files promise


def test_these_are_all_services() -> None:
    assert set(composed()["services"]) == set(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_a_service_runs_as_nobody_special_and_can_write_nothing(name: str) -> None:
    told = service(name)
    assert told["user"].split(":")[0] not in {"", "root", "0"}
    assert told["read_only"] is True
    assert told["cap_drop"] == ["ALL"]
    assert "cap_add" not in told
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & told.keys()
    assert "docker.sock" not in json.dumps(told)


@pytest.mark.parametrize("image", ["postgres", "valkey", "FROM"])
def test_foreign_images_are_pinned_to_an_exact_version(image: str) -> None:
    named = last("FROM") if image == "FROM" else service(image)["image"]
    assert re.search(r":\d+\.\d+\.?\d*-", named), named
    assert "latest" not in json.dumps(composed())


def test_both_stages_of_the_image_have_the_same_base() -> None:
    assert len({rest.split()[0] for word, rest in instructions() if word == "FROM"}) == 1


def test_the_image_runs_as_a_number_that_is_not_root_and_installs_only_what_is_locked() -> None:
    user = last("USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    assert all(service(name)["user"] == user for name in OURS)
    words = [word for word, _ in instructions()]
    assert words.index("USER") < words.index("CMD")
    assert "ADD" not in words
    assert "ARG" not in words
    (install,) = [rest for word, rest in instructions() if "pip install" in rest]
    assert "--require-hashes" in install


@pytest.mark.parametrize("name", EVERY)
def test_what_stays_has_a_health_check(name: str) -> None:
    told = service(name)
    if told["restart"] == "no":
        assert told["healthcheck"] == {"disable": True}
    else:
        assert told.get("healthcheck", {}).get("test") or ("build" in told and last("HEALTHCHECK"))


def test_only_the_web_can_be_reached_and_only_from_this_host() -> None:
    published = {name: told["ports"] for name, told in composed()["services"].items() if "ports" in told}
    assert list(published) == ["web"]
    assert all(port.startswith("127.0.0.1:") for port in published["web"])
    assert composed()["networks"]["inside"] == {"internal": True}
    outside = {name for name, told in composed()["services"].items() if "outside" in told["networks"]}
    assert outside == {"web", "worker"}


@pytest.mark.parametrize("name", EVERY)
def test_secrets_come_by_file_and_nobody_holds_one_too_many(name: str) -> None:
    told = service(name)
    held = set(told.get("secrets", []))
    text = json.dumps([told.get("environment", {}), told.get("command", [])])
    assert set(re.findall(r"/run/secrets/([\w.]+)", text)) == held
    assert held <= set(composed()["secrets"])
    inline = {key for key in told.get("environment", {}) if re.search(r"KEY|URL|PASSWORD", key)} - {
        "SITE_URL"
    }
    assert all(key.endswith("_FILE") for key in inline)


@pytest.mark.parametrize("name", STAYING)
def test_a_process_that_stays_can_log_in_as_one_role_alone(name: str) -> None:
    told = {key.removesuffix("_FILE") for key in service(name)["environment"]}
    assert {key for key in told if key.endswith("DATABASE_URL")} == {LONE_DATABASE[name]}


def _settings_known() -> set[str]:
    """Every name that portal/settings.py reads."""
    tree = ast.parse((ROOT / "portal" / "settings.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    read = {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "env"
        and isinstance(call.args[0], ast.Constant)
    }
    return {str(name) for name in read} | set(roles.ROLES.values())


@pytest.mark.parametrize("name", OURS)
def test_every_setting_of_a_service_exists(name: str) -> None:
    told = {key.removesuffix("_FILE") for key in service(name)["environment"]}
    assert told <= _settings_known() | (ADMIN_ONLY if name == "prepare" else set())


def test_every_setting_is_written_down_and_every_one_written_down_exists() -> None:
    table = (ROOT / "docs" / "settings.md").read_text().partition("|---")[2]
    cells = " ".join(row.split("|")[1] for row in table.splitlines() if row.startswith("| "))
    told = set(re.findall(r"`(\w+)`", cells))
    assert told == _settings_known() | ADMIN_ONLY


def test_the_demo_and_the_simulated_aws_stay_at_home(tmp_path: Path) -> None:
    from tests.running.compose import copy_image

    copy_image(tmp_path)
    taken = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")}
    assert Path("portal/wsgi.py") in taken
    assert not [path for path in taken if re.search(r"sandbox|demo|test|secret_|\.env", str(path))]


# What the commands do


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """An installation whose database is prepared and whose static files are collected as in the image."""
    with installation() as made:
        collect = [rest for word, rest in instructions() if "collectstatic" in rest][-1]
        environment = {"PATH": f"{BIN}:{os.environ['PATH']}"}
        assert made.call(["sh", "-c", collect], environment) == (0, "")
        code, said = made.run("prepare")
        assert (code, said) == (0, "The database 'portal' is ready.\n"), said
        yield made


def _get(site: Site, path: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": "portal.example.com", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError as error:
        return 0, str(error)
    finally:
        connection.close()


def _gets_healthy(site: Site, name: str) -> bool:
    return clock.wait_until(lambda: site.healthy(name)[0] == 0, seconds=PATIENCE)


def _files(site: Site) -> set[Path]:
    return {path for path in site.app.rglob("*") if path.is_file()}


def test_it_comes_up_is_healthy_and_writes_nothing(site: Site) -> None:
    before = _files(site)
    for name in ("worker", "beat"):
        assert site.healthy(name) == (1, "No sign of life yet.\n")
    assert site.healthy("web")[0] == 1
    running = {name: site.start(name) for name in STAYING}
    assert clock.wait_until(lambda: _get(site, "/readyz")[0] == 200, seconds=PATIENCE), site.log("web")
    assert _get(site, "/healthz") == (200, "ok\n")
    assert json.loads(_get(site, "/readyz")[1]) == {"failing": []}
    for name in STAYING:
        assert _gets_healthy(site, name), site.log(name)
    swept = "Task kernel.outbox_due_sweep"
    assert clock.wait_until(
        lambda: "succeeded" in site.log("worker") and swept in site.log("worker"), seconds=30
    )

    assert _get(site, "/account/login/")[0] == 301  # to https
    status, page = _get(
        site, "/account/login/", **{"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}
    )
    assert status == 200
    (style,) = re.findall(r'href="(/static/portal\.[0-9a-f]+\.css)"', page)
    assert _get(site, style, **{"X-Forwarded-Proto": "https"})[0] == 200
    assert _get(site, "/demo/", **{"X-Forwarded-Proto": "https"})[0] == 404

    stale = site.folder / "tmp-worker" / "pulse"
    for name in STAYING:
        running[name].terminate()
        assert running[name].wait(PATIENCE) == 0, site.log(name)
    os.utime(stale, (time.time() - 300, time.time() - 300))
    assert re.fullmatch(r"No sign of life for \d+ s\.\n", site.healthy("worker")[1])
    assert _files(site) == before


def test_preparing_again_and_making_secrets_again_change_nothing(site: Site) -> None:
    before = {path.name: path.read_text() for path in site.secrets.iterdir()}
    assert make_secrets(site) == ""
    assert {path.name: path.read_text() for path in site.secrets.iterdir()} == before
    assert oct(site.secrets.stat().st_mode)[-3:] == "700"
    assert site.run("prepare")[0] == 0


@pytest.mark.parametrize("name", OURS)
def test_every_missing_setting_is_named_at_once(site: Site, name: str) -> None:
    bare = {"PATH": os.environ["PATH"], "PORTAL_PROCESS": service(name)["environment"]["PORTAL_PROCESS"]}
    code, said = site.run(name, bare)
    assert code != 0
    (sentence,) = {line for line in said.splitlines() if "cannot start: set" in line}
    database = (
        LONE_DATABASE.get(name) or {"prepare": "OWNER_DATABASE_URL", "audit": "AUDIT_DATABASE_URL"}[name]
    )
    for missing in ("SITE_URL", "SECRET_KEY", database, "REDIS_URL", "EMAIL_URL", "MAIL_FROM"):
        assert missing in sentence


@pytest.mark.parametrize("name", STAYING)
def test_an_empty_secret_and_an_unset_variable_count_as_missing(
    site: Site, name: str, tmp_path: Path
) -> None:
    (tmp_path / "email_url").write_text("\n")
    told = site.environment(name, {}, EMAIL_URL_FILE=str(tmp_path / "email_url"))
    code, said = site.run(name, told)
    assert code != 0
    assert "cannot start: set SITE_URL, EMAIL_URL, MAIL_FROM (" in said
    assert "Traceback" not in said


def _refusal(site: Site, name: str, **over: str) -> str:
    """The one sentence with which the process does not start."""
    code, said = site.run(name, site.environment(name, GIVEN, **over))
    assert code == boot.EXIT_CODE, said
    assert "Traceback" not in said
    assert said.count("Latchkey does not start: ") == 1, said
    return said.partition("Latchkey does not start: ")[2].partition("docs/running.md.")[0]


@contextmanager
def _broken(site: Site, fault: str, mended: str) -> Iterator[None]:
    site.sql(fault)
    try:
        yield
    finally:
        site.sql(mended)


@pytest.mark.parametrize("name", STAYING)
def test_a_hole_in_the_wall_stops_every_start(site: Site, name: str) -> None:
    hole = "alter table accounts_client no force row level security"
    with _broken(site, hole, hole.replace("no force", "force")):
        assert "row security not forced on accounts_client" in _refusal(site, name)


@pytest.mark.parametrize("name", STAYING)
def test_a_role_that_could_pass_the_wall_stops_the_start(site: Site, name: str) -> None:
    role = "portal_web" if name == "web" else "portal_worker"
    with _broken(site, f"alter role {role} bypassrls", f"alter role {role} nobypassrls"):
        assert f"may become {role}" in _refusal(site, name)


def test_another_role_an_empty_database_and_no_database_stop_the_start(site: Site) -> None:
    admin = (site.secrets / "admin_database_url").read_text().strip()
    worker = (site.secrets / "worker_database_url").read_text().strip()
    other = _refusal(site, "web", DATABASE_URL_FILE="", DATABASE_URL=worker)
    assert "DATABASE_URL logs in as portal_worker instead of portal_web" in other
    empty = _refusal(site, "web", DATABASE_URL_FILE="", DATABASE_URL=admin)
    assert "logs in as postgres" in empty
    assert re.search(r"lacks \d+ migrations, run database_prepare first", empty)
    nowhere = _refusal(
        site, "web", DATABASE_URL_FILE="", DATABASE_URL="postgresql://portal_web:x@127.0.0.1:1/x"
    )
    assert "the database does not answer" in nowhere


# The papers, followed


def _chapter(mark: str) -> list[str]:
    text = (ROOT / "docs" / "running.md").read_text().partition(f"```sh {mark}\n")[2].partition("```")[0]
    return text.strip().replace("\\\n", " ").splitlines()


def _follow(site: Site, line: str) -> None:
    """One line of docs/running.md, with this machine's PostgreSQL in the container's place."""
    if line.startswith("docker compose exec -T postgres "):
        command = line.removeprefix("docker compose exec -T postgres ")
        server = site.postgres
        at = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port)}
        password = (site.secrets / "postgres_password").read_text().strip()
        path = {"PATH": f"{_binaries()}:{os.environ['PATH']}", "PGPASSWORD": password}
        subprocess.run(["sh", "-ec", command], cwd=site.folder, env={**at, **path}, check=True)
    elif line.startswith("docker compose run --rm "):
        code, said = site.run(line.rpartition(" ")[2])
        assert code == 0, said
    else:
        assert line.startswith(("docker compose stop ", "docker compose up ")), line


def _open_practice(site: Site) -> tuple[int, str]:
    text = (
        (ROOT / "docs" / "running.md")
        .read_text()
        .partition("docker compose exec web ")[2]
        .partition("```")[0]
    )
    words = shlex.split(text.replace("\\\n", " "))
    return site.call([str(BIN / words[0]), *words[1:]], site.environment("web"))


def test_a_practice_is_opened_once_backed_up_lost_and_restored(site: Site) -> None:
    assert _open_practice(site) == (0, "Northgate Cloud is open; Maya Okafor signs in as maya@example.com.\n")
    assert "there is a practice with the code 'northgate'" in _open_practice(site)[1]
    code, recorded = site.run("audit")
    assert code == 0
    assert re.search(r"[1-9]\d* events, unbroken", recorded)
    for line in _chapter("backup"):
        _follow(site, line)
    site.sql("drop table accounts_practice cascade")
    for line in _chapter("restore"):
        _follow(site, line)
    assert site.run("audit") == (0, recorded)
    assert "there is a practice with the code 'northgate'" in _open_practice(site)[1]
    site.sql(
        "alter table kernel_auditevent disable trigger all; update kernel_auditevent set kind = 'forged'"
    )
    code, said = site.run("audit")
    assert code == 1
    assert "The record was changed." in said


# In this process, where coverage looks


def test_a_database_that_is_ready_is_not_refused(db: None) -> None:
    boot.refuse_unready()


def test_each_fault_is_named(real_db: None, sql_as: SqlAs) -> None:
    sql_as("superuser").execute("alter table accounts_client no force row level security")
    with pytest.raises(ImproperlyConfigured, match="not forced on accounts_client"):
        boot.refuse_unready()


def test_a_wrong_role_is_named(as_worker: Callable[[], AbstractContextManager[None]]) -> None:
    with as_worker(), pytest.raises(ImproperlyConfigured, match="portal_worker instead of portal_web"):
        boot.refuse_unready()


def test_the_sentence_stands_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, boot.one_sentence():
        raise ImproperlyConfigured("Because.")
    assert ended.value.code == boot.EXIT_CODE
    assert capsys.readouterr().err == "Because.\n"


def test_compose_fills_in_as_we_do() -> None:
    assert filled("${SITE_URL:-}|${PORT:-8000}", GIVEN) == "https://portal.example.com|8000"
