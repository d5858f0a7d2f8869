"""Any IAM policy, explained: per service by AWS's own full/limited rule, in classes of risk, and what it can not do.

Deterministic and offline: the same policy and the same release of the data give the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from awsaccess.policy import catalogue
from awsaccess.policy.catalogue import LEVELS, Level
from awsaccess.policy.limits import Cannot, cannot
from awsaccess.policy.reach import Document, Reach, reach_of
from awsaccess.policy.risks import Risk, RiskKind, risks_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much of one access level of a service is open: all of it, or some.

    `only_shows`: it is filed under permissions management, and yet all that is open there only shows them.
    """

    level: Level
    full: bool
    only_shows: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccess:
    """One service of which something is open. `full`: every action it has, at every level. `changes`: some of it changes something.

    `on_named` and `on_condition`: parts of it hold for named things only, or under a condition.
    """

    prefix: str
    name: str
    full: bool
    changes: bool
    extents: tuple[Extent, ...]
    on_named: bool
    on_condition: bool

    @property
    def as_aws_says(self) -> str:
        """The summary that AWS's own console shows, such as `Full: List. Limited: Read, Write`."""
        if self.full:
            return "Full access"
        sides = (("Full", True), ("Limited", False))
        parts = ((word, [each.level for each in self.extents if each.full is full]) for word, full in sides)
        return ". ".join(f"{word}: {', '.join(levels)}" for word, levels in parts if levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What some policies of one role open together. `services` by name; `unknown` as the policies write it.

    `is_everything`: every known action, on everything, always.
    """

    services: tuple[ServiceAccess, ...]
    risks: tuple[Risk, ...]
    cannot: tuple[Cannot, ...]
    unknown: tuple[str, ...]
    is_everything: bool
    data_version: str


def explain(*documents: Document) -> Explanation:
    """The policies of one role, read together. They must be well-formed IAM policies (`validation.review`)."""
    reach = reach_of(documents)
    risks = risks_in(reach)
    services = sorted(_services(reach), key=lambda each: (each.name.lower(), each.prefix))
    return Explanation(
        services=tuple(services),
        risks=risks,
        cannot=cannot(reach, can_escalate=any(risk.kind is RiskKind.ESCALATES for risk in risks)),
        unknown=reach.unknown,
        is_everything=_is_everything(reach),
        data_version=catalogue.version(),
    )


def _services(reach: Reach) -> Iterable[ServiceAccess]:
    for prefix, names in reach.granted.items():
        service = catalogue.service(prefix)
        if service is not None:
            yield ServiceAccess(
                prefix=prefix,
                name=service.name,
                full=len(names) == len(service.ordered),
                changes=not names.isdisjoint(catalogue.changing(prefix)),
                extents=tuple(_extents(service, names)),
                on_named=prefix in reach.on_named,
                on_condition=prefix in reach.on_condition,
            )


def _extents(service: catalogue.Service, names: frozenset[str]) -> Iterable[Extent]:
    for level in LEVELS:
        own = service.by_level[level]
        if not own.isdisjoint(names):
            shows = level is Level.PERMISSIONS and catalogue.changing(service.prefix).isdisjoint(own & names)
            yield Extent(level=level, full=own <= names, only_shows=shows)


def _is_everything(reach: Reach) -> bool:
    if len(reach.whole) < len(catalogue.services()):
        return False
    return all(reach.whole.get(prefix) == names for prefix, names in catalogue.matching("*").items())
