"""Somebody who leaves while they enter: the visit was before, or it is refused, and its end is written either way."""

from __future__ import annotations

import pytest

from accounts.lifecycle import MemberRole
from accounts.models import Membership, User
from awsaccess.aws.arns import ConsoleService
from awsaccess.lifecycle import VisitStatus
from awsaccess.services.visits import TAKEN_OFF, visit_open
from engagements.lifecycle import AssignmentRole
from engagements.models import Assignment
from engagements.services.people import assignment_end, assignment_make, membership_end
from portal.kernel import tenancy
from portal.kernel.errors import NotAllowed, NotVisible
from tests.awsaccess.services.cast import REASON, Case, enter, make_practice, verified
from tests.awsaccess.services.test_races import assert_chain_holds, at_once
from tests.awsaccess.services.worlds import InMemory
from tests.factories import Firm, acting, make_consultant

ROUNDS = 4


@pytest.fixture
def firm(real_db: None) -> Firm:
    return make_practice("northgate")


def put_on(case: Case, user: User, role: AssignmentRole = AssignmentRole.MEMBER) -> Assignment:
    with tenancy.use(case.firm.practice_side):
        return assignment_make(
            engagement=case.fresh(), consultant=user, role=role, actor=acting(case.firm.owner)
        )


def send_away(firm: Firm, user: User) -> None:
    with tenancy.use(firm.practice_side):
        place = Membership.objects.select_related("user").get(user=user)
        membership_end(membership=place, actor=acting(firm.owner))


def enter_as(case: Case, user: User) -> None:
    """As the console does it: in a scope that names the person."""
    seen = case.fresh()
    with tenancy.use(tenancy.practice_scope(case.firm.practice.pk, user_id=user.pk)):
        visit_open(
            engagement=seen,
            consultant=user,
            reason=REASON,
            service=ConsoleService.COSTS,
            actor=acting(user),
        )


@pytest.mark.parametrize("scope", ["of the person", "of the machine"])
def test_a_visit_against_leaving_is_before_it_or_refused(firm: Firm, memory: InMemory, scope: str) -> None:
    case = verified(firm, memory)
    for number in range(ROUNDS):
        ben = make_consultant(firm, f"ben{number}")
        put_on(case, ben)
        before = len(case.visits())

        def come_in(ben: User = ben) -> None:
            enter_as(case, ben) if scope == "of the person" else enter(case, who=ben)

        def go(ben: User = ben) -> None:
            send_away(firm, ben)

        entered, went = at_once(come_in, go)
        assert went == "done"
        assert entered in {"done", "VisitRefused", "NotAllowed", "NotVisible"}
        with tenancy.use(firm.practice_side):
            left_at = Membership.objects.get(user=ben).ended_at
        assert left_at is not None
        for visit in case.visits()[before:]:
            assert visit.status == (VisitStatus.ISSUED if entered == "done" else VisitStatus.REFUSED)
            assert visit.issued_at is None or visit.issued_at < left_at
    assert_chain_holds(firm)


def test_who_is_sent_away_while_aws_is_asked_gets_nothing(
    firm: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, ben = verified(firm, memory), make_consultant(firm, "ben")
    put_on(case, ben)
    monkeypatch.setattr(
        "awsaccess.services.visits._signed_in",
        lambda *_asked: at_once(lambda: send_away(firm, ben)) and "token",
    )
    with pytest.raises(Exception, match="taken off it"):
        enter_as(case, ben)
    visit = case.visit()
    assert (visit.status, visit.refusal) == (VisitStatus.REFUSED, TAKEN_OFF)
    assert visit.ends_at is not None


def test_who_left_was_taken_off_or_only_looks_on_does_not_enter(firm: Firm, memory: InMemory) -> None:
    case = verified(firm, memory)
    gone, off, looks_on = (make_consultant(firm, word) for word in ("gone", "off", "looks"))
    put_on(case, gone)
    row = put_on(case, off)
    put_on(case, looks_on, AssignmentRole.OBSERVER)
    send_away(firm, gone)
    with tenancy.use(firm.practice_side):
        assignment_end(assignment=row, actor=acting(firm.owner))
    for user in (gone, off, looks_on):
        with pytest.raises(NotAllowed):
            enter(case, who=user)
    for user in (gone, off):
        with pytest.raises(NotVisible):
            enter_as(case, user)
    assert case.visits() == []


def test_an_auditor_does_not_enter_whatever_was_forgotten(firm: Firm, memory: InMemory) -> None:
    case, ben = verified(firm, memory), make_consultant(firm, "ben")
    put_on(case, ben)
    with tenancy.use(firm.practice_side):
        Membership.objects.filter(user=ben).update(role=MemberRole.AUDITOR)
    with pytest.raises(NotAllowed):
        enter(case, who=ben)
