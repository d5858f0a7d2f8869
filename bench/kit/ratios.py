"""From rounds to one ratio: interleaved, warmed up, median of the per-round ratios."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, TypeVar

Sense = Literal["<=", ">="]
Side = TypeVar("Side")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One measured figure: the median, the smallest and the largest of its rounds, and what it should be.

    `meaning` says what is divided by what, and in which unit both were measured.
    """

    name: str
    value: float
    lowest: float
    highest: float
    rounds: int
    sense: Sense
    target: float
    meaning: str

    @property
    def is_ok(self) -> bool:
        """Whether the target is reached."""
        return self.value <= self.target if self.sense == "<=" else self.value >= self.target

    @property
    def verdict(self) -> str:
        return "ok" if self.is_ok else "short"

    def line(self) -> str:
        """`name ratio target ok|short`, then the meaning and the spread."""
        spread = f"{self.rounds} rounds, {self.lowest:.2f} to {self.highest:.2f}"
        if self.rounds == 1:
            spread = "1 round"
        return f"{self.name} {self.value:.2f} {self.sense}{self.target:g} {self.verdict} ({self.meaning}; {spread})"

    def data(self) -> dict[str, object]:
        """The same for machines."""
        return {**asdict(self), "verdict": self.verdict}


def interleave(
    *, rounds: int, sides: Sequence[Callable[[], Side]], warm_up: int = 1
) -> list[tuple[Side, ...]]:
    """Measure every side once per round, A B A B, so that a noisy minute disturbs all of them alike.

    The first `warm_up` rounds are thrown away.
    """
    measured = [tuple(side() for side in sides) for _ in range(warm_up + rounds)]
    return measured[warm_up:]


def ratio_of(
    pairs: Sequence[tuple[float, ...]], *, name: str, sense: Sense, target: float, meaning: str
) -> Ratio:
    """The median of `first / second` over the rounds."""
    quotients = [pair[0] / pair[1] for pair in pairs]
    return Ratio(
        name=name,
        value=statistics.median(quotients),
        lowest=min(quotients),
        highest=max(quotients),
        rounds=len(quotients),
        sense=sense,
        target=target,
        meaning=meaning,
    )


def middle(pairs: Sequence[tuple[float, ...]], side: int) -> float:
    """The median of one side, for the words beside a ratio."""
    return statistics.median(pair[side] for pair in pairs)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of them do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
