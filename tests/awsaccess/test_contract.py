"""What every gateway to AWS must do: the same cases over the AWS in memory and, through boto3, over the simulated one."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol
from uuid import uuid4

import pytest

from awsaccess.aws import arns
from awsaccess.aws.errors import AwsDenied, AwsMisconfigured, AwsRejected, AwsTransient
from awsaccess.aws.fake import FakeAwsGateway
from awsaccess.aws.gateway import (
    AssumeRequest,
    AwsGateway,
    BotoGateway,
    HistoryAsk,
    HubIdentity,
    RoleFacts,
    SessionCredentials,
)
from awsaccess.policy.compare import differences, trust_opens_wider
from awsaccess.policy.narrowing import Narrowing, only, session_policy, session_policy_arns
from awsaccess.provision.access_stack import AccessGrantSpec, ExpectedRole, expected_role, role_arn_for
from tests.plugins.sandbox_process import BRIGHTWATER, HARBOUR, NORTHGATE, SandboxProcess

REGION: Final = "eu-west-1"
Json = Any  # Any: IAM's JSON nests as it likes


def hub_of(account_id: str, role_name: str = "latchkey-hub") -> HubIdentity:
    return HubIdentity(
        practice_code="northgate",
        account_id=account_id,
        role_arn=f"arn:aws:iam::{account_id}:role/{role_name}",
        region=REGION,
        template_bucket=f"latchkey-templates-{account_id}",
    )


HUB: Final = hub_of(NORTHGATE)


class World(Protocol):
    """An AWS with the hubs of two practices and Brightwater's account. Every case makes roles of its own."""

    def gateway(self, practice: str = NORTHGATE) -> AwsGateway: ...
    def make_role(self, arn: str, role: ExpectedRole) -> None: ...
    def remove_role(self, arn: str) -> None: ...
    def nameless_control(self, practice: str) -> AbstractContextManager[None]: ...


class InMemory:
    def __init__(self) -> None:
        self._fake = FakeAwsGateway(hub_of(NORTHGATE), hub_of(HARBOUR))

    def gateway(self, practice: str = NORTHGATE) -> AwsGateway:
        assert practice in {hub.account_id for hub in self._fake.hubs.values()}
        return self._fake

    def make_role(self, arn: str, role: ExpectedRole) -> None:
        self._fake.make_role(arn, role)

    def remove_role(self, arn: str) -> None:
        self._fake.remove_role(arn)

    @contextmanager
    def nameless_control(self, practice: str) -> Iterator[None]:
        self._fake.nameless.add(hub_of(practice).control_role_arn)
        yield


class Simulated:
    def __init__(self, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> None:
        self._sandbox, self._monkeypatch = sandbox, monkeypatch

    def gateway(self, practice: str = NORTHGATE) -> AwsGateway:
        keys = self._sandbox.accounts[practice].portal_keys
        self._monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key_id)
        self._monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret_access_key)
        return BotoGateway(
            self._sandbox.base_url,
            self._sandbox.base_url,
            total_max_attempts=1,
            sts_total_max_attempts=1,
        )

    def make_role(self, arn: str, role: ExpectedRole) -> None:
        iam, name = self._sandbox.iam(BRIGHTWATER), arns.RoleArn.parse(arn).name
        trust = json.dumps(role.trust_document)
        iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=trust,
            MaxSessionDuration=role.max_session_duration,
            Tags=[{"Key": key, "Value": value} for key, value in role.tags.items()],
        )
        for policy, document in role.inline_documents.items():
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))
        for managed in role.attached_policy_arns:
            iam.attach_role_policy(RoleName=name, PolicyArn=managed)

    def remove_role(self, arn: str) -> None:
        iam, name = self._sandbox.iam(BRIGHTWATER), arns.RoleArn.parse(arn).name
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=name, PolicyArn=attached["PolicyArn"])
        iam.delete_role(RoleName=name)

    @contextmanager
    def nameless_control(self, practice: str) -> Iterator[None]:
        iam, control = self._sandbox.iam(practice), {"RoleName": arns.CONTROL_ROLE, "PolicyName": "ask"}
        before = iam.get_role_policy(**control)["PolicyDocument"]
        asking: Json = copy.deepcopy(before)
        asking["Statement"][0]["Action"] = "sts:AssumeRole"
        iam.put_role_policy(**control, PolicyDocument=json.dumps(asking))
        yield
        iam.put_role_policy(**control, PolicyDocument=json.dumps(before))


