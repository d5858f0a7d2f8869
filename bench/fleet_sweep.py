"""`fleet_sweep`: ten thousand grants checked by two workers, one of them killed midway, against the same undisturbed."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import psycopg
from kit.copies import Size, multiply
from kit.cpu import tree_cpu_seconds
from kit.errors import BenchError
from kit.fleet import AGAIN, as_superuser, role_documents, started_worker
from kit.ground import Ground, prepared_ground
from kit.ratios import Ratio, ratio_of
from kit.script import Options, run, say
from kit.stub import fitted, stub
from kit.worlds import made_world

from portal.kernel.clock import wait_until

GRANTS: Final = 10_000
FEWEST: Final = 200
BATCH: Final = 100
WORKERS: Final = 2
# Longer than a batch takes on a busy machine, and shorter than production's 150: how long the dead worker's batch waits.
LEASE_SECONDS: Final = 30
PATIENCE: Final = 1800.0
TARGET: Final = 1.3
OTHERS: Final = "update kernel_due set next_at = now() + interval '1 day' where kind <> 'grant.check'"
DONE: Final = "select count(*) from kernel_due where kind = 'grant.check' and next_at > now()"
CHECKED: Final = """
select count(*) filter (where n = 0), count(*) filter (where n > 1) from (
  select count(v.id) as n from awsaccess_grant g
  left join awsaccess_verification v on v.grant_id = g.id and v.at >= %s and v.verdict = 'ok' group by g.id) counted
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Every grant was due once. `lost` were never found well, `twice` more often than once."""

    wall: float
    cpu: float
    lost: int
    twice: int


def measure(options: Options) -> Sequence[Ratio]:
    """Wall seconds until every grant was checked, a killed worker's share resumed by the others / undisturbed."""
    grants = options.sized(GRANTS, least=FEWEST)
    batch = min(BATCH, grants // 10)
    with prepared_ground() as ground:
        made_world(ground)
        multiply(ground.admin_url(), Size(engagements=grants, events=1))
        fitted(ground)
        as_superuser(ground, OTHERS)
        with stub(role_documents(ground), rate=0) as port:
            pairs = [_pair(ground, port, grants, batch) for _ in range(options.rounds)]
    disturbed = [killed for killed, _ in pairs]
    lost, twice = (max(getattr(slot, name) for slot in disturbed) for name in ("lost", "twice"))
    return (
        ratio_of(
            [(killed.wall, whole.wall) for killed, whole in pairs],
            name="fleet_sweep",
            sense="<=",
            target=TARGET,
            meaning=f"wall seconds of {grants} grants by two workers, one killed midway and another started / undisturbed",
        ),
        _count("fleet_sweep_lost", lost, "grants that nobody found well although a worker was killed"),
        _count("fleet_sweep_twice", twice, "grants that were written down twice because a worker was killed"),
    )


def _count(name: str, found: int, meaning: str) -> Ratio:
    return Ratio(
        name=name, value=found, lowest=found, highest=found, rounds=1, sense="<=", target=0, meaning=meaning
    )


def _pair(ground: Ground, port: int, grants: int, batch: int) -> tuple[Slot, Slot]:
    whole = _slot(ground, port, grants, batch, kill=False)
    killed = _slot(ground, port, grants, batch, kill=True)
    return killed, whole


def _slot(ground: Ground, port: int, grants: int, batch: int, *, kill: bool) -> Slot:
    """All checks are ripe; two workers take them, and with `kill` one of them is killed when half are done."""
    as_superuser(ground, AGAIN)
    with psycopg.connect(ground.admin_url(), autocommit=True) as admin, _workers(ground, port, batch) as crew:
        (mark,) = _row(admin, "select clock_timestamp()")
        began, before = time.monotonic(), tree_cpu_seconds([ground.postgres_pid])
        if kill:
            _kill_one(admin, ground, port, crew, grants, batch)
        told = [_told(worker) for worker in crew if worker.returncode is None]
        wall, database = time.monotonic() - began, tree_cpu_seconds([ground.postgres_pid]) - before
        lost, twice = _row(admin, CHECKED, mark)
    slot = Slot(wall=wall, cpu=database + sum(one["cpu"] for one in told), lost=int(lost), twice=int(twice))
    how = "one killed" if kill else "undisturbed"
    say(f"{grants} grants, {how}: {slot.wall:.0f} s, {slot.cpu:.0f} s CPU of those alive and PostgreSQL")
    return slot


@contextlib.contextmanager
def _workers(ground: Ground, port: int, batch: int) -> Iterator[list[subprocess.Popen[str]]]:
    crew = [started_worker(ground, port, batch=batch, lease_seconds=LEASE_SECONDS) for _ in range(WORKERS)]
    try:
        yield crew
    finally:
        for worker in crew:
            if worker.poll() is None:
                worker.kill()
            worker.communicate()


def _kill_one(
    admin: psycopg.Connection[tuple[object, ...]],
    ground: Ground,
    port: int,
    crew: list[subprocess.Popen[str]],
    grants: int,
    batch: int,
) -> None:
    """SIGKILL, whatever it holds; then, as any supervisor would, another one is started."""
    if not wait_until(lambda: int(str(_row(admin, DONE)[0])) * 2 >= grants, seconds=PATIENCE):
        raise BenchError("The workers did not come to the middle.")
    victim = crew[0]
    victim.kill()
    victim.wait()
    crew.append(started_worker(ground, port, batch=batch, lease_seconds=LEASE_SECONDS))


def _told(worker: subprocess.Popen[str]) -> dict[str, float]:
    said, complaint = worker.communicate(timeout=PATIENCE)
    if worker.returncode != 0:
        raise BenchError(f"A worker ended badly: {complaint.strip()[-500:]}")
    told: dict[str, float] = json.loads(said)
    return told


def _row(admin: psycopg.Connection[tuple[object, ...]], query: str, *values: object) -> tuple[int, ...]:
    row = admin.execute(query.encode(), values).fetchone()
    if row is None:
        raise BenchError("The database gave no answer.")
    return tuple(row)  # type: ignore[arg-type]  # numbers, and the moment that goes back as it came


if __name__ == "__main__":
    run(measure, about="fleet_sweep: a fleet checked by two workers, one of them killed", rounds=1)
