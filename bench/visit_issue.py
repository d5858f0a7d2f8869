"""`visit_issue`: opening a visit, with all that is written around it, against the same AWS calls and nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

import psycopg
from kit.errors import BenchError
from kit.ground import Ground, prepared_ground, run_module
from kit.load import LOOPBACK
from kit.ratios import Ratio, middle, ratio_of
from kit.script import Options, run, say
from kit.stub import fitted, stub
from kit.worlds import made_world

TARGET: Final = 1.4
VISITS: Final = 6  # each round
NOTHING: Final = {
    "trust": "",
    "inline": "",
    "inline_name": "",
    "attached": "",
    "tags": "",
}  # no role looks at itself


def measure(options: Options) -> Sequence[Ratio]:
    """Wall seconds of a visit from the asked to the sign-in form, over the three calls of AWS at 50 ms each."""
    with prepared_ground() as ground:
        made_world(ground)
        fitted(ground)
        documents = Path(ground.environment["STATIC_ROOT"]).parent / "roles.json"
        documents.write_text(json.dumps(NOTHING))
        with stub(documents, rate=0) as port:
            pairs = _pairs(ground, port, VISITS * options.rounds)
    say(f"{middle(pairs, 0) * 1000:.0f} ms a visit, {middle(pairs, 1) * 1000:.0f} ms the bare calls")
    return (
        ratio_of(
            pairs,
            name="visit_issue",
            sense="<=",
            target=TARGET,
            meaning="wall seconds of opening a visit, both transactions and the record included / of the same AWS calls",
        ),
    )


def _pairs(ground: Ground, port: int, times: int) -> list[tuple[float, float]]:
    endpoint = f"http://{LOOPBACK}:{port}"
    aws = {
        "AWS_ENDPOINT_URL": endpoint,
        "FEDERATION_BASE_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "ASIA0",
        "AWS_SECRET_ACCESS_KEY": "s",
        # More than one person may open in an hour: the count stays, its limit does not.
        "VISITS_PER_HOUR": str(times * 2),
        "PRACTICE_VISITS_PER_HOUR": str(times * 2),
    }
    with_aws = Ground(
        crew=ground.crew,
        postgres=ground.postgres,
        addresses=ground.addresses,
        environment={**ground.environment, **aws},
    )
    told = run_module(with_aws, "kit.visiting", endpoint, _practice(ground), str(times))
    one_by_one: list[list[float]] = json.loads(told)
    rounds = [one_by_one[begin : begin + VISITS] for begin in range(0, times, VISITS)]
    return [(median(ours for ours, _ in each), median(bare for _, bare in each)) for each in rounds]


def _practice(ground: Ground) -> str:
    with psycopg.connect(ground.admin_url()) as admin:
        row = admin.execute("select id::text from accounts_practice").fetchone()
    if row is None:
        raise BenchError("The database holds no practice.")
    return str(row[0])


if __name__ == "__main__":
    run(measure, about="visit_issue: opening a visit, against the bare AWS calls")
