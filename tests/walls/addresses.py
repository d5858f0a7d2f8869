"""Every address of the product, read off the URL resolver, with what each may be filled with."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

from django import forms
from django.urls import URLResolver, get_resolver

from portal.kernel import clock
from tests.walls.actors import ELSEWHERE, Room, World, once_for

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SAFE: Final = ("GET", "HEAD", "OPTIONS")
PLACE: Final = re.compile(r"<\w+:(\w+)>|\(\?P<(\w+)>\.\*\)\$")
# Which engagement stands in an address that acts; "active" in all others.
SLOTS: Final = {
    "client:agree": "invited_to_agree",
    "client:decline": "invited_to_decline",
    "client:question": "agreed",
    "client:colleague": "invited",
    "client:connect": "agreed",
    "client:live": "agreed",
    "client:check": "agreed",
    "client:pause": "active_to_pause",
    "client:resume": "paused_by_client",
    "client:end": "active_to_end",
    "client:deleted": "closing",
    "client:template": "agreed",
    "client:change": "changing",
    "client:change_agree": "changing",
    "client:change_decline": "changing_to_keep",
    "client:change_undo": "change_agreed",
    "admin:engagements_engagement_change-back": "changing_to_take_back",
    "client:account_use": "agreed_to_move",
    "client:account_keep": "wished_to_keep",
    "admin:engagements_engagement_account-confirm": "wished_to_confirm",
    "admin:engagements_engagement_account-refuse": "wished_to_refuse",
    "client:activity_table": "closed",
    "client:connect_script": "agreed",
    "client:delete_script": "agreed",
    "client:terraform": "agreed",
    "client:certificate": "closed",
    "client:certificate_pdf": "closed",
    "admin:engagements_engagement_certificate_pdf": "closed",
    "admin:engagements_engagement_preview": "invited",
    "admin:engagements_engagement_send": "draft_to_send",
    "admin:engagements_engagement_resume": "paused_by_practice",
    "admin:engagements_engagement_invite": "invited_to_decline",
    "admin:engagements_engagement_assign": "draft",
    "admin:engagements_engagement_edit": "draft",
    "admin:engagements_engagement_pause": "active_to_pause_here",
    "admin:engagements_engagement_cancel": "draft_to_cancel",
    "admin:engagements_engagement_end": "active_to_end_here",
}
# These change who the browser is, or work for whoever holds a link: walked last, and by themselves.
TURNING: Final = frozenset({"invitation", "invitation_again", "account_logout", "sessions"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One pattern: its name with its namespace, and its route with places to fill."""

    name: str
    route: str

    @property
    def places(self) -> tuple[str, ...]:
        """The names of what stands in it, such as `code`."""
        return tuple(left or right for left, right in PLACE.findall(self.route))

    def filled(self, values: Mapping[str, str]) -> str:
        """The path."""
        return "/" + PLACE.sub(lambda found: values[found[1] or found[2]], self.route)

    def at(self, room: Room) -> str:
        """The path of one client's object."""
        return self.filled({place: self._value(place, room) for place in self.places})

    def at_nothing(self) -> str:
        """The path of what never was, in the same form."""
        return self.filled({place: self._made_up(place) for place in self.places})

    def _value(self, place: str, room: Room) -> str:
        slot = SLOTS.get(self.name, "active")
        if place == "object_id":
            return object_id(self.name, room, slot)
        known = {
            "code": room.codes[slot],
            "token": room.token,
            "url": "nowhere/",
            "factor_id": "1",
            "practice_code": "northgate",
            "practice": room.practice_code,
            "mark": "a-link-that-is-over",
            "shop": room.shop,
            "digest": room.digest,
        }
        return known[place]

    def _made_up(self, place: str) -> str:
        if place == "factor_id":
            return "987654321"
        if "intakepage" in self.name:
            return str(uuid4())
        if place in {"code", "practice_code"} or self.name.startswith(
            ("admin:engagements_", "admin:accounts_client_")
        ):
            return "zzzzzzzz"
        if self.name.startswith("admin:kernel_") or place == "factor_id":
            return "987654321"
        return str(uuid4())


