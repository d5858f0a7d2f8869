"""Signing in by e-mailed code: the same page for everybody, five tries, fifteen minutes."""

from __future__ import annotations

import datetime as dt
import re
import statistics
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

import pytest
import time_machine
from django.db import connection
from django.http import HttpRequest
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse

from accounts.adapters import InvitationOnlyAdapter
from accounts.lifecycle import AccountEvent, SignInKind
from accounts.models import BrowserSession, User
from accounts.services.letters import letter_promise
from accounts.services.sign_in import sign_in_record
from accounts.views.places import masked
from portal.kernel import clock, tenancy
from portal.kernel.mail import Letter
from portal.kernel.models import AuditEvent, OutboxMessage, OutboxState, SealedLetter
from tests.accounts.conftest import make_browser
from tests.conftest import SqlAs
from tests.counting import steps
from tests.factories import Firm
from tests.mailbox import Mailbox

Deliver = Callable[[], int]
ADDRESS, CODE = "/account/login/", "/account/login/code/"
VALUES: Final = re.compile(r"'(?:[^']|'')*'|\b[0-9a-f]{32}\b|\b\d+\b|\"s\d+_x\d+\"")


def ask(browser: Browser, address: str, **more: str) -> Any:  # Any: Django's test response
    return browser.post(ADDRESS, {"email": address, **more})


def give(browser: Browser, code: str, **more: str) -> Any:  # Any: as above
    return browser.post(CODE, {"code": code, "action": "verify", **more})


def code_in(mailbox: Mailbox) -> str:
    (code,) = re.findall(r"^  (\d{6})$", mailbox.text(), re.MULTILINE)
    return str(code)


def platform_rows(model: Any) -> int:  # Any: a model
    with tenancy.use(tenancy.platform_scope()):
        return int(model.objects.count())


def is_in(browser: Browser) -> bool:
    return "_auth_user_id" in browser.session


def stable(body: bytes) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", body.decode())


@pytest.fixture
def asked(firm: Firm, browser: Browser, mailbox: Mailbox, deliver: Deliver) -> str:
    """The code that was mailed."""
    assert ask(browser, firm.approver.email)["Location"] == CODE
    assert mailbox.letters == []  # the web process has sent nothing
    assert deliver() == 1
    return code_in(mailbox)


def test_a_code_signs_in(firm: Firm, browser: Browser, mailbox: Mailbox, asked: str) -> None:
    assert mailbox.letters[0]["To"] == firm.approver.email
    assert mailbox.letters[0]["Subject"] == f"{asked} is your sign-in code"
    assert mailbox.letters[0]["X-Portal-Reason"] == "accounts.sign_in_code"
    assert mailbox.letters[0]["List-Id"] == "<sign-in.northgate.example>"
    before = browser.cookies["sessionid"].value
    answer = give(browser, asked)
    assert (answer.status_code, answer["Location"]) == (302, "/account/factors/offer/")
    assert browser.cookies["sessionid"].value != before
    assert (browser.session["signed_in_by"], "seat" in browser.session) == ("code", False)
    with tenancy.use(tenancy.client_scope(firm.practice.pk, firm.client.pk)):
        event = AuditEvent.objects.get(kind=AccountEvent.SIGNED_IN)
    assert event.actor == f"user:{firm.approver.pk}"


def test_the_page_asks_for_one_field_and_shows_no_whole_address(
    firm: Firm, browser: Browser, asked: str
) -> None:
    body = browser.get(CODE).content.decode()
    (field,) = re.findall(r'<input type="text"[^>]*>', body)
    assert 'autocomplete="one-time-code"' in field
    assert 'inputmode="numeric"' in field
    assert masked(firm.approver.email) in body
    assert firm.approver.email not in body
    assert "<h1>Enter the code we emailed you</h1>" in body
    assert masked("sam@brightwater.example") == "s•••@brightwater.example"


@pytest.mark.parametrize("spell", ["{0} {1}", " {0}-{1} ", "{0}\t{1}\n", "{0}{1}"])
def test_pasted_spaces_do_no_harm(browser: Browser, asked: str, spell: str) -> None:
    give(browser, spell.format(asked[:3], asked[3:]))
    assert is_in(browser)


