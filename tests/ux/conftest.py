"""The browser and the people of the acceptance rows."""

from __future__ import annotations

from tests.accounts.conftest import browser, firm
from tests.pages.conftest import chromium

__all__ = ["browser", "chromium", "firm"]
