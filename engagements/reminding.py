"""When people are reminded of an engagement. Pure: no queries, no clock.

Reminders are worked out from the moments that the engagement has anyway, so that nothing has to be cancelled: what moved
on has other reminders, or none.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from engagements.lifecycle import EngagementStatus

ENDS_SOON: Final = "engagements.ends_soon"
UNOPENED: Final = "engagements.unopened"
UNANSWERED: Final = "engagements.unanswered"
UNCONNECTED: Final = "engagements.unconnected"

BEFORE_THE_END: Final = (dt.timedelta(days=7), dt.timedelta(days=1))
UNTIL_OPENED: Final = dt.timedelta(days=3)
UNTIL_ANSWERED: Final = dt.timedelta(days=3)
UNTIL_CONNECTED: Final = (dt.timedelta(days=1), dt.timedelta(days=7))
# Whoever is reminded has a day at least to do something about it.
TIME_TO_ACT: Final = dt.timedelta(days=1)
RUNNING: Final = frozenset({EngagementStatus.ACTIVE, EngagementStatus.PAUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The moments of one engagement. `opened_at`: when the first approver used a link; `on_at`: when it came on."""

    status: EngagementStatus
    ends_at: dt.datetime
    invited_at: dt.datetime | None
    opened_at: dt.datetime | None
    agreed_at: dt.datetime | None
    on_at: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """One mail to both sides, at a moment, and not any more once it is `stale_at`.

    `kind` is the outbox's; `name` tells it from all others of the engagement: another end has reminders of its own.
    """

    kind: str
    name: str
    at: dt.datetime
    stale_at: dt.datetime


def reminders_of(course: Course) -> tuple[Reminder, ...]:
    """All that belong to where the engagement stands now, the earliest first; those that would be silly left out."""
    if course.status in RUNNING:
        return tuple(_before_the_end(course))
    found = [
        *(_waits(course, UNOPENED, course.invited_at, UNTIL_OPENED) if course.opened_at is None else ()),
        *_waits(course, UNANSWERED, course.opened_at, UNTIL_ANSWERED),
    ]
    if course.status is EngagementStatus.INVITED:
        return tuple(found)
    if course.status is EngagementStatus.AGREED:
        return tuple(
            one for wait in UNTIL_CONNECTED for one in _waits(course, UNCONNECTED, course.agreed_at, wait)
        )
    return ()


def next_at(course: Course, *, now: dt.datetime) -> dt.datetime | None:
    """When to look at the engagement next, or None. What is due already counts while it is not stale."""
    return min((one.at for one in reminders_of(course) if one.stale_at > now), default=None)


def next_after(course: Course, *, now: dt.datetime) -> dt.datetime | None:
    """The same for somebody who has just dealt with all that was due."""
    return min((one.at for one in reminders_of(course) if one.at > now), default=None)


def due_at(course: Course, *, now: dt.datetime) -> Reminder | None:
    """The one to send now. Of several that came due while nobody looked, the latest: two mails at once say no more."""
    ripe = [one for one in reminders_of(course) if one.at <= now < one.stale_at]
    return max(ripe, key=lambda one: one.at, default=None)


def _before_the_end(course: Course) -> list[Reminder]:
    """Only where the access was on for at least as long as is left: a gig of two days needs no word a week before."""
    end, began = course.ends_at, course.on_at
    return [
        Reminder(
            kind=ENDS_SOON,
            name=f"{ENDS_SOON}:{lead.days}:{int(end.timestamp())}",
            at=end - lead,
            stale_at=end - lead / 2,
        )
        for lead in BEFORE_THE_END
        if began is not None and end - lead >= began + lead
    ]


def _waits(course: Course, kind: str, since: dt.datetime | None, wait: dt.timedelta) -> list[Reminder]:
    if since is None or since + wait > course.ends_at - TIME_TO_ACT:
        return []
    at = since + wait
    name = f"{kind}:{wait.days}:{int(since.timestamp())}"
    return [Reminder(kind=kind, name=name, at=at, stale_at=at + wait)]