def test_the_letter_is_forgotten_once_it_is_sent(
    browser: Browser, mailbox: Mailbox, deliver: Deliver, asked: str, sql_as: SqlAs
) -> None:
    assert platform_rows(SealedLetter) == 0
    sql_as("superuser").execute("update kernel_outboxmessage set state = 'queued'")
    assert deliver() == 1
    assert len(mailbox.letters) == 1


def test_neither_code_nor_address_stands_in_the_database(
    firm: Firm, browser: Browser, mailbox: Mailbox, deliver: Deliver, sql_as: SqlAs
) -> None:
    ask(browser, firm.approver.email)
    rows = sql_as("superuser").execute(
        "select encode(sealed, 'escape') from kernel_sealedletter union all select session_data from accounts_browsersession"
    )
    stored = " ".join(text for (text,) in rows.fetchall())
    deliver()
    assert code_in(mailbox) not in stored
    assert firm.approver.email not in stored
    assert len(stored) > 100


def test_known_and_unknown_addresses_get_the_same_pages_and_only_one_a_mail(
    firm: Firm, browser: Browser, mailbox: Mailbox, deliver: Deliver
) -> None:
    User.objects.create_user(f"inactive{firm.approver.email}", name="Gone", is_active=False)
    stranger, former = make_browser(), make_browser()
    browsers = {firm.approver.email: browser, f"x{firm.approver.email}": stranger}
    browsers[f"inactive{firm.approver.email}"] = former
    pages = set()
    for address, one in browsers.items():
        answer = ask(one, address)
        shown = one.get(CODE).content
        wrong = give(one, "000000x").content
        new = one.post(CODE, {"action": "resend"}, follow=True).content
        pages.add(
            (
                answer.status_code,
                answer["Location"],
                *(stable(body).replace(masked(address), "M") for body in (shown, wrong, new)),
            )
        )
    assert len(pages) == 1
    assert deliver() == 2  # the first code and the new one, of the one known address
    assert {letter["To"] for letter in mailbox.letters} == {firm.approver.email}


def asking(address: str) -> tuple[tuple[str, ...], int]:
    """What asking for a code costs: the statements, without their values, and how many functions are called."""
    browser = make_browser()
    with CaptureQueriesContext(connection) as asked:
        calls = steps(lambda: ask(browser, address))
    said = [VALUES.sub("?", query["sql"]) for query in asked.captured_queries]
    return tuple(said), calls


def test_an_unknown_address_takes_as_long(firm: Firm) -> None:
    """The same questions to the database in the same order, and as much work between them: no clock is asked."""
    taken: dict[bool, list[tuple[tuple[str, ...], int]]] = {True: [], False: []}
    asking(f"first{firm.approver.email}")  # what is worked out once for the process
    for number in range(4):
        for known in (True, False):
            address = f"{'k' if known else 'u'}{number}{firm.approver.email}"
            if known:
                User.objects.create_user(address, name="Known")
            taken[known].append(asking(address))
    ((known_said,), (unknown_said,)) = ({said for said, _ in taken[one]} for one in (True, False))
    # Taken back before the end: one word more to the database, and nothing else.
    assert [one for one in unknown_said if one != "ROLLBACK TO SAVEPOINT ?"] == list(known_said)
    assert len(unknown_said) == len(known_said) + 1
    # A rollback of the whole would not wait for the disk, which shows.
    assert (unknown_said.count("COMMIT"), unknown_said.count("ROLLBACK")) == (3, 0)
    known_calls, unknown_calls = (
        statistics.median(calls for _, calls in taken[one]) for one in (True, False)
    )
    assert abs(known_calls - unknown_calls) < 0.02 * known_calls
    assert platform_rows(OutboxMessage) == 4
    assert platform_rows(SealedLetter) == 4


