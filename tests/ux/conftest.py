"""What the acceptance rows of the pages share with the tests of people, of the pages, of AWS and of the whole house."""

from __future__ import annotations

import importlib

import pytest

from tests.accounts.conftest import browser, firm
from tests.awsaccess.callbacks.conftest import shut_answer_door, spy
from tests.awsaccess.conftest import memory, north, running_aws, shut_door, simulated
from tests.e2e.conftest import demo
from tests.pages.conftest import chromium

__all__ = [
    "browser",
    "chromium",
    "demo",
    "firm",
    "memory",
    "north",
    "running_aws",
    "shut_answer_door",
    "shut_door",
    "simulated",
    "spy",
]


@pytest.fixture(scope="session", autouse=True)
def _handlers() -> None:
    """What is promised is handled, as in the worker, whichever tests ran before."""
    for name in ("accounts", "engagements", "awsaccess"):
        importlib.import_module(f"{name}.tasks")
