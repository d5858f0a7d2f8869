"""Rows 6 to 13: what is asked for, what is agreed to, what is kept of it, and how to say something else."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser

from awsaccess.policy.documents import document
from awsaccess.services.profiles import profile_review
from engagements import tasks
from engagements.models import Engagement
from engagements.profiles import NOTHING_ALLOWED, PROFILES, AccessProfile, Kind
from engagements.profiles.own import DraftLine, DraftProfile, word_faults
from engagements.profiles.reading import HARDEST, grade
from engagements.selectors import grouped
from engagements.services.documents import receipt_make
from portal.kernel import clock, tenancy
from portal.kernel.models import OutboxMessage, OutboxState
from portal.pages import consenting
from portal.pages.frames import Desk, desk_of
from tests.awsaccess.services.worlds import InMemory
from tests.engagements.test_profile_pages import prose_of
from tests.engagements.test_profiles import actions_to_try, role_of, verdict, with_sids
from tests.mailbox import Mailbox
from tests.pages import stage
from tests.pages.reading import read
from tests.pages.screen import Answer, Chromium, Film
from tests.pages.stage import Stage
from tests.pages.test_choosing import asked
from tests.pages.test_screens import SIGHTS
from tests.ux.pdf_text import text_of
from tests.ux.test_doors import look_at

if TYPE_CHECKING:
    from playwright.sync_api import Page

Deliver = Callable[[], int]
AsWorker = Callable[[], AbstractContextManager[None]]
FOLD: Final = 900
MAYA: Final = "maya@northgate.example"
SHORT: Final = ("Who", "Why", "AWS account", "Kind of access", "Until")
EVERY: Final = pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))


@pytest.mark.usefixtures("db")
def test_ux_row_06_what_is_asked_stands_above_the_fold(chromium: Chromium) -> None:
    scene = stage.invited()
    film = Film().shoot(scene.browser(), scene.path())

    def bottoms(page: Page) -> dict[str, float]:
        found = {}
        for name in SHORT:
            place = page.locator("#facts dt", has_text=name).first.locator("xpath=..").bounding_box()
            assert place is not None, name
            found[name] = place["y"] + place["height"]
        return found

    found = chromium.look(film, scene.path(), bottoms, width=1280, height=FOLD)
    assert set(found) == set(SHORT)
    assert max(found.values()) < FOLD


def test_ux_row_07_a_permission_without_title_or_reason_is_not_saved() -> None:
    good = DraftLine(title="Costs and usage", why="We see what was spent, so we can find waste.", policy="{}")
    assert faults_of(good) == []
    assert faults_of(replace(good, title="")) == ["title"]
    assert faults_of(replace(good, title="One two three four five six seven")) == ["title"]
    assert faults_of(replace(good, why="")) == ["why"]
    assert faults_of(replace(good, why="We see what was spent.")) == ["why"]
    assert faults_of(replace(good, policy="")) == ["policy"]
    for profile in PROFILES.values():
        for line in (*profile.lines, *profile.optional_lines):
            assert len(line.title.split()) <= 6
            assert "so we can " in line.why.lower()
            assert line.actions


def faults_of(line: DraftLine) -> list[str]:
    draft = DraftProfile(title="Costs", kind=Kind.LOOK, summary="They can look.", lines=(line,))
    return [fault.field for fault in word_faults(draft)]


@pytest.mark.usefixtures("db")
def test_ux_row_07_technical_names_are_one_click_away(chromium: Chromium) -> None:
    scene = stage.invited()
    film = Film().shoot(scene.browser(), scene.path())

    def look(page: Page) -> tuple[bool, bool]:
        names = page.locator("details", has_text="ce:Get").first
        before = names.get_by_text("ce:Get").first.is_visible()
        names.locator("summary").click()
        return before, names.get_by_text("ce:Get").first.is_visible()

    assert chromium.look(film, scene.path(), look, has_script=False) == (False, True)


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("name", SIGHTS)
def test_ux_row_07_each_page_is_read_with_eight_years_of_school(name: str) -> None:
    assert grade(prose_of(look_at(SIGHTS[name]).content.decode())) <= HARDEST


@pytest.mark.usefixtures("db")
def test_ux_row_08_optional_permissions_are_off_and_nothing_needs_them(chromium: Chromium) -> None:
    scene = asked("advice", "history")
    browser = scene.browser()
    film = agreeing(scene, browser)

    def agree(page: Page) -> list[bool]:
        boxes = page.locator("input[name=optional]")
        ticked = [boxes.nth(number).is_checked() for number in range(boxes.count())]
        tick_and_agree(page)
        return ticked

    assert chromium.look(film, scene.path(), agree) == [False, False]
    assert browser.post(scene.path("agree/"), form_in(film)).status_code == 302
    (consent,) = scene.consents()
    assert consent.choice == []
    allowed = actions_in(browser.get(scene.path("template/")).content)
    assert "ce:GetCostAndUsage" in allowed or any(one.startswith("ce:") for one in allowed)
    assert not [one for one in allowed if one.startswith(("trustedadvisor:", "cloudtrail:"))]


@pytest.mark.usefixtures("db")
def test_ux_row_08_what_is_ticked_is_in_the_policy(chromium: Chromium) -> None:
    scene = asked("advice", "history")
    browser = scene.browser()
    film = agreeing(scene, browser)

    def agree(page: Page) -> None:
        page.locator("#optional-history").check()
        tick_and_agree(page)

    chromium.look(film, scene.path(), agree)
    assert browser.post(scene.path("agree/"), form_in(film)).status_code == 302
    allowed = actions_in(browser.get(scene.path("template/")).content)
    assert [one for one in allowed if one.startswith("cloudtrail:")]
    assert not [one for one in allowed if one.startswith("trustedadvisor:")]


def agreeing(scene: Stage, browser: Browser) -> Film:
    film = Film().shoot(browser, scene.path())
    return film.add(f"POST {scene.path('agree/')}", Answer(status=204, headers={}, body=b""))


def tick_and_agree(page: Page) -> None:
    page.check("#id_agree")
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.click("text=Agree and continue")


def form_in(film: Film) -> dict[str, list[str]]:
    """What the browser sent last."""
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(film.sent[-1]):
        found.setdefault(name, []).append(value)
    return found


def actions_in(template: bytes) -> list[str]:
    """What the role's own policies allow."""
    resources = json.loads(template)["Resources"].values()
    policies = [
        policy["PolicyDocument"]
        for one in resources
        if one["Type"] == "AWS::IAM::Role"
        for policy in one["Properties"]["Policies"]
    ]
    statements = [one for policy in policies for one in policy["Statement"] if one["Effect"] == "Allow"]
    return [action for one in statements for action in listed(one["Action"])]


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@EVERY
@pytest.mark.usefixtures("db")
def test_ux_row_09_each_limit_that_is_printed_is_proved(profile: AccessProfile) -> None:
    scene = asked(profile=profile.code)
    printed = read(scene.browser().get(scene.path())).text
    frozen: list[dict[str, str]] = scene.offer().documents["limits"]
    assert frozen == profile.limits_as_data()
    assert all(limit["title"] in printed for limit in frozen)
    titles = {limit.title for one in PROFILES.values() for limit in one.limits}
    assert not [title for title in titles - {limit["title"] for limit in frozen} if title in printed]
    role = role_of(profile)
    denies = {one["Sid"]: one for each in role for one in with_sids(each) if one["Effect"] == "Deny"}
    for limit in frozen:
        for action in actions_to_try(limit["key"], profile):
            if limit["kept_by"] == NOTHING_ALLOWED:
                assert verdict(role, action) != "allow", (limit["title"], action)
            else:
                alone = [document(denies[limit["kept_by"]])]
                assert verdict(alone, action) == "deny", (limit["title"], action)


