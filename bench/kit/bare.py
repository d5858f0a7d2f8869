"""The anchor of everything that starts: Django with core contrib, checked and ended."""

from __future__ import annotations

import os
import sys
import time
from typing import Final

from kit import BENCH, ROOT
from kit.cpu import command_cpu_seconds

# As in production, with addresses that nobody dials: `check` asks no server.
NOWHERE: Final = {
    "SITE_URL": "https://portal.example.com",
    "SECRET_KEY": "a-key-of-the-right-length-that-guards-nothing-at-all-0123456789abcdef",
    "DATABASE_URL": "postgresql://portal_web:x@127.0.0.1:1/portal",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "EMAIL_URL": "smtp://127.0.0.1:1",
    "MAIL_FROM": "portal@example.com",
}


def bare_check() -> float:
    """CPU seconds of `django-admin check` on core contrib, interpreter included."""
    return command_cpu_seconds(_bare_command(), environment=_bare_environment(), folder=BENCH)


def bare_check_wall() -> float:
    """Wall seconds of the same, for what can only be measured by the clock on the wall."""
    begun = time.perf_counter()
    bare_check()
    return time.perf_counter() - begun


def portal_environment() -> dict[str, str]:
    """Every setting the portal needs to load, and none that leads anywhere."""
    return {**_base(), **NOWHERE, "DJANGO_SETTINGS_MODULE": "portal.settings", "PYTHONPATH": str(ROOT)}


def _bare_command() -> list[str]:
    return [sys.executable, "-m", "django", "check"]


def _bare_environment() -> dict[str, str]:
    return {**_base(), "DJANGO_SETTINGS_MODULE": "kit.core_settings", "PYTHONPATH": str(BENCH)}


def _base() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
