"""Whether mail arrives, before those who can do something about it (UX row 44)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.test import Client as Browser

import accounts.handlers  # noqa: F401  # keeps the promises, as the worker does
import engagements.tasks  # noqa: F401  # as above
from accounts import emails
from accounts.models import Contact, Invitation
from accounts.services.letters import letter_promise
from engagements.emails.nudges import CAUSES, cause_of
from engagements.models import Engagement, Handover
from portal.console import filters
from portal.kernel import bounces, clock, deliveries, outbox, tenancy
from portal.kernel.deliveries import Outcome
from portal.kernel.models import MailTrace, OutboxMessage, TraceState
from tests.console.cast import House, house
from tests.kernel.test_bounces import report
from tests.mailbox import Mailbox
from tests.pages import stage
from tests.pages.reading import read

Deliver = Callable[[], int]
SAM = "sam@brightwater.example"
YES = {"confirm": "yes"}


@pytest.fixture
def home(real_db: None) -> House:
    return house(stage.invited())


def deliver_all(deliver: Deliver) -> None:
    while deliver():
        pass


def text(browser: Browser, path: str) -> str:
    response = browser.get(path)
    assert response.status_code == 200
    return read(response).text


def contact_url(home: House, slug: str = "") -> str:
    return f"/console/accounts/contact/{home.stage.contact.pk}/{slug}"


def invitation_trace(home: House) -> MailTrace:
    with tenancy.use(home.stage.scope):
        return MailTrace.objects.get(address=SAM, kind="engagements.invitation")


@pytest.mark.parametrize("how", ["refused at once", "came back later"])
def test_ux_row_44_a_bounce_is_a_badge_with_its_reason_and_resend_clears_it(
    home: House, mailbox: Mailbox, deliver: Deliver, how: str
) -> None:
    if how == "refused at once":
        mailbox.refuse[SAM] = "550 5.1.1 no such user"
    deliver_all(deliver)
    if how == "came back later":
        assert "Did not arrive" not in text(home.owner, home.url())
        assert bounces.bounce_take(report(deliveries.return_path(invitation_trace(home).message_key)))
        deliver_all(deliver)
    state = "Refused" if how == "refused at once" else "Came back"
    # The contact, the list, the engagement, the dashboard, and a mail to the lead: each says it.
    for path in (contact_url(home), "/console/accounts/contact/?mail=failed", home.url()):
        assert state in text(home.assigned, path)
    page = text(home.assigned, contact_url(home))
    assert "There is no such address. 550 5.1.1 no such user" in page
    assert "Mail did not arrive" in text(home.assigned, home.url())
    assert "Mail to Sam Carter did not arrive" in text(home.owner, "/console/")
    news = [one for one in mailbox.letters if "came back" in str(one["Subject"])]
    assert {str(one["To"]) for one in news} == {"maya@northgate.example", "tomasz@northgate.example"}
    # Sent again, it arrives; the mark is gone and is not told as one more failure.
    mailbox.refuse.clear()
    mailbox.letters.clear()
    assert "did not arrive. There is no such address." in text(home.assigned, contact_url(home, "resend/"))
    assert home.assigned.post(contact_url(home, "resend/"), YES).status_code == 302
    deliver_all(deliver)
    assert [str(one["To"]) for one in mailbox.letters] == [SAM]
    assert state not in text(home.assigned, contact_url(home))
    assert "Accepted by their mail server" in text(home.assigned, contact_url(home))
    assert "Mail did not arrive" not in text(home.assigned, home.url())
    assert home.assigned.get(contact_url(home, "resend/")).status_code == 302


def test_a_code_that_came_back_marks_the_address_and_tells_nothing_of_the_code(
    home: House, mailbox: Mailbox, deliver: Deliver
) -> None:
    deliver_all(deliver)
    mailbox.refuse[SAM] = "550 5.2.2 mailbox full"
    letter_promise(emails.code_letter(to=SAM, code="123456"))
    letter_promise(emails.code_letter(to="nobody@elsewhere.example", code="123456"))
    mailbox.refuse["nobody@elsewhere.example"] = "550 no"
    deliver_all(deliver)
    page = text(home.assigned, contact_url(home))
    assert "Refused" in page
    assert "The mailbox is full." in page
    assert "code" not in page.lower().replace("encoded", "")
    with tenancy.use(home.stage.scope):
        traces = list(MailTrace.objects.filter(address=SAM).order_by("changed_at"))
        assert [one.kind for one in traces] == ["engagements.invitation", ""]
        assert not MailTrace.objects.filter(address__startswith="nobody").exists()
    # There is nothing to send again of it.
    assert home.assigned.post(contact_url(home, "resend/"), YES).status_code == 422
    mailbox.refuse.clear()
    letter_promise(emails.code_letter(to=SAM, code="123456"))
    deliver_all(deliver)
    assert "Refused" not in text(home.assigned, contact_url(home))


def test_a_mail_that_waits_is_shown_and_is_no_failure(
    home: House, mailbox: Mailbox, deliver: Deliver
) -> None:
    mailbox.refuse[SAM] = "450 4.7.1 greylisted"
    deliver_all(deliver)
    page = text(home.assigned, contact_url(home))
    assert "Their mail server wants us to wait" in page
    assert "450 4.7.1 greylisted" in page
    assert "Mail did not arrive" not in text(home.assigned, home.url())


def test_other_practices_learn_nothing_of_it(home: House, mailbox: Mailbox, deliver: Deliver) -> None:
    mailbox.refuse[SAM] = "550 no"
    deliver_all(deliver)
    with tenancy.use(tenancy.practice_scope(tenancy.PLATFORM_ID)):
        assert not MailTrace.objects.exists()
    with tenancy.use(home.stage.client_scope):
        assert not MailTrace.objects.exists()


@pytest.mark.parametrize(("status", "words"), CAUSES)
def test_each_cause_has_its_words(status: str, words: str) -> None:
    named = status if status[-1] != "." else f"{status}9"
    if status == "4.":
        named = "4.4.7"
    assert cause_of(MailTrace(status=named)) == words
    assert cause_of(MailTrace(status="")) == "The mail server refused it."


def test_what_is_stuck_is_found_and_named(home: House) -> None:
    def found(key: str) -> list[str]:
        page = home.owner.get(f"/console/engagements/engagement/?stuck={key}")
        return [title for title in ("Cost review",) if page.content.decode().count(home.url())]

    later = clock.now() - dt.timedelta(days=4)
    assert {key: found(key) for key in filters.STUCK} == {key: [] for key in filters.STUCK}
    with tenancy.use(home.stage.scope):
        Engagement.objects.update(invited_at=later)
    assert (found("unopened"), found("unanswered"), found("unconnected")) == (["Cost review"], [], [])
    assert "hasn’t opened the invitation" in text(home.owner, "/console/")
    with tenancy.use(home.stage.scope):
        Invitation.objects.update(used_at=later)
    assert (found("unopened"), found("unanswered")) == ([], ["Cost review"])
    assert "hasn’t answered the invitation" in text(home.owner, "/console/")
    with tenancy.use(home.stage.scope):
        Engagement.objects.update(status="agreed", agreed_at=later)
    assert found("unconnected") == ["Cost review"]
    assert "agreed, but hasn’t switched it on" in text(home.owner, "/console/")
    assert found("nonsense") == ["Cost review"]  # no such choice narrows nothing


def test_the_console_shows_to_whom_the_client_sent_the_step(home: House) -> None:
    with tenancy.use(home.stage.scope):
        for problem, settled in (("", None), ("", clock.now()), ("was-removed", clock.now())):
            Handover.objects.create(
                practice=home.stage.practice,
                client=home.stage.client,
                engagement=home.stage.engagement,
                contact=Contact.objects.get(pk=home.stage.contact.pk),
                name="Alex Reed",
                email="alex@brightwater.example",
                asked_at=clock.now(),
                settled_at=settled,
                problem=problem,
            )
    page = text(home.owner, home.url())
    for words in ("Being sent", "Not sent: you removed that person", "alex@brightwater.example"):
        assert words in page


def test_only_what_is_done_is_promised_again(home: House) -> None:
    with tenancy.use(home.stage.scope):
        ids = list(OutboxMessage.objects.values_list("pk", flat=True))
        assert outbox.put_again(ids) == 0
        OutboxMessage.objects.update(state="dead", attempts=12, last_error="x")
        assert outbox.put_again(ids) == len(ids)
        assert set(OutboxMessage.objects.values_list("state", "attempts", "last_error")) == {
            ("queued", 0, "")
        }
        deliveries.begin(address=SAM, message_key="outbox-x", kind="x")
        deliveries.settle(message_key="outbox-x", outcome=Outcome(state=TraceState.ACCEPTED))
