"""What was done in a visit, from the client's own event history: fetched when AWS has ended it, and once more when late
events are there. Only where the client agreed to that look; with a session that can do nothing else.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from awsaccess.aws import history
from awsaccess.aws.arns import session_name_for
from awsaccess.aws.errors import AwsDenied, AwsError, AwsRejected
from awsaccess.aws.gateway import AssumeRequest, HistoryEvent
from awsaccess.door import gateway
from awsaccess.lifecycle import REPORT_MOVES, AccessEvent, Gap, ReportStatus
from awsaccess.models import Visit, VisitReport
from awsaccess.policy.activity import LOOKUP, action_of, deed_of, lets_look_up, sudden
from awsaccess.policy.narrowing import only
from awsaccess.probes import Target
from awsaccess.services.checks import found_as_agreed, standing_of, target_of
from engagements.lifecycle import EngagementStatus
from engagements.models import Offer
from engagements.selectors import choice_of, lines_agreed
from engagements.services.standing import consent_stands
from portal.kernel import audit, clock, due, tenancy
from portal.kernel.actor import machine

REPORT: Final = "visit.report"
REPORTER: Final = "latchkey-report"
FIRST_LOOK: Final = dt.timedelta(minutes=1)  # after AWS has ended it
# CloudTrail shows an event within about a quarter of an hour (AWS_FACTS §13: unproven on real AWS).
SETTLED: Final = dt.timedelta(minutes=16)
AGAIN: Final = dt.timedelta(minutes=10)
PATIENCE: Final = dt.timedelta(hours=24)
SECONDS: Final = 900
MOST_EVENTS: Final = 2000
WORKS: Final = frozenset({EngagementStatus.ACTIVE, EngagementStatus.PAUSED})
_S = ReportStatus
Json = dict[str, Any]  # Any: what is kept of an event, or of a gap


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What is asked about, read before AWS is asked."""

    report_id: UUID
    status: ReportStatus
    visit: Visit
    target: Target
    partition: str


def report_expect_within(visit: Visit, held: Offer, *, now: dt.datetime) -> None:
    """A visit was issued under what holds: its report will be fetched, where that was agreed.

    In the caller's transaction.
    """
    tenancy.require_transaction("a report")
    if not _is_agreed(held):
        return
    VisitReport.objects.create(
        practice_id=visit.practice_id,
        client_id=visit.client_id,
        engagement_id=visit.engagement_id,
        visit=visit,
    )
    due.schedule(REPORT, visit.pk, at=(visit.ends_at or now) + FIRST_LOOK, client_id=visit.client_id)


def report_fetch(*, visit_id: UUID) -> dt.datetime | None:
    """Look once; gives the moment of the next look, None when all is there, or nothing will come any more."""
    seen = _read(visit_id)
    if seen is None:
        return None
    if not _may_look(seen.visit):
        _give_up(seen, Gap.ENDED)
        return None
    try:
        found = _looked_up(seen)
    except AwsError as error:
        return _later(seen, error)
    if found.is_denied:
        return _later(seen, AwsDenied())
    return _write(seen, found)


def _read(visit_id: UUID) -> _Seen | None:
    rows = VisitReport.objects.select_related("visit__grant__offer__practice", "visit__grant__engagement")
    report = rows.filter(visit_id=visit_id).first()
    if report is None or not REPORT_MOVES[_S(report.status)]:
        return None
    grant = report.visit.grant
    return _Seen(
        report_id=report.pk,
        status=_S(report.status),
        visit=report.visit,
        target=target_of(grant),
        partition=grant.partition,
    )


def _may_look(visit: Visit) -> bool:
    """Nobody looks into an account after its owner ended it, not even for a report; nor where another role was found."""
    grant = visit.grant
    held = standing_of(grant).held
    agreed = _is_agreed(held) and consent_stands(engagement=grant.engagement, offer=held)
    is_on = grant.is_enterable and grant.engagement.status in WORKS
    return agreed and is_on and found_as_agreed(grant, held)


def _is_agreed(held: Offer) -> bool:
    """Whether a line of what holds says that the history is looked at: a required one, or one that was ticked."""
    return lets_look_up(lines_agreed(held, choice_of(held)))


