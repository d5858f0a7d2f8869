"""The words of an offer in the language of whoever reads it, as they were frozen. Pure: no queries, no clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engagements.models import Offer

Told = Sequence[Mapping[str, str]]  # each with title and why


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferWords:
    """What a client reads of an offer. `lines` and `optional` stand in the order of the offer's own."""

    summary: str
    warnings: tuple[str, ...]
    limits: tuple[str, ...]
    lines: Told
    optional: Told


def words_of(offer: Offer, language: str) -> OfferWords:
    """In this language if the offer was frozen in it (`de-at` is German), otherwise in the offer's own words."""
    documents: Mapping[str, Any] = offer.documents  # Any: JSON as the offer froze it
    in_language = documents.get("words", {}).get(language.partition("-")[0].lower(), {})
    own = {
        "summary": documents.get("summary", ""),
        "warnings": documents.get("warnings", ()),
        "limits": [limit["title"] for limit in documents.get("limits", ())],
        "lines": offer.lines,
        "optional": documents.get("optional", ()),
    }
    found = {**own, **in_language}
    return OfferWords(
        summary=str(found["summary"]),
        warnings=tuple(found["warnings"]),
        limits=tuple(found["limits"]),
        lines=found["lines"],
        optional=found["optional"],
    )


def summary_of(offer: Offer, language: str) -> str:
    """The one sentence that an offer says of itself, by the same rule; reads nothing but its documents."""
    documents: Mapping[str, Any] = offer.documents  # Any: as above
    in_language = documents.get("words", {}).get(language.partition("-")[0].lower(), {})
    return str(in_language.get("summary", documents.get("summary", "")))


def ends_at(offer: Offer) -> dt.datetime | None:
    """The end that was asked for; None for an offer that froze none."""
    frozen = offer.documents.get("expires_at")
    return dt.datetime.fromisoformat(frozen) if frozen else None


def titles_of(offer: Offer, keys: Collection[str], language: str) -> tuple[str, ...]:
    """The titles of these optional lines."""
    told = words_of(offer, language).optional
    offered = offer.documents.get("optional", ())
    return tuple(words["title"] for line, words in zip(offered, told, strict=True) if line["key"] in keys)
