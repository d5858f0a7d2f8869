"""Each bench runs, with real servers, and prints what it promises. Its figures are nobody's business here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.bench.conftest import BENCH

COVE_READY = BENCH.parent / "var" / "botocove" / "ready"
PRINTED = {
    "boot": {"boot", "boot_heavy_imports"},
    "client_page": {"client_page", "client_page_wait", "client_page_growth", "client_page_statements"},
    "demo_start": {"demo_start", "demo_start_cold", "demo_start_in_checks"},
    "explain_policy": {"explain_policy", "explain_policy_largest"},
    "fleet_sweep": {"fleet_sweep", "fleet_sweep_lost", "fleet_sweep_twice"},
    "row_security": {"row_security"},
    "verify_sweep": {"verify_sweep", "verify_sweep_limit", "verify_sweep_false"},
    "visit_issue": {"visit_issue"},
}


def test_no_bench_is_forgotten_here() -> None:
    assert {path.stem for path in BENCH.glob("*.py")} == set(PRINTED)


@pytest.mark.e2e
@pytest.mark.parametrize("name", PRINTED)
def test_the_quick_way_measures_everything_once(name: str) -> None:
    if name == "verify_sweep" and not COVE_READY.exists() and os.environ.get("CI") != "true":
        pytest.skip("its anchor has an environment of its own: `make bench NAME=verify_sweep` makes it")
    found = _results(name, "--quick", "--json")
    assert {one["name"] for one in found} == PRINTED[name]
    assert all(one["rounds"] == 1 and one["lowest"] <= one["value"] <= one["highest"] for one in found)


def test_what_does_not_grow_with_the_machine_is_reached() -> None:
    heavy = next(one for one in _results("boot", "--quick", "--json") if one["name"] == "boot_heavy_imports")
    assert heavy["value"] == 0


@pytest.mark.parametrize("words", [("--rounds", "0"), ("--scale", "0")])
def test_nothing_to_measure_is_said_in_one_sentence(words: tuple[str, str]) -> None:
    done = _run("boot", *words)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("There is nothing to measure")


def _results(name: str, *words: str) -> list[dict[str, Any]]:  # Any: JSON
    done = _run(name, *words)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _run(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCH / f"{name}.py"), *words], capture_output=True, text=True, check=False
    )
