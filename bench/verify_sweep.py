"""`verify_sweep`: checking grants in batches, our writes included, against botocove asking the same of the same AWS."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psycopg
from kit import BENCH, ROOT
from kit.copies import Size, multiply
from kit.cpu import tree_cpu_seconds
from kit.errors import BenchError
from kit.fleet import AGAIN, NO_LIMIT, as_superuser, role_documents, worker_environment
from kit.ground import Ground, finished, prepared_ground
from kit.load import LOOPBACK
from kit.ratios import Ratio, interleave, middle, ratio_of
from kit.script import Options, run, say
from kit.stub import fitted, stats_of, stub
from kit.worlds import made_world

COVE: Final = ("botocove==1.7.4", "boto3==1.44.5")
COVE_HOME: Final = ROOT / "var" / "botocove"
GRANTS: Final = 400
COVE_ROLES: Final = 40
LIMIT: Final = (
    24  # AssumeRole calls a second: so few that the bucket is the narrowest place, not this machine
)
OF_LIMIT: Final = 0.98
CALLS: Final = 5  # AssumeRole calls of one check: ours, without, wrong, as another, naming nobody
TARGET, TARGET_LIMIT = 5, 0.95
ONLY: Final = "update kernel_due set next_at = now() + interval '1 day' where id not in (select id from kernel_due where kind = 'grant.check' order by id limit %s)"
VERDICTS: Final = (
    "select count(*) filter (where last_verdict <> 'ok' or status <> 'verified') from awsaccess_grant"
)


def measure(options: Options) -> Sequence[Ratio]:
    """CPU seconds for each grant, botocove's over ours; then how much of a limit is used, and whether any verdict is false."""
    python, grants = _cove_python(), options.sized(GRANTS, least=40)
    with prepared_ground() as ground:
        made_world(ground)
        multiply(ground.admin_url(), Size(engagements=grants, events=1))
        fitted(ground)
        documents = role_documents(ground)
        with stub(documents, rate=0) as port:
            roles = options.sized(COVE_ROLES, least=4)
            sides = (lambda: _cove(python, port, roles), lambda: _ours(ground, port, rate=NO_LIMIT))
            rounds = interleave(rounds=options.rounds, sides=sides, warm_up=options.warm_up)
        say(f"ours {middle(rounds, 1) * 1000:.1f} ms CPU a grant, botocove {middle(rounds, 0) * 1000:.1f} ms")
        limited = [_limited(ground, documents, options) for _ in range(min(options.rounds, 3))]
        false = _false_verdicts(ground)
    return (
        ratio_of(
            rounds,
            name="verify_sweep",
            sense=">=",
            target=TARGET,
            meaning="CPU seconds a grant of botocove asking the same ten things / of ours, PostgreSQL's included",
        ),
        ratio_of(
            limited,
            name="verify_sweep_limit",
            sense=">=",
            target=TARGET_LIMIT,
            meaning="AssumeRole calls a second under a limit / the bucket's rate; a throttle would void it",
        ),
        Ratio(
            name="verify_sweep_false",
            value=false,
            lowest=false,
            highest=false,
            rounds=1,
            sense="<=",
            target=0,
            meaning="grants that are not verified and ok afterwards",
        ),
    )


def _ours(ground: Ground, port: int, *, rate: int) -> float:
    """CPU seconds a grant: the worker's and PostgreSQL's."""
    as_superuser(ground, AGAIN)
    before = tree_cpu_seconds([ground.postgres_pid])
    told = _swept(ground, port, rate=rate)
    database = tree_cpu_seconds([ground.postgres_pid]) - before
    return (told["cpu"] + database) / told["grants"]


def _cove(python: Path, port: int, roles: int) -> float:
    script = str(BENCH / "kit" / "cove.py")
    told = json.loads(finished([str(python), script, f"http://{LOOPBACK}:{port}", str(roles)], {}))
    if told["grants"] != roles:
        raise BenchError(f"botocove found {told['grants']} of {roles} roles well.")
    return float(told["cpu"]) / roles


def _limited(ground: Ground, documents: Path, options: Options) -> tuple[float, float]:
    """Calls a second that were made of those that the bucket allows; none may have been throttled."""
    grants = options.sized(GRANTS // 4, least=40)
    as_superuser(ground, AGAIN)
    with psycopg.connect(ground.admin_url(), autocommit=True) as admin:
        admin.execute(ONLY, [grants])
    with stub(documents, rate=LIMIT) as port:
        told = _swept(ground, port, rate=int(LIMIT * OF_LIMIT))
        stats = stats_of(port)
    if stats["throttled"]:
        raise BenchError(f"{stats['throttled']} calls were throttled: the bucket let too much through.")
    return told["grants"] * CALLS / told["wall"], LIMIT * OF_LIMIT


def _swept(ground: Ground, port: int, *, rate: int) -> dict[str, float]:
    environment = worker_environment(ground, port, rate=rate)
    told: dict[str, float] = json.loads(finished([sys.executable, "-m", "kit.sweep"], environment))
    return told


def _false_verdicts(ground: Ground) -> int:
    with psycopg.connect(ground.admin_url()) as admin:
        row = admin.execute(VERDICTS).fetchone()
    return int(row[0]) if row else -1


def _cove_python() -> Path:
    """The interpreter of botocove's environment, made once: it wants libraries that we do not."""
    python = COVE_HOME / "bin" / "python"
    if not (COVE_HOME / "ready").exists():
        say("making an environment for botocove")
        venv.create(COVE_HOME, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *COVE]
        if subprocess.run(command, check=False).returncode != 0:
            raise BenchError("botocove could not be installed; it is the anchor of this bench.")
        (COVE_HOME / "ready").touch()
    return python


if __name__ == "__main__":
    run(measure, about="verify_sweep: checks in batches, against botocove", rounds=5)