def _looked_up(seen: _Seen) -> history.Found:
    visit, target = seen.visit, seen.target
    names = replace(target.names, person=REPORTER, visit=str(visit.pk))
    request = AssumeRequest(
        role_arn=target.role_arn,
        external_id=target.external_id,
        role_session_name=session_name_for(REPORTER, visit.pk.hex[:12]),
        duration_seconds=SECONDS,
        source_identity=names.source_identity,
        tags=names.tags,
        session_policy=only(LOOKUP),
    )
    door = gateway()
    regions = history.regions_of(
        seen.partition, first=target.hub.region, only=str(visit.narrowing.get("region", ""))
    )
    return history.look(
        door,
        door.assume(target.hub, request),
        regions=regions,
        access_key_id=visit.access_key_id,
        since=visit.intended_at - dt.timedelta(minutes=1),
        until=visit.latest_end + dt.timedelta(minutes=1),
    )


def _later(seen: _Seen, error: AwsError) -> dt.datetime | None:
    """A refusal, like an outage, may pass; after a day it is a gap."""
    now = clock.now()
    if now - seen.visit.latest_end < PATIENCE:
        return now + AGAIN
    is_refusal = isinstance(error, AwsDenied | AwsRejected)
    _give_up(seen, Gap.REFUSED if is_refusal else Gap.UNREACHABLE)
    return None


@transaction.atomic(durable=True)
def _give_up(seen: _Seen, gap: Gap) -> None:
    """Whatever was there stays; that more is missing is said."""
    report = VisitReport.objects.select_for_update().get(pk=seen.report_id)
    gaps = [*report.gaps, {"gap": gap.value, "regions": []}]
    if _moved(seen, _S.MISSING, gaps=gaps, fetched_at=clock.now()):
        told = {"reason": gap.value, "sha256": _sealed(report.events, gaps, report.flagged)}
        _record(AccessEvent.REPORT_MISSING, seen.visit, told)


@transaction.atomic(durable=True)
def _write(seen: _Seen, found: history.Found) -> dt.datetime | None:
    now, settled_at = clock.now(), seen.visit.latest_end + SETTLED
    is_last = now >= settled_at
    kept = [_kept(one) for one in found.events[:MOST_EVENTS]]
    flagged = sudden(kept, before=_used_before(seen.visit))
    to = _S.COMPLETE if is_last else _S.FIRST
    changes: dict[str, Any] = {
        "events": kept,
        "gaps": _gaps(found),
        "flagged": list(flagged),
        "fetched_at": now,
    }
    if not _moved(seen, to, **changes):
        return None
    told = {
        "events": len(kept),
        "flagged": ", ".join(flagged)[:300],
        "sha256": _sealed(kept, changes["gaps"], flagged),
    }
    _record(AccessEvent.REPORT_FETCHED, seen.visit, told)
    return None if is_last else settled_at


def _moved(seen: _Seen, to: ReportStatus, **changes: object) -> bool:
    """From what was read to `to`; False if another worker was faster, whose report then stands."""
    rows = VisitReport.objects.filter(pk=seen.report_id, status=seen.status)
    return rows.update(status=to, **changes) == 1


def _kept(event: HistoryEvent) -> Json:
    deed = deed_of(event.name, read_only=event.read_only, error_code=event.error_code)
    return {
        "id": event.event_id,
        "at": event.at.isoformat(),
        "action": action_of(event.source, event.name),
        "region": event.region,
        "deed": deed.value if deed else "",
        "error": event.error_code,
    }


def _gaps(found: history.Found) -> list[Json]:
    said = [(Gap.UNSEEN, found.unseen), (Gap.CUT, found.cut)]
    gaps: list[Json] = [{"gap": gap.value, "regions": list(regions)} for gap, regions in said if regions]
    if len(found.events) > MOST_EVENTS:
        gaps.append({"gap": Gap.CUT.value, "regions": []})
    return gaps


def _sealed(events: Sequence[Json], gaps: Sequence[Json], flagged: Sequence[str]) -> str:
    """SHA-256 of all that a report says, for the record: whoever holds both can tell whether it was rewritten."""
    told = {"v": 1, "events": list(events), "gaps": list(gaps), "flagged": list(flagged)}
    return hashlib.sha256(audit.canonical(told)).hexdigest()


def _used_before(visit: Visit) -> set[str]:
    """All that earlier visits of the engagement did."""
    rows = VisitReport.objects.filter(engagement_id=visit.engagement_id).exclude(visit=visit)
    earlier = rows.filter(visit__intended_at__lt=visit.intended_at).values_list("events", flat=True)
    return {str(one["action"]) for events in earlier for one in events}


def _record(kind: AccessEvent, visit: Visit, details: dict[str, Any]) -> None:  # Any: what the record takes
    audit.record(
        kind,
        subject=visit,
        actor=machine("reports"),
        about_id=visit.engagement_id,
        client_id=visit.client_id,
        details=details,
    )
