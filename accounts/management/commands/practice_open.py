"""`manage.py practice_open`: the operator opens a practice with its owner, who then signs in by e-mailed code."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError

from accounts.models import Practice, User
from accounts.services.people import Firm, Person, practice_open
from portal.kernel.actor import machine

OPERATOR: Final = machine("operator")
WORDS: Final = {
    "code": "short name in addresses: letters, digits, hyphens",
    "name": "as clients read it",
    "legal-name": "as contracts say it",
    "address": "postal address, one line",
    "support-email": "where clients ask for help",
    "owner-email": "the address the owner signs in with",
    "owner-name": "the owner's full name",
}
PHONES: Final = ("support-phone", "owner-phone")


class Command(BaseCommand):
    """Exits with 1 and one sentence when a value is no good or the code is taken."""

    help = "Open a practice (a consultancy) with its owner."

    def add_arguments(self, parser: CommandParser) -> None:
        """Every word by name: eight positional ones would be guessed wrongly."""
        for name, meaning in WORDS.items():
            parser.add_argument(f"--{name}", required=True, help=meaning)
        for name in PHONES:
            parser.add_argument(f"--{name}", default="", help="optional")

    def handle(self, *_args: Any, **options: Any) -> None:  # Any: Django's signature
        """Check first, so that nothing is half made."""
        firm = Firm(**{name: options[name] for name in Firm.__slots__})
        owner = Person(**{name: options[f"owner_{name}"] for name in ("email", "name", "phone")})
        try:
            Practice(**{name: options[name] for name in Firm.__slots__}).clean_fields()
            User(email=owner.email, name=owner.name, phone=owner.phone).clean_fields(exclude=["password"])
            practice_open(firm=firm, owner=owner, actor=OPERATOR)
        except ValidationError as error:
            faults = "; ".join(f"{name}: {' '.join(words)}" for name, words in error.message_dict.items())
            raise CommandError(f"Not opened: {faults}") from error
        except IntegrityError as error:
            raise CommandError(f"Not opened: there is a practice with the code {firm.code!r}.") from error
        self.stdout.write(f"{firm.name} is open; {owner.name} signs in as {owner.email}.")
