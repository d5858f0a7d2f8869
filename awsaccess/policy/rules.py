"""IAM documents taken apart into rules that can be held against each other.

One rule is one action of one principal under one condition; what two statements say about the same is one rule with
the resources of both. AWS adds Allows up and Denies up, so that nothing is lost by it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal

Document = Mapping[str, Any]  # Any: IAM's JSON nests as it likes
EXTERNAL_ID: Final = (
    "sts:externalid"  # keys of conditions are held in lower case: IAM does not tell them apart
)
ACCOUNT_ROOT: Final = re.compile(r"arn:[^:]+:iam::([0-9]{12}):root", re.ASCII)
WILD: Final = re.compile(r"[*?]")
PASSES_MISSING: Final = re.compile(
    r"ForAllValues:.*|.*IfExists", re.ASCII
)  # passes if the request lacks the key
BEFORE: Final = frozenset({"DateLessThan", "DateLessThanEquals"})
AFTER: Final = frozenset({"DateGreaterThan", "DateGreaterThanEquals"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A pattern, and what `Not...` takes out of it."""

    pattern: str
    besides: frozenset[str] = frozenset()
    shown: str = field(compare=False)

    def within(self, other: Part) -> bool | None:
        """Whether `other` matches all that this matches. None cannot be told."""
        if not covers(other.pattern, self.pattern):
            return False
        return True if other.besides <= self.besides else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One line of a Condition: any of the values will do."""

    operator: str
    key: str
    values: frozenset[str]

    def implies(self, other: Test) -> bool | None:
        """Whether what passes this passes the other, which is about the same key. None cannot be told."""
        if self == other:
            return True
        if PASSES_MISSING.fullmatch(self.operator) and not PASSES_MISSING.fullmatch(other.operator):
            return False
        match self.operator, other.operator:
            case ("StringEquals", "StringEquals"):
                return self.values <= other.values
            case ("StringLike", "StringEquals"):
                return False  # it holds a wildcard, else it would be called StringEquals here
            case ("StringEquals" | "StringLike", "StringLike"):
                return self._has_values_within(other, covers)
            case ("ArnEquals", "ArnEquals"):
                return self._has_values_within(other, _arn_covers)
            case (own, others) if own == others and own in BEFORE | AFTER:
                return self._is_tighter(other)
            case _:
                return None

    def _has_values_within(self, other: Test, wider: Callable[[str, str], bool]) -> bool:
        return all(any(wider(wide, value) for wide in other.values) for value in self.values)

    def _is_tighter(self, other: Test) -> bool | None:
        own, others = ([_moment(value) for value in test.values] for test in (self, other))
        if None in own + others:
            return None
        if self.operator in BEFORE:
            return max(filter(None, own)) <= max(filter(None, others))
        return min(filter(None, own)) >= min(filter(None, others))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`what` says in which document it stands. Everything but `what` and spelling takes part in comparing."""

    what: str = field(compare=False)
    effect: Literal["Allow", "Deny"]
    principal: Part | None
    action: Part
    resources: frozenset[str]
    resources_besides: frozenset[str]
    condition: frozenset[Test]

    def within(self, other: Rule) -> bool | None:
        """Whether the other says at least as much, resources aside. None cannot be told."""
        if self.effect != other.effect or not covers(other.action.pattern, self.action.pattern):
            return False  # nearly all pairs of long documents end here
        besides = True if other.resources_besides <= self.resources_besides else None
        parts = (
            _principal_within(self.principal, other.principal),
            self.action.within(other.action),
            besides,
        )
        return _all_of((*parts, _condition_within(self.condition, other.condition)))

    def is_about_the_same(self, other: Rule) -> bool:
        """Whether the other speaks of the same actions and resources, at least in part, and with the same effect."""
        return (
            self.effect == other.effect
            and _overlap((self.action.pattern,), (other.action.pattern,))
            and _overlap(self.resources, other.resources)
        )

    def only(self, resources: Iterable[str]) -> Rule:
        """The same about these resources."""
        return dataclasses.replace(self, resources=frozenset(resources))

    def without_action(self) -> object:
        """Equal for rules that differ in their action only."""
        return (
            self.what,
            self.effect,
            self.principal,
            self.action.besides,
            self.resources,
            self.resources_besides,
            self.condition,
        )

    def external_ids(self) -> frozenset[str]:
        """The external IDs that it asks for."""
        return frozenset().union(*(test.values for test in self.condition if test.key == EXTERNAL_ID))


def rules_of(what: str, document: Document) -> Iterator[Rule]:
    """The rules of an IAM document as AWS gives it, those that say the same joined."""
    joined: dict[Rule, set[str]] = {}
    for statement in _listed(document["Statement"]):
        for rule in _rules_of_statement(what, statement):
            joined.setdefault(rule.only(()), set()).update(rule.resources)
    for rule, resources in joined.items():
        yield rule.only(resources)


