"""`manage.py sandbox`: the simulated AWS, for demo and development."""

from __future__ import annotations

from pathlib import Path

from django.core.management.base import BaseCommand, CommandParser

from awsaccess.sandbox.run import add_arguments, run


class Command(BaseCommand):
    """Serves until SIGINT or SIGTERM; needs neither database nor broker."""

    help = "Serve a simulated AWS on 127.0.0.1, with console and sign-in."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """The same options as `python -m awsaccess.sandbox`."""
        add_arguments(parser)

    def handle(self, *_: object, port: int, state_dir: Path | None, portal_origin: str, **__: object) -> None:
        """Serve."""
        run(port, state_dir, portal_origin)
