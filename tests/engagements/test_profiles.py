"""Profiles: plain words, held together with the permissions behind them and proved against the simulated AWS's judge."""

from __future__ import annotations

import datetime as dt
import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any, Final

import pytest

import engagements.profiles
from awsaccess.policy import catalogue, documents, limits
from awsaccess.policy.explain import explain
from awsaccess.policy.reach import reach_of
from awsaccess.policy.risks import RiskKind
from awsaccess.policy.validation import review
from awsaccess.provision.access_stack import AccessGrantSpec, expected_role, render_template
from awsaccess.sandbox.guard.language import Question, Verdict, evaluate
from engagements.profiles import (
    LANGUAGES,
    NOTHING_ALLOWED,
    PROFILES,
    AccessProfile,
    Kind,
    Line,
    profile_named,
    profiles_in,
)
from engagements.profiles.guards import CONTENTS, no_data
from engagements.profiles.reading import (
    HARDEST,
    german_syllables_in,
    grade,
    grade_in_german,
    syllables_in,
)

ACCOUNT: Final = "441709265583"
SPRITE: Final = Path(__file__).parents[2] / "static" / "icons.svg"
# Verbs of the copy rules that clients never read (UX §2).
NEVER: Final = re.compile(
    r"\b(assume|policy|tenant|revoke|principal|grant|provision|IAM|role|simply|just)\b", re.IGNORECASE
)
EVERY: Final = pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
IN_FULL: Final = {
    f"{code}+": profile.with_optional([line.key for line in profile.optional_lines])
    for code, profile in PROFILES.items()
    if profile.optional_lines
}
ASKED: Final = pytest.mark.parametrize(
    "profile", [*PROFILES.values(), *IN_FULL.values()], ids=[*PROFILES, *IN_FULL]
)
EVERYTHING: Final = {"Effect": "Allow", "Action": "*", "Resource": "*"}
MANAGED: Final = {"arn:aws:iam::aws:policy/AdministratorAccess": documents.document(EVERYTHING)}
# With everything optional: what is denied then is denied with less as well.
WIDEST: Final = {code: IN_FULL.get(f"{code}+", profile) for code, profile in PROFILES.items()}
Document = dict[str, Any]


def spec_of(profile: AccessProfile) -> AccessGrantSpec:
    return AccessGrantSpec(
        practice_name="Northgate Cloud",
        client_name="Brightwater Dental",
        engagement_code="7qk2m4xw9p",
        hub_account_id="111111111111",
        hub_role_arn="arn:aws:iam::111111111111:role/latchkey-hub",
        external_id="2f1c7d0e-6f0b-4a52-9a3e-8d1f0c5b7e44",
        expires_at=dt.datetime(2026, 12, 18, 18, 0, tzinfo=dt.UTC),
        managed_policy_arns=profile.managed_policies,
        statements=profile.statements,
        look_only=profile.kind is Kind.LOOK,
    )


def role_of(profile: AccessProfile) -> list[Document]:
    """The policies of the role as the template makes it, guards and all."""
    role = expected_role(spec_of(profile), ACCOUNT)
    return [*role.inline_documents.values(), *(MANAGED[arn] for arn in profile.managed_policies)]


def verdict(role: list[Document], action: str) -> Verdict | None:
    """What the simulated AWS's judge says before the end date, on a thing that the role's policies do not name."""
    context = {"aws:currenttime": "2026-12-01T00:00:00Z"}
    return evaluate(role, Question(action=action, resource=f"arn:aws:x:::{ACCOUNT}/thing", context=context))


def every_line(profile: AccessProfile) -> tuple[Line, ...]:
    return (*profile.lines, *profile.optional_lines)


def spelled(actions: Iterable[str]) -> Iterator[str]:
    """Every action that these patterns cover."""
    for pattern in actions:
        for prefix, names in catalogue.matching(pattern).items():
            yield from (catalogue.spelled(prefix, name) for name in sorted(names))


# ---------------------------------------------------------------- the proofs


@pytest.mark.parametrize("profile", WIDEST.values(), ids=list(WIDEST))
def test_every_cannot_sentence_is_denied_by_the_simulated_aws(profile: AccessProfile) -> None:
    role = role_of(profile)
    for limit in profile.limits:
        for action in actions_to_try(limit.key, profile):
            assert verdict(role, action) != "allow", (limit.title, action)


def actions_to_try(key: str, profile: AccessProfile) -> list[str]:
    """All that must stay closed. Of every change, those in services that the profile names and a few of the others."""
    behind = limits.actions_behind(key)
    if key != "change":
        return list(behind)
    named = {action.partition(":")[0] for line in profile.lines for action in line.actions}
    near = [action for action in behind if action.partition(":")[0] in named]
    return near + [action for action in behind if action.partition(":")[0] not in named][::97]


@ASKED
def test_what_is_kept_by_a_deny_is_denied_by_that_very_statement(profile: AccessProfile) -> None:
    statements = {each["Sid"]: each for document in role_of(profile) for each in with_sids(document)}
    for limit in profile.limits:
        if limit.kept_by == NOTHING_ALLOWED:
            continue
        alone = [documents.document(statements[limit.kept_by])]
        for action in limits.actions_behind(limit.key):
            assert verdict(alone, action) == "deny", (limit.title, action)


