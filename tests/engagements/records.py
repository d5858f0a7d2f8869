"""What a practice holds, read whole, so that a refusal can be seen to have left it as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.db.models import Model

from engagements.lifecycle import EngagementEvent
from engagements.models import Assignment, Consent, Engagement, Offer
from portal.kernel import tenancy
from portal.kernel.errors import PortalError
from portal.kernel.models import AuditBody, AuditEvent, AuditHead, Due, OutboxMessage
from tests.factories import Firm

Rows = list[dict[str, Any]]  # Any: whatever the columns hold
TABLES: tuple[type[Model], ...] = (
    Engagement,
    Assignment,
    Offer,
    Consent,
    OutboxMessage,
    Due,
    AuditEvent,
    AuditHead,
)
REFUSALS = (EngagementEvent.CONSENT_REFUSED, EngagementEvent.MOVE_REFUSED)


def everything(firm: Firm) -> dict[str, Rows]:
    """Every row of the paper side, of promises, plans and the record."""
    with tenancy.use(firm.practice_side):
        return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in TABLES}


@contextmanager
def refused(firm: Firm, error: type[Exception]) -> Iterator[None]:
    """The block raises this error and leaves no trace but, where the act is a sensitive one, the refusal in the record.

    Enter it outside the scope of whoever is refused.
    """
    before = everything(firm)
    with pytest.raises(error) as caught:
        yield
    assert without_refusal(everything(firm), before) == before
    if isinstance(caught.value, PortalError):
        assert caught.value.user_message


def without_refusal(after: dict[str, Rows], before: dict[str, Rows]) -> dict[str, Rows]:
    """What there is, less one refusal at the end of the record, if that is what came."""
    grown = after["AuditEvent"][len(before["AuditEvent"]) :]
    if [row["kind"] for row in grown] not in [[kind] for kind in REFUSALS]:
        return after
    kept = after["AuditEvent"][: -len(grown)]
    return {**after, "AuditEvent": kept, "AuditHead": before["AuditHead"]}


def promises(firm: Firm, *, kind: str = "") -> set[tuple[str, UUID, str, UUID | None]]:
    """What was promised: kind, object, key and client."""
    with tenancy.use(firm.practice_side):
        rows = OutboxMessage.objects.filter(kind__startswith=kind)
        found = list(rows.values_list("kind", "object_id", "dedupe_key", "client_id"))
    assert len(found) == len(set(found))
    return set(found)


def moves(firm: Firm, engagement: Engagement) -> list[tuple[str, str, str]]:
    """The recorded moves of an engagement in order: actor, from, to."""
    with tenancy.use(firm.practice_side):
        bodies = AuditBody.objects.filter(
            event__about_id=engagement.pk, event__kind="engagement:engagement:moved"
        )
        rows = list(bodies.order_by("event__seq").values_list("event__actor", "text"))
    told = [(actor, json.loads(text)["details"]) for actor, text in rows]
    return [(actor, details["from"], details["to"]) for actor, details in told]


def kinds(firm: Firm, engagement: Engagement) -> list[str]:
    """What the record tells of an engagement, in order."""
    with tenancy.use(firm.practice_side):
        events = AuditEvent.objects.filter(about_id=engagement.pk).order_by("seq")
        return list(events.values_list("kind", flat=True))


def as_stored(firm: Firm, engagement: Engagement) -> Engagement:
    """The row as it is now."""
    with tenancy.use(firm.practice_side):
        return Engagement.objects.get(pk=engagement.pk)
