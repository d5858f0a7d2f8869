"""The IAM policy language: operators, conditions, principals, resources, and the verdict of a set of documents.

Pure: it knows neither moto nor requests. What it does not know it refuses, never guesses.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Document = Mapping[str, Any]  # Any: JSON written by others
Context = Mapping[str, "str | Sequence[str]"]  # keys in lower case
Verdict = Literal["deny", "direct", "allow"]


VERSIONS: Final = ("2008-10-17", "2012-10-17")
DOCUMENT_ELEMENTS: Final = frozenset({"Version", "Id", "Statement"})
STATEMENT_ELEMENTS: Final = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"}
    | {"Resource", "NotResource", "Condition"}
)


class UnknownElement(Exception):
    """A policy holds something AWS does not know, or this evaluator does not: refuse it where it is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who calls, as a policy can name it.

    `arn` is the session's for a role, `principal_arn` the role's; `unique_id` is the user's or role's. For a service of
    AWS's own only `service` is set.
    """

    account: str
    arn: str
    principal_arn: str
    unique_id: str
    service: str = ""


ANYBODY: Final = Principal(account="", arn="", principal_arn="", unique_id="")
SNS: Final = Principal(account="", arn="", principal_arn="", unique_id="", service="sns.amazonaws.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """May `action` be done to `resource` in this context? `principal` is set for resource and trust policies."""

    action: str
    resource: str
    context: Context
    principal: Principal | None = None
    pinned_ids: Mapping[str, str] = field(default_factory=dict)
    """ARN named in the policy -> unique id it had when the policy was written."""


def as_list(value: Any) -> list[Any]:  # Any: JSON
    """IAM writes one value bare and several as a list."""
    return value if isinstance(value, list) else [value]


def statements(document: Document) -> list[Document]:
    """The statements of a policy document."""
    return as_list(document.get("Statement", []))


def glob_match(pattern: str, value: str) -> bool:
    """`*` and `?` as IAM reads them; everything else is literal."""
    wild = {"*": ".*", "?": "."}
    return re.fullmatch("".join(wild.get(c) or re.escape(c) for c in pattern), value, re.DOTALL) is not None


def expand_variables(text: str, context: Context) -> str:
    """Replace `${aws:PrincipalTag/x}` and its like; an unknown variable stays as it is and matches nothing."""
    return re.sub(r"\$\{([^}]+)\}", lambda m: str(context.get(m[1].lower(), m[0])), text)


def _moment(text: str) -> dt.datetime:
    if re.fullmatch(r"[\d.]+", text):
        return dt.datetime.fromtimestamp(float(text), dt.UTC)
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _arn_like(have: str, want: str) -> bool:
    have_parts, want_parts = have.split(":", 5), want.split(":", 5)
    same_length = len(have_parts) == len(want_parts)
    return same_length and all(glob_match(w, h) for h, w in zip(have_parts, want_parts, strict=True))


def _in_network(have: str, want: str) -> bool:
    return ipaddress.ip_address(have) in ipaddress.ip_network(want, strict=False)


Comparison = Callable[[str, str], bool]


def _ordered(kind: str, cast: Callable[[str], Any]) -> dict[str, Comparison]:  # Any: dates or numbers
    return {
        f"{kind}Equals": lambda have, want: bool(cast(have) == cast(want)),
        f"{kind}LessThan": lambda have, want: bool(cast(have) < cast(want)),
        f"{kind}LessThanEquals": lambda have, want: bool(cast(have) <= cast(want)),
        f"{kind}GreaterThan": lambda have, want: bool(cast(have) > cast(want)),
        f"{kind}GreaterThanEquals": lambda have, want: bool(cast(have) >= cast(want)),
    }


OPERATORS: Final[Mapping[str, Comparison]] = {
    "StringEquals": lambda have, want: have == want,
    "StringEqualsIgnoreCase": lambda have, want: have.lower() == want.lower(),
    "StringLike": lambda have, want: glob_match(want, have),
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": lambda have, want: have.lower() == want.lower(),
    "IpAddress": _in_network,
    **_ordered("Date", _moment),
    **_ordered("Numeric", float),
}
_NEGATIONS: Final = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
    "DateNotEquals": "DateEquals",
    "NumericNotEquals": "NumericEquals",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """`ForAllValues:StringNotEqualsIfExists`, taken apart."""

    base: str
    negated: bool
    if_exists: bool
    quantifier: Literal["", "ForAllValues", "ForAnyValue"]


def parse_operator(text: str) -> Operator:
    """Take a condition operator apart; an unknown one raises UnknownElement."""
    quantifier, _, name = text.rpartition(":")
    if_exists, name = name.endswith("IfExists"), name.removesuffix("IfExists")
    base = _NEGATIONS.get(name, name)
    if base not in OPERATORS and base != "Null":
        raise UnknownElement(f"condition operator {text}")
    if quantifier not in {"", "ForAllValues", "ForAnyValue"}:
        raise UnknownElement(f"condition operator {text}")
    return Operator(base=base, negated=base != name, if_exists=if_exists, quantifier=quantifier)  # type: ignore[arg-type]  # checked above


def condition_holds(operator_text: str, key: str, wanted: Any, context: Context) -> bool:  # Any: JSON
    """One line of a condition block. A missing key fails, unless negated, IfExists or ForAllValues."""
    operator, have = parse_operator(operator_text), context.get(key.lower())
    texts = [expand_variables(str(value), context) for value in as_list(wanted)]
    if operator.base == "Null":
        return (texts[0].lower() == "true") == (have is None)
    if have is None:
        return operator.if_exists or operator.negated or operator.quantifier == "ForAllValues"
    compare = OPERATORS[operator.base]
    hits = [
        any(compare(str(value), text) for text in texts) != operator.negated
        for value in ([have] if isinstance(have, str) else have)
    ]
    return all(hits) if operator.quantifier == "ForAllValues" else any(hits)


def conditions_hold(block: Mapping[str, Mapping[str, Any]] | None, context: Context) -> bool:  # Any: JSON
    """Every operator and every key of the block must hold."""
    return all(
        condition_holds(operator, key, wanted, context)
        for operator, pairs in (block or {}).items()
        for key, wanted in pairs.items()
    )


def principal_match(statement: Document, question: Question) -> Verdict | None:
    """'direct': the principal itself is named; 'allow': its account or everybody is; None: neither."""
    if "NotPrincipal" in statement:
        raise UnknownElement("NotPrincipal")
    principal = question.principal or ANYBODY
    element = statement.get("Principal", {})
    if principal.service:
        services = ["*"] if element == "*" else as_list(element.get("Service", []))
        return "allow" if {"*", principal.service} & set(services) else None
    named = ["*"] if element == "*" else as_list(element.get("AWS", []))
    if principal.arn and (principal.arn in named or principal.principal_arn in named):
        # AWS keeps the unique id of who was named: a role deleted and made again is somebody else.
        pinned = question.pinned_ids.get(principal.principal_arn, principal.unique_id)
        return "direct" if pinned == principal.unique_id else None
    whole_account = {"*", principal.account or "*", f"arn:aws:iam::{principal.account}:root"}
    return "allow" if whole_account & set(named) else None


def action_match(statement: Document, action: str) -> bool:
    """Action or NotAction; names are compared without case."""
    patterns = as_list(statement.get("Action", statement.get("NotAction", [])))
    return any(glob_match(p.lower(), action.lower()) for p in patterns) != ("NotAction" in statement)


def resource_match(statement: Document, question: Question) -> bool:
    """Resource or NotResource, with variables. A trust policy has neither, and means its role."""
    if "Resource" not in statement and "NotResource" not in statement:
        return True
    patterns = as_list(statement.get("Resource", statement.get("NotResource")))
    hit = any(glob_match(expand_variables(p, question.context), question.resource) for p in patterns)
    return hit != ("NotResource" in statement)


def _statement_verdict(statement: Document, question: Question) -> Verdict | None:
    if not action_match(statement, question.action) or not resource_match(statement, question):
        return None
    how = principal_match(statement, question) if question.principal else "allow"
    if how is None or not conditions_hold(statement.get("Condition"), question.context):
        return None
    return "deny" if statement["Effect"] == "Deny" else how


def evaluate(documents: Iterable[Document], question: Question) -> Verdict | None:
    """The verdict of these documents together: an explicit deny wins, None means that nothing allows."""
    verdicts = {_statement_verdict(s, question) for document in documents for s in statements(document)}
    order: tuple[Verdict, ...] = ("deny", "direct", "allow")
    return next((verdict for verdict in order if verdict in verdicts), None)


def parse_document(text: str) -> Document:
    """Read a policy document and refuse what AWS would: no JSON object, no statements, an unknown element or operator.

    Raises UnknownElement with what is wrong.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise UnknownElement("This policy contains invalid Json") from error
    if not isinstance(document, dict) or not isinstance(document.get("Statement", None), list | dict):
        raise UnknownElement("Syntax errors in policy.")
    if document.get("Version", VERSIONS[0]) not in VERSIONS or not DOCUMENT_ELEMENTS.issuperset(document):
        raise UnknownElement("Syntax errors in policy.")
    for statement in statements(document):
        _check_statement(statement)
    return document


def _check_statement(statement: Any) -> None:  # Any: JSON
    if not isinstance(statement, dict) or statement.get("Effect") not in {"Allow", "Deny"}:
        raise UnknownElement("Syntax errors in policy.")
    if not STATEMENT_ELEMENTS.issuperset(statement):
        raise UnknownElement("Syntax errors in policy.")
    block = statement.get("Condition", {})
    if not isinstance(block, dict) or not all(isinstance(pairs, dict) for pairs in block.values()):
        raise UnknownElement("Syntax errors in policy.")
    for operator in block:
        parse_operator(operator)
    if "NotPrincipal" in statement:
        # IAM User Guide, NotPrincipal: neither in an identity-based policy nor in a role's trust policy.
        raise UnknownElement("AssumeRole policy must not contain NotPrincipal field.")
