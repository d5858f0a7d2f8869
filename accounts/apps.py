"""People and organisations."""

from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, practices, clients and who belongs where."""

    name = "accounts"

    def ready(self) -> None:
        """Register the outbox handlers."""
        import accounts.tasks  # noqa: F401  # registers itself
