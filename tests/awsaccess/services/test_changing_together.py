"""Changes and choices where several people agree, in the sweep, and beside a template that ends sessions."""

from __future__ import annotations

import datetime as dt
import json
from uuid import uuid4

import pytest

from accounts.lifecycle import ContactRole
from accounts.models import Contact
from awsaccess.asking import spec_of
from awsaccess.lifecycle import GrantStatus
from awsaccess.models import Grant
from awsaccess.provision.access_stack import expected_role
from awsaccess.services.changing import change_offer
from awsaccess.services.checks import CHECK, OFFER, found_as_agreed, read
from awsaccess.services.revoking import (
    denial_command,
    denial_publish,
    denial_template,
    removal_command,
    sessions_end_ask,
)
from awsaccess.services.sending import variant_publish
from awsaccess.services.sweeping import grants_verify
from engagements.lifecycle import ChangeStatus, EngagementStatus
from engagements.models import Consent, Engagement, Offer, ScopeChange, Variant
from engagements.offer_words import words_of
from engagements.papers.receipt import _lines as lines_of_receipt
from engagements.papers.receipt import policy_of
from engagements.selectors import choice_of, offer_current
from engagements.services import standing
from engagements.services.change_answers import change_decline, change_undo
from portal.kernel import clock, due, outbox, tenancy
from portal.kernel.errors import InvalidMove, NotAllowed, Stale
from tests.awsaccess.services.cast import Case, check, enter, verified, watch
from tests.awsaccess.services.choosing import agree, sent
from tests.awsaccess.services.worlds import InMemory
from tests.factories import ACCOUNT_ID, Firm, acting, make_contact

LATER = dt.timedelta(days=30)
BOTH = ("advice", "history")


@pytest.fixture
def lee(north: Firm) -> Contact:
    """A second approver."""
    return make_contact(north, "lee", ContactRole.APPROVER)


@pytest.fixture
def case(north: Firm, memory: InMemory) -> Case:
    """An access that is on."""
    return verified(north, memory)


def ask(
    case: Case,
    *,
    profile: str = "security_review",
    optional: tuple[str, ...] = (),
    more: dt.timedelta = LATER,
) -> Offer:
    with tenancy.use(case.firm.practice_side):
        return change_offer(
            engagement=case.engagement,
            profile=profile,
            optional=optional,
            ends_at=case.fresh().ends_at + more,
            actor=acting(case.firm.owner),
        )


def change_of(case: Case) -> ScopeChange:
    with case.seen():
        return ScopeChange.objects.select_related("offer", "before").latest("asked_at")


def update_stack(case: Case, memory: InMemory, offer: Offer) -> None:
    with case.seen():
        spec = spec_of(offer, case.grant())
    memory.fake.make_role(case.grant().role_arn, expected_role(spec, ACCOUNT_ID))


def swept(*cases: Case) -> list[dt.datetime | None]:
    turns = [
        due.Turn(
            due_id=number,
            lease_id=uuid4(),
            practice_id=case.firm.practice.pk,
            client_id=None,
            kind=CHECK,
            object_id=case.grant().pk,
            attempts=1,
        )
        for number, case in enumerate(cases)
    ]
    with clock.frozen(clock.now() + dt.timedelta(seconds=1)), tenancy.use(tenancy.NOBODY):
        planned = dict(grants_verify(turns))
    return [planned[turn] for turn in turns]


def deny_ask(case: Case) -> None:
    with tenancy.use(case.firm.client_side):
        sessions_end_ask(engagement=case.fresh(), contact=case.firm.contact, actor=acting(case.firm.approver))


def grant_of(case: Case) -> Grant:
    with tenancy.use(case.firm.practice_side):
        return Grant.objects.select_related("offer__practice", "engagement").get(engagement=case.engagement)


# ---------------------------------------------------------------- one choice of several people


def test_the_first_yes_chooses_for_everybody(north: Firm, lee: Contact, memory: InMemory) -> None:
    case = sent(north, *BOTH, needed=2)
    first = agree(case, "history")
    for other in ((), ("advice",), BOTH):
        with pytest.raises(Stale, match="A colleague who agreed before you chose"):
            agree(case, *other, contact=lee)
    second = agree(case, "history", contact=lee)
    assert first.choice == second.choice == ["history"]
    assert (first.template_sha256, first.agreed_sha256) == (second.template_sha256, second.agreed_sha256)
    assert case.fresh().status == EngagementStatus.AGREED
    watch(case)
    memory.deploy(case)
    check(case)
    assert case.grant().status == GrantStatus.VERIFIED
    enter(case)


