"""Reads across the rooms that only pages need."""

from __future__ import annotations

from uuid import UUID

from awsaccess.lifecycle import BROKEN
from awsaccess.models import Grant


def broken_engagements() -> frozenset[UUID]:
    """Engagements in scope whose access has a problem: no list may call those on."""
    return frozenset(Grant.objects.filter(status__in=BROKEN).values_list("engagement_id", flat=True))
