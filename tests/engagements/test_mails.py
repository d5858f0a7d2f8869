"""The mails of the paper side as they arrive: who gets which, what it says, and when it is not sent at all."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.test import Client as Browser
from django.utils.dateformat import format as date_format

from accounts.emails import invitation_url
from accounts.lifecycle import ContactRole
from accounts.models import Client, Contact, Invitation, User
from accounts.services.invitations import LIFETIME, invitation_make
from engagements import tasks
from engagements.emails import words
from engagements.emails.news import NEWS
from engagements.lifecycle import (
    AssignmentRole,
    ChangeStatus,
    DoorbellStatus,
    EngagementEvent,
    EngagementStatus,
)
from engagements.models import Assignment, Consent, Doorbell, Engagement, ScopeChange
from engagements.selectors import consent_checkpoint, offer_current
from engagements.services.agreement_codes import agreement_code_mail
from engagements.services.closing import (
    engagement_activate_within,
    engagement_close_within,
    engagement_end,
    engagement_expire,
)
from engagements.services.consents import engagement_decline
from engagements.services.moves import engagement_cancel
from engagements.services.pauses import engagement_pause, engagement_resume
from engagements.services.people import assignment_end, assignment_make
from engagements.services.talk import (
    colleague_name,
    invitation_misdirected,
    question_answer,
    question_ask,
)
from portal.kernel import checkpoints, clock, deliveries, mail, outbox, tenancy
from portal.kernel.actor import Actor
from portal.kernel.deliveries import Outcome
from portal.kernel.languages import spelling
from portal.kernel.models import AuditEvent, OutboxMessage, OutboxState, TraceState
from tests.engagements.records import as_stored
from tests.engagements.test_wishes import refuse as refuse_wish
from tests.engagements.test_wishes import wish
from tests.factories import (
    OTHER_ACCOUNT_ID,
    TESTER,
    Firm,
    acting,
    give_consent,
    make_change,
    make_consultant,
    make_contact,
    make_engagement_active,
    make_engagement_agreed,
    make_engagement_closed,
    make_engagement_closing,
    make_engagement_drafted,
    make_engagement_invited,
    make_engagement_paused,
    make_firm,
    make_move,
)
from tests.mailbox import Mailbox
from tests.signing_in import let_in

Deliver = Callable[[], int]
SAM, MAYA, BEN = "approver@north.example", "owner@north.example", "ben@north.example"
LEE = "lee@north.example"


@pytest.fixture
def firm(real_db: None) -> Firm:
    return make_firm("north")


def deliver_all(deliver: Deliver) -> None:
    """Spread the news, then mail each share."""
    while deliver():
        pass


def forget(firm: Firm) -> None:
    """Let everything promised so far be told already."""
    with tenancy.use(firm.practice_side):
        OutboxMessage.objects.update(state=OutboxState.SENT)


def staff(firm: Firm, engagement: Engagement, *, leaves: bool) -> None:
    """Ben works on it from now on, or did for a moment."""
    ben = make_consultant(firm, "ben")
    with tenancy.use(firm.practice_side):
        row = assignment_make(
            engagement=engagement, consultant=ben, role=AssignmentRole.MEMBER, actor=acting(firm.owner)
        )
        if leaves:
            assignment_end(assignment=row, actor=acting(firm.owner))


def tell(firm: Firm, kind: str, engagement: Engagement) -> None:
    """A promise as the AWS side makes it."""
    with tenancy.use(firm.practice_side), transaction.atomic(durable=True):
        outbox.put(kind, engagement.pk, dedupe_key=f"test:{kind}", client_id=engagement.client_id)


def ring(firm: Firm, kind: str, engagement: Engagement) -> None:
    """Somebody rang, and what came of it."""
    status = RINGS[kind]
    with tenancy.use(firm.practice_side), transaction.atomic(durable=True):
        now = clock.now()
        made = Doorbell.objects.create(
            practice=firm.practice,
            client=firm.client,
            engagement=engagement,
            consultant=firm.owner,
            consultant_name=firm.owner.name,
            reason="look at the bill",
            kind="console",
            status=status,
            rung_at=now,
            expires_at=now + dt.timedelta(hours=1),
            answered_by=firm.approver if status in (DoorbellStatus.LET_IN, DoorbellStatus.NOT_NOW) else None,
        )
        outbox.put(kind, made.pk, dedupe_key=f"test:{kind}", client_id=engagement.client_id)


def change(firm: Firm, engagement: Engagement, **fields: object) -> None:
    """What a consultant edits in a draft, or time does."""
    with tenancy.use(firm.practice_side):
        Engagement.objects.filter(pk=engagement.pk).update(**fields)


def invite(firm: Firm, engagement: Engagement, *, landing_path: str = "") -> Invitation:
    """The link that an approver gets."""
    with tenancy.use(firm.practice_side):
        return invitation_make(
            contact=firm.contact,
            landing_path=landing_path or f"/e/{engagement.code}/",
            invited_by=firm.owner,
            letter_kind=tasks.INVITATION,
            actor=TESTER,
        )


def rows(firm: Firm, kind: str) -> list[OutboxMessage]:
    with tenancy.use(firm.practice_side):
        return list(OutboxMessage.objects.filter(kind__startswith=kind).order_by("pk"))


def body(letter: EmailMessage, kind: str = "plain") -> str:
    part = letter.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def flat(letter: EmailMessage) -> str:
    """The text without its line breaks."""
    return " ".join(body(letter).split())


def told(mailbox: Mailbox) -> dict[str, EmailMessage]:
    """The letters by address; nobody is told twice."""
    found = {str(letter["To"]): letter for letter in mailbox.letters}
    assert len(found) == len(mailbox.letters)
    return found


def subjects(mailbox: Mailbox) -> dict[str, str]:
    return {address: str(letter["Subject"]) for address, letter in told(mailbox).items()}


def make_engagement_half_agreed(firm: Firm) -> Engagement:
    """Sam agreed, and Lee is asked still."""
    make_contact(firm, "lee", ContactRole.APPROVER)
    engagement = make_engagement_invited(firm, approvals_needed=2)
    give_consent(firm, engagement)
    return engagement


def make_engagement_asked(firm: Firm) -> Engagement:
    """Sam asked and named a colleague; Maya answered."""
    engagement = make_engagement_invited(firm)
    make_contact(firm, "val", ContactRole.VIEWER)  # asked nothing, and is not told
    with tenancy.use(firm.client_side):
        question_ask(
            engagement=engagement,
            contact=firm.contact,
            text="What will\nit cost?",
            actor=acting(firm.approver),
        )
        colleague_name(
            engagement=engagement,
            contact=firm.contact,
            name="Lee",
            email=LEE,
            actor=acting(firm.approver),
        )
    with tenancy.use(firm.practice_side):
        question_answer(engagement=engagement, author=firm.owner, text="Nothing.", actor=acting(firm.owner))
    return engagement


def misdirect(firm: Firm, engagement: Engagement) -> None:
    """The link went to somebody else, who says so."""
    token = invitation_url(invite(firm, engagement)).rstrip("/").rpartition("/")[2]
    invitation_misdirected(token=token, email=LEE)


def refuse(firm: Firm) -> None:
    """Sam's address takes no mail."""
    with tenancy.use(firm.practice_side):
        deliveries.begin(address=firm.approver.email, message_key="outbox-0", kind="engagements.invitation")
        gone = Outcome(state=TraceState.REFUSED, status="5.1.1", said="550 5.1.1 no such user")
        deliveries.settle(message_key="outbox-0", outcome=gone)


