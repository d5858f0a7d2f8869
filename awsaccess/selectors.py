"""Reads of the AWS side for pages. No AWS call is ever made here."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import (
    Any,
    Final,
)
from uuid import (
    UUID,
)

from django.conf import settings
from django.utils.translation import gettext

from awsaccess.asking import spec_of
from awsaccess.aws.arns import is_example_account
from awsaccess.aws.messages import StackId
from awsaccess.callback import Kind
from awsaccess.lifecycle import (
    BROKEN,
    PROPAGATION,
    SEARCH,
    CallbackStatus,
    GrantStatus,
    Verdict,
    VisitStatus,
)
from awsaccess.models import (
    Callback,
    ExitProof,
    Grant,
    Hub,
    Verification,
    Visit,
    VisitReport,
)
from awsaccess.policy.compare import Difference
from awsaccess.probes import CHECKS, PENDING
from awsaccess.provision import links
from awsaccess.provision.access_stack import external_id_in, with_lock
from awsaccess.provision.needs import needed_policy
from awsaccess.provision.ways import StackAsk
from engagements.lifecycle import EngagementStatus
from engagements.models import Engagement, Offer
from engagements.selectors import offer_or_none, template_agreed
from portal.kernel import audit, clock

LATE_AFTER: Final = dt.timedelta(minutes=30)  # AWS needs about one
NO_TIME: Final = dt.timedelta()

COMPARED: Final = frozenset({GrantStatus.DRIFTED, GrantStatus.UNSAFE})


class CardState(StrEnum):
    """What the live card says."""

    WAITING = "waiting"
    CHECKING = "checking"
    ON = "on"
    PROBLEM = "problem"
    PAUSED = "paused"
    ENDING = "ending"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One of the four named checks: `found`, `lock`, `scope`, `ends`; state `ok`, `fail` or `pending`."""

    key: str
    state: str


