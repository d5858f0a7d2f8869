"""How hard a text is to read: the Flesch-Kincaid grade, for English. 8 means eight years of school."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import Final

HARDEST: Final = 8.0  # what a client's page may ask of its reader
IN_GERMAN: Final = (
    "damit wir"  # stands in every line that a practice writes in German: the measure is not for it
)
SENTENCE: Final = re.compile(r"[.!?:]+(?:\s|$)|\n+")
WORD: Final = re.compile(r"[A-Za-z]+(?:[’'][A-Za-z]+)?")
VOWELS: Final = re.compile(r"[aeiouy]+")
# An e at the end is silent ("change"), unless it carries the syllable ("table"); so is that of most -es and -ed.
SILENT: Final = re.compile(r"(?<=[^aeiouy])(?:e|es|ed)$")
SPOKEN: Final = re.compile(r"(?:[^aeiouy]le|[td]ed|[cgsxz]es|ches|shes)$")


def grade(text: str) -> float:
    """0.39 x words per sentence + 11.8 x syllables per word - 15.59; a line break ends a sentence. 0 without words."""
    sentences = [words for part in SENTENCE.split(text) if (words := WORD.findall(part))]
    count = sum(map(len, sentences))
    if not count:
        return 0.0
    syllables = sum(syllables_in(word) for words in sentences for word in words)
    return 0.39 * count / len(sentences) + 11.8 * syllables / count - 15.59


def grade_stated(texts: Collection[str]) -> int | None:
    """The grade of these texts together as a page states it: rounded up, 1 at least. None for what is no English."""
    if any(IN_GERMAN in text.lower() for text in texts):
        return None
    return max(1, math.ceil(grade("\n".join(texts))))


def syllables_in(word: str) -> int:
    """By rule, so sometimes one too many or too few; never less than one."""
    plain = word.lower().replace("’", "'").partition("'")[0]
    count = len(VOWELS.findall(plain))
    if SILENT.search(plain) and not SPOKEN.search(plain):
        count -= 1
    return max(1, count)