@pytest.fixture(scope="module")
def simulated_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    folder = tmp_path_factory.mktemp("contract")
    with SandboxProcess(folder, portal_origin="http://127.0.0.1:8000") as sandbox:
        yield sandbox


@pytest.fixture(params=["memory", "simulated"])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    if request.param == "memory":
        return InMemory()
    return Simulated(request.getfixturevalue("simulated_aws"), monkeypatch)


def spec(**changes: Any) -> AccessGrantSpec:  # Any: fields of many types
    agreed = AccessGrantSpec(
        practice_name="Northgate Cloud",
        client_name="Brightwater Dental",
        engagement_code=uuid4().hex[:10],
        hub_account_id=NORTHGATE,
        hub_role_arn=HUB.role_arn,
        external_id=str(uuid4()),
        expires_at=dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=7),
        statements=({"Sid": "Look", "Effect": "Allow", "Action": ["s3:ListAllMyBuckets"], "Resource": "*"},),
        look_only=True,
    )
    return dataclasses.replace(agreed, **changes)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """A role that stands in Brightwater's account as it was agreed, but for what a case changed."""

    spec: AccessGrantSpec
    arn: str
    role: ExpectedRole

    def request(self, **changes: Any) -> AssumeRequest:  # Any: fields of many types
        right = AssumeRequest(
            role_arn=self.arn,
            external_id=self.spec.external_id,
            role_session_name="maya-7qk2m4",
            duration_seconds=900,
        )
        return dataclasses.replace(right, **changes)


def place(world: World, change: Callable[[ExpectedRole], ExpectedRole] | None = None, **over: Any) -> Agreed:
    """Any: fields of the spec."""
    asked = spec(**over)
    arn, role = role_arn_for(asked, BRIGHTWATER), expected_role(asked, BRIGHTWATER)
    world.make_role(arn, change(copy.deepcopy(role)) if change else role)
    return Agreed(spec=asked, arn=arn, role=role)


def enter(world: World, agreed: Agreed, **changes: Any) -> SessionCredentials:  # Any: fields of the request
    return world.gateway().assume(HUB, agreed.request(**changes))


def look(world: World, agreed: Agreed, credentials: SessionCredentials | None = None) -> RoleFacts:
    session = credentials or enter(world, agreed)
    return world.gateway().inspect_role(session, role_name=agreed.spec.role_name, region=REGION)


def first_condition(**condition: Json) -> Callable[[ExpectedRole], ExpectedRole]:
    """Replaces conditions of the trust policy's first statement; None takes one away."""

    def change(role: ExpectedRole) -> ExpectedRole:
        there = role.trust_document["Statement"][0]["Condition"]
        for operator, test in condition.items():
            there.pop(operator, None)
            if test is not None:
                there[operator] = test
        return role

    return change


def without(sid: str) -> Callable[[ExpectedRole], ExpectedRole]:
    """Takes a statement out of all documents."""

    def change(role: ExpectedRole) -> ExpectedRole:
        for document in (role.trust_document, *role.inline_documents.values()):
            document["Statement"] = [each for each in document["Statement"] if each.get("Sid") != sid]
        return role

    return change


def test_our_own_identity_is_the_hub_role(world: World) -> None:
    identity = world.gateway().own_identity(HUB)
    assert identity.account_id == NORTHGATE
    assert arns.assumed_role_parts(identity.arn) == (NORTHGATE, "latchkey-hub")
    assert identity.user_id


