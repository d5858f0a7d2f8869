"""Every address, every method, everybody: what they are answered, what they may read, and what they may move."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.http import HttpResponseBase

from portal.kernel import tenancy
from tests.conftest import SqlAs
from tests.walls.actors import ACTORS, Room, Walker, World
from tests.walls.addresses import METHODS, SAFE, TURNING, Address, addresses, payload
from tests.walls.digests import Digests, Owner, changed, digests
from tests.walls.matrix import EXPECTED

ALL = addresses()
STEADY = [one for one in ALL if one.name not in TURNING]
OUTSIDERS = {"anonymous", "loner", "a_left", "x_left"}


class Walk(Walker):
    """One person on their way past all doors, with a session that no answer can change for the next one."""

    def answer(self, address: Address, method: str, room: Room) -> HttpResponseBase:
        """What this person is answered there."""
        path = address.at(room)
        if method == "POST":
            answer = self.ready().post(path, payload(address.name, self.world, self.actor, room))
            self.posted(address.name)
            return answer
        return self.ready().generic(method, path)


def test_every_address_has_its_row_and_every_row_its_address() -> None:
    assert {(one.name, one.route) for one in ALL} == set(EXPECTED)


def test_no_name_stands_for_two_addresses() -> None:
    """Else whoever asks for the one by name is led to the other."""
    routes: dict[str, set[str]] = {}
    for one in ALL:
        routes.setdefault(one.name, set()).add(one.route)
    assert {name: found for name, found in routes.items() if len(found) > 1} == {}


@pytest.mark.parametrize("actor", ACTORS)
def test_each_cell_answers_as_the_matrix_says(world: World, sql_as: SqlAs, actor: str) -> None:
    """First all that is safe, which changes nothing; then all that is not, which moves only one's own."""
    look = sql_as("superuser")
    walk, room = Walk(world=world, actor=actor), world.rooms["X"]
    before = digests(look)
    wrong = list(_differences(walk, room, STEADY, SAFE))
    assert _moved(before, digests(look), actor, world) == set()
    wrong += _differences(walk, room, STEADY, tuple(sorted(set(METHODS) - set(SAFE))))
    moved = _moved(before, digests(look), actor, world)
    assert {owner for owner in moved if not _may_move(actor, owner, world)} == set()
    wrong += _differences(walk, room, [one for one in ALL if one.name in TURNING], METHODS)
    assert wrong == []
    assert bool(moved) == (actor not in OUTSIDERS | {"a_auditor", "y_approver"})


def _differences(walk: Walk, room: Room, where: list[Address], methods: tuple[str, ...]) -> Iterator[str]:
    for address in where:
        row = EXPECTED.get((address.name, address.route))
        if row is None:
            yield f"{address.route} ({address.name}) has no row"
            continue
        for method in methods:
            answer = walk.answer(address, method, room)
            expected = row.status(method, walk.actor)
            if answer.status_code != expected:
                yield f"{method} {address.route} ({address.name}): {answer.status_code} instead of {expected}"
            yield from _strange_words(walk, answer, f"{method} {address.route}")


def _strange_words(walk: Walk, answer: HttpResponseBase, where: str) -> Iterator[str]:
    """What somebody else wrote must stand on no page of this person, refusals included."""
    said = getattr(answer, "content", b"").decode(errors="replace")
    for word in walk.world.strange_to(walk.actor):
        if word in said and TOKEN_PAGE not in where:
            yield f"{where} tells of {word!r}"


TOKEN_PAGE = " i/<str:token>/"  # the page of a link tells whoever holds it who invites whom


def _moved(before: Digests, after: Digests, actor: str, world: World) -> set[Owner]:
    """Whose rows changed; leaving out that one's own refusals were told to one's own practice, or to the installation."""
    own = str(world.rooms["B" if actor == "b_owner" else "X"].practice_id)
    told = {str(tenancy.PLATFORM_ID)} if actor in OUTSIDERS else {str(tenancy.PLATFORM_ID), own}
    return changed(before, after, telling=told)


def _may_move(actor: str, owner: Owner, world: World) -> bool:
    """Own practice for the practice's people, own client for a client's, and nothing for all others."""
    table, practice, client = owner
    x, y, b = (world.rooms[name] for name in ("X", "Y", "B"))
    if table == "accounts_user":  # people belong to no practice; adding one adds a person
        return actor in {"a_owner", "a_assigned", "a_unassigned", "b_owner"}
    match actor:
        case "a_owner":
            return practice == str(x.practice_id)
        case (
            "a_assigned" | "a_unassigned"
        ):  # at Y, where neither is assigned, they only write a draft of their own
            theirs = {"", str(x.client_id)} if actor == "a_assigned" else {""}
            drafted = table in {"engagements_engagement", "engagements_assignment"} and client == str(
                y.client_id
            )
            anywhere = not table.startswith(("engagements_", "awsaccess_"))
            return practice == str(x.practice_id) and (client in theirs or drafted or anywhere)
        case "b_owner":
            return practice == str(b.practice_id)
        case "x_approver" | "x_viewer" | "x_aws_admin":
            return practice == str(x.practice_id) and client in {"", str(x.client_id)}
        case _:
            return False
