"""Invitations: one link, one person, one use, and nothing from looking at it."""

from __future__ import annotations

import datetime as dt
import logging
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser

from accounts import emails, selectors
from accounts.lifecycle import AccountEvent, ContactRole
from accounts.models import Contact, Invitation, User
from accounts.services.invitations import (
    LETTER,
    LIFETIME,
    invitation_make,
    invitation_send_again,
    invitation_url,
    invitation_use,
)
from accounts.services.people import Person, contact_add
from portal.kernel import actor, clock, outbox, secrets, tenancy
from portal.kernel.errors import LinkDead
from portal.kernel.models import AuditEvent, OutboxMessage, OutboxState
from tests.accounts.conftest import make_browser
from tests.conftest import SqlAs
from tests.factories import Firm
from tests.mailbox import Mailbox

Deliver = Callable[[], int]
LANDING = "/welcome/"


def invite(
    firm: Firm, *, landing_path: str = LANDING, letter_kind: str = "accounts.invitation"
) -> Invitation:
    with tenancy.use(tenancy.practice_scope(firm.practice.pk)):
        return invitation_make(
            contact=firm.contact,
            landing_path=landing_path,
            invited_by=firm.owner,
            actor=actor.person(firm.owner.pk, name=firm.owner.name, email=firm.owner.email),
            letter_kind=letter_kind,
        )


def path_of(invitation: Invitation) -> str:
    return invitation_url(invitation).removeprefix("http://testserver")


def token_of(invitation: Invitation) -> str:
    return path_of(invitation).split("/")[2]


def again(firm: Firm, invitation: Invitation) -> Invitation:
    with tenancy.use(tenancy.practice_scope(firm.practice.pk)):
        return Invitation.objects.get(pk=invitation.pk)


def events(firm: Firm) -> list[str]:
    with tenancy.use(tenancy.practice_scope(firm.practice.pk)):
        return [event.kind for event in AuditEvent.objects.order_by("seq")]


def signed_in(browser: Browser) -> str | None:
    return browser.session.get("_auth_user_id")


def everything(sql_as: SqlAs) -> dict[str, object]:
    """A digest of each table, as only a superuser sees them all."""
    superuser = sql_as("superuser")
    tables = superuser.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    query = "select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from {} t"
    return {str(name): superuser.execute(query.format(name)).fetchone() for (name,) in tables}


def expire(firm: Firm, sql_as: SqlAs) -> None:
    sql_as("superuser").execute("update accounts_invitation set expires_at = now() - interval '1 second'")


def let_mails_be_old(sql_as: SqlAs) -> None:
    sql_as("superuser").execute("update kernel_outboxmessage set created_at = now() - interval '1 hour'")


def test_the_mail_leads_to_the_page(firm: Firm, browser: Browser, mailbox: Mailbox, deliver: Deliver) -> None:
    invitation = invite(firm)
    assert deliver() == 1
    (letter,) = mailbox.letters
    assert letter["To"] == firm.approver.email
    assert letter["From"] == f"Maya Okafor via {firm.practice.name} <portal@northgate.example>"
    assert letter["Reply-To"] == firm.owner.email
    (link,) = set(re.findall(r"http://testserver/i/[a-z2-7]{32}/", mailbox.text()))
    assert link == invitation_url(invitation)
    assert mailbox.html().count(link) == 3
    assert deliver() == 0
    page = browser.get(link)
    assert page.status_code == 200
    body = page.content.decode()
    assert "<h1>Hello Sam</h1>" in body
    assert f"Maya Okafor from {firm.practice.name} invited you." in body


def test_before_continue_the_page_tells_no_more_than_first_name_inviter_and_practice(
    firm: Firm, browser: Browser
) -> None:
    body = browser.get(path_of(invite(firm))).content.decode()
    for secret in (firm.approver.email, firm.client.name, firm.owner.email):
        assert secret not in body
    assert "Carter" not in body