def in_state(firm: Firm, kind: str) -> Engagement:
    """An engagement of which this kind of news, and no other, waits to be told."""
    make: dict[str, Callable[[Firm], Engagement]] = {
        "engagements.receipt": make_engagement_agreed,
        "engagements.approved": make_engagement_half_agreed,
        "engagements.question": make_engagement_asked,
        "engagements.answer": make_engagement_asked,
        "engagements.colleague": make_engagement_asked,
        "engagements.declined": make_engagement_invited,
        "engagements.order_arrived": make_engagement_drafted,
        "engagements.access_on": make_engagement_active,
        "engagements.paused": make_engagement_paused,
        "engagements.resumed": make_engagement_paused,
        "engagements.problem": make_engagement_active,
        "engagements.not_switched_on": make_engagement_agreed,
        **dict.fromkeys(WISHES, make_engagement_agreed),
        "engagements.key_add": make_engagement_active,
        "engagements.key_drop": make_engagement_active,
        "engagements.key_done": make_engagement_active,
        "engagements.ended": make_engagement_closing,
        "engagements.closed": make_engagement_closed,
        "engagements.person_added": make_engagement_active,
        "engagements.person_left": make_engagement_active,
        **dict.fromkeys((*CHANGES, *RINGS), make_engagement_active),
        "engagements.misdirected": make_engagement_invited,
        "engagements.ends_soon": make_engagement_active,
        "engagements.unopened": make_engagement_invited,
        "engagements.unanswered": make_engagement_invited,
        "engagements.unconnected": make_engagement_agreed,
        "mail.delivery": make_engagement_invited,
    }
    engagement = make[kind](firm)
    if kind == "engagements.misdirected":
        misdirect(firm, engagement)
    if kind == "mail.delivery":
        refuse(firm)
    if kind in {
        "engagements.ends_soon",
        "engagements.unopened",
        "engagements.unanswered",
        "engagements.unconnected",
    }:
        tell(firm, kind, engagement)
    if kind.startswith("engagements.person_"):
        staff(firm, engagement, leaves=kind == "engagements.person_left")
    if kind in RINGS:
        ring(firm, kind, engagement)
    if kind in WISHES:
        WISHES[kind](firm, engagement)
    if kind in CHANGES:
        make_change(firm, engagement, to=CHANGES[kind])
    if kind == "engagements.declined":
        with tenancy.use(firm.client_side):
            engagement_decline(
                engagement=engagement, contact=firm.contact, reason="Not now", actor=acting(firm.approver)
            )
    if kind == "engagements.resumed":
        with tenancy.use(firm.client_side):
            engagement_resume(engagement=engagement, actor=acting(firm.approver))
    if kind == "engagements.order_arrived":
        tell(firm, kind, engagement)
    if kind in ("engagements.problem", "engagements.not_switched_on") or kind.startswith("engagements.key_"):
        tell(firm, kind, engagement)
    with tenancy.use(firm.practice_side):
        OutboxMessage.objects.exclude(kind=kind).update(state=OutboxState.SENT)
    return as_stored(firm, engagement)


def ask_for_another(firm: Firm, engagement: Engagement) -> None:
    """Sam asks to use another account."""
    wish(firm, engagement)


def refuse_another(firm: Firm, engagement: Engagement) -> None:
    """Maya says why not."""
    refuse_wish(firm, wish(firm, engagement))


def confirm_another(firm: Firm, engagement: Engagement) -> None:
    """Maya confirms, and asks for the agreement."""
    make_move(firm, engagement)


