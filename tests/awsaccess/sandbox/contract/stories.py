"""What takes more than one call: the life of a role, of a session, of the hub; sessions narrowed; bad credentials."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from awsaccess.sandbox.signing import Keys
from portal.kernel.clock import wait_until
from tests.awsaccess.sandbox.contract.cases import (
    ALLOW,
    DENY,
    FROM_HUB,
    GOOD,
    INVALID,
    MALFORMED,
    STANDARD,
    by,
    external_id,
)
from tests.awsaccess.sandbox.contract.world import CLIENT, CONSULTANT, HUB, ROOT, World, name_of
from tests.awsaccess.sandbox.making import Statement, grant, policy, trust

Run = Callable[[World], str | None]
UNKNOWN_TOKEN: Final = "InvalidClientTokenId"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Several calls; the verdict is the first error's code, what `run` returns, or `allow`."""

    label: str
    expected: str
    source: str
    run: Run


STORIES: Final[list[Story]] = []


def story(label: str, expected: str, source: str) -> Callable[[Run], Run]:
    """Add the function to the stories."""

    def add(run: Run) -> Run:
        STORIES.append(Story(label=label, expected=expected, source=source, run=run))
        return run

    return add


def _deny_all(condition: dict[str, object]) -> Statement:
    return {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}


def _add_right(world: World, arn: str, name: str, document: str) -> None:
    world.iam().put_role_policy(RoleName=name_of(arn), PolicyName=name, PolicyDocument=document)


# ---------------------------------------------------------------- the life of a role


@story("role does not exist", DENY, "AWS_FACTS §9")
def _missing(world: World) -> None:
    world.assume(f"arn:aws:iam::{CLIENT}:role/nope")


@story("SourceIdentity is echoed", "mira", "API AssumeRole")
def _echoed(world: World) -> str:
    answer = world.assume(world.make_role(*STANDARD), SourceIdentity="mira")
    return str(answer.get("SourceIdentity", "not echoed"))


@story("AssumedRoleId begins with the role's id", ALLOW, "AWS_FACTS §9")
def _role_id(world: World) -> str:
    arn = world.make_role(*STANDARD)
    role_id = world.iam().get_role(RoleName=name_of(arn))["Role"]["RoleId"]
    assumed = world.assume(arn)["AssumedRoleUser"]["AssumedRoleId"]
    return ALLOW if assumed == f"{role_id}:sess" else f"{assumed} of {role_id}"


@story("session ARN leaves the path out", ALLOW, "AWS_FACTS §5")
def _path(world: World) -> str:
    arn = world.make_role(*STANDARD, Path="/deep/er/")
    whoami = world.whoami(world.enter(arn))
    expected = f"arn:aws:sts::{CLIENT}:assumed-role/{name_of(arn)}/sess"
    return ALLOW if whoami == expected else whoami


@story("id rotated, old id", DENY, "AWS_FACTS §1")
def _rotated(world: World) -> None:
    arn = world.make_role(*STANDARD)
    world.assume(arn)
    rotated = policy(trust(ROOT, external_id("new-id") | FROM_HUB), STANDARD[1])
    world.iam().update_assume_role_policy(RoleName=name_of(arn), PolicyDocument=rotated)
    world.assume(arn, "new-id", SourceIdentity="mira")
    world.assume(arn)


@story("broken update leaves the trust as it was", MALFORMED, "UG reference_policies_grammar")
def _broken_update(world: World) -> None:
    arn = world.make_role(*STANDARD)
    try:
        nobody = policy(trust(f"{HUB}-nope", GOOD))
        world.iam().update_assume_role_policy(RoleName=name_of(arn), PolicyDocument=nobody)
    finally:
        world.assume(arn)


@story("trust changed, old session goes on", ALLOW, "AWS_FACTS §8")
def _trust_changed(world: World) -> None:
    arn = world.make_role(*STANDARD)
    session = world.enter(arn)
    nobody = policy(by("other-id"))
    world.iam().update_assume_role_policy(RoleName=name_of(arn), PolicyDocument=nobody)
    world.use(session)


