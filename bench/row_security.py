"""`row_security`: what PostgreSQL's row policies cost the client's status page, against a role that none stops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kit.copies import multiply
from kit.ground import UNGUARDED, make_bypassing_role, prepared_ground, web_server
from kit.ratios import Ratio, interleave
from kit.script import Options, run, say
from kit.serving import described, rate_ratio, serving
from kit.worlds import full_size, made_world

TARGET: Final = 0.95
ANSWERS: Final = 80
WALLED, OPEN = 0, 1


def measure(options: Options) -> Sequence[Ratio]:
    """The same page of the same rows from two servers, which differ in their database role alone."""
    times = options.sized(ANSWERS, least=20)
    with prepared_ground() as ground:
        world, size = made_world(ground), full_size(options.scale)
        multiply(ground.admin_url(), size)
        say(f"{size.engagements} engagements and {size.events} events")
        bypassing = make_bypassing_role(ground)
        with (
            web_server(ground, application=UNGUARDED) as walled,
            web_server(ground, application=UNGUARDED, database_url=bypassing) as unwalled,
        ):
            sides = (
                serving(ground, walled, world.status_page(walled.port), times=times),
                serving(ground, unwalled, world.status_page(unwalled.port), times=times),
            )
            rounds = interleave(rounds=options.rounds, sides=sides, warm_up=options.warm_up)
    say(described(rounds, WALLED, "as the web role"))
    say(described(rounds, OPEN, "as a bypassing role"))
    return (
        rate_ratio(
            rounds,
            WALLED,
            OPEN,
            name="row_security",
            target=TARGET,
            meaning="status pages per CPU second, PostgreSQL's included, with policies / without",
        ),
    )


if __name__ == "__main__":
    run(
        measure,
        about="row_security: the client's status page as the web role, against a role that bypasses policies",
    )
