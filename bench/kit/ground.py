"""An own PostgreSQL, Valkey and web servers for one bench, with a caretaker: whatever ends the bench, nothing stays."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from kit import BENCH, ROOT
from kit.errors import BenchError
from kit.load import LOOPBACK
from portal.demo import commands
from portal.demo.commands import Addresses
from portal.demo.crew import Child, Crew
from portal.demo.place import DemoError, Place, held
from portal.demo.postgres import Postgres, PostgresError

BYPASSING: Final = "bench_bypassing"
SETTINGS: Final = "kit.settings"
PORTAL: Final = "portal.wsgi"  # the application's name in the demo's words
UNGUARDED: Final = "kit.unguarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The running servers and the settings of every process that uses them."""

    crew: Crew
    postgres: Postgres
    addresses: Addresses
    environment: Mapping[str, str] = field(repr=False)

    def admin_url(self, database: str = commands.DATABASE) -> str:
        """The superuser's way into the portal's database, or into a copy of it."""
        return self.postgres.url(database=database)

    def web_url(self, database: str) -> str:
        """The web role's way into a copy of the portal's database."""
        return urlsplit(self.environment["DATABASE_URL"])._replace(path=f"/{database}").geturl()

    @property
    def postgres_pid(self) -> int:
        """The root of PostgreSQL's process tree."""
        if self.postgres.process is None:
            raise BenchError("PostgreSQL does not run.")
        return self.postgres.process.pid


@dataclass(frozen=True, slots=True, kw_only=True)
class WebServer:
    """One web server as production runs it: the root of its process tree and its port."""

    pid: int
    port: int


@contextmanager
def prepared_ground() -> Iterator[Ground]:
    """Servers with an empty, migrated database; stopped and removed afterwards. Raises BenchError."""
    folder = Path(tempfile.mkdtemp(prefix="lk-bench-"))
    folder.chmod(0o755)  # PostgreSQL's own user has to pass
    place = Place(folder=folder / "place")
    try:
        with held(place) as lock, _crew(place, lock) as crew:
            ground = _started(place, crew)
            _stop_cleaning(ground)
            run_command(ground, "database_prepare", owner=True)
            run_command(ground, "collectstatic", "--noinput")
            yield ground
    except (DemoError, PostgresError) as error:
        raise BenchError(str(error)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def web_server(ground: Ground, *, database_url: str = "", application: str = PORTAL) -> Iterator[WebServer]:
    """A web server that answers, with the same words as the demo's; `database_url` logs in as somebody else."""
    addresses = replace(ground.addresses, web=commands.free_port())
    environment = {**ground.environment, "PORTAL_PROCESS": "web"}
    if database_url:
        environment["DATABASE_URL"] = database_url
    command = [application if word == PORTAL else word for word in commands.web(addresses)]
    child = ground.crew.start(f"web {addresses.web}", command, environment)
    ground.crew.wait_for(child.name, lambda: _answers(addresses.web), seconds=60)
    yield WebServer(pid=child.process.pid, port=addresses.web)


def make_bypassing_role(ground: Ground) -> str:
    """A login with the web role's rights that no policy stops, for comparison alone. Gives its address."""
    role, password = sql.Identifier(BYPASSING), sql.Literal(ground.postgres.password)
    with psycopg.connect(ground.admin_url(), autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE ROLE {} LOGIN BYPASSRLS PASSWORD {} IN ROLE portal_web").format(role, password)
        )
    return ground.postgres.url(BYPASSING, database=commands.DATABASE)


def copy_database(ground: Ground, name: str) -> None:
    """A copy of the portal's database as it is now, beside it in the same server. Nobody may be connected to it."""
    target, origin = sql.Identifier(name), sql.Identifier(commands.DATABASE)
    with psycopg.connect(ground.postgres.url(), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER portal_owner").format(target, origin))


def run_command(ground: Ground, *words: str, owner: bool = False) -> None:
    """A management command to its end."""
    environment = {**ground.environment, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    if owner:
        environment |= commands.admin_url(ground.postgres.url())
    finished(commands.manage(*words, "-v0"), environment)


def run_module(ground: Ground, module: str, *words: str, database_url: str = "") -> str:
    """`python -m module` as the web role, to its end; gives what it printed."""
    environment = {**ground.environment, "PORTAL_PROCESS": "web"}
    if database_url:
        environment["DATABASE_URL"] = database_url
    return finished([sys.executable, "-m", module, *words], environment)


def finished(command: list[str], environment: Mapping[str, str]) -> str:
    """What a command printed. Raises BenchError with the end of its complaint when it failed."""
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command[1:4])} failed: {done.stderr.strip()[-800:]}")
    return done.stdout


@contextmanager
def _crew(place: Place, lock: int) -> Iterator[Crew]:
    place.prepare()
    crew = Crew(logs=place.logs, lock=lock)
    try:
        crew.open()
        yield crew
    finally:
        crew.stop()


def _started(place: Place, crew: Crew) -> Ground:
    secrets = place.secrets()
    valkey, nobody = commands.free_port(), commands.free_port()
    crew.start(
        "valkey",
        commands.valkey(place, valkey, secrets["VALKEY_PASSWORD"]),
        commands.base_environment(place),
        is_server=True,
    )
    postgres = Postgres(folder=place.folder / "postgres", fast=True).start()
    if postgres.process is not None:
        log = place.folder / "postgres" / "log"
        crew.adopt(Child(name="PostgreSQL", process=postgres.process, log=log, is_server=True))
    addresses = Addresses(
        web=nobody, postgres=f"{LOOPBACK}:{postgres.port}", valkey=valkey, mail=nobody, sandbox=nobody
    )
    environment = commands.portal_environment(place, addresses, secrets, None) | {
        "DEMO_MODE": "false",  # pages as in production
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "PYTHONPATH": os.pathsep.join((str(BENCH), str(ROOT))),
        "LOG_LEVEL": "WARNING",
    }
    return Ground(crew=crew, postgres=postgres, addresses=addresses, environment=environment)


def _stop_cleaning(ground: Ground) -> None:
    """No cleaning by itself in the middle of a round; whoever fills a database cleans it at the end."""
    with psycopg.connect(ground.postgres.url(), autocommit=True) as admin:
        admin.execute("ALTER SYSTEM SET autovacuum = off")
        admin.execute("SELECT pg_reload_conf()")


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
