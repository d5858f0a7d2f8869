"""Rules of IAM documents in words for both sides. External IDs are named, never shown."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

from awsaccess.policy.rules import EXTERNAL_ID, WILD, Rule, Test

# Which side of a condition a line is about, as people would say it; others are shown as IAM spells them.
OPERATORS: Final = {
    "StringEquals": "is",
    "StringLike": "is like",
    "ArnEquals": "is",
    "DateLessThan": "is before",
    "DateGreaterThan": "is after",
}


def in_words(rules: Iterable[Rule], agreed_ids: AbstractSet[str]) -> str | None:
    """One sentence for all rules that differ in their action only; None without any rule."""
    together: dict[object, list[Rule]] = {}
    for rule in rules:
        together.setdefault(rule.without_action(), []).append(rule)
    return "; ".join(sorted(_sentence(alike, agreed_ids) for alike in together.values())) or None


def _sentence(alike: list[Rule], agreed_ids: AbstractSet[str]) -> str:
    rule = alike[0]
    words = [rule.effect, ", ".join(sorted({each.action.shown for each in alike}))]
    if rule.principal is not None:
        words += ["to", rule.principal.shown]
    else:
        words += ["on", ", ".join(sorted(rule.resources))]
    if rule.resources_besides:
        words += ["but not on", ", ".join(sorted(rule.resources_besides))]
    if rule.condition:
        words += ["if", " and ".join(sorted(_condition(test, agreed_ids) for test in rule.condition))]
    return " ".join(words)


def _condition(test: Test, agreed_ids: AbstractSet[str]) -> str:
    values = sorted(test.values)
    if test.key == EXTERNAL_ID:
        values = sorted({_external_id(value, agreed_ids) for value in values})
    return f"{test.key} {OPERATORS.get(test.operator, test.operator)} {' or '.join(values)}"


def _external_id(value: str, agreed_ids: AbstractSet[str]) -> str:
    if value in agreed_ids:
        return "the agreed one"
    return "anything that fits a pattern" if WILD.search(value) else "another one"
