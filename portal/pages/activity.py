"""What happened, by day and newest first, and the state in words above it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from awsaccess.lifecycle import VisitKind, VisitStatus
from awsaccess.models import Visit
from awsaccess.selectors import CardState, LiveCard
from engagements.lifecycle import AssignmentRole
from engagements.models import Assignment, Consent, Engagement, Remark
from portal.pages import deeds, words
from portal.pages.frames import Desk
from portal.pages.pagemodels import AccessKind, Banner, Day, Facts, Happening, Problem

VISITS_SHOWN: Final = 50
VISITS_IN_TABLE: Final = 100_000
CHECKED_AGAIN: Final = dt.timedelta(minutes=1)
DOORS: Final = {
    VisitKind.CONSOLE: gettext_lazy("%(name)s opened the AWS console"),
    VisitKind.CLI: gettext_lazy("%(name)s used the command line"),
}


COMINGS: Final = {
    AssignmentRole.LEAD: (
        gettext_lazy("%(name)s leads the project now"),
        gettext_lazy("Ask them from now on."),
    ),
    AssignmentRole.MEMBER: (
        gettext_lazy("%(name)s joined the project"),
        gettext_lazy("Same permissions, same end as for the others."),
    ),
    AssignmentRole.OBSERVER: (
        gettext_lazy("%(name)s looks on"),
        gettext_lazy("They can’t get into AWS."),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """A happening and its place in time. For a visit also who came, in full, and its number."""

    at: dt.datetime
    happening: Happening
    who: str = ""
    reference: str = ""


def days_of(
    desk: Desk,
    *,
    visits: Sequence[Visit],
    consent: Consent | None,
    live: LiveCard | None,
    facts: Facts,
    now: dt.datetime,
    remarks: Sequence[Remark] = (),
) -> tuple[Day, ...]:
    """Visits, milestones and who came or went, grouped by the reader's own days."""
    moments = _moments(desk, visits=visits, consent=consent, live=live, facts=facts, now=now, remarks=remarks)
    today = now.astimezone(desk.zone).date()
    grouped = groupby(moments, key=lambda moment: moment.at.astimezone(desk.zone).date())
    return tuple(
        Day(
            heading=words.day_heading(date, today=today),
            happenings=tuple(moment.happening for moment in rows),
        )
        for date, rows in grouped
    )


def table_of(
    desk: Desk,
    *,
    visits: Sequence[Visit],
    consent: Consent | None,
    live: LiveCard | None,
    facts: Facts,
    now: dt.datetime,
    remarks: Sequence[Remark] = (),
) -> Iterator[tuple[str, ...]]:
    """The same, one row each with the columns of `table_header`, newest first."""
    for moment in _moments(
        desk, visits=visits, consent=consent, live=live, facts=facts, now=now, remarks=remarks
    ):
        happening, local = moment.happening, moment.at.astimezone(desk.zone)
        yield (
            f"{local:%Y-%m-%d}",
            happening.time,
            f"{moment.at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}",
            happening.title,
            happening.text,
            moment.who,
            moment.reference,
        )


def table_header(desk: Desk) -> tuple[str, ...]:
    """The columns' names; times are the reader's, and beside them UTC."""
    return (
        gettext("Day"),
        gettext("Time (%(zone)s)") % {"zone": desk.zone.key},
        gettext("Time (UTC)"),
        gettext("What happened"),
        gettext("Details"),
        gettext("Who"),
        gettext("Visit"),
    )


def _moments(
    desk: Desk,
    *,
    visits: Sequence[Visit],
    consent: Consent | None,
    live: LiveCard | None,
    facts: Facts,
    now: dt.datetime,
    remarks: Sequence[Remark],
) -> list[_Moment]:
    moments = [
        *_visits(visits, desk),
        *_milestones(desk, consent, live, facts),
        *_comings_and_goings(desk, now),
        *(_said(remark, desk) for remark in remarks),
    ]
    return sorted(moments, key=lambda moment: moment.at, reverse=True)


def last_visit(visits: Iterable[Visit], zone: ZoneInfo, *, now: dt.datetime) -> str:
    """When the newest visit began; "None yet" before the first."""
    begun = [visit.issued_at for visit in visits if visit.issued_at]
    return words.when(max(begun), zone, now=now) if begun else gettext("None yet")


def open_visits(visits: Iterable[Visit], zone: ZoneInfo, *, now: dt.datetime) -> tuple[str, ...]:
    """Who may still be inside, with the time at which AWS ends it at the latest."""
    return tuple(
        gettext("%(name)s may still be inside. AWS ends it at %(time)s at the latest.")
        % {"name": visit.consultant_name, "time": words.clock_time(visit.latest_end, zone)}
        for visit in visits
        if visit.latest_end > now and visit.status != VisitStatus.REFUSED
    )


