"""The client asks to use another AWS account: it changes nothing, is answered once, and is over when the access is on."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db import IntegrityError, ProgrammingError, transaction

from accounts.lifecycle import ContactRole
from accounts.models import Contact
from engagements.lifecycle import MOVABLE, WISH_MOVES, EngagementStatus, WishStatus
from engagements.models import AccountWish, Engagement
from engagements.selectors import wish_open
from engagements.services.closing import engagement_activate_within, engagement_end
from engagements.services.consents import BadAccount
from engagements.services.wishes import (
    wish_confirm_within,
    wish_drop_within,
    wish_make,
    wish_refuse,
    wish_take_back,
    wish_to_answer,
)
from portal.kernel import clock, tenancy
from portal.kernel.errors import InvalidMove, NotAllowed, RateLimited
from tests.engagements.records import as_stored, kinds, promises, refused
from tests.engagements.test_races import ROUNDS, assert_recorded_whole, at_once, end_by_client
from tests.factories import (
    ACCOUNT_ID,
    HUB_ACCOUNT_ID,
    TESTER,
    Firm,
    acting,
    make_contact,
    make_engagement_active,
    make_engagement_agreed,
    make_engagement_closing,
    make_engagement_invited,
    make_firm,
)

OTHER = "222222222222"
THIRD = "333333333333"


def wish(
    firm: Firm, engagement: Engagement, *, account_id: str = OTHER, contact: Contact | None = None
) -> AccountWish:
    """The client asks, by its approver or somebody else."""
    person = contact or firm.contact
    with tenancy.use(firm.client_side):
        return wish_make(
            engagement=engagement, contact=person, account_id=account_id, actor=acting(person.user)
        )


def take_back(firm: Firm, engagement: Engagement, *, contact: Contact | None = None) -> None:
    person = contact or firm.contact
    with tenancy.use(firm.client_side):
        wish_take_back(engagement=engagement, contact=person, actor=acting(person.user))


def refuse(firm: Firm, found: AccountWish, *, reason: str = "That account is not yours.") -> None:
    with tenancy.use(firm.practice_side):
        wish_refuse(engagement=found.engagement, wish_id=found.pk, reason=reason, actor=acting(firm.owner))


def wishes(firm: Firm) -> list[AccountWish]:
    with tenancy.use(firm.practice_side):
        return list(AccountWish.objects.select_related("moved_by").order_by("asked_at"))


def states(firm: Firm) -> list[str]:
    return [row.status for row in wishes(firm)]


# ---------------------------------------------------------------- asking


def test_a_wish_is_kept_told_and_promised_and_changes_nothing_of_what_was_agreed(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    found = wish(north, engagement)
    assert (found.account_id, found.instead_of, found.status) == (OTHER, ACCOUNT_ID, WishStatus.ASKED)
    assert str(found) == f"{OTHER} instead of {ACCOUNT_ID}"
    after = as_stored(north, engagement)
    assert (after.account_id, after.status) == (ACCOUNT_ID, EngagementStatus.AGREED)
    assert kinds(north, engagement)[-1] == "client:account:wished"
    (row,) = promises(north, kind="engagements.account_wished")
    assert row[1] == found.pk
    with tenancy.use(north.practice_side):
        open_now = wish_open(after)
    assert open_now == found


def test_one_is_asked_at_a_time(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    wish(north, engagement)
    with refused(north, InvalidMove):
        wish(north, engagement, account_id=THIRD)
    assert states(north) == [WishStatus.ASKED]


@pytest.mark.parametrize("account_id", ["", "12", "0" * 12, "2222222222²2", ACCOUNT_ID, HUB_ACCOUNT_ID])
def test_a_number_that_cannot_be_another_account_of_theirs_is_refused(north: Firm, account_id: str) -> None:
    engagement = make_engagement_agreed(north)
    with refused(north, BadAccount):
        wish(north, engagement, account_id=account_id)


@pytest.mark.parametrize("role", [ContactRole.VIEWER, ContactRole.AWS_ADMIN])
def test_who_may_not_agree_may_not_ask_for_it_either(north: Firm, role: ContactRole) -> None:
    engagement, lee = make_engagement_agreed(north), make_contact(north, "lee", role)
    with refused(north, NotAllowed):
        wish(north, engagement, contact=lee)
    found = wish(north, engagement)
    with refused(north, NotAllowed):
        take_back(north, engagement, contact=lee)
    assert states(north) == [found.status]


@pytest.mark.parametrize("make", [make_engagement_invited, make_engagement_active, make_engagement_closing])
def test_it_is_asked_only_between_the_consent_and_the_access(
    north: Firm, make: Callable[[Firm], Engagement]
) -> None:
    engagement = make(north)
    assert engagement.status not in MOVABLE
    with refused(north, InvalidMove):
        wish(north, engagement)


def test_it_is_not_asked_after_the_end(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    with clock.frozen(engagement.ends_at), refused(north, InvalidMove):
        wish(north, engagement)


def test_nobody_floods_a_mailbox_with_it(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    for _ in range(10):
        wish(north, engagement)
        take_back(north, engagement)
    with tenancy.use(north.client_side), pytest.raises(RateLimited):
        wish_make(
            engagement=engagement, contact=north.contact, account_id=OTHER, actor=acting(north.approver)
        )


# ---------------------------------------------------------------- the answers


def test_it_is_taken_back_and_asked_anew(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    wish(north, engagement)
    take_back(north, engagement)
    with refused(north, InvalidMove):
        take_back(north, engagement)
    wish(north, engagement, account_id=THIRD)
    assert states(north) == [WishStatus.TAKEN_BACK, WishStatus.ASKED]


def test_a_refusal_is_kept_with_its_reason_and_promised(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    found = wish(north, engagement)
    refuse(north, found, reason="  That account is not yours. ")
    (row,) = wishes(north)
    assert (row.status, row.moved_note) == (WishStatus.REFUSED, "That account is not yours.")
    assert row.moved_by == north.owner
    assert row.answered_at is not None
    assert kinds(north, engagement)[-1] == "engagement:account-wish:moved"
    assert {row[1] for row in promises(north, kind="engagements.account_refused")} == {found.pk}


def test_a_refusal_without_a_reason_is_none(north: Firm) -> None:
    found = wish(north, make_engagement_agreed(north))
    with refused(north, InvalidMove):
        refuse(north, found, reason="  ")
    assert states(north) == [WishStatus.ASKED]


def test_only_the_wish_that_was_read_is_answered(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    first = wish(north, engagement)
    take_back(north, engagement)
    with refused(north, InvalidMove):
        refuse(north, first)
    second = wish(north, engagement, account_id=THIRD)
    with refused(north, InvalidMove):
        refuse(north, first)
    refuse(north, second)
    assert states(north) == [WishStatus.TAKEN_BACK, WishStatus.REFUSED]


def test_a_wish_that_was_answered_meanwhile_is_not_moved_again(north: Firm) -> None:
    found = wish(north, make_engagement_agreed(north))
    with tenancy.use(north.practice_side), transaction.atomic(durable=True):
        AccountWish.objects.filter(pk=found.pk).update(status=WishStatus.TAKEN_BACK)
    with tenancy.use(north.practice_side), pytest.raises(InvalidMove), transaction.atomic(durable=True):
        wish_confirm_within(wish=found, actor=TESTER, offer_sha256="0" * 64)
    assert states(north) == [WishStatus.TAKEN_BACK]


def test_a_wish_moves_only_as_its_lifecycle_says(north: Firm) -> None:
    assert set(WISH_MOVES) == set(WishStatus)
    found = wish(north, make_engagement_agreed(north))
    refuse(north, found)
    (row,) = wishes(north)
    with tenancy.use(north.practice_side), pytest.raises(InvalidMove), transaction.atomic(durable=True):
        wish_confirm_within(wish=row, actor=TESTER, offer_sha256="0" * 64)


def test_parts_of_it_need_the_callers_transaction(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    found = wish(north, engagement)
    with tenancy.use(north.practice_side):
        with pytest.raises(tenancy.OutsideTransaction):
            wish_drop_within(engagement=engagement, actor=TESTER)
        with pytest.raises(tenancy.OutsideTransaction):
            wish_confirm_within(wish=found, actor=TESTER, offer_sha256="0" * 64)


# ---------------------------------------------------------------- its end


def test_access_that_comes_on_where_it_was_agreed_ends_the_wish(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    found = wish(north, engagement)
    with tenancy.use(north.practice_side), transaction.atomic(durable=True):
        engagement_activate_within(engagement=as_stored(north, engagement), actor=TESTER)
    assert states(north) == [WishStatus.TAKEN_BACK]
    with refused(north, InvalidMove):
        refuse(north, found)


def test_the_end_of_the_engagement_ends_the_wish(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    wish(north, engagement)
    with tenancy.use(north.practice_side):
        engagement_end(engagement=engagement, actor=acting(north.owner))
    assert states(north) == [WishStatus.TAKEN_BACK]


def test_a_wish_of_an_engagement_that_moved_on_is_not_answered(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    found = wish(north, engagement)
    engagement.status = EngagementStatus.ACTIVE
    with tenancy.use(north.practice_side), pytest.raises(InvalidMove):
        wish_to_answer(engagement=engagement, wish_id=found.pk)
    with tenancy.use(north.practice_side), pytest.raises(InvalidMove):
        wish_to_answer(engagement=as_stored(north, engagement), wish_id=uuid4())


# ---------------------------------------------------------------- the walls


def test_the_database_lets_only_the_client_wish_and_nobody_rewrite_it(north: Firm) -> None:
    engagement = make_engagement_agreed(north)
    found = wish(north, engagement)
    copy = {
        "practice": north.practice,
        "client": north.client,
        "engagement": engagement,
        "contact": north.contact,
        "instead_of": ACCOUNT_ID,
        "asked_at": clock.now(),
        "status": WishStatus.REFUSED,
    }
    with tenancy.use(north.practice_side), pytest.raises(ProgrammingError), transaction.atomic():
        AccountWish.objects.create(account_id=THIRD, **copy)
    with tenancy.use(north.client_side), pytest.raises(IntegrityError), transaction.atomic():
        AccountWish.objects.create(account_id="12", **copy)
    with tenancy.use(north.client_side), pytest.raises(ProgrammingError), transaction.atomic():
        AccountWish.objects.filter(pk=found.pk).update(account_id=THIRD)
    with tenancy.use(north.client_side), pytest.raises(IntegrityError), transaction.atomic():
        AccountWish.objects.create(account_id=THIRD, **{**copy, "status": WishStatus.ASKED})


def test_another_firm_sees_none_of_it(north: Firm, harbour: Firm) -> None:
    wish(north, make_engagement_agreed(north))
    assert len(wishes(north)) == 1
    assert wishes(harbour) == []


# ---------------------------------------------------------------- two at once


@pytest.fixture
def firm(real_db: None) -> Firm:
    return make_firm("north")


def asks(firm: Firm, engagement: Engagement) -> None:
    wish(firm, engagement)


def takes_back(firm: Firm, engagement: Engagement) -> None:
    take_back(firm, engagement)


def newest(firm: Firm, engagement: Engagement) -> AccountWish | None:
    rows = [row for row in wishes(firm) if row.engagement_id == engagement.pk]
    return rows[-1] if rows else None


def test_taking_back_and_refusing_at_once_end_in_one_of_the_two(firm: Firm) -> None:
    for _ in range(ROUNDS):
        engagement = make_engagement_agreed(firm)
        found = wish(firm, engagement)

        def refuses(one: Firm, _seen: Engagement, found: AccountWish = found) -> None:
            refuse(one, found)

        results = at_once(firm, engagement, takes_back, refuses)
        assert sorted(results) == ["InvalidMove", "done"]
        row = newest(firm, engagement)
        assert row is not None
        assert row.status == (WishStatus.TAKEN_BACK if results[0] == "done" else WishStatus.REFUSED)
        told = {one[1] for one in promises(firm, kind="engagements.account_refused")}
        assert (found.pk in told) is (row.status == WishStatus.REFUSED)
        assert_recorded_whole(firm, engagement)


def test_two_people_who_ask_at_once_leave_one_wish(firm: Firm) -> None:
    lee = make_contact(firm, "lee", ContactRole.APPROVER)
    for _ in range(ROUNDS):
        engagement = make_engagement_agreed(firm)

        def asks_too(one: Firm, seen: Engagement) -> None:
            wish(one, seen, account_id=THIRD, contact=lee)

        assert sorted(at_once(firm, engagement, asks, asks_too)) == ["InvalidMove", "done"]
        mine = [row.status for row in wishes(firm) if row.engagement_id == engagement.pk]
        assert mine == [WishStatus.ASKED]


def test_a_wish_and_the_end_at_once_leave_no_open_wish(firm: Firm) -> None:
    for _ in range(ROUNDS):
        engagement = make_engagement_agreed(firm)
        assert at_once(firm, engagement, asks, end_by_client)[1] == "done"
        row = newest(firm, engagement)
        assert row is None or row.status == WishStatus.TAKEN_BACK
        assert as_stored(firm, engagement).status == EngagementStatus.CLOSING
        assert_recorded_whole(firm, engagement)
