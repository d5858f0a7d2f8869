"""The sample world: made once through the product's own services, and told to the desk."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings

from accounts.models import Membership, User
from accounts.services import totp
from accounts.services.factors import WrongCode
from engagements.lifecycle import EngagementStatus
from engagements.models import Engagement
from portal.demo import seed
from portal.demo.desk import people_file
from portal.demo.management.commands.demo_seed import Command
from portal.kernel import tenancy


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """The simulated accounts' file, as the sandbox writes it."""
    account = {
        "hub_role_arn": f"arn:aws:iam::{seed.NORTHGATE_ACCOUNT}:role/latchkey-hub",
        "region": "eu-west-1",
        "bucket": f"latchkey-templates-{seed.NORTHGATE_ACCOUNT}",
    }
    file = tmp_path / "world.json"
    file.write_text(json.dumps({"accounts": {seed.NORTHGATE_ACCOUNT: account}}))
    return file


def test_the_sample_world_is_made_once(real_db: None, world: Path) -> None:
    assert seed.seed(world)
    assert not seed.seed(world)
    assert User.objects.filter(email=seed.MAYA.email).count() == 1


def test_one_client_was_asked_and_one_draft_waits(real_db: None, world: Path) -> None:
    seed.seed(world)
    maya = User.objects.get(email=seed.MAYA.email)
    with tenancy.use(tenancy.user_scope(maya.pk)):
        membership = Membership.objects.get(user=maya)
    with tenancy.use(tenancy.practice_scope(membership.practice_id)):
        found = dict(Engagement.objects.values_list("client__name", "status"))
    assert found == {
        "Brightwater Dental": EngagementStatus.INVITED,
        "Hollins Farm": EngagementStatus.DRAFT,
    }


def test_the_command_tells_the_desk_who_is_who(real_db: None, world: Path, tmp_path: Path) -> None:
    with override_settings(DEMO_MODE=True, DEMO_WORLD_FILE=str(world), DEMO_MAIL_DIR=str(tmp_path / "mail")):
        said = StringIO()
        call_command(Command(), stdout=said)
        call_command(Command(), stdout=said)
        people = json.loads(people_file().read_text())
    assert said.getvalue() == "Sample data loaded.\nSample data was there already.\n"
    assert [person["name"] for person in people][:2] == ["Maya Okafor", "Sam Carter"]


def test_outside_the_demo_nobody_gets_sample_people() -> None:
    with pytest.raises(CommandError, match="demo mode only"):
        call_command(Command())


@pytest.mark.parametrize(("stale", "is_set_up"), [(1, True), (2, False)])
def test_a_half_minute_that_ends_meanwhile_costs_one_more_code_and_not_the_demo(
    real_db: None, world: Path, monkeypatch: pytest.MonkeyPatch, stale: int, *, is_set_up: bool
) -> None:
    late = iter(range(stale))

    def made(secret: str, step: int) -> str:
        return totp.code_of(secret, step if next(late, None) is None else step - 2)

    monkeypatch.setattr(seed, "totp", SimpleNamespace(code_of=made, step_at=totp.step_at))
    if is_set_up:
        assert seed.seed(world)
    else:
        with pytest.raises(WrongCode):
            seed.seed(world)