@pytest.mark.parametrize("proxies", [0, 1])
def test_made_up_addresses_of_the_asking_machine_get_round_no_limit(
    firm: Firm, settings: SimpleNamespace, proxies: int
) -> None:
    """Whoever is in front of our own proxy may write anything before what the proxy adds."""
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    machine, answers = make_browser().defaults["REMOTE_ADDR"], []
    with time_machine.travel(time.time(), tick=False):  # the limit is one of a minute
        for number in range(21):
            told = {"X-Forwarded-For": f"198.51.100.{number}, {machine}"}
            typed = {"email": f"{number}@{firm.practice.code}.example"}
            answers.append(Browser(REMOTE_ADDR=machine).post(ADDRESS, typed, headers=told))
    assert [answer.status_code for answer in answers] == [302] * 20 + [200]
    assert "tried too often" in answers[-1].content.decode()


def test_five_tries_and_no_more(browser: Browser, asked: str) -> None:
    for _ in range(4):
        page = give(browser, "000000x")
        assert page.status_code == 200
        assert "That code doesn&#x27;t match" in page.content.decode()
    answer = browser.post(CODE, {"code": "000000x", "action": "verify"}, follow=True)
    assert answer.request["PATH_INFO"] == ADDRESS
    assert "tried too often" in answer.content.decode()
    give(browser, asked)
    assert not is_in(browser)


def test_after_fifteen_minutes_the_page_says_so(browser: Browser, asked: str) -> None:
    with time_machine.travel(time.time() + 15 * 60 + 1):
        answer = browser.post(CODE, {"code": asked, "action": "verify"}, follow=True)
    assert "more than 15 minutes old" in answer.content.decode()
    assert not is_in(browser)


def test_a_new_code_ends_the_old_one(
    browser: Browser, mailbox: Mailbox, deliver: Deliver, asked: str
) -> None:
    page = browser.post(CODE, {"action": "resend"}, follow=True)
    assert "a new code is on its way" in page.content.decode()
    deliver()
    newest = code_in(mailbox)
    if newest != asked:  # one in a million
        give(browser, asked)
        assert not is_in(browser)
    give(browser, newest)
    assert is_in(browser)


def test_new_codes_run_out(browser: Browser, deliver: Deliver, asked: str) -> None:
    for _ in range(3):
        assert "Send a new code" in browser.get(CODE).content.decode()
        browser.post(CODE, {"action": "resend"})
    assert "Send a new code" not in browser.get(CODE).content.decode()
    browser.post(CODE, {"action": "resend"})
    assert deliver() == 3


def test_too_many_requests_for_one_address_are_refused(firm: Firm) -> None:
    for _ in range(3):
        assert ask(make_browser(), firm.approver.email).status_code == 302
    page = ask(make_browser(), firm.approver.email)
    assert page.status_code == 200
    assert "tried too often" in page.content.decode()


def test_who_mistyped_comes_back_to_the_address(firm: Firm, browser: Browser) -> None:
    ask(browser, f"x{firm.approver.email}")
    assert "<h1>Sign in</h1>" in browser.get(ADDRESS).content.decode()


@pytest.mark.parametrize("address", ["", "nobody", "a@b@c.example"])
def test_what_is_no_address_says_so_beside_the_field(real_db: None, browser: Browser, address: str) -> None:
    body = ask(browser, address).content.decode()
    assert "There is a problem" in body
    assert "<title>Error: Sign in" in body
    assert 'aria-invalid="true"' in body


def test_looking_at_the_pages_writes_nothing(firm: Firm, browser: Browser, asked: str, sql_as: SqlAs) -> None:
    def sessions() -> list[tuple[str, object]]:
        return list(BrowserSession.objects.order_by("pk").values_list("session_data", "made_at"))

    before = sessions()
    for path in (ADDRESS, CODE, "/account/logout/", "/"):
        for _ in range(3):
            browser.get(path)
            browser.head(path)
    assert sessions() == before
    assert give(browser, asked).status_code == 302


def test_codes_are_for_the_browser_that_asked(asked: str) -> None:
    other = make_browser()
    assert give(other, asked)["Location"] == ADDRESS
    assert not is_in(other)


def test_signing_in_leads_back_but_never_elsewhere(
    firm: Firm, browser: Browser, mailbox: Mailbox, deliver: Deliver
) -> None:
    for wanted, led in [
        ("/welcome/?a=1", "/welcome/?a=1"),
        ("https://evil.example/", "/account/factors/offer/"),
    ]:
        one = make_browser()
        answer = ask(one, firm.approver.email, next=wanted)
        deliver()
        final = one.post(answer["Location"], {"code": code_in(mailbox), "action": "verify"})
        assert final["Location"] == led


