"""A grant and its visits, through any order of acts, changes in AWS, faults and passing time: nothing false is ever said.

After each run the invariants of SECURITY §9 must hold. The AWS in memory carries the thousands of runs; some go over
the wire to the simulated one, which the contract suite holds it against.
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import pytest
from django.conf import settings as portal_settings
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from awsaccess.aws.errors import AwsDenied, AwsError, AwsMisconfigured, AwsTransient
from awsaccess.aws.gateway import AwsGateway
from awsaccess.lifecycle import MOVES, WATCHED, AccessEvent, GrantStatus, Verdict, VisitStatus
from awsaccess.models import Grant, Verification
from awsaccess.services.leaving import closing_begin, closing_probe
from awsaccess.services.visits import VisitRefused, visit_orphan
from engagements.lifecycle import EngagementStatus
from engagements.models import Consent
from engagements.services.pauses import engagement_pause, engagement_resume
from portal.kernel import audit, clock, tenancy
from portal.kernel.errors import PortalError, Unavailable
from portal.kernel.models import AuditEvent, AuditHead
from tests.awsaccess.services.cast import HUBS, Case, check, end_by_client, enter, verified
from tests.awsaccess.services.worlds import InMemory, Simulated, World
from tests.factories import Firm, acting

# Two thousand where every change is judged; while working, as many as show that the machine still runs.
RUNS: Final = int(os.environ.get("RACE_ROUNDS") or (2000 if os.environ.get("CI") == "true" else 40))
STEPS: Final = 6
PARTS: Final = 4  # so that several processes may share the runs
WAITS: Final = (
    dt.timedelta(seconds=20),
    dt.timedelta(minutes=3),
    dt.timedelta(minutes=50),
    dt.timedelta(days=2),
)
METHODS: Final = ("own_identity", "assume", "assume_as_another", "control", "caller_identity", "inspect_role")
FAULTS: Final[dict[str, AwsError]] = {
    "throttled": AwsTransient(code="Throttling"),
    "timed out": AwsTransient(),
    "broken": AwsTransient(code="ServiceUnavailable"),
    "our keys": AwsMisconfigured(code="ExpiredToken"),
}
MEANWHILE: Final = ("nothing", "end", "pause", "delete", "fault")
PROVED: Final = (
    "status",
    "checks",
    "problem",
    "role_id",
    "denials",
    "verified_at",
    "last_ok_at",
    "is_narrower",
)
EDGES: Final = (
    {(before, after) for before, moves in MOVES.items() for after in moves.values()}
    | {(GrantStatus.EXPECTED, GrantStatus.CHECKING)}
    | {(before, GrantStatus.ENDING) for before in WATCHED}
)


class Life(RuleBasedStateMachine):
    """One grant that was verified once; what the client's account really holds is kept beside it."""

    def __init__(self, case: Case, world: World) -> None:
        super().__init__()
        self.case, self.world = case, world
        self.now = clock.now()
        self.role = "agreed"
        self.is_faulty = False
        self.may_begin: dt.datetime | None = None

    # ------------------------------------------------------------ the client, in AWS

    @precondition(lambda self: self.role != "absent")
    @rule()
    def delete(self) -> None:
        self._remove()

    @precondition(lambda self: self.role == "absent")
    @rule()
    def make(self) -> None:
        self.world.deploy(self.case)
        self.role = "agreed"

    @rule()
    def make_anew(self) -> None:
        if self.role != "absent":
            self._remove()
        self.make()

    @precondition(lambda self: self.role == "agreed")
    @rule(how=st.sampled_from(["open", "any caller", "shut", "wider", "less"]))
    def edit(self, how: str) -> None:
        match how:
            case "open":
                self.world.change_trust(self.case, lambda found: _conditions(found).pop("StringEquals"))
            case "any caller":
                self.world.change_trust(self.case, lambda found: _conditions(found).pop("ArnEquals"))
            case "shut":
                self.world.change_trust(self.case, _another_id)
            case "wider":
                self.world.widen(self.case)
            case _:
                self.world.change_trust(self.case, _sooner)
        self.role = how

    # ------------------------------------------------------------ faults and time

    @rule(method=st.sampled_from(METHODS), fault=st.sampled_from(sorted(FAULTS)))
    def fail_next(self, method: str, fault: str) -> None:
        self.world.door.fail(method, FAULTS[fault])
        self.is_faulty = True

    @rule(by=st.sampled_from(WAITS))
    def pass_time(self, by: dt.timedelta) -> None:
        self.now += by

    # ------------------------------------------------------------ the portal

    @rule(breaks=st.booleans())
    def check(self, breaks: bool) -> None:  # noqa: FBT001  # hypothesis draws it
        before = self._row()
        with self._at(), self._hub(is_broken=breaks):
            check(self.case)
        after = self._row()
        if before["status"] not in WATCHED or self.may_begin is not None:
            assert after == before
            return
        if breaks:
            assert after["last_verdict"] == Verdict.UNKNOWN
        if after["last_verdict"] == Verdict.UNKNOWN:
            assert breaks or self.is_faulty
            assert self._proved(after) == self._proved(before)
        else:
            self._assert_true(before, after)
        self._forget_faults()

    @rule(meanwhile=st.sampled_from(MEANWHILE))
    def enter(self, meanwhile: str) -> None:
        grant, engagement = self.case.grant(), self.case.fresh()
        visits = len(self.case.visits())
        self._arrange(meanwhile)
        try:
            with self._at():
                enter(self.case)
        except (VisitRefused, Unavailable):
            assert self._issued_since(visits) == 0
        else:
            assert grant.is_enterable
            assert engagement.status == EngagementStatus.ACTIVE
            assert meanwhile not in {"end", "pause"}
            assert self.role not in {"shut", "absent"} or meanwhile == "delete"
            assert grant.last_ok_at is not None
            fresh = dt.timedelta(seconds=portal_settings.GRANT_FRESH_SECONDS)
            assert self.now - grant.last_ok_at <= fresh
        self._forget_faults()

    @rule()
    def pause(self) -> None:
        with self._at(), tenancy.use(self.case.firm.client_side), _maybe_refused():
            engagement_pause(engagement=self.case.fresh(), actor=acting(self.case.firm.approver))

    @rule()
    def resume(self) -> None:
        with self._at(), tenancy.use(self.case.firm.client_side), _maybe_refused():
            engagement_resume(engagement=self.case.fresh(), actor=acting(self.case.firm.approver))

    @precondition(lambda self: self.may_begin is None)
    @rule()
    def end(self) -> None:
        self._end()

    @precondition(lambda self: self.may_begin is not None)
    @rule(breaks=st.booleans(), times=st.integers(1, 4))
    def probe(self, breaks: bool, times: int) -> None:  # noqa: FBT001  # hypothesis draws it
        before = self._row()["status"]
        for _ in range(times):
            with self._at(), self._hub(is_broken=breaks), tenancy.use(self.case.firm.practice_side):
                closing_begin(engagement_id=self.case.engagement.pk)
                closing_probe(grant_id=self.case.grant().pk)
            self.now += dt.timedelta(minutes=2)
        if self._row()["status"] == GrantStatus.GONE and before != GrantStatus.GONE:
            assert self.role in {"absent", "shut"}
            assert not breaks
        self._forget_faults()

    # ------------------------------------------------------------ what must hold

    def teardown(self) -> None:
        self._assert_visits()
        self._assert_history()
        self._assert_chain()
        self._assert_exit()

    def put_back(self) -> None:
        """The account as the next run finds it; the same role if nobody touched it."""
        if self.role != "agreed":
            self.make_anew()

    def _assert_true(self, before: dict[str, Any], after: dict[str, Any]) -> None:  # Any: columns
        """What was proved is what stands there."""
        wanted = {
            "agreed": Verdict.OK,
            "open": Verdict.UNSAFE,
            "any caller": Verdict.UNSAFE,
            "wider": Verdict.DRIFTED,
            "less": Verdict.DRIFTED,
            "shut": Verdict.DENIED,
            "absent": Verdict.DENIED,
        }[self.role]
        assert after["last_verdict"] == wanted
        match wanted:
            case Verdict.OK:
                assert after["status"] == GrantStatus.VERIFIED
            case Verdict.UNSAFE:
                assert after["status"] == GrantStatus.UNSAFE
            case Verdict.DRIFTED:
                assert (after["status"], after["is_narrower"]) == (GrantStatus.DRIFTED, self.role == "less")
            case _:
                moved = after["status"] != before["status"]
                assert not moved or (after["status"], after["denials"]) == (GrantStatus.UNREACHABLE, 2)

    def _assert_visits(self) -> None:
        """I2 and I5: each session has its intent before it, none outlives the consent, none after its end."""
        engagement, kinds = self.case.fresh(), self.case.kinds()
        with tenancy.use(self.case.firm.practice_side):
            consent = Consent.objects.get(engagement=engagement)
        visits = self.case.visits()
        with tenancy.use(self.case.firm.practice_side):
            for visit in visits:
                if visit.status == VisitStatus.INTENDED:
                    visit_orphan(visit_id=visit.pk)
        issued = [visit for visit in visits if visit.status == VisitStatus.ISSUED]
        assert kinds.count(AccessEvent.VISIT_INTENDED) == len(visits)
        assert kinds.count(AccessEvent.VISIT_ISSUED) == len(issued)
        for visit in issued:
            assert visit.issued_at is not None
            assert visit.ends_at is not None
            assert visit.intended_at <= visit.issued_at
            assert visit.ends_at <= min(visit.worst_case_until, engagement.ends_at)
            assert self.may_begin is None or visit.issued_at <= self.may_begin
            assert consent.withdrawn_at is None or visit.issued_at <= consent.withdrawn_at

    def _assert_history(self) -> None:
        """I3: one record for each move, each an edge of the table, each beginning where the last one ended."""
        moves = [details for kind, details in self.case.told() if kind == AccessEvent.GRANT_MOVED]
        edges = [(GrantStatus(move["from"]), GrantStatus(move["to"])) for move in moves]
        assert set(edges) <= EDGES
        assert [before for before, _ in edges[1:]] == [after for _, after in edges[:-1]]
        status = self._row()["status"]
        assert status == edges[-1][1] or (edges[-1][1], status) == (GrantStatus.ENDING, GrantStatus.GONE)

    def _assert_chain(self) -> None:
        """I8: the record of the practice is unbroken."""
        with tenancy.use(self.case.firm.practice_side):
            head = AuditHead.objects.get(practice_id=self.case.firm.practice.pk)
            rows = AuditEvent.objects.filter(practice_id=self.case.firm.practice.pk).order_by("seq")
            events = list(rows.filter(seq__gt=head.seq - 40))
        for earlier, later in itertools.pairwise(events):
            assert (later.seq, bytes(later.prev)) == (earlier.seq + 1, bytes(earlier.hash))
            assert audit.link(bytes(later.prev), audit.header(later)) == bytes(later.hash)
        assert bytes(events[-1].hash) == bytes(head.hash)

    def _assert_exit(self) -> None:
        """I10: what is closed has its proof, written when every session was over and the role refused for long."""
        if self._row()["status"] != GrantStatus.GONE:
            assert self.case.fresh().status != EngagementStatus.CLOSED
            return
        proof = self.case.proof()
        assert proof.proved_at is not None
        assert proof.refused_since is not None
        waited = dt.timedelta(seconds=portal_settings.EXIT_PROOF_SECONDS)
        assert proof.refusals >= 3
        assert proof.proved_at - proof.refused_since >= waited
        assert all(
            visit.latest_end <= proof.proved_at
            for visit in self.case.visits()
            if visit.status != VisitStatus.REFUSED
        )

    # ------------------------------------------------------------ inside

    def _remove(self) -> None:
        """AWS deletes no stack whose role has got a policy from elsewhere (AWS_FACTS §8)."""
        if self.role == "wider":
            self.world.remove_policy(self.case, "more")
        self.world.remove(self.case)
        self.role = "absent"

    def _end(self) -> None:
        with self._at():
            end_by_client(self.case)
        self.may_begin = self.now

    def _arrange(self, meanwhile: str) -> None:
        """Something happens while AWS is asked who we are."""
        door = self.world.door
        match meanwhile:
            case "end" if self.may_begin is None:
                door.before("caller_identity", self._end)
            case "pause":
                door.before("caller_identity", self.pause)
            case "delete" if self.role != "absent":
                door.before("signin_token", self.delete)
            case "fault":
                door.fail("caller_identity", FAULTS["timed out"])
            case _:
                pass

    def _forget_faults(self) -> None:
        self.world.door.acts.clear()
        self.is_faulty = False

    def _issued_since(self, count: int) -> int:
        return sum(visit.status == VisitStatus.ISSUED for visit in self.case.visits()[count:])

    def _row(self) -> dict[str, Any]:  # Any: columns
        with tenancy.use(self.case.firm.practice_side):
            (row,) = Grant.objects.filter(engagement=self.case.engagement).values()
        return dict(row)

    def _proved(self, row: dict[str, Any]) -> dict[str, Any]:  # Any: columns
        return {name: row[name] for name in PROVED}

    @contextmanager
    def _at(self) -> Iterator[None]:
        """Each act takes a second, so that of two acts one is the later."""
        self.now += dt.timedelta(seconds=1)
        with clock.frozen(self.now):
            yield

    @contextmanager
    def _hub(self, *, is_broken: bool) -> Iterator[None]:
        """Our hub may enter nobody: every client refuses us at once."""
        if not is_broken:
            yield
            return
        with _broken_hub(self.world):
            yield