WISHES: dict[str, Callable[[Firm, Engagement], None]] = {
    "engagements.account_wished": ask_for_another,
    "engagements.account_refused": refuse_another,
    "engagements.account_asked": confirm_another,
}
CHANGES = {
    "engagements.change_asked": ChangeStatus.ASKED,
    "engagements.change_declined": ChangeStatus.DECLINED,
    "engagements.changed": ChangeStatus.IN_FORCE,
}
RINGS = {
    "engagements.rang": DoorbellStatus.RINGING,
    "engagements.let_in": DoorbellStatus.LET_IN,
    "engagements.not_now": DoorbellStatus.NOT_NOW,
    "engagements.came_in": DoorbellStatus.FORCED,
}
SUBJECTS = {
    "engagements.rang": {SAM: "Maya Okafor asks to come in (Cost review, North)"},
    "engagements.let_in": {MAYA: "Sam Carter lets you in (Cost review)"},
    "engagements.not_now": {MAYA: "Sam Carter says: not now (Cost review)"},
    "engagements.came_in": {
        SAM: "Emergency visit by Maya Okafor (Cost review, North)",
        MAYA: "Emergency visit at Client of north (Cost review)",
    },
    "engagements.receipt": {
        SAM: "Your receipt: you agreed to the access (North, Cost review)",
        MAYA: "Client of north agreed (Cost review)",
    },
    "engagements.question": {MAYA: "Client of north has a question (Cost review)"},
    "engagements.answer": {SAM: "Maya Okafor answered (Cost review, North)"},
    "engagements.colleague": {MAYA: "Client of north: somebody else has to agree (Cost review)"},
    "engagements.approved": {LEE: "Sam Carter agreed (Cost review, North)"},
    "engagements.declined": {MAYA: "Client of north said no (Cost review)"},
    "engagements.order_arrived": {MAYA: "New order: Client of north (Cost review)"},
    "engagements.access_on": {
        SAM: "Access is on (Cost review, North)",
        MAYA: "Access is on: Client of north (Cost review)",
    },
    "engagements.paused": {
        SAM: "Access is paused (Cost review, North)",
        MAYA: "Access is paused: Client of north (Cost review)",
    },
    "engagements.resumed": {
        SAM: "Access is back on (Cost review, North)",
        MAYA: "Access is back on: Client of north (Cost review)",
    },
    "engagements.problem": {
        SAM: "The access needs a look (Cost review, North)",
        MAYA: "Problem with the access: Client of north (Cost review)",
    },
    "engagements.not_switched_on": {
        SAM: "Access is not switched on yet (Cost review, North)",
        MAYA: "Not switched on yet: Client of north (Cost review)",
    },
    "engagements.key_add": {SAM: "A small step in AWS: a new key (Cost review, North)"},
    "engagements.key_drop": {SAM: "A small step in AWS: the old key (Cost review, North)"},
    "engagements.key_done": {
        SAM: "The new key is in place (Cost review, North)",
        MAYA: "The new key is in place: Client of north (Cost review)",
    },
    "engagements.ended": {
        SAM: "Access has ended (Cost review, North)",
        MAYA: "Access has ended: Client of north (Cost review)",
    },
    "engagements.person_added": {
        SAM: "Ben works on it too (Cost review, North)",
        MAYA: "Ben works on it too: Client of north (Cost review)",
        BEN: "Ben works on it too: Client of north (Cost review)",
    },
    "engagements.person_left": {
        SAM: "Ben no longer works on it (Cost review, North)",
        MAYA: "Ben no longer works on it: Client of north (Cost review)",
    },
    "engagements.account_wished": {MAYA: "Client of north asks to use another AWS account (Cost review)"},
    "engagements.account_refused": {SAM: "Maya Okafor said no to the other account (Cost review, North)"},
    "engagements.account_asked": {SAM: "Please agree to the other AWS account (Cost review)"},
    "engagements.change_asked": {SAM: "Maya Okafor asks for a change to the access (Cost review)"},
    "engagements.change_declined": {MAYA: "Client of north keeps the access as it is (Cost review)"},
    "engagements.changed": {
        SAM: "The change holds now (Cost review, North)",
        MAYA: "The change holds: Client of north (Cost review)",
    },
    "engagements.misdirected": {
        MAYA: "Client of north: the invitation came to somebody else (Cost review)",
    },
    "engagements.ends_soon": {
        SAM: "Access ends on {day} (Cost review, North)",
        MAYA: "Access ends on {day}: Client of north (Cost review)",
    },
    "engagements.unopened": {
        SAM: "Reminder: Maya Okafor asks to look at your AWS account (North, Cost review)",
        MAYA: "Client of north has not opened the invitation (Cost review)",
    },
    "engagements.unanswered": {
        SAM: "Reminder: Maya Okafor asks to look at your AWS account (North, Cost review)",
        MAYA: "Client of north has not answered the invitation (Cost review)",
    },
    "engagements.unconnected": {
        SAM: "Reminder: one step is left in AWS (Cost review, North)",
        MAYA: "Client of north has not switched on the access (Cost review)",
    },
    "mail.delivery": {MAYA: "Mail to Sam Carter came back: Client of north (Cost review)"},
    "engagements.closed": {
        SAM: "The access is gone: your certificate (Cost review, North)",
        MAYA: "The access is gone: Client of north (Cost review)",
    },
}


