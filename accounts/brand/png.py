"""Logos: a PNG is taken apart to its rows of pixels, and a new one is made of those. Nothing else of the file survives.

No imaging library is needed for that: the format is chunks with checksums, and one zlib stream whose length follows from
the header (W3C, PNG third edition). What does not fit to the byte is refused.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MARK: Final = b"\x89PNG\r\n\x1a\n"
LARGEST_FILE: Final = 128 * 1024  # bytes
SMALLEST_SIDE: Final = 16  # pixels
LARGEST_SIDE: Final = 1024
MOST_CHUNKS: Final = 512
# Colour type -> samples per pixel, and the bit depths that go with it.
KINDS: Final = {
    0: (1, (1, 2, 4, 8, 16)),
    2: (3, (8, 16)),
    3: (1, (1, 2, 4, 8)),
    4: (2, (8, 16)),
    6: (4, (8, 16)),
}
PALETTE: Final = 3
# The seven passes of an interlaced picture: first column and row, and the steps from one to the next.
PASSES: Final = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
# What has to be understood to show the picture. Everything else (texts, places, profiles) is left behind.
KEPT: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})


class BadPicture(ValueError):
    """Raised for what is no PNG, or not one that we take. Its words are for the person who chose it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A clean PNG and its size in pixels."""

    png: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the first chunk says."""

    width: int
    height: int
    depth: int
    kind: int
    is_interlaced: bool

    @property
    def bits(self) -> int:
        """Of one pixel."""
        return KINDS[self.kind][0] * self.depth

    def row_lengths(self) -> Iterator[int]:
        """Bytes of each row as it lies in the stream, with its filter's byte."""
        if not self.is_interlaced:
            yield from [1 + (self.width * self.bits + 7) // 8] * self.height
            return
        for left, top, across, down in PASSES:
            columns = max(0, -((left - self.width) // across))
            rows = max(0, -((top - self.height) // down))
            # No pass is without columns: the smallest side is longer than the widest step.
            yield from [1 + (columns * self.bits + 7) // 8] * rows


def picture_read(data: bytes) -> Picture:
    """The same picture, written anew. Raises BadPicture with the reason."""
    if len(data) > LARGEST_FILE:
        raise BadPicture(f"The logo is larger than {LARGEST_FILE // 1024} kB. Save a smaller one.")
    chunks = list(_chunks(data))
    head = _head(chunks)
    found = _by_name(chunks[1:-1])
    colours, clear = found.get(b"PLTE", b""), found.get(b"tRNS", b"")
    _check_colours(head, colours, clear)
    rows = _rows(head, found.get(b"IDAT", b""))
    parts = [(b"IHDR", chunks[0][1]), (b"PLTE", colours), (b"tRNS", clear), (b"IDAT", zlib.compress(rows, 9))]
    png = MARK + b"".join(_chunk(name, body) for name, body in parts if body) + _chunk(b"IEND", b"")
    return Picture(png=png, width=head.width, height=head.height)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and body of each, up to the end of the file: nothing may follow the last one."""
    if not data.startswith(MARK):
        raise BadPicture("That is not a PNG. Save the logo as PNG; other formats are not taken.")
    at, name = len(MARK), b""
    for _number in range(MOST_CHUNKS):
        name, body, at = _one_chunk(data, at)
        yield name, body
        if name == b"IEND":
            break
    if name != b"IEND" or at != len(data):
        raise _broken()


def _one_chunk(data: bytes, at: int) -> tuple[bytes, bytes, int]:
    if at + 12 > len(data):
        raise _broken()
    length, name = struct.unpack_from(">I4s", data, at)
    end = at + 8 + length
    if end + 4 > len(data) or not name.isalpha():
        raise _broken()
    body = data[at + 8 : end]
    if struct.unpack_from(">I", data, end)[0] != zlib.crc32(name + body):
        raise _broken()
    return name, body, end + 4


def _head(chunks: list[tuple[bytes, bytes]]) -> Head:
    name, body = chunks[0]
    if name != b"IHDR" or len(body) != 13 or chunks[-1][1]:
        raise _broken()
    width, height, depth, kind, packing, filtering, lacing = struct.unpack(">IIBBBBB", body)
    if kind not in KINDS or depth not in KINDS[kind][1] or packing or filtering or lacing > 1:
        raise _broken()
    if not all(SMALLEST_SIDE <= side <= LARGEST_SIDE for side in (width, height)):
        raise BadPicture(
            f"The logo is {width} by {height} pixels. Each side may have {SMALLEST_SIDE} to {LARGEST_SIDE}."
        )
    return Head(width=width, height=height, depth=depth, kind=kind, is_interlaced=lacing == 1)


def _by_name(chunks: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """What is kept, by name: the picture's data in one piece and in place, and each other at most once."""
    found: dict[bytes, bytes] = {}
    last = b""
    for name, body in chunks:
        if name[:1].isupper() and name not in KEPT:
            raise _broken()  # it says itself that the picture cannot be shown without it
        is_more = name == b"IDAT" == last
        if name in KEPT and (name in {b"IHDR", b"IEND"} or (name in found and not is_more)):
            raise _broken()
        if name in {b"PLTE", b"tRNS"} and b"IDAT" in found:
            raise _broken()
        if name in KEPT:
            found[name] = found.get(name, b"") + body
        last = name
    return found


def _check_colours(head: Head, colours: bytes, clear: bytes) -> None:
    entries = len(colours) // 3
    wanted = {0: (0, 2), 2: (entries, 6), 4: (0, 0), 6: (entries, 0), PALETTE: (entries, entries)}
    most_entries, most_clear = wanted[head.kind]
    largest = min(256, 2**head.depth) if head.kind == PALETTE else 256
    is_whole = len(colours) == 3 * most_entries and entries <= largest
    is_clear = len(clear) <= most_clear if head.kind == PALETTE else len(clear) in {0, most_clear}
    if not is_whole or not is_clear or (head.kind == PALETTE and not entries):
        raise _broken()


def _rows(head: Head, packed: bytes) -> bytes:
    """The rows as they were packed, exactly as many bytes as the size asks for, each row under a filter that exists."""
    lengths = list(head.row_lengths())
    stream = zlib.decompressobj()
    try:
        rows = stream.decompress(packed, sum(lengths) + 1)  # never more than a picture of this size needs
    except zlib.error:
        raise _broken() from None
    if len(rows) != sum(lengths) or not stream.eof or stream.unused_data:
        raise _broken()
    at = 0
    for length in lengths:
        if rows[at] > 4:
            raise _broken()
        at += length
    return rows


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _broken() -> BadPicture:
    return BadPicture(
        "This PNG is damaged, or made in an unusual way. Open it and save it again as a plain PNG."
    )
