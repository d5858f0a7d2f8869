"""Two who act in the same instant on real connections, and the whole AWS side driven by sweeps as the worker."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from awsaccess.lifecycle import AccessEvent, GrantStatus, VisitStatus
from awsaccess.services.hubs import hub_set_up
from engagements.lifecycle import EngagementStatus
from engagements.services.pauses import engagement_pause
from portal.kernel import audit, clock, due, outbox, tenancy
from portal.kernel.errors import PortalError
from portal.kernel.models import AuditEvent, AuditHead
from tests.awsaccess.services.cast import (
    HUBS,
    Case,
    agreed,
    begin_closing,
    check,
    closing,
    drafted,
    end_by_client,
    enter,
    make_practice,
    publish,
    send,
    sent,
    verified,
    watched,
)
from tests.awsaccess.services.test_leaving import probe
from tests.awsaccess.services.test_visits import killed_while_asked
from tests.awsaccess.services.worlds import InMemory
from tests.conftest import SqlAs
from tests.factories import Firm, acting, give_consent

AsWorker = Callable[[], AbstractContextManager[None]]
ROUNDS = 2


@pytest.fixture
def firm(real_db: None) -> Firm:
    return make_practice("northgate")


def at_once(*acts: Callable[[], Any]) -> list[str]:
    """Let every act begin in the same instant on its own connection; what each got."""
    barrier, results = threading.Barrier(len(acts)), [""] * len(acts)

    def run(place: int, act: Callable[[], Any]) -> None:
        try:
            connection.ensure_connection()
            barrier.wait(20)
            act()
            results[place] = "done"
        except PortalError as error:
            results[place] = type(error).__name__
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def assert_chain_holds(firm: Firm) -> None:
    with tenancy.use(firm.practice_side):
        events = list(AuditEvent.objects.order_by("seq"))
        assert audit.first_fault(events, head=AuditHead.objects.get()) is None


def test_of_checks_in_the_same_instant_one_is_written(firm: Firm, memory: InMemory) -> None:
    case = watched(firm)
    for _ in range(ROUNDS):
        case = watched(firm)
        memory.deploy(case)
        assert at_once(*[partial(check, case)] * 4) == ["done"] * 4
        assert case.grant().status == GrantStatus.VERIFIED
        moves = [row["to"] for kind, row in case.told() if kind == AccessEvent.GRANT_MOVED]
        assert moves == ["checking", "verified"]
        assert [row.verdict for row in case.verifications()] == ["ok"]
        assert case.fresh().status == EngagementStatus.ACTIVE
    assert case.promised("engagements.access_on") == ROUNDS
    assert_chain_holds(firm)


def test_a_check_against_the_clients_end_never_brings_the_access_back(firm: Firm, memory: InMemory) -> None:
    for _ in range(ROUNDS):
        case = verified(firm, memory)
        memory.widen(case)

        def end(case: Case = case) -> None:
            end_by_client(case)
            begin_closing(case)

        def look(case: Case = case) -> None:
            check(case)

        assert at_once(look, end) == ["done", "done"]
        assert case.grant().status == GrantStatus.ENDING
        assert case.fresh().status == EngagementStatus.CLOSING
        assert case.next_check() is None
    assert_chain_holds(firm)


def test_a_visit_against_the_clients_pause_is_before_it_or_refused(firm: Firm, memory: InMemory) -> None:
    for _ in range(ROUNDS):
        case = verified(firm, memory)

        def pause(case: Case = case) -> None:
            with tenancy.use(firm.client_side):
                engagement_pause(engagement=case.fresh(), actor=acting(firm.approver))

        def come_in(case: Case = case) -> None:
            enter(case)

        entered, paused = at_once(come_in, pause)
        assert paused == "done"
        assert [visit.status for visit in case.visits()] in (
            [[VisitStatus.ISSUED]] if entered == "done" else [[], [VisitStatus.REFUSED]]
        )
        for visit in case.visits():
            paused_at = case.fresh().paused_at
            assert visit.issued_at is None or (paused_at is not None and visit.issued_at <= paused_at)
    assert_chain_holds(firm)


def test_one_form_sent_twice_at_once_enters_once(firm: Firm, memory: InMemory) -> None:
    case, key = verified(firm, memory), uuid4()
    both = at_once(lambda: enter(case, visit_id=key), lambda: enter(case, visit_id=key))
    assert sorted(both) == ["VisitRefused", "done"]
    assert case.visit().status == VisitStatus.ISSUED


def test_sending_in_two_tabs_at_once_sends_once(firm: Firm, memory: InMemory) -> None:
    case = drafted(firm)
    assert sorted(at_once(lambda: send(case), lambda: send(case))) == ["InvalidMove", "done"]
    assert case.offer().number == 1
    assert case.grant().status == GrantStatus.EXPECTED
    assert case.promised("engagements.invitation") == 1


def test_publishing_twice_at_once_pins_one_version(firm: Firm, memory: InMemory) -> None:
    case = sent(firm)
    assert at_once(lambda: publish(case), lambda: publish(case)) == ["done", "done"]
    assert case.kinds().count("engagement:offer:published") == 1
    assert case.offer().template_version_id in {version for _, _, version in memory.fake.uploads}


def test_two_probes_at_once_prove_once(firm: Firm, memory: InMemory, settings: Any) -> None:
    settings.EXIT_PROOF_SECONDS = 0
    case = closing(firm, memory)
    memory.remove(case)
    probe(case)
    probe(case)
    at_once(lambda: probe(case), lambda: probe(case))
    assert case.grant().status == GrantStatus.GONE
    assert case.kinds().count(AccessEvent.EXIT_PROVED) == 1
    assert case.promised("engagements.closed") == 1
    assert_chain_holds(firm)


def test_two_owners_who_set_up_the_hub_at_once_leave_one(firm: Firm) -> None:
    facts = HUBS["northgate"]

    def set_up(region: str) -> None:
        with tenancy.use(firm.practice_side):
            hub_set_up(
                practice=firm.practice,
                role_arn=facts.role_arn,
                region=region,
                template_bucket=facts.bucket,
                actor=acting(firm.owner),
            )

    assert at_once(lambda: set_up("eu-west-2"), lambda: set_up("eu-west-3")) == ["done", "done"]
    assert_chain_holds(firm)


# The whole side, driven by promises and moments alone.


def sweep(as_worker: AsWorker) -> None:
    """What the worker does until nothing of the AWS side is due."""
    mine = ("awsaccess.", "engagement.")
    with as_worker():
        for _ in range(4):
            with tenancy.use(tenancy.SYSTEM):
                claims, turns = outbox.claim(), due.claim()
            for held in claims:
                if held.kind.startswith(mine):
                    assert outbox.deliver(held)
            for turn in turns:
                due.take(turn)


def ripen(sql_as: SqlAs) -> None:
    sql_as("superuser").execute(
        "update kernel_due set next_at = now() - interval '1 second', lease_id = null, lease_until = null"
        " where kind <> 'engagement.window'"
    )


def test_promises_and_moments_carry_an_access_from_the_yes_to_the_proof(
    firm: Firm, memory: InMemory, as_worker: AsWorker, sql_as: SqlAs, settings: Any
) -> None:
    settings.EXIT_PROOF_SECONDS = 0
    case = sent(firm)
    sweep(as_worker)
    assert case.offer().template_version_id
    give_consent(firm, case.engagement)
    memory.deploy(case)
    sweep(as_worker)
    assert case.fresh().status == EngagementStatus.ACTIVE
    next_check = case.next_check()
    assert next_check > clock.now()
    end_by_client(case)
    sweep(as_worker)
    assert case.grant().status == GrantStatus.ENDING
    assert case.next_check() is None
    memory.remove(case)
    for _ in range(3):
        ripen(sql_as)
        sweep(as_worker)
    assert case.fresh().status == EngagementStatus.CLOSED
    assert_chain_holds(firm)


def test_a_visit_whose_request_was_killed_is_orphaned_by_the_sweep(
    firm: Firm, memory: InMemory, as_worker: AsWorker, sql_as: SqlAs
) -> None:
    case = verified(firm, memory)
    killed_while_asked(case, memory)
    sweep(as_worker)
    assert case.visit().status == VisitStatus.INTENDED
    ripen(sql_as)
    sweep(as_worker)
    assert case.visit().status == VisitStatus.ORPHANED


def test_promises_that_come_five_times_and_out_of_order_do_their_work_once(
    firm: Firm, memory: InMemory
) -> None:
    case = agreed(firm)
    memory.deploy(case)
    end_by_client(case)
    with tenancy.use(firm.practice_side):
        for _ in range(5):
            for kind in ("engagement.closing", "engagement.agreed"):
                outbox.HANDLERS[kind](claim_of(case, kind))
    assert case.grant().status == GrantStatus.ENDING
    assert case.next_check() is None
    moves = [row["to"] for kind, row in case.told() if kind == AccessEvent.GRANT_MOVED]
    assert moves == ["ending"]
    assert case.proof().refusals == 0


def claim_of(case: Case, kind: str) -> outbox.Claim:
    return outbox.Claim(
        message_id=1,
        lease_id=case.engagement.pk,
        practice_id=case.firm.practice.pk,
        client_id=case.firm.client.pk,
        kind=kind,
        object_id=case.engagement.pk,
        attempts=1,
    )
