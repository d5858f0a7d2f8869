"""Ending visits that are open: what the client's page says, from the question to the block taken away again.

The clock is honest: it runs to the latest moment at which AWS ends a visit, until AWS was seen to deny it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.utils.translation import gettext, ngettext

from awsaccess.lifecycle import PROPAGATION, VisitStatus
from awsaccess.models import Grant, Visit
from awsaccess.selectors import StackUpdate, grant_of, open_visits, residual
from awsaccess.services.revoking import denial_update, removal_update
from engagements.lifecycle import EngagementStatus
from portal.pages import activity, words
from portal.pages.frames import Desk

RELOADS: Final = 10  # seconds between looks while something is on its way
# How long the page believes its own press of the button, before the worker has begun.
PRESSED_FOR: Final = dt.timedelta(minutes=1)


class Stage(StrEnum):
    """Where the block stands. `do` is the client's step in AWS, `take_away` the last one, once every visit is over."""

    QUIET = "quiet"
    ASK = "ask"
    PREPARING = "preparing"
    DO = "do"
    SETTLING = "settling"
    DENIED = "denied"
    TAKE_AWAY = "take_away"


MOVING: Final = frozenset({Stage.PREPARING, Stage.DO, Stage.SETTLING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The page. `clock` says until when somebody may be inside; `update` is the way into AWS, if there is a step there."""

    stage: Stage
    clock: str
    inside: tuple[str, ...]
    update: StackUpdate | None
    is_looked_at: bool
    reload_seconds: int


def ending_of(desk: Desk, *, now: dt.datetime, pressed_at: dt.datetime | None = None) -> Ending:
    """What the page shows now. `pressed_at` is when this reader asked, as the address says."""
    grant, visits = grant_of(desk.engagement), open_visits(desk.engagement, now=now)
    left = residual(desk.engagement, now=now)
    is_looked_at = desk.engagement.status != EngagementStatus.CLOSING
    stage = _stage(grant, visits, now)
    if stage is Stage.TAKE_AWAY and not is_looked_at:
        stage = Stage.QUIET  # the whole role goes
    if stage is Stage.ASK and pressed_at is not None and now - pressed_at < PRESSED_FOR:
        stage = Stage.PREPARING
    denied = grant.denied_before if grant and left.denied else None
    alive = [visit for visit in visits if not (denied and visit.issued_at and visit.issued_at < denied)]
    return Ending(
        stage=stage,
        clock=_clock(desk, until=left.until, denied=left.denied, before=denied),
        inside=activity.open_visits(alive, desk.zone, now=now),
        update=_update(grant, stage),
        # Once it is being closed nobody looks inside the role any more: the clock cannot learn of a block then.
        is_looked_at=is_looked_at,
        reload_seconds=RELOADS if stage in MOVING else 0,
    )


def may_be_inside(visits: Iterable[Visit], *, now: dt.datetime) -> bool:
    """Whether a visit may be open still, of those that a page has read anyway."""
    return any(visit.latest_end > now and visit.status != VisitStatus.REFUSED for visit in visits)


def _stage(grant: Grant | None, visits: list[Visit], now: dt.datetime) -> Stage:
    if grant is None or grant.role_seen_at is None:
        return Stage.QUIET
    cut = grant.denied_before
    if not visits:
        return Stage.TAKE_AWAY if cut else Stage.QUIET
    newest = max(visit.issued_at or visit.intended_at for visit in visits)
    if cut is not None and newest < cut:
        return Stage.SETTLING if now - cut < PROPAGATION else Stage.DENIED
    if grant.deny_before is None or grant.deny_before < newest:
        return Stage.ASK
    return Stage.DO if grant.deny_version_id else Stage.PREPARING


def _update(grant: Grant | None, stage: Stage) -> StackUpdate | None:
    if grant is None:
        return None
    if stage is Stage.DO:
        return denial_update(grant)
    return removal_update(grant) if stage is Stage.TAKE_AWAY else None


def _clock(desk: Desk, *, until: dt.datetime | None, denied: int, before: dt.datetime | None) -> str:
    told = []
    if denied and before:
        said = ngettext(
            "AWS denies everything to %(count)s visit that began before %(time)s.",
            "AWS denies everything to %(count)s visits that began before %(time)s.",
            denied,
        )
        told.append(said % {"count": denied, "time": words.clock_time(before, desk.zone)})
    if until is not None:
        said = gettext("The last open visit is over at %(time)s at the latest. AWS ends it by itself.")
        told.append(said % {"time": words.clock_time(until, desk.zone)})
    return " ".join(told) or gettext("Nobody is inside your account now.")
