"""The decision about one call, in moto's place: who is it, is the signature right, do all policies allow it."""

# ruff: noqa: SLF001  # moto's own seams; each has a canary
from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn
from urllib.parse import unquote, urlsplit

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import get_service_model
from moto.iam.models import iam_backends
from moto.s3.exceptions import S3ClientError
from werkzeug.exceptions import HTTPException

from awsaccess.sandbox import clock, signing
from awsaccess.sandbox.guard import resource_policies, validation
from awsaccess.sandbox.guard.caller import (
    SESSIONS,
    Caller,
    Moto,
    Session,
    find_caller,
    role_seen,
    secret_of,
)
from awsaccess.sandbox.guard.context import (
    ASSUME_ONLY_KEYS,
    CURRENT,
    Params,
    Request,
    remember,
    request_context,
)
from awsaccess.sandbox.guard.language import (
    Context,
    Document,
    Question,
    Verdict,
    evaluate,
    parse_document,
)
from awsaccess.sandbox.guard.resources import resource_arn


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Why a call was allowed or refused: a test asserts on this, because AWS gives no reason."""

    action: str
    resource: str
    caller: str
    allowed: bool
    identity: Verdict | None
    resource_policy: Verdict | None = None
    """The trust policy's verdict for sts:AssumeRole and its companions."""


DECISIONS: Final[deque[Decision]] = deque(maxlen=10_000)
UNRESOLVED: Final[deque[str]] = deque(maxlen=10_000)
"""Actions whose resource ARN is not known here, so that only a policy on `*` could allow them."""

_IAM_PREFIXES: Final = {"tagging": "tag", "monitoring": "cloudwatch", "email": "ses", "s3": "s3"}
_ALWAYS_ALLOWED: Final = frozenset({"sts:GetCallerIdentity", "sts:GetAccessKeyInfo"})
_UNSIGNED_ACTIONS: Final = frozenset({"AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"})
_OTHER_PARTITIONS: Final = ("cn-", "us-gov-", "us-iso", "eu-isoe", "eusc-")
_PERMISSION_OF: Final = {"s3:HeadBucket": "s3:ListBucket", "s3:CreateSession": "s3:CreateSession"}
_CHAIN_LIMIT: Final = (
    "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
)
_ROLE_LIMIT: Final = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."


# ---------------------------------------------------------------- answers


def is_json(response: Moto) -> bool:
    """Does the service speak JSON? Then its error codes differ."""
    return "json" in str(get_service_model(response.boto3_service_name).protocol)


def fail(response: Moto, code: str, message: str, status: int | None = None) -> NoReturn:
    """Answer with an error in the service's own protocol, through moto's serializer."""
    is_s3 = response.service_name == "s3"
    base = S3ClientError if is_s3 else ServiceException
    # moto derives the service from the exception's module name, so __module__ is not decoration.
    error = type("Refused", (base,), {"__module__": f"moto.{response.service_name}.exceptions"})(
        code, message
    )
    if is_s3:
        raise error  # S3 authorizes inside the action and serializes this itself
    http = HTTPException(response.serialized(ActionResult(error))[2])
    http.code = status or (400 if is_json(response) else 403)
    raise http


def _not_simulated(response: Moto, what: str) -> NoReturn:
    fail(response, "NotImplemented", f"The sandbox does not simulate {what}", 501)


# ---------------------------------------------------------------- identity policies


def _default_document(policy: Moto) -> Document:
    text = next(version.document for version in policy.versions if version.is_default)
    document: Document = json.loads(text)
    return document


def _inline_documents(entity: Moto) -> Iterator[Document]:
    """A role's or a user's inline policies are name -> text, a group's a list of objects."""
    policies = entity.policies.values() if isinstance(entity.policies, dict) else entity.policies
    for policy in policies:
        text = policy if isinstance(policy, str) else policy["policy_document"]
        document: Document = json.loads(text)
        yield document


def _group_documents(caller: Caller) -> Iterator[Document]:
    for group in iam_backends[caller.account]["aws"].groups.values():
        if caller.entity in group.users:
            yield from _inline_documents(group)
            yield from map(_default_document, group.managed_policies.values())


