"""Every event of the record has a line in docs/security/events.md and a test that looks for it; and no line lies."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from portal.console import words

ROOT: Final = Path(__file__).resolve().parents[1]
TABLE: Final = ROOT / "docs" / "security" / "events.md"
APPS: Final = ("portal", "accounts", "engagements", "awsaccess")
EVENT: Final = re.compile(r"[a-z]+:[a-z-]+:[a-z-]+")
LINE: Final = re.compile(
    r"^\| `(?P<event>[^`]+)` \| (?P<when>[^|]+) \| `(?P<file>[^`:]+)::(?P<test>[^`]+)` \|$", re.MULTILINE
)


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def product() -> list[Path]:
    return [file for app in APPS for file in sorted((ROOT / app).rglob("*.py"))]


def members(node: ast.ClassDef) -> dict[str, str]:
    """The members of an enum whose values are texts."""
    return {
        ast.unparse(one.targets[0]): one.value.value
        for one in node.body
        if isinstance(one, ast.Assign)
        and isinstance(one.value, ast.Constant)
        and isinstance(one.value.value, str)
    }


@cache
def events() -> dict[str, str]:
    """Every event, with its name in the code: found by the shape of its value, not by a list somebody keeps."""
    found: dict[str, str] = {}
    for file in product():
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.ClassDef) and "StrEnum" in map(ast.unparse, node.bases):
                named = {value: f"{node.name}.{name}" for name, value in members(node).items()}
                found.update({value: name for value, name in named.items() if EVENT.fullmatch(value)})
    return found


def lines() -> dict[str, tuple[str, str]]:
    """Event: file and name of the test that proves it."""
    return {found["event"]: (found["file"], found["test"]) for found in LINE.finditer(TABLE.read_text())}


def names_in(node: ast.AST) -> set[str]:
    """Every dotted name and every text that a piece of code mentions."""
    dotted = {ast.unparse(one) for one in ast.walk(node) if isinstance(one, ast.Attribute)}
    texts = {
        one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)
    }
    return dotted | texts


def test_the_table_has_a_line_for_each_event_and_no_other() -> None:
    assert len(events()) >= 30
    assert set(lines()) == set(events())
    assert len(LINE.findall(TABLE.read_text())) == len(lines())


@pytest.mark.parametrize("event", sorted(events()))
def test_the_named_test_looks_for_its_event(event: str) -> None:
    path, name = lines()[event]
    tests = [
        node
        for node in ast.walk(tree_of(ROOT / path))
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    assert tests, f"{path} has no {name}"
    mentioned = names_in(tests[0])
    assert events()[event] in mentioned or any(event in text for text in mentioned), (
        f"{name} never mentions {event}"
    )
    assert any(isinstance(one, ast.Assert) for one in ast.walk(tests[0]))
    skipped = [ast.unparse(one) for one in tests[0].decorator_list if "skip" in ast.unparse(one)]
    assert not skipped


@pytest.mark.parametrize("event", sorted(events()))
def test_the_product_records_each_event(event: str) -> None:
    name = events()[event]
    assert any(
        ast.unparse(node).endswith(name)
        for file in product()
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.Attribute)
    )


def test_the_console_has_words_for_each_event() -> None:
    assert set(events()) <= set(words.EVENTS)
