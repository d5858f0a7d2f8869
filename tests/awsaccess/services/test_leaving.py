"""Gone means proved: refused again and again, for long enough, with every session over. Nothing less closes anything."""

from __future__ import annotations

import datetime as dt
import hashlib
import time
from typing import Any, Final
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from accounts.lifecycle import ContactRole
from accounts.models import Contact
from awsaccess import selectors
from awsaccess.aws.errors import AwsError, AwsMisconfigured, AwsRejected, AwsTransient
from awsaccess.lifecycle import AccessEvent, GrantStatus
from awsaccess.models import ExitProof, Grant
from awsaccess.services.checks import CHECK
from awsaccess.services.leaving import CLOSING, closing_probe, deletion_confirm
from awsaccess.services.visits import VisitRefused
from engagements.lifecycle import EngagementStatus
from engagements.services.closing import engagement_expire
from portal.kernel import audit, clock, due, tenancy
from portal.kernel.errors import InvalidMove, NotAllowed
from tests.awsaccess.services.cast import (
    Case,
    agreed,
    begin_closing,
    check,
    closing,
    drafted,
    end_by_client,
    enter,
    verified,
    watch,
    watched,
)
from tests.awsaccess.services.worlds import InMemory, Simulated, World
from tests.factories import Firm, acting, freeze_offer, make_client, make_contact

MINUTE: Final = dt.timedelta(minutes=1)


def probe(case: Case) -> dt.datetime | None:
    with tenancy.use(case.firm.practice_side):
        return closing_probe(grant_id=case.grant().pk)


def probe_for(
    case: Case, minutes: int, *, begin: dt.datetime | None = None, every: int = 1
) -> dt.datetime | None:
    """A look every so many minutes, the first at once; what the last one answered."""
    begin, answer = begin or clock.now(), None
    for number in range(0, minutes + 1, every):
        with clock.frozen(begin + number * MINUTE):
            answer = probe(case)
    return answer


def confirm(case: Case, contact: Contact | None = None) -> None:
    with tenancy.use(case.firm.client_side):
        deletion_confirm(
            engagement=case.fresh(), contact=contact or case.firm.contact, actor=acting(case.firm.approver)
        )


def is_gone(case: Case) -> bool:
    states = (case.grant().status, case.fresh().status, case.proof().proved_at is not None)
    assert states in {
        (GrantStatus.GONE, EngagementStatus.CLOSED, True),
        (GrantStatus.ENDING, EngagementStatus.CLOSING, False),
    }
    return states[2]


def next_look(case: Case, kind: str) -> dt.datetime | None:
    with tenancy.use(case.firm.practice_side):
        return due.next_look(kind, case.grant().pk)


# Beginning.


def test_an_end_stops_the_watching_and_begins_the_proof(north: Firm, memory: InMemory) -> None:
    case = closing(north, memory)
    proof = case.proof()
    assert case.grant().status == GrantStatus.ENDING
    assert (proof.refusals, proof.refused_since, proof.proved_at, proof.evidence) == (0, None, None, {})
    assert str(proof) == f"exit proof of {case.grant().pk}"
    assert next_look(case, CHECK) is None
    assert next_look(case, CLOSING) is not None
    assert not is_gone(case)


def seconds_of_the_end(case: Case, memory: InMemory) -> float:
    enter(case)
    asked, begun = memory.door.counts["assume"], time.monotonic()
    end_by_client(case)
    with pytest.raises(VisitRefused):
        enter(case)
    assert memory.door.counts["assume"] == asked
    return time.monotonic() - begun


def test_within_a_second_of_the_end_nobody_gets_in_and_aws_is_not_asked(
    north: Firm, memory: InMemory
) -> None:
    """The best of three: the machine may be busy with something else."""
    took = [seconds_of_the_end(verified(north, memory), memory) for _ in range(3)]
    print(f"end: {min(took):.2f} s from the press to the next visit's refusal")  # noqa: T201  # a figure to be read
    assert min(took) <= 1


