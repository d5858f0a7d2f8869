"""Policies explained: AWS's full/limited rule, classes of risk, and sentences that are said only if they are proved."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from awsaccess.policy import catalogue, documents, limits
from awsaccess.policy.catalogue import Level
from awsaccess.policy.explain import Explanation, explain
from awsaccess.policy.limits import PROMISES
from awsaccess.policy.plain import LANGUAGES, cannot_sentence, plain
from awsaccess.policy.reach import reach_of
from awsaccess.policy.risks import LISTS, PASSED_TO, RiskKind
from awsaccess.sandbox.guard.language import Question, evaluate
from tests.awsaccess.policy.conftest import ManagedPolicies

TEXTS: Final = Path(__file__).parent / "texts"
REVIEWED: Final = sorted(path.name.removesuffix(".txt") for path in TEXTS.glob("*.txt"))
Statement = dict[str, Any]


def allow(*actions: str, **more: Any) -> Statement:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}


def deny(*actions: str, **more: Any) -> Statement:
    return {**allow(*actions, **more), "Effect": "Deny", "Sid": "Lock"}


def explained(*statements: Statement) -> Explanation:
    return explain(documents.document(*statements))


def as_aws_says(*statements: Statement) -> dict[str, str]:
    return {each.prefix: each.as_aws_says for each in explained(*statements).services}


def promised(*statements: Statement) -> dict[str, bool]:
    """Key -> whether a Deny keeps it."""
    return {each.key: each.locked for each in explained(*statements).cannot}


def kinds(*statements: Statement) -> set[RiskKind]:
    return {risk.kind for risk in explained(*statements).risks}


# ---------------------------------------------------------------- all of AWS's own policies


def test_every_managed_policy_is_explained(managed: ManagedPolicies) -> None:
    assert len(managed) > 1400
    for name, document in managed.items():
        found = explain(document)
        for language in LANGUAGES:
            told = plain(found, language)
            assert told.headline, name
            assert len(told.services) == len(found.services), name
            assert "{" not in told.text, name


def test_the_same_policy_gives_the_same_words_in_every_process(managed: ManagedPolicies) -> None:
    script = (
        "import hashlib, json, sys\n"
        "from awsaccess.policy.explain import explain\n"
        "from awsaccess.policy.plain import plain\n"
        "texts = [plain(explain(each)).text for each in json.load(sys.stdin)]\n"
        "print(hashlib.sha256('\\0'.join(texts).encode()).hexdigest())\n"
    )
    every = json.dumps([managed[name] for name in sorted(managed)])
    path = os.pathsep.join(sys.path)
    hashes = {
        subprocess.run(
            [sys.executable, "-c", script],
            input=every,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(hashes) == 1


@pytest.mark.parametrize("name", REVIEWED)
def test_reviewed_texts_stay_as_they_were_reviewed(name: str, managed: ManagedPolicies) -> None:
    policy, _, language = name.rpartition(".")
    expected = (TEXTS / f"{name}.txt").read_text(encoding="utf-8")
    assert plain(explain(managed[policy]), language).text + "\n" == expected


def test_at_least_twenty_policies_are_reviewed() -> None:
    assert len({name.rpartition(".")[0] for name in REVIEWED}) >= 20


def test_nothing_that_a_managed_policy_is_said_not_to_do_is_allowed_by_it(managed: ManagedPolicies) -> None:
    """Judged by another reader of policies than the one that said it: the simulated AWS's."""
    short = [name for name in sorted(managed) if len(json.dumps(managed[name])) < 1500]
    for name in short[::15]:
        document = managed[name]
        for each in explain(document).cannot:
            if each.key == "change":
                continue  # 12,000 actions: the shipped profiles are held to it
            for action in limits.actions_behind(each.key):
                question = Question(action=action, resource="*", context={})
                assert evaluate([document], question) != "allow", (name, each.key, action)


# ---------------------------------------------------------------- AWS's summary


def test_all_of_a_service_is_full_access() -> None:
    assert as_aws_says(allow("sqs:*")) == {"sqs": "Full access"}


def test_all_of_a_level_is_full_and_a_part_is_limited() -> None:
    service = catalogue.service("cloudtrail")
    assert service is not None
    lists = [f"cloudtrail:{name}" for name in service.by_level[Level.LIST]]
    assert as_aws_says(allow(*lists, "cloudtrail:LookupEvents", "cloudtrail:StopLogging")) == {
        "cloudtrail": "Full: List. Limited: Read, Write"
    }


def test_an_unknown_service_has_no_summary() -> None:
    found = explained(allow("nothing:List", "s3:ListBucket"))
    assert [each.prefix for each in found.services] == ["s3"]
    assert found.unknown == ("nothing:List",)


def test_what_is_denied_for_good_is_not_counted() -> None:
    assert as_aws_says(allow("sqs:*"), deny("sqs:*")) == {}
    assert as_aws_says(allow("sqs:ListQueues", "sqs:SendMessage"), deny("sqs:Send*")) == {
        "sqs": "Limited: Read"
    }


@pytest.mark.parametrize(
    "more",
    [
        {"Condition": {"Bool": {"aws:ViaAWSService": "false"}}},
        {"Resource": "arn:aws:sqs:*:*:mine"},
    ],
)
def test_what_is_denied_only_sometimes_still_counts(more: dict[str, Any]) -> None:
    assert as_aws_says(allow("sqs:*"), deny("sqs:*", **more)) == {"sqs": "Full access"}


