"""Condition keys: which exist, for all services and for one. A misspelled key with a negated operator opens wide."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import cache
from typing import Final

from awsaccess.policy import catalogue

# AWS's global keys; the service data has those of single services only.
GLOBAL: Final = (
    "aws:AssumedRoot",
    "aws:CalledVia",
    "aws:CalledViaFirst",
    "aws:CalledViaLast",
    "aws:ChatbotSourceArn",
    "aws:CurrentTime",
    "aws:Ec2InstanceSourcePrivateIPv4",
    "aws:Ec2InstanceSourceVpc",
    "aws:EpochTime",
    "aws:FederatedProvider",
    "aws:MultiFactorAuthAge",
    "aws:MultiFactorAuthPresent",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgMasterAccountId",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalServiceName",
    "aws:PrincipalServiceNamesList",
    "aws:PrincipalType",
    "aws:RequestedRegion",
    "aws:ResourceAccount",
    "aws:ResourceOrgID",
    "aws:ResourceOrgPaths",
    "aws:SecureTransport",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceIdentity",
    "aws:SourceIp",
    "aws:SourceOrgID",
    "aws:SourceOrgPaths",
    "aws:SourceVpc",
    "aws:SourceVpcArn",
    "aws:SourceVpce",
    "aws:TagKeys",
    "aws:TokenIssueTime",
    "aws:UserAgent",
    "aws:ViaAWSService",
    "aws:VpceAccount",
    "aws:VpceOrgID",
    "aws:VpceOrgPaths",
    "aws:VpcSourceIp",
    "aws:referer",
    "aws:userid",
    "aws:username",
)
WITH_A_NAME: Final = ("aws:principaltag/", "aws:requesttag/", "aws:resourcetag/")
VARIABLE: Final = re.compile(r"\$\{[^}]*\}|<[^>]*>")


def is_known(key: str) -> bool:
    """Whether a condition key exists, in whatever case."""
    lowered = key.lower()
    if lowered.startswith("aws:"):
        return lowered in _global() or any(
            lowered.startswith(name) and lowered != name for name in WITH_A_NAME
        )
    return any(pattern.fullmatch(lowered) for pattern in _of_service(lowered.partition(":")[0]))


def nearest(key: str) -> str | None:
    """The known key that is spelled most like this one, or None."""
    prefix = key.lower().partition(":")[0]
    known = GLOBAL if prefix == "aws" else catalogue.condition_keys(prefix)
    return _closest(key, known)


def _closest(key: str, known: Iterable[str]) -> str | None:
    by_lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(key.lower(), by_lower, n=1, cutoff=0.7)
    return by_lower[found[0]] if found else None


@cache
def _global() -> frozenset[str]:
    return frozenset(key.lower() for key in GLOBAL)


@cache
def _of_service(prefix: str) -> tuple[re.Pattern[str], ...]:
    """`s3:RequestObjectTag/${TagKey}` stands for any name of a tag."""
    keys = (VARIABLE.sub("\x00", key.lower()) for key in catalogue.condition_keys(prefix))
    return tuple(re.compile(re.escape(key).replace("\x00", ".+")) for key in keys)