@story("role deleted, new session", DENY, "AWS_FACTS §8")
def _deleted(world: World) -> None:
    arn = world.make_role(*STANDARD)
    world.assume(arn)
    world.delete_role(name_of(arn))
    world.assume(arn)


@story("role deleted, old session", UNKNOWN_TOKEN, "AWS_FACTS §8, unproven on real AWS")
def _deleted_under_session(world: World) -> None:
    arn = world.make_role(*STANDARD)
    session = world.enter(arn)
    world.delete_role(name_of(arn))
    world.whoami(session)


@story("role made anew, old session", UNKNOWN_TOKEN, "AWS_FACTS §8, unproven on real AWS")
def _remade_under_session(world: World) -> None:
    arn = world.make_role(*STANDARD)
    session, name = world.enter(arn), name_of(arn)
    world.delete_role(name)
    world.iam().create_role(RoleName=name, AssumeRolePolicyDocument=policy(*STANDARD))
    world.whoami(session)


# ---------------------------------------------------------------- sessions revoked, expired, narrowed


def _revoke_older_sessions(world: World, arn: str) -> None:
    """What the console's button does. Seconds are all that a policy's date has: the next one is waited for."""
    now = dt.datetime.now(dt.UTC)
    wait_until(lambda: int(dt.datetime.now(dt.UTC).timestamp()) > int(now.timestamp()), seconds=2)
    moment = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    document = policy(_deny_all({"DateLessThan": {"aws:TokenIssueTime": moment}}))
    _add_right(world, arn, "AWSRevokeOlderSessions", document)


@story("sessions revoked, old session", DENY, "AWS_FACTS §8")
def _revoked(world: World) -> None:
    arn = world.make_role(*STANDARD)
    session = world.enter(arn)
    world.use(session)
    _revoke_older_sessions(world, arn)
    world.use(session)


@story("sessions revoked, new session", ALLOW, "AWS_FACTS §8")
def _not_revoked(world: World) -> None:
    arn = world.make_role(*STANDARD)
    _revoke_older_sessions(world, arn)
    world.use(world.enter(arn))


def _expire(world: World, arn: str, date: str) -> None:
    _add_right(world, arn, "SelfExpiry", policy(_deny_all({"DateGreaterThan": {"aws:CurrentTime": date}})))


@story("self-expiry past, live session", DENY, "AWS_FACTS §2")
def _self_expired(world: World) -> None:
    arn = world.make_role(*STANDARD)
    session = world.enter(arn)
    world.use(session)
    _expire(world, arn, "2001-01-01T00:00:00Z")
    world.use(session)


@story("self-expiry past, GetCallerIdentity", ALLOW, "AWS_FACTS §2")
def _self_expired_identity(world: World) -> None:
    arn = world.make_role(*STANDARD)
    _expire(world, arn, "2001-01-01T00:00:00Z")
    world.whoami(world.enter(arn))


@story("self-expiry to come", ALLOW, "AWS_FACTS §2")
def _not_yet_expired(world: World) -> None:
    arn = world.make_role(*STANDARD)
    _expire(world, arn, "2099-01-01T00:00:00Z")
    world.use(world.enter(arn))


@story("Deny of one engineer by SourceIdentity, that one", DENY, "AWS_FACTS §8, unproven on real AWS")
def _engineer_denied(world: World) -> None:
    arn = world.make_role(*STANDARD)
    _add_right(world, arn, "no-mira", policy(_deny_all({"StringEquals": {"aws:SourceIdentity": "mira"}})))
    world.use(world.enter(arn, SourceIdentity="mira"))


