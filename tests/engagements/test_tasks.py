"""What the worker does for the paper side: each promise has a handler, and each reader a row of their own."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from django.apps import apps

from engagements import tasks
from engagements.emails.news import NEWS
from engagements.services.moves import WINDOW
from portal.kernel import due, outbox
from tests.factories import (
    Firm,
    make_firm,
)

ROOT: Final = Path(__file__).resolve().parents[2]
# Kinds that are known only at run time, and where each of them comes from.
CHOSEN_LATER: Final = {
    "accounts/services/invitations.py: letter_kind": {"accounts.invitation", "engagements.invitation"},
    "accounts/services/invitations.py: live.letter_kind": {"accounts.invitation", "engagements.invitation"},
    "engagements/services/pauses.py: kind": {"engagements.paused", "engagements.resumed"},
    "engagements/tasks.py: held.kind + TO_ONE": {kind + tasks.TO_ONE for kind in NEWS},
}


@pytest.fixture
def firm(real_db: None) -> Firm:
    return make_firm("north")


def _calls(name: str) -> Iterator[tuple[str, ast.expr]]:
    """Every `<name>.put(...)` of the product: its file and its first argument."""
    for app in ("portal", "accounts", "engagements", "awsaccess"):
        for file in sorted((ROOT / app).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == name:
                    yield str(file.relative_to(ROOT)), node.args[0]


def _kinds(name: str) -> Iterator[str]:
    """The kinds that are put: literals, constants of the module, and those that are chosen later."""
    for file, argument in _calls(name):
        words = ast.unparse(argument)
        if isinstance(argument, ast.Constant):
            yield str(argument.value)
        elif f"{file}: {words}" in CHOSEN_LATER:
            yield from CHOSEN_LATER[f"{file}: {words}"]
        else:
            module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
            yield str(getattr(module, words))


def _load_all_tasks() -> None:
    """As the worker does when it starts."""
    for config in apps.get_app_configs():
        if (ROOT / config.name.replace(".", "/") / "tasks.py").exists():
            importlib.import_module(f"{config.name}.tasks")


def test_every_promise_has_a_handler() -> None:
    _load_all_tasks()
    put = set(_kinds("outbox.put"))
    assert "engagements.problem" in put
    assert put <= set(outbox.HANDLERS)


def test_every_plan_has_a_handler() -> None:
    _load_all_tasks()
    planned = set(_kinds("due.schedule"))
    assert WINDOW in planned
    assert planned <= set(due.HANDLERS)


def test_nothing_is_said_of_kinds_that_are_put_no_more() -> None:
    seen = {f"{file}: {ast.unparse(argument)}" for file, argument in _calls("outbox.put")}
    assert set(CHOSEN_LATER) <= seen