def test_continue_signs_in_once_and_leads_on(firm: Firm, browser: Browser) -> None:
    path = path_of(invite(firm))
    before = browser.get("/account/login/").cookies["csrftoken"].value
    answer = browser.post(path)
    assert (answer.status_code, answer["Location"]) == (302, LANDING)
    assert signed_in(browser) == str(firm.approver.pk)
    assert browser.session["signed_in_by"] == "invitation"
    assert browser.session["seat"] == str(firm.contact.pk)
    assert dt.datetime.fromisoformat(browser.session["signed_in_at"]) <= clock.now()
    assert browser.cookies["csrftoken"].value != before
    assert browser.get(LANDING).status_code == 200
    assert events(firm) == [AccountEvent.INVITATION_MADE, AccountEvent.INVITATION_USED]
    other = make_browser()
    assert other.post(path).status_code == 410
    assert signed_in(other) is None


def test_looking_changes_nothing_and_makes_no_session(firm: Firm, browser: Browser, sql_as: SqlAs) -> None:
    path = path_of(invite(firm))
    before = everything(sql_as)
    for _ in range(3):
        assert browser.get(path).status_code == 200
        assert browser.head(path).status_code == 200
        assert browser.get(f"{path}again/").status_code == 405
    assert everything(sql_as) == before
    assert browser.post(path).status_code == 302
    assert everything(sql_as) != before


def test_a_form_from_elsewhere_uses_nothing_up(firm: Firm) -> None:
    invitation = invite(firm)
    browser = make_browser(check_forms=True)
    assert browser.post(path_of(invitation)).status_code == 403
    assert again(firm, invitation).used_at is None
    page = browser.get(path_of(invitation)).content.decode()
    (token,) = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert browser.post(path_of(invitation), {"csrfmiddlewaretoken": token}).status_code == 302


def test_a_session_from_before_is_not_kept(firm: Firm, browser: Browser) -> None:
    browser.force_login(firm.owner)
    session = browser.session
    session["left over"] = True
    session.save()
    before = browser.cookies["sessionid"].value
    browser.post(path_of(invite(firm)))
    assert browser.cookies["sessionid"].value != before
    assert signed_in(browser) == str(firm.approver.pk)
    assert "left over" not in browser.session


def test_of_two_at_once_one_wins(firm: Firm) -> None:
    token = token_of(invite(firm))
    barrier = threading.Barrier(4)
    outcomes: list[str] = []

    def use() -> None:
        barrier.wait()
        try:
            invitation_use(token=token)
            outcomes.append("in")
        except LinkDead:
            outcomes.append("dead")
        finally:
            connection.close()

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["dead", "dead", "dead", "in"]
    assert events(firm).count(AccountEvent.INVITATION_USED) == 1


def kill(how: str, firm: Firm, invitation: Invitation, sql_as: SqlAs) -> None:
    match how:
        case "expired":
            expire(firm, sql_as)
        case "replaced":
            invite(firm)
        case "used":
            invitation_use(token=token_of(invitation))
        case "left":
            with tenancy.use(tenancy.practice_scope(firm.practice.pk)):
                Contact.objects.update(ended_at=clock.now())
        case _:
            User.objects.filter(pk=firm.approver.pk).update(is_active=False)


@pytest.mark.parametrize("how", ["expired", "replaced", "used", "left", "inactive"])
def test_a_dead_link_has_one_page_and_signs_nobody_in(
    firm: Firm, browser: Browser, sql_as: SqlAs, how: str
) -> None:
    invitation = invite(firm)
    kill(how, firm, invitation, sql_as)
    made_up = browser.get("/i/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/")
    for page in (browser.get(path_of(invitation)), browser.post(path_of(invitation)), made_up):
        assert page.status_code == 410
        body = page.content.decode()
        assert "<h1>This link has expired</h1>" in body
        assert "Send me a new one" in body
        assert "Sam" not in body
    assert signed_in(browser) is None


def test_who_is_signed_in_as_the_invited_needs_no_link(firm: Firm, browser: Browser) -> None:
    path = path_of(invite(firm))
    browser.post(path)
    for answer in (browser.get(path), browser.post(path)):
        assert (answer.status_code, answer["Location"]) == (302, LANDING)
    assert browser.get("/i/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/").status_code == 410
    stranger = make_browser()
    stranger.force_login(firm.owner)
    assert stranger.get(path).status_code == 410