def identity_documents(caller: Caller) -> list[Document]:
    """Inline and attached policies of the user or role, and of the user's groups."""
    own = [
        *_inline_documents(caller.entity),
        *map(_default_document, caller.entity.managed_policies.values()),
    ]
    return own if caller.session else own + list(_group_documents(caller))


def _limits(caller: Caller) -> Iterator[list[Document]]:
    if boundary := getattr(caller.entity, "permissions_boundary_arn", None):
        yield [_default_document(iam_backends[caller.account]["aws"].managed_policies[boundary])]
    if caller.session and (limits := _session_documents(caller.session)):
        yield limits  # AWS takes them together: what none of them allows is not allowed


def _session_documents(session: Session) -> list[Document]:
    own = [parse_document(session.policy)] if session.policy else []
    there = iam_backends[session.account]["aws"].managed_policies
    return own + [_default_document(there[arn]) for arn in session.managed if arn in there]


def session_policy_arns(params: Params) -> tuple[str, ...]:
    """The managed policies that an AssumeRole names for its session."""
    return tuple(str(each["arn"]) for each in params.get("PolicyArns") or ())


def _check_session_policies(response: Moto, params: Params) -> None:
    """As AWS: at most ten, each there in the role's account or AWS's own."""
    arns, account = session_policy_arns(params), str(params["RoleArn"]).split(":")[4]
    if len(arns) > 10:
        fail(response, "ValidationError", "PolicyArns: Member must have length less than or equal to 10", 400)
    for arn in arns:
        if arn not in iam_backends[account]["aws"].managed_policies:
            fail(
                response,
                "MalformedPolicyDocument",
                f"Policy {arn} does not exist or is not attachable.",
                400,
            )


def identity_verdict(caller: Caller, action: str, resource: str, context: Context) -> Verdict | None:
    """Identity policies, and then every limit (boundary, session policy) must allow as well."""
    question = Question(action=action, resource=resource, context=context)
    verdict = evaluate(identity_documents(caller), question)
    for limit in _limits(caller):
        limited = evaluate(limit, question)
        verdict = limited if verdict == "allow" or limited == "deny" else verdict
    return verdict


# ---------------------------------------------------------------- sts:AssumeRole


def _assume_actions(params: Params) -> list[str]:
    actions = ["sts:AssumeRole"]
    actions += ["sts:TagSession"] if params.get("Tags") else []
    return actions + (["sts:SetSourceIdentity"] if params.get("SourceIdentity") else [])


def _trust_verdict(role: Moto, action: str, caller: Caller, context: Context) -> Verdict | None:
    question = Question(
        action=action,
        resource=role.arn,
        context=context,
        principal=caller.principal,
        pinned_ids=getattr(role, "pinned_ids", {}),
    )
    return evaluate([parse_document(role.assume_role_policy_document)], question)


def _may_assume(caller: Caller, action: str, arn: str, context: Context) -> bool:
    """Across accounts both sides must allow; at home a directly named principal needs the trust policy only."""
    role = role_seen(arn)
    if action != "sts:AssumeRole":
        context = {key: value for key, value in context.items() if key not in ASSUME_ONLY_KEYS}
    trust = _trust_verdict(role, action, caller, context) if role else None
    mine = identity_verdict(caller, action, arn, context)
    named_at_home = trust == "direct" and arn.split(":")[4] == caller.account
    allowed = trust in {"direct", "allow"} and mine != "deny" and (mine == "allow" or named_at_home)
    DECISIONS.append(
        Decision(
            action=action,
            resource=arn,
            caller=caller.arn,
            allowed=allowed,
            identity=mine,
            resource_policy=trust,
        )
    )
    return allowed