def test_the_record_and_the_receipt_tell_of_what_was_ticked_alone(north: Firm) -> None:
    case = sent(north, *BOTH)
    consent = agree(case, "history")
    service = json.loads(consent.record)["processing"]["purposes"][0]["service"]
    offered = {line["key"]: line["title"] for line in case.offer().documents["optional"]}
    assert offered["history"] in service["abilities"]
    assert offered["advice"] not in service["abilities"]
    assert service["agreed_sha256"] == consent.agreed_sha256
    assert service["template_sha256"] == consent.template_sha256 != case.offer().template_sha256
    with case.seen():
        told = Consent.objects.select_related("offer", "engagement__practice").get(pk=consent.pk)
        titles = [line["title"] for line in lines_of_receipt(told, words_of(told.offer, "en"))]
        policy = json.dumps(policy_of(told))
        (advice,) = [line for line in told.offer.documents["optional"] if line["key"] == "advice"]
    assert offered["history"] in titles
    assert offered["advice"] not in titles
    assert advice["actions"][0] not in policy
    assert "cloudtrail:LookupEvents" in policy


def test_no_role_is_asked_about_for_a_consent_whose_seal_is_not_the_offers(
    north: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = sent(north, "history")
    agree(case, "history")
    watch(case)
    with case.seen():
        assert read(case.grant().pk) is not None
        with monkeypatch.context() as patch:
            patch.setattr(standing, "agreed_hash", lambda *_: "another")
            assert read(case.grant().pk) is None
        offer = case.offer()
        assert standing._seals(offer, ("advice",)) == ()  # nothing that the offer sealed


# ---------------------------------------------------------------- a change for several people


def test_a_change_is_agreed_with_the_last_yes(case: Case, lee: Contact, memory: InMemory) -> None:
    with tenancy.use(case.firm.practice_side):
        Engagement.objects.filter(pk=case.engagement.pk).update(approvals_needed=2)
    before = offer_of(case)
    agree_again(case, lee, before)
    offer = ask(case, optional=("network",))
    agree(case, "network", offer=offer)
    assert change_of(case).status == ChangeStatus.ASKED
    assert case.promised("engagement.change_agreed") == 0
    with pytest.raises(Stale, match="A colleague"):
        agree(case, offer=offer, contact=lee)
    agree(case, "network", offer=offer, contact=lee)
    assert change_of(case).status == ChangeStatus.AGREED
    assert case.promised("engagement.change_agreed") == 1
    update_stack(case, memory, offer)
    check(case)
    assert change_of(case).status == ChangeStatus.IN_FORCE
    with case.seen():
        assert choice_of(offer) == ("network",)
    enter(case)


def offer_of(case: Case) -> Offer:
    with case.seen():
        return offer_current(case.engagement)


def agree_again(case: Case, contact: Contact, offer: Offer) -> None:
    """The second yes to what is on already, as if it had been asked of two from the start."""
    with case.seen():
        first = Consent.objects.get(offer=offer)
    with tenancy.use(case.firm.client_side):
        names = [
            field.attname for field in Consent._meta.concrete_fields if field.name not in {"id", "contact"}
        ]
        Consent.objects.create(contact=contact, **{name: getattr(first, name) for name in names})


def test_one_no_to_a_change_takes_back_what_others_said_of_it(case: Case, lee: Contact) -> None:
    with tenancy.use(case.firm.practice_side):
        Engagement.objects.filter(pk=case.engagement.pk).update(approvals_needed=2)
    offer = ask(case)
    said = agree(case, offer=offer)
    with tenancy.use(case.firm.client_side):
        change_decline(engagement=case.engagement, contact=lee, reason="", actor=acting(lee.user))
        assert Consent.objects.get(pk=said.pk).withdrawn_by_id == lee.user_id
        assert Consent.objects.filter(withdrawn_at=None).count() == 1
    assert change_of(case).status == ChangeStatus.DECLINED


def test_the_client_may_take_back_what_their_stack_does_not_have(case: Case, memory: InMemory) -> None:
    offer = ask(case)
    said = agree(case, offer=offer)
    looker = make_contact(case.firm, "kim", ContactRole.VIEWER)
    with tenancy.use(case.firm.client_side):
        with pytest.raises(NotAllowed):
            change_undo(engagement=case.engagement, contact=looker, actor=acting(looker.user))
        change_undo(engagement=case.engagement, contact=case.firm.contact, actor=acting(case.firm.approver))
        assert Consent.objects.get(pk=said.pk).withdrawn_at is not None
        assert Consent.objects.filter(withdrawn_at=None).count() == 1
        with pytest.raises(InvalidMove):
            change_undo(
                engagement=case.engagement, contact=case.firm.contact, actor=acting(case.firm.approver)
            )
    assert change_of(case).status == ChangeStatus.TAKEN_BACK
    check(case)
    enter(case)


# ---------------------------------------------------------------- in the sweep


def test_the_sweep_brings_a_change_into_force_like_a_single_check(
    north: Firm, case: Case, memory: InMemory
) -> None:
    still = verified(north, memory)
    offer = ask(case)
    agree(case, offer=offer)
    soon, hourly = swept(case, still)
    assert soon is not None
    assert hourly is not None
    assert soon < hourly
    assert change_of(case).status == ChangeStatus.AGREED
    update_stack(case, memory, offer)
    swept(case, still)
    assert change_of(case).status == ChangeStatus.IN_FORCE
    newest = case.verifications()[-1]
    assert newest.findings[OFFER] == offer.offer_sha256
    with case.seen():
        assert found_as_agreed(case.grant())
    enter(case)


def test_a_stack_that_is_being_updated_proves_nothing_in_the_sweep(case: Case, memory: InMemory) -> None:
    offer = ask(case)
    agree(case, offer=offer)
    with case.seen():
        role = expected_role(spec_of(offer, case.grant()), ACCOUNT_ID)
    memory.fake.roles[case.grant().role_arn].inline_documents.update(role.inline_documents)
    swept(case)
    assert (case.grant().status, case.grant().last_verdict) == (GrantStatus.VERIFIED, "unknown")
    assert case.promised("engagements.problem") == 0


def test_a_change_of_which_nothing_was_ticked_holds_at_once(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    offer = ask(case, profile="cost_review", optional=("history",), more=dt.timedelta())
    agree(case, offer=offer)
    check(case)
    assert change_of(case).status == ChangeStatus.IN_FORCE


def test_a_change_that_does_not_stand_is_not_looked_for(case: Case, memory: InMemory) -> None:
    offer = ask(case)
    agree(case, offer=offer)
    update_stack(case, memory, offer)
    with tenancy.use(case.firm.client_side):
        Consent.objects.filter(offer=offer).update(withdrawn_at=clock.now())
    check(case)
    assert case.grant().status in {GrantStatus.DRIFTED, GrantStatus.UNSAFE}
    assert change_of(case).status == ChangeStatus.AGREED


# ---------------------------------------------------------------- ending sessions


def test_the_template_that_ends_sessions_has_what_was_ticked(north: Firm, memory: InMemory) -> None:
    case = sent(north, *BOTH)
    agree(case, "history")
    watch(case)
    memory.deploy(case)
    check(case)
    deny_ask(case)
    with tenancy.use(north.practice_side):
        denial_publish(grant_id=case.grant().pk)
        grant = grant_of(case)
        made = json.loads(denial_template(grant))["Resources"]["AccessRole"]["Properties"]["Policies"]
        row = Variant.objects.get(offer=grant.offer, choice=["history"])
        agreed = json.loads(row.template)["Resources"]["AccessRole"]["Properties"]["Policies"]
        assert removal_command(grant) is None
        variant_publish(variant_id=row.pk)
        row.refresh_from_db()
        assert row.template_version_id in (removal_command(grant) or "")
        assert denial_command(grant) is not None
    assert [policy for policy in made if policy in agreed] == agreed
    assert len(made) == len(agreed) + 1


def test_a_stack_is_updated_for_one_thing_at_a_time(case: Case, memory: InMemory) -> None:
    deny_ask(case)
    agree(case, offer=ask(case))
    with pytest.raises(InvalidMove, match="one update at a time"):
        deny_ask(case)
    with tenancy.use(case.firm.practice_side):
        with pytest.raises(outbox.Hopeless, match="one update at a time"):
            denial_publish(grant_id=case.grant().pk)
        grant = grant_of(case)
        Grant.objects.filter(pk=grant.pk).update(deny_version_id="v1")
        grant = grant_of(case)
        assert (denial_command(grant), removal_command(grant)) == (None, None)
    offer = change_of(case).offer
    update_stack(case, memory, offer)
    check(case)
    with tenancy.use(case.firm.practice_side):
        denial_publish(grant_id=case.grant().pk)
        made = json.loads(denial_template(grant_of(case)))["Resources"]["AccessRole"]["Properties"]
    agreed = json.loads(offer.template)["Resources"]["AccessRole"]["Properties"]
    assert made["Policies"][: len(agreed["Policies"])] == agreed["Policies"]


def test_a_denial_of_older_sessions_is_no_part_of_a_change(case: Case, memory: InMemory) -> None:
    offer = ask(case)
    agree(case, offer=offer)
    with case.seen():
        role = expected_role(spec_of(offer, case.grant()), ACCOUNT_ID)
    fact = memory.fake.roles[case.grant().role_arn]
    fact.inline_documents.update(role.inline_documents)
    fact.inline_documents["AWSRevokeOlderSessions"] = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Action": "*",
                "Resource": "*",
                "Condition": {"DateLessThan": {"aws:TokenIssueTime": "2026-11-01T00:00:00Z"}},
            }
        ],
    }
    check(case)
    assert (case.grant().status, case.grant().last_verdict) == (GrantStatus.VERIFIED, "unknown")
