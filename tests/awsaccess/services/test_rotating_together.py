"""A new key beside what else happens to a stack: choices, a change of the access, and the end of open visits."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from awsaccess.asking import spec_of
from awsaccess.lifecycle import GrantStatus, RotationStatus
from awsaccess.models import Grant, Rotation
from awsaccess.provision.access_stack import external_id_in, with_lock
from awsaccess.selectors import is_denial_awaited, quick_create_url, template_address, template_text
from awsaccess.services.checks import found_as_agreed, standing_of, target_of
from awsaccess.services.revoking import (
    denial_command,
    denial_publish,
    denial_template,
    removal_command,
)
from awsaccess.services.rotating import lock_template, rotation_of, rotation_update
from awsaccess.services.sending import offer_publish, variant_publish
from awsaccess.services.turning import DENIAL
from engagements.lifecycle import ChangeStatus
from engagements.models import Offer, Variant
from engagements.selectors import offer_current, template_agreed
from engagements.services.change_answers import change_take_back
from portal.kernel import clock, tenancy
from portal.kernel.errors import InvalidMove
from portal.kernel.models import OutboxMessage, OutboxState
from tests.awsaccess.services.cast import Case, check, enter, publish, settle, watch
from tests.awsaccess.services.test_changing import answer, change_of, update_stack
from tests.awsaccess.services.test_changing import ask as ask_change
from tests.awsaccess.services.test_changing_together import swept
from tests.awsaccess.services.test_choices import agree, asked
from tests.awsaccess.services.test_revoking import ask as ask_end
from tests.awsaccess.services.test_revoking import grant_of
from tests.awsaccess.services.test_rotating import (
    act,
    begin,
    cancel,
    health,
    newest,
    proved,
    published,
    ready,
)
from tests.awsaccess.services.worlds import InMemory
from tests.factories import Firm, acting

Json = dict[str, Any]  # Any: templates nest as they like
BOTH = ("advice", "history")


def chosen(firm: Firm, memory: InMemory, *ticked: str) -> Case:
    """Verified, with these lines ticked, and every template in the bucket."""
    case = asked(firm, *BOTH)
    agree(case, *ticked)
    watch(case)
    memory.deploy(case)
    check(case)
    publish(case)
    with case.seen():
        for row in Variant.objects.filter(engagement=case.engagement):
            variant_publish(variant_id=row.pk)
    settle(case)
    return case


def exchanged(case: Case, memory: InMemory) -> str:
    """Both steps are done and proved. Gives the new external ID."""
    begin(case)
    published(case)
    act(memory, case)
    assert proved(case) is RotationStatus.DROPPING
    act(memory, case)
    assert proved(case) is RotationStatus.DONE
    return newest(case).new_external_id


def changed(case: Case, memory: InMemory) -> Offer:
    """A change is asked, agreed to, in the bucket, in the stack and in force."""
    offer = ask_change(case)
    answer(case, offer)
    with case.seen():
        offer_publish(offer_id=offer.pk)
    update_stack(case, memory, offer)
    check(case)
    assert change_of(case).status == ChangeStatus.IN_FORCE
    with case.seen():
        return Offer.objects.get(pk=offer.pk)


def without_lock(template: str) -> Json:
    made: Json = json.loads(template)
    trust = made["Resources"]["AccessRole"]["Properties"]["AssumeRolePolicyDocument"]
    del trust["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"]
    return made


def keys_in(template: str) -> Any:  # Any: one, or a list of them
    trust = json.loads(template)["Resources"]["AccessRole"]["Properties"]["AssumeRolePolicyDocument"]
    return trust["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"]


# ---------------------------------------------------------------- what was ticked


def test_the_templates_are_the_agreed_one_with_what_was_ticked_and_another_lock(
    north: Firm, memory: InMemory
) -> None:
    case = chosen(north, memory, "history")
    begin(case)
    rotation = newest(case)
    with case.seen():
        agreed = template_agreed(offer_current(case.engagement))
        made = {which: lock_template(rotation, which) for which in ("both", "alone")}
    assert "cloudtrail:LookupEvents" in agreed.text
    assert agreed.text != case.offer().template
    assert keys_in(made["both"]) == [rotation.new_external_id, rotation.old_external_id]
    assert keys_in(made["alone"]) == rotation.new_external_id
    assert [without_lock(text) for text in made.values()] == [without_lock(agreed.text)] * 2
    assert (external_id_in(made["both"]), external_id_in(made["alone"])) == ("", rotation.new_external_id)


def test_a_choice_holds_through_an_exchange_and_so_does_the_hash(north: Firm, memory: InMemory) -> None:
    case = chosen(north, memory, "history")
    new = exchanged(case, memory)
    check(case)
    assert health(case) is GrantStatus.VERIFIED
    with tenancy.use(north.practice_side):
        grant = grant_of(case)
        spec = spec_of(grant.offer, grant)
        assert found_as_agreed(grant)
        agreed = template_agreed(grant.offer).text
    assert spec.external_id == new
    assert "cloudtrail:LookupEvents" in json.dumps(spec.statements)
    assert case.verifications()[-1].findings["offer_sha256"] == case.offer().offer_sha256
    enter(case)
    with tenancy.use(north.client_side):
        text, link = template_text(case.offer()), str(quick_create_url(case.fresh()))
    assert (text, keys_in(text)) == (with_lock(agreed, spec), new)
    assert without_lock(text) == without_lock(agreed)
    assert newest(case).alone_version_id in link


# ---------------------------------------------------------------- a change of the access


def test_a_change_that_is_asked_after_an_exchange_has_the_lock_in_force(
    north: Firm, memory: InMemory
) -> None:
    case = ready(north, memory)
    new = exchanged(case, memory)
    offer = changed(case, memory)
    assert (keys_in(offer.template), case.grant().external_id_in_force) == (new, new)
    check(case)
    assert health(case) is GrantStatus.VERIFIED
    assert case.verifications()[-1].findings["offer_sha256"] == offer.offer_sha256
    enter(case)
    with tenancy.use(north.client_side):
        assert template_text(offer) == offer.template
        assert f"versionId={offer.template_version_id}" in template_address(offer)
        assert "/access.json" in template_address(offer)
    with tenancy.use(north.practice_side):
        grant = grant_of(case)
        assert target_of(grant).external_id == new
        assert offer.template_version_id in (removal_command(grant) or "")


def test_until_a_change_is_in_the_stack_the_old_offer_keeps_its_new_lock(
    north: Firm, memory: InMemory
) -> None:
    case = ready(north, memory)
    new = exchanged(case, memory)
    offer = ask_change(case)
    answer(case, offer)
    with case.seen():
        offer_publish(offer_id=offer.pk)
    check(case)
    assert (health(case), change_of(case).status) == (GrantStatus.VERIFIED, ChangeStatus.AGREED)
    with tenancy.use(north.client_side):
        held = offer_current(case.engagement)
        assert "-alone.json" in template_address(held)
        assert "/access.json" in template_address(change_of(case).offer)
        assert keys_in(template_text(held)) == keys_in(template_text(offer)) == new


def test_many_checked_at_once_see_the_change_and_the_lock_together(north: Firm, memory: InMemory) -> None:
    case = ready(north, memory)
    exchanged(case, memory)
    offer = ask_change(case)
    answer(case, offer)
    update_stack(case, memory, offer)
    swept(case)
    assert (health(case), change_of(case).status) == (GrantStatus.VERIFIED, ChangeStatus.IN_FORCE)


def test_an_exchange_after_a_change_is_of_what_holds_by_then(north: Firm, memory: InMemory) -> None:
    case = ready(north, memory)
    first = exchanged(case, memory)
    offer = changed(case, memory)
    settle(case)
    begin(case)
    published(case)
    rotation = newest(case)
    with case.seen():
        made = lock_template(rotation, "both")
        assert "/access.json" in template_address(offer)  # still its own, until the turn
    assert keys_in(made) == [rotation.new_external_id, first]
    assert without_lock(made) == without_lock(offer.template)
    act(memory, case)
    assert proved(case) is RotationStatus.DROPPING
    with tenancy.use(north.client_side):
        open_one = rotation_of(case.grant())
        assert open_one is not None
        update = rotation_update(open_one)
        assert update is not None
        assert f"versionId={open_one.alone_version_id}" in update.template
    act(memory, case)
    assert proved(case) is RotationStatus.DONE
    check(case)
    assert case.verifications()[-1].findings["offer_sha256"] == offer.offer_sha256
    enter(case)


def test_no_exchange_begins_while_a_change_is_open(north: Firm, memory: InMemory) -> None:
    case = ready(north, memory)
    offer = ask_change(case)
    with pytest.raises(InvalidMove, match="A change of the access is waiting"):
        begin(case)
    answer(case, offer)
    with pytest.raises(InvalidMove, match="A change of the access is waiting"):
        begin(case)
    with tenancy.use(north.practice_side):
        change_take_back(engagement=case.fresh(), actor=acting(north.owner))
    begin(case)
    assert newest(case).status == RotationStatus.ADDING


def test_no_change_is_asked_while_a_key_is_exchanged(north: Firm, memory: InMemory) -> None:
    case = ready(north, memory)
    begin(case)
    with pytest.raises(InvalidMove, match="key is being exchanged"):
        ask_change(case)
    cancel(case)
    assert ask_change(case).number == 2


# ---------------------------------------------------------------- ending open visits


def test_no_exchange_begins_while_open_visits_are_ended(north: Firm, memory: InMemory) -> None:
    case = ready(north, memory)
    enter(case)
    ask_end(case)
    with pytest.raises(InvalidMove, match="ending open visits"):
        begin(case)
    with tenancy.use(north.practice_side):
        denial_publish(grant_id=case.grant().pk)
        OutboxMessage.objects.filter(kind=DENIAL).update(state=OutboxState.SENT)
    with pytest.raises(InvalidMove, match="ending open visits"):
        begin(case)
    with tenancy.use(north.practice_side):
        assert is_denial_awaited(grant_of(case), now=clock.now())
    with clock.frozen(clock.now() + dt.timedelta(hours=13)):
        begin(case)
    assert newest(case).status == RotationStatus.ADDING


def test_a_denial_for_which_nobody_was_inside_keeps_no_exchange_away(north: Firm, memory: InMemory) -> None:
    case = ready(north, memory)
    ask_end(case)
    with tenancy.use(north.practice_side):
        denial_publish(grant_id=case.grant().pk)
        OutboxMessage.objects.filter(kind=DENIAL).update(state=OutboxState.DEAD)
    begin(case)
    assert newest(case).status == RotationStatus.ADDING


def test_a_denial_keeps_the_lock_in_force_and_what_was_ticked(north: Firm, memory: InMemory) -> None:
    case = chosen(north, memory, "history")
    new = exchanged(case, memory)
    enter(case)
    ask_end(case)
    with tenancy.use(north.practice_side):
        denial_publish(grant_id=case.grant().pk)
        made = json.loads(denial_template(grant_of(case)))
        agreed = json.loads(template_text(standing_of(grant_of(case)).held))
        assert newest(case).alone_version_id in (removal_command(grant_of(case)) or "")
    role = made["Resources"]["AccessRole"]["Properties"]
    assert keys_in(json.dumps(made)) == new
    assert role["Policies"].pop()["PolicyName"] == "AWSRevokeOlderSessions"
    assert made == agreed


def test_the_next_step_waits_for_the_end_of_open_visits_and_the_denial_follows_the_lock(
    north: Firm, memory: InMemory
) -> None:
    case = ready(north, memory)
    enter(case)
    begin(case)
    published(case)
    act(memory, case)
    ask_end(case)
    with tenancy.use(north.practice_side):
        denial_publish(grant_id=case.grant().pk)
        assert keys_in(denial_template(grant_of(case))) == newest(case).old_external_id
        open_one = rotation_of(case.grant())
        assert open_one is not None
        assert rotation_update(open_one) is None
    assert proved(case) is RotationStatus.DROPPING
    with tenancy.use(north.practice_side):
        assert (denial_command(grant_of(case)), case.promised(DENIAL)) == (None, 2)
        denial_publish(grant_id=case.grant().pk)
        assert keys_in(denial_template(grant_of(case))) == newest(case).new_external_id
        assert denial_command(grant_of(case)) is not None


def test_a_denial_that_was_on_its_way_when_the_lock_turned_is_not_offered(
    north: Firm, memory: InMemory
) -> None:
    case = ready(north, memory)
    ask_end(case)

    def turn() -> None:
        Grant.objects.update(lock_changed_at=clock.now())

    memory.door.before("upload_template", turn)
    with tenancy.use(north.practice_side):
        denial_publish(grant_id=case.grant().pk)
        assert grant_of(case).deny_version_id == ""


def test_rows_of_an_exchange_are_one_by_one(north: Firm, memory: InMemory) -> None:
    case = ready(north, memory)
    begin(case)
    with pytest.raises(InvalidMove):
        begin(case)
    with tenancy.use(north.practice_side):
        assert Rotation.objects.count() == 1
