"""PNGs to try: whole ones of every kind, and the parts to break them with."""

from __future__ import annotations

import struct
import zlib

from accounts.brand.png import MARK, Head


def chunk(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def header(
    width: int, height: int, *, depth: int = 8, kind: int = 6, lacing: int = 0, rest: bytes = b"\0\0"
) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBB", width, height, depth, kind) + rest + bytes([lacing]))


def rows(width: int, height: int, *, depth: int = 8, kind: int = 6, lacing: int = 0) -> bytes:
    """Rows of zeros under the first filter."""
    head = Head(width=width, height=height, depth=depth, kind=kind, is_interlaced=lacing == 1)
    return b"".join(bytes(length) for length in head.row_lengths())


def png(
    width: int = 20,
    height: int = 18,
    *,
    depth: int = 8,
    kind: int = 6,
    lacing: int = 0,
    before: bytes = b"",
    after: bytes = b"",
    data: bytes | None = None,
) -> bytes:
    """A whole picture; `before` and `after` are chunks beside its data."""
    colours = chunk(b"PLTE", bytes(3 * min(256, 2**depth))) if kind == 3 and b"PLTE" not in before else b""
    packed = (
        data
        if data is not None
        else zlib.compress(rows(width, height, depth=depth, kind=kind, lacing=lacing))
    )
    head = header(width, height, depth=depth, kind=kind, lacing=lacing)
    return MARK + head + colours + before + chunk(b"IDAT", packed) + after + chunk(b"IEND")
