"""Nine races, 200 rounds each on real connections: one whole outcome every time, whoever was first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid5

import pytest

from accounts.lifecycle import ContactRole, Proof
from accounts.models import Contact, StepUp
from accounts.services.step_up import step_up_make, step_up_spend
from awsaccess.aws.gateway import CallerIdentity, HubIdentity
from awsaccess.lifecycle import VisitStatus
from awsaccess.models import Grant, Verification, Visit
from engagements.lifecycle import EngagementStatus
from engagements.models import Consent, Engagement
from engagements.services.choices import chosen_from
from engagements.services.closing import engagement_end
from engagements.services.consents import consent_give, engagement_decline
from engagements.services.moves import engagement_cancel
from engagements.services.pauses import engagement_pause
from portal.kernel import audit, clock, tenancy
from portal.kernel.models import AuditEvent, AuditHead, OutboxMessage
from portal.kernel.step_up import Act as StepUpAct
from tests.awsaccess.services.cast import Case, check, enter, make_practice, sent, verified, watched
from tests.awsaccess.services.worlds import InMemory
from tests.conftest import SqlAs
from tests.factories import EVIDENCE, Firm, acting, make_contact, paper_shown
from tests.security.duels import WAIT_SECONDS, Act, Round, duel, rounds_of, told

ONE_WINNER = [("InvalidMove", "done"), ("done", "InvalidMove")]
Say = Callable[[str, object], None]


@pytest.fixture
def firm(real_db: None) -> Firm:
    return make_practice("northgate")


@pytest.fixture
def second_approver(firm: Firm) -> Contact:
    contact = make_contact(firm, "alex", ContactRole.APPROVER)
    with tenancy.use(firm.practice_side):
        return Contact.objects.select_related("user").get(pk=contact.pk)


# What people do.


def agreeing(firm: Firm, contact: Contact) -> Act:
    shown, user = paper_shown(), contact.user

    def agree(one: Round) -> None:
        with tenancy.use(firm.client_side):
            consent_give(
                engagement=one.engagement,
                offer=one.offer,
                contact=contact,
                account_id=one.engagement.account_id,
                shown=shown,
                evidence=EVIDENCE,
                signed_in_at=clock.now(),
                actor=acting(user),
            )

    return agree


def decline(one: Round) -> None:
    firm = one.case.firm
    with tenancy.use(firm.client_side):
        engagement_decline(
            engagement=one.engagement, contact=firm.contact, reason="", actor=acting(firm.approver)
        )


def withdraw_the_offer(one: Round) -> None:
    with tenancy.use(one.case.firm.practice_side):
        engagement_cancel(engagement=one.engagement, actor=acting(one.case.firm.owner))


def withdraw_the_consent(one: Round) -> None:
    with tenancy.use(one.case.firm.client_side):
        engagement_end(engagement=one.engagement, actor=acting(one.case.firm.approver))


def end_by_practice(one: Round) -> None:
    with tenancy.use(one.case.firm.practice_side):
        engagement_end(engagement=one.engagement, actor=acting(one.case.firm.owner))


def pause_by_client(one: Round) -> None:
    with tenancy.use(one.case.firm.client_side):
        engagement_pause(engagement=one.engagement, actor=acting(one.case.firm.approver))


def come_in(one: Round) -> None:
    enter(one.case)


def come_in_by_one_form(one: Round) -> None:
    enter(one.case, visit_id=uuid5(one.engagement.pk, "form"))


def look(one: Round) -> None:
    check(one.case)


# What must be true afterwards.


def engagements(firm: Firm) -> dict[Any, Engagement]:  # Any: ids, here and below
    with tenancy.use(firm.practice_side):
        return {row.pk: row for row in Engagement.objects.all()}


def consents(firm: Firm) -> dict[Any, Consent]:
    """By engagement. An engagement with two would be missing one here, so they are counted."""
    with tenancy.use(firm.practice_side):
        rows = list(Consent.objects.all())
    found = {row.engagement_id: row for row in rows}
    assert len(found) == len(rows)
    return found


def visits(firm: Firm) -> dict[Any, list[Visit]]:
    found: dict[Any, list[Visit]] = {}
    with tenancy.use(firm.practice_side):
        for row in Visit.objects.all():
            found.setdefault(row.engagement_id, []).append(row)
    return found


def promised(firm: Firm, kind: str) -> int:
    with tenancy.use(firm.practice_side):
        return OutboxMessage.objects.filter(kind=kind).count()


def events(firm: Firm, kind: str) -> int:
    with tenancy.use(firm.practice_side):
        return AuditEvent.objects.filter(kind=kind).count()


@pytest.fixture
def chain_holds(firm: Firm) -> Any:
    yield
    with tenancy.use(firm.practice_side):
        told = list(AuditEvent.objects.order_by("seq"))
        assert audit.first_fault(told, head=AuditHead.objects.get()) is None


pytestmark = pytest.mark.usefixtures("chain_holds")


# 1 to 3: a yes.


def test_of_two_approvers_who_agree_at_once_one_is_recorded(
    firm: Firm, second_approver: Contact, sql_as: SqlAs, record_property: Say
) -> None:
    rounds = rounds_of(sent(firm), sql_as("superuser"))
    results = duel(rounds, agreeing(firm, firm.contact), agreeing(firm, second_approver))
    record_property("agree / agree", told(results))
    assert set(results) <= set(ONE_WINNER)
    given = consents(firm)
    for one, (first, _) in zip(rounds, results, strict=True):
        winner = firm.contact if first == "done" else second_approver
        assert given[one.engagement.pk].contact_id == winner.pk
    assert len(given) == promised(firm, "engagements.receipt") == len(rounds)
    assert events(firm, "client:consent:given") == len(rounds)


@pytest.mark.parametrize(
    ("against", "status"),
    [(decline, EngagementStatus.DECLINED), (withdraw_the_offer, EngagementStatus.CANCELLED)],
    ids=["decline", "withdraw"],
)
def test_a_yes_against_a_no_or_a_withdrawn_offer_has_one_winner(
    firm: Firm, sql_as: SqlAs, record_property: Say, against: Act, status: EngagementStatus
) -> None:
    rounds = rounds_of(sent(firm), sql_as("superuser"))
    results = duel(rounds, agreeing(firm, firm.contact), against)
    record_property(f"agree / {against.__name__}", told(results))
    assert set(results) <= set(ONE_WINNER)
    now, given = engagements(firm), consents(firm)
    for one, (agreed, _) in zip(rounds, results, strict=True):
        wanted = EngagementStatus.AGREED if agreed == "done" else status
        assert now[one.engagement.pk].status == wanted
        assert (one.engagement.pk in given) == (agreed == "done")
    assert promised(firm, "engagements.receipt") == len(given)


# 4 to 6: an entry.


def entered(firm: Firm, one: Round, results: dict[Any, list[Visit]], came_in: str) -> Visit | None:
    """The visit that was issued, if one was; whoever was refused has at most a refused one."""
    found = results.get(one.engagement.pk, [])
    wanted = [[VisitStatus.ISSUED]] if came_in == "done" else [[], [VisitStatus.REFUSED]]
    assert [visit.status for visit in found] in wanted
    return found[0] if came_in == "done" else None


def deployed(firm: Firm, memory: InMemory, rounds: list[Round]) -> list[Round]:
    """The clients' stacks stand, in memory."""
    with tenancy.use(firm.practice_side):
        grants = {row.engagement_id: row for row in Grant.objects.select_related("offer")}
    for one in rounds:
        memory.deploy_grant(grants[one.engagement.pk], one.case.account_id)
    return rounds


