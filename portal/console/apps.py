"""The Django admin as the consultant's console."""

from __future__ import annotations

from django.contrib.admin.apps import SimpleAdminConfig


class ConsoleConfig(SimpleAdminConfig):
    """Django's admin app with our site, and without looking for other apps' registrations: groups and logs are not ours."""

    default_site = "portal.console.site.ConsoleSite"

    def ready(self) -> None:
        """Register the lists and pages."""
        super().ready()
        import portal.console.branding
        import portal.console.engagements
        import portal.console.grants
        import portal.console.intake
        import portal.console.people
        import portal.console.profiles
        import portal.console.records
        import portal.console.services
        import portal.console.shops  # noqa: F401  # all of them register themselves
