"""The scripts as clients run them: a real shell, the real AWS CLI, and the simulated AWS."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from awsaccess.provision.ways import StackAsk, connect_script, delete_script, end_sessions_script
from tests.awsaccess.sandbox.contract.ministack_process import ENVIRONMENT
from tests.awsaccess.sandbox.making import refused
from tests.awsaccess.sandbox.test_flow import access_template, publish
from tests.plugins.sandbox_process import BRIGHTWATER, HOLLINS, SandboxProcess

CLI = ENVIRONMENT / "bin" / "aws"
NAME, REGION = "latchkey-lk-1", "eu-west-1"


@pytest.fixture(autouse=True)
def _cli() -> None:
    if not CLI.exists() and os.environ.get("CI") != "true":
        pytest.skip("`make ministack` gets the AWS CLI")


class Terminal:
    """Somebody's shell, signed in to an account."""

    def __init__(self, sandbox: SandboxProcess, account_id: str, folder: Path) -> None:
        keys = sandbox.accounts[account_id].admin_keys
        self.folder = folder
        self.environment = {
            "PATH": f"{CLI.parent}:/usr/bin:/bin",
            "HOME": str(folder),
            "AWS_ENDPOINT_URL": sandbox.base_url,
            "AWS_ACCESS_KEY_ID": keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def run(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`sh script`, as the page says."""
        file = self.folder / "way.sh"
        file.write_text(script)
        return subprocess.run(
            ["/bin/sh", str(file)],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def terminal(sandbox: SandboxProcess, tmp_path: Path) -> Terminal:
    return Terminal(sandbox, BRIGHTWATER, tmp_path)


def ask(sandbox: SandboxProcess, template: str = "") -> StackAsk:
    url = publish(sandbox, template or access_template())
    return StackAsk(account_id=BRIGHTWATER, region=REGION, stack_name=NAME, template_url=url)


def stacks(sandbox: SandboxProcess, account_id: str = BRIGHTWATER) -> dict[str, str]:
    found = sandbox.cloudformation(account_id).describe_stacks()["Stacks"]
    return {stack["StackName"]: stack["StackStatus"] for stack in found}


def test_the_script_makes_the_stack_and_the_other_removes_it(
    sandbox: SandboxProcess, terminal: Terminal
) -> None:
    asked = ask(sandbox)
    made = terminal.run(connect_script(asked))
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.splitlines()[-1] == "Done. The page in your browser notices by itself."
    assert stacks(sandbox) == {NAME: "CREATE_COMPLETE"}
    assert sandbox.iam(BRIGHTWATER).get_role(RoleName=NAME)["Role"]["RoleName"] == NAME

    removed = terminal.run(delete_script(asked))
    assert (removed.returncode, removed.stderr) == (0, "")
    refused("NoSuchEntity", sandbox.iam(BRIGHTWATER).get_role, RoleName=NAME)
    again = terminal.run(delete_script(asked))
    assert (again.returncode, "There is no stack" in again.stdout) == (0, True)


def test_a_newer_template_brings_the_stack_up_to_date(sandbox: SandboxProcess, terminal: Terminal) -> None:
    terminal.run(connect_script(ask(sandbox)))
    newer = ask(sandbox, access_template(MaxSessionDuration=7200))
    assert terminal.run(connect_script(newer)).returncode == 0
    assert stacks(sandbox) == {NAME: "UPDATE_COMPLETE"}
    assert sandbox.iam(BRIGHTWATER).get_role(RoleName=NAME)["Role"]["MaxSessionDuration"] == 7200


@pytest.mark.parametrize("write", [connect_script, delete_script, end_sessions_script])
def test_another_account_is_left_alone(sandbox: SandboxProcess, tmp_path: Path, write: object) -> None:
    elsewhere = Terminal(sandbox, HOLLINS, tmp_path)
    assert callable(write)
    answer = elsewhere.run(write(ask(sandbox)))
    assert answer.returncode == 3
    assert f"This is AWS account {HOLLINS}. It has to be {BRIGHTWATER}. Nothing was changed." in answer.stderr
    assert stacks(sandbox, HOLLINS) == stacks(sandbox) == {}


def test_what_aws_undid_is_told_in_its_own_words(sandbox: SandboxProcess, terminal: Terminal) -> None:
    sandbox.iam(BRIGHTWATER).create_role(
        RoleName=NAME, AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}'
    )
    answer = terminal.run(connect_script(ask(sandbox)))
    assert answer.returncode == 4
    assert "AWS stopped and undid it." in answer.stderr
    assert "already exists" in answer.stderr


def test_without_the_cli_it_says_where_there_is_one(sandbox: SandboxProcess, terminal: Terminal) -> None:
    answer = terminal.run(connect_script(ask(sandbox)), PATH="/nowhere")
    assert answer.returncode == 2
    assert "AWS CloudShell has it" in answer.stderr


def test_the_script_that_ends_visits_updates_what_is_there_and_makes_nothing(
    sandbox: SandboxProcess, terminal: Terminal
) -> None:
    asked = ask(sandbox)
    told = terminal.run(end_sessions_script(asked))
    assert (told.returncode, "There is no stack" in told.stdout) == (0, True)
    assert stacks(sandbox) == {}
    assert terminal.run(connect_script(asked)).returncode == 0
    told = terminal.run(end_sessions_script(ask(sandbox, access_template(MaxSessionDuration=7200))))
    assert (told.returncode, told.stdout.splitlines()[-1][:5]) == (0, "Done.")
    assert stacks(sandbox) == {NAME: "UPDATE_COMPLETE"}
