"""The public page: what it takes, whom it tells, and what robots and floods get from it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from django.http import HttpResponse, HttpResponseBase
from django.test import Client as Browser

import engagements.tasks  # noqa: F401  # the worker's handlers
from awsaccess.models import Hub
from engagements.models import ORDER_PURPOSE, Engagement, Order
from engagements.services import orders
from portal.kernel import clock, secrets, tenancy
from portal.kernel.redaction import hide_tokens
from portal.pages import intake
from tests.engagements.test_orders import make_page
from tests.factories import Firm, make_consultant, make_firm
from tests.mailbox import Mailbox
from tests.signing_in import let_in

URL = "/to/north/"
MARK = re.compile(r'name="opened" value="([^"]+)"')


@pytest.fixture
def firm(real_db: None) -> Firm:
    firm = make_firm("north")
    make_page(firm)
    with tenancy.use(firm.practice_side):
        Hub.objects.create(
            practice=firm.practice,
            account_id="610998877665",
            role_arn="arn:aws:iam::610998877665:role/latchkey-hub",
            region="eu-west-1",
            template_bucket="latchkey-templates-610998877665",
        )
    return firm


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """People of these tests type at once; the trap has a test of its own."""
    monkeypatch.setattr(intake, "QUICKEST_SECONDS", 0)


def fields(**over: str) -> dict[str, str]:
    given = {
        "name": "Nora Lind",
        "email": "nora@lind.example",
        "company": "Lind Bakery",
        "order_number": "GIG-1001",
        "account_id": "4417-0926-5583",
        "website": "",
        "opened": intake.mark_of("north"),
    }
    return {**given, **over}


def stored(firm: Firm) -> list[Order]:
    with tenancy.use(firm.practice_side):
        return list(Order.objects.select_related("practice").order_by("made_at"))


def link(firm: Firm) -> str:
    return f"/to/north/{next(secrets.tokens(ORDER_PURPOSE, stored(firm)[0].pk.bytes))}/"


def words(answer: HttpResponseBase) -> str:
    assert isinstance(answer, HttpResponse)
    return answer.content.decode()


def test_the_page_asks_five_things_and_says_who_asks(firm: Firm) -> None:
    answer = Browser().get(URL)
    page = words(answer)
    assert answer.status_code == 200
    assert "<h1>Tell us what you ordered</h1>" in page
    assert "Thank you for your order with North" in page
    assert "a@b.example" in page
    assert page.count('<div class="field">') == 5
    assert answer["Cache-Control"] == "no-store"
    assert answer["X-Robots-Tag"] == "noindex"


def test_from_the_form_to_the_draft(firm: Firm, mailbox: Mailbox, deliver: Callable[[], int]) -> None:
    browser = Browser(enforce_csrf_checks=True)
    page = words(browser.get(URL))
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    mark = MARK.search(page)
    assert found
    assert mark
    given = fields(opened=mark[1]) | {"csrfmiddlewaretoken": found[1]}
    answer = browser.post(URL, given)
    assert answer["Location"] == "/to/north/sent/"
    assert "Check your email" in words(browser.get("/to/north/sent/"))
    deliver()
    url = re.search(r"/to/north/\S+", mailbox.text())
    assert url
    page = words(browser.get(url[0]))
    assert "Confirm your order" in page
    assert "4417 0926 5583" in page
    with tenancy.use(firm.practice_side):
        assert not Engagement.objects.exists()
    answer = browser.post(url[0], {"csrfmiddlewaretoken": found[1]})
    assert answer["Location"] == "/to/north/done/"
    assert "Your order has arrived" in words(browser.get("/to/north/done/"))
    with tenancy.use(firm.practice_side):
        assert Engagement.objects.get().account_id == "441709265583"
    deliver()
    deliver()
    assert mailbox.letters[-1]["To"] == firm.owner.email
    assert "New order: Lind Bakery" in str(mailbox.letters[-1]["Subject"])


def test_opening_the_link_changes_nothing(firm: Firm) -> None:
    browser = Browser()
    browser.post(URL, fields())
    url = link(firm)
    for _ in range(3):
        assert browser.get(url).status_code == 200
        assert browser.head(url).status_code == 200
    assert stored(firm)[0].confirmed_at is None
    assert browser.post(url).status_code == 302
    for answer in (
        browser.get(url),
        browser.post(url),
        browser.get("/to/north/never/"),
        browser.post("/to/x/y/"),
    ):
        assert answer.status_code == 410
        assert "This link doesn’t work any more" in words(answer)
    assert browser.put(url).status_code == 405


def test_a_link_stands_in_no_log_and_in_no_referer(firm: Firm) -> None:
    browser = Browser()
    browser.post(URL, fields())
    url = link(firm)
    assert browser.get(url)["Referrer-Policy"] == "strict-origin"
    assert hide_tokens(f"GET {url} HTTP/1.1") == "GET /to/north/[hidden]/ HTTP/1.1"


@pytest.mark.parametrize("path", ["/to/south/", "/to/nowhere/", "/to/south/sent/", "/to/nowhere/done/"])
def test_a_page_that_is_shut_looks_as_one_that_never_was(firm: Firm, path: str) -> None:
    make_page(make_firm("south"), is_open=False)
    answer = Browser().get(path)
    assert answer.status_code == 404
    assert "south" not in words(answer).lower().replace("/to/south", "")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "Enter the 12 digits"),
        ("4417 0926 558", "has 12 digits"),
        ("4417 0926 5583 1", "has 12 digits"),
        ("000000000000", "has 12 digits"),
        ("\u0664\u0664\u0661\u0667\u0660\u0669\u0662\u0666\u0665\u0665\u0668\u0663", "has 12 digits"),
        ("\uff14\uff14\uff11\uff17\uff10\uff19\uff12\uff16\uff15\uff15\uff18\uff13", "has 12 digits"),
        ("123456789012", "an example from AWS’s documentation"),
        ("1111-2222-3333", "an example from AWS’s documentation"),
        ("444455556666", "an example from AWS’s documentation"),
        ("222222222222", "an example from AWS’s documentation"),
        ("610998877665", "That is our own account"),
    ],
)
def test_an_account_number_is_looked_at(firm: Firm, typed: str, said: str) -> None:
    answer = Browser().post(URL, fields(account_id=typed))
    assert answer.status_code == 422
    assert said in words(answer)
    assert "GIG-1001" in words(answer)
    assert "<title>Error: " in words(answer)
    assert stored(firm) == []


@pytest.mark.parametrize(
    "typed", [" 4417 0926 5583 ", "4417\u20110926\u20115583", "4417.0926.5583", "441709265583"]
)
def test_an_account_number_is_taken_however_it_was_pasted(firm: Firm, typed: str) -> None:
    Browser().post(URL, fields(account_id=typed))
    assert stored(firm)[0].account_id == "441709265583"


def test_another_practices_account_is_nobodys_secret(firm: Firm) -> None:
    make_page(make_firm("south"))
    answer = Browser().post("/to/south/", fields(account_id="610998877665", opened=intake.mark_of("south")))
    assert answer.status_code == 302


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("name", ""),
        ("email", "nobody"),
        ("email", ""),
        ("order_number", ""),
        ("name", "A\u202eB"),
        ("order_number", "x" * 61),
    ],
)
def test_what_lacks_is_told_beside_the_field(firm: Firm, name: str, typed: str) -> None:
    answer = Browser().post(URL, fields(**{name: typed}))
    assert answer.status_code == 422
    assert f'id="id_{name}_error"' in words(answer)
    assert stored(firm) == []


def test_known_and_unknown_people_are_answered_alike(firm: Firm) -> None:
    """The client's approver, a consultant of the practice, a stranger, and a mailbox that was asked too often."""
    tomasz = make_consultant(firm, "tomasz")
    bodies = set()
    for address in (firm.approver.email, tomasz.email, "new@lind.example", *["much@lind.example"] * 5):
        answer = Browser().post(URL, fields(email=address), follow=True)
        assert answer.redirect_chain == [("/to/north/sent/", 302)]
        bodies.add(words(answer))
    assert len(bodies) == 1
    assert len(stored(firm)) == 6


