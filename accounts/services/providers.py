"""What is asked of an OpenID Connect provider: who it is, a token for a code, and its keys. All of it by the one door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from accounts.services import id_tokens
from accounts.services.id_tokens import Key, TokenRefused
from portal.kernel import outgoing

DISCOVERY: Final = "/.well-known/openid-configuration"
SCOPE: Final = "openid email"
# The issuer of everybody's personal Microsoft account: whoever has one could come.
PERSONAL_ACCOUNTS: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"


class ProviderFault(Exception):
    """Raised when a provider cannot be used as it stands. `reason` is in words for the owner who set it up."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class ProviderDown(ProviderFault):
    """Raised when a provider does not answer as providers do. May be tried again."""


class CodeRefused(ProviderFault):
    """Raised when the provider gives no token for a code. Sign in anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """What a provider tells about itself, once it was looked at."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    takes_basic: bool
    names_itself: bool  # RFC 9207: its answers hold `iss`, so one without it is not its answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Portal:
    """What the portal is called at a provider."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str


def issuer_check(issuer: str) -> None:
    """What of an issuer can be judged without asking it. Raises ProviderFault."""
    try:
        outgoing.check(issuer)
    except outgoing.AddressRefused as fault:
        raise ProviderFault(fault.reason) from None
    if "?" in issuer:
        raise ProviderFault("The issuer’s address must not hold a “?”.")
    if issuer.endswith(DISCOVERY):
        raise ProviderFault(f"Leave {DISCOVERY} out: the issuer is what stands before it.")
    tenant = id_tokens.ENTRA.fullmatch(issuer)
    if "login.microsoftonline." in issuer and (tenant is None or tenant[1] == PERSONAL_ACCOUNTS):
        raise ProviderFault(
            "For Entra ID the issuer names your own tenant: "
            "https://login.microsoftonline.com/TENANT-ID/v2.0, not “common” or “organizations”."
        )


def provider_find(issuer: str) -> Provider:
    """Ask an issuer who it is (OpenID Connect Discovery 1.0). Raises ProviderDown, ProviderFault."""
    issuer_check(issuer)
    said = _asked(issuer.rstrip("/") + DISCOVERY)
    if said.get("issuer") != issuer:
        raise ProviderFault(f"It calls itself {_short(said.get('issuer'))}, and not {issuer}.")
    if "code" not in _texts(said, "response_types_supported", ["code"]):
        raise ProviderFault("It does not offer the authorization code flow.")
    algorithms = _texts(said, "id_token_signing_alg_values_supported", ["RS256"])
    if not set(algorithms) & set(id_tokens.ALGORITHMS):
        raise ProviderFault(
            f"It signs with {', '.join(algorithms)[:80]}; one of RS256, PS256, ES256 is needed."
        )
    methods = _texts(said, "token_endpoint_auth_methods_supported", ["client_secret_basic"])
    if not {"client_secret_basic", "client_secret_post"} & set(methods):
        raise ProviderFault("It takes no client secret.")
    return Provider(
        issuer=issuer,
        authorization_endpoint=_address(said, "authorization_endpoint"),
        token_endpoint=_address(said, "token_endpoint"),
        jwks_uri=_address(said, "jwks_uri"),
        takes_basic="client_secret_basic" in methods,
        names_itself=said.get("authorization_response_iss_parameter_supported") is True,
    )


def provider_keys(provider: Provider) -> list[Key]:
    """The keys that its tokens are signed with. Raises ProviderDown, ProviderFault."""
    try:
        return id_tokens.keys_read(_asked(provider.jwks_uri))
    except TokenRefused as refusal:
        raise ProviderFault(f"Its keys can’t be used: {refusal.reason}.") from None


def sign_in_address(provider: Provider, portal: Portal, *, state: str, nonce: str, challenge: str) -> str:
    """Where the browser goes to sign in."""
    asked = {
        "response_type": "code",
        "client_id": portal.client_id,
        "redirect_uri": portal.redirect_uri,
        "scope": SCOPE,
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    joint = "&" if "?" in provider.authorization_endpoint else "?"
    return f"{provider.authorization_endpoint}{joint}{urlencode(asked)}"


def code_exchange(provider: Provider, portal: Portal, *, code: str, verifier: str) -> object:
    """What the provider gives as the ID token for a code; it is not judged yet. Raises ProviderDown, CodeRefused."""
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": portal.redirect_uri,
        "code_verifier": verifier,
    }
    basic = None
    if provider.takes_basic:
        basic = outgoing.Basic(name=portal.client_id, password=portal.client_secret)
    else:
        fields |= {"client_id": portal.client_id, "client_secret": portal.client_secret}
    try:
        answer = outgoing.post(provider.token_endpoint, fields, basic=basic)
    except outgoing.OutgoingFault as fault:
        raise ProviderDown(fault.reason) from None
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise ProviderDown(f"It answers with {answer.status}.")
    if answer.status != HTTPStatus.OK:
        raise CodeRefused(f"code: the service says {_short(answer.said.get('error'))}")
    return answer.said.get("id_token")


def _asked(url: str) -> Mapping[str, Any]:  # Any: JSON
    try:
        answer = outgoing.get(url)
    except outgoing.AddressRefused as fault:
        raise ProviderFault(fault.reason) from None
    except outgoing.NoAnswer as fault:
        raise ProviderDown(fault.reason) from None
    if answer.status != HTTPStatus.OK:
        raise ProviderDown(f"{url} answers with {answer.status}.")
    return answer.said


def _address(said: Mapping[str, Any], name: str) -> str:  # Any: JSON
    address = said.get(name)
    if not isinstance(address, str):
        raise ProviderFault(f"It does not say its {name}.")
    try:
        outgoing.check(address)
    except outgoing.AddressRefused as fault:
        raise ProviderFault(f"Its {name} can’t be used. {fault.reason}") from None
    return address


def _texts(said: Mapping[str, Any], name: str, usual: list[str]) -> list[str]:  # Any: JSON
    """A list of texts; `usual` is what the standard says of a provider that leaves it out."""
    found = said.get(name, usual)
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _short(word: object) -> str:
    """A word of theirs, of plain characters and no longer than a line."""
    plain = (
        "".join(one for one in word if one.isascii() and one.isprintable()) if isinstance(word, str) else ""
    )
    return plain[:120] or "nothing"
