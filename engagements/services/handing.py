"""The step in AWS goes to a colleague: the client asks, the portal adds and mails them, or says why not.

A client's own session writes no people (the database's walls see to it): it writes down whom it asks for, and the worker
does the rest. The colleague gets the role that reaches the step in AWS of this engagement and nothing else.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Final
from uuid import UUID

from django.db import transaction

from accounts.lifecycle import ContactRole
from accounts.models import Contact, Membership, User
from accounts.services.attempts import Limit, attempt_count
from accounts.services.invitations import invitation_make_within
from accounts.services.people import Person, contact_add_within
from engagements.lifecycle import WITH_A_STEP, EngagementEvent
from engagements.models import Engagement, Handover
from engagements.services.moves import engagement_locked
from engagements.services.records import engagement_record_within
from portal.kernel import actor as actors
from portal.kernel import clock, outbox
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove, NotAllowed

ASKED: Final = "engagements.handover_asked"
LETTER: Final = "engagements.handover"
# Each is a mail to whatever address was typed.
HANDOVERS: Final = Limit(name="step handed over", tries=5, within=dt.timedelta(hours=1))


class Obstacle(StrEnum):
    """Why a colleague was not asked."""

    IS_CONSULTANT = "is-consultant"
    WAS_REMOVED = "was-removed"
    IS_OVER = "is-over"


def step_hand_over(
    *, engagement: Engagement, contact: Contact, name: str, email: str, actor: Actor
) -> Handover:
    """An approver asks a colleague to do the step in AWS; the worker mails them.

    Raises NotAllowed for others and for oneself, InvalidMove while there is nothing to do in AWS, RateLimited.
    """
    address = email.strip().lower()
    if address == contact.user.email.lower():
        raise NotAllowed(
            "That is your own address. Open AWS yourself, or name a colleague. Nothing was sent."
        )
    attempt_count(HANDOVERS, str(contact.pk))
    return _ask(engagement, contact, name, address, actor)


@transaction.atomic(durable=True)
def _ask(engagement: Engagement, contact: Contact, name: str, address: str, actor: Actor) -> Handover:
    current = engagement_locked(engagement.pk)
    rows = Contact.objects.filter(pk=contact.pk, client_id=current.client_id, ended_at=None)
    if not rows.filter(role=ContactRole.APPROVER).exists():
        raise NotAllowed("Only someone who may agree for your company can send it on. Nothing was sent.")
    if current.status not in WITH_A_STEP:
        raise InvalidMove
    made = Handover.objects.create(
        practice_id=current.practice_id,
        client_id=current.client_id,
        engagement=current,
        contact=contact,
        name=name,
        email=address,
        asked_at=clock.now(),
    )
    outbox.put(ASKED, made.pk, dedupe_key=f"handover:{made.pk}", client_id=current.client_id)
    engagement_record_within(EngagementEvent.STEP_HANDED_OVER, made, current, actor, {"email": address})
    return made


@transaction.atomic(durable=True)
def handover_settle(*, handover_id: UUID) -> None:
    """Add and invite the colleague, or write down why not. Once: a second try finds it settled."""
    found = Handover.objects.select_related("contact__user", "client").filter(pk=handover_id).first()
    if found is None:
        return
    engagement = engagement_locked(found.engagement_id)
    if not Handover.objects.filter(pk=found.pk, settled_at=None).exists():
        return
    obstacle = _obstacle(found, engagement)
    hands = None if obstacle is not None else _hands(found)
    Handover.objects.filter(pk=found.pk).update(
        settled_at=clock.now(), hands=hands, problem=obstacle.value if obstacle else ""
    )
    if hands is not None:
        invitation_make_within(
            contact=hands,
            landing_path=f"/e/{engagement.code}/",
            invited_by=found.contact.user,
            letter_kind=LETTER,
            actor=_asker(found),
        )


def _obstacle(found: Handover, engagement: Engagement) -> Obstacle | None:
    """Whoever works for the practice must not sit on both sides; whom the practice removed only it takes back."""
    if engagement.status not in WITH_A_STEP:
        return Obstacle.IS_OVER
    user = User.objects.filter(email=found.email).first()
    if user is None:
        return None
    if Membership.objects.filter(practice_id=found.practice_id, user=user, ended_at=None).exists():
        return Obstacle.IS_CONSULTANT
    left = Contact.objects.filter(client_id=found.client_id, user=user, ended_at__isnull=False)
    return Obstacle.WAS_REMOVED if left.exists() or not user.is_active else None


def _hands(found: Handover) -> Contact:
    """The colleague's own seat, if they have one, in whatever role; else one that reaches the step in AWS alone."""
    rows = Contact.objects.filter(client_id=found.client_id, user__email=found.email, ended_at=None)
    return rows.select_related("user").first() or contact_add_within(
        client=found.client,
        person=Person(email=found.email, name=found.name),
        role=ContactRole.AWS_ADMIN,
        actor=_asker(found),
    )


def _asker(found: Handover) -> Actor:
    user = found.contact.user
    return actors.person(user.pk, name=user.name, email=user.email)
