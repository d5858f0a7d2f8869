"""Ask, agree, connect, enter, leave, and the evidence of it: one story, played by a consultant and a client against the running house.

Nothing here writes to the database: people press buttons, mails arrive by SMTP, AWS is the simulated one. Its clock
runs slow for one moment, so that the shortest session AWS gives (15 minutes) is over soon and leaving can be proved.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from playwright.sync_api import expect

from tests.awsaccess.services.packs import unpack, verify
from tests.e2e.people import LINK, Person, Theatre, play
from tests.plugins.demo_process import Demo

MAYA, RUTH = "maya@northgate.example", "ruth@hollins.example"
ACCOUNT, ACCOUNT_NAME = "222222222222", "Hollins Farm"
SHORTEST_SESSION, LEFT_OF_IT = 900, 25
MAX_CLICKS, MAX_FIELDS, MAX_PAGES, MAX_SECONDS = 8, 1, 4, 5
PATIENCE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Onboarding:
    """What it cost the client to switch access on."""

    clicks: int
    fields: int
    pages: tuple[str, ...]
    seconds_to_stack: float
    seconds_to_on: float


def test_ask_agree_connect_enter_leave(
    demo: Demo, record_property: Callable[[str, object], None], tmp_path: Path
) -> None:
    cost = play(demo, partial(the_main_job, folder=tmp_path))
    record_property("onboarding", str(cost))
    assert cost.clicks <= MAX_CLICKS
    assert cost.fields <= MAX_FIELDS
    assert len(cost.pages) <= MAX_PAGES
    assert cost.seconds_to_on <= MAX_SECONDS


def the_main_job(theatre: Theatre, folder: Path) -> Onboarding:
    maya, ruth = theatre.person(MAYA), theatre.person(RUTH)
    asks(maya)
    cost = agrees_and_connects(ruth)
    enters(maya)
    sees_the_visit(ruth)
    leaves(ruth)
    reads_the_end(maya)
    takes_the_evidence(maya, folder)
    return cost


def asks(maya: Person) -> None:
    maya.goes_to("/console/")
    maya.signs_in()
    maya.follows("Engagements")
    maya.follows("Security review")
    maya.follows("Send to the client")
    maya.presses("Send it now")
    expect(maya.page.get_by_text("Invited").first).to_be_visible()


def agrees_and_connects(ruth: Person) -> Onboarding:
    link = LINK.search(ruth.demo.await_mail(RUTH, "").plain)
    assert link
    ruth.count_pages()
    ruth.clicks += 1  # the link in the mail
    ruth.goes_to(link.group())
    ruth.presses("Continue")
    expect(ruth.page.get_by_role("heading", level=1)).to_have_text("Review the access we’re asking for")
    ruth.types(ruth.page.get_by_label("Your AWS account number"), "2222 2222 2222")
    ruth.clicks_on(ruth.page.locator("#id_agree"))
    ruth.presses("Agree and continue")
    expect(ruth.page.get_by_role("heading", level=1)).to_have_text("Switch on access in AWS")
    pressed_at, created_at = makes_the_stack(ruth)
    expect(ruth.page.locator("#live")).to_contain_text("Access is on", timeout=PATIENCE_MS)
    return Onboarding(
        clicks=ruth.clicks,
        fields=ruth.fields,
        pages=tuple(ruth.pages),
        seconds_to_stack=created_at - pressed_at,
        seconds_to_on=time.monotonic() - created_at,
    )


def makes_the_stack(ruth: Person) -> tuple[float, float]:
    """In the AWS tab. Gives the moments of the press and of the stack seen complete, which waits for the call-back."""
    button = ruth.page.locator("#open-aws").get_by_role("link", name="Open AWS")
    expect(button).to_be_visible(timeout=PATIENCE_MS)
    aws = ruth.opens_tab(lambda: ruth.clicks_on(button))
    ruth.clicks_on(aws.get_by_role("button", name=ACCOUNT_NAME))
    ruth.clicks_on(aws.locator("input[name=capability]"))
    pressed_at = time.monotonic()
    ruth.clicks_on(aws.get_by_role("button", name="Create stack"))
    expect(aws.locator("#stack-status")).to_have_text("CREATE_COMPLETE", timeout=PATIENCE_MS)
    created_at = time.monotonic()
    expect(aws.locator("main")).to_contain_text("CallbackEuWest1")
    aws.close()
    return pressed_at, created_at


def enters(maya: Person) -> None:
    maya.demo.set_aws_clock(LEFT_OF_IT - SHORTEST_SESSION)
    maya.page.reload()
    maya.follows("Open AWS")
    maya.page.locator("[name=reason]").fill("Look why the firewall lets everybody in")
    maya.page.get_by_label("For how long").select_option("15")
    maya.page.locator("[name=step_up_code]").fill(maya.phone_shows())
    maya.presses("Open AWS")
    aws = maya.opens_tab(lambda: maya.clicks_on(maya.page.get_by_role("button", name="Open")))
    expect(aws.get_by_role("heading", level=1)).to_have_text(f"Signed in to {ACCOUNT_NAME}")
    expect(aws.locator("main")).to_contain_text(MAYA)
    aws.close()
    maya.demo.set_aws_clock(0)


def sees_the_visit(ruth: Person) -> None:
    ruth.follows("Continue")
    expect(ruth.page.locator("main")).to_contain_text("Look why the firewall lets everybody in")
    expect(ruth.page.locator("main")).to_contain_text("Maya Okafor")


def leaves(ruth: Person) -> None:
    ruth.follows("End access")
    ruth.presses("End access")
    expect(ruth.page.get_by_role("heading", level=1)).to_have_text("Close this project")
    aws = ruth.opens_tab(lambda: ruth.clicks_on(ruth.page.locator("#open-stack")))
    aws.get_by_role("link", name="latchkey-").click()
    aws.get_by_role("button", name="Delete stack").click()
    expect(aws.locator("#stack-status")).to_have_text("DELETE_COMPLETE", timeout=PATIENCE_MS)
    aws.close()
    ruth.clicks_on(ruth.page.locator("#deleted"))
    certificate = ruth.page.get_by_role("link", name="See the certificate")
    expect(certificate).to_be_visible(timeout=2 * PATIENCE_MS)
    ruth.clicks_on(certificate)
    expect(ruth.page.locator("main")).to_contain_text("2222 2222 2222")
    ruth.demo.await_mail(RUTH, "certificate")


def reads_the_end(maya: Person) -> None:
    maya.goes_to("/console/")
    maya.follows("Engagements")
    maya.follows("Hollins Farm")
    expect(maya.page.locator("main")).to_contain_text("closed and proved")


def takes_the_evidence(maya: Person, folder: Path) -> None:
    """The pack of the finished engagement, in an empty folder, with nothing but Python."""
    maya.follows("Evidence pack")
    maya.page.locator("[name=step_up_code]").fill(maya.phone_shows())
    with maya.page.expect_download(timeout=PATIENCE_MS) as found:
        maya.presses("Download the pack")
    pack = unpack(found.value.path().read_bytes(), folder / "pack")
    verified = verify(pack)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert {path.name.partition("-")[0] for path in (pack / "papers").iterdir()} == {"certificate", "receipt"}
