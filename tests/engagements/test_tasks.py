"""What the worker does for the paper side: each promise has a handler, and each reader a row of their own."""

from __future__ import annotations

import ast
import datetime as dt
import importlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import pytest
from django.apps import apps

from engagements import tasks
from engagements.emails.news import NEWS
from engagements.lifecycle import EngagementStatus
from engagements.models import Engagement
from engagements.reminding import ENDS_SOON, UNANSWERED, UNCONNECTED, UNOPENED
from engagements.services.moves import WINDOW
from portal.kernel import clock, due, outbox, tenancy
from portal.kernel.models import Due
from tests.engagements.records import as_stored
from tests.factories import Firm, make_engagement_active, make_firm

ROOT: Final = Path(__file__).resolve().parents[2]
# What our kinds begin with; tests register others.
OURS: Final = {
    "accounts",
    "assignment",
    "audit",
    "awsaccess",
    "engagement",
    "engagements",
    "grant",
    "hub",
    "mail",
    "stack",
    "visit",
}
# Kinds that are known only at run time, and where each of them comes from.
CHOSEN_LATER: Final = {
    "accounts/services/invitations.py: letter_kind": {
        "accounts.invitation",
        "engagements.invitation",
        "engagements.handover",
    },
    "accounts/services/invitations.py: live.letter_kind": {
        "accounts.invitation",
        "engagements.invitation",
        "engagements.handover",
    },
    "awsaccess/services/turning.py: kind": {"engagements.key_drop", "engagements.key_done"},
    "engagements/services/changes.py: kind": {"engagements.change_asked", "engagements.account_asked"},
    "engagements/services/doorbells.py: kind": {
        "engagements.rang",
        "engagements.let_in",
        "engagements.not_now",
        "engagements.came_in",
    },
    "engagements/services/pauses.py: kind": {"engagements.paused", "engagements.resumed"},
    "engagements/services/people.py: kind": {"engagements.person_added", "engagements.person_left"},
    "engagements/services/reminders.py: found.kind": {ENDS_SOON, UNANSWERED, UNCONNECTED, UNOPENED},
    "engagements/services/talk.py: kind": {"engagements.question", "engagements.answer"},
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


def test_every_promise_has_a_handler_and_every_handler_a_promise() -> None:
    _load_all_tasks()
    put = set(_kinds("outbox.put"))
    assert "engagements.problem" in put
    ours = {kind for kind in outbox.HANDLERS if kind.split(".")[0] in OURS}
    assert ours == put


def test_every_plan_has_a_handler_and_every_handler_a_plan() -> None:
    _load_all_tasks()
    planned = set(_kinds("due.schedule"))
    assert WINDOW in planned
    assert {kind for kind in due.HANDLERS if kind.split(".")[0] in OURS} == planned


def test_nothing_is_said_of_kinds_that_are_put_no_more() -> None:
    seen = {f"{file}: {ast.unparse(argument)}" for file, argument in _calls("outbox.put")}
    assert set(CHOSEN_LATER) <= seen


def test_the_end_of_the_window_closes_what_runs(
    firm: Firm, as_worker: Callable[[], AbstractContextManager[None]]
) -> None:
    engagement = make_engagement_active(firm)
    over = clock.now() - dt.timedelta(seconds=1)
    with tenancy.use(firm.practice_side):
        Engagement.objects.update(ends_at=over)
        Due.objects.filter(kind=WINDOW).update(next_at=over)
    with as_worker():
        with tenancy.use(tenancy.SYSTEM):
            (turn,) = [found for found in due.claim() if found.kind == WINDOW]
        due.take(turn)
    with tenancy.use(firm.practice_side):
        assert due.next_look(WINDOW, engagement.pk) is None
    assert as_stored(firm, engagement).status == EngagementStatus.CLOSING
