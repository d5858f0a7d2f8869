"""What is tried against AWS to learn how a role really stands. Network only: no database, no clock.

Every conclusion rests on AssumeRole itself. Refusals count only after our own identity was proved healthy in the
same run; what could not be asked is `unknown` and proves nothing (SECURITY §5, A2, A5).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from typing import Any, Final
from uuid import uuid4

from awsaccess.aws.arns import BadArn, assumed_role_parts
from awsaccess.aws.errors import AwsDenied, AwsError, AwsMisconfigured, AwsRejected, AwsTransient
from awsaccess.aws.gateway import (
    AssumeRequest,
    AwsGateway,
    HubIdentity,
    RoleFacts,
    SessionCredentials,
)
from awsaccess.lifecycle import Verdict
from awsaccess.policy.compare import Difference, any_wider, differences, revoked_before
from awsaccess.provision.access_stack import ExpectedRole
from awsaccess.provision.naming import Names

SHORTEST_SESSION: Final = 900
OPENED: Final = {True: "opened", False: "refused", None: "not asked"}
OK, FAIL, PENDING = "ok", "fail", "pending"
CHECKS: Final = ("found", "lock", "scope", "ends")
Assume = Callable[[HubIdentity, AssumeRequest], SessionCredentials]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """For a while the lock may accept another way in, too: another external ID, or the hub's other role.

    `hub` and `external_id` are that way, `both` is the role as it looks then.
    """

    hub: HubIdentity
    external_id: str = field(repr=False)
    both: ExpectedRole


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One role as it should be."""

    hub: HubIdentity
    account_id: str
    role_name: str
    role_arn: str
    external_id: str = field(repr=False)
    expected: ExpectedRole
    session_name: str
    names: Names
    names_required: bool = False  # the agreed lock wants them (ADR 17)
    overlap: Overlap | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run proved. `checks` by name: ok, fail or pending; `findings` are kept as evidence.

    `lock`, while an external ID or a hub role is exchanged: `alone` or `both`, as the role has it; `other_opens` whether
    the other one opens it, None if that could not be asked. `denied_before`: sessions opened before it are denied everything. `is_narrower`: the role differs, and every difference only takes away. False where that is not certain.
    """

    verdict: Verdict
    reason: str = ""
    checks: dict[str, str] = field(default_factory=dict)
    role_id: str = ""
    is_narrower: bool = False
    latency_ms: int = 0
    denied_before: dt.datetime | None = None
    lock: str = ""
    other_opens: bool | None = None
    findings: dict[str, Any] = field(default_factory=dict)  # Any: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """The role opened with the right external ID and is the role it should be. `named`: for a session that named somebody."""

    credentials: SessionCredentials = field(repr=False)
    named: bool
    findings: dict[str, Any]  # Any: JSON


def enter(door: AwsGateway, target: Target) -> Entered | Result:
    """Our own identity, then the right external ID, then who we are inside."""
    findings: dict[str, Any] = {}  # Any: JSON
    try:
        findings["own_account"] = door.own_identity(target.hub).account_id
        credentials, named = _opened(door, target)
        findings["with_our_id"] = "opened"
        return _identified(door, target, Entered(credentials=credentials, named=named, findings=findings))
    except (AwsDenied, AwsRejected) as error:
        if isinstance(error, AwsDenied):
            findings["with_our_id"] = "refused"
        return _refused(door, target, error, findings)
    except (AwsTransient, AwsMisconfigured) as error:
        return _unknown(error, findings)


def _opened(door: AwsGateway, target: Target) -> tuple[SessionCredentials, bool]:
    """As a visit asks; where that is refused, naming nobody, to tell a shut role from one whose lock was changed."""
    if not target.names_required:
        return door.assume(target.hub, _request(target, target.external_id, named=False)), False
    try:
        return door.assume(target.hub, _request(target, target.external_id, named=True)), True
    except AwsDenied:
        return door.assume(target.hub, _request(target, target.external_id, named=False)), False


def _refused(door: AwsGateway, target: Target, error: AwsError, findings: dict[str, Any]) -> Result:
    """A refusal is the client's only if our hub may still enter roles; else all of them refuse us at once."""
    try:
        door.control(target.hub)
    except (AwsTransient, AwsMisconfigured) as fault:
        findings["control"] = "failed"
        return _unknown(fault, findings)
    findings["control"] = "opened"
    return Result(verdict=Verdict.DENIED, reason=error.user_message, findings=findings)


