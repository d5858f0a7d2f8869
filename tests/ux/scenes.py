"""Every client page, by the state it belongs to: one stage is set for all pages of a state."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from django.test import Client as Browser

from accounts.emails import invitation_url
from accounts.lifecycle import ContactRole
from accounts.models import Invitation
from accounts.services.invitations import invitation_make
from portal.kernel import actor, clock, tenancy
from tests.accounts.conftest import make_browser
from tests.engagements.test_orders import make_page
from tests.factories import Firm
from tests.pages import stage
from tests.pages.screen import Answer, Film
from tests.pages.stage import Stage
from tests.pages.test_fronts import declined
from tests.pages.test_screens import broken, unknown_account

if TYPE_CHECKING:
    from playwright.sync_api import Route

DECIDES, LOOKS, HELPS = ContactRole.APPROVER, ContactRole.VIEWER, ContactRole.AWS_ADMIN
NOTHING_NEW: Final = Answer(status=204, headers={}, body=b"")


@dataclass(kw_only=True)  # no slots, as a film
class Watched(Film):
    """A film that remembers every address that the browser asks for."""

    urls: list[str] = field(default_factory=list)

    def play(self, route: Route) -> None:
        """Note it, and answer."""
        self.urls.append(route.request.url)
        super().play(route)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One page as it was answered."""

    name: str
    film: Watched
    path: str

    @property
    def answer(self) -> Answer:
        return self.film.answers[f"GET {self.path}"][0]


Pages = tuple[tuple[str, str, ContactRole], ...]  # name, page under /e/<code>/, who looks
STATES: Final[dict[str, tuple[Callable[[], Stage], Pages]]] = {
    "invited": (
        stage.invited,
        (
            ("consent", "", DECIDES),
            ("decline", "decline/", DECIDES),
            ("question", "question/", DECIDES),
            ("colleague", "colleague/", DECIDES),
            ("colleague-told", "colleague/told/", DECIDES),
            ("consent-viewer", "", LOOKS),
            ("consent-too-early", "", HELPS),
            ("refused", "end/", LOOKS),
        ),
    ),
    "account unknown": (unknown_account, (("consent-account", "", DECIDES),)),
    "declined": (declined, (("declined", "", DECIDES),)),
    "agreed": (stage.agreed, (("connect", "", DECIDES), ("receipt", "receipt/", DECIDES))),
    "on": (stage.active, (("status-new", "", DECIDES), ("connect-on", "connect/", DECIDES))),
    "visited": (
        stage.visited,
        (
            ("status", "", DECIDES),
            ("pause", "pause/", DECIDES),
            ("end", "end/", DECIDES),
            ("projects", "/e/", DECIDES),
        ),
    ),
    "broken": (broken, (("status-problem", "", DECIDES), ("connect-problem", "connect/", DECIDES))),
    "paused": (stage.paused, (("paused", "", DECIDES), ("resume", "resume/", DECIDES))),
    "closing": (stage.closing, (("closing", "", DECIDES),)),
    "closed": (stage.closed, (("certificate", "", DECIDES), ("over", "", HELPS))),
}
PUBLIC: Final = "public"
SCENES: Final = (*STATES, PUBLIC)


def shots_of(name: str) -> list[Shot]:
    """Set the stage, and every page of it."""
    if name == PUBLIC:
        return _public()
    make, pages = STATES[name]
    scene = make()
    people = {DECIDES: scene.sam}
    shots = []
    for title, page, role in pages:
        if role not in people:
            people[role] = scene.colleague(role)
        path = page if page.startswith("/") else scene.path(page)
        shots.append(_shot(title, scene.browser(people[role]), path, live=scene.path("live/")))
    return shots


def _shot(name: str, browser: Browser, path: str, *, live: str = "") -> Shot:
    film = Watched()
    film.shoot(browser, path)
    if live:
        film.add(f"GET {live}", NOTHING_NEW)
    return Shot(name=name, film=film, path=path)


def _public() -> list[Shot]:
    """What is seen without a sign-in."""
    scene = stage.invited()
    firm = Firm(
        practice=scene.practice,
        owner=scene.maya,
        client=scene.client,
        approver=scene.sam,
        contact=scene.contact,
    )
    make_page(firm)
    link, dead = _link(scene), "/i/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/"
    asking = make_browser()
    asking.post("/account/login/", {"email": scene.sam.email})
    anybody = {
        "landing": link,
        "link-expired": dead,
        "sign-in": "/account/login/",
        "help": "/help/",
        "protection": "/help/safety/",
        "privacy": "/help/privacy/",
        "accessibility": "/help/accessibility/",
        "verify": "/verify/",
        "order": "/to/northgate/",
        "order-sent": "/to/northgate/sent/",
        "not-found": "/nothing/",
    }
    shots = [_shot(name, make_browser(), path) for name, path in anybody.items()]
    shots.append(_shot("code", asking, "/account/login/code/"))
    shots.append(_shot("sign-out", scene.browser(), "/account/logout/"))
    return shots


def _link(scene: Stage) -> str:
    with tenancy.use(scene.scope):
        made = invitation_make(
            contact=scene.contact,
            landing_path=scene.path(),
            invited_by=scene.maya,
            actor=actor.machine("test"),
        )
        found = Invitation.objects.get(pk=made.pk)
        assert found.expires_at > clock.now() + dt.timedelta(days=6)
        return urlsplit(invitation_url(found)).path
