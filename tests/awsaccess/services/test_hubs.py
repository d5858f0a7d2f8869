"""The practice's own AWS side: only what AWS could have is written down."""

from __future__ import annotations

import datetime as dt
import importlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import User
from awsaccess.aws.errors import AwsMisconfigured
from awsaccess.door import hub_identity, hub_of
from awsaccess.lifecycle import HUB_LOOKS_EVERY, AccessEvent
from awsaccess.models import Hub
from awsaccess.services.hubs import LOOK, BadHub, HubFails, hub_look, hub_role_accept, hub_try
from portal.kernel import clock, due, tenancy
from portal.kernel.errors import InvalidMove
from portal.kernel.models import AuditBody
from tests.awsaccess.callbacks import scene
from tests.awsaccess.services.cast import HUBS, check, make_practice, sent, set_hub, verified
from tests.awsaccess.services.worlds import InMemory, Simulated
from tests.conftest import SqlAs
from tests.factories import Firm, acting
from tests.pages.reading import read
from tests.plugins.sandbox_process import NORTHGATE
from tests.signing_in import ProvingBrowser, let_in

GOOD = HUBS["northgate"]
AsWorker = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def bare(db: None) -> Firm:
    return make_practice("northgate", with_hub=False)


def hubs(firm: Firm) -> list[Hub]:
    with tenancy.use(firm.practice_side):
        return list(Hub.objects.all())


def test_account_and_partition_are_read_off_the_roles_arn(bare: Firm) -> None:
    arn = "arn:aws-us-gov:iam::222222222222:role/path/latchkey-hub"
    hub = set_hub(bare, replace(GOOD, role_arn=f"  {arn}\n", region="us-gov-west-1"))
    assert (hub.partition, hub.account_id, hub.role_arn) == ("aws-us-gov", "222222222222", arn)
    assert str(hub) == "hub in 222222222222"
    with tenancy.use(bare.practice_side):
        body = AuditBody.objects.get(event__kind=AccessEvent.HUB_SET_UP)
    assert json.loads(body.text)["details"]["template_bucket"] == GOOD.bucket


def test_setting_up_again_changes_the_one_hub(bare: Firm) -> None:
    first = set_hub(bare, GOOD)
    second = set_hub(bare, replace(GOOD, region="eu-central-1"))
    assert first.pk == second.pk
    assert [hub.region for hub in hubs(bare)] == ["eu-central-1"]


def test_a_hub_is_asked_who_it_is_as_it_is_now_and_an_offer_as_it_was_sent(bare: Firm) -> None:
    set_hub(bare, GOOD)
    case = sent(bare)
    set_hub(bare, replace(GOOD, region="eu-central-1"))
    offer = case.offer()
    with tenancy.use(bare.practice_side):
        now, then = hub_identity(Hub.objects.get()), hub_of(offer)
    assert (now.region, then.region) == ("eu-central-1", GOOD.region)
    assert replace(now, region=GOOD.region) == then


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"role_arn": "latchkey-hub"}, "not the ARN of a role"),
        ({"role_arn": "arn:aws:iam::111111111111:user/portal"}, "not the ARN of a role"),
        ({"role_arn": "arn:aws:iam::*:role/latchkey-hub"}, "not the ARN of a role"),
        ({"region": "eu-west-1.evil.example"}, "not a region of aws"),
        ({"region": "us-gov-west-1"}, "not a region of aws"),
        ({"bucket": "UPPER"}, "A bucket's name"),
        ({"bucket": "ab"}, "A bucket's name"),
        ({"bucket": "a/../b"}, "A bucket's name"),
        ({"bucket": "bucket\n"}, "A bucket's name"),
    ],
)
def test_what_aws_could_not_have_is_refused(bare: Firm, change: dict[str, str], words: str) -> None:
    with pytest.raises(BadHub, match=words):
        set_hub(bare, replace(GOOD, **change))
    assert hubs(bare) == []


def tried(firm: Firm) -> tuple[str, ...]:
    with tenancy.use(firm.practice_side):
        return hub_try(Hub.objects.select_related("practice").get())


def test_trying_the_hub_asks_for_all_that_the_portal_does_with_it(north: Firm, simulated: Simulated) -> None:
    assert len(tried(north)) == 3
    scene.set_up(north)
    told = tried(north)
    assert [sentence[:20] for sentence in told] == [
        "The hub role opens: ",
        "It may enter roles: ",
        "The control role may",
        "The call-back queue ",
    ]
    assert "assumed-role/latchkey-hub" in told[0]


def test_a_hub_role_that_may_not_read_its_queue_is_told_so(north: Firm, simulated: Simulated) -> None:
    scene.set_up(north)
    iam = simulated.sandbox.iam(NORTHGATE)
    whole: Any = iam.get_role_policy(RoleName="latchkey-hub", PolicyName="hub")[
        "PolicyDocument"
    ]  # Any: IAM's JSON
    less = {**whole, "Statement": [each for each in whole["Statement"] if "sqs" not in str(each)]}
    iam.put_role_policy(RoleName="latchkey-hub", PolicyName="hub", PolicyDocument=json.dumps(less))
    try:
        with pytest.raises(HubFails, match="Give the hub role sqs:ReceiveMessage"):
            tried(north)
    finally:
        iam.put_role_policy(RoleName="latchkey-hub", PolicyName="hub", PolicyDocument=json.dumps(whole))
    assert len(tried(north)) == 4


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("own_identity", "does not open for the portal"),
        ("control", "manage.py hub_stack"),
        ("assume_as_another", "may not ask for roles"),
        ("try_queue", "cannot be read"),
    ],
)
def test_what_fails_is_named_with_the_next_step(
    north: Firm, memory: InMemory, method: str, words: str
) -> None:
    scene.set_up(north)
    memory.door.fail(method, AwsMisconfigured())
    with pytest.raises(HubFails, match=words):
        tried(north)