@pytest.mark.parametrize("hub", [hub_of(NORTHGATE, "latchkey-nobody"), hub_of(BRIGHTWATER)])
def test_a_hub_that_is_not_ours_is_our_own_fault(world: World, hub: HubIdentity) -> None:
    agreed, gateway = place(world), world.gateway()
    with pytest.raises(AwsMisconfigured):
        gateway.own_identity(hub)
    with pytest.raises(AwsMisconfigured):
        gateway.assume(hub, agreed.request())
    with pytest.raises(AwsMisconfigured):
        gateway.upload_template(hub, key="t.json", body=b"{}")


def test_the_agreed_role_opens_with_its_external_id(world: World) -> None:
    agreed, before = place(world), dt.datetime.now(dt.UTC)
    credentials = enter(world, agreed)
    assert arns.assumed_role_parts(credentials.session_arn) == (BRIGHTWATER, agreed.spec.role_name)
    assert credentials.session_arn.endswith("/maya-7qk2m4")
    assert credentials.role_id.startswith("AROA")
    assert credentials.assumed_role_id == f"{credentials.role_id}:maya-7qk2m4"
    left = credentials.expires_at - before
    assert dt.timedelta(seconds=890) < left < dt.timedelta(seconds=910)
    assert credentials.access_key_id.startswith("ASIA")


def test_a_session_knows_where_it_is(world: World) -> None:
    agreed = place(world)
    credentials = enter(world, agreed)
    identity = world.gateway().caller_identity(credentials, REGION)
    assert (identity.account_id, identity.arn) == (BRIGHTWATER, credentials.session_arn)
    assert identity.user_id == credentials.assumed_role_id


@pytest.mark.parametrize("external_id", [None, "another-" + "0" * 30])
def test_without_the_right_external_id_it_stays_shut(world: World, external_id: str | None) -> None:
    agreed = place(world)
    with pytest.raises(AwsDenied) as refused:
        enter(world, agreed, external_id=external_id)
    assert refused.value.code == "AccessDenied"


def test_an_absent_role_is_refused_like_a_shut_one(world: World) -> None:
    agreed = place(world)
    with pytest.raises(AwsDenied) as refused:
        enter(world, agreed, role_arn=agreed.arn + "x")
    assert refused.value.code == "AccessDenied"


def test_another_practice_cannot_come_in(world: World) -> None:
    agreed = place(world)
    with pytest.raises(AwsDenied):
        world.gateway(HARBOUR).assume(hub_of(HARBOUR), agreed.request())


def test_the_hub_enters_its_own_control_role(world: World) -> None:
    world.gateway().control(HUB)


@pytest.mark.parametrize("hub", [hub_of(NORTHGATE, "latchkey-nobody"), hub_of(BRIGHTWATER)])
def test_a_control_that_fails_is_our_own_fault(world: World, hub: HubIdentity) -> None:
    with pytest.raises(AwsMisconfigured):
        world.gateway().control(hub)
    with pytest.raises(AwsMisconfigured):
        world.gateway().assume_as_another(hub, place(world).request())


def test_another_role_of_the_same_practice_stays_outside(world: World) -> None:
    with pytest.raises(AwsDenied):
        world.gateway().assume_as_another(HUB, place(world).request())


def test_another_role_comes_in_where_the_trust_names_no_caller(world: World) -> None:
    agreed = place(world, first_condition(ArnEquals=None))
    world.gateway().assume_as_another(HUB, agreed.request())
    with pytest.raises(AwsDenied):
        world.gateway().assume_as_another(HUB, agreed.request(external_id=None))


def test_after_its_end_it_stays_shut(world: World) -> None:
    agreed = place(world, expires_at=dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5))
    with pytest.raises(AwsDenied):
        enter(world, agreed)


@pytest.mark.parametrize(
    "attribution",
    [{"source_identity": "maya@northgate.example"}, {"tags": (("latchkey:visit", "7qk2m4"),)}],
)
def test_the_second_statement_lets_the_human_be_named(world: World, attribution: dict[str, Any]) -> None:
    enter(world, place(world), **attribution)
    nameless = place(world, without("NameTheHuman"))
    enter(world, nameless)
    with pytest.raises(AwsDenied):
        enter(world, nameless, **attribution)


