"""A policy that a practice writes, judged offline before anything is saved: each message points at its line.

Stricter than IAM: what opens more than can be read off it has no place in an access that a client agrees to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from awsaccess.policy import catalogue, condition_keys, documents, located
from awsaccess.policy.documents import Statement
from awsaccess.policy.located import Node, NotJson, Place
from awsaccess.policy.reach import Actions, reach_of
from awsaccess.policy.risks import PASSING, RiskKind, risky

LONGEST_TEXT: Final = 100_000  # what is read at all
LONGEST_INLINE: Final = 10_240  # of a role's inline policies; IAM leaves white space out (AWS_FACTS §2)
RESERVE: Final = 400  # the statement by which a role reads itself, with its ARN
RESERVED_SIDS: Final = frozenset({"ReadSelf", "SelfExpiry", "NoContents", "NoPassingOn"})
ELEMENTS: Final = ("Version", "Id", "Statement")
VERSIONS: Final = ("2012-10-17", "2008-10-17")
PARTS: Final = ("Sid", "Effect", "Action", "Resource", "Condition")
# What IAM knows and a profile may not hold: nobody can read off what these open.
BACKWARDS: Final = ("NotAction", "NotResource", "Principal", "NotPrincipal")
SID: Final = re.compile(r"[A-Za-z0-9]{1,128}", re.ASCII)
ACTION: Final = re.compile(r"[a-z0-9-]+:[A-Za-z0-9*?]+", re.ASCII)
RESOURCE: Final = re.compile(r"\*|arn:(?:aws|\*):[\x21-\x7e]+", re.ASCII)
TEXT: Final = re.compile(r"[\x20-\x7e\xa1-\xff]+")
OPERATOR: Final = re.compile(
    r"(?:(?:ForAllValues|ForAnyValue):)?"
    r"(?:String(?:Not)?(?:Equals(?:IgnoreCase)?|Like)|Arn(?:Not)?(?:Equals|Like)|(?:Not)?IpAddress|Bool|BinaryEquals"
    r"|(?:Numeric|Date)(?:(?:Not)?Equals|(?:Less|Greater)Than(?:Equals)?))(?:IfExists)?|Null",
    re.ASCII,
)
VARIABLES: Final = ("${", "{{")  # IAM reads the one, CloudFormation the other (SECURITY §8)
RULES_OF_PEOPLE: Final = frozenset({"iam", "sso", "organizations", "sts", "identitystore"})
PASSED_TO_SERVICE: Final = "iam:passedtoservice"


class Severity(StrEnum):
    """An error keeps the policy from being saved; a warning is shown beside it."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to know about a policy. `line` and `column` count from 1; `code` names the rule, for tests and help."""

    line: int
    column: int
    severity: Severity
    code: str
    message: str

    def __str__(self) -> str:
        return f"Line {self.line}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What was found, in the order of the lines. `statements` is empty unless nothing is wrong."""

    findings: tuple[Finding, ...]
    statements: tuple[Statement, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What must be put right first."""
        return tuple(each for each in self.findings if each.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What somebody should have read."""
        return tuple(each for each in self.findings if each.severity is Severity.WARNING)


Found = Iterator[tuple[Node, Severity, str, str]]


def room_for(guards: Iterable[Statement]) -> int:
    """How many characters, white space left out, a role has left beside these guards."""
    return LONGEST_INLINE - RESERVE - _counted(documents.document(*guards))


def review(
    text: str,
    *,
    look_only: bool,
    guards: Sequence[Statement] = (),
    taken_sids: Iterable[str] = (),
    room: int | None = None,
) -> Review:
    """Judge a policy's text, or the text of its statements alone (a list or one object).

    `look_only`: whether the client is told that this access only looks. `guards`: the Deny statements that the role
    always has; what they take is told to be without effect. `taken_sids`: Sids of statements that stand beside it.
    `room`: characters that are left for it, white space not counted; what the guards leave if it is not given.
    Never raises for what the text holds.
    """
    if len(text) > LONGEST_TEXT:
        return _only(text, LONGEST_TEXT, "too-large", _too_large(LONGEST_TEXT))
    try:
        root = located.read(text)
    except NotJson as error:
        return _only(text, error.offset, "not-json", f"This is not JSON: {error.message}.")
    room = room_for(guards) if room is None else room
    over = _first_beyond(text, room)
    if over is not None:
        return _only(text, over, "too-large", _too_large(room))
    found = _Judge(look_only=look_only, guards=tuple(guards), taken=set(taken_sids)).of_root(root)
    return _as_review(text, root, found)


def statements_in(document: Any) -> tuple[Statement, ...]:  # Any: JSON
    """The statements of a policy, of a list of them or of one alone."""
    inner = document["Statement"] if isinstance(document, dict) and "Statement" in document else document
    return tuple(inner) if isinstance(inner, list) else (inner,)


def _as_review(text: str, root: Node, found: Found) -> Review:
    findings = tuple(
        _finding(text, node.offset, severity, code, message)
        for node, severity, code, message in sorted(found, key=_order)
    )
    wrong = any(each.severity is Severity.ERROR for each in findings)
    return Review(findings=findings, statements=() if wrong else statements_in(root.plain()))


def _order(each: tuple[Node, Severity, str, str]) -> tuple[int, str, str]:
    return each[0].offset, each[2], each[3]


def _finding(text: str, offset: int, severity: Severity, code: str, message: str) -> Finding:
    place: Place = located.place_of(text, offset)
    return Finding(line=place.line, column=place.column, severity=severity, code=code, message=message)


def _only(text: str, offset: int, code: str, message: str) -> Review:
    return Review(findings=(_finding(text, offset, Severity.ERROR, code, message),), statements=())


def _too_large(room: int) -> str:
    return f"This is too large for a role: {room:,} characters are left for it, white space not counted."


def _counted(document: Any) -> int:  # Any: JSON
    return len("".join(json.dumps(document, separators=(",", ":"), ensure_ascii=False).split()))


def _first_beyond(text: str, room: int) -> int | None:
    """The offset of the first character that has no room, or None."""
    counted = 0
    for offset, letter in enumerate(text):
        counted += not letter.isspace()
        if counted > room:
            return offset
    return None


def _error(node: Node, code: str, message: str) -> tuple[Node, Severity, str, str]:
    return node, Severity.ERROR, code, message


def _warning(node: Node, code: str, message: str) -> tuple[Node, Severity, str, str]:
    return node, Severity.WARNING, code, message


def _meant(name: str | None) -> str:
    return f" Did you mean {name}?" if name else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    """The rules, with what they have to know of the access around the policy. `taken` grows with every Sid."""

    look_only: bool
    guards: tuple[Statement, ...]
    taken: set[str]

    def of_root(self, root: Node) -> Found:
        if root.items is None and root.get("Statement") is not None:
            yield from _names(root, ELEMENTS)
            version = root.get("Version")
            if version is not None and version.value not in VERSIONS:
                yield _error(version, "version", f"Version must be “{VERSIONS[0]}”.")
            root = root.get("Statement") or root
        if not root.listed():
            yield _error(root, "empty", "There is no statement in it.")
        for statement in root.listed():
            yield from self._of_statement(statement)

    def _of_statement(self, statement: Node) -> Found:
        if statement.members is None:
            yield _error(statement, "statement", "A statement must be an object in curly brackets.")
            return
        yield from _names(statement, PARTS)
        yield from _missing(statement)
        yield from self._of_sid(statement)
        yield from _of_resources(statement)
        yield from _of_conditions(statement)
        for action in (statement.get("Action") or Node(offset=0, value=None, items=())).listed():
            yield from self._of_action(statement, action)

    def _of_sid(self, statement: Node) -> Found:
        sid = statement.get("Sid")
        if sid is None:
            return
        if not isinstance(sid.value, str) or not SID.fullmatch(sid.value):
            yield _error(sid, "sid", "A Sid has letters and digits only.")
        elif sid.value in RESERVED_SIDS or sid.value in self.taken:
            yield _error(sid, "sid-taken", f"The Sid “{sid.value}” is taken. Choose another.")
        else:
            self.taken.add(sid.value)

    def _of_action(self, statement: Node, action: Node) -> Found:
        text = action.value
        if text == "*":
            yield _error(action, "everything", "“*” opens every service. Name the actions.")
        elif not isinstance(text, str) or not ACTION.fullmatch(text):
            yield _error(
                action, "action", "An action is written as service:Name, such as s3:ListAllMyBuckets."
            )
        elif not (actions := catalogue.matching(text)):
            yield _error(action, "unknown-action", _unknown(text))
        elif _is(statement, "Effect", "Allow"):
            yield from self._of_allowed(statement, action, text, actions)

    def _of_allowed(self, statement: Node, action: Node, text: str, actions: Actions) -> Found:
        if reach_of([documents.document(*self.guards)]).is_refused(actions):
            yield _warning(action, "no-effect", f"“{text}” has no effect: the access always forbids it.")
            return
        changing = _part(actions, RiskKind.CHANGES)
        if changing and self.look_only:
            yield _error(
                action,
                "too-broad",
                f"“{text}” changes things ({_some(changing)}), but this access only looks.",
            )
            return
        yield from _of_wildcard(action, text, actions, changing)
        yield from _of_passing(statement, action, actions)
        yield from _of_escalation(action, text, actions)


def _names(node: Node, known: Sequence[str]) -> Found:
    seen: set[object] = set()
    for name, _ in node.members or ():
        if name.value in seen:
            yield _error(name, "twice", f"“{name.value}” stands twice.")
        elif name.value in BACKWARDS and known is PARTS:
            yield _error(name, "backwards", _backwards(str(name.value)))
        elif name.value not in known:
            close = next(
                (each for each in known if each.lower().startswith(str(name.value).lower()[:4])), None
            )
            yield _error(name, "element", f"IAM knows no “{name.value}” here.{_meant(close)}")
        seen.add(name.value)


def _backwards(name: str) -> str:
    if name.endswith("Principal"):
        return f"“{name}” has no place here: these rights are the role's own."
    return f"“{name}” opens everything but what it names. Say what is meant, with {name.removeprefix('Not')}."


def _missing(statement: Node) -> Found:
    for name in ("Effect", "Action", "Resource"):
        if statement.get(name) is None and statement.get(f"Not{name}") is None:
            yield _error(statement, "missing", f"{name} is missing.")
    effect = statement.get("Effect")
    if effect is not None and effect.value not in ("Allow", "Deny"):
        yield _error(effect, "effect", "Effect is “Allow” or “Deny”.")
    for name in ("Action", "Resource"):
        node = statement.get(name)
        if node is not None and node.items == ():
            yield _error(node, "missing", f"{name} is empty.")


def _of_resources(statement: Node) -> Found:
    node = statement.get("Resource")
    for each in node.listed() if node else ():
        text = each.value
        if not isinstance(text, str) or not RESOURCE.fullmatch(text):
            yield _error(each, "resource", "A resource is “*” or an ARN that begins with arn:aws:.")
        elif any(sign in text for sign in VARIABLES):
            yield _error(each, "variable", "A resource must be plain text, without variables.")


def _of_conditions(statement: Node) -> Found:
    block = statement.get("Condition")
    if block is None:
        return
    if not block.members:
        yield _error(block, "condition", "A Condition holds operators, each with its keys.")
    for operator, keys in block.members or ():
        if not OPERATOR.fullmatch(str(operator.value)):
            yield _error(operator, "operator", f"IAM knows no operator “{operator.value}”.")
        if not keys.members:
            yield _error(keys, "condition", "An operator holds keys, each with its values.")
        for key, wanted in keys.members or ():
            yield from _of_key(key, wanted)


def _of_key(key: Node, wanted: Node) -> Found:
    name = str(key.value)
    if not condition_keys.is_known(name):
        hint = _meant(condition_keys.nearest(name))
        yield _error(key, "unknown-key", f"AWS knows no condition key “{name}”.{hint}")
    for value in wanted.listed() or (wanted,):
        plain = value.value
        if isinstance(plain, bool | int):
            continue
        if (
            not isinstance(plain, str)
            or not TEXT.fullmatch(plain)
            or any(sign in plain for sign in VARIABLES)
        ):
            yield _error(value, "value", "A value in a Condition must be plain text, without variables.")


def _unknown(text: str) -> str:
    prefix, _, name = text.partition(":")
    if catalogue.service(prefix) is None:
        return f"AWS knows no service “{prefix}”.{_meant(catalogue.nearest(text))}"
    if catalogue.WILD.search(name):
        return f"“{text}” covers no action that AWS knows."
    return f"AWS knows no action “{text}”.{_meant(catalogue.nearest(text))}"


def _of_wildcard(action: Node, text: str, actions: Actions, changing: list[str]) -> Found:
    count = sum(map(len, actions.values()))
    if text.endswith(":*"):
        yield _warning(action, "whole-service", f"“{text}” opens all {count} actions of the service.")
    elif changing and catalogue.WILD.search(text):
        yield _warning(
            action, "wildcard", f"“{text}” covers more than one way to change things: {_some(changing)}."
        )


def _of_passing(statement: Node, action: Node, actions: Actions) -> Found:
    """A role may be passed only by its name, and only to a service that is named."""
    if "passrole" not in actions.get("iam", frozenset()):
        return
    resources = statement.get("Resource")
    names = [str(each.value) for each in resources.listed()] if resources else []
    if any(":role/" not in name or name.endswith((":role/*", "/**")) for name in names):
        yield _error(
            action, "pass-role", f"With “{PASSING}” on every role, any right can be had. Name the role."
        )
    if PASSED_TO_SERVICE not in _keys_of(statement):
        message = f"“{PASSING}” must say to which service, with the condition key iam:PassedToService."
        yield _error(action, "pass-role", message)


def _of_escalation(action: Node, text: str, actions: Actions) -> Found:
    raising = _part(actions, RiskKind.ESCALATES)
    people = [each for each in raising if each.partition(":")[0] in RULES_OF_PEOPLE]
    if people:
        yield _error(
            action, "escalation", f"Who has “{text}” can give themselves any right ({_some(people)})."
        )
    elif raising:
        message = f"“{text}” can be used to act with the rights of something else ({_some(raising)})."
        yield _warning(action, "escalation", message)


def _part(actions: Actions, kind: RiskKind) -> list[str]:
    """The actions that belong to a class of risk, as AWS spells them, in order."""
    return sorted(
        catalogue.spelled(prefix, name)
        for prefix, names in actions.items()
        for name in names & risky(kind, prefix)
    )


def _some(actions: Sequence[str]) -> str:
    return actions[0] if len(actions) == 1 else f"{actions[0]} and {len(actions) - 1} more"


def _is(statement: Node, name: str, value: str) -> bool:
    node = statement.get(name)
    return node is not None and node.value == value


def _keys_of(statement: Node) -> set[str]:
    block = statement.get("Condition")
    pairs = [keys.members or () for _, keys in (block.members or ())] if block else []
    return {str(key.value).lower() for members in pairs for key, _ in members}
