"""What somebody changed in AWS is told in sentences: to the client on their pages, to the practice in the console."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as Browser

from accounts.models import User
from awsaccess.policy.compare import Difference
from awsaccess.selectors import grant_of, live_card
from portal.kernel import tenancy
from portal.pages.differences import changes_of
from tests.awsaccess.services.cast import Case, check, verified
from tests.awsaccess.services.worlds import InMemory, Simulated, World
from tests.factories import Firm
from tests.pages.reading import read
from tests.signing_in import ProvingBrowser, let_in

POLICIES = "arn:aws:iam::aws:policy/"
Act = Callable[[World, Case], None]


def sign_in(user: User) -> Browser:
    User.objects.filter(pk=user.pk).update(is_staff=True)
    return let_in(ProvingBrowser(), user)


def test_a_role_that_was_widened_is_told_to_both_sides_in_the_same_sentence(
    north: Firm, world: World
) -> None:
    case = verified(north, world)
    world.widen(case)
    check(case)
    client = read(sign_in(north.approver).get(f"/e/{case.engagement.code}/"))
    sentence = "It can do this, which you didn’t agree to: s3:*."
    assert client.h1 == "The access is not what you agreed to"
    assert f"{sentence} More than was agreed" in client.text
    assert client.text.index(sentence) < client.text.index("Details, for your technical team")
    assert "Allow s3:* on *" in client.text
    console = read(sign_in(north.owner).get(f"/console/awsaccess/grant/{case.grant().pk}/"))
    assert f"{sentence} More than was agreed" in console.text
    assert "Allow s3:* on *" in console.text


def test_a_lock_that_opens_for_others_names_who_should_be_alone(north: Firm, world: World) -> None:
    case = verified(north, world)
    world.change_trust(case, lambda found: found["Statement"][1].update(Principal={"AWS": "*"}))
    check(case)
    shown = read(sign_in(north.approver).get(f"/e/{case.engagement.code}/"))
    assert shown.h1 == "Someone changed the lock"
    assert f"Others than {north.practice.name} could use the access. More than was agreed" in shown.text


def drop_names(found: dict[str, Any]) -> None:
    condition = found["Statement"][0]["Condition"]
    del condition["StringLike"]
    del condition["StringEquals"]["aws:RequestTag/latchkey:engagement"]


def drop_one_name(found: dict[str, Any]) -> None:
    del found["Statement"][0]["Condition"]["StringLike"]["sts:SourceIdentity"]


def any_name(found: dict[str, Any]) -> None:
    condition = found["Statement"][0]["Condition"]
    condition["StringLikeIfExists"] = condition.pop("StringLike")


@pytest.mark.parametrize("change", [drop_names, drop_one_name, any_name])
def test_a_lock_that_asks_for_no_names_is_told_as_that_and_not_as_open(
    north: Firm, world: World, change: Callable[[dict[str, Any]], None]
) -> None:
    case = verified(north, world)
    world.change_trust(case, change)
    check(case)
    shown = read(sign_in(north.approver).get(f"/e/{case.engagement.code}/"))
    assert "The lock no longer asks who comes in, as you agreed. Nobody else gets in by that." in shown.text
    assert "Others than" not in shown.text


def test_a_lock_that_lost_more_than_its_names_is_open_for_others(north: Firm, world: World) -> None:
    case = verified(north, world)

    def change(found: dict[str, Any]) -> None:
        drop_names(found)
        found["Statement"][0]["Condition"].pop("ArnEquals")

    world.change_trust(case, change)
    check(case)
    shown = read(sign_in(north.approver).get(f"/e/{case.engagement.code}/"))
    assert f"Others than {north.practice.name} could use the access." in shown.text
    assert "no longer asks who comes in" not in shown.text


def test_what_only_takes_away_is_no_alarm_and_keeps_nobody_out(north: Firm, simulated: Simulated) -> None:
    case = verified(north, simulated)
    arn = f"{POLICIES}AWSDenyAll"
    simulated.sandbox.iam(case.account_id).attach_role_policy(RoleName=case.grant().role_name, PolicyArn=arn)
    with tenancy.use(north.practice_side):
        assert live_card(case.fresh()).differences == ()
    simulated.sandbox.iam(case.account_id).detach_role_policy(RoleName=case.grant().role_name, PolicyArn=arn)
    simulated.sandbox.iam(case.account_id).untag_role(
        RoleName=case.grant().role_name, TagKeys=["latchkey:client"]
    )
    check(case)
    shown = read(sign_in(north.approver).get(f"/e/{case.engagement.code}/"))
    assert shown.h1 == "Part of the access is missing"
    assert "The rest still works." in shown.text
    assert (
        "A label was changed or taken off: latchkey:client. It opens nothing. Less than was agreed"
        in shown.text
    )


def test_the_words_go_once_it_is_put_back(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    memory.widen(case)
    check(case)
    with tenancy.use(north.practice_side):
        broken = live_card(case.fresh())
        assert [each.what for each in broken.differences] == ["inline more"]
    memory.remove_policy(case, "more")
    check(case)
    with tenancy.use(north.practice_side):
        card = live_card(case.fresh())
        assert card.differences == ()
        assert card.digest != broken.digest
        assert grant_of(case.fresh()) is not None


def difference(what: str, expected: str | None, actual: str | None, *, wider: bool | None) -> Difference:
    return Difference(what=what, expected=expected, actual=actual, wider=wider)


@pytest.mark.parametrize(
    ("found", "title", "effect"),
    [
        (
            difference("trust", None, "Allow sts:AssumeRole to *", wider=True),
            "Others than Northgate could use the access.",
            "More than was agreed",
        ),
        (
            difference("trust", "a", "b", wider=None),
            "Who can use the access was changed in a way that can’t be judged from here.",
            "We can’t tell what it opens",
        ),
        (
            difference("trust", "a", "b", wider=False),
            "The lock lets Northgate in less often than you agreed.",
            "Less than was agreed",
        ),
        (
            difference("attached", None, f"{POLICIES}AdministratorAccess", wider=True),
            "A set of permissions was added: AdministratorAccess.",
            "More than was agreed",
        ),
        (
            difference("attached", None, "arn:aws:iam::441709265583:policy/own/Mine", wider=None),
            "A policy of your own account was added: Mine.",
            "We can’t tell what it opens",
        ),
        (
            difference("attached", None, f"{POLICIES}AWSDenyAll", wider=False),
            "A policy was added that only takes away: AWSDenyAll.",
            "Less than was agreed",
        ),
        (
            difference("attached", f"{POLICIES}ReadOnlyAccess", None, wider=False),
            "A set of permissions that you agreed to is gone: ReadOnlyAccess.",
            "Less than was agreed",
        ),
        (
            difference("max_session_duration", "3600 seconds", "43200 seconds", wider=True),
            "One visit can last up to 12 hours; you agreed to 1 hour.",
            "More than was agreed",
        ),
        (
            difference("max_session_duration", "5400 seconds", "3600 seconds", wider=False),
            "One visit can last up to 1 hour; you agreed to 90 minutes.",
            "Less than was agreed",
        ),
        (
            difference("permissions_boundary", None, "arn:aws:iam::441709265583:policy/Fence", wider=False),
            "A limit of your own account was put on it: Fence.",
            "Less than was agreed",
        ),
        (
            difference("tags", None, "a = b", wider=False),
            "A label was changed or taken off: a. It opens nothing.",
            "Less than was agreed",
        ),
        (
            difference("inline x", None, "Allow a:A, b:B, c:C, d:D, e:E on *", wider=True),
            "It can do this, which you didn’t agree to: a:A, b:B, c:C and 2 more.",
            "More than was agreed",
        ),
        (
            difference("inline x", None, "Allow * on *", wider=True),
            "It can do this, which you didn’t agree to: everything.",
            "More than was agreed",
        ),
        (
            difference("inline x", "Deny iam:Put* on *", None, wider=True),
            "This is no longer ruled out as you agreed: iam:Put*.",
            "More than was agreed",
        ),
        (
            difference("inline x", "Deny iam:Put* on *", "Deny iam:Put* on arn:aws:s3:::b", wider=True),
            "This is no longer ruled out as you agreed: iam:Put*.",
            "More than was agreed",
        ),
        (
            difference("inline x", "Allow s3:Get*, s3:List* on *", "Allow s3:List* on *", wider=False),
            "It can no longer do all of this: s3:Get*.",
            "Less than was agreed",
        ),
        (
            difference("inline x", None, "Deny s3:List* on *", wider=False),
            "It can no longer do all of this: s3:List*.",
            "Less than was agreed",
        ),
    ],
)
def test_each_kind_of_difference_has_its_sentence(found: Difference, title: str, effect: str) -> None:
    (change,) = changes_of([found, found], practice="Northgate")
    assert (change.title, change.effect) == (title, effect)
    assert (change.agreed, change.now) == (found.expected or "", found.actual or "")


def test_the_gravest_stands_first() -> None:
    found = [
        difference("tags", "a = b", None, wider=False),
        difference("trust", "a", "b", wider=None),
        difference("attached", None, f"{POLICIES}AdministratorAccess", wider=True),
    ]
    assert [change.tone for change in changes_of(found, practice="x")] == ["stop", "stop", "wait"]
