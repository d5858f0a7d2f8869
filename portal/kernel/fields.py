"""Text as people type it, without the characters that nobody types.

Control characters break mail headers and log lines; marks that turn the direction of writing make a name read as
another. Django itself refuses NUL alone.
"""

from __future__ import annotations

import unicodedata
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

UNSEEN: Final = frozenset(
    {"Cc", "Zl", "Zp", "Cs"}
)  # control, line and paragraph separators, halves of characters
TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
BREAKS: Final = frozenset("\r\n\t")


class Line(forms.CharField):
    """One line of text. Refuses control characters, line breaks and marks that turn the direction of writing."""

    allowed: frozenset[str] = frozenset()
    default_error_messages = {"unseen": _("Use plain characters here: no line breaks and nothing invisible.")}

    def validate(self, value: Any) -> None:  # Any: Django's own
        """After length and presence."""
        super().validate(value)
        if any(is_unseen(one) and one not in self.allowed for one in value or ""):
            raise ValidationError(self.error_messages["unseen"], code="unseen")


class Lines(Line):
    """Several lines of text."""

    allowed = BREAKS
    widget = forms.Textarea
    default_error_messages = {"unseen": _("Use plain characters here: nothing invisible.")}


def is_unseen(character: str) -> bool:
    """True for what has no shape of its own and changes what stands round it."""
    return unicodedata.category(character) in UNSEEN or character in TURNING
