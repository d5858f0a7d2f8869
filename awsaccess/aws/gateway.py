"""The one door to AWS: values that cross it, and the Protocol that services, fakes and tests share.

Importing this module loads no boto3 (it costs a second): the door is built by `make_gateway`.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from awsaccess.aws import arns
from awsaccess.aws.clients import Clients, Keys, SQSClient
from awsaccess.aws.errors import STALE_HANDLE, Asked, AwsMisconfigured, AwsTransient, translated
from awsaccess.aws.federation import request_signin_token
from awsaccess.aws.kept import Kept
from awsaccess.aws.messages import QueueAddress, QueuedMessage

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import RoleTypeDef
    from mypy_boto3_sts import STSClient
    from mypy_boto3_sts.type_defs import AssumeRoleRequestTypeDef, AssumeRoleResponseTypeDef

EXTERNAL_ID: Final = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
TAG_TEXT: Final = re.compile(r"[\w .:/=+@-]*")
LONGEST_SESSION_POLICY: Final = 2048
MOST_SESSION_POLICIES: Final = 10
HUB_SECONDS: Final = 3600
HUB_MARGIN: Final = dt.timedelta(minutes=5)
CONTROL_SECONDS: Final = 900
CONTROL: Final = "latchkey-control"
CONTROL_IS_NAMELESS: Final = (
    "The portal's control role may not name its sessions. Let it do sts:SetSourceIdentity and sts:TagSession, as the"
    " template of “manage.py hub_stack” does."
)
# How long a message that was read stays hidden: longer than reading and answering ten of them takes.
HIDDEN_SECONDS: Final = 60
MOST_MESSAGES: Final = 10
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

    @property
    def control_role_arn(self) -> str:
        """A role of the practice's own that the hub may enter and no client trusts: see `AwsGateway.control`."""
        return f"arn:{self.partition}:iam::{self.account_id}:role/{arns.CONTROL_ROLE}"


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

    `external_id` None is a negative probe. `tags` are (key, value); `session_policy` is JSON text, and together with
    `policy_arns` (managed policies) the most that the session may do of what its role may.
    """

    role_arn: str
    external_id: str | None = field(repr=False)
    role_session_name: str
    duration_seconds: int
    source_identity: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    session_policy: str | None = None
    policy_arns: tuple[str, ...] = ()

    @property
    def is_named(self) -> bool:
        """Whether it needs sts:SetSourceIdentity or sts:TagSession beside sts:AssumeRole, on both sides."""
        return self.source_identity is not None or bool(self.tags)

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
        if self.source_identity is not None and not arns.SESSION_NAME.fullmatch(self.source_identity):
            raise BadAssumeRequest("source_identity is not one that AWS takes")
        if len(self.tags) > 50 or not all(_is_tag(key, value) for key, value in self.tags):
            raise BadAssumeRequest(
                "tags are at most 50, with 1 to 128 and at most 256 of the characters AWS takes"
            )
        if len(self.session_policy or "") > LONGEST_SESSION_POLICY:
            raise BadAssumeRequest("session_policy is longer than 2,048 characters")
        if len(self.policy_arns) > MOST_SESSION_POLICIES:
            raise BadAssumeRequest("policy_arns are more than 10")


def _is_tag(key: str, value: str) -> bool:
    sizes = 1 <= len(key) <= 128 and len(value) <= 256
    return sizes and all(TAG_TEXT.fullmatch(text) for text in (key, value))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEvent:
    """One call as the account's own event history has it. `error_code` is empty for what was done.

    `source` is AWS's name of the service, such as `ec2.amazonaws.com`.
    """

    event_id: str
    at: dt.datetime
    source: str
    name: str
    region: str
    read_only: bool
    error_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """Up to 50 events, newest first; `next_token` is empty on the last page."""

    events: tuple[HistoryEvent, ...]
    next_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryAsk:
    """What one access key did in one region between two moments."""

    region: str
    access_key_id: str
    since: dt.datetime
    until: dt.datetime


class AwsGateway(Protocol):
    """Every method may raise AwsTransient (nothing is known) and AwsMisconfigured (our side); others as noted."""

    def own_identity(self, hub: HubIdentity) -> CallerIdentity:
        """Who we are once the hub role is assumed. AwsMisconfigured if we cannot, or in an account not the hub's."""
        ...

    def assume(self, hub: HubIdentity, request: AssumeRequest) -> SessionCredentials:
        """AssumeRole out of the hub role. AwsDenied if refused, AwsRejected if a value is not accepted."""
        ...

    def control(self, hub: HubIdentity) -> None:
        """The hub enters the practice's own control role: a hub that lost sts:AssumeRole is refused here, too.

        AwsMisconfigured if it cannot. GetCallerIdentity alone cannot tell, AWS never denies it (AWS_FACTS §9).
        """
        ...

    def assume_as_another(self, hub: HubIdentity, request: AssumeRequest) -> SessionCredentials:
        """As `assume`, out of the control role, which may ask for the same roles as the hub and is trusted by none.

        AwsMisconfigured if that role could not ask, or may not name sessions where the request does: then the client's
        account was never asked.
        """
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

    def receive_messages(
        self, hub: HubIdentity, queue: QueueAddress, *, wait_seconds: int
    ) -> tuple[QueuedMessage, ...]:
        """Up to ten messages, waiting up to `wait_seconds` (1 to 5) for the first. They come back if not deleted."""
        ...

    def try_queue(self, hub: HubIdentity, queue: QueueAddress) -> None:
        """Whether the hub may read its queue. What lies in it stays there for whoever listens."""
        ...

    def delete_message(self, hub: HubIdentity, queue: QueueAddress, *, receipt_handle: str) -> None:
        """A message was dealt with. One whose handle is too old comes back, and is known then."""
        ...

    def lookup_events(
        self, credentials: SessionCredentials, ask: HistoryAsk, *, next_token: str = ""
    ) -> HistoryPage:
        """One page of CloudTrail's event history (AWS_FACTS §13): two a second by account and region. AwsDenied."""
        ...

    def signin_token(self, credentials: SessionCredentials, *, region: str, partition: str) -> str:
        """A sign-in token for 15 minutes: a secret. AwsRejected if AWS does not take the session."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _HubSession:
    credentials: SessionCredentials
    sts: STSClient
    make_sqs: Callable[[str, Keys], SQSClient]
    kept_sqs: dict[str, SQSClient] = field(default_factory=dict)

    @property
    def expires_at(self) -> dt.datetime:
        return self.credentials.expires_at

    def sqs(self, region: str) -> SQSClient:
        """Kept with the session: a queue is asked every few seconds. Two made at once do no harm."""
        if region not in self.kept_sqs:
            self.kept_sqs[region] = self.make_sqs(region, _keys(self.credentials))
        return self.kept_sqs[region]


@dataclass(frozen=True, slots=True, kw_only=True)
class _ControlSession:
    expires_at: dt.datetime
    sts: STSClient
    may_name: bool

    def require_names_for(self, request: AssumeRequest) -> None:
        if request.is_named and not self.may_name:
            raise AwsMisconfigured(CONTROL_IS_NAMELESS)


class BotoGateway:
    """The real door. One per process: it keeps the hub sessions and the clients that serve many calls.

    `endpoint_url` and `federation_base_url` stand in for AWS in demo and tests; the latter must be on this machine
    (BadAddress otherwise). Attempts count all requests, the first included.
    """

    def __init__(
        self,
        endpoint_url: str | None = None,
        federation_base_url: str | None = None,
        *,
        total_max_attempts: int = 3,
        sts_total_max_attempts: int = 3,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._clients = Clients(
            endpoint_url=endpoint_url or None,
            attempts=total_max_attempts,
            sts_attempts=sts_total_max_attempts,
        )
        self._federation = arns.loopback_origin(federation_base_url) if federation_base_url else None
        self._hubs = Kept(make=self._open_hub, now=now, margin=HUB_MARGIN)
        self._controls = Kept(make=self._open_control, now=now, margin=HUB_MARGIN)

    def own_identity(self, hub: HubIdentity) -> CallerIdentity:
        with self._inside(hub) as session, translated(Asked.OF_OURSELVES):
            identity = _identity(session.sts)
        if identity.account_id != hub.account_id:
            raise AwsMisconfigured("The portal's hub role lies in another account than it was set up with.")
        return identity

    def assume(self, hub: HubIdentity, request: AssumeRequest) -> SessionCredentials:
        hide = (request.external_id,) if request.external_id else ()
        with self._inside(hub) as session, translated(Asked.OF_CLIENT, hide=hide):
            return _credentials(session.sts.assume_role(**_parameters(request)))

    def control(self, hub: HubIdentity) -> None:
        with self._inside(hub) as session:
            _enter_control(session.sts, hub)

    def assume_as_another(self, hub: HubIdentity, request: AssumeRequest) -> SessionCredentials:
        hide = (request.external_id,) if request.external_id else ()
        session = self._controls.get(hub)
        try:
            session.require_names_for(request)
            with translated(Asked.OF_CLIENT, hide=hide):
                return _credentials(session.sts.assume_role(**_parameters(request)))
        except AwsMisconfigured:
            self._controls.forget(hub, session)
            raise

    def caller_identity(self, credentials: SessionCredentials, region: str) -> CallerIdentity:
        with translated(Asked.AS_VISITOR), self._clients.visiting_sts(region, _keys(credentials)) as sts:
            return _identity(sts)

    def inspect_role(self, credentials: SessionCredentials, *, role_name: str, region: str) -> RoleFacts:
        with translated(Asked.AS_VISITOR), self._clients.visiting_iam(region, _keys(credentials)) as iam:
            return _role_facts(iam, role_name)

    def upload_template(self, hub: HubIdentity, *, key: str, body: bytes) -> str:
        with self._inside(hub) as session, translated(Asked.OF_OURSELVES):
            version = self._put(hub, _keys(session.credentials), key=key, body=body)
        if not version or version == "null":
            raise AwsMisconfigured("The portal's template bucket keeps no versions; switch versioning on.")
        return version

    def receive_messages(
        self, hub: HubIdentity, queue: QueueAddress, *, wait_seconds: int
    ) -> tuple[QueuedMessage, ...]:
        with self._inside(hub) as session, translated(Asked.OF_OURSELVES):
            answer = session.sqs(queue.region).receive_message(
                QueueUrl=str(queue),
                MaxNumberOfMessages=MOST_MESSAGES,
                WaitTimeSeconds=wait_seconds,
                VisibilityTimeout=HIDDEN_SECONDS,
                MessageSystemAttributeNames=["SentTimestamp"],
            )
        return tuple(_message(found) for found in answer.get("Messages", []))

    def try_queue(self, hub: HubIdentity, queue: QueueAddress) -> None:
        with self._inside(hub) as session, translated(Asked.OF_OURSELVES):
            # Hidden for no second: whoever listens gets what this look met.
            session.sqs(queue.region).receive_message(
                QueueUrl=str(queue), MaxNumberOfMessages=1, WaitTimeSeconds=1, VisibilityTimeout=0
            )

    def delete_message(self, hub: HubIdentity, queue: QueueAddress, *, receipt_handle: str) -> None:
        with self._inside(hub) as session:
            try:
                with translated(Asked.OF_OURSELVES):
                    session.sqs(queue.region).delete_message(
                        QueueUrl=str(queue), ReceiptHandle=receipt_handle
                    )
            except AwsMisconfigured as error:
                if error.code not in STALE_HANDLE:
                    raise

    def lookup_events(
        self, credentials: SessionCredentials, ask: HistoryAsk, *, next_token: str = ""
    ) -> HistoryPage:
        keys = _keys(credentials)
        with translated(Asked.AS_VISITOR), self._clients.visiting_trail(ask.region, keys) as trail:
            answer = trail.lookup_events(
                LookupAttributes=[{"AttributeKey": "AccessKeyId", "AttributeValue": ask.access_key_id}],
                StartTime=ask.since,
                EndTime=ask.until,
                **({"NextToken": next_token} if next_token else {}),
            )
        events = tuple(_history_event(each, ask.region) for each in answer.get("Events", ()))
        return HistoryPage(events=events, next_token=str(answer.get("NextToken") or ""))

    def signin_token(self, credentials: SessionCredentials, *, region: str, partition: str) -> str:
        return request_signin_token(
            _keys(credentials), region=region, partition=partition, federation_base_url=self._federation
        )

    def _put(self, hub: HubIdentity, keys: Keys, *, key: str, body: bytes) -> str | None:
        with self._clients.hub_s3(hub.region, keys) as s3:
            # The owner is named, so that AWS refuses a bucket which somebody else has taken over.
            put = s3.put_object(
                Bucket=hub.template_bucket,
                Key=key,
                Body=body,
                ContentType="application/json",
                ExpectedBucketOwner=hub.account_id,
            )
        return put.get("VersionId")

    @contextmanager
    def _inside(self, hub: HubIdentity) -> Iterator[_HubSession]:
        """The kept hub session; dropped when it proves broken, so that a hub role made anew works at the next call."""
        session = self._hubs.get(hub)
        try:
            yield session
        except AwsMisconfigured:
            self._hubs.forget(hub, session)
            raise

    def _open_hub(self, hub: HubIdentity) -> _HubSession:
        """Base credentials into the hub role: one hour, the most that role chaining allows (AWS_FACTS §6)."""
        with translated(Asked.OF_OURSELVES):
            answer = self._clients.base_sts(hub.region).assume_role(
                RoleArn=_hub_role(hub),
                RoleSessionName=arns.session_name_for("latchkey", hub.practice_code),
                DurationSeconds=HUB_SECONDS,
            )
            credentials = _credentials(answer)
            return _HubSession(
                credentials=credentials,
                sts=self._clients.sts(hub.region, _keys(credentials)),
                make_sqs=self._clients.hub_sqs,
            )

    def _open_control(self, hub: HubIdentity) -> _ControlSession:
        """Into the control role, and out of it into itself: so it is proved that it may ask for roles at all."""
        with self._inside(hub) as session:
            credentials = _enter_control(session.sts, hub)
        sts = self._clients.sts(hub.region, _keys(credentials))
        return _ControlSession(expires_at=credentials.expires_at, sts=sts, may_name=_may_name(sts, hub))


def make_gateway(
    *,
    endpoint_url: str | None = None,
    federation_base_url: str | None = None,
    total_max_attempts: int = 3,
    sts_total_max_attempts: int = 3,
) -> AwsGateway:
    """The real gateway. Empty addresses mean AWS itself. Raises BadAddress for a sign-in address elsewhere."""
    return BotoGateway(
        endpoint_url or None,
        federation_base_url or None,
        total_max_attempts=total_max_attempts,
        sts_total_max_attempts=sts_total_max_attempts,
    )


def _may_name(sts: STSClient, hub: HubIdentity) -> bool:
    """Whether the control role may name its sessions; raises AwsMisconfigured if it may not even ask for roles.

    Without that right a client's role would refuse it for our own reason, which would prove nothing of the client's lock.
    """
    try:
        _enter_control(sts, hub, SourceIdentity=CONTROL, Tags=[{"Key": "latchkey:practice", "Value": "-"}])
    except AwsMisconfigured:
        _enter_control(sts, hub)
        return False
    return True


def _enter_control(sts: STSClient, hub: HubIdentity, **names: Any) -> SessionCredentials:
    """Any: AWS's parameters."""
    with translated(Asked.OF_OURSELVES):
        answer = sts.assume_role(
            RoleArn=hub.control_role_arn,
            RoleSessionName=arns.session_name_for(CONTROL, hub.practice_code),
            DurationSeconds=CONTROL_SECONDS,
            **names,
        )
        return _credentials(answer)


