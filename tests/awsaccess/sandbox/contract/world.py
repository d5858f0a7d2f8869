"""Three accounts over one endpoint: the consultant, the client, a stranger. It knows AWS calls only."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import boto3
from botocore.config import Config

from awsaccess.sandbox.signing import Keys
from tests.awsaccess.sandbox.making import COMPANIONS, EVERYTHING, Statement, grant, policy, trust
from tests.plugins.sandbox_process import BRIGHTWATER, NORTHGATE, STRANGER

CONSULTANT, CLIENT, THIRD = NORTHGATE, BRIGHTWATER, STRANGER
ROOT: Final = f"arn:aws:iam::{CONSULTANT}:root"
HUB: Final = f"arn:aws:iam::{CONSULTANT}:role/hub"
OTHER: Final = f"arn:aws:iam::{CONSULTANT}:role/other"
HUB_SESSION: Final = f"arn:aws:sts::{CONSULTANT}:assumed-role/hub/portal"
PORTAL_USER: Final = f"arn:aws:iam::{CONSULTANT}:user/portal-user"
ASSUME: Final = policy(grant(["sts:AssumeRole", *COMPANIONS]))


def _keys(answer: Mapping[str, Any]) -> Keys:  # Any: an AWS answer
    return Keys(
        access_key_id=answer["AccessKeyId"],
        secret_access_key=answer["SecretAccessKey"],
        session_token=answer.get("SessionToken"),
    )


@dataclass(slots=True, kw_only=True)
class World:
    """`administrators` are the keys of the three accounts; `prepare` makes everybody who calls."""

    endpoint: str
    administrators: Mapping[str, Keys]
    callers: dict[str, Keys] = field(default_factory=dict)
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)  # Any: one client type per service
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def prepare(self) -> None:
        """Make the callers: users and role sessions of the consultant, a stranger who may do everything."""
        denied = policy(grant("*"), {"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*"})
        self.callers = {
            "portal": self.make_user(CONSULTANT, "portal-user", ASSUME),
            "plain": self.make_user(CONSULTANT, "plain", policy(grant("sts:AssumeRole"))),
            "nobody": self.make_user(CONSULTANT, "nobody"),
            "denier": self.make_user(CONSULTANT, "denier", denied),
            "stranger": self.make_user(THIRD, "stranger", EVERYTHING),
        }
        for name in ("hub", "other"):
            self.make_hub_role(name)
            self.callers[name] = self.as_hub(name)

    def client(self, service: str, keys: Keys) -> Any:  # Any: one client type per service
        """A client that tries once and leaves every check to the other side."""
        wanted = (service, keys.access_key_id + keys.secret_access_key[-4:] + (keys.session_token or "")[-4:])
        if wanted not in self._clients:
            self._clients[wanted] = _make_client(
                service,
                region_name="eu-west-1",
                endpoint_url=self.endpoint,
                aws_access_key_id=keys.access_key_id,
                aws_secret_access_key=keys.secret_access_key,
                aws_session_token=keys.session_token,
            )
        return self._clients[wanted]

    def iam(self, account_id: str = CLIENT) -> Any:  # Any: an IAM client
        """IAM as the administrator of an account."""
        return self.client("iam", self.administrators[account_id])

    # ------------------------------------------------------------ the consultant's side

    def make_user(self, account_id: str, name: str, document: str | None = None) -> Keys:
        """A user with a key."""
        iam = self.iam(account_id)
        iam.create_user(UserName=name)
        if document:
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
        return _keys(iam.create_access_key(UserName=name)["AccessKey"])

    def make_hub_role(self, name: str) -> str:
        """A role of the consultant that the portal's user may take, tagged `team=blue`; its ARN."""
        iam, tags = self.iam(CONSULTANT), [{"Key": "team", "Value": "blue"}]
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust(PORTAL_USER)), Tags=tags)
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=ASSUME)
        arn: str = made["Role"]["Arn"]
        return arn

    def as_hub(self, name: str) -> Keys:
        """A session of such a role."""
        sts = self.client("sts", self.callers["portal"])
        arn = f"arn:aws:iam::{CONSULTANT}:role/{name}"
        return _keys(sts.assume_role(RoleArn=arn, RoleSessionName="portal")["Credentials"])

    def delete_role(self, name: str, account_id: str = CLIENT) -> None:
        """Delete a role that was made here."""
        iam = self.iam(account_id)
        for inline in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=inline)
        iam.delete_role(RoleName=name)

    def organization(self) -> str:
        """The consultant's organization, which is made if there is none; its id."""
        client = self.client("organizations", self.administrators[CONSULTANT])
        try:
            found = client.describe_organization()
        except client.exceptions.AWSOrganizationsNotInUseException:
            found = client.create_organization(FeatureSet="ALL")
        organization: str = found["Organization"]["Id"]
        return organization

    def remake_hub_role(self, name: str) -> Keys:
        """Delete it and make it again under the same name; a session of the new one."""
        self.delete_role(name, CONSULTANT)
        self.make_hub_role(name)
        return self.as_hub(name)

    # ------------------------------------------------------------ the client's side

    def unused(self, word: str) -> str:
        """A name that nothing has yet."""
        return f"{word}-{next(self._numbers)}"

    def make_role(
        self, *statements: Statement, document: str | None = None, rights: str = EVERYTHING, **more: Any
    ) -> str:
        """A role of the client; its ARN. `document` is a trust policy as text. Any: CreateRole's parameters."""
        name, text = self.unused("role"), document if document is not None else policy(*statements)
        made = self.iam().create_role(RoleName=name, AssumeRolePolicyDocument=text, **more)
        self.iam().put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=rights)
        arn: str = made["Role"]["Arn"]
        return arn

    def trust_of(self, arn: str) -> str:
        """The trust policy as GetRole shows it."""
        return json.dumps(self.iam().get_role(RoleName=name_of(arn))["Role"]["AssumeRolePolicyDocument"])

    # ------------------------------------------------------------ calls that are judged

    def assume(
        self, arn: str, external_id: str | None = "good-id", keys: Keys | None = None, **more: Any
    ) -> Any:
        """AssumeRole, as the hub unless told otherwise. Any: its parameters, its answer."""
        given = {
            "RoleSessionName": "sess",
            **({"ExternalId": external_id} if external_id is not None else {}),
        }
        return self.client("sts", keys or self.callers["hub"]).assume_role(RoleArn=arn, **{**given, **more})

    def enter(
        self, arn: str, external_id: str | None = "good-id", keys: Keys | None = None, **more: Any
    ) -> Keys:
        """AssumeRole, down to the keys. Any: its parameters."""
        return _keys(self.assume(arn, external_id, keys, **more)["Credentials"])

    def use(self, keys: Keys) -> None:
        """A call that needs a right: s3:ListAllMyBuckets."""
        self.client("s3", keys).list_buckets()

    def whoami(self, keys: Keys) -> str:
        """GetCallerIdentity, which needs none; the ARN."""
        arn: str = self.client("sts", keys).get_caller_identity()["Arn"]
        return arn


def name_of(arn: str) -> str:
    """The role's name."""
    return arn.rsplit("/", 1)[1]


@functools.cache
def _session() -> Any:  # Any: boto3's overloads, one per service
    return boto3.Session()  # one for all: reading the service models costs more than any call


def _make_client(service: str, **more: Any) -> Any:  # Any: as boto3
    # Without its own validation: whether a short external id is refused is for the other side to say.
    config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
    return _session().client(service, config=config, **more)
