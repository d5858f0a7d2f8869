"""`manage.py demo_seed`: the sample people and firms of the demo, through the product's own services."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.demo.cast import cast
from portal.demo.desk import people_file
from portal.demo.seed import seed


class Command(BaseCommand):
    """Twice does no harm: what is there stays as it is."""

    help = "Load the demo's sample people, firms and engagements (demo mode only)."

    def handle(self, *_arguments: Any, **_options: Any) -> None:  # Any: Django's own signature
        """Refuses outside the demo: nobody wants Sam Carter among their clients."""
        if not settings.DEMO_MODE:
            raise CommandError("demo_seed runs in demo mode only: set DEMO_MODE=true.")
        made = seed(Path(settings.DEMO_WORLD_FILE))
        people_file().write_text(json.dumps(cast(), indent=2), encoding="utf-8")
        self.stdout.write("Sample data loaded." if made else "Sample data was there already.")
