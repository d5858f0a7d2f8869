"""UX rows 36 to 43 and 45: mails, each kind as it arrives."""

from __future__ import annotations

import datetime as dt
import html as entities
import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import pytest
import time_machine
from axe_playwright_python.base import AXE_SCRIPT
from django.test import Client as Browser

from accounts.models import User
from engagements.emails import words
from engagements.models import Engagement
from portal.kernel import tenancy
from tests.accounts.conftest import make_browser
from tests.accounts.test_sign_in import ADDRESS, CODE, ask, code_in, give, is_in
from tests.engagements.test_mails import in_state
from tests.factories import Firm, make_firm
from tests.mailbox import Mailbox
from tests.pages.screen import Answer, Chromium, Film
from tests.ux.letters import AGREE, CODES, ORDER, PEOPLE, PLAIN, SEAL, SIGN_IN, WITHOUT_LINK, Sent, every_mail

if TYPE_CHECKING:
    from playwright.sync_api import Page

Deliver = Callable[[], int]
MONTHS: Final = "January|February|March|April|May|June|July|August|September|October|November|December"
DATE: Final = re.compile(rf"\b\d{{1,2}} (?:{MONTHS})(?: \d{{4}})?")
ADDRESSES: Final = re.compile(r"https?://[^\s<>\"]+")
BUTTON: Final = re.compile(r'class="btn"[^>]*href="([^"]+)"')
GENUINE, NEVER = "Not sure this is from us?", "We never ask for passwords or AWS keys"
LARGEST: Final = 30_000
WIDTHS: Final = (390, 760)
# One mail of each template; what they have in common is judged once.
JUDGED: Final = {"engagements.receipt", "engagements.paused", PLAIN, PEOPLE, SEAL, SIGN_IN, AGREE, ORDER}
AXE: Final[dict[str, dict[str, object]]] = {  # colour is all that dark changes
    "light": {"resultTypes": ["violations"]},
    "dark": {"runOnly": ["color-contrast"]},
}
_KEPT: list[Sent] = []


@pytest.fixture
def mails(request: pytest.FixtureRequest) -> list[Sent]:
    """Every kind of mail, sent once in this process."""
    if not _KEPT:
        _KEPT.extend(every_mail(request.getfixturevalue("mailbox"), request.getfixturevalue("deliver")))
    return _KEPT


def bare(html: str) -> str:
    """What a person reads in the HTML part, the hidden preview left out."""
    seen = re.sub(r"<style.*?</style>|<title>.*?</title>|<!--.*?-->", " ", html, flags=re.DOTALL)
    seen = re.sub(r'<div class="hide".*?</div>', " ", seen, flags=re.DOTALL)
    return " ".join(entities.unescape(re.sub(r"<[^>]+>", " ", seen)).split())


def addresses(text: str) -> set[str]:
    return {found.rstrip(".,)") for found in ADDRESSES.findall(entities.unescape(text))}


def test_ux_row_36_text_and_html_agree_and_the_subject_says_who_and_what(mails: list[Sent]) -> None:
    for sent in mails:
        text, html = " ".join(sent.text.split()), bare(sent.html)
        for name in sent.names:
            assert name in text, f"{sent}: {name} in the text"
            assert name in html, f"{sent}: {name} in the HTML"
        assert set(DATE.findall(text)) == set(DATE.findall(html)), sent
        assert addresses(text) == addresses(html), sent
        assert 0 < len(sent.subject) <= words.SUBJECT_LENGTH, sent
        assert {"\n", "\r"}.isdisjoint(sent.subject), sent
        if sent.kind not in CODES:
            who = (sent.firm.practice.name, sent.firm.client.name, sent.firm.owner.name, *sent.names)
            is_named = any(name in sent.subject for name in (*who, "Sam Carter", "Ben", "record"))
            assert is_named, f"{sent}: {sent.subject}"


def test_ux_row_37_one_button_a_visible_address_and_answers_reach_the_consultant(mails: list[Sent]) -> None:
    for sent in mails:
        buttons = BUTTON.findall(sent.html)
        assert len(re.findall(r'class="[^"]*\bbtn\b', sent.html)) == len(buttons), sent
        assert len(buttons) == (sent.kind not in WITHOUT_LINK), sent
        for address in buttons:
            assert entities.unescape(address) in bare(sent.html), sent
        if sent.to_client and sent.kind != SIGN_IN:  # nobody knows yet whose client asks for a code
            consultants = {sent.firm.owner.email, sent.firm.practice.support_email}
            assert sent.letter["Reply-To"] in consultants, sent