def test_a_new_invitation_replaces_those_to_the_same_page_only(firm: Firm, browser: Browser) -> None:
    first, elsewhere, second = invite(firm), invite(firm, landing_path="/e/other/"), invite(firm)
    assert again(firm, first).replaced_at is not None
    assert again(firm, elsewhere).replaced_at is None
    assert browser.get(path_of(second)).status_code == 200


@pytest.mark.parametrize("path", ["https://evil.example/", "//evil.example/", "welcome/", ""])
def test_it_leads_nowhere_but_here(firm: Firm, path: str) -> None:
    with pytest.raises(ValueError, match="not a path"):
        invite(firm, landing_path=path)


def test_the_database_and_the_log_never_see_the_token(
    firm: Firm,
    browser: Browser,
    mailbox: Mailbox,
    deliver: Deliver,
    sql_as: SqlAs,
    caplog: pytest.LogCaptureFixture,
) -> None:
    invitation = invite(firm)
    token = token_of(invitation)
    with caplog.at_level(logging.DEBUG):
        deliver()
        browser.get(path_of(invitation))
        browser.post(path_of(invitation))
        browser.cookies.clear()
        browser.get(path_of(invitation))
        browser.post(f"{path_of(invitation)}again/")
    superuser = sql_as("superuser")
    for (table,) in superuser.execute(
        "select tablename from pg_tables where schemaname = 'public'"
    ).fetchall():
        rows = superuser.execute(f"select t::text from {table} t").fetchall()  # noqa: S608  # PostgreSQL's own names
        assert not [row for (row,) in rows if token in row], table
    from portal.kernel.redaction import HideTokens

    for record in caplog.records:
        HideTokens().filter(record)
        assert token not in record.getMessage()


def test_after_a_change_of_keys_the_link_of_a_waiting_mail_is_the_same(firm: Firm, settings: Any) -> None:
    invitation = invite(firm)
    link = invitation_url(invitation)
    old, settings.SECRET_KEY = settings.SECRET_KEY, "a-newer-key-" * 5
    settings.SECRET_KEY_FALLBACKS = [old]
    assert invitation_url(invitation) == link
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(secrets.Unreadable):
        invitation_url(invitation)


def test_a_mail_tried_twice_is_the_same_mail(
    firm: Firm, mailbox: Mailbox, sql_as: SqlAs, deliver: Deliver
) -> None:
    invite(firm)
    mailbox.data_answer = "451 busy"
    assert deliver() == 1
    mailbox.data_answer = "250 kept"
    superuser = sql_as("superuser")
    for state in ("waiting", "sent"):
        superuser.execute(
            "update kernel_outboxmessage set state = 'queued', next_at = now() where state = %s", [state]
        )
        assert deliver() == 1
    first, second = mailbox.letters
    assert first["Message-ID"] == second["Message-ID"]
    assert mailbox.text(0) == mailbox.text(1)


def test_an_invitation_that_leads_nowhere_any_more_is_not_mailed(
    firm: Firm, mailbox: Mailbox, deliver: Deliver, sql_as: SqlAs
) -> None:
    invite(firm)
    expire(firm, sql_as)
    assert deliver() == 1
    assert mailbox.letters == []


def test_another_app_may_write_the_mail(firm: Firm, deliver: Deliver) -> None:
    heard: list[str] = []

    @outbox.handles("sample.invitation")
    def listen(held: outbox.Claim) -> None:
        found = selectors.invitation_to_send(held.object_id)
        assert found is not None
        heard.append(emails.invitation_url(found))

    invitation = invite(firm, letter_kind="sample.invitation")
    deliver()
    outbox.HANDLERS.pop("sample.invitation")
    assert heard == [invitation_url(invitation)]