def require_whole(letter: EmailMessage, engagement: Engagement) -> None:
    """What UX §6 asks of every mail with a link."""
    text, html, subject = flat(letter), body(letter, "html"), str(letter["Subject"])
    assert len(subject) <= words.SUBJECT_LENGTH
    assert len(re.findall(r'class="btn"', html)) == 1
    (address,) = re.findall(r'class="btn" href="([^"]+)"', html)
    assert address.startswith("http://testserver/")
    assert html.count(f'href="{address}"') == 2
    assert f">{address}</a>" in html
    assert address in text
    for needed in (
        "Not sure this is from us?",
        "We never ask for passwords or AWS keys.",
        "north Ltd, 1 Quay",
    ):
        assert needed in text
        assert needed in html
    assert f"Sent to {letter['To']} because" in text
    assert engagement.title in text
    assert '<img src="http://testserver/static/logo-72.png" width="36" height="36" alt=""' in html
    assert 'role="article"' in html
    assert '<div class="hide" style="display: none' in html
    assert "prefers-color-scheme:dark" in html
    assert len(html.encode()) < 30_000
    assert all(
        len(line) <= 80 or line == address or line.startswith("\N{EM DASH} ")
        for line in body(letter).split("\n")
    )
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["List-Id"] == "<north.northgate.example>"
    assert letter["X-Portal-Reason"].startswith(("engagements.", "mail."))
    assert (
        letter["References"] == letter["In-Reply-To"] == mail.message_id(f"thread-engagement-{engagement.pk}")
    )
    assert not re.search(r"\{[{%]|None|&#39;", text)


