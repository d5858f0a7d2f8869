"""The client's list of projects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils.translation import gettext, gettext_lazy

from engagements.lifecycle import EngagementStatus
from engagements.models import Engagement
from portal.kernel.languages import spelling
from portal.pages.pagemodels import Project

_S = EngagementStatus
# The six words for people, their colour and what a person does next (UX §5).
TAGS: Final = {
    _S.INVITED: (gettext_lazy("Invited"), "", gettext_lazy("Review the access")),
    _S.AGREED: (gettext_lazy("Agreed"), "", gettext_lazy("Switch it on in AWS")),
    _S.ACTIVE: (gettext_lazy("Access on"), "ok", gettext_lazy("See what happens")),
    _S.PAUSED: (gettext_lazy("Paused"), "wait", gettext_lazy("See what happens")),
    _S.CLOSING: (gettext_lazy("Ended"), "", gettext_lazy("Finish closing")),
    _S.CLOSED: (gettext_lazy("Ended"), "", gettext_lazy("See the certificate")),
    _S.DECLINED: (gettext_lazy("Ended"), "", gettext_lazy("See your answer")),
}


def projects_of(
    engagements: Iterable[Engagement], zone: ZoneInfo, *, broken: frozenset[UUID]
) -> tuple[Project, ...]:
    """One line each. `broken` names engagements whose access has a problem."""
    return tuple(_project(engagement, zone, broken=broken) for engagement in engagements)


def _project(engagement: Engagement, zone: ZoneInfo, *, broken: frozenset[UUID]) -> Project:
    status = EngagementStatus(engagement.status)
    tag, tone, link = TAGS[status]
    if status is _S.ACTIVE and engagement.pk in broken:
        tag, tone = gettext_lazy("Problem"), "stop"
    until = gettext("Until %(day)s") % {"day": spelling.day(engagement.ends_at, zone)}
    return Project(
        code=engagement.code,
        title=engagement.title,
        text=f"{until} · {engagement.account_name}" if engagement.account_name else until,
        tag=str(tag),
        tone=tone,
        link=str(link),
    )
