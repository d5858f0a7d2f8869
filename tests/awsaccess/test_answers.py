"""Every error that AWS documents for every call that is made, through the real gateway: which of the four kinds it is.

The tables below are written by hand. What botocore's own service models name for a call has to stand in its table, so a
library that learns of a new error fails here until somebody has decided what it means. SQS's two calls are in
`callbacks/test_queue.py`, the sign-in endpoint's answers in `services/test_visits.py`.
"""

from __future__ import annotations

import copy
import datetime as dt
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from botocore.stub import Stubber

from awsaccess.aws.clients import Clients
from awsaccess.aws.errors import (
    AwsDenied,
    AwsError,
    AwsMisconfigured,
    AwsRejected,
    AwsTransient,
    classify,
)
from awsaccess.aws.gateway import AssumeRequest, BotoGateway, HistoryAsk, HubIdentity, SessionCredentials

Answer = dict[str, Any]  # Any: JSON of AWS
SECRET: Final = "the-external-id-that-nobody-may-read-in-a-log"
TOKEN: Final = "session-token-that-nobody-may-read-in-a-log"
NOW: Final = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
ROLE: Final = "latchkey-7qk2m4xw9p"
HUB: Final = HubIdentity(
    practice_code="northgate",
    account_id="111111111111",
    role_arn="arn:aws:iam::111111111111:role/latchkey-hub",
    region="eu-west-1",
    template_bucket="latchkey-templates-111111111111",
)
REQUEST: Final = AssumeRequest(
    role_arn=f"arn:aws:iam::441709265583:role/{ROLE}",
    external_id=SECRET,
    role_session_name="latchkey-check",
    duration_seconds=900,
)
VISITOR: Final = SessionCredentials(
    access_key_id="ASIA" + "V" * 16,
    secret_access_key="visitor-secret",
    session_token=TOKEN,
    expires_at=NOW + dt.timedelta(hours=1),
    assumed_role_id="AROAROLE:latchkey-check",
    session_arn=f"arn:aws:sts::441709265583:assumed-role/{ROLE}/latchkey-check",
)
HISTORY: Final = HistoryAsk(region="eu-west-1", access_key_id="ASIA1", since=NOW, until=NOW)


def opened(arn: str) -> Answer:
    """AWS's answer to an AssumeRole that worked."""
    return {
        "Credentials": {
            "AccessKeyId": "ASIA" + "H" * 16,
            "SecretAccessKey": "hub-secret",
            "SessionToken": "hub-token",
            "Expiration": dt.datetime.now(dt.UTC) + dt.timedelta(hours=1),
        },
        "AssumedRoleUser": {"AssumedRoleId": "AROAHUB:x", "Arn": arn},
    }


