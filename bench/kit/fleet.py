"""Workers that check grants against the stub of AWS, as processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import psycopg

from kit import ROOT
from kit.ground import Ground, finished
from kit.load import LOOPBACK

NO_LIMIT: Final = 100_000  # AssumeRole calls a second: more than any machine makes
AGAIN: Final = "update kernel_due set next_at = now(), lease_until = null where kind = 'grant.check'"


def worker_environment(ground: Ground, port: int, *, rate: int = NO_LIMIT, **more: str) -> dict[str, str]:
    """The settings of a worker whose AWS is the stub at this port."""
    return {
        **ground.environment,
        "PORTAL_PROCESS": "worker",
        "AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{port}",
        "AWS_ACCESS_KEY_ID": "ASIA0",
        "AWS_SECRET_ACCESS_KEY": "s",
        "STS_CALLS_PER_SECOND": str(rate),
        **more,
    }


def role_documents(ground: Ground) -> Path:
    """A file of what the stub must answer for the roles of the filled database."""
    environment = {**ground.environment, "PORTAL_PROCESS": "worker"}
    file = Path(ground.environment["STATIC_ROOT"]).parent / "roles.json"
    file.write_text(finished([sys.executable, "-m", "kit.sweep", "documents"], environment))
    return file


def as_superuser(ground: Ground, *statements: str) -> None:
    """Set the stage: no trigger and no policy stands in the way."""
    with psycopg.connect(ground.admin_url(), autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        for statement in statements:
            admin.execute(statement.encode())


def started_worker(ground: Ground, port: int, *, batch: int, lease_seconds: int) -> subprocess.Popen[str]:
    """One of several workers: it checks what is ripe until nothing is left, and prints what that cost."""
    environment = worker_environment(ground, port, OUTBOX_LEASE_SECONDS=str(lease_seconds))
    command = [sys.executable, "-m", "kit.sweep", "fleet", str(batch)]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
