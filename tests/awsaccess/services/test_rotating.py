"""Exchanging the external ID of a live grant: nothing breaks at any step, and each step is proved before the next."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import transaction

from awsaccess.asking import spec_beside, spec_of
from awsaccess.aws.errors import AwsError, AwsMisconfigured, AwsRejected, AwsTransient
from awsaccess.lifecycle import ROTATION_MOVES, AccessEvent, GrantStatus, RotationStatus
from awsaccess.models import Grant, Rotation
from awsaccess.provision.access_stack import BadGrant, expected_role, with_lock
from awsaccess.selectors import quick_create_url, template_text
from awsaccess.services.checks import found_as_agreed, standing_of
from awsaccess.services.rotating import (
    PUBLISH,
    lock_template,
    rotation_begin,
    rotation_cancel,
    rotation_of,
    rotation_publish,
    rotation_update,
)
from awsaccess.services.turning import rotation_move_within
from engagements.services.standing import consent_stands
from portal.kernel import outbox, tenancy
from portal.kernel.errors import InvalidMove
from tests.awsaccess.services.cast import (
    Case,
    check,
    enter,
    look_twice,
    publish,
    settle,
    verified,
    watched,
)
from tests.awsaccess.services.worlds import InMemory, Simulated, World
from tests.factories import Firm, acting

Json = dict[str, Any]  # Any: templates nest as they like


def ready(firm: Firm, world: World) -> Case:
    """Verified for a while, its template in the bucket."""
    case = verified(firm, world)
    publish(case)
    settle(case)
    return case


def begin(case: Case) -> None:
    with tenancy.use(case.firm.practice_side):
        rotation_begin(grant=case.grant(), actor=acting(case.firm.owner))


def cancel(case: Case) -> None:
    with tenancy.use(case.firm.practice_side):
        rotation_cancel(grant=case.grant(), actor=acting(case.firm.owner))


def rotations(case: Case) -> list[Rotation]:
    with tenancy.use(case.firm.practice_side):
        rows = Rotation.objects.select_related("grant__offer__practice", "grant__engagement")
        return list(rows.order_by("begun_at"))


def newest(case: Case) -> Rotation:
    return rotations(case)[-1]


def published(case: Case) -> None:
    with tenancy.use(case.firm.practice_side):
        rotation_publish(rotation_id=newest(case).pk)


def link(case: Case) -> str:
    with tenancy.use(case.firm.client_side):
        open_one = rotation_of(case.grant())
        assert open_one is not None
        update = rotation_update(open_one)
    assert update is not None
    return update.link


def act(world: World, case: Case) -> None:
    """The client's step in AWS: what the link leads to."""
    if isinstance(world, Simulated):
        world.update_by(case, link(case))
        return
    assert isinstance(world, InMemory)
    rotation = newest(case)
    with tenancy.use(case.firm.practice_side):
        grant = case.grant()
        held = standing_of(grant).held
        is_first = rotation.status == RotationStatus.ADDING
        spec = spec_beside(held, grant, rotation) if is_first else spec_of(held, grant)
        agreed = expected_role(spec, case.account_id)
    world.fake.roles[grant.role_arn].trust_document = agreed.trust_document


def proved(case: Case) -> RotationStatus:
    look_twice(case)
    return RotationStatus(newest(case).status)


def health(case: Case) -> GrantStatus:
    return GrantStatus(case.grant().status)


def test_each_step_is_proved_and_nobody_is_kept_out_at_any(north: Firm, world: World) -> None:
    case = ready(north, world)
    old = case.grant().external_id
    begin(case)
    published(case)
    assert proved(case) is RotationStatus.ADDING  # the client has done nothing, and nothing changed
    enter(case)
    act(world, case)
    check(case)
    assert newest(case).status == RotationStatus.ADDING  # seen once: some part of AWS may not know it yet
    assert case.grant().external_id_in_force == old
    enter(case)
    assert proved(case) is RotationStatus.DROPPING
    new = newest(case).new_external_id
    assert (case.grant().external_id_in_force, case.grant().external_id) == (new, old)
    check(case)
    enter(case)
    act(world, case)
    assert proved(case) is RotationStatus.DONE
    enter(case)
    check(case)
    grant, rotation = case.grant(), newest(case)
    assert (health(case), grant.is_rotating, grant.external_id_in_force) == (GrantStatus.VERIFIED, False, new)
    assert rotation.ended_at is not None
    assert {one.status for one in case.visits()} == {"issued"}
    told = [check.findings.get("with_other_id") for check in case.verifications()]
    assert (told[-2], told[-1]) == ("refused", None)
    moves = [(each["from"], each["to"]) for kind, each in case.told() if kind == AccessEvent.ROTATION_MOVED]
    assert moves == [("adding", "dropping"), ("dropping", "done")]
    assert case.kinds().count(AccessEvent.ROTATION_BEGUN) == 1
    for kind in ("engagements.key_add", "engagements.key_drop", "engagements.key_done"):
        assert case.promised(kind) == 1
    if isinstance(world, Simulated):
        world.remove(case)


