"""Questions, answers, and a colleague who should agree: told to the other side, and nothing moves by it."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, transaction

from accounts.lifecycle import ContactRole
from accounts.models import Contact, User
from engagements.lifecycle import KNOWN_TO_CLIENT, EngagementEvent, EngagementStatus
from engagements.models import Engagement, Referral, Remark
from engagements.selectors import referrals_of, remarks_of
from engagements.services.talk import (
    LONGEST,
    QUESTIONS,
    REFERRALS,
    NothingSaid,
    colleague_name,
    question_answer,
    question_ask,
)
from portal.kernel import clock, tenancy
from portal.kernel.errors import InvalidMove, NotAllowed, NotVisible, RateLimited
from tests.engagements.records import as_stored, kinds, promises, refused
from tests.factories import Firm, acting, make_contact, make_engagement_drafted, make_engagement_invited


def ask(
    firm: Firm, engagement: Engagement, text: str = "What will it cost?", contact: Contact | None = None
) -> Remark:
    person = contact or firm.contact
    with tenancy.use(firm.client_side):
        return question_ask(engagement=engagement, contact=person, text=text, actor=acting(person.user))


def answer(firm: Firm, engagement: Engagement, text: str = "Nothing.") -> Remark:
    with tenancy.use(firm.practice_side):
        return question_answer(engagement=engagement, author=firm.owner, text=text, actor=acting(firm.owner))


def name(firm: Firm, engagement: Engagement, email: str = "Lee@North.example ") -> Referral:
    with tenancy.use(firm.client_side):
        return colleague_name(
            engagement=engagement, contact=firm.contact, name="Lee", email=email, actor=acting(firm.approver)
        )


def move(firm: Firm, status: EngagementStatus) -> None:
    with tenancy.use(firm.practice_side):
        Engagement.objects.update(status=status)


def test_a_question_is_mailed_told_and_moves_nothing(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    moment = clock.now()
    with clock.frozen(moment):
        made = ask(north, engagement, "  What will it cost?\nAnd when? ")
    assert (made.text, made.is_from_client, made.said_at) == (
        "What will it cost?\nAnd when?",
        True,
        moment,
    )
    assert ("engagements.question", made.pk, f"remark:{made.pk}", north.client.pk) in promises(north)
    assert kinds(north, engagement)[-1] == EngagementEvent.QUESTION_ASKED
    assert as_stored(north, engagement).status == EngagementStatus.INVITED
    assert str(made) == f"remark on {engagement.pk}"


def test_an_answer_is_mailed_to_who_asked_and_moves_nothing(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    asked, answered = ask(north, engagement), answer(north, engagement)
    assert ("engagements.answer", answered.pk, f"remark:{answered.pk}", north.client.pk) in promises(north)
    assert kinds(north, engagement)[-1] == EngagementEvent.QUESTION_ANSWERED
    assert as_stored(north, engagement).status == EngagementStatus.INVITED
    with tenancy.use(north.client_side):
        found = remarks_of(engagement)
    assert [(one.pk, one.author_id, one.is_from_client) for one in found] == [
        (asked.pk, north.approver.pk, True),
        (answered.pk, north.owner.pk, False),
    ]


def test_nobody_answers_what_nobody_asked(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    with refused(north, InvalidMove):
        answer(north, engagement)


@pytest.mark.parametrize("text", ["", " \n ", "x" * (LONGEST + 1)])
def test_only_words_are_sent(north: Firm, text: str) -> None:
    engagement = make_engagement_invited(north)
    with refused(north, NothingSaid):
        ask(north, engagement, text)
    ask(north, engagement, "x" * LONGEST)
    with refused(north, NothingSaid):
        answer(north, engagement, text)


@pytest.mark.parametrize("status", EngagementStatus.values)
def test_people_talk_from_the_invitation_to_the_end(north: Firm, status: EngagementStatus) -> None:
    engagement = make_engagement_invited(north)
    ask(north, engagement)
    move(north, status)
    if status in KNOWN_TO_CLIENT:
        ask(north, engagement)
        answer(north, engagement)
        return
    with refused(north, InvalidMove):
        ask(north, engagement)
    with refused(north, InvalidMove):
        answer(north, engagement)


def test_a_viewer_asks_and_who_only_does_the_aws_step_does_not(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    ask(north, engagement, contact=make_contact(north, "val", ContactRole.VIEWER))
    hands = make_contact(north, "ada", ContactRole.AWS_ADMIN)
    with refused(north, NotAllowed):
        ask(north, engagement, contact=hands)


def test_who_left_asks_nothing_and_names_nobody(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    with tenancy.use(north.practice_side):
        Contact.objects.update(ended_at=clock.now())
    with refused(north, NotAllowed):
        ask(north, engagement)
    with refused(north, NotAllowed):
        name(north, engagement)


def test_another_practice_sees_nothing_of_it(north: Firm, harbour: Firm) -> None:
    engagement = make_engagement_invited(north)
    ask(north, engagement)
    name(north, engagement)
    with refused(harbour, NotVisible):
        answer(harbour, engagement)
    with tenancy.use(harbour.practice_side):
        assert (Remark.objects.count(), Referral.objects.count()) == (0, 0)


def test_a_mailbox_is_not_flooded(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    for _ in range(QUESTIONS.tries):
        ask(north, engagement)
    with refused(north, RateLimited):
        ask(north, engagement)
    for _ in range(REFERRALS.tries):
        name(north, engagement)
    with refused(north, RateLimited):
        name(north, engagement)


def test_a_colleague_who_is_named_is_not_added(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    users = User.objects.count()
    made = name(north, engagement)
    assert (made.name, made.email, str(made)) == (
        "Lee",
        "lee@north.example",
        f"referral on {engagement.pk}",
    )
    assert ("engagements.colleague", made.pk, f"referral:{made.pk}", north.client.pk) in promises(north)
    assert kinds(north, engagement)[-1] == EngagementEvent.COLLEAGUE_NAMED
    assert as_stored(north, engagement).status == EngagementStatus.INVITED
    assert User.objects.count() == users
    with tenancy.use(north.practice_side):
        assert Contact.objects.count() == 1
        (row,) = referrals_of(engagement)
        assert vars(row)["is_contact"] is False


def test_the_practice_sees_once_they_are_a_contact(north: Firm) -> None:
    engagement = make_engagement_invited(north)
    name(north, engagement)
    make_contact(north, "lee", ContactRole.APPROVER)
    with tenancy.use(north.practice_side):
        (row,) = referrals_of(engagement)
    assert vars(row)["is_contact"] is True


def test_a_colleague_is_named_only_while_an_answer_is_waited_for(north: Firm) -> None:
    engagement = make_engagement_drafted(north)
    with refused(north, InvalidMove):
        name(north, engagement)


@pytest.mark.parametrize("model", [Remark, Referral])
def test_what_was_said_is_never_rewritten(north: Firm, model: type[Remark | Referral]) -> None:
    engagement = make_engagement_invited(north)
    ask(north, engagement)
    name(north, engagement)
    with tenancy.use(north.practice_side), pytest.raises(DatabaseError), transaction.atomic():
        model.objects.update(client=north.client)
    with tenancy.use(north.practice_side), pytest.raises(DatabaseError), transaction.atomic():
        model.objects.all().delete()
