"""Every page of the console in a real browser: no complaint of its policy, nothing to push sideways, on both widths."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from accounts.models import Invitation, Membership
from awsaccess.models import Hub, Visit
from portal.kernel import tenancy
from tests.console.cast import House, house, open_the_door
from tests.console.screen import ConsoleFilm, filmed
from tests.pages.screen import Chromium, answer_of
from tests.pages.stage import active, set_stage, visited

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.django_db, pytest.mark.e2e]
THEME = Path(__file__).resolve().parents[2] / "static" / "admin-theme" / "console.css"
LISTS = (
    "admin:index",
    "admin:menu",
    "admin:engagements_engagement_changelist",
    "admin:engagements_engagement_add",
    "admin:awsaccess_grant_changelist",
    "admin:awsaccess_visit_changelist",
    "admin:awsaccess_hub_changelist",
    "admin:accounts_client_changelist",
    "admin:accounts_client_add",
    "admin:accounts_membership_changelist",
    "admin:accounts_membership_add",
    "admin:accounts_invitation_changelist",
    "admin:accounts_signinservice_changelist",
    "admin:accounts_signinservice_add",
    "admin:accounts_practice_changelist",
    "admin:engagements_engagementtemplate_changelist",
    "admin:engagements_engagementtemplate_add",
    "admin:engagements_intakepage_changelist",
    "admin:engagements_intakepage_add",
    "admin:engagements_shop_changelist",
    "admin:engagements_shop_add",
    "admin:kernel_auditevent_changelist",
    "admin:kernel_auditevent_verify",
    "admin:kernel_outboxmessage_changelist",
)


def addresses(home: House) -> list[str]:
    """Every kind of page."""
    with tenancy.use(home.stage.scope):
        visit, hub, invitation = Visit.objects.first(), Hub.objects.get(), Invitation.objects.get()
        person = Membership.objects.filter(user=home.stage.maya).get()
    assert visit is not None
    return [
        *map(reverse, LISTS),
        *(home.url(slug) for slug in ("", "preview/", "open/", "pause/", "end/")),
        f"/console/awsaccess/grant/{home.grant().pk}/",
        f"/console/awsaccess/grant/{home.grant().pk}/check/",
        f"/console/awsaccess/visit/{visit.pk}/",
        f"/console/awsaccess/hub/{hub.pk}/",
        f"/console/awsaccess/hub/{hub.pk}/edit/",
        f"/console/accounts/client/{home.stage.client.code}/",
        f"/console/accounts/client/{home.stage.client.code}/add-contact/",
        f"/console/accounts/membership/{person.pk}/",
        f"/console/accounts/invitation/{invitation.pk}/",
        "/console/kernel/auditevent/1/",
    ]


def _measure(page: Page) -> dict[str, Any]:
    """How wide it is, and how many first headings it has."""
    found: dict[str, Any] = page.evaluate(
        "() => ({wide: document.documentElement.scrollWidth, headings: document.querySelectorAll('h1').length,"
        " inline: document.querySelectorAll('[style], style, script:not([src])').length})"
    )
    return found


@pytest.mark.parametrize(("width", "is_dark"), [(1280, False), (390, True)])
def test_every_page_keeps_its_policy_and_fits(chromium: Chromium, width: int, is_dark: bool) -> None:  # noqa: FBT001
    home = house(visited())
    for url in addresses(home):
        found = chromium.look(filmed(home.owner, url), url, _measure, width=width, is_dark=is_dark)
        assert found == {"wide": width, "headings": 1, "inline": 0}, url


def test_the_hand_over_leads_to_aws_in_a_new_tab(
    chromium: Chromium,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,  # Any: pytest-django's private type
) -> None:
    settings.FEDERATION_BASE_URL = settings.CONSOLE_BASE_URL = "http://127.0.0.1:1"
    home = house(active())
    open_the_door(home.stage, monkeypatch)
    once = re.search(r'name="once" value="([^"]+)"', home.owner.get(home.url("open/")).content.decode())
    assert once is not None
    asked = {"confirm": "yes", "reason": "look", "service": "ec2", "minutes": "60", "once": once[1]}
    film = ConsoleFilm()
    film.add(f"GET {home.url('open/')}", answer_of(home.owner.post(home.url("open/"), asked)))

    def press(page: Page) -> str:
        with page.context.expect_event("request", lambda request: "federation" in request.url) as sent:
            page.get_by_role("button", name="Go to AWS").click()
        return str(sent.value.method)

    assert chromium.look(film, home.url("open/"), press) == "POST"


def test_the_theme_button_changes_the_theme(chromium: Chromium) -> None:
    home = house(set_stage())

    def press(page: Page) -> tuple[str, str]:
        before = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.locator("button.theme-toggle").first.click()
        return before, page.evaluate("getComputedStyle(document.body).backgroundColor")

    before, after = chromium.look(filmed(home.owner, "/console/"), "/console/", press)
    assert before != after


def test_both_dark_blocks_of_the_theme_say_the_same() -> None:
    found = re.findall(r"color-scheme:dark;\n(.*?)\n\}", THEME.read_text(), re.DOTALL)
    assert len(found) == 2
    assert found[0] == found[1]


def test_nothing_moves_while_nobody_touches_it(chromium: Chromium) -> None:
    home = house(visited())
    film = filmed(home.owner, "/console/")
    chromium.look(film, "/console/", lambda page: page.wait_for_load_state("networkidle"))
    assert film.asked == ["GET /console/"]
