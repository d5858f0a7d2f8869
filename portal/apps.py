"""Names the console's admin site as the default one."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    """`django.contrib.admin` with our site, so that every app registers on it without importing `portal`."""

    default_site = "portal.console.site.ConsoleSite"
