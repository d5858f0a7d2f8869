"""No door into AWS opens for a grant without live consents to exactly what its offer asks: AWS hears nothing at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Final

import pytest
from django.db.models import Model

from awsaccess.asking import spec_of
from awsaccess.aws import history
from awsaccess.lifecycle import GrantStatus, VisitStatus
from awsaccess.models import Grant, Verification, VisitReport
from awsaccess.provision.access_stack import expected_role
from awsaccess.services.changing import change_offer
from awsaccess.services.checks import found_as_agreed
from awsaccess.services.leaving import closing_probe
from awsaccess.services.reports import report_fetch
from awsaccess.services.visits import VisitRefused
from engagements.lifecycle import EngagementStatus
from engagements.models import Consent, Engagement, Offer
from engagements.services.standing import consent_stands
from portal.kernel import clock, tenancy
from tests.awsaccess.services.cast import (
    Case,
    agreed,
    check,
    closing,
    drafted,
    enter,
    send,
    verified,
    watch,
    watched,
)
from tests.awsaccess.services.choosing import agree
from tests.awsaccess.services.worlds import InMemory
from tests.factories import ACCOUNT_ID, Firm, acting

Spoil = Callable[[Case], None]


def consent_of(case: Case) -> Consent:
    return Consent.objects.get(engagement=case.engagement)


def again(row: Model, **changes: object) -> None:
    """The row anew with something else in it: what is frozen can't be changed, and must not have to be believed."""
    kept = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    type(row)._default_manager.filter(pk=row.pk).delete()
    type(row)._default_manager.create(**{**kept, **changes})


def withdrawn(case: Case) -> None:
    """As if the status had not moved with it: each of the two must be enough."""
    with tenancy.use(case.firm.client_side):
        Consent.objects.filter(engagement=case.engagement).update(withdrawn_at=clock.now())


def absent(case: Case) -> None:
    with tenancy.use(case.firm.practice_side):
        consent_of(case).delete()


def to_another_hash(case: Case) -> None:
    with tenancy.use(case.firm.practice_side):
        again(consent_of(case), offer_sha256="0" * 64)


def to_another_offer(case: Case) -> None:
    """Somebody agreed, but to an offer that this role was not made for."""
    with tenancy.use(case.firm.practice_side):
        consent, offer = consent_of(case), case.offer()
        made = _copy(offer, number=2)
        again(consent, offer_id=made.pk)


def one_of_two(case: Case) -> None:
    with tenancy.use(case.firm.practice_side):
        Engagement.objects.filter(pk=case.engagement.pk).update(approvals_needed=2)


SPOILED: Final = (
    withdrawn,
    absent,
    to_another_hash,
    to_another_offer,
    one_of_two,
)


def _copy(offer: Offer, **changes: object) -> Offer:
    kept = {field.attname: getattr(offer, field.attname) for field in offer._meta.concrete_fields}
    del kept["id"]
    return Offer.objects.create(**{**kept, **changes})


def stands(case: Case) -> bool:
    with tenancy.use(case.firm.practice_side):
        grant = Grant.objects.select_related("offer", "engagement").get(engagement=case.engagement)
        return consent_stands(engagement=grant.engagement, offer=grant.offer)


@pytest.mark.parametrize("spoil", SPOILED)
def test_nobody_enters_and_aws_is_not_asked(north: Firm, memory: InMemory, spoil: Spoil) -> None:
    case = verified(north, memory)
    assert stands(case)
    spoil(case)
    assert not stands(case)
    before = len(memory.fake.calls)
    with pytest.raises(VisitRefused):
        enter(case)
    assert len(memory.fake.calls) == before
    assert case.visits() == []
    assert case.fresh().status == EngagementStatus.ACTIVE


@pytest.mark.parametrize("make", [watched, agreed])
@pytest.mark.parametrize("spoil", SPOILED)
def test_no_role_is_looked_for(
    north: Firm, memory: InMemory, make: Callable[[Firm], Case], spoil: Spoil
) -> None:
    case = make(north)
    memory.deploy(case)
    spoil(case)
    assert check(case) is None
    assert memory.fake.calls == []
    assert case.verifications() == []
    assert case.grant().status == GrantStatus.EXPECTED


@pytest.mark.parametrize("spoil", SPOILED)
def test_no_role_is_checked_again(north: Firm, memory: InMemory, spoil: Spoil) -> None:
    case = verified(north, memory)
    spoil(case)
    before = len(memory.fake.calls)
    assert check(case) is None
    assert len(memory.fake.calls) == before


@pytest.mark.parametrize("spoil", SPOILED)
def test_what_aws_gave_is_dropped_when_the_consent_fell_while_it_was_asked(
    north: Firm, memory: InMemory, spoil: Spoil
) -> None:
    case = verified(north, memory)
    memory.door.before("assume", lambda: spoil(case))
    with pytest.raises(VisitRefused):
        enter(case)
    assert case.visit().status == VisitStatus.REFUSED


