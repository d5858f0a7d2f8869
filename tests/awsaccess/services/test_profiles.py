"""A practice's own profiles: judged before they are saved, kept behind the wall, asked for like the shipped ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from awsaccess.policy.validation import Severity
from awsaccess.provision.statements import check_statements
from awsaccess.services.profiles import BadProfile, practice_profile_save, profile_review
from engagements.lifecycle import EngagementEvent
from engagements.models import PracticeProfile
from engagements.profiles import NOTHING_ALLOWED, PROFILES, AccessProfile, Kind
from engagements.profiles.own import DraftLine, DraftProfile
from engagements.selectors import practice_profile, profile_for, profiles_offered
from engagements.services.profiles import practice_profile_retire
from portal.kernel import tenancy
from portal.kernel.actor import Actor
from portal.kernel.errors import NotVisible, Stale
from portal.kernel.models import AuditEvent
from tests.factories import Firm, acting

WHY: Final = "So we can see what runs where."


def policy(*actions: str, **more: Any) -> str:
    return json.dumps([{"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}], indent=2)


LOOK_LINE: Final = DraftLine(title="What runs where", why=WHY, policy=policy("ec2:Describe*"))
LOOK: Final = DraftProfile(
    title="Our look round",
    kind=Kind.LOOK,
    summary="They can look at your servers. They can’t change anything.",
    lines=(LOOK_LINE,),
)
CHANGE: Final = DraftProfile(
    title="Our server care",
    kind=Kind.CHANGE,
    summary="They can stop and start your servers.",
    lines=(
        LOOK_LINE,
        DraftLine(
            title="Stop and start servers",
            why="So we can restart what hangs.",
            policy=policy("ec2:StartInstances", "ec2:StopInstances"),
        ),
        DraftLine(
            title="Read the logs",
            why="So we can find faults.",
            policy=policy("logs:Describe*"),
            optional=True,
        ),
    ),
)


@pytest.fixture
def maya(north: Firm) -> Actor:
    return acting(north.owner)


@pytest.fixture
def save(north: Firm, maya: Actor) -> Callable[..., PracticeProfile]:
    def saved(draft: DraftProfile, over: PracticeProfile | None = None) -> PracticeProfile:
        with tenancy.use(north.practice_side):
            return practice_profile_save(practice=north.practice, draft=draft, actor=maya, over=over)

    return saved


def asked(firm: Firm, code: str) -> AccessProfile:
    with tenancy.use(firm.practice_side):
        return profile_for(code)


def rows(firm: Firm) -> int:
    with tenancy.use(firm.practice_side):
        return PracticeProfile.objects.count()


# ---------------------------------------------------------------- what is saved


def test_a_look_of_its_own_is_asked_for_like_a_shipped_one(
    north: Firm, save: Callable[..., PracticeProfile]
) -> None:
    row = save(LOOK)
    profile = asked(north, row.code)
    assert (profile.title, profile.kind, profile.summary) == (LOOK.title, LOOK.kind, LOOK.summary)
    assert profile.lines[0].actions == ("ec2:Describe*",)
    assert {limit.key: limit.kept_by for limit in profile.limits} == {
        "contents": "NoContents",
        "change": NOTHING_ALLOWED,
        "pass_on": "NoPassingOn",
    }
    with tenancy.use(north.practice_side):
        offered = profiles_offered("de")
    assert [each.code for each in offered] == [*PROFILES, row.code]
    assert offered[-1].limits[0].title.startswith("Ihre Dateien")


def test_a_change_brings_its_guard_and_keeps_optional_lines_off(
    north: Firm, save: Callable[..., PracticeProfile]
) -> None:
    profile = asked(north, save(CHANGE).code)
    assert [line.title for line in profile.optional_lines] == ["Read the logs"]
    assert [each.get("Sid") for each in profile.statements] == [None, None, "NoData"]
    wide = profile.with_optional([profile.optional_lines[0].key])
    check_statements(wide.statements, partition="aws")
    assert wide.statements[-1]["Sid"] == "NoData"
    assert "contents" in {limit.key for limit in profile.limits}
    open_ = asked(north, save(replace(CHANGE, closes_contents=False)).code)
    assert open_.guards == ()


def test_the_full_administrator_policy_is_known_and_others_are_not(
    save: Callable[..., PracticeProfile],
) -> None:
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    line = replace(LOOK_LINE, policy="", managed_policies=(arn,))
    row = save(replace(CHANGE, lines=(line,)))
    assert {each["key"] for each in row.limits} == {"pass_on"} | {"contents"}
    with pytest.raises(BadProfile, match="this access only looks"):
        save(replace(LOOK, lines=(line,)))
    other = replace(line, managed_policies=("arn:aws:iam::aws:policy/PowerUserAccess",))
    with pytest.raises(BadProfile, match="is not known here"):
        save(replace(CHANGE, lines=(other,)))


def test_a_change_is_saved_over_what_was_read_and_nothing_newer(
    north: Firm, save: Callable[..., PracticeProfile]
) -> None:
    first = save(LOOK)
    with tenancy.use(north.practice_side):
        seen_by_both = practice_profile(first.code)
    second = save(replace(LOOK, title="Our second look"), first)
    assert (second.number, second.code) == (2, first.code)
    with pytest.raises(Stale):
        save(LOOK, seen_by_both)


def test_what_is_retired_is_offered_no_more(
    north: Firm, maya: Actor, save: Callable[..., PracticeProfile]
) -> None:
    row = save(LOOK)
    with tenancy.use(north.practice_side):
        practice_profile_retire(row=row, actor=maya)
        assert len(profiles_offered()) == len(PROFILES)
        with pytest.raises(KeyError):
            profile_for(row.code)
        assert practice_profile(row.code).retired_at
        with pytest.raises(Stale):
            practice_profile_retire(row=row, actor=maya)
        told = list(AuditEvent.objects.order_by("seq").values_list("kind", flat=True))
    assert told[-2:] == [EngagementEvent.PROFILE_SAVED, EngagementEvent.PROFILE_RETIRED]
    with pytest.raises(Stale):
        save(LOOK, row)


# ---------------------------------------------------------------- what is not


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (replace(LOOK_LINE, policy="{"), "Row 1, permissions, line 1: This is not JSON"),
        (replace(LOOK_LINE, policy=policy("s3:GetBuckets")), "line 5: AWS knows no action"),
        (replace(LOOK_LINE, policy=policy("s3:PutObject")), "line 5: “s3:PutObject” changes things"),
        (replace(LOOK_LINE, policy=policy(*["ec2:Describe*"] * 900)), "too large for a role"),
        (replace(LOOK_LINE, policy=" "), "Row 1, policy: There are no permissions"),
        (replace(LOOK_LINE, why="To look."), "Row 1, why: Say what it is good for"),
        (replace(LOOK_LINE, why=""), "Row 1, why: This is empty"),
        (replace(LOOK_LINE, title="A title of far too many words"), "at most 6 words"),
        (replace(LOOK_LINE, title="T" * 61), "too long"),
        (
            replace(LOOK_LINE, why="So we can operationalise infrastructural observability considerations."),
            "hard to read",
        ),
        (replace(LOOK_LINE, optional=True), "one line at least that is not optional"),
    ],
)
def test_a_bad_profile_is_told_at_its_line_and_nothing_is_saved(
    north: Firm, save: Callable[..., PracticeProfile], line: DraftLine, told: str
) -> None:
    with pytest.raises(BadProfile) as caught:
        save(replace(LOOK, lines=(line,)))
    assert told in caught.value.user_message
    assert caught.value.review.judged is None
    assert rows(north) == 0


def test_a_bad_change_leaves_what_was_saved(north: Firm, save: Callable[..., PracticeProfile]) -> None:
    row = save(LOOK)
    with pytest.raises(BadProfile):
        save(replace(LOOK, summary=""), row)
    assert asked(north, row.code).summary == LOOK.summary


def test_the_room_of_a_role_is_shared_by_its_lines() -> None:
    many = policy("ec2:DescribeInstances", Condition={"StringEquals": {"aws:RequestedRegion": ["r" * 3500]}})
    lines = [replace(LOOK_LINE, title=f"Part {number}", policy=many) for number in range(3)]
    assert profile_review(replace(LOOK, lines=tuple(lines[:2]))).judged
    found = profile_review(replace(LOOK, lines=tuple(lines)))
    assert [(each.line, each.finding.code) for each in found.findings] == [(2, "too-large")]


def test_lines_may_not_share_a_sid() -> None:
    named = replace(LOOK_LINE, policy=policy("ec2:Describe*", Sid="Look"))
    found = profile_review(replace(LOOK, lines=(named, named)))
    assert [(each.line, each.finding.code) for each in found.findings] == [(1, "sid-taken")]


def test_beside_a_fault_a_mere_warning_is_not_told_as_one(save: Callable[..., PracticeProfile]) -> None:
    wary = replace(LOOK_LINE, policy=policy("lambda:UpdateFunctionCode"))
    with pytest.raises(BadProfile) as caught:
        save(replace(CHANGE, summary="", lines=(wary,)))
    review = caught.value.review
    assert [each.finding.severity for each in review.findings] == [Severity.WARNING]
    assert "permissions" not in caught.value.user_message


def test_warnings_are_kept_for_whoever_chooses_it(save: Callable[..., PracticeProfile]) -> None:
    line = replace(LOOK_LINE, policy=policy("lambda:UpdateFunctionCode"))
    row = save(replace(CHANGE, lines=(line,)))
    assert "with the rights of something else" in row.warnings[0]
    assert {each["kept_by"] for each in row.limits} == {"NoData", "NoPassingOn"}


# ---------------------------------------------------------------- the wall


def test_another_practice_and_every_client_see_nothing(
    north: Firm, harbour: Firm, save: Callable[..., PracticeProfile]
) -> None:
    row = save(LOOK)
    for scope in (harbour.practice_side, north.client_side, tenancy.NOBODY):
        with tenancy.use(scope):
            assert PracticeProfile.objects.count() == 0
            with pytest.raises(NotVisible):
                practice_profile(row.code)
            with pytest.raises(KeyError):
                profile_for(row.code)


def test_nobody_writes_into_another_practice(north: Firm, harbour: Firm) -> None:
    with tenancy.use(harbour.practice_side), pytest.raises(DatabaseError):
        practice_profile_save(practice=north.practice, draft=LOOK, actor=acting(harbour.owner))


def test_a_code_and_a_practice_stay(north: Firm, save: Callable[..., PracticeProfile]) -> None:
    row = save(LOOK)
    with tenancy.use(north.practice_side):
        mine = PracticeProfile.objects.filter(pk=row.pk)
        with pytest.raises(DatabaseError), transaction.atomic():
            mine.update(code="own-another")
        with pytest.raises(IntegrityError), transaction.atomic():
            PracticeProfile.objects.create(
                practice=north.practice,
                code="cost_review",
                title="Mine",
                kind="look",
                summary="",
                lines=[],
                limits=[],
                guards=[],
                saved_at=row.saved_at,
            )
