"""`client_page`: the client's status page over a million events, against the cheapest page of the same server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kit.copies import multiply
from kit.ground import Ground, copy_database, prepared_ground, web_server
from kit.ratios import Ratio, interleave
from kit.script import Options, run, say
from kit.serving import Rounds, cost_ratio, described, rate_ratio, serving, wait_ratio
from kit.worlds import FEW, World, full_size, made_world, statement_counts

TARGET_RATE: Final = 0.6
TARGET_WAIT: Final = 2
TARGET_GROWTH: Final = 1.1
ANSWERS: Final = 100
FEW_DATABASE: Final = "portal_few"
PAGE, FLOOR, PAGE_OF_FEW = 0, 1, 2


def measure(options: Options) -> Sequence[Ratio]:
    """The page and its floor on one server; the page over a small copy of the same data on a second one."""
    with prepared_ground() as ground:
        world = _filled(ground, options)
        rounds = _rounds(ground, world, options)
        statements = _statements(ground, world)
    for side, what in ((PAGE, "status page"), (FLOOR, "floor page"), (PAGE_OF_FEW, "status page, few rows")):
        say(described(rounds, side, what))
    return (*_against_floor(rounds), _growth(rounds), statements)


def _filled(ground: Ground, options: Options) -> World:
    world, size = made_world(ground), full_size(options.scale)
    copy_database(ground, FEW_DATABASE)
    multiply(ground.admin_url(FEW_DATABASE), FEW)
    multiply(ground.admin_url(), size)
    say(f"{size.engagements} engagements and {size.events} events, beside {FEW.engagements} and {FEW.events}")
    return world


def _rounds(ground: Ground, world: World, options: Options) -> Rounds:
    times = options.sized(ANSWERS, least=20)
    with (
        web_server(ground) as many,
        web_server(ground, database_url=ground.web_url(FEW_DATABASE)) as few,
    ):
        sides = (
            serving(ground, many, world.status_page(many.port), times=times),
            serving(ground, many, world.floor_page(many.port), times=times),
            serving(ground, few, world.status_page(few.port), times=times),
        )
        return interleave(rounds=options.rounds, sides=sides, warm_up=options.warm_up)


def _against_floor(rounds: Rounds) -> tuple[Ratio, Ratio]:
    return (
        rate_ratio(
            rounds,
            PAGE,
            FLOOR,
            name="client_page",
            target=TARGET_RATE,
            meaning="status pages per CPU second, PostgreSQL's included / floor pages",
        ),
        wait_ratio(
            rounds,
            PAGE,
            FLOOR,
            name="client_page_wait",
            target=TARGET_WAIT,
            meaning="99th percentile of waiting for the status page / for the floor page",
        ),
    )


def _growth(rounds: Rounds) -> Ratio:
    return cost_ratio(
        rounds,
        PAGE,
        PAGE_OF_FEW,
        name="client_page_growth",
        target=TARGET_GROWTH,
        meaning="CPU of the status page over all rows / over few rows",
    )


def _statements(ground: Ground, world: World) -> Ratio:
    """A count, not a measurement: one round says it all."""
    many = statement_counts(ground, world)
    few = statement_counts(ground, world, database_url=ground.web_url(FEW_DATABASE))
    say(f"{many} SQL statements for one status page, {few} over few rows")
    return Ratio(
        name="client_page_statements",
        value=many / few,
        lowest=many / few,
        highest=many / few,
        rounds=1,
        sense="<=",
        target=1,
        meaning=f"SQL statements of the status page over all rows / over few rows, {many} / {few}",
    )


if __name__ == "__main__":
    run(measure, about="client_page: the client's status page, against the cheapest page of the same server")
