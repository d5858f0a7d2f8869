"""The order of things: servers, database, sample data, then web, worker and beat; and all of it down again."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import sys

from portal.demo import commands
from portal.demo.commands import LOOPBACK, Addresses
from portal.demo.crew import Child, Crew, Stopped
from portal.demo.place import DemoError, Place, held, write_private
from portal.demo.postgres import Postgres, PostgresError


def run(place: Place, port: int) -> None:
    """Run the demo until somebody stops it. Raises DemoError with one sentence when it cannot go on."""
    with held(place) as lock:
        _refuse_taken(port)
        place.prepare()
        crew = Crew(logs=place.logs, lock=lock)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, crew.ask_to_stop)
        try:
            crew.open()
            Launch(place=place, crew=crew, port=port).start()
            crew.watch()
        except Stopped:
            say("Stopping.")
        except PostgresError as error:
            raise DemoError(str(error)) from error
        finally:
            crew.stop()


def say(line: str) -> None:
    """A line for the person at the keyboard."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Launch:
    """One start, step by step."""

    def __init__(self, *, place: Place, crew: Crew, port: int) -> None:
        self._place = place
        self._crew = crew
        self._secrets = place.secrets()
        # The simulated AWS keeps its address over restarts: links in kept mails and stacks name it.
        sandbox = commands.free_port(place.old_state().get("sandbox_port"))
        self._postgres = Postgres(folder=place.folder / "postgres")
        self._ports = (port, commands.free_port(), commands.free_port(), sandbox)

    def start(self) -> None:
        """Bring everything up and say where to go."""
        fresh = not (self._place.folder / "postgres").exists()
        say(
            "Making the demo: database, sample data, simulated AWS."
            if fresh
            else "Going on where the demo was."
        )
        addresses = self._start_servers()
        self._prepare_database(addresses)
        self._crew.wait_for("simulated AWS", lambda: _healthy(addresses), seconds=60)
        self._start_portal(addresses)
        self._write_state(addresses)
        say(f"\nLatchkey is ready: {addresses.site_url}/demo/\n")
        say(f"Ctrl-C stops it, `make demo` goes on, `make demo-reset` starts over. Logs: {self._place.logs}")

    def _start_servers(self) -> Addresses:
        web, valkey, mail, sandbox = self._ports
        base = commands.base_environment(self._place)
        command = commands.valkey(self._place, valkey, self._secrets["VALKEY_PASSWORD"])
        self._crew.start("valkey", command, base, is_server=True)
        try:
            self._postgres.start()
        finally:  # also one that came up too late is there to be stopped
            self._adopt_postgres()
        postgres = f"{LOOPBACK}:{self._postgres.port}"
        addresses = Addresses(web=web, postgres=postgres, valkey=valkey, mail=mail, sandbox=sandbox)
        self._crew.start("simulated AWS", commands.sandbox(self._place, addresses), base)
        self._crew.start("mail catcher", commands.mail_catcher(self._place, addresses), base)
        return addresses

    def _adopt_postgres(self) -> None:
        process, log = self._postgres.process, self._place.folder / "postgres" / "log"
        if process is not None:
            # SIGINT is its fast shutdown: connections are cut, commits kept.
            child = Child(name="PostgreSQL", process=process, log=log, gentle=signal.SIGINT, is_server=True)
            self._crew.adopt(child)

    def _prepare_database(self, addresses: Addresses) -> None:
        """Roles and tables by the command that production uses; the static files are collected meanwhile."""
        environment = self._environment(addresses, with_aws=False)
        owner = environment | commands.admin_url(self._postgres.url())
        prepare = self._crew.start("database", commands.manage("database_prepare"), owner)
        collect = self._crew.start(
            "static files", commands.manage("collectstatic", "--noinput", "-v0"), environment
        )
        self._crew.finish_all((prepare, collect), seconds=120)

    def _start_portal(self, addresses: Addresses) -> None:
        environment = self._environment(addresses, with_aws=True)
        worker = environment | {"PORTAL_PROCESS": "worker"}
        self._crew.start("web", commands.web(addresses), environment | {"PORTAL_PROCESS": "web"})
        self._crew.start("worker", commands.worker(), worker)
        self._crew.start("beat", commands.beat(self._place), worker)
        self._seed(environment)
        self._crew.wait_for("mail catcher", lambda: _listens(addresses.mail), seconds=30)
        self._crew.wait_for("web", lambda: _get(addresses.web, "/readyz") == 200, seconds=60)

    def _seed(self, environment: dict[str, str]) -> None:
        if self._place.seeded.exists():
            return
        seed = self._crew.start("sample data", commands.manage("demo_seed"), environment)
        self._crew.finish_all((seed,), seconds=120)
        self._place.seeded.touch()

    def _environment(self, addresses: Addresses, *, with_aws: bool) -> dict[str, str]:
        keys = commands.read_keys(self._place) if with_aws else None
        return commands.portal_environment(self._place, addresses, self._secrets, keys)

    def _write_state(self, addresses: Addresses) -> None:
        state = {
            "site_url": addresses.site_url,
            "demo_url": f"{addresses.site_url}/demo/",
            "sandbox_url": addresses.sandbox_url,
            "sandbox_port": addresses.sandbox,
            "mail_dir": str(self._place.mail),
            "processes": self._crew.processes(),
        }
        write_private(self._place.state, json.dumps(state, indent=2))


def _refuse_taken(port: int) -> None:
    try:
        free = commands.is_free(port)
    except PermissionError:
        raise DemoError(
            f"This user may not listen on port {port}: choose one above 1023, PORT=8000."
        ) from None
    if not free:
        raise DemoError(f"Port {port} is taken: stop what listens there, or choose another, PORT={port + 1}.")


def _healthy(addresses: Addresses) -> bool:
    return _get(addresses.sandbox, "/_sandbox/health") == 200


def _get(port: int, path: str) -> int:
    """The status of one answer; 0 when there is none."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _listens(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=2).close()
    except OSError:
        return False
    return True