def entering(firm: Firm, memory: InMemory, sql_as: SqlAs) -> list[Round]:
    return deployed(firm, memory, rounds_of(verified(firm, memory), sql_as("superuser")))


def test_an_entry_against_the_clients_withdrawal_is_before_it_or_not_at_all(
    firm: Firm, memory: InMemory, sql_as: SqlAs, record_property: Say
) -> None:
    rounds = entering(firm, memory, sql_as)
    results = duel(rounds, come_in, withdraw_the_consent, somewhere_within=True)
    record_property("issue / withdraw", told(results))
    assert set(results) <= {("done", "done"), ("VisitRefused", "done")}
    found, given = visits(firm), consents(firm)
    for one, (came_in, _) in zip(rounds, results, strict=True):
        visit = entered(firm, one, found, came_in)
        withdrawn_at = given[one.engagement.pk].withdrawn_at
        assert withdrawn_at is not None
        if visit is not None:
            assert visit.issued_at is not None
            assert visit.issued_at <= withdrawn_at


def test_an_entry_against_the_clients_pause_is_before_it_or_not_at_all(
    firm: Firm, memory: InMemory, sql_as: SqlAs, record_property: Say
) -> None:
    rounds = entering(firm, memory, sql_as)
    results = duel(rounds, come_in, pause_by_client, somewhere_within=True)
    record_property("issue / pause", told(results))
    assert set(results) <= {("done", "done"), ("VisitRefused", "done")}
    found, now = visits(firm), engagements(firm)
    for one, (came_in, _) in zip(rounds, results, strict=True):
        visit = entered(firm, one, found, came_in)
        paused_at = now[one.engagement.pk].paused_at
        assert paused_at is not None
        if visit is not None:
            assert visit.issued_at is not None
            assert visit.issued_at <= paused_at


