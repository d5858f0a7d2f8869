"""Reminders: each once, to both sides, in time, and none once things have moved on or would be silly."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from uuid import uuid4

import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from accounts.lifecycle import ContactRole
from accounts.models import Contact, Invitation
from engagements import reminding, tasks
from engagements.emails.news import NEWS
from engagements.lifecycle import EngagementStatus
from engagements.models import Engagement
from engagements.reminding import (
    ENDS_SOON,
    UNANSWERED,
    UNCONNECTED,
    UNOPENED,
    Course,
    due_at,
    next_after,
    next_at,
    reminders_of,
)
from engagements.services.closing import engagement_end
from engagements.services.pauses import engagement_resume
from engagements.services.reminders import REMIND, engagement_remind, reminders_plan_within
from portal.kernel import clock, due, tenancy
from portal.kernel.models import Due, OutboxMessage
from portal.kernel.tenancy import OutsideTransaction
from tests.factories import (
    Firm,
    acting,
    give_consent,
    make_contact,
    make_engagement_active,
    make_engagement_agreed,
    make_engagement_invited,
    make_engagement_paused,
    make_firm,
)

DAY = dt.timedelta(days=1)
START = dt.datetime(2026, 11, 2, 9, tzinfo=dt.UTC)
S = EngagementStatus


def course(status: S, *, days: float = 28, **over: dt.datetime | None) -> Course:
    """As if it was invited, agreed and on at the start, and ends so many days later."""
    moments: dict[str, dt.datetime | None] = {
        "invited_at": START,
        "opened_at": None,
        "agreed_at": START,
        "on_at": START,
        **over,
    }
    return Course(status=status, ends_at=START + days * DAY, **moments)


def planned(found: Course) -> list[tuple[str, float]]:
    """Kind, and days from the start."""
    return [(one.kind, (one.at - START) / DAY) for one in reminders_of(found)]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (course(S.INVITED), [(UNOPENED, 3)]),
        (course(S.INVITED, opened_at=START + 2 * DAY), [(UNANSWERED, 5)]),
        (course(S.INVITED, days=3.9), []),
        (course(S.INVITED, invited_at=None), []),
        (course(S.AGREED), [(UNCONNECTED, 1), (UNCONNECTED, 7)]),
        (course(S.AGREED, days=7), [(UNCONNECTED, 1)]),
        (course(S.AGREED, days=1.5), []),
        (course(S.ACTIVE), [(ENDS_SOON, 21), (ENDS_SOON, 27)]),
        (course(S.PAUSED), [(ENDS_SOON, 21), (ENDS_SOON, 27)]),
        (course(S.ACTIVE, days=13.9), [(ENDS_SOON, 12.9)]),
        (course(S.ACTIVE, days=2), [(ENDS_SOON, 1)]),
        (course(S.ACTIVE, days=1.9), []),
        (course(S.ACTIVE, on_at=START + 20 * DAY), [(ENDS_SOON, 27)]),
        (course(S.ACTIVE, on_at=None), []),
        *((course(status), []) for status in (S.DRAFT, S.CLOSING, S.CLOSED, S.DECLINED, S.CANCELLED)),
    ],
)
def test_what_is_planned_fits_the_length_of_the_whole(
    found: Course, expected: list[tuple[str, float]]
) -> None:
    assert [(kind, round(day, 6)) for kind, day in planned(found)] == expected


def test_of_two_that_came_due_unseen_the_later_is_sent_and_none_that_is_stale() -> None:
    found = course(S.AGREED)
    assert due_at(found, now=START) is None
    late = due_at(found, now=START + 8 * DAY)
    assert late is not None
    assert late.name == f"{UNCONNECTED}:7:{int(START.timestamp())}"
    assert due_at(found, now=START + 3 * DAY) is None
    assert next_at(found, now=START + 1.5 * DAY) == START + DAY  # due, and not stale yet
    assert next_at(found, now=START + 3 * DAY) == START + 7 * DAY
    assert next_after(found, now=START + 7 * DAY) is None


def test_another_end_has_reminders_of_its_own() -> None:
    first, second = (reminders_of(course(S.ACTIVE, days=days)) for days in (28, 29))
    assert not {one.name for one in first} & {one.name for one in second}


@given(
    st.sampled_from(list(S)),
    st.floats(min_value=0.1, max_value=400),
    st.floats(min_value=0, max_value=400),
)
def test_every_reminder_leaves_time_and_none_comes_twice(status: S, days: float, opened: float) -> None:
    found = course(status, days=days, opened_at=START + opened * DAY)
    all_of_them = reminders_of(found)
    assert len({one.name for one in all_of_them}) == len(all_of_them)
    assert all(START <= one.at < one.stale_at and one.at + DAY / 2 < found.ends_at for one in all_of_them)


@pytest.fixture
def firm(real_db: None) -> Firm:
    return make_firm("north")


def next_look(firm: Firm, engagement: Engagement) -> dt.datetime | None:
    with tenancy.use(firm.practice_side):
        return due.next_look(REMIND, engagement.pk)


def look(firm: Firm, engagement: Engagement) -> dt.datetime | None:
    with tenancy.use(firm.practice_side):
        return engagement_remind(engagement_id=engagement.pk)


def promised(firm: Firm) -> list[str]:
    """The reminders that were promised."""
    kinds = (ENDS_SOON, UNOPENED, UNANSWERED, UNCONNECTED)
    with tenancy.use(firm.practice_side):
        return list(
            OutboxMessage.objects.filter(kind__in=kinds).order_by("pk").values_list("kind", flat=True)
        )


def link(
    firm: Firm, engagement: Engagement, *, used_at: dt.datetime | None, contact: Contact | None = None
) -> None:
    """A link to the engagement, opened or not."""
    person = contact or firm.contact
    with tenancy.use(firm.practice_side):
        Invitation.objects.create(
            practice=firm.practice,
            client=firm.client,
            contact=person,
            invited_by=firm.owner,
            token_sha256=uuid4().hex * 2,
            landing_path=f"/e/{engagement.code}/",
            expires_at=clock.now() + 7 * DAY,
            used_at=used_at,
        )


def test_each_move_plans_anew_and_an_end_plans_nothing(firm: Firm) -> None:
    engagement = make_engagement_invited(firm)
    assert next_look(firm, engagement) == engagement.invited_at + reminding.UNTIL_OPENED  # type: ignore[operator]  # set
    give_consent(firm, engagement)
    with tenancy.use(firm.practice_side):
        agreed = Engagement.objects.get(pk=engagement.pk)
    assert next_look(firm, engagement) == agreed.agreed_at + DAY  # type: ignore[operator]  # set
    with tenancy.use(firm.client_side):
        engagement_end(engagement=agreed, actor=acting(firm.approver))
    assert next_look(firm, engagement) is None


def test_both_sides_are_reminded_once_though_looked_at_again_and_again(firm: Firm) -> None:
    engagement = make_engagement_active(firm)
    with clock.frozen(engagement.ends_at - 7 * DAY):
        assert look(firm, engagement) == engagement.ends_at - DAY
        assert look(firm, engagement) == engagement.ends_at - DAY
    assert promised(firm) == [ENDS_SOON]
    with clock.frozen(engagement.ends_at - DAY):
        assert look(firm, engagement) is None
    assert promised(firm) == [ENDS_SOON, ENDS_SOON]


def test_two_workers_at_the_same_moment_promise_one(firm: Firm) -> None:
    engagement = make_engagement_agreed(firm)
    with tenancy.use(firm.practice_side):
        Engagement.objects.update(agreed_at=clock.now() - DAY)
    together = threading.Barrier(2)

    def work(_number: int) -> None:
        try:
            together.wait(10)
            look(firm, engagement)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    assert promised(firm) == [UNCONNECTED]


def test_the_due_table_drives_it(firm: Firm, as_worker: Callable[[], AbstractContextManager[None]]) -> None:
    engagement = make_engagement_agreed(firm)
    with tenancy.use(firm.practice_side):
        Engagement.objects.update(agreed_at=clock.now() - DAY)
        Due.objects.filter(kind=REMIND).update(next_at=clock.now() - dt.timedelta(seconds=1))
    with as_worker():
        with tenancy.use(tenancy.SYSTEM):
            (turn,) = [found for found in due.claim() if found.kind == REMIND]
            assert due.claim() == []
        due.take(turn)
    assert due.HANDLERS[REMIND] is tasks.reminder_due
    assert promised(firm) == [UNCONNECTED]
    with tenancy.use(firm.practice_side):
        agreed_at = Engagement.objects.get(pk=engagement.pk).agreed_at
    assert agreed_at is not None
    assert next_look(firm, engagement) == agreed_at + 7 * DAY


def test_an_invitation_is_looked_at_daily_until_it_is_opened(firm: Firm) -> None:
    engagement = make_engagement_invited(firm)
    assert engagement.invited_at is not None
    day = [engagement.invited_at + days * DAY for days in range(30)]
    viewer = make_contact(firm, "val", ContactRole.VIEWER)
    link(firm, engagement, used_at=day[1], contact=viewer)  # a viewer's reading is no answer
    with clock.frozen(day[3]):
        assert look(firm, engagement) == day[4]
    assert promised(firm) == [UNOPENED]
    link(firm, engagement, used_at=day[4])
    with clock.frozen(day[5]):
        assert look(firm, engagement) == day[7]
    with clock.frozen(day[7]):
        assert look(firm, engagement) is None
    assert promised(firm) == [UNOPENED, UNANSWERED]


def test_an_invitation_that_ends_soon_is_looked_at_no_more(firm: Firm) -> None:
    engagement = make_engagement_invited(firm)
    with clock.frozen(engagement.ends_at - 1.5 * DAY):
        assert look(firm, engagement) is None
    assert look(firm, Engagement(pk=uuid4())) is None


def test_a_pause_loses_no_reminder_and_repeats_none(firm: Firm) -> None:
    engagement = make_engagement_paused(firm)
    week_before = engagement.ends_at - 7 * DAY
    with clock.frozen(week_before + dt.timedelta(hours=1)):
        with tenancy.use(firm.client_side):
            engagement_resume(engagement=engagement, actor=acting(firm.approver))
        assert next_look(firm, engagement) == week_before  # due, and not told yet
        look(firm, engagement)
        look(firm, engagement)
    assert promised(firm) == [ENDS_SOON]


def test_a_plan_belongs_to_the_transaction_of_its_cause(firm: Firm) -> None:
    engagement = make_engagement_active(firm)
    with tenancy.use(firm.practice_side):
        with pytest.raises(OutsideTransaction):
            reminders_plan_within(engagement)
        with transaction.atomic(durable=True):
            reminders_plan_within(engagement)


def test_what_moved_on_is_not_told_any_more(firm: Firm) -> None:
    """Between the promise and the mail: it was opened, answered, switched on, or ended."""
    engagement = make_engagement_invited(firm)
    with tenancy.use(firm.practice_side):
        assert NEWS[UNOPENED].matter(engagement.pk, clock.now()) is not None
    link(firm, engagement, used_at=clock.now())
    with tenancy.use(firm.practice_side):
        assert NEWS[UNOPENED].matter(engagement.pk, clock.now()) is None
        assert NEWS[UNANSWERED].matter(engagement.pk, clock.now()) is not None
        assert NEWS[UNCONNECTED].matter(engagement.pk, clock.now()) is None
        assert NEWS[ENDS_SOON].matter(engagement.pk, clock.now()) is None
    with tenancy.use(firm.practice_side):
        Engagement.objects.update(status=S.ACTIVE)
        assert NEWS[ENDS_SOON].matter(engagement.pk, clock.now()) is not None
        Engagement.objects.update(ends_at=clock.now())
        assert NEWS[ENDS_SOON].matter(engagement.pk, clock.now()) is None
