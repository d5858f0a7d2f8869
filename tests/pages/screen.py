"""Rendered pages before a real Chromium, without a server: what Django answered is played back to the browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from django.http import HttpResponseBase
from django.test import Client

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright, Route

STATIC: Final = Path(__file__).resolve().parents[2] / "static"
ORIGIN: Final = "http://localhost"  # a host that browsers trust without TLS
KINDS: Final = {
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".js": "text/javascript",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
REFUSED: Final = "Failed to load resource: the server responded with a status of"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer as it goes over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


def answer_of(response: HttpResponseBase) -> Answer:
    """What Django's test client got."""
    return Answer(
        status=response.status_code,
        headers=dict(response.headers.items()),
        body=getattr(response, "content", b""),
    )


@dataclass(kw_only=True)  # no slots: Playwright leaves a mark on whose method it is given
class Film:
    """Answers by method and path, the last of them again and again; what was asked; what the browser complained of.

    `sent` holds the bodies of what was posted, in order.
    """

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def shoot(self, browser: Client, path: str) -> Film:
        """Take the page at `path` as it is now."""
        return self.add(f"GET {urlsplit(path).path}", answer_of(browser.get(path)))

    def add(self, name: str, answer: Answer) -> Film:
        """One more answer to that question."""
        self.answers.setdefault(name, []).append(answer)
        return self

    def complain(self, words: str) -> None:
        """Note what the browser says; that a filmed refusal is one is no complaint."""
        filmed = {answer.status for answers in self.answers.values() for answer in answers}
        refusals = tuple(f"{REFUSED} {status} " for status in filmed if status >= 400)
        if not refusals or not words.startswith(refusals):
            self.complaints.append(words)

    def play(self, route: Route) -> None:
        """Answer the browser."""
        request = route.request
        path = urlsplit(request.url).path
        if path.startswith("/static/"):
            file = STATIC / path.removeprefix("/static/")
            route.fulfill(status=200, body=file.read_bytes(), content_type=KINDS[file.suffix])
            return
        name = f"{request.method} {path}"
        self.asked.append(f"{request.method} {request.url.removeprefix(ORIGIN)}")
        if request.method == "POST":
            self.sent.append(request.post_data or "")
        left = self.answers.get(name)
        if not left:
            route.fulfill(status=404, body=f"nothing filmed for {name}")
            return
        answer = left.pop(0) if len(left) > 1 else left[0]
        route.fulfill(status=answer.status, headers=answer.headers, body=answer.body)


class Chromium:
    """One browser in a thread of its own: Playwright's loop would forbid Django's database calls in ours."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._playwright, self._browser = self._thread.submit(_start).result()

    def close(self) -> None:
        """End the browser."""
        self._thread.submit(self._browser.close).result()
        self._thread.submit(self._playwright.stop).result()
        self._thread.shutdown()

    def look(
        self,
        film: Film,
        path: str,
        act: Callable[[Page], T],
        *,
        width: int = 1280,
        height: int = 900,
        is_dark: bool = False,
        has_script: bool = True,
    ) -> T:
        """Open the filmed page and do something with it. Complaints of the browser fail the test."""

        def run() -> T:
            context = self._browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if is_dark else "light",
                java_script_enabled=has_script,
                locale="en-GB",
            )
            try:
                page = context.new_page()
                page.on("console", lambda message: film.complain(message.text))
                page.on("pageerror", lambda error: film.complain(str(error)))
                page.route("**/*", film.play)
                page.goto(ORIGIN + path, wait_until="load")
                return act(page)
            finally:
                context.close()

        found = self._thread.submit(run).result()
        assert not film.complaints, film.complaints
        return found


def find_chromium() -> str:
    """Where it is installed, or nothing."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""


def _start() -> tuple[Playwright, Browser]:
    from playwright.sync_api import sync_playwright

    playwright = sync_playwright().start()
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return playwright, playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
