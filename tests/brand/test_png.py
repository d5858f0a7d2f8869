"""Logos: what is no plain PNG to the byte is refused, and what is taken is written anew."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.brand.png import KINDS, LARGEST_FILE, MARK, BadPicture, picture_read
from tests.brand.pictures import chunk, header, png, rows

STATIC = Path(__file__).resolve().parents[2] / "static"
KNOWN = [(kind, depth) for kind, (_samples, depths) in KINDS.items() for depth in depths]
SECRET = b"taken at 51.45 N 2.59 W"


@pytest.mark.parametrize(("kind", "depth"), KNOWN)
@pytest.mark.parametrize("lacing", [0, 1])
@pytest.mark.parametrize("size", [(16, 16), (17, 19), (33, 16)])
def test_every_kind_of_picture_is_taken_with_its_size(
    kind: int, depth: int, lacing: int, size: tuple[int, int]
) -> None:
    found = picture_read(png(*size, depth=depth, kind=kind, lacing=lacing))
    assert (found.width, found.height) == size
    assert picture_read(found.png) == found


def test_a_real_logo_is_taken() -> None:
    found = picture_read((STATIC / "logo-72.png").read_bytes())
    assert (found.width, found.height) == (72, 72)


def test_nothing_but_the_picture_survives() -> None:
    """Texts, places and profiles stay behind, and so does how the data was cut and packed."""
    said = chunk(b"tEXt", b"Comment\0" + SECRET) + chunk(b"eXIf", SECRET) + chunk(b"iCCP", SECRET)
    plain = picture_read(png())
    assert picture_read(png(before=said, after=said)) == plain
    packed = zlib.compress(rows(20, 18), 0)
    halves = chunk(b"IDAT", packed[:40]) + chunk(b"IDAT", packed[40:])
    assert picture_read(MARK + header(20, 18) + halves + chunk(b"IEND")) == plain
    assert SECRET not in plain.png


def test_transparent_colours_are_kept() -> None:
    clear = chunk(b"tRNS", b"\0\1")
    assert clear in picture_read(png(kind=0, before=clear)).png
    few = chunk(b"PLTE", bytes(6)) + chunk(b"tRNS", b"\0")
    assert few in picture_read(png(kind=3, before=few)).png
    assert chunk(b"PLTE", bytes(9)) in picture_read(png(kind=2, before=chunk(b"PLTE", bytes(9)))).png


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a PNG"),
        (b"GIF89a" + bytes(40), "not a PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "not a PNG"),
        (bytes(LARGEST_FILE + 1), "larger than 128 kB"),
        (png(15, 16), "15 by 16 pixels"),
        (png(16, 16).replace(header(16, 16), header(16, 1025)), "16 by 1025 pixels"),
        (png(16, 16).replace(header(16, 16), header(2**31 - 1, 2**31 - 1)), "pixels"),
    ],
)
def test_what_is_not_taken_is_told_why(data: bytes, said: str) -> None:
    with pytest.raises(BadPicture, match=said):
        picture_read(data)


BROKEN = {
    "nothing after the mark": MARK,
    "half a chunk": MARK + header(20, 18)[:-1],
    "no end": png()[: -len(chunk(b"IEND"))],
    "something behind the end": png() + b"PK\x03\x04",
    "an end with something in it": png()[: -len(chunk(b"IEND"))] + chunk(b"IEND", b"x"),
    "no header": MARK + chunk(b"IDAT") + chunk(b"IEND"),
    "only an end": MARK + chunk(b"IEND"),
    "a long header": MARK + chunk(b"IHDR", bytes(14)) + chunk(b"IEND"),
    "two headers": png(before=header(20, 18)),
    "an end in the middle": MARK + header(20, 18) + chunk(b"IEND") + png()[len(MARK) + 25 :],
    "an unknown kind": png().replace(header(20, 18), header(20, 18, kind=5)),
    "a depth that does not go with it": png().replace(header(20, 18), header(20, 18, depth=4)),
    "another packing": png().replace(header(20, 18), header(20, 18, rest=b"\1\0")),
    "another filtering": png().replace(header(20, 18), header(20, 18, rest=b"\0\1")),
    "another lacing": png().replace(header(20, 18), header(20, 18, lacing=2)),
    "a chunk that must be understood": png(before=chunk(b"CgBI", b"\x50\0\x20\2")),
    "a name that is none": png(before=chunk(b"te1t")),
    "data in two places": png(after=chunk(b"tEXt") + chunk(b"IDAT")),
    "colours after the picture": png(kind=2, after=chunk(b"PLTE", bytes(3))),
    "colours twice": png(kind=2, before=2 * chunk(b"PLTE", bytes(3))),
    "colours of grey": png(kind=0, before=chunk(b"PLTE", bytes(3))),
    "half a colour": png(kind=2, before=chunk(b"PLTE", bytes(4))),
    "too many colours": png(kind=3, depth=1, before=chunk(b"PLTE", bytes(9))),
    "no colours": png(kind=3, before=chunk(b"PLTE")),
    "transparency that has none": png(kind=6, before=chunk(b"tRNS", b"\0\0")),
    "half a transparency": png(kind=2, before=chunk(b"tRNS", bytes(5))),
    "more transparency than colours": png(
        kind=3, depth=1, before=chunk(b"PLTE", bytes(6)) + chunk(b"tRNS", bytes(3))
    ),
    "no data": png(data=b""),
    "no zlib": png(data=b"plain"),
    "too little": png(data=zlib.compress(rows(20, 18)[:-1])),
    "too much": png(data=zlib.compress(rows(20, 18) + b"\0")),
    "cut": png(data=zlib.compress(rows(20, 18))[:-3]),
    "something behind the data": png(data=zlib.compress(rows(20, 18)) + b"PK"),
    "a filter that is none": png(data=zlib.compress(b"\5" + rows(20, 18)[1:])),
    "many chunks": png(before=600 * chunk(b"tEXt")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_does_not_fit_to_the_byte_is_refused(name: str) -> None:
    with pytest.raises(BadPicture, match="damaged"):
        picture_read(BROKEN[name])


def test_a_bomb_is_not_unpacked() -> None:
    """A hundred megabytes of zeros in a hundred kilobytes: no more is unpacked than a picture of that size needs."""
    bomb = png(data=zlib.compress(bytes(100_000_000), 9))
    assert len(bomb) < LARGEST_FILE
    with pytest.raises(BadPicture):
        picture_read(bomb)


@given(st.data())
def test_one_changed_byte_is_noticed(data: st.DataObject) -> None:
    """Each byte is under a checksum, or is part of one, or of a length, or of a name."""
    whole = bytearray(png(16, 16, before=chunk(b"tEXt", b"a\0b")))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadPicture):
        picture_read(bytes(whole))


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_a_picture_or_refused(data: bytes) -> None:
    for tried in (data, MARK + data, MARK + header(16, 16) + data, png(16, 16, data=data)):
        try:
            assert picture_read(tried).png.startswith(MARK)
        except BadPicture:
            continue


@given(
    size=st.tuples(st.integers(16, 40), st.integers(16, 40)),
    kind=st.sampled_from(KNOWN),
    lacing=st.integers(0, 1),
)
def test_the_pixels_stay_as_they_were(size: tuple[int, int], kind: tuple[int, int], lacing: int) -> None:
    plain = bytearray(rows(*size, kind=kind[0], depth=kind[1], lacing=lacing))
    plain[-1] = 0xA5
    taken = picture_read(
        png(*size, kind=kind[0], depth=kind[1], lacing=lacing, data=zlib.compress(bytes(plain)))
    )
    at = taken.png.index(b"IDAT")
    (length,) = struct.unpack_from(">I", taken.png, at - 4)
    assert zlib.decompress(taken.png[at + 4 : at + 4 + length]) == bytes(plain)