def _hub_role(hub: HubIdentity) -> str:
    try:
        arn = arns.RoleArn.parse(hub.role_arn)
    except arns.BadArn:
        raise AwsMisconfigured("The portal's hub role is not set up: its ARN is not one of a role.") from None
    if (arn.account_id, arn.partition) != (hub.account_id, hub.partition):
        raise AwsMisconfigured("The portal's hub role lies in another account than it was set up with.")
    return str(arn)


def _keys(credentials: SessionCredentials) -> Keys:
    return Keys(
        access_key_id=credentials.access_key_id,
        secret_access_key=credentials.secret_access_key,
        session_token=credentials.session_token,
    )


def _parameters(request: AssumeRequest) -> AssumeRoleRequestTypeDef:
    """Only what is set: AWS refuses empty values, and a negative probe must not send the field at all."""
    parameters: AssumeRoleRequestTypeDef = {
        "RoleArn": request.role_arn,
        "RoleSessionName": request.role_session_name,
        "DurationSeconds": request.duration_seconds,
    }
    if request.external_id is not None:
        parameters["ExternalId"] = request.external_id
    if request.source_identity is not None:
        parameters["SourceIdentity"] = request.source_identity
    if request.tags:
        parameters["Tags"] = [{"Key": key, "Value": value} for key, value in request.tags]
    if request.session_policy is not None:
        parameters["Policy"] = request.session_policy
    if request.policy_arns:
        parameters["PolicyArns"] = [{"arn": arn} for arn in request.policy_arns]
    return parameters