def test_what_was_agreed_to_stands_through_it(north: Firm, memory: InMemory) -> None:
    case = ready(north, memory)
    before = case.offer().offer_sha256
    begin(case)
    published(case)
    act(memory, case)
    proved(case)
    with tenancy.use(north.practice_side):
        grant = Grant.objects.select_related("offer").get()
        assert found_as_agreed(grant)
        assert consent_stands(engagement=case.fresh(), offer=grant.offer)
    assert case.offer().offer_sha256 == before
    assert case.verifications()[-1].findings["offer_sha256"] == before


def test_the_templates_differ_from_the_agreed_one_in_the_lock_alone(north: Firm, memory: InMemory) -> None:
    case = ready(north, memory)
    begin(case)
    rotation = newest(case)
    agreed: Json = json.loads(case.offer().template)
    for which, keys in (
        ("both", [rotation.new_external_id, rotation.old_external_id]),
        ("alone", rotation.new_external_id),
    ):
        made: Json = json.loads(lock_template(rotation, which))
        conditions = [
            body["Resources"]["AccessRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0][
                "Condition"
            ]
            for body in (made, agreed)
        ]
        assert conditions[0]["StringEquals"].pop("sts:ExternalId") == keys
        agreed_key = conditions[1]["StringEquals"].pop("sts:ExternalId")
        assert agreed_key == rotation.old_external_id
        assert made == agreed
        conditions[1]["StringEquals"]["sts:ExternalId"] = agreed_key
    with pytest.raises(BadGrant, match="another role"):
        with_lock("{}", spec_of(rotation.grant.offer, rotation.grant))


def test_from_the_turn_on_every_way_to_the_stack_names_the_new_lock(north: Firm, memory: InMemory) -> None:
    case = ready(north, memory)
    begin(case)
    published(case)
    with tenancy.use(north.client_side):
        before = quick_create_url(case.fresh())
        assert template_text(case.offer()) == case.offer().template
    act(memory, case)
    proved(case)
    with tenancy.use(north.client_side):
        after = quick_create_url(case.fresh())
        text = template_text(case.offer())
    assert before != after
    assert newest(case).alone_version_id in str(after)
    assert newest(case).new_external_id in text
    assert newest(case).old_external_id not in text


def test_another_id_beside_the_two_is_an_open_lock_at_every_step(north: Firm, world: World) -> None:
    case = ready(north, world)
    begin(case)
    published(case)
    act(world, case)
    world.change_trust(
        case,
        lambda found: (
            found["Statement"][0]["Condition"].update(StringLike={"sts:ExternalId": "*"})
            or found["Statement"][0]["Condition"].pop("StringEquals")
        ),
    )
    check(case)
    assert health(case) is GrantStatus.UNSAFE
    assert newest(case).seen_at is None
    if isinstance(world, Simulated):
        world.remove(case)


def test_without_an_exchange_a_second_id_is_an_open_lock(north: Firm, memory: InMemory) -> None:
    case = ready(north, memory)
    memory.change_trust(
        case,
        lambda found: found["Statement"][0]["Condition"].update(
            StringEquals={"sts:ExternalId": [case.grant().external_id, "x" * 36]}
        ),
    )
    check(case)
    assert health(case) is GrantStatus.UNSAFE


def test_giving_up_before_the_client_acted_leaves_all_as_it_was(north: Firm, memory: InMemory) -> None:
    case = ready(north, memory)
    begin(case)
    cancel(case)
    assert (newest(case).status, case.grant().is_rotating) == (RotationStatus.CANCELLED, False)
    assert case.kinds().count(AccessEvent.ROTATION_CANCELLED) == 1
    begin(case)
    published(case)
    cancel(case)
    assert newest(case).status == RotationStatus.UNDOING
    assert case.promised("engagements.key_drop") == 0
    assert proved(case) is RotationStatus.CANCELLED
    assert case.grant().external_id_in_force == case.grant().external_id
    assert health(case) is GrantStatus.VERIFIED


def test_giving_up_after_the_client_acted_asks_them_to_take_it_back(north: Firm, world: World) -> None:
    case = ready(north, world)
    begin(case)
    published(case)
    act(world, case)
    check(case)
    cancel(case)
    assert case.promised("engagements.key_drop") == 1
    assert proved(case) is RotationStatus.UNDOING
    assert health(case) is GrantStatus.VERIFIED
    act(world, case)
    assert proved(case) is RotationStatus.CANCELLED
    check(case)
    assert health(case) is GrantStatus.VERIFIED
    if isinstance(world, Simulated):
        world.remove(case)


