"""Two who act in the same instant, on two connections: one whole outcome or the other, never a half of both."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection

from accounts.lifecycle import ContactRole
from accounts.models import Contact
from engagements.lifecycle import EngagementStatus
from engagements.models import AgreementCode, Consent, Engagement, Offer
from engagements.selectors import offer_current
from engagements.services import agreement_codes
from engagements.services.closing import engagement_end, engagement_expire
from engagements.services.consents import consent_give, engagement_decline
from engagements.services.drafts import offer_published
from engagements.services.moves import engagement_cancel
from engagements.services.pauses import engagement_pause, engagement_resume
from portal.kernel import audit, clock, tenancy
from portal.kernel.errors import PortalError
from portal.kernel.models import AuditEvent, AuditHead, OutboxMessage
from tests.engagements.records import as_stored, kinds, moves
from tests.factories import (
    EVIDENCE,
    Firm,
    acting,
    freeze_offer,
    give_consent,
    make_contact,
    make_engagement_active,
    make_engagement_agreed,
    make_engagement_invited,
    make_engagement_paused,
    make_firm,
    paper_shown,
)

Act = Callable[[Firm, Engagement], None]
Make = Callable[[Firm], Engagement]
ROUNDS = 6


@pytest.fixture
def firm(real_db: None) -> Firm:
    return make_firm("north")


def at_once(firm: Firm, engagement: Engagement, *acts: Act) -> list[str]:
    """Let every act begin in the same instant, each on its own connection with a page read before; what each got."""
    barrier = threading.Barrier(len(acts))
    results = [""] * len(acts)

    def run(place: int, act: Act) -> None:
        try:
            seen = as_stored(firm, engagement)
            barrier.wait(20)
            act(firm, seen)
            results[place] = "done"
        except PortalError as error:
            results[place] = type(error).__name__
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# What two people do.


def agree(firm: Firm, engagement: Engagement) -> None:
    with tenancy.use(firm.client_side):
        agree_to(firm, engagement, offer_current(engagement))


def agree_to(firm: Firm, engagement: Engagement, offer: Offer) -> None:
    with tenancy.use(firm.client_side):
        consent_give(
            engagement=engagement,
            offer=offer,
            contact=firm.contact,
            account_id=engagement.account_id,
            shown=paper_shown(),
            evidence=EVIDENCE,
            signed_in_at=clock.now(),
            actor=acting(firm.approver),
        )


def decline(firm: Firm, engagement: Engagement) -> None:
    with tenancy.use(firm.client_side):
        engagement_decline(
            engagement=engagement, contact=firm.contact, reason="", actor=acting(firm.approver)
        )


def cancel(firm: Firm, engagement: Engagement) -> None:
    with tenancy.use(firm.practice_side):
        engagement_cancel(engagement=engagement, actor=acting(firm.owner))


def expire(firm: Firm, engagement: Engagement) -> None:
    with tenancy.use(firm.practice_side), clock.frozen(engagement.ends_at):
        engagement_expire(engagement_id=engagement.pk)


def pause_by_client(firm: Firm, engagement: Engagement) -> None:
    with tenancy.use(firm.client_side):
        engagement_pause(engagement=engagement, actor=acting(firm.approver))


def resume_by_practice(firm: Firm, engagement: Engagement) -> None:
    with tenancy.use(firm.practice_side):
        engagement_resume(engagement=engagement, actor=acting(firm.owner))


def end_by_client(firm: Firm, engagement: Engagement) -> None:
    with tenancy.use(firm.client_side):
        engagement_end(engagement=engagement, actor=acting(firm.approver))


def end_by_practice(firm: Firm, engagement: Engagement) -> None:
    with tenancy.use(firm.practice_side):
        engagement_end(engagement=engagement, actor=acting(firm.owner))


def freeze(firm: Firm, engagement: Engagement) -> None:
    freeze_offer(firm, engagement, template="Resources: {more: true}\n")


# What must be true afterwards, whoever won.


def consents(firm: Firm, engagement: Engagement) -> list[Consent]:
    with tenancy.use(firm.practice_side):
        return list(Consent.objects.filter(engagement=engagement))


def promised(firm: Firm, *keys: str) -> int:
    with tenancy.use(firm.practice_side):
        return OutboxMessage.objects.filter(dedupe_key__in=keys).count()


def assert_recorded_whole(firm: Firm, engagement: Engagement) -> None:
    """The record is one path that ends where the engagement stands, and its chain has no gap."""
    path = [(before, after) for _, before, after in moves(firm, engagement)]
    assert all(earlier[1] == later[0] for earlier, later in itertools.pairwise(path))
    assert path[-1][1] == as_stored(firm, engagement).status
    with tenancy.use(firm.practice_side):
        events = list(AuditEvent.objects.order_by("seq"))
        assert audit.first_fault(events, head=AuditHead.objects.get()) is None


def test_agreeing_twice_at_once_gives_one_consent_and_one_receipt(firm: Firm) -> None:
    for _ in range(ROUNDS):
        engagement = make_engagement_invited(firm)
        assert sorted(at_once(firm, engagement, agree, agree)) == ["InvalidMove", "done"]
        (consent,) = consents(firm, engagement)
        assert promised(firm, f"receipt:{consent.pk}") == 1
        assert kinds(firm, engagement).count("client:consent:given") == 1
        assert_recorded_whole(firm, engagement)
    with tenancy.use(firm.practice_side):
        assert OutboxMessage.objects.filter(kind="engagements.receipt").count() == ROUNDS


def test_five_tabs_that_agree_at_once_give_one_consent(firm: Firm) -> None:
    engagement = make_engagement_invited(firm)
    results = at_once(firm, engagement, *[agree] * 5)
    assert (results.count("done"), results.count("InvalidMove")) == (1, 4)
    assert len(consents(firm, engagement)) == 1


@pytest.mark.parametrize(
    ("against", "status"), [(decline, EngagementStatus.DECLINED), (cancel, EngagementStatus.CANCELLED)]
)
def test_a_yes_against_a_no_or_a_cancellation_has_one_winner(
    firm: Firm, against: Act, status: EngagementStatus
) -> None:
    for _ in range(ROUNDS):
        engagement = make_engagement_invited(firm)
        agreed, other = at_once(firm, engagement, agree, against)
        assert {agreed, other} == {"done", "InvalidMove"}
        now = as_stored(firm, engagement).status
        assert now == (EngagementStatus.AGREED if agreed == "done" else status)
        assert len(consents(firm, engagement)) == (agreed == "done")
        assert_recorded_whole(firm, engagement)


def test_a_yes_at_the_end_of_the_window_is_closed_or_came_too_late(firm: Firm) -> None:
    for _ in range(ROUNDS):
        engagement = make_engagement_invited(firm)
        agreed, expired = at_once(firm, engagement, agree, expire)
        assert expired == "done"
        now = as_stored(firm, engagement).status
        assert (agreed, now) in {
            ("done", EngagementStatus.CLOSING),
            ("InvalidMove", EngagementStatus.CANCELLED),
        }
        assert len(consents(firm, engagement)) == (agreed == "done")
        assert_recorded_whole(firm, engagement)


def test_a_yes_against_the_clients_own_end_is_live_or_withdrawn_with_it(firm: Firm) -> None:
    for _ in range(ROUNDS):
        engagement = make_engagement_invited(firm)
        agreed, ended = at_once(firm, engagement, agree, end_by_client)
        (consent,) = consents(firm, engagement)
        assert agreed == "done"
        assert (consent.withdrawn_at is not None) == (ended == "done")
        now = as_stored(firm, engagement).status
        assert now == (EngagementStatus.CLOSING if ended == "done" else EngagementStatus.AGREED)
        assert_recorded_whole(firm, engagement)


def test_a_yes_against_a_new_offer_is_to_the_offer_that_held_or_stale(firm: Firm) -> None:
    for _ in range(ROUNDS):
        engagement = make_engagement_invited(firm)
        with tenancy.use(firm.client_side):
            seen = offer_current(engagement)
        agreed, frozen = at_once(firm, engagement, partial(agree_to, offer=seen), freeze)
        assert frozen == "done"
        assert agreed in {"done", "Stale"}
        assert [row.offer_id for row in consents(firm, engagement)] == [seen.pk] * (agreed == "done")


def make_two(firm: Firm) -> Contact:
    """A second approver beside the firm's own."""
    return make_contact(firm, "lee", ContactRole.APPROVER)


