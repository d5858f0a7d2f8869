"""The guard over HTTP: every call is judged, for the reason that is expected and no other."""

from __future__ import annotations

import contextlib
import http.client
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from awsaccess.sandbox.signing import Keys
from tests.awsaccess.sandbox.making import (
    EVERYTHING,
    GOOD_ID,
    HUB,
    ROOT,
    enter,
    grant,
    make_role,
    make_user,
    policy,
    refused,
    trust,
)
from tests.plugins.sandbox_process import BRIGHTWATER, HARBOUR, HOLLINS, NORTHGATE, STRANGER, SandboxProcess

TAGS = [{"Key": "engagement", "Value": "lk-1"}]


def test_the_standard_trust_opens_for_the_right_id_only(sandbox: SandboxProcess) -> None:
    """The reason is in the decision: the caller may, the trust policy says no."""
    role = make_role(sandbox)
    session = enter(sandbox, role)
    assert sandbox.sts(session).get_caller_identity()["Account"] == BRIGHTWATER
    message = refused("AccessDenied", enter, sandbox, role, ExternalId="bad-id")
    assert message.endswith(f"is not authorized to perform: sts:AssumeRole on resource: {role}")
    last = sandbox.decisions("sts:AssumeRole")[-1]
    assert (last["identity"], last["resource_policy"], last["allowed"]) == ("allow", None, False)


def test_a_missing_role_is_told_in_the_same_words(sandbox: SandboxProcess) -> None:
    """AccessDenied never says why."""
    nowhere = f"arn:aws:iam::{BRIGHTWATER}:role/latchkey-nowhere"
    assert "not authorized" in refused("AccessDenied", enter, sandbox, nowhere)


def test_the_hub_may_enter_only_roles_of_its_prefix(sandbox: SandboxProcess) -> None:
    """Both sides must allow: here the caller's own policy refuses."""
    role = make_role(sandbox, name="OrganizationAccountAccessRole")
    refused("AccessDenied", enter, sandbox, role)
    last = sandbox.decisions("sts:AssumeRole")[-1]
    assert (last["identity"], last["resource_policy"]) == (None, "allow")


def test_the_portals_user_may_become_the_hub_and_nothing_else(sandbox: SandboxProcess) -> None:
    """Its keys alone open no client and show no IAM."""
    keys = sandbox.accounts[NORTHGATE].portal_keys
    refused("AccessDenied", sandbox.assume, keys, make_role(sandbox), ExternalId="good-id")
    refused("AccessDenied", sandbox.client("iam", keys).list_roles)
    assert (
        sandbox.sts(sandbox.as_hub())
        .get_caller_identity()["Arn"]
        .endswith("assumed-role/latchkey-hub/portal")
    )


def test_another_practice_is_a_stranger(sandbox: SandboxProcess) -> None:
    """Its hub has the same name and the same rights, and is not the one that is trusted."""
    role = make_role(sandbox)
    refused("AccessDenied", enter, sandbox, role, sandbox.as_hub(HARBOUR))
    refused("AccessDenied", enter, sandbox, role, sandbox.accounts[STRANGER].admin_keys)


def test_tags_and_source_identity_need_their_own_statement(sandbox: SandboxProcess) -> None:
    """sts:ExternalId is a key of sts:AssumeRole only: one merged statement never matches for its companions."""
    plain = make_role(sandbox, trust(ROOT, GOOD_ID), name="latchkey-plain")
    merged = make_role(sandbox, trust(ROOT, GOOD_ID, "sts:*"), name="latchkey-merged")
    two = make_role(sandbox, name="latchkey-two")
    for role in (plain, merged):
        refused("AccessDenied", enter, sandbox, role, SourceIdentity="mira")
        refused("AccessDenied", enter, sandbox, role, Tags=TAGS)
    hub = sandbox.sts(sandbox.as_hub())
    named: dict[str, Any] = {"RoleSessionName": "mira", "SourceIdentity": "mira", "Tags": TAGS}
    assert hub.assume_role(RoleArn=two, ExternalId="good-id", **named)["SourceIdentity"] == "mira"