def test_a_robot_that_fills_every_field_is_answered_as_everybody(firm: Firm) -> None:
    answer = Browser().post(URL, fields(website="https://pills.example"))
    assert answer["Location"] == "/to/north/sent/"
    assert stored(firm) == []


def test_who_is_quicker_than_anybody_is_asked_once_more(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "QUICKEST_SECONDS", 3600)
    answer = Browser().post(URL, fields())
    assert answer.status_code == 422
    assert "Please press the button once more." in words(answer)
    assert stored(firm) == []
    mark = MARK.search(words(answer))
    assert mark
    monkeypatch.setattr(intake, "QUICKEST_SECONDS", 0)
    assert Browser().post(URL, fields(opened=mark[1])).status_code == 302


def test_marks_of_other_pages_old_ones_and_made_up_ones_count_for_nothing(firm: Firm) -> None:
    fresh = intake.mark_of("north")
    assert intake.is_old_enough(fresh, "north")
    assert not intake.is_old_enough(fresh, "south")
    for mark in ("", "x", fresh + "x"):
        assert not intake.is_old_enough(mark, "north")
    with clock.frozen(clock.now() + dt.timedelta(seconds=intake.LONGEST_SECONDS + 5)):
        assert not intake.is_old_enough(fresh, "north")


def test_a_flood_from_one_address_is_told_to_wait(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "ORIGIN_TRIES", replace(orders.ORIGIN_TRIES, tries=2))
    answers = [
        Browser().post(URL, fields(email=f"n{number}@lind.example"), REMOTE_ADDR="192.0.2.9").status_code
        for number in range(4)
    ]
    assert answers == [302, 302, 429, 429]
    assert Browser().post(URL, fields(), REMOTE_ADDR="192.0.2.10").status_code == 302


def test_a_network_of_one_customer_counts_as_one(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "ORIGIN_TRIES", replace(orders.ORIGIN_TRIES, tries=1))
    origins = ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1")
    answers = [
        Browser().post(URL, fields(email=f"n{number}@lind.example"), REMOTE_ADDR=origin).status_code
        for number, origin in enumerate(origins)
    ]
    assert answers == [302, 429, 302]


def test_an_address_that_is_none_is_counted_as_it_is(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    class Adapter:
        def get_client_ip(self, _request: object) -> str:
            return "unix:"

    monkeypatch.setattr(intake, "get_adapter", Adapter)
    assert Browser().post(URL, fields()).status_code == 302


def test_who_is_signed_in_may_order_as_everybody(firm: Firm) -> None:
    for user in (firm.owner, firm.approver, make_firm("south").owner):
        browser = let_in(Browser(), user)
        assert browser.get(URL).status_code == 200
        assert browser.post(URL, fields(email=f"{user.pk}@lind.example")).status_code == 302
        assert browser.get(link(firm)).status_code == 200
    assert len(stored(firm)) == 3
