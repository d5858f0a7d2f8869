"""What the record is told of an engagement."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Model

from engagements.lifecycle import EngagementEvent
from engagements.models import Engagement
from portal.kernel import audit
from portal.kernel.actor import Actor


def engagement_record_within(
    kind: EngagementEvent,
    subject: Model,
    engagement: Engagement,
    actor: Actor,
    details: Mapping[str, str | int | None],
) -> None:
    """One event under the engagement's history, in the caller's transaction; its client's people may read it."""
    audit.record(
        kind,
        subject=subject,
        actor=actor,
        about_id=engagement.pk,
        client_id=engagement.client_id,
        details=details,
    )