def test_ux_row_38_a_preheader_and_complete_without_images(mails: list[Sent]) -> None:
    for sent in mails:
        (preview,) = re.findall(r'<div class="hide"[^>]*>(.*?)</div>', sent.html, re.DOTALL)
        assert len(entities.unescape(preview).split("\N{FIGURE SPACE}")[0].strip()) > 10, sent
        pictures = re.findall(r"<img[^>]*>", sent.html)
        assert pictures, sent
        assert all('alt=""' in picture for picture in pictures), sent
        assert "background-image" not in sent.html, sent
        assert "url(" not in sent.html, sent


def test_ux_row_38_and_39_before_a_browser_without_images_light_and_dark(
    mails: list[Sent], chromium: Chromium
) -> None:
    """Nothing is wider than its window; of each template, axe finds no fault. Pictures are left out."""
    film = Film()
    for number, sent in enumerate(mails):
        body = re.sub(r"<img[^>]*>", "", sent.html).encode()
        film.add(f"GET /{number}", Answer(status=200, headers={"Content-Type": "text/html"}, body=body))

    def look(page: Page) -> list[str]:
        return [fault for number, sent in enumerate(mails) for fault in _faults(page, number, sent)]

    assert chromium.look(film, "/0", look) == []


def _faults(page: Page, number: int, sent: Sent) -> Iterator[str]:
    page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    page.goto(f"http://localhost/{number}")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        wide: int = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            yield f"{sent}: {wide} px in a window of {width}"
    if sent.kind not in JUDGED:
        return
    card: int = page.evaluate("document.querySelector('.card').getBoundingClientRect().width")
    if card > 600:
        yield f"{sent}: {card} px wide"
    page.evaluate(AXE_SCRIPT)
    for scheme, options in AXE.items():
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        told: dict[str, Any] = page.evaluate("options => axe.run(options)", options)  # Any: axe's own JSON
        for fault in told["violations"]:
            if fault["id"] not in {"region", "landmark-one-main"}:  # mailboxes have landmarks of their own
                yield f"{sent}, {scheme}: {fault['id']} {[node['html'][:120] for node in fault['nodes']]}"


def test_ux_row_39_light_and_dark_at_most_600_px_and_30_kilobytes(mails: list[Sent]) -> None:
    for sent in mails:
        assert len(sent.html.encode()) <= LARGEST, f"{sent}: {len(sent.html.encode())}"
        assert "prefers-color-scheme:dark" in sent.html.replace(" ", ""), sent
        assert 'name="color-scheme" content="light dark"' in sent.html, sent
        assert "max-width: 560px" in sent.html, sent


def test_ux_row_40_every_mail_with_a_link_says_how_to_be_sure(mails: list[Sent]) -> None:
    for sent in mails:
        if "<a " not in sent.html:
            assert sent.kind in WITHOUT_LINK, sent
            continue
        for part in (" ".join(sent.text.split()), bare(sent.html)):
            assert GENUINE in part, sent
            assert NEVER in part, sent


def test_ux_row_41_why_you_got_this_from_where_and_no_unsubscribing(mails: list[Sent]) -> None:
    """A sign-in code names no firm: nobody knows yet whose page it is that somebody wants to open."""
    for sent in mails:
        for part in (" ".join(sent.text.split()), bare(sent.html)):
            assert f"Sent to {sent.letter['To']} because" in part, sent
            practice = sent.firm.practice
            named = f"{practice.legal_name}, {practice.address}"
            assert (named in part) is (sent.kind != SIGN_IN), sent
        assert "unsubscribe" not in sent.html.lower() + sent.text.lower(), sent
        assert sent.letter["List-Unsubscribe"] is None, sent


def test_ux_row_42_headers_of_each_mail_and_threads_of_each_engagement(mails: list[Sent]) -> None:
    threads: dict[str, set[str]] = {}
    for sent in mails:
        letter = sent.letter
        assert letter["Auto-Submitted"] == "auto-generated", sent
        assert re.fullmatch(r"<[a-z0-9-]+\.northgate\.example>", str(letter["List-Id"])), sent
        assert letter["References"] == letter["In-Reply-To"] != letter["Message-ID"], sent
        assert letter["References"], sent
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", str(letter["X-Portal-Reason"])), sent
        if sent.engagement is not None:
            threads.setdefault(str(sent.engagement.pk), set()).add(str(letter["References"]))
    assert {len(found) for found in threads.values()} == {1}
    assert len(set.union(*threads.values())) == len(threads), "two engagements in one thread"
    assert len({str(sent.letter["Message-ID"]) for sent in mails}) == len(mails)


