"""The stylesheet of a practice: the portal's colour tokens, in its own colours, for light and dark screens.

The grounds are those of `static/portal.css`; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from accounts.brand.colours import BLACK, ENOUGH, WHITE, BadColour, Colour, contrast, readable, told

SURFACE: Final = WHITE
GREY: Final = Colour.parse("#edf1f6")  # the darkest ground on which links stand
DARK_SURFACE: Final = Colour.parse("#161f2d")
DARK_GREY: Final = Colour.parse("#1f2a3b")  # the lightest ground of the dark theme
DARK_INK: Final = Colour.parse("#0b1220")  # words on a button in the dark theme


@dataclass(frozen=True, slots=True, kw_only=True)
class Shade:
    """One theme's tokens. `ink` is `fill` where it stands as words, on any ground."""

    fill: Colour
    hover: Colour
    soft: Colour
    ink: Colour
    words: Colour

    def __str__(self) -> str:
        return (
            f"--brand:{self.fill};--brand-h:{self.hover};--brand-soft:{self.soft};"
            f"--brand-ink:{self.ink};--on-brand:{self.words}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Both themes of one practice."""

    light: Shade
    dark: Shade

    @property
    def css(self) -> str:
        """The whole stylesheet. It holds colours that were parsed, and no other text of anybody."""
        return (
            f":root{{{self.light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{self.dark}}}}}\n"
        )


def palette_of(light: str, dark: str = "") -> Palette:
    """Both themes, from the colours that somebody chose; without one for dark screens, the first is lightened.

    Raises BadColour, with the reason, for one that could not be read.
    """
    fill = Colour.parse(light)
    _require(fill, SURFACE, "on white")
    night = (
        Colour.parse(dark)
        if dark.strip()
        else readable(fill, grounds=(DARK_SURFACE, DARK_GREY), towards=WHITE)
    )
    _require(night, DARK_SURFACE, "on the ground of dark screens")
    return Palette(light=_light(fill), dark=_dark(night))


def _require(colour: Colour, ground: Colour, where: str) -> None:
    if (ratio := contrast(colour, ground)) < ENOUGH:
        way = "darker" if ground is SURFACE else "lighter"
        raise BadColour(
            f"{colour} has a contrast of {told(ratio)} {where}: not everybody could read it. "
            f"At least {told(ENOUGH)} is needed, so choose a {way} shade."
        )


def _light(fill: Colour) -> Shade:
    soft = fill.mixed(WHITE, 0.9)
    return Shade(
        fill=fill,
        hover=fill.mixed(BLACK, 0.22),
        soft=soft,
        ink=readable(fill, grounds=(SURFACE, GREY, soft), towards=BLACK),
        words=WHITE,
    )


def _dark(fill: Colour) -> Shade:
    soft = fill.mixed(DARK_SURFACE, 0.86)
    return Shade(
        fill=fill,
        hover=fill.mixed(WHITE, 0.3),
        soft=soft,
        ink=readable(fill, grounds=(DARK_SURFACE, DARK_GREY, soft), towards=WHITE),
        words=DARK_INK,
    )