def test_all_but_some_is_everything_else() -> None:
    found = explained({"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "Resource": "*"})
    assert len(found.services) == len(catalogue.services()) - 2
    assert RiskKind.CHANGES in {risk.kind for risk in found.risks}


def test_one_statement_without_its_list_is_read_as_well() -> None:
    document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    assert explain(document).is_everything


def test_named_things_and_conditions_are_told() -> None:
    named = explained(allow("s3:GetBucketAcl", Resource="arn:aws:s3:::mine")).services[0]
    terms = explained(allow("s3:GetBucketAcl", Condition={"Bool": {"aws:SecureTransport": "true"}})).services[
        0
    ]
    assert (named.on_named, named.on_condition) == (True, False)
    assert (terms.on_named, terms.on_condition) == (False, True)


# ---------------------------------------------------------------- risks


@pytest.mark.parametrize(
    ("actions", "kind"),
    [
        (("s3:GetObject",), RiskKind.READS_DATA),
        (("ec2:CreateTags",), RiskKind.CHANGES),
        (("s3:PutBucketPolicy",), RiskKind.EXPOSES),
        (("sts:AssumeRole",), RiskKind.CREDENTIALS),
        (("iam:PutRolePolicy",), RiskKind.ESCALATES),
        (("iam:PassRole", "lambda:CreateFunction"), RiskKind.ESCALATES),
    ],
)
def test_each_class_of_risk_is_seen(actions: tuple[str, ...], kind: RiskKind) -> None:
    assert kind in kinds(allow(*actions))


@pytest.mark.parametrize("alone", ["iam:PassRole", "lambda:CreateFunction", "ec2:RunInstances"])
def test_a_role_is_passed_only_where_something_takes_it(alone: str) -> None:
    assert RiskKind.ESCALATES not in kinds(allow(alone))


def test_looking_is_no_risk() -> None:
    assert kinds(allow("ec2:Describe*", "iam:List*", "ce:Get*")) == set()


def test_every_listed_action_is_one_that_aws_has() -> None:
    listed = [*PASSED_TO, *(each for names in LISTS.values() for each in names)]
    listed += [each for promise in PROMISES for each in promise.patterns if each != limits.ANY_CHANGE]
    assert [each for each in listed if not catalogue.matching(each)] == []


# ---------------------------------------------------------------- what it can not do


def test_absence_is_said_to_be_absence_and_a_lock_a_lock() -> None:
    assert promised(allow("ec2:DescribeInstances"))["contents"] is False
    locked = promised(allow("s3:*"), documents.deny_sensitive_data_statement() | {"Sid": "Lock"})
    assert locked["contents"] is True


@pytest.mark.parametrize(
    ("opening", "lost"),
    [
        ("s3:GetObject", "contents"),
        ("s3:PutObject", "change"),
        ("nothing:Unknown", "change"),
        ("iam:CreateUser", "pass_on"),
        ("*", "pass_on"),
    ],
)
def test_one_action_is_enough_to_lose_a_promise(opening: str, lost: str) -> None:
    assert lost in promised(allow("ec2:DescribeInstances"))
    assert lost not in promised(allow("ec2:DescribeInstances", opening))


def test_a_lost_promise_leaves_the_narrower_ones() -> None:
    assert {"secrets", "log_in"} <= promised(allow("s3:GetObject")).keys()
    assert {"delete", "public", "records", "money"} <= promised(allow("ec2:CreateTags")).keys()


def test_of_who_can_raise_their_rights_only_locks_are_promised() -> None:
    assert promised(allow("lambda:UpdateFunctionCode")) == {}
    guard = documents.deny_passing_on_statement()
    assert promised(allow("lambda:UpdateFunctionCode"), guard) == {"pass_on": True}


def test_a_time_limit_locks_nothing_yet() -> None:
    ends = {"Condition": {"DateGreaterThan": {"aws:CurrentTime": "2026-03-31T23:59:59Z"}}}
    assert "contents" not in promised(allow("s3:GetObject"), deny("*", **ends))


def test_several_policies_of_a_role_are_read_together() -> None:
    one, other = documents.document(allow("s3:*")), documents.document(deny("s3:*"))
    assert explain(one, other).services == ()
    assert reach_of([one, other]).refused_by({"s3": frozenset({"getobject"})}) == ("Lock",)


# ---------------------------------------------------------------- words


def test_every_language_has_every_phrase_with_the_same_names() -> None:
    import string
    import tomllib

    folder = Path(catalogue.__file__).parent / "words"
    texts = [tomllib.loads((folder / f"{language}.toml").read_text("utf-8")) for language in LANGUAGES]

    def names(words: dict[str, dict[str, str]]) -> dict[tuple[str, str], set[str | None]]:
        return {
            (section, key): {name for _, name, _, _ in string.Formatter().parse(phrase)} - {None}
            for section, phrases in words.items()
            for key, phrase in phrases.items()
        }

    assert all(names(words) == names(texts[0]) for words in texts)
    assert {key for section, key in names(texts[0]) if section == "cannot"} == {each.key for each in PROMISES}


def test_a_language_without_words_is_answered_in_english() -> None:
    found = explained(allow("ec2:DescribeInstances"))
    assert plain(found, "fr") == plain(found, "en") != plain(found, "de")
    assert cannot_sentence("change", "fr") == cannot_sentence("change")


def test_what_is_not_known_is_never_called_harmless() -> None:
    told = plain(explained(allow("nothing:Delete", "ec2:DescribeInstances")))
    assert "not known" in told.headline
    assert told.unknown == "Not known to us: nothing:Delete."
    assert "don’t know" in plain(explained(allow("nothing:Delete"))).headline
    assert plain(explained(deny("s3:*"))).headline == "This opens nothing."