class StepState(StrEnum):
    """Where one step on the way to an access stands. `skipped`: not needed, because the next one came by itself."""

    DONE = "done"
    NOW = "now"
    LATER = "later"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One of the steps that a stack with call-back goes through: `making`, `told`, `checking`."""

    key: str
    state: StepState


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCard:
    """How the access stands. `status` is the grant's; `problem` its words; the digest changes with any of them.

    `steps` are only there while a stack with call-back is waited for; `refusal` is why the last one was told no.
    `other_account` reported instead of the agreed one; `other_region` is where the stack is, if elsewhere than offered;
    `is_undone`: AWS took the stack back; `is_ours`: not AWS but our own side is the trouble; `is_late`: half an hour has
    brought nothing; `is_given_up`: seven days have brought nothing, and nobody looks by themselves any more.
    """

    state: CardState
    status: str
    checks: tuple[Check, ...]
    problem: str
    is_unanswered: bool
    checked_at: dt.datetime | None
    verified_at: dt.datetime | None
    has_template: bool
    steps: tuple[Step, ...]
    refusal: str
    digest: str
    other_account: str = ""
    other_region: str = ""
    is_undone: bool = False
    is_ours: bool = False
    is_late: bool = False
    is_given_up: bool = False
    is_narrower: bool = False
    is_rotating: bool = False
    differences: tuple[Difference, ...] = ()


def grant_of(engagement: Engagement) -> Grant | None:
    """The newest grant, with its offer."""
    rows = Grant.objects.select_related("offer", "engagement").filter(engagement=engagement)
    return rows.order_by("-offer__number").first()


def live_card(engagement: Engagement, *, now: dt.datetime | None = None) -> LiveCard:
    """The card of the connect and status pages. `now` spares a page that knows it the question."""
    grant = grant_of(engagement)
    state = _state(engagement, grant)
    has_template = bool(grant and template_agreed(grant.offer).version_id)
    shown = {} if grant is None else dict(grant.checks)
    checks = tuple(Check(key=key, state=shown.get(key, PENDING)) for key in CHECKS)
    told, is_undone = _told_last(grant, state)
    steps = _steps(grant, state, None if is_undone else told)
    stack = StackId.parse(told.stack_id) if told is not None else None
    agreed = engagement.account_id
    waited = _waited(engagement, now) if state is CardState.WAITING else NO_TIME
    more: dict[str, Any] = {  # Any: fields of the card
        "other_account": stack.account_id if stack and agreed and stack.account_id != agreed else "",
        "other_region": _other_region(grant, stack),
        "is_undone": is_undone,
        "is_ours": _is_ours(grant),
        "is_late": state is CardState.WAITING and told is None and waited >= LATE_AFTER,
        "is_given_up": state is CardState.WAITING and waited >= SEARCH[-1][0],
    }
    refusal = told.reason if told is not None and told.status == CallbackStatus.REFUSED else ""
    differences = differences_found(grant) if grant else ()
    is_narrower = bool(grant and grant.status == GrantStatus.DRIFTED and grant.is_narrower)
    is_rotating = bool(grant and grant.is_rotating)
    facts = {
        "state": state.value,
        "status": grant.status if grant else "",
        "checks": [check.state for check in checks],
        "problem": grant.problem if grant else "",
        "unanswered": bool(grant and grant.last_verdict == "unknown"),
        "template": has_template,
        "steps": [step.state.value for step in steps],
        "refusal": refusal,
        **more,
        "differences": [[each.what, each.expected or "", each.actual or ""] for each in differences],
        "narrower": is_narrower,
        "rotating": is_rotating,
    }
    return LiveCard(
        state=state,
        status=grant.status if grant else "",
        checks=checks,
        problem=grant.problem if grant else "",
        is_unanswered=bool(grant and grant.last_verdict == "unknown"),
        checked_at=grant.checked_at if grant else None,
        verified_at=grant.verified_at if grant else None,
        has_template=has_template,
        steps=steps,
        refusal=refusal,
        digest=hashlib.sha256(audit.canonical(facts)).hexdigest()[:16],
        **more,
        is_narrower=is_narrower,
        is_rotating=is_rotating,
        differences=differences,
    )


def differences_found(grant: Grant) -> tuple[Difference, ...]:
    """What differs from what was agreed, as the newest check that could compare found it; nothing where none could."""
    if grant.status not in COMPARED:
        return ()
    rows = Verification.objects.filter(grant=grant, verdict__in=(Verdict.UNSAFE, Verdict.DRIFTED))
    newest = rows.order_by("-at").first()
    found = newest.findings.get("in_words", []) if newest else []
    return tuple(Difference(**each) for each in found)


def _told_last(grant: Grant | None, state: CardState) -> tuple[Callback | None, bool]:
    """What the newest stack reported, while it matters, and whether it was taken back since.

    One that has no token reports nothing.
    """
    if grant is None or not grant.callback_sha256 or state not in (CardState.WAITING, CardState.CHECKING):
        return None, False
    rows = list(Callback.objects.filter(grant=grant).order_by("-told_at")[:2])
    is_undone = bool(rows) and rows[0].kind == Kind.DELETE
    return next((row for row in rows if row.kind != Kind.DELETE), None), is_undone


def _other_region(grant: Grant | None, stack: StackId | None) -> str:
    if grant is None or stack is None or stack.region == grant.offer.documents["region"]:
        return ""
    return stack.region


def _is_ours(grant: Grant | None) -> bool:
    """The newest check failed for a reason of our own, and says so."""
    if grant is None or grant.last_verdict != Verdict.UNKNOWN:
        return False
    newest = Verification.objects.filter(grant=grant).order_by("-at").first()
    return newest is not None and newest.findings.get("unknown") == "ours"


def _waited(engagement: Engagement, now: dt.datetime | None) -> dt.timedelta:
    now = now or clock.now()
    return now - (engagement.agreed_at or now)


def _steps(grant: Grant | None, state: CardState, told: Callback | None) -> tuple[Step, ...]:
    """Only what is known: a report that came, a role that opened."""
    if grant is None or not grant.callback_sha256 or state not in (CardState.WAITING, CardState.CHECKING):
        return ()
    is_told = told is not None and told.status in (CallbackStatus.OPEN, CallbackStatus.GRANTED)
    is_found = state is CardState.CHECKING
    states = {
        "making": StepState.DONE if is_told or is_found else StepState.NOW,
        "told": StepState.DONE if is_told else StepState.SKIPPED if is_found else StepState.LATER,
        "checking": StepState.NOW if is_told or is_found else StepState.LATER,
    }
    return tuple(Step(key=key, state=each) for key, each in states.items())


def _state(engagement: Engagement, grant: Grant | None) -> CardState:
    if engagement.status == EngagementStatus.CLOSED or (grant and grant.status == GrantStatus.GONE):
        return CardState.GONE
    if engagement.status == EngagementStatus.CLOSING or (grant and grant.status == GrantStatus.ENDING):
        return CardState.ENDING
    if grant is None or grant.status == GrantStatus.EXPECTED:
        return CardState.WAITING
    if grant.status in BROKEN:
        return CardState.PROBLEM
    if grant.status == GrantStatus.CHECKING:
        return CardState.CHECKING
    return CardState.PAUSED if engagement.status == EngagementStatus.PAUSED else CardState.ON


def stack_name(engagement: Engagement) -> str:
    """The stack's name in the client's account, known before it exists."""
    return f"latchkey-{engagement.code}"


def quick_create_url(engagement: Engagement) -> str | None:
    """CloudFormation's review page with everything filled in; None while the template is on its way."""
    offer = offer_or_none(engagement)
    if offer is None or not template_agreed(offer).version_id:
        return None
    documents = offer.documents
    return links.quick_create_link(
        region=documents["region"],
        template=template_address(offer),
        stack_name=stack_name(engagement),
        partition=documents["partition"],
        console_base_url=settings.CONSOLE_BASE_URL,
    )


