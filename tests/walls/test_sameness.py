"""What is somebody else's and what never was: the same answer to the letter, after the same questions to the database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from tests.walls.actors import World
from tests.walls.addresses import Address, addresses, payload

ACTS: Final = ("GET", "POST", "DELETE")
LOOKS: Final = ("GET",)
# Who, whose rooms are shut to them, and what they try: of each kind of wall one acts, and the others look.
SHUT: Final = (
    ("b_owner", "X", ACTS),
    ("a_owner", "B", LOOKS),
    ("a_auditor", "B", LOOKS),
    ("a_assigned", "B", LOOKS),
    ("a_assigned", "Y", ACTS),
    ("a_unassigned", "X", ACTS),
    ("a_left", "X", LOOKS),
    ("x_approver", "Y", ACTS),
    ("x_viewer", "B", LOOKS),
    ("y_approver", "X", LOOKS),
    ("loner", "X", ACTS),
    ("anonymous", "X", ACTS),
)
# What belongs to the whole practice is open to its members, whatever client they work for.
OF_THE_PRACTICE: Final = (
    "admin:awsaccess_hub_",
    "admin:accounts_client_",
    "admin:accounts_contact_",
    "admin:accounts_membership_",
    "admin:accounts_signinservice_",
    "admin:kernel_",
    "admin:accounts_practice_",
    "admin:engagements_engagementtemplate_",
    "admin:engagements_intakepage_",
    "admin:engagements_shop_",
    "admin:engagements_practiceprofile_",
)
CLOCKS: Final = {"Expires", "Last-Modified"}  # the second in which the answer was made
SHORTEST_NAME: Final = 6
# What is new with each answer: the token of a form, and the name under which the log has a refusal.
TOKEN: Final = re.compile(
    r'name="csrfmiddlewaretoken" value="[^"]+"|"X-CSRFToken": "[^"]+"|Reference <code>[0-9a-f]{8}</code>'
)
VALUES: Final = re.compile(r"'(?:[^']|'')*'|\b[0-9a-f]{32}\b|\b\d+\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """All that an answer gives away: status, headers, body, and the statements it took, without their values."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str
    statements: tuple[str, ...]


@pytest.mark.parametrize(("actor", "whose", "methods"), SHUT)
def test_what_is_anothers_looks_as_what_never_was(
    world: World, actor: str, whose: str, methods: tuple[str, ...]
) -> None:
    browser, room = world.browser(actor, proves=False), world.rooms[whose]
    inside = actor.startswith("a_") and whose in "XY"
    # What is done once has been done: a session's first questions, and the first refusal that the record tells.
    browser.get("/choose/")
    for nowhere in ("/nowhere/", "/console/nowhere/"):
        browser.get(nowhere)
        browser.post(nowhere)
    for one in addresses():
        if not {"code", "object_id"} & set(one.places) or (inside and one.name.startswith(OF_THE_PRACTICE)):
            continue
        if actor.startswith("a_") and one.name == "admin:kernel_auditevent_change":
            continue  # numbers are each practice's own: theirs leads to one's own event, which the matrix looks at
        for method in methods:
            for headers in ({}, {"HX-Request": "true"}) if method == "GET" else ({},):
                fields = payload(one.name, world, actor, room)
                theirs = _told(browser, one, method, one.at(room), fields, headers)
                nobodys = _told(browser, one, method, one.at_nothing(), fields, headers)
                assert theirs == nobodys, (method, one.route, headers)
                assert theirs.status in {302, 401, 403, 404, 405}, (method, one.route)


def test_a_used_link_looks_as_a_made_up_one(world: World) -> None:
    token = world.rooms["X"].token
    made_up = "a" * len(token)
    assert Browser().post(f"/i/{token}/").status_code == 302
    browser = Browser()
    for method in ("GET", "POST"):
        theirs, nobodys = (_link(browser, method, f"/i/{one}/", one) for one in (token, made_up))
        assert theirs == nobodys
        assert theirs.status == 410


def test_ids_of_others_in_forms_are_no_choices(world: World) -> None:
    """The form of one's own draft, with clients, people and contacts of another practice, and with made-up ones."""
    owner, x, b = world.browser("a_owner"), world.rooms["X"], world.rooms["B"]
    made_up = "00000000-0000-4000-8000-000000000000"
    engagement = "/console/engagements/engagement/"
    base = payload("admin:engagements_engagement_add", world, "a_owner", x)
    cases = [
        (f"{engagement}add/", base, "client", str(b.client_id)),
        (f"{engagement}add/", base, "lead", str(world.people["b_owner"])),
        (f"{engagement}add/", base, "lead", str(world.people["a_left"])),
        (
            f"{engagement}{x.codes['draft']}/assign/",
            {"role": "member", "confirm": "yes"},
            "consultant",
            str(world.people["b_owner"]),
        ),
        (f"{engagement}{x.codes['invited']}/invite/", {"confirm": "yes"}, "contact", b.contact),
        (
            f"{engagement}{x.codes['invited']}/invite/",
            {"confirm": "yes"},
            "contact",
            world.rooms["Y"].contact,
        ),
    ]
    for path, fields, name, theirs in cases:
        told = [
            (answer.status_code, _plain(answer.content.decode(), value))
            for value in (theirs, made_up)
            for answer in [owner.post(path, {**fields, name: value})]
        ]
        assert told[0] == told[1], (path, name)
        assert told[0][0] == 422


def _told(
    browser: Browser, one: Address, method: str, path: str, fields: dict[str, str], headers: dict[str, str]
) -> Told:
    with CaptureQueriesContext(connection) as asked:
        if method == "POST":
            answer = browser.post(path, fields, headers=headers)
        else:
            answer = browser.generic(method, path, headers=headers)
    statements = tuple(VALUES.sub("?", query["sql"]) for query in asked.captured_queries)
    return _told_by(answer, set(path.split("/")) - set(one.route.split("/")) - {""}, statements)


def _link(browser: Browser, method: str, path: str, token: str) -> Told:
    """Without the statements: to have them counted one must hold a token, and nobody guesses one."""
    return _told_by(browser.generic(method, path), {token}, ())


def _told_by(answer: object, names: set[str], statements: tuple[str, ...]) -> Told:
    headers = getattr(answer, "headers", {})
    return Told(
        status=getattr(answer, "status_code", 0),
        headers=tuple(
            sorted((key, _nameless(value, names)) for key, value in headers.items() if key not in CLOCKS)
        ),
        body=TOKEN.sub("", _nameless(getattr(answer, "content", b"").decode(), names)),
        statements=statements,
    )


def _nameless(text: str, names: set[str]) -> str:
    """Without what the person asked for: a refusal may say that back."""
    for name in names:
        # The number of an event or a mail is in every date as well: it goes only where it is a part of an address.
        for around in ("%s",) if len(name) >= SHORTEST_NAME else ("/%s/", "%%2F%s%%2F"):
            text = text.replace(around % name, around % "-")
    return text


def _plain(body: str, value: str) -> str:
    return re.sub(r'name="once"[^>]+', "", TOKEN.sub("", body.replace(value, "-")))
