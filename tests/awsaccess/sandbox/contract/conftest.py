"""The two backends, each with everybody who calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest

from awsaccess.sandbox.signing import Keys
from tests.awsaccess.sandbox.contract import disagreements
from tests.awsaccess.sandbox.contract.disagreements import Disagreement
from tests.awsaccess.sandbox.contract.ministack_process import Ministack, is_installed
from tests.awsaccess.sandbox.contract.world import CLIENT, CONSULTANT, THIRD, World
from tests.plugins.sandbox_process import SandboxProcess

BACKENDS = ["sandbox", *(["ministack"] if is_installed() else [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A simulated AWS. `last_decision` tells why our own decided as it did; the other cannot say."""

    name: str
    world: World
    known: Mapping[str, Disagreement]
    last_decision: Callable[[], tuple[str | None, str | None]] | None = None
    """(the caller's own policies, the trust policy)"""


def _sandbox(sandbox: SandboxProcess) -> Backend:
    keys = {account: sandbox.accounts[account].admin_keys for account in (CONSULTANT, CLIENT, THIRD)}

    def last_decision() -> tuple[str | None, str | None]:
        made = sandbox.control("GET", "decisions")["decisions"]
        last = [decision for decision in made if decision["action"].startswith("sts:")][-1]
        return last["identity"], last["resource_policy"]

    world = World(endpoint=sandbox.base_url, administrators=keys)
    return Backend(name="sandbox", world=world, known=disagreements.SANDBOX, last_decision=last_decision)


def _ministack(ministack: Ministack) -> Backend:
    # There the account's number is its root user's access key id.
    keys = {
        account: Keys(access_key_id=account, secret_access_key="test")
        for account in (CONSULTANT, CLIENT, THIRD)
    }
    world = World(endpoint=ministack.base_url, administrators=keys)
    return Backend(name="ministack", world=world, known=disagreements.MINISTACK)


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """One after the other, with their callers ready."""
    if request.param == "ministack":
        with Ministack(tmp_path_factory.mktemp("ministack")) as ministack:
            made = _ministack(ministack)
            made.world.prepare()
            yield made
        return
    sandbox: SandboxProcess = request.getfixturevalue("sandbox_process")
    sandbox.reset()
    made = _sandbox(sandbox)
    made.world.prepare()
    yield made
