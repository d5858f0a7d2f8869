"""The cast of the paper side's tests: two firms that must never meet."""

from __future__ import annotations

import pytest

from tests.factories import Firm, make_firm


@pytest.fixture
def north(db: None) -> Firm:
    """The firm that the tests are about."""
    return make_firm("north")


@pytest.fixture
def harbour(db: None) -> Firm:
    """Another practice on the same installation, with a client of its own."""
    return make_firm("harbour")
