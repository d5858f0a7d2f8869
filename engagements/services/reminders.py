"""Reminding both sides: each once, whatever happens twice, and none that came true too late (`engagements.reminding`)."""

from __future__ import annotations

import datetime as dt
from typing import Final
from uuid import UUID

from django.db import transaction

from engagements.emails.links import opened_at
from engagements.lifecycle import EngagementStatus
from engagements.models import Engagement
from engagements.reminding import TIME_TO_ACT, Course, due_at, next_after, next_at
from portal.kernel import clock, due, outbox, tenancy

REMIND: Final = "engagement.reminder"
# Opening a link moves nothing; whether one was opened is looked at this often.
LOOK_AGAIN: Final = dt.timedelta(days=1)


def course_of(engagement: Engagement) -> Course:
    """The moments of an engagement as it is. Reads only."""
    return Course(
        status=EngagementStatus(engagement.status),
        ends_at=engagement.ends_at,
        invited_at=engagement.invited_at,
        opened_at=opened_at(engagement),
        agreed_at=engagement.agreed_at,
        on_at=engagement.activated_at,
    )


def reminders_plan_within(engagement: Engagement) -> None:
    """Look again when the next reminder is due, or no more, in the transaction of whatever changed its moments."""
    tenancy.require_transaction("a plan of reminders")
    at = next_at(course_of(engagement), now=clock.now())
    if at is None:
        due.drop(REMIND, engagement.pk)
    else:
        due.schedule(REMIND, engagement.pk, at=at, client_id=engagement.client_id)


@transaction.atomic(durable=True)
def engagement_remind(*, engagement_id: UUID) -> dt.datetime | None:
    """Promise the reminder that is due, if one is. Gives the moment of the next look, or None.

    The lock lets a move come before or after it; the promise's key holds the reminder's name, so that two workers and a
    second look promise it once.
    """
    rows = Engagement.objects.select_for_update(of=("self",)).filter(pk=engagement_id)
    engagement = rows.first()
    if engagement is None:
        return None
    now, course = clock.now(), course_of(engagement)
    if (found := due_at(course, now=now)) is not None:
        outbox.put(
            found.kind,
            engagement.pk,
            dedupe_key=f"{found.name}:{engagement.pk}",
            client_id=engagement.client_id,
        )
    return next_after(course, now=now) or _another_look(course, now)


def _another_look(course: Course, now: dt.datetime) -> dt.datetime | None:
    """An invitation that nobody opened yet may be opened still, and then has another reminder."""
    at = now + LOOK_AGAIN
    is_open = course.status is EngagementStatus.INVITED and course.opened_at is None
    return at if is_open and at < course.ends_at - TIME_TO_ACT else None
