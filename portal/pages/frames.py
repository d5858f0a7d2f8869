"""What stands round every client page, made of the rows of one engagement."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.utils.translation import gettext

from accounts.lifecycle import HANDS, ContactRole
from accounts.models import Contact, User
from engagements.lifecycle import WORKING
from engagements.models import Assignment, Engagement
from portal.kernel.languages import spelling
from portal.pages import words
from portal.pages.pagemodels import Frame, Human

HOME_ZONE: Final = "Europe/London"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One contact before one engagement: the rows a page is made of, read once.

    `people` work on it, the lead first; `staffing` tells who ever did. `signed_in_at`: None where the session tells no time.
    """

    engagement: Engagement
    people: tuple[User, ...]
    staffing: tuple[Assignment, ...]
    contact: Contact
    user: User
    zone: ZoneInfo
    frame: Frame
    signed_in_at: dt.datetime | None = None


def desk_of(
    *,
    engagement: Engagement,
    assignments: Sequence[Assignment],
    contact: Contact,
    user: User,
    signed_in_at: dt.datetime | None = None,
) -> Desk:
    """Everything a page of this engagement starts from. `assignments` may hold those that are over, noted as such."""
    people = tuple(row.consultant for row in assignments if not is_over(row))
    zone = zone_of(user)
    return Desk(
        engagement=engagement,
        people=people,
        staffing=tuple(assignments),
        contact=contact,
        user=user,
        zone=zone,
        frame=_frame(engagement, people, contact, user, zone),
        signed_in_at=signed_in_at,
    )


def is_over(row: Assignment) -> bool:
    """What `staffing_of` noted on the row; who was read as working on it works on it."""
    return bool(vars(row).get("is_over", False))


def had_access(desk: Desk) -> tuple[User, ...]:
    """Who could go in at some time, the lead of now first: nobody who was off it before it was switched on."""
    on_at = desk.engagement.activated_at
    rows = [row for row in desk.staffing if row.role in WORKING]
    found = [row for row in rows if not is_over(row) or (on_at and row.ends_at and row.ends_at > on_at)]
    return tuple(dict.fromkeys(row.consultant for row in found))


def zone_of(user: User) -> ZoneInfo:
    """The person's zone; the home zone when the stored name is not known here."""
    try:
        return ZoneInfo(user.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(HOME_ZONE)


def human(user: User, *, title: str = "") -> Human:
    """A person as pages show one."""
    return Human(
        name=user.name,
        first_name=user.first_name,
        initials=words.initials(user.name),
        title=title,
        phone=user.phone,
        email=user.email,
    )


def _frame(
    engagement: Engagement, people: Sequence[User], contact: Contact, user: User, zone: ZoneInfo
) -> Frame:
    practice = engagement.practice
    lead_title = gettext("Lead consultant, %(practice)s") % {"practice": practice.name}
    return Frame(
        code=engagement.code,
        practice=practice.name,
        client=engagement.client.name,
        title=engagement.title,
        lead=human(people[0], title=lead_title) if people else _switchboard(engagement),
        me=human(user, title=contact.title),
        host=urlsplit(settings.SITE_URL).netloc,
        zone=spelling.zone_words(zone, engagement.ends_at),
        may_decide=contact.role == ContactRole.APPROVER,
        does_aws=contact.role in HANDS,
        sees_paper=contact.role != ContactRole.AWS_ADMIN,
    )


def _switchboard(engagement: Engagement) -> Human:
    """The practice itself, while nobody leads: every page has somebody to call."""
    practice = engagement.practice
    return Human(
        name=practice.name,
        first_name=practice.name,
        initials=words.initials(practice.name),
        title=practice.legal_name,
        phone=practice.support_phone,
        email=practice.support_email,
    )
