"""Many grants at once end as each alone would, and quietly cost next to nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Final
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from awsaccess.aws.errors import AwsMisconfigured, AwsTransient
from awsaccess.lifecycle import GrantStatus, Verdict
from awsaccess.probes import Result
from awsaccess.services import sweeping
from awsaccess.services.checks import CHECK, read_all
from awsaccess.services.sweeping import grants_verify
from engagements.lifecycle import EngagementStatus
from portal.kernel import clock, due, tenancy
from tests.awsaccess.services.cast import Case, begin_closing, end_by_client, verified, watched
from tests.awsaccess.services.worlds import InMemory
from tests.factories import Firm

AsWorker = Callable[[], AbstractContextManager[None]]
NAMES: Final = ("200000000001", "200000000002", "200000000003", "200000000004")


@pytest.fixture(autouse=True)
def stopped_clock(db: None) -> Iterator[dt.datetime]:
    """The threads that ask AWS share this one's moment: none of them may ask the database for it."""
    with clock.frozen(clock.now()):
        yield clock.now()


def turn_of(case: Case) -> due.Turn:
    return due.Turn(
        due_id=case.grant().pk.int % 10**9,
        lease_id=uuid4(),
        practice_id=case.firm.practice.pk,
        client_id=None,
        kind=CHECK,
        object_id=case.grant().pk,
        attempts=1,
    )


def swept(*cases: Case) -> list[dt.datetime | None]:
    turns = [turn_of(case) for case in cases]
    with clock.frozen(clock.now() + dt.timedelta(seconds=1)), tenancy.use(tenancy.NOBODY):
        planned = dict(grants_verify(turns))
    return [planned[turn] for turn in turns]


def test_each_of_many_ends_as_it_would_alone(north: Firm, harbour: Firm, memory: InMemory) -> None:
    well, wide, narrow, gone = (verified(north, memory) for _ in range(4))
    new, absent, theirs = watched(north), watched(north), verified(harbour, memory)
    memory.deploy(new)
    memory.change_trust(wide, lambda found: found["Statement"][0]["Condition"].pop("ArnEquals"))
    memory.fake.roles[narrow.grant().role_arn].max_session_duration = 1800
    memory.remove(gone)
    cases = (well, wide, narrow, gone, new, absent, theirs)
    moments = swept(*cases)
    assert [case.grant().status for case in cases] == [
        GrantStatus.VERIFIED,
        GrantStatus.UNSAFE,
        GrantStatus.DRIFTED,
        GrantStatus.VERIFIED,
        GrantStatus.VERIFIED,
        GrantStatus.EXPECTED,
        GrantStatus.VERIFIED,
    ]
    assert [case.grant().last_verdict for case in cases] == [
        "ok",
        "unsafe",
        "drifted",
        "denied",
        "ok",
        "denied",
        "ok",
    ]
    assert new.fresh().status == EngagementStatus.ACTIVE
    assert all(moment is not None and moment > clock.now() for moment in moments)
    assert [len(case.verifications()) for case in cases] == [2, 2, 2, 2, 1, 1, 2]


def test_who_is_watched_no_more_is_planned_no_more(north: Firm, memory: InMemory) -> None:
    ended, well = verified(north, memory), verified(north, memory)
    end_by_client(ended)
    begin_closing(ended)
    moments = swept(ended, well)
    assert moments[0] is None
    assert moments[1] is not None


def test_a_role_that_is_waited_for_leaves_one_row_however_often_it_is_refused(
    north: Firm, memory: InMemory
) -> None:
    absent, well = watched(north), verified(north, memory)
    for _ in range(3):
        swept(absent, well)
    assert [each.verdict for each in absent.verifications()] == [Verdict.DENIED]