NAMED: Final[dict[str, Any]] = {
    "source_identity": "maya@northgate.example",
    "tags": (
        ("latchkey:practice", "northgate"),
        ("latchkey:engagement", "7qk2m4xw9p"),
        ("latchkey:visit", "5f0c"),
    ),
}
LESS: Final = {
    "nobody": {"source_identity": None},
    "no tags": {"tags": ()},
    "no visit": {"tags": NAMED["tags"][:2]},
    "no practice": {"tags": NAMED["tags"][1:]},
    "an empty practice": {"tags": (("latchkey:practice", ""), *NAMED["tags"][1:])},
    "another engagement": {
        "tags": (NAMED["tags"][0], ("latchkey:engagement", "another00"), NAMED["tags"][2])
    },
    "nothing": {"source_identity": None, "tags": ()},
}


@pytest.mark.parametrize("less", LESS.values(), ids=LESS)
def test_a_role_that_wants_names_opens_for_whoever_tells_them_all(world: World, less: dict[str, Any]) -> None:
    agreed = place(world, engagement_code="7qk2m4xw9p", names_required=True)
    try:
        facts = look(world, agreed, enter(world, agreed, **NAMED))
        assert differences(agreed.role, facts) == ()
        with pytest.raises(AwsDenied):
            enter(world, agreed, **NAMED | less)
    finally:
        world.remove_role(agreed.arn)


def test_the_control_role_may_name_its_sessions_and_stays_outside(world: World) -> None:
    def for_any_role(role: ExpectedRole) -> ExpectedRole:
        for statement in role.trust_document["Statement"]:
            del statement["Condition"]["ArnEquals"]
        return role

    code = "7qk2m4xw9p"
    shut = place(world, engagement_code=code, names_required=True)
    with pytest.raises(AwsDenied):
        world.gateway().assume_as_another(HUB, shut.request(**NAMED))
    world.remove_role(shut.arn)
    wide = place(world, for_any_role, engagement_code=code, names_required=True)
    world.gateway().assume_as_another(HUB, wide.request(**NAMED))
    world.remove_role(wide.arn)


def test_a_control_role_that_may_not_name_is_our_own_fault(world: World) -> None:
    hub, agreed = hub_of(HARBOUR), place(world)
    with world.nameless_control(HARBOUR):
        with pytest.raises(AwsMisconfigured, match="sts:SetSourceIdentity"):
            world.gateway(HARBOUR).assume_as_another(hub, agreed.request(**NAMED))
        with pytest.raises(AwsDenied):  # without names it asks, and is refused by the client
            world.gateway(HARBOUR).assume_as_another(hub, agreed.request())


def test_another_external_id_than_agreed_is_refused(world: World) -> None:
    agreed = place(world, first_condition(StringEquals={"sts:ExternalId": "of-somebody-else-" + "0" * 20}))
    with pytest.raises(AwsDenied):
        enter(world, agreed)


UNSAFE: Final = [
    (first_condition(StringEquals=None), None),
    (first_condition(StringEquals=None, StringLike={"sts:ExternalId": "*"}), "wrong" * 8),
    (first_condition(StringEquals=None, StringEqualsIfExists={"sts:ExternalId": "x" * 32}), None),
]


@pytest.mark.parametrize(("change", "external_id"), UNSAFE)
def test_an_unsafe_trust_opens_and_is_told(
    world: World, change: Callable[[ExpectedRole], ExpectedRole], external_id: str | None
) -> None:
    agreed = place(world, change)
    opened = enter(world, agreed, external_id=external_id)
    facts = look(world, agreed, opened)
    assert trust_opens_wider(agreed.role.trust_document, facts.trust_document) is True


def test_what_the_role_sees_of_itself_is_what_was_agreed(world: World) -> None:
    agreed = place(world, managed_policy_arns=("arn:aws:iam::aws:policy/job-function/ViewOnlyAccess",))
    credentials = enter(world, agreed)
    facts = look(world, agreed, credentials)
    assert differences(agreed.role, facts) == ()
    assert facts.role_id == credentials.role_id
    assert facts.attached_policy_arns == agreed.role.attached_policy_arns
    assert (facts.max_session_duration, facts.permissions_boundary) == (3600, None)


