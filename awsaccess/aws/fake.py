"""An AWS in memory behind the same Protocol: for tests of services and views, without boto3 and without a network.

It judges trust and inline policies by itself and knows a session's limits, but not the contents of attached policies,
and nothing of the hub's own policies, propagation or permissions boundaries. `tests/awsaccess/test_contract.py` holds
it against the simulated AWS.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import threading
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol

from awsaccess.aws import arns
from awsaccess.aws.errors import AwsDenied, AwsError, AwsMisconfigured, AwsRejected, AwsTransient
from awsaccess.aws.gateway import (
    CONTROL_IS_NAMELESS,
    AssumeRequest,
    CallerIdentity,
    Document,
    HistoryAsk,
    HistoryEvent,
    HistoryPage,
    HubIdentity,
    RoleFacts,
    SessionCredentials,
)
from awsaccess.aws.judging import Question, allows, principals_of
from awsaccess.aws.messages import QueueAddress, QueuedMessage

if TYPE_CHECKING:
    from collections.abc import Iterator

Method = Literal[
    "own_identity",
    "assume",
    "control",
    "assume_as_another",
    "caller_identity",
    "inspect_role",
    "upload_template",
    "receive_messages",
    "try_queue",
    "delete_message",
    "signin_token",
    "lookup_events",
]
CHAINED_SECONDS: Final = 3600
HISTORY_PAGE: Final = 50
LOOKS: Final = ("iam:GetRole", "iam:ListRolePolicies", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies")


class AgreedRole(Protocol):
    """What a role is made from: `awsaccess.provision.access_stack.ExpectedRole`."""

    @property
    def trust_document(self) -> Document: ...
    @property
    def inline_documents(self) -> Mapping[str, Document]: ...
    @property
    def attached_policy_arns(self) -> AbstractSet[str]: ...
    @property
    def max_session_duration(self) -> int: ...
    @property
    def tags(self) -> Mapping[str, str]: ...


@dataclass(slots=True, kw_only=True, eq=False)
class FakeRole:
    """A role in a client's account. Tests may change it as the client would."""

    arn: str
    role_id: str
    trust_document: Document
    inline_documents: dict[str, Document]
    attached_policy_arns: frozenset[str]
    permissions_boundary: str | None = None
    max_session_duration: int
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that was made, refused or not. `subject` is the ARN of a hub, role or session, a role's name or a key."""

    method: Method
    subject: str
    region: str
    request: AssumeRequest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    role: FakeRole
    credentials: SessionCredentials
    policy: Document | None
    managed: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class _Failure:
    error: AwsError
    left: int | None  # None: until it is mended


