"""A role that opens only for sessions that name somebody (ADR 17), and roles of before, which go on as they were agreed."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from awsaccess import asking
from awsaccess.asking import spec_of
from awsaccess.aws.gateway import AssumeRequest
from awsaccess.lifecycle import GrantStatus, Verdict
from awsaccess.models import Hub
from awsaccess.provision.access_stack import render_template
from awsaccess.provision.hub_stack import render_main
from awsaccess.provision.naming import LOOK, Names
from awsaccess.services.checks import found_as_agreed
from awsaccess.services.leaving import closing_probe
from awsaccess.services.rotating import lock_template, rotation_begin
from awsaccess.services.visits import VisitRefused
from portal.kernel import tenancy
from tests.awsaccess.services.cast import (
    Case,
    begin_closing,
    check,
    closing,
    end_by_client,
    enter,
    publish,
    sent,
    settle,
    verified,
)
from tests.awsaccess.services.test_changing import answer, ask, change_of, held, update_stack
from tests.awsaccess.services.worlds import InMemory, World
from tests.factories import Firm, acting

Json = Any  # Any: IAM's JSON nests as it likes


def trust_in(template: str) -> Json:
    return json.loads(template)["Resources"]["AccessRole"]["Properties"]["AssumeRolePolicyDocument"]


def wanted_names(template: str) -> Json:
    condition = trust_in(template)["Statement"][0]["Condition"]
    return condition.get("StringLike"), condition["StringEquals"].get("aws:RequestTag/latchkey:engagement")


def all_names(case: Case) -> Json:
    said = ("sts:SourceIdentity", "aws:RequestTag/latchkey:practice", "aws:RequestTag/latchkey:visit")
    return dict.fromkeys(said, "?*"), case.engagement.code


def requests(memory: InMemory, method: str = "assume") -> list[AssumeRequest]:
    return [call.request for call in memory.fake.calls if call.method == method and call.request]


@pytest.fixture
def before_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offers are frozen as they were by format 2."""
    whole = asking.hub_part

    def hub_part(hub: Hub) -> asking.Documents:
        return {name: value for name, value in whole(hub).items() if name != asking.NAMES_REQUIRED}

    monkeypatch.setattr(asking, "FORMAT", 2)
    monkeypatch.setattr(asking, "hub_part", hub_part)


def test_the_template_wants_names_and_the_documents_say_so(north: Firm) -> None:
    case = sent(north)
    offer = case.offer()
    assert (offer.documents["format"], offer.documents["names_required"]) == (3, True)
    assert wanted_names(offer.template) == all_names(case)
    (companions,) = trust_in(offer.template)["Statement"][1:]
    assert companions["Action"] == ["sts:SetSourceIdentity", "sts:TagSession"]


def test_what_it_adds_to_the_lock_leaves_room(north: Firm) -> None:
    """AWS counts 2,048 characters, white space apart (AWS_FACTS §1)."""
    trust = trust_in(sent(north).offer().template)
    assert len("".join(json.dumps(trust, separators=(",", ":")).split())) < 1300


