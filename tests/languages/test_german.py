"""German as people write it: days, moments, zones, numbers of things, names, and who is addressed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation
from django.utils.translation import ngettext

from engagements.papers.wording import wording_for
from engagements.profiles import PROFILES, AccessProfile, profiles_in
from portal.kernel.languages import keeping, spelling
from portal.pages import words

BERLIN, LONDON = ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/London")
NOON: Final = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
BASE: Final = Path(__file__).resolve().parents[2]
# What nobody who is addressed as “Sie” is called; with their spaces, so that no longer word is meant.
FAMILIAR: Final = (" du ", " dich ", " dir ", " dein ", " deine ", " deinem ", " deinen ", " euch ", " euer ")


@pytest.fixture(autouse=True)
def _german() -> Iterator[None]:
    with translation.override("de"):
        yield


def test_days_and_moments() -> None:
    assert spelling.day(NOON, BERLIN) == "20. November 2026"
    assert spelling.long_moment(NOON, BERLIN) == "Freitag, 20. November 2026, 13:00 Uhr"
    assert words.clock_time(NOON, BERLIN) == "13:00"
    assert words.when(NOON, BERLIN, now=NOON) == "Heute, 13:00"
    assert words.when(NOON, BERLIN, now=NOON + dt.timedelta(days=3)) == "20. November, 13:00"
    march = dt.date(2026, 3, 6)
    assert words.day_heading(march, today=march) == "Heute, 6. März"
    assert words.day_heading(march, today=dt.date(2026, 3, 7)) == "Freitag, 6. März"
    assert words.day_heading(march, today=dt.date(2027, 3, 7)) == "Freitag, 6. März 2026"


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC), "Sonntag, 25. Oktober 2026, 02:30 Uhr"),
        (dt.datetime(2026, 10, 25, 1, 30, tzinfo=dt.UTC), "Sonntag, 25. Oktober 2026, 02:30 Uhr"),
        (dt.datetime(2026, 3, 29, 0, 59, tzinfo=dt.UTC), "Sonntag, 29. März 2026, 01:59 Uhr"),
        (dt.datetime(2026, 3, 29, 1, 0, tzinfo=dt.UTC), "Sonntag, 29. März 2026, 03:00 Uhr"),
    ],
)
def test_the_days_on_which_the_clock_changes(at: dt.datetime, told: str) -> None:
    assert spelling.long_moment(at, BERLIN) == told


def test_zones_tell_the_two_half_past_twos_apart() -> None:
    before, after = (dt.datetime(2026, 10, 25, hour, 30, tzinfo=dt.UTC) for hour in (0, 1))
    assert spelling.zone_words(BERLIN, before) == "Ortszeit Berlin (CEST)"
    assert spelling.zone_words(BERLIN, after) == "Ortszeit Berlin (CET)"
    assert spelling.zone_words(LONDON, NOON) == "Ortszeit London (GMT)"
    assert spelling.zone_words(ZoneInfo("UTC"), NOON) == "UTC"


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 Besuche"), (1, "1 Besuch"), (2, "2 Besuche"), (21, "21 Besuche")]
)
def test_one_visit_and_many(count: int, told: str) -> None:
    assert ngettext("%(count)s visit", "%(count)s visits", count) % {"count": count} == told


@pytest.mark.parametrize(
    ("days", "told"), [(-1, "schon vorbei"), (0, "heute"), (1, "in 1 Tag"), (28, "in 28 Tagen")]
)
def test_how_many_days_are_left(days: int, told: str) -> None:
    assert words.days_left(NOON + dt.timedelta(days=days), BERLIN, now=NOON) == told


def test_names_are_joined_as_people_say_them() -> None:
    assert spelling.joined(["Maya", "Tomasz", "Ines"]) == "Maya, Tomasz und Ines"


def test_papers_write_moments_as_pages_do() -> None:
    say = wording_for("de", "Europe/Berlin")
    assert say.moment(NOON) == spelling.long_moment(NOON, BERLIN)
    assert say.day(NOON) == spelling.day(NOON, BERLIN)
    assert say.zone_words(NOON) == spelling.zone_words(BERLIN, NOON)


def test_nobody_is_addressed_as_a_friend() -> None:
    (shelf,) = keeping.shelves_of(BASE)
    for entry in shelf.renewed.entries:
        for form in entry.forms:
            told = f" {form.lower()} "
            assert not [one for one in FAMILIAR if one in told], form


def test_quotation_marks_are_german() -> None:
    """„so“; what AWS shows in English keeps the marks of its language."""
    (shelf,) = keeping.shelves_of(BASE)
    for entry in shelf.renewed.entries:
        for form in entry.forms:
            told = form.replace("“Create stack”", "")
            assert told.count("„") == told.count("“"), form
            assert "”" not in told, form


@pytest.mark.parametrize("code", PROFILES)
def test_an_offer_says_in_german_what_it_says_in_english(code: str) -> None:
    profile = PROFILES[code]
    english, german = profile, profiles_in("de")[code]
    said = [
        (one.summary, *one.warnings, *(limit.title for limit in one.limits), *lines_of(one))
        for one in (english, german)
    ]
    pairs = list(zip(*said, strict=True))
    assert [pair for pair in pairs if pair[0] == pair[1]] == []


def lines_of(profile: AccessProfile) -> list[str]:
    lines = (*profile.lines, *profile.optional_lines)
    return [text for line in lines for text in (line.title, line.why)]
