"""moto's seams that the sandbox is sewn to: each is there in its expected shape, and unguarded moto is still no judge.

When one fails after an upgrade of moto, the patch behind it has to be read again, or is needed no longer.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Final

import pytest
from moto.cloudformation import models as cfm
from moto.cloudformation import parsing as cfp
from moto.cloudformation import responses as cfr
from moto.core.authorization import ActionAuthenticatorMixin
from moto.iam.models import IAMBackend
from moto.moto_api._internal.moto_random import MotoRandom
from moto.moto_server import werkzeug_app
from moto.s3.models import FakeBucket
from moto.sns.models import Subscription
from moto.sts.responses import TokenResponse

_CLOUDFORMATION: Final[Any] = cfr.CloudFormationResponse  # Any: its methods are patched by name
_STACK: Final[Any] = cfm.Stack  # Any: the same

_CREATE_ROLE: Final = [
    "self",
    "role_name",
    "assume_role_policy_document",
    "path",
    "permissions_boundary",
    "description",
    "tags",
    "max_session_duration",
    "linked_service",
]

_PUBLISH: Final = [
    "self",
    "message",
    "message_id",
    "subject",
    "message_attributes",
    "group_id",
    "deduplication_id",
    "message_structure",
]

SEAMS: Final[tuple[tuple[Callable[..., object], list[str]], ...]] = (
    (ActionAuthenticatorMixin._authenticate_and_authorize_action, ["self", "iam_request_cls", "resource"]),
    (IAMBackend.create_role, _CREATE_ROLE),
    (IAMBackend.update_assume_role_policy, ["self", "role_name", "policy_document"]),
    (IAMBackend.delete_role, ["self", "role_name"]),
    (IAMBackend.delete_user, ["self", "user_name"]),
    (IAMBackend._init_aws_policies, ["self"]),
    (TokenResponse.assume_role, ["self"]),
    (TokenResponse.get_session_token, ["self"]),
    (TokenResponse.get_federation_token, ["self"]),
    (Subscription.publish, _PUBLISH),
    (FakeBucket.get_permission, ["self", "action", "resource"]),
    (MotoRandom.random, ["self"]),
    (MotoRandom.getrandbits, ["self", "k"]),
    (werkzeug_app.create_backend_app, ["service"]),
    (cfp.resource_class_from_type, ["resource_type"]),
    (cfp.ResourceMap.__getitem__, ["self", "key"]),
    (_CLOUDFORMATION.create_stack, ["self"]),
    (_CLOUDFORMATION.update_stack, ["self"]),
    (_CLOUDFORMATION.delete_stack, ["self"]),
    (_CLOUDFORMATION.list_stack_resources, ["self"]),
    (_CLOUDFORMATION.get_template_summary, ["self"]),
    (_CLOUDFORMATION.validate_template, ["self"]),
)


@pytest.mark.parametrize(("seam", "parameters"), SEAMS, ids=lambda value: getattr(value, "__qualname__", ""))
def test_a_seam_is_where_it_was(seam: Callable[..., object], parameters: list[str]) -> None:
    """By name and parameters: a patch of something else would silently patch nothing."""
    assert list(inspect.signature(seam).parameters) == parameters


@pytest.mark.parametrize("name", ["outputs", "exports", "stack_resources", "parameter_list"])
def test_a_stack_shows_itself_by_properties(name: str) -> None:
    """Each is replaced."""
    assert isinstance(getattr(_STACK, name), property)


UNGUARDED: Final = """
import json, boto3
from moto import mock_aws
from moto.core import set_initial_no_auth_action_count
with mock_aws():
    sts = boto3.client("sts", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y")
    answer = sts.assume_role(RoleArn="arn:aws:iam::441709265583:role/nowhere", RoleSessionName="a b", ExternalId="bad")
    print(json.dumps(answer["AssumedRoleUser"]["Arn"]))
"""


def test_moto_alone_still_says_yes_to_everything() -> None:
    """A role that is not there, a wrong id, unknown keys: the day it refuses, read again what is repaired here."""
    done = subprocess.run([sys.executable, "-c", UNGUARDED], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout).startswith("arn:aws:sts::441709265583:assumed-role/")