def examine(door: AwsGateway, target: Target, entered: Entered) -> Result:
    """With the role open: does it open for others too, and is it what was agreed?"""
    findings = dict(entered.findings)
    role_id = entered.credentials.role_id
    try:
        if wrong := _opens_for_others(door, target, entered, findings):
            checks = {"found": OK, "lock": FAIL}
            return Result(
                verdict=Verdict.UNSAFE, reason=wrong, checks=checks, role_id=role_id, findings=findings
            )
        result = replace(_compared(door, target, entered, findings), role_id=role_id)
        return _with_other(door, target, entered, _without_names(door, target, result))
    except (AwsTransient, AwsMisconfigured, AwsRejected) as error:
        return _unknown(error, findings)


def _without_names(door: AwsGateway, target: Target, result: Result) -> Result:
    """Whether AWS keeps out who names nobody, asked where the lock reads as agreed: the reading finds all else."""
    if not target.names_required or result.verdict is not Verdict.OK:
        return result
    opened = _opens(door, target, target.external_id, named=False)
    findings = {**result.findings, "without_names": "opened" if opened else "refused"}
    if not opened:
        return replace(result, findings=findings)
    checks = {**result.checks, "lock": FAIL}
    reason = "The role opens for sessions that name nobody."
    return replace(result, verdict=Verdict.UNSAFE, reason=reason, checks=checks, findings=findings)


def _with_other(door: AwsGateway, target: Target, entered: Entered, result: Result) -> Result:
    """While an external ID or a hub role is exchanged: whether the other one opens a role that is well."""
    if target.overlap is None or result.verdict is not Verdict.OK:
        return result
    is_other_id = target.overlap.hub == target.hub
    ask = _opens_with_other_id if is_other_id else _opens_from_other_hub
    opened = ask(door, target, target.overlap, named=entered.named)
    told = {"lock": result.lock, "with_other_id" if is_other_id else "with_other_hub": OPENED[opened]}
    return replace(result, other_opens=opened, findings={**result.findings, **told})


def _opens_with_other_id(door: AwsGateway, target: Target, overlap: Overlap, *, named: bool) -> bool | None:
    return _opens(door, target, overlap.external_id, named=named)


def _opens_from_other_hub(door: AwsGateway, target: Target, overlap: Overlap, *, named: bool) -> bool | None:
    """None where that hub role is not there, or may enter nothing: its refusal would be ours, and prove nothing.

    It says nothing of the client's role either, which is entered from the one in force.
    """
    try:
        if _opens(door, replace(target, hub=overlap.hub), overlap.external_id, named=named):
            return True
        door.control(overlap.hub)
    except AwsMisconfigured:
        return None
    return False


def is_refused(door: AwsGateway, target: Target) -> bool | None:
    """True if AWS refuses us with the right and with a wrong external ID; False if either opens; None if unknown.

    Asked with names and without: a role that takes only the one or only the other is not gone. While its external ID or
    hub role is exchanged, the other one is tried, too.
    """
    try:
        door.own_identity(target.hub)
        tries = product((target.external_id, str(uuid4())), (True, False))
        if any(_opens(door, target, tried, named=named) for tried, named in tries):
            return False
        if target.overlap is not None and _opens_otherwise(door, target, target.overlap):
            return False
        door.control(target.hub)
    except (AwsTransient, AwsMisconfigured, AwsRejected):
        return None
    return True


def _opens_otherwise(door: AwsGateway, target: Target, overlap: Overlap) -> bool:
    """A hub role that is gone lets nobody come from it, so the end of an access need not wait for it."""
    other = replace(target, hub=overlap.hub)
    try:
        return any(_opens(door, other, overlap.external_id, named=named) for named in (True, False))
    except AwsMisconfigured:
        if overlap.hub == target.hub:
            raise
        return False


def _identified(door: AwsGateway, target: Target, entered: Entered) -> Entered | Result:
    """STS answers for whichever role it was asked: only GetCallerIdentity says where we really are (A5)."""
    inside = door.caller_identity(entered.credentials, target.hub.region)
    try:
        account, role_name = assumed_role_parts(inside.arn)
    except BadArn:
        account, role_name = inside.account_id, ""
    findings = {**entered.findings, "inside_account": account}
    if (account, role_name) != (target.account_id, target.role_name):
        return Result(
            verdict=Verdict.UNSAFE,
            reason="The role that opened is not the one in the agreed account.",
            checks={"found": FAIL},
            findings=findings,
        )
    return replace(entered, findings=findings)


def _opens_for_others(door: AwsGateway, target: Target, entered: Entered, findings: dict[str, Any]) -> str:
    """Words for the first way in that should be shut, or nothing. Each is tried as the role opened (AWS_FACTS §9)."""
    ours = target.external_id
    tries: tuple[tuple[str, Assume, str | None, str], ...] = (
        ("without_id", door.assume, None, "The role opens without its external ID."),
        ("with_wrong_id", door.assume, str(uuid4()), "The role opens with any external ID."),
        ("as_another", door.assume_as_another, ours, "The role opens for others than the agreed hub."),
    )
    for name, assume, external_id, words in tries:
        opened = _is_let_in(assume, target, external_id, named=entered.named)
        findings[name] = "opened" if opened else "refused"
        if opened:
            return words
    return ""


