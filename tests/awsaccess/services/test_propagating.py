"""AWS knows a change minutes later, in either direction: nobody is told too early that it is on, off or exchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from awsaccess.lifecycle import GrantStatus, RotationStatus
from engagements.lifecycle import EngagementStatus
from tests.awsaccess.services.cast import Case, begin_closing, check, end_by_client, enter, watched
from tests.awsaccess.services.test_leaving import confirm, is_gone, probe
from tests.awsaccess.services.test_rotating import act, begin, health, newest, proved, published, ready
from tests.awsaccess.services.worlds import Simulated
from tests.factories import Firm

LATE = 600.0  # seconds; long enough that a slow machine does not live through it
Pass = Callable[[], None]


@pytest.fixture
def slow(simulated: Simulated) -> Iterator[Pass]:
    """Changes of roles take a while from the first call on; the second call lets that pass."""
    moments = iter((0.0, LATE + 60, 2 * LATE + 120))

    def pass_on() -> None:
        simulated.sandbox.control("PUT", "clock", offset_seconds=next(moments))
        simulated.sandbox.control("PUT", "propagation", delay_seconds=LATE)

    yield pass_on
    simulated.sandbox.control("PUT", "propagation", delay_seconds=0)
    simulated.sandbox.control("PUT", "clock", offset_seconds=0)


def test_a_role_that_aws_does_not_know_yet_is_waited_for_and_nobody_is_told(
    north: Firm, simulated: Simulated, slow: Pass
) -> None:
    case = watched(north)
    slow()
    simulated.deploy(case)
    for _ in range(4):
        check(case)
    assert (health(case), case.fresh().status) == (GrantStatus.EXPECTED, EngagementStatus.AGREED)
    assert case.promised("engagements.problem") == 0
    slow()
    check(case)
    assert (health(case), case.fresh().status) == (GrantStatus.VERIFIED, EngagementStatus.ACTIVE)
    simulated.remove(case)


def test_a_role_that_was_deleted_is_not_called_gone_while_aws_still_opens_it(
    north: Firm, simulated: Simulated, slow: Pass, settings: Any
) -> None:
    settings.EXIT_PROOF_SECONDS = 0
    case = ready(north, simulated)
    slow()
    simulated.remove(case)
    end_by_client(case)
    begin_closing(case)
    confirm(case)
    assert [probe(case) is None for _ in range(3)] == [False, False, False]
    proof = case.proof()
    assert (proof.refusals, proof.refused_since, proof.last_opened_at is not None) == (0, None, True)
    assert not is_gone(case)
    slow()
    assert [probe(case) is None for _ in range(3)] == [False, False, True]
    assert is_gone(case)


def test_a_key_is_not_exchanged_before_aws_takes_it(north: Firm, simulated: Simulated, slow: Pass) -> None:
    """IAM shows the new lock at once, STS takes it later: what is read is not believed alone, and nobody is kept out."""
    case = ready(north, simulated)
    begin(case)
    published(case)
    slow()
    act(simulated, case)
    assert proved(case) is RotationStatus.ADDING
    found = case.verifications()[-1].findings
    assert (found["lock"], found["with_other_id"]) == ("both", "refused")
    enter(case)
    slow()
    assert proved(case) is RotationStatus.DROPPING
    act(simulated, case)
    assert proved(case) is RotationStatus.DROPPING  # the old one opens for a while
    assert case.verifications()[-1].findings["with_other_id"] == "opened"
    slow()
    check(
        case
    )  # the portal's own kept sessions are over in AWS's time, and not in ours: this look proves nothing
    assert proved(case) is RotationStatus.DONE
    enter(case)
    assert (newest(case).status, statuses(case)) == (RotationStatus.DONE, {"issued"})
    simulated.remove(case)


def statuses(case: Case) -> set[str]:
    return {visit.status for visit in case.visits()}
