"""What AWS answers when it does not do what was asked, in four kinds. Only the first and last are proven answers.

No text here ever holds a credential, a token, a sign-in address or an external ID. AWS does echo some of them in its
messages ("Value 'x' at 'externalId' failed to satisfy constraint"), so only a scrubbed reason is kept, and the
original exception is cut off where the new one is raised (`from None`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from botocore.exceptions import ClientError


class AwsError(Exception):
    """Base of the four. `code` is AWS's own error code, if it gave one; `user_message` may be shown to people."""

    user_message = "AWS did not do what was asked."

    def __init__(self, user_message: str | None = None, *, code: str = "") -> None:
        self.user_message = user_message or self.user_message
        self.code = code
        super().__init__(f"{self.user_message} ({code})" if code else self.user_message)


class AwsDenied(AwsError):
    """AWS refused: absent role, wrong external ID, changed trust and passed date all look the same."""

    user_message = "The account refused us. AWS does not say why."


class AwsTransient(AwsError):
    """No answer that proves anything: throttled, timed out, 5xx. Try again later; no verdict changes."""

    user_message = "AWS could not be asked just now. Nothing has changed; we try again."


class AwsMisconfigured(AwsError):
    """Our own keys, clock, hub role or bucket are wrong: tell the operator. Says nothing about any client."""

    user_message = "The portal's own AWS set-up has a fault. This says nothing about the client's account."


class AwsRejected(AwsError):
    """AWS understood and will not do it, with a reason for both sides."""

    def __init__(self, reason: str, *, code: str = "") -> None:
        self.reason = reason
        super().__init__(f"AWS says: {reason}", code=code)


class Asked(StrEnum):
    """With whose keys a call is made and about whom, because the same code means another thing."""

    OF_CLIENT = "of_client"  # hub keys against a client's role: a refusal is the client's answer
    OF_OURSELVES = "of_ourselves"  # our keys, our role, our bucket: any refusal is our fault
    AS_VISITOR = (
        "as_visitor"  # a client's session: keys that stop working are that session's end, not our fault
    )


REGION_IS_OFF: Final = (
    "AWS's access service is switched off in that account for the region we ask from. Nothing is known."
)
DENIED: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
    | {"UnauthorizedAccess", "NotAuthorized"}
)
# Keys that are unknown, old or not for this account: whose they are decides what it means.
DEAD_KEYS: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidToken", "UnrecognizedClientException"}
    | {"InvalidAccessKeyId", "AuthFailure", "TokenRefreshRequired"}
)  # fmt: skip
# Whatever the keys, these say that our signature or clock is wrong.
OUR_FAULT: Final = frozenset(
    {"SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "IncompleteSignatureException"}
    | {"MissingAuthenticationToken", "MissingAuthenticationTokenException", "MissingSecurityHeader", "OptInRequired"}
    | {"RequestExpired", "RequestTimeTooSkewed", "NotSignedUp", "AuthorizationHeaderMalformed"}
)  # fmt: skip
THROTTLES: Final = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException"}
    | {"RequestLimitExceeded", "TooManyRequestsException", "BandwidthLimitExceeded", "SlowDown", "EC2ThrottledException"}
)  # fmt: skip
TRANSIENT: Final = THROTTLES | frozenset(
    {"PriorRequestNotComplete", "ProvisionedThroughputExceededException", "TransactionInProgressException"}
    | {"RequestTimeout", "RequestTimeoutException", "ServiceUnavailable", "ServiceUnavailableException"}
    | {"InternalError", "InternalFailure", "InternalServerError", "InternalServiceError", "IDPCommunicationError"}
    | {"OverLimit", "KmsThrottled", "KMS.ThrottlingException"}
)  # fmt: skip
# A message was read too long ago: it comes again.
STALE_HANDLE: Final = frozenset({"ReceiptHandleIsInvalid"})
# What a session looks at can go between two calls: list the policies, then read one that is no longer there.
GONE_MEANWHILE: Final = frozenset({"NoSuchEntity", "NoSuchEntityException"})

ECHOED_VALUE: Final = re.compile(r"\b([Vv]alue)s?:? '[^']*'")
KEY_ID: Final = re.compile(r"\b(?:A[KS]IA)[A-Z0-9]{12,}\b")
LONG_OPAQUE: Final = re.compile(r"[A-Za-z0-9+/=_-]{60,}")
CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9.]{0,63}", re.ASCII)
LONGEST_REASON: Final = 500


def classify(error: Exception, *, asked: Asked = Asked.OF_CLIENT, hide: Collection[str] = ()) -> AwsError:
    """One of the four for anything that botocore raises. Values in `hide` never appear in its text."""
    from botocore.exceptions import ClientError

    if isinstance(error, ClientError):
        return _answered(error, asked=asked, hide=hide)
    return _unanswered(error)


@contextmanager
def translated(asked: Asked, *, hide: Collection[str] = ()) -> Iterator[None]:
    """Inside it botocore's exceptions come out as AwsError, without the original that may echo secrets."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        raise classify(error, asked=asked, hide=hide) from None


def _answered(error: ClientError, *, asked: Asked, hide: Collection[str]) -> AwsError:
    answer = error.response
    code = str(answer.get("Error", {}).get("Code") or "")
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    if status >= 500 or code in TRANSIENT or code == "Unknown" or not CODE.fullmatch(code):
        # No code, or a bare number, is what a proxy or a broken front sends: not AWS's answer to the question.
        return AwsTransient(code=code if CODE.fullmatch(code) else "")
    if code == "RegionDisabledException":
        return AwsTransient(REGION_IS_OFF, code=code)
    if code in DEAD_KEYS:
        return AwsTransient(code=code) if asked is Asked.AS_VISITOR else AwsMisconfigured(code=code)
    if code in OUR_FAULT or asked is Asked.OF_OURSELVES:
        return AwsMisconfigured(code=code)
    if code in DENIED:
        return AwsDenied(code=code)
    if asked is Asked.AS_VISITOR and code in GONE_MEANWHILE:
        return AwsTransient(code=code)
    return AwsRejected(scrubbed(str(answer.get("Error", {}).get("Message") or code), hide=hide), code=code)


def _unanswered(error: Exception) -> AwsError:
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    unanswered = exceptions.HTTPClientError | exceptions.ConnectionError | exceptions.IncompleteReadError
    if isinstance(error, unanswered | ResponseParserError):
        return AwsTransient()
    if isinstance(error, exceptions.ParamValidationError):
        return AwsRejected("a value that we sent is not one that AWS takes")  # its own text shows the value
    return AwsMisconfigured()  # no credentials, no region, a broken profile: all on our side


def scrubbed(message: str, *, hide: Collection[str] = ()) -> str:
    """AWS's reason without echoed values, keys, long opaque strings, control characters; at most 500 characters."""
    for value in sorted(filter(None, hide), key=len, reverse=True):
        message = message.replace(value, "(hidden)")
    message = ECHOED_VALUE.sub(r"\1 (hidden)", message)
    message = LONG_OPAQUE.sub("(hidden)", KEY_ID.sub("(hidden)", message))
    return re.sub(r"[^\x20-\x7e\u00a0-\u00ff\u0100-\ud7ff]+", " ", message).strip()[:LONGEST_REASON]
