"""The doorbell: AWS is asked after the client's yes and not before, one yes is one visit, and one answer counts."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any, Final

import pytest
from django.db import connection

from accounts.lifecycle import ContactRole
from accounts.services.attempts import Limit
from awsaccess.aws.arns import ConsoleService
from awsaccess.lifecycle import AccessEvent, VisitStatus
from awsaccess.services.visits import visit_open
from engagements.lifecycle import DOORBELL_MOVES, AssignmentRole, DoorbellStatus, EngagementEvent
from engagements.models import Assignment, Doorbell, Engagement
from engagements.services import doorbells
from engagements.services.doorbells import (
    LASTS,
    NoDoorbell,
    NotLetIn,
    doorbell_answer,
    doorbell_expire,
    doorbell_ring,
)
from engagements.services.drafts import BadDraft, engagement_draft
from engagements.services.pauses import engagement_pause
from portal.kernel import clock, due, tenancy
from portal.kernel.errors import InvalidMove, NotAllowed, PortalError, RateLimited
from portal.kernel.models import AuditEvent
from tests.awsaccess.services.cast import Case, check, drafted, enter, make_practice, send, verified, watch
from tests.awsaccess.services.worlds import InMemory, World
from tests.factories import Firm, acting, give_consent, make_contact

_S = DoorbellStatus
WHY: Final = "look at last month's bill"


def with_a_doorbell(firm: Firm, world: World, *, break_glass: bool = False) -> Case:
    """Verified; the client agreed to let each visit in."""
    case = drafted(firm)
    with tenancy.use(firm.practice_side):
        Engagement.objects.filter(pk=case.engagement.pk).update(doorbell=True, break_glass=break_glass)
    send(case)
    give_consent(firm, case.engagement)
    watch(case)
    world.deploy(case)
    check(case)
    return case


def ring(case: Case, *, reason: str = WHY, **over: Any) -> Doorbell:  # Any: who rings
    who = over.get("who", case.firm.owner)
    with tenancy.use(case.firm.practice_side):
        return doorbell_ring(
            engagement=case.fresh(), consultant=who, reason=reason, kind="console", actor=acting(who)
        )


def answer(case: Case, doorbell: Doorbell, *, let_in: bool = True) -> Doorbell:
    firm = case.firm
    with tenancy.use(firm.client_side):
        return doorbell_answer(
            doorbell=doorbell, contact=firm.contact, let_in=let_in, actor=acting(firm.approver)
        )


def now_of(case: Case, doorbell: Doorbell) -> Doorbell:
    with tenancy.use(case.firm.practice_side):
        return Doorbell.objects.get(pk=doorbell.pk)


def passes(case: Case, doorbell: Doorbell) -> None:
    """Its time is over, and nobody has noticed yet."""
    with tenancy.use(case.firm.practice_side):
        Doorbell.objects.filter(pk=doorbell.pk).update(expires_at=clock.now() - dt.timedelta(seconds=1))


def expire(case: Case, doorbell: Doorbell) -> None:
    with tenancy.use(case.firm.practice_side):
        doorbell_expire(doorbell_id=doorbell.pk)


def calls(memory: InMemory) -> int:
    return sum(call.method == "assume" for call in memory.fake.calls)


def test_the_table_of_moves_is_whole() -> None:
    assert set(DOORBELL_MOVES) == set(_S)
    onward = {status: to for status, to in DOORBELL_MOVES.items() if to}
    assert onward == {
        _S.RINGING: {_S.LET_IN, _S.NOT_NOW, _S.EXPIRED},
        _S.LET_IN: {_S.USED, _S.EXPIRED},
    }


def test_without_a_yes_aws_is_not_asked(north: Firm, memory: InMemory) -> None:
    case = with_a_doorbell(north, memory)
    before = calls(memory)
    with pytest.raises(NotLetIn):
        enter(case)
    ring(case)
    with pytest.raises(NotLetIn):
        enter(case)
    assert (case.visits(), calls(memory)) == ([], before)


def test_a_yes_is_one_visit_for_what_was_asked(north: Firm, world: World) -> None:
    case = with_a_doorbell(north, world)
    asked = ring(case)
    assert (asked.status, asked.consultant_name, asked.reason) == (_S.RINGING, "Maya Okafor", WHY)
    assert case.promised("engagements.rang") == 1
    yes = answer(case, asked)
    assert (yes.status, yes.answered_by_id) == (_S.LET_IN, north.approver.pk)
    assert case.promised("engagements.let_in") == 1
    enter(case, reason="something else altogether")
    visit = case.visit()
    assert (visit.status, visit.reason, visit.doorbell_id) == (VisitStatus.ISSUED, WHY, asked.pk)
    assert now_of(case, asked).status == _S.USED
    with pytest.raises(NotLetIn):
        enter(case)
    assert [kind for kind in case.kinds() if ":doorbell:" in kind] == [
        EngagementEvent.RANG,
        EngagementEvent.LET_IN,
        EngagementEvent.LET_IN_USED,
    ]


def test_not_now_opens_nothing_and_can_be_asked_again(north: Firm, memory: InMemory) -> None:
    case = with_a_doorbell(north, memory)
    asked = ring(case)
    assert answer(case, asked, let_in=False).status == _S.NOT_NOW
    assert case.promised("engagements.not_now") == 1
    assert EngagementEvent.NOT_LET_IN in case.kinds()
    with pytest.raises(NotLetIn):
        enter(case)
    with pytest.raises(InvalidMove):
        answer(case, asked)
    assert ring(case).pk != asked.pk


def test_who_rang_waits_for_the_answer(north: Firm, memory: InMemory) -> None:
    case = with_a_doorbell(north, memory)
    asked = ring(case)
    with pytest.raises(InvalidMove):
        ring(case)
    answer(case, asked)
    with pytest.raises(InvalidMove):
        ring(case)


@pytest.mark.parametrize("let_in", [False, True])
def test_after_an_hour_it_is_over(north: Firm, memory: InMemory, *, let_in: bool) -> None:
    case = with_a_doorbell(north, memory)
    asked = ring(case)
    if let_in:
        answer(case, asked)
    with tenancy.use(north.practice_side):
        planned = due.next_look(doorbells.RING_OVER, asked.pk)
    assert planned == now_of(case, asked).expires_at
    assert abs(planned - clock.now() - LASTS) < dt.timedelta(minutes=1)
    expire(case, asked)
    assert now_of(case, asked).status == (_S.LET_IN if let_in else _S.RINGING)  # too early
    passes(case, asked)
    with pytest.raises(PortalError):
        enter(case)
    expire(case, asked)
    expire(case, asked)
    assert now_of(case, asked).status == _S.EXPIRED
    assert case.kinds().count(EngagementEvent.RING_EXPIRED) == 1


def test_an_answer_that_comes_too_late_lets_nobody_in(north: Firm, memory: InMemory) -> None:
    case = with_a_doorbell(north, memory)
    asked = ring(case)
    passes(case, asked)
    with pytest.raises(InvalidMove):
        answer(case, asked)
    assert now_of(case, asked).status == _S.RINGING
    assert EngagementEvent.RING_REFUSED in [kind for kind, _ in told_of(case, asked)]


def told_of(case: Case, asked: Doorbell) -> list[tuple[str, Any]]:  # Any: JSON
    with tenancy.use(case.firm.practice_side):
        return [(row.kind, None) for row in AuditEvent.objects.filter(about_id=asked.pk)]


def test_a_ring_that_is_over_makes_room_though_nobody_noticed(north: Firm, memory: InMemory) -> None:
    case = with_a_doorbell(north, memory)
    asked = ring(case)
    passes(case, asked)
    assert ring(case).status == _S.RINGING
    assert now_of(case, asked).status == _S.EXPIRED


def test_only_who_may_agree_answers(north: Firm, memory: InMemory) -> None:
    case = with_a_doorbell(north, memory)
    asked = ring(case)
    viewer = make_contact(north, "vera", ContactRole.VIEWER)
    with tenancy.use(north.client_side), pytest.raises(NotAllowed):
        doorbell_answer(doorbell=asked, contact=viewer, let_in=True, actor=acting(viewer.user))
    with tenancy.use(north.practice_side), pytest.raises(NotAllowed):
        doorbell_answer(doorbell=asked, contact=north.contact, let_in=True, actor=acting(north.owner))
    assert now_of(case, asked).status == _S.RINGING


def test_a_client_cannot_ring_for_somebody(north: Firm, memory: InMemory) -> None:
    case = with_a_doorbell(north, memory)
    with tenancy.use(north.client_side), pytest.raises(Exception, match="row-level security"):
        doorbell_ring(
            engagement=case.fresh(),
            consultant=north.owner,
            reason=WHY,
            kind="console",
            actor=acting(north.approver),
        )


def test_another_practice_sees_no_ring(north: Firm, harbour: Firm, memory: InMemory) -> None:
    ring(with_a_doorbell(north, memory))
    with tenancy.use(harbour.practice_side):
        assert not Doorbell.objects.exists()


def test_while_the_access_is_off_nobody_rings_or_is_let_in(north: Firm, memory: InMemory) -> None:
    case = with_a_doorbell(north, memory)
    asked = ring(case)
    with tenancy.use(north.client_side):
        engagement_pause(engagement=case.fresh(), actor=acting(north.approver))
    with pytest.raises(InvalidMove):
        answer(case, asked)
    assert answer(case, asked, let_in=False).status == _S.NOT_NOW
    with pytest.raises(InvalidMove):
        ring(case)


def test_who_does_not_work_on_it_cannot_ring(north: Firm, memory: InMemory) -> None:
    case = with_a_doorbell(north, memory)
    with tenancy.use(north.practice_side):
        Assignment.objects.filter(engagement=case.engagement).update(role=AssignmentRole.OBSERVER)
    with pytest.raises(NotAllowed):
        ring(case)


def test_a_ring_needs_a_reason_and_a_doorbell(north: Firm, memory: InMemory) -> None:
    with pytest.raises(InvalidMove):
        ring(with_a_doorbell(north, memory), reason="  ")


def test_where_there_is_no_doorbell_nobody_rings(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    with pytest.raises(NoDoorbell):
        ring(case)
    enter(case)
    assert case.visit().doorbell_id is None


def test_a_mailbox_cannot_be_flooded(north: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    case = with_a_doorbell(north, memory)
    ring(case)
    monkeypatch.setattr(doorbells, "RINGS", Limit(name="doorbell", tries=1, within=LASTS))
    with pytest.raises(RateLimited):
        ring(case)


def test_what_is_not_there_expires_quietly(north: Firm) -> None:
    with tenancy.use(north.practice_side):
        doorbell_expire(doorbell_id=north.practice.pk)


# An emergency, where the client agreed to it.


def force(case: Case) -> object:
    return enter(case, reason="the shop is down", is_emergency=True)


def test_in_an_emergency_nobody_waits_and_the_client_is_told_at_once(north: Firm, world: World) -> None:
    case = with_a_doorbell(north, world, break_glass=True)
    force(case)
    visit = case.visit()
    assert (visit.status, visit.reason) == (VisitStatus.ISSUED, "the shop is down")
    with tenancy.use(north.practice_side):
        (forced,) = Doorbell.objects.all()
    assert (forced.status, forced.pk) == (_S.FORCED, visit.doorbell_id)
    assert case.promised("engagements.came_in") == 1
    kinds = case.kinds()
    assert kinds.index(EngagementEvent.CAME_IN_UNASKED) < kinds.index(AccessEvent.VISIT_ISSUED)


@pytest.mark.parametrize("doorbell", [False, True])
def test_what_was_not_agreed_is_no_emergency(north: Firm, memory: InMemory, *, doorbell: bool) -> None:
    case = with_a_doorbell(north, memory) if doorbell else verified(north, memory)
    before = calls(memory)
    with pytest.raises(NoDoorbell):
        force(case)
    assert (case.visits(), calls(memory), case.promised("engagements.came_in")) == ([], before, 0)


def test_an_emergency_without_a_reason_is_none(north: Firm, memory: InMemory) -> None:
    case = with_a_doorbell(north, memory, break_glass=True)
    with pytest.raises(PortalError):
        enter(case, reason=" ", is_emergency=True)
    assert case.visits() == []


def test_an_emergency_does_not_open_what_is_off(north: Firm, memory: InMemory) -> None:
    case = with_a_doorbell(north, memory, break_glass=True)
    with tenancy.use(north.client_side):
        engagement_pause(engagement=case.fresh(), actor=acting(north.approver))
    with pytest.raises(PortalError):
        force(case)
    assert case.visits() == []


def test_the_terms_are_part_of_what_is_hashed(north: Firm, memory: InMemory) -> None:
    held = with_a_doorbell(north, memory, break_glass=True).offer().documents
    assert (held["doorbell"], held["break_glass"]) == (True, True)


def test_without_the_terms_an_offer_says_nothing_of_them(north: Firm, memory: InMemory) -> None:
    assert {"doorbell", "break_glass"}.isdisjoint(verified(north, memory).offer().documents)


def test_an_exception_needs_its_rule(north: Firm) -> None:
    with tenancy.use(north.practice_side), pytest.raises(BadDraft):
        engagement_draft(
            client=north.client,
            lead=north.owner,
            title="x",
            purpose="x",
            profile="cost_review",
            ends_at=clock.now() + LASTS,
            actor=acting(north.owner),
            break_glass=True,
        )


# Races, each on connections of their own.


def together(*acts: Callable[[], object]) -> list[str]:
    """What came of acts that began in the same instant: "done", or the name of the refusal."""
    ready, found = threading.Barrier(len(acts)), ["" for _ in acts]

    def run(number: int, act: Callable[[], object]) -> None:
        ready.wait(30)
        try:
            act()
            found[number] = "done"
        except PortalError as error:
            found[number] = type(error).__name__
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(at, act)) for at, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return sorted(found)


@pytest.fixture
def real_north(real_db: None) -> Firm:
    return make_practice("northgate")


def test_of_two_answers_at_once_one_counts(real_north: Firm, memory: InMemory) -> None:
    case = with_a_doorbell(real_north, memory)
    for _ in range(5):
        asked = ring(case)
        came = together(lambda: answer(case, asked), lambda: answer(case, asked, let_in=False))  # noqa: B023
        assert came == ["InvalidMove", "done"]
        if now_of(case, asked).status == _S.LET_IN:
            passes(case, asked)
            expire(case, asked)


def test_of_two_entries_on_one_yes_one_gets_in(real_north: Firm, memory: InMemory) -> None:
    case = with_a_doorbell(real_north, memory)
    for number in range(1, 4):
        answer(case, ring(case))
        came = together(lambda: enter(case), lambda: enter(case))
        assert came == ["NotLetIn", "done"]
        assert len(case.visits()) == number


def test_a_yes_against_the_end_of_its_hour_is_one_of_them(real_north: Firm, memory: InMemory) -> None:
    case = with_a_doorbell(real_north, memory)
    asked = ring(case)
    passes(case, asked)
    came = together(lambda: answer(case, asked), lambda: expire(case, asked))
    assert came == ["InvalidMove", "done"]
    assert now_of(case, asked).status == _S.EXPIRED


def test_visit_open_takes_no_ring_of_somebody_else(north: Firm, memory: InMemory) -> None:
    case = with_a_doorbell(north, memory)
    answer(case, ring(case))
    with tenancy.use(north.practice_side):
        Doorbell.objects.get()  # Maya's
        other = make_contact(north, "zoe", ContactRole.VIEWER).user
        with pytest.raises(NotAllowed):
            visit_open(
                engagement=case.fresh(),
                consultant=other,
                reason=WHY,
                service=ConsoleService.HOME,
                actor=acting(other),
            )