def template_address(offer: Offer) -> str:
    """The pinned version in the hub's bucket: the agreed one, or the same with the lock that is in force by now."""
    documents, agreed = offer.documents, template_agreed(offer)
    grant = Grant.objects.filter(engagement=offer.engagement_id).exclude(lock_version_id="").first()
    if grant is not None and external_id_in(agreed.text) == grant.external_id_in_force:
        grant = None  # a change that was asked since then has the lock in its own template
    return links.template_url(
        bucket=documents["bucket"],
        region=documents["region"],
        key=grant.lock_template_key if grant else documents["template_key"],
        version_id=grant.lock_version_id if grant else agreed.version_id,
        partition=documents["partition"],
    )


def template_text(offer: Offer) -> str:
    """The template to read or to run by hand: as agreed, with the lock that is in force by now."""
    agreed = template_agreed(offer).text
    grant = Grant.objects.filter(engagement=offer.engagement_id).exclude(rotated_external_id="").first()
    return with_lock(agreed, spec_of(offer, grant)) if grant else agreed


def stack_ask(engagement: Engagement) -> StackAsk | None:
    """What a script or Terraform asks AWS for; None while the account is not known or the template is on its way."""
    offer = offer_or_none(engagement)
    if offer is None or not template_agreed(offer).version_id or not engagement.account_id:
        return None
    return StackAsk(
        account_id=engagement.account_id,
        region=offer.documents["region"],
        stack_name=stack_name(engagement),
        template_url=template_address(offer),
        partition=offer.documents["partition"],
    )


def permissions_needed(engagement: Engagement) -> str:
    """A policy with which a sign-in of the client's can make this very stack; empty before anything was offered."""
    grant = grant_of(engagement)
    if grant is None:
        return ""
    documents = grant.offer.documents
    return needed_policy(
        partition=grant.partition,
        account_id=engagement.account_id,
        role_name=grant.role_name,
        stack_name=stack_name(engagement),
        topic_arns=tuple(documents.get("topic_arns", {}).values()) if grant.callback_sha256 else (),
        bucket=documents["bucket"],
    )


def role_name(engagement: Engagement) -> str:
    """The one thing that the stack makes; empty before anything was offered."""
    grant = grant_of(engagement)
    return grant.role_name if grant is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackUpdate:
    """One way of the client's stack from one template to another: by a link into AWS, by a script, or by hand."""

    link: str
    template: str
    ask: StackAsk


