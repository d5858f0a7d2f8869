"""The ground every app stands on."""

from __future__ import annotations

from django.apps import AppConfig


class KernelConfig(AppConfig):
    """Tenancy, audit, outbox, due work, errors, clock. Knows no other app."""

    name = "portal.kernel"
    label = "kernel"

    def ready(self) -> None:
        """Register the system checks, and who signs the record when its time comes."""
        import portal.kernel.checkpoints
        import portal.kernel.checks  # noqa: F401  # both register themselves
