"""Access profiles: what can be asked for, in plain words beside the exact permissions.

Each "can't do" names what keeps it so; `tests/engagements/test_profiles.py` proves every one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engagements.profiles.shapes import (
    NO_CONTENTS,
    NO_PASSING_ON,
    NOTHING_ALLOWED,
    AccessProfile,
    Kind,
    Limit,
    Line,
    Statement,
)
from engagements.profiles.shipped import profiles_in
from engagements.profiles.words import LANGUAGES

__all__ = [
    "LANGUAGES",
    "NOTHING_ALLOWED",
    "NO_CONTENTS",
    "NO_PASSING_ON",
    "PROFILES",
    "AccessProfile",
    "Kind",
    "Limit",
    "Line",
    "Statement",
    "profile_named",
    "profiles_in",
]

PROFILES: Final[Mapping[str, AccessProfile]] = profiles_in("en")


def profile_named(code: str, language: str = "en") -> AccessProfile:
    """One of the shipped profiles. Raises KeyError for one that is not offered."""
    return profiles_in(language)[code]
