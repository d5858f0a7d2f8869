"""Where people land: one seat, several, none; and what the chooser tells and takes."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from django.test import Client as Browser

from accounts.lifecycle import ContactRole, MemberRole
from accounts.models import Contact, Membership
from accounts.selectors import practice_scopes
from portal.kernel import clock, tenancy
from tests.factories import Firm, make_firm

CountQueries = Callable[[int], AbstractContextManager[None]]


@pytest.fixture
def other(firm: Firm) -> Firm:
    """A second practice, where the first one's approver is a contact too."""
    made = make_firm(f"o{secrets.token_hex(4)}")
    with tenancy.use(tenancy.practice_scope(made.practice.pk)):
        Contact.objects.create(
            practice=made.practice, client=made.client, user=firm.approver, role=ContactRole.VIEWER
        )
    return made


@pytest.fixture
def approver(firm: Firm, browser: Browser) -> Browser:
    browser.force_login(firm.approver)
    return browser


def test_a_stranger_is_asked_to_sign_in(real_db: None, browser: Browser) -> None:
    assert browser.get("/")["Location"] == "/account/login/?next=%2F"
    assert browser.get("/choose/")["Location"].startswith("/account/login/")
    assert browser.get("/welcome/")["Location"].startswith("/account/login/")


def test_who_has_one_seat_goes_there(firm: Firm, approver: Browser) -> None:
    assert approver.get("/")["Location"] == "/e/"
    page = approver.get("/welcome/").content.decode()
    assert firm.practice.name in page
    assert f"Client portal for {firm.client.name}" in page


def test_a_consultant_is_led_to_the_console(firm: Firm, browser: Browser) -> None:
    browser.force_login(firm.owner)
    assert browser.get("/")["Location"] == "/console/"


def test_who_has_several_chooses(firm: Firm, other: Firm, approver: Browser) -> None:
    assert approver.get("/")["Location"] == "/choose/"
    body = approver.get("/choose/?next=/welcome/").content.decode()
    assert firm.client.name in body
    assert f"As a client of {other.practice.name}" in body
    seats = re.findall(r'name="seat" value="([^"]+)"', body)
    assert len(seats) == 2
    answer = approver.post("/choose/", {"seat": seats[1], "next": "/welcome/?x=1"})
    assert answer["Location"] == "/welcome/?x=1"
    assert approver.session["seat"] == seats[1]
    assert approver.get("/")["Location"] == "/e/"


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/", ""])
def test_the_chooser_leads_nowhere_else(firm: Firm, approver: Browser, back: str) -> None:
    assert approver.post("/choose/", {"seat": str(firm.contact.pk), "next": back})["Location"] == "/e/"


@pytest.mark.parametrize("seat", ["", "rubbish", "foreign"])
def test_nobody_sits_on_anothers_seat(firm: Firm, approver: Browser, seat: str) -> None:
    if seat == "foreign":
        seat = str(make_firm(f"z{secrets.token_hex(4)}").contact.pk)
    assert approver.post("/choose/", {"seat": seat}).status_code == 404
    assert "seat" not in approver.session


def test_a_seat_that_ended_is_gone(firm: Firm, other: Firm, approver: Browser) -> None:
    with tenancy.use(tenancy.practice_scope(other.practice.pk)):
        Contact.objects.filter(user=firm.approver).update(ended_at=clock.now())
    assert approver.get("/")["Location"] == "/e/"


def test_who_has_none_reads_why(firm: Firm, approver: Browser) -> None:
    with tenancy.use(tenancy.practice_scope(firm.practice.pk)):
        Contact.objects.update(ended_at=clock.now())
    page = approver.get("/", follow=True)
    assert "Nobody has given you a place here yet" in page.content.decode()


def test_both_sides_of_one_person_are_told_apart(firm: Firm, approver: Browser) -> None:
    with tenancy.use(tenancy.practice_scope(firm.practice.pk)):
        Membership.objects.create(practice=firm.practice, user=firm.approver, role=MemberRole.AUDITOR)
    body = approver.get("/choose/").content.decode()
    assert "As a consultant" in body
    assert f"As a client of {firm.practice.name}" in body


def test_looking_at_the_chooser_writes_nothing(firm: Firm, other: Firm, approver: Browser) -> None:
    before = approver.session.items()
    for _ in range(3):
        approver.get("/choose/")
        approver.head("/choose/")
    assert approver.session.items() == before


def test_the_way_home_costs_few_queries(
    firm: Firm, approver: Browser, django_assert_num_queries: CountQueries
) -> None:
    with django_assert_num_queries(6):  # four of the scope, then the seats of both sides
        approver.get("/")


def test_the_practices_are_found_by_their_people_and_each_once(firm: Firm, other: Firm) -> None:
    """Whoever seals anew what practices keep must leave none out, also when one person works for two."""
    with tenancy.use(other.practice_side):
        Membership.objects.create(practice=other.practice, user=firm.owner, role=MemberRole.CONSULTANT)
    found = practice_scopes()
    assert all(scope.side is tenancy.Side.PRACTICE for scope in found)
    keys = [scope.practice_id for scope in found]
    assert len(keys) == len(set(keys))
    assert {firm.practice.pk, other.practice.pk} <= set(keys)
    assert tenancy.current() == tenancy.NOBODY