def test_a_consent_to_the_hash_that_was_found_opens(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    with tenancy.use(north.practice_side):
        consent = consent_of(case)
        newest = Verification.objects.get(grant__engagement=case.engagement)
    assert newest.findings["offer_sha256"] == consent.offer_sha256 == case.offer().offer_sha256
    enter(case)
    assert case.visit().status == VisitStatus.ISSUED


@pytest.mark.parametrize("found", [{}, {"offer_sha256": "0" * 64}])
def test_a_check_that_found_something_else_opens_nothing(
    north: Firm, memory: InMemory, found: dict[str, str]
) -> None:
    case = verified(north, memory)
    grant = case.grant()
    with tenancy.use(north.practice_side):
        Verification.objects.create(
            practice=north.practice,
            client=north.client,
            grant=grant,
            at=clock.now(),
            verdict="ok",
            findings=found,
        )
        assert not found_as_agreed(grant)
    before = len(memory.fake.calls)
    with pytest.raises(VisitRefused, match="another agreement"):
        enter(case)
    assert len(memory.fake.calls) == before
    check(case)
    enter(case)
    assert case.visit().status == VisitStatus.ISSUED


def test_without_any_good_check_nothing_was_found(north: Firm, memory: InMemory) -> None:
    case = watched(north)
    grant = case.grant()
    with tenancy.use(north.practice_side):
        assert not found_as_agreed(grant)
    assert memory.fake.calls == []


def test_the_proof_of_exit_asks_only_where_somebody_once_agreed(north: Firm, memory: InMemory) -> None:
    """It needs no live consent: it proves that the end of one came."""
    case = closing(north, memory)
    before = len(memory.fake.calls)
    with tenancy.use(north.practice_side):
        assert closing_probe(grant_id=case.grant().pk) is not None
        assert len(memory.fake.calls) > before
        consent_of(case).delete()
        before = len(memory.fake.calls)
        assert closing_probe(grant_id=case.grant().pk) is None
    assert len(memory.fake.calls) == before


# ---------------------------------------------------------------- reports of visits


def visited(firm: Firm, memory: InMemory, *ticked: str, profile: str = "cost_review") -> Case:
    """Verified and entered, under this profile, with these of its optional lines."""
    case = drafted(firm)
    with tenancy.use(firm.practice_side):
        Engagement.objects.filter(pk=case.engagement.pk).update(profile=profile, optional=list(ticked))
    case = Case(firm=firm, engagement=case.fresh())
    send(case)
    agree(case, *ticked)
    watch(case)
    memory.deploy(case)
    check(case)
    enter(case)
    return case


def reports(case: Case) -> list[str]:
    with tenancy.use(case.firm.practice_side):
        return list(VisitReport.objects.values_list("status", flat=True))


def fetch(case: Case) -> None:
    visit = case.visits()[-1]
    with tenancy.use(case.firm.practice_side), clock.frozen(visit.latest_end + dt.timedelta(hours=1)):
        assert report_fetch(visit_id=visit.pk) is None


def differs(case: Case) -> None:
    """The newest good check found what another offer says."""
    with tenancy.use(case.firm.practice_side):
        Verification.objects.create(
            practice=case.firm.practice,
            client=case.firm.client,
            grant=case.grant(),
            at=clock.now(),
            verdict="ok",
            findings={"offer_sha256": "0" * 64},
        )


@pytest.mark.parametrize("spoil", [*SPOILED, differs])
def test_nobody_looks_into_what_was_done(north: Firm, memory: InMemory, spoil: Spoil) -> None:
    case = visited(north, memory, profile="security_review")
    spoil(case)
    before = len(memory.fake.calls)
    fetch(case)
    assert len(memory.fake.calls) == before
    assert reports(case) == ["missing"]


def test_a_line_that_was_ticked_lets_look_and_one_that_was_not_does_not(
    north: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "REQUESTS_A_SECOND", 1000.0)
    assert reports(visited(north, memory)) == []
    case = visited(north, memory, "history")
    assert reports(case) == ["waiting"]
    fetch(case)
    assert reports(case) == ["complete"]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [("security_review", "cost_review", "missing"), ("security_review", "incident_response", "complete")],
)
def test_after_a_change_what_holds_now_says_whether_it_is_looked_at(
    north: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch, before: str, after: str, found: str
) -> None:
    monkeypatch.setattr(history, "REQUESTS_A_SECOND", 1000.0)
    case = visited(north, memory, profile=before)
    with tenancy.use(north.practice_side):
        offer = change_offer(
            engagement=case.engagement,
            profile=after,
            optional=(),
            ends_at=case.fresh().ends_at,
            actor=acting(north.owner),
        )
    agree(case, offer=offer)
    with case.seen():
        role = expected_role(spec_of(offer, case.grant()), ACCOUNT_ID)
    memory.fake.make_role(case.grant().role_arn, role)
    check(case)
    assert case.fresh().profile == after
    fetch(case)
    assert reports(case) == [found]
    enter(case)
    assert len(reports(case)) == (2 if found == "complete" else 1)


@pytest.mark.parametrize(
    "other", [{"template": "{}"}, {"lines": []}, {"documents": {"statements": [{"Effect": "Allow"}]}}]
)
def test_an_offer_that_is_not_what_its_hash_says_is_agreed_to_by_nobody(
    north: Firm, other: dict[str, object]
) -> None:
    case = agreed(north)
    offer, engagement = case.offer(), case.fresh()
    with tenancy.use(north.practice_side):
        assert consent_stands(engagement=engagement, offer=offer)
        same = _copy(offer, number=2)
        again(consent_of(case), offer_id=same.pk)
        assert consent_stands(engagement=engagement, offer=same)
        wider = _copy(offer, number=3, **other)
        again(consent_of(case), offer_id=wider.pk)
        assert not consent_stands(engagement=engagement, offer=wider)
