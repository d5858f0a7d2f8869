"""The words of an offer in each language: frozen with it, so that what somebody reads in German is as fixed as the English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engagements.profiles.shipped import profiles_in
from engagements.profiles.words import LANGUAGES

FROZEN_IN: Final = "en"  # what an offer's lines and documents hold themselves
Json = Mapping[str, Any]  # Any: as the offer froze it


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldLine:
    """One permission in words."""

    icon: str
    title: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an offer says of the access. `summary` may be empty."""

    summary: str
    lines: tuple[ToldLine, ...]
    limits: tuple[str, ...]


def in_languages(code: str) -> dict[str, Any]:  # Any: JSON
    """What an offer of this profile freezes for every language but its own; nothing for a practice's own profile."""
    others = [language for language in LANGUAGES if language != FROZEN_IN]
    return {language: _frozen(language, code) for language in others if code in profiles_in(language)}


def told_in(language: str, *, lines: Sequence[Json], documents: Json) -> Told:
    """An offer in this language; in the words it was written in, where it was frozen in no others. `de-at` is German."""
    words: Json = documents.get("in_languages", {}).get(language.partition("-")[0].lower(), {})
    of_lines, of_limits = words.get("lines", {}), words.get("limits", {})
    return Told(
        summary=str(words.get("summary") or documents.get("summary", "")),
        lines=tuple(_line({**line, **of_lines.get(line.get("key"), {})}) for line in lines),
        limits=tuple(
            of_limits.get(limit.get("key"), limit["title"]) for limit in documents.get("limits", ())
        ),
    )


def _frozen(language: str, code: str) -> dict[str, Any]:  # Any: JSON
    profile = profiles_in(language)[code]
    lines = (*profile.lines, *profile.optional_lines)
    return {
        "summary": profile.summary,
        "lines": {line.key: {"title": line.title, "why": line.why} for line in lines},
        "limits": {limit.key: limit.title for limit in profile.limits},
    }


def _line(told: Json) -> ToldLine:
    return ToldLine(icon=told.get("icon", ""), title=told["title"], why=told.get("why", ""))
