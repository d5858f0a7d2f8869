"""Write one practice's record to a file: `PORTAL_PROCESS=audit manage.py audit_export northgate --out record.jsonl`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Practice
from portal.kernel import export, tenancy

INSTALLATION: Final = "installation"  # the chain of no practice: sign-ins that were refused, or lead nowhere


class Command(BaseCommand):
    """Reads as portal_audit_ro. The file holds names and reasons, so nobody else may read it (mode 0600)."""

    help = "Export a practice's audit record with bodies, checkpoints and public keys."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which practice, and where to."""
        parser.add_argument("practice", help="the practice's code or id, or `installation`")
        parser.add_argument(
            "--out", required=True, type=Path, help="the file to write; an old one is replaced"
        )

    def handle(self, *_args: Any, **options: Any) -> None:  # Any: Django's signature
        """Write, then say how to verify it."""
        practice_id, out = _practice(options["practice"]), options["out"]
        if not out.parent.is_dir():
            raise CommandError(f"There is no folder {out.parent}.")
        with _whole_or_nothing(out) as file:
            count = sum(1 for line in export.lines_of(practice_id) if file.write(line))
        self.stdout.write(f"{out}: {count} lines. Verify with: python3 cli/audit_verify.py {out}")


def _practice(named: str) -> UUID:
    if named == INSTALLATION:
        return tenancy.PLATFORM_ID
    found = Practice.objects.filter(code=named).first()
    if found is None and _is_id(named):
        found = Practice.objects.filter(pk=named).first()
    if found is None:
        known = ", ".join([*Practice.objects.order_by("code").values_list("code", flat=True), INSTALLATION])
        raise CommandError(f"There is no practice {named!r}. Known are: {known}.")
    return found.pk


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


@contextmanager
def _whole_or_nothing(path: Path) -> Iterator[IO[str]]:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".export-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yield file
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
