"""Temporary credentials as command lines take them: for this terminal, for the AWS CLI, for `credential_process`.

Built and serialised, each value quoted; what comes out is a secret, shown once and never kept.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from awsaccess.policy.documents import iam_time

if TYPE_CHECKING:
    from awsaccess.aws.gateway import SessionCredentials

FORMAT: Final = 1  # of what `credential_process` prints (AWS CLI User Guide, "Sourcing credentials with an external process")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """The same credentials in three forms: shell lines, AWS CLI commands, one JSON text."""

    env: str = field(repr=False)
    configure: str = field(repr=False)
    process: str = field(repr=False)


def forms_of(credentials: SessionCredentials, *, region: str, profile: str) -> Forms:
    """`profile` is the name under which the AWS CLI keeps them."""
    return Forms(
        env=_env(credentials, region),
        configure=_configure(credentials, region, profile),
        process=_process(credentials),
    )


def _env(credentials: SessionCredentials, region: str) -> str:
    named = {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "AWS_REGION": region,
    }
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in named.items())


def _configure(credentials: SessionCredentials, region: str, profile: str) -> str:
    named = {
        "aws_access_key_id": credentials.access_key_id,
        "aws_secret_access_key": credentials.secret_access_key,
        "aws_session_token": credentials.session_token,
        "region": region,
    }
    tail = f"--profile {shlex.quote(profile)}"
    return "\n".join(f"aws configure set {name} {shlex.quote(value)} {tail}" for name, value in named.items())


def _process(credentials: SessionCredentials) -> str:
    said = {
        "Version": FORMAT,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": iam_time(credentials.expires_at),
    }
    return json.dumps(said, indent=2)
