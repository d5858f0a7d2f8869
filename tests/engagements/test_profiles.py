"""Profiles: plain words, held together with the permissions that they stand for."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError

import pytest

from awsaccess.policy import documents
from engagements.profiles import LOOK_LIMITS, NOTHING_ALLOWED, PROFILES, AccessProfile, Kind, profile_named

# Access Analyzer and IAM spell reading with these words only; a credential report is read by having it made.
READING = re.compile(r"[a-z0-9-]+:(Describe|Get|List|View|Lookup|GenerateCredentialReport)\w*\*?")
EVERY = pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))


def allowed(profile: AccessProfile) -> set[str]:
    return {
        action
        for statement in profile.statements
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
    }


@EVERY
def test_what_is_allowed_is_what_the_lines_say_and_nothing_else(profile: AccessProfile) -> None:
    assert allowed(profile) == {action for line in profile.lines for action in line.actions}


@EVERY
def test_a_look_reads_only(profile: AccessProfile) -> None:
    assert profile.kind is Kind.LOOK
    assert all(READING.fullmatch(action) for action in allowed(profile))


@EVERY
def test_no_action_covers_a_whole_service(profile: AccessProfile) -> None:
    assert not any(action.split(":")[1].startswith("*") for action in allowed(profile))


@EVERY
def test_every_line_has_a_short_title_and_a_reason(profile: AccessProfile) -> None:
    for line in profile.lines:
        assert 1 <= len(line.title.split()) <= 6
        assert line.why.endswith(".")
        assert line.icon


@EVERY
def test_every_limit_is_kept_by_a_deny_that_exists_or_by_what_is_missing(profile: AccessProfile) -> None:
    denies = {
        statement["Sid"]: statement["Effect"]
        for statement in (documents.deny_sensitive_data_statement(), documents.deny_passing_on_statement())
    }
    for limit in profile.limits:
        assert limit.kept_by == NOTHING_ALLOWED or denies[str(limit.kept_by)] == "Deny"


def test_every_deny_keeps_some_promise() -> None:
    assert {limit.kept_by for limit in LOOK_LIMITS} == {"NoContents", "NoPassingOn", NOTHING_ALLOWED}


@EVERY
def test_a_profile_is_found_by_its_code(profile: AccessProfile) -> None:
    assert profile_named(profile.code) is profile


def test_a_profile_that_is_not_offered_is_not_found() -> None:
    with pytest.raises(KeyError):
        profile_named("administrator")


@EVERY
def test_lines_become_json_without_losing_anything(profile: AccessProfile) -> None:
    for line, data in zip(profile.lines, profile.lines_as_data(), strict=True):
        assert data == {
            "key": line.key,
            "icon": line.icon,
            "title": line.title,
            "why": line.why,
            "actions": list(line.actions),
        }


def test_a_profile_cannot_be_widened_at_run_time() -> None:
    with pytest.raises(FrozenInstanceError):
        profile_named("cost_review").lines = ()  # type: ignore[misc]  # that it is frozen is the point
