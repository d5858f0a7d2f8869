"""The few pieces of HTML that lists need: a tag, a small second line, a button in a row."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal.console import words
from portal.kernel.admin import Cell

SOON: Final = dt.timedelta(days=14)


def tag(cell: Cell) -> SafeString:
    """A quiet word on a soft fill; plain words where there is no tone."""
    return format_html('<span class="st {}">{}</span>', cell.tone, cell.text)


def two_lines(text: str, small: str) -> SafeString:
    """A word, and a quieter one under it."""
    if not small:
        return format_html("{}", text)
    return format_html('{}<span class="second">{}</span>', text, small)


def row_button(url: str, label: str, about: str, *, is_main: bool = True) -> SafeString:
    """A button of a row; what it is about is there for those who hear the page."""
    kind = "button" if is_main else "button ghost"
    return format_html(
        '<a class="{}" href="{}">{}<span class="visually-hidden"> {}</span></a>', kind, url, label, about
    )


def link(url: str, text: str) -> SafeString:
    """A link to another page of the console."""
    return format_html('<a href="{}">{}</a>', url, text)


def until(at: dt.datetime, *, now: dt.datetime, is_running: bool) -> SafeString:
    """A day; with how much is left, in red, when that is less than two weeks."""
    left = at - now
    if not is_running or left > SOON:
        return format_html("{}", words.day(at))
    return format_html('{}<span class="second stop">{} left</span>', words.day(at), words.span(left))