def _credentials(answer: AssumeRoleResponseTypeDef) -> SessionCredentials:
    given, user = answer["Credentials"], answer["AssumedRoleUser"]
    return SessionCredentials(
        access_key_id=given["AccessKeyId"],
        secret_access_key=given["SecretAccessKey"],
        session_token=given["SessionToken"],
        expires_at=given["Expiration"].astimezone(dt.UTC),
        assumed_role_id=user["AssumedRoleId"],
        session_arn=user["Arn"],
    )


def _message(found: dict[str, Any]) -> QueuedMessage:  # Any: JSON of AWS
    sent = str(found.get("Attributes", {}).get("SentTimestamp", ""))  # milliseconds
    return QueuedMessage(
        message_id=str(found["MessageId"]),
        receipt_handle=str(found["ReceiptHandle"]),
        body=str(found.get("Body", "")),
        sent_at=dt.datetime.fromtimestamp(int(sent) / 1000, dt.UTC) if sent.isdecimal() else None,
    )


def _history_event(found: dict[str, Any], region: str) -> HistoryEvent:  # Any: JSON of AWS
    try:
        told = json.loads(found.get("CloudTrailEvent") or "{}")
    except ValueError:
        raise AwsTransient("AWS gave an event that could not be read.") from None
    return HistoryEvent(
        event_id=str(found["EventId"]),
        at=found["EventTime"].astimezone(dt.UTC),
        source=str(found.get("EventSource", "")),
        name=str(found.get("EventName", "")),
        region=str(told.get("awsRegion") or region),
        read_only=str(found.get("ReadOnly", "")).lower() == "true",
        error_code=str(told.get("errorCode") or ""),
    )


