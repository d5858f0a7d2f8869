"""The AWS side: hub, grants, verifications, visits, exit proofs."""

from __future__ import annotations

from django.apps import AppConfig


class AwsAccessConfig(AppConfig):
    """The AWS side. Registers what the worker does when its moment comes."""

    name = "awsaccess"
    verbose_name = "AWS access"

    def ready(self) -> None:
        """Handlers of outbox and due rows are known to web and worker alike, so that neither can miss one."""
        from awsaccess import tasks  # noqa: F401  # imported for what it registers
