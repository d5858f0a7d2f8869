"""Who plays: a consultant and a client, each with a browser of their own, counted in clicks, fields and pages."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from portal.kernel import clock
from tests.pages.screen import find_chromium
from tests.plugins.demo_process import Demo

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page

T = TypeVar("T")
PATIENCE_MS: Final = 30_000
LINK: Final = re.compile(r"https?://\S+/i/\S+")


@dataclass(slots=True, kw_only=True)
class Person:
    """One person at one browser."""

    email: str
    demo: Demo
    context: BrowserContext
    page: Page
    clicks: int = 0
    fields: int = 0
    pages: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def goes_to(self, url: str) -> None:
        """Follow a link that stands outside of the portal, or type an address."""
        self.page.goto(url if "://" in url else self.demo.url + url, wait_until="load")

    def clicks_on(self, what: Locator) -> None:
        """One click."""
        self.clicks += 1
        what.click()

    def types(self, what: Locator, text: str) -> None:
        """One field."""
        self.fields += 1
        what.fill(text)

    def presses(self, name: str) -> None:
        """A button by its words."""
        self.clicks_on(self.page.get_by_role("button", name=name, exact=True))

    def follows(self, name: str) -> None:
        """A link by its words."""
        self.clicks_on(self.page.get_by_role("link", name=name).first)

    def opens_tab(self, act: Callable[[], None]) -> Page:
        """What `act` opens beside."""
        with self.context.expect_page() as opened:
            act()
        page = opened.value
        page.wait_for_load_state("load")
        return page

    def signs_in(self) -> None:
        """By the code that is mailed."""
        self.page.get_by_label("Email").fill(self.email)
        before = len(self.demo.mails(self.email))
        self.page.get_by_role("button", name="Email me a code").click()
        mail = self.demo.await_mail(self.email, "code")
        assert len(self.demo.mails(self.email)) > before
        self.page.locator("input[name=code]").fill(mail.code)
        self.page.get_by_role("button", name="Continue").click()
        if "/account/factor/" in self.page.url:
            self.page.locator("input[name=code]").fill(self.phone_shows())
            self.page.get_by_role("button", name="Continue").click()

    def phone_shows(self) -> str:
        """The code of the person's authenticator app, read off the demo's desk as a newcomer does; waited for."""
        desk = self.context.new_page()
        code = desk.locator(f'[data-phone="{self.email}"]')
        shown: list[str] = []

        def is_fresh() -> bool:
            desk.goto(f"{self.demo.url}/demo/")
            shown[:] = [code.inner_text().strip()]
            return bool(shown[0])

        assert clock.wait_until(is_fresh, seconds=40, every_seconds=2)
        desk.close()
        return shown[0]

    def count_pages(self) -> None:
        """From now on, every page of the portal is counted by its path."""
        self.clicks, self.fields = 0, 0
        self.pages.clear()
        self.page.on("framenavigated", lambda frame: self._seen(frame.url))

    def _seen(self, url: str) -> None:
        if url.startswith(self.demo.url) and (path := urlsplit(url).path) not in self.pages:
            self.pages.append(path)


@dataclass(slots=True, kw_only=True)
class Theatre:
    """A browser in which each person has a session of their own."""

    demo: Demo
    browser: Browser
    people: list[Person] = field(default_factory=list)

    def person(self, email: str, *, has_script: bool = True) -> Person:
        """Somebody sits down."""
        context = self.browser.new_context(
            locale="en-GB", viewport={"width": 1280, "height": 900}, java_script_enabled=has_script
        )
        context.set_default_timeout(PATIENCE_MS)
        one = Person(email=email, demo=self.demo, context=context, page=context.new_page())
        context.on("weberror", lambda error: one.complaints.append(str(error.error)))
        context.on("console", lambda message: _hear(one, message.type, message.text))
        self.people.append(one)
        return one

    def photograph(self) -> list[str]:
        """Every open page, kept in a new folder for temporary files."""
        folder = Path(tempfile.mkdtemp(prefix="latchkey-seen-"))
        pages = [page for one in self.people for page in one.context.pages]
        for number, page in enumerate(pages):
            page.screenshot(path=folder / f"{number}.png", full_page=True)
        return [f"{folder}/{number}.png {page.url}" for number, page in enumerate(pages)]


def _hear(one: Person, kind: str, text: str) -> None:
    if kind in {"error", "warning"} or "Content Security Policy" in text:
        one.complaints.append(text)


def play(demo: Demo, story: Callable[[Theatre], T]) -> T:
    """Run the story in a thread of its own, for Playwright's loop would forbid Django's database calls in ours."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_play, demo, story).result()


def _play(demo: Demo, story: Callable[[Theatre], T]) -> T:
    with _chromium() as browser:
        theatre = Theatre(demo=demo, browser=browser)
        try:
            told = story(theatre)
        except Exception as error:
            error.add_note(f"What everybody saw: {theatre.photograph()}")
            raise
        complaints = {one.email: one.complaints for one in theatre.people if one.complaints}
        assert not complaints, complaints
        return told


@contextmanager
def _chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
        yield browser
        browser.close()