def _check_assume_role(response: Moto, caller: Caller, params: Params, context: Context) -> None:
    if fault := validation.assume_role_fault(params):
        fail(response, fault.code, fault.message, 400)
    arn, seconds = str(params["RoleArn"]), int(params.get("DurationSeconds") or 3600)
    if not arn.startswith("arn:aws:"):
        _not_simulated(response, "partitions other than aws")
    if params.get("TransitiveTagKeys") or params.get("SerialNumber"):
        _not_simulated(response, "TransitiveTagKeys and SerialNumber of AssumeRole")
    _check_session_policies(response, params)
    inherited = caller.session.source_identity if caller.session else None
    if inherited and params.get("SourceIdentity") not in {None, inherited}:
        fail(response, "AccessDenied", _not_authorized(caller, "sts:SetSourceIdentity", arn))
    for action in _assume_actions(params):
        if not _may_assume(caller, action, arn, context):
            fail(response, "AccessDenied", _not_authorized(caller, action, arn))
    role = role_seen(arn)
    if caller.session and seconds > 3600:
        fail(response, "ValidationError", _CHAIN_LIMIT, 400)
    if role is not None and seconds > int(role.max_session_duration or 3600):
        fail(response, "ValidationError", _ROLE_LIMIT, 400)


def _not_authorized(caller: Caller, action: str, resource: str) -> str:
    return f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource}"


# ---------------------------------------------------------------- everything else


def allowed(caller: Caller | None, action: str, resource: str, context: Context) -> bool:
    """May this caller (None: anybody) do this? Identity policies, limits and the resource's own policy together.

    Where the resource belongs to another account both must allow; at home either is enough; a deny always wins.
    """
    mine = identity_verdict(caller, action, resource, context) if caller else None
    owner = resource_policies.owner_of(resource)
    theirs = resource_policies.verdict(caller.principal if caller else None, action, resource, context)
    at_home = caller is not None and owner in {None, caller.account}
    if "deny" in {mine, theirs}:
        may = False
    elif caller is None:
        may = theirs is not None
    else:
        may = (mine == "allow" or theirs is not None) if at_home else (mine == "allow" and theirs is not None)
    name = caller.arn if caller else "anonymous"
    DECISIONS.append(
        Decision(
            action=action, resource=resource, caller=name, allowed=may, identity=mine, resource_policy=theirs
        )
    )
    return may


# SQS speaks JSON and keeps the codes of the time before it did.
_OWN_REFUSALS: Final = {"ec2": "UnauthorizedOperation", "sns": "AuthorizationError", "sqs": "AccessDenied"}


def _refuse(response: Moto, caller: Caller | None, action: str, resource: str) -> NoReturn:
    if caller is None:
        fail(response, "AccessDenied", "Access Denied")
    denied = DECISIONS[-1].identity == "deny"
    why = f"because no identity-based policy allows the {action} action"
    why = "with an explicit deny in an identity-based policy" if denied else why
    code = "AccessDeniedException" if is_json(response) else "AccessDenied"
    code = _OWN_REFUSALS.get(action.partition(":")[0], code)
    fail(response, code, f"{_not_authorized(caller, action, resource)} {why}")


def _check_action(
    response: Moto, caller: Caller | None, action: str, resource: str, context: Context
) -> None:
    action = _PERMISSION_OF.get(action, action)
    if resource == "*" and not action.split(":")[1].startswith(("Describe", "List", "Get")):
        UNRESOLVED.append(action)
    if not allowed(caller, action, resource, context):
        _refuse(response, caller, action, resource)
    source = response.headers.get("x-amz-copy-source") if action == "s3:PutObject" else None
    if source:
        path = unquote(urlsplit(source).path).lstrip("/")
        if not allowed(caller, "s3:GetObject", f"arn:aws:s3:::{path}", context):
            _refuse(response, caller, "s3:GetObject", f"arn:aws:s3:::{path}")


# ---------------------------------------------------------------- who is calling


def _identify(response: Moto, access_key_id: str) -> Caller:
    caller = find_caller(access_key_id)
    json_service = is_json(response)
    if caller is None:
        code = "UnrecognizedClientException" if json_service else "InvalidClientTokenId"
        code = (
            "InvalidAccessKeyId" if response.service_name == "s3" and access_key_id not in SESSIONS else code
        )
        fail(response, code, "The security token included in the request is invalid.")
    if caller.session and caller.session.expires <= clock.now():
        code = "ExpiredTokenException" if json_service else "ExpiredToken"
        fail(response, code, "The security token included in the request is expired")
    return caller