def test_what_a_client_added_is_seen(world: World) -> None:
    def widen(role: ExpectedRole) -> ExpectedRole:
        everything = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
        }
        return dataclasses.replace(
            role, inline_documents={**role.inline_documents, "more": everything}, max_session_duration=7200
        )

    agreed = place(world, widen)
    found = {(each.what, each.wider) for each in differences(agreed.role, look(world, agreed))}
    assert found == {("inline more", True), ("max_session_duration", True)}


def test_a_role_that_may_not_look_at_itself_is_refused(world: World) -> None:
    agreed = place(world, without("ReadSelf"))
    with pytest.raises(AwsDenied):
        look(world, agreed)


def test_a_role_may_look_at_no_other(world: World) -> None:
    first, second = place(world), place(world)
    with pytest.raises(AwsDenied):
        look(world, second, enter(world, first))


def test_the_end_in_the_permissions_ends_live_sessions(world: World) -> None:
    def ended(role: ExpectedRole) -> ExpectedRole:
        (document,) = role.inline_documents.values()
        (end,) = [each for each in document["Statement"] if each.get("Sid") == "SelfExpiry"]
        end["Condition"]["DateGreaterThan"]["aws:CurrentTime"] = "2020-01-01T00:00:00Z"
        return role

    agreed = place(world, ended)
    credentials = enter(world, agreed)
    with pytest.raises(AwsDenied):
        look(world, agreed, credentials)
    assert world.gateway().caller_identity(credentials, REGION).account_id == BRIGHTWATER


def test_a_session_policy_narrows_the_session(world: World) -> None:
    narrow = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
    }
    agreed = place(world)
    with pytest.raises(AwsDenied):
        look(world, agreed, enter(world, agreed, session_policy=json.dumps(narrow)))
    narrow["Statement"][0]["Action"] = "iam:*"  # type: ignore[index]  # JSON written by hand above
    assert look(world, agreed, enter(world, agreed, session_policy=json.dumps(narrow))).role_id


@pytest.mark.parametrize("wrong", [{"session_policy": "no json"}, {"duration_seconds": 3601}])
def test_what_aws_understands_and_will_not_do_has_a_reason(world: World, wrong: dict[str, Any]) -> None:
    agreed = place(world, max_session_seconds=43200)
    with pytest.raises(AwsRejected) as refused:
        enter(world, agreed, **wrong)
    assert refused.value.reason
    assert refused.value.code in {"MalformedPolicyDocument", "ValidationError"}


def test_a_role_made_anew_has_another_id(world: World) -> None:
    agreed = place(world)
    first = enter(world, agreed)
    world.remove_role(agreed.arn)
    with pytest.raises(AwsDenied):
        enter(world, agreed)
    world.make_role(agreed.arn, agreed.role)
    assert enter(world, agreed).role_id != first.role_id


def test_a_session_of_a_deleted_role_proves_nothing(world: World) -> None:
    agreed = place(world)
    credentials = enter(world, agreed)
    world.remove_role(agreed.arn)
    with pytest.raises(AwsTransient):
        world.gateway().caller_identity(credentials, REGION)
    with pytest.raises(AwsTransient):
        look(world, agreed, credentials)


FORGED: Final = SessionCredentials(
    access_key_id="ASIA" + "X" * 16,
    secret_access_key="planted-secret",
    session_token="planted-token",
    expires_at=dt.datetime(2030, 1, 1, tzinfo=dt.UTC),
    assumed_role_id="AROAX:maya",
    session_arn=f"arn:aws:sts::{BRIGHTWATER}:assumed-role/x/maya",
)


def test_forged_keys_say_nothing_about_a_client_and_open_nothing(world: World) -> None:
    gateway = world.gateway()
    with pytest.raises(AwsTransient):
        gateway.caller_identity(FORGED, REGION)
    with pytest.raises(AwsRejected) as refused:
        gateway.signin_token(FORGED, region=REGION, partition="aws")
    assert "planted" not in f"{refused.value!r} {refused.value}"