def test_send_me_a_new_one_goes_to_the_invited_address(
    firm: Firm, browser: Browser, mailbox: Mailbox, deliver: Deliver, sql_as: SqlAs
) -> None:
    invitation = invite(firm)
    deliver()
    browser.post(path_of(invitation))
    let_mails_be_old(sql_as)
    page = make_browser().post(f"{path_of(invitation)}again/")
    assert page.status_code == 200
    assert deliver() == 1
    assert [letter["To"] for letter in mailbox.letters] == [firm.approver.email] * 2
    (link,) = set(re.findall(r"http://testserver(/i/[a-z2-7]{32}/)", mailbox.text()))
    assert link != path_of(invitation)
    assert make_browser().post(link)["Location"] == LANDING
    assert events(firm).count(AccountEvent.INVITATION_SENT_AGAIN) == 1


def test_an_old_link_cannot_kill_the_living_one(
    firm: Firm, deliver: Deliver, mailbox: Mailbox, sql_as: SqlAs
) -> None:
    old, new = invite(firm), invite(firm)
    let_mails_be_old(sql_as)
    invitation_send_again(token=token_of(old))
    invitation_send_again(token=token_of(old))
    deliver()
    assert again(firm, new).replaced_at is None
    links = [
        re.findall(r"/i/[a-z2-7]{32}/", mailbox.text(number))[0] for number in range(len(mailbox.letters))
    ]
    assert links == [path_of(new), path_of(new)]
    assert len({letter["Message-ID"] for letter in mailbox.letters}) == 2


@pytest.mark.parametrize("how", ["nobody", "impatient", "left", "inactive"])
def test_the_answer_is_the_same_when_nothing_is_sent(
    firm: Firm, browser: Browser, sql_as: SqlAs, how: str
) -> None:
    invitation = invite(firm)
    path = path_of(invitation)
    if how == "nobody":
        path = "/i/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/"
    if how in {"left", "inactive"}:
        let_mails_be_old(sql_as)
        kill(how, firm, invitation, sql_as)
    page = browser.post(f"{path}again/")
    assert page.status_code == 200
    assert "If that link was an invitation" in page.content.decode()
    with tenancy.use(tenancy.practice_scope(firm.practice.pk)):
        assert OutboxMessage.objects.count() == 1


def test_a_refused_address_is_shown_to_the_practice(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    mailbox.refuse[firm.approver.email] = "550 no such mailbox"
    invite(firm)
    deliver()
    with tenancy.use(tenancy.practice_scope(firm.practice.pk)):
        message = OutboxMessage.objects.get(kind="accounts.invitation")
    assert (message.state, message.last_error) == (OutboxState.DEAD, "Hopeless: mail server answered 550")


def test_it_lives_seven_days(firm: Firm) -> None:
    invitation = invite(firm)
    assert invitation.is_live_at(clock.now())
    with clock.frozen(clock.now() + LIFETIME):
        assert not invitation.is_live_at(clock.now())
        with pytest.raises(LinkDead):
            invitation_use(token=token_of(invitation))


def test_a_name_cannot_put_a_header_into_the_mail(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    with tenancy.use(tenancy.practice_scope(firm.practice.pk)):
        firm.practice.name = "North\r\nBcc: all@evil.example"
        firm.practice.save(update_fields=["name"])
    invite(firm)
    deliver()
    (letter,) = mailbox.letters
    assert letter["Bcc"] is None
    assert "Bcc: all@evil.example" in letter["Subject"]


def test_a_second_contact_is_invited_on_their_own(firm: Firm) -> None:
    who = actor.machine("test")
    with tenancy.use(tenancy.practice_scope(firm.practice.pk)):
        contact = contact_add(
            client=firm.client,
            person=Person(email=f"v{firm.approver.email}", name="Val"),
            role=ContactRole.VIEWER,
            actor=who,
        )
        other = invitation_make(contact=contact, landing_path=LANDING, invited_by=firm.owner, actor=who)
    invite(firm)
    assert again(firm, other).replaced_at is None
    assert LETTER in outbox.HANDLERS


def test_a_link_that_nobody_was_sent_is_dead(firm: Firm) -> None:
    with pytest.raises(LinkDead):
        invitation_use(token="a" * 26)