def test_signing_out_takes_a_button(firm: Firm, browser: Browser) -> None:
    browser.force_login(firm.approver)
    page = browser.get("/account/logout/")
    assert firm.approver.email in page.content.decode()
    assert is_in(browser)
    assert browser.post("/account/logout/")["Location"] == "/"
    assert not is_in(browser)
    assert browser.get("/account/logout/").status_code == 302


def test_every_seat_hears_of_a_sign_in_and_the_installation_of_who_has_none(firm: Firm) -> None:
    nobody = User.objects.create_user(f"n{firm.approver.email}", name="Nobody")
    sign_in_record(user=firm.owner, by=SignInKind.CODE)
    sign_in_record(user=nobody, by=SignInKind.CODE)
    with tenancy.use(tenancy.practice_scope(firm.practice.pk)):
        assert [event.actor for event in AuditEvent.objects.all()] == [f"user:{firm.owner.pk}"]
    assert platform_rows(AuditEvent) == 1


def test_a_person_switched_off_meanwhile_does_not_come_in(firm: Firm, browser: Browser, asked: str) -> None:
    User.objects.filter(pk=firm.approver.pk).update(is_active=False)
    page = browser.post(CODE, {"code": asked, "action": "verify"}, follow=True)
    assert (
        "<h1>You can&#x27;t sign in</h1>" in page.content.decode()
        or "You can't sign in" in page.content.decode()
    )
    assert not is_in(browser)


@pytest.mark.parametrize(
    "name", ["account_signup", "account_email", "account_change_password", "account_reset_password"]
)
def test_there_is_no_way_to_sign_up_or_to_have_a_password(name: str) -> None:
    with pytest.raises(NoReverseMatch):
        reverse(name)


def test_the_adapter_opens_nothing_and_sends_nothing_else(real_db: None) -> None:
    adapter = InvitationOnlyAdapter()
    assert not adapter.is_open_for_signup(HttpRequest())
    with pytest.raises(ValueError, match="unknown_account"):
        adapter.send_mail("account/email/unknown_account", "a@b.example", {})


def promise(to: str = "sam@brightwater.example") -> None:
    letter_promise(Letter(to=to, subject="Code", text="123456"))


def last_state() -> tuple[str, str]:
    with tenancy.use(tenancy.platform_scope()):
        message = OutboxMessage.objects.get()
    return message.state, message.last_error


def test_a_letter_may_be_promised_from_anywhere(firm: Firm) -> None:
    with tenancy.use(tenancy.client_scope(firm.practice.pk, firm.client.pk)):
        promise()
    assert platform_rows(SealedLetter) == 1


def test_a_code_that_is_too_old_is_not_mailed(
    real_db: None, mailbox: Mailbox, deliver: Deliver, sql_as: SqlAs
) -> None:
    promise()
    later = clock.now() + dt.timedelta(minutes=15)
    with clock.frozen(later):
        deliver()
    assert mailbox.letters == []
    assert platform_rows(SealedLetter) == 0
    assert last_state() == (OutboxState.DEAD, "Hopeless: the code in it is no longer valid")


def test_a_letter_under_a_lost_key_is_given_up(
    real_db: None, mailbox: Mailbox, deliver: Deliver, settings: Any
) -> None:
    promise()
    settings.SECRET_KEY = "a-newer-key-" * 5
    deliver()
    assert platform_rows(SealedLetter) == 0
    assert last_state() == (OutboxState.DEAD, "Hopeless: the key it was sealed with is gone")


def test_a_letter_waits_for_a_server_that_is_away(
    real_db: None, mailbox: Mailbox, deliver: Deliver, sql_as: SqlAs
) -> None:
    promise()
    mailbox.refuse["sam@brightwater.example"] = "450 later"
    deliver()
    assert platform_rows(SealedLetter) == 1
    mailbox.refuse.clear()
    sql_as("superuser").execute("update kernel_outboxmessage set next_at = now()")
    deliver()
    assert len(mailbox.letters) == 1
    assert platform_rows(SealedLetter) == 0
