"""One simulated AWS per test process, emptied before each test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.plugins.sandbox_process import SandboxProcess


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """The process, which takes seconds to start."""
    folder = tmp_path_factory.mktemp("sandbox")
    with SandboxProcess(folder, portal_origin="http://127.0.0.1:8000") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(sandbox_process: SandboxProcess) -> SandboxProcess:
    """An empty AWS with the six accounts."""
    sandbox_process.reset()
    return sandbox_process
