"""Whatever somebody does to a good trust policy: if it lets in anybody else, the check says `unsafe`."""

from __future__ import annotations

import copy
import datetime as dt
import itertools
import os
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from awsaccess.aws.fake import FakeAwsGateway
from awsaccess.aws.gateway import HubIdentity
from awsaccess.aws.judging import Question, allows, principals_of
from awsaccess.lifecycle import Verdict
from awsaccess.probes import Entered, Result, Target, enter, examine
from awsaccess.provision.access_stack import AccessGrantSpec, expected_role

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
AGREED: Final = expected_role(
    AccessGrantSpec(
        practice_name="Northgate Cloud",
        client_name="Brightwater Dental",
        engagement_code="7qk2m4xw9p",
        hub_account_id=OURS,
        hub_role_arn=HUB.role_arn,
        external_id=ID,
        expires_at=END,
        statements=({"Effect": "Allow", "Action": ["s3:ListAllMyBuckets"], "Resource": "*"},),
        look_only=True,
    ),
    CLIENT,
)
TARGET: Final = Target(
    hub=HUB,
    account_id=CLIENT,
    role_name="latchkey-7qk2m4xw9p",
    role_arn=f"arn:aws:iam::{CLIENT}:role/latchkey-7qk2m4xw9p",
    external_id=ID,
    expected=AGREED,
    session_name="latchkey-check",
)
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
ACTIONS: Final = ("sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity")


def admits(document: Json) -> set[tuple[str, str, str | None, dt.datetime]]:
    """Who comes in, by which action, with which external ID, when."""
    found = set()
    for (caller, account), action, said, moment in itertools.product(CALLERS, ACTIONS, IDS, MOMENTS):
        context = {
            "aws:principalarn": caller,
            "aws:principalaccount": account,
            "aws:currenttime": moment.isoformat(),
            "sts:rolesessionname": "somebody",
        }
        if said is not None and action == "sts:AssumeRole":
            context["sts:externalid"] = said
        question = Question(action=action, principals=principals_of(caller, account), context=context)
        if allows([document], question):
            found.add((caller, action, said, moment))
    return found


GOOD: Final = admits(AGREED.trust_document)


def verdict_of(document: Json) -> Result:
    door = FakeAwsGateway(HUB, now=lambda: NOW)
    role = door.make_role(TARGET.role_arn, AGREED)
    role.trust_document = document
    entered = enter(door, TARGET)
    return examine(door, TARGET, entered) if isinstance(entered, Entered) else entered


def test_the_good_policy_admits_the_hub_with_its_id_until_the_end_and_nobody_else() -> None:
    assert {(HUB.role_arn, "sts:AssumeRole", ID, NOW)} == GOOD
    assert verdict_of(copy.deepcopy(AGREED.trust_document)).verdict is Verdict.OK


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
    st.sampled_from(("StringEquals", "ArnEquals", "DateLessThan")).map(_of_first(_drop)),
    ANY_CONDITION.map(_of_first(_put)),
    st.sampled_from(PRINCIPALS).map(_of_first(_set("Principal"))),
    st.sampled_from(DONE).map(_of_first(_set("Action"))),
    STATEMENTS.map(lambda statement: lambda document: document["Statement"].append(statement)),
    STATEMENTS.map(lambda statement: lambda document: document["Statement"].__setitem__(1, statement)),
    st.just(lambda document: document["Statement"][1].__setitem__("Action", "sts:*")),
)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes=st.lists(MUTATIONS, min_size=1, max_size=3))
def test_every_change_that_admits_anybody_else_is_unsafe(changes: list[Mutation]) -> None:
    document = copy.deepcopy(AGREED.trust_document)
    for change in changes:
        change(document)
    admitted = admits(document)
    result = verdict_of(document)
    if (HUB.role_arn, "sts:AssumeRole", ID, NOW) not in admitted:
        assert result.verdict is Verdict.DENIED
    elif admitted - GOOD:
        assert result.verdict is Verdict.UNSAFE, (document, admitted - GOOD)
    else:
        assert result.verdict in {Verdict.OK, Verdict.DRIFTED, Verdict.UNSAFE}
    if result.verdict is Verdict.OK:
        assert admitted == GOOD


@pytest.mark.parametrize("name", ["without_id", "with_wrong_id", "as_another"])
def test_each_probe_finds_what_it_is_for(name: str) -> None:
    """Each is needed: the very change it was made for is the one that its finding tells."""
    document = copy.deepcopy(AGREED.trust_document)
    first = document["Statement"][0]["Condition"]
    match name:
        case "without_id":
            first["StringEqualsIfExists"] = first.pop("StringEquals")
        case "with_wrong_id":
            first["StringLike"] = {"sts:ExternalId": "*"}
            del first["StringEquals"]
        case _:
            first["ArnLike"] = {"aws:PrincipalArn": f"arn:aws:iam::{OURS}:role/*"}
            del first["ArnEquals"]
    result = verdict_of(document)
    assert (result.verdict, result.findings[name]) == (Verdict.UNSAFE, "opened")
