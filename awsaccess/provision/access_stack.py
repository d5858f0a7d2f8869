"""The stack that makes one access role in a client's account: rendered per engagement, nothing to fill in.

A structure is built and serialised; no text is ever pasted into the template (SECURITY §8).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from awsaccess.policy.documents import Document, Statement


class BadGrant(ValueError):
    """Raised instead of rendering a template that AWS would refuse or that could open wider than agreed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessGrantSpec:
    """All that the access stack depends on.

    `managed_policy_arns` are AWS's own, written with `arn:aws:`; `statements` are plain IAM JSON without intrinsics.
    """

    practice_name: str
    client_name: str
    engagement_code: str
    role_name: str
    hub_account_id: str
    hub_role_arn: str
    external_id: str = field(repr=False)
    expires_at: dt.datetime
    managed_policy_arns: tuple[str, ...] = ()
    statements: tuple[Statement, ...] = ()
    look_only: bool
    max_session_seconds: int = 3600
    partition: str = "aws"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedRole:
    """What `inspect_role` must find after deployment, all intrinsics resolved. Duration in seconds."""

    trust_document: Document
    inline_documents: dict[str, Document]
    attached_policy_arns: frozenset[str]
    max_session_duration: int
