"""The console's cast and its browser."""

from __future__ import annotations

from tests.pages.conftest import chromium  # noqa: F401  # a fixture
