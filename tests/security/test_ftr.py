"""AWS's checks of partners who enter their customers' accounts: CAA-001 to CAA-007, one test each at least."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django import forms
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.db import DatabaseError, IntegrityError, transaction

import accounts.forms
import portal.urls  # noqa: F401  # imported so that every form is known
from awsaccess.aws.errors import AwsDenied
from awsaccess.aws.gateway import AssumeRequest
from awsaccess.models import Grant
from awsaccess.services.checks import target_of
from engagements.models import Engagement
from engagements.profiles import PROFILES, AccessProfile
from portal.kernel import tenancy
from tests.awsaccess.services.cast import Case, drafted, enter, make_practice, send, sent, verified
from tests.awsaccess.services.worlds import InMemory, World
from tests.awsaccess.test_access_stack import lint
from tests.factories import Firm
from tests.pages import stage

Json = Any  # Any: IAM's documents nest as they like
KEYS_OF_OTHERS = re.compile(r"secret|access_?key|password|passwd|session_?token|private_?key", re.IGNORECASE)
# The one that names a key: which session a visit had, as CloudTrail shows it. Nothing opens with it.
# The others are of practices' own services: their shops' and their sign-in's, never an AWS key, and sealed.
KNOWN = {
    "Visit.access_key_id",
    "User.password",
    "Shop.secret",
    "Shop.secret_set_at",
    "SignInService.client_secret",
    "SignInServiceForm.client_secret",
    "StripeSecretForm.secret",
}


@pytest.fixture
def north(db: None) -> Firm:
    return make_practice("northgate")


@pytest.fixture
def harbour(db: None) -> Firm:
    return make_practice("harbour")


@pytest.fixture(params=["memory", "simulated"])
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.getfixturevalue(request.param)
    return found


def template_of(case: Case) -> Json:
    return json.loads(case.offer().template)


# CAA-001: cross-account roles.


def test_caa_001_access_is_one_cross_account_role_and_nothing_else(north: Firm, world: World) -> None:
    case = verified(north, world)
    (resource,) = template_of(case)["Resources"].values()
    assert resource["Type"] == "AWS::IAM::Role"
    trusted = resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert {statement["Principal"]["AWS"] for statement in trusted} == {"arn:aws:iam::111111111111:root"}
    assert case.account_id != "111111111111"
    enter(case)
    assert case.visit().access_key_id.startswith(
        "ASIA"
    )  # temporary, from AssumeRole; a user's begins with AKIA


# CAA-002: an external ID.


def test_caa_002_without_the_external_id_the_role_stays_shut(north: Firm, world: World) -> None:
    case = verified(north, world)
    with tenancy.use(north.practice_side):
        target = target_of(Grant.objects.select_related("offer__practice", "engagement").get())
    for external_id in (None, "00000000-0000-4000-8000-000000000000", target.external_id.upper() + "x"):
        request = AssumeRequest(
            role_arn=target.role_arn,
            external_id=external_id,
            role_session_name="probe",
            duration_seconds=900,
            source_identity=target.names.source_identity,  # so that nothing but the ID is wrong
            tags=target.names.tags,
        )
        with pytest.raises(AwsDenied):
            world.door.assume(target.hub, request)
    assert case.grant().checks["lock"] == "ok"


def test_caa_002_each_entry_sends_the_external_id_of_its_own_row(north: Firm, memory: InMemory) -> None:
    first, second = verified(north, memory), verified(north, memory)
    for case in (first, second):
        enter(case)
    assert [(one.role_arn, one.external_id) for one in memory.visits_asked()] == [
        (case.grant().role_arn, case.grant().external_id) for case in (first, second)
    ]


# CAA-003: no credentials of the customer's.


def fields() -> Iterator[str]:
    """Every field of a form that people fill in, and every column that anything is kept in."""
    waiting = list(forms.Form.__subclasses__())
    while waiting:
        form = waiting.pop()
        waiting.extend(form.__subclasses__())
        if form.__module__.startswith(("portal.", "accounts.", "engagements.", "awsaccess.")):
            yield from (f"{form.__name__}.{name}" for name in form.base_fields)
    for model in apps.get_models():
        yield from (f"{model.__name__}.{field.name}" for field in model._meta.get_fields())


def test_caa_003_there_is_no_place_for_a_clients_keys() -> None:
    known = set(fields())
    assert {"AgreeForm.agree", "DraftForm.purpose", "Grant.external_id", "HubForm.role_arn"} <= known
    assert {name for name in known if KEYS_OF_OTHERS.search(name)} == KNOWN


@pytest.mark.django_db
def test_caa_003_keys_that_somebody_sends_all_the_same_are_kept_nowhere(
    sql_as: Any,
) -> None:  # Any: a fixture
    scene = stage.invited()
    browser = scene.browser()
    page = browser.get(scene.path()).content.decode()
    shown = re.search(r'name="shown" value="([^"]*)"', page)
    assert shown is not None
    sent_along = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG"}
    answer = browser.post(scene.path("agree/"), {"shown": shown[1], "agree": "on", **sent_along})
    assert answer.status_code == 302
    with tenancy.use(scene.scope):
        for model in apps.get_models():
            if model is LogEntry:
                continue  # closed to every role: nothing can be kept there
            kept = str(list(model._default_manager.values()))
            assert not [word for word in sent_along.values() if word in kept], model


def test_caa_003_nobody_has_a_password_here() -> None:
    assert not [name for name in fields() if name.endswith(("Form.password", "Form.password1"))]
    assert set(accounts.forms.CodeForm.base_fields) == {"code"}


# CAA-004 and CAA-005: ours, and one for each.


def test_caa_004_the_external_id_is_a_random_uuid_of_ours(north: Firm) -> None:
    made = [sent(north).grant().external_id for _ in range(20)]
    assert len(set(made)) == 20
    for external_id in made:
        assert str(UUID(external_id)) == external_id
        assert UUID(external_id).version == 4


def test_caa_005_no_two_clients_share_one_not_even_of_two_practices(north: Firm, harbour: Firm) -> None:
    ours, theirs = sent(north), sent(harbour)
    assert ours.grant().external_id != theirs.grant().external_id
    another, taken = sent(harbour), ours.grant().external_id
    fresh = Grant(**{field.attname: getattr(another.grant(), field.attname) for field in Grant._meta.fields})
    with tenancy.use(harbour.practice_side):
        fresh.pk = UUID(int=1)
        fresh.external_id = taken
        with pytest.raises(IntegrityError, match="external_id"), transaction.atomic():
            fresh.save(force_insert=True)


# CAA-006: the client reads it and cannot set it.


@pytest.mark.django_db
def test_caa_006_the_client_reads_it_and_no_form_changes_it() -> None:
    scene = stage.invited()
    browser = scene.browser()
    with tenancy.use(scene.scope):
        before = Grant.objects.get().external_id
    assert before in browser.get(scene.path("template/")).content.decode()
    page = browser.get(scene.path()).content.decode()
    shown = re.search(r'name="shown" value="([^"]*)"', page)
    assert shown is not None
    chosen = {"external_id": "mine", "externalId": "mine", "grant-external_id": "mine", "role_arn": "mine"}
    for name in ("agree/", "check/", "pause/", "resume/", "end/", "deleted/"):
        browser.post(scene.path(name), {"shown": shown[1], "agree": "on", "reason": "", **chosen})
    assert browser.post(scene.path("template/"), chosen).status_code == 405
    with tenancy.use(scene.scope):
        assert Grant.objects.get().external_id == before


@pytest.mark.parametrize("side", ["client_side", "practice_side"])
def test_caa_006_the_database_lets_nobody_change_it(north: Firm, side: str) -> None:
    case = sent(north)
    before = case.grant().external_id
    with tenancy.use(getattr(north, side)):
        try:
            with transaction.atomic():
                changed = Grant.objects.update(external_id="mine")
        except DatabaseError:
            changed = 0
    assert changed == 0
    assert case.grant().external_id == before


# CAA-007: set up by a template, with no more than is needed.


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES.keys())
def test_caa_007_the_template_allows_what_the_client_read_and_nothing_more(
    north: Firm, profile: AccessProfile
) -> None:
    case = drafted(north)
    with tenancy.use(north.practice_side):
        Engagement.objects.update(profile=profile.code)
    text = send(case).template
    (role,) = json.loads(text)["Resources"].values()
    (policy,) = role["Properties"]["Policies"]
    allowed = [one for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == "Allow"]
    asked = {action for line in profile.lines for action in line.actions}
    by_aws = list(profile.managed_policies)
    written = {action for one in allowed if one["Sid"] != "ReadSelf" for action in one["Action"]}
    assert written == (set() if by_aws else asked)  # full access is AWS's own policy, named in the words
    named = [one["Fn::Join"][1][-1] for one in role["Properties"].get("ManagedPolicyArns", [])]
    assert named == [arn.removeprefix("arn:aws") for arn in by_aws]  # of whichever partition
    assert lint(text) == []
    for line in profile.lines:
        assert line.why
        # Full access is asked for by its own name, with a warning, and never by the way.
        is_full = bool(line.managed_policies) and bool(profile.warnings)
        assert is_full or not [action for action in line.actions if action.endswith(":*") or action == "*"]


@pytest.mark.django_db
def test_caa_007_the_client_is_led_through_it_step_by_step() -> None:
    scene = stage.agreed()
    page = scene.browser().get(scene.path("connect/")).content.decode()
    assert "/cloudformation/home?region=eu-west-1#/stacks/create/review?templateURL=" in page
    assert page.count("<li><h3>") == 3
    assert 'connect.sh"' in page
