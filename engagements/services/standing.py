"""Whether what was agreed still stands: asked at each door into AWS, under whatever lock the door holds."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Mapping
from uuid import UUID

from django.db.models import F

from accounts.lifecycle import (
    WORKERS,
)
from accounts.models import (
    Membership,
)
from engagements.lifecycle import (
    WORKING,
)
from engagements.models import (
    Assignment,
    Consent,
    Engagement,
    Offer,
)
from engagements.services.choices import (
    agreed_hash,
)
from engagements.services.drafts import offer_hash

Said = tuple[tuple[str, ...], str]  # the keys that were ticked, and the seal


def offer_is_whole(offer: Offer) -> bool:
    """The hash that people agreed to is that of the offer as it lies here now, worked out anew.

    It covers the hash of the template for each choice: they stand in the documents.
    """
    template_sha256 = hashlib.sha256(offer.template.encode()).hexdigest()
    return offer.offer_sha256 == offer_hash(offer.lines, offer.documents, template_sha256)


def consent_stands(*, engagement: Engagement, offer: Offer) -> bool:
    """True while enough people agree, in consents that nobody took back, to exactly this offer."""
    is_its_own = offer.engagement_id == engagement.pk
    return is_its_own and offer.pk in offers_standing({offer: engagement.approvals_needed})


def offers_standing(needed: Mapping[Offer, int]) -> set[UUID]:
    """Those of the offers that so many people agree to, in one query for all of them."""
    rows = Consent.objects.filter(
        offer__in=needed, withdrawn_at=None, offer_sha256=F("offer__offer_sha256")
    ).order_by("given_at")
    said: dict[UUID, list[Said]] = defaultdict(list)
    for offer_id, choice, agreed_sha256 in rows.values_list("offer_id", "choice", "agreed_sha256"):
        said[offer_id].append((tuple(choice), agreed_sha256))
    return {
        offer.pk
        for offer, people in needed.items()
        if _agreed_as_one(offer, said[offer.pk]) >= people and offer_is_whole(offer)
    }


def _agreed_as_one(offer: Offer, said: list[Said]) -> int:
    """How many agree to what the first one chose, in consents whose seal is that of this offer with that choice."""
    return sum(each == said[0] and each[1] in _seals(offer, each[0]) for each in said)


def _seals(offer: Offer, choice: tuple[str, ...]) -> tuple[str, ...]:
    """What a consent may be sealed with. Those from before there was a choice have no seal, and chose nothing."""
    sealed = {tuple(each["keys"]): each["template_sha256"] for each in offer.documents.get("choices", ())}
    if not choice:
        return "", agreed_hash(offer.offer_sha256, (), offer.template_sha256)
    return (agreed_hash(offer.offer_sha256, choice, sealed[choice]),) if choice in sealed else ()


def works_on_it(engagement: Engagement, consultant_id: UUID, *, now: dt.datetime) -> bool:
    """On it now, in a part that enters, and still of the practice: read under the lock that ending a part takes too.

    `now` is a moment after that lock was taken.
    """
    places = Membership.objects.filter(practice_id=engagement.practice_id, ended_at=None, role__in=WORKERS)
    rows = Assignment.objects.filter(engagement=engagement, consultant_id=consultant_id, role__in=WORKING)
    mine = rows.filter(consultant_id__in=places.values("user_id"))
    return any(row.starts_at <= now and (row.ends_at is None or now < row.ends_at) for row in mine)


def was_agreed(*, offer: Offer) -> bool:
    """True if anybody ever agreed to it, taken back or not: only then was the account ours to ask about."""
    return Consent.objects.filter(offer=offer).exists()
