"""The scope of each request, the pages of refusals, and the headers of private pages."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.core.exceptions import SuspiciousOperation
from django.test import Client as Browser
from django.test import RequestFactory

from accounts.lifecycle import MemberRole
from accounts.models import BrowserSession, Contact, Membership
from portal.kernel import clock, errors, tenancy, web
from tests.accounts.conftest import make_browser
from tests.factories import Firm, make_firm
from tests.kernel.pages import REFUSALS
from tests.signing_in import let_in

CountQueries = Callable[[int], AbstractContextManager[None]]


@pytest.fixture(autouse=True)
def _pages(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.kernel.pages"


@pytest.fixture
def firm(real_db: None) -> Firm:
    return make_firm(f"f{secrets.token_hex(4)}")


@pytest.fixture
def anonymous(real_db: None) -> Browser:
    browser = make_browser()
    browser.raise_request_exception = False
    return browser


@pytest.fixture
def approver(firm: Firm, anonymous: Browser) -> Browser:
    anonymous.force_login(firm.approver)
    return anonymous


@pytest.fixture
def owner(firm: Firm) -> Browser:
    browser = make_browser()
    return let_in(browser, firm.owner)


def text(browser: Browser, path: str, **headers: str) -> str:
    return browser.get(path, headers=headers).content.decode()


def test_an_anonymous_request_is_nobodys_and_reads_only(anonymous: Browser) -> None:
    assert text(anonymous, "/who/") == "nobody None True"
    assert anonymous.post("/who/").content == b"nobody None False"


def test_a_contact_looks_from_their_client(firm: Firm, approver: Browser) -> None:
    assert text(approver, "/who/") == f"client {firm.client.pk} True"
    assert approver.post("/who/").content.decode() == f"client {firm.client.pk} False"
    assert tenancy.current() == tenancy.NOBODY


def test_a_consultant_looks_from_the_practice_in_the_console_only(firm: Firm, owner: Browser) -> None:
    assert text(owner, "/console/who/") == f"practice {firm.practice.pk} True"
    assert text(owner, "/who/") == "user None True"


def test_the_console_does_not_exist_for_clients_and_former_consultants(firm: Firm, approver: Browser) -> None:
    missing = approver.get("/console/who/")
    assert missing.status_code == 404
    with tenancy.use(tenancy.practice_scope(firm.practice.pk)):
        Membership.objects.update(ended_at=clock.now())
    approver.force_login(firm.owner)
    assert approver.get("/console/who/").status_code == 404


def test_a_former_contact_sees_nothing(firm: Firm, approver: Browser) -> None:
    with tenancy.use(tenancy.practice_scope(firm.practice.pk)):
        Contact.objects.update(ended_at=clock.now())
    assert text(approver, "/who/") == "user None True"


def test_with_two_seats_the_chosen_one_counts_and_no_other_can_be_claimed(firm: Firm, owner: Browser) -> None:
    other = make_firm(f"g{secrets.token_hex(4)}")
    with tenancy.use(tenancy.practice_scope(other.practice.pk)):
        second = Membership.objects.create(practice=other.practice, user=firm.owner, role=MemberRole.AUDITOR)
    assert owner.get("/console/who/").status_code == 404
    for seat, answer in [(second.pk, 200), (other.contact.pk, 404)]:
        session = owner.session
        session["seat"] = str(seat)
        session.save()
        found = owner.get("/console/who/")
        assert found.status_code == answer
        assert answer == 404 or f"practice {other.practice.pk}" in found.content.decode()


def test_templates_render_inside_the_scope(firm: Firm, approver: Browser) -> None:
    assert approver.get("/late/").status_code == 200
    assert approver.get("/late/").content.count(b"<form") == 1


def test_a_get_cannot_write_whatever_its_code_does(firm: Firm, approver: Browser) -> None:
    approver.force_login(firm.approver)
    assert approver.get("/write/").status_code == 500
    with tenancy.use(tenancy.practice_scope(firm.practice.pk)):
        assert Contact.objects.get().title == ""


def test_a_page_costs_four_queries_before_it_asks_anything(
    firm: Firm, approver: Browser, django_assert_num_queries: CountQueries
) -> None:
    approver.get("/who/")
    with django_assert_num_queries(4):  # session, person, seats, seat with its names
        approver.get("/welcome/")


def test_an_anonymous_page_costs_no_query(
    anonymous: Browser, django_assert_num_queries: CountQueries
) -> None:
    with django_assert_num_queries(0):
        assert anonymous.get("/account/login/").status_code == 200
        assert anonymous.get("/healthz").status_code == 200


@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_every_refusal_has_its_page(anonymous: Browser, name: str) -> None:
    error = REFUSALS[name]
    page = anonymous.get(f"/refuse/{name}/", headers={"Referer": "http://testserver/e/abc/?x=1"})
    body = page.content.decode()
    assert page.status_code == error.http_status
    assert body.count("<h1>") == 1
    assert error.user_message.replace("'", "&#x27;") in body
    assert f'<a class="btn" href="/e/abc/?x=1">{error.next_label}</a>' in body
    fragment = anonymous.get(f"/refuse/{name}/", headers={"HX-Request": "true"})
    assert fragment.status_code == error.http_status
    assert "<html" not in fragment.content.decode()


@pytest.mark.parametrize("referer", ["", "https://evil.example/", "http://testserver"])
def test_the_way_back_never_leads_elsewhere(referer: str) -> None:
    request = RequestFactory().get("/x/", headers={"Referer": referer})
    assert web._back(request) == "/"


def test_what_does_not_exist_says_what_is_not_yours_says(anonymous: Browser) -> None:
    absent, foreign = anonymous.get("/no/such/page/"), anonymous.get("/refuse/NotVisible/")
    assert absent.status_code == foreign.status_code == 404
    assert str(errors.NotVisible.user_message) in absent.content.decode()
    assert str(errors.NotVisible.user_message) in foreign.content.decode()


def test_forbidden_and_bad_requests_have_their_pages(anonymous: Browser) -> None:
    forbidden, bad = anonymous.get("/forbid/"), anonymous.get("/bad/")
    assert (forbidden.status_code, bad.status_code) == (403, 400)
    assert "You can&#x27;t do this" in forbidden.content.decode()
    assert "That didn&#x27;t work" in bad.content.decode()
    assert issubclass(SuspiciousOperation, Exception)


def test_a_form_from_elsewhere_is_refused_with_words(real_db: None) -> None:
    page = make_browser(check_forms=True).post("/account/login/", {"email": "a@b.example"})
    assert page.status_code == 403
    assert "This page was open too long" in page.content.decode()


def test_a_bug_gives_a_reference_and_no_secret(anonymous: Browser, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        page = anonymous.get("/broken/")
    body = page.content.decode()
    (line,) = [record.getMessage() for record in caplog.records if record.name == "portal"]
    reference = line.split()[1].rstrip(":")
    assert page.status_code == 500
    assert f"<code>{reference}</code>" in body
    assert "secret in the middle" not in body


def test_pages_of_people_are_kept_nowhere(approver: Browser) -> None:
    page = approver.get("/welcome/")
    assert page["Cache-Control"] == "no-store"
    assert page["X-Robots-Tag"] == "noindex"
    assert page["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/i/abc/", "/i/abc/broken/", "/i/abc/again/"])
def test_pages_with_a_token_tell_it_to_nobody(anonymous: Browser, path: str) -> None:
    page = anonymous.get(path)
    assert page["Referrer-Policy"] == "strict-origin"  # the path is never told; the origin must be, to post
    assert page["Cache-Control"] == "no-store"


def test_public_pages_may_be_cached(anonymous: Browser) -> None:
    assert "Cache-Control" not in anonymous.get("/healthz")


def test_rooms_are_for_those_who_sit_there(firm: Firm, approver: Browser, owner: Browser) -> None:
    assert approver.get("/for-contacts/").content == b"Sam Carter"
    assert owner.get("/console/for-members/").content.decode() == f"user:{firm.owner.pk}"
    assert owner.get("/for-contacts/?a=1")["Location"] == "/choose/?next=%2Ffor-contacts%2F%3Fa%3D1"


def test_who_is_not_signed_in_is_led_there_and_back(anonymous: Browser) -> None:
    assert anonymous.get("/for-contacts/")["Location"] == "/account/login/?next=%2Ffor-contacts%2F"
    assert anonymous.get("/console/for-members/")["Location"].startswith("/account/login/?next=")
    assert anonymous.post("/for-contacts/")["Location"] == "/account/login/"
    live = anonymous.get("/for-contacts/", headers={"HX-Request": "true"})
    assert (live.status_code, live["HX-Redirect"]) == (401, "/account/login/")


def test_a_session_whose_key_was_replaced_is_renewed_on_a_get(
    firm: Firm, approver: Browser, settings: Any
) -> None:
    before = approver.cookies["sessionid"].value
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a-newer-key-" * 5, [settings.SECRET_KEY]
    assert approver.get("/welcome/").status_code == 200
    assert approver.cookies["sessionid"].value != before
    assert BrowserSession.objects.count() == 1
