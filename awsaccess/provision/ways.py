"""Other ways to the same stack: a script for the AWS CLI, the script that removes it again, and Terraform.

All of them hand AWS the pinned template that was agreed to, so the role that comes out is the same one. Values enter
the scripts through `shlex.quote` alone, and Terraform through JSON with its two interpolations escaped (SECURITY §8).
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import Final

from awsaccess.provision.links import API_SUFFIXES, REGION, STACK_NAME

ACCOUNT: Final = re.compile(r"[0-9]{12}", re.ASCII)
CAPABILITY: Final = "CAPABILITY_NAMED_IAM"
HEAD: Final = """#!/bin/sh
# {purpose}
# Run it where the AWS CLI is signed in to your account, or in AWS CloudShell: sh {file}
set -eu
account={account}
region={region}
stack={stack}
"""
# Every line after the head is the same for everybody.
LOOK: Final = """
command -v aws >/dev/null 2>&1 || { echo 'The AWS CLI is not here. AWS CloudShell has it.' >&2; exit 2; }
here=$(aws sts get-caller-identity --region "$region" --query Account --output text)
if [ "$here" != "$account" ]; then
  echo "This is AWS account $here. It has to be $account. Nothing was changed." >&2
  exit 3
fi
stands() { aws cloudformation describe-stacks --region "$region" --stack-name "$stack" >/dev/null 2>&1; }
"""
CONNECT: Final = """
say_why() {
  echo 'AWS stopped and undid it. What it said:' >&2
  # shellcheck disable=SC2016  # the marks are JMESPath's
  aws cloudformation describe-stack-events --region "$region" --stack-name "$stack" --output text \\
    --query 'StackEvents[?contains(ResourceStatus, `FAILED`)].[LogicalResourceId, ResourceStatusReason]' >&2
  exit 4
}
if stands; then act=update; else act=create; fi
aws cloudformation "$act-stack" --region "$region" --stack-name "$stack" --template-url "$template" \\
  --capabilities CAPABILITY_NAMED_IAM >/dev/null
echo "AWS is at work. This takes about a minute."
aws cloudformation wait "stack-$act-complete" --region "$region" --stack-name "$stack" || say_why
echo "Done. The page in your browser notices by itself."
"""
UPDATE: Final = """
if ! stands; then
  echo "There is no stack $stack in $region. Nothing was changed."
  exit 0
fi
aws cloudformation update-stack --region "$region" --stack-name "$stack" --template-url "$template" \\
  --capabilities CAPABILITY_NAMED_IAM >/dev/null
echo "AWS is at work. This takes about a minute."
aws cloudformation wait stack-update-complete --region "$region" --stack-name "$stack"
echo "Done. Go back to the page in your browser and press Check now."
"""
DELETE: Final = """
if ! stands; then
  echo "There is no stack $stack in $region. Nothing was changed."
  exit 0
fi
aws cloudformation delete-stack --region "$region" --stack-name "$stack"
echo "AWS is at work. This takes about a minute."
aws cloudformation wait stack-delete-complete --region "$region" --stack-name "$stack"
echo "Done. The access is gone. The page in your browser notices by itself."
"""


class BadWay(ValueError):
    """Raised instead of writing a file with a value in it that AWS could not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackAsk:
    """The stack that is asked for: in which account (12 digits) and region, under which name, from which template."""

    account_id: str
    region: str
    stack_name: str
    template_url: str
    partition: str = "aws"


def connect_script(ask: StackAsk) -> str:
    """POSIX shell that makes the stack, or brings it up to date; it refuses in any other account. Raises BadWay."""
    head = _head(ask, purpose="Switches the agreed access on.", file="connect.sh")
    return f"{head}template={shlex.quote(ask.template_url)}\n{LOOK}{CONNECT}"


def end_sessions_script(ask: StackAsk) -> str:
    """POSIX shell that brings the stack to a template which denies older sessions. Raises BadWay."""
    head = _head(ask, purpose="Ends the visits that are open now.", file="end-visits.sh")
    return f"{head}template={shlex.quote(ask.template_url)}\n{LOOK}{UPDATE}"


def delete_script(ask: StackAsk) -> str:
    """POSIX shell that deletes the stack; it refuses in any other account. Raises BadWay."""
    return f"{_head(ask, purpose='Removes the access.', file='remove.sh')}{LOOK}{DELETE}"


def terraform(ask: StackAsk) -> str:
    """A `main.tf.json` for a folder of its own; `terraform destroy` removes the access. Raises BadWay."""
    _check(ask)
    configuration = {
        "terraform": {
            "required_version": ">= 1.2",
            "required_providers": {"aws": {"source": "hashicorp/aws", "version": ">= 4.0"}},
        },
        "provider": {"aws": {"region": ask.region, "allowed_account_ids": [ask.account_id]}},
        "resource": {
            "aws_cloudformation_stack": {
                "latchkey": {
                    "name": ask.stack_name,
                    "template_url": ask.template_url,
                    "capabilities": [CAPABILITY],
                }
            }
        },
        "output": {"role_arn": {"value": REFERENCE}},
    }
    return json.dumps(_escaped(configuration), indent=2, sort_keys=True) + "\n"


REFERENCE: Final = '${aws_cloudformation_stack.latchkey.outputs["RoleArn"]}'


def _head(ask: StackAsk, *, purpose: str, file: str) -> str:
    _check(ask)
    account, region, stack = map(shlex.quote, (ask.account_id, ask.region, ask.stack_name))
    return HEAD.format(purpose=purpose, file=file, account=account, region=region, stack=stack)


def _escaped(node: object) -> object:
    """The same structure with every text literal, but for our one reference."""
    if isinstance(node, dict):
        return {key: _escaped(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_escaped(value) for value in node]
    if not isinstance(node, str) or node == REFERENCE:
        return node
    return node.replace("${", "$${").replace("%{", "%%{")


def _check(ask: StackAsk) -> None:
    host = f".{API_SUFFIXES.get(ask.partition, '')}/"
    faults = {
        "an account number has 12 digits": ACCOUNT.fullmatch(ask.account_id) is None,
        "no such region": REGION.fullmatch(ask.region) is None,
        "a stack's name has letters, digits and hyphens": STACK_NAME.fullmatch(ask.stack_name) is None,
        "the template is not on AWS": not ask.template_url.startswith("https://")
        or host not in ask.template_url
        or not ask.template_url.isprintable(),
    }
    for otherwise, is_so in faults.items():
        if is_so:
            raise BadWay(otherwise)
