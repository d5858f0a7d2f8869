"""Read one mail that came back, as the mail server pipes it in."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from portal.kernel.bounces import LARGEST, bounce_take

CHUNK = 64 * 1024


class Command(BaseCommand):
    """`bounce_read [ADDRESS...] < message`. What is no report about a mail of ours is taken and forgotten.

    It ends well either way, so that the mail server answers nobody; only a database that is away makes it fail, and
    the server tries again.
    """

    help = "Read a delivery report (RFC 3464) from standard input and mark the mail that came back."

    def add_arguments(self, parser: CommandParser) -> None:
        """The addresses that the server was given for this message."""
        parser.add_argument(
            "addresses", nargs="*", metavar="ADDRESS", help="whom the message was for, such as ${recipient}"
        )

    def handle(self, *_args: object, **options: Any) -> None:  # Any: Django's own
        """Read to the end, so that the server's pipe does not break; only the beginning is kept."""
        source = sys.stdin.buffer
        head = source.read(LARGEST)
        while source.read(CHUNK):
            pass
        done = bounce_take(head, sent_to=options["addresses"])
        self.stdout.write("one mail came back" if done else "nothing to do")
