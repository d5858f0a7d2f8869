"""The one door to AWS: values that cross it, and the Protocol that services, fakes and tests share.

Importing this module loads no boto3 (it costs a second): the door is built by `make_gateway`.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from awsaccess.aws import arns

EXTERNAL_ID: Final = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
LONGEST_SESSION_POLICY: Final = 2048
Document = dict[str, Any]  # Any: IAM's JSON nests as it likes


class BadAssumeRequest(ValueError):
    """Raised for values that AWS would not take (AWS_FACTS §6). Names the field, never its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubIdentity:
    """The practice's own AWS side: the role every visit comes from, and the bucket its templates lie in."""

    practice_code: str
    account_id: str
    role_arn: str
    region: str
    template_bucket: str
    partition: str = "aws"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCredentials:
    """Temporary credentials. They live in the memory of one request and are never stored or logged."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: dt.datetime
    assumed_role_id: str
    session_arn: str

    @property
    def role_id(self) -> str:
        """The role's own id (`AROA...`): another one under the same ARN means that the role was made anew."""
        return self.assumed_role_id.partition(":")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerIdentity:
    """What GetCallerIdentity says. `arn` of a role session lacks the role's path."""

    account_id: str
    arn: str
    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssumeRequest:
    """One AssumeRole. Raises BadAssumeRequest for what AWS would refuse, before anything is sent.

    `external_id` None is a negative probe. `tags` are (key, value); `session_policy` is JSON text.
    """

    role_arn: str
    external_id: str | None = field(repr=False)
    role_session_name: str
    duration_seconds: int
    source_identity: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    session_policy: str | None = None

    def __post_init__(self) -> None:
        try:
            arns.RoleArn.parse(self.role_arn)
        except arns.BadArn:
            raise BadAssumeRequest("role_arn is not the ARN of one role") from None
        if self.external_id is not None and not EXTERNAL_ID.fullmatch(self.external_id):
            raise BadAssumeRequest("external_id is not one that AWS takes")
        if not arns.SESSION_NAME.fullmatch(self.role_session_name):
            raise BadAssumeRequest("role_session_name is not one that AWS takes")
        if not 900 <= self.duration_seconds <= 43200:
            raise BadAssumeRequest("duration_seconds must be 900 to 43,200")
        self._check_attribution()

    def _check_attribution(self) -> None:
        named = self.source_identity
        if named is not None and (not arns.SESSION_NAME.fullmatch(named) or named.startswith("aws:")):
            raise BadAssumeRequest("source_identity is not one that AWS takes")
        if len(self.tags) > 50 or any(
            not 1 <= len(key) <= 128 or len(value) > 256 for key, value in self.tags
        ):
            raise BadAssumeRequest(
                "tags are at most 50, keys of 1 to 128 and values of at most 256 characters"
            )
        if len(self.session_policy or "") > LONGEST_SESSION_POLICY:
            raise BadAssumeRequest("session_policy is longer than 2,048 characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleFacts:
    """A role as AWS has it now. Documents are parsed JSON; `inline_documents` by policy name; duration in seconds."""

    role_id: str
    trust_document: Document
    inline_documents: dict[str, Document]
    attached_policy_arns: frozenset[str]
    permissions_boundary: str | None
    max_session_duration: int
    tags: dict[str, str]


class AwsGateway(Protocol):
    """Every method may raise AwsTransient (nothing is known) and AwsMisconfigured (our side); others as noted."""

    def own_identity(self, hub: HubIdentity) -> CallerIdentity:
        """Who we are once the hub role is assumed. AwsMisconfigured if we cannot, or in an account not the hub's."""
        ...

    def assume(self, hub: HubIdentity, request: AssumeRequest) -> SessionCredentials:
        """AssumeRole out of the hub role. AwsDenied if refused, AwsRejected if a value is not accepted."""
        ...

    def caller_identity(self, credentials: SessionCredentials, region: str) -> CallerIdentity:
        """Where a new session really is; AWS never denies this call."""
        ...

    def inspect_role(self, credentials: SessionCredentials, *, role_name: str, region: str) -> RoleFacts:
        """The role as it looks at itself, every page. AwsDenied if it may not."""
        ...

    def upload_template(self, hub: HubIdentity, *, key: str, body: bytes) -> str:
        """Put a template into the hub's bucket; gives the version id. AwsMisconfigured if the bucket keeps none."""
        ...

    def signin_token(self, credentials: SessionCredentials, *, region: str, partition: str) -> str:
        """A sign-in token for 15 minutes: a secret. AwsRejected if AWS does not take the session."""
        ...
