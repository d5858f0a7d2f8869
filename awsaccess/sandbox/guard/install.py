"""The patches of moto. Each private name has a canary in `tests/awsaccess/sandbox/test_canaries.py`."""

# ruff: noqa: SLF001  # moto's own seams; each has a canary
from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import Any, Final

import moto.cloudformation.models
import moto.iam.models
import moto.s3.models
import moto.sns.models
import moto.sts.models
from moto.core.authorization import ActionAuthenticatorMixin
from moto.iam.access_control import PermissionResult
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.exceptions import LimitExceededException, MalformedPolicyDocument
from moto.iam.models import AWSManagedPolicy, IAMBackend, iam_backends
from moto.s3.models import FakeBucket
from moto.sts.responses import TokenResponse

from awsaccess.sandbox import clock, ids
from awsaccess.sandbox.guard import checks, resource_policies
from awsaccess.sandbox.guard.caller import SESSIONS, Moto, Session, find_caller, role_seen
from awsaccess.sandbox.guard.context import tags_of
from awsaccess.sandbox.guard.language import SNS, Document, as_list, parse_document, statements
from awsaccess.sandbox.guard.propagation import PROPAGATION, as_it_is
from awsaccess.sandbox.guard.validation import trust_document_fault

_ENTITY: Final = re.compile(r"arn:aws:iam::(\d{12}):(role|user)/.+")
_NOT_PINNED: Final = re.compile(
    r"\*|\d{12}|arn:aws:iam::\d{12}:root|arn:aws:sts::\d{12}:(assumed-role/[^/*?]+|federated-user)/[^/*?]+"
)


def _named_arns(document: Document) -> list[str]:
    principals = [statement.get("Principal") for statement in statements(document)]
    return [arn for p in principals if isinstance(p, dict) for arn in as_list(p.get("AWS", []))]


def _unique_id(named: str) -> str | None:
    """The unique id of the user or role that this ARN names; None for accounts, `*` and sessions.

    Raises MalformedPolicyDocument for what names nobody: AWS knows no wildcards in a part of a name either.
    """
    if _NOT_PINNED.fullmatch(named):
        return None
    if match := _ENTITY.fullmatch(named):
        entities = getattr(iam_backends[match[1]]["aws"], f"{match[2]}s").values()
        if entity := next((entity for entity in list(entities) if entity.arn == named), None):
            return str(entity.id)
    raise MalformedPolicyDocument(f'Invalid principal in policy: "AWS":"{named}"')


def refuse_malformed(trust: str) -> None:
    """Raises MalformedPolicyDocument or LimitExceededException for a trust policy that AWS would not take."""
    if fault := trust_document_fault(trust):
        raise MalformedPolicyDocument(fault)
    if len("".join(trust.split())) > 2048:  # AWS_FACTS §1: white space is not counted
        raise LimitExceededException("Cannot exceed quota for ACLSizePerRole: 2048")


def pin_principals(role: Moto) -> None:
    """Remember the unique id of everybody the trust policy names, as AWS does; refuse one that names nobody."""
    refuse_malformed(role.assume_role_policy_document)
    arns = _named_arns(parse_document(role.assume_role_policy_document))
    role.pinned_ids = {arn: unique for arn in arns if (unique := _unique_id(arn))}


def _careful_create_role(create: Callable[..., Moto]) -> Callable[..., Moto]:
    def create_role(self: Moto, *args: Any, **kwargs: Any) -> Moto:  # Any: moto's arguments, passed on
        role = create(self, *args, **kwargs)
        try:
            pin_principals(role)
        except (LimitExceededException, MalformedPolicyDocument):
            self.roles.pop(role.id)
            raise
        PROPAGATION.changed(role.arn, None)
        return role

    return create_role


def _careful_update(update: Callable[..., None]) -> Callable[..., None]:
    def update_assume_role_policy(self: Moto, role_name: str, policy_document: str) -> None:
        role = self.get_role(role_name)
        old, before = role.assume_role_policy_document, as_it_is(role)
        try:
            refuse_malformed(policy_document)
            update(self, role_name, policy_document)
            pin_principals(role)
        except (LimitExceededException, MalformedPolicyDocument):
            role.assume_role_policy_document = old
            raise
        PROPAGATION.changed(role.arn, before)

    return update_assume_role_policy


def _with_id(principal: Any, arn: str, unique_id: str) -> Any:  # Any: JSON
    if not isinstance(principal, dict) or arn not in as_list(principal.get("AWS", [])):
        return principal
    named = [unique_id if name == arn else name for name in as_list(principal["AWS"])]
    return {**principal, "AWS": named if len(named) > 1 else named[0]}


def _show_by_id(role: Moto, arn: str, unique_id: str) -> None:
    document = parse_document(role.assume_role_policy_document)
    shown = [{**s, "Principal": _with_id(s.get("Principal"), arn, unique_id)} for s in statements(document)]
    role.assume_role_policy_document = json.dumps({**document, "Statement": shown})


