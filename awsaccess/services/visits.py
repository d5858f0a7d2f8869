"""Entering: two durable transactions with the network between them (SECURITY §5). A web request, never a task."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar
from uuid import UUID, uuid4

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import QuerySet

from accounts.models import User
from accounts.services.attempts import Limit, attempt_count
from awsaccess.aws import arns
from awsaccess.aws.errors import AwsDenied, AwsError, AwsMisconfigured, AwsRejected, AwsTransient
from awsaccess.aws.gateway import AssumeRequest, HubIdentity, SessionCredentials
from awsaccess.door import gateway
from awsaccess.lifecycle import AccessEvent, GrantStatus, VisitKind, VisitStatus
from awsaccess.models import Grant, Visit
from awsaccess.policy.narrowing import (
    AS_AGREED,
    BadNarrowing,
    Narrowing,
    session_policy,
    session_policy_arns,
)
from awsaccess.probes import Target
from awsaccess.services.checks import (
    CHECK,
    found_as_agreed,
    standing_of,
    target_of,
)
from awsaccess.services.reports import (
    report_expect_within,
)
from engagements.lifecycle import WORKING, EngagementStatus
from engagements.models import Doorbell, Engagement, Offer
from engagements.services.doorbells import doorbell_force_within, doorbell_use_within, has_doorbell
from engagements.services.moves import engagement_locked
from engagements.services.standing import consent_stands, works_on_it
from portal.kernel import audit, clock, due, refusals, tenancy
from portal.kernel.actor import Actor, machine
from portal.kernel.database.repeated import Repeated, any_id
from portal.kernel.errors import InvalidMove, NotAllowed, PortalError, RateLimited, Unavailable

Found = TypeVar("Found")
ORPHAN: Final = "visit.orphan"
ORPHANED_AFTER: Final = dt.timedelta(minutes=2)
# Role chaining: credentials of a role that was itself entered by a role live one hour at most (AWS_FACTS §6).
LONGEST: Final = dt.timedelta(hours=1)
SHORTEST: Final = dt.timedelta(seconds=900)
# AWS counts the duration from its own answer, which may come half a minute after the intent was committed: that much
# is taken off, so that no session outlives the consent (SECURITY I5).
ANSWER_TAKES: Final = dt.timedelta(minutes=1)
MAY_ENTER: Final = WORKING
TOO_MANY: Final = (
    "More visits than anybody needs were asked for within one hour. Nothing was opened, and the client reads of it. "
    "Wait an hour, or talk to whoever runs this portal."
)
SWITCHED_OFF: Final = "The access was paused or ended while AWS was asked."
NOT_ON: Final = "Access is not on: it is waiting, paused or ended."
TAKEN_OFF: Final = "The person was taken off the project while AWS was asked."


class OutcomeUnwritten(Exception):
    """Raised when AWS was asked and what came of it could not be written: nobody gets what AWS gave, and the visit
    stays an intent until the sweep shows it as orphaned. A bug page, never the words that nothing happened."""


class VisitRefused(PortalError):
    """Raised when nobody may enter now, with the reason. AWS was not asked, or its answer was thrown away."""

    code = "visit-refused"
    http_status = 409
    title = "You can't enter this account now"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigninForm:
    """A form for AWS's sign-in host. `fields` hold a secret that is good for 15 minutes: shown once, never kept."""

    action: str
    fields: dict[str, str] = field(repr=False)
    ends_at: dt.datetime
    account_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Temporary credentials for a command line. Shown once, to whoever asked for them, and never kept."""

    credentials: SessionCredentials = field(repr=False)
    region: str
    account_id: str

    @property
    def ends_at(self) -> dt.datetime:
        """When AWS ends them."""
        return self.credentials.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How somebody wants to enter: by which door, for how long at most, with how much less than was agreed.

    `visit_id` names the visit beforehand, so that a form that is sent twice enters once. `is_emergency`: without
    waiting for the client, where that was agreed.
    """

    kind: VisitKind = VisitKind.CONSOLE
    longest: dt.timedelta = LONGEST
    narrowing: Narrowing = AS_AGREED
    visit_id: UUID | None = None
    is_emergency: bool = False


