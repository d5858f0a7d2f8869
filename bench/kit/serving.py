"""What one page costs the server: CPU of the web server and of PostgreSQL together, and what visitors wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kit.cpu import tree_cpu_seconds
from kit.errors import BenchError
from kit.ground import Ground, WebServer
from kit.load import Page, visit
from kit.ratios import Ratio, Sense, ratio_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One side of one round: seconds of CPU and of waiting for each answer, and answers in a second of wall time."""

    cpu_seconds: float
    slowest_seconds: float  # the 99th percentile
    per_second: float


Rounds = Sequence[tuple[Served, ...]]


def serving(ground: Ground, server: WebServer, page: Page, *, times: int) -> Callable[[], Served]:
    """A side of a bench: the page, opened `times` times by a few people at once."""

    def side() -> Served:
        before = tree_cpu_seconds((server.pid, ground.postgres_pid))
        visits = visit(page, times=times)
        spent = tree_cpu_seconds((server.pid, ground.postgres_pid)) - before
        if spent <= 0:
            raise BenchError(f"{times} answers are too few: their CPU time is below the clock's step.")
        return Served(
            cpu_seconds=spent / visits.count,
            slowest_seconds=visits.percentile(0.99),
            per_second=visits.count / visits.seconds,
        )

    return side


def rate_ratio(
    rounds: Rounds, side: int, anchor: int, *, name: str, target: float, meaning: str, sense: Sense = ">="
) -> Ratio:
    """Answers per CPU second of one side, divided by the anchor's: what a server can serve, on any machine."""
    pairs = [(1 / row[side].cpu_seconds, 1 / row[anchor].cpu_seconds) for row in rounds]
    return ratio_of(pairs, name=name, sense=sense, target=target, meaning=meaning)


def cost_ratio(rounds: Rounds, side: int, anchor: int, *, name: str, target: float, meaning: str) -> Ratio:
    """CPU of one answer, divided by the anchor's."""
    pairs = [(row[side].cpu_seconds, row[anchor].cpu_seconds) for row in rounds]
    return ratio_of(pairs, name=name, sense="<=", target=target, meaning=meaning)


def wait_ratio(rounds: Rounds, side: int, anchor: int, *, name: str, target: float, meaning: str) -> Ratio:
    """The slowest hundredth's waiting, divided by the anchor's."""
    pairs = [(row[side].slowest_seconds, row[anchor].slowest_seconds) for row in rounds]
    return ratio_of(pairs, name=name, sense="<=", target=target, meaning=meaning)


def described(rounds: Rounds, side: int, what: str) -> str:
    """The medians of one side in this machine's own units, for the words beside the ratios."""
    served = [row[side] for row in rounds]
    middle = sorted(served, key=lambda one: one.cpu_seconds)[len(served) // 2]
    return (
        f"{what}: {middle.cpu_seconds * 1000:.2f} ms CPU, {middle.per_second:.0f} answers/s, "
        f"p99 {middle.slowest_seconds * 1000:.0f} ms"
    )