def with_sids(document: Document) -> list[Document]:
    return [each for each in document["Statement"] if "Sid" in each]


@ASKED
def test_what_nothing_allows_is_promised_of_looks_only(profile: AccessProfile) -> None:
    """Who can change things might raise their rights: to them a promise needs a Deny."""
    if profile.kind is Kind.CHANGE:
        assert all(limit.kept_by != NOTHING_ALLOWED for limit in profile.limits)


@ASKED
def test_the_explainer_proves_the_same_limits(profile: AccessProfile) -> None:
    reach = reach_of(role_of(profile))
    assert all(limits.is_kept(limit.key, reach) for limit in profile.limits)


@ASKED
def test_every_can_line_opens_what_it_names(profile: AccessProfile) -> None:
    role = role_of(profile)
    for line in profile.lines:
        for pattern in line.actions:
            sample = ["ec2:RunInstances", "s3:GetObject"] if pattern == "*" else spelled([pattern])
            assert any(verdict(role, action) == "allow" for action in sample), (line.title, pattern)


@ASKED
def test_what_is_allowed_is_what_the_lines_say_and_nothing_else(profile: AccessProfile) -> None:
    allowed = [each for each in profile.statements if each["Effect"] == "Allow"]
    assert allowed == [each for line in profile.lines for each in line.statements]
    for line in profile.lines:
        assert line.managed_policies or [list(line.actions)] == [each["Action"] for each in line.statements]
    assert {*profile.managed_policies} == {arn for line in profile.lines for arn in line.managed_policies}


@ASKED
def test_a_look_changes_nothing_and_opens_no_contents(profile: AccessProfile) -> None:
    found = explain(*role_of(profile))
    kinds = {risk.kind for risk in found.risks}
    assert found.unknown == ()
    assert bool(kinds) is (profile.kind is Kind.CHANGE)


@EVERY
def test_no_shipped_profile_can_give_itself_any_right(profile: AccessProfile) -> None:
    raising = [risk for risk in explain(*role_of(profile)).risks if risk.kind is RiskKind.ESCALATES]
    rules = {"iam", "sso", "organizations", "sts"}
    if profile.code == "full_administrator":
        rules -= {"organizations", "sso"}  # of the organisation's own account, which its warnings speak of
    assert not any(rules & set(risk.services) for risk in raising)


@ASKED
def test_a_practice_could_have_written_it(profile: AccessProfile) -> None:
    """The shipped profiles pass the rules for a practice's own, but for warnings that their words give."""
    allowed = [each for each in profile.statements if each["Effect"] == "Allow"]
    if not allowed:
        assert profile.managed_policies
        return
    guards = (documents.deny_passing_on_statement(), *profile.guards)
    found = review(json.dumps(allowed), look_only=profile.kind is Kind.LOOK, guards=guards)
    assert found.errors == ()
    assert {each.code for each in found.warnings} <= {"escalation"}
    assert not found.warnings or profile.warnings


@ASKED
def test_its_template_can_be_rendered(profile: AccessProfile) -> None:
    assert "latchkey-access" in render_template(spec_of(profile))


def test_the_guard_covers_all_that_the_template_denies_to_a_look() -> None:
    assert set(spelled(documents.SENSITIVE_ACTIONS)) <= set(spelled(no_data()["Action"]))
    with pytest.raises(KeyError):
        no_data(opened=["everything"])
    assert all(catalogue.matching(action) for group in CONTENTS.values() for action in group)


# ---------------------------------------------------------------- the words


def test_the_library_is_the_ten_of_the_plan() -> None:
    assert set(PROFILES) == {
        "cost_review",
        "security_review",
        "well_architected",
        "migration_assessment",
        "database_work",
        "serverless_build",
        "dns_email",
        "incident_response",
        "billing_only",
        "full_administrator",
    }


@EVERY
def test_every_line_has_a_short_title_and_says_what_it_is_good_for(profile: AccessProfile) -> None:
    icons = SPRITE.read_text("utf-8")
    for line in every_line(profile):
        assert 1 <= len(line.title.split()) <= 6
        assert "so we can" in line.why.lower() or "so we" in line.why.lower()
        assert line.why.endswith(".")
        assert f'id="{line.icon}"' in icons


@EVERY
def test_its_words_keep_to_the_copy_rules(profile: AccessProfile) -> None:
    for text in texts_of(profile):
        assert not NEVER.search(text), text
        assert "!" not in text
        assert all(len(sentence.split()) <= 20 for sentence in re.split(r"[.!?]\s", text)), text


@EVERY
def test_its_words_are_read_with_eight_years_of_school(profile: AccessProfile) -> None:
    assert grade("\n".join(texts_of(profile))) <= HARDEST


def texts_of(profile: AccessProfile) -> list[str]:
    lines = [text for line in every_line(profile) for text in (line.title, line.why)]
    return [profile.summary, *profile.warnings, *lines, *(limit.title for limit in profile.limits)]