def stack_update(grant: Grant, template: str) -> StackUpdate:
    """The update of this grant's stack to the template at that address. The grant comes with offer and engagement."""
    documents, name = grant.offer.documents, stack_name(grant.engagement)
    region, partition = documents["region"], documents["partition"]
    return StackUpdate(
        link=links.update_link(
            region=region,
            template=template,
            stack=grant.callback_stack or name,
            partition=partition,
            console_base_url=settings.CONSOLE_BASE_URL,
        ),
        template=template,
        ask=StackAsk(
            account_id=grant.account_id,
            region=region,
            stack_name=name,
            template_url=template,
            partition=partition,
        ),
    )


def stack_url(engagement: Engagement) -> str:
    """CloudFormation's list of stacks in the console, filtered to ours."""
    offer = offer_or_none(engagement)
    region = offer.documents["region"] if offer else "us-east-1"
    partition = offer.documents["partition"] if offer else "aws"
    return links.stacks_link(
        region=region,
        stack_name=stack_name(engagement),
        partition=partition,
        console_base_url=settings.CONSOLE_BASE_URL,
    )


def visits_of(engagement: Engagement, *, limit: int = 50) -> list[Visit]:
    """Every visit, newest first, also the refused and orphaned ones."""
    rows = Visit.objects.select_related("report").filter(engagement=engagement)
    return list(rows.order_by("-intended_at")[:limit])


def visit_of(engagement: Engagement, visit_id: UUID) -> Visit | None:
    """One visit with its report and what was agreed; None for another engagement's."""
    rows = Visit.objects.select_related("report", "grant__offer").filter(engagement=engagement)
    return rows.filter(pk=visit_id).first()


def report_of(visit: Visit) -> VisitReport | None:
    """What was done in it; None where no report was agreed to, or nobody got in."""
    return getattr(visit, "report", None)


def open_visits(engagement: Engagement, *, now: dt.datetime) -> list[Visit]:
    """Visits whose session AWS may not have ended yet."""
    held = (VisitStatus.INTENDED, VisitStatus.ISSUED, VisitStatus.ORPHANED)
    rows = Visit.objects.filter(engagement=engagement, status__in=held, worst_case_until__gt=now)
    return [visit for visit in rows.order_by("-intended_at") if visit.latest_end > now]


def is_denial_awaited(grant: Grant, *, now: dt.datetime) -> bool:
    """True from the denial's date until every session that it is for is over: till then it has to come, and to stay.

    The grant comes with its engagement.
    """
    asked_at = grant.deny_before
    if asked_at is None:
        return False
    return any(visit.intended_at < asked_at for visit in open_visits(grant.engagement, now=now))


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """What of the visits may still be alive. `until` is the worst case, None if nothing is; `denied` counts visits
    whose sessions AWS was seen to deny everything."""

    until: dt.datetime | None
    denied: int


def residual(engagement: Engagement, *, now: dt.datetime) -> Residual:
    """The honest clock: a session ends when AWS ends it, or once the role was seen to deny it for long enough."""
    visits = open_visits(engagement, now=now)
    grant = grant_of(engagement)
    cut = grant.denied_before if grant else None
    settled = cut is not None and now - cut >= PROPAGATION
    denied = [visit for visit in visits if settled and cut and visit.issued_at and visit.issued_at < cut]
    alive = [visit.latest_end for visit in visits if visit not in denied]
    return Residual(until=max(alive, default=None), denied=len(denied))


def exit_proof(engagement: Engagement) -> ExitProof | None:
    """The evidence that the access is gone, proved or under way."""
    return ExitProof.objects.select_related("grant", "confirmed_by").filter(engagement=engagement).first()


def account_objection(account_id: str) -> str:
    """Why this account of twelve digits can be no client's, in words for them; empty if it can. In a practice's scope."""
    if is_example_account(account_id):
        return gettext(
            "That number is an example from AWS’s documentation. Yours is at the top right in AWS."
        )
    if Hub.objects.filter(account_id=account_id).exists():
        return gettext("That is our own account. We need the number of yours, at the top right in AWS.")
    return ""
