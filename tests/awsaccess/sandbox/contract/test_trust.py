"""Every case and every story over every backend, and the tables that say what is known."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.awsaccess.sandbox.contract import (
    disagreements,
    reports,  # noqa: F401  # adds its stories to the others
)
from tests.awsaccess.sandbox.contract.cases import ALLOW, CASES, DENY, Case
from tests.awsaccess.sandbox.contract.conftest import Backend
from tests.awsaccess.sandbox.contract.ministack_process import is_installed
from tests.awsaccess.sandbox.contract.stories import STORIES, Story


def verdict(run: Callable[[], str | None]) -> str:
    """What AWS answered: its error's code, or `allow`."""
    try:
        return run() or ALLOW
    except ClientError as error:
        return error.response["Error"]["Code"]


def awaited(backend: Backend, question: Case | Story) -> str:
    """AWS's verdict, or the one that this backend is known to give instead."""
    known = backend.known.get(question.label)
    return known.verdict if known else question.expected


def _create_and_assume(backend: Backend, case: Case) -> None:
    world = backend.world
    arn = world.make_role(*case.statements, document=case.document, **case.role)
    world.assume(arn, case.external_id, world.callers[case.caller], **case.call)


def _assert_reason(backend: Backend, case: Case) -> None:
    """An AccessDenied for the wrong reason is a passing test that lies."""
    if backend.last_decision is None or case.expected != DENY:
        return
    caller, trusted = backend.last_decision()
    refused_by = "caller" if trusted in {"allow", "direct"} else "trust"
    assert refused_by == case.refused_by
    assert caller == "allow" or refused_by == "caller"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_one_call(backend: Backend, case: Case) -> None:
    """A trust policy, a call, a verdict, and the reason where it can be seen."""
    assert verdict(lambda: _create_and_assume(backend, case)) == awaited(backend, case)
    _assert_reason(backend, case)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.label)
def test_several_calls(backend: Backend, story: Story) -> None:
    """Something happens between the calls."""
    assert verdict(lambda: story.run(backend.world)) == awaited(backend, story)


def _is_reachable(host: str, base_url: str) -> bool:
    try:
        socket.create_connection((host, urlsplit(base_url).port or 0), timeout=5).close()
    except OSError:
        return False
    return True


# All of 127/8 is this machine: who listens on every address answers on 127.0.0.2 too, who listens on one does not.
@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2"])
def test_it_listens_on_one_address_only(backend: Backend) -> None:
    """Nobody else on the network may use it, or be taken in by it."""
    assert _is_reachable("127.0.0.1", backend.world.endpoint)
    assert not _is_reachable("127.0.0.2", backend.world.endpoint)


def test_the_tables_name_cases_that_exist_and_differ() -> None:
    """Each label once; each known disagreement about one of them, with another verdict and a reason."""
    questions: list[Case | Story] = [*CASES, *STORIES]
    assert [label for label, n in Counter(q.label for q in questions).items() if n > 1] == []
    expected = {question.label: question.expected for question in questions}
    for table in (disagreements.SANDBOX, disagreements.MINISTACK):
        for label, known in table.items():
            assert known.verdict != expected[label]
            assert known.reason


def test_the_paper_says_the_same() -> None:
    """docs/sandbox.md is for people who decide whether to believe a green test: exactly the rows of the code."""
    paper = Path(__file__).resolve().parents[4] / "docs" / "sandbox.md"
    written = [line for line in paper.read_text().splitlines() if line.startswith("| ")]
    begin = written.index("| what ministack does | its verdict | cases |")
    expected = disagreements.rows(disagreements.MINISTACK)
    assert written[begin + 1 :] == expected
    assert not disagreements.SANDBOX, "the paper says that there are none"


def test_enough_is_asked() -> None:
    """Cases are added, never dropped; each says where AWS says so."""
    assert len(CASES) >= 150
    questions: list[Case | Story] = [*CASES, *STORIES]
    assert all(question.source for question in questions)


def test_the_second_judge_is_there() -> None:
    """It lives in an environment of its own, because it wants another botocore."""
    if not is_installed() and os.environ.get("CI") != "true":
        pytest.skip("asked of the sandbox only: `make ministack` gets the second simulated AWS")
    assert is_installed(), "`make ministack` gets the second simulated AWS"