def _opens(door: AwsGateway, target: Target, external_id: str | None, *, named: bool) -> bool:
    return _is_let_in(door.assume, target, external_id, named=named)


def _is_let_in(assume: Assume, target: Target, external_id: str | None, *, named: bool) -> bool:
    """Only AccessDenied is the account's no: a value that AWS did not take was never tried on the lock (AWS_FACTS §9)."""
    try:
        assume(target.hub, _request(target, external_id, named=named))
    except AwsDenied:
        return False
    return True


def _compared(door: AwsGateway, target: Target, entered: Entered, findings: dict[str, Any]) -> Result:
    try:
        facts = door.inspect_role(entered.credentials, role_name=target.role_name, region=target.hub.region)
    except (AwsDenied, AwsRejected) as error:
        checks = {"found": OK, "lock": PENDING, "scope": FAIL}
        findings["inspection"] = "refused"
        reason = "The role no longer lets us read its own settings, so they cannot be compared."
        return Result(
            verdict=Verdict.DRIFTED, reason=reason, checks=checks, findings={**findings, "code": error.code}
        )
    expected, lock = _lock_of(target, facts)
    found = differences(expected, facts)
    findings["differences"] = [difference.what for difference in found]
    findings["in_words"] = [asdict(difference) for difference in found]
    checks = _checks(expected, facts, {difference.what for difference in found})
    denied_before = revoked_before(facts.inline_documents)
    if not found:
        return Result(
            verdict=Verdict.OK, checks=checks, denied_before=denied_before, lock=lock, findings=findings
        )
    return Result(
        verdict=Verdict.UNSAFE if _is_unsafe(found) else Verdict.DRIFTED,
        reason=_words(findings["differences"]),
        checks=checks,
        is_narrower=any_wider(found) is False,
        denied_before=denied_before,
        findings=findings,
    )


def _lock_of(target: Target, facts: RoleFacts) -> tuple[ExpectedRole, str]:
    """Which of the locks that are right at this step the role has; anything else is held against the wider of them."""
    overlap, own = target.overlap, target.expected
    if overlap is None:
        return own, ""
    is_alone = not any(difference.what == "trust" for difference in differences(own, facts))
    return (own, "alone") if is_alone else (overlap.both, "both")


def _is_unsafe(found: tuple[Difference, ...]) -> bool:
    """A lock that is wider than agreed is unsafe even where today's probes were refused."""
    return any(difference.what == "trust" and difference.wider is not False for difference in found)


def _checks(expected: ExpectedRole, facts: RoleFacts, differing: set[str]) -> dict[str, str]:
    """The four checks that both sides read. The first holds: we are inside."""
    lock = FAIL if "trust" in differing else OK
    scope = FAIL if differing - {"trust"} else OK
    return {"found": OK, "lock": lock, "scope": scope, "ends": OK if _ends(expected, facts) else FAIL}


def _ends(expected: ExpectedRole, facts: RoleFacts) -> bool:
    """The agreed end stands in the role: the statement that denies everything after it."""
    wanted = [
        statement
        for document in expected.inline_documents.values()
        for statement in document["Statement"]
        if statement.get("Sid") == "SelfExpiry"
    ]
    there = [statement for document in facts.inline_documents.values() for statement in _statements(document)]
    return bool(wanted) and all(statement in there for statement in wanted)


def _statements(document: dict[str, Any]) -> list[object]:
    found = document.get("Statement", [])
    return found if isinstance(found, list) else [found]


NAMES: Final = {
    "trust": "who can use the role",
    "attached": "the attached permissions",
    "max_session_duration": "the longest visit",
    "permissions_boundary": "the permissions boundary",
    "tags": "the tags",
}


def _words(differing: list[str]) -> str:
    named = sorted({NAMES.get(what, "the permissions") for what in differing})
    return f"Somebody changed {' and '.join(named)} in AWS."


def _request(target: Target, external_id: str | None, *, named: bool) -> AssumeRequest:
    return AssumeRequest(
        role_arn=target.role_arn,
        external_id=external_id,
        role_session_name=target.session_name,
        duration_seconds=SHORTEST_SESSION,
        source_identity=target.names.source_identity if named else None,
        tags=target.names.tags if named else (),
    )


def _unknown(error: AwsError, findings: dict[str, Any]) -> Result:
    kind = "ours" if isinstance(error, AwsMisconfigured) else "unanswered"
    return Result(
        verdict=Verdict.UNKNOWN,
        reason=error.user_message,
        findings={**findings, "unknown": kind, "code": error.code},
    )
