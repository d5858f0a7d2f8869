"""The suite hears a marked secret wherever it is told: each place is told one, and what was heard is taken away again."""

from __future__ import annotations

import logging
from email.message import EmailMessage

import pytest
from django.core.cache import cache
from django.core.mail import send_mail
from django.test import Client as Browser

from accounts.models import Practice
from portal.kernel import tenancy
from tests.factories import make_firm
from tests.mailbox import Mailbox
from tests.plugins import canary

SECRET = "fake-secret-7"
HEARD = "fake-secret-…"


def test_a_line_of_the_log_is_heard_as_production_writes_it() -> None:
    logging.getLogger("portal").warning("entered with %s", SECRET)
    assert canary.take() == [f"log portal: {HEARD}"]


@pytest.mark.usefixtures("db")
def test_a_page_is_heard() -> None:
    Browser().post("/account/login/", {"email": f"{SECRET} at home"})
    assert canary.take() == [f"page POST /account/login/: {HEARD}"]


def test_what_is_told_once_is_no_leak_in_its_place() -> None:
    class Answer:
        headers = {"Location": "/"}
        streaming = False
        content = SECRET.encode()

    canary.heed_answer("POST", "/console/engagements/engagement/abc/keys/", Answer)
    assert canary.take() == []
    canary.heed_answer("GET", "/console/engagements/engagement/abc/keys/", Answer)
    assert canary.take() == [f"page GET /console/engagements/engagement/abc/keys/: {HEARD}"]


def test_headers_are_heard_everywhere() -> None:
    class Answer:
        headers = {"Location": f"/?key={SECRET}"}
        streaming = True

    canary.heed_answer("POST", "/console/engagements/engagement/abc/keys/", Answer)
    assert canary.take() == [f"headers of POST /console/engagements/engagement/abc/keys/: {HEARD}"]


def test_a_mail_is_heard_also_where_it_is_encoded(mailbox: Mailbox) -> None:
    send_mail("Grüße", f"Schlüssel: {SECRET}", "a@b.example", ["c@d.example"])
    assert canary.take() == [f"mail: {HEARD}"]
    letter = EmailMessage()
    letter["Subject"] = SECRET
    letter.set_content("nothing")
    canary.heed_letter(letter)
    assert canary.take() == [f"mail: {HEARD}"]


def test_a_committed_row_is_heard_whoever_may_see_it(real_db: None, database_name: str) -> None:
    firm = make_firm("north")
    canary.search_rows(database_name)
    assert canary.take() == []
    with tenancy.use(firm.practice_side):
        Practice.objects.filter(pk=firm.practice.pk).update(name=SECRET)
    canary.search_rows(database_name)
    assert canary.take() == [f"rows: {HEARD}"]
    with tenancy.use(firm.practice_side):
        Practice.objects.filter(pk=firm.practice.pk).update(name="North")


def test_the_cache_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a mark of its own: other processes of the run search the same cache when they end."""
    monkeypatch.setattr(canary, "MARKS", ("mark-of-this-test-",))
    cache.set("listening", "mark-of-this-test-7", 60)
    canary.search_cache()
    cache.delete("listening")
    assert set(canary.take()) == {"cache: mark-of-this-test-…"}
    canary.search_cache()
    assert canary.take() == []
