"""Entering by the command line, and entering with less than was agreed: kept by AWS, shown once, kept nowhere."""

from __future__ import annotations

import configparser
import datetime as dt
import json
import logging
import subprocess
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from botocore.exceptions import ClientError
from django.db import connection

from awsaccess.aws.errors import AwsDenied
from awsaccess.aws.gateway import CallerIdentity, SessionCredentials
from awsaccess.lifecycle import AccessEvent, VisitKind, VisitStatus
from awsaccess.policy.narrowing import Narrowing
from awsaccess.provision.cli_keys import forms_of
from awsaccess.services.visits import LONGEST, Keys, VisitRefused, visit_keys
from engagements.lifecycle import DoorbellStatus
from engagements.models import Doorbell
from engagements.services.doorbells import NoDoorbell
from portal.kernel import tenancy
from tests.awsaccess.services.cast import REASON, Case, enter, verified
from tests.awsaccess.services.test_doorbells import with_a_doorbell
from tests.awsaccess.services.worlds import InMemory, Simulated, World
from tests.factories import Firm, acting

NASTY: Final = "a'b\"c$(touch x)`d`\\ e+/="


def keys_for(case: Case, **over: Any) -> Keys:  # Any: what else `visit_keys` takes
    owner = case.firm.owner
    with tenancy.use(case.firm.practice_side):
        return visit_keys(
            engagement=case.fresh(), consultant=owner, reason=REASON, actor=acting(owner), **over
        )


def client_with(keys: Keys, simulated: Simulated, service: str) -> Any:  # Any: an overload per service
    make: Any = boto3.Session().client
    return make(
        service,
        region_name=keys.region,
        endpoint_url=simulated.sandbox.base_url,
        aws_access_key_id=keys.credentials.access_key_id,
        aws_secret_access_key=keys.credentials.secret_access_key,
        aws_session_token=keys.credentials.session_token,
    )


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_keys_in_an_emergency_are_told_at_once_and_only_where_that_was_agreed(
    north: Firm, world: World
) -> None:
    case = with_a_doorbell(north, world, break_glass=True)
    keys = keys_for(case, is_emergency=True)
    visit = case.visit()
    assert (visit.kind, visit.access_key_id) == (VisitKind.CLI, keys.credentials.access_key_id)
    with tenancy.use(north.practice_side):
        (forced,) = Doorbell.objects.all()
    assert (forced.status, forced.kind, forced.pk) == (
        DoorbellStatus.FORCED,
        VisitKind.CLI,
        visit.doorbell_id,
    )
    assert case.promised("engagements.came_in") == 1
    asked = with_a_doorbell(north, world)
    with pytest.raises(NoDoorbell):
        keys_for(asked, is_emergency=True)
    assert asked.visits() == []


def test_keys_are_a_visit_of_their_own_kind(north: Firm, world: World) -> None:
    case = verified(north, world)
    keys = keys_for(case)
    visit = case.visit()
    assert (visit.kind, visit.status) == (VisitKind.CLI, VisitStatus.ISSUED)
    assert visit.access_key_id == keys.credentials.access_key_id
    assert visit.ends_at == keys.ends_at <= visit.worst_case_until
    assert (keys.account_id, keys.region) == (case.account_id, "eu-west-1")
    told = dict(case.told())[AccessEvent.VISIT_INTENDED]
    assert told["kind"] == "cli"


def test_no_sign_in_token_is_made_for_a_command_line(north: Firm, memory: InMemory) -> None:
    keys_for(verified(north, memory))
    assert memory.fake.signins == {}


def test_the_keys_are_good_for_what_was_agreed(north: Firm, simulated: Simulated) -> None:
    keys = keys_for(verified(north, simulated))
    inside = client_with(keys, simulated, "sts").get_caller_identity()
    assert inside["Account"] == keys.account_id
    assert client_with(keys, simulated, "ec2").describe_instances()["Reservations"] == []