def test_two_people_who_agree_at_once_both_count_and_it_is_agreed_once(firm: Firm) -> None:
    lee = make_two(firm)

    def agree_too(firm: Firm, engagement: Engagement) -> None:
        give_consent(firm, engagement, contact=lee)

    for _ in range(ROUNDS):
        engagement = make_engagement_invited(firm, approvals_needed=2)
        assert at_once(firm, engagement, agree, agree_too) == ["done", "done"]
        assert len(consents(firm, engagement)) == 2
        assert as_stored(firm, engagement).status == EngagementStatus.AGREED
        assert [after for *_, after in moves(firm, engagement)].count("agreed") == 1
        assert_recorded_whole(firm, engagement)


def test_the_same_person_in_five_tabs_counts_once(firm: Firm) -> None:
    make_two(firm)
    for _ in range(ROUNDS):
        engagement = make_engagement_invited(firm, approvals_needed=2)
        results = at_once(firm, engagement, *[agree] * 5)
        assert (results.count("done"), results.count("InvalidMove")) == (1, 4)
        assert len(consents(firm, engagement)) == 1
        assert as_stored(firm, engagement).status == EngagementStatus.INVITED


def test_a_second_yes_against_a_no_leaves_nothing_standing_or_all(firm: Firm) -> None:
    lee = make_two(firm)

    def decline_too(firm: Firm, engagement: Engagement) -> None:
        with tenancy.use(firm.client_side):
            engagement_decline(engagement=engagement, contact=lee, reason="", actor=acting(lee.user))

    for _ in range(ROUNDS):
        engagement = make_engagement_invited(firm, approvals_needed=2)
        agreed, declined = at_once(firm, engagement, agree, decline_too)
        assert declined == "done"
        assert agreed in {"done", "InvalidMove"}
        assert as_stored(firm, engagement).status == EngagementStatus.DECLINED
        assert all(consent.withdrawn_at for consent in consents(firm, engagement))
        assert_recorded_whole(firm, engagement)


