"""Whether what was agreed still stands: asked at each door into AWS, under whatever lock the door holds."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

from django.db.models import F, OuterRef, QuerySet

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
from portal.kernel.database.repeated import Repeated, any_id

Said = tuple[tuple[str, ...], str]  # the keys that were ticked, and the seal


def offer_is_whole(offer: Offer) -> bool:
    """The hash that people agreed to is that of the offer as it lies here now, worked out anew.

    It covers the hash of the template for each choice: they stand in the documents.
    """
    template_sha256 = hashlib.sha256(offer.template.encode()).hexdigest()
    return offer.offer_sha256 == offer_hash(offer.lines, offer.documents, template_sha256)


def consent_stands(*, engagement: Engagement, offer: Offer) -> bool:
    """True while enough people agree, in consents that nobody took back, to exactly this offer."""
    if offer.engagement_id != engagement.pk:
        return False
    return _is_agreed(offer, engagement.approvals_needed, _SAID_TO_ONE.rows(offer.pk))


def offers_standing(needed: Mapping[Offer, int]) -> set[UUID]:
    """Those of the offers that so many people agree to, in one query for all of them."""
    said: dict[UUID, list[Consent]] = defaultdict(list)
    for consent in _said().filter(offer__in=needed):
        said[consent.offer_id].append(consent)
    return {offer.pk for offer, people in needed.items() if _is_agreed(offer, people, said[offer.pk])}


def _said() -> QuerySet[Consent]:
    """Consents that nobody took back, to the offers as they are, the first one first: choice and seal alone."""
    rows = Consent.objects.filter(withdrawn_at=None, offer_sha256=F("offer__offer_sha256"))
    return rows.order_by("given_at").only("offer", "choice", "agreed_sha256")


_SAID_TO_ONE: Final = Repeated(lambda key: _said().filter(offer=key), mark=any_id())


def _is_agreed(offer: Offer, people: int, consents: Iterable[Consent]) -> bool:
    said = [(tuple(consent.choice), consent.agreed_sha256) for consent in consents]
    return _agreed_as_one(offer, said) >= people and offer_is_whole(offer)


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
    mine = [row for row in _WORKING.rows(engagement.pk) if row.consultant_id == consultant_id]
    return any(row.starts_at <= now and (row.ends_at is None or now < row.ends_at) for row in mine)


def _working(engagement_id: UUID) -> QuerySet[Assignment]:
    """Everybody's parts that enter, as far as the practice still has a place for them."""
    places = Membership.objects.filter(practice_id=OuterRef("practice_id"), ended_at=None, role__in=WORKERS)
    rows = Assignment.objects.filter(engagement=engagement_id, role__in=WORKING)
    return rows.filter(consultant_id__in=places.values("user_id"))


_WORKING: Final = Repeated(_working, mark=any_id())


def was_agreed(*, offer: Offer) -> bool:
    """True if anybody ever agreed to it, taken back or not: only then was the account ours to ask about."""
    return Consent.objects.filter(offer=offer).exists()