def test_where_several_agree_each_hears_of_the_others(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    engagement = make_engagement_half_agreed(firm)
    deliver_all(deliver)
    first = told(mailbox)
    assert first[MAYA]["Subject"] == "Sam Carter of Client of north agreed (Cost review)"
    assert "Others at your company are still asked. Nothing happens before." in flat(first[SAM])
    assert "2 people at Client of north have to agree. Nothing happens before." in flat(first[LEE])
    mailbox.letters.clear()
    with tenancy.use(firm.client_side):
        lee = Contact.objects.get(user__email=LEE)
    give_consent(firm, engagement, contact=lee)
    deliver_all(deliver)
    assert subjects(mailbox) == {
        SAM: "Lee agreed (Cost review, North)",
        LEE: "Your receipt: you agreed to the access (North, Cost review)",
        MAYA: "Client of north agreed (Cost review)",
    }
    assert "Everybody who had to has agreed." in flat(told(mailbox)[SAM])


@pytest.mark.parametrize("kind", sorted(WISHES))
def test_mails_about_another_account_name_both_by_their_ends(
    firm: Firm, mailbox: Mailbox, deliver: Deliver, kind: str
) -> None:
    in_state(firm, kind)
    deliver_all(deliver)
    (letter,) = mailbox.letters
    text = flat(letter)
    assert "Account ending 2222" in text
    assert "Instead of ending 5583" in text
    assert OTHER_ACCOUNT_ID not in body(letter) + body(letter, "html")
    assert ("Reason That account is not yours." in text) is (kind == "engagements.account_refused")


@pytest.mark.parametrize("kind", sorted(WISHES))
def test_what_was_answered_or_is_on_meanwhile_is_not_asked_by_mail(
    firm: Firm, mailbox: Mailbox, deliver: Deliver, kind: str
) -> None:
    engagement = in_state(firm, kind)
    with tenancy.use(firm.practice_side), transaction.atomic(durable=True):
        engagement_activate_within(engagement=engagement, actor=TESTER)
        OutboxMessage.objects.exclude(kind=kind).update(state=OutboxState.SENT)
    deliver_all(deliver)
    assert mailbox.letters == []


def test_the_receipt_of_a_move_names_the_other_account_and_the_step_there(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    engagement = in_state(firm, "engagements.account_asked")
    deliver_all(deliver)
    mailbox.letters.clear()
    with tenancy.use(firm.practice_side):
        change = ScopeChange.objects.select_related("offer").get(engagement=engagement)
    give_consent(firm, engagement, account_id=OTHER_ACCOUNT_ID, offer=change.offer)
    deliver_all(deliver)
    assert subjects(mailbox) == {
        SAM: "Your receipt: you agreed to the access (North, Cost review)",
        MAYA: "Client of north agreed (Cost review)",
    }
    text = flat(told(mailbox)[SAM])
    assert "Account ending 2222" in text
    assert "One step is left: switch the access on in AWS." in text
    assert "Switch on access" in text


def test_where_two_agree_to_a_move_nobody_reads_that_it_is_done_before_the_second(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    lee = make_contact(firm, "lee", ContactRole.APPROVER)
    engagement = make_engagement_invited(firm, approvals_needed=2)
    give_consent(firm, engagement)
    give_consent(firm, engagement, contact=lee)
    change = make_move(firm, as_stored(firm, engagement))
    deliver_all(deliver)
    mailbox.letters.clear()
    give_consent(firm, engagement, account_id=OTHER_ACCOUNT_ID, offer=change.offer)
    deliver_all(deliver)
    first = told(mailbox)
    assert first[MAYA]["Subject"] == "Sam Carter of Client of north agreed (Cost review)"
    assert "Others at your company are still asked. Nothing happens before." in flat(first[SAM])
    assert "One step is left" not in flat(first[SAM])
    assert "Account ending 2222" in flat(first[SAM])
    assert "2 people at Client of north have to agree." in flat(first[LEE])
    mailbox.letters.clear()
    give_consent(firm, engagement, account_id=OTHER_ACCOUNT_ID, offer=change.offer, contact=lee)
    deliver_all(deliver)
    assert set(subjects(mailbox)) == {SAM, LEE, MAYA}
    assert "One step is left: switch the access on in AWS." in flat(told(mailbox)[SAM])


def test_where_several_are_asked_a_no_is_told_to_the_others_too(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    engagement = make_engagement_half_agreed(firm)
    deliver_all(deliver)
    mailbox.letters.clear()
    with tenancy.use(firm.client_side):
        lee = Contact.objects.select_related("user").get(user__email=LEE)
        engagement_decline(engagement=engagement, contact=lee, reason="Too wide", actor=acting(lee.user))
    deliver_all(deliver)
    assert subjects(mailbox) == {
        SAM: "Lee said no (Cost review, North)",
        MAYA: "Client of north said no (Cost review)",
    }
    assert "That ended it for everybody who was asked." in flat(told(mailbox)[SAM])


def test_the_code_to_agree_with_comes_by_mail_alone(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    engagement = make_engagement_invited(firm, code_at_agreement=True)
    with tenancy.use(firm.client_side):
        offer = offer_current(engagement)
        agreement_code_mail(
            engagement=engagement, offer=offer, contact=firm.contact, actor=acting(firm.approver)
        )
    deliver_all(deliver)
    (letter,) = mailbox.letters
    assert (letter["To"], letter["Subject"]) == (SAM, "Your code to agree")
    (code,) = re.findall(r"^  (\d{6})$", body(letter), re.MULTILINE)
    assert code in body(letter, "html")
    assert "Your code to agree to “Cost review”:" in flat(letter)
    assert "It works for 10 minutes, once" in flat(letter)
    give_consent(firm, engagement, code=code)
    assert as_stored(firm, engagement).status == EngagementStatus.AGREED


def test_a_question_is_quoted_and_its_mail_answers_to_who_asked(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    in_state(firm, "engagements.question")
    deliver_all(deliver)
    (letter,) = mailbox.letters
    assert "“What will it cost?”" in flat(letter)
    assert letter["Reply-To"] == SAM


def test_the_mail_about_a_colleague_says_that_nobody_was_added(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    in_state(firm, "engagements.colleague")
    deliver_all(deliver)
    (letter,) = mailbox.letters
    assert "Nobody was added yet." in flat(letter)
    assert f"Address {LEE}" in flat(letter)


def test_there_is_a_case_for_each_kind() -> None:
    assert set(SUBJECTS) == set(NEWS)


@pytest.mark.parametrize("kind", list(SUBJECTS))
def test_news_reaches_those_it_is_for_in_whole_mails(
    firm: Firm, mailbox: Mailbox, deliver: Deliver, kind: str
) -> None:
    engagement = in_state(firm, kind)
    deliver_all(deliver)
    day = date_format(engagement.ends_at.astimezone(ZoneInfo("Europe/London")), "l j F")
    assert subjects(mailbox) == {who: line.replace("{day}", day) for who, line in SUBJECTS[kind].items()}
    for letter in mailbox.letters:
        require_whole(letter, engagement)
    assert {row.state for row in rows(firm, kind)} == {OutboxState.SENT}


@pytest.mark.parametrize("kind", list(SUBJECTS))
def test_text_and_html_tell_the_same(firm: Firm, mailbox: Mailbox, deliver: Deliver, kind: str) -> None:
    in_state(firm, kind)
    deliver_all(deliver)
    for letter in mailbox.letters:
        html = body(letter, "html")
        facts = re.findall(r'<td class="name m"[^>]*>([^<]+)</td><td class="value[^>]*>([^<]+)</td>', html)
        shown = re.findall(r'<p class="p[^>]*>([^<]+)</p>', html)
        assert facts
        assert len(shown) >= 2
        for name, value in facts:
            assert f"{name} {value}" in flat(letter)
        for line in shown:
            assert line in flat(letter)


def test_the_client_is_asked(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    engagement = make_engagement_invited(firm)
    change(firm, engagement, contract_reference="NC-2026-031", account_name="Production")
    invitation = invite(firm, engagement)
    assert deliver() == 1
    (letter,) = mailbox.letters
    require_whole(letter, engagement)
    assert letter["To"] == SAM
    assert letter["From"] == "Maya Okafor via North <portal@northgate.example>"
    assert letter["Reply-To"] == MAYA
    assert letter["Subject"] == "Maya Okafor asks to look at your AWS account (North, Cost review)"
    assert invitation_url(invitation) in body(letter)
    assert (
        "As agreed in contract NC-2026-031, we’d like to find out why the bill went up. To do that, Maya Okafor"
        " needs to LOOK at the account. They won’t be able to change anything." in flat(letter)
    )
    assert "<strong>look</strong>" in body(letter, "html")
    assert "Account Production, ending 5583 Access Look only Until" in flat(letter)
    day = clock.now() + LIFETIME
    assert f"works until {day:%A} {day.day} {day:%B}." in flat(letter)


def test_what_is_not_known_to_be_harmless_is_not_called_so(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    engagement = make_engagement_invited(firm, account_id="")
    change(firm, engagement, profile="no-longer-offered")
    invite(firm, engagement)
    deliver()
    (letter,) = mailbox.letters
    assert letter["Subject"].startswith("Maya Okafor asks to work in your AWS account")
    assert "We’d like to find out why" in flat(letter)
    assert "WORK in the account. The page shows exactly what they can do." in flat(letter)
    assert "Account you choose it when you agree Access Look and change" in flat(letter)


def test_access_that_may_change_things_is_told_so(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    engagement = in_state(firm, "engagements.access_on")
    change(firm, engagement, profile="no-longer-offered")
    deliver_all(deliver)
    assert "Maya can work in your AWS account now, as you agreed." in flat(told(mailbox)[SAM])
    assert "They can’t change anything" not in flat(told(mailbox)[SAM])


@pytest.mark.parametrize("kind", ["cancelled", "replaced", "used", "draft"])
def test_an_invitation_that_leads_nowhere_is_not_mailed(
    firm: Firm, mailbox: Mailbox, deliver: Deliver, kind: str
) -> None:
    engagement = make_engagement_drafted(firm) if kind == "draft" else make_engagement_invited(firm)
    invitation = invite(firm, engagement)
    with tenancy.use(firm.practice_side):
        if kind == "cancelled":
            engagement_cancel(engagement=engagement, actor=TESTER)
        elif kind in {"replaced", "used"}:
            Invitation.objects.filter(pk=invitation.pk).update(**{f"{kind}_at": clock.now()})
    assert deliver() == 1
    assert mailbox.letters == []
    assert rows(firm, tasks.INVITATION)[0].state == OutboxState.SENT


def test_a_link_asked_for_after_the_answer_asks_for_nothing(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    engagement = make_engagement_active(firm)
    forget(firm)
    invitation = invite(firm, engagement)
    deliver()
    (letter,) = mailbox.letters
    require_whole(letter, engagement)
    assert letter["Subject"] == "Your link to Cost review (North)"
    assert invitation_url(invitation) in body(letter)
    assert "asks" not in flat(letter)


def test_a_question_whose_end_has_passed_is_not_asked(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    engagement = make_engagement_invited(firm)
    invite(firm, engagement)
    change(firm, engagement, ends_at=clock.now() - dt.timedelta(seconds=1))
    deliver()
    assert mailbox.letters[0]["Subject"] == "Your link to Cost review (North)"


@pytest.mark.parametrize("landing_path", ["/welcome/", "/e/nothing/"])
def test_an_invitation_to_no_engagement_is_shown_as_dead(
    firm: Firm, mailbox: Mailbox, deliver: Deliver, landing_path: str
) -> None:
    invite(firm, make_engagement_invited(firm), landing_path=landing_path)
    deliver()
    (row,) = rows(firm, tasks.INVITATION)
    assert (row.state, mailbox.letters) == (OutboxState.DEAD, [])
    assert row.last_error == "Hopeless: the invitation leads to no engagement"


def test_a_link_whose_key_is_gone_is_shown_as_dead(
    firm: Firm, mailbox: Mailbox, deliver: Deliver, settings: Any
) -> None:
    invite(firm, make_engagement_invited(firm))
    settings.SECRET_KEY = "another-key-" * 5
    deliver()
    assert rows(firm, tasks.INVITATION)[0].last_error == "Hopeless: the key its link was made with is gone"
    assert mailbox.letters == []


def test_an_address_that_is_none_is_shown_as_dead(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    User.objects.filter(pk=firm.owner.pk).update(email="nowhere")
    in_state(firm, "engagements.access_on")
    deliver_all(deliver)
    states = [row.state for row in rows(firm, "engagements.access_on.to_one")]
    assert states == [OutboxState.DEAD, OutboxState.DEAD]  # Maya cannot be reached, nor could Sam answer her
    assert mailbox.letters == []


def test_a_refused_address_keeps_nobody_else_from_hearing(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    in_state(firm, "engagements.paused")
    mailbox.refuse[SAM] = "550 no such mailbox"
    deliver_all(deliver)
    assert [str(letter["To"]) for letter in mailbox.letters] == [MAYA, MAYA]
    assert [letter["Subject"] for letter in mailbox.letters] == [
        SUBJECTS["engagements.paused"][MAYA],
        SUBJECTS["mail.delivery"][MAYA],
    ]
    spread, sam, maya = rows(firm, "engagements.paused")
    assert [row.state for row in (spread, sam, maya)] == ["sent", "dead", "sent"]
    assert sam.dedupe_key.endswith(str(firm.approver.pk))


def test_who_was_told_is_not_told_again_while_another_waits(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    in_state(firm, "engagements.paused")
    mailbox.refuse[MAYA] = "450 try later"
    deliver_all(deliver)
    mailbox.refuse.clear()
    with tenancy.use(firm.practice_side):
        assert OutboxMessage.objects.filter(state=OutboxState.WAITING).update(next_at=clock.now()) == 1
    deliver_all(deliver)
    assert [letter["To"] for letter in mailbox.letters] == [SAM, MAYA]


def test_each_mail_has_one_name_over_all_tries(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    in_state(firm, "engagements.access_on")
    deliver_all(deliver)
    with tenancy.use(firm.practice_side):
        again = OutboxMessage.objects.filter(kind__startswith="engagements.access_on")
        again.update(state=OutboxState.QUEUED)
    deliver_all(deliver)
    first, second = mailbox.letters[:2], mailbox.letters[2:]
    assert [letter["Message-ID"] for letter in first] == [letter["Message-ID"] for letter in second]
    assert len({letter["Message-ID"] for letter in mailbox.letters}) == 2
    assert len(rows(firm, "engagements.access_on")) == 3  # spreading twice promised nothing more


def test_a_viewer_hears_too_and_an_aws_admin_where_there_is_something_to_do(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    make_contact(firm, "val", ContactRole.VIEWER)
    make_contact(firm, "ada", ContactRole.AWS_ADMIN)
    engagement = in_state(firm, "engagements.access_on")
    deliver_all(deliver)
    assert set(told(mailbox)) == {SAM, MAYA, "val@north.example"}
    mailbox.letters.clear()
    tell(firm, "engagements.problem", engagement)
    deliver_all(deliver)
    assert set(told(mailbox)) == {SAM, MAYA, "val@north.example", "ada@north.example"}


def test_nobody_of_another_client_or_practice_hears(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    harbour = make_firm("harbour")
    with tenancy.use(firm.practice_side):
        other = Client.objects.create(practice=firm.practice, name="Other")
    make_contact(firm, "olga", ContactRole.APPROVER, client=other)
    make_engagement_active(harbour)
    forget(harbour)
    in_state(firm, "engagements.access_on")
    deliver_all(deliver)
    assert set(told(mailbox)) == {SAM, MAYA}


def test_who_left_hears_nothing(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    in_state(firm, "engagements.receipt")
    with tenancy.use(firm.practice_side):
        Contact.objects.update(ended_at=clock.now())
        Assignment.objects.update(ends_at=clock.now())
    deliver_all(deliver)
    assert mailbox.letters == []


def test_who_leaves_between_spreading_and_mailing_hears_nothing(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    in_state(firm, "engagements.access_on")
    deliver()
    User.objects.filter(pk=firm.approver.pk).update(is_active=False)
    deliver_all(deliver)
    assert set(told(mailbox)) == {MAYA}


def test_without_a_lead_the_practice_itself_speaks(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    in_state(firm, "engagements.access_on")
    with tenancy.use(firm.practice_side):
        Assignment.objects.update(ends_at=clock.now())
    deliver_all(deliver)
    (letter,) = mailbox.letters
    assert letter["From"] == "North <portal@northgate.example>"
    assert letter["Reply-To"] == "a@b.example"
    assert "North can look at your AWS account now." in flat(letter)
    assert "Call North on the number" in flat(letter)


def close(*, engagement: Engagement, actor: Actor) -> None:
    with transaction.atomic(durable=True):
        engagement_close_within(engagement=engagement, actor=actor)


@pytest.mark.parametrize(
    ("kind", "later"),
    [
        ("engagements.access_on", engagement_end),
        ("engagements.access_on", engagement_pause),
        ("engagements.paused", engagement_resume),
        ("engagements.resumed", engagement_pause),
        ("engagements.problem", engagement_end),
        ("engagements.ended", close),
    ],
)
@pytest.mark.parametrize("how_far", ["promised", "spread"])
def test_what_is_no_longer_so_is_not_told(
    firm: Firm, mailbox: Mailbox, deliver: Deliver, kind: str, later: Callable[..., None], how_far: str
) -> None:
    engagement = in_state(firm, kind)
    if how_far == "spread":
        deliver()
    with tenancy.use(firm.client_side):
        later(engagement=engagement, actor=acting(firm.approver))
    deliver_all(deliver)
    assert not set(SUBJECTS[kind].values()) & {str(letter["Subject"]) for letter in mailbox.letters}


def test_a_pause_is_told_once_though_it_was_paused_twice(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    engagement = in_state(firm, "engagements.paused")
    deliver()  # the first pause is spread, and waits
    with tenancy.use(firm.client_side):
        engagement_resume(engagement=engagement, actor=acting(firm.approver))
        engagement_pause(engagement=engagement, actor=acting(firm.approver), reason="Again")
    deliver_all(deliver)
    assert subjects(mailbox) == SUBJECTS["engagements.paused"]
    assert "Reason Again" in flat(told(mailbox)[SAM])


def test_it_is_told_who_paused_and_who_may_go_on(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    make_engagement_paused(firm, by_client=True)
    with tenancy.use(firm.practice_side):
        OutboxMessage.objects.exclude(kind="engagements.paused").update(state=OutboxState.SENT)
    deliver_all(deliver)
    sam, maya = told(mailbox)[SAM], told(mailbox)[MAYA]
    assert "You paused the access." in flat(sam)
    assert "Sam Carter paused the access." in flat(maya)
    assert "Only the client can switch it back on." in flat(maya)
    assert maya["Reply-To"] == SAM
    assert maya["From"] == "Client of north via North <portal@northgate.example>"


def test_a_pause_of_the_practice_is_its_own_to_end(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    make_engagement_paused(firm, by_client=False)
    with tenancy.use(firm.practice_side):
        OutboxMessage.objects.exclude(kind="engagements.paused").update(state=OutboxState.SENT)
    deliver_all(deliver)
    sam, maya = told(mailbox)[SAM], told(mailbox)[MAYA]
    assert "Maya Okafor paused the access." in flat(sam)
    assert "You paused the access." in flat(maya)
    assert "You can switch it back on in the console, and so can the client." in flat(maya)
    assert maya["Reply-To"] is None


def test_the_receipt_says_what_comes_next(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    engagement = in_state(firm, "engagements.receipt")
    with tenancy.use(firm.practice_side):
        consent = Consent.objects.get()
    deliver_all(deliver)
    text = flat(told(mailbox)[SAM])
    assert f"Reference {engagement.code.upper()}-1" in text
    assert f"Fingerprint {consent.shown_sha256}" in text
    assert "One step is left: switch the access on in AWS." in text
    assert f"Switch on access: http://testserver/e/{engagement.code}/" in text
    given = consent.given_at.astimezone(ZoneInfo("Europe/London"))
    assert f"On {given:%A} {given.day} {given:%B %Y, %H:%M}, London time ({given:%Z}), you agreed" in text
    assert told(mailbox)[MAYA]["Reply-To"] == SAM


def test_the_receipt_carries_a_seal_with_the_consent_under_it(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    in_state(firm, "engagements.receipt")
    deliver_all(deliver)
    with tenancy.use(firm.client_side):
        seal = consent_checkpoint(Consent.objects.get())
        assert seal is not None
        given = AuditEvent.objects.get(kind=EngagementEvent.CONSENT_GIVEN)
    assert seal.size >= given.seq
    body = told(mailbox)[SAM].get_body(("plain",))
    assert body is not None
    assert checkpoints.note_of(seal) in body.get_content().replace("\r\n", "\n")


def test_the_receipt_of_access_that_is_on_leads_to_the_receipt(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    engagement = make_engagement_active(firm)
    with tenancy.use(firm.practice_side):
        OutboxMessage.objects.exclude(kind="engagements.receipt").update(state=OutboxState.SENT)
    deliver_all(deliver)
    text = flat(told(mailbox)[SAM])
    assert "One step is left" not in text
    assert f"See your receipt: http://testserver/e/{engagement.code}/receipt/" in text


def test_a_consent_taken_back_leaves_its_receipt_and_no_good_news(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    engagement = make_engagement_agreed(firm)
    with tenancy.use(firm.client_side):
        engagement_end(engagement=engagement, actor=acting(firm.approver))
    with tenancy.use(firm.practice_side):
        OutboxMessage.objects.exclude(kind="engagements.receipt").update(state=OutboxState.SENT)
    deliver_all(deliver)
    assert "It was taken back on" in flat(told(mailbox)[SAM])
    assert MAYA not in told(mailbox)


@pytest.mark.parametrize("was_on", [True, False])
def test_the_end_of_the_window_is_nobodys_doing(
    firm: Firm, mailbox: Mailbox, deliver: Deliver, *, was_on: bool
) -> None:
    engagement = make_engagement_active(firm) if was_on else make_engagement_agreed(firm)
    forget(firm)
    change(firm, engagement, ends_at=clock.now() - dt.timedelta(seconds=1))
    with tenancy.use(firm.practice_side):
        engagement_expire(engagement_id=engagement.pk)
        OutboxMessage.objects.exclude(kind="engagements.ended").update(state=OutboxState.SENT)
    deliver_all(deliver)
    text = flat(told(mailbox)[SAM])
    assert "The agreed end has come. No new visit can start." in text
    assert "Reason" not in text
    assert ("One step is left for you" in text) is was_on
    assert ("If you had switched it on in AWS already, delete it there." in text) is not was_on


def test_an_end_names_who_ended_it(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    in_state(firm, "engagements.ended")
    deliver_all(deliver)
    assert "You ended the access." in flat(told(mailbox)[SAM])
    assert "Sam Carter ended the access." in flat(told(mailbox)[MAYA])


def test_moments_are_the_readers(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    for user, zone in ((firm.approver, "Asia/Kolkata"), (firm.owner, "Mars/Base")):
        User.objects.filter(pk=user.pk).update(timezone=zone)
    engagement = in_state(firm, "engagements.paused")
    assert engagement.paused_at is not None
    deliver_all(deliver)
    local = engagement.paused_at.astimezone(ZoneInfo("Asia/Kolkata"))
    assert f"{local:%H:%M}, Kolkata time (IST)" in flat(told(mailbox)[SAM])
    assert f"{engagement.paused_at:%H:%M}, UTC" in flat(told(mailbox)[MAYA])


@pytest.mark.parametrize(
    ("zone", "month", "expected"),
    [
        ("Europe/London", 1, "London time (GMT)"),
        ("Europe/London", 7, "London time (BST)"),
        ("America/Argentina/Buenos_Aires", 1, "Buenos Aires time (UTC-03:00)"),
        ("UTC", 1, "UTC"),
    ],
)
def test_a_zone_has_a_name_that_people_know(zone: str, month: int, expected: str) -> None:
    assert spelling.zone_words(ZoneInfo(zone), dt.datetime(2026, month, 15, tzinfo=dt.UTC)) == expected


@pytest.mark.parametrize(
    ("main", "more", "expected"),
    [
        ("Access is on", ("Cost review", "North"), "Access is on (Cost review, North)"),
        ("Access is on", ("Cost review", "N" * 60), "Access is on (Cost review)"),
        ("Access is on", ("C" * 70,), "Access is on"),
        ("A" * 90, (), "A" * 77 + "…"),
    ],
)
def test_a_subject_keeps_to_its_length(main: str, more: tuple[str, ...], expected: str) -> None:
    assert words.subject(main, *more) == expected


def test_names_are_read_as_a_list() -> None:
    assert spelling.joined(["Maya", "Tomasz", "Ines"]) == "Maya, Tomasz and Ines"
    assert spelling.joined([]) == ""


def test_a_reason_is_words_and_nothing_else(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    engagement = make_engagement_active(firm)
    forget(firm)
    with tenancy.use(firm.client_side):
        engagement_pause(
            engagement=engagement, actor=acting(firm.approver), reason="<b>{{ secret }}</b>\nBcc: x@y.example"
        )
    deliver_all(deliver)
    letter = told(mailbox)[MAYA]
    assert letter["Bcc"] is None
    assert "<b>{{ secret }}</b> Bcc" in flat(letter)
    assert "&lt;b&gt;{{ secret }}&lt;/b&gt;" in body(letter, "html")


def test_each_side_is_led_to_its_own_pages(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    engagement = in_state(firm, "engagements.closed")
    deliver_all(deliver)
    (console,) = re.findall(r'class="btn" href="http://testserver([^"]+)"', body(told(mailbox)[MAYA], "html"))
    assert console.startswith("/console/")
    assert f"/{engagement.code}/" in console
    assert f"http://testserver/e/{engagement.code}/certificate/" in flat(told(mailbox)[SAM])
    browser = Browser()
    let_in(browser, firm.owner)
    assert browser.get(console).status_code == 200


def test_news_of_nothing_is_told_to_nobody(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    with tenancy.use(firm.practice_side), transaction.atomic(durable=True):
        for kind in ("engagements.closed", "engagements.receipt"):
            outbox.put(kind, firm.client.pk, dedupe_key=kind, client_id=firm.client.pk)
    assert deliver() == 2
    assert (deliver(), mailbox.letters) == (0, [])


def test_a_machine_that_said_no_is_the_portal(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    engagement = make_engagement_invited(firm)
    change(firm, engagement, status=EngagementStatus.DECLINED, moved_by=None)
    tell(firm, "engagements.declined", engagement)
    deliver_all(deliver)
    assert "The portal said no" in flat(told(mailbox)[MAYA])
