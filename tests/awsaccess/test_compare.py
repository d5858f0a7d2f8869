"""What was agreed against what is there: nothing that opens wider passes as equal, and no mere spelling as a change."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import fnmatch
import itertools
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awsaccess.aws.gateway import RoleFacts
from awsaccess.policy import documents
from awsaccess.policy.compare import Difference, any_wider, differences, trust_opens_wider
from awsaccess.provision.access_stack import AccessGrantSpec, ExpectedRole, expected_role

ID = "2f1c7d0e-6f0b-4a52-9a3e-8d1f0c5b7e44"
OTHER_ID = "77777777-6f0b-4a52-9a3e-8d1f0c5b7e44"
HUB = "arn:aws:iam::111111111111:role/latchkey-hub"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
AGREED = expected_role(
    AccessGrantSpec(
        practice_name="Northgate Cloud",
        client_name="Brightwater Dental",
        engagement_code="7qk2m4xw9p",
        hub_account_id="111111111111",
        hub_role_arn=HUB,
        external_id=ID,
        expires_at=dt.datetime(2026, 12, 18, 18, tzinfo=dt.UTC),
        managed_policy_arns=(READ_ONLY,),
        statements=({"Effect": "Allow", "Action": ["s3:Get*", "ec2:Start*"], "Resource": "*"},),
        look_only=True,
    ),
    "441709265583",
)
Json = Any  # Any: IAM's JSON nests as it likes


def facts(**changes: Any) -> RoleFacts:  # Any: fields of many types
    there = RoleFacts(
        role_id="AROAEXAMPLEEXAMPLE",
        trust_document=copy.deepcopy(AGREED.trust_document),
        inline_documents=copy.deepcopy(AGREED.inline_documents),
        attached_policy_arns=AGREED.attached_policy_arns,
        permissions_boundary=None,
        max_session_duration=3600,
        tags=dict(AGREED.tags),
    )
    return dataclasses.replace(there, **changes)


def inline(*statements: documents.Statement, name: str = "p") -> dict[str, Json]:
    return {name: documents.document(*statements)}


def compared(wanted: dict[str, Json], found: dict[str, Json]) -> tuple[Difference, ...]:
    agreed = dataclasses.replace(AGREED, inline_documents=wanted)
    return differences(agreed, facts(inline_documents=found))


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Json) -> documents.Statement:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str | list[str], resource: str | list[str] = "*", **more: Json) -> documents.Statement:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def when(operator: str, key: str, *values: str) -> dict[str, Json]:
    return {"Condition": {operator: {key: list(values)}}}


def test_what_was_agreed_differs_in_nothing() -> None:
    assert differences(AGREED, facts()) == ()


def test_spelling_is_no_difference() -> None:
    there = facts()
    assume, name = there.trust_document["Statement"]
    assume["Principal"] = {"AWS": ["111111111111"]}
    assume["Action"] = ["STS:assumerole"]
    assume["Condition"] = {
        "StringLike": {"sts:externalid": [ID]},
        "ArnLike": {"aws:principalArn": HUB},
        "DateLessThan": {"aws:CurrentTime": "1797616800"},
    }
    there.trust_document["Statement"] = [
        {**name, "Action": "sts:TagSession"},
        assume,
        {**name, "Action": "sts:SetSourceIdentity", "Sid": "Other"},
    ]
    whole = there.inline_documents.pop("latchkey-access")["Statement"]
    for number, statement in enumerate(reversed(whole)):
        there.inline_documents[f"split-{number}"] = {"Version": "2012-10-17", "Statement": statement}
    assert differences(AGREED, there) == ()


def test_one_statement_needs_no_list() -> None:
    one = allow("s3:GetObject", ["arn:aws:s3:::a", "arn:aws:s3:::b"])
    two = (allow("s3:GetObject", "arn:aws:s3:::b"), allow("S3:getobject", "arn:aws:s3:::a"))
    assert compared({"p": {"Statement": one}}, inline(*two)) == ()
    assert compared(inline(*two), {"q": {"Statement": one}}) == ()


def trust(**condition: Json) -> Json:
    made = copy.deepcopy(AGREED.trust_document)
    for operator, test in condition.items():
        made["Statement"][0]["Condition"][operator] = test
    return made


def without(operator: str, statement: int = 0) -> Json:
    made = trust()
    del made["Statement"][statement]["Condition"][operator]
    return made


def also(statement: Json) -> Json:
    made = trust()
    made["Statement"].append(statement)
    return made


def by(principal: Json, *, instead_of: str = "Principal") -> Json:
    made = trust()
    del made["Statement"][0]["Principal"]
    made["Statement"][0][instead_of] = principal
    return made


def liked(value: str, operator: str = "StringLike") -> Json:
    made = without("StringEquals")
    made["Statement"][0]["Condition"][operator] = {"sts:ExternalId": value}
    return made


ROOT = {"AWS": "arn:aws:iam::111111111111:root"}


@pytest.mark.parametrize(
    "actual",
    [
        without("StringEquals"),
        without("ArnEquals"),
        without("DateLessThan"),
        without("ArnEquals", 1),
        liked("*"),
        liked(ID[:-1] + "?"),
        liked(ID, "StringEqualsIfExists"),
        liked("*", "StringLikeIfExists"),
        liked(ID, "ForAllValues:StringEquals"),
        trust(StringEquals={"sts:ExternalId": [ID, OTHER_ID]}),
        trust(StringEquals={"sts:ExternalId": OTHER_ID}),
        trust(ArnEquals={"aws:PrincipalArn": "arn:aws:iam::111111111111:role/*"}),
        trust(ArnEquals={"aws:PrincipalArn": "*"}),
        trust(DateLessThan={"aws:CurrentTime": "2027-12-18T18:00:00Z"}),
        by("*"),
        by({"AWS": "*"}),
        by({"AWS": [ROOT["AWS"], "arn:aws:iam::444455556666:root"]}),
        by({"AWS": "arn:aws:iam::111111111111:role/other"}),
        by({"Service": "lambda.amazonaws.com"}),
        by({"AWS": "111111111111"}, instead_of="NotPrincipal"),
        also({"Effect": "Allow", "Principal": ROOT, "Action": "sts:AssumeRole"}),
        also({"Effect": "Allow", "Principal": ROOT, "Action": "sts:*"}),
        also({"Effect": "Allow", "Principal": ROOT, "NotAction": "sts:TagSession"}),
        also(
            {
                "Effect": "Allow",
                "Principal": {"Federated": "accounts.google.com"},
                "Action": "sts:AssumeRoleWithWebIdentity",
            }
        ),
    ],
)
def test_a_trust_that_lets_in_more_is_wider(actual: Json) -> None:
    assert trust_opens_wider(AGREED.trust_document, actual) is True
    found = differences(AGREED, facts(trust_document=actual))
    assert {difference.what for difference in found} == {"trust"}
    assert any(difference.wider for difference in found)


@pytest.mark.parametrize(
    "actual",
    [
        trust(),
        trust(DateLessThan={"aws:CurrentTime": "2026-12-01"}),
        trust(DateLessThan={"aws:CurrentTime": "0"}),
        trust(IpAddress={"aws:SourceIp": "192.0.2.0/24"}),
        also({"Effect": "Deny", "Principal": "*", "Action": "sts:*"}),
        documents.document(trust()["Statement"][0]),
        documents.document(),
    ],
)
def test_a_trust_that_lets_in_less_is_not_wider(actual: Json) -> None:
    assert trust_opens_wider(AGREED.trust_document, actual) is False


@pytest.mark.parametrize(
    "actual",
    [
        trust(DateLessThan={"aws:CurrentTime": "whenever"}),
        trust(DateLessThan={"aws:CurrentTime": "9" * 30}),
        liked(OTHER_ID, "StringNotEquals"),
        liked(ID, "StringEqualsIgnoreCase"),
    ],
)
def test_what_cannot_be_told_is_not_called_safe(actual: Json) -> None:
    assert trust_opens_wider(AGREED.trust_document, actual) is None


def test_a_trust_is_told_in_words_without_external_ids() -> None:
    (found,) = differences(AGREED, facts(trust_document=trust(StringEquals={"sts:ExternalId": OTHER_ID})))
    assert found == Difference(
        what="trust",
        expected="Allow sts:AssumeRole to account 111111111111 if aws:currenttime is before 2026-12-18T18:00:00Z and "
        f"aws:principalarn is {HUB} and sts:externalid is the agreed one",
        actual="Allow sts:AssumeRole to account 111111111111 if aws:currenttime is before 2026-12-18T18:00:00Z and "
        f"aws:principalarn is {HUB} and sts:externalid is another one",
        wider=True,
    )


def test_a_loosened_external_id_is_told_without_its_pattern() -> None:
    (found,) = differences(AGREED, facts(trust_document=liked(ID[:8] + "*")))
    assert found.actual is not None
    assert "sts:externalid is like anything that fits a pattern" in found.actual
    assert ID[:8] not in str(found)


@pytest.mark.parametrize(
    ("wanted", "found", "expected", "actual", "wider"),
    [
        (allow("s3:GetObject"), allow("s3:*"), "Allow s3:GetObject on *", "Allow s3:* on *", True),
        (allow("s3:*"), allow("s3:GetObject"), "Allow s3:* on *", "Allow s3:GetObject on *", False),
        (allow("s3:Get*"), allow("ec2:Run*"), None, "Allow ec2:Run* on *", True),
        (
            allow("s3:GetObject", "arn:aws:s3:::a/*"),
            allow("s3:GetObject", ["arn:aws:s3:::a/*", "arn:aws:s3:::b/*"]),
            None,
            "Allow s3:GetObject on arn:aws:s3:::b/*",
            True,
        ),
        (
            allow("s3:GetObject", "*", **when("Bool", "aws:SecureTransport", "true")),
            allow("s3:GetObject"),
            "Allow s3:GetObject on * if aws:securetransport Bool true",
            "Allow s3:GetObject on *",
            True,
        ),
        (
            {"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "Resource": "*"},
            {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
            "Allow everything but iam:*, sts:* on *",
            "Allow everything but iam:* on *",
            None,
        ),
        (
            {"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::secret"},
            allow("s3:*"),
            "Allow s3:* on * but not on arn:aws:s3:::secret",
            "Allow s3:* on *",
            None,
        ),
        (
            allow("s3:*"),
            {"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::secret"},
            "Allow s3:* on *",
            "Allow s3:* on * but not on arn:aws:s3:::secret",
            False,
        ),
        (deny("s3:*"), deny("s3:Get*"), "Deny s3:* on *", "Deny s3:Get* on *", True),
        (
            deny("s3:*"),
            deny("s3:*", **when("StringLikeIfExists", "aws:username", "a")),
            "Deny s3:* on *",
            "Deny s3:* on * if aws:username StringLikeIfExists a",
            True,
        ),
    ],
)
def test_a_difference_says_both_sides(
    wanted: Json,
    found: Json,
    expected: str | None,
    actual: str | None,
    wider: bool | None,  # noqa: FBT001
) -> None:
    (told, *others) = compared(inline(allow("x:Y"), wanted), inline(allow("x:Y"), found))
    assert told == Difference(what="inline p", expected=expected, actual=actual, wider=wider)
    assert all(other.wider is False for other in others)


def test_taken_away_permissions_are_told_in_one_sentence() -> None:
    there = facts(inline_documents=inline())
    found = differences(AGREED, there)
    assert [difference.wider for difference in found if difference.expected and "Deny" in difference.expected]
    (allowed,) = [each for each in found if each.expected == "Allow ec2:Start*, s3:Get* on *"]
    assert allowed == Difference(
        what="inline latchkey-access",
        expected="Allow ec2:Start*, s3:Get* on *",
        actual=None,
        wider=False,
    )
    assert len(found) == 4  # two Allows, the end, and the guards without condition


@pytest.mark.parametrize("sid", ["SelfExpiry", "NoContents", "NoPassingOn"])
def test_a_missing_guard_is_wider(sid: str) -> None:
    there = facts()
    whole = there.inline_documents["latchkey-access"]
    whole["Statement"] = [statement for statement in whole["Statement"] if statement.get("Sid") != sid]
    (found,) = differences(AGREED, there)
    assert (found.actual, found.wider) == (None, True)


def test_a_later_end_of_live_sessions_is_wider_and_an_earlier_one_is_not() -> None:
    later, earlier = (
        deny("*", **when("DateGreaterThan", "aws:CurrentTime", day)) for day in ("2027-01-01", "2026-01-01")
    )
    assert any_wider(compared(inline(earlier), inline(later))) is True
    (found,) = compared(inline(later), inline(earlier))
    assert (found.wider, found.expected, found.actual) == (
        False,
        "Deny * on * if aws:currenttime is after 2027-01-01",
        "Deny * on * if aws:currenttime is after 2026-01-01",
    )


def test_revoked_sessions_are_the_clients_own_act() -> None:
    revoked = deny("*", **when("DateLessThan", "aws:TokenIssueTime", "2026-11-01T00:00:00Z"))
    there = facts()
    there.inline_documents.update(inline(revoked, name="AWSRevokeOlderSessions"))
    assert differences(AGREED, there) == ()
    there.inline_documents.update(inline(revoked, allow("iam:*"), name="AWSRevokeOlderSessions"))
    assert any_wider(differences(AGREED, there)) is True


def test_a_further_denial_is_told_and_not_wider() -> None:
    (found,) = compared(inline(allow("s3:*")), inline(allow("s3:*"), deny("ec2:*"), name="q"))
    assert found == Difference(what="inline q", expected=None, actual="Deny ec2:* on *", wider=False)


@pytest.mark.parametrize(
    ("arn", "wider"),
    [
        ("arn:aws:iam::aws:policy/AdministratorAccess", True),
        ("arn:aws:iam::aws:policy/job-function/Billing", True),
        ("arn:aws:iam::aws:policy/AWSDenyAll", False),
        ("arn:aws:iam::441709265583:policy/AWSDenyAll", None),
    ],
)
def test_attached_policies(arn: str, wider: bool | None) -> None:  # noqa: FBT001
    assert differences(AGREED, facts(attached_policy_arns=frozenset({arn, READ_ONLY}))) == (
        Difference(what="attached", expected=None, actual=arn, wider=wider),
    )
    assert differences(AGREED, facts(attached_policy_arns=frozenset())) == (
        Difference(what="attached", expected=READ_ONLY, actual=None, wider=False),
    )


def test_session_length_and_boundary() -> None:
    boundary = "arn:aws:iam::441709265583:policy/fence"
    assert differences(AGREED, facts(max_session_duration=7200, permissions_boundary=boundary)) == (
        Difference(what="max_session_duration", expected="3600 seconds", actual="7200 seconds", wider=True),
        Difference(what="permissions_boundary", expected=None, actual=boundary, wider=False),
    )
    longer = dataclasses.replace(AGREED, max_session_duration=7200)
    (found,) = differences(longer, facts())
    assert found.wider is False


def test_any_wider_puts_certainty_first() -> None:
    made = [Difference(what="x", expected=None, actual=None, wider=wider) for wider in (False, None, True)]
    assert any_wider(made) is True
    assert any_wider(made[:2]) is None
    assert any_wider(made[:1]) is False
    assert any_wider([]) is False


# An evaluator of its own, for the small world below: what does a policy really allow?
ACTIONS = ["s3:GetObject", "s3:PutObject", "s3:GetAcl", "ec2:RunInstances"]
RESOURCES = ["arn:aws:s3:::a/x", "arn:aws:s3:::a/y", "arn:aws:s3:::b"]
CONTEXTS: list[dict[str, str]] = [{}, {"aws:username": "m"}, {"aws:username": "mo"}, {"aws:username": "n"}]
REQUESTS = list(itertools.product(ACTIONS, RESOURCES, CONTEXTS))
GLOBS = st.sampled_from(
    ["*", "s3:*", "s3:Get*", "S3:GETOBJECT", "s3:?utObject", "ec2:RunInstances", "s3:Get???"]
)
PLACES = st.sampled_from(["*", "arn:aws:s3:::a/*", "arn:aws:s3:::?", "arn:aws:s3:::a/x", "arn:aws:s3:::b"])
NAMES = st.lists(st.sampled_from(["m", "mo", "n", "m*", "*", "?", "m?"]), min_size=1, max_size=2)
CONDITIONS = st.dictionaries(
    st.sampled_from(["StringEquals", "StringLike", "StringNotEquals", "StringLikeIfExists", "StringEqualsIfExists"]),
    st.builds(lambda names: {"aws:username": names}, NAMES), max_size=2,
)  # fmt: skip


def listed(values: st.SearchStrategy[str]) -> st.SearchStrategy[str | list[str]]:
    return values | st.lists(values, min_size=1, max_size=3)


SOME = st.one_of([
    st.fixed_dictionaries({name: st.sampled_from(["Allow", "Allow", "Deny"]) for name in ["Effect"]}
                          | {action: listed(GLOBS), resource: listed(PLACES)}, optional={"Condition": CONDITIONS})
    for action in ("Action", "NotAction") for resource in ("Resource", "NotResource")
])  # fmt: skip
POLICIES = st.lists(SOME, max_size=3).map(lambda statements: documents.document(*statements))


def matches(pattern: str, text: str) -> bool:
    return re.fullmatch(fnmatch.translate(pattern.replace("[", "[[]")), text) is not None


def holds(operator: str, names: list[str], have: str | None) -> bool:
    if have is None:
        return operator.endswith("IfExists") or operator == "StringNotEquals"
    if operator.startswith("StringNot"):
        return have not in names
    return (
        have in names if operator.startswith("StringEquals") else any(matches(name, have) for name in names)
    )


def applies(statement: documents.Statement, action: str, resource: str, context: dict[str, str]) -> bool:
    for part, text in (("Action", action.lower()), ("Resource", resource)):
        wanted = statement[part if part in statement else f"Not{part}"]
        patterns = wanted if isinstance(wanted, list) else [wanted]
        lower = [pattern.lower() if part == "Action" else pattern for pattern in patterns]
        if any(matches(pattern, text) for pattern in lower) is not (part in statement):
            return False
    tests = statement.get("Condition", {}).items()
    return all(holds(operator, test["aws:username"], context.get("aws:username")) for operator, test in tests)


def effects(document: Json, request: tuple[str, str, dict[str, str]]) -> set[str]:
    return {each["Effect"] for each in document["Statement"] if applies(each, *request)}


@settings(max_examples=600, deadline=None)
@given(POLICIES, POLICIES)
def test_what_is_not_called_wider_allows_nothing_more(wanted: Json, found: Json) -> None:
    told = compared({"p": wanted}, {"p": found})
    if any_wider(told) is not False:
        return
    for request in REQUESTS:
        assert (effects(found, request) == {"Allow"}) <= (effects(wanted, request) == {"Allow"})
        if not told:
            assert effects(found, request) == effects(wanted, request)


@settings(max_examples=300, deadline=None)
@given(POLICIES, st.randoms(use_true_random=False))
def test_order_and_splitting_are_no_difference(policy: Json, random: Any) -> None:  # Any: hypothesis's Random
    pieces = []
    for statement in policy["Statement"]:
        action = next(part for part in ("Action", "NotAction") if part in statement)
        values = statement[action] if isinstance(statement[action], list) else [statement[action]]
        parts = [[value] for value in values] if action == "Action" else [values]
        pieces += [{**statement, action: [value.upper() for value in part]} for part in parts]
    random.shuffle(pieces)
    split = {f"p{number}": {"Statement": piece} for number, piece in enumerate(pieces)}
    assert compared({"p": policy}, split) == ()


def test_long_documents_are_compared_in_seconds() -> None:
    wanted = inline(allow([f"s3:A{n}" for n in range(300)], [f"arn:aws:s3:::{n}" for n in range(100)]))
    found = inline(allow([f"s3:B{n}" for n in range(300)], [f"arn:aws:s3:::{n}" for n in range(100)]))
    more, less = compared(wanted, found)
    assert (more.wider, less.wider) == (True, False)


def test_facts_and_expectation_have_the_shapes() -> None:
    assert isinstance(AGREED, ExpectedRole)
    assert ID not in str(differences(AGREED, facts(trust_document=documents.document())))
