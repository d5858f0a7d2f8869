"""Pack the evidence of one engagement: `PORTAL_PROCESS=audit manage.py evidence_pack k3v9x2m8qp --out pack.zip`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from awsaccess.evidence import write_pack
from engagements.models import Engagement


class Command(BaseCommand):
    """Reads as portal_audit_ro. The file holds names and reasons, so nobody else may read it (mode 0600)."""

    help = "Write everything about one engagement, with what verifies it, into one ZIP."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which engagement, and where to."""
        parser.add_argument("engagement", help="the engagement's code, as in its address")
        parser.add_argument(
            "--out", type=Path, help="the file to write, evidence-CODE.zip otherwise; an old one is replaced"
        )

    def handle(self, *_args: Any, **options: Any) -> None:  # Any: Django's signature
        """Write, then say how to verify it."""
        found = Engagement.objects.select_related("practice", "client").filter(code=options["engagement"])
        engagement = found.first()
        if engagement is None:
            raise CommandError(f"There is no engagement {options['engagement']!r}.")
        out = options["out"] or Path(f"evidence-{engagement.code}.zip")
        if not out.parent.is_dir():
            raise CommandError(f"There is no folder {out.parent}.")
        digest = _write(engagement, out)
        self.stdout.write(
            f"{out}: SHA-256 {digest}. Unpack it into an empty folder and run: python3 verify.py"
        )


def _write(engagement: Engagement, out: Path) -> str:
    """The whole file or none: a reader sees the old one until the new one is complete."""
    handle, name = tempfile.mkstemp(dir=out.parent, prefix=".evidence-")
    try:
        with os.fdopen(handle, "w+b") as file:
            digest = write_pack(engagement, file)
        Path(name).replace(out)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return digest
