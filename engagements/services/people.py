"""Who works on what, and how people of both sides leave: assignments, sessions and open decisions end together.

Locks are always taken in this order: memberships, engagements (by key), the head of the record.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.lifecycle import WORKERS, ContactRole, MemberRole
from accounts.models import Contact, Membership, User
from accounts.services.people import (
    contact_change_role_within,
    contact_end_within,
    membership_change_role_within,
    membership_end_within,
    memberships_locked,
    require_another_owner,
)
from engagements.lifecycle import KNOWN_TO_CLIENT, TERMINAL, AssignmentRole, EngagementEvent
from engagements.models import Assignment, Engagement
from engagements.services.drafts import ALWAYS, PART_OVER, Span, assignment_make_within
from engagements.services.moves import engagement_locked
from engagements.services.records import engagement_record_within
from portal.kernel import clock, due, outbox, tenancy
from portal.kernel.actor import Actor, machine
from portal.kernel.errors import InvalidMove, NotAllowed, NotVisible, PortalError

JOINED: Final = "engagements.person_added"
LEFT: Final = "engagements.person_left"


class NeedsLead(PortalError):
    """Raised when an engagement would be left without the human whom its client can reach."""

    code = "needs-lead"
    http_status = 409
    title = "Somebody has to lead"


class BadTime(PortalError):
    """Raised for an assignment that would begin in the past, or end before it begins."""

    code = "bad-time"
    title = "These times don't fit"


# The practice's people.


@transaction.atomic(durable=True)
def membership_end(*, membership: Membership, actor: Actor, successor: User | None = None) -> None:
    """A consultant leaves: place, assignments and sessions end at once; `successor` leads what they led.

    Raises LastOwner; NeedsLead for a lead of something that runs without a successor; InvalidMove if they had left.
    """
    held = memberships_locked(*_ids(membership.user_id, successor))
    leaving = _held(held, membership)
    require_another_owner(held, leaving)
    _release_all_within(leaving, _fit_to_work(held, successor), actor)
    membership_end_within(membership=leaving, actor=actor)


@transaction.atomic(durable=True)
def membership_change_role(
    *, membership: Membership, role: MemberRole, actor: Actor, successor: User | None = None
) -> None:
    """Another role. Auditors change nothing, so for who becomes one every assignment ends.

    Raises as `membership_end` does, and InvalidMove for the role they have.
    """
    held = memberships_locked(*_ids(membership.user_id, successor))
    current = _held(held, membership)
    if current.role == role:
        raise InvalidMove(f"{current.user.name} has that role already.", title="Nothing to change")
    if role != MemberRole.OWNER:
        require_another_owner(held, current)
    if role not in WORKERS:
        _release_all_within(current, _fit_to_work(held, successor), actor)
    membership_change_role_within(membership=current, role=role, actor=actor)


# The client's people.


def contact_end(*, contact: Contact, actor: Actor) -> None:
    """A contact leaves: seat, links and sessions end at once, and they decide nothing any more.

    What they agreed to stays agreed. Raises InvalidMove if they had left. Sees every engagement of the client, also
    those that the consultant who asks does not work on.
    """
    with tenancy.use(tenancy.impersonal()):
        _contact_end(contact, actor)


def contact_change_role(*, contact: Contact, role: ContactRole, actor: Actor) -> None:
    """Another role at the client, from the next request on. Raises InvalidMove for who left, or has it already."""
    with tenancy.use(tenancy.impersonal()):
        _contact_change_role(contact, role, actor)


@transaction.atomic(durable=True)
def _contact_end(contact: Contact, actor: Actor) -> None:
    contact_end_within(contact=_contact_held(contact), actor=actor)


@transaction.atomic(durable=True)
def _contact_change_role(contact: Contact, role: ContactRole, actor: Actor) -> None:
    current = _contact_held(contact)
    if current.role == role:
        raise InvalidMove(f"{current.user.name} has that role already.", title="Nothing to change")
    contact_change_role_within(contact=current, role=role, actor=actor)


# Who works on an engagement.


@transaction.atomic(durable=True)
def assignment_make(
    *, engagement: Engagement, consultant: User, role: AssignmentRole, actor: Actor, span: Span = ALWAYS
) -> Assignment:
    """Put one more person of the practice on an engagement; once it was sent, the client is told at once.

    Raises InvalidMove when it is over, or they are on it; NotAllowed for who is not of the practice or only audits;
    BadTime; NeedsLead for a second lead, who is made by `lead_hand_over`.
    """
    held = memberships_locked(consultant.pk)
    current = _running(engagement)
    if role == AssignmentRole.LEAD:
        raise NeedsLead("One person leads. Hand the lead over instead.")
    if _fit_to_work(held, consultant) is None:
        raise NotAllowed
    if _open_rows(current).filter(consultant=consultant).exists():
        raise InvalidMove(f"{consultant.name} is on it already.", title="Already there")
    made = assignment_make_within(
        engagement=current, consultant=consultant, role=role, actor=actor, span=_checked(span)
    )
    _tell(JOINED, made, current)
    return made


@transaction.atomic(durable=True)
def assignment_end(*, assignment: Assignment, actor: Actor) -> None:
    """Take a person off an engagement from now on; the client is told. A visit that is open ends by itself.

    Raises NeedsLead for its lead, InvalidMove if it was over.
    """
    current = _running(assignment.engagement)
    row = _open_rows(current).select_related("consultant").filter(pk=assignment.pk).first()
    if row is None:
        raise InvalidMove
    if row.role == AssignmentRole.LEAD:
        raise NeedsLead(f"{row.consultant.name} leads it. Hand the lead over first.")
    _end_within(row, current, clock.now(), actor)
    _tell(LEFT, row, current)


@transaction.atomic(durable=True)
def assignment_over(*, assignment_id: UUID) -> None:
    """A planned end has come: the record and both sides hear of it, once. Nothing for a part that ended before."""
    row = Assignment.objects.select_related("consultant").filter(pk=assignment_id).first()
    if row is None:
        return
    engagement = engagement_locked(row.engagement_id)
    # Read under the lock: a part that was ended by hand, or a turn that comes twice, has nothing planned any more.
    planned = due.next_look(PART_OVER, row.pk)
    if planned is None or engagement.status in TERMINAL:
        return
    due.drop(PART_OVER, row.pk)
    _record_end(row, engagement, machine("assignments"))
    _tell(LEFT, row, engagement)


@transaction.atomic(durable=True)
def lead_hand_over(*, engagement: Engagement, to: User, actor: Actor) -> Assignment:
    """Somebody else leads from now on; who led works on. The client is told.

    Raises NotAllowed for who is not of the practice or only audits, InvalidMove for who leads already.
    """
    held = memberships_locked(to.pk)
    current = _running(engagement)
    successor = _fit_to_work(held, to)
    if successor is None:
        raise NotAllowed
    led = _open_rows(current).select_related("consultant").filter(role=AssignmentRole.LEAD).first()
    if led is not None and led.consultant_id == to.pk:
        raise InvalidMove(f"{to.name} leads it already.", title="Nothing to change")
    made = _lead_within(current, led, successor, actor)
    if led is not None:
        span = Span(starts_at=made.starts_at)
        assignment_make_within(
            engagement=current, consultant=led.consultant, role=AssignmentRole.MEMBER, actor=actor, span=span
        )
    return made


def _release_all_within(leaving: Membership, successor: User | None, actor: Actor) -> None:
    """End every part of a person. New ones cannot come up meanwhile: whoever makes one holds this membership."""
    mine = _not_over().filter(consultant_id=leaving.user_id)
    rows = {row.pk: row for row in mine.select_related("consultant")}
    for engagement in _engagements_held({row.engagement_id for row in rows.values()}):
        for row in rows.values():
            if row.engagement_id == engagement.pk:
                _release_within(row, engagement, successor, actor)


def _release_within(row: Assignment, engagement: Engagement, successor: User | None, actor: Actor) -> None:
    if not _open_rows(engagement).filter(pk=row.pk).exists():
        return  # ended by somebody else before the lock was ours
    if row.role == AssignmentRole.LEAD and engagement.status not in TERMINAL:
        if successor is None or successor.pk == row.consultant_id:
            raise NeedsLead(
                f"{row.consultant.name} leads “{engagement.title}” at {engagement.client.name}. "
                "Choose somebody else who leads it from now on."
            )
        _lead_within(engagement, row, successor, actor)
        return
    _end_within(row, engagement, clock.now(), actor)
    _tell(LEFT, row, engagement)


def _lead_within(engagement: Engagement, led: Assignment | None, successor: User, actor: Actor) -> Assignment:
    """One lead ends where the next begins: by that moment they are known to belong together."""
    moment = clock.now()
    for row in _open_rows(engagement).select_related("consultant").filter(consultant=successor):
        _end_within(row, engagement, moment, actor)
    if led is not None:
        _end_within(led, engagement, moment, actor)
    made = assignment_make_within(
        engagement=engagement,
        consultant=successor,
        role=AssignmentRole.LEAD,
        actor=actor,
        span=Span(starts_at=moment),
    )
    _tell(JOINED, made, engagement)
    return made


def _end_within(row: Assignment, engagement: Engagement, moment: dt.datetime, actor: Actor) -> None:
    """A part that has not begun ends where it would have begun: it never was."""
    ends_at = max(moment, row.starts_at)
    rows = Assignment.objects.filter(pk=row.pk).filter(Q(ends_at=None) | Q(ends_at__gt=moment))
    if rows.update(ends_at=ends_at) != 1:
        raise InvalidMove
    due.drop(PART_OVER, row.pk)
    _record_end(row, engagement, actor)


def _record_end(row: Assignment, engagement: Engagement, actor: Actor) -> None:
    engagement_record_within(
        EngagementEvent.UNASSIGNED,
        row,
        engagement,
        actor,
        {"consultant": row.consultant.email, "role": row.role},
    )


def _tell(kind: str, row: Assignment, engagement: Engagement) -> None:
    """The client read the names of the people: whoever comes or goes later is told to both sides."""
    if engagement.status in KNOWN_TO_CLIENT:
        outbox.put(kind, row.pk, dedupe_key=f"{kind}:{row.pk}", client_id=engagement.client_id)


def _running(engagement: Engagement) -> Engagement:
    current = engagement_locked(engagement.pk)
    if current.status in TERMINAL:
        raise InvalidMove("It is over. Nobody works on it any more.", title="Too late")
    return current


def _checked(span: Span) -> Span:
    now = clock.now()
    starts_at = span.starts_at or now
    if starts_at < now or (span.ends_at is not None and span.ends_at <= starts_at):
        raise BadTime("It must begin today or later, and end after it begins. Nothing was changed.")
    return Span(starts_at=starts_at, ends_at=span.ends_at)


def _not_over() -> QuerySet[Assignment]:
    """Assignments that hold, or are planned; by the portal's one clock."""
    return Assignment.objects.filter(Q(ends_at=None) | Q(ends_at__gt=clock.now()))


