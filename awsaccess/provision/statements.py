"""Whether statements of a practice may stand in a template: literal, with actions of named services, and no more.

CloudFormation reads `Ref`, `Fn::...` and `{{resolve:...}}` wherever they stand and IAM reads `${...}`, so that all of
them are refused (SECURITY §8). cfn-lint accepts the last two in plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from awsaccess.policy.documents import Statement

PARTS: Final = frozenset({"Sid", "Effect", "Action", "Resource", "Condition"})
# NotAction, NotResource, Principal: whatever they are for, nobody can read off what they open.
NEEDED: Final = PARTS - {"Sid", "Condition"}
GUARD_SIDS: Final = frozenset({"ReadSelf", "SelfExpiry", "NoContents", "NoPassingOn"})
SID: Final = re.compile(r"[A-Za-z0-9]{1,128}", re.ASCII)
ACTION: Final = re.compile(r"[a-z0-9-]+:[A-Za-z0-9*?]+", re.ASCII)
OPERATOR: Final = re.compile(
    r"(?:(?:ForAllValues|ForAnyValue):)?"
    r"(?:String(?:Not)?(?:Equals(?:IgnoreCase)?|Like)|Arn(?:Not)?(?:Equals|Like)|(?:Not)?IpAddress|Bool|BinaryEquals"
    r"|(?:Numeric|Date)(?:(?:Not)?Equals|(?:Less|Greater)Than(?:Equals)?))(?:IfExists)?|Null",
    re.ASCII,
)
CONDITION_KEY: Final = re.compile(r"[a-z0-9-]+:[\w./:=+@-]+", re.ASCII)
TEXT: Final = re.compile(r"[\x20-\x7e\xa1-\xff]+")  # what IAM takes in a document, without line breaks


class BadStatement(ValueError):
    """Raised for a statement that is not plainly what it seems. Names its place, never a value."""


def check_statements(statements: Iterable[Statement], *, partition: str) -> None:
    """Raises BadStatement for the first that may not stand in a template for that partition."""
    taken = set(GUARD_SIDS)
    for number, statement in enumerate(statements, start=1):
        problem = _problem(statement, taken, partition=partition)
        if problem:
            raise BadStatement(f"statement {number}: {problem}")
        taken.add(statement.get("Sid", ""))


def _problem(statement: object, taken: set[str], *, partition: str) -> str:
    """The first thing wrong with a statement, or nothing."""
    if not isinstance(statement, dict) or not NEEDED <= set(statement) <= PARTS:
        return "it must have Effect, Action and Resource, and may have Sid and Condition"
    if statement["Effect"] not in ("Allow", "Deny"):
        return "its Effect is neither Allow nor Deny"
    if "Sid" in statement and not _is_text(statement["Sid"], SID):
        return "its Sid must be letters and digits"
    if statement.get("Sid") in taken:
        return "its Sid is taken"
    if not _all_texts(statement["Action"], ACTION):
        return "an action must name its service"
    if not _all_texts(statement["Resource"], _resource(partition)):
        return "a resource must be * or an ARN of the partition"
    return _condition_problem(statement["Condition"]) if "Condition" in statement else ""


def _condition_problem(condition: object) -> str:
    if not isinstance(condition, dict) or not condition:
        return "its Condition must hold operators"
    for operator, wanted in condition.items():
        if not _is_text(operator, OPERATOR) or not isinstance(wanted, dict) or not wanted:
            return "an operator in its Condition is none of IAM's"
        if not all(_is_text(key, CONDITION_KEY) and _is_wanted(value) for key, value in wanted.items()):
            return "a key or value in its Condition is not literal"
    return ""


def _is_wanted(value: object) -> bool:
    return isinstance(value, bool | int) or _all_texts(value, TEXT)


def _resource(partition: str) -> re.Pattern[str]:
    return re.compile(rf"\*|arn:(?:{re.escape(partition)}|\*):[\x21-\x7e]+", re.ASCII)


def _all_texts(value: object, pattern: re.Pattern[str]) -> bool:
    texts: list[Any] = value if isinstance(value, list) else [value]  # Any: checked one by one
    return bool(texts) and all(_is_text(text, pattern) for text in texts)


def _is_text(value: object, pattern: re.Pattern[str]) -> bool:
    """One literal: of the pattern, and nothing that CloudFormation or IAM would read as a variable."""
    return (
        isinstance(value, str)
        and pattern.fullmatch(value) is not None
        and "${" not in value
        and "{{" not in value
    )
