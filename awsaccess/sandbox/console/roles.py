"""IAM's pages: the roles of an account, and one role to try failures with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote

from awsaccess.sandbox import clock
from awsaccess.sandbox.console.visit import AwsRefusal, Page, Redirect, Visit

_NOTICES: Final = {
    "trust": "The trust policy was updated.",
    "policy": "The policy was deleted.",
    "revoked": "Sessions opened until now are refused.",
}
_NOBODY: Final = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineView:
    """An inline policy, laid out for reading."""

    name: str
    text: str


def _laid_out(text: str) -> str:
    """A policy document with one thing a line; AWS sends it percent-encoded."""
    plain = unquote(text)
    try:
        return json.dumps(json.loads(plain), indent=2)
    except ValueError:
        return plain


def listing(visit: Visit) -> Page:
    """The roles of the account."""
    return Page(template="roles.html", content={"roles": visit.call("iam", "ListRoles").get("Roles", [])})


def _inline(visit: Visit, name: str) -> list[InlineView]:
    names = visit.call("iam", "ListRolePolicies", {"RoleName": name}).get("PolicyNames", [])
    found = []
    for policy in names:
        answer = visit.call("iam", "GetRolePolicy", {"RoleName": name, "PolicyName": policy})
        found.append(InlineView(name=policy, text=_laid_out(answer["PolicyDocument"])))
    return found


def _attached(visit: Visit, name: str) -> list[str]:
    answer = visit.call("iam", "ListAttachedRolePolicies", {"RoleName": name})
    return [str(policy["PolicyArn"]) for policy in answer.get("AttachedPolicies", [])]


def one(visit: Visit) -> Page:
    """One role with its trust policy, which can be edited."""
    return _one(visit, None)


def _one(visit: Visit, refusal: AwsRefusal | None) -> Page:
    name = visit.given.get("name", "")
    role: dict[str, Any] = visit.call("iam", "GetRole", {"RoleName": name})["Role"]  # Any: JSON
    typed = visit.given.get("document") if refusal else None
    content = {
        "role": role,
        "trust": typed or _laid_out(role["AssumeRolePolicyDocument"]),
        "inline": _inline(visit, name),
        "attached": _attached(visit, name),
    }
    notice = "" if refusal else _NOTICES.get(visit.given.get("done", ""), "")
    status = 400 if refusal else 200
    return Page(template="role.html", content=content, status=status, refusal=refusal, notice=notice)


def _done(name: str, what: str) -> Redirect:
    return Redirect(to=f"/iam/role?name={quote(name, safe='')}&done={what}")


def _change(visit: Visit, action: str, fields: Mapping[str, str], done: str) -> Page | Redirect:
    name = visit.given.get("name", "")
    try:
        visit.call("iam", action, {"RoleName": name, **fields})
    except AwsRefusal as refusal:
        return _one(visit, refusal)
    return _done(name, done)


def trust(visit: Visit) -> Page | Redirect:
    """Replace the trust policy by what was typed."""
    document = visit.given.get("document", "")
    return _change(visit, "UpdateAssumeRolePolicy", {"PolicyDocument": document}, "trust")


def trust_nobody(visit: Visit) -> Page | Redirect:
    """Replace the trust policy by one that refuses everybody: AWS has no role without a trust policy."""
    return _change(visit, "UpdateAssumeRolePolicy", {"PolicyDocument": json.dumps(_NOBODY)}, "trust")


def delete_policy(visit: Visit) -> Page | Redirect:
    """Take an inline policy off."""
    policy = visit.given.get("policy", "")
    return _change(visit, "DeleteRolePolicy", {"PolicyName": policy}, "policy")


def revoke(visit: Visit) -> Page | Redirect:
    """What the console's "Revoke active sessions" does: an inline policy that stays (AWS_FACTS §8)."""
    older = {"DateLessThan": {"aws:TokenIssueTime": clock.now().isoformat()}}
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": older}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    fields = {"PolicyName": "AWSRevokeOlderSessions", "PolicyDocument": document}
    return _change(visit, "PutRolePolicy", fields, "revoked")


def delete(visit: Visit) -> Page | Redirect:
    """Take off every policy and delete the role, as the console does."""
    name = visit.given.get("name", "")
    try:
        for policy in _inline(visit, name):
            visit.call("iam", "DeleteRolePolicy", {"RoleName": name, "PolicyName": policy.name})
        for arn in _attached(visit, name):
            visit.call("iam", "DetachRolePolicy", {"RoleName": name, "PolicyArn": arn})
        visit.call("iam", "DeleteRole", {"RoleName": name})
    except AwsRefusal as refusal:
        return _one(visit, refusal)
    return Redirect(to="/iam/roles")


VIEWS: Final[Mapping[tuple[str, str], Callable[[Visit], Page | Redirect]]] = {
    ("GET", "/iam/home"): listing,
    ("GET", "/iam/roles"): listing,
    ("GET", "/iam/role"): one,
    ("POST", "/iam/role/trust"): trust,
    ("POST", "/iam/role/trust-nobody"): trust_nobody,
    ("POST", "/iam/role/policy/delete"): delete_policy,
    ("POST", "/iam/role/revoke"): revoke,
    ("POST", "/iam/role/delete"): delete,
}
