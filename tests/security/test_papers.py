"""The papers name tests that exist, leave out no row, and say of each row without a test that it is open."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PAPERS: Final = ROOT / "docs" / "security"
NAMED: Final = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
COUNTS: Final = {"T": 11, "A": 17, "C": 6, "P": 6, "W": 9, "L": 2}
THREATS: Final = [f"{letter}{number}" for letter, count in COUNTS.items() for number in range(1, count + 1)]
CHECKS: Final = [f"CAA-00{number}" for number in range(1, 8)]


def paper(name: str) -> str:
    return (PAPERS / name).read_text()


def rows(name: str, first: str) -> dict[str, str]:
    """The rows of a paper's tables whose first cell is like this; a row that stands twice fails."""
    found: dict[str, str] = {}
    for line in paper(name).splitlines():
        if match := re.match(rf"\| ({first}) \|", line):
            assert match[1] not in found, f"{match[1]} stands twice"
            found[match[1]] = line
    return found


@functools.cache
def functions_of(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("name", ["threat-model.md", "asvs.md", "accepted-risks.md"])
def test_every_named_test_exists(name: str) -> None:
    named = NAMED.findall(paper(name))
    assert named
    for file, function in named:
        assert (ROOT / file).is_file(), file
        assert not function or function in functions_of(file), f"{file}::{function}"


def test_every_threat_has_its_row_and_each_row_its_test_or_says_that_it_is_open() -> None:
    found = rows("threat-model.md", r"[TACPWL]\d+")
    assert sorted(found) == sorted(THREATS)
    for number, line in found.items():
        assert NAMED.search(line) or "open:" in line or "accepted:" in line, number


def test_each_of_awss_checks_has_tests() -> None:
    found = rows("threat-model.md", r"CAA-\d+")
    assert list(found) == CHECKS
    assert all(NAMED.search(line) for line in found.values())


def test_every_requirement_is_tested_open_or_reasoned_away() -> None:
    found = rows("asvs.md", r"\d+\.\d+\.\d+")
    assert len(found) > 150
    for number, line in found.items():
        kinds = [bool(NAMED.search(line)), "open:" in line, "not here:" in line]
        assert any(kinds), number
        assert not (kinds[2] and (kinds[0] or kinds[1])), f"{number} cannot be both"


def test_the_counts_on_the_paper_are_those_of_its_rows() -> None:
    found = rows("asvs.md", r"\d+\.\d+\.\d+").values()
    tested = sum(1 for line in found if NAMED.search(line) and "open:" not in line)
    partly = sum(1 for line in found if NAMED.search(line) and "open:" in line)
    beside = sum(1 for line in found if NAMED.search(line) and "accepted:" in line)
    unmet = sum(1 for line in found if not NAMED.search(line) and "open:" in line)
    away = sum(1 for line in found if "not here:" in line)
    said = (
        f"{len(found)} requirements: {tested} tested ({beside} of them beside an accepted risk), "
        f"{partly} tested in part, {unmet} open, {away} not here."
    )
    assert said in " ".join(paper("asvs.md").split())


def test_every_accepted_risk_says_why_and_until_when() -> None:
    found = rows("accepted-risks.md", r"R\d+")
    assert len(found) >= 5
    for line in found.values():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert len(cells) == 6
        assert all(cells)
