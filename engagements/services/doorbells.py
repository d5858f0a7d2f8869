"""Where the client lets each visit in: a consultant rings, somebody who may agree presses, and only then AWS is asked.

Which engagements have a doorbell is a term of the offer, hashed and agreed to with the rest. What is asked of AWS, and
when, is the AWS side's (`awsaccess.services.visits`): it uses a let-in up in the transaction that writes the visit.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from accounts.lifecycle import ContactRole
from accounts.models import Contact, User
from accounts.services.attempts import Limit, attempt_count
from engagements.lifecycle import DOORBELL_MOVES, DoorbellStatus, EngagementEvent, EngagementStatus
from engagements.models import Doorbell, Engagement, Offer
from engagements.services.moves import engagement_locked
from engagements.services.standing import works_on_it
from portal.kernel import audit, clock, due, outbox, refusals
from portal.kernel.actor import Actor, machine
from portal.kernel.errors import InvalidMove, NotAllowed, PortalError

RING_OVER: Final = (
    "engagement.doorbell"  # the due row that ends a ring that nobody answered, or a let-in nobody used
)
LASTS: Final = dt.timedelta(hours=1)
# Each is a mail to everybody who may agree.
RINGS: Final = Limit(name="doorbell", tries=10, within=dt.timedelta(hours=1))
RANG: Final = "engagements.rang"
ANSWERED: Final = {
    DoorbellStatus.LET_IN: "engagements.let_in",
    DoorbellStatus.NOT_NOW: "engagements.not_now",
}
FORCED: Final = "engagements.came_in"
_S = DoorbellStatus


class NotLetIn(PortalError):
    """Raised when the client lets each visit in, and has not let this one."""

    code = "not-let-in"
    http_status = 409
    title = "The client lets you in first"


class NoDoorbell(PortalError):
    """Raised for a ring, or a forced entry, that was not agreed to."""

    code = "no-doorbell"
    http_status = 409
    title = "There is no doorbell here"


def has_doorbell(offer: Offer) -> bool:
    """True if it was agreed that the client lets each visit in."""
    return bool(offer.documents.get("doorbell"))


def may_force(offer: Offer) -> bool:
    """True if it was agreed that in an emergency nobody has to wait, and is told at once instead."""
    return has_doorbell(offer) and bool(offer.documents.get("break_glass"))


@refusals.told(EngagementEvent.RING_REFUSED, about="engagement")
def doorbell_ring(
    *, engagement: Engagement, consultant: User, reason: str, kind: str, actor: Actor
) -> Doorbell:
    """Ask the client to be let in; everybody who may agree is mailed. It is over after an hour.

    Raises NoDoorbell, NotAllowed for people without a part in it, InvalidMove while the access is off or an earlier
    ring is open, RateLimited.
    """
    attempt_count(RINGS, f"{engagement.pk}:{consultant.pk}")
    return _ring(engagement, consultant, reason, kind, actor)


@transaction.atomic(durable=True)
def _ring(engagement: Engagement, consultant: User, reason: str, kind: str, actor: Actor) -> Doorbell:
    current = engagement_locked(engagement.pk)
    now = clock.now()
    _require_on(current, consultant, now)
    offer = current.offers.order_by("-number").first()
    if offer is None or not has_doorbell(offer):
        raise NoDoorbell("Nobody has to let you in: open AWS as usual.")
    _clear_away(current, consultant, now)
    made = _make(current, consultant, reason, kind, status=_S.RINGING, rung_at=now, expires_at=now + LASTS)
    due.schedule(RING_OVER, made.pk, at=made.expires_at, client_id=made.client_id)
    _tell(RANG, made)
    _record(EngagementEvent.RANG, made, actor)
    return made


@refusals.told(EngagementEvent.RING_REFUSED, about="doorbell")
@transaction.atomic(durable=True)
def doorbell_answer(*, doorbell: Doorbell, contact: Contact, let_in: bool, actor: Actor) -> Doorbell:
    """ringing -> let_in (good for an hour, for one visit) | not_now, by somebody who may agree; once.

    Raises NotAllowed for others, InvalidMove when it was answered or is over, or the access is off meanwhile.
    """
    current = engagement_locked(doorbell.engagement_id)
    rows = Contact.objects.filter(pk=contact.pk, client_id=current.client_id, ended_at=None)
    is_own = actor.user_id is not None and actor.user_id == contact.user_id
    if not is_own or not rows.filter(role=ContactRole.APPROVER).exists():
        raise NotAllowed("Only someone who may agree for your company can. Nobody was let in.")
    now = clock.now()
    if let_in and current.status != EngagementStatus.ACTIVE:
        raise InvalidMove("The access is off, so nobody can be let in.")
    to = _S.LET_IN if let_in else _S.NOT_NOW
    until = now + LASTS if let_in else doorbell.expires_at
    answered = _move(doorbell, to, answered_at=now, answered_by_id=contact.user_id, expires_at=until)
    if let_in:
        due.schedule(RING_OVER, answered.pk, at=until, client_id=answered.client_id)
    else:
        due.drop(RING_OVER, answered.pk)
    _tell(ANSWERED[to], answered)
    _record(EngagementEvent.LET_IN if let_in else EngagementEvent.NOT_LET_IN, answered, actor)
    return answered


@transaction.atomic(durable=True)
def doorbell_expire(*, doorbell_id: UUID) -> None:
    """ringing | let_in -> expired, once its time is over. What was answered or used meanwhile stays so."""
    found = Doorbell.objects.select_for_update().filter(pk=doorbell_id).first()
    if found is None or _S.EXPIRED not in DOORBELL_MOVES[_S(found.status)] or found.expires_at > clock.now():
        return
    _expire(found)


def doorbell_use_within(*, engagement: Engagement, consultant: User, actor: Actor) -> Doorbell:
    """let_in -> used, in the caller's transaction, which writes the visit and holds the engagement. Raises NotLetIn."""
    rows = Doorbell.objects.select_for_update().filter(engagement=engagement, consultant=consultant)
    found = rows.filter(status=_S.LET_IN, expires_at__gt=clock.now()).first()
    if found is None:
        raise NotLetIn("Ring first. Somebody at the client has to let you in, for each visit.")
    used = _move(found, _S.USED)
    due.drop(RING_OVER, used.pk)
    _record(EngagementEvent.LET_IN_USED, used, actor)
    return used


