"""Reads of the AWS side for pages. No AWS call is ever made here."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import OuterRef, QuerySet, Subquery
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
    Rotation,
    Verification,
    Visit,
    VisitReport,
)
from awsaccess.policy.compare import Difference
from awsaccess.probes import CHECKS, OPENED, PENDING
from awsaccess.provision import links
from awsaccess.provision.access_stack import external_id_in, hub_role_in, with_lock
from awsaccess.provision.needs import needed_policy
from awsaccess.provision.ways import StackAsk
from engagements.lifecycle import MOVABLE, EngagementStatus
from engagements.models import IN_FORCE, Engagement, Offer
from engagements.selectors import (
    change_open,
    is_published,
    offer_or_none,
    template_agreed,
    wish_open,
)
from portal.kernel import clock
from portal.kernel.database.repeated import Repeated, any_id

LATE_AFTER: Final = dt.timedelta(minutes=30)  # AWS needs about one
NO_TIME: Final = dt.timedelta()

# What cards show of a grant. Anything else of it costs a query of its own.
SHOWN: Final = (
    "engagement",
    "offer",
    "status",
    "checks",
    "problem",
    "last_verdict",
    "checked_at",
    "verified_at",
    "is_narrower",
    "is_rotating",
    "callback_sha256",
)
VISITS_IN_SHORT: Final = 50
TOLD: Final = (
    "engagement",
    "consultant_name",
    "reason",
    "kind",
    "status",
    "narrowing",
    "intended_at",
    "worst_case_until",
    "issued_at",
    "ends_at",
    "report__visit",
    "report__status",
    "report__events",
    "report__fetched_at",
)
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
    """How the access stands. `status` is the grant's; `problem` its words.

    `steps` are only there while a stack with call-back is waited for; `refusal` is why the last one was told no.
    `other_account` reported instead of the agreed one; `other_region` is where the stack is, if elsewhere than offered;
    `is_undone`: AWS took the stack back; `is_ours`: not AWS but our own side is the trouble; `is_late`: half an hour has
    brought nothing; `is_given_up`: seven days have brought nothing, and nobody looks by themselves any more.
    `wished_account`: the client asks to use it instead; `asked_account`: the practice confirmed, and it waits for consent.
    """

    state: CardState
    status: str = ""
    checks: tuple[Check, ...]
    problem: str = ""
    is_unanswered: bool = False
    # No card shows when it was last looked at: a look that finds nothing new renews no page.
    checked_at: dt.datetime | None = field(default=None, metadata={"in_digest": False})
    verified_at: dt.datetime | None = None
    has_template: bool = False
    steps: tuple[Step, ...] = ()
    refusal: str = ""
    other_account: str = ""
    other_region: str = ""
    is_undone: bool = False
    is_ours: bool = False
    is_late: bool = False
    is_given_up: bool = False
    is_narrower: bool = False
    is_rotating: bool = False
    wished_account: str = ""
    asked_account: str = ""
    differences: tuple[Difference, ...] = ()

    @property
    def digest(self) -> str:
        """Another one as soon as any field is another: what a card shows cannot be forgotten here."""
        shown = [getattr(self, each.name) for each in fields(self) if each.metadata.get("in_digest", True)]
        return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The rows of an access, read once for all that a page tells of it.

    `offer` is the newest that holds, or the first to be answered; `grant` the newest, with its own offer.
    """

    engagement: Engagement
    offer: Offer | None
    grant: Grant | None


def access_of(engagement: Engagement) -> Access:
    """Both rows in one query; in two where a change of scope has made another offer hold than the grant's own."""
    held = Offer.objects.filter(IN_FORCE, engagement=OuterRef("engagement")).order_by("-number")
    rows = Grant.objects.select_related("offer").annotate(held_id=Subquery(held.values("pk")[:1]))
    grant = _newest(rows, engagement)
    if grant is None or vars(grant)["held_id"] != grant.offer_id:
        return Access(engagement=engagement, offer=offer_or_none(engagement), grant=grant)
    return Access(engagement=engagement, offer=grant.offer, grant=grant)


def _grant_in_short(engagement_id: UUID) -> QuerySet[Grant]:
    return Grant.objects.only(*SHOWN).filter(engagement=engagement_id).order_by("-offer__number")[:1]


_GRANT_IN_SHORT: Final = Repeated(_grant_in_short, mark=any_id())


def access_agreed(engagement: Engagement, offer: Offer | None) -> Access:
    """The same beside a consent whose offer was read already, with what cards show of the grant and no more."""
    grant = _GRANT_IN_SHORT.first(engagement.pk)
    if grant is not None:
        grant.engagement = engagement
        if offer is not None and grant.offer_id == offer.pk:
            grant.offer = offer
    return Access(engagement=engagement, offer=offer, grant=grant)