def test_ux_row_09_without_a_proof_there_is_no_line() -> None:
    """A role that may read contents is not said to be kept from it."""
    look = '{"Statement": [{"Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "*"}]}'
    read_all = look.replace("ec2:DescribeInstances", "s3:GetObject")
    assert "contents" in promised(look)
    assert "contents" not in promised(read_all)
    assert "data" not in promised(read_all)


def promised(policy: str) -> set[str]:
    line = DraftLine(title="Files", why="We read what is there, so we can help.", policy=policy)
    draft = DraftProfile(
        title="Files", kind=Kind.CHANGE, summary="They can help.", lines=(line,), closes_contents=False
    )
    found = profile_review(draft)
    assert found.judged is not None, found
    return {limit["key"] for limit in found.judged.limits}


@pytest.mark.usefixtures("db")
def test_ux_row_10_what_was_shown_is_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = asked("advice", "history")
    browser = scene.browser()
    shown = read(browser.get(scene.path())).fields["shown"]
    again = consenting.paper_html(desk_before(scene), scene.offer())
    assert consenting.paper_html(desk_before(scene), scene.offer()) == again
    assert browser.post(scene.path("agree/"), {"shown": shown, "agree": "on"}).status_code == 302
    (kept,) = scene.consents()
    assert kept.shown_html == again
    assert kept.shown_sha256 == hashlib.sha256(again.encode()).hexdigest()
    record = browser.get(scene.path("consent.json")).content
    assert json.loads(record)
    later = "engagements/declined.html"  # any other template
    monkeypatch.setattr(consenting, "PAPER_TEMPLATE", later)
    receipt = browser.get(scene.path("receipt/")).content.decode()
    assert kept.shown_html in receipt
    assert kept.shown_sha256 in receipt
    assert scene.consents()[0].shown_html == again
    assert browser.get(scene.path("consent.json")).content == record


def desk_before(scene: Stage) -> Desk:
    with tenancy.use(scene.client_scope):
        engagement = Engagement.objects.select_related("practice", "client").get(pk=scene.engagement.pk)
        people = list(engagement.assignments.select_related("consultant").order_by("starts_at"))
        return desk_of(engagement=engagement, assignments=people, contact=scene.contact, user=scene.sam)


