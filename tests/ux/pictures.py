"""Pictures of every client page and every mail, light, dark and on a phone: `make screenshots`.

Not part of the tests, for it checks nothing: pytest runs it because it needs their database, people and browser.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from django.conf import settings

from accounts.models import User
from engagements.emails.news import NEWS
from portal.kernel import tenancy
from tests.conftest import SqlAs
from tests.engagements.test_mails import in_state
from tests.factories import Firm, make_firm
from tests.mailbox import Mailbox
from tests.pages import rooms
from tests.pages.screen import Answer, Chromium, Film
from tests.pages.test_more_screens import LOOKED_AT
from tests.pages.test_screens import film_of
from tests.ux.letters import OTHERS, Post
from tests.ux.scenes import SCENES, shots_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Together about five megabytes. SCALE=1 QUALITY=90 in the environment makes them as large as the window.
FOLDER: Final = Path(os.environ.get("FOLDER", Path(settings.BASE_DIR, "docs", "screenshots")))
QUALITY: Final = int(os.environ.get("QUALITY", "35"))  # of WebP
SCALE: Final = float(os.environ.get("SCALE", "0.6"))
SITE: Final = "https://portal.northgate.example"
# Name: width of the window, dark or light.
LOOKS: Final = {"light": (1280, False), "dark": (1280, True), "phone": (390, False)}
MAIL_LOOKS: Final = {"light": (760, False), "dark": (760, True), "phone": (390, False)}
# Rooms that stand in the scenes too.
SHOWN: Final = ("question", "colleague")
# The sample people and firms, in the place of those that tests make up.
CAST: Final = (
    "update accounts_practice set name = 'Northgate Cloud', legal_name = 'Northgate Cloud Ltd'",
    "update accounts_practice set address = '12 Quay Street, Bristol BS1 4QZ', support_email = 'help@northgate.example'",
    "update accounts_client set name = 'Brightwater Dental'",
    "update accounts_user set email = 'maya@northgate.example' where email like 'owner@%'",
    "update accounts_user set email = 'sam@brightwater.example' where email like 'approver@%'",
)


@pytest.fixture(autouse=True)
def _address(settings: Any) -> None:  # Any: pytest-django's private type
    """As a practice of that name would have it."""
    settings.SITE_URL = SITE


@pytest.mark.parametrize("scene", SCENES)
def test_pages(db: None, chromium: Chromium, scene: str) -> None:
    for shot in shots_of(scene):
        picture(chromium, shot.film, shot.path, shot.name, LOOKS)


@pytest.mark.parametrize("name", [name for name in LOOKED_AT if name not in SHOWN])
def test_rooms(db: None, chromium: Chromium, name: str) -> None:
    film, path = film_of(rooms.SIGHTS[name])
    picture(chromium, film, path, name.replace(", ", "-").replace(" ", "-"), LOOKS)


@pytest.fixture
def post(real_db: None, sql_as: SqlAs, mailbox: Mailbox, deliver: Callable[[], int]) -> Post:
    """The sample practice with its client, and whatever it mails."""
    return Post(mailbox=mailbox, deliver=deliver, sent=[], make=lambda _word: northgate(sql_as))


def northgate(sql_as: SqlAs) -> Firm:
    """Northgate Cloud with Maya, and Brightwater Dental with Sam."""
    firm = make_firm("northgate")
    superuser = sql_as("superuser")
    for statement in CAST:
        superuser.execute(statement)
    with tenancy.use(firm.practice_side):
        for row in (firm.practice, firm.client):
            row.refresh_from_db()
        firm.contact.refresh_from_db()
    for user in (firm.owner, firm.approver):
        user.refresh_from_db()
    assert User.objects.filter(email="sam@brightwater.example").exists()
    return firm


@pytest.mark.parametrize("kind", NEWS)
def test_mails_of_news(post: Post, chromium: Chromium, kind: str) -> None:
    firm = post.make("northgate")
    post.collect(kind, firm, engagement=in_state(firm, kind))
    mailed(post, chromium)


@pytest.mark.parametrize("name", OTHERS)
def test_other_mails(post: Post, chromium: Chromium, name: str) -> None:
    OTHERS[name](post)
    mailed(post, chromium)


def mailed(post: Post, chromium: Chromium) -> None:
    """One picture for each side that a mail goes to."""
    seen = set()
    for sent in post.sent:
        kind = sent.kind.removeprefix("engagements.").replace(".", "-").replace("_", "-")
        name = f"mail-{kind}{'' if sent.to_client else '-practice'}"
        if name not in seen:
            seen.add(name)
            body = sent.html.replace(f'src="{SITE}/', 'src="http://localhost/').encode()
            film = Film().add("GET /", Answer(status=200, headers={"Content-Type": "text/html"}, body=body))
            picture(chromium, film, "/", name, MAIL_LOOKS)


def picture(chromium: Chromium, film: Film, path: str, name: str, looks: dict[str, tuple[int, bool]]) -> None:
    """The whole page in each look, as `docs/screenshots/<name>-<look>.webp`."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for look, (width, is_dark) in looks.items():
        taken = chromium.look(film, path, take, width=width, is_dark=is_dark)
        (FOLDER / f"{name}-{look}.webp").write_bytes(taken)


def take(page: Page) -> bytes:
    """The whole page, not only what the window shows."""
    page.evaluate("document.fonts.ready.then(() => true)")
    page.emulate_media(reduced_motion="reduce")
    size = page.evaluate("[innerWidth, document.documentElement.scrollHeight]")
    line = page.context.new_cdp_session(page)
    clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": SCALE}
    told = line.send(
        "Page.captureScreenshot",
        {"format": "webp", "quality": QUALITY, "captureBeyondViewport": True, "clip": clip},
    )
    return base64.b64decode(told["data"])
