"""The words of the shipped profiles, one file for each language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

LANGUAGES: Final = ("en", "de")
Words = Mapping[str, Mapping[str, Mapping[str, str]]]  # section -> key -> title, why, summary or text


def words_in(language: str) -> Words:
    """English stands in for a language that has no words of its own. `de-at` is German."""
    own = language.partition("-")[0].lower()
    return _read(own if own in LANGUAGES else "en")


@cache
def _read(language: str) -> Words:
    place = resources.files("engagements.profiles").joinpath("words", f"{language}.toml")
    words: Words = tomllib.loads(place.read_text(encoding="utf-8"))
    return words
