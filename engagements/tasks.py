"""What the paper side does when its moment comes."""

from __future__ import annotations

from engagements.services.closing import engagement_expire
from engagements.services.moves import WINDOW
from portal.kernel import due


@due.handles(WINDOW)
def window_over(turn: due.Turn) -> None:
    """The end of an engagement's window."""
    engagement_expire(engagement_id=turn.object_id)