def test_source_identity_cannot_change_along_a_chain(sandbox: SandboxProcess) -> None:
    """It persists, and naming somebody else is refused."""
    first = make_role(sandbox)
    second = make_role(
        sandbox, trust(f"arn:aws:iam::{BRIGHTWATER}:root", None, "sts:*"), name="latchkey-second"
    )
    session = enter(sandbox, first, SourceIdentity="mira")
    refused("AccessDenied", sandbox.assume, session, second, SourceIdentity="somebody-else")
    sandbox.assume(session, second)


def test_durations(sandbox: SandboxProcess) -> None:
    """An hour at most when chained, the role's maximum otherwise."""
    role = make_role(sandbox, trust(ROOT, GOOD_ID), MaxSessionDuration=7200)
    user = make_user(sandbox, NORTHGATE, "direct", EVERYTHING)
    enter(sandbox, role, user, DurationSeconds=7200)
    assert "MaxSessionDuration" in refused(
        "ValidationError", enter, sandbox, role, user, DurationSeconds=7201
    )
    assert "role chaining" in refused("ValidationError", enter, sandbox, role, DurationSeconds=3601)


def test_rights_of_a_session_come_from_the_roles_policies(sandbox: SandboxProcess) -> None:
    """Actions, resources, conditions, an explicit deny; each service refuses with its own code."""
    in_ireland = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
    document = policy(
        grant(["ec2:Describe*", "s3:*"]),
        {"Effect": "Deny", "Action": "s3:CreateBucket", "Resource": "arn:aws:s3:::denied-*"},
        grant("sqs:*", Condition=in_ireland),
        grant("cloudformation:*", "arn:aws:cloudformation:*:*:stack/portal-*/*"),
    )
    keys = enter(sandbox, make_role(sandbox, document=document))
    sandbox.client("ec2", keys).describe_instances()
    sandbox.client("sqs", keys).list_queues()
    refused("AccessDenied", sandbox.client("sqs", keys, "us-east-1").list_queues)
    make_bucket = sandbox.s3(keys).create_bucket
    make_bucket(Bucket="fine-1", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    refused("AccessDenied", make_bucket, Bucket="denied-1")
    launch: dict[str, Any] = {"ImageId": "ami-12c6146b", "MinCount": 1, "MaxCount": 1}
    message = refused("UnauthorizedOperation", sandbox.client("ec2", keys).run_instances, **launch)
    assert "no identity-based policy" in message
    refused("AccessDeniedException", sandbox.client("dynamodb", keys).list_tables)
    refused("AccessDenied", sandbox.client("iam", keys).list_roles)
    describe = sandbox.client("cloudformation", keys).describe_stack_events
    refused("AccessDenied", describe, StackName="other-1")


def test_session_policy_and_boundary_only_narrow(sandbox: SandboxProcess) -> None:
    """What neither allows is refused whatever the role may."""
    looking = policy(grant(["ec2:Describe*", "iam:List*"]))
    narrow = enter(sandbox, make_role(sandbox), Policy=looking)
    sandbox.client("ec2", narrow).describe_vpcs()
    refused("AccessDenied", sandbox.s3(narrow).list_buckets)
    iam = sandbox.iam(BRIGHTWATER)
    boundary = iam.create_policy(PolicyName="edge", PolicyDocument=looking)["Policy"]["Arn"]
    bounded = enter(sandbox, make_role(sandbox, name="latchkey-b", PermissionsBoundary=boundary))
    sandbox.client("iam", bounded).list_roles()
    refused("AccessDenied", sandbox.s3(bounded).list_buckets)


def test_revoking_older_sessions_leaves_new_ones_alone(sandbox: SandboxProcess) -> None:
    """What the console's button does."""
    role = make_role(sandbox)
    old = enter(sandbox, role)
    now = sandbox.control("GET", "clock")["now"]
    deny = {
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"DateLessThan": {"aws:TokenIssueTime": now}},
    }
    sandbox.iam(BRIGHTWATER).put_role_policy(
        RoleName="latchkey-r", PolicyName="AWSRevokeOlderSessions", PolicyDocument=policy(deny)
    )
    assert "explicit deny" in refused("AccessDenied", sandbox.s3(old).list_buckets)
    sandbox.s3(enter(sandbox, role)).list_buckets()


