"""Names, numbers, moments and zones as people write them."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from django.test import RequestFactory

from portal.kernel.languages import spelling
from portal.pages import circumstances, words
from portal.pages.connecting import pace_seconds

LONDON = ZoneInfo("Europe/London")
NOON = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Maya Okafor", "MO"), ("Maya van der Okafor", "MO"), ("Maya", "M"), ("éva kis", "ÉK"), ("", "")],
)
def test_initials_are_first_and_last(name: str, letters: str) -> None:
    assert words.initials(name) == letters


@pytest.mark.parametrize(
    ("names", "joined"),
    [
        ([], ""),
        (["Maya"], "Maya"),
        (["Maya", "Tomasz"], "Maya and Tomasz"),
        (["Maya", "Tomasz", "Ines"], "Maya, Tomasz and Ines"),
    ],
)
def test_names_are_joined_as_people_say_them(names: list[str], joined: str) -> None:
    assert spelling.joined(names) == joined


def test_account_numbers_are_grouped_by_four() -> None:
    assert words.account_number("441709265583") == "4417 0926 5583"
    assert words.account_number("") == ""


@pytest.mark.parametrize(
    ("zone", "moment", "told"),
    [
        ("Europe/London", NOON, "London time (GMT)"),
        ("Europe/London", dt.datetime(2026, 7, 1, tzinfo=dt.UTC), "London time (BST)"),
        ("America/New_York", NOON, "New York time (EST)"),
        ("America/Sao_Paulo", NOON, "Sao Paulo time (UTC-03:00)"),
        ("Asia/Kathmandu", NOON, "Kathmandu time (UTC+05:45)"),
        ("UTC", NOON, "UTC"),
        ("Etc/UTC", NOON, "UTC"),
    ],
)
def test_a_zone_is_named_by_its_city_and_what_holds_there_on_the_day(
    zone: str, moment: dt.datetime, told: str
) -> None:
    assert spelling.zone_words(ZoneInfo(zone), moment) == told


def test_a_decision_has_weekday_date_and_time() -> None:
    assert spelling.long_moment(NOON, LONDON) == "Friday 20 November 2026, 12:00"


@pytest.mark.parametrize(
    ("ago", "told"), [(dt.timedelta(hours=1), "Today, 11:00"), (dt.timedelta(hours=13), "19 November, 23:00")]
)
def test_a_moment_of_today_says_today(ago: dt.timedelta, told: str) -> None:
    assert words.when(NOON - ago, LONDON, now=NOON) == told


@pytest.mark.parametrize(
    ("date", "told"),
    [
        (dt.date(2026, 11, 20), "Today, 20 November"),
        (dt.date(2026, 11, 19), "Thursday, 19 November"),
        (dt.date(2025, 12, 31), "Wednesday, 31 December 2025"),
    ],
)
def test_a_day_of_another_year_has_its_year(date: dt.date, told: str) -> None:
    assert words.day_heading(date, today=NOON.date()) == told


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        (NOON + dt.timedelta(days=28), "in 28 days"),
        (NOON + dt.timedelta(hours=13), "in 1 day"),
        (NOON + dt.timedelta(hours=1), "today"),
        (NOON - dt.timedelta(days=2), "already over"),
    ],
)
def test_days_are_counted_on_the_calendar_of_the_reader(ends: dt.datetime, told: str) -> None:
    assert words.days_left(ends, LONDON, now=NOON) == told


@pytest.mark.parametrize(
    ("age", "seconds"), [(-5, 3), (0, 3), (599, 3), (600, 15), (3599, 15), (3600, 60), (10**6, 60)]
)
def test_the_pace_falls_with_age(age: int, seconds: int) -> None:
    assert pace_seconds(int(NOON.timestamp()) - age, NOON) == seconds


def test_a_sign_in_without_a_kept_way_is_not_made_up() -> None:
    request = RequestFactory().get("/")
    request.session = {}  # type: ignore[assignment]  # only read like a mapping
    assert circumstances.sign_in_of(request) == ""
