"""Who is told: the people of the client, and the consultants who work on the engagement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from accounts.lifecycle import ContactRole
from accounts.models import Contact, Membership, User
from engagements.lifecycle import WORKING
from engagements.models import NOT_OVER, Assignment, Engagement, lead_first

READERS: Final = frozenset({ContactRole.APPROVER, ContactRole.VIEWER})
# Where something is left to do in AWS, whoever does it there is told as well.
READERS_AND_HANDS: Final = frozenset(ContactRole)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One person on one side. `key` names them in the outbox and stays the same over all tries."""

    user: User
    is_client: bool

    @property
    def key(self) -> str:
        """A person may sit on both sides, and then is told twice."""
        return f"{'client' if self.is_client else 'practice'}:{self.user.pk}"


def readers_at_client(engagement: Engagement, roles: frozenset[ContactRole]) -> list[Reader]:
    """The client's people in these roles who may still come in, the longest known first."""
    rows = Contact.objects.filter(client_id=engagement.client_id, role__in=roles, ended_at=None)
    live = rows.filter(user__is_active=True).select_related("user").order_by("pk")
    return [Reader(user=contact.user, is_client=True) for contact in live]


def readers_who_asked(engagement: Engagement) -> list[Reader]:
    """The client's people who asked something about it, as long as they may read the answer."""
    asked = {remark.author_id for remark in engagement.remarks.all() if remark.is_from_client}
    return [one for one in readers_at_client(engagement, READERS) if one.user.pk in asked]


def readers_at_practice(engagement: Engagement) -> list[Reader]:
    """The consultants who work on it now, the lead first."""
    return [Reader(user=user, is_client=False) for user in team_of(engagement)]


def team_of(engagement: Engagement) -> tuple[User, ...]:
    """Who goes into the account: lead and members who are still with the practice, the lead first."""
    members = Membership.objects.filter(practice_id=engagement.practice_id, ended_at=None)
    # Observers have no access, so nothing changes for them.
    rows = Assignment.objects.filter(NOT_OVER, engagement=engagement, role__in=WORKING).filter(
        consultant__is_active=True, consultant_id__in=members.values("user_id")
    )
    return tuple(row.consultant for row in lead_first(rows.select_related("consultant")))
