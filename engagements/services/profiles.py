"""A practice's own profiles are written only after they were judged (`awsaccess.services.profiles`)."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction

from accounts.models import Practice
from engagements.lifecycle import EngagementEvent
from engagements.models import PracticeProfile
from portal.kernel import audit, clock, tenancy
from portal.kernel.actor import Actor
from portal.kernel.errors import Stale

LETTERS: Final = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedProfile:
    """What is saved of a profile once nothing is wrong with it. The JSON of `PracticeProfile`."""

    title: str
    kind: str
    summary: str
    lines: list[dict[str, Any]]
    limits: list[dict[str, str]]
    guards: list[dict[str, Any]]
    warnings: list[str]

    def fields(self) -> dict[str, Any]:
        """By the names of the columns."""
        return {name: getattr(self, name) for name in self.__slots__}


def practice_profile_add_within(
    *, practice: Practice, judged: JudgedProfile, actor: Actor
) -> PracticeProfile:
    """A new profile with a code of its own, in the caller's transaction."""
    tenancy.require_transaction("a profile")
    code = "own-" + "".join(secrets.choice(LETTERS) for _ in range(10))
    row = PracticeProfile.objects.create(
        practice=practice, code=code, saved_at=clock.now(), **judged.fields()
    )
    _record(EngagementEvent.PROFILE_SAVED, row, actor)
    return row


def practice_profile_change_within(
    *, row: PracticeProfile, judged: JudgedProfile, actor: Actor
) -> PracticeProfile:
    """Save over what was read as `row`, in the caller's transaction. Raises Stale if somebody was faster."""
    tenancy.require_transaction("a profile")
    rows = PracticeProfile.objects.filter(pk=row.pk, number=row.number, retired_at=None)
    if rows.update(number=row.number + 1, saved_at=clock.now(), **judged.fields()) != 1:
        raise Stale
    row.refresh_from_db()
    _record(EngagementEvent.PROFILE_SAVED, row, actor)
    return row


@transaction.atomic(durable=True)
def practice_profile_retire(*, row: PracticeProfile, actor: Actor) -> None:
    """Offer it no more. What was sent keeps its own copy. Raises Stale if somebody was faster."""
    rows = PracticeProfile.objects.filter(pk=row.pk, number=row.number, retired_at=None)
    if rows.update(retired_at=clock.now()) != 1:
        raise Stale
    _record(EngagementEvent.PROFILE_RETIRED, row, actor)


def _record(kind: EngagementEvent, row: PracticeProfile, actor: Actor) -> None:
    audit.record(
        kind,
        subject=row,
        actor=actor,
        details={"code": row.code, "title": row.title, "number": row.number},
    )