def test_ux_row_11_the_receipt_is_whole_and_can_be_checked(real_db: None, as_worker: AsWorker) -> None:
    scene = stage.agreed()
    (consent,) = scene.consents()
    with as_worker(), tenancy.use(scene.scope):
        paper = receipt_make(consent_id=consent.pk)
    assert paper is not None
    pdf = scene.browser().get(scene.path("receipt.pdf")).content
    text = text_of(pdf).replace(" ", "")
    local = consent.given_at.astimezone(stage.LONDON)
    for words in (
        grouped(paper.reference),
        "Sam Carter, Operations Manager",
        "Maya Okafor and Tomasz Lis",
        stage.EVIDENCE.ip,
        stage.EVIDENCE.user_agent,
        f"{local:%H:%M}",
        "London time",
        f"{consent.given_at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC",
        consent.shown_sha256,
        "/verify/",
    ):
        assert words.replace(" ", "") in text, words
    for mark in (b"/MarkInfo", b"/StructTreeRoot", b"/Lang"):
        assert mark in pdf
    assert said_of(pdf) == "This paper is genuine"
    middle = len(pdf) // 2
    changed = pdf[:middle] + bytes([pdf[middle] ^ 1]) + pdf[middle + 1 :]
    assert "genuine" not in said_of(changed)


def said_of(pdf: bytes) -> str:
    answer = Browser().post("/verify/", {"paper": SimpleUploadedFile("receipt.pdf", pdf)})
    text = answer.content.decode()
    return text.partition('<h2 id="a-h">')[2].partition("</h2>")[0]


OTHER_WAYS: Final = {
    "decline/": ("say no", {"reason": "Not this year"}, "Say no", "said no"),
    "question/": ("Ask a question first", {"question": "Why?"}, "Send question", "has a question"),
    "colleague/": (
        "Someone else has to agree",
        {"name": "Lee Ito", "email": "lee@brightwater.example"},
        "Send",
        "somebody else has to agree",
    ),
}


@pytest.mark.parametrize("page", OTHER_WAYS)
def test_ux_row_12_to_say_no_to_ask_and_to_delegate(
    page: str, real_db: None, chromium: Chromium, mailbox: Mailbox, deliver: Deliver, memory: InMemory
) -> None:
    link, typed, button, told = OTHER_WAYS[page]
    scene = stage.invited()
    browser, there = scene.browser(), scene.path(page)
    forget(scene)
    film = Film().shoot(browser, scene.path()).shoot(browser, there)
    film.add(f"POST {there}", Answer(status=204, headers={}, body=b""))

    def say(page: Page) -> None:
        page.get_by_role("link", name=link).click()
        for name, words in typed.items():
            page.fill(f"[name={name}]", words)
        with page.expect_response(lambda response: response.request.method == "POST"):
            page.get_by_role("button", name=button, exact=True).click()

    chromium.look(film, scene.path(), say, has_script=False)
    assert browser.post(there, form_in(film)).status_code == 302
    while deliver():
        pass
    subjects = {str(letter["To"]): str(letter["Subject"]) for letter in mailbox.letters}
    assert any("maya@" in to and told in subject for to, subject in subjects.items()), subjects
    assert memory.door.counts.total() == 0
    assert scene.fresh().status == ("declined" if page == "decline/" else "invited")


def forget(scene: Stage) -> None:
    """What sending promised is no matter here."""
    with tenancy.use(scene.scope):
        promised = OutboxMessage.objects.filter(kind__in=[tasks.INVITATION, "awsaccess.publish"])
        promised.update(state=OutboxState.SENT)


@pytest.mark.usefixtures("db")
def test_ux_row_12_saying_no_needs_no_reason() -> None:
    scene = stage.invited()
    assert scene.browser().post(scene.path("decline/"), {"reason": ""}).status_code == 302
    assert scene.fresh().status == "declined"


@pytest.mark.usefixtures("db")
def test_ux_row_13_the_confirmation_tells_what_next_and_its_address_stays_good(chromium: Chromium) -> None:
    scene = stage.active()
    with tenancy.use(scene.scope):
        later = clock.now() + dt.timedelta(days=90)
        Engagement.objects.filter(pk=scene.engagement.pk).update(ends_at=later)
    (consent,) = scene.consents()
    reference = f"{scene.engagement.code.upper()}-{consent.offer.number}"

    def look(page: Page) -> tuple[str, str, list[str]]:
        links = [link.get_attribute("href") or "" for link in page.get_by_role("link").all()]
        return page.inner_text("h1"), page.inner_text("main"), links

    first = Film().shoot(scene.browser(), scene.path())
    title, text, links = chromium.look(first, scene.path(), look)
    assert title == "Access is on"
    assert f"Reference {reference}" in text
    assert "What happens next" in text
    assert scene.path("receipt.pdf") in links
    assert f"mailto:{MAYA}" in links
    stage.make_visit(scene, minutes_ago=60, reason="compare server sizes")
    with clock.frozen(clock.now() + dt.timedelta(days=30)):
        film = Film().shoot(scene.browser(), scene.path())
        title, text, links = chromium.look(film, scene.path(), look)
    assert title == "Access is on"
    assert "What happens next" not in text
    assert "compare server sizes" in text
    assert scene.path("pause/") in links
    assert scene.path("end/") in links
