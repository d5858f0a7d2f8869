"""Symbols of the sprite in templates: `{% load icons %}{% icon "check" %}`, `{% icon name "spin" %}`."""

from __future__ import annotations

from functools import cache

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def icon(name: str, more: str = "") -> SafeString:
    """A symbol that no screen reader reads. `more`: a class beside its own."""
    return _drawn(str(name), str(more))


@cache  # as many as the sprite has symbols; where it lies does not change while a process runs
def _drawn(name: str, more: str) -> SafeString:
    return format_html(
        '<svg class="i{}{}" aria-hidden="true"><use href="{}#{}"/></svg>',
        " " if more else "",
        more,
        static("icons.svg"),
        name,
    )
