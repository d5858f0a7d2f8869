"""The paper side: what is asked and what was agreed."""

from __future__ import annotations

from django.apps import AppConfig


class EngagementsConfig(AppConfig):
    """Engagements, offers and consents. Never touches AWS."""

    name = "engagements"

    def ready(self) -> None:
        """Register who keeps secrets."""
        import engagements.services.shops  # noqa: F401  # registers itself
