"""Browser sessions: idle and absolute limits by PostgreSQL's clock, keys nobody can read, a list with an end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from django.conf import settings
from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.core.cache import cache
from django.test import Client as Browser

from accounts import tasks
from accounts.lifecycle import AccountEvent
from accounts.models import BrowserSession
from accounts.services.attempts import CODE_MAILS, CODE_TRIES, attempt_count
from accounts.services.factors import totp_enrol
from accounts.services.sessions import sessions_end, sessions_of
from accounts.sessions import SessionStore
from portal.kernel import secrets, tenancy
from portal.kernel.models import AuditEvent
from tests.accounts.conftest import make_browser
from tests.accounts.test_factors import SECRET, now_code
from tests.accounts.test_sign_in import ADDRESS, CODE, ask, code_in, give, is_in
from tests.conftest import SqlAs
from tests.factories import Firm
from tests.mailbox import Mailbox
from tests.signing_in import let_in

Deliver = Callable[[], int]
LIST = "/account/sessions/"


def key_of(browser: Browser) -> str:
    return str(browser.cookies["sessionid"].value)


@pytest.fixture
def sam(firm: Firm, browser: Browser) -> Browser:
    return let_in(browser, firm.approver)


def age(sql_as: SqlAs, column: str, interval: str) -> None:
    statement = f"update accounts_browsersession set {column} = {column} - interval '{interval}'"  # noqa: S608  # constants
    sql_as("superuser").execute(statement)


@pytest.mark.parametrize(
    ("column", "interval", "status"),
    [
        ("seen_at", "29 minutes", 200),
        ("seen_at", "30 minutes", 302),
        ("made_at", "11 hours 59 minutes", 200),
        ("made_at", "12 hours", 302),
    ],
)
def test_half_an_hour_without_a_request_or_twelve_hours_end_it(
    sam: Browser, sql_as: SqlAs, column: str, interval: str, status: int
) -> None:
    age(sql_as, column, interval)
    assert sam.get("/welcome/").status_code == status
    assert sam.get("/welcome/").status_code == status


def test_requests_keep_it_alive_and_write_once_a_minute(sam: Browser, sql_as: SqlAs) -> None:
    for _ in range(3):
        age(sql_as, "seen_at", "20 minutes")
        assert sam.get("/welcome/").status_code == 200
    before = BrowserSession.objects.get().seen_at
    sam.get("/welcome/")
    assert BrowserSession.objects.get().seen_at == before


def test_writing_into_a_session_does_not_make_it_younger(sam: Browser) -> None:
    before = BrowserSession.objects.get().made_at
    store = SessionStore(key_of(sam))
    store["x"] = 1
    store.save()
    assert BrowserSession.objects.get().made_at == before


def test_who_waits_for_a_code_has_longer_than_half_an_hour(
    firm: Firm, browser: Browser, mailbox: Mailbox, deliver: Deliver, sql_as: SqlAs
) -> None:
    ask(browser, firm.approver.email)
    age(sql_as, "seen_at", "31 minutes")
    assert browser.get(CODE).status_code == 200


def test_a_copy_of_the_table_opens_nothing(sam: Browser, sql_as: SqlAs) -> None:
    rows = (
        sql_as("superuser")
        .execute("select session_key, session_data from accounts_browsersession")
        .fetchall()
    )
    ((kept, data),) = rows
    assert kept == secrets.fingerprint(key_of(sam))
    assert key_of(sam) not in f"{kept} {data}"
    thief = make_browser()
    thief.cookies["sessionid"] = kept
    assert thief.get("/welcome/").status_code == 302


def test_the_store_keeps_its_promises_to_django(real_db: None) -> None:
    store = SessionStore()
    store["a"] = 1
    store.save()
    key = str(store.session_key)
    assert store.exists(key)
    assert SessionStore(key)["a"] == 1
    with pytest.raises(CreateError):
        SessionStore(key).save(must_create=True)
    store.cycle_key()
    assert SessionStore(key).load() == {}
    gone = SessionStore(str(store.session_key))
    gone.load()
    store.flush()
    with pytest.raises(UpdateError):
        gone.save()
    SessionStore().delete()
    assert BrowserSession.objects.count() == 0


def test_what_is_over_is_forgotten(firm: Firm, sam: Browser, sql_as: SqlAs) -> None:
    age(sql_as, "made_at", "12 hours")
    other = let_in(make_browser(), firm.approver)
    SessionStore.clear_expired()
    assert [row.pk for row in BrowserSession.objects.all()] == [secrets.fingerprint(key_of(other))]
    assert str(BrowserSession.objects.get()).startswith("session since")


def test_a_task_forgets_what_is_over_as_the_worker(
    firm: Firm, sam: Browser, sql_as: SqlAs, as_worker: Callable[[], AbstractContextManager[None]]
) -> None:
    age(sql_as, "seen_at", "31 minutes")
    let_in(make_browser(), firm.owner)
    planned = {one["task"] for one in settings.CELERY_BEAT_SCHEDULE.values()}
    assert tasks.sessions_sweep_task.name in planned
    with as_worker():
        tasks.sessions_sweep_task()
    assert [row.user_id for row in BrowserSession.objects.all()] == [firm.owner.pk]


def test_signing_out_tells_the_browser_to_forget(firm: Firm, sam: Browser) -> None:
    assert "Clear-Site-Data" not in sam.get("/account/logout/").headers
    answer = sam.post("/account/logout/")
    assert answer["Clear-Site-Data"] == '"cache", "storage"'
    assert sam.get("/welcome/").status_code == 302


def test_the_list_shows_ones_own_and_ends_them(firm: Firm, sam: Browser) -> None:
    phone, stranger = let_in(make_browser(), firm.approver), let_in(make_browser(), firm.owner)
    page = sam.get(LIST).content.decode()
    assert (page.count("This browser"), page.count("Another browser")) == (1, 1)
    foreign = secrets.fingerprint(key_of(stranger))
    assert foreign not in page
    sam.post(LIST, {"session": foreign})
    assert stranger.get("/welcome/").status_code == 200
    sam.post(LIST, {"session": secrets.fingerprint(key_of(phone))})
    assert phone.get("/welcome/").status_code == 302
    assert sam.get("/welcome/").status_code == 200
    with tenancy.use(firm.practice_side):
        assert AuditEvent.objects.filter(kind=AccountEvent.SESSION_ENDED).count() == 1


def test_all_others_are_ended_at_once(firm: Firm, sam: Browser) -> None:
    others = [let_in(make_browser(), firm.approver) for _ in range(3)]
    assert sam.post(LIST)["Location"] == LIST
    assert [one.get("/welcome/").status_code for one in others] == [302, 302, 302]
    assert sam.get("/welcome/").status_code == 200
    assert sessions_end(user=firm.approver, keep_key=key_of(sam)) == 0
    assert sessions_end(user=firm.approver) == 1
    assert sam.get(LIST)["Location"].startswith(ADDRESS)


def test_the_list_says_which_browser(
    firm: Firm, browser: Browser, mailbox: Mailbox, deliver: Deliver
) -> None:
    ask(browser, firm.approver.email)
    deliver()
    browser.post(
        CODE, {"code": code_in(mailbox), "action": "verify"}, headers={"User-Agent": "Firefox/145.0"}
    )
    (one,) = sessions_of(user=firm.approver, session_key=key_of(browser))
    assert (one.browser, one.is_this_one) == ("Firefox", True)


def test_a_change_of_factors_ends_all_other_sessions(firm: Firm, browser: Browser) -> None:
    let_in(browser, firm.owner, factor=None)
    thief = let_in(make_browser(), firm.owner)
    browser.get("/account/factors/app/")
    browser.post("/account/factors/app/", {"code": now_code(secret=browser.session["totp_pending"])})
    assert browser.get("/console/").status_code == 200
    assert thief.get("/console/").status_code == 302


def test_a_session_that_ended_is_ended_in_the_middle_of_things(firm: Firm, sam: Browser) -> None:
    totp_enrol(user=firm.approver, secret=SECRET, code=now_code(ahead=-1))
    sessions_end(user=firm.approver)
    assert sam.post(LIST)["Location"].startswith(ADDRESS)


# Counters of signing in that no flush forgets (SECURITY W6)


def test_wrong_codes_are_counted_for_the_address_in_every_browser(
    firm: Firm, browser: Browser, mailbox: Mailbox, deliver: Deliver
) -> None:
    ask(browser, firm.approver.email)
    deliver()
    for _ in range(CODE_TRIES.tries):
        attempt_count(CODE_TRIES, firm.approver.email)
    cache.clear()
    answer = browser.post(CODE, {"code": code_in(mailbox), "action": "verify"}, follow=True)
    assert "tried too often" in answer.content.decode()
    assert not is_in(browser)


@pytest.mark.parametrize("known", ["", "x"])
def test_mails_are_counted_and_the_refusal_tells_nothing(firm: Firm, browser: Browser, known: str) -> None:
    address = f"{known}{firm.approver.email}"
    for _ in range(CODE_MAILS.tries):
        attempt_count(CODE_MAILS, address)
    cache.clear()
    page = ask(browser, address.upper())
    assert page.status_code == 200
    assert "tried too often" in page.content.decode()


def test_sending_again_counts_too(firm: Firm, browser: Browser) -> None:
    ask(browser, firm.approver.email)
    for _ in range(CODE_MAILS.tries - 1):
        attempt_count(CODE_MAILS, firm.approver.email)
    answer = browser.post(CODE, {"action": "resend"}, follow=True)
    assert "tried too often" in answer.content.decode()
    assert give(browser, "000000x").status_code in (200, 302)
