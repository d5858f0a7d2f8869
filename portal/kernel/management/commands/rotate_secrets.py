"""Seal everything that is kept sealed under the newest SECRET_KEY: `manage.py rotate_secrets`, after a key was renewed.

Before it, the old key stands in SECRET_KEY_FALLBACKS; after it, the old key opens nothing that is kept.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

import portal.kernel.mail  # noqa: F401  # keeps letters
from portal.kernel import secrets


class Command(BaseCommand):
    """Runs as web or worker, beside a working portal, and as often as you like. Exits with 1 if something opens no more."""

    help = "Seal stored secrets anew under the newest key."

    def handle(self, *_args: Any, **_options: Any) -> None:  # Any: Django's signature
        """One line for each kind."""
        unreadable = 0
        for purpose, keeper in sorted(secrets.KEEPERS.items()):
            done = secrets.rotate(keeper)
            unreadable += done.unreadable
            self.stdout.write(
                f"{purpose}: {done.renewed} sealed anew, {done.current} under the newest key already, "
                f"{done.unreadable} that no key opens"
            )
        if unreadable:
            raise CommandError(
                "Some secrets open under no key: is an older one missing in SECRET_KEY_FALLBACKS?"
            )