def test_beginning_twice_does_no_harm(north: Firm, memory: InMemory) -> None:
    case = closing(north, memory)
    told, proof = case.told(), case.proof()
    begin_closing(case)
    assert case.told() == told
    assert case.proof().begun_at == proof.begun_at
    memory.remove(case)
    probe_for(case, 6)
    begin_closing(case)
    assert is_gone(case)


def test_an_end_that_is_heard_before_the_yes_still_comes_to_its_end(north: Firm, memory: InMemory) -> None:
    """Messages may come out of order: the account that the client named is written down by either."""
    case = agreed(north, account_id="")
    end_by_client(case)
    begin_closing(case)
    assert case.grant().account_id == case.fresh().account_id != ""
    watch(case)
    assert check(case) is None
    probe_for(case, 6)
    assert is_gone(case)


# The proof.


def test_three_refusals_over_five_minutes_close_it(north: Firm, memory: InMemory) -> None:
    case = closing(north, memory)
    memory.remove(case)
    begin = clock.now()
    assert probe_for(case, 4, begin=begin) is not None
    assert not is_gone(case)
    assert probe_for(case, 0, begin=begin + 5 * MINUTE) is None
    assert is_gone(case)
    proof, grant = case.proof(), case.grant()
    assert (proof.refusals, proof.refused_since) == (6, begin)
    assert proof.proved_at == grant.gone_at == begin + 5 * MINUTE
    assert case.promised("engagements.closed") == 1
    assert case.kinds().count(AccessEvent.EXIT_PROVED) == 1


def test_the_seconds_from_the_end_to_the_first_refusal_that_held_are_measured_and_sealed(
    north: Firm, memory: InMemory
) -> None:
    case = closing(north, memory)
    begin = case.proof().begun_at
    for seconds, act in ((5, None), (37, memory.remove), (50, memory.deploy), (64, memory.remove)):
        if act is not None:
            act(case)
        with clock.frozen(begin + dt.timedelta(seconds=seconds)):
            probe(case)
        measured = {5: None, 37: 37, 50: None, 64: 64}[seconds]
        assert case.proof().seconds_to_refusal == measured
    probe_for(case, 6, begin=begin + dt.timedelta(seconds=65))
    assert is_gone(case)
    assert case.proof().evidence["seconds_to_refusal"] == 64