def test_well_ones_cost_the_same_statements_however_many(north: Firm, memory: InMemory) -> None:
    cases = [verified(north, memory) for _ in range(6)]
    counts = []
    for number in (2, 6):
        turns = [turn_of(case) for case in cases[:number]]
        with (
            CaptureQueriesContext(
                connection,
            ) as asked,
            tenancy.use(tenancy.NOBODY),
        ):
            list(grants_verify(turns))
        counts.append(len([each for each in asked if "set_config" not in each["sql"]]))
    assert counts[0] == counts[1]


def test_a_hub_that_broke_leaves_all_of_its_grants_alone_and_is_hardly_asked(
    north: Firm, harbour: Firm, memory: InMemory
) -> None:
    ours, theirs = [verified(north, memory) for _ in range(5)], verified(harbour, memory)
    before = len(memory.fake.calls)
    memory.door.fail("own_identity", AwsMisconfigured(code="ExpiredToken"))
    swept(*ours, theirs)
    statuses = {case.grant().status for case in ours}
    assert statuses == {GrantStatus.VERIFIED}
    assert sum(case.grant().last_verdict == Verdict.UNKNOWN for case in (*ours, theirs)) in {1, 5}
    assert len(memory.fake.calls) > before


def test_an_outage_spreads_what_it_delays(north: Firm, memory: InMemory) -> None:
    cases = [verified(north, memory) for _ in range(6)]
    memory.fake.fail("own_identity", AwsTransient())
    waits: list[float] = []
    for _ in range(4):
        moments = swept(*cases)
        now = cases[0].grant().checked_at
        assert now is not None
        waits += [(moment - now).total_seconds() for moment in moments if moment is not None]
    assert {case.grant().unknowns for case in cases} == {4}
    last = waits[-6:]
    assert len(set(last)) == 6
    assert all(108 <= wait <= 132 for wait in last)
    memory.fake.mend()
    moments = swept(*cases)
    assert {case.grant().unknowns for case in cases} == {0}
    # All came back in one sweep; an hour later they do not come together again.
    back = cases[0].grant().checked_at
    assert back is not None
    after = [(moment - back).total_seconds() for moment in moments if moment is not None]
    assert (len(set(after)), max(after) - min(after) > 1) == (6, True)
    assert all(3240 <= wait <= 4000 for wait in after)


def test_what_there_was_no_time_for_is_asked_again_and_nothing_is_written(
    north: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [verified(north, memory) for _ in range(3)]
    monkeypatch.setattr(sweeping, "ASKING_SECONDS", -1.0)
    moments = swept(*cases)
    assert all(moment is not None for moment in moments)
    assert [len(case.verifications()) for case in cases] == [1, 1, 1]


def test_time_that_runs_out_between_the_halves_writes_nothing(
    north: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = verified(north, memory)
    monkeypatch.setattr(memory.fake, "caller_identity", _slow(memory, monkeypatch))
    swept(case)
    assert len(case.verifications()) == 1


def _slow(memory: InMemory, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:  # Any: the method's own
    inner, ticks = memory.fake.caller_identity, iter((0.0, 1.0, 2.0, 100.0, 101.0))
    monkeypatch.setattr("awsaccess.services.sweeping.time.monotonic", lambda: next(ticks, 200.0))
    return inner


def test_an_answer_that_was_overtaken_is_dropped(north: Firm, memory: InMemory) -> None:
    case, ended = verified(north, memory), verified(north, memory)
    stale = [(case, GrantStatus.VERIFIED), (ended, GrantStatus.ENDING)]
    results = []
    for each, _status in stale:
        with tenancy.use(north.practice_side):
            (seen,) = read_all([each.grant().pk])
        results.append((seen, Result(verdict=Verdict.OK)))
    end_by_client(ended)
    begin_closing(ended)
    swept(case)
    with tenancy.use(north.practice_side):
        planned, left = sweeping._write_quiet(results)
    assert left == []
    assert dict(planned)[ended.grant().pk] is None
    assert dict(planned)[case.grant().pk] is not None