PLAIN: Final = Wish()


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A visit that is written down before AWS is asked."""

    visit_id: UUID
    engagement_id: UUID
    hub: HubIdentity
    account_id: str
    role_name: str
    request: AssumeRequest


def visit_open(
    *,
    engagement: Engagement,
    consultant: User,
    reason: str,
    service: arns.ConsoleService,
    actor: Actor,
    longest: dt.timedelta = LONGEST,
    visit_id: UUID | None = None,
    narrowing: Narrowing = AS_AGREED,
    is_emergency: bool = False,
) -> SigninForm:
    """Enter the client's console: intent, AssumeRole, sign-in token, outcome; each visit named and reasoned.

    `longest` makes it shorter than AWS allows, `narrowing` less than was agreed. `visit_id` names the visit beforehand,
    so that a form that is sent twice enters once. `is_emergency`: without the client's yes, where that was agreed.

    Raises VisitRefused, NotLetIn where the client lets each visit in and did not, NoDoorbell, NotAllowed for people without a part in the engagement, Unavailable while AWS is away,
    audit.Unrecorded when the intent, OutcomeUnwritten when the outcome cannot be written.
    """
    wish = Wish(longest=longest, visit_id=visit_id, narrowing=narrowing, is_emergency=is_emergency)
    intent = _intended(engagement=engagement, consultant=consultant, reason=reason, actor=actor, wish=wish)
    credentials, token = _entered(intent, actor, _signed_in)
    return _signin_form(intent, token, service, credentials.expires_at)


def visit_keys(
    *,
    engagement: Engagement,
    consultant: User,
    reason: str,
    actor: Actor,
    longest: dt.timedelta = LONGEST,
    visit_id: UUID | None = None,
    narrowing: Narrowing = AS_AGREED,
    is_emergency: bool = False,
) -> Keys:
    """Enter by the command line: as `visit_open`, and the credentials themselves are handed out, once."""
    wish = Wish(
        kind=VisitKind.CLI,
        longest=longest,
        visit_id=visit_id,
        narrowing=narrowing,
        is_emergency=is_emergency,
    )
    intent = _intended(engagement=engagement, consultant=consultant, reason=reason, actor=actor, wish=wish)
    credentials, _ = _entered(intent, actor, _looked_round)
    return Keys(credentials=credentials, region=intent.hub.region, account_id=intent.account_id)


def _entered(
    intent: Intent, actor: Actor, inside: Callable[[Intent, SessionCredentials], Found]
) -> tuple[SessionCredentials, Found]:
    """AssumeRole, what is done inside, and the outcome. Raises as `visit_open`."""
    credentials: SessionCredentials | None = None
    # The outcome is written whoever the person is by now: somebody who was taken off the engagement while AWS was
    # asked does not see it any more, and the visit must not stay without an end for that.
    outcome = tenancy.impersonal()
    try:
        credentials = gateway().assume(intent.hub, intent.request)
        found = inside(intent, credentials)
    except AwsError as error:
        with _written(outcome):
            _give_up(intent, error, credentials, actor)
        raise _as_refusal(error) from None
    with _written(outcome):
        is_open = visit_issue(intent=intent, credentials=credentials, actor=actor)
    if not is_open:
        raise VisitRefused(
            "The access was paused or ended in this very moment, or you were taken off it. Nothing was opened."
        )
    return credentials, found


def _intended(*, engagement: Engagement, consultant: User, reason: str, actor: Actor, wish: Wish) -> Intent:
    """The intent, committed. Whatever else the database refuses, down to the commit, is no record and so no call."""
    try:
        return visit_intend(
            engagement=engagement, consultant=consultant, reason=reason, actor=actor, wish=wish
        )
    except DatabaseError as error:
        raise audit.Unrecorded(AccessEvent.VISIT_INTENDED.value) from error


@contextmanager
def _written(scope: tenancy.Scope) -> Iterator[None]:
    """What came of it is written in this scope, or else it is told apart from an act that never was."""
    try:
        with tenancy.use(scope):
            yield
    except DatabaseError as error:
        raise OutcomeUnwritten("the outcome of a visit could not be written") from error


@refusals.told(AccessEvent.VISIT_NOT_BEGUN, about="engagement")
def visit_intend(
    *, engagement: Engagement, consultant: User, reason: str, actor: Actor, wish: Wish = PLAIN
) -> Intent:
    """Count the try, then write the intent down. Raises RateLimited, and what else keeps people out."""
    _count(engagement, consultant)
    return _intend(engagement=engagement, consultant=consultant, reason=reason, actor=actor, wish=wish)


def _count(engagement: Engagement, consultant: User) -> None:
    """One person at one engagement, then the whole practice: nobody uses up what is left for the others."""
    hour = dt.timedelta(hours=1)
    own = Limit(name="visits of a person", tries=settings.VISITS_PER_HOUR, within=hour)
    everybodys = Limit(name="visits of a practice", tries=settings.PRACTICE_VISITS_PER_HOUR, within=hour)
    try:
        attempt_count(own, f"{engagement.pk}:{consultant.pk}")
        attempt_count(everybodys, str(engagement.practice_id))
    except RateLimited:
        raise RateLimited(TOO_MANY, title="Too many visits in one hour") from None


@transaction.atomic(durable=True)
def _intend(*, engagement: Engagement, consultant: User, reason: str, actor: Actor, wish: Wish) -> Intent:
    """Transaction 1: everything that must hold, then the visit as `intended` with its worst case."""
    if not reason.strip():
        raise VisitRefused("Say in a few words what you are going to do. The client reads it.")
    current = engagement_locked(engagement.pk)
    locked = _grant_locked(current)
    # Read once, and after both waits for locks: how long AWS may let in is counted from it.
    now = clock.now()
    grant, held = _enterable(current, locked, consultant, now)
    duration = min(LONGEST, max(wish.longest, SHORTEST), current.ends_at - now - ANSWER_TAKES)
    if duration < SHORTEST:
        raise VisitRefused("The agreed time is nearly over, and AWS gives no visit shorter than 15 minutes.")
    key, ring = _unused(wish.visit_id), _let_in(grant, consultant, reason, wish, actor)
    visit = _write_intent(
        current,
        grant,
        consultant,
        id=key,
        doorbell=ring,
        # What the client was asked is what the visit is for.
        reason=ring.reason if ring else reason.strip()[:300],
        kind=wish.kind,
        narrowing=wish.narrowing.kept(),
        intended_at=now,
        worst_case_until=now + duration + ANSWER_TAKES,
    )
    due.schedule(ORPHAN, visit.pk, at=now + ORPHANED_AFTER, client_id=visit.client_id)
    _record(AccessEvent.VISIT_INTENDED, visit, actor, {"reason": visit.reason, "kind": visit.kind})
    target = target_of(grant, held=held)
    return _intent(visit, target, consultant, int(duration.total_seconds()), wish.narrowing)


@transaction.atomic(durable=True)
def visit_issue(*, intent: Intent, credentials: SessionCredentials, actor: Actor) -> bool:
    """Transaction 2: intended -> issued if access still holds; else refused, and the caller drops what AWS gave.

    The end of an unused credential stays on record. Raises InvalidMove if the visit was given up meanwhile.
    """
    current = engagement_locked(intent.engagement_id)
    visit, now = _WITH_OFFER.get(intent.visit_id), clock.now()
    held = standing_of(visit.grant).held
    agreed = consent_stands(engagement=current, offer=held)
    is_on = agreed and current.status == EngagementStatus.ACTIVE
    holds = is_on and works_on_it(current, visit.consultant_id, now=now)
    why_not = TAKEN_OFF if is_on else SWITCHED_OFF
    status = VisitStatus.ISSUED if holds else VisitStatus.REFUSED
    changes: dict[str, object] = {
        "status": status,
        "ends_at": credentials.expires_at,
        "access_key_id": credentials.access_key_id,
        "issued_at": now if holds else None,
        "refusal": "" if holds else why_not,
    }
    _swap(visit, changes)
    kind = AccessEvent.VISIT_ISSUED if holds else AccessEvent.VISIT_REFUSED
    if holds:
        report_expect_within(visit, held, now=now)
    _record(kind, visit, actor, {"until": credentials.expires_at.isoformat()})
    return holds


_WITH_OFFER: Final = Repeated(
    lambda key: Visit.objects.select_related("grant__offer").filter(pk=key), mark=any_id()
)


@transaction.atomic(durable=True)
def visit_orphan(*, visit_id: UUID) -> None:
    """An intent that never came to an end: a credential may exist, nobody holds it, and both sides see that."""
    rows = Visit.objects.filter(pk=visit_id, status=VisitStatus.INTENDED)
    if rows.update(status=VisitStatus.ORPHANED) != 1:
        return
    visit = Visit.objects.get(pk=visit_id)
    _record(AccessEvent.VISIT_ORPHANED, visit, machine("visits"), {})


def _grant_locked(engagement: Engagement) -> Grant | None:
    """The role that may be good to enter, held as the engagement is."""
    grant = _PASSED_LOCKED.first(engagement.pk)
    if grant is not None:
        grant.engagement = engagement
    return grant


def _passed_locked(engagement_id: UUID) -> QuerySet[Grant]:
    rows = Grant.objects.select_for_update(of=("self",)).select_related("offer__practice")
    passed = (GrantStatus.VERIFIED, GrantStatus.DRIFTED)
    return rows.filter(engagement=engagement_id, status__in=passed).order_by("pk")[:1]


_PASSED_LOCKED: Final = Repeated(_passed_locked, mark=any_id())


def _enterable(
    engagement: Engagement, grant: Grant | None, consultant: User, now: dt.datetime
) -> tuple[Grant, Offer]:
    """The role and the offer that holds, if all is well with the person, the engagement, the role and the consent."""
    if not works_on_it(engagement, consultant.pk, now=now):
        raise NotAllowed("Only people who work on this engagement may enter.")
    if engagement.status != EngagementStatus.ACTIVE:
        raise VisitRefused(NOT_ON)
    if grant is None or not grant.is_enterable:
        raise VisitRefused("The last check of the role did not pass, so nobody gets in until it does.")
    held = standing_of(grant).held
    if not consent_stands(engagement=engagement, offer=held):
        raise VisitRefused(NOT_ON)
    _require_fresh(grant, now)
    if not found_as_agreed(grant, held):
        raise VisitRefused("The last good check was of another agreement. Check it again, then enter.")
    return grant, held


def _let_in(grant: Grant, consultant: User, reason: str, wish: Wish, actor: Actor) -> Doorbell | None:
    """The client's yes to this one visit, used up; what stands in for it in an emergency; None where nobody is asked.

    Raises NotLetIn, or NoDoorbell for an emergency that was not agreed to.
    """
    if wish.is_emergency:
        return doorbell_force_within(
            engagement=grant.engagement,
            offer=grant.offer,
            consultant=consultant,
            reason=reason,
            kind=wish.kind,
            actor=actor,
        )
    if not has_doorbell(grant.offer):
        return None
    return doorbell_use_within(engagement=grant.engagement, consultant=consultant, actor=actor)


def _unused(visit_id: UUID | None) -> UUID:
    """Read under the engagement's lock, so that of two equal forms the second finds the first one's visit."""
    if visit_id is not None and Visit.objects.filter(pk=visit_id).exists():
        raise VisitRefused("This form was used already, and it opens one visit. Ask for another one.")
    return visit_id or uuid4()


def _require_fresh(grant: Grant, now: dt.datetime) -> None:
    fresh = dt.timedelta(seconds=settings.GRANT_FRESH_SECONDS)
    if grant.last_ok_at is None or now - grant.last_ok_at > fresh:
        raise VisitRefused("The last good check of the role is too old. Check it again, then enter.")


def _write_intent(
    engagement: Engagement,
    grant: Grant,
    consultant: User,
    *,
    id: UUID,  # noqa: A002  # the column's name
    **more: Any,  # Any: the visit's other columns
) -> Visit:
    return Visit.objects.create(
        pk=id,
        practice_id=engagement.practice_id,
        client_id=engagement.client_id,
        engagement=engagement,
        grant=grant,
        consultant=consultant,
        consultant_name=consultant.name,
        session_name=arns.session_name_for(consultant.email, id.hex[:12]),
        **more,
    )


def _intent(visit: Visit, target: Target, consultant: User, seconds: int, narrowing: Narrowing) -> Intent:
    """Raises VisitRefused for an address that is none: behind a proxy that nobody set up, say."""
    try:
        inline = session_policy(narrowing)
    except BadNarrowing:
        raise VisitRefused("Your own address could not be read, so nothing can be tied to it.") from None
    names = replace(target.names, person=consultant.email, visit=str(visit.pk))
    return Intent(
        visit_id=visit.pk,
        engagement_id=visit.engagement_id,
        hub=target.hub,
        account_id=target.account_id,
        role_name=target.role_name,
        request=AssumeRequest(
            role_arn=target.role_arn,
            external_id=target.external_id,
            role_session_name=visit.session_name,
            duration_seconds=seconds,
            source_identity=names.source_identity,
            tags=names.tags,
            session_policy=inline,
            policy_arns=session_policy_arns(narrowing, partition=target.hub.partition),
        ),
    )


def _looked_round(intent: Intent, credentials: SessionCredentials) -> None:
    """Who we are inside. Outside any transaction, as AssumeRole before it."""
    inside = gateway().caller_identity(credentials, intent.hub.region)
    if _role_behind(inside.arn) != (intent.account_id, intent.role_name):
        raise AwsRejected("the role that opened is not the one that was agreed")


def _signed_in(intent: Intent, credentials: SessionCredentials) -> str:
    """The same, then the sign-in token."""
    _looked_round(intent, credentials)
    return gateway().signin_token(credentials, region=intent.hub.region, partition=intent.hub.partition)


def _role_behind(arn: str) -> tuple[str, str] | None:
    try:
        return arns.assumed_role_parts(arn)
    except arns.BadArn:
        return None


@transaction.atomic(durable=True)
def _give_up(intent: Intent, error: AwsError, dropped: SessionCredentials | None, actor: Actor) -> None:
    """intended -> refused, with the end of what is dropped; without any answer -> orphaned: something may be open."""
    unanswered = dropped is None and isinstance(error, AwsTransient) and not error.code
    changes: dict[str, object] = {
        "status": VisitStatus.ORPHANED if unanswered else VisitStatus.REFUSED,
        "refusal": error.user_message[:300],
        "ends_at": dropped.expires_at if dropped else None,
        "access_key_id": dropped.access_key_id if dropped else "",
    }
    visit = Visit.objects.get(pk=intent.visit_id)
    _swap(visit, changes)
    # The role may have been changed in this minute: look at it now instead of in an hour.
    due.schedule(CHECK, visit.grant_id, at=clock.now(), client_id=visit.client_id)
    kind = AccessEvent.VISIT_ORPHANED if unanswered else AccessEvent.VISIT_REFUSED
    _record(kind, visit, actor, {"reason": error.user_message})


def _swap(visit: Visit, changes: dict[str, object]) -> None:
    """intended -> its end, once, in the row and in `visit`. Raises InvalidMove if it ended otherwise meanwhile."""
    rows = Visit.objects.filter(pk=visit.pk, status=VisitStatus.INTENDED)
    if rows.update(**changes) != 1:
        raise InvalidMove
    for name, value in changes.items():
        setattr(visit, name, value)
    due.drop(ORPHAN, visit.pk)


def _as_refusal(error: AwsError) -> PortalError:
    if isinstance(error, AwsTransient | AwsMisconfigured):
        return Unavailable(error.user_message)
    if isinstance(error, AwsDenied):
        return VisitRefused(
            "AWS refused us, without saying why. The role is being checked now; the client sees it too."
        )
    return VisitRefused(error.user_message)


def _signin_form(
    intent: Intent, token: str, service: arns.ConsoleService, ends_at: dt.datetime
) -> SigninForm:
    hub = intent.hub
    destination = arns.console_destination(
        hub.partition, hub.region, service, console_base_url=settings.CONSOLE_BASE_URL or None
    )
    action = arns.signin_endpoint(
        hub.partition, hub.region, federation_base_url=settings.FEDERATION_BASE_URL or None
    )
    fields = {
        "Action": "login",
        "Issuer": settings.SITE_URL,
        "Destination": destination,
        "SigninToken": token,
    }
    return SigninForm(action=action, fields=fields, ends_at=ends_at, account_id=intent.account_id)


def _record(kind: AccessEvent, visit: Visit, actor: Actor, details: dict[str, str]) -> None:
    audit.record(
        kind,
        subject=visit,
        actor=actor,
        about_id=visit.engagement_id,
        client_id=visit.client_id,
        details=details,
    )
