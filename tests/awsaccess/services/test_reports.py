"""The report of a visit: from the client's own event history, twice, where it was agreed to, and honest about its gaps."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import pytest

from awsaccess.aws import history
from awsaccess.aws.errors import AwsDenied, AwsTransient
from awsaccess.aws.gateway import HistoryEvent
from awsaccess.lifecycle import REPORT_MOVES, AccessEvent, Gap, ReportStatus
from awsaccess.models import Visit, VisitReport
from awsaccess.services import reports
from awsaccess.services.reports import REPORT, SETTLED, report_fetch
from awsaccess.services.visits import visit_keys
from engagements.models import Engagement
from portal.kernel import clock, due, tenancy
from tests.awsaccess.services.cast import REASON, Case, check, drafted, end_by_client, send, verified, watch
from tests.awsaccess.services.worlds import InMemory, Simulated, World
from tests.factories import Firm, acting, give_consent

MINUTE: Final = dt.timedelta(minutes=1)
_S = ReportStatus


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a pace that has its own test."""
    monkeypatch.setattr(history, "REQUESTS_A_SECOND", 1000.0)


def with_a_report(firm: Firm, world: World) -> Case:
    """Verified, under a profile whose lines say that the history is looked at."""
    case = drafted(firm)
    with tenancy.use(firm.practice_side):
        Engagement.objects.filter(pk=case.engagement.pk).update(profile="security_review")
    send(case)
    give_consent(firm, case.engagement)
    watch(case)
    world.deploy(case)
    check(case)
    return case


def visited(case: Case) -> tuple[Visit, Any]:  # Any: the keys
    with tenancy.use(case.firm.practice_side):
        keys = visit_keys(
            engagement=case.fresh(),
            consultant=case.firm.owner,
            reason=REASON,
            actor=acting(case.firm.owner),
            longest=dt.timedelta(minutes=15),
        )
    return case.visits()[-1], keys


def fetch(case: Case, visit: Visit) -> dt.datetime | None:
    with tenancy.use(case.firm.practice_side):
        return report_fetch(visit_id=visit.pk)


def report(case: Case, visit: Visit) -> VisitReport:
    with tenancy.use(case.firm.practice_side):
        return VisitReport.objects.get(visit=visit)


def later(monkeypatch: pytest.MonkeyPatch, moment: dt.datetime) -> None:
    monkeypatch.setattr(clock, "now", lambda: moment)


def event(visit: Visit, number: int, name: str, **over: Any) -> HistoryEvent:  # Any: an event's parts
    told = {
        "event_id": f"e-{number}",
        "at": visit.intended_at + dt.timedelta(seconds=number),
        "source": "ec2.amazonaws.com",
        "name": name,
        "region": "eu-west-1",
        "read_only": True,
    }
    return HistoryEvent(**{**told, **over})


def test_the_table_of_moves_is_whole() -> None:
    assert set(REPORT_MOVES) == set(_S)
    assert REPORT_MOVES[_S.COMPLETE] == REPORT_MOVES[_S.MISSING] == frozenset()