def uncovered(rule: Rule, others: Iterable[Rule]) -> tuple[frozenset[str], bool | None]:
    """The resources for which none of the others surely says at least as much, and whether that is certain.

    True: for one of them at least nothing does. None: something might for each.
    """
    left, perhaps = set(rule.resources), set[str]()
    for other in others:
        verdict = rule.within(other)
        if verdict is False:
            continue
        said = {resource for resource in left if any(covers(wide, resource) for wide in other.resources)}
        if verdict is None:
            perhaps |= said
        else:
            left -= said
    return frozenset(left), None if left <= perhaps else True


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    # A `?` of the wider one does not stand for a `*` of the narrower one, which may be longer than one character.
    parts = {"*": ".*", "?": "[^*]"}
    return re.compile("".join(parts.get(letter) or re.escape(letter) for letter in pattern), re.DOTALL)


def covers(wide: str, narrow: str) -> bool:
    """Whether the first pattern surely matches all that the second matches."""
    return wide in (narrow, "*") or (
        WILD.search(wide) is not None and _compiled(wide).fullmatch(narrow) is not None
    )


def _rules_of_statement(what: str, statement: Mapping[str, Any]) -> Iterator[Rule]:
    besides = frozenset(_listed(statement.get("NotResource", ())))
    for principal in _principals(statement):
        for action in _actions(statement):
            yield Rule(
                what=what,
                effect=statement["Effect"],
                principal=principal,
                action=action,
                resources=frozenset(_listed(statement.get("Resource", "*"))),
                resources_besides=besides,
                condition=frozenset(_tests(statement.get("Condition", {}))),
            )


def _actions(statement: Mapping[str, Any]) -> Iterator[Part]:
    if "NotAction" in statement:
        besides = frozenset(action.lower() for action in _listed(statement["NotAction"]))
        yield Part(pattern="*", besides=besides, shown="everything but " + ", ".join(sorted(besides)))
    for action in _listed(statement.get("Action", ())):
        yield Part(pattern=action.lower(), shown=action)


def _principals(statement: Mapping[str, Any]) -> Iterator[Part | None]:
    if "NotPrincipal" in statement:
        besides = frozenset(_named(statement["NotPrincipal"]))
        yield Part(pattern="*", besides=besides, shown="everybody but " + ", ".join(sorted(besides)))
    elif "Principal" in statement:
        for name in _named(statement["Principal"]):
            yield Part(pattern=name, shown=_shown_principal(name))
    else:
        yield None


def _shown_principal(name: str) -> str:
    if name == "*":
        return "everybody"
    return f"account {name}" if name.isdecimal() else name


def _named(principal: object) -> Iterator[str]:
    """`*`, an account number, or `<kind> <name>`: AWS writes an account as its root or as its number."""
    kinds = principal if isinstance(principal, dict) else {"AWS": principal}
    for kind, names in kinds.items():
        for name in _listed(names):
            root = ACCOUNT_ROOT.fullmatch(name)
            yield root[1] if root else name if kind == "AWS" else f"{kind} {name}"


def _tests(condition: Mapping[str, Mapping[str, Any]]) -> Iterator[Test]:
    for operator, keys in condition.items():
        for key, values in keys.items():
            texts = frozenset(_text(value) for value in _listed(values))
            yield Test(operator=_plainest(operator, texts), key=key.lower(), values=texts)


def _plainest(operator: str, values: frozenset[str]) -> str:
    """ArnLike and ArnEquals do the same (AWS_FACTS §1), and so do StringLike and StringEquals without wildcards."""
    if operator == "ArnLike":
        return "ArnEquals"
    wild = any(WILD.search(value) for value in values)
    return "StringEquals" if operator == "StringLike" and not wild else operator


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _listed(value: Any) -> list[Any]:  # Any: IAM writes one thing without its list
    return list(value) if isinstance(value, list | tuple) else [value]


def _principal_within(own: Part | None, other: Part | None) -> bool | None:
    if own is None or other is None:
        return own is other
    return own.within(other)


def _condition_within(own: frozenset[Test], other: frozenset[Test]) -> bool | None:
    """Every test of the other must be implied by one of our own; further ones only narrow."""
    return _all_of(
        _any_of(test.implies(wanted) for test in own if test.key == wanted.key) for wanted in other
    )


def _all_of(verdicts: Iterable[bool | None]) -> bool | None:
    seen = set(verdicts)
    return False if False in seen else None if None in seen else True


def _any_of(verdicts: Iterable[bool | None]) -> bool | None:
    seen = set(verdicts)
    return True if True in seen else None if None in seen else False


def _overlap(ours: Iterable[str], theirs: Iterable[str]) -> bool:
    theirs = tuple(theirs)
    return any(covers(one, other) or covers(other, one) for one in ours for other in theirs)


def _arn_covers(wide: str, narrow: str) -> bool:
    """Part by part, because in a condition no wildcard reaches over a colon, but in the last part."""
    pairs = zip(wide.split(":", 5), narrow.split(":", 5), strict=False)
    return wide.count(":") >= 5 <= narrow.count(":") and all(covers(one, other) for one, other in pairs)


def _moment(text: str) -> dt.datetime | None:
    """A date as IAM takes it: ISO 8601 or seconds since 1970; None if it is neither."""
    try:
        if text.isdecimal():
            return dt.datetime.fromtimestamp(int(text), dt.UTC)
        moment = dt.datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
