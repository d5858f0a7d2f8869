"""How long it takes until STS knows what IAM was told of a role: nothing, unless a test says otherwise.

On AWS a change holds everywhere after seconds, sometimes minutes, in either direction (AWS_FACTS §9). Here that goes for a role's
being there and for its trust policy: a new role does not open yet, a changed one opens as before, and a deleted one goes on
opening, with its sessions. What a role may do changes at once.
"""

from __future__ import annotations

import copy
import datetime as dt
from dataclasses import dataclass
from typing import Any

from awsaccess.sandbox import clock

Moto = Any  # moto's roles


@dataclass(frozen=True, slots=True, kw_only=True)
class _Before:
    """What STS still sees of a role, None for no role, until when."""

    role: Moto | None
    until: dt.datetime


class Propagation:
    """`delay` is what changes from now on take; what is under way already takes what it took."""

    def __init__(self) -> None:
        self.delay = dt.timedelta()
        self._before: dict[str, list[_Before]] = {}

    def clear(self) -> None:
        """Everything holds everywhere, and at once from now on."""
        self.delay = dt.timedelta()
        self._before.clear()

    def changed(self, arn: str, before: Moto | None) -> None:
        """IAM was told something of this role; `before` is a copy of what it was, None for a new one."""
        if self.delay:
            kept = _Before(role=before, until=clock.now() + self.delay)
            self._before.setdefault(arn, []).append(kept)

    def seen(self, arn: str, there: Moto | None) -> Moto | None:
        """What STS knows by now of a role that is `there`: the oldest change that does not hold yet hides those after it."""
        now = clock.now()
        return next((kept.role for kept in self._before.get(arn, ()) if now < kept.until), there)


PROPAGATION = Propagation()


def as_it_is(role: Moto) -> Moto:
    """A copy that keeps trust policy and pinned ids; its policies stay those of the role."""
    kept = copy.copy(role)
    kept.pinned_ids = dict(getattr(role, "pinned_ids", {}))
    return kept
