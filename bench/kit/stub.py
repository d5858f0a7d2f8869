"""The stub of AWS as a process, and a database whose roles it knows."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg

from kit import BENCH
from kit.errors import BenchError
from kit.ground import Ground
from kit.load import LOOPBACK
from portal.demo.commands import free_port
from portal.kernel.clock import wait_until

LATENCY_MS: Final = 50
# The rules of `stub_aws`: an external ID and a role id follow from the role's name. All checks are due at once.
FIT: Final = """
alter table awsaccess_grant disable trigger user;
update awsaccess_grant set external_id = 'bench-external-id-of-the-role-' || role_name,
  role_id = 'AROA' || lpad(right(regexp_replace(upper(role_name), '[^A-Z0-9]', '', 'g'), 16), 16, '0'),
  role_seen_at = now() - interval '1 day';
insert into kernel_due (practice_id, client_id, kind, object_id, next_at, attempts)
select practice_id, client_id, 'grant.check', id, now(), 0 from awsaccess_grant
on conflict (kind, object_id) do nothing;
"""


def fitted(ground: Ground) -> None:
    """Make the grants of a filled database those that the stub opens."""
    with psycopg.connect(ground.admin_url(), autocommit=True) as admin:
        admin.execute(FIT)


@contextmanager
def stub(documents: Path, *, rate: int) -> Iterator[int]:
    """Its port. `documents` as `kit.sweep documents` tells them; `rate` AssumeRole calls a second, 0 for no limit."""
    port = free_port()
    command = [sys.executable, "-m", "kit.stub_aws", str(port), str(LATENCY_MS), str(rate), str(documents)]
    with subprocess.Popen(command, cwd=BENCH) as process:
        try:
            if not wait_until(lambda: _answers(port), seconds=20):
                raise BenchError("The stub of AWS did not start.")
            yield port
        finally:
            process.terminate()


def stats_of(port: int) -> dict[str, int]:
    """How many AssumeRole calls were opened, refused and throttled."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", "/stats")
        found: dict[str, int] = json.loads(connection.getresponse().read())
        return found
    finally:
        connection.close()


def _answers(port: int) -> bool:
    try:
        stats_of(port)
    except OSError:
        return False
    return True
