"""Rows 22 to 25: pause, end, switch back on, and the record of every visit."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

import pytest
from django.test import Client as Browser

from accounts.models import StepUp
from awsaccess.lifecycle import AccessEvent
from awsaccess.services.visits import VisitRefused
from engagements.services.pauses import engagement_pause
from portal.kernel import audit, clock, tenancy
from portal.kernel.models import AuditEvent, AuditHead
from tests.accounts.test_step_up import mailed_code
from tests.awsaccess.services.cast import enter, verified
from tests.awsaccess.services.worlds import InMemory, Simulated
from tests.factories import Firm, acting
from tests.mailbox import Mailbox
from tests.pages import stage
from tests.pages.reading import read
from tests.pages.screen import Answer, Chromium, Film
from tests.pages.stage import Stage
from tests.signing_in import let_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

Deliver = Callable[[], int]
AGES: Final = (0, 14, 16, 11 * 60)  # minutes since the sign-in
PROBE: Final = 60  # seconds
RED: Final = """[...document.querySelectorAll('.btn, button')].filter(one => {
  const [r, g, b] = (getComputedStyle(one).backgroundColor.match(/\\d+/g) || [0, 0, 0, 0]).map(Number);
  return r > 150 && g < 80 && b < 80; }).map(one => one.textContent.trim())"""


# Row 22


@pytest.mark.usefixtures("db")
def test_ux_row_22_pause_is_two_clicks_and_no_reason(chromium: Chromium) -> None:
    scene = stage.visited()
    browser, there = scene.browser(), scene.path("pause/")
    film = Film().shoot(browser, scene.path()).shoot(browser, there)
    film.add(f"POST {there}", Answer(status=204, headers={}, body=b""))

    def pause(page: Page) -> str:
        page.get_by_role("link", name="Pause access").click()
        said = page.inner_text("main")
        with page.expect_response(lambda response: response.request.method == "POST"):
            page.get_by_role("button", name="Pause access").click()
        return said

    said = chromium.look(film, scene.path(), pause, has_script=False)
    assert re.search(r"Maya Okafor may still be inside\. AWS ends it at \d\d:\d\d at the latest\.", said)
    sent = dict(parse_qsl(film.sent[0], keep_blank_values=True))
    assert sent["reason"] == ""
    assert browser.post(there, sent).status_code == 302
    assert scene.fresh().status == "paused"
    page = read(browser.get(scene.path()))
    assert page.h1 == "Access is paused"
    assert "AWS ends it at" in page.text


def test_ux_row_22_the_next_visit_is_refused_at_once(north: Firm, simulated: Simulated) -> None:
    case = verified(north, simulated)
    enter(case)
    asked = simulated.door.counts["assume"]
    begun = time.monotonic()
    with tenancy.use(north.client_side):
        engagement_pause(engagement=case.fresh(), actor=acting(north.approver), reason="")
    with pytest.raises(VisitRefused):
        enter(case)
    assert time.monotonic() - begun < PROBE
    assert simulated.door.counts["assume"] == asked
    assert [visit.status for visit in case.visits()] == ["issued"]


# Row 23


@pytest.mark.usefixtures("db")
def test_ux_row_23_ending_tells_what_follows_and_is_red_there_alone(chromium: Chromium) -> None:
    scene = stage.visited()
    browser, there = scene.browser(), scene.path("end/")
    pages = {page: scene.path(page) for page in ("", "pause/", "question/", "receipt/", "connect/")}
    film = Film().shoot(browser, there).add(f"POST {there}", Answer(status=204, headers={}, body=b""))
    for path in pages.values():
        film.shoot(browser, path)
    film.add(f"GET {scene.path('live/')}", Answer(status=204, headers={}, body=b""))

    def end(page: Page) -> tuple[list[str], int, int]:
        elsewhere = []
        for path in pages.values():
            page.goto(f"http://localhost{path}")
            elsewhere += page.evaluate(RED)
        page.goto(f"http://localhost{there}")
        red, listed = page.evaluate(RED), page.locator("main li").count()
        typed = page.locator("main input:not([type=hidden]), main textarea, main select").count()
        with page.expect_response(lambda response: response.request.method == "POST"):
            page.get_by_role("button", name="End access").click()
        assert red == ["End access"]
        return elsewhere, listed, typed

    elsewhere, listed, typed = chromium.look(film, there, end)
    assert elsewhere == []
    assert listed >= 3
    assert typed == 0
    assert browser.post(there, dict(parse_qsl(film.sent[0]))).status_code == 302
    assert scene.fresh().status == "closing"


# Row 24


def aged(scene: Stage, minutes: int) -> Browser:
    """Sam, who signed in so long ago."""
    browser = let_in(Browser(), scene.sam)
    session = browser.session
    session["signed_in_by"] = "code"
    session["signed_in_at"] = (clock.now() - dt.timedelta(minutes=minutes)).isoformat()
    session.save()
    return browser


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("minutes", AGES)
@pytest.mark.parametrize("act", ["pause/", "end/", "resume/"])
def test_ux_row_24_what_closes_never_asks_and_what_opens_always_does(act: str, minutes: int) -> None:
    scene = stage.paused() if act == "resume/" else stage.visited()
    answer = aged(scene, minutes).post(scene.path(act))
    if act == "resume/":
        assert answer.status_code == 200
        assert "step-up" in answer.content.decode()
        assert scene.fresh().status == "paused"
    else:
        assert answer.status_code == 302
        assert scene.fresh().status == {"pause/": "paused", "end/": "closing"}[act]


@pytest.mark.parametrize(("minutes", "after"), [(14, "active"), (16, "paused")])
def test_ux_row_24_a_mailed_code_is_good_for_fifteen_minutes(
    real_db: None, mailbox: Mailbox, deliver: Deliver, minutes: int, after: str
) -> None:
    scene = stage.paused()
    browser, there = aged(scene, 0), scene.path("resume/")
    assert browser.post(there).status_code == 200
    deliver_all(deliver)
    code = mailed_code(mailbox)
    with clock.frozen(clock.now() + dt.timedelta(minutes=minutes)):
        browser.post(there, {"step_up_code": code})
    assert scene.fresh().status == after
    with tenancy.use(tenancy.user_scope(scene.sam.pk)):
        assert StepUp.objects.count() == (1 if after == "active" else 0)


def deliver_all(deliver: Deliver) -> None:
    while deliver():
        pass


# Row 25


@pytest.mark.usefixtures("db")
def test_ux_row_25_the_timeline_tells_who_why_and_from_when_to_when() -> None:
    scene = stage.visited()
    browser = scene.browser()
    html = browser.get(scene.path()).content.decode()
    days = re.findall(r'<div class="day">([^<]+)</div>', html)
    assert days[0].startswith("Today")
    assert len(days) >= 2
    moments = re.findall(r'<time datetime="([^"]+)">([^<]*)</time>', html)
    told = [dt.datetime.fromisoformat(iso) for iso, _ in moments]
    assert told == sorted(told, reverse=True)
    text = read(browser.get(scene.path())).text
    for words in (
        "Maya opened the AWS console Reason: compare server sizes with last month’s use.",
        "Tomasz used the command line Reason: download the October bill.",
    ):
        assert words in text
    spans = [span for _, span in moments if "–" in span]
    assert len(spans) == 2
    assert all(re.fullmatch(r"\d\d:\d\d–\d\d:\d\d", span) for span in spans)
    rows = list(csv.reader(io.StringIO(browser.get(scene.path("activity.csv")).content.decode("utf-8-sig"))))
    assert [row[1] for row in rows[1:]] == [shown for _, shown in moments]
    assert {row[5] for row in rows[1:] if row[6]} == {"Maya Okafor", "Tomasz Lis"}


def test_ux_row_25_each_issued_credential_is_one_row_of_an_unbroken_chain(
    north: Firm, memory: InMemory
) -> None:
    case = verified(north, memory)
    before = issued_by(memory)
    for reason in ("first", "second", "third"):
        enter(case, reason=reason)
    visits = [visit for visit in case.visits() if visit.status == "issued"]
    assert len(visits) == issued_by(memory) - before == 3
    with tenancy.use(north.practice_side):
        events = AuditEvent.objects.filter(kind=AccessEvent.VISIT_ISSUED)
        assert sorted(event.subject for event in events) == sorted(map(audit.reference, visits))
        head = AuditHead.objects.get(practice_id=north.practice.pk)
        chain = list(audit.events_of(north.practice.pk, until=head.seq))
    assert audit.first_fault(chain, head=head) is None
    assert audit.first_fault([one for one in chain if one.pk != events[0].pk], head=head) is not None


def issued_by(memory: InMemory) -> int:
    """How often AWS gave credentials for a visit, by its own count."""
    return sum(call.method == "assume" for call in memory.fake.calls if is_visit(call))


def is_visit(call: object) -> bool:
    return "latchkey-check" not in repr(call)