def test_once_the_new_one_is_in_force_it_only_goes_on(north: Firm, memory: InMemory) -> None:
    case = ready(north, memory)
    begin(case)
    published(case)
    act(memory, case)
    proved(case)
    with pytest.raises(InvalidMove):
        cancel(case)
    with pytest.raises(InvalidMove):
        begin(case)
    with (
        tenancy.use(north.practice_side),
        pytest.raises(InvalidMove),
        transaction.atomic(),
    ):
        rotation_move_within(newest(case), to=RotationStatus.UNDOING, actor=acting(north.owner))


def test_a_move_that_somebody_else_made_is_not_made_twice(north: Firm, memory: InMemory) -> None:
    case = ready(north, memory)
    begin(case)
    stale = newest(case)
    cancel(case)
    with tenancy.use(north.practice_side), pytest.raises(InvalidMove), transaction.atomic():
        rotation_move_within(stale, to=RotationStatus.UNDOING, actor=acting(north.owner))


def test_a_role_that_is_not_well_and_one_that_was_never_seen_are_left_alone(
    north: Firm, memory: InMemory
) -> None:
    with pytest.raises(InvalidMove):
        begin(watched(north))
    case = ready(north, memory)
    memory.widen(case)
    check(case)
    with pytest.raises(InvalidMove):
        begin(case)


def test_a_look_that_began_before_the_exchange_does_not_count(north: Firm, memory: InMemory) -> None:
    case = ready(north, memory)
    memory.door.before("inspect_role", lambda: begin(case))
    count = len(case.verifications())
    check(case)
    assert len(case.verifications()) == count
    assert health(case) is GrantStatus.VERIFIED


def test_a_step_that_is_taken_back_meanwhile_starts_its_time_anew(north: Firm, memory: InMemory) -> None:
    case = ready(north, memory)
    begin(case)
    published(case)
    act(memory, case)
    check(case)
    assert newest(case).seen_at is not None
    memory.deploy(case)
    memory.door.fail("inspect_role", AwsTransient())
    check(case)
    assert newest(case).seen_at is not None  # nothing was found out
    check(case)
    assert newest(case).seen_at is None


def test_both_ids_must_be_refused_before_an_end_is_proved(north: Firm, memory: InMemory) -> None:
    from awsaccess.services.leaving import closing_probe
    from tests.awsaccess.services.cast import begin_closing, end_by_client

    case = ready(north, memory)
    begin(case)
    published(case)
    act(memory, case)
    memory.change_trust(
        case,
        lambda found: found["Statement"][0]["Condition"].update(
            StringEquals={"sts:ExternalId": newest(case).new_external_id}
        ),
    )
    end_by_client(case)
    begin_closing(case)
    with tenancy.use(north.practice_side):
        closing_probe(grant_id=case.grant().pk)
    assert (case.proof().refusals, case.proof().last_opened_at is not None) == (0, True)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (AwsTransient(), outbox.Later),
        (AwsMisconfigured(), outbox.Later),
        (AwsRejected("no"), outbox.Hopeless),
    ],
)
def test_a_bucket_that_does_not_answer_is_asked_again(
    north: Firm, memory: InMemory, error: AwsError, raised: type[Exception]
) -> None:
    case = ready(north, memory)
    begin(case)
    assert case.promised(PUBLISH) == 1
    memory.door.fail("upload_template", error, nth=2)
    with pytest.raises(raised):
        published(case)
    with tenancy.use(north.client_side):
        open_one = rotation_of(case.grant())
        assert open_one is not None
        assert rotation_update(open_one) is None
    published(case)
    first = newest(case).both_version_id
    published(case)
    assert newest(case).both_version_id == first
    assert case.promised("engagements.key_add") == 1


def test_without_an_exchange_there_is_no_step(north: Firm, memory: InMemory) -> None:
    case = ready(north, memory)
    with tenancy.use(north.client_side):
        assert rotation_of(case.grant()) is None


def test_a_second_exchange_begins_from_the_one_in_force(north: Firm, memory: InMemory) -> None:
    case = ready(north, memory)
    for _ in range(2):
        begin(case)
        published(case)
        act(memory, case)
        assert proved(case) is RotationStatus.DROPPING
        act(memory, case)
        assert proved(case) is RotationStatus.DONE
    first, second = rotations(case)
    assert second.old_external_id == first.new_external_id
    assert case.grant().external_id_in_force == second.new_external_id
    assert str(second) == "rotation, done"


def test_the_graph_has_one_way_and_ends() -> None:
    ends = {status for status, onward in ROTATION_MOVES.items() if not onward}
    assert ends == {RotationStatus.DONE, RotationStatus.CANCELLED}
    assert ROTATION_MOVES[RotationStatus.DROPPING] == {RotationStatus.DONE}


def test_of_two_workers_that_lay_down_templates_one_is_told(
    north: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = ready(north, memory)
    begin(case)

    def the_other_was_faster() -> None:
        Rotation.objects.filter(pk=newest(case).pk).update(
            both_version_id="theirs", alone_version_id="theirs"
        )

    memory.door.before("upload_template", the_other_was_faster)
    published(case)
    assert newest(case).both_version_id == "theirs"
    assert case.promised("engagements.key_add") == 0
