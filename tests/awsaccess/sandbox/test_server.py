"""The process itself: faults, clock and counts on request, and a restart that goes on where it stopped."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from awsaccess.sandbox.journal import Entry, Journal, JournalOfAnotherVersion
from tests.awsaccess.sandbox.making import enter, make_role, policy, refused, trust
from tests.awsaccess.sandbox.test_cloudformation import CallBack, events, make, role_resource, shown, template
from tests.plugins.sandbox_process import (
    BRIGHTWATER,
    HOLLINS,
    NORTHGATE,
    ROOT,
    SandboxProcess,
)

# ---------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"switch": "throttle"}, "Throttling"),
        ({"switch": "down"}, "ServiceUnavailable"),
        ({"switch": "deny"}, "AccessDenied"),
        ({"service": "sts", "code": "RegionDisabledException"}, "RegionDisabledException"),
        ({"service": "sts", "action": "AssumeRole", "account": BRIGHTWATER, "code": "X"}, "X"),
    ],
)
def test_a_fault_is_met_as_often_as_asked(sandbox: SandboxProcess, fault: dict[str, Any], code: str) -> None:
    """In the service's own protocol; afterwards all is well again."""
    role, hub = make_role(sandbox), sandbox.as_hub()
    sandbox.control("POST", "faults", times=2, **fault)
    for _ in "ab":
        refused(code, enter, sandbox, role, hub)
    enter(sandbox, role, hub)


def test_a_fault_can_be_one_accounts(sandbox: SandboxProcess) -> None:
    """The caller's, or that of the role which is assumed; one can be taken away alone."""
    role, hub = make_role(sandbox), sandbox.as_hub()
    number = sandbox.control("POST", "faults", switch="down", account=HOLLINS)["number"]
    sandbox.control("POST", "faults", service="s3", code="SlowDown")
    enter(sandbox, role, hub)
    refused("ServiceUnavailable", sandbox.iam(HOLLINS).list_roles)
    sandbox.control("DELETE", "faults", number=number)
    sandbox.iam(HOLLINS).list_roles()
    refused("SlowDown", sandbox.s3(hub).list_buckets)
    assert [fault["service"] for fault in sandbox.control("GET", "faults")] == ["s3"]


def test_answers_that_are_none(sandbox: SandboxProcess) -> None:
    """A cut connection, a page of HTML without any code of AWS's, an answer that comes too late."""
    keys = sandbox.accounts[NORTHGATE].admin_keys
    identity = sandbox.client("sts", keys, read_timeout=0.2).get_caller_identity
    faults: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"switch": "cut"}, ConnectionClosedError),
        ({"switch": "html"}, ClientError),
        ({"service": "sts", "latency": 1.0}, ReadTimeoutError),
    ]
    for fault, error in faults:
        sandbox.control("POST", "faults", times=1, **fault)
        with pytest.raises(error):
            identity()
    assert identity()["Account"] == NORTHGATE


def test_a_wrong_control_is_refused(sandbox: SandboxProcess) -> None:
    """With what is wrong; and an unknown one is not there."""
    kind = {"Content-Type": "application/json"}
    for name, body in (
        ("faults", {"switch": "nope"}),
        ("faults", {"service": "sts", "nope": 1}),
        ("clock", {"offset_seconds": "x"}),
        ("clock", {}),
        ("faults", []),
    ):
        method = "PUT" if name == "clock" else "POST"
        status, _, text = sandbox.http(method, f"/_sandbox/{name}", json.dumps(body).encode(), kind)
        assert (status, "error" in json.loads(text)) == (400, True)
    assert sandbox.http("POST", "/_sandbox/faults", b"{", kind)[0] == 400
    assert sandbox.http("GET", "/_sandbox/nope")[0] == 404


def test_calls_are_counted_by_account(sandbox: SandboxProcess) -> None:
    """Also those that fail, so that a sweep can be held to its number."""
    role, hub = make_role(sandbox), sandbox.as_hub()
    sandbox.control("DELETE", "calls")
    enter(sandbox, role, hub)
    refused("AccessDenied", enter, sandbox, role, hub, ExternalId="bad-id")
    assert sandbox.control("GET", "calls") == [
        {"service": "sts", "action": "AssumeRole", "account": NORTHGATE, "count": 2}
    ]


