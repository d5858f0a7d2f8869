"""The mails of the paper side as they arrive: who gets which, what it says, and when it is not sent at all."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage

import pytest
from django.db import transaction

from accounts.emails import invitation_url
from accounts.models import Invitation
from accounts.services.invitations import invitation_make
from engagements import tasks
from engagements.models import Engagement
from portal.kernel import outbox, tenancy
from portal.kernel.models import OutboxMessage, OutboxState
from tests.factories import (
    TESTER,
    Firm,
    make_engagement_active,
    make_engagement_invited,
    make_firm,
)
from tests.mailbox import Mailbox

Deliver = Callable[[], int]


@pytest.fixture
def firm(real_db: None) -> Firm:
    return make_firm("north")


def deliver_all(deliver: Deliver) -> None:
    """Spread the news, then mail each share."""
    while deliver():
        pass


def forget(firm: Firm) -> None:
    """Let what led here be told already."""
    with tenancy.use(firm.practice_side):
        OutboxMessage.objects.update(state=OutboxState.SENT)


def tell(firm: Firm, kind: str, engagement: Engagement) -> None:
    """A promise as the AWS side makes it."""
    with tenancy.use(firm.practice_side), transaction.atomic(durable=True):
        outbox.put(kind, engagement.pk, dedupe_key=f"test:{kind}", client_id=engagement.client_id)


def invite(firm: Firm, engagement: Engagement) -> Invitation:
    with tenancy.use(firm.practice_side):
        return invitation_make(
            contact=firm.contact,
            landing_path=f"/e/{engagement.code}/",
            invited_by=firm.owner,
            letter_kind=tasks.INVITATION,
            actor=TESTER,
        )


def by_address(mailbox: Mailbox) -> dict[str, EmailMessage]:
    found = {str(letter["To"]): letter for letter in mailbox.letters}
    assert len(found) == len(mailbox.letters)
    return found


def body(letter: EmailMessage, kind: str = "plain") -> str:
    part = letter.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_the_client_is_asked(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    engagement = make_engagement_invited(firm)
    invitation = invite(firm, engagement)
    assert deliver() == 1
    (letter,) = mailbox.letters
    assert letter["To"] == firm.approver.email
    assert letter["From"] == "Maya Okafor via North <portal@northgate.example>"
    assert letter["Reply-To"] == firm.owner.email
    assert letter["Subject"] == "Maya Okafor asks to look at your AWS account (North, cost review)"
    assert invitation_url(invitation) in body(letter)
    assert invitation_url(invitation) in body(letter, "html")


def test_news_reaches_both_sides(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    make_engagement_active(firm)
    deliver_all(deliver)
    assert {(str(letter["To"]), str(letter["Subject"])) for letter in mailbox.letters} == {
        ("approver@north.example", "Your receipt: you agreed to the access (North, Cost review)"),
        ("owner@north.example", "Client of north agreed (Cost review)"),
        ("approver@north.example", "Access is on (Cost review, North)"),
        ("owner@north.example", "Access is on: Client of north (Cost review)"),
    }
