"""Make a key of its own for signing receipts: `manage.py receipt_key --out secrets`."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.kernel.papers import keys

KEY: Final = "receipt_signing_key"
CERTIFICATE: Final = "receipt_certificate"


class Command(BaseCommand):
    """Asks no database. Never writes over a key: whoever renews one moves the old files away first."""

    help = "Make a P-256 key and a certificate that it signs itself, for the signature on receipts."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to."""
        parser.add_argument("--out", type=Path, required=True, help=f"the folder for {KEY} and {CERTIFICATE}")

    def handle(self, *_args: Any, **options: Any) -> None:  # Any: Django's signature
        """Write both files, the key so that its owner alone reads it; then say what to set."""
        folder: Path = options["out"]
        if not folder.is_dir():
            raise CommandError(f"There is no folder {folder}.")
        if old := [one for one in (KEY, CERTIFICATE) if (folder / one).exists()]:
            raise CommandError(f"{folder / old[0]} is there already. Move it away first, and keep it.")
        private = keys.new_private_key()
        # No table is asked, so the database's clock is not either.
        certificate = keys.self_signed(private, now=dt.datetime.now(dt.UTC))
        _write(folder / KEY, keys.pem_of_key(private), mode=0o600)
        _write(folder / CERTIFICATE, certificate.public_bytes(Encoding.PEM).decode(), mode=0o644)
        self.stdout.write(
            f"Give the worker RECEIPT_SIGNING_KEY_FILE={folder / KEY} and "
            f"RECEIPT_CERTIFICATE_FILE={folder / CERTIFICATE}, then start it again."
        )


def _write(path: Path, text: str, *, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
