"""The AWS behind the portal's door: in memory for most tests, simulated and asked through boto3 for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from awsaccess import door
from tests.awsaccess.services.cast import make_practice
from tests.awsaccess.services.worlds import InMemory, Interposed, Simulated, World
from tests.factories import Firm
from tests.plugins.sandbox_process import NORTHGATE, SandboxProcess


@pytest.fixture(scope="session")
def running_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """One simulated AWS for the whole run; every test makes stacks of its own."""
    with SandboxProcess(tmp_path_factory.mktemp("aws"), portal_origin="http://127.0.0.1:8000") as sandbox:
        yield sandbox


@pytest.fixture
def shut_door() -> Iterator[None]:
    """No gateway is kept from one test to the next."""
    door.gateway.cache_clear()
    yield
    door.gateway.cache_clear()


@pytest.fixture
def memory(shut_door: None, monkeypatch: pytest.MonkeyPatch) -> InMemory:
    """The AWS in memory."""
    world = InMemory()
    monkeypatch.setattr(door, "make_gateway", lambda **_addresses: world.door)
    return world


@pytest.fixture
def simulated(
    running_aws: SandboxProcess,
    shut_door: None,
    settings: Any,  # Any: pytest-django's private type
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Simulated]:
    """The simulated AWS, asked as the portal of Northgate Cloud asks the real one."""
    keys = running_aws.accounts[NORTHGATE].portal_keys
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret_access_key)
    for name in ("AWS_ENDPOINT_URL", "FEDERATION_BASE_URL", "CONSOLE_BASE_URL"):
        setattr(settings, name, running_aws.base_url)
    interposed = Interposed(door.gateway())
    monkeypatch.setattr(door, "make_gateway", lambda **_addresses: interposed)
    door.gateway.cache_clear()
    yield Simulated(running_aws, interposed)
    running_aws.control("DELETE", "faults")


@pytest.fixture(params=["memory", "simulated"])
def world(request: pytest.FixtureRequest) -> World:
    """Each of the two."""
    found: World = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def north(db: None) -> Firm:
    """Northgate Cloud with its hub, and a client."""
    return make_practice("northgate")


@pytest.fixture
def harbour(db: None) -> Firm:
    """Another practice with its own hub and client."""
    return make_practice("harbour")
