"""A change of an access that is on: what holds goes on until AWS was proved to have what the client agreed to instead."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, transaction

from accounts.lifecycle import ContactRole
from awsaccess.asking import spec_from, spec_of
from awsaccess.lifecycle import GrantStatus, Verdict
from awsaccess.policy.effect import effect_of
from awsaccess.probes import Result
from awsaccess.provision.access_stack import expected_role
from awsaccess.services.changing import change_offer, change_watch
from awsaccess.services.checks import between, standing_of, target_of
from awsaccess.services.sending import NotReady
from engagements.lifecycle import CHANGE_MOVES, ChangeStatus
from engagements.models import Consent, Offer, ScopeChange
from engagements.selectors import change_open, consent_latest, consent_live, offer_current, with_choice
from engagements.services.change_answers import change_decline, change_take_back
from engagements.services.changes import change_move_within
from engagements.services.closing import engagement_expire
from engagements.services.consents import consent_give
from engagements.services.drafts import BadDraft
from engagements.services.moves import WINDOW
from engagements.services.pauses import engagement_pause
from portal.kernel import clock, due, tenancy
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove, NotAllowed, NotVisible, Stale
from tests.awsaccess.services.cast import Case, check, end_by_client, enter, verified, watch
from tests.awsaccess.services.test_choices import agree, asked, own_profile
from tests.awsaccess.services.worlds import InMemory
from tests.factories import (
    ACCOUNT_ID,
    EVIDENCE,
    TESTER,
    Firm,
    acting,
    make_contact,
    make_engagement_active,
    paper_shown,
)

LATER = dt.timedelta(days=30)


def ask(
    case: Case, *, profile: str = "cost_review", optional: tuple[str, ...] = (), more: dt.timedelta = LATER
) -> Offer:
    with tenancy.use(case.firm.practice_side):
        return change_offer(
            engagement=case.engagement,
            profile=profile,
            optional=optional,
            ends_at=case.fresh().ends_at + more,
            actor=acting(case.firm.owner),
        )


def answer(case: Case, offer: Offer, *ticked: str, who: Actor | None = None) -> Consent:
    firm = case.firm
    with tenancy.use(firm.client_side):
        return consent_give(
            engagement=case.engagement,
            offer=offer,
            contact=firm.contact,
            account_id=ACCOUNT_ID,
            shown=paper_shown(),
            evidence=EVIDENCE,
            signed_in_at=clock.now(),
            actor=who or acting(firm.approver),
            choice=ticked,
        )


def keep(case: Case, reason: str = "") -> None:
    with tenancy.use(case.firm.client_side):
        change_decline(
            engagement=case.engagement,
            contact=case.firm.contact,
            reason=reason,
            actor=acting(case.firm.approver),
        )


def change_of(case: Case) -> ScopeChange:
    with case.seen():
        return ScopeChange.objects.select_related("offer", "before").latest("asked_at")


def held(case: Case) -> Offer:
    with case.seen():
        return offer_current(case.engagement)


def update_stack(case: Case, memory: InMemory, offer: Offer) -> None:
    """The client puts the new template into their stack: same role, same name."""
    with case.seen():
        offer = Offer.objects.get(pk=offer.pk)
        grant = case.grant()
        spec = spec_of(offer, grant)
    memory.fake.make_role(grant.role_arn, expected_role(spec, ACCOUNT_ID))


@pytest.fixture
def case(north: Firm, memory: InMemory) -> Case:
    """An access that is on."""
    return verified(north, memory)


# ---------------------------------------------------------------- asking


def test_asking_changes_nothing_that_holds(case: Case) -> None:
    before = (case.fresh().ends_at, held(case).pk)
    offer = ask(case, profile="security_review", optional=("network",))
    assert (case.fresh().ends_at, held(case).pk) == before
    change = change_of(case)
    assert (change.status, change.offer_id, change.before_id) == (ChangeStatus.ASKED, offer.pk, before[1])
    assert offer.documents["profile"] == "security_review"
    assert offer.documents["expires_at"] == (case.fresh().ends_at + LATER).astimezone(dt.UTC).isoformat()
    assert case.grant().external_id in offer.template
    assert case.promised("engagements.change_asked") == 1
    assert ("engagement:change:asked" in case.kinds(), str(change)) == (
        True,
        f"{offer.pk} instead of {before[1]}",
    )
    check(case)
    assert case.grant().status == GrantStatus.VERIFIED
    enter(case)


def test_a_change_keeps_the_hub_that_the_first_offer_froze(case: Case) -> None:
    names = ("hub_account_id", "hub_role_arn", "region", "bucket", "partition", "template_key")
    first = held(case).documents
    asked_for = ask(case).documents
    assert [asked_for[name] for name in names] == [first[name] for name in names]


def test_one_change_at_a_time(case: Case) -> None:
    ask(case)
    with pytest.raises(InvalidMove, match="waiting already"):
        ask(case, profile="security_review")
    first = change_of(case)
    with case.seen(), pytest.raises(IntegrityError), transaction.atomic():
        ScopeChange.objects.create(
            practice_id=first.practice_id,
            client_id=first.client_id,
            engagement_id=first.engagement_id,
            offer=first.before,
            before=first.before,
            asked_at=first.asked_at,
        )


def test_what_is_not_on_is_not_changed(north: Firm, case: Case) -> None:
    end_by_client(case)
    with pytest.raises(InvalidMove, match="Only an access that is on"):
        ask(case)
    other = Case(firm=north, engagement=make_engagement_active(north))
    with pytest.raises(NotVisible):
        ask(other)


def test_nothing_that_would_change_nothing_is_asked(case: Case) -> None:
    with pytest.raises(NotReady, match="Nothing would change"):
        ask(case, more=dt.timedelta())


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"profile": "administrator"}, "not offered"),
        ({"optional": ("network",)}, "no such line"),
        ({"more": -dt.timedelta(days=300)}, "must lie in the future"),
    ],
)
def test_nothing_that_nobody_could_agree_to_is_asked(case: Case, over: dict[str, Any], words: str) -> None:
    with pytest.raises(BadDraft, match=words):
        ask(case, **over)


@pytest.mark.parametrize(
    ("profile", "more", "opens_more", "takes_away"),
    [
        ("cost_review", LATER, True, False),
        ("cost_review", -dt.timedelta(days=3), False, True),
        ("billing_only", dt.timedelta(), True, True),
        ("full_administrator", dt.timedelta(), True, True),
    ],
)
def test_whether_it_opens_more_is_read_off_the_roles(
    case: Case, profile: str, more: dt.timedelta, *, opens_more: bool, takes_away: bool
) -> None:
    change = ask(case, profile=profile, more=more).documents["change"]
    assert change["before_sha256"] == held(case).offer_sha256
    assert (change["opens_more"], change["takes_away"]) == (opens_more, takes_away)


def test_a_profile_that_reads_the_same_and_opens_more_is_found_out(north: Firm, memory: InMemory) -> None:
    row = own_profile(north)
    case = Case(firm=north, engagement=verified_with(north, memory, row.code).engagement)
    wider = own_profile(
        north,
        policy='{"Effect": "Allow", "Action": ["ec2:Describe*", "rds:Describe*"], "Resource": "*"}',
        over=row,
    )
    change = ask(case, profile=wider.code, more=dt.timedelta()).documents["change"]
    assert (change["opens_more"], change["takes_away"]) == (True, False)


def verified_with(north: Firm, memory: InMemory, profile: str) -> Case:
    from tests.awsaccess.services.cast import send
    from tests.awsaccess.services.test_choices import offering

    case = offering(north, profile=profile)
    send(case)
    agree(case)
    watch(case)
    memory.deploy(case)
    check(case)
    return case


def test_what_cannot_be_told_counts_as_opening_more(case: Case) -> None:
    with case.seen():
        role = target_of(case.grant()).expected
    same = effect_of(role, role)
    assert (same.changed, same.may_open_more) == (False, False)
    other = replace(role, attached_policy_arns=frozenset({"arn:aws:iam::441709265583:policy/theirs"}))
    unknown = effect_of(role, other)
    assert (unknown.wider, unknown.may_open_more) == (None, True)


# ---------------------------------------------------------------- answering


def test_ux_row_27_after_keep_the_old_access_still_verifies(case: Case) -> None:
    offer = ask(case, profile="security_review")
    keep(case, "not now")
    change = change_of(case)
    assert (change.status, change.moved_note) == (ChangeStatus.DECLINED, "not now")
    assert change.answered_at is not None
    assert case.promised("engagements.change_declined") == 1
    check(case)
    assert case.grant().status == GrantStatus.VERIFIED
    assert held(case).documents["profile"] == "cost_review"
    with pytest.raises(InvalidMove):
        answer(case, offer)
    with pytest.raises(InvalidMove):
        keep(case)
    ask(case)


def test_only_an_approver_answers(north: Firm, case: Case) -> None:
    offer = ask(case)
    viewer = make_contact(north, "viewer", ContactRole.VIEWER)
    with tenancy.use(north.client_side):
        with pytest.raises(NotAllowed):
            change_decline(engagement=case.engagement, contact=viewer, reason="", actor=TESTER)
        with pytest.raises(NotAllowed):
            consent_give(
                engagement=case.engagement,
                offer=offer,
                contact=viewer,
                account_id=ACCOUNT_ID,
                shown=paper_shown(),
                evidence=EVIDENCE,
                signed_in_at=clock.now(),
                actor=TESTER,
            )
    assert change_of(case).status == ChangeStatus.ASKED


def test_agreeing_keeps_the_old_consent_until_aws_has_the_new_one(case: Case) -> None:
    offer = ask(case, profile="security_review")
    first = held(case)
    new = answer(case, offer)
    assert change_of(case).status == ChangeStatus.AGREED
    assert case.fresh().status == "active"
    assert case.promised("engagement.change_agreed") == 1
    with case.seen():
        live, latest = consent_live(case.engagement), consent_latest(case.engagement)
        change_watch(engagement_id=case.engagement.pk)
    assert live is not None
    assert (live, latest) == (latest, live)
    assert live.pk != new.pk
    check(case)
    assert (case.grant().status, held(case)) == (GrantStatus.VERIFIED, first)
    enter(case)


def test_the_change_holds_once_aws_has_it(case: Case, memory: InMemory) -> None:
    ends_at = case.fresh().ends_at + LATER
    offer = ask(case, profile="security_review", optional=("network",))
    new = answer(case, offer, "network")
    update_stack(case, memory, offer)
    check(case)
    assert case.grant().status == GrantStatus.VERIFIED
    assert change_of(case).status == ChangeStatus.IN_FORCE
    now = case.fresh()
    assert (now.profile, now.optional, now.ends_at, now.status) == (
        "security_review",
        ["network"],
        ends_at,
        "active",
    )
    with case.seen():
        assert due.next_look(WINDOW, now.pk) == ends_at
        assert consent_latest(now) == consent_live(now) == new
        assert standing_of(case.grant()).held == offer
    assert held(case) == offer
    assert case.promised("engagements.changed") == 1
    moves = [details["to"] for kind, details in case.told() if kind == "engagement:change:moved"]
    assert moves == ["agreed", "in_force"]
    enter(case)
    check(case)
    assert case.grant().status == GrantStatus.VERIFIED


def test_after_the_change_the_old_role_is_drift(case: Case, memory: InMemory) -> None:
    first = held(case)
    offer = ask(case, profile="billing_only")
    answer(case, offer)
    update_stack(case, memory, offer)
    check(case)
    update_stack(case, memory, first)
    check(case)
    assert case.grant().status in {GrantStatus.DRIFTED, GrantStatus.UNSAFE}


def test_a_change_with_another_choice_is_not_the_one_that_was_agreed_to(case: Case, memory: InMemory) -> None:
    offer = ask(case, profile="security_review", optional=("network",), more=dt.timedelta())
    answer(case, offer)
    with case.seen():
        wrong = with_choice(Offer.objects.get(pk=offer.pk).documents, ["network"])
        spec = spec_from(wrong, external_id=case.grant().external_id)
        memory.fake.make_role(case.grant().role_arn, expected_role(spec, ACCOUNT_ID))
    check(case)
    assert case.grant().status == GrantStatus.DRIFTED
    assert change_of(case).status == ChangeStatus.AGREED


def test_a_role_that_is_just_being_updated_proves_nothing(case: Case, memory: InMemory) -> None:
    offer = ask(case, profile="security_review")
    answer(case, offer)
    with case.seen():
        new = Offer.objects.get(pk=offer.pk)
        role = expected_role(spec_of(new, case.grant()), ACCOUNT_ID)
    memory.fake.roles[case.grant().role_arn].inline_documents.update(role.inline_documents)
    ok_at = case.grant().last_ok_at
    check(case)
    grant = case.grant()
    assert (grant.status, grant.last_verdict, grant.last_ok_at) == (GrantStatus.VERIFIED, "unknown", ok_at)
    assert case.promised("engagements.problem") == 0
    update_stack(case, memory, offer)
    check(case)
    assert change_of(case).status == ChangeStatus.IN_FORCE


def test_what_is_neither_is_a_problem_at_once(case: Case, memory: InMemory) -> None:
    answer(case, ask(case, profile="security_review"))
    memory.widen(case)
    check(case)
    assert case.grant().status == GrantStatus.DRIFTED
    assert change_of(case).status == ChangeStatus.AGREED


def test_a_change_that_could_not_be_looked_at_is_looked_at_again() -> None:
    before = Result(verdict=Verdict.DRIFTED, findings={"differences": ["attached"]})
    unknown = Result(verdict=Verdict.UNKNOWN)
    assert between(before, unknown) is unknown
    unread = Result(verdict=Verdict.UNSAFE, findings={})
    assert between(unread, before) is unread


def test_a_change_that_is_taken_back_while_aws_is_asked_comes_into_no_force(
    case: Case, memory: InMemory
) -> None:
    offer = ask(case, profile="security_review")
    answer(case, offer)
    update_stack(case, memory, offer)

    def take_back() -> None:
        change_take_back(engagement=case.engagement, actor=TESTER)

    memory.door.before("inspect_role", take_back, nth=2)
    check(case)
    assert change_of(case).status == ChangeStatus.TAKEN_BACK
    assert held(case).number == 1
    check(case)
    assert case.grant().status in {GrantStatus.DRIFTED, GrantStatus.UNSAFE}


def test_while_it_waits_the_role_is_looked_at_closely(case: Case) -> None:
    offer = ask(case, profile="security_review")
    with case.seen():
        far = check(case)
    answer(case, offer)
    assert check(case) < far


# ---------------------------------------------------------------- how it ends otherwise


def test_taking_back_lets_the_client_agree_no_more(case: Case) -> None:
    offer = ask(case)
    with case.seen():
        change_take_back(engagement=case.engagement, actor=acting(case.firm.owner))
        with pytest.raises(InvalidMove):
            change_take_back(engagement=case.engagement, actor=acting(case.firm.owner))
        assert change_open(case.engagement) is None
    with pytest.raises(InvalidMove):
        answer(case, offer)
    newer = ask(case)
    assert newer.number == offer.number + 1
    with pytest.raises(Stale):
        answer(case, offer)


def test_ending_takes_back_what_waits_and_withdraws_every_consent(case: Case) -> None:
    answer(case, ask(case))
    end_by_client(case)
    assert change_of(case).status == ChangeStatus.TAKEN_BACK
    with case.seen():
        assert not Consent.objects.filter(withdrawn_at=None).exists()
        assert consent_live(case.engagement) is None
        change_watch(engagement_id=case.engagement.pk)
    assert case.kinds().count("client:consent:withdrawn") == 2


def test_the_old_end_stands_until_the_new_one_is_in_aws(case: Case) -> None:
    answer(case, ask(case))
    with case.seen():
        case.engagement.__class__.objects.filter(pk=case.engagement.pk).update(
            ends_at=case.fresh().activated_at
        )
        engagement_expire(engagement_id=case.engagement.pk)
    assert case.fresh().status == "closing"
    assert change_of(case).status == ChangeStatus.TAKEN_BACK


def test_nobody_agrees_to_a_change_of_what_has_ended(case: Case) -> None:
    offer = ask(case)
    with case.seen():
        case.engagement.__class__.objects.filter(pk=case.engagement.pk).update(
            ends_at=case.fresh().activated_at
        )
    with pytest.raises(InvalidMove):
        answer(case, offer)


def test_a_paused_access_can_be_changed_and_stays_paused(case: Case, memory: InMemory) -> None:
    with tenancy.use(case.firm.client_side):
        engagement_pause(engagement=case.engagement, actor=acting(case.firm.approver))
    offer = ask(case)
    answer(case, offer)
    update_stack(case, memory, offer)
    check(case)
    assert (change_of(case).status, case.fresh().status) == (ChangeStatus.IN_FORCE, "paused")


def test_what_was_added_before_is_kept_while_it_is_offered(north: Firm, memory: InMemory) -> None:
    case = asked(north, "advice", "history")
    agree(case, "history")
    watch(case)
    memory.deploy(case)
    check(case)
    offer = ask(case, optional=("advice", "history"))
    assert (offer.documents["kept"], [line["key"] for line in offer.documents["optional"]]) == (
        ["history"],
        ["advice"],
    )
    assert "cloudtrail:LookupEvents" in offer.template
    answer(case, offer)
    update_stack(case, memory, offer)
    check(case)
    assert case.fresh().optional == ["history", "advice"]
    dropped = ask(case, optional=("advice",), more=dt.timedelta())
    assert (dropped.documents["kept"], dropped.documents["change"]["takes_away"]) == ([], True)


@pytest.mark.parametrize("status", ChangeStatus)
def test_every_move_that_is_not_allowed_is_refused(case: Case, status: ChangeStatus) -> None:
    ask(case)
    change = change_of(case)
    with case.seen():
        ScopeChange.objects.filter(pk=change.pk).update(status=status)
        change.status = status
        for to in set(ChangeStatus) - CHANGE_MOVES[status]:
            with pytest.raises(InvalidMove), transaction.atomic(durable=False):
                change_move_within(change=change, to=to, actor=TESTER)


def test_a_move_that_somebody_else_made_first_is_refused(case: Case) -> None:
    ask(case)
    seen = change_of(case)
    keep(case)
    with case.seen(), pytest.raises(InvalidMove), transaction.atomic():
        change_move_within(change=seen, to=ChangeStatus.AGREED, actor=TESTER)


def test_what_is_asked_cannot_be_rewritten(case: Case) -> None:
    ask(case)
    with case.seen(), pytest.raises(ProgrammingError), transaction.atomic():
        ScopeChange.objects.update(before=change_of(case).offer)