def object_id(name: str, room: Room, slot: str) -> str:
    """What the console's address of this name calls an object of the room."""
    model = name.removeprefix("admin:").split("_")[1]
    known = {
        "engagement": room.codes[slot],
        "grant": room.grant,
        "visit": room.visit,
        "hub": room.hub,
        "signinservice": room.service,
        "client": room.client_code,
        "membership": room.membership,
        "contact": room.spare_contact,  # the approver is needed by other cells
        "auditevent": room.event,
        "outboxmessage": room.message,
        "invitation": room.invitation,
        "practiceprofile": room.profiles["retire" if name.endswith("_retire") else "read"],
        "practice": str(room.practice_id),
        "engagementtemplate": room.template,
        "intakepage": room.page,
        "shop": room.shop,
    }
    return known[model]


def addresses() -> list[Address]:
    """All of them, in the resolver's order."""
    return list(_walk(get_resolver().url_patterns, "", ""))


def payload(name: str, world: World, actor: str, room: Room) -> dict[str, str]:
    """What a person with every right would post there, so that a hole would really change something."""
    return {"confirm": "yes", "reason": "walking by", "agree": "on", **_own_fields(name, world, actor, room)}


def _own_fields(name: str, world: World, actor: str, room: Room) -> dict[str, str]:
    person = {"name": "New Person", "email": f"new.{name[-6:]}@walk.example", "role": "viewer"}
    match name:
        case "admin:engagements_engagement_open" | "admin:engagements_engagement_keys":
            user = world.people.get(actor, UUID(int=0))
            mark = once_for(user, room.engagement_ids["active"], str(uuid4()))
            return {"service": "console", "minutes": "15", "once": mark}
        case "admin:engagements_engagement_add":
            return _draft(world, actor)
        case "admin:engagements_engagement_assign":
            return {"consultant": str(world.people["a_unassigned"]), "role": "member"}
        case "admin:engagements_engagement_invite":
            return {"contact": room.contact}
        case "service_pick":
            return {"practice": "northgate"}
        case "admin:engagements_engagement_answer":
            return {"answer": "By looking at the bills."}
        case "client:question":
            return {"question": "How long will it take?"}
        case "client:trouble":
            return {"said": "AccessDenied"}
        case "client:hand_over":
            return {"name": "New Person", "email": "new.hands@walk.example"}
        case "client:account_use":
            return {"account": ELSEWHERE}
        case "admin:engagements_engagement_account-confirm" | "admin:engagements_engagement_account-refuse":
            return {"wish": room.wishes[SLOTS[name]]}
        case "client:colleague":
            return {"name": "New Person", "email": "new.colleague@walk.example"}
        case "choose":
            return {"seat": room.contact}
        case "admin:engagements_practiceprofile_add":
            return {
                "title": "A Profile of the Walk",
                "kind": "look",
                "summary": "They can look at your servers.",
                "rows": "1",
                "line0-title": "See your servers",
                "line0-why": "So we can see which ones are too big.",
                "line0-policy": '{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}',
            }
        case "admin:accounts_client_add":
            return {"name": "A Client of the Walk"}
        case "admin:accounts_client_add-contact":
            return person
        case "admin:accounts_membership_add":
            return {**person, "role": "consultant"}
        case "admin:awsaccess_hub_edit":
            return {
                "account_id": "111111111111",
                "role_arn": "arn:aws:iam::111111111111:role/latchkey-hub-2",
                "region": "eu-west-1",
                "template_bucket": "latchkey-templates-111111111111",
            }
        case "account_login" | "account_request_login_code":
            return {"email": "nobody@nowhere.invalid"}
        case _:
            return {}


def _draft(world: World, actor: str) -> dict[str, str]:
    return {
        "client": str(world.rooms["Y"].client_id),
        "lead": str(world.people.get(actor, world.people["a_owner"])),
        "title": "A Walk",
        "purpose": "to see what is there",
        "profile": "cost_review",
        "ends_at": f"{clock.now() + dt.timedelta(days=7):%Y-%m-%dT%H:%M}",
    }


def _walk(
    patterns: Any,  # Any: Django's own sequence
    prefix: str,
    space: str,
) -> Iterator[Address]:
    for one in patterns:
        route = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            inner = ":".join(filter(None, (space, one.namespace)))
            yield from _walk(one.url_patterns, route, inner)
        else:
            yield Address(name=":".join(filter(None, (space, one.name or "anything"))), route=route)


def own_forms() -> list[type[forms.Form]]:
    """Every form class that the product itself defines."""
    found: list[type[forms.Form]] = []
    queue: list[type[forms.Form]] = [forms.Form]
    while queue:
        one = queue.pop()
        queue += one.__subclasses__()
        if one.__module__.split(".")[0] in {"portal", "accounts", "engagements", "awsaccess"}:
            found.append(one)
    return found