def _identity(sts: STSClient) -> CallerIdentity:
    answer = sts.get_caller_identity()
    return CallerIdentity(account_id=answer["Account"], arn=answer["Arn"], user_id=answer["UserId"])


def _role_facts(iam: IAMClient, role_name: str) -> RoleFacts:
    role = iam.get_role(RoleName=role_name)["Role"]
    return RoleFacts(
        role_id=role["RoleId"],
        trust_document=_parsed(role.get("AssumeRolePolicyDocument")),
        inline_documents=_inline_documents(iam, role_name),
        attached_policy_arns=_attached(iam, role_name),
        permissions_boundary=_boundary(role),
        max_session_duration=role.get("MaxSessionDuration", 3600),
        tags={tag["Key"]: tag["Value"] for tag in role.get("Tags", [])},
    )


def _inline_documents(iam: IAMClient, role_name: str) -> dict[str, Document]:
    pages = iam.get_paginator("list_role_policies").paginate(RoleName=role_name)
    names = [name for page in pages for name in page["PolicyNames"]]
    return {
        name: _parsed(iam.get_role_policy(RoleName=role_name, PolicyName=name)["PolicyDocument"])
        for name in names
    }


def _attached(iam: IAMClient, role_name: str) -> frozenset[str]:
    pages = iam.get_paginator("list_attached_role_policies").paginate(RoleName=role_name)
    return frozenset(policy["PolicyArn"] for page in pages for policy in page["AttachedPolicies"])


def _boundary(role: RoleTypeDef) -> str | None:
    return role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")


def _parsed(document: object) -> Document:
    """boto3 decodes IAM's URL-encoded JSON, and hands on the text if it cannot: then nothing is known."""
    if not isinstance(document, dict):
        raise AwsTransient("AWS gave a policy that could not be read.")
    return document
