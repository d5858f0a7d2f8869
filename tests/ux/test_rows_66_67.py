"""UX rows 66 and 67: by keyboard alone, on narrow windows, with large text, forced colours and less motion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.pages.screen import Chromium
from tests.ux.scenes import shots_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

MOST_TABS: Final = 10
FOCUS: Final = """() => {
  const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
  return {name: one.id || one.textContent.trim(), outline: style.outlineWidth + ' ' + style.outlineStyle,
    seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight};
}"""
# A link within a sentence may be as high as its line (WCAG 2.5.8); everything else is a target of its own.
TARGETS: Final = """() => {
  const shown = one => one.checkVisibility() && one.getBoundingClientRect().width > 1;
  const inText = one => one.tagName === 'A' && getComputedStyle(one).display === 'inline'
    && [...one.parentElement.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  const small = (one, least) => { const box = one.getBoundingClientRect();
    return box.height < least || box.width < least; };
  const all = [...document.querySelectorAll('a, button, summary, select, textarea, input:not([type=hidden])')]
    .filter(one => shown(one) && !one.matches('.skip'));
  return {
    count: all.length,
    targets: all.filter(one => !inText(one) && small(one, 24)).map(one => one.outerHTML.slice(0, 120)),
    buttons: all.filter(one => one.matches('.btn, button') && small(one, 44)).map(one => one.outerHTML.slice(0, 120)),
  };
}"""


@pytest.mark.parametrize("width", [1280, 390])
def test_ux_row_66_consent_by_keyboard_with_ten_tabs_at_most(
    db: None, chromium: Chromium, width: int
) -> None:
    (shot,) = [one for one in shots_of("account unknown") if one.name == "consent-account"]

    def walk(page: Page) -> tuple[list[dict[str, Any]], dict[str, Any]]:  # Any: JSON
        stops: list[dict[str, Any]] = []
        while len(stops) <= MOST_TABS and (not stops or stops[-1]["name"] != "Agree and continue"):
            page.keyboard.press("Tab")
            stops.append(page.evaluate(FOCUS))
        return stops, page.evaluate(TARGETS)

    stops, sizes = chromium.look(shot.film, shot.path, walk, width=width)
    assert [stop["name"] for stop in stops][-1] == "Agree and continue"
    assert len(stops) <= MOST_TABS
    assert [stop for stop in stops if stop["outline"] != "3px solid" or not stop["seen"]] == []
    assert sizes["count"] > 8
    assert sizes["targets"] == []
    assert sizes["buttons"] == []


WIDE: Final = "document.documentElement.scrollWidth"
LARGE: Final = "document.documentElement.style.fontSize = '200%'"
# In forced colours only borders, outlines and words are left of what a fill said.
UNMARKED: Final = """[...document.querySelectorAll('main .tag, main .banner, main .card, main .btn')]
  .filter(one => one.checkVisibility() && (getComputedStyle(one).borderTopStyle === 'none'
    || parseFloat(getComputedStyle(one).borderTopWidth) < 1) && !one.closest('.live .banner, .card .card'))
  .filter(one => !one.matches('.live .banner')).map(one => one.outerHTML.slice(0, 100))"""
MOVING: Final = "document.getAnimations().filter(one => one.playState === 'running').length"
# A state is a word; where it stands for itself, with an icon.
MUTE: Final = """[
  ...[...document.querySelectorAll('.tag')].filter(one => !one.textContent.trim()),
  ...[...document.querySelectorAll('.banner, .checks li, .tasks li')]
    .filter(one => !one.textContent.trim() || !one.querySelector('svg, .n')),
  ...[...document.querySelectorAll('.checks li')].filter(one => one.lastElementChild.textContent.trim().length < 2),
].filter(one => one.checkVisibility()).map(one => one.outerHTML.slice(0, 120))"""
STATES: Final = ("invited", "agreed", "on", "visited", "broken", "paused", "closing", "closed")


@pytest.mark.parametrize("state", STATES)
def test_ux_row_67_narrow_large_forced_still_and_never_by_colour_alone(
    db: None, chromium: Chromium, state: str
) -> None:
    def look(page: Page) -> dict[str, object]:
        found: dict[str, object] = {}
        page.set_viewport_size({"width": 320, "height": 800})
        found["320 px"] = page.evaluate(WIDE)
        found["mute"] = page.evaluate(MUTE)
        page.emulate_media(forced_colors="active")
        found["unmarked"] = page.evaluate(UNMARKED)
        page.emulate_media(forced_colors="none", reduced_motion="reduce")
        found["moving"] = page.evaluate(MOVING)
        page.evaluate(LARGE)
        for width in (1280, 640):
            page.set_viewport_size({"width": width, "height": 800})
            found[f"200 % at {width}"] = page.evaluate(WIDE)
        return found

    fine = {
        "320 px": 320,
        "mute": [],
        "unmarked": [],
        "moving": 0,
        "200 % at 1280": 1280,
        "200 % at 640": 640,
    }
    for shot in shots_of(state):
        assert chromium.look(shot.film, shot.path, look) == fine, shot.name


def test_ux_row_67_what_turns_stands_still_for_who_asked_for_less_motion(
    db: None, chromium: Chromium
) -> None:
    (shot,) = [one for one in shots_of("agreed") if one.name == "connect"]

    def look(page: Page) -> tuple[int, int]:
        moving: int = page.evaluate(MOVING)
        page.emulate_media(reduced_motion="reduce")
        return moving, page.evaluate(MOVING)

    moving, still = chromium.look(shot.film, shot.path, look)
    assert moving > 0
    assert still == 0