class FakeAwsGateway:
    """`roles` by ARN, `uploads` by bucket, key and version, `signins` by token, `queues` by address (messages stay in
    them until they are deleted) and `calls` are open to tests."""

    def __init__(
        self, *hubs: HubIdentity, now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    ) -> None:
        self.hubs = {hub.role_arn: hub for hub in hubs}
        self.roles: dict[str, FakeRole] = {}
        self.uploads: dict[tuple[str, str, str], bytes] = {}
        self.signins: dict[str, SessionCredentials] = {}
        self.queues: dict[str, list[QueuedMessage]] = {}
        self.history: dict[str, list[HistoryEvent]] = {}  # by access key id: what tests say was done with it
        self.calls: list[Call] = []
        self.powerless: set[str] = set()  # ARNs of hub and control roles that lost sts:AssumeRole
        self.nameless: set[str] = set()  # ARNs of control roles that may not name their sessions
        self._sessions: dict[str, _Session] = {}
        self._failures: dict[Method, _Failure] = {}
        self._now = now
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()  # sweeps ask from many threads

    # ------------------------------------------------------------ for tests

    def make_role(self, arn: str, agreed: AgreedRole) -> FakeRole:
        """The role as the client's stack makes it; with a new id each time, as AWS does."""
        role = FakeRole(
            arn=str(arns.RoleArn.parse(arn)),
            role_id=f"AROAFAKE{next(self._numbers):012}",
            trust_document=_copied(agreed.trust_document),
            inline_documents={name: _copied(each) for name, each in agreed.inline_documents.items()},
            attached_policy_arns=frozenset(agreed.attached_policy_arns),
            max_session_duration=agreed.max_session_duration,
            tags=dict(agreed.tags),
        )
        self.roles[role.arn] = role
        return role

    def remove_role(self, arn: str) -> None:
        """As deleting the stack does: its sessions end, too."""
        del self.roles[arn]

    def fail(self, method: Method, error: AwsError, *, times: int | None = None) -> None:
        """The next `times` calls of a method raise the error; all of them until `mend` without a number."""
        self._failures[method] = _Failure(error=error, left=times)

    def mend(self) -> None:
        """Nothing fails any more."""
        self._failures.clear()

    def publish(self, queue: str, body: str) -> QueuedMessage:
        """A message arrives in a queue of a hub."""
        number = next(self._numbers)
        message = QueuedMessage(
            message_id=f"message-{number}", receipt_handle=f"handle-{number}", body=body, sent_at=self._now()
        )
        self.queues.setdefault(queue, []).append(message)
        return message

    # ------------------------------------------------------------ the Protocol

    def own_identity(self, hub: HubIdentity) -> CallerIdentity:
        with self._called(Call(method="own_identity", subject=hub.role_arn, region=hub.region)):
            name = self._hub_role(hub).name
            session = arns.session_name_for("latchkey", hub.practice_code)
            return CallerIdentity(
                account_id=hub.account_id,
                arn=f"arn:{hub.partition}:sts::{hub.account_id}:assumed-role/{name}/{session}",
                user_id=f"AROAFAKEHUB000000000:{session}",
            )

    def assume(self, hub: HubIdentity, request: AssumeRequest) -> SessionCredentials:
        with self._called(
            Call(method="assume", subject=request.role_arn, region=hub.region, request=request)
        ):
            self._hub_role(hub)
            return self._assumed(hub, hub.role_arn, request)

    def control(self, hub: HubIdentity) -> None:
        with self._called(Call(method="control", subject=hub.control_role_arn, region=hub.region)):
            self._hub_role(hub)
            self._require_power(hub.role_arn)

    def assume_as_another(self, hub: HubIdentity, request: AssumeRequest) -> SessionCredentials:
        with self._called(
            Call(method="assume_as_another", subject=request.role_arn, region=hub.region, request=request)
        ):
            self._hub_role(hub)
            self._require_power(hub.role_arn)
            self._require_power(hub.control_role_arn)
            if request.is_named and hub.control_role_arn in self.nameless:
                raise AwsMisconfigured(CONTROL_IS_NAMELESS)
            return self._assumed(hub, hub.control_role_arn, request)

    def caller_identity(self, credentials: SessionCredentials, region: str) -> CallerIdentity:
        with self._called(Call(method="caller_identity", subject=credentials.session_arn, region=region)):
            there = self._live(credentials).credentials
            account_id, _ = arns.assumed_role_parts(there.session_arn)
            return CallerIdentity(account_id=account_id, arn=there.session_arn, user_id=there.assumed_role_id)

    def inspect_role(self, credentials: SessionCredentials, *, role_name: str, region: str) -> RoleFacts:
        with self._called(Call(method="inspect_role", subject=role_name, region=region)):
            session = self._live(credentials)
            own = arns.RoleArn.parse(session.role.arn)
            arn = f"arn:{own.partition}:iam::{own.account_id}:role/{role_name}"
            wanted = session.role if own.name == role_name else self.roles.get(arn)
            place = wanted.arn if wanted else arn
            if not all(self._may(session, action, place) for action in LOOKS):
                raise AwsDenied(code="AccessDenied")
            if wanted is None:
                raise AwsTransient(code="NoSuchEntity")
            return _facts(wanted)

    def upload_template(self, hub: HubIdentity, *, key: str, body: bytes) -> str:
        with self._called(Call(method="upload_template", subject=key, region=hub.region)):
            self._hub_role(hub)
            if self.hubs[hub.role_arn].template_bucket != hub.template_bucket:
                raise AwsMisconfigured(code="NoSuchBucket")
            version = f"version-{next(self._numbers)}"
            self.uploads[hub.template_bucket, key, version] = body
            return version

    def receive_messages(
        self, hub: HubIdentity, queue: QueueAddress, *, wait_seconds: int
    ) -> tuple[QueuedMessage, ...]:
        del wait_seconds  # nobody else writes into it meanwhile
        with self._called(Call(method="receive_messages", subject=str(queue), region=queue.region)):
            self._hub_role(hub)
            return tuple(self.queues.get(str(queue), ())[:10])

    def try_queue(self, hub: HubIdentity, queue: QueueAddress) -> None:
        with self._called(Call(method="try_queue", subject=str(queue), region=queue.region)):
            self._hub_role(hub)

    def delete_message(self, hub: HubIdentity, queue: QueueAddress, *, receipt_handle: str) -> None:
        with self._called(Call(method="delete_message", subject=str(queue), region=queue.region)):
            self._hub_role(hub)
            there = self.queues.get(str(queue), [])
            self.queues[str(queue)] = [each for each in there if each.receipt_handle != receipt_handle]

    def lookup_events(
        self, credentials: SessionCredentials, ask: HistoryAsk, *, next_token: str = ""
    ) -> HistoryPage:
        with self._called(Call(method="lookup_events", subject=ask.access_key_id, region=ask.region)):
            if not self._may(self._live(credentials), "cloudtrail:LookupEvents", "*"):
                raise AwsDenied(code="AccessDeniedException")
            held = self.history.get(ask.access_key_id, ())
            found = [one for one in held if one.region == ask.region and ask.since <= one.at <= ask.until]
            found.sort(key=lambda one: one.at, reverse=True)
            start = int(next_token or 0)
            more = str(start + HISTORY_PAGE) if start + HISTORY_PAGE < len(found) else ""
            return HistoryPage(events=tuple(found[start : start + HISTORY_PAGE]), next_token=more)

    def signin_token(self, credentials: SessionCredentials, *, region: str, partition: str) -> str:
        with self._called(Call(method="signin_token", subject=credentials.session_arn, region=region)):
            arns.signin_endpoint(partition, region)
            try:
                session = self._live(credentials)
            except AwsTransient:
                raise AwsRejected(
                    "the sign-in service did not take the session, and gave no reason", code="HTTP400"
                ) from None
            token = f"fake-signin-token-{next(self._numbers)}"
            self.signins[token] = session.credentials
            return token

    # ------------------------------------------------------------ inside

    def _called(self, call: Call) -> AbstractContextManager[None]:
        return _noted(self._lock, self.calls, self._failures, call)

    def _hub_role(self, hub: HubIdentity) -> arns.RoleArn:
        known = self.hubs.get(hub.role_arn)
        if known is None or known.account_id != hub.account_id:
            raise AwsMisconfigured(code="AccessDenied")
        return arns.RoleArn.parse(hub.role_arn)

    def _require_power(self, role_arn: str) -> None:
        if role_arn in self.powerless:
            raise AwsMisconfigured(code="AccessDenied")

    def _assumed(self, hub: HubIdentity, caller: str, request: AssumeRequest) -> SessionCredentials:
        policy = _session_policy(request)
        role = self.roles.get(request.role_arn)
        if caller in self.powerless or role is None or not self._lets_in(role, hub, caller, request):
            raise AwsDenied(code="AccessDenied")
        _check_duration(request)
        return self._new_session(role, request, policy)

    def _lets_in(self, role: FakeRole, hub: HubIdentity, caller: str, request: AssumeRequest) -> bool:
        common = {**self._context(), "aws:principalarn": caller, "aws:principalaccount": hub.account_id}
        named = {f"aws:requesttag/{key.lower()}": value for key, value in request.tags}
        if request.source_identity is not None:
            named["sts:sourceidentity"] = request.source_identity
        entering = {**common, **named, "sts:rolesessionname": request.role_session_name}
        if request.external_id is not None:  # a key of AssumeRole only (AWS_FACTS §1)
            entering["sts:externalid"] = request.external_id
        wanted = {"sts:AssumeRole": entering}
        if request.source_identity is not None:
            wanted["sts:SetSourceIdentity"] = {**common, **named}
        if request.tags:
            wanted["sts:TagSession"] = {**common, **named}
        principals = principals_of(caller, hub.account_id)
        return all(
            allows([role.trust_document], Question(action=action, principals=principals, context=context))
            for action, context in wanted.items()
        )

    def _new_session(
        self, role: FakeRole, request: AssumeRequest, policy: Document | None
    ) -> SessionCredentials:
        arn, number = arns.RoleArn.parse(role.arn), next(self._numbers)
        # Assembled, so that no scanner for leaked keys takes the text of this file for one.
        credentials = SessionCredentials(
            access_key_id=f"{'ASIA'}FAKE{number:012}",
            secret_access_key=f"fake-secret-{number}",
            session_token=f"fake-session-token-{number}",
            expires_at=self._now().replace(microsecond=0) + dt.timedelta(seconds=request.duration_seconds),
            assumed_role_id=f"{role.role_id}:{request.role_session_name}",
            session_arn=f"arn:{arn.partition}:sts::{arn.account_id}:assumed-role/{arn.name}/{request.role_session_name}",
        )
        session = _Session(role=role, credentials=credentials, policy=policy, managed=request.policy_arns)
        self._sessions[credentials.access_key_id] = session
        return credentials

    def _live(self, credentials: SessionCredentials) -> _Session:
        """Raises AwsTransient for keys that are no good any more, as a visitor's are (see `errors.Asked`)."""
        session = self._sessions.get(credentials.access_key_id)
        if session is None or _secrets(session.credentials) != _secrets(credentials):
            raise AwsTransient(code="InvalidClientTokenId")
        if session.credentials.expires_at <= self._now():
            raise AwsTransient(code="ExpiredToken")
        if self.roles.get(session.role.arn) is not session.role:
            raise AwsTransient(code="InvalidClientTokenId")
        return session

    def _may(self, session: _Session, action: str, resource: str) -> bool:
        question = Question(action=action, resource=resource, context=self._context())
        by_role = allows(session.role.inline_documents.values(), question)
        limits = [session.policy] if session.policy is not None else []
        if (
            session.managed
        ):  # what AWS's own policies say is not known here: only that a Deny beside them holds
            limits.append({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
        return by_role and (not limits or allows(limits, question))

    def _context(self) -> dict[str, str]:
        return {"aws:currenttime": self._now().isoformat()}


@contextmanager
def _noted(
    lock: threading.RLock, calls: list[Call], failures: dict[Method, _Failure], call: Call
) -> Iterator[None]:
    with lock:
        calls.append(call)
        failure = failures.get(call.method)
        if failure is not None and failure.left != 0:
            failure.left = None if failure.left is None else failure.left - 1
            raise failure.error
        yield


def _session_policy(request: AssumeRequest) -> Document | None:
    if request.session_policy is None:
        return None
    try:
        policy: Document = json.loads(request.session_policy)
    except ValueError:
        raise AwsRejected("This policy contains invalid Json", code="MalformedPolicyDocument") from None
    return policy


def _check_duration(request: AssumeRequest) -> None:
    """The hub's session is itself a role's: one hour at most (AWS_FACTS §6), which every role allows."""
    if request.duration_seconds > CHAINED_SECONDS:
        words = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        raise AwsRejected(words, code="ValidationError")


def _facts(role: FakeRole) -> RoleFacts:
    return RoleFacts(
        role_id=role.role_id,
        trust_document=_copied(role.trust_document),
        inline_documents={name: _copied(each) for name, each in role.inline_documents.items()},
        attached_policy_arns=frozenset(role.attached_policy_arns),
        permissions_boundary=role.permissions_boundary,
        max_session_duration=role.max_session_duration,
        tags=dict(role.tags),
    )


def _secrets(credentials: SessionCredentials) -> tuple[str, str]:
    return credentials.secret_access_key, credentials.session_token


def _copied(document: Document) -> Document:
    copied: Document = json.loads(json.dumps(document))
    return copied
