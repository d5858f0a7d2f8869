"""The step in AWS goes to a colleague: who may send it on, who gets it, and what they see of the rest: nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accounts import selectors
from accounts.emails import invitation_url
from accounts.lifecycle import ContactRole
from accounts.models import Contact, Invitation, User
from accounts.services.invitations import invitation_make
from engagements.lifecycle import EngagementEvent, EngagementStatus
from engagements.models import Engagement, Handover, Referral
from engagements.selectors import handovers_of, is_handed_elsewhere
from engagements.services.handing import (
    ASKED,
    HANDOVERS,
    LETTER,
    Obstacle,
    handover_settle,
    step_hand_over,
)
from engagements.services.people import contact_end
from engagements.services.talk import invitation_misdirected
from portal.kernel import clock, tenancy
from portal.kernel.errors import InvalidMove, LinkDead, NotAllowed, RateLimited
from tests.engagements.records import kinds, promises, refused
from tests.factories import (
    TESTER,
    Firm,
    acting,
    make_contact,
    make_engagement_agreed,
    make_engagement_invited,
    make_firm,
)
from tests.mailbox import Mailbox

Deliver = Callable[[], int]
ALEX = "alex@north.example"


@pytest.fixture
def firm(real_db: None) -> Firm:
    return make_firm("north")


def hand(
    firm: Firm, engagement: Engagement, email: str = " Alex@North.example", contact: Contact | None = None
) -> Handover:
    person = contact or firm.contact
    with tenancy.use(firm.client_side):
        return step_hand_over(
            engagement=engagement, contact=person, name="Alex Reed", email=email, actor=acting(person.user)
        )


def settled(firm: Firm, made: Handover) -> Handover:
    """What became of it; a second try changes nothing."""
    with tenancy.use(firm.practice_side):
        for _ in range(2):
            handover_settle(handover_id=made.pk)
        return Handover.objects.select_related("hands__user").get(pk=made.pk)


def deliver_all(deliver: Deliver) -> None:
    while deliver():
        pass


def test_a_client_writes_down_whom_it_asks_for_and_adds_nobody(firm: Firm) -> None:
    engagement = make_engagement_agreed(firm)
    made = hand(firm, engagement)
    assert (made.email, made.settled_at, str(made)) == (ALEX, None, f"handover of {engagement.pk}")
    assert (ASKED, made.pk, f"handover:{made.pk}", firm.client.pk) in promises(firm)
    assert kinds(firm, engagement)[-1] == EngagementEvent.STEP_HANDED_OVER
    assert not User.objects.filter(email=ALEX).exists()


def test_the_colleague_is_added_for_the_step_and_mailed_once(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    engagement = make_engagement_agreed(firm)
    hand(firm, engagement)
    deliver_all(deliver)
    (letter,) = [one for one in mailbox.letters if one["To"] == ALEX]
    assert letter["Subject"] == "Sam Carter asks you to switch on access in AWS (North)"
    assert letter["From"] == "Sam Carter via North <portal@northgate.example>"
    assert letter["Reply-To"] == firm.approver.email
    assert letter["X-Portal-Reason"] == LETTER
    text = " ".join(str(letter.get_body(("plain",)).get_content()).split())  # type: ignore[union-attr]  # it has one
    html = str(letter.get_body(("html",)).get_content())  # type: ignore[union-attr]  # as above
    for needed in (
        "Sam Carter of Client of north agreed that Maya Okafor of North may look at an AWS account.",
        "Ask Sam in person before you press anything. We never ask for passwords or AWS keys.",
        "ending 5583",
    ):
        assert needed in text
    assert "441709265583" not in text
    assert html.count('class="btn"') == 1
    with tenancy.use(firm.practice_side):
        contact = Contact.objects.select_related("user").get(user__email=ALEX)
        invitation = Invitation.objects.get(contact=contact)
        (row,) = handovers_of(engagement)
    assert (contact.role, contact.user.name, row.hands_id) == ("aws_admin", "Alex Reed", contact.pk)
    assert invitation_url(invitation) in text


def test_somebody_who_is_there_already_keeps_their_role(firm: Firm) -> None:
    engagement = make_engagement_agreed(firm)
    viewer = make_contact(firm, "alex", ContactRole.VIEWER)
    found = settled(firm, hand(firm, engagement))
    assert found.hands_id == viewer.pk
    with tenancy.use(firm.practice_side):
        assert Contact.objects.get(pk=viewer.pk).role == ContactRole.VIEWER
        assert Invitation.objects.filter(contact=viewer).count() == 1


@pytest.mark.parametrize("who", ["consultant", "removed", "inactive", "over"])
def test_who_must_not_come_in_by_this_does_not(firm: Firm, who: str) -> None:
    engagement = make_engagement_agreed(firm)
    email = firm.owner.email if who == "consultant" else ALEX
    if who in {"removed", "inactive"}:
        contact = make_contact(firm, "alex", ContactRole.VIEWER)
        with tenancy.use(firm.practice_side):
            contact_end(contact=contact, actor=TESTER)
    made = hand(firm, engagement, email)
    if who == "inactive":
        with tenancy.use(firm.practice_side):
            Contact.objects.filter(user__email=ALEX).update(ended_at=None)
        User.objects.filter(email=ALEX).update(is_active=False)
    if who == "over":
        with tenancy.use(firm.practice_side):
            Engagement.objects.update(status=EngagementStatus.CLOSED)
    found = settled(firm, made)
    expected = {"consultant": Obstacle.IS_CONSULTANT, "over": Obstacle.IS_OVER}.get(who, Obstacle.WAS_REMOVED)
    assert (found.problem, found.hands) == (expected, None)
    with tenancy.use(firm.practice_side):
        assert not Invitation.objects.filter(letter_kind=LETTER).exists()


def test_only_an_approver_sends_it_on_and_not_to_themselves(firm: Firm) -> None:
    engagement = make_engagement_agreed(firm)
    for role in (ContactRole.VIEWER, ContactRole.AWS_ADMIN):
        contact = make_contact(firm, role.value, role)
        with refused(firm, NotAllowed):
            hand(firm, engagement, contact=contact)
    with refused(firm, NotAllowed):
        hand(firm, engagement, firm.approver.email.upper())


def test_before_it_is_agreed_there_is_no_step(firm: Firm) -> None:
    engagement = make_engagement_invited(firm)
    with refused(firm, InvalidMove):
        hand(firm, engagement)


def test_nobody_floods_a_mailbox_through_it(firm: Firm) -> None:
    engagement = make_engagement_agreed(firm)
    for number in range(HANDOVERS.tries):
        hand(firm, engagement, f"a{number}@north.example")
    with refused(firm, RateLimited):
        hand(firm, engagement)


def test_a_row_that_is_gone_is_nothing_to_do(firm: Firm) -> None:
    with tenancy.use(firm.practice_side):
        handover_settle(handover_id=firm.client.pk)


def test_who_was_asked_for_one_engagement_reaches_no_other(firm: Firm) -> None:
    asked, other = make_engagement_agreed(firm), make_engagement_agreed(firm)
    own = settled(firm, hand(firm, asked)).hands
    added = make_contact(firm, "ada", ContactRole.AWS_ADMIN)  # by the practice, for the whole client
    assert own is not None
    with tenancy.use(firm.client_side):
        assert not is_handed_elsewhere(own, asked)
        assert is_handed_elsewhere(own, other)
        assert not is_handed_elsewhere(added, other)
        assert not is_handed_elsewhere(firm.contact, other)


@pytest.mark.parametrize("how", ["over", "no handover", "used"])
def test_a_mail_that_leads_nowhere_is_not_sent(
    firm: Firm, mailbox: Mailbox, deliver: Deliver, how: str
) -> None:
    engagement = make_engagement_agreed(firm)
    if how == "no handover":
        with tenancy.use(firm.practice_side):
            invitation_make(
                contact=firm.contact,
                landing_path=f"/e/{engagement.code}/",
                invited_by=firm.owner,
                letter_kind=LETTER,
                actor=TESTER,
            )
    else:
        settled(firm, hand(firm, engagement))
        with tenancy.use(firm.practice_side):
            if how == "over":
                Engagement.objects.update(status=EngagementStatus.CLOSING)
            else:
                Invitation.objects.update(used_at=clock.now())
    deliver_all(deliver)
    assert not [one for one in mailbox.letters if one["X-Portal-Reason"] == LETTER]


def token_of(firm: Firm, engagement: Engagement, **over: Any) -> str:  # Any: as invitation_make has them
    with tenancy.use(firm.practice_side):
        made = invitation_make(
            **{
                "contact": firm.contact,
                "landing_path": f"/e/{engagement.code}/",
                "invited_by": firm.owner,
                "letter_kind": "engagements.invitation",
                "actor": TESTER,
                **over,
            }
        )
    return invitation_url(made).rstrip("/").rpartition("/")[2]


def test_an_invitation_that_came_to_somebody_else_stops_working_and_is_told(firm: Firm) -> None:
    engagement = make_engagement_invited(firm)
    token = token_of(firm, engagement)
    invitation_misdirected(token=token, email=" Lee@North.example ")
    with tenancy.use(firm.practice_side):
        row = Referral.objects.get()
    assert (row.email, row.is_misdirected, row.contact_id) == ("lee@north.example", True, firm.contact.pk)
    assert ("engagements.misdirected", row.pk, f"referral:{row.pk}", firm.client.pk) in promises(firm)
    assert kinds(firm, engagement)[-1] == EngagementEvent.MISDIRECTED
    for dead in (token, "made-up"):
        with pytest.raises(LinkDead):
            invitation_misdirected(token=dead, email="x@north.example")


@pytest.mark.parametrize("status", [None, EngagementStatus.CANCELLED])
def test_a_link_to_nothing_that_runs_is_only_switched_off(
    firm: Firm, status: EngagementStatus | None
) -> None:
    engagement = make_engagement_invited(firm)
    token = token_of(firm, engagement, **({} if status else {"landing_path": "/help/"}))
    with tenancy.use(firm.practice_side):
        if status:
            Engagement.objects.update(status=status)
    invitation_misdirected(token=token, email="lee@north.example")
    with tenancy.use(firm.practice_side):
        assert not Referral.objects.exists()
        assert Invitation.objects.get().replaced_at is not None


def test_who_uses_the_link_at_the_same_moment_is_first(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    engagement = make_engagement_invited(firm)
    token = token_of(firm, engagement)
    found = selectors.invitation_find(token=token)
    with tenancy.use(firm.practice_side):
        Invitation.objects.update(used_at=clock.now())
    monkeypatch.setattr(selectors, "invitation_find", lambda **_: found)
    with pytest.raises(LinkDead):
        invitation_misdirected(token=token, email="lee@north.example")