def grant_of(engagement: Engagement) -> Grant | None:
    """The newest grant, with its offer."""
    return _newest(Grant.objects.select_related("offer"), engagement)


def _newest(rows: QuerySet[Grant], engagement: Engagement) -> Grant | None:
    """Of these grants the newest of the engagement, which it then holds without asking for it again."""
    found = rows.filter(engagement=engagement).order_by("-offer__number").first()
    if found is not None:
        found.engagement = engagement
    return found


def live_card(
    engagement: Engagement, *, now: dt.datetime | None = None, access: Access | None = None
) -> LiveCard:
    """The card of the connect and status pages. `now` and `access` spare a page that knows them the question."""
    grant = access.grant if access else grant_of(engagement)
    state = _state(engagement, grant)
    waited = _waited(engagement, now) if state is CardState.WAITING else NO_TIME
    is_given_up = state is CardState.WAITING and waited >= SEARCH[-1][0]
    is_late = state is CardState.WAITING and waited >= LATE_AFTER
    if grant is None:
        return LiveCard(state=state, checks=_checks({}), is_late=is_late, is_given_up=is_given_up)
    told = _told_last(grant, state, engagement)
    wished, asked = _elsewhere(engagement, state)
    stack = StackId.parse(told.row.stack_id) if told.row else None
    return LiveCard(
        state=state,
        status=grant.status,
        checks=_checks(grant.checks),
        problem=grant.problem,
        is_unanswered=grant.last_verdict == Verdict.UNKNOWN,
        checked_at=grant.checked_at,
        verified_at=grant.verified_at,
        has_template=is_published(grant.offer),
        steps=_steps(grant, state, None if told.is_undone else told.row),
        refusal=told.refusal,
        other_account=_other_account(engagement, stack),
        other_region=_other_region(grant, stack),
        is_undone=told.is_undone,
        is_ours=_is_ours(grant),
        is_late=is_late and told.row is None,
        is_given_up=is_given_up,
        is_narrower=grant.status == GrantStatus.DRIFTED and grant.is_narrower,
        is_rotating=grant.is_rotating,
        wished_account=wished,
        asked_account=asked,
        differences=differences_found(grant),
    )