def _open_rows(engagement: Engagement) -> QuerySet[Assignment]:
    return _not_over().filter(engagement=engagement)


def _engagements_held(keys: Collection[UUID]) -> list[Engagement]:
    """Locked in one order for everybody, so that two who need several never wait for each other."""
    rows = Engagement.objects.select_related("client").filter(pk__in=keys).order_by("pk")
    return list(rows.select_for_update(of=("self",)))


def _contact_held(contact: Contact) -> Contact:
    """The contact as it is now. What they may still decide is locked: a decision is before their end, or refused."""
    keys = Engagement.objects.filter(client_id=contact.client_id).exclude(status__in=TERMINAL)
    _engagements_held(set(keys.values_list("pk", flat=True)))
    found = Contact.objects.select_related("user").filter(pk=contact.pk).first()
    if found is None:
        raise NotVisible
    if found.ended_at is not None:
        raise InvalidMove(f"{found.user.name} has left already.", title="Nothing to change")
    return found


def _held(held: dict[UUID, Membership], membership: Membership) -> Membership:
    found = held.get(membership.user_id)
    if found is None or found.pk != membership.pk:
        raise InvalidMove(f"{membership.user.name} has left already.", title="Nothing to change")
    return found


def _fit_to_work(held: dict[UUID, Membership], user: User | None) -> User | None:
    """The person, if they are of the practice and may work on engagements."""
    found = held.get(user.pk) if user is not None else None
    return found.user if found is not None and found.role in WORKERS else None


def _ids(leaving: UUID, successor: User | None) -> tuple[UUID, ...]:
    return (leaving, successor.pk) if successor is not None else (leaving,)
