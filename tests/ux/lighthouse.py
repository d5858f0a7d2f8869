"""What Lighthouse weighs for its mark of performance, measured in the browser itself over a slow line.

The line and the processor are those of Lighthouse's mobile run with applied throttling, and so are the curves that make
marks of times (log-normal, through the value that gives 90 and the one that gives 50).
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tests.pages.screen import KINDS, STATIC
from tests.ux.scenes import Shot

if TYPE_CHECKING:
    from playwright.sync_api import Page

LATENCY_MS, DOWN_KBIT, UP_KBIT, SLOWER = 562.5, 1474.56, 675.0, 4
# For each time: its weight, what gives 90, what gives 50. The speed index is at most the last paint, so that stands for it.
CURVES: Final = {
    "first_paint_ms": (0.10, 1800, 3000),
    "speed_ms": (0.10, 3387, 5800),
    "largest_paint_ms": (0.25, 2500, 4000),
    "blocked_ms": (0.30, 200, 600),
    "shift": (0.25, 0.1, 0.25),
}
TENTH: Final = 0.9061938024368232  # where the error function's complement is a fifth
MEASURE: Final = """async () => {
  const seen = {paint: [], 'largest-contentful-paint': [], longtask: [], 'layout-shift': []};
  const watch = type => new Promise(done => {
    const observer = new PerformanceObserver(list => seen[type].push(...list.getEntries()));
    observer.observe({type, buffered: true});
    setTimeout(() => { seen[type].push(...observer.takeRecords()); observer.disconnect(); done(); }, 300);
  });
  await document.fonts.ready;
  await Promise.all(Object.keys(seen).map(watch));
  const first = seen.paint.find(one => one.name === 'first-contentful-paint').startTime;
  const largest = Math.max(...seen['largest-contentful-paint'].map(one => one.startTime));
  const late = seen.longtask.filter(one => one.startTime + one.duration > first);
  return {
    first_paint_ms: first, speed_ms: largest, largest_paint_ms: largest,
    blocked_ms: late.reduce((sum, one) => sum + Math.max(0, one.duration - 50), 0),
    shift: seen['layout-shift'].filter(one => !one.hadRecentInput).reduce((sum, one) => sum + one.value, 0),
  };
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """0 to 100, and the times it was made of, in milliseconds."""

    points: float
    times: dict[str, float]


def mark_of(times: dict[str, float]) -> Mark:
    """As Lighthouse counts."""
    points = sum(weight * _curve(times[name], good, half) for name, (weight, good, half) in CURVES.items())
    return Mark(points=100 * points, times=times)


def _curve(value: float, good: float, half: float) -> float:
    if value <= 0:
        return 1.0
    spread = math.log(half) - math.log(good)
    return 0.5 * math.erfc((math.log(value) - math.log(half)) / spread * TENTH)


def measure(page: Page, url: str) -> Mark:
    """Load `url` over the slow line, with nothing kept from before."""
    line = page.context.new_cdp_session(page)
    line.send("Network.enable")
    line.send("Network.setCacheDisabled", {"cacheDisabled": True})
    line.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": LATENCY_MS,
            "downloadThroughput": DOWN_KBIT * 1024 / 8,
            "uploadThroughput": UP_KBIT * 1024 / 8,
        },
    )
    line.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.goto(url, wait_until="load")
    times: dict[str, float] = page.evaluate(MEASURE)
    line.detach()
    return mark_of(times)


@contextmanager
def served(shots: list[Shot]) -> Iterator[str]:
    """The pages and their static files over real HTTP on loopback, compressed as a proxy does; gives the origin."""
    answers = {shot.path: shot.answer for shot in shots}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # the library's name
            path = urlsplit(self.path).path
            if path.startswith("/static/"):
                file = STATIC / path.removeprefix("/static/")
                self._say(200, {"Content-Type": KINDS[file.suffix]}, file.read_bytes())
            elif path in answers:
                self._say(answers[path].status, answers[path].headers, answers[path].body)
            else:
                self._say(204, {}, b"")

        def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
            packed = gzip.compress(body, 6)
            kept = {name: value for name, value in headers.items() if name != "Content-Length"}
            self.send_response(status)
            for name, value in {
                **kept,
                "Content-Encoding": "gzip",
                "Content-Length": str(len(packed)),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(packed)

        def log_message(self, *_words: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