@story("Deny of one engineer by SourceIdentity, another", ALLOW, "AWS_FACTS §8, unproven on real AWS")
def _engineer_let_in(world: World) -> None:
    arn = world.make_role(*STANDARD)
    _add_right(world, arn, "no-mira", policy(_deny_all({"StringEquals": {"aws:SourceIdentity": "mira"}})))
    world.use(world.enter(arn, SourceIdentity="jonas"))


@story("session policy narrows", DENY, "AWS_FACTS §6")
def _narrowed(world: World) -> None:
    world.use(world.enter(world.make_role(*STANDARD), Policy=policy(grant("ec2:Describe*"))))


@story("session policy that allows", ALLOW, "AWS_FACTS §6")
def _not_narrowed(world: World) -> None:
    world.use(world.enter(world.make_role(*STANDARD), Policy=policy(grant("s3:List*"))))


@story("session policy does not widen", DENY, "AWS_FACTS §6")
def _not_widened(world: World) -> None:
    arn = world.make_role(*STANDARD, rights=policy(grant("ec2:Describe*")))
    world.use(world.enter(arn, Policy=policy(grant("*"))))


def _bounded(world: World, *statements: Statement) -> str:
    made = world.iam().create_policy(PolicyName=world.unused("edge"), PolicyDocument=policy(*statements))
    return world.make_role(*STANDARD, PermissionsBoundary=made["Policy"]["Arn"])


@story("boundary narrows", DENY, "UG access_policies_boundaries")
def _boundary(world: World) -> None:
    world.use(world.enter(_bounded(world, grant("ec2:Describe*"))))


@story("boundary that allows", ALLOW, "UG access_policies_boundaries")
def _wide_boundary(world: World) -> None:
    world.use(world.enter(_bounded(world, grant("s3:*"))))


@story("boundary with a Deny on expiry", DENY, "AWS_FACTS §2")
def _expired_boundary(world: World) -> None:
    past = _deny_all({"DateGreaterThan": {"aws:CurrentTime": "2001-01-01T00:00:00Z"}})
    world.use(world.enter(_bounded(world, grant("*"), past)))


# ---------------------------------------------------------------- one role after another


def _second(world: World, *statements: Statement) -> str:
    inside = trust(f"arn:aws:iam::{CLIENT}:root", None, "sts:*")
    return world.make_role(*(statements or (inside,)), MaxSessionDuration=7200)


@story("SourceIdentity changed along a chain", DENY, "AWS_FACTS §6")
def _changed_identity(world: World) -> None:
    session = world.enter(world.make_role(*STANDARD), SourceIdentity="mira")
    second = _second(world)
    world.assume(second, None, session)
    world.assume(second, None, session, SourceIdentity="somebody-else")


@story("SourceIdentity stays along a chain", "mira", "AWS_FACTS §6")
def _kept_identity(world: World) -> str:
    session = world.enter(world.make_role(*STANDARD), SourceIdentity="mira")
    return str(world.assume(_second(world), None, session).get("SourceIdentity", "not kept"))


@story("client's session chained for longer than an hour", INVALID, "AWS_FACTS §6")
def _long_chain(world: World) -> None:
    world.assume(_second(world), None, world.enter(world.make_role(*STANDARD)), DurationSeconds=3601)


@story("session tag as PrincipalTag of the next role", ALLOW, "UG id_session-tags")
def _tag_of_session(world: World) -> None:
    tags = [{"Key": "team", "Value": "green"}]
    session = world.enter(world.make_role(*STANDARD), Tags=tags)
    green = {"StringEquals": {"aws:PrincipalTag/team": "green"}}
    world.assume(_second(world, trust(f"arn:aws:iam::{CLIENT}:root", green)), None, session)


# ---------------------------------------------------------------- who is meant


def _at_home(world: World, principal: str) -> None:
    name = world.unused("home")
    made = world.iam(CONSULTANT).create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust(principal)))
    world.assume(made["Role"]["Arn"], None, world.callers["nobody"])


