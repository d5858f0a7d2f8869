"""What an access profile is made of. Pure data: plain words beside the exact permissions."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Final

Statement = dict[str, Any]  # Any: IAM's JSON nests as it likes

NO_CONTENTS: Final = "NoContents"
NO_PASSING_ON: Final = "NoPassingOn"
NOTHING_ALLOWED: Final = "nothing allows it"


class Kind(StrEnum):
    """How far an access goes, in the two words that clients read."""

    LOOK = "look"
    CHANGE = "change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One permission as the client reads it: at most six words, then a "so we can" sentence, then AWS's names.

    `actions` are what people read of `statements` and `managed_policies`, which are what AWS is given.
    """

    key: str
    icon: str
    title: str
    why: str
    actions: tuple[str, ...]
    statements: tuple[Statement, ...] = ()
    managed_policies: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """What an offer freezes of it: JSON, without what stands in the offer's documents."""
        shown = ("key", "icon", "title", "why")
        return {**{name: getattr(self, name) for name in shown}, "actions": list(self.actions)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One thing that stays impossible: `key` is one of `awsaccess.policy.limits.PROMISES`.

    `kept_by`: the Deny statement (its Sid) that keeps it so, or that nothing allows it.
    """

    key: str
    title: str
    kept_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessProfile:
    """A set of permissions with a name. `managed_policies` are AWS's own, as `arn:aws:iam::aws:policy/...`.

    `optional_lines` are offered and not asked for: nothing of them is in `statements` before `with_optional`.
    `guards`: the Deny statements of its own, beside those that every role has. `warnings`: what a client should weigh.
    """

    code: str
    title: str
    kind: Kind
    summary: str
    lines: tuple[Line, ...]
    limits: tuple[Limit, ...]
    managed_policies: tuple[str, ...]
    statements: tuple[Statement, ...]
    optional_lines: tuple[Line, ...] = ()
    guards: tuple[Statement, ...] = ()
    warnings: tuple[str, ...] = ()

    def lines_as_data(self) -> list[dict[str, Any]]:
        """What an offer freezes of the lines: JSON."""
        return [line.as_data() for line in self.lines]

    def limits_as_data(self) -> list[dict[str, str]]:
        """What an offer freezes of the limits: JSON."""
        return [asdict(limit) for limit in self.limits]

    def offering(self, keys: Collection[str]) -> AccessProfile:
        """The same with only these of its optional lines left to choose. Raises KeyError for one that it has not."""
        if unknown := set(keys) - {line.key for line in self.optional_lines}:
            raise KeyError(min(unknown))
        return replace(self, optional_lines=tuple(line for line in self.optional_lines if line.key in keys))

    def with_optional(self, keys: Collection[str]) -> AccessProfile:
        """The same with these of its optional lines asked for as well. Raises KeyError for one that it has not."""
        if unknown := set(keys) - {line.key for line in self.optional_lines}:
            raise KeyError(min(unknown))
        lines = (*self.lines, *(line for line in self.optional_lines if line.key in keys))
        left = tuple(line for line in self.optional_lines if line.key not in keys)
        return replace(
            self,
            lines=lines,
            optional_lines=left,
            managed_policies=managed_of(lines),
            statements=(*statements_of(lines), *self.guards),
        )


def statements_of(lines: Iterable[Line]) -> tuple[Statement, ...]:
    """What the lines allow, in their order."""
    return tuple(statement for line in lines for statement in line.statements)


def managed_of(lines: Iterable[Line]) -> tuple[str, ...]:
    """AWS's own policies behind the lines, each once, in their order."""
    return tuple(dict.fromkeys(arn for line in lines for arn in line.managed_policies))