def test_a_session_ends_with_its_time(sandbox: SandboxProcess) -> None:
    """Each protocol has its own code for it."""
    keys = enter(sandbox, make_role(sandbox), DurationSeconds=900)
    sandbox.control("PUT", "clock", offset_seconds=901)
    refused("ExpiredToken", sandbox.sts(keys).get_caller_identity)
    refused("ExpiredTokenException", sandbox.client("dynamodb", keys).list_tables)


def test_the_date_in_a_trust_policy_passes(sandbox: SandboxProcess) -> None:
    """New sessions end with it, live ones do not."""
    now = sandbox.control("GET", "clock")["now"]
    until = {"DateLessThan": {"aws:CurrentTime": f"{int(now[:4]) + 1}-01-01T00:00:00Z"}}
    role = make_role(sandbox, trust(ROOT, GOOD_ID | until))
    enter(sandbox, role)
    sandbox.control("PUT", "clock", offset_seconds=366 * 86400)
    refused("AccessDenied", enter, sandbox, role)


def test_a_deleted_role_takes_its_sessions_along(sandbox: SandboxProcess) -> None:
    """Also when another of the same name takes its place."""
    role = make_role(sandbox)
    keys = enter(sandbox, role)
    iam = sandbox.iam(BRIGHTWATER)
    iam.delete_role_policy(RoleName="latchkey-r", PolicyName="p")
    iam.delete_role(RoleName="latchkey-r")
    refused("AccessDenied", enter, sandbox, role)
    refused("InvalidClientTokenId", sandbox.sts(keys).get_caller_identity)
    make_role(sandbox)
    refused("InvalidClientTokenId", sandbox.sts(keys).get_caller_identity)


@pytest.mark.parametrize(("principal", "survives"), [(HUB, False), (ROOT, True)])
def test_a_hub_role_made_anew(sandbox: SandboxProcess, principal: str, survives: bool) -> None:  # noqa: FBT001  # a column
    """A trust policy that names the role means the old one; root and aws:PrincipalArn mean whoever has its name."""
    role = make_role(sandbox, trust(principal, GOOD_ID))
    iam = sandbox.iam(NORTHGATE)
    document = policy(trust(f"arn:aws:iam::{NORTHGATE}:user/portal"))
    iam.delete_role_policy(RoleName="latchkey-hub", PolicyName="hub")
    iam.delete_role(RoleName="latchkey-hub")
    iam.create_role(RoleName="latchkey-hub", AssumeRolePolicyDocument=document)
    iam.put_role_policy(RoleName="latchkey-hub", PolicyName="hub", PolicyDocument=EVERYTHING)
    if survives:
        enter(sandbox, role)
    else:
        refused("AccessDenied", enter, sandbox, role)


def test_at_home_a_named_principal_needs_no_policy_of_its_own(sandbox: SandboxProcess) -> None:
    """Trusting the account's root does need one."""
    keys = make_user(sandbox, BRIGHTWATER, "plain")
    named = make_role(sandbox, trust(f"arn:aws:iam::{BRIGHTWATER}:user/plain"), name="latchkey-named")
    rooted = make_role(sandbox, trust(f"arn:aws:iam::{BRIGHTWATER}:root"), name="latchkey-rooted")
    sandbox.assume(keys, named)
    refused("AccessDenied", sandbox.assume, keys, rooted)


def test_a_trust_policy_is_read_when_it_is_written(sandbox: SandboxProcess) -> None:
    """Not when somebody uses it; what was there before stays."""
    role = make_role(sandbox)
    iam = sandbox.iam(BRIGHTWATER)
    missing, unknown = trust(f"{HUB}-nope"), trust(ROOT, {"StringSounds": {"sts:ExternalId": "x"}})
    for document in ("{bad", policy(missing), policy(unknown)):
        refused("MalformedPolicyDocument", iam.create_role, RoleName="x", AssumeRolePolicyDocument=document)
        update = iam.update_assume_role_policy
        refused("MalformedPolicyDocument", update, RoleName="latchkey-r", PolicyDocument=document)
    enter(sandbox, role)
    assert [r["RoleName"] for r in iam.list_roles()["Roles"]] == ["latchkey-r"]


