"""The links of invitations, as mails of the paper side carry them, and what became of them."""

from __future__ import annotations

import datetime as dt

from accounts.emails import invitation_url
from accounts.lifecycle import ContactRole
from accounts.models import Invitation
from engagements.emails.scenes import Scene, client_url
from engagements.lifecycle import EngagementStatus
from engagements.models import Engagement
from portal.kernel import clock, secrets


def opened_at(engagement: Engagement) -> dt.datetime | None:
    """When somebody who may agree first opened their link, or None."""
    if engagement.status != EngagementStatus.INVITED:
        return None
    rows = Invitation.objects.filter(
        client_id=engagement.client_id,
        landing_path=f"/e/{engagement.code}/",
        contact__role=ContactRole.APPROVER,
        used_at__isnull=False,
    )
    return rows.order_by("used_at").values_list("used_at", flat=True).first()


def live_link(scene: Scene) -> tuple[Invitation | None, str]:
    """The reader's own invitation that works still, with its link; else none, and the page that asks for a code."""
    rows = Invitation.objects.select_related("invited_by", "contact__user").filter(
        contact__client_id=scene.engagement.client_id,
        contact__user=scene.reader.user,
        landing_path=f"/e/{scene.engagement.code}/",
        used_at=None,
        replaced_at=None,
        expires_at__gt=clock.now(),
    )
    found = rows.order_by("-expires_at").first()
    if found is not None:
        try:
            return found, invitation_url(found)
        except secrets.Unreadable:
            pass  # made with a key that is gone: the code's way is open
    return None, client_url(scene.engagement)