@EVERY
def test_who_may_change_things_is_told_what_to_weigh(profile: AccessProfile) -> None:
    assert bool(profile.warnings) is (profile.kind is Kind.CHANGE)


def test_every_language_has_the_same_words_to_fill() -> None:
    folder = Path(engagements.profiles.__file__).parent / "words"

    def keys(language: str) -> set[tuple[str, str, str]]:
        words = tomllib.loads((folder / f"{language}.toml").read_text("utf-8"))
        return {
            (section, key, name) for section, of in words.items() for key, told in of.items() for name in told
        }

    assert all(keys(language) == keys("en") for language in LANGUAGES)


@EVERY
def test_another_language_changes_the_words_and_nothing_else(profile: AccessProfile) -> None:
    german = profile_named(profile.code, "de-at")
    assert german is profiles_in("de")[profile.code] or german == profiles_in("de")[profile.code]
    assert german.statements == profile.statements
    assert german.managed_policies == profile.managed_policies
    assert [each.kept_by for each in german.limits] == [each.kept_by for each in profile.limits]
    assert not set(texts_of(german)) & set(texts_of(profile))
    assert profile_named(profile.code, "fr") == profile


# ---------------------------------------------------------------- reading grade


@pytest.mark.parametrize(
    ("word", "count"),
    [("change", 1), ("table", 2), ("bills", 1), ("deleted", 3), ("used", 1), ("databases", 4), ("the", 1)],
)
def test_syllables_are_counted_as_they_are_spoken(word: str, count: int) -> None:
    assert syllables_in(word) == count


def test_hard_text_has_a_high_grade_and_easy_text_a_low_one() -> None:
    hard = "Notwithstanding organisational considerations, infrastructural permissions necessitate authorisation."
    assert grade("They can look. They can’t change it.") < 2 < HARDEST < grade(hard)
    assert grade("") == grade("123 ...") == 0


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("Kosten", 2),
        ("Häuser", 2),
        ("Theater", 3),
        ("die", 1),
        ("Quittung", 2),
        ("Berechtigungen", 5),
        ("E-Mail", 2),
        ("AWS", 1),
        ("s", 1),
    ],
)
def test_german_syllables_are_counted_as_they_are_spoken(word: str, count: int) -> None:
    assert german_syllables_in(word) == count


def test_the_german_measure_is_the_first_vienna_formula() -> None:
    """Of eight words in two sentences one has three syllables and more, one seven letters and more, six have one syllable."""
    by_hand = 0.1935 * 12.5 + 0.1672 * 4 + 0.1297 * 12.5 - 0.0327 * 75 - 0.875
    assert grade_in_german("Das Haus ist alt. Wir sehen die Berechtigungen.") == pytest.approx(by_hand)
    hard = "Infrastrukturelle Berechtigungsüberlegungen erfordern organisatorische Genehmigungsverfahren."
    assert grade_in_german("Wir sehen es. Wir ändern es nicht.") < 2 < HARDEST < grade_in_german(hard)
    assert grade_in_german("") == grade_in_german("123 ...") == 0


@pytest.mark.parametrize("profile", profiles_in("de").values(), ids=list(PROFILES))
def test_its_german_words_are_read_with_eight_years_of_school(profile: AccessProfile) -> None:
    assert grade_in_german("\n".join(texts_of(profile))) <= HARDEST


# ---------------------------------------------------------------- as data


@EVERY
def test_a_profile_is_found_by_its_code(profile: AccessProfile) -> None:
    assert profile_named(profile.code) == profile


def test_a_profile_that_is_not_offered_is_not_found() -> None:
    with pytest.raises(KeyError):
        profile_named("administrator")
    with pytest.raises(KeyError):
        profile_named("cost_review").with_optional(["everything"])


@EVERY
def test_lines_and_limits_become_json_without_losing_anything(profile: AccessProfile) -> None:
    for line, data in zip(profile.lines, profile.lines_as_data(), strict=True):
        assert data == {
            "key": line.key,
            "icon": line.icon,
            "title": line.title,
            "why": line.why,
            "actions": list(line.actions),
        }
    assert json.loads(json.dumps(profile.limits_as_data())) == profile.limits_as_data()


@EVERY
def test_optional_lines_are_off_until_they_are_chosen(profile: AccessProfile) -> None:
    assert not {line.key for line in profile.lines} & {line.key for line in profile.optional_lines}
    for line in profile.optional_lines:
        chosen = profile.with_optional([line.key])
        assert line in chosen.lines
        assert line not in chosen.optional_lines
        assert all(each in chosen.statements and each not in profile.statements for each in line.statements)
        assert chosen.statements[-len(profile.guards) :] == profile.guards or not profile.guards


def test_a_profile_cannot_be_widened_at_run_time() -> None:
    with pytest.raises(FrozenInstanceError):
        profile_named("cost_review").lines = ()  # type: ignore[misc]  # that it is frozen is the point
    with pytest.raises(TypeError):
        PROFILES["cost_review"] = profile_named("billing_only")  # type: ignore[index]  # so is the library
