"""What every bench does the same way: options, signals, one sentence on failure, one line for each result."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Final

from kit.errors import BenchError
from kit.ratios import Ratio

QUICK_SCALE: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much is measured. `scale` multiplies rows and requests: 1 is what the targets are meant for."""

    rounds: int
    scale: float = 1.0
    warm_up: int = 1

    def sized(self, number: int, *, least: int = 1) -> int:
        """A number of rows or requests at this scale."""
        return max(least, int(number * self.scale))


def run(bench: Callable[[Options], Sequence[Ratio]], *, about: str, rounds: int = 7) -> None:
    """Measure and print. A result that falls short is a result: only what cannot be measured fails."""
    arguments = _arguments(about, rounds)
    signal.signal(signal.SIGTERM, _leave)  # so that every server started here is stopped on the way out
    say(about)
    try:
        found = bench(_options(arguments))
    except BenchError as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        sys.exit(130)
    for ratio in found:
        print(json.dumps(ratio.data()) if arguments.json else ratio.line(), flush=True)


def say(line: str) -> None:
    """Progress goes to standard error: standard output holds results alone."""
    print(line, file=sys.stderr, flush=True)


def _arguments(about: str, rounds: int) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--json", action="store_true", help="one JSON object for each result")
    parser.add_argument("--rounds", type=int, default=rounds, help="measured rounds after the warm-up")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full rows and requests")
    parser.add_argument(
        "--quick", action="store_true", help="one cold round over a hundredth: does it run at all?"
    )
    return parser.parse_args()


def _options(arguments: argparse.Namespace) -> Options:
    if arguments.rounds < 1 or arguments.scale <= 0:
        raise BenchError("There is nothing to measure: --rounds is at least 1, --scale more than 0.")
    if arguments.quick:
        say("quick: one cold round over a hundredth; the figures below show that it runs and nothing else")
        return Options(rounds=1, scale=QUICK_SCALE, warm_up=0)
    return Options(rounds=arguments.rounds, scale=arguments.scale)


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