def _conditions(document: dict[str, Any]) -> dict[str, Any]:  # Any: IAM's JSON
    found: dict[str, Any] = document["Statement"][0]["Condition"]
    return found


def _another_id(document: dict[str, Any]) -> None:  # Any: IAM's JSON
    _conditions(document)["StringEquals"] = {"sts:ExternalId": "another-" + "0" * 30}


def _sooner(document: dict[str, Any]) -> None:  # Any: IAM's JSON
    end = dt.datetime.fromisoformat(_conditions(document)["DateLessThan"]["aws:CurrentTime"])
    earlier = (end - dt.timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    _conditions(document)["DateLessThan"] = {"aws:CurrentTime": earlier}


@contextmanager
def _maybe_refused() -> Iterator[None]:
    try:
        yield
    except PortalError:
        return


@contextmanager
def _broken_hub(world: World) -> Iterator[None]:
    """AWS refuses the hub everything, as after somebody took sts:AssumeRole away from it."""
    inner = world.door.inner
    world.door.inner = cast("AwsGateway", _Powerless(inner))  # the rest of it is the inner one's
    try:
        yield
    finally:
        world.door.inner = inner


class _Powerless:
    """A hub whose every AssumeRole is refused, while GetCallerIdentity goes on answering."""

    def __init__(self, inner: Any) -> None:  # Any: a gateway
        self._inner = inner

    def __getattr__(self, name: str) -> Any:  # Any: whatever the gateway has
        return getattr(self._inner, name)

    def assume(self, *_: object) -> None:
        raise AwsDenied(code="AccessDenied")

    def control(self, *_: object) -> None:
        raise AwsMisconfigured(code="AccessDenied")

    assume_as_another = control


def _lives(case: Case, world: World, *, runs: int, steps: int) -> int:
    """Each run begins at the same savepoint, so that it costs its own steps alone. Gives how many there were."""
    begun: list[int] = []

    class FromHere(Life):
        def __init__(self) -> None:
            begun.append(1)
            self.savepoint = connection.savepoint()
            super().__init__(case, world)

        def teardown(self) -> None:
            try:
                super().teardown()
            finally:
                world.door.acts.clear()
                connection.savepoint_rollback(str(self.savepoint))
                self.put_back()

    run_state_machine_as_test(
        FromHere,
        settings=settings(
            max_examples=runs,
            phases=[Phase.generate, Phase.shrink] if runs > 100 else [Phase.generate],
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return len(begun)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_grant_and_its_visits_live_by_the_rules(north: Firm, memory: InMemory, part: int) -> None:
    case, runs = verified(north, memory), max(3, RUNS // PARTS)
    # What is asked for is an upper bound to hypothesis, and the promise is a lower one.
    assert _lives(case, memory, runs=runs, steps=STEPS) >= runs
    assert len(HUBS) == 2


@pytest.mark.skipif(RUNS < 10, reason="fewer runs than anything could be told from")
def test_they_live_by_the_same_rules_over_the_wire(north: Firm, simulated: Simulated) -> None:
    case, runs = verified(north, simulated), max(3, RUNS // 80)
    assert _lives(case, simulated, runs=runs, steps=6) >= runs
    with tenancy.use(north.practice_side):
        assert Verification.objects.exists()
