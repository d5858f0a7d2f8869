"""The Django admin as the consultant's console."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    """Django's admin app with our site in place of the stock one."""

    default_site = "portal.console.site.ConsoleSite"

    def ready(self) -> None:
        """Register the lists and pages."""
        super().ready()
        import portal.console.engagements
        import portal.console.grants
        import portal.console.people
        import portal.console.records  # noqa: F401  # all four register themselves
