"""The words of a printed page, read out of the PDF that the browser makes of it."""

from __future__ import annotations

import io
import re
from typing import Any, Final

from pyhanko.pdf_utils.reader import PdfFileReader

SHOWN: Final = re.compile(rb"/(\S+)\s+[\d.]+\s+Tf|<([0-9A-Fa-f]+)>")
ONE: Final = re.compile(r"<([0-9A-F]+)>\s+<([0-9A-F]+)>")
RANGE: Final = re.compile(r"<([0-9A-F]+)>\s+<([0-9A-F]+)>\s+<([0-9A-F]+)>")
QUOTES: Final = str.maketrans({"’": "'", "\N{MODIFIER LETTER APOSTROPHE}": "'"})
Letters = dict[int, str]


def words_of(pdf: bytes) -> str:
    """Everything that is printed, page by page, without any blanks, which are positions in a PDF, and with plain quotes."""
    pages = PdfFileReader(io.BytesIO(pdf)).root["/Pages"]["/Kids"]
    return re.sub(r"\s", "", "".join(_words_on(page) for page in pages)).translate(QUOTES)


def _words_on(page: Any) -> str:  # Any: an untyped library
    kids = page.get_object().get("/Kids")
    if kids is not None:
        return "".join(_words_on(kid) for kid in kids)
    fonts = page.get_object()["/Resources"].get("/Font", {})
    letters = {name.lstrip("/"): _letters(fonts[name]) for name in fonts}
    told, known = [], Letters()
    for found in SHOWN.finditer(page.get_object()["/Contents"].data):
        if found[1]:
            known = letters[found[1].decode()]
        else:
            told += [known.get(glyph, "") for glyph in _glyphs(found[2].decode())]
    return "".join(told)


def _glyphs(digits: str) -> list[int]:
    return [int(digits[at : at + 4], 16) for at in range(0, len(digits), 4)]


def _letters(font: Any) -> Letters:  # Any: as above
    """Which letters each glyph of a font stands for, by the map that a reader copies text with."""
    found = Letters()
    for is_range, body in _parts(font["/ToUnicode"].data.decode("latin-1").upper()):
        if is_range:
            for first, last, letter in RANGE.findall(body):
                for number in range(int(first, 16), int(last, 16) + 1):
                    found[number] = chr(int(letter, 16) + number - int(first, 16))
        else:
            found |= {int(glyph, 16): _text(letter) for glyph, letter in ONE.findall(body)}
    return found


def _parts(told: str) -> list[tuple[bool, str]]:
    blocks = re.findall(r"BEGINBF(CHAR|RANGE)(.*?)ENDBF", told, re.DOTALL)
    return [(kind == "RANGE", body) for kind, body in blocks]


def _text(digits: str) -> str:
    return bytes.fromhex(digits).decode("utf-16-be")
