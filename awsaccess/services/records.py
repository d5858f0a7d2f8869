"""What the record is told of an access."""

from __future__ import annotations

from collections.abc import Mapping

from awsaccess.lifecycle import AccessEvent
from awsaccess.models import Grant
from portal.kernel import audit
from portal.kernel.actor import Actor


def grant_record_within(kind: AccessEvent, grant: Grant, actor: Actor, details: Mapping[str, str]) -> None:
    """One event under its engagement's history, in the caller's transaction; its client's people may read it."""
    audit.record(
        kind,
        subject=grant,
        actor=actor,
        about_id=grant.engagement_id,
        client_id=grant.client_id,
        details=details,
    )
