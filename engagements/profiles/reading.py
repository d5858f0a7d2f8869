"""How hard a text is to read, in years of school: the Flesch-Kincaid grade for English, and for German the first of the
four Wiener Sachtextformeln (Bamberger and Vanecek, 1984). Each measures its own language alone: German words are longer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import Final

HARDEST: Final = 8.0  # what a client's page may ask of its reader
# What each line says what it is good for by, and so tells its language.
IN_ENGLISH: Final = "so we"
IN_GERMAN: Final = "damit wir"
SENTENCE: Final = re.compile(r"[.!?:]+(?:\s|$)|\n+")
WORD: Final = re.compile(r"[A-Za-z]+(?:[’'][A-Za-z]+)?")
VOWELS: Final = re.compile(r"[aeiouy]+")
# An e at the end is silent ("change"), unless it carries the syllable ("table"); so is that of most -es and -ed.
SILENT: Final = re.compile(r"(?<=[^aeiouy])(?:e|es|ed)$")
GERMAN_WORD: Final = re.compile(r"[a-zäöüßé]+(?:-[a-zäöüßé]+)*")
# What is spoken as one vowel; the u of "qu" is none.
GERMAN_VOWELS: Final = re.compile(r"aa|ee|oo|ie|ei|ai|au|äu|eu|ey|ay|(?<!q)u|[aeioyäöüé]")
SPOKEN: Final = re.compile(r"(?:[^aeiouy]le|[td]ed|[cgsxz]es|ches|shes)$")


def grade(text: str) -> float:
    """0.39 x words per sentence + 11.8 x syllables per word - 15.59; a line break ends a sentence. 0 without words."""
    sentences = [words for part in SENTENCE.split(text) if (words := WORD.findall(part))]
    count = sum(map(len, sentences))
    if not count:
        return 0.0
    syllables = sum(syllables_in(word) for words in sentences for word in words)
    return 0.39 * count / len(sentences) + 11.8 * syllables / count - 15.59


def grade_in_german(text: str) -> float:
    """0.1935 x words of three syllables and more + 0.1672 x words per sentence + 0.1297 x words of seven letters and more
    - 0.0327 x words of one syllable - 0.875, the three shares in per cent. A line break ends a sentence. 0 without words.
    """
    sentences = [words for part in SENTENCE.split(text) if (words := GERMAN_WORD.findall(part.lower()))]
    words = [word for sentence in sentences for word in sentence]
    if not words:
        return 0.0
    syllables = [german_syllables_in(word) for word in words]
    share = 100 / len(words)
    of_three = sum(count >= 3 for count in syllables) * share
    of_one = sum(count == 1 for count in syllables) * share
    long = sum(len(word.replace("-", "")) >= 7 for word in words) * share
    return 0.1935 * of_three + 0.1672 * len(words) / len(sentences) + 0.1297 * long - 0.0327 * of_one - 0.875


def grade_stated(texts: Collection[str]) -> int | None:
    """The grade of these texts together as a page states it: rounded up, 1 at least. None for what is neither language."""
    whole = "\n".join(texts)
    if IN_GERMAN in whole.lower():
        return max(1, math.ceil(grade_in_german(whole)))
    return max(1, math.ceil(grade(whole))) if IN_ENGLISH in whole.lower() else None


def german_syllables_in(word: str) -> int:
    """By rule, as in English; a word of another language counts as a German would read it."""
    return max(1, len(GERMAN_VOWELS.findall(word.lower())))


def syllables_in(word: str) -> int:
    """By rule, so sometimes one too many or too few; never less than one."""
    plain = word.lower().replace("’", "'").partition("'")[0]
    count = len(VOWELS.findall(plain))
    if SILENT.search(plain) and not SPOKEN.search(plain):
        count -= 1
    return max(1, count)
