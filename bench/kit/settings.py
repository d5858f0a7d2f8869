"""The portal's own settings with one address more: the floor page, behind the same middleware on the same server."""

from __future__ import annotations

from kit import BENCH
from portal.settings import *  # noqa: F403  # settings are a module by Django's design
from portal.settings import TEMPLATES

ROOT_URLCONF = "kit.urls"
TEMPLATES[0]["DIRS"].append(BENCH / "kit" / "templates")
