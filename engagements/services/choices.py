"""What a client chooses of an offer: the optional lines that are ticked, and the very template that follows from them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from engagements.models import Offer
from engagements.selectors import optional_keys
from portal.kernel import audit
from portal.kernel.errors import Stale


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """An offer with a choice. `agreed_sha256` seals both with the template that AWS gets."""

    keys: tuple[str, ...]
    template_sha256: str
    agreed_sha256: str


def chosen_from(offer: Offer, ticked: Sequence[str]) -> Chosen:
    """The choice in the order of the offer. Raises Stale for a line that it does not offer, or a template it has not."""
    offered = optional_keys(offer)
    if set(ticked) - set(offered):
        raise Stale
    keys = tuple(key for key in offered if key in ticked)
    template_sha256 = _template_sha256(offer, keys)
    return Chosen(
        keys=keys,
        template_sha256=template_sha256,
        agreed_sha256=agreed_hash(offer.offer_sha256, keys, template_sha256),
    )


def agreed_hash(offer_sha256: str, keys: Sequence[str], template_sha256: str) -> str:
    """SHA-256 over the canonical JSON of the offer's own, the choice, and the SHA-256 of the template with that choice."""
    whole = {"v": 1, "offer_sha256": offer_sha256, "choice": list(keys), "template_sha256": template_sha256}
    return hashlib.sha256(audit.canonical(whole)).hexdigest()


def _template_sha256(offer: Offer, keys: tuple[str, ...]) -> str:
    """From what the offer sealed, and never from the variant's row alone."""
    if not keys:
        return offer.template_sha256
    sealed = {tuple(each["keys"]): str(each["template_sha256"]) for each in offer.documents["choices"]}
    if keys not in sealed or not offer.variants.filter(template_sha256=sealed[keys]).exists():
        raise Stale
    return sealed[keys]