# ---------------------------------------------------------------- no way round it


def test_wrong_keys(sandbox: SandboxProcess) -> None:
    """Ours to mend: never to be read as the client's refusal."""
    keys = sandbox.as_hub()
    identity = "get_caller_identity"
    refused("SignatureDoesNotMatch", getattr(sandbox.sts(replace(keys, secret_access_key="x")), identity))
    unknown = Keys(access_key_id="AKIAUNKNOWNUNKNOWN12", secret_access_key="x")
    refused("InvalidClientTokenId", getattr(sandbox.sts(unknown), identity))
    refused("UnrecognizedClientException", sandbox.client("dynamodb", unknown).list_tables)
    refused("InvalidAccessKeyId", sandbox.s3(unknown).list_buckets)


def test_a_session_needs_its_own_token(sandbox: SandboxProcess) -> None:
    """Key and secret alone are not a session, nor with somebody else's token."""
    mine, other = enter(sandbox, make_role(sandbox)), sandbox.as_hub()
    for token in (None, other.session_token, "garbage"):
        refused("InvalidClientTokenId", sandbox.sts(replace(mine, session_token=token)).get_caller_identity)


def test_a_deactivated_key_is_dead(sandbox: SandboxProcess) -> None:
    """Like an unknown one."""
    keys = make_user(sandbox, NORTHGATE, "leaver", EVERYTHING)
    iam = sandbox.iam(NORTHGATE)
    iam.update_access_key(UserName="leaver", AccessKeyId=keys.access_key_id, Status="Inactive")
    refused("InvalidClientTokenId", sandbox.sts(keys).get_caller_identity)


def test_motos_back_doors_are_shut(sandbox: SandboxProcess) -> None:
    """Its own interface, and the header that makes any key act in any account."""
    assert sandbox.http("POST", "/moto-api/reset")[0] == 404
    iam = sandbox.iam(BRIGHTWATER)
    iam.meta.events.register(
        "before-sign.*.*", lambda request, **_: request.headers.add_header("x-moto-account-id", NORTHGATE)
    )
    refused("AccessDenied", iam.list_roles)


def test_an_unsigned_call_is_nobodys(sandbox: SandboxProcess) -> None:
    """Whatever service it is for, moto takes it for S3: nothing gets out."""
    parts = urlsplit(sandbox.base_url)
    body = "Action=ListTopics&Version=2010-03-31"
    for host in ("sns.eu-west-1.amazonaws.com", "iam.amazonaws.com", parts.netloc):
        with contextlib.closing(http.client.HTTPConnection(parts.netloc, timeout=30)) as connection:
            kind = {"Content-Type": "application/x-www-form-urlencoded", "Host": host}
            connection.request("POST", "/", body, kind)
            answer = connection.getresponse()
            assert (answer.status, b"AccessDenied" in answer.read()) == (403, True)


def test_what_is_not_simulated_says_so(sandbox: SandboxProcess) -> None:
    """Never a silent yes."""
    sts = sandbox.sts(sandbox.accounts[BRIGHTWATER].admin_keys)
    refused("NotImplemented", sts.get_session_token)
    refused("NotImplemented", sts.get_federation_token, Name="somebody")
    admin = sandbox.accounts[BRIGHTWATER].admin_keys
    simulate = sandbox.client("iam", admin).simulate_principal_policy
    arn = f"arn:aws:iam::{BRIGHTWATER}:user/administrator"
    refused("NotImplemented", simulate, PolicySourceArn=arn, ActionNames=["s3:GetObject"])
    by_name = [{"AttributeKey": "ResourceName", "AttributeValue": "x"}]
    refused("NotImplemented", sandbox.client("cloudtrail", admin).lookup_events, LookupAttributes=by_name)
    # moto has no such services at all, and they do not speak XML
    refused("NotImplemented", sandbox.client("accessanalyzer", admin).list_analyzers)
    refused("NotImplemented", sandbox.client("pricing", admin).describe_services)
    refused("NotImplemented", enter, sandbox, make_role(sandbox), TransitiveTagKeys=["team"])


