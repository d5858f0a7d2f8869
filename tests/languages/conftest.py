"""The languages that nobody speaks, offered for the length of a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.languages import pseudo
from tests.pages.conftest import chromium

__all__ = ["chromium"]


@pytest.fixture(scope="session")
def pseudo_catalogues(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where they are, made of what the code asks for at this moment."""
    folder = tmp_path_factory.mktemp("locale")
    pseudo.write(folder)
    return folder


@pytest.fixture
def pseudo_spoken(pseudo_catalogues: Path, settings: Any) -> None:  # Any: a private type
    """Readers may have them."""
    settings.LOCALE_PATHS = [*settings.LOCALE_PATHS, pseudo_catalogues]
    settings.LANGUAGES = [*settings.LANGUAGES, *((one.code, one.code) for one in pseudo.BOTH)]