def _check_signature(response: Moto, caller: Caller, iam_request: Any) -> None:  # Any: moto's request class
    query = urlsplit(response.uri).query
    iam_request(
        account_id=caller.account,
        method=response.method,
        path=response.raw_path + (f"?{query}" if query else ""),
        data=response.data,
        body=response.raw_body,
        headers=response.headers,
        action=response._get_action(),
    ).check_signature()


def _signer(response: Moto, presigned: signing.Presigned) -> Caller:
    """Who signed this presigned address; refuses a wrong, an outdated or a tampered one."""
    caller = _identify(response, presigned.access_key_id)
    environ = response.request.environ
    right = signing.presigned_is_right(
        presigned,
        secret=secret_of(presigned.access_key_id) or "",
        method=environ["REQUEST_METHOD"],
        path=environ.get("RAW_URI", environ["PATH_INFO"]).split("?")[0],
        headers={name.lower(): value for name, value in response.headers.items()},
    )
    token = caller.session.session_token if caller.session else None
    if not right or presigned.token != token:
        fail(
            response,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature",
        )
    if presigned.expires <= clock.now():
        fail(response, "AccessDenied", "Request has expired")
    response.access_key, response.current_account = presigned.access_key_id, caller.account
    return caller


def _unsigned(response: Moto) -> Caller | None:
    """The signer of a presigned S3 address, or None for an anonymous S3 call. Other services take neither."""
    if response.service_name != "s3":
        if response._get_action() in _UNSIGNED_ACTIONS:
            _not_simulated(response, "federation by web identity or SAML")
        code = "MissingAuthenticationTokenException" if is_json(response) else "MissingAuthenticationToken"
        fail(response, code, "Request is missing Authentication Token")
    query = str(response.request.environ.get("QUERY_STRING", ""))
    if "AWSAccessKeyId=" in query:
        fail(
            response, "InvalidRequest", "Please use AWS4-HMAC-SHA256: the sandbox refuses Signature Version 2"
        )
    try:
        presigned = signing.read_presigned(query)
    except ValueError as error:
        fail(response, "AuthorizationQueryParametersError", str(error))
    return _signer(response, presigned) if presigned else None


def _signed(response: Moto, iam_request: Any) -> Caller:  # Any: moto's request class
    caller = _identify(response, response.access_key)
    _check_signature(response, caller, iam_request)
    if response.current_account != caller.account:  # the x-moto-account-id header would walk past every check
        fail(response, "AccessDenied", "x-moto-account-id is not accepted here")
    return caller


def _service_of(response: Moto) -> str:
    header = response.headers.get("Authorization", "")
    signed_for = header.partition("Credential=")[2].split("/")
    signing_name = signed_for[3] if len(signed_for) > 3 else str(response.service_name)
    return _IAM_PREFIXES.get(signing_name, signing_name)


def _params_of(response: Moto) -> Params:
    # moto parses parameters for some services only; elsewhere the form or the JSON body must do.
    if params := dict(getattr(response, "params", None) or {}):
        return params
    return {k: v[0] if isinstance(v, list) and v else v for k, v in dict(response.data).items()}


def authorize(self: Moto, iam_request_cls: Any, resource: str = "*") -> None:  # Any: moto's request class
    """Stands in for moto's one authorization hook; `self` is the service's response object."""
    if CURRENT.replaying:
        return
    if str(self.region).startswith(_OTHER_PARTITIONS):
        _not_simulated(self, "partitions other than aws")
    has_header = "Authorization" in self.headers
    caller = _signed(self, iam_request_cls) if has_header else _unsigned(self)
    service, params = _service_of(self), _params_of(self)
    action = f"{service}:{self._get_action()}"
    address = self.normalized_request.remote_addr or "127.0.0.1"
    context = request_context(caller, Request(region=self.region, source_ip=address, params=params))
    remember(caller, context, action)
    if caller and action == "sts:AssumeRole":
        _check_assume_role(self, caller, params, context)
    elif action not in _ALWAYS_ALLOWED:
        # moto looks for a queue of that name in the caller's own account, whatever account its address names.
        if caller and (resource == "*" or service == "sqs"):
            resource = resource_arn(service, caller.account, self.region, params)
        _check_action(self, caller, action, resource, context)
