"""What AWS refuses before it looks at any policy: malformed parameters of AssumeRole, malformed trust documents."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from awsaccess.sandbox.guard.context import Params, tags_of
from awsaccess.sandbox.guard.language import UnknownElement, parse_document, statements


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An error answer: AWS's code and words."""

    code: str
    message: str


# AWS_FACTS, AssumeRole: name -> (pattern, least, most)
_TEXTS: Final = {
    "RoleSessionName": (r"[\w+=,.@-]*", 2, 64),
    "ExternalId": (r"[\w+=,.@:\/-]*", 2, 1224),
    "SourceIdentity": (r"[\w+=,.@-]*", 2, 64),
    "RoleArn": (r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uFFFF]+", 20, 2048),
}


def _constraint(name: str, value: str, rule: str) -> Fault:
    field = name[0].lower() + name[1:]
    message = (
        f"1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: {rule}"
    )
    return Fault(code="ValidationError", message=message)


def _text_fault(name: str, value: str) -> Fault | None:
    pattern, least, most = _TEXTS[name]
    if len(value) > most:
        return _constraint(name, value, f"Member must have length less than or equal to {most}")
    if len(value) < least:
        return _constraint(name, value, f"Member must have length greater than or equal to {least}")
    if re.fullmatch(pattern, value, re.ASCII if name != "RoleArn" else 0) is None:
        return _constraint(name, value, f"Member must satisfy regular expression pattern: {pattern}")
    return None


def _duration_fault(seconds: int) -> Fault | None:
    if seconds < 900:
        return _constraint(
            "DurationSeconds", str(seconds), "Member must have value greater than or equal to 900"
        )
    if seconds > 43200:
        return _constraint(
            "DurationSeconds", str(seconds), "Member must have value less than or equal to 43200"
        )
    return None


def _policy_fault(text: str) -> Fault | None:
    if len(text) > 2048:
        return _constraint("Policy", text, "Member must have length less than or equal to 2048")
    try:
        parse_document(text)
    except UnknownElement:
        return Fault(code="MalformedPolicyDocument", message="This policy contains invalid Json")
    return None


def _tag_fault(params: Params) -> Fault | None:
    tags = tags_of(params)
    if len(tags) > 50:
        return _constraint("Tags", str(len(tags)), "Member must have length less than or equal to 50")
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or len(value) > 256:
            return _constraint("Tags", key, "Member must have length less than or equal to 128")
    return None


def assume_role_fault(params: Params) -> Fault | None:
    """The first parameter of AssumeRole that AWS would not even look at, or None."""
    for name in ("RoleArn", "RoleSessionName"):
        if not params.get(name):
            return Fault(code="ValidationError", message=f"{name} is required")
    for name in _TEXTS:
        if params.get(name) and (fault := _text_fault(name, str(params[name]))):
            return fault
    if str(params.get("SourceIdentity") or "").startswith("aws:"):
        return _constraint("SourceIdentity", str(params["SourceIdentity"]), "Member must not start with aws:")
    found = _duration_fault(int(params.get("DurationSeconds") or 3600)) or _tag_fault(params)
    return found or (_policy_fault(str(params["Policy"])) if params.get("Policy") else None)


def trust_document_fault(text: str) -> str | None:
    """Why AWS would refuse this trust policy, in its words, or None."""
    try:
        document = parse_document(text)
    except UnknownElement as error:
        return str(error) if "Json" in str(error) else f"Syntax errors in policy. ({error})"
    for statement in statements(document):
        if "Resource" in statement or "NotResource" in statement:
            return "Has prohibited field Resource"
        if "Principal" not in statement:
            return "Missing required field Principal"
        if "Action" not in statement and "NotAction" not in statement:
            return "Missing required field Action"
    return None