def on_banner(live: LiveCard, facts: Facts, problem: Problem | None) -> Banner:
    """The state of an active engagement: on, being checked again, or a problem in its own words."""
    if problem is not None:
        return Banner(tone="stop", icon="triangle-alert", title=problem.title, text=problem.text)
    if live.state is not CardState.ON:
        return Banner(
            tone="wait",
            icon="loader-circle",
            title=gettext("Checking the access"),
            text=gettext("We are asking AWS again. This takes a few seconds."),
        )
    what = (
        gettext("%(names)s can look, not change.")
        if facts.kind.code is AccessKind.LOOK
        else gettext("%(names)s can look, and change what you agreed to.")
    )
    until = gettext("It ends on %(day)s.") % {"day": facts.until_day.replace(" ", "\N{NO-BREAK SPACE}")}
    return Banner(
        tone="ok",
        icon="check",
        title=gettext("Access is on"),
        text=f"{what % {'names': facts.first_names}} {until}",
    )


def paused_banner(engagement: Engagement) -> Banner:
    """Who paused, and why if they said so."""
    who = engagement.moved_by
    said = gettext("%(name)s paused it.") % {"name": who.name} if who else gettext("It was paused.")
    note = gettext(" Reason: %(note)s.") % {"note": engagement.moved_note} if engagement.moved_note else ""
    return Banner(
        tone="wait",
        icon="pause",
        title=gettext("Access is paused"),
        text=f"{said}{note} {gettext('Nobody can start a visit.')}",
    )


def _visits(visits: Iterable[Visit], desk: Desk) -> list[_Moment]:
    told_at = reverse("client:visits", args=[desk.engagement.code]) if desk.frame.sees_paper else ""
    return [
        _Moment(
            at=visit.issued_at or visit.intended_at,
            happening=_visit(visit, desk, told_at),
            who=visit.consultant_name,
            reference=str(visit.pk),
        )
        for visit in visits
    ]


def _visit(visit: Visit, desk: Desk, told_at: str) -> Happening:
    zone = desk.zone
    begun = visit.issued_at or visit.intended_at
    name = visit.consultant_name.split(" ")[0]
    reason = gettext("Reason: %(reason)s.") % {"reason": visit.reason.rstrip(".")}
    if visit.status == VisitStatus.REFUSED:
        title, tail = gettext("%(name)s was not let in") % {"name": name}, ""
    elif visit.status == VisitStatus.ISSUED:
        title, tail = str(DOORS[VisitKind(visit.kind)]) % {"name": name}, _told(visit)
    else:
        title = gettext("%(name)s asked to come in") % {"name": name}
        tail = gettext(" We don’t know whether it worked. It can last until %(time)s at the latest.") % {
            "time": words.clock_time(visit.worst_case_until, zone)
        }
    return Happening(
        title=title,
        text=reason + tail,
        time=_span(begun, visit.ends_at, zone),
        iso=begun.isoformat(timespec="minutes"),
        badge=words.initials(visit.consultant_name),
        **_report_link(visit, told_at),
    )


def _told(visit: Visit) -> str:
    """How much less than agreed it took, and what came of it, as far as that is known."""
    less, deeds_in_short = deeds.narrowed_of(visit), deeds.in_short(visit)
    said = [gettext("Less than agreed: %(less)s.") % {"less": less}] if less else []
    return "".join(f" {part}" for part in (*said, deeds_in_short) if part)


def _report_link(visit: Visit, told_at: str) -> dict[str, str]:
    if visit.status != VisitStatus.ISSUED or not told_at:
        return {}
    return {"link_url": f"{told_at}#v-{visit.pk}", "link_label": gettext("What was done")}


def _span(begun: dt.datetime, ends: dt.datetime | None, zone: ZoneInfo) -> str:
    start = words.clock_time(begun, zone)
    return f"{start}–{words.clock_time(ends, zone)}" if ends else start


def _milestones(desk: Desk, consent: Consent | None, live: LiveCard | None, facts: Facts) -> list[_Moment]:
    engagement, zone = desk.engagement, desk.zone
    found = [_agreed(desk, consent, facts)] if consent else []
    plain: list[tuple[dt.datetime | None, str, str, str, str]] = [
        (
            engagement.activated_at,
            gettext("Access switched on"),
            gettext("All four checks passed."),
            "circle-check",
            "ok",
        ),
        (
            _checked_later(engagement, live),
            gettext("Automatic check passed"),
            gettext("The access is exactly what you agreed to."),
            "shield-check",
            "ok",
        ),
        (engagement.paused_at, gettext("Access paused"), gettext("No new visits from then on."), "pause", ""),
        (engagement.closing_at, gettext("Access ended"), gettext("No new visits from then on."), "power", ""),
        (engagement.closed_at, gettext("Proved to be gone"), gettext("AWS lets nobody in."), "check", ""),
    ]
    return found + [
        _Moment(at=at, happening=_milestone(at, zone, title, text, icon, tone))
        for at, title, text, icon, tone in plain
        if at is not None
    ]