def test_one_code_in_two_tabs_agrees_once(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[str] = []
    monkeypatch.setattr(
        agreement_codes,
        "letter_promise",
        lambda letter: codes.extend(re.findall(r"^  (\d{6})$", letter.text, re.MULTILINE)),
    )
    engagement = make_engagement_invited(firm, code_at_agreement=True)
    with tenancy.use(firm.client_side):
        agreement_codes.agreement_code_mail(
            engagement=engagement,
            offer=offer_current(engagement),
            contact=firm.contact,
            actor=acting(firm.approver),
        )

    def agree_with_code(firm: Firm, engagement: Engagement) -> None:
        give_consent(firm, engagement, code=codes[0])

    results = at_once(firm, engagement, *[agree_with_code] * 3)
    assert results.count("done") == 1
    assert len(consents(firm, engagement)) == 1


def test_wrong_codes_at_once_are_counted_one_by_one(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement_codes, "letter_promise", lambda _letter: None)
    engagement = make_engagement_invited(firm, code_at_agreement=True)
    with tenancy.use(firm.client_side):
        offer = offer_current(engagement)
        agreement_codes.agreement_code_mail(
            engagement=engagement, offer=offer, contact=firm.contact, actor=acting(firm.approver)
        )

    def guess(firm: Firm, engagement: Engagement) -> None:
        give_consent(firm, engagement, code="x")

    assert set(at_once(firm, engagement, *[guess] * 8)) == {"CodeNeeded"}
    with tenancy.use(firm.client_side):
        assert AgreementCode.objects.get().tries == agreement_codes.TRIES


def test_the_clients_pause_is_never_undone_by_a_resumption_that_came_with_it(firm: Firm) -> None:
    for _ in range(ROUNDS):
        engagement = make_engagement_paused(firm, by_client=False)
        paused, resumed = at_once(firm, engagement, pause_by_client, resume_by_practice)
        now = as_stored(firm, engagement)
        assert resumed == "done"
        assert (paused, now.status) in {
            ("done", EngagementStatus.PAUSED),
            ("InvalidMove", EngagementStatus.ACTIVE),
        }
        assert_recorded_whole(firm, engagement)


def test_a_pause_and_a_consultants_resumption_from_active_end_in_the_clients_pause(firm: Firm) -> None:
    for _ in range(ROUNDS):
        engagement = make_engagement_active(firm)
        paused, resumed = at_once(firm, engagement, pause_by_client, resume_by_practice)
        assert paused == "done"
        assert resumed in {"InvalidMove", "NotAllowed"}
        now = as_stored(firm, engagement)
        assert (now.status, now.moved_by_id) == (EngagementStatus.PAUSED, firm.approver.pk)
        assert_recorded_whole(firm, engagement)


@pytest.mark.parametrize("against", [end_by_practice, expire])
def test_two_ends_at_once_are_told_once(firm: Firm, against: Act) -> None:
    for _ in range(ROUNDS):
        engagement = make_engagement_active(firm)
        ended, other = at_once(firm, engagement, end_by_client, against)
        assert "done" in {ended, other}
        (consent,) = consents(firm, engagement)
        assert (consent.withdrawn_at is not None) == (ended == "done")
        assert promised(firm, f"closing:{engagement.pk}", f"ended:{engagement.pk}") == 2
        assert as_stored(firm, engagement).status == EngagementStatus.CLOSING
        assert_recorded_whole(firm, engagement)


def make_engagement_paused_by_practice(firm: Firm) -> Engagement:
    return make_engagement_paused(firm, by_client=False)


@pytest.mark.parametrize(
    ("make", "against"),
    [
        (make_engagement_active, pause_by_client),
        (make_engagement_paused_by_practice, resume_by_practice),
    ],
)
def test_an_end_wins_against_whatever_comes_with_it(firm: Firm, make: Make, against: Act) -> None:
    for _ in range(ROUNDS):
        engagement = make(firm)
        ended, _other = at_once(firm, engagement, end_by_client, against)
        assert ended == "done"
        assert as_stored(firm, engagement).status == EngagementStatus.CLOSING
        assert all(consent.withdrawn_at for consent in consents(firm, engagement))
        assert_recorded_whole(firm, engagement)


def test_a_template_published_twice_at_once_is_written_down_once(firm: Firm) -> None:
    engagement = make_engagement_agreed(firm)
    told: list[bool] = []

    def publish(firm: Firm, engagement: Engagement) -> None:
        with tenancy.use(firm.practice_side):
            offer = offer_current(engagement)
            told.append(offer_published(offer=offer, version_id="v1", actor=acting(firm.owner)))

    at_once(firm, engagement, publish, publish)
    assert sorted(told) == [False, True]
    assert kinds(firm, engagement).count("engagement:offer:published") == 1