def doorbell_force_within(
    *, engagement: Engagement, offer: Offer, consultant: User, reason: str, kind: str, actor: Actor
) -> Doorbell:
    """An emergency: nobody is waited for, and the client is told at once. In the caller's transaction.

    Raises NoDoorbell unless the client agreed to exactly that.
    """
    if not may_force(offer):
        raise NoDoorbell("The client did not agree to visits without being asked.")
    now = clock.now()
    made = _make(engagement, consultant, reason, kind, status=_S.FORCED, rung_at=now, expires_at=now)
    _tell(FORCED, made)
    _record(EngagementEvent.CAME_IN_UNASKED, made, actor)
    return made


def _require_on(engagement: Engagement, consultant: User, now: dt.datetime) -> None:
    if not works_on_it(engagement, consultant.pk, now=now):
        raise NotAllowed("Only people who work on this engagement may ring.")
    if engagement.status != EngagementStatus.ACTIVE:
        raise InvalidMove("Access is not on: it is waiting, paused or ended.")


def _clear_away(engagement: Engagement, consultant: User, now: dt.datetime) -> None:
    """What is over makes room; what still rings, or was answered with yes, is not asked again."""
    rows = Doorbell.objects.select_for_update().filter(engagement=engagement, consultant=consultant)
    for one in rows.filter(status__in=(_S.RINGING, _S.LET_IN)):
        if one.expires_at > now:
            raise InvalidMove("You rang already. The client has been told; the page says what they answered.")
        _expire(one)


def _expire(doorbell: Doorbell) -> None:
    over = _move(doorbell, _S.EXPIRED, in_time=False)
    due.drop(RING_OVER, over.pk)
    _record(EngagementEvent.RING_EXPIRED, over, machine("doorbell"))


def _make(
    engagement: Engagement,
    consultant: User,
    reason: str,
    kind: str,
    **more: Any,  # Any: the other columns
) -> Doorbell:
    if not reason.strip():
        raise InvalidMove("Say in a few words what you are going to do. The client reads it.")
    return Doorbell.objects.create(
        practice_id=engagement.practice_id,
        client_id=engagement.client_id,
        engagement=engagement,
        consultant=consultant,
        consultant_name=consultant.name,
        reason=reason.strip()[:300],
        kind=kind,
        **more,
    )


def _move(doorbell: Doorbell, to: DoorbellStatus, *, in_time: bool = True, **changes: object) -> Doorbell:
    """From what was read to `to`, once. Raises InvalidMove if the table has no such move or somebody was faster."""
    seen = _S(doorbell.status)
    rows = Doorbell.objects.filter(pk=doorbell.pk, status=seen)
    rows = rows.filter(expires_at__gt=clock.now()) if in_time else rows
    if to not in DOORBELL_MOVES[seen] or rows.update(status=to, **changes) != 1:
        raise InvalidMove("It was answered already, or is over.")
    return Doorbell.objects.get(pk=doorbell.pk)


def _tell(kind: str, doorbell: Doorbell) -> None:
    outbox.put(kind, doorbell.pk, dedupe_key=f"{kind}:{doorbell.pk}", client_id=doorbell.client_id)


def _record(event: EngagementEvent, doorbell: Doorbell, actor: Actor) -> None:
    audit.record(
        event,
        subject=doorbell,
        actor=actor,
        about_id=doorbell.engagement_id,
        client_id=doorbell.client_id,
        details={"consultant": doorbell.consultant_name, "reason": doorbell.reason},
    )
