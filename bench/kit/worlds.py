"""A filled database and what a visitor needs to know of it, told by the process that filled it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from kit.copies import Size
from kit.ground import Ground, run_module
from kit.load import Page

# What the targets are meant for.
FULL_ENGAGEMENTS = 10_000
FULL_EVENTS = 1_000_000
FEW = Size(engagements=10, events=1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Where the measured page and its floor are, who opens them, and words that prove the right page came."""

    path: str
    floor_path: str
    cookie: str = field(repr=False)
    person: str
    title: str
    oldest_reason: str

    def status_page(self, port: int) -> Page:
        """The client's status page with everything that happened."""
        marks = (self.person, "Access is on", self.oldest_reason)
        return Page(port=port, path=self.path, cookie=self.cookie, marks=marks)

    def floor_page(self, port: int) -> Page:
        """The cheapest page that the same person can get from the same server, ten rows on it."""
        return Page(port=port, path=self.floor_path, cookie=self.cookie, marks=(self.person, self.title))


def made_world(ground: Ground) -> World:
    """One engagement, switched on, in the empty database. Raises BenchError."""
    return World(**json.loads(run_module(ground, "kit.make_world")))


def full_size(sized: float) -> Size:
    """Ten thousand engagements and a million events, times `sized`; never less than the few."""
    return Size(
        engagements=max(FEW.engagements, int(FULL_ENGAGEMENTS * sized)),
        events=max(FEW.events, int(FULL_EVENTS * sized)),
    )


def statement_counts(ground: Ground, world: World, *, database_url: str = "") -> int:
    """How many SQL statements one warm status page asks, the telling of scopes not counted."""
    told = json.dumps({name: value for name, value in asdict(world).items() if name in {"path", "cookie"}})
    return int(run_module(ground, "kit.statements", told, database_url=database_url))
