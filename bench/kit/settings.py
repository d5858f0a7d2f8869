"""The portal's own settings with one address more: the floor page, behind the same middleware on the same server."""

from __future__ import annotations

from kit import BENCH
from portal import settings as portal_settings
from portal.settings import *  # noqa: F403  # settings are a module by Django's design

ROOT_URLCONF = "kit.urls"
TEMPLATES = [
    {
        **portal_settings.TEMPLATES[0],
        "DIRS": [portal_settings.BASE_DIR / "templates", BENCH / "kit" / "templates"],
    }
]
