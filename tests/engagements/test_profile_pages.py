"""The consent page of every shipped profile, as the client reads it in either language: whole, and readable with eight years
of school.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Final

import pytest

from accounts.models import User
from awsaccess.services.sending import engagement_send
from engagements.models import Engagement
from engagements.profiles import PROFILES, AccessProfile, profiles_in
from engagements.profiles.reading import HARDEST, grade, grade_in_german, grade_stated
from portal.kernel import actor, tenancy
from tests.pages.stage import Stage, set_stage

pytestmark = pytest.mark.django_db
# AWS's own names are one click away, for technical people; the rest is no running text.
NOT_READ: Final = frozenset({"details", "head", "nav", "script", "style", "svg"})
GERMAN: Final = profiles_in("de")
INLINE: Final = frozenset({"a", "abbr", "b", "em", "small", "span", "strong"})


class Prose(HTMLParser):
    """What a client reads of a page, each block on its own line."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.left_out = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002  # HTMLParser’s
        self.left_out += tag in NOT_READ
        if tag not in INLINE:
            self.words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self.left_out -= tag in NOT_READ
        if tag not in INLINE:
            self.words.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.left_out:
            self.words.append(re.sub(r"\s+", " ", data))


def prose_of(html: str) -> str:
    reader = Prose()
    reader.feed(html)
    return re.sub(r"\s*\n\s*", "\n", "".join(reader.words))


def asked_for(profile: AccessProfile, *optional: str) -> Stage:
    stage = set_stage()
    with tenancy.use(stage.scope):
        rows = Engagement.objects.filter(pk=stage.engagement.pk)
        rows.update(profile=profile.code, optional=list(optional))
        engagement_send(engagement=stage.fresh(), actor=actor.machine("test"))
    return replace(stage, engagement=stage.fresh())


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_the_consent_page_is_whole_and_easy_to_read(profile: AccessProfile) -> None:
    stage = asked_for(profile)
    text = prose_of(stage.browser().get(stage.path()).content.decode())
    for line in profile.lines:
        assert f"\n{line.title}\n{line.why}\n" in text
    assert not [line.title for line in profile.optional_lines if line.title in text]
    assert all(f"\n{limit.title}\n" in text for limit in profile.limits)
    assert profile.summary in text
    assert grade(text) <= HARDEST


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_it_states_how_hard_it_is_to_read_and_that_is_not_hard(profile: AccessProfile) -> None:
    stage = asked_for(profile, *(line.key for line in profile.optional_lines))
    text = prose_of(stage.browser().get(stage.path()).content.decode())
    lines = (*profile.lines, *profile.optional_lines)
    said = [text for line in lines for text in (line.title, line.why)]
    said += [profile.summary, *profile.warnings, *(limit.title for limit in profile.limits)]
    stated = re.findall(r"2-minute read, reading grade (\d+)\n", text)
    assert stated == [str(max(1, math.ceil(grade("\n".join(said)))))]
    assert int(stated[0]) <= HARDEST


def in_german(profile: AccessProfile, *optional: str) -> str:
    """What a German reader reads of the page."""
    stage = asked_for(profile, *optional)
    with tenancy.use(tenancy.user_scope(stage.contact.user_id)):
        User.objects.filter(pk=stage.contact.user_id).update(language="de")
    return prose_of(stage.browser().get(stage.path()).content.decode())


@pytest.mark.parametrize("profile", GERMAN.values(), ids=list(GERMAN))
def test_in_german_it_is_whole_and_states_the_grade_by_the_german_measure(profile: AccessProfile) -> None:
    """Flesch and Kincaid measured English; German has the Wiener Sachtextformel."""
    text = in_german(profile, *(line.key for line in profile.optional_lines))
    lines = (*profile.lines, *profile.optional_lines)
    assert all(line.title in text and line.why in text for line in lines)
    said = [text for line in lines for text in (line.title, line.why)]
    said += [profile.summary, *profile.warnings, *(limit.title for limit in profile.limits)]
    assert all(each in text for each in said)
    stated = re.findall(r"2 Minuten Lesezeit, Lesestufe (\d+)\n", text)
    assert stated == [str(math.ceil(grade_in_german("\n".join(said))))]
    assert 1 < int(stated[0]) <= HARDEST
    assert grade_in_german(text) <= HARDEST


def test_a_grade_is_stated_only_in_a_language_that_has_a_measure() -> None:
    assert grade_stated(["We see the costs, so we can find waste."]) == 1
    assert grade_stated(["Wir sehen die Kosten, damit wir Verschwendung finden."]) == 4
    assert grade_stated(["Nous voyons les coûts, pour trouver le gaspillage."]) is None


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_it_stays_easy_to_read_with_every_optional_line_and_warning(profile: AccessProfile) -> None:
    stage = asked_for(profile, *(line.key for line in profile.optional_lines))
    text = prose_of(stage.browser().get(stage.path()).content.decode())
    assert all(f"{line.title} Optional" in text for line in profile.optional_lines)
    assert all(line.why in text for line in profile.optional_lines)
    assert all(f"\n{warning}\n" in text for warning in profile.warnings)
    assert grade(text) <= HARDEST


def test_the_measure_sees_the_page_and_not_its_frame() -> None:
    html = (
        "<head><title>No</title></head><p>They <b>can</b> look.</p><details>s3:GetObject</details><p>Yes.</p>"
    )
    assert prose_of(html).split("\n") == ["", "They can look.", "Yes.", ""]