# ---------------------------------------------------------------- policies on resources


def test_a_template_is_read_by_anybody_in_its_version(sandbox: SandboxProcess) -> None:
    """Without a signature, as the client's console does; an overwritten version stays what it was."""
    bucket = sandbox.accounts[NORTHGATE].bucket or ""
    s3 = sandbox.s3(sandbox.as_hub())
    first = s3.put_object(Bucket=bucket, Key="a/b.json", Body=b"one")["VersionId"]
    s3.put_object(Bucket=bucket, Key="a/b.json", Body=b"two")
    assert sandbox.http("GET", f"/{bucket}/a/b.json?versionId={first}")[::2] == (200, "one")
    assert sandbox.http("GET", f"/{bucket}/a/b.json")[::2] == (200, "two")
    assert sandbox.http("GET", f"/{bucket}")[0] == 403
    assert sandbox.http("PUT", f"/{bucket}/a/b.json", b"three")[0] == 403


def test_a_private_object_is_the_owners(sandbox: SandboxProcess) -> None:
    """Another account's administrator may read everything but what is not theirs."""
    owner = sandbox.s3(sandbox.accounts[HOLLINS].admin_keys)
    owner.create_bucket(Bucket="hollins", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    owner.put_object(Bucket="hollins", Key="ledger", Body=b"x")
    other = sandbox.s3(sandbox.accounts[BRIGHTWATER].admin_keys)
    refused("AccessDenied", other.get_object, Bucket="hollins", Key="ledger")
    allow = {
        "Effect": "Allow",
        "Principal": {"AWS": BRIGHTWATER},
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::hollins/*",
    }
    owner.put_bucket_policy(Bucket="hollins", Policy=policy(allow))
    other.get_object(Bucket="hollins", Key="ledger")


def test_a_presigned_address_is_its_signers(sandbox: SandboxProcess) -> None:
    """Good for its object and its time; changed in one letter it is worth nothing."""
    owner = sandbox.s3(sandbox.accounts[HOLLINS].admin_keys)
    owner.create_bucket(Bucket="hollins", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    owner.put_object(Bucket="hollins", Key="ledger", Body=b"x")

    def path(keys: Keys) -> str:
        given = {"Bucket": "hollins", "Key": "ledger"}
        s3 = sandbox.client("s3", keys, signature_version="s3v4")
        url: str = s3.generate_presigned_url("get_object", Params=given, ExpiresIn=60)
        return url.removeprefix(sandbox.base_url)

    good = path(sandbox.accounts[HOLLINS].admin_keys)
    assert sandbox.http("GET", good)[::2] == (200, "x")
    assert sandbox.http("GET", good.replace("ledger", "ledges"))[0] == 403
    assert sandbox.http("GET", path(sandbox.accounts[BRIGHTWATER].admin_keys))[0] == 403
    sandbox.control("PUT", "clock", offset_seconds=120)
    assert sandbox.http("GET", good)[0] == 403


def test_a_topic_belongs_to_its_account_until_it_says_otherwise(sandbox: SandboxProcess) -> None:
    """moto lets everybody publish."""
    topic = sandbox.client("sns", sandbox.accounts[NORTHGATE].admin_keys).create_topic(Name="calls")[
        "TopicArn"
    ]
    stranger = sandbox.client("sns", sandbox.accounts[STRANGER].admin_keys)
    refused("AuthorizationError", stranger.publish, TopicArn=topic, Message="x")
    allow = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "SNS:Publish", "Resource": topic}
    owner = sandbox.client("sns", sandbox.accounts[NORTHGATE].admin_keys)
    owner.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy(allow))
    stranger.publish(TopicArn=topic, Message="x")
