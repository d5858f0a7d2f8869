"""`demo_start`: seconds from the command to the first page, cold and warm, with the demo's real processes."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from kit import ROOT
from kit.bare import bare_check_wall
from kit.errors import BenchError
from kit.load import LOOPBACK
from kit.ratios import Ratio, interleave, middle, ratio_of
from kit.script import Options, run, say

from portal.demo.commands import free_port

COLD_SECONDS: Final = 180
WARM_SECONDS: Final = 15
WARM_CHECKS: Final = 30  # the same 15 s, told in bare checks of about half a second
READY: Final = "Latchkey is ready: "
PATIENCE_SECONDS: Final = 60


def measure(options: Options) -> Sequence[Ratio]:
    """Cold: an empty folder, once. Warm: the same folder again, beside bare Django starts of the same minute."""
    with _folder() as folder:
        cold = _start_and_stop(folder)
        say(f"cold, environment made: {cold:.1f} s to the first page")
        rounds = interleave(
            rounds=options.rounds, sides=(lambda: _start_and_stop(folder), bare_check_wall), warm_up=0
        )
    warm = middle(rounds, 0)
    say(f"warm: {warm:.1f} s to the first page; a bare Django check {middle(rounds, 1):.2f} s")
    return (
        _of_limit("demo_start", [pair[0] for pair in rounds], WARM_SECONDS, "warm"),
        _of_limit("demo_start_cold", [cold], COLD_SECONDS, "cold, environment made before,"),
        _in_checks(rounds),
    )


def _of_limit(name: str, seconds: Sequence[float], limit: int, how: str) -> Ratio:
    return ratio_of(
        [(one, float(limit)) for one in seconds],
        name=name,
        sense="<=",
        target=1,
        meaning=f"{how} seconds to the first page / the {limit} s that are allowed",
    )


def _in_checks(rounds: Sequence[tuple[float, ...]]) -> Ratio:
    """Seconds depend on the machine and its other guests; this figure travels."""
    return ratio_of(
        rounds,
        name="demo_start_in_checks",
        sense="<=",
        target=WARM_CHECKS,
        meaning="warm seconds to the first page / seconds of one bare Django check beside it",
    )


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="lk-demo-"))
    folder.chmod(0o755)  # PostgreSQL's own user has to pass
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start_and_stop(folder: Path) -> float:
    """Wall seconds from the command until the page that it names has been read."""
    begun = time.perf_counter()
    with _demo(folder) as process:
        _read_page(_address(process))
        return time.perf_counter() - begun


@contextmanager
def _demo(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The demo, stopped as a person stops it. Raises BenchError if it does not end well."""
    environment = {**os.environ, "DEMO_FOLDER": str(folder), "PORT": str(free_port())}
    process = subprocess.Popen(
        [sys.executable, "-m", "portal.demo"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=PATIENCE_SECONDS)
    if process.returncode != 0:
        raise BenchError(f"The demo ended with {process.returncode}: {rest.strip()[-500:]}")


def _address(process: subprocess.Popen[str]) -> str:
    """What the demo tells the person at the keyboard, once it is there."""
    assert process.stdout is not None
    told = []
    for line in process.stdout:
        if line.startswith(READY):
            return line.removeprefix(READY).strip()
        told.append(line)
    raise BenchError(f"The demo did not come up: {''.join(told).strip()[-500:]}")


def _read_page(url: str) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(LOOPBACK, parts.port, timeout=30)
    try:
        connection.request("GET", parts.path, headers={"Host": parts.netloc})
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise BenchError(f"The demo named {url}, which answers {answer.status}: its first page is missing.")


if __name__ == "__main__":
    run(measure, about="demo_start: from `python -m portal.demo` to the first page", rounds=5)
