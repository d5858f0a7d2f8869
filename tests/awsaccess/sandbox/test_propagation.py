"""IAM takes a while, in either direction: what STS answers meanwhile, and that nothing is hidden for longer."""

from __future__ import annotations

from tests.awsaccess.sandbox.making import GOOD_ID, ROOT, STANDARD, enter, make_role, policy, refused, trust
from tests.plugins.sandbox_process import BRIGHTWATER, SandboxProcess

NAME = "latchkey-r"


def slow(sandbox: SandboxProcess, seconds: float = 600) -> None:
    assert sandbox.control("PUT", "propagation", delay_seconds=seconds) == {"delay_seconds": seconds}


def later(sandbox: SandboxProcess, seconds: float) -> None:
    sandbox.control("PUT", "clock", offset_seconds=seconds)


def delete(sandbox: SandboxProcess) -> None:
    iam = sandbox.iam(BRIGHTWATER)
    iam.delete_role_policy(RoleName=NAME, PolicyName="p")
    iam.delete_role(RoleName=NAME)


def test_a_new_role_is_not_known_yet(sandbox: SandboxProcess) -> None:
    slow(sandbox)
    role = make_role(sandbox)
    assert sandbox.iam(BRIGHTWATER).get_role(RoleName=NAME)["Role"]["Arn"] == role
    refused("AccessDenied", enter, sandbox, role)
    later(sandbox, 400)
    refused("AccessDenied", enter, sandbox, role)
    later(sandbox, 601)
    assert sandbox.sts(enter(sandbox, role)).get_caller_identity()["Account"] == BRIGHTWATER


def test_a_changed_lock_opens_as_before_for_a_while(sandbox: SandboxProcess) -> None:
    role = make_role(sandbox)
    slow(sandbox)
    shut = policy(trust(ROOT, {"StringEquals": {"sts:ExternalId": "another-id"}}))
    sandbox.iam(BRIGHTWATER).update_assume_role_policy(RoleName=NAME, PolicyDocument=shut)
    enter(sandbox, role)
    refused("AccessDenied", enter, sandbox, role, ExternalId="another-id")
    later(sandbox, 601)
    refused("AccessDenied", enter, sandbox, role)
    enter(sandbox, role, ExternalId="another-id")


def test_a_deleted_role_goes_on_opening_for_a_while_and_so_do_its_sessions(sandbox: SandboxProcess) -> None:
    role = make_role(sandbox)
    slow(sandbox)
    delete(sandbox)
    keys = enter(sandbox, role)
    assert sandbox.sts(keys).get_caller_identity()["Account"] == BRIGHTWATER
    later(sandbox, 601)
    refused("AccessDenied", enter, sandbox, role)
    refused("InvalidClientTokenId", sandbox.sts(keys).get_caller_identity)


def test_changes_hold_one_after_the_other(sandbox: SandboxProcess) -> None:
    slow(sandbox)
    role = make_role(sandbox, trust(ROOT, GOOD_ID))
    later(sandbox, 300)
    shut = policy(trust(ROOT, {"StringEquals": {"sts:ExternalId": "another-id"}}))
    sandbox.iam(BRIGHTWATER).update_assume_role_policy(RoleName=NAME, PolicyDocument=shut)
    later(sandbox, 500)
    refused("AccessDenied", enter, sandbox, role)
    later(sandbox, 700)
    enter(sandbox, role)
    later(sandbox, 1000)
    refused("AccessDenied", enter, sandbox, role)
    enter(sandbox, role, ExternalId="another-id")


def test_a_lock_that_aws_would_not_take_changes_nothing(sandbox: SandboxProcess) -> None:
    role = make_role(sandbox)
    slow(sandbox)
    iam = sandbox.iam(BRIGHTWATER)
    refused("MalformedPolicyDocument", iam.update_assume_role_policy, RoleName=NAME, PolicyDocument="{}")
    later(sandbox, 601)
    enter(sandbox, role)


def test_without_a_delay_and_after_a_reset_it_holds_at_once(sandbox: SandboxProcess) -> None:
    slow(sandbox)
    make_role(sandbox)
    sandbox.reset()
    assert sandbox.control("GET", "propagation") == {"delay_seconds": 0}
    role = make_role(sandbox, *STANDARD)
    enter(sandbox, role)
    delete(sandbox)
    refused("AccessDenied", enter, sandbox, role)


def test_what_is_no_delay_is_refused(sandbox: SandboxProcess) -> None:
    status, _, text = sandbox.http(
        "PUT",
        "/_sandbox/propagation",
        b'{"delay_seconds": "long"}',
        {"Content-Type": "application/json"},
    )
    assert (status, "delay_seconds must be a number" in text) == (400, True)