def test_a_control_role_from_before_is_told_what_it_lacks(north: Firm, memory: InMemory) -> None:
    scene.set_up(north)
    memory.fake.nameless.add(f"arn:aws:iam::{NORTHGATE}:role/latchkey-control")
    with pytest.raises(HubFails, match="sts:SetSourceIdentity and sts:TagSession"):
        tried(north)


def look(firm: Firm) -> Hub:
    with tenancy.use(firm.practice_side):
        hub_look(hub_id=Hub.objects.get().pk)
        return Hub.objects.select_related("practice").get()


def remake(simulated: Simulated) -> None:
    """Somebody deletes the hub role and makes it again: same name, same policies, another id."""
    iam = simulated.sandbox.iam(NORTHGATE)
    role = iam.get_role(RoleName="latchkey-hub")["Role"]
    policy = iam.get_role_policy(RoleName="latchkey-hub", PolicyName="hub")["PolicyDocument"]
    iam.delete_role_policy(RoleName="latchkey-hub", PolicyName="hub")
    iam.delete_role(RoleName="latchkey-hub")
    iam.create_role(
        RoleName="latchkey-hub", AssumeRolePolicyDocument=json.dumps(role["AssumeRolePolicyDocument"])
    )
    iam.put_role_policy(RoleName="latchkey-hub", PolicyName="hub", PolicyDocument=json.dumps(policy))


def test_a_hub_role_that_was_made_anew_is_told_and_breaks_no_grant(north: Firm, simulated: Simulated) -> None:
    case = verified(north, simulated)
    first = look(north)
    assert first.role_id.startswith("AROA")
    assert look(north).remade_at is None
    remake(simulated)
    look(north)  # the session of the old role is found broken, and dropped
    hub = look(north)
    assert hub.role_id != first.role_id
    assert hub.remade_at is not None
    with tenancy.use(north.practice_side):
        told = AuditBody.objects.get(event__kind=AccessEvent.HUB_ROLE_MADE_ANEW)
    assert json.loads(told.text)["details"] == {"role_id": hub.role_id, "before": first.role_id}
    check(case)
    assert case.grant().status == "verified"
    console = let_in(ProvingBrowser(), staff(north))
    shown = read(console.get(f"/console/awsaccess/hub/{hub.pk}/"))
    assert "The hub role is another one" in shown.text
    assert "None refuses: nothing is broken" in shown.text
    with tenancy.use(north.practice_side):
        hub_role_accept(hub=hub, actor=acting(north.owner))
        assert Hub.objects.get().remade_at is None
        with pytest.raises(InvalidMove):
            hub_role_accept(hub=hub, actor=acting(north.owner))
        assert AuditBody.objects.filter(event__kind=AccessEvent.HUB_ROLE_ACCEPTED).count() == 1
    assert "The hub role is another one" not in read(console.get(f"/console/awsaccess/hub/{hub.pk}/")).text
    simulated.remove(case)


def staff(firm: Firm) -> User:
    User.objects.filter(pk=firm.owner.pk).update(is_staff=True)
    return firm.owner


def test_a_hub_that_does_not_answer_tells_nothing_of_its_role(north: Firm, memory: InMemory) -> None:
    before = look(north)
    memory.fake.fail("own_identity", AwsMisconfigured())
    assert look(north).role_id == before.role_id
    with tenancy.use(north.practice_side):
        Hub.objects.all().delete()
        assert hub_look(hub_id=before.pk) is None


def test_another_hub_role_begins_with_an_id_of_its_own(north: Firm, memory: InMemory) -> None:
    assert look(north).role_id
    assert set_hub(north, replace(GOOD, region="eu-central-1")).role_arn == GOOD.role_arn
    assert hubs(north)[0].role_id
    set_hub(north, replace(GOOD, role_arn=GOOD.role_arn + "-2"))
    assert hubs(north)[0].role_id == ""


def test_a_hub_that_changed_while_aws_was_asked_keeps_its_own(north: Firm, memory: InMemory) -> None:
    look(north)
    with tenancy.use(north.practice_side):
        Hub.objects.update(role_id="AROAOTHER")
    memory.door.before("own_identity", lambda: set_hub(north, replace(GOOD, role_arn=GOOD.role_arn + "-2")))
    hub = look(north)
    assert (hub.role_id, hub.remade_at) == ("", None)


def test_a_hub_from_before_gets_its_first_look_and_the_sweep_goes_on(
    real_db: None, memory: InMemory, sql_as: SqlAs, as_worker: AsWorker
) -> None:
    firm = make_practice("northgate")
    with tenancy.use(firm.practice_side), transaction.atomic():
        due.drop(LOOK, Hub.objects.get().pk)
    connection.close()  # the migration locks the table
    begin = importlib.import_module("awsaccess.migrations.0009_hub_looks").BEGIN
    owner = sql_as("portal_owner")
    for _twice in range(2):
        owner.execute(begin)
    with as_worker():
        with tenancy.use(tenancy.SYSTEM):
            (turn,) = [turn for turn in due.claim() if turn.kind == LOOK]
        assert due.take(turn)
        with tenancy.use(firm.practice_side):
            hub = Hub.objects.get()
            next_at = due.next_look(LOOK, hub.pk)
    assert hub.role_id
    assert next_at is not None
    assert abs(next_at - clock.now() - HUB_LOOKS_EVERY) < dt.timedelta(minutes=5)
    walls = (
        "select bool_and(relforcerowsecurity) from pg_class where relname in ('awsaccess_hub', 'kernel_due')"
    )
    assert owner.execute(walls).fetchone() == (True,)
