"""Moving live accesses to another hub role: nobody is kept out at any step, and the old one is proved to be refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import pytest
from django.db import IntegrityError, transaction

from awsaccess.aws.errors import AwsMisconfigured, AwsTransient
from awsaccess.lifecycle import AccessEvent, GrantStatus, RotationStatus
from awsaccess.models import Grant, Hub, Rotation
from awsaccess.policy.documents import UnsafeDocument, trust_document
from awsaccess.provision.access_stack import BadGrant, hub_role_in, render_template
from awsaccess.selectors import quick_create_url, template_text
from awsaccess.services import moving
from awsaccess.services.checks import found_as_agreed, standing_of
from awsaccess.services.hubs import hub_set_up
from awsaccess.services.leaving import closing_probe
from awsaccess.services.moving import (
    grants_elsewhere,
    hub_move_begin,
    hub_move_can_begin,
    hub_moves_begin,
    hub_moves_possible,
)
from awsaccess.services.revoking import denial_publish, denial_template
from awsaccess.services.rotating import lock_template
from awsaccess.services.sending import offer_publish
from engagements.lifecycle import ChangeStatus
from engagements.services.standing import consent_stands
from portal.kernel import clock, tenancy
from portal.kernel.errors import InvalidMove
from tests.awsaccess.services.cast import (
    HUBS,
    Case,
    begin_closing,
    check,
    end_by_client,
    enter,
    publish,
    sent,
    settle,
    verified,
)
from tests.awsaccess.services.test_changing import answer, change_of, update_stack
from tests.awsaccess.services.test_changing import ask as ask_change
from tests.awsaccess.services.test_changing_together import swept
from tests.awsaccess.services.test_revoking import ask as ask_end
from tests.awsaccess.services.test_revoking import grant_of
from tests.awsaccess.services.test_rotating import (
    act,
    cancel,
    health,
    link,
    newest,
    proved,
    published,
    ready,
)
from tests.awsaccess.services.test_rotating import begin as begin_key
from tests.awsaccess.services.worlds import InMemory, Simulated, World, hub_of
from tests.factories import Firm, acting
from tests.plugins.sandbox_process import NORTHGATE, SandboxProcess

Json = dict[str, Any]  # Any: templates nest as they like
OLD: Final = HUBS["northgate"].role_arn
NAME: Final = "latchkey-hub-of-2027"
NEW: Final = f"arn:aws:iam::{NORTHGATE}:role/entrances/{NAME}"
PORTAL: Final = f"arn:aws:iam::{NORTHGATE}:user/portal"


def build(world: World) -> None:
    """The practice makes the new hub role beside the old one, and lets it do all that the old one may."""
    if isinstance(world, Simulated):
        build_simulated(world.sandbox)
        return
    assert isinstance(world, InMemory)
    world.fake.hubs[NEW] = replace(hub_of("northgate"), role_arn=NEW)


def build_simulated(sandbox: SandboxProcess) -> None:
    iam = sandbox.iam(NORTHGATE)
    trust = {"Effect": "Allow", "Principal": {"AWS": PORTAL}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName=NAME, Path="/entrances/", AssumeRolePolicyDocument=policy(trust))
    rights: Any = iam.get_role_policy(RoleName="latchkey-hub", PolicyName="hub")["PolicyDocument"]
    iam.put_role_policy(RoleName=NAME, PolicyName="hub", PolicyDocument=json.dumps(rights))
    become = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": NEW}
    iam.put_user_policy(UserName="portal", PolicyName="hub-2", PolicyDocument=policy(become))
    control: Any = iam.get_role(RoleName="latchkey-control")["Role"]["AssumeRolePolicyDocument"]
    control["Statement"][0]["Condition"]["ArnEquals"]["aws:PrincipalArn"].append(NEW)
    iam.update_assume_role_policy(RoleName="latchkey-control", PolicyDocument=json.dumps(control))


def tear_down(world: World) -> None:
    """The practice deletes the old hub role in memory, where no other test needs it."""
    assert isinstance(world, InMemory)
    del world.fake.hubs[OLD]


def unbuild(world: World, case: Case) -> None:
    """The simulated AWS serves the next test, too."""
    if not isinstance(world, Simulated):
        return
    world.remove(case)
    iam = world.sandbox.iam(NORTHGATE)
    control: Any = iam.get_role(RoleName="latchkey-control")["Role"]["AssumeRolePolicyDocument"]
    control["Statement"][0]["Condition"]["ArnEquals"]["aws:PrincipalArn"].remove(NEW)
    iam.update_assume_role_policy(RoleName="latchkey-control", PolicyDocument=json.dumps(control))
    iam.delete_user_policy(UserName="portal", PolicyName="hub-2")
    iam.delete_role_policy(RoleName=NAME, PolicyName="hub")
    iam.delete_role(RoleName=NAME)


def policy(statement: Json) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def set_up(firm: Firm, *, role_arn: str = NEW) -> None:
    """The owner writes the new hub role down: new offers name it, live accesses do not yet."""
    facts = HUBS["northgate"]
    with tenancy.use(firm.practice_side):
        hub_set_up(
            practice=firm.practice,
            role_arn=role_arn,
            region=facts.region,
            template_bucket=facts.bucket,
            actor=acting(firm.owner),
        )


def begin(case: Case) -> None:
    with tenancy.use(case.firm.practice_side):
        hub_move_begin(grant=case.grant(), actor=acting(case.firm.owner))


def begun(firm: Firm, world: World) -> Case:
    """Live, with the new hub role set up, and its move begun and published."""
    case = ready(firm, world)
    build(world)
    set_up(firm)
    begin(case)
    published(case)
    return case


def turned(firm: Firm, memory: InMemory) -> Case:
    """Entered from the new hub role; the old one may still come."""
    case = begun(firm, memory)
    act(memory, case)
    assert proved(case) is RotationStatus.DROPPING
    return case


def moved(firm: Firm, memory: InMemory) -> Case:
    """Both steps are done and proved."""
    case = turned(firm, memory)
    act(memory, case)
    assert proved(case) is RotationStatus.DONE
    return case


def others(case: Case) -> list[object]:
    """What each check found of the other hub role."""
    return [one.findings.get("with_other_hub") for one in case.verifications()]


def elsewhere(firm: Firm) -> list[Grant]:
    with tenancy.use(firm.practice_side):
        return list(grants_elsewhere(Hub.objects.get()))


# ---------------------------------------------------------------- the two steps


def test_each_step_is_proved_from_the_new_role_and_nobody_is_kept_out_at_any(
    north: Firm, world: World
) -> None:
    case = begun(north, world)
    key = case.grant().external_id_in_force
    enter(case)
    assert proved(case) is RotationStatus.ADDING  # the client has done nothing, and nothing changed
    assert others(case)[-1] == "refused"  # the new role knocked, and is not let in yet
    act(world, case)
    check(case)
    assert (newest(case).status, others(case)[-1]) == (RotationStatus.ADDING, "opened")
    enter(case)  # seen once: still from the old role, which the lock takes as well
    assert proved(case) is RotationStatus.DROPPING
    assert case.grant().moved_hub_role_arn == NEW
    check(case)
    assert (health(case), others(case)[-1]) == (GrantStatus.VERIFIED, "opened")
    enter(case)
    act(world, case)
    assert proved(case) is RotationStatus.DONE
    assert others(case)[-1] == "refused"
    enter(case)
    check(case)
    grant = case.grant()
    assert (health(case), grant.is_rotating, grant.external_id_in_force) == (GrantStatus.VERIFIED, False, key)
    assert {one.status for one in case.visits()} == {"issued"}
    moves = [(each["from"], each["to"]) for kind, each in case.told() if kind == AccessEvent.HUB_MOVE_MOVED]
    assert moves == [("adding", "dropping"), ("dropping", "done")]
    told = [details for kind, details in case.told() if kind == AccessEvent.HUB_MOVE_BEGUN]
    assert told == [{"from": OLD, "to": NEW}]
    for kind in ("engagements.key_add", "engagements.key_drop", "engagements.key_done"):
        assert case.promised(kind) == 1
    unbuild(world, case)


def test_what_is_not_moved_keeps_working_with_the_old_role(north: Firm, world: World) -> None:
    case = ready(north, world)
    build(world)
    set_up(north)
    check(case)
    assert health(case) is GrantStatus.VERIFIED
    enter(case)
    assert case.visit().status == "issued"
    assert [grant.pk for grant in elsewhere(north)] == [case.grant().pk]
    unbuild(world, case)


def test_the_templates_differ_from_the_agreed_one_in_who_may_come_alone(
    north: Firm, memory: InMemory
) -> None:
    case = ready(north, memory)
    build(memory)
    set_up(north)
    begin(case)
    rotation, agreed = newest(case), json.loads(case.offer().template)
    for which, hubs in (("both", [NEW, OLD]), ("alone", NEW)):
        made: Json = json.loads(lock_template(rotation, which))
        assert hub_role_in(json.dumps(made)) == ("" if which == "both" else NEW)
        assert comers(made) == [hubs, hubs]
        assert comers(agreed) == [OLD, OLD]
        assert without_comers(made) == without_comers(agreed)


def comers(template: Json) -> list[Any]:
    return [one["Condition"]["ArnEquals"]["aws:PrincipalArn"] for one in statements(template)]


def without_comers(template: Json) -> Json:
    made: Json = json.loads(json.dumps(template))
    for one in statements(made):
        del one["Condition"]["ArnEquals"]
    return made


def statements(template: Json) -> Any:  # Any: IAM's JSON
    return template["Resources"]["AccessRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]


def test_what_was_agreed_to_stands_through_it_and_every_way_to_the_stack_names_the_new_role(
    north: Firm, memory: InMemory
) -> None:
    case = begun(north, memory)
    before = case.offer().offer_sha256
    with tenancy.use(north.client_side):
        link_before = quick_create_url(case.fresh())
        assert hub_role_in(template_text(case.offer())) == OLD
        assert "-both.json" in link(case)
    act(memory, case)
    proved(case)
    with tenancy.use(north.client_side):
        link_after = quick_create_url(case.fresh())
        assert hub_role_in(template_text(case.offer())) == NEW
    assert link_before != link_after
    assert newest(case).alone_version_id in str(link_after)
    with tenancy.use(north.practice_side):
        grant = Grant.objects.select_related("offer").get()
        assert found_as_agreed(grant)
        assert consent_stands(engagement=case.fresh(), offer=grant.offer)
    assert case.verifications()[-1].findings["offer_sha256"] == before


def test_a_third_role_beside_the_two_is_an_open_lock_at_every_step(north: Firm, world: World) -> None:
    case = begun(north, world)
    act(world, case)
    check(case)
    third = f"arn:aws:iam::{NORTHGATE}:role/latchkey-control"

    def add(found: Json) -> None:
        for one in found["Statement"]:
            one["Condition"]["ArnEquals"]["aws:PrincipalArn"] = [OLD, NEW, third]

    world.change_trust(case, add)
    check(case)
    assert health(case) is GrantStatus.UNSAFE
    assert case.grant().moved_hub_role_arn == ""
    unbuild(world, case)


def test_the_old_role_beside_the_new_one_is_unsafe_once_it_was_dropped(north: Firm, memory: InMemory) -> None:
    case = moved(north, memory)

    def take_back(found: Json) -> None:
        for one in found["Statement"]:
            one["Condition"]["ArnEquals"]["aws:PrincipalArn"] = [OLD, NEW]

    memory.change_trust(case, take_back)
    check(case)
    assert health(case) is GrantStatus.UNSAFE


# ---------------------------------------------------------------- when one of the two roles is not there


def test_a_new_role_that_was_never_made_keeps_the_access_as_it_is(north: Firm, memory: InMemory) -> None:
    case = ready(north, memory)
    set_up(north)  # written down, and not in AWS
    begin(case)
    published(case)
    act(memory, case)
    assert proved(case) is RotationStatus.ADDING
    assert (health(case), others(case)[-1]) == (GrantStatus.VERIFIED, "not asked")
    enter(case)
    assert case.visit().status == "issued"


def test_the_refusal_of_an_old_role_that_may_enter_nothing_proves_nothing(
    north: Firm, memory: InMemory
) -> None:
    case = turned(north, memory)
    act(memory, case)
    memory.fake.powerless.add(OLD)
    assert proved(case) is RotationStatus.DROPPING
    assert (health(case), others(case)[-1]) == (GrantStatus.VERIFIED, "not asked")
    memory.fake.powerless.clear()
    assert proved(case) is RotationStatus.DONE


def test_an_old_role_that_was_deleted_too_early_breaks_nothing(north: Firm, memory: InMemory) -> None:
    case = turned(north, memory)
    tear_down(memory)
    act(memory, case)
    assert proved(case) is RotationStatus.DROPPING
    assert (health(case), others(case)[-1]) == (GrantStatus.VERIFIED, "not asked")
    enter(case)
    assert case.visits()[-1].status == "issued"


def test_while_aws_does_not_answer_nothing_is_known(north: Firm, memory: InMemory) -> None:
    case = begun(north, memory)
    act(memory, case)
    memory.door.fail("assume", AwsTransient(), nth=5)
    check(case)
    assert (newest(case).seen_at, health(case)) == (None, GrantStatus.VERIFIED)
    assert case.verifications()[-1].verdict == "unknown"


# ---------------------------------------------------------------- beginning and calling off


def test_there_has_to_be_another_role_of_the_same_account(north: Firm, memory: InMemory) -> None:
    case = ready(north, memory)
    with pytest.raises(InvalidMove):
        begin(case)
    with tenancy.use(north.practice_side):
        assert not hub_move_can_begin(case.grant(), case.fresh())
    set_up(north, role_arn="arn:aws:iam::888888888888:role/latchkey-hub")
    with pytest.raises(InvalidMove, match="another AWS account"):
        begin(case)
    with tenancy.use(north.practice_side):
        assert not hub_move_can_begin(case.grant(), case.fresh())
    set_up(north)
    with tenancy.use(north.practice_side):
        assert hub_move_can_begin(case.grant(), case.fresh())
    begin(case)
    with tenancy.use(north.practice_side):
        assert not hub_move_can_begin(case.grant(), case.fresh())
    with pytest.raises(InvalidMove):
        begin(case)


def test_calling_off_asks_the_client_to_take_it_back(north: Firm, world: World) -> None:
    case = begun(north, world)
    act(world, case)
    check(case)
    cancel(case)
    assert case.kinds().count(AccessEvent.HUB_MOVE_CANCELLED) == 1
    assert case.promised("engagements.key_drop") == 1
    assert proved(case) is RotationStatus.UNDOING
    act(world, case)
    assert proved(case) is RotationStatus.CANCELLED
    check(case)
    assert (health(case), case.grant().moved_hub_role_arn) == (GrantStatus.VERIFIED, "")
    unbuild(world, case)


def test_all_live_accesses_begin_at_once_and_the_others_are_named_with_the_reason(
    north: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = ready(north, memory), also(north, memory), also(north, memory)
    sent(north)  # nobody agreed: there is nothing in AWS to move
    ask_change(third)
    set_up(north)
    with tenancy.use(north.practice_side):
        hub = Hub.objects.get()
        monkeypatch.setattr(moving, "MOST_AT_ONCE", 1)
        assert hub_moves_begin(hub=hub, actor=acting(north.owner)).begun == 1
        monkeypatch.undo()
        done = hub_moves_begin(hub=hub, actor=acting(north.owner))
        assert done.begun == 1
        ((grant, why),) = done.waiting
        assert (grant.pk, "A change of the access is waiting" in why) == (third.grant().pk, True)
        assert hub_moves_begin(hub=hub, actor=acting(north.owner)).begun == 0
        assert [one.pk for one in hub_moves_possible(hub)] == [third.grant().pk]
    assert [case.grant().is_rotating for case in (first, second, third)] == [True, True, False]


def also(firm: Firm, memory: InMemory) -> Case:
    """As `ready`, for one more role in the same account."""
    case = verified(firm, memory)
    publish(case)
    settle(case)
    return case


def test_the_list_of_those_elsewhere_empties_as_they_arrive(north: Firm, memory: InMemory) -> None:
    case = turned(north, memory)
    assert [one.pk for one in elsewhere(north)] == [case.grant().pk]  # the old role is still let in
    act(memory, case)
    assert proved(case) is RotationStatus.DONE
    assert elsewhere(north) == []
    assert [one.pk for one in _after_going_back(north)] == [case.grant().pk]


def _after_going_back(firm: Firm) -> list[Grant]:
    set_up(firm, role_arn=OLD)
    return elsewhere(firm)


# ---------------------------------------------------------------- beside everything else


def test_a_key_is_exchanged_after_a_move_and_a_move_after_a_key(north: Firm, memory: InMemory) -> None:
    case = moved(north, memory)
    begin_key(case)
    published(case)
    rotation = newest(case)
    assert (rotation.is_hub_move, hub_role_in(lock_template(rotation, "both"))) == (False, NEW)
    act(memory, case)
    assert proved(case) is RotationStatus.DROPPING
    act(memory, case)
    assert proved(case) is RotationStatus.DONE
    set_up(north, role_arn=OLD)
    begin(case)
    published(case)
    assert newest(case).old_hub_role_arn == NEW
    act(memory, case)
    assert proved(case) is RotationStatus.DROPPING
    act(memory, case)
    assert proved(case) is RotationStatus.DONE
    grant = case.grant()
    assert (grant.moved_hub_role_arn, grant.external_id_in_force) == (OLD, rotation.new_external_id)
    check(case)
    assert health(case) is GrantStatus.VERIFIED


def test_a_change_that_is_asked_after_a_move_lets_in_the_role_in_force(north: Firm, memory: InMemory) -> None:
    case = moved(north, memory)
    offer = ask_change(case)
    answer(case, offer)
    with case.seen():
        offer_publish(offer_id=offer.pk)
    update_stack(case, memory, offer)
    swept(case)
    assert (health(case), change_of(case).status) == (GrantStatus.VERIFIED, ChangeStatus.IN_FORCE)
    assert offer.documents["hub_role_arn"] == NEW
    assert hub_role_in(offer.template) == NEW
    with tenancy.use(north.client_side):
        assert template_text(offer) == offer.template
        assert f"versionId={case_version(offer.pk)}" in str(quick_create_url(case.fresh())).replace(
            "%3D", "="
        )


def case_version(offer_id: Any) -> str:  # Any: a key
    from engagements.models import Offer

    return Offer.objects.get(pk=offer_id).template_version_id


def test_open_visits_can_be_ended_during_a_move_and_the_denial_follows_the_lock(
    north: Firm, memory: InMemory
) -> None:
    case = begun(north, memory)
    enter(case)
    act(memory, case)
    ask_end(case)
    with tenancy.use(north.practice_side):
        denial_publish(grant_id=case.grant().pk)
        assert hub_role_in(denial_template(grant_of(case))) == OLD
    assert proved(case) is RotationStatus.DROPPING
    with tenancy.use(north.practice_side):
        assert grant_of(case).deny_version_id == ""
        denial_publish(grant_id=case.grant().pk)
        assert hub_role_in(denial_template(grant_of(case))) == NEW


def test_both_roles_must_be_refused_before_an_end_is_proved(north: Firm, memory: InMemory) -> None:
    case = begun(north, memory)
    act(memory, case)

    def only_new(found: Json) -> None:
        for one in found["Statement"]:
            one["Condition"]["ArnEquals"]["aws:PrincipalArn"] = NEW

    memory.change_trust(case, only_new)
    end_by_client(case)
    begin_closing(case)
    look_at_the_end(case)
    assert (case.proof().refusals, case.proof().last_opened_at is not None) == (0, True)
    memory.remove(case)
    look_at_the_end(case)
    assert case.proof().refusals == 1


def test_an_end_during_a_move_does_not_wait_for_a_role_that_is_gone(north: Firm, memory: InMemory) -> None:
    case = turned(north, memory)
    end_by_client(case)
    begin_closing(case)
    memory.remove(case)
    tear_down(memory)
    look_at_the_end(case)
    assert case.proof().refusals == 1


def test_an_end_during_an_exchange_of_the_key_waits_while_our_side_is_broken(
    north: Firm, memory: InMemory
) -> None:
    case = ready(north, memory)
    begin_key(case)
    published(case)
    end_by_client(case)
    begin_closing(case)
    memory.remove(case)
    memory.door.fail("assume", AwsMisconfigured(), nth=5)
    look_at_the_end(case)
    assert case.proof().refusals == 0
    look_at_the_end(case)
    assert case.proof().refusals == 1


def look_at_the_end(case: Case) -> None:
    with tenancy.use(case.firm.practice_side):
        closing_probe(grant_id=case.grant().pk)


# ---------------------------------------------------------------- what cannot be


def test_a_second_hub_role_is_another_literal_one_of_the_same_account(north: Firm, memory: InMemory) -> None:
    from awsaccess.asking import spec_of

    case = ready(north, memory)
    with tenancy.use(north.practice_side):
        grant = case.grant()
        spec = spec_of(standing_of(grant).held, grant)
    for arn in (OLD, "arn:aws:iam::888888888888:role/latchkey-hub", "arn:aws-cn:iam::111111111111:role/x"):
        with pytest.raises(BadGrant, match="second hub role"):
            render_template(replace(spec, also_hub_role_arn=arn))
    with pytest.raises(BadGrant, match="one literal role"):
        render_template(replace(spec, also_hub_role_arn=f"arn:aws:iam::{NORTHGATE}:role/*"))
    with pytest.raises(UnsafeDocument, match="one literal role"):
        trust_document(hub_role_arn=OLD, external_id="x" * 36, expires_at=clock.now(), also_hub_role_arn="*")


def test_a_row_exchanges_one_thing(north: Firm, memory: InMemory) -> None:
    case = begun(north, memory)
    with (
        tenancy.use(north.practice_side),
        pytest.raises(IntegrityError, match="rotation_of_id_or_hub"),
        transaction.atomic(),
    ):
        Rotation.objects.create(
            practice_id=north.practice.pk,
            client_id=north.client.pk,
            grant=case.grant(),
            status=RotationStatus.CANCELLED,
            old_external_id="a" * 36,
            new_external_id="b" * 36,
            old_hub_role_arn=OLD,
            new_hub_role_arn=NEW,
            begun_at=clock.now(),
        )