@story("at home, user named, no permission of its own", ALLOW, "UG reference_policies_evaluation-logic")
def _named_at_home(world: World) -> None:
    _at_home(world, f"arn:aws:iam::{CONSULTANT}:user/nobody")


@story("at home, account named, no permission of its own", DENY, "UG reference_policies_evaluation-logic")
def _account_at_home(world: World) -> None:
    _at_home(world, ROOT)


@story("hub role made anew, trust names its ARN", DENY, "AWS_FACTS §1")
def _hub_anew(world: World) -> None:
    name = world.unused("hub")
    arn = world.make_role(trust(world.make_hub_role(name), GOOD))
    world.assume(arn, keys=world.as_hub(name))
    world.assume(arn, keys=world.remake_hub_role(name))


@story("hub role made anew, trust uses PrincipalArn", ALLOW, "AWS_FACTS §1")
def _hub_anew_by_condition(world: World) -> None:
    name = world.unused("hub")
    hub = world.make_hub_role(name)
    arn = world.make_role(trust(ROOT, GOOD | {"ArnEquals": {"aws:PrincipalArn": hub}}))
    world.assume(arn, keys=world.remake_hub_role(name))


@story("hub role deleted, trust shows its unique id", ALLOW, "UG reference_policies_elements_principal")
def _shown_by_id(world: World) -> str:
    name = world.unused("hub")
    hub = world.make_hub_role(name)
    unique = world.iam(CONSULTANT).get_role(RoleName=name)["Role"]["RoleId"]
    arn = world.make_role(trust(hub, GOOD))
    world.delete_role(name, CONSULTANT)
    shown = world.trust_of(arn)
    return ALLOW if unique in shown and hub not in shown else "shown by ARN"


@story("user made anew, trust names its ARN", DENY, "UG reference_policies_elements_principal")
def _user_anew(world: World) -> None:
    name = world.unused("user")
    first = world.make_user(CONSULTANT, name, policy(grant("sts:AssumeRole")))
    arn = world.make_role(trust(f"arn:aws:iam::{CONSULTANT}:user/{name}", GOOD))
    world.assume(arn, keys=first)
    iam = world.iam(CONSULTANT)
    iam.delete_access_key(UserName=name, AccessKeyId=first.access_key_id)
    iam.delete_user_policy(UserName=name, PolicyName="p")
    iam.delete_user(UserName=name)
    world.assume(arn, keys=world.make_user(CONSULTANT, name, policy(grant("sts:AssumeRole"))))


@story("the consultant's organization", ALLOW, "UG reference_policies_condition-keys")
def _organization(world: World) -> None:
    own = {"StringEquals": {"aws:PrincipalOrgID": world.organization()}}
    world.assume(world.make_role(trust("*", GOOD | own)))


# ---------------------------------------------------------------- bad credentials


@story("wrong secret", "SignatureDoesNotMatch", "AWS_FACTS §6")
def _wrong_secret(world: World) -> None:
    world.whoami(replace(world.callers["portal"], secret_access_key="x" * 40))


@story("unknown key", UNKNOWN_TOKEN, "AWS_FACTS §6")
def _unknown_key(world: World) -> None:
    world.whoami(Keys(access_key_id="AKIAUNKNOWNUNKNOWN12", secret_access_key="x" * 40))


@story("wrong session token", UNKNOWN_TOKEN, "AWS_FACTS §6")
def _wrong_token(world: World) -> None:
    world.whoami(replace(world.callers["hub"], session_token="x" * 200))


@story("deactivated key", UNKNOWN_TOKEN, "UG id_credentials_access-keys")
def _deactivated(world: World) -> None:
    name = world.unused("leaver")
    keys = world.make_user(CONSULTANT, name)
    world.whoami(keys)
    iam = world.iam(CONSULTANT)
    iam.update_access_key(UserName=name, AccessKeyId=keys.access_key_id, Status="Inactive")
    world.whoami(keys)
