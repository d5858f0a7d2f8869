"""The words of the papers in each language, and how moments and names are written there. Pure: no queries, no clock."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils import translation
from django.utils.dateformat import format as date_format

from portal.kernel.languages import spelling

LANGUAGES: Final = ("en", "de")
AND: Final = {"en": "and", "de": "und"}
ZONE: Final = {"en": "{city} time ({short})", "de": "Ortszeit {city} ({short})"}
LONG: Final = {"en": "l j F Y, H:i", "de": r"l, j. F Y, H:i \U\h\r"}
DAY: Final = {"en": "j F Y", "de": "j. F Y"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """One language and one zone: the reader's."""

    language: str
    zone: ZoneInfo

    def __call__(self, key: str, **filled: str | int) -> str:
        """The words under `section.name`, with what is to be filled in. Raises KeyError for words that nobody wrote."""
        section, _, name = key.partition(".")
        return words_in(self.language)[section][name].format(**filled)

    def moment(self, at: dt.datetime) -> str:
        """Friday 18 December 2026, 18:00, in the reader's zone."""
        return self._written(at, LONG)

    def day(self, at: dt.datetime) -> str:
        """18 December 2026."""
        return self._written(at, DAY)

    def zone_words(self, at: dt.datetime) -> str:
        """London time (GMT); zones without a usual abbreviation show their offset."""
        named = spelling.zone_named(self.zone, at)
        if named is None:
            return "UTC"
        city, short = named
        return ZONE[self.language].format(city=city, short=short)

    def exact(self, at: dt.datetime) -> str:
        """To the second in UTC, as machines and lawyers write it."""
        return at.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

    def joined(self, names: Sequence[str]) -> str:
        """ "Maya", "Maya and Tomasz", "Maya, Tomasz and Ines"."""
        if len(names) < 2:
            return "".join(names)
        return f"{', '.join(names[:-1])} {AND[self.language]} {names[-1]}"

    def _written(self, at: dt.datetime, forms: Mapping[str, str]) -> str:
        with translation.override(self.language):
            return date_format(at.astimezone(self.zone), forms[self.language])


def wording_for(language: str, zone: str) -> Wording:
    """English stands in for a language without words of its own, UTC for a zone that is not known here."""
    own = language.partition("-")[0].lower()
    try:
        known = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        known = ZoneInfo("UTC")
    return Wording(language=own if own in LANGUAGES else "en", zone=known)


@cache
def words_in(language: str) -> Mapping[str, Mapping[str, str]]:
    """Section, then name, then words."""
    place = resources.files("engagements.papers").joinpath("words", f"{language}.toml")
    found: Mapping[str, Mapping[str, str]] = tomllib.loads(place.read_text(encoding="utf-8"))
    return found


def account_number(account_id: str) -> str:
    """Grouped by four, as AWS shows it."""
    return " ".join(account_id[start : start + 4] for start in range(0, len(account_id), 4))