def test_a_session_gives_a_new_signin_token_each_time(world: World) -> None:
    credentials = enter(world, place(world))
    tokens = {world.gateway().signin_token(credentials, region=REGION, partition="aws") for _ in range(2)}
    assert len(tokens) == 2
    assert all(tokens)


def test_each_upload_is_a_version_of_its_own(world: World) -> None:
    gateway = world.gateway()
    versions = {gateway.upload_template(HUB, key="7qk2m4/access.json", body=b"{}") for _ in range(2)}
    assert len(versions) == 2
    assert all(version and version != "null" for version in versions)


def test_a_bucket_that_is_not_there_is_our_own_fault(world: World) -> None:
    hub = dataclasses.replace(HUB, template_bucket="latchkey-templates-nowhere")
    with pytest.raises(AwsMisconfigured):
        world.gateway().upload_template(hub, key="7qk2m4/access.json", body=b"{}")


# The account's own event history, and sessions that are given less than their role.

LOOKS_UP: Final = (
    {"Sid": "Look", "Effect": "Allow", "Action": ["cloudtrail:LookupEvents"], "Resource": "*"},
)


def asked_of(key: str, *, region: str = REGION) -> HistoryAsk:
    now = dt.datetime.now(dt.UTC)
    hour = dt.timedelta(hours=1)
    return HistoryAsk(region=region, access_key_id=key, since=now - hour, until=now + hour)


def test_a_key_that_did_nothing_has_an_empty_history(world: World) -> None:
    credentials = enter(
        world, place(world, statements=LOOKS_UP), session_policy=only("cloudtrail:LookupEvents")
    )
    page = world.gateway().lookup_events(credentials, asked_of("ASIANOBODY0000000000"))
    assert (page.events, page.next_token) == ((), "")


def test_who_may_not_look_at_the_history_is_refused(world: World) -> None:
    with pytest.raises(AwsDenied):
        world.gateway().lookup_events(enter(world, place(world)), asked_of("ASIANOBODY0000000000"))


def test_a_session_policy_takes_away_what_the_role_has(world: World) -> None:
    credentials = enter(world, place(world, statements=LOOKS_UP), session_policy=only("s3:ListAllMyBuckets"))
    with pytest.raises(AwsDenied):
        world.gateway().lookup_events(credentials, asked_of("ASIANOBODY0000000000"))


def test_a_session_policy_gives_nothing_that_the_role_has_not(world: World) -> None:
    credentials = enter(world, place(world), session_policy=only("cloudtrail:LookupEvents"))
    with pytest.raises(AwsDenied):
        world.gateway().lookup_events(credentials, asked_of("ASIANOBODY0000000000"))


def test_a_deny_beside_a_managed_session_policy_holds(world: World) -> None:
    denied = session_policy(Narrowing(read_only=True, region="us-west-2"))
    arns_of = session_policy_arns(Narrowing(read_only=True), partition="aws")
    agreed = place(world, statements=LOOKS_UP)
    open_one = enter(world, agreed, policy_arns=arns_of)
    assert (
        world.gateway().lookup_events(open_one, asked_of("ASIANOBODY0000000000", region="eu-west-3")).events
        == ()
    )
    if isinstance(world, Simulated):  # the memory knows no regions
        closed = enter(world, agreed, policy_arns=arns_of, session_policy=denied)
        with pytest.raises(AwsDenied):
            world.gateway().lookup_events(closed, asked_of("ASIANOBODY0000000000"))


def test_what_a_session_did_is_read_back_from_the_simulated_history(
    simulated_aws: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Simulated(simulated_aws, monkeypatch)
    agreed = place(world, statements=LOOKS_UP)
    credentials = enter(world, agreed)
    look(world, agreed, credentials)
    ask = asked_of(credentials.access_key_id, region="us-east-1")
    events = world.gateway().lookup_events(credentials, ask).events
    assert "GetRole" in [event.name for event in events]
    assert {(event.source, event.region, event.error_code) for event in events} == {
        ("iam.amazonaws.com", "us-east-1", "")
    }
