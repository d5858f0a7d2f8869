"""The paper side: the lifecycle, moves that cannot be done twice, and papers that cannot be rewritten."""

from __future__ import annotations

import threading

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from engagements.lifecycle import CLOSED_BY_ITSELF, MOVES, TERMINAL, AssignmentRole, EngagementStatus
from engagements.models import Assignment, Consent, Engagement, Offer
from engagements.services.moves import engagement_cancel, engagement_move_within
from portal.kernel import actor, clock, tenancy
from portal.kernel.errors import InvalidMove
from portal.kernel.models import AuditEvent
from tests.factories import Firm, make_engagement, make_firm

MAYA = actor.machine("test")
STATUSES = list(EngagementStatus)


@pytest.fixture
def north(db: None) -> Firm:
    return make_firm("north")


@transaction.atomic(durable=True)
def move(engagement: Engagement, to: EngagementStatus) -> None:
    engagement_move_within(engagement=engagement, to=to, actor=MAYA)


def test_every_status_has_its_moves_and_every_end_is_reachable() -> None:
    assert set(MOVES) == set(EngagementStatus)
    reached, todo = {EngagementStatus.DRAFT}, [EngagementStatus.DRAFT]
    while todo:
        fresh = MOVES[todo.pop()] - reached
        reached |= fresh
        todo.extend(fresh)
    assert reached == set(EngagementStatus)
    assert {"closed", "declined", "cancelled"} == TERMINAL
    assert all(EngagementStatus.CLOSING in MOVES[status] for status in CLOSED_BY_ITSELF)


@pytest.mark.parametrize("to", STATUSES)
@pytest.mark.parametrize("seen", STATUSES)
def test_a_move_happens_exactly_where_the_table_allows_it(
    north: Firm, seen: EngagementStatus, to: EngagementStatus
) -> None:
    engagement = make_engagement(north)
    with tenancy.use(tenancy.practice_scope(north.practice.pk)):
        Engagement.objects.update(status=seen)
        engagement.status = seen
        if to in MOVES[seen]:
            move(engagement, to)
        else:
            with pytest.raises(InvalidMove):
                move(engagement, to)
        engagement.refresh_from_db()
        assert engagement.status == (to if to in MOVES[seen] else seen)
        assert AuditEvent.objects.filter(about_id=engagement.pk).count() == (to in MOVES[seen])


def test_a_stale_page_moves_nothing_and_records_nothing(north: Firm) -> None:
    engagement = make_engagement(north)
    with tenancy.use(tenancy.practice_scope(north.practice.pk)):
        stale = Engagement.objects.get(pk=engagement.pk)
        move(engagement, EngagementStatus.INVITED)
        with pytest.raises(InvalidMove):
            engagement_cancel(engagement=stale, actor=MAYA)
        assert AuditEvent.objects.count() == 1


def test_a_move_outside_a_transaction_is_refused(north: Firm) -> None:
    engagement = make_engagement(north)
    with tenancy.use(tenancy.practice_scope(north.practice.pk)), pytest.raises(tenancy.OutsideTransaction):
        engagement_move_within(engagement=engagement, to=EngagementStatus.INVITED, actor=MAYA)


def test_of_two_who_answer_at_once_exactly_one_wins(real_db: None) -> None:
    firm = make_firm("north")
    engagement = make_engagement(firm)
    with tenancy.use(tenancy.practice_scope(firm.practice.pk)):
        move(engagement, EngagementStatus.INVITED)
    for _ in range(20):
        assert sorted(answer_at_once(firm, engagement)) == ["lost", "won"]
        with tenancy.use(tenancy.practice_scope(firm.practice.pk)):
            assert Engagement.objects.update(status=EngagementStatus.INVITED) == 1
    with tenancy.use(tenancy.practice_scope(firm.practice.pk)):
        assert AuditEvent.objects.count() == 21