def _comings_and_goings(desk: Desk, now: dt.datetime) -> list[_Moment]:
    """Since the client was asked: they read the first names on the paper itself."""
    asked_at = desk.engagement.invited_at
    if asked_at is None:
        return []
    came = [_came(row, desk) for row in desk.staffing if asked_at < row.starts_at <= now]
    went = [_went(row, desk) for row in desk.staffing if row.ends_at and asked_at < row.ends_at <= now]
    return [moment for moment in (*came, *went) if moment is not None]


def _said(remark: Remark, desk: Desk) -> _Moment:
    title = gettext("%(name)s asked") if remark.is_from_client else gettext("%(name)s answered")
    happening = Happening(
        title=title % {"name": remark.author.name},
        text=f"“{' '.join(remark.text.split())}”",
        time=words.clock_time(remark.said_at, desk.zone),
        iso=remark.said_at.isoformat(timespec="minutes"),
        badge=words.initials(remark.author.name),
        link_url=reverse("client:question", args=[desk.engagement.code]),
        link_label=gettext("Questions and answers"),
    )
    return _Moment(at=remark.said_at, happening=happening)


def _came(row: Assignment, desk: Desk) -> _Moment | None:
    """None for what goes without saying: who led and goes on working, and a part that was called off."""
    if row.ends_at == row.starts_at:
        return None
    before = {one.role for one in desk.staffing if _is_same(one, row) and one.ends_at == row.starts_at}
    if row.role == AssignmentRole.MEMBER and AssignmentRole.LEAD in before:
        return None
    title, text = COMINGS[AssignmentRole(row.role)]
    who = {"name": row.consultant.name}
    icon = "eye" if row.role == AssignmentRole.OBSERVER else "users-round"
    return _Moment(
        at=row.starts_at,
        happening=_milestone(row.starts_at, desk.zone, str(title) % who, str(text), icon, ""),
    )


def _went(row: Assignment, desk: Desk) -> _Moment | None:
    """None when they only changed their part, or never began."""
    goes_on = any(_is_same(one, row) and one.starts_at == row.ends_at for one in desk.staffing)
    if row.ends_at is None or goes_on or row.ends_at == row.starts_at:
        return None
    title = gettext("%(name)s left the project") % {"name": row.consultant.name}
    text = gettext("They can start no new visit.")
    return _Moment(
        at=row.ends_at, happening=_milestone(row.ends_at, desk.zone, title, text, "users-round", "")
    )


def _is_same(one: Assignment, other: Assignment) -> bool:
    """Another part of the same person."""
    return one.consultant_id == other.consultant_id and one.pk != other.pk


def _checked_later(engagement: Engagement, live: LiveCard | None) -> dt.datetime | None:
    """The newest check that passed, once it is another one than that which switched the access on."""
    if live is None or live.state is not CardState.ON or live.checked_at is None:
        return None
    on_at = engagement.activated_at
    return live.checked_at if on_at is None or live.checked_at - on_at > CHECKED_AGAIN else None


def _milestone(at: dt.datetime, zone: ZoneInfo, title: str, text: str, icon: str, tone: str) -> Happening:
    return Happening(
        title=title,
        text=text,
        time=words.clock_time(at, zone),
        iso=at.isoformat(timespec="minutes"),
        icon=icon,
        tone=tone,
    )


def _agreed(desk: Desk, consent: Consent, facts: Facts) -> _Moment:
    happening = Happening(
        title=gettext("%(name)s agreed to the access") % {"name": consent.contact.user.name},
        text=gettext("%(kind)s, until %(day)s.") % {"kind": facts.kind.tag, "day": facts.until_day},
        time=words.clock_time(consent.given_at, desk.zone),
        iso=consent.given_at.isoformat(timespec="minutes"),
        icon="file-text",
        link_url=reverse("client:receipt", args=[desk.engagement.code]),
        link_label=gettext("Receipt %(reference)s") % {"reference": reference_of(desk.engagement, consent)},
    )
    return _Moment(at=consent.given_at, happening=happening)


def reference_of(engagement: Engagement, consent: Consent) -> str:
    """What people quote: the project's code in capitals and the number of the offer agreed to."""
    return f"{engagement.code.upper()}-{consent.offer.number}"
