"""Who is who in the sample world, told to the newcomer by the desk."""

from __future__ import annotations

from typing import Final

from accounts.services.people import Person
from portal.demo import seed

CONSOLE: Final = ("/console/", "Open the console")
HOME: Final = ("/", "Open the client’s page")


def cast() -> list[dict[str, str]]:
    """The rows of the people file, the two who play the first scene first."""
    return [
        _row(
            seed.MAYA,
            "Northgate Cloud",
            "Owner and lead consultant: asks for access, enters, leaves",
            CONSOLE,
        ),
        _row(seed.SAM, "Brightwater Dental", "Approver: was asked and can say yes or no", HOME),
        _row(seed.TOMASZ, "Northgate Cloud", "Consultant", CONSOLE),
        _row(seed.RUTH, "Hollins Farm", "Approver: nobody has asked her yet", HOME),
        _row(seed.OWEN, "Harbour Cloud", "Owner of another practice: sees nothing of Northgate", CONSOLE),
        _row(seed.LENA, "Acacia Legal", "Approver: Harbour Cloud’s client, sees nothing of Northgate", HOME),
    ]


def _row(person: Person, organisation: str, what: str, door: tuple[str, str]) -> dict[str, str]:
    return {
        "name": person.name,
        "email": person.email,
        "organisation": organisation,
        "what": what,
        "door": door[0],
        "door_label": door[1],
    }
