"""Colours: contrast as WCAG works it out, and shades that can be read wherever they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.brand.colours import BLACK, ENOUGH, WHITE, BadColour, Colour, contrast, readable, told
from accounts.brand.sheet import DARK_GREY, DARK_INK, DARK_SURFACE, GREY, SURFACE, palette_of

PORTAL = (Path(__file__).resolve().parents[2] / "static" / "portal.css").read_text()
colours = st.builds(Colour, red=st.integers(0, 255), green=st.integers(0, 255), blue=st.integers(0, 255))


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", "21.00:1"),
        ("#ffffff", "#ffffff", "1.00:1"),
        ("#767676", "#ffffff", "4.54:1"),
        ("#777777", "#ffffff", "4.47:1"),
        ("#1b4db3", "#ffffff", "7.61:1"),
        ("#9dbbff", "#161f2d", "8.66:1"),
        ("#0a0a0a", "#000000", "1.06:1"),
    ],
)
def test_contrast_is_what_others_find(one: str, other: str, ratio: str) -> None:
    assert told(contrast(Colour.parse(one), Colour.parse(other))) == ratio
    assert told(contrast(Colour.parse(other), Colour.parse(one))) == ratio


@given(colours)
def test_a_colour_is_read_as_it_is_written(colour: Colour) -> None:
    assert Colour.parse(str(colour)) == Colour.parse(f" {str(colour).upper()[1:]} ") == colour


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#fff",
        "blue",
        "#12345g",
        "#1234567",
        "#\uff11\uff12\uff13\uff14\uff15\uff16",
        "#123456;}",
        "url(x)",
    ],
)
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(BadColour, match="six digits"):
        Colour.parse(text)


@given(colours)
def test_a_colour_is_taken_as_soon_as_everybody_can_read_it(colour: Colour) -> None:
    ratio = contrast(colour, WHITE)
    if ratio < ENOUGH:
        with pytest.raises(BadColour, match=f"{told(ratio)} on white: .* choose a darker shade"):
            palette_of(str(colour))
        return
    palette = palette_of(str(colour))
    assert palette.light.fill == colour
    light, dark = palette.light, palette.dark
    for ground in (SURFACE, GREY, light.soft):
        assert contrast(light.ink, ground) >= ENOUGH
    for ground in (DARK_SURFACE, DARK_GREY, dark.soft):
        assert contrast(dark.ink, ground) >= ENOUGH
    for shade in (light, dark):
        assert contrast(shade.words, shade.fill) >= ENOUGH
        assert contrast(shade.words, shade.hover) >= ENOUGH


def test_a_dark_colour_is_held_to_dark_screens() -> None:
    assert str(palette_of("#1b4db3", "#9dbbff").dark.fill) == "#9dbbff"
    with pytest.raises(BadColour, match=r"2\.17:1 on the ground of dark screens.*choose a lighter shade"):
        palette_of("#1b4db3", "#1b4db3")


def test_what_can_be_read_stays_as_it_is() -> None:
    assert readable(BLACK, grounds=(WHITE,), towards=BLACK) == BLACK
    assert readable(WHITE, grounds=(WHITE,), towards=WHITE) == WHITE  # no shade on that way can be read


def test_the_sheet_holds_tokens_and_nothing_else() -> None:
    token = r"--[a-z-]+:#[0-9a-f]{6}"
    block = rf":root\{{{token}(;{token}){{4}}\}}"
    pattern = rf"{block}\n@media screen and \(prefers-color-scheme:dark\)\{{{block}\}}\n"
    assert re.fullmatch(pattern, palette_of("#7a1fa2").css)


def test_the_grounds_are_those_of_the_portal() -> None:
    light, dark = re.findall(r"--surface:(#\w+); --sunken:(#\w+)", PORTAL)
    assert [Colour.parse(one) for one in light] == [SURFACE, GREY]
    assert [Colour.parse(one) for one in dark] == [DARK_SURFACE, DARK_GREY]
    assert Colour.parse(re.findall(r"--on-brand:(#\w+)", PORTAL)[1]) == DARK_INK
    for token in ("brand", "brand-h", "brand-soft", "brand-ink", "on-brand"):
        assert f"--{token}:" in palette_of("#1b4db3").css
        assert f"--{token}:" in PORTAL
