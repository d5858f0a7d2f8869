"""Only what AWS itself showed moves a grant; what could not be asked moves nothing (SECURITY §5, AWS_FACTS §9)."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

import pytest

from awsaccess import probes
from awsaccess.asking import spec_of
from awsaccess.aws.errors import AwsError, AwsMisconfigured, AwsRejected, AwsTransient
from awsaccess.aws.gateway import CallerIdentity
from awsaccess.lifecycle import PROPAGATION, AccessEvent, GrantStatus, Verdict
from awsaccess.models import Grant
from awsaccess.provision.access_stack import expected_role
from awsaccess.services.checks import SOONEST, check_soon, grant_verify, target_of
from awsaccess.services.visits import VisitRefused
from engagements.lifecycle import EngagementStatus
from engagements.services.consents import engagement_decline
from engagements.services.pauses import engagement_pause
from portal.kernel import clock, tenancy
from tests.awsaccess.services.cast import (
    ALL_WELL,
    HUBS,
    Case,
    agreed,
    begin_closing,
    check,
    closing,
    end_by_client,
    enter,
    sent,
    settle,
    verified,
    watch,
    watched,
)
from tests.awsaccess.services.worlds import Change, InMemory, Simulated, World, hub_of
from tests.factories import ACCOUNT_ID, Firm, acting
from tests.plugins.sandbox_process import NORTHGATE, STRANGER

PROBLEM: Final = "engagements.problem"
OURS: Final = {"status", "checks", "problem", "role_id", "denials", "verified_at", "last_ok_at"} | {
    "is_narrower",
    "role_seen_at",
}
"""What no outage of ours may change."""


def standing(case: Case) -> dict[str, Any]:  # Any: whatever the columns hold
    with tenancy.use(case.firm.practice_side):
        (row,) = Grant.objects.filter(engagement=case.engagement).values(*OURS)
    return dict(row)


def conditions(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["Statement"][0]["Condition"]
    return found


def any_caller(document: dict[str, Any]) -> None:
    for statement in document["Statement"]:
        statement["Condition"].pop("ArnEquals", None)


def any_caller_who_may_not_name(document: dict[str, Any]) -> None:
    """Nobody else comes in: the second statement lets only the hub say who it is. It is wider than agreed all the same."""
    conditions(document).pop("ArnEquals")


def no_external_id(document: dict[str, Any]) -> None:
    conditions(document).pop("StringEquals")


def any_external_id(document: dict[str, Any]) -> None:
    no_external_id(document)
    conditions(document)["StringLike"] = {"sts:ExternalId": "*"}


def another_external_id(document: dict[str, Any]) -> None:
    conditions(document)["StringEquals"] = {"sts:ExternalId": str(uuid4())}


def no_end(document: dict[str, Any]) -> None:
    conditions(document).pop("DateLessThan")


def an_earlier_end(document: dict[str, Any]) -> None:
    soon = clock.now() + dt.timedelta(days=1)
    conditions(document)["DateLessThan"] = {"aws:CurrentTime": soon.strftime("%Y-%m-%dT%H:%M:%SZ")}


# A role that is as agreed.


def test_a_role_that_is_as_agreed_is_verified_and_switches_the_access_on(north: Firm, world: World) -> None:
    case = watched(north)
    world.deploy(case)
    asked = clock.now()
    next_look = check(case)
    grant = case.grant()
    assert (grant.status, grant.checks, grant.problem) == (GrantStatus.VERIFIED, ALL_WELL, "")
    assert grant.role_id.startswith("AROA")
    assert (grant.last_verdict, grant.denials) == (Verdict.OK, 0)
    assert grant.verified_at == grant.last_ok_at == grant.checked_at
    assert dt.timedelta(minutes=53) < next_look - asked < dt.timedelta(minutes=67)
    assert case.fresh().status == EngagementStatus.ACTIVE
    assert case.promised("engagements.access_on") == 1
    moves = [details for kind, details in case.told() if kind == AccessEvent.GRANT_MOVED]
    assert [(move["from"], move["to"]) for move in moves] == [
        ("expected", "checking"),
        ("checking", "verified"),
    ]


def test_the_evidence_of_a_check_names_every_probe_and_no_secret(north: Firm, world: World) -> None:
    case = verified(north, world)
    (row,) = case.verifications()
    assert row.verdict == Verdict.OK
    assert row.findings == {
        "own_account": "111111111111",
        "with_our_id": "opened",
        "inside_account": ACCOUNT_ID,
        "without_id": "refused",
        "with_wrong_id": "refused",
        "as_another": "refused",
        "without_names": "refused",
        "differences": [],
        "offer_sha256": case.offer().offer_sha256,
        "in_words": [],
    }
    assert 0 <= row.latency_ms < 60_000


def test_a_second_good_check_keeps_the_first_moment_and_tells_nobody(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    first = case.grant()
    check(case)
    second = case.grant()
    assert second.verified_at == first.verified_at
    assert second.last_ok_at > first.last_ok_at  # type: ignore[operator]  # both checks were good
    assert case.promised("engagements.access_on") == 1
    assert case.promised(PROBLEM) == 0
    assert case.kinds().count(AccessEvent.GRANT_MOVED) == 2


def test_a_first_statement_for_everybody_is_unsafe_though_nobody_else_may_name(
    north: Firm, world: World
) -> None:
    case = watched(north)
    world.deploy(case)
    world.change_trust(case, any_caller_who_may_not_name)
    check(case)
    row = case.verifications()[-1]
    assert (row.verdict, row.findings["as_another"]) == (Verdict.UNSAFE, "refused")
    assert (case.grant().status, case.grant().checks["lock"]) == (GrantStatus.UNSAFE, "fail")
    world.remove(case)


def test_both_negative_probes_are_asked_and_the_wrong_id_is_another_each_time(
    north: Firm, memory: InMemory
) -> None:
    case = verified(north, memory)
    check(case)
    ids = [call.request.external_id for call in memory.fake.calls if call.request and call.method == "assume"]
    ours = case.grant().external_id
    assert [ids[0], ids[3], ids[4], ids[7]] == [ours] * 4  # a visit's way in, and one that names nobody
    assert [ids[1], ids[5]] == [None, None]
    wrong = {ids[2], ids[6]}
    assert len(wrong) == 2
    assert ours not in wrong
    durations = {call.request.duration_seconds for call in memory.fake.calls if call.request}
    assert durations == {900}


# A role that opens too wide is never verified.


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (no_external_id, "The role opens without its external ID."),
        (any_external_id, "The role opens with any external ID."),
        (any_caller, "The role opens for others than the agreed hub."),
    ],
)
def test_a_role_that_opens_for_others_is_never_verified(
    north: Firm, world: World, change: Change, words: str
) -> None:
    case = watched(north)
    world.deploy(case)
    world.change_trust(case, change)
    for _ in range(2):
        check(case)
        grant = case.grant()
        assert (grant.status, grant.problem) == (GrantStatus.UNSAFE, words)
        assert grant.checks == {"found": "ok", "lock": "fail"}
        assert grant.verified_at is grant.last_ok_at is None
    assert case.fresh().status == EngagementStatus.AGREED
    assert case.promised("engagements.access_on") == 0
    assert case.promised(PROBLEM) == 1


def test_a_lock_that_is_wider_than_agreed_is_unsafe_even_where_the_probes_were_refused(
    north: Firm, memory: InMemory
) -> None:
    case = verified(north, memory)
    memory.change_trust(case, no_end)
    check(case)
    grant = case.grant()
    assert (grant.status, grant.checks["lock"]) == (GrantStatus.UNSAFE, "fail")
    assert grant.problem == "Somebody changed who can use the role in AWS."


def test_a_lock_that_is_only_narrower_is_drift(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    memory.change_trust(case, an_earlier_end)
    check(case)
    assert (case.grant().status, case.grant().checks["lock"]) == (GrantStatus.DRIFTED, "fail")


def test_an_unsafe_role_that_is_mended_is_verified(north: Firm, memory: InMemory) -> None:
    case = watched(north)
    memory.deploy(case)
    memory.change_trust(case, no_external_id)
    check(case)
    memory.deploy(case)
    check(case)
    assert case.grant().status == GrantStatus.VERIFIED
    assert case.fresh().status == EngagementStatus.ACTIVE


# Another role than agreed.


def test_another_external_id_in_the_role_is_refused_like_no_role(north: Firm, world: World) -> None:
    case = watched(north)
    world.deploy(case)
    world.change_trust(case, another_external_id)
    check(case)
    assert (case.grant().status, case.grant().last_verdict) == (GrantStatus.EXPECTED, Verdict.DENIED)


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:sts::{STRANGER}:assumed-role/latchkey-x/latchkey-check",
        f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/another/latchkey-check",
        f"arn:aws:iam::{ACCOUNT_ID}:user/somebody",
    ],
)
def test_a_role_that_opens_elsewhere_than_agreed_is_unsafe(
    north: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch, arn: str
) -> None:
    inside = CallerIdentity(account_id=arn.split(":")[4], arn=arn, user_id="AROAELSEWHERE:x")
    monkeypatch.setattr(memory.fake, "caller_identity", lambda *_: inside)
    case = watched(north)
    memory.deploy(case)
    check(case)
    grant = case.grant()
    assert (grant.status, grant.checks, grant.role_id) == (GrantStatus.UNSAFE, {"found": "fail"}, "")
    assert "not the one in the agreed account" in grant.problem
    assert case.fresh().status == EngagementStatus.AGREED


def test_one_practices_role_cannot_be_taken_for_anothers(
    north: Firm, harbour: Firm, memory: InMemory
) -> None:
    theirs, ours = watched(north), watched(harbour)
    grant = theirs.grant()
    # Harbour's client is led to build Northgate's role under the name that Harbour looks for.
    memory.fake.make_role(
        ours.grant().role_arn, expected_role(spec_of(grant.offer, grant), theirs.account_id)
    )
    check(ours)
    assert ours.grant().status == GrantStatus.EXPECTED


def test_a_probe_from_another_practices_hub_is_refused_and_of_our_own_is_not(
    north: Firm, harbour: Firm, memory: InMemory
) -> None:
    """Harbour knows role and external ID to the letter, and asks AWS with its own hub's credentials."""
    case = verified(north, memory)
    with case.seen():
        target = target_of(case.grant())
    foreign = dataclasses.replace(target, hub=hub_of("harbour"))
    assert isinstance(probes.enter(memory.door, target), probes.Entered)
    assert probes.is_refused(memory.door, foreign) is True
    tried = probes.enter(memory.door, foreign)
    assert not isinstance(tried, probes.Entered)
    assert tried.verdict == Verdict.DENIED