def test_the_role_behind_the_keys_is_looked_at_first(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    elsewhere = CallerIdentity(
        account_id="222222222222", arn="arn:aws:sts::222222222222:assumed-role/other/x-y", user_id="AROA:x"
    )
    memory.fake.caller_identity = lambda *_: elsewhere  # type: ignore[method-assign]  # AWS answers from elsewhere
    with pytest.raises(VisitRefused):
        keys_for(case)
    assert case.visit().status == VisitStatus.REFUSED


def test_a_refusal_gives_no_keys(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    memory.door.fail("assume", AwsDenied())
    with pytest.raises(VisitRefused):
        keys_for(case)
    assert case.visit().status == VisitStatus.REFUSED


def test_keys_are_printed_and_logged_nowhere(
    north: Firm, memory: InMemory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    keys = keys_for(verified(north, memory))
    secrets = (keys.credentials.secret_access_key, keys.credentials.session_token)
    forms = forms_of(keys.credentials, region=keys.region, profile="x")
    assert not any(secret in text for secret in secrets for text in (repr(keys), repr(forms), caplog.text))


@pytest.mark.usefixtures("north")
def test_no_column_holds_what_was_handed_out(north: Firm, memory: InMemory) -> None:
    keys = keys_for(verified(north, memory))
    with tenancy.use(north.practice_side), connection.cursor() as cursor:
        cursor.execute(
            "select v::text from awsaccess_visit v union all select b::text from kernel_auditbody b "
            "union all select o::text from kernel_outboxmessage o"
        )
        text = str(cursor.fetchall())
    assert keys.credentials.access_key_id in text
    assert keys.credentials.secret_access_key not in text
    assert keys.credentials.session_token not in text


# Taking less than was agreed.


@pytest.mark.parametrize(
    "narrowing",
    [
        Narrowing(read_only=True),
        Narrowing(read_only=True, region="eu-west-1", no_contents=True),
        Narrowing(region="eu-west-1", address="127.0.0.1"),
    ],
    ids=str,
)
def test_a_narrowed_visit_still_looks(north: Firm, simulated: Simulated, narrowing: Narrowing) -> None:
    keys = keys_for(verified(north, simulated), narrowing=narrowing)
    assert client_with(keys, simulated, "ec2").describe_instances()["Reservations"] == []


@pytest.mark.parametrize(
    "narrowing", [Narrowing(region="us-west-2"), Narrowing(address="203.0.113.9")], ids=str
)
def test_aws_keeps_a_visit_to_its_region_and_address(
    north: Firm, simulated: Simulated, narrowing: Narrowing
) -> None:
    keys = keys_for(verified(north, simulated), narrowing=narrowing)
    with pytest.raises(ClientError) as caught:
        client_with(keys, simulated, "ec2").describe_instances()
    assert code_of(caught) == "UnauthorizedOperation"


def test_what_the_role_may_not_no_narrowing_opens(north: Firm, simulated: Simulated) -> None:
    """ReadOnlyAccess reads logs and files, and the agreed role does not."""
    keys = keys_for(verified(north, simulated), narrowing=Narrowing(read_only=True))
    with pytest.raises(ClientError) as caught:
        client_with(keys, simulated, "dynamodb").list_backups()
    assert code_of(caught) == "AccessDeniedException"


def test_a_narrowing_is_written_down_and_cannot_be_changed(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    enter(case, narrowing=Narrowing(read_only=True, address="203.0.113.9"))
    assert case.visit().narrowing == {"read_only": True, "one_address": True}
    assert [asked.policy_arns for asked in memory.visits_asked()] == [
        ("arn:aws:iam::aws:policy/ReadOnlyAccess",)
    ]


def test_an_address_that_is_none_opens_nothing(north: Firm, memory: InMemory) -> None:
    case = verified(north, memory)
    with pytest.raises(VisitRefused, match="address could not be read"):
        enter(case, narrowing=Narrowing(address="unknown"))
    assert case.visits() == []


# The forms in which they are shown.


def nasty() -> SessionCredentials:
    return SessionCredentials(
        access_key_id="ASIAEXAMPLE",
        secret_access_key=NASTY,
        session_token=f"{NASTY}\u00e9",
        expires_at=dt.datetime(2026, 11, 21, 15, 0, tzinfo=dt.UTC),
        assumed_role_id="AROA:x",
        session_arn="arn:aws:sts::441709265583:assumed-role/r/x-y",
    )


def test_the_shell_reads_back_what_was_given(tmp_path: Path) -> None:
    forms = forms_of(nasty(), region="eu-west-1", profile="p")
    script = f'{forms.env}\nprintf "%s|%s" "$AWS_SECRET_ACCESS_KEY" "$AWS_SESSION_TOKEN"'
    told = subprocess.run(["bash", "-c", script], capture_output=True, check=True, cwd=tmp_path)
    assert told.stdout.decode() == f"{NASTY}|{NASTY}\u00e9"
    assert list(tmp_path.iterdir()) == []


def test_the_commands_say_the_same_under_one_name(tmp_path: Path) -> None:
    """Run with a stand-in for `aws` that prints what it was asked."""
    forms = forms_of(nasty(), region="eu-west-1", profile="latchkey x")
    script = f'aws() {{ printf \'%s = %s | %s\\n\' "$3" "$4" "$6"; }}\n{forms.configure}'
    told = subprocess.run(["bash", "-c", script], capture_output=True, check=True, cwd=tmp_path)
    parser = configparser.RawConfigParser()
    parser.read_string("[p]\n" + told.stdout.decode())
    assert parser["p"]["aws_secret_access_key"] == f"{NASTY} | latchkey x"
    assert parser["p"]["region"] == "eu-west-1 | latchkey x"
    assert len(parser["p"]) == 4


def test_a_credential_process_prints_json_with_the_end(north: Firm) -> None:
    said = json.loads(forms_of(nasty(), region="eu-west-1", profile="p").process)
    assert said == {
        "Version": 1,
        "AccessKeyId": "ASIAEXAMPLE",
        "SecretAccessKey": NASTY,
        "SessionToken": f"{NASTY}\u00e9",
        "Expiration": "2026-11-21T15:00:00Z",
    }


def test_keys_last_no_longer_than_a_role_chain_may(north: Firm, memory: InMemory) -> None:
    keys_for(verified(north, memory), longest=dt.timedelta(hours=12))
    (asked,) = memory.visits_asked()
    assert asked.duration_seconds == LONGEST.total_seconds()
