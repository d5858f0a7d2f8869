"""Two languages that nobody speaks, for tests alone: one longer and all accents, one from right to left.

Each letter of the Latin alphabet becomes another one, so a plain letter on a page is one that nobody had translated.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import allauth
import django
from django.utils.translation import to_locale

from portal.kernel.languages.catalogue import mo_bytes
from portal.kernel.languages.extraction import asked_in

BASE: Final = Path(__file__).resolve().parents[2]
HEADER: Final = "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=(n != 1);\n"
# What stands for something else: places to fill, tags, entities, addresses of the mails' scripts.
KEPT: Final = re.compile(r"(%\([^)]+\)[sd]|%[sd%]|\{[^}]*\}|<[^>]+>|&[a-z]+;)")
LATIN: Final = "abcdefghijklmnopqrstuvwxyz"
ACCENTS: Final = "áƀçðéƒĝĥíĵķļɱñóþɋŕšţúṽŵẋýž"
HEBREW: Final = "אבגדהוזחטיכלמנסעפצקרשתאבגד"
LONGER: Final = 0.35  # what a translation may grow by (UX row 68)
FILLING: Final = "longer "
OPEN, CLOSE = "⟦", "⟧"
FORM: Final = "date format\x04"  # no words: letters that stand for parts of a date


@dataclass(frozen=True, slots=True, kw_only=True)
class Pseudo:
    """One of them: `letters` stand for the alphabet, small and large."""

    code: str
    letters: str
    direction: str

    def __call__(self, text: str) -> str:
        """The text in this language, between brackets; what surrounds it stays."""
        inner = text.strip()
        if not inner:
            return text
        start = text.index(inner)
        parts = KEPT.split(f"{inner} {_filling(inner)}")
        told = "".join(part if KEPT.fullmatch(part) else self._changed(part) for part in parts)
        return f"{text[:start]}{OPEN}{told}{CLOSE}{text[start + len(inner) :]}"

    def _changed(self, text: str) -> str:
        return text.translate(str.maketrans(LATIN + LATIN.upper(), self.letters + self.letters.upper()))


def _filling(text: str) -> str:
    """Words for the room that a translation may take; what is filled in, and tags, take none."""
    more = math.ceil(len(KEPT.sub("", text)) * LONGER)
    return (FILLING * more)[:more].strip() or "x"


LONG: Final = Pseudo(code="en-xa", letters=ACCENTS, direction="ltr")
TURNED: Final = Pseudo(code="he-xb", letters=HEBREW, direction="rtl")
BOTH: Final = (LONG, TURNED)


def write(folder: Path) -> None:
    """A catalogue of each under `folder`, as `LOCALE_PATHS` wants them: our words, Django's and allauth's."""
    ids = {entry.key.id for entry in asked_in(BASE)} | set(_foreign_ids())
    for pseudo in BOTH:
        words = {one: one.partition("\x04")[2] if one.startswith(FORM) else _told(pseudo, one) for one in ids}
        place = folder / to_locale(pseudo.code) / "LC_MESSAGES"
        place.mkdir(parents=True)
        (place / "django.mo").write_bytes(mo_bytes({"": HEADER, **words}))


def _told(pseudo: Pseudo, name: str) -> str:
    words = name.rpartition("\x04")[2]
    return "\x00".join(pseudo(form) for form in words.split("\x00"))


def _foreign_ids() -> Iterator[str]:
    """What the libraries ask for, as their German catalogues have it; names of languages and forms of dates are none."""
    homes = [Path(module.__file__).parent for module in (django, allauth) if module.__file__]
    for home in homes:
        for path in home.glob("**/locale/de/LC_MESSAGES/django.mo"):
            yield from (name for name in _ids_in(path.read_bytes()) if name)


def _ids_in(mo: bytes) -> Iterator[str]:
    count, table = struct.unpack_from("<2I", mo, 8)
    for number in range(count):
        length, place = struct.unpack_from("<2I", mo, table + 8 * number)
        yield mo[place : place + length].decode()
