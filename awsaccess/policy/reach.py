"""What a set of IAM policies opens, action by action: never less than AWS would, so that "can't" can be said of the rest.

An Allow counts whatever its resource and condition; a Deny counts only where it holds for everything, always.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from awsaccess.policy import catalogue

Document = Mapping[str, Any]  # Any: IAM's JSON nests as it likes
Actions = Mapping[str, frozenset[str]]  # service prefix -> action names in lower case
NOTHING: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A Deny that holds for every resource, without condition, with the Sid that names it."""

    sid: str
    actions: Actions


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """`granted`: what some Allow gives and no certain Deny takes. `whole`: of these, what is given on everything, always.

    `on_named`: services where an Allow names its resources; `on_condition`: where one has a condition. `unknown`: what
    the policies name and the data does not know, as it is written there, in order.
    """

    granted: Actions
    whole: Actions
    on_named: frozenset[str]
    on_condition: frozenset[str]
    refusals: tuple[Refusal, ...]
    unknown: tuple[str, ...]

    def grants(self, action: str) -> bool:
        """Whether this one action, such as `iam:PassRole`, may be open, on whatever."""
        prefix, _, name = action.lower().partition(":")
        return name in self.granted.get(prefix, NOTHING)

    def within(self, actions: Actions) -> Actions:
        """The part of these actions that is open."""
        found = ((prefix, names & self.granted.get(prefix, NOTHING)) for prefix, names in actions.items())
        return {prefix: names for prefix, names in found if names}

    def refused_by(self, actions: Actions) -> tuple[str, ...]:
        """The Sids of the certain Denies that take any of these actions, in the order of the policies."""
        return tuple(
            refusal.sid
            for refusal in self.refusals
            if any(names & refusal.actions.get(prefix, NOTHING) for prefix, names in actions.items())
        )

    def is_refused(self, actions: Actions) -> bool:
        """Whether certain Denies take every one of these actions."""
        return all(
            names <= NOTHING.union(*(each.actions.get(prefix, NOTHING) for each in self.refusals))
            for prefix, names in actions.items()
        )


def reach_of(documents: Iterable[Document]) -> Reach:
    """What these policies of one role open together."""
    statements = [each for document in documents for each in listed(document.get("Statement", ()))]
    allows = [(each, actions_of(each)) for each in statements if each.get("Effect") == "Allow"]
    refusals = tuple(_refusals(statements))
    taken = _joined(refusal.actions for refusal in refusals)
    always = _joined(
        actions for each, actions in allows if is_on_everything(each) and not has_condition(each)
    )
    return Reach(
        granted=_without(_joined(actions for _, actions in allows), taken),
        whole=_without(always, taken),
        on_named=_prefixes(actions for each, actions in allows if not is_on_everything(each)),
        on_condition=_prefixes(actions for each, actions in allows if has_condition(each)),
        refusals=refusals,
        unknown=tuple(dict.fromkeys(name for each in statements for name in _unknown_in(each))),
    )


def actions_of(statement: Mapping[str, Any]) -> Actions:
    """Every known action that a statement is about; `NotAction` is about all others."""
    if "NotAction" in statement:
        besides = _joined(catalogue.matching(each) for each in listed(statement["NotAction"]))
        return _without(catalogue.matching("*"), besides)
    return _joined(catalogue.matching(each) for each in listed(statement.get("Action", ())))


def is_on_everything(statement: Mapping[str, Any]) -> bool:
    """Whether it is about every resource. `NotResource` never is."""
    return "NotResource" not in statement and "*" in listed(statement.get("Resource", "*"))


def has_condition(statement: Mapping[str, Any]) -> bool:
    """Whether it holds only sometimes."""
    return bool(statement.get("Condition"))


def listed(value: Any) -> list[Any]:  # Any: IAM writes one thing without its list
    """IAM writes one value bare and several as a list."""
    return list(value) if isinstance(value, list | tuple) else [value]


def _refusals(statements: Iterable[Mapping[str, Any]]) -> Iterator[Refusal]:
    for each in statements:
        if each.get("Effect") == "Deny" and is_on_everything(each) and not has_condition(each):
            yield Refusal(sid=str(each.get("Sid", "")), actions=actions_of(each))


def _unknown_in(statement: Mapping[str, Any]) -> Iterator[str]:
    for name in ("Action", "NotAction"):
        yield from (each for each in listed(statement.get(name, ())) if not catalogue.matching(each))


def _joined(parts: Iterable[Actions]) -> dict[str, frozenset[str]]:
    gathered: dict[str, list[frozenset[str]]] = defaultdict(list)
    for part in parts:
        for prefix, names in part.items():
            gathered[prefix].append(names)
    return {prefix: sets[0] if len(sets) == 1 else NOTHING.union(*sets) for prefix, sets in gathered.items()}


def _without(actions: Actions, taken: Actions) -> dict[str, frozenset[str]]:
    left = (
        (prefix, names - taken[prefix] if prefix in taken else names) for prefix, names in actions.items()
    )
    return {prefix: names for prefix, names in left if names}


def _prefixes(parts: Iterable[Actions]) -> frozenset[str]:
    return frozenset(prefix for part in parts for prefix in part)
