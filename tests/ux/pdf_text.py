"""The words of a paper of ours, read by its own map from glyphs to letters: what a reader copies out of it."""

from __future__ import annotations

import io
import re
from typing import Any, Final

from pyhanko.pdf_utils.reader import PdfFileReader

MAPPED: Final = re.compile(rb"beginbfchar(.*?)endbfchar", re.DOTALL)
HEX: Final = re.compile(rb"<([0-9A-Fa-f]*)>")
# A font that is chosen, a string in brackets, one in hexadecimal digits, the end of a run.
TOKEN: Final = re.compile(rb"/(\S+)\s+[\d.-]+\s+Tf|(\()|<([0-9A-Fa-f]*)>|(\bET\b)")
SIGN: Final = re.compile(rb"\\.|[()]", re.DOTALL)
ESCAPE: Final = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
NAMED: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
Letters = dict[int, str]


def text_of(pdf: bytes) -> str:
    """Every page's words, one after the other, with a space after each run."""
    reader: Any = PdfFileReader(io.BytesIO(pdf))  # Any: its methods have no types
    count = int(reader.root["/Pages"]["/Count"])
    pages = [reader.find_page_for_modification(number)[0].get_object() for number in range(count)]
    return re.sub(r"\s+", " ", " ".join(map(_page, pages)))


def _page(page: Any) -> str:  # Any: pyhanko's objects
    fonts = page["/Resources"]["/Font"]
    maps = {str(name).lstrip("/"): _letters(fonts[name]["/ToUnicode"].data) for name in fonts}
    found: list[str] = []
    letters: Letters = {}
    content, at = page["/Contents"].data, 0
    while token := TOKEN.search(content, at):
        font, opened, digits, _ = token.groups()
        at = _end_of(content, token.end()) if opened else token.end()
        if font:
            letters = maps[font.decode()]
        elif opened:
            found += [letters.get(code, "") for code in _codes(_plain(content[token.end() : at - 1]))]
        elif digits is not None:
            found += [letters.get(code, "") for code in _codes(bytes.fromhex(digits.decode()))]
        else:
            found.append(" ")
    return "".join(found)


def _end_of(content: bytes, at: int) -> int:
    """Behind the bracket that closes a string: brackets within it stand unescaped where they come in pairs."""
    depth = 1
    while depth:
        sign = SIGN.search(content, at)
        assert sign is not None
        depth += {b"(": 1, b")": -1}.get(sign.group(), 0)
        at = sign.end()
    return at


def _plain(escaped: bytes) -> bytes:
    return ESCAPE.sub(_unescaped, escaped)


def _codes(plain: bytes) -> list[int]:
    """Two bytes are one glyph."""
    return [int.from_bytes(plain[at : at + 2], "big") for at in range(0, len(plain), 2)]


def _unescaped(found: re.Match[bytes]) -> bytes:
    told = found[1]
    return bytes([int(told, 8)]) if told.isdigit() else NAMED.get(told, told)


def _letters(cmap: bytes) -> Letters:
    """From a font's ToUnicode map."""
    pairs = [one for body in MAPPED.findall(cmap) for one in HEX.findall(body)]
    return {int(a, 16): _spelled(b) for a, b in zip(pairs[::2], pairs[1::2], strict=True)}


def _spelled(digits: bytes) -> str:
    return bytes.fromhex(digits.decode()).decode("utf-16-be")
