"""The console before a real Chromium: as for the client's pages, with the stock admin's files beside ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.contrib.staticfiles import finders
from django.test import Client as Browser

from tests.pages.screen import KINDS, Film, answer_of

if TYPE_CHECKING:
    from playwright.sync_api import Route


class ConsoleFilm(Film):
    """A film whose static files come from every app."""

    def play(self, route: Route) -> None:
        path = urlsplit(route.request.url).path
        if not path.startswith("/static/"):
            super().play(route)
            return
        found = finders.find(path.removeprefix("/static/"))
        if not isinstance(found, str):
            route.fulfill(status=404, body=f"no static file {path}")
            return
        file = Path(found)
        route.fulfill(status=200, body=file.read_bytes(), content_type=KINDS[file.suffix])


def filmed(browser: Browser, path: str) -> ConsoleFilm:
    """The page as it is now."""
    film = ConsoleFilm()
    film.add(f"GET {urlsplit(path).path}", answer_of(browser.get(path)))
    return film