def test_the_evidence_is_sealed_by_its_hash(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    enter(case)
    end_by_client(case)
    begin_closing(case)
    memory.remove(case)
    confirm(case)
    probe_for(case, 70, every=10)
    proof, grant = case.proof(), case.grant()
    assert is_gone(case)
    assert proof.evidence_sha256 == hashlib.sha256(audit.canonical(proof.evidence)).hexdigest()
    told = [details for kind, details in case.told() if kind == AccessEvent.EXIT_PROVED]
    assert told == [{"sha256": proof.evidence_sha256}]
    assert proof.evidence["role_arn"] == grant.role_arn
    assert proof.evidence["visits"] == 1
    assert proof.evidence["deletion_confirmed_at"] is not None
    assert grant.external_id not in str(proof.evidence)
    with tenancy.use(north.client_side):
        assert selectors.exit_proof(case.engagement) == proof


def test_a_role_that_still_opens_stays_closing_for_ever(north: Firm, world: World) -> None:
    case = closing(north, world)
    for _ in range(4):
        assert probe(case) is not None
    confirm(case)
    with clock.frozen(clock.now() + dt.timedelta(hours=3)):
        pass  # time alone proves nothing
    assert probe(case) is not None
    proof = case.proof()
    assert not is_gone(case)
    assert proof.last_opened_at is not None
    assert (proof.refusals, proof.refused_since) == (0, None)


def test_a_role_that_opens_only_with_a_wrong_id_is_not_gone(north: Firm, memory: InMemory) -> None:
    case = closing(north, memory)

    def any_but_ours(document: dict[str, Any]) -> None:
        condition = document["Statement"][0]["Condition"]
        condition.pop("StringEquals")
        condition["StringLike"] = {"sts:ExternalId": "????????-????-????-????-????????????"}

    memory.change_trust(case, any_but_ours)
    memory.door.fail("assume", AwsRejected("once", code="ValidationError"))
    assert probe(case) is not None
    assert case.proof().refusals == 0
    assert probe(case) is not None
    assert case.proof().last_opened_at is not None


def test_one_opening_starts_the_count_anew(north: Firm, memory: InMemory) -> None:
    case = closing(north, memory)
    memory.remove(case)
    begin = clock.now()
    probe_for(case, 4, begin=begin)
    memory.deploy(case)
    probe_for(case, 0, begin=begin + 5 * MINUTE)
    assert (case.proof().refusals, case.proof().refused_since) == (0, None)
    memory.remove(case)
    probe_for(case, 4, begin=begin + 6 * MINUTE)
    assert not is_gone(case)
    probe_for(case, 0, begin=begin + 11 * MINUTE)
    assert is_gone(case)


def test_two_refusals_are_too_few_however_far_apart(north: Firm, memory: InMemory) -> None:
    case = closing(north, memory)
    memory.remove(case)
    begin = clock.now()
    for later in (0, 60):
        probe_for(case, 0, begin=begin + later * MINUTE)
        assert not is_gone(case)
    probe_for(case, 0, begin=begin + 61 * MINUTE)
    assert is_gone(case)


@pytest.mark.parametrize(
    "error", [AwsTransient(), AwsMisconfigured(), AwsRejected("a value", code="ValidationError")]
)
@pytest.mark.parametrize("method", ["own_identity", "assume"])
def test_our_own_outage_proves_nothing(north: Firm, memory: InMemory, method: str, error: AwsError) -> None:
    case = closing(north, memory)
    memory.remove(case)
    begin = clock.now()
    for seconds in (0, 5, 10):
        probe_for(case, 0, begin=begin + dt.timedelta(seconds=seconds))
    before = case.proof()
    for minutes in (1, 6, 19):
        memory.door.fail(method, error)
        assert probe_for(case, 0, begin=begin + minutes * MINUTE) is not None
    after = case.proof()
    assert not is_gone(case)
    assert (after.refusals, after.last_refused_at) == (before.refusals, before.last_refused_at)
    probe_for(case, 0, begin=begin + 20 * MINUTE)
    assert is_gone(case)


def test_a_session_that_may_be_open_holds_the_proof_back(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    enter(case)
    end_by_client(case)
    begin_closing(case)
    memory.remove(case)
    begin, ends_at = clock.now(), case.visit().ends_at
    assert ends_at is not None
    probe_for(case, 10, begin=begin, every=5)
    assert not is_gone(case)
    probe_for(case, 0, begin=ends_at - MINUTE)
    assert not is_gone(case)
    probe_for(case, 0, begin=ends_at + MINUTE)
    assert is_gone(case)
    assert case.proof().sessions_over_at >= ends_at  # type: ignore[operator]  # it is proved


def test_after_the_agreed_end_a_refusal_alone_may_only_be_the_date(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    ends_at = case.fresh().ends_at
    with clock.frozen(ends_at), tenancy.use(north.practice_side):
        engagement_expire(engagement_id=case.engagement.pk)
    with clock.frozen(ends_at + MINUTE):
        begin_closing(case)
    probe_for(case, 20, begin=ends_at + MINUTE, every=5)  # the role stands, and its own date shuts it
    assert case.proof().refusals == 5
    assert not is_gone(case)
    memory.remove(case)
    with clock.frozen(ends_at + 30 * MINUTE):
        confirm(case)
        assert next_look(case, CLOSING) == ends_at + 30 * MINUTE
        assert probe(case) is None
    assert is_gone(case)


def test_another_grant_that_stands_keeps_the_engagement_closing(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    first = case.grant()
    second_offer = freeze_offer(north, case.fresh())
    with tenancy.use(north.practice_side):
        other = Grant.objects.create(
            practice=north.practice,
            client=north.client,
            engagement=case.engagement,
            offer=second_offer,
            partition="aws",
            account_id=first.account_id,
            role_name=first.role_name,
            external_id=str(uuid4()),
        )
    end_by_client(case)
    begin_closing(case)
    memory.fake.remove_role(first.role_arn)
    begin = clock.now()
    for minutes in range(6):
        with clock.frozen(begin + minutes * MINUTE), tenancy.use(north.practice_side):
            closing_probe(grant_id=first.pk)
    with tenancy.use(north.practice_side):
        assert Grant.objects.get(pk=first.pk).status == GrantStatus.GONE
        assert Grant.objects.get(pk=other.pk).status == GrantStatus.ENDING
        assert selectors.grant_of(case.engagement) == other
    assert case.fresh().status == EngagementStatus.CLOSING


def test_the_whole_way_out_over_the_wire(north: Firm, simulated: Simulated, settings: Any) -> None:
    settings.EXIT_PROOF_SECONDS = 0
    case = closing(north, simulated)
    assert probe(case) is not None
    assert case.proof().last_opened_at is not None
    simulated.sandbox.control("POST", "faults", service="sts", code="Throttling")
    assert probe(case) is not None
    simulated.sandbox.control("DELETE", "faults")
    assert case.proof().refusals == 0
    simulated.remove(case)
    confirm(case)
    assert [probe(case) is None for _ in range(3)] == [False, False, True]
    assert is_gone(case)
    assert probe(case) is None


def test_an_answer_that_comes_after_the_proof_changes_nothing(north: Firm, memory: InMemory) -> None:
    case = closing(north, memory)
    memory.remove(case)
    begin = clock.now()
    probe_for(case, 4, begin=begin)
    with clock.frozen(begin + 5 * MINUTE):
        memory.door.before("assume", lambda: probe(case))
        assert probe(case) is None
    assert case.proof().refusals == 6
    assert case.kinds().count(AccessEvent.EXIT_PROVED) == 1


def test_what_is_not_ending_is_not_probed(north: Firm, harbour: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    calls = len(memory.fake.calls)
    assert probe(case) is None
    end_by_client(case)
    begin_closing(case)
    grant = case.grant()
    with tenancy.use(harbour.practice_side):
        assert closing_probe(grant_id=grant.pk) is None
    assert len(memory.fake.calls) == calls


# The client's word.


def test_the_clients_word_is_kept_once_tried_at_once_and_proves_nothing(
    north: Firm, memory: InMemory
) -> None:
    case = closing(north, memory)
    confirm(case)
    first = case.proof()
    assert (first.confirmed_by_id, first.proved_at) == (north.approver.pk, None)
    confirm(case)
    assert case.proof().confirmed_at == first.confirmed_at
    assert case.kinds().count(AccessEvent.DELETION_CONFIRMED) == 1
    assert next_look(case, CLOSING) > first.confirmed_at  # type: ignore[operator]  # both are there
    probe_for(case, 30, every=10)
    assert not is_gone(case)


def test_a_person_of_another_client_or_one_who_left_has_no_word(north: Firm, memory: InMemory) -> None:
    case = closing(north, memory)
    stranger = make_contact(north, "stranger", ContactRole.APPROVER, client=make_client(north, "Other"))
    former = make_contact(north, "former", ContactRole.APPROVER)
    former.ended_at = clock.now()
    for contact in (stranger, former):
        with pytest.raises(NotAllowed):
            confirm(case, contact)
    assert case.proof().confirmed_at is None


def test_a_word_without_anything_to_prove_is_refused(north: Firm, memory: InMemory) -> None:
    for case in (drafted(north), watched(north), verified(north, memory)):
        with pytest.raises(InvalidMove):
            confirm(case)
    gone = closing(north, memory)
    memory.remove(gone)
    probe_for(gone, 6)
    with pytest.raises(InvalidMove):
        confirm(gone)


def test_two_proofs_of_one_grant_cannot_be(north: Firm, memory: InMemory) -> None:
    case = closing(north, memory)
    with (
        tenancy.use(north.practice_side),
        pytest.raises(IntegrityError, match="grant_id"),
        transaction.atomic(),
    ):
        ExitProof.objects.create(
            practice=north.practice,
            client=north.client,
            engagement=case.engagement,
            grant=case.grant(),
            begun_at=clock.now(),
        )
