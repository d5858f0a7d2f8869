"""The one door to typst: data and a template become a tagged PDF (PDF/A-2a, PDF/UA-1), the same bytes for the same input.

What people wrote goes in as data and is never markup. Fonts are ours alone, so a paper looks the same wherever it is
made; a character that they do not have, or that shows as nothing, is written out as [U+4E2D], because archives and
screen readers refuse a box without a meaning.
"""

from __future__ import annotations

import datetime as dt
import json
import struct
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

import typst

FONTS: Final = Path(__file__).with_name("fonts")
WIDEST: Final = FONTS / "Inter-Regular.otf"
STANDARDS: Final[list[typst.PDFStandard]] = ["a-2a", "ua-1"]
# Characters without a shape of their own may turn the order of others, or hide: a paper shows them.
SHAPELESS: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
Data = Mapping[str, object]


class TypesettingFailed(Exception):
    """Raised when the template cannot be set with this data. A bug of ours: no text of anybody can cause it."""


def typeset(template: Path, data: Data, *, made_at: dt.datetime) -> bytes:
    """The PDF of a template, which reads `data` as `json(bytes(sys.inputs.d))`. `made_at` is aware.

    Raises TypesettingFailed.
    """
    told = json.dumps(_printable_in(data), ensure_ascii=False)
    try:
        made = typst.compile(
            template,
            root=template.parent,
            font_paths=[FONTS],
            ignore_system_fonts=True,
            format="pdf",
            sys_inputs={"d": told},
            pdf_standards=STANDARDS,
            timestamp=made_at.astimezone(dt.UTC).replace(microsecond=0),
        )
    except typst.TypstError as error:
        raise TypesettingFailed(error.message) from error
    assert isinstance(made, bytes)  # noqa: S101  # one document, and no file to write to
    return made


def printable(text: str) -> str:
    """The text with everything written out that our font cannot show. Line breaks stay."""
    shown = _shown()
    return "".join(
        one if one == "\n" or ord(one) in shown else f"[U+{ord(one):04X}]"
        for one in unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\t", "    "))
    )


def _printable_in(value: object) -> object:
    match value:
        case str():
            return printable(value)
        case Mapping():
            return {key: _printable_in(one) for key, one in value.items()}
        case list() | tuple():
            return [_printable_in(one) for one in value]
        case _:
            return value


@cache
def _shown() -> frozenset[int]:
    return frozenset(
        code for code in _characters(WIDEST.read_bytes()) if unicodedata.category(chr(code)) not in SHAPELESS
    )


def _characters(font: bytes) -> Iterator[int]:
    """The characters of an OpenType font: its `cmap`, of which format 4 holds all that we vendor."""
    (count,) = struct.unpack_from(">H", font, 4)
    tables = {
        font[at : at + 4]: struct.unpack_from(">I", font, at + 8)[0] for at in range(12, 12 + 16 * count, 16)
    }
    start = tables[b"cmap"]
    (subtables,) = struct.unpack_from(">H", font, start + 2)
    places = {
        start + struct.unpack_from(">I", font, start + 8 + 8 * number)[0] for number in range(subtables)
    }
    for place in [one for one in places if struct.unpack_from(">H", font, one) == (4,)]:
        yield from _format_4(font, place)


def _format_4(font: bytes, at: int) -> Iterator[int]:
    (doubled,) = struct.unpack_from(">H", font, at + 6)
    ends = struct.unpack_from(f">{doubled // 2}H", font, at + 14)
    starts = struct.unpack_from(f">{doubled // 2}H", font, at + 16 + doubled)
    for first, last in zip(starts, ends, strict=True):
        yield from range(first, min(last, 0xFFFE) + 1)
