"""What IAM says to one question, for the AWS in memory. What it cannot judge it refuses to judge, loudly."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Document = Mapping[str, Any]  # Any: IAM's JSON nests as it likes


class CannotJudge(NotImplementedError):
    """A document says something that this evaluator does not know; use the simulated AWS for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """May this be done? `principals` are the names under which a trust policy may know the caller; keys in lower case."""

    action: str
    resource: str = "*"
    principals: frozenset[str] = frozenset()
    context: Mapping[str, str] = field(default_factory=dict)


def allows(documents: Iterable[Document], question: Question) -> bool:
    """Whether one statement allows it and none denies it. Raises CannotJudge."""
    effects = {
        statement["Effect"]
        for document in documents
        for statement in _listed(document["Statement"])
        if _applies(statement, question)
    }
    return effects == {"Allow"}


def principals_of(role_arn: str, account_id: str) -> frozenset[str]:
    """How a trust policy may name a role of that account."""
    partition = role_arn.split(":")[1]
    return frozenset({"*", account_id, f"arn:{partition}:iam::{account_id}:root", role_arn})


def _applies(statement: Mapping[str, Any], question: Question) -> bool:
    known = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
    if not set(statement) <= known:
        raise CannotJudge(f"a statement with {', '.join(sorted(set(statement) - known))}")
    actions = [action.lower() for action in _listed(statement["Action"])]
    return (
        any(_like(action, question.action.lower()) for action in actions)
        and any(_like(place, question.resource) for place in _listed(statement.get("Resource", "*")))
        and ("Principal" not in statement or _is_named(statement["Principal"], question))
        and all(
            _holds(operator, key.lower(), values, question.context)
            for operator, tests in statement.get("Condition", {}).items()
            for key, values in tests.items()
        )
    )


def _is_named(principal: object, question: Question) -> bool:
    kinds = principal if isinstance(principal, dict) else {"AWS": principal}
    return not question.principals.isdisjoint(_listed(kinds.get("AWS", [])))


def _like(pattern: str, text: str) -> bool:
    parts = {"*": ".*", "?": "."}
    return (
        re.fullmatch("".join(parts.get(letter) or re.escape(letter) for letter in pattern), text, re.DOTALL)
        is not None
    )


def _equal(pattern: str, text: str) -> bool:
    return pattern == text


def _before(limit: str, text: str) -> bool:
    return dt.datetime.fromisoformat(text) < dt.datetime.fromisoformat(limit)


def _after(limit: str, text: str) -> bool:
    return dt.datetime.fromisoformat(text) > dt.datetime.fromisoformat(limit)


OPERATORS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "StringEquals": _equal,
    "StringLike": _like,
    "ArnEquals": _like,  # the same as ArnLike (AWS_FACTS §1)
    "ArnLike": _like,
    "DateLessThan": _before,
    "DateGreaterThan": _after,
}


def _holds(operator: str, key: str, values: object, context: Mapping[str, str]) -> bool:
    plain = operator.removesuffix("IfExists")
    if plain not in OPERATORS:
        raise CannotJudge(f"the operator {operator}")
    if key not in context:
        return plain != operator
    return any(OPERATORS[plain](value, context[key]) for value in _texts(values))


def _texts(values: object) -> Iterator[str]:
    for value in _listed(values):
        if not isinstance(value, str):
            raise CannotJudge("a value that is no text")
        yield value


def _listed(value: Any) -> list[Any]:  # Any: IAM writes one thing without its list
    return value if isinstance(value, list) else [value]