def test_a_reset_is_an_empty_aws_with_the_same_keys(sandbox: SandboxProcess) -> None:
    """No role, no fault, the right time."""
    make_role(sandbox)
    sandbox.control("POST", "faults", switch="down", service="ec2")
    sandbox.control("PUT", "clock", offset_seconds=9999)
    sandbox.reset()
    assert sandbox.iam(BRIGHTWATER).list_roles()["Roles"] == []
    assert sandbox.control("GET", "faults") == []
    assert sandbox.control("GET", "clock")["offset_seconds"] == 0


# ---------------------------------------------------------------- restarts


@pytest.fixture
def own(tmp_path: Path) -> Iterator[SandboxProcess]:
    """A sandbox that may be stopped and started."""
    with SandboxProcess(tmp_path) as sandbox:
        yield sandbox


def _everything(sandbox: SandboxProcess, stack: str) -> dict[str, Any]:  # Any: JSON
    iam = sandbox.iam(BRIGHTWATER)
    role = iam.get_role(RoleName="latchkey-r")["Role"]
    return {
        "role": role,
        "stack": shown(sandbox, stack) | {"ResponseMetadata": None},
        "events": events(sandbox, stack),
        "keys": sandbox.accounts,
    }


def test_a_restart_goes_on_where_it_stopped(own: SandboxProcess, tmp_path: Path) -> None:
    """Same port, same keys, same ids and dates; a stack that waits asks again; sessions are gone."""
    role = make_role(own)
    refused("MalformedPolicyDocument", make_role, own, trust(f"{role}-nope"), name="latchkey-x")
    stack = make(own, template({"Role": role_resource()}))
    broken = role_resource("latchkey-b", AssumeRolePolicyDocument=json.loads(policy(trust(f"{role}-nope"))))
    failed = make(own, template({"Role": broken}), name="failed")
    session = enter(own, role)
    calls = CallBack(own)
    waiting = make(own, template({"Report": calls.resource()}), name="waiting")
    calls.take()
    before, url = _everything(own, stack), own.base_url
    own.kill()
    own.start()
    assert own.base_url == url
    assert _everything(own, stack) == before
    assert shown(own, failed)["StackStatus"] == "ROLLBACK_COMPLETE"
    refused("InvalidClientTokenId", own.sts(session).get_caller_identity)
    enter(own, role)
    assert calls.answer(calls.take()) == 200
    assert shown(own, waiting)["StackStatus"] == "CREATE_COMPLETE"
    for name in ("accounts.json", "journal.jsonl"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def _entry(number: int) -> Entry:
    return Entry(
        at="2026-01-31T12:00:00+00:00",
        account=BRIGHTWATER,
        service="iam",
        region="us-east-1",
        access_key_id="AKIA",
        seed=str(number),
        method="POST",
        target="/",
        headers={},
        body="QWN0aW9u",
        refused=[],
    )


def test_a_line_that_a_crash_cut_off_was_never_answered(tmp_path: Path) -> None:
    """It is left out, and what comes after it is kept."""
    journal = Journal(tmp_path)
    journal.append(_entry(1))
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b'{"at": "2026-')
    assert list(journal.entries()) == [_entry(1)]
    journal.append(_entry(2))
    assert list(journal.entries()) == [_entry(1), _entry(2)]
    journal.clear()
    assert list(journal.entries()) == []


def test_a_journal_of_another_version_is_refused(tmp_path: Path) -> None:
    """Its ids would come out differently, without a word."""
    journal, path = Journal(tmp_path), tmp_path / "journal.jsonl"
    journal.append(_entry(1))
    first, rest = path.read_bytes().split(b"\n", 1)
    assert b"moto" in first
    path.write_bytes(b'{"moto": "0.0"}\n' + rest)
    with pytest.raises(JournalOfAnotherVersion):
        list(journal.entries())


def test_a_taken_port_is_told(sandbox: SandboxProcess) -> None:
    """Not another one taken in silence: settings point at this one."""
    port = sandbox.base_url.rpartition(":")[2]
    command = [sys.executable, "-m", "awsaccess.sandbox", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode != 0
    assert "ready at" not in done.stdout
    assert "in use" in done.stdout + done.stderr