def answer_at_once(firm: Firm, engagement: Engagement) -> list[str]:
    """One approver agrees while another says no; what each of them got."""
    barrier, results = threading.Barrier(2), list[str]()

    def answer(to: EngagementStatus) -> None:
        try:
            with tenancy.use(tenancy.client_scope(firm.practice.pk, firm.client.pk)):
                read = Engagement.objects.get(pk=engagement.pk)
                barrier.wait()
                move(read, to)
                results.append("won")
        except InvalidMove:
            results.append("lost")
        finally:
            connection.close()

    both = [
        threading.Thread(target=answer, args=[to])
        for to in (EngagementStatus.AGREED, EngagementStatus.DECLINED)
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    return results


def test_a_client_sees_its_own_engagements_only(north: Firm) -> None:
    make_engagement(north)
    harbour = make_firm("harbour")
    with tenancy.use(tenancy.client_scope(north.practice.pk, north.client.pk)):
        assert Engagement.objects.count() == 1
    with tenancy.use(tenancy.practice_scope(harbour.practice.pk)):
        assert Engagement.objects.count() == 0


def test_a_client_cannot_assign_consultants(north: Firm) -> None:
    engagement = make_engagement(north)
    with (
        tenancy.use(tenancy.client_scope(north.practice.pk, north.client.pk)),
        pytest.raises(DatabaseError, match="row-level security"),
        transaction.atomic(),
    ):
        assign(north, engagement, north)


def test_only_the_practices_own_people_are_assigned(north: Firm) -> None:
    engagement = make_engagement(north)
    harbour = make_firm("harbour")
    with tenancy.use(tenancy.practice_scope(north.practice.pk)):
        assert str(assign(north, engagement, north)) == f"lead on {engagement.pk}"
        Assignment.objects.update(ends_at=clock.now())  # one leads at a time
        with pytest.raises(IntegrityError, match="wall"), transaction.atomic():
            assign(north, engagement, harbour)


def assign(firm: Firm, engagement: Engagement, whose: Firm) -> Assignment:
    return Assignment.objects.create(
        practice=firm.practice,
        client=firm.client,
        engagement=engagement,
        consultant=whose.owner,
        role=AssignmentRole.LEAD,
        starts_at=clock.now(),
    )


@pytest.mark.parametrize("account_id", ["12345678901", "1234567890123", "44170926558x", "٤٤١٧٠٩٢٦٥٥٨٣"])
def test_an_account_is_twelve_ascii_digits(north: Firm, account_id: str) -> None:
    make_engagement(north)
    with (
        tenancy.use(tenancy.practice_scope(north.practice.pk)),
        pytest.raises(DatabaseError),
        transaction.atomic(),
    ):
        Engagement.objects.update(account_id=account_id)


def make_papers(firm: Firm) -> tuple[Offer, Consent]:
    engagement = make_engagement(firm)
    tenant = {"practice": firm.practice, "client": firm.client, "engagement": engagement}
    with tenancy.use(tenancy.practice_scope(firm.practice.pk)):
        offer = Offer.objects.create(
            **tenant,
            number=1,
            lines=[],
            documents={},
            template="{}",
            template_sha256="a" * 64,
            offer_sha256="b" * 64,
            frozen_at=clock.now(),
        )
        consent = Consent.objects.create(
            **tenant,
            offer=offer,
            contact=firm.contact,
            account_id="441709265583",
            shown_html="<p>",
            shown_sha256="c" * 64,
            offer_sha256="b" * 64,
            evidence={},
            given_at=clock.now(),
        )
    return offer, consent


@pytest.mark.parametrize(
    ("model", "change"),
    [
        (Offer, {"template": "{ }"}),
        (Offer, {"lines": ["more"]}),
        (Consent, {"shown_html": "<p>other"}),
        (Consent, {"evidence": {"ip": "192.0.2.1"}}),
        (Consent, {"account_id": "111122223333"}),
    ],
)
def test_papers_cannot_be_rewritten(
    north: Firm, model: type[Offer | Consent], change: dict[str, object]
) -> None:
    make_papers(north)
    with (
        tenancy.use(tenancy.practice_scope(north.practice.pk)),
        pytest.raises(DatabaseError, match="frozen"),
        transaction.atomic(),
    ):
        model.objects.update(**change)


def test_a_template_is_published_and_a_consent_withdrawn_once_they_exist(north: Firm) -> None:
    offer, consent = make_papers(north)
    with tenancy.use(tenancy.practice_scope(north.practice.pk)):
        assert Offer.objects.update(template_version_id="v1") == 1
        assert Consent.objects.update(withdrawn_at=clock.now(), withdrawn_by=north.approver) == 1
    assert str(offer) == f"offer 1 of {offer.engagement_id}"
    assert str(consent) == f"consent to {offer.pk}"
    assert str(make_engagement(north)) == "Cost review"
