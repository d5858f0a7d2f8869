"""People and organisations."""

from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, practices, clients and who belongs where."""

    name = "accounts"

    def ready(self) -> None:
        """Register the outbox handlers, and who keeps secrets."""
        import accounts.handlers
        import accounts.services.totp  # noqa: F401  # both register themselves