def test_without_the_line_there_is_no_report_and_no_look(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    visit, _ = visited(case)
    with tenancy.use(north.practice_side):
        assert not VisitReport.objects.exists()
        assert due.next_look(REPORT, visit.pk) is None
    assert fetch(case, visit) is None
    assert not [call for call in memory.fake.calls if call.method == "lookup_events"]


def test_a_report_is_planned_for_when_aws_has_ended_the_visit(north: Firm, memory: InMemory) -> None:
    visit, _ = visited(case := with_a_report(north, memory))
    assert visit.ends_at is not None
    with tenancy.use(north.practice_side):
        assert due.next_look(REPORT, visit.pk) == visit.ends_at + MINUTE
    assert report(case, visit).status == _S.WAITING


def test_what_was_done_is_read_from_the_clients_own_history(north: Firm, simulated: Simulated) -> None:
    case = with_a_report(north, simulated)
    visit, keys = visited(case)
    inside = simulated.sandbox.client("ec2", keys.credentials)
    inside.describe_instances()
    inside.describe_instances()
    with pytest.raises(Exception, match="UnauthorizedOperation"):
        inside.stop_instances(InstanceIds=["i-12345678"])
    fetch(case, visit)
    told = [(one["action"], one["deed"]) for one in report(case, visit).events]
    assert told.count(("ec2:DescribeInstances", "looked")) == 2
    assert ("ec2:StopInstances", "denied") in told
    assert report(case, visit).gaps == []


def test_the_look_itself_can_do_nothing_else_and_is_not_in_the_report(
    north: Firm, simulated: Simulated
) -> None:
    case = with_a_report(north, simulated)
    visit, _ = visited(case)
    fetch(case, visit)
    assert "cloudtrail:LookupEvents" not in [one["action"] for one in report(case, visit).events]


def test_it_is_looked_at_once_more_when_late_events_are_there(
    north: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = with_a_report(north, memory)
    visit, _ = visited(case)
    memory.fake.history[visit.access_key_id] = [event(visit, 1, "DescribeInstances")]
    assert fetch(case, visit) == visit.latest_end + SETTLED
    assert (report(case, visit).status, len(report(case, visit).events)) == (_S.FIRST, 1)
    memory.fake.history[visit.access_key_id].append(event(visit, 2, "StopInstances", read_only=False))
    later(monkeypatch, visit.latest_end + SETTLED)
    assert fetch(case, visit) is None
    whole = report(case, visit)
    assert (whole.status, [one["deed"] for one in whole.events]) == (_S.COMPLETE, ["looked", "changed"])
    assert fetch(case, visit) is None
    assert case.kinds().count(AccessEvent.REPORT_FETCHED) == 2
    requests = [call.request for call in memory.fake.calls if call.method == "assume" and call.request]
    assert "cloudtrail:LookupEvents" in (requests[-1].session_policy or "")
    assert "latchkey-report" in requests[-1].role_session_name


def test_every_page_of_every_region_is_read(north: Firm, memory: InMemory) -> None:
    case = with_a_report(north, memory)
    visit, _ = visited(case)
    many = [event(visit, number, "DescribeInstances") for number in range(120)]
    abroad = event(visit, 500, "ListRoles", source="iam.amazonaws.com", region="us-east-1")
    memory.fake.history[visit.access_key_id] = [*many, abroad]
    fetch(case, visit)
    assert len(report(case, visit).events) == 121
    asked = [call.region for call in memory.fake.calls if call.method == "lookup_events"]
    assert set(asked) == {"eu-west-1", *history.ALWAYS_ON["aws"]}
    assert asked[:2] == ["us-east-1", "eu-west-1"]


def test_grave_actions_are_flagged_the_first_time_they_are_used(north: Firm, memory: InMemory) -> None:
    case = with_a_report(north, memory)
    grave = {"source": "secretsmanager.amazonaws.com", "name": "GetSecretValue"}
    for expected in (["secretsmanager:GetSecretValue"], []):
        visit, _ = visited(case)
        memory.fake.history[visit.access_key_id] = [
            event(visit, 1, "DescribeInstances"),
            event(visit, 2, grave["name"], source=grave["source"], error_code="AccessDenied"),
        ]
        fetch(case, visit)
        assert report(case, visit).flagged == expected


def test_a_region_that_does_not_answer_is_a_gap_and_not_silence(north: Firm, memory: InMemory) -> None:
    case = with_a_report(north, memory)
    visit, _ = visited(case)
    memory.fake.fail("lookup_events", AwsTransient(), times=1)
    fetch(case, visit)
    assert report(case, visit).gaps == [{"gap": Gap.UNSEEN.value, "regions": ["us-east-1"]}]


def test_more_than_is_read_is_said(north: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_PAGES", 1)
    monkeypatch.setattr(reports, "MOST_EVENTS", 10)
    case = with_a_report(north, memory)
    visit, _ = visited(case)
    memory.fake.history[visit.access_key_id] = [event(visit, n, "DescribeInstances") for n in range(60)]
    fetch(case, visit)
    whole = report(case, visit)
    assert len(whole.events) == 10
    assert whole.gaps == [
        {"gap": Gap.CUT.value, "regions": ["eu-west-1"]},
        {"gap": Gap.CUT.value, "regions": []},
    ]


@pytest.mark.parametrize(
    ("method", "error", "gap"),
    [
        ("assume", AwsTransient(), Gap.UNREACHABLE),
        ("assume", AwsDenied(), Gap.REFUSED),
        ("lookup_events", AwsDenied(), Gap.REFUSED),
    ],
)
def test_who_is_not_let_look_tries_for_a_day_and_then_says_so(
    north: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch, method: Any, error: Any, gap: Gap
) -> None:
    case = with_a_report(north, memory)
    visit, _ = visited(case)
    memory.fake.fail(method, error)
    assert fetch(case, visit) is not None
    assert report(case, visit).status == _S.WAITING
    later(monkeypatch, visit.latest_end + dt.timedelta(days=1))
    assert fetch(case, visit) is None
    missing = report(case, visit)
    assert (missing.status, missing.gaps) == (_S.MISSING, [{"gap": gap.value, "regions": []}])
    assert AccessEvent.REPORT_MISSING in case.kinds()


def test_nobody_looks_into_an_account_after_the_end(north: Firm, memory: InMemory) -> None:
    case = with_a_report(north, memory)
    visit, _ = visited(case)
    end_by_client(case)
    before = len(memory.fake.calls)
    assert fetch(case, visit) is None
    assert len(memory.fake.calls) == before
    assert report(case, visit).gaps == [{"gap": Gap.ENDED.value, "regions": []}]


def test_of_two_workers_one_report_stands(
    north: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = with_a_report(north, memory)
    visit, _ = visited(case)

    def the_other_was_faster() -> None:
        VisitReport.objects.filter(visit=visit).update(status=_S.COMPLETE, events=[{"id": "theirs"}])

    memory.door.before("lookup_events", the_other_was_faster)
    assert fetch(case, visit) is None
    assert report(case, visit).events == [{"id": "theirs"}]
    assert AccessEvent.REPORT_FETCHED not in case.kinds()


def test_a_narrowed_visit_is_looked_for_where_it_could_be(north: Firm) -> None:
    assert history.regions_of("aws", first="eu-west-1", only="eu-west-2") == ("us-east-1", "eu-west-2")
    assert history.regions_of("aws-cn", first="cn-north-1") == ("cn-north-1", "cn-northwest-1")


def test_time_that_is_over_leaves_regions_unseen(north: Firm, memory: InMemory) -> None:
    case = with_a_report(north, memory)
    visit, keys = visited(case)
    moments = iter([0.0, 0.0, 100.0])
    found = history.look(
        memory.fake,
        keys.credentials,
        regions=("us-east-1", "eu-west-1"),
        access_key_id=visit.access_key_id,
        since=visit.intended_at,
        until=visit.latest_end,
        now=lambda: next(moments),
    )
    assert (found.unseen, found.is_denied) == (("eu-west-1",), False)


def test_another_practice_and_other_clients_see_no_report(
    north: Firm, harbour: Firm, memory: InMemory
) -> None:
    visit, _ = visited(with_a_report(north, memory))
    with tenancy.use(harbour.practice_side):
        assert not VisitReport.objects.exists()
    with tenancy.use(north.client_side):
        assert VisitReport.objects.filter(visit_id=visit.pk).exists()


def test_whoever_gives_up_leaves_a_report_that_came_meanwhile(
    north: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = with_a_report(north, memory)
    visit, _ = visited(case)
    later(monkeypatch, visit.latest_end + dt.timedelta(days=1))

    def the_other_was_faster() -> None:
        VisitReport.objects.filter(visit=visit).update(status=_S.COMPLETE, events=[{"id": "theirs"}])

    memory.fake.fail("assume", AwsDenied())
    memory.door.before("assume", the_other_was_faster)
    assert fetch(case, visit) is None
    assert (report(case, visit).status, report(case, visit).gaps) == (_S.COMPLETE, [])
    assert AccessEvent.REPORT_MISSING not in case.kinds()