def test_every_look_and_every_visit_names_somebody(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    code = case.engagement.code
    nameless = [each for each in requests(memory) if not each.is_named]
    assert [(each.external_id, each.tags) for each in nameless] == [(case.grant().external_id, ())]
    look = Names(person=LOOK, practice_code="northgate", engagement_code=code, visit=LOOK)
    others = [each for each in (*requests(memory), *requests(memory, "assume_as_another")) if each.is_named]
    assert {(each.source_identity, each.tags) for each in others} == {(LOOK, look.tags)}
    enter(case)
    visit = requests(memory)[-1]
    assert visit.source_identity == north.owner.email
    assert visit.tags == (
        ("latchkey:practice", "northgate"),
        ("latchkey:engagement", code),
        ("latchkey:visit", str(case.visit().pk)),
    )
    assert visit.role_session_name.startswith(north.owner.email)


def test_a_visit_comes_in_only_with_its_names(north: Firm, world: World) -> None:
    case = verified(north, world)
    enter(case)
    assert case.visit().status == "issued"

    def of_another(document: Json) -> None:
        document["Statement"][0]["Condition"]["StringEquals"]["aws:RequestTag/latchkey:engagement"] = (
            "another00"
        )

    world.change_trust(case, of_another)
    with pytest.raises(VisitRefused):
        enter(case)


def drop_names(document: Json) -> None:
    condition = document["Statement"][0]["Condition"]
    del condition["StringLike"]
    del condition["StringEquals"]["aws:RequestTag/latchkey:engagement"]


def drop_all_names(document: Json) -> None:
    drop_names(document)
    del document["Statement"][1:]


@pytest.mark.parametrize("change", [drop_names, drop_all_names])
def test_a_client_who_takes_the_names_out_of_the_lock_is_told_that_it_is_unsafe(
    north: Firm, world: World, change: Any
) -> None:
    case = verified(north, world)
    world.change_trust(case, change)
    check(case)
    row = case.verifications()[-1]
    assert (row.verdict, case.grant().status) == (Verdict.UNSAFE, GrantStatus.UNSAFE)
    assert set(row.findings["differences"]) == {"trust"}
    assert "sts:sourceidentity" in str(row.findings["in_words"])
    with pytest.raises(VisitRefused):
        enter(case)
    world.remove(case)


# ---------------------------------------------------------------- of before


def test_what_was_agreed_before_stays_as_it_was_and_is_verified(
    north: Firm, memory: InMemory, before_names: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = sent(north)
    monkeypatch.undo()
    offer = case.offer()
    assert (offer.documents["format"], "names_required" in offer.documents) == (2, False)
    assert wanted_names(offer.template) == (None, None)
    assert render_template(spec_of(offer, case.grant())) == offer.template


def old_and_verified(north: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch) -> Case:
    case = verified(north, memory)
    publish(case)
    settle(case)
    monkeypatch.undo()
    return case


def test_it_is_looked_at_as_it_always_was(
    north: Firm, memory: InMemory, before_names: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = old_and_verified(north, memory, monkeypatch)
    memory.fake.nameless.update(hub.control_role_arn for hub in memory.fake.hubs.values())
    memory.fake.calls.clear()
    check(case)
    row = case.verifications()[-1]
    assert (row.verdict, "without_names" in row.findings) == (Verdict.OK, False)
    assert not any(each.is_named for each in requests(memory) + requests(memory, "assume_as_another"))
    enter(case)
    assert requests(memory)[-1].is_named


def test_a_change_of_it_keeps_its_lock(
    north: Firm, memory: InMemory, before_names: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = old_and_verified(north, memory, monkeypatch)
    offer = ask(case, more=dt.timedelta(days=30))
    assert (offer.documents["format"], offer.documents.get("names_required")) == (3, None)
    assert wanted_names(offer.template) == (None, None)
    answer(case, offer)
    update_stack(case, memory, offer)
    check(case)
    assert (change_of(case).status, held(case).pk) == ("in_force", offer.pk)
    with case.seen():
        assert found_as_agreed(case.grant())


def test_a_change_of_one_that_wants_names_keeps_them(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    offer = ask(case, more=dt.timedelta(days=30))
    assert wanted_names(offer.template) == all_names(case)


def test_an_exchange_of_the_key_keeps_them_too(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    publish(case)
    settle(case)
    with tenancy.use(north.practice_side):
        rotation = rotation_begin(grant=case.grant(), actor=acting(north.owner))
        templates = [lock_template(rotation, which) for which in ("both", "alone")]
    assert [wanted_names(template) for template in templates] == [all_names(case)] * 2


# ---------------------------------------------------------------- leaving


def test_the_end_is_not_proved_while_the_role_opens_without_names(north: Firm, memory: InMemory) -> None:
    """The client took the names out of the lock and ended: our named questions alone would be refused."""
    case = verified(north, memory)
    end_by_client(case)
    begin_closing(case)
    memory.change_trust(case, drop_all_names)
    with tenancy.use(north.practice_side):
        closing_probe(grant_id=case.grant().pk)
    assert case.proof().refusals == 0


def test_the_end_is_proved_with_names_and_without(north: Firm, memory: InMemory) -> None:
    case = closing(north, memory)
    memory.remove(case)
    memory.fake.calls.clear()
    with tenancy.use(north.practice_side):
        closing_probe(grant_id=case.grant().pk)
    assert case.proof().refusals == 1
    assert sorted(each.is_named for each in requests(memory)) == [False, False, True, True]


def test_the_hubs_own_template_lets_the_control_role_name_its_sessions() -> None:
    role = json.loads(render_main())["Resources"]["ControlRole"]["Properties"]
    wanted = ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]
    (policy,) = role["Policies"]
    for document in (role["AssumeRolePolicyDocument"], policy["PolicyDocument"]):
        assert document["Statement"][0]["Action"] == wanted


@pytest.mark.parametrize(
    ("person", "said"),
    [
        ("maya@northgate.example", "maya@northgate.example"),
        ("måya o'hara+x@northgate.example", "m-ya-o-hara+x@northgate.example"),
        ("aws:root@northgate.example", "aws-root@northgate.example"),
        ("m" * 80 + "@northgate.example", "m" * 64),
    ],
)
def test_whoever_it_is_aws_takes_the_name(person: str, said: str) -> None:
    names = Names(person=person, practice_code="northgate", engagement_code="7qk2m4xw9p", visit="1")
    assert names.source_identity == said