OPENED: Final = opened("arn:aws:sts::111111111111:assumed-role/latchkey-hub/x")
GOOD_ROLE: Final[Answer] = {
    "Role": {
        "Path": "/",
        "RoleName": ROLE,
        "RoleId": "AROAROLE000000000000",
        "Arn": f"arn:aws:iam::441709265583:role/{ROLE}",
        "CreateDate": NOW,
        "AssumeRolePolicyDocument": '{"Statement": []}',
    }
}
NAMED: Final[Answer] = {"PolicyNames": ["latchkey-access"], "IsTruncated": False}
POLICY: Final[Answer] = {
    "RoleName": ROLE,
    "PolicyName": "latchkey-access",
    "PolicyDocument": '{"Statement": []}',
}
Step = tuple[str, str, Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of AWS: its service and operation, what has to work before it, and who makes it through the gateway."""

    service: str
    operation: str
    before: tuple[Step, ...]
    make: Callable[[BotoGateway], object]


HUB_OPENS: Final[Step] = ("sts", "assume_role", OPENED)
LOOK: Final = lambda gateway: gateway.inspect_role(VISITOR, role_name=ROLE, region="eu-west-1")  # noqa: E731  # four calls in a row
CALLS: Final[dict[str, Call]] = {
    "base credentials into the hub role": Call(
        service="sts", operation="assume_role", before=(), make=lambda gateway: gateway.assume(HUB, REQUEST)
    ),
    "own identity": Call(
        service="sts",
        operation="get_caller_identity",
        before=(HUB_OPENS,),
        make=lambda gateway: gateway.own_identity(HUB),
    ),
    "hub role into a client's": Call(
        service="sts",
        operation="assume_role",
        before=(HUB_OPENS,),
        make=lambda gateway: gateway.assume(HUB, REQUEST),
    ),
    "hub role into the control role": Call(
        service="sts",
        operation="assume_role",
        before=(HUB_OPENS,),
        make=lambda gateway: gateway.control(HUB),
    ),
    "control role into a client's": Call(
        service="sts",
        operation="assume_role",
        before=(HUB_OPENS,) * 3,  # into the hub role, into the control role, and out of it into itself
        make=lambda gateway: gateway.assume_as_another(HUB, REQUEST),
    ),
    "a visitor's identity": Call(
        service="sts",
        operation="get_caller_identity",
        before=(),
        make=lambda gateway: gateway.caller_identity(VISITOR, "eu-west-1"),
    ),
    "the role": Call(service="iam", operation="get_role", before=(), make=LOOK),
    "names of its policies": Call(
        service="iam", operation="list_role_policies", before=(("iam", "get_role", GOOD_ROLE),), make=LOOK
    ),
    "one of its policies": Call(
        service="iam",
        operation="get_role_policy",
        before=(("iam", "get_role", GOOD_ROLE), ("iam", "list_role_policies", NAMED)),
        make=LOOK,
    ),
    "what is attached to it": Call(
        service="iam",
        operation="list_attached_role_policies",
        before=(
            ("iam", "get_role", GOOD_ROLE),
            ("iam", "list_role_policies", NAMED),
            ("iam", "get_role_policy", POLICY),
        ),
        make=LOOK,
    ),
    "a template": Call(
        service="s3",
        operation="put_object",
        before=(HUB_OPENS,),
        make=lambda gateway: gateway.upload_template(HUB, key="t.json", body=b"{}"),
    ),
    "the history": Call(
        service="cloudtrail",
        operation="lookup_events",
        before=(),
        make=lambda gateway: gateway.lookup_events(VISITOR, HISTORY),
    ),
}
OURS: Final = (
    "base credentials into the hub role",
    "own identity",
    "hub role into the control role",
    "a template",
)
OF_CLIENT: Final = ("hub role into a client's", "control role into a client's")

Kind = type[AwsError]
# (code, status): what AWS's page of common errors has for all services, and what STS, S3 and CloudTrail say in its place.
PASSING: Final = (
    ("Throttling", 400),
    ("ThrottlingException", 400),
    ("RequestLimitExceeded", 400),
    ("TooManyRequestsException", 429),
    ("SlowDown", 503),
    ("RequestTimeout", 400),
    ("RequestTimeoutException", 408),
    ("ServiceUnavailable", 503),
    ("InternalFailure", 500),
    ("InternalError", 500),
    ("ServiceFailure", 500),
    ("502", 502),
)
DEAD_KEYS: Final = (
    ("ExpiredToken", 400),
    ("ExpiredTokenException", 400),
    ("InvalidClientTokenId", 403),
    ("UnrecognizedClientException", 400),
    ("InvalidAccessKeyId", 403),
)
OUR_SIDE: Final = (
    ("SignatureDoesNotMatch", 403),
    ("IncompleteSignature", 400),
    ("MissingAuthenticationToken", 403),
    ("RequestExpired", 400),
    ("RequestTimeTooSkewed", 403),
    ("OptInRequired", 403),
)
REFUSALS: Final = (("AccessDenied", 403), ("AccessDeniedException", 400), ("NotAuthorized", 400))
REASONS: Final = (
    ("ValidationError", 400),
    ("MalformedPolicyDocument", 400),
    ("PackedPolicyTooLarge", 400),
    ("InvalidAction", 400),
    ("InvalidParameterValue", 400),
)
ASSUME: Final = (("RegionDisabledException", 403),)
ROLES: Final = (("NoSuchEntity", 404),)
S3: Final = (
    ("NoSuchBucket", 404),
    ("InvalidRequest", 400),
    ("InvalidWriteOffset", 400),
    ("TooManyParts", 400),
    ("EncryptionTypeMismatch", 400),
    ("PermanentRedirect", 301),
)
TRAIL: Final = (
    ("InvalidLookupAttributesException", 400),
    ("InvalidTimeRangeException", 400),
    ("InvalidMaxResultsException", 400),
    ("InvalidNextTokenException", 400),
    ("InvalidEventCategoryException", 400),
    ("UnsupportedOperationException", 400),
    ("OperationNotPermittedException", 400),
)


def kinds_of(name: str) -> Mapping[tuple[str, int], Kind]:
    """What each documented error of a call means."""
    ours = name in OURS
    by_visitor = not ours and name not in OF_CLIENT
    told: dict[tuple[str, int], Kind] = dict.fromkeys(PASSING, AwsTransient)
    told |= dict.fromkeys(DEAD_KEYS, AwsTransient if by_visitor else AwsMisconfigured)
    told |= dict.fromkeys(OUR_SIDE, AwsMisconfigured)
    told |= dict.fromkeys(REFUSALS, AwsMisconfigured if ours else AwsDenied)
    told |= dict.fromkeys(REASONS, AwsMisconfigured if ours else AwsRejected)
    match CALLS[name].service:
        case "sts" if CALLS[name].operation == "assume_role":
            told |= dict.fromkeys(ASSUME, AwsTransient)
        case "iam":
            told |= dict.fromkeys(ROLES, AwsTransient)  # gone between two of the four calls
            told |= {("InvalidInput", 400): AwsRejected}
        case "s3":
            told |= dict.fromkeys(S3, AwsMisconfigured)
        case "cloudtrail":
            told |= dict.fromkeys(TRAIL, AwsRejected)
        case _:
            pass  # GetCallerIdentity knows no errors of its own
    return told


EVERY: Final = [
    (name, code, status, kind) for name in CALLS for (code, status), kind in kinds_of(name).items()
]


@cache
def client_of(service: str) -> Any:  # Any: an overload per service
    make: Any = boto3.Session().client  # Any: as above
    config = Config(retries={"total_max_attempts": 1})
    return make(
        service, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x", config=config
    )


class Stubs:
    """One stubbed client for each service, for whoever asks for one."""

    def __init__(self, inside: ExitStack) -> None:
        self._inside = inside
        self._made: dict[str, Stubber] = {}

    def of(self, service: str) -> Stubber:
        if service not in self._made:
            self._made[service] = self._inside.enter_context(Stubber(client_of(service)))
        return self._made[service]

    def given(self, steps: tuple[Step, ...]) -> None:
        for service, operation, answer in steps:
            self.of(service).add_response(operation, copy.deepcopy(answer))  # botocore writes into it


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubs]:
    with ExitStack() as inside:
        made = Stubs(inside)
        monkeypatch.setattr(Clients, "_any", lambda _clients, service, *_, **__: made.of(service).client)
        yield made


@pytest.fixture
def gateway() -> BotoGateway:
    return BotoGateway(total_max_attempts=1, sts_total_max_attempts=1)


@pytest.mark.parametrize(("name", "code", "status", "kind"), EVERY)
def test_each_documented_error_is_of_one_kind_and_tells_no_secret(
    stubs: Stubs,
    gateway: BotoGateway,
    caplog: pytest.LogCaptureFixture,
    name: str,
    code: str,
    status: int,
    kind: Kind,
) -> None:
    caplog.set_level(logging.DEBUG)
    call = CALLS[name]
    stubs.given(call.before)
    said = f"Value '{SECRET}' at 'externalId' failed; token {TOKEN}{'x' * 40}"
    stubs.of(call.service).add_client_error(call.operation, code, said, status)
    with pytest.raises(AwsError) as caught:
        call.make(gateway)
    assert type(caught.value) is kind
    assert caught.value.code == ("" if code.isdecimal() else code)
    assert caught.value.__suppress_context__
    for text in (str(caught.value), repr(caught.value), caught.value.user_message):
        assert SECRET not in text
        assert TOKEN not in text


def test_nothing_that_botocore_knows_of_is_forgotten() -> None:
    session = botocore.session.get_session()
    missing = []
    for name, call in CALLS.items():
        model = session.get_service_model(call.service)
        operation = next(each for each in model.operation_names if _snake(each) == call.operation)
        known = {code for code, _ in kinds_of(name)}
        for shape in model.operation_model(operation).error_shapes:
            code = shape.metadata.get("error", {}).get("code", shape.name)
            if code not in known:
                missing.append(f"{call.service}:{operation} {code}")
    assert missing == []


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


@pytest.mark.parametrize("code", ["", "502", "Unknown", "<html>", "x" * 65])
def test_what_is_no_answer_of_aws_proves_nothing(code: str) -> None:
    error = ClientError({"Error": {"Code": code, "Message": "a proxy's page"}}, "AssumeRole")
    found = classify(error)
    assert (type(found), found.code) == (AwsTransient, "" if code != "Unknown" else "Unknown")


def test_an_answer_that_cannot_be_parsed_proves_nothing() -> None:
    assert type(classify(ResponseParserError("<html>"))) is AwsTransient