def _orphan_principals(arn: str, unique_id: str) -> None:
    """Whoever trusted this user or role by name now shows its unique id, which nobody has any more (AWS_FACTS §1)."""
    for partitions in list(iam_backends.values()):
        roles: list[Moto] = list(partitions["aws"].roles.values())
        for role in roles:
            if getattr(role, "pinned_ids", {}).get(arn) == unique_id:
                del role.pinned_ids[arn]
                _show_by_id(role, arn, unique_id)


def _leaving_its_id(find: str, delete: Callable[..., None]) -> Callable[..., None]:
    def delete_entity(self: Moto, name: str) -> None:
        entity = getattr(self, find)(name)
        before = as_it_is(entity)
        delete(self, name)
        PROPAGATION.changed(entity.arn, before)
        _orphan_principals(entity.arn, entity.id)

    return delete_entity


def _session_of(response: Moto, made: Moto) -> Session | None:
    caller, role = find_caller(response.access_key), role_seen(made.role_arn)
    if caller is None or role is None:
        return None
    parent = caller.session
    return Session(
        account=made.account_id,
        arn=made.arn,
        role_arn=made.role_arn,
        role_id=role.id,
        name=made.session_name,
        access_key_id=made.access_key_id,
        secret_access_key=made.secret_access_key,
        session_token=made.session_token,
        issued=clock.now(),
        expires=clock.aware(made.expiration),
        chained=parent is not None,
        source_identity=response._get_param("SourceIdentity") or (parent.source_identity if parent else None),
        policy=made.policy,
        managed=checks.session_policy_arns({"PolicyArns": response._get_param("PolicyArns", [])}),
        tags=tags_of({"Tags": response._get_param("Tags", [])}),
    )


def _remembering(assume: Callable[..., Moto]) -> Callable[..., Moto]:
    def assume_role(self: Moto) -> Moto:
        result = assume(self)
        if session := _session_of(self, result.result["Credentials"]):
            SESSIONS[session.access_key_id] = session
            if session.source_identity:
                result.result["SourceIdentity"] = session.source_identity
        return result

    return assume_role


def _careful_delivery(publish: Callable[..., None]) -> Callable[..., None]:
    def deliver(self: Moto, *args: Any, **kwargs: Any) -> None:  # Any: moto's arguments, passed on
        """A queue takes from SNS what its own policy lets in; the rest is lost without a word, as on AWS."""
        if self.protocol == "sqs":
            context = {"aws:sourcearn": self.topic.arn, "aws:sourceaccount": self.topic.account_id}
            said = resource_policies.verdict(SNS, "sqs:SendMessage", self.endpoint, context)
            if said != "allow":
                return
        publish(self, *args, **kwargs)

    return deliver


@functools.cache
def _aws_policies() -> list[Moto]:
    """AWS's own policies, read once and shared: reading 1,485 documents per account takes seconds each."""
    data = json.loads(aws_managed_policies_data)
    with ids.seeded("AWS's own policies"):  # whoever asks first must not lose draws to them
        return [AWSManagedPolicy.from_data(name, "aws", "us-east-1", entry) for name, entry in data.items()]


def _refuse_action(action: str) -> Callable[..., Moto]:
    def refused(self: Moto) -> Moto:
        checks.fail(self, "NotImplemented", f"The sandbox does not simulate {action}", 501)

    return refused


def install() -> None:
    """Patch moto, once per process; there is no way back but a new process."""
    if ActionAuthenticatorMixin._authenticate_and_authorize_action is checks.authorize:
        return
    ids.install()
    for module in (moto.iam.models, moto.sts.models, moto.s3.models, moto.cloudformation.models):
        module.utcnow = clock.naive_now  # type: ignore[attr-defined]  # imported there by name
    mixin, iam, token, bucket = (
        _open(ActionAuthenticatorMixin),
        _open(IAMBackend),
        _open(TokenResponse),
        _open(FakeBucket),
    )
    mixin._authenticate_and_authorize_action = checks.authorize
    iam.create_role = _careful_create_role(iam.create_role)
    iam.update_assume_role_policy = _careful_update(iam.update_assume_role_policy)
    iam.delete_role = _leaving_its_id("get_role", iam.delete_role)
    iam.delete_user = _leaving_its_id("get_user", iam.delete_user)
    iam._init_aws_policies = lambda _: _aws_policies()
    token.assume_role = _remembering(token.assume_role)
    # These give one constant key of moto's default account: better none than a wrong one.
    for action in ("GetSessionToken", "GetFederationToken"):
        setattr(token, re.sub(r"(?<!^)([A-Z])", r"_\1", action).lower(), _refuse_action(action))
    # The guard decides about buckets; moto's own reading ignores conditions and principals.
    subscription = _open(moto.sns.models.Subscription)
    subscription.publish = _careful_delivery(subscription.publish)
    bucket.get_permission = lambda *_: PermissionResult.PERMITTED


def _open(cls: type) -> Moto:
    """A class of moto's as something that may be written to."""
    return cls
