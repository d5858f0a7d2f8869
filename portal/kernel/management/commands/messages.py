"""Bring the catalogues of words up to what the code asks for: `manage.py messages`, or `make messages`."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.kernel.languages.keeping import Shelf, shelves_of


class Command(BaseCommand):
    """Writes each PO file anew, with its MO file beside it. Exits with 1 while words have no translation."""

    help = "Renew the catalogues of words from the code; --check writes nothing."
    requires_system_checks = ()  # it asks no database and serves nobody

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whether to write."""
        parser.add_argument("--check", action="store_true", help="only say what is missing")
        parser.add_argument("--base", type=Path, default=settings.BASE_DIR, help="where the code is")

    def handle(
        self, *_args: Any, check: bool, base: Path, **_options: Any
    ) -> None:  # Any: Django's signature
        """One line for each catalogue, and one for each of its words that somebody has to translate."""
        shelves = shelves_of(base)
        faults = [fault for shelf in shelves for fault in shelf.faults(is_kept=check)]
        for shelf in shelves:
            if not check:
                shelf.keep()
            self.stdout.write(_line(shelf))
        if faults:
            raise CommandError("\n".join(faults))


def _line(shelf: Shelf) -> str:
    return f"{shelf.language}: {len(shelf.renewed.entries)} words and sentences in {shelf.name}"
