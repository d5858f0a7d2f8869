"""A practice's own access profile: its words and permissions are judged first, and nothing is saved unless all is well."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction

from accounts.models import Practice
from awsaccess.policy import documents, limits
from awsaccess.policy.documents import Document, Statement
from awsaccess.policy.managed import KNOWN
from awsaccess.policy.reach import reach_of
from awsaccess.policy.risks import RiskKind, risks_in
from awsaccess.policy.validation import Finding, Review, Severity, review, room_for
from engagements.models import PracticeProfile
from engagements.profiles import NOTHING_ALLOWED, Kind
from engagements.profiles.guards import no_data
from engagements.profiles.own import DraftLine, DraftProfile, WordFault, word_faults
from engagements.services.profiles import (
    JudgedProfile,
    practice_profile_add_within,
    practice_profile_change_within,
)
from portal.kernel.actor import Actor
from portal.kernel.errors import PortalError

SOME_END: Final = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)  # every end takes the same room


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFinding:
    """A finding in the policy of one of the profile's lines, which count from 0."""

    line: int
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileReview:
    """Everything found in a draft. `judged` is None unless it may be saved.

    `statements`: what each line opens, as far as nothing is wrong with that line.
    """

    words: tuple[WordFault, ...]
    findings: tuple[LineFinding, ...]
    statements: tuple[tuple[Statement, ...], ...]
    judged: JudgedProfile | None


class BadProfile(PortalError):
    """Raised for a profile that may not be saved, with all that was found in `review`."""

    code = "bad-profile"
    title = "This profile can't be saved yet"

    def __init__(self, review: ProfileReview) -> None:
        self.review = review
        super().__init__(" ".join(_told(review)))


def profile_review(draft: DraftProfile) -> ProfileReview:
    """Judge a draft without saving it: what the console shows while it is written. Reads nothing, writes nothing."""
    words = word_faults(draft)
    reviews = list(_reviews(draft))
    findings = tuple(
        LineFinding(line=number, finding=finding)
        for number, each in enumerate(reviews)
        for finding in each.findings
    )
    wrong = any(each.finding.severity is Severity.ERROR for each in findings)
    return ProfileReview(
        words=words,
        findings=findings,
        statements=tuple(each.statements for each in reviews),
        judged=None if words or wrong else _judged(draft, reviews),
    )


@transaction.atomic(durable=True)
def practice_profile_save(
    *, practice: Practice, draft: DraftProfile, actor: Actor, over: PracticeProfile | None = None
) -> PracticeProfile:
    """Save a new profile, or a changed one over the row that was read. Offers that were sent keep their own copy.

    Raises BadProfile with every fault at its line, Stale if somebody changed or retired it in the meantime.
    """
    found = profile_review(draft)
    if found.judged is None:
        raise BadProfile(found)
    if over is None:
        return practice_profile_add_within(practice=practice, judged=found.judged, actor=actor)
    return practice_profile_change_within(row=over, judged=found.judged, actor=actor)


def _reviews(draft: DraftProfile) -> Iterator[Review]:
    """Line by line; each has the room that the lines before it left, and Sids of its own."""
    before: list[Statement] = [*_guards_of_role(draft)]
    for line in draft.lines:
        found = _review_of(line, draft, before)
        before += found.statements
        yield found


def _review_of(line: DraftLine, draft: DraftProfile, before: list[Statement]) -> Review:
    unknown = [arn for arn in line.managed_policies if arn not in KNOWN]
    findings = [_at_top("unknown-policy", _unknown_policy(arn)) for arn in unknown]
    if line.managed_policies and draft.kind is Kind.LOOK and not unknown:
        findings.append(
            _at_top("too-broad", "That policy of AWS's changes things, but this access only looks.")
        )
    if not line.policy.strip():
        return Review(findings=tuple(findings), statements=())
    sids = {str(each["Sid"]) for each in before if "Sid" in each}
    found = review(
        line.policy,
        look_only=draft.kind is Kind.LOOK,
        guards=[each for each in before if each["Effect"] == "Deny"],
        room=room_for(before),
        taken_sids=sids,
    )
    return Review(findings=(*findings, *found.findings), statements=found.statements)


def _at_top(code: str, message: str) -> Finding:
    return Finding(line=1, column=1, severity=Severity.ERROR, code=code, message=message)


def _unknown_policy(arn: str) -> str:
    return f"What “{arn}” opens is not known here. Write its statements out instead."


def _guards_of_role(draft: DraftProfile) -> Iterator[Statement]:
    """The Deny statements that the role will have, from the template and of the profile's own."""
    yield documents.self_expiry_statement(SOME_END)
    yield documents.deny_passing_on_statement()
    if draft.kind is Kind.LOOK:
        yield documents.deny_sensitive_data_statement()
    yield from _own_guards(draft)


def _own_guards(draft: DraftProfile) -> list[Statement]:
    """A look has its guard from the template; what changes things brings its own."""
    return [no_data()] if draft.kind is Kind.CHANGE and draft.closes_contents else []


def _judged(draft: DraftProfile, reviews: Iterable[Review]) -> JudgedProfile:
    reviews = list(reviews)
    managed = [KNOWN[arn] for line in draft.lines for arn in line.managed_policies]
    statements = [statement for each in reviews for statement in each.statements]
    role = [documents.document(*statements, *_guards_of_role(draft)), *managed]
    return JudgedProfile(
        title=draft.title.strip(),
        kind=draft.kind.value,
        summary=draft.summary.strip(),
        lines=[_line(number, *each) for number, each in enumerate(zip(draft.lines, reviews, strict=True))],
        limits=_limits(role),
        guards=_own_guards(draft),
        warnings=[str(finding) for each in reviews for finding in each.warnings],
    )


def _line(number: int, line: DraftLine, found: Review) -> dict[str, Any]:  # Any: JSON
    return {
        "key": f"line{number}",
        "icon": line.icon,
        "title": line.title.strip(),
        "why": line.why.strip(),
        "optional": line.optional,
        "policy": line.policy,
        "statements": list(found.statements),
        "managed_policies": list(line.managed_policies),
    }


def _limits(role: list[Document]) -> list[dict[str, str]]:
    """What the role can't do with every optional line: only what is proved."""
    reach = reach_of(role)
    raises = any(risk.kind is RiskKind.ESCALATES for risk in risks_in(reach))
    return [
        {"key": each.key, "kept_by": each.sids[0] if each.locked else NOTHING_ALLOWED}
        for each in limits.cannot(reach, can_escalate=raises)
    ]


def _told(found: ProfileReview) -> Iterator[str]:
    for fault in found.words:
        place = "" if fault.line is None else f"Row {fault.line + 1}, "
        yield f"{place}{fault.field}: {fault.message}"
    for each in found.findings:
        if each.finding.severity is Severity.ERROR:
            yield f"Row {each.line + 1}, permissions, line {each.finding.line}: {each.finding.message}"
