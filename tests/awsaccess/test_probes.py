"""Whatever somebody does to a good trust policy: if it lets in anybody else, the check says `unsafe`."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import itertools
import os
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from awsaccess.aws.fake import FakeAwsGateway
from awsaccess.aws.gateway import AssumeRequest, HubIdentity, SessionCredentials
from awsaccess.aws.judging import Question, allows, principals_of
from awsaccess.lifecycle import Verdict
from awsaccess.probes import Entered, Result, Target, enter, examine, is_refused
from awsaccess.provision.access_stack import AccessGrantSpec, expected_role
from awsaccess.provision.naming import LOOK, Names

NOW: Final = dt.datetime(2026, 10, 1, 12, tzinfo=dt.UTC)
END: Final = dt.datetime(2026, 12, 18, 18, tzinfo=dt.UTC)
CLIENT: Final = "441709265583"
ID: Final = "2f1c7d0e-6f0b-4a52-9a3e-8d1f0c5b7e44"
OTHER_ID: Final = "77777777-6f0b-4a52-9a3e-8d1f0c5b7e44"
OURS: Final = "111111111111"
HUB: Final = HubIdentity(
    practice_code="northgate",
    account_id=OURS,
    role_arn=f"arn:aws:iam::{OURS}:role/latchkey-hub",
    region="eu-west-1",
    template_bucket=f"latchkey-templates-{OURS}",
)
CODE: Final = "7qk2m4xw9p"
SPEC: Final = AccessGrantSpec(
    practice_name="Northgate Cloud",
    client_name="Brightwater Dental",
    engagement_code=CODE,
    hub_account_id=OURS,
    hub_role_arn=HUB.role_arn,
    external_id=ID,
    expires_at=END,
    statements=({"Effect": "Allow", "Action": ["s3:ListAllMyBuckets"], "Resource": "*"},),
    look_only=True,
)
AGREED: Final = expected_role(SPEC, CLIENT)
TARGET: Final = Target(
    hub=HUB,
    account_id=CLIENT,
    role_name="latchkey-7qk2m4xw9p",
    role_arn=f"arn:aws:iam::{CLIENT}:role/latchkey-7qk2m4xw9p",
    external_id=ID,
    expected=AGREED,
    session_name="latchkey-check",
    names=Names(person=LOOK, practice_code="northgate", engagement_code=CODE, visit=LOOK),
)
# The same where the lock wants named sessions (ADR 17).
AGREED_NAMED: Final = expected_role(dataclasses.replace(SPEC, names_required=True), CLIENT)
TARGET_NAMED: Final = dataclasses.replace(TARGET, expected=AGREED_NAMED, names_required=True)
EXAMPLES: Final = 1000 if os.environ.get("CI") == "true" else 300
Json = Any  # Any: IAM's JSON nests as it likes
Mutation = Callable[[Json], None]

# Everybody who might try: who they are, what they say, when they come.
CALLERS: Final = (
    (HUB.role_arn, OURS),
    (HUB.control_role_arn, OURS),
    (f"arn:aws:iam::{OURS}:role/latchkey-hub-two", OURS),
    (f"arn:aws:iam::{OURS}:user/portal", OURS),
    ("arn:aws:iam::999999999999:role/latchkey-hub", "999999999999"),
    (f"arn:aws:iam::{CLIENT}:role/somebody", CLIENT),
    ("arn:aws:iam::444455556666:user/stranger", "444455556666"),
)
IDS: Final = (ID, None, OTHER_ID, ID[:-1], ID + "0", ID.upper(), "any")
MOMENTS: Final = (NOW, END + dt.timedelta(seconds=1), END + dt.timedelta(days=400))
OTHER_ACTIONS: Final = ("sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity")


# What a session may say of itself: everything, nothing, a part of it, or something else.
WHO: Final = {"sts:sourceidentity": LOOK}
TAGGED: Final = {f"aws:requesttag/{key}": value for key, value in TARGET.names.tags}
SAYS: Final[tuple[tuple[tuple[str, str], ...], ...]] = tuple(
    tuple(said.items())
    for said in (
        WHO | TAGGED,
        {},
        TAGGED,
        WHO | TAGGED | {"aws:requesttag/latchkey:engagement": "another"},
        WHO | {"aws:requesttag/latchkey:engagement": CODE, "aws:requesttag/latchkey:practice": ""},
    )
)
EVERYTHING, NOTHING = SAYS[:2]
Way = tuple[str, str, str | None, dt.datetime, tuple[tuple[str, str], ...]]


def admits(document: Json) -> set[Way]:
    """Who comes in, by which action, with which external ID, when, and saying what of themselves."""
    found = set()
    # By the other actions nobody says anything of this: they have no such keys.
    asked = [
        *itertools.product(("sts:AssumeRole",), IDS, SAYS),
        *itertools.product(OTHER_ACTIONS, (None,), (NOTHING,)),
    ]
    for (caller, account), moment, (action, said, names) in itertools.product(CALLERS, MOMENTS, asked):
        context = {
            "aws:principalarn": caller,
            "aws:principalaccount": account,
            "aws:currenttime": moment.isoformat(),
            "sts:rolesessionname": "somebody",
            **dict(names),
        }
        if said is not None:
            context["sts:externalid"] = said
        question = Question(action=action, principals=principals_of(caller, account), context=context)
        if allows([document], question):
            found.add((caller, action, said, moment, names))
    return found


TARGETS: Final = {"that wants no names": TARGET, "that wants names": TARGET_NAMED}
GOOD: Final = {name: admits(target.expected.trust_document) for name, target in TARGETS.items()}
both_locks = pytest.mark.parametrize("lock", TARGETS)


def verdict_of(document: Json, lock: str) -> Result:
    target = TARGETS[lock]
    door = FakeAwsGateway(HUB, now=lambda: NOW)
    role = door.make_role(target.role_arn, target.expected)
    role.trust_document = document
    entered = enter(door, target)
    return examine(door, target, entered) if isinstance(entered, Entered) else entered


def agreed_trust(lock: str) -> Json:
    return copy.deepcopy(TARGETS[lock].expected.trust_document)


def opens_for_us(document: Json, lock: str, admitted: set[Way]) -> bool:
    """As a visit comes, or as the look that tells a shut role from a changed one."""
    inside = {names for *way, names in admitted if way == [HUB.role_arn, "sts:AssumeRole", ID, NOW]}
    return NOTHING in inside or (lock == "that wants names" and EVERYTHING in inside and may_name(document))


def may_name(document: Json) -> bool:
    context = {
        "aws:principalarn": HUB.role_arn,
        "aws:principalaccount": OURS,
        "aws:currenttime": NOW.isoformat(),
    }
    context |= dict(EVERYTHING)
    principals = principals_of(HUB.role_arn, OURS)
    return all(
        allows([document], Question(action=action, principals=principals, context=context))
        for action in ("sts:SetSourceIdentity", "sts:TagSession")
    )


def test_the_good_policy_admits_the_hub_with_its_id_until_the_end_and_nobody_else() -> None:
    ours = (HUB.role_arn, "sts:AssumeRole", ID, NOW)
    assert GOOD["that wants no names"] == {(*ours, names) for names in SAYS}
    assert GOOD["that wants names"] == {(*ours, EVERYTHING)}


@both_locks
def test_the_good_policy_is_found_good(lock: str) -> None:
    result = verdict_of(agreed_trust(lock), lock)
    assert result.verdict is Verdict.OK
    assert result.findings.get("without_names") == ("refused" if lock == "that wants names" else None)


PRINCIPALS: Final = (
    "*",
    {"AWS": "*"},
    {"AWS": f"arn:aws:iam::{OURS}:root"},
    {"AWS": OURS},
    {"AWS": [f"arn:aws:iam::{OURS}:root", "arn:aws:iam::444455556666:root"]},
    {"AWS": "arn:aws:iam::999999999999:role/latchkey-hub"},
    {"AWS": HUB.role_arn},
    {"AWS": HUB.control_role_arn},
    {"AWS": f"arn:aws:iam::{CLIENT}:root"},
)
NAMES: Final = (
    HUB.role_arn,
    HUB.control_role_arn,
    f"arn:aws:iam::{OURS}:role/*",
    f"arn:aws:iam::{OURS}:role/latchkey-hub*",
    f"arn:aws:iam::{OURS}:role/latchkey-hu?",
    "arn:aws:iam::*:role/latchkey-hub",
    "*",
    "arn:aws:iam::444455556666:user/stranger",
)
SAID: Final = (ID, OTHER_ID, "*", ID[:8] + "*", ID[:-1] + "?", ID.upper(), "any")
ENDS: Final = ("2026-12-18T18:00:00Z", "2026-12-18T17:59:59Z", "2030-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
LIKE: Final = ("StringEquals", "StringLike", "StringEqualsIfExists", "StringLikeIfExists")
ARN_LIKE: Final = ("ArnEquals", "ArnLike", "ArnEqualsIfExists", "StringLike", "StringEquals")
BEFORE: Final = ("DateLessThan", "DateLessThanIfExists", "DateGreaterThan")
DONE: Final = ("sts:AssumeRole", "sts:*", "*", "sts:Assume*", "sts:AssumeRoleWithSAML", "sts:TagSession")


def conditions(operators: tuple[str, ...], key: str, values: tuple[str, ...]) -> st.SearchStrategy[Json]:
    some = st.lists(st.sampled_from(values), min_size=1, max_size=3)
    wanted = st.one_of(st.sampled_from(values), some)
    return st.builds(lambda operator, value: {operator: {key: value}}, st.sampled_from(operators), wanted)


ANY_CONDITION: Final = st.one_of(
    conditions(LIKE, "sts:ExternalId", SAID),
    conditions(ARN_LIKE, "aws:PrincipalArn", NAMES),
    conditions(BEFORE, "aws:CurrentTime", ENDS),
    conditions(LIKE, "sts:SourceIdentity", (LOOK, "?*", "*", "maya*")),
    conditions(LIKE, "aws:RequestTag/latchkey:engagement", (CODE, "?*", "*", "another")),
    conditions(LIKE, "aws:RequestTag/latchkey:visit", ("?*", "*", "another")),
)


def joined(parts: list[Json]) -> Json:
    whole: Json = {}
    for part in parts:
        for operator, tests in part.items():
            whole.setdefault(operator, {}).update(tests)
    return whole


STATEMENTS: Final = st.builds(
    lambda effect, principal, action, parts: {
        "Effect": effect,
        "Principal": principal,
        "Action": action,
        **({"Condition": joined(parts)} if parts else {}),
    },
    st.sampled_from(("Allow", "Allow", "Deny")),
    st.sampled_from(PRINCIPALS),
    st.one_of(st.sampled_from(DONE), st.lists(st.sampled_from(DONE), min_size=1, max_size=2)),
    st.lists(ANY_CONDITION, max_size=3),
)


def _of_first(change: Callable[[Json, Json], None]) -> Callable[[Json], Mutation]:
    return lambda value: lambda document: change(document["Statement"][0], value)


def _drop(statement: Json, operator: str) -> None:
    statement.get("Condition", {}).pop(operator, None)


def _put(statement: Json, condition: Json) -> None:
    (tests,) = condition.values()
    (key,) = tests
    there = statement.setdefault("Condition", {})
    for operator in [name for name, held in there.items() if key in held]:
        del there[operator]
    for operator, test in condition.items():
        there.setdefault(operator, {}).update(test)


def _set(name: str) -> Callable[[Json, Json], None]:
    return lambda statement, value: statement.__setitem__(name, value)


MUTATIONS: Final[st.SearchStrategy[Mutation]] = st.one_of(
    st.sampled_from(("StringEquals", "StringLike", "ArnEquals", "DateLessThan")).map(_of_first(_drop)),
    ANY_CONDITION.map(_of_first(_put)),
    st.sampled_from(PRINCIPALS).map(_of_first(_set("Principal"))),
    st.sampled_from(DONE).map(_of_first(_set("Action"))),
    STATEMENTS.map(lambda statement: lambda document: document["Statement"].append(statement)),
    STATEMENTS.map(lambda statement: lambda document: document["Statement"].__setitem__(1, statement)),
    st.just(lambda document: document["Statement"][1].__setitem__("Action", "sts:*")),
)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes=st.lists(MUTATIONS, min_size=1, max_size=3), lock=st.sampled_from(sorted(TARGETS)))
def test_every_change_that_admits_anybody_else_is_unsafe(changes: list[Mutation], lock: str) -> None:
    document, good = agreed_trust(lock), GOOD[lock]
    for change in changes:
        change(document)
    admitted = admits(document)
    result = verdict_of(document, lock)
    if not opens_for_us(document, lock, admitted):
        assert result.verdict is Verdict.DENIED
    elif admitted - good:
        assert result.verdict is Verdict.UNSAFE, (document, admitted - good)
    else:
        assert result.verdict in {Verdict.OK, Verdict.DRIFTED, Verdict.UNSAFE}
    if result.verdict is Verdict.OK:
        assert admitted == good


@both_locks
@pytest.mark.parametrize("name", ["without_id", "with_wrong_id", "as_another"])
def test_each_probe_finds_what_it_is_for(name: str, lock: str) -> None:
    """Each is needed: the very change it was made for is the one that its finding tells."""
    document = agreed_trust(lock)
    first = document["Statement"][0]["Condition"]
    match name:
        case "without_id":
            first["StringEqualsIfExists"] = first.pop("StringEquals")
        case "with_wrong_id":
            first.setdefault("StringLike", {})["sts:ExternalId"] = "*"
            del first["StringEquals"]["sts:ExternalId"]
        case _:
            # Both: where names are wanted, who may not name stays outside as well.
            for statement in document["Statement"]:
                statement["Condition"]["ArnLike"] = {"aws:PrincipalArn": f"arn:aws:iam::{OURS}:role/*"}
                del statement["Condition"]["ArnEquals"]
    result = verdict_of(document, lock)
    assert (result.verdict, result.findings[name]) == (Verdict.UNSAFE, "opened")


NAMELESS: Final[dict[str, Mutation]] = {
    "no names wanted": lambda document: document["Statement"][0]["Condition"].pop("StringLike"),
    "no person wanted": lambda document: document["Statement"][0]["Condition"]["StringLike"].pop(
        "sts:SourceIdentity"
    ),
    "no visit wanted": lambda document: document["Statement"][0]["Condition"]["StringLike"].pop(
        "aws:RequestTag/latchkey:visit"
    ),
    "any engagement will do": lambda document: document["Statement"][0]["Condition"]["StringEquals"].pop(
        "aws:RequestTag/latchkey:engagement"
    ),
    "names if there are any": lambda document: document["Statement"][0]["Condition"].__setitem__(
        "StringLikeIfExists", document["Statement"][0]["Condition"].pop("StringLike")
    ),
    "an empty name will do": lambda document: document["Statement"][0]["Condition"]["StringLike"].__setitem__(
        "aws:RequestTag/latchkey:practice", "*"
    ),
}


@pytest.mark.parametrize("change", NAMELESS.values(), ids=NAMELESS)
def test_a_lock_that_wants_fewer_names_than_agreed_is_unsafe(change: Mutation) -> None:
    document = agreed_trust("that wants names")
    change(document)
    result = verdict_of(document, "that wants names")
    assert (result.verdict, result.checks["lock"]) == (Verdict.UNSAFE, "fail")
    assert result.findings["differences"] == ["trust"]


def test_a_lock_without_names_that_cannot_be_named_either_is_unsafe_and_not_gone() -> None:
    document = copy.deepcopy(AGREED.trust_document)
    del document["Statement"][1]
    result = verdict_of(document, "that wants names")
    assert (result.verdict, result.findings["with_our_id"]) == (Verdict.UNSAFE, "opened")


class _Overlooks(FakeAwsGateway):
    """An AWS that shows the agreed lock and does not mind who names nobody."""

    def assume(self, hub: HubIdentity, request: AssumeRequest) -> SessionCredentials:
        named = dataclasses.replace(
            request, source_identity=TARGET.names.source_identity, tags=TARGET.names.tags
        )
        return super().assume(hub, named)


def test_the_reading_of_the_lock_is_not_believed_alone() -> None:
    door = _Overlooks(HUB, now=lambda: NOW)
    door.make_role(TARGET.role_arn, AGREED_NAMED)
    entered = enter(door, TARGET_NAMED)
    assert isinstance(entered, Entered)
    result = examine(door, TARGET_NAMED, entered)
    assert (result.verdict, result.findings["without_names"]) == (Verdict.UNSAFE, "opened")
    assert result.checks["lock"] == "fail"
    assert result.reason == "The role opens for sessions that name nobody."


def test_a_control_role_that_may_not_name_proves_nothing() -> None:
    door = FakeAwsGateway(HUB, now=lambda: NOW)
    door.make_role(TARGET.role_arn, AGREED_NAMED)
    door.nameless.add(HUB.control_role_arn)
    entered = enter(door, TARGET_NAMED)
    assert isinstance(entered, Entered)
    result = examine(door, TARGET_NAMED, entered)
    assert (result.verdict, result.findings["unknown"]) == (Verdict.UNKNOWN, "ours")
    assert "sts:SetSourceIdentity" in result.reason
    assert verdict_of(agreed_trust("that wants no names"), "that wants no names").verdict is Verdict.OK


@pytest.mark.parametrize("lock", ["wants names", "wants none"])
def test_a_role_is_not_gone_while_it_opens_in_either_way(lock: str) -> None:
    door = FakeAwsGateway(HUB, now=lambda: NOW)
    role = door.make_role(TARGET.role_arn, AGREED_NAMED)
    if lock == "wants none":
        role.trust_document = {**AGREED.trust_document, "Statement": AGREED.trust_document["Statement"][:1]}
    assert is_refused(door, TARGET_NAMED) is False
    assert is_refused(door, TARGET) is False
    door.remove_role(TARGET.role_arn)
    assert is_refused(door, TARGET_NAMED) is True
