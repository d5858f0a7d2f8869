"""What was agreed against what AWS has now, action by action. Order, case of actions and splitting do not matter."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Protocol

Document = Mapping[str, Any]  # Any: IAM's JSON nests as it likes


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as agreed, in words for both sides.

    `what` is `trust`, `inline <policy name>`, `attached`, `max_session_duration` or `permissions_boundary`. `expected`
    and `actual` are None where there is nothing. `wider`: True opens more than was agreed, False does not, None cannot
    be told by looking.
    """

    what: str
    expected: str | None
    actual: str | None
    wider: bool | None


class ExpectedShape(Protocol):
    """What was agreed: `awsaccess.provision.access_stack.ExpectedRole`."""

    @property
    def trust_document(self) -> Document: ...
    @property
    def inline_documents(self) -> Mapping[str, Document]: ...
    @property
    def attached_policy_arns(self) -> AbstractSet[str]: ...
    @property
    def max_session_duration(self) -> int: ...


class ActualShape(ExpectedShape, Protocol):
    """What AWS has: `awsaccess.aws.gateway.RoleFacts`."""

    @property
    def permissions_boundary(self) -> str | None: ...
