"""Whether what was agreed still stands: asked at each door into AWS, under whatever lock the door holds."""

from __future__ import annotations

import hashlib

from engagements.models import Consent, Engagement, Offer
from engagements.services.drafts import offer_hash


def offer_is_whole(offer: Offer) -> bool:
    """The hash that people agreed to is that of the offer as it lies here now, worked out anew."""
    template_sha256 = hashlib.sha256(offer.template.encode()).hexdigest()
    return offer.offer_sha256 == offer_hash(offer.lines, offer.documents, template_sha256)


def consent_stands(*, engagement: Engagement, offer: Offer) -> bool:
    """True while enough people agree, in consents that nobody took back, to exactly this offer."""
    agreed = Consent.objects.filter(engagement=engagement, offer=offer, withdrawn_at=None)
    same = agreed.filter(offer_sha256=offer.offer_sha256).count()
    return same >= engagement.approvals_needed and offer_is_whole(offer)


def was_agreed(*, offer: Offer) -> bool:
    """True if anybody ever agreed to it, taken back or not: only then was the account ours to ask about."""
    return Consent.objects.filter(offer=offer).exists()