# A role that goes, or changes.


def test_a_deleted_role_is_never_verified_and_told_after_three_refusals(north: Firm, world: World) -> None:
    case = verified(north, world)
    settle(case)
    world.remove(case)
    before, mails, statuses = case.grant(), [], []
    for number in range(5):
        check(case)
        grant = case.grant()
        statuses.append(grant.status)
        mails.append(case.promised(PROBLEM))
        if number == 0:
            assert (grant.checks, grant.problem) == (before.checks, "")
    assert statuses == [GrantStatus.VERIFIED, *[GrantStatus.UNREACHABLE] * 4]
    assert mails == [0, 0, 1, 1, 1]
    grant = case.grant()
    assert (grant.denials, grant.checks) == (5, {})
    assert {row.findings["control"] for row in case.verifications()[1:]} == {"opened"}
    assert grant.problem == "The account refused us. AWS does not say why."
    assert case.fresh().status == EngagementStatus.ACTIVE


def test_a_role_that_never_was_there_is_waited_for_quietly(north: Firm, world: World) -> None:
    case = watched(north)
    for _ in range(3):
        check(case)
    next_look = check(case)
    grant = case.grant()
    assert (grant.status, grant.problem) == (GrantStatus.EXPECTED, "")
    assert case.promised(PROBLEM) == 0
    assert len(case.verifications()) == 1
    assert next_look - grant.checked_at == dt.timedelta(seconds=5)