def test_ux_row_43_the_code_is_in_the_subject_one_lives_for_15_minutes_and_5_tries(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    codes = _Codes(firm=firm, mailbox=mailbox, deliver=deliver)
    browser, first = codes.asked()
    assert mailbox.letters[-1]["Subject"] == f"{first} is your sign-in code"
    browser.post(CODE, {"action": "resend"})
    deliver()
    second = code_in(mailbox)
    give(browser, first)
    assert not is_in(browser), "the second code voids the first"
    assert second != first
    give(browser, second)
    assert is_in(browser)
    browser, code = codes.asked()
    with time_machine.travel(time.time() + 15 * 60 + 1):
        assert browser.post(CODE, {"code": code, "action": "verify"})["Location"] == ADDRESS, "minute 16"
        assert not is_in(browser)


def test_ux_row_43_the_sixth_try_is_refused(firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
    browser, code = _Codes(firm=firm, mailbox=mailbox, deliver=deliver).asked()
    for _ in range(5):
        give(browser, "wrong!")
    assert give(browser, code)["Location"] == ADDRESS
    assert not is_in(browser)


class _Codes:
    def __init__(self, *, firm: Firm, mailbox: Mailbox, deliver: Deliver) -> None:
        self.firm, self.mailbox, self.deliver = firm, mailbox, deliver

    def asked(self) -> tuple[Browser, str]:
        """A browser before the field, and the code that is right."""
        browser = make_browser()
        ask(browser, self.firm.approver.email)
        self.deliver()
        return browser, code_in(self.mailbox)


SUMMER_TIME_ENDS: Final = dt.datetime(
    2026, 10, 25, 1, 0, tzinfo=dt.UTC
)  # London's clocks go from 02:00 to 01:00


@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        ("Europe/London", "01:30, London time (BST)", "01:30, London time (GMT)"),
        ("Asia/Kolkata", "06:00, Kolkata time (IST)", "07:00, Kolkata time (IST)"),
    ],
)
def test_ux_row_45_moments_are_the_readers_also_when_the_clocks_change(
    real_db: None, mailbox: Mailbox, deliver: Deliver, zone: str, before: str, after: str
) -> None:
    half = dt.timedelta(minutes=30)
    for word, moment, shown in (
        ("early", SUMMER_TIME_ENDS - half, before),
        ("late", SUMMER_TIME_ENDS + half, after),
    ):
        firm = make_firm(word)
        User.objects.filter(pk=firm.approver.pk).update(timezone=zone)
        engagement = in_state(firm, "engagements.paused")
        with tenancy.use(firm.practice_side):
            Engagement.objects.filter(pk=engagement.pk).update(paused_at=moment)
        mailbox.letters.clear()
        while deliver():
            pass
        (letter,) = [one for one in mailbox.letters if one["To"] == firm.approver.email]
        for kind in ("plain", "html"):
            part = letter.get_body((kind,))
            assert part is not None
            told = " ".join(str(part.get_content()).split())
            assert f"{moment.astimezone(ZoneInfo(zone)).day} October" in told
            assert shown in told, (kind, told)


def test_ux_row_45_the_mail_speaks_the_readers_language(
    firm: Firm, mailbox: Mailbox, deliver: Deliver
) -> None:
    """One reader's language is not the other's, and no word of the frame stays English."""
    User.objects.filter(pk=firm.approver.pk).update(language="de")
    in_state(firm, "engagements.paused")
    while deliver():
        pass
    (sam,) = [one for one in mailbox.letters if one["To"] == firm.approver.email]
    (maya,) = [one for one in mailbox.letters if one["To"] == firm.owner.email]
    german, english = (str(one.get_body(("html",)).get_content()) for one in (sam, maya))  # type: ignore[union-attr]  # both parts are sent
    assert '<html lang="de"' in german
    assert '<html lang="en' in english
    assert "Access is paused" in str(maya["Subject"])