def differences_found(grant: Grant) -> tuple[Difference, ...]:
    """What differs from what was agreed, as the newest check that could compare found it; nothing where none could."""
    if grant.status not in COMPARED:
        return ()
    rows = Verification.objects.filter(grant=grant, verdict__in=(Verdict.UNSAFE, Verdict.DRIFTED))
    newest = rows.order_by("-at").first()
    found = newest.findings.get("in_words", []) if newest else []
    return tuple(Difference(**each) for each in found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What the newest stack reported, while it matters, and whether it was taken back since."""

    row: Callback | None = None
    is_undone: bool = False

    @property
    def refusal(self) -> str:
        """Why it was told no, if it was."""
        return self.row.reason if self.row and self.row.status == CallbackStatus.REFUSED else ""


def _elsewhere(engagement: Engagement, state: CardState) -> tuple[str, str]:
    """The other account that the client wishes for, and the one that they are asked to agree to; mostly none."""
    if state is not CardState.WAITING or engagement.status not in MOVABLE:
        return "", ""
    wish, change = wish_open(engagement), change_open(engagement)
    return wish.account_id if wish else "", change.offer.other_account if change else ""


def _told_last(grant: Grant, state: CardState, engagement: Engagement) -> _Told:
    """One that has no token reports nothing; what was told before the account became another one is over."""
    if not grant.callback_sha256 or state not in (CardState.WAITING, CardState.CHECKING):
        return _Told()
    if grant.account_id and grant.account_id != engagement.account_id:
        return _Told()
    told = Callback.objects.filter(grant=grant)
    told = told.filter(told_at__gte=grant.lock_changed_at) if grant.lock_changed_at else told
    rows = list(told.order_by("-told_at")[:2])
    is_undone = bool(rows) and rows[0].kind == Kind.DELETE
    return _Told(row=next((row for row in rows if row.kind != Kind.DELETE), None), is_undone=is_undone)


def _checks(found: dict[str, str]) -> tuple[Check, ...]:
    return tuple(Check(key=key, state=found.get(key, PENDING)) for key in CHECKS)


def _other_account(engagement: Engagement, stack: StackId | None) -> str:
    agreed = engagement.account_id
    return stack.account_id if stack and agreed and stack.account_id != agreed else ""


def _other_region(grant: Grant, stack: StackId | None) -> str:
    if stack is None or stack.region == grant.offer.documents["region"]:
        return ""
    return stack.region


def _is_ours(grant: Grant) -> bool:
    """The newest check failed for a reason of our own, and says so."""
    if grant.last_verdict != Verdict.UNKNOWN:
        return False
    newest = Verification.objects.filter(grant=grant).order_by("-at").first()
    return newest is not None and newest.findings.get("unknown") == "ours"


def _waited(engagement: Engagement, now: dt.datetime | None) -> dt.timedelta:
    now = now or clock.now()
    return now - (engagement.agreed_at or now)


def _steps(grant: Grant, state: CardState, told: Callback | None) -> tuple[Step, ...]:
    """Only what is known: a report that came, a role that opened."""
    if not grant.callback_sha256 or state not in (CardState.WAITING, CardState.CHECKING):
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


def quick_create_url(engagement: Engagement, *, access: Access | None = None) -> str | None:
    """CloudFormation's review page with everything filled in; None while the template is on its way."""
    access = access or access_of(engagement)
    offer = access.offer
    if offer is None or not template_agreed(offer).version_id:
        return None
    documents = offer.documents
    return links.quick_create_link(
        region=documents["region"],
        template=_address(offer, access.grant),
        stack_name=stack_name(engagement),
        partition=documents["partition"],
        console_base_url=settings.CONSOLE_BASE_URL,
    )


def is_other_silent(rotation: Rotation) -> bool:
    """Whether the newest good look could not ask the other hub role: then nothing is proved, and no step follows."""
    newest = (
        Verification.objects.filter(grant=rotation.grant_id, at__gte=rotation.begun_at)
        .order_by("-at")
        .first()
    )
    return newest is not None and newest.findings.get("with_other_hub") == OPENED[None]


def template_address(offer: Offer) -> str:
    """The pinned version in the hub's bucket: the agreed one, or the same with the lock that is in force by now."""
    return _address(offer, _grant_beside(offer))


def _grant_beside(offer: Offer) -> Grant | None:
    """The newest grant of an offer's engagement: a change of scope makes another offer, and no other grant."""
    return Grant.objects.filter(engagement=offer.engagement_id).order_by("-offer__number").first()


def _address(offer: Offer, grant: Grant | None) -> str:
    documents, agreed = offer.documents, template_agreed(offer)
    own_lock = grant if grant is not None and grant.lock_version_id else None
    if own_lock is not None and _has_lock_of(own_lock, agreed.text):
        own_lock = None  # a change that was asked since then has the lock in its own template
    return links.template_url(
        bucket=documents["bucket"],
        region=documents["region"],
        key=own_lock.lock_template_key if own_lock else documents["template_key"],
        version_id=own_lock.lock_version_id if own_lock else agreed.version_id,
        partition=documents["partition"],
    )


def _has_lock_of(grant: Grant, template: str) -> bool:
    hub = hub_role_in(template)
    return (external_id_in(template), hub) == (grant.external_id_in_force, grant.moved_hub_role_arn or hub)


def template_text(offer: Offer, *, access: Access | None = None) -> str:
    """The template to read or to run by hand: as agreed, with the lock that is in force by now."""
    agreed = template_agreed(offer).text
    grant = access.grant if access else _grant_beside(offer)
    is_exchanged = grant is not None and (grant.rotated_external_id or grant.moved_hub_role_arn)
    return with_lock(agreed, spec_of(offer, grant)) if grant and is_exchanged else agreed


def stack_ask(engagement: Engagement) -> StackAsk | None:
    """What a script or Terraform asks AWS for; None while the account is not known or the template is on its way."""
    access = access_of(engagement)
    offer = access.offer
    if offer is None or not template_agreed(offer).version_id or not engagement.account_id:
        return None
    return StackAsk(
        account_id=engagement.account_id,
        region=offer.documents["region"],
        stack_name=stack_name(engagement),
        template_url=_address(offer, access.grant),
        partition=offer.documents["partition"],
    )


def permissions_needed(engagement: Engagement, *, access: Access | None = None) -> str:
    """A policy with which a sign-in of the client's can make this very stack; empty before anything was offered."""
    grant = access.grant if access else grant_of(engagement)
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


def stack_url(engagement: Engagement, *, access: Access | None = None) -> str:
    """CloudFormation's list of stacks in the console, filtered to ours."""
    offer = access.offer if access else offer_or_none(engagement)
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


def _visits_in_short(engagement_id: UUID) -> QuerySet[Visit]:
    rows = Visit.objects.select_related("report").only(*TOLD).filter(engagement=engagement_id)
    return rows.order_by("-intended_at")[:VISITS_IN_SHORT]


_VISITS_IN_SHORT: Final = Repeated(_visits_in_short, mark=any_id())


def visits_in_short(engagement: Engagement) -> list[Visit]:
    """The newest fifty as far as a timeline tells of them: anything else of these rows costs a query of its own."""
    return _VISITS_IN_SHORT.rows(engagement.pk)


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
