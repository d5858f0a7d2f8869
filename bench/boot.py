"""`boot`: what it costs to load the portal, against Django with its core contrib apps."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Final

from kit import ROOT
from kit.bare import bare_check, portal_environment
from kit.cpu import command_cpu_seconds
from kit.ground import finished
from kit.ratios import Ratio, interleave, middle, ratio_of
from kit.script import Options, run, say

TARGET: Final = 1.9
# What only a worker, a demo or a seldom page may load (imported where it is used): AWS, its simulation, every PDF
# engine, the broker, and what judges passkeys and other services' tokens.
TOO_HEAVY: Final = (
    "boto3",
    "botocore",
    "moto",
    "reportlab",
    "weasyprint",
    "typst",
    "fpdf",
    "pyhanko",
    "playwright",
    "celery",
    "kombu",
    "redis",
    "fido2",
    "joserfc",
)
LOADED: Final = """
import json, sys
from django.core.wsgi import get_wsgi_application
get_wsgi_application()  # what portal.wsgi serves, without asking the database first
from django.urls import get_resolver
assert get_resolver().url_patterns
print(json.dumps(sorted(set(sys.argv[1:]) & set(sys.modules))))
"""


def measure(options: Options) -> Sequence[Ratio]:
    """CPU of `manage.py check` divided by CPU of the same check on core contrib; then what the web process loads."""
    rounds = interleave(rounds=options.rounds, sides=(_portal, bare_check), warm_up=options.warm_up)
    say(f"portal {middle(rounds, 0) * 1000:.0f} ms CPU, core contrib {middle(rounds, 1) * 1000:.0f} ms CPU")
    checked = ratio_of(
        rounds,
        name="boot",
        sense="<=",
        target=TARGET,
        meaning="CPU of manage.py check / the same with core contrib only",
    )
    return checked, _heavy()


def _portal() -> float:
    return command_cpu_seconds(
        [sys.executable, "manage.py", "check"], environment=portal_environment(), folder=ROOT
    )


def _heavy() -> Ratio:
    """How many libraries that have no place in a web process are there once it has loaded every address."""
    found = json.loads(finished([sys.executable, "-c", LOADED, *TOO_HEAVY], portal_environment()))
    if found:
        say(f"the web process loads {', '.join(found)}")
    return Ratio(
        name="boot_heavy_imports",
        value=len(found),
        lowest=len(found),
        highest=len(found),
        rounds=1,
        sense="<=",
        target=0,
        meaning="libraries in the web process that belong to workers",
    )


if __name__ == "__main__":
    run(measure, about="boot: loading the portal, against Django with core contrib only")
