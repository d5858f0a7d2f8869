"""Rows 1, 17 and 18 through the whole house: real processes, mails by SMTP, the simulated AWS, and a real browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from playwright.sync_api import expect

from portal.kernel import clock
from tests.e2e.people import LINK, Person, Theatre, play
from tests.plugins.demo_process import Demo
from tests.ux.inviting import CLIENT, SAM, invite

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

ACCOUNT: Final = "441709265583"
PATIENCE_MS, PATIENCE = 60_000, 60
GREEN_WITHIN: Final = 15  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What it cost Sam to switch access on."""

    clicks: int
    fields: int
    pages: tuple[str, ...]
    seconds_to_green: float


def link_for(demo: Demo, title: str) -> str:
    """The newest invitation that names this project."""
    found: list[str] = []

    def came() -> bool:
        found[:] = [
            match.group()
            for mail in demo.mails(SAM)
            if title in mail.plain and (match := LINK.search(mail.plain))
        ]
        return bool(found)

    assert clock.wait_until(came, seconds=PATIENCE)
    return found[0]


def switches_on(theatre: Theatre, title: str, *, account: str = "") -> Cost:
    """From the mailed link to "Access is on", waiting for the page to notice by itself."""
    sam = theatre.person(SAM)
    link = link_for(theatre.demo, title)
    sam.count_pages()
    sam.clicks += 1  # the link in the mail
    sam.goes_to(link)
    sam.presses("Continue")
    if account:
        sam.types(sam.page.get_by_label("Your AWS account number"), account)
    sam.clicks_on(sam.page.locator("#id_agree"))
    sam.presses("Agree and continue")
    button = sam.page.locator("#open-aws").get_by_role("link", name="Open AWS")
    expect(button).to_be_visible(timeout=PATIENCE_MS)
    aws = sam.opens_tab(lambda: sam.clicks_on(button))
    sam.clicks += creates_the_stack(aws)
    made_at = time.monotonic()
    aws.close()
    expect(sam.page.locator("#live")).to_contain_text("Access is on", timeout=PATIENCE_MS)
    return Cost(
        clicks=sam.clicks,
        fields=sam.fields,
        pages=tuple(sam.pages),
        seconds_to_green=time.monotonic() - made_at,
    )


def creates_the_stack(aws: Page) -> int:
    """AWS's own page: sign in, which is not counted, tick the box, press. Gives the clicks that count."""
    signs_in = aws.get_by_role("button", name=CLIENT)
    if signs_in.count():
        signs_in.click()
    aws.locator("input[name=capability]").click()
    aws.get_by_role("button", name="Create stack").click()
    expect(aws.locator("#stack-status")).to_have_text("CREATE_COMPLETE", timeout=PATIENCE_MS)
    return 2


def test_ux_row_01_seven_clicks_and_nothing_typed(
    demo: Demo, record_property: Callable[[str, object], None]
) -> None:
    cost = play(demo, lambda theatre: switches_on(theatre, "Cost review"))
    record_property("onboarding, all known", str(cost))
    assert cost.clicks <= 7
    assert cost.fields == 0
    assert len(cost.pages) <= 3


def test_ux_row_01_one_option_on_is_one_field_more(demo: Demo) -> None:
    invite(demo, title="Licence review")
    cost = play(demo, lambda theatre: switches_on(theatre, "Licence review", account="4417 0926 5583"))
    assert cost.clicks <= 8
    assert cost.fields <= 1
    assert len(cost.pages) <= 4
    # Row 17 in the running house: the page turns green by itself.
    assert cost.seconds_to_green <= GREEN_WITHIN


def test_ux_row_18_without_javascript_the_whole_flow_works(demo: Demo) -> None:
    invite(demo, title="Server review", account_id=ACCOUNT)
    play(demo, without_javascript)


def without_javascript(theatre: Theatre) -> None:
    sam = theatre.person(SAM, has_script=False)
    sam.goes_to(link_for(theatre.demo, "Server review"))
    sam.presses("Continue")
    looks_plain(sam)
    sam.clicks_on(sam.page.locator("#id_agree"))
    sam.presses("Agree and continue")
    looks_plain(sam)
    button = sam.page.locator("#open-aws").get_by_role("link", name="Open AWS")
    reloads_until(sam.page, button)
    aws = theatre.person(
        SAM
    )  # AWS's own console needs scripts: it reads what stands behind the # of the address
    aws.goes_to(button.get_attribute("href") or "")
    creates_the_stack(aws.page)
    checks_now(sam)
    looks_plain(sam)
    sam.follows("Pause access")
    sam.presses("Pause access")
    expect(sam.page.get_by_role("heading", level=1)).to_have_text("Access is paused")
    sam.follows("End access")
    looks_plain(sam)
    sam.presses("End access")
    expect(sam.page.get_by_role("heading", level=1)).to_have_text("Close this project")
    looks_plain(sam)


def checks_now(sam: Person) -> None:
    """Pressing the button shows the newest state, within seconds of its being so."""
    on = sam.page.get_by_role("heading", level=1, name="Access is on")
    began = time.monotonic()

    def is_on() -> bool:
        if not on.count() and sam.page.locator("#check-now").count():
            sam.presses("Check now")
        else:
            sam.page.reload()
        return bool(on.count())

    assert clock.wait_until(is_on, seconds=PATIENCE, every_seconds=0.5)
    assert time.monotonic() - began <= GREEN_WITHIN


def looks_plain(sam: Person) -> None:
    """Nothing that reloads by itself, and nothing that waits for a script."""
    assert "http-equiv" not in sam.page.content()


def reloads_until(page: Page, what: Locator) -> None:
    def is_there() -> bool:
        if not what.count():
            page.reload()
        return bool(what.count())

    assert clock.wait_until(is_there, seconds=PATIENCE, every_seconds=0.5)
