"""What a change of a role does: whether it opens more and whether it takes away, read off both roles and never believed."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from awsaccess.policy.compare import ExpectedShape, any_wider, differences

Document = Mapping[str, Any]  # Any: IAM's JSON nests as it likes


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """`wider` and `narrower`: True, False, or None where looking cannot tell. `changed`: anything differs at all."""

    changed: bool
    wider: bool | None
    narrower: bool | None

    @property
    def may_open_more(self) -> bool:
        """What cannot be told counts as opening more."""
        return self.wider is not False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A role that is to be, as if AWS had it."""

    trust_document: Document
    inline_documents: Mapping[str, Document]
    attached_policy_arns: AbstractSet[str]
    max_session_duration: int
    tags: Mapping[str, str]
    permissions_boundary: str | None = None


def effect_of(before: ExpectedShape, after: ExpectedShape) -> Effect:
    """From the one role to the other."""
    there, back = differences(before, _found(after)), differences(after, _found(before))
    return Effect(changed=bool(there), wider=any_wider(there), narrower=any_wider(back))


def _found(role: ExpectedShape) -> _Found:
    return _Found(
        trust_document=role.trust_document,
        inline_documents=role.inline_documents,
        attached_policy_arns=role.attached_policy_arns,
        max_session_duration=role.max_session_duration,
        tags=role.tags,
    )
