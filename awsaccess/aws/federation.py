"""From temporary credentials to a signed-in browser (AWS_FACTS §7). Credentials travel in POST bodies only.

`SessionDuration` is never sent: AWS refuses it for chained credentials, and ours always are.
"""

from __future__ import annotations

import json
import re
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from awsaccess.aws.arns import ConsoleService, console_destination, signin_endpoint
from awsaccess.aws.clients import Keys
from awsaccess.aws.errors import AwsError, AwsMisconfigured, AwsRejected, AwsTransient

TIMEOUT_SECONDS: Final = 10
LONGEST_ANSWER: Final = 64 * 1024
ISSUER: Final = re.compile(r"https?://[\w.:\[\]-]+(/[\w./~%?=&-]*)?", re.ASCII)


class BadIssuer(ValueError):
    """Raised for a page of ours that is no plain http(s) address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginForm:
    """The form that the browser POSTs to AWS. `fields` holds the sign-in token: render once, with no-store."""

    action_url: str
    fields: dict[str, str] = field(repr=False)


def login_form(
    *,
    partition: str,
    region: str,
    service: ConsoleService,
    issuer: str,
    signin_token: str,
    federation_base_url: str | None = None,
    console_base_url: str | None = None,
) -> LoginForm:
    """What signs the browser in. `issuer` is our page for the moment when the session ends.

    The destination comes from an enum and the host from the partition, so that neither can be steered.
    Raises BadAddress or BadIssuer.
    """
    if not ISSUER.fullmatch(issuer):
        raise BadIssuer("the issuer must be a page of the portal")
    destination = console_destination(partition, region, service, console_base_url=console_base_url)
    return LoginForm(
        action_url=signin_endpoint(partition, region, federation_base_url=federation_base_url),
        fields={"Action": "login", "Issuer": issuer, "Destination": destination, "SigninToken": signin_token},
    )


def request_signin_token(
    keys: Keys, *, partition: str, region: str, federation_base_url: str | None = None
) -> str:
    """A sign-in token, good for 15 minutes: a secret.

    Raises AwsRejected if AWS does not take the session (a bare 400, without reason), AwsTransient without an answer,
    AwsMisconfigured for a redirect or a certificate that does not hold.
    """
    endpoint = signin_endpoint(partition, region, federation_base_url=federation_base_url)
    try:
        answer = _post(endpoint, _body(keys))
    except urllib.error.HTTPError as error:
        with error:
            raise _refused(error.code) from None
    except (OSError, HTTPException) as error:  # URLError, time-outs and TLS are OSErrors
        raise _unreached(error) from None
    return _token_in(answer)


def _body(keys: Keys) -> bytes:
    session = {
        "sessionId": keys.access_key_id,
        "sessionKey": keys.secret_access_key,
        "sessionToken": keys.session_token,
    }
    return urlencode({"Action": "getSigninToken", "Session": json.dumps(session)}).encode("ascii")


def _post(endpoint: str, body: bytes) -> bytes:
    # Only an https host of the partition table or a loopback address gets here: signin_endpoint saw to it.
    request = urllib.request.Request(endpoint, data=body, method="POST")  # noqa: S310
    with _opener(endpoint).open(request, timeout=TIMEOUT_SECONDS) as answer:
        read: Any = answer.read(LONGEST_ANSWER + 1)  # Any: typeshed leaves the opener's answer open
        return bytes(read)


def _opener(endpoint: str) -> urllib.request.OpenerDirector:
    """Without a handler for redirects: one would carry the credentials to an address that nobody chose."""
    on_this_machine = urlsplit(endpoint).scheme == "http"  # a stand-in is never behind a proxy
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler({} if on_this_machine else None),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=_trust()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


@cache
def _trust() -> ssl.SSLContext:
    """Whom this machine trusts, read once: reading every certificate again took longer than all else in a visit."""
    return ssl.create_default_context()


def _refused(status: int) -> AwsError:
    if 300 <= status < 400:
        return AwsMisconfigured("AWS's sign-in address answered with a redirect, which is never followed.")
    if status in {408, 429} or status >= 500:
        return AwsTransient(code=f"HTTP{status}")
    return AwsRejected(
        "the sign-in service did not take the session, and gave no reason", code=f"HTTP{status}"
    )


def _unreached(error: Exception) -> AwsError:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return AwsMisconfigured("The certificate of AWS's sign-in address could not be verified.")
    return AwsTransient()


def _token_in(answer: bytes) -> str:
    try:
        token = json.loads(answer)["SigninToken"]
    except (ValueError, LookupError, TypeError):
        token = None
    if not isinstance(token, str) or not token or len(answer) > LONGEST_ANSWER:
        raise AwsTransient("AWS's sign-in address gave no token.")
    return token
