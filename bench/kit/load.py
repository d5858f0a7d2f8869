"""A few people who open one page again and again, each over a connection of their own."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from kit.errors import BenchError
from kit.ratios import percentile

LOOPBACK: Final = "127.0.0.1"
PEOPLE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One address on a local server, as one signed-in person asks for it. `marks` must stand in every answer."""

    port: int
    path: str
    cookie: str
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """What the visitors saw: seconds for each answer, and for all of them together."""

    seconds_each: tuple[float, ...]
    seconds: float

    @property
    def count(self) -> int:
        return len(self.seconds_each)

    def percentile(self, share: float) -> float:
        """The seconds within which this share of the answers came."""
        return percentile(self.seconds_each, share)


def visit(page: Page, *, times: int) -> Visits:
    """Open the page `times` times, by four people at once. Raises BenchError for any other answer than the page."""
    share = max(1, times // PEOPLE)
    begun = time.perf_counter()
    with ThreadPoolExecutor(PEOPLE) as pool:
        found = list(pool.map(lambda _: _visit_alone(page, share), range(PEOPLE)))
    seconds = time.perf_counter() - begun
    return Visits(seconds_each=tuple(one for person in found for one in person), seconds=seconds)


def body_of(page: Page) -> str:
    """The page as one visitor gets it. Raises BenchError when it is another page."""
    connection = http.client.HTTPConnection(LOOPBACK, page.port, timeout=30)
    try:
        return _body(connection, page)
    finally:
        connection.close()


def _visit_alone(page: Page, times: int) -> list[float]:
    connection = http.client.HTTPConnection(LOOPBACK, page.port, timeout=30)
    found = []
    try:
        for _ in range(times):
            begun = time.perf_counter()
            _body(connection, page)
            found.append(time.perf_counter() - begun)
    finally:
        connection.close()
    return found


def _body(connection: http.client.HTTPConnection, page: Page) -> str:
    try:
        connection.request("GET", page.path, headers=_headers(page))
        answer = connection.getresponse()
        text = answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"GET {page.path} got no answer: {error!r}.") from error
    if answer.status != 200:
        target = answer.headers.get("Location", "")
        raise BenchError(
            f"GET {page.path} answered {answer.status} {target}: there is no such page to measure."
        )
    if missing := [mark for mark in page.marks if mark not in text]:
        raise BenchError(f"GET {page.path} is not the page that was to be measured: it lacks {missing[0]!r}.")
    return text


def _headers(page: Page) -> Mapping[str, str]:
    # The name must be one of ALLOWED_HOSTS, whatever address is dialled.
    return {"Cookie": page.cookie, "Host": "localhost", "Accept-Language": "en"}