def test_one_form_that_is_used_twice_at_once_enters_once(
    firm: Firm, memory: InMemory, sql_as: SqlAs, settings: Any, record_property: Say
) -> None:
    rounds = entering(firm, memory, sql_as)
    settings.PRACTICE_VISITS_PER_HOUR = 2 * len(rounds)  # every round is two tries, all of one practice
    asked = len([call for call in memory.fake.calls if call.method == "assume"])
    results = duel(rounds, come_in_by_one_form, come_in_by_one_form)
    record_property("one form / the same form", told(results))
    assert {tuple(sorted(pair)) for pair in results} == {("VisitRefused", "done")}
    found = visits(firm)
    assert [visit.status for one in rounds for visit in found[one.engagement.pk]] == ["issued"] * len(rounds)
    assert len([call for call in memory.fake.calls if call.method == "assume"]) - asked == len(rounds)


# 7: a proof.


def proof_for(one: Round) -> StepUpAct:
    return StepUpAct(name="engagements.engagement.open", object_id=one.engagement.pk)


def spend_the_proof(one: Round) -> None:
    owner = one.case.firm.owner
    with tenancy.use(tenancy.practice_scope(one.case.firm.practice.pk, user_id=owner.pk)):
        step_up_spend(user=owner, session_key="one browser", act=proof_for(one))


def test_of_two_step_ups_on_one_proof_one_passes(firm: Firm, sql_as: SqlAs, record_property: Say) -> None:
    rounds = rounds_of(sent(firm), sql_as("superuser"))
    with tenancy.use(tenancy.practice_scope(firm.practice.pk, user_id=firm.owner.pk)):
        for one in rounds:
            act = proof_for(one)
            step_up_make(user=firm.owner, session_key="one browser", act=act, method=Proof.TOTP)
    results = duel(rounds, spend_the_proof, spend_the_proof)
    record_property("step-up / step-up", told(results))
    assert set(results) <= {("StepUpRequired", "done"), ("done", "StepUpRequired")}
    with tenancy.use(tenancy.practice_scope(firm.practice.pk, user_id=firm.owner.pk)):
        assert StepUp.objects.filter(used_at__isnull=False).count() == len(rounds)


# 8 and 9: what the portal writes down.


def test_of_two_verifications_at_once_one_is_written(
    firm: Firm, memory: InMemory, sql_as: SqlAs, record_property: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = deployed(firm, memory, rounds_of(watched(firm), sql_as("superuser")))
    # Both have read before either asks AWS: two looks one after the other would rightly be two.
    meet, own_identity = threading.Barrier(2), memory.fake.own_identity

    def asked_together(hub: HubIdentity) -> CallerIdentity:
        meet.wait(WAIT_SECONDS)
        return own_identity(hub)

    monkeypatch.setattr(memory.fake, "own_identity", asked_together)
    results = duel(rounds, look, look)
    record_property("verify / verify", told(results))
    assert set(results) == {("done", "done")}
    ids = [one.engagement.pk for one in rounds]
    with tenancy.use(firm.practice_side):
        checks = Verification.objects.filter(grant__engagement_id__in=ids)
        assert list(checks.values_list("verdict", flat=True)) == ["ok"] * len(rounds)
        assert checks.values("grant_id").distinct().count() == len(rounds)
        assert set(Grant.objects.filter(engagement_id__in=ids).values_list("status", flat=True)) == {
            "verified"
        }
    now = engagements(firm)
    assert {now[pk].status for pk in ids} == {EngagementStatus.ACTIVE}
    assert promised(firm, "engagements.access_on") == len(rounds)


def test_of_two_closings_at_once_one_is_told(
    firm: Firm, memory: InMemory, sql_as: SqlAs, record_property: Say
) -> None:
    rounds = rounds_of(verified(firm, memory), sql_as("superuser"))
    results = duel(rounds, withdraw_the_consent, end_by_practice)
    record_property("close / close", told(results))
    assert set(results) <= set(ONE_WINNER)
    now, given = engagements(firm), consents(firm)
    for one, (by_client, _) in zip(rounds, results, strict=True):
        assert now[one.engagement.pk].status == EngagementStatus.CLOSING
        assert (given[one.engagement.pk].withdrawn_at is not None) == (by_client == "done")
    assert promised(firm, "engagement.closing") == promised(firm, "engagements.ended") == len(rounds)


def test_a_copied_round_stands_where_its_original_stands(firm: Firm, memory: InMemory, sql_as: SqlAs) -> None:
    """The races above would prove nothing about rows that no service would have written."""
    original = verified(firm, memory)
    (one,) = deployed(firm, memory, rounds_of(original, sql_as("superuser"), count=1))
    assert one.case.grant().role_name == f"latchkey-{one.engagement.code}"
    assert one.case.grant().external_id != original.grant().external_id
    ours, theirs = consents(firm)[one.engagement.pk], consents(firm)[original.engagement.pk]
    # An empty seal stands too, as those from before there was one do: races over that would show nothing of the seal.
    assert ours.agreed_sha256 == chosen_from(one.offer, ours.choice).agreed_sha256
    assert ours.agreed_sha256 != theirs.agreed_sha256 != ""
    check(one.case)
    assert one.case.verifications()[-1].verdict == "ok"
    assert enter(one.case).account_id == one.case.account_id
    assert isinstance(one.case, Case)
