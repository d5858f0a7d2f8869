"""What was done in each visit, in words: counts, the calls behind them, what stands out, and what is not known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext, gettext_lazy, ngettext

from awsaccess.lifecycle import Gap, ReportStatus, VisitStatus
from awsaccess.models import Visit, VisitReport
from awsaccess.policy.activity import Deed, summary_of
from awsaccess.selectors import report_of
from portal.kernel import clock
from portal.pages import words

TITLES: Final = {
    Deed.LOOKED: gettext_lazy("Looked at"),
    Deed.CHANGED: gettext_lazy("Changed"),
    Deed.DELETED: gettext_lazy("Deleted"),
    Deed.DENIED: gettext_lazy("Tried, and AWS refused"),
}
GAPS: Final = {
    Gap.UNSEEN: gettext_lazy("These regions gave no answer: %(regions)s."),
    Gap.CUT: gettext_lazy("More was done than is listed here. %(regions)s"),
    Gap.ENDED: gettext_lazy("The access was over before all of it could be looked up."),
    Gap.REFUSED: gettext_lazy("AWS did not let us look for a day, so we stopped asking."),
    Gap.UNREACHABLE: gettext_lazy("AWS could not be asked for a day, so we stopped asking."),
}
NARROWED: Final = {
    "read_only": gettext_lazy("look only"),
    "no_contents": gettext_lazy("nothing of what is inside"),
    "one_address": gettext_lazy("from one address only"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One of the four words, how often, and the calls behind it."""

    title: str
    count: int
    calls: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deeds:
    """One visit. `note` says how far the report is, or why there is none; `missing` what it does not know."""

    key: str
    title: str
    when: str
    reason: str
    narrowed: str
    note: str
    groups: tuple[Group, ...]
    flagged: tuple[str, ...]
    missing: tuple[str, ...]


def deeds_of(visit: Visit, zone: ZoneInfo) -> Deeds:
    """The visit as its page tells it."""
    report = report_of(visit)
    return Deeds(
        key=str(visit.pk),
        title=visit.consultant_name,
        when=words.when(visit.issued_at or visit.intended_at, zone, now=clock.now()),
        reason=visit.reason,
        narrowed=narrowed_of(visit),
        note=_note(visit, report),
        groups=_groups(report),
        flagged=tuple(report.flagged) if report else (),
        missing=_missing(report),
    )


def narrowed_of(visit: Visit) -> str:
    """How much less than was agreed this visit took; empty for all of it."""
    said = [str(text) for key, text in NARROWED.items() if visit.narrowing.get(key)]
    if region := visit.narrowing.get("region"):
        said.append(gettext("only in %(region)s") % {"region": region})
    return ", ".join(said)


def in_short(visit: Visit) -> str:
    """One sentence for the timeline; empty while nothing is known."""
    report = report_of(visit)
    if report is None or report.fetched_at is None:
        return ""
    counts = summary_of(report.events).counts
    changed, deleted = counts[Deed.CHANGED], counts[Deed.DELETED]
    if not changed and not deleted:
        return gettext("Nothing was changed.") if report.status == ReportStatus.COMPLETE else ""
    return ngettext("%(count)s change or deletion.", "%(count)s changes or deletions.", changed + deleted) % {
        "count": changed + deleted
    }


def _note(visit: Visit, report: VisitReport | None) -> str:
    if visit.status != VisitStatus.ISSUED:
        return gettext("Nobody got in, so there is nothing to report.")
    if report is None:
        return gettext(
            "There is no report: what you agreed to does not let us look into your account’s event history. "
            "You find it in AWS, under CloudTrail."
        )
    return {
        ReportStatus.WAITING: gettext("The report comes a few minutes after AWS has ended the visit."),
        ReportStatus.FIRST: gettext(
            "This is a first look. Late events are added about a quarter of an hour later."
        ),
        ReportStatus.COMPLETE: gettext("From your own AWS account’s event history."),
        ReportStatus.MISSING: gettext("The report is not complete, and nothing more will come."),
    }[ReportStatus(report.status)]


def _groups(report: VisitReport | None) -> tuple[Group, ...]:
    if report is None or report.fetched_at is None or not (report.events or _is_whole(report)):
        return ()
    found = summary_of(report.events)
    return tuple(
        Group(
            title=str(TITLES[deed]),
            count=found.counts[deed],
            calls=tuple(f"{one.action}  ×{one.count}  {one.region}" for one in found.behind[deed]),
        )
        for deed in Deed
    )


def _is_whole(report: VisitReport) -> bool:
    return report.status in (ReportStatus.FIRST, ReportStatus.COMPLETE)


def _missing(report: VisitReport | None) -> tuple[str, ...]:
    """First what no event history ever holds."""
    if report is None or report.fetched_at is None:
        return ()
    never = gettext(
        "Reading and writing inside of things, such as single files, is not in AWS’s event history."
    )
    chosen = gettext("Regions that you switched on by choice are not looked at.")
    return (never, chosen, *(_gap(one) for one in report.gaps))


def _gap(one: dict[str, Any]) -> str:  # Any: JSON of a report
    return (str(GAPS[Gap(one["gap"])]) % {"regions": ", ".join(one["regions"])}).strip()