def test_a_widened_role_drifts_is_told_once_and_heals(north: Firm, world: World) -> None:
    case = verified(north, world)
    world.widen(case)
    for _ in range(2):
        check(case)
    grant = case.grant()
    assert (grant.status, grant.checks) == (GrantStatus.DRIFTED, {**ALL_WELL, "scope": "fail"})
    assert grant.problem == "Somebody changed the permissions in AWS."
    assert case.verifications()[-1].findings["differences"] == ["inline more"]
    assert case.promised(PROBLEM) == 1
    world.remove_policy(case, "more")
    check(case)
    assert (case.grant().status, case.grant().problem) == (GrantStatus.VERIFIED, "")
    world.widen(case)
    check(case)
    assert case.promised(PROBLEM) == 2


def test_every_kind_of_change_is_named_for_people(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    role = memory.fake.roles[case.grant().role_arn]
    role.attached_policy_arns = frozenset({"arn:aws:iam::aws:policy/AdministratorAccess"})
    role.max_session_duration = 7200
    role.permissions_boundary = "arn:aws:iam::aws:policy/PowerUserAccess"
    check(case)
    assert case.grant().problem == (
        "Somebody changed the attached permissions and the longest visit and the permissions boundary in AWS."
    )


def test_the_end_that_was_taken_out_of_the_permissions_is_seen(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    role = memory.fake.roles[case.grant().role_arn]
    ((name, document),) = role.inline_documents.items()
    look_at_itself = next(each for each in document["Statement"] if each["Sid"] == "ReadSelf")
    role.inline_documents[name] = {"Version": "2012-10-17", "Statement": look_at_itself}
    check(case)
    assert case.grant().status == GrantStatus.DRIFTED
    assert case.grant().checks == {"found": "ok", "lock": "ok", "scope": "fail", "ends": "fail"}


def test_a_role_that_hides_its_settings_is_drift(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    document = next(iter(memory.fake.roles[case.grant().role_arn].inline_documents.values()))
    document["Statement"] = [each for each in document["Statement"] if each["Sid"] != "ReadSelf"]
    check(case)
    grant = case.grant()
    assert grant.status == GrantStatus.DRIFTED
    assert grant.checks == {"found": "ok", "lock": "pending", "scope": "fail"}
    assert case.verifications()[-1].findings["inspection"] == "refused"


def test_a_role_made_anew_is_verified_and_recorded(north: Firm, world: World) -> None:
    case = verified(north, world)
    first = case.grant().role_id
    world.remove(case)
    world.deploy(case)
    check(case)
    grant = case.grant()
    assert grant.status == GrantStatus.VERIFIED
    assert grant.role_id != first
    assert case.kinds().count(AccessEvent.ROLE_MADE_ANEW) == 1


# What could not be asked proves nothing.

OUTAGES: Final[list[AwsError]] = [AwsTransient(code="Throttling"), AwsMisconfigured(code="ExpiredToken")]


@pytest.mark.parametrize("error", OUTAGES)
@pytest.mark.parametrize("method", ["own_identity", "assume", "caller_identity", "inspect_role"])
def test_our_own_outage_changes_nothing_that_was_proved(
    north: Firm, memory: InMemory, method: str, error: AwsError
) -> None:
    case = verified(north, memory)
    before, seen = standing(case), case.grant().checked_at
    memory.door.fail(method, error)
    asked = clock.now()
    next_look = check(case)
    assert standing(case) == before
    grant = case.grant()
    assert grant.last_verdict == Verdict.UNKNOWN
    assert grant.checked_at > seen  # type: ignore[operator]  # it was checked before
    assert next_look - asked < dt.timedelta(seconds=20)
    assert case.promised(PROBLEM) == 0
    found = case.verifications()[-1].findings["unknown"]
    assert found == ("ours" if isinstance(error, AwsMisconfigured) else "unanswered")


@pytest.mark.parametrize(("method", "nth"), [("assume", 2), ("assume", 3), ("assume_as_another", 1)])
@pytest.mark.parametrize("error", [*OUTAGES, AwsRejected("a value is not right", code="ValidationError")])
def test_a_negative_probe_that_was_not_refused_for_lack_of_a_right_proves_nothing(
    north: Firm, memory: InMemory, method: str, nth: int, error: AwsError
) -> None:
    case = watched(north)
    memory.deploy(case)
    memory.door.fail(method, error, nth=nth)
    check(case)
    grant = case.grant()
    assert (grant.status, grant.last_verdict) == (GrantStatus.CHECKING, Verdict.UNKNOWN)
    assert (grant.checks, grant.verified_at) == ({"found": "ok"}, None)
    assert case.fresh().status == EngagementStatus.AGREED
    check(case)
    assert case.grant().status == GrantStatus.VERIFIED


def test_refusals_are_counted_over_an_outage(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    settle(case)
    memory.remove(case)
    check(case)
    check(case)
    memory.door.fail("own_identity", AwsTransient())
    check(case)
    assert (case.grant().denials, case.promised(PROBLEM)) == (2, 0)
    check(case)
    assert (case.grant().denials, case.promised(PROBLEM)) == (3, 1)


def test_a_value_that_aws_will_not_take_is_a_refusal_with_its_reason(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    settle(case)
    for _ in range(2):
        memory.door.fail("assume", AwsRejected("that is not possible here", code="ValidationError"))
        check(case)
    assert case.grant().status == GrantStatus.UNREACHABLE
    assert "that is not possible here" in case.grant().problem


def test_a_throttled_or_broken_sts_changes_nothing_over_the_wire(north: Firm, simulated: Simulated) -> None:
    case = verified(north, simulated)
    before = standing(case)
    for fault in (
        {"service": "sts", "code": "Throttling"},
        {"service": "sts", "action": "AssumeRole", "account": ACCOUNT_ID, "status": 503},
        {"service": "iam", "html": True},
        {"service": "sts", "action": "AssumeRole", "account": ACCOUNT_ID, "cut": True},
    ):
        simulated.sandbox.control("POST", "faults", **fault)
        check(case)
        assert case.grant().last_verdict == Verdict.UNKNOWN, fault
        assert standing(case) == before
        simulated.sandbox.control("DELETE", "faults")
    check(case)
    assert case.grant().last_verdict == Verdict.OK


# Our own hub, and IAM's slowness.


def test_a_hub_that_may_enter_nothing_any_more_is_not_taken_for_the_clients_refusal(
    north: Firm, memory: InMemory
) -> None:
    case = verified(north, memory)
    settle(case)
    before = standing(case)
    memory.fake.powerless.add(HUBS["northgate"].role_arn)
    for _ in range(4):
        check(case)
    assert standing(case) == before
    assert case.promised(PROBLEM) == 0
    found = case.verifications()[-1].findings
    assert (found["unknown"], found["control"]) == ("ours", "failed")
    memory.fake.powerless.clear()
    check(case)
    assert case.grant().last_verdict == Verdict.OK


def test_a_second_role_that_could_not_ask_proves_nothing(north: Firm, memory: InMemory) -> None:
    case = watched(north)
    memory.deploy(case)
    memory.fake.powerless.add(hub_of("northgate").control_role_arn)
    check(case)
    assert (case.grant().status, case.grant().last_verdict) == (GrantStatus.CHECKING, Verdict.UNKNOWN)


def test_a_hub_that_lost_its_right_over_the_wire_changes_nothing(north: Firm, simulated: Simulated) -> None:
    case = verified(north, simulated)
    settle(case)
    before = standing(case)
    iam, own = simulated.sandbox.iam(NORTHGATE), {"RoleName": "latchkey-hub", "PolicyName": "lost"}
    lost = {"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*"}
    iam.put_role_policy(**own, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [lost]}))
    try:
        for _ in range(3):
            check(case)
        assert standing(case) == before
        assert case.grant().last_verdict == Verdict.UNKNOWN
    finally:
        iam.delete_role_policy(**own)
    check(case)
    assert case.grant().last_verdict == Verdict.OK


def test_refusals_of_a_role_that_was_made_just_now_do_not_count(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    memory.remove(case)
    for _ in range(3):
        check(case)
    assert (case.grant().status, case.grant().denials) == (GrantStatus.VERIFIED, 0)
    with clock.frozen(clock.now() + PROPAGATION):
        check(case)
        assert (case.grant().status, case.grant().denials) == (GrantStatus.VERIFIED, 1)
        check(case)
        assert (case.grant().status, case.grant().denials) == (GrantStatus.UNREACHABLE, 2)


def test_a_role_made_anew_is_new_to_aws_again(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    settle(case)
    memory.remove(case)
    memory.deploy(case)
    check(case)
    seen = case.grant().role_seen_at
    assert seen is not None
    assert clock.now() - seen < PROPAGATION


# Less than agreed may still be entered; more, or nobody knows, may not.


def less(case: Case, memory: InMemory) -> None:
    memory.fake.roles[case.grant().role_arn].permissions_boundary = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def test_a_role_that_only_lost_something_is_told_and_may_still_be_entered(
    north: Firm, memory: InMemory
) -> None:
    case = verified(north, memory)
    less(case, memory)
    check(case)
    grant = case.grant()
    assert (grant.status, grant.is_narrower, grant.is_enterable) == (GrantStatus.DRIFTED, True, True)
    assert case.promised(PROBLEM) == 1
    assert enter(case).account_id == ACCOUNT_ID


def test_a_role_that_was_widened_after_it_lost_something_is_closed_and_told_again(
    north: Firm, memory: InMemory
) -> None:
    case = verified(north, memory)
    less(case, memory)
    check(case)
    memory.widen(case)
    check(case)
    assert (case.grant().is_narrower, case.grant().is_enterable) == (False, False)
    assert case.promised(PROBLEM) == 2
    with pytest.raises(VisitRefused):
        enter(case)
    memory.remove_policy(case, "more")
    check(case)
    assert case.grant().is_enterable
    assert case.promised(PROBLEM) == 2


@pytest.mark.parametrize("key", ["latchkey:client", "latchkey:engagement"])
def test_an_agreed_tag_that_was_changed_is_told_and_the_clients_own_tags_are_not(
    north: Firm, memory: InMemory, key: str
) -> None:
    case = verified(north, memory)
    role = memory.fake.roles[case.grant().role_arn]
    role.tags["cost-centre"] = "42"
    check(case)
    assert case.grant().status == GrantStatus.VERIFIED
    role.tags[key] = "somebody else"
    check(case)
    assert (case.grant().problem, case.grant().is_enterable) == ("Somebody changed the tags in AWS.", True)
    (words,) = case.verifications()[-1].findings["in_words"]
    assert words["actual"] == f"{key} = somebody else"
    del role.tags[key]
    check(case)
    (words,) = case.verifications()[-1].findings["in_words"]
    assert words["actual"] is None


# Answers that come too late.


def test_an_answer_about_an_access_that_ended_meanwhile_is_dropped(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    rows = len(case.verifications())

    def end() -> None:
        end_by_client(case)
        begin_closing(case)

    memory.door.before("inspect_role", end)
    assert check(case) is None
    assert case.grant().status == GrantStatus.ENDING
    assert len(case.verifications()) == rows


def test_a_role_that_appears_while_the_access_ends_is_not_found(north: Firm, memory: InMemory) -> None:
    case = watched(north)
    memory.deploy(case)

    def end() -> None:
        end_by_client(case)
        begin_closing(case)

    memory.door.before("caller_identity", end)
    assert check(case) is None
    grant = case.grant()
    assert (grant.status, grant.checks, grant.verified_at) == (GrantStatus.ENDING, {}, None)


def test_of_two_checks_the_one_that_was_overtaken_is_dropped_and_made_again(
    north: Firm, memory: InMemory
) -> None:
    case = verified(north, memory)
    memory.door.before("inspect_role", lambda: check(case))
    asked = clock.now()
    next_look = check(case)
    assert next_look - asked < SOONEST + dt.timedelta(seconds=5)
    assert len(case.verifications()) == 2


# Which grants are looked at.


def test_the_account_that_the_client_named_is_written_down_once(north: Firm, memory: InMemory) -> None:
    case = agreed(north, account_id="")
    assert case.grant().account_id == ""
    assert check(case) is None
    watch(case)
    assert case.grant().account_id == ACCOUNT_ID
    assert case.next_check() is not None
    watch(case)
    assert case.grant().account_id == ACCOUNT_ID


def test_a_verified_grant_is_not_put_back_by_a_late_message(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    before = case.next_check()
    watch(case)
    assert case.next_check() == before
    assert case.grant().status == GrantStatus.VERIFIED


@pytest.mark.parametrize("answer", ["none", "no"])
def test_no_account_is_asked_before_its_owner_agreed_or_after_a_no(
    north: Firm, memory: InMemory, answer: str
) -> None:
    case = sent(north)
    memory.deploy(case)
    if answer == "no":
        with tenancy.use(north.client_side):
            engagement_decline(
                engagement=case.fresh(), contact=north.contact, reason="", actor=acting(north.approver)
            )
    with tenancy.use(north.client_side):
        assert not check_soon(engagement=case.fresh())
    assert case.next_check() is None
    assert check(case) is None
    assert memory.fake.calls == []
    assert case.grant().status == GrantStatus.EXPECTED


def test_asking_to_look_now_plans_a_check_and_not_twice_in_a_moment(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    checked_at = case.grant().checked_at
    assert checked_at is not None
    later = checked_at + SOONEST
    with tenancy.use(north.client_side):
        assert not check_soon(engagement=case.fresh())
    with clock.frozen(later), tenancy.use(north.client_side):
        assert check_soon(engagement=case.fresh())
    assert case.next_check() == later


def test_a_paused_access_is_watched_on_and_stays_paused(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    with tenancy.use(north.client_side):
        engagement_pause(engagement=case.fresh(), actor=acting(north.approver))
    memory.widen(case)
    assert check(case) is not None
    assert case.grant().status == GrantStatus.DRIFTED
    assert case.fresh().status == EngagementStatus.PAUSED


def test_an_ending_or_unknown_grant_is_not_checked(north: Firm, memory: InMemory) -> None:
    case = closing(north, memory)
    calls = len(memory.fake.calls)
    assert check(case) is None
    with tenancy.use(north.practice_side):
        assert grant_verify(grant_id=uuid4()) is None
    with tenancy.use(north.client_side):
        assert not check_soon(engagement=case.fresh())
    assert len(memory.fake.calls) == calls


def test_another_practice_cannot_have_a_grant_checked(north: Firm, harbour: Firm, memory: InMemory) -> None:
    case = watched(north)
    grant = case.grant()
    calls = len(memory.fake.calls)
    with tenancy.use(harbour.practice_side):
        assert grant_verify(grant_id=grant.pk) is None
    assert len(memory.fake.calls) == calls


WAYS: Final[list[Callable[[Case], object]]] = [
    lambda case: str(case.grant()),
    lambda case: repr(case.grant()),
]


@pytest.mark.parametrize("way", WAYS)
def test_a_grant_does_not_print_its_external_id(
    north: Firm, memory: InMemory, way: Callable[[Case], object]
) -> None:
    case = watched(north)
    assert case.grant().external_id not in str(way(case))
