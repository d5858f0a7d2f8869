"""Colours and whether people can read them: contrast as WCAG 2 works it out."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WRITTEN: Final = re.compile(r"#?(?P<red>[0-9a-f]{2})(?P<green>[0-9a-f]{2})(?P<blue>[0-9a-f]{2})", re.ASCII)
ENOUGH: Final = 4.5  # WCAG 2.2, 1.4.3, text of any size
STEPS: Final = 100


class BadColour(ValueError):
    """Raised for a colour that is none, or that people could not read. Its words are for the person who chose it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """Three numbers from 0 to 255."""

    red: int
    green: int
    blue: int

    @classmethod
    def parse(cls, text: str) -> Colour:
        """From `#1b4db3`, in capitals or without the sign. Raises BadColour."""
        found = WRITTEN.fullmatch(text.strip().lower())
        if found is None:
            raise BadColour("Write a colour as # and six digits or letters a to f, such as #1b4db3.")
        return cls(red=int(found["red"], 16), green=int(found["green"], 16), blue=int(found["blue"], 16))

    def __str__(self) -> str:
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"

    @property
    def luminance(self) -> float:
        """Relative luminance, from 0 (black) to 1 (white)."""
        red, green, blue = (_linear(part / 255) for part in (self.red, self.green, self.blue))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    def mixed(self, other: Colour, share: float) -> Colour:
        """This colour with a share, from 0 to 1, of another one."""
        return Colour(
            red=_between(self.red, other.red, share),
            green=_between(self.green, other.green, share),
            blue=_between(self.blue, other.blue, share),
        )

    def shaded(self, other: Colour, share: float) -> Colour:
        """This colour, a share of the way as dark or as light as another one, and as strong as it was."""
        hue, light, strength = colorsys.rgb_to_hls(self.red / 255, self.green / 255, self.blue / 255)
        goal = colorsys.rgb_to_hls(other.red / 255, other.green / 255, other.blue / 255)[1]
        parts = colorsys.hls_to_rgb(hue, light + (goal - light) * share, strength)
        red, green, blue = (round(255 * part) for part in parts)
        return Colour(red=red, green=green, blue=blue)


WHITE: Final = Colour(red=255, green=255, blue=255)
BLACK: Final = Colour(red=0, green=0, blue=0)


def contrast(one: Colour, other: Colour) -> float:
    """From 1 (the same) to 21 (black on white)."""
    low, high = sorted((one.luminance, other.luminance))
    return (high + 0.05) / (low + 0.05)


def told(ratio: float) -> str:
    """A ratio as people write it, rounded down: what is not enough never looks as if it were."""
    return f"{int(ratio * 100) / 100:.2f}:1"


def readable(colour: Colour, *, grounds: Sequence[Colour], towards: Colour) -> Colour:
    """The colour, darkened or lightened as little as it takes to be read on all of these grounds. Its hue stays."""
    shades = (colour.shaded(towards, step / STEPS) for step in range(STEPS))
    fits = (one for one in shades if all(contrast(one, ground) >= ENOUGH for ground in grounds))
    return next(fits, towards)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _between(one: int, other: int, share: float) -> int:
    return round(one + (other - one) * share)
