"""Entering: two durable transactions with the network between them (SECURITY §5). A web request, never a task."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid4

from django.conf import settings
from django.db import DatabaseError, transaction

from accounts.lifecycle import WORKERS
from accounts.models import Membership, User
from accounts.services.attempts import Limit, attempt_count
from awsaccess.aws import arns
from awsaccess.aws.errors import AwsDenied, AwsError, AwsMisconfigured, AwsRejected, AwsTransient
from awsaccess.aws.gateway import AssumeRequest, HubIdentity, SessionCredentials
from awsaccess.door import gateway
from awsaccess.lifecycle import AccessEvent, GrantStatus, VisitKind, VisitStatus
from awsaccess.models import Grant, Visit
from awsaccess.services.checks import CHECK, found_as_agreed, standing_of, target_of
from engagements.lifecycle import WORKING, EngagementStatus
from engagements.models import Assignment, Engagement
from engagements.services.moves import engagement_locked
from engagements.services.standing import consent_stands
from portal.kernel import audit, clock, due, refusals, tenancy
from portal.kernel.actor import Actor, machine
from portal.kernel.errors import InvalidMove, NotAllowed, PortalError, RateLimited, Unavailable

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
) -> SigninForm:
    """Enter the client's console: intent, AssumeRole, sign-in token, outcome; each visit named and reasoned.

    `longest` makes it shorter than AWS allows. `visit_id` names the visit beforehand, so that a form that is sent
    twice enters once.

    Raises VisitRefused, NotAllowed for people without a part in the engagement, Unavailable while AWS is away,
    audit.Unrecorded when the intent, OutcomeUnwritten when the outcome cannot be written.
    """
    intent = _intended(
        engagement=engagement,
        consultant=consultant,
        reason=reason,
        actor=actor,
        longest=longest,
        visit_id=visit_id,
    )
    credentials: SessionCredentials | None = None
    # The outcome is written whoever the person is by now: somebody who was taken off the engagement while AWS was
    # asked does not see it any more, and the visit must not stay without an end for that.
    outcome = tenancy.impersonal()
    try:
        credentials = gateway().assume(intent.hub, intent.request)
        token = _signed_in(intent, credentials)
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
    return _signin_form(intent, token, service, credentials.expires_at)


def _intended(
    *,
    engagement: Engagement,
    consultant: User,
    reason: str,
    actor: Actor,
    longest: dt.timedelta,
    visit_id: UUID | None,
) -> Intent:
    """The intent, committed. Whatever else the database refuses, down to the commit, is no record and so no call."""
    try:
        return visit_intend(
            engagement=engagement,
            consultant=consultant,
            reason=reason,
            actor=actor,
            longest=longest,
            visit_id=visit_id,
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
    *,
    engagement: Engagement,
    consultant: User,
    reason: str,
    actor: Actor,
    longest: dt.timedelta = LONGEST,
    visit_id: UUID | None = None,
) -> Intent:
    """Count the try, then write the intent down. Raises RateLimited, and what else keeps people out."""
    _count(engagement, consultant)
    return _intend(
        engagement=engagement,
        consultant=consultant,
        reason=reason,
        actor=actor,
        longest=longest,
        visit_id=visit_id,
    )


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
def _intend(
    *,
    engagement: Engagement,
    consultant: User,
    reason: str,
    actor: Actor,
    longest: dt.timedelta,
    visit_id: UUID | None,
) -> Intent:
    """Transaction 1: everything that must hold, then the visit as `intended` with its worst case."""
    if not reason.strip():
        raise VisitRefused("Say in a few words what you are going to do. The client reads it.")
    current = engagement_locked(engagement.pk)
    grant = _usable_grant(current, consultant)
    now = clock.now()
    duration = min(LONGEST, max(longest, SHORTEST), current.ends_at - now - ANSWER_TAKES)
    if duration < SHORTEST:
        raise VisitRefused("The agreed time is nearly over, and AWS gives no visit shorter than 15 minutes.")
    key, worst_case = _unused(visit_id), now + duration + ANSWER_TAKES
    visit = _write_intent(current, grant, consultant, reason.strip()[:300], key, now, worst_case)
    due.schedule(ORPHAN, visit.pk, at=now + ORPHANED_AFTER, client_id=visit.client_id)
    _record(AccessEvent.VISIT_INTENDED, visit, actor, {"reason": visit.reason})
    return _intent(visit, grant, consultant, int(duration.total_seconds()))


@transaction.atomic(durable=True)
def visit_issue(*, intent: Intent, credentials: SessionCredentials, actor: Actor) -> bool:
    """Transaction 2: intended -> issued if access still holds; else refused, and the caller drops what AWS gave.

    The end of an unused credential stays on record. Raises InvalidMove if the visit was given up meanwhile.
    """
    current = engagement_locked(intent.engagement_id)
    asked = Visit.objects.select_related("grant__offer").get(pk=intent.visit_id)
    agreed = consent_stands(engagement=current, offer=standing_of(asked.grant).held)
    is_on = agreed and current.status == EngagementStatus.ACTIVE
    holds = is_on and _is_assigned(current, asked.consultant_id)
    why_not = TAKEN_OFF if is_on else SWITCHED_OFF
    status = VisitStatus.ISSUED if holds else VisitStatus.REFUSED
    changes: dict[str, object] = {
        "status": status,
        "ends_at": credentials.expires_at,
        "access_key_id": credentials.access_key_id,
        "issued_at": clock.now() if holds else None,
        "refusal": "" if holds else why_not,
    }
    visit = _swap(intent, changes)
    kind = AccessEvent.VISIT_ISSUED if holds else AccessEvent.VISIT_REFUSED
    _record(kind, visit, actor, {"until": credentials.expires_at.isoformat()})
    return holds


@transaction.atomic(durable=True)
def visit_orphan(*, visit_id: UUID) -> None:
    """An intent that never came to an end: a credential may exist, nobody holds it, and both sides see that."""
    rows = Visit.objects.filter(pk=visit_id, status=VisitStatus.INTENDED)
    if rows.update(status=VisitStatus.ORPHANED) != 1:
        return
    visit = Visit.objects.get(pk=visit_id)
    _record(AccessEvent.VISIT_ORPHANED, visit, machine("visits"), {})


def _usable_grant(engagement: Engagement, consultant: User) -> Grant:
    if not _is_assigned(engagement, consultant.pk):
        raise NotAllowed("Only people who work on this engagement may enter.")
    if engagement.status != EngagementStatus.ACTIVE:
        raise VisitRefused(NOT_ON)
    grant = (
        Grant.objects.select_for_update(of=("self",))
        .select_related("offer__practice", "engagement")
        .filter(engagement=engagement, status__in=(GrantStatus.VERIFIED, GrantStatus.DRIFTED))
        .first()
    )
    if grant is None or not grant.is_enterable:
        raise VisitRefused("The last check of the role did not pass, so nobody gets in until it does.")
    if not consent_stands(engagement=engagement, offer=standing_of(grant).held):
        raise VisitRefused(NOT_ON)
    _require_fresh(grant)
    if not found_as_agreed(grant):
        raise VisitRefused("The last good check was of another agreement. Check it again, then enter.")
    return grant


def _unused(visit_id: UUID | None) -> UUID:
    """Read under the engagement's lock, so that of two equal forms the second finds the first one's visit."""
    if visit_id is not None and Visit.objects.filter(pk=visit_id).exists():
        raise VisitRefused("This form was used already, and it opens one visit. Ask for another one.")
    return visit_id or uuid4()


def _require_fresh(grant: Grant) -> None:
    fresh = dt.timedelta(seconds=settings.GRANT_FRESH_SECONDS)
    if grant.last_ok_at is None or clock.now() - grant.last_ok_at > fresh:
        raise VisitRefused("The last good check of the role is too old. Check it again, then enter.")


def _is_assigned(engagement: Engagement, consultant_id: UUID) -> bool:
    """On it now, in a part that enters, and still of the practice: read under the lock that ending a part takes too."""
    now = clock.now()
    places = Membership.objects.filter(practice_id=engagement.practice_id, ended_at=None, role__in=WORKERS)
    rows = Assignment.objects.filter(engagement=engagement, consultant_id=consultant_id, role__in=MAY_ENTER)
    mine = rows.filter(consultant_id__in=places.values("user_id"))
    return any(row.starts_at <= now and (row.ends_at is None or now < row.ends_at) for row in mine)


def _write_intent(
    engagement: Engagement,
    grant: Grant,
    consultant: User,
    reason: str,
    key: UUID,
    now: dt.datetime,
    worst_case: dt.datetime,
) -> Visit:
    return Visit.objects.create(
        pk=key,
        practice_id=engagement.practice_id,
        client_id=engagement.client_id,
        engagement=engagement,
        grant=grant,
        consultant=consultant,
        consultant_name=consultant.name,
        reason=reason,
        kind=VisitKind.CONSOLE,
        session_name=arns.session_name_for(consultant.email, key.hex[:12]),
        intended_at=now,
        worst_case_until=worst_case,
    )


def _intent(visit: Visit, grant: Grant, consultant: User, seconds: int) -> Intent:
    target = target_of(grant)
    person = arns.NOT_IN_A_SESSION_NAME.sub("-", consultant.email)[:64]
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
            source_identity=person,
            tags=(("latchkey:visit", str(visit.pk)),),
        ),
    )


def _signed_in(intent: Intent, credentials: SessionCredentials) -> str:
    """Who we are inside, then the sign-in token. Outside any transaction, as AssumeRole before it."""
    door = gateway()
    inside = door.caller_identity(credentials, intent.hub.region)
    if _role_behind(inside.arn) != (intent.account_id, intent.role_name):
        raise AwsRejected("the role that opened is not the one that was agreed")
    return door.signin_token(credentials, region=intent.hub.region, partition=intent.hub.partition)


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
    visit = _swap(intent, changes)
    # The role may have been changed in this minute: look at it now instead of in an hour.
    due.schedule(CHECK, visit.grant_id, at=clock.now(), client_id=visit.client_id)
    kind = AccessEvent.VISIT_ORPHANED if unanswered else AccessEvent.VISIT_REFUSED
    _record(kind, visit, actor, {"reason": error.user_message})


def _swap(intent: Intent, changes: dict[str, object]) -> Visit:
    """intended -> its end, once. Raises InvalidMove if it ended otherwise meanwhile."""
    rows = Visit.objects.filter(pk=intent.visit_id, status=VisitStatus.INTENDED)
    if rows.update(**changes) != 1:
        raise InvalidMove
    due.drop(ORPHAN, intent.visit_id)
    return Visit.objects.get(pk=intent.visit_id)


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
