"""Judging an ID token (OpenID Connect Core §3.1.3.7), stricter than it asks: what is not plainly right is refused.

No database, no network, no clock of its own: the keys and the moment are arguments.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

# The library is loaded by the first token that is judged: few practices have a service of their own.
if TYPE_CHECKING:
    from joserfc.jwk import ECKey, RSAKey

Claims = Mapping[str, Any]  # Any: JSON
Key: TypeAlias = "RSAKey | ECKey"

# Each with the kind of key it needs. Nothing that is made with a shared secret, and nothing without a signature.
ALGORITHMS: Final[Mapping[str, str]] = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC"}
SMALLEST_RSA_BITS: Final = 2048
SMALLEST_RSA_LETTERS: Final = 342  # what 2048 bits take in base64
LARGEST_RSA_BITS: Final = 8192  # one signature under a larger key would keep a processor busy
MOST_KEYS: Final = 20
LONGEST_TOKEN: Final = 20_000
SLACK: Final = dt.timedelta(seconds=60)  # clocks differ
OLDEST: Final = dt.timedelta(minutes=15)
LATEST: Final = 10**11  # of a number of seconds that is a moment
LONGEST_SUBJECT: Final = 255
EMAIL: Final = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@((?:[a-z0-9-]{1,63}\.)+[a-z0-9-]{2,63})")

GOOGLE: Final = "https://accounts.google.com"
ENTRA: Final = re.compile(
    r"https://login\.(?:microsoftonline\.com|microsoftonline\.us|partner\.microsoftonline\.cn)/([0-9a-f-]{36})/v2\.0"
)


class TokenRefused(Exception):
    """Raised for a token that proves nothing. `reason` is for the record; it holds nothing of the token but names."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a token has to say to be for us, now, and about somebody the service may vouch for."""

    issuer: str
    client_id: str
    nonce: str
    domains: Sequence[str]
    moment: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """Whom the service vouches for: its own unchanging name of the account, and the person's address in small letters."""

    subject: str
    email: str


def keys_read(said: Mapping[str, Any]) -> list[Key]:  # Any: JSON
    """The keys of a JSON Web Key Set that can verify an ID token; others in it are passed over. Raises TokenRefused."""
    listed = said.get("keys")
    if not isinstance(listed, list):
        raise TokenRefused("the service lists no keys")
    found = [key for one in listed[:MOST_KEYS] if (key := _key(one)) is not None]
    if not found:
        raise TokenRefused("the service lists no keys that can be used")
    return found


def token_judge(token: object, keys: Iterable[Key], expected: Expected) -> Vouched:
    """Whom the token is about. Raises TokenRefused."""
    claims = _verified(token, list(keys))
    _check_parties(claims, expected)
    _check_times(claims, expected.moment)
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise TokenRefused("nonce: not the one of this sign-in")
    return Vouched(subject=_subject(claims), email=_email(claims, expected))


def _verified(token: object, keys: list[Key]) -> Claims:
    from joserfc import jwt
    from joserfc.errors import JoseError

    if (
        not isinstance(token, str)
        or not token.isascii()
        or len(token) > LONGEST_TOKEN
        or token.count(".") != 2
    ):
        raise TokenRefused("no signed token")
    header = _header(token.partition(".")[0])
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise TokenRefused("alg: not one that is accepted")
    if "crit" in header or "b64" in header:
        raise TokenRefused("header: asks for what is not understood")
    if header.get("typ", "JWT") not in ("JWT", "jwt"):
        raise TokenRefused("typ: not an ID token")
    for key in _fitting(keys, algorithm, header.get("kid")):
        try:
            return cast("Claims", jwt.decode(token, key, algorithms=[algorithm]).claims)
        except (JoseError, ValueError, RecursionError):
            continue
    raise TokenRefused("signature: by none of the service's keys")


def _header(part: str) -> Mapping[str, Any]:  # Any: JSON
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
        header = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError):
        raise TokenRefused("no signed token") from None
    if not isinstance(header, dict):
        raise TokenRefused("no signed token")
    return header


def _fitting(keys: Iterable[Key], algorithm: str, kid: object) -> list[Key]:
    """Keys of the right kind; where the token names one, that one."""
    return [
        key
        for key in keys
        if key.key_type == ALGORITHMS[algorithm]
        and key.get("alg") in (None, algorithm)
        and (kid is None or key.get("kid") == kid)
    ]


def _key(one: object) -> Key | None:
    """None for keys that are for something else, that are secret, too small, or no keys at all."""
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, RSAKey

    if not isinstance(one, dict) or one.get("use", "sig") != "sig":
        return None
    operations = one.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    kinds: Mapping[object, type[RSAKey | ECKey]] = {"RSA": RSAKey, "EC": ECKey}
    kind, names = one.get("kty"), {"kty", "kid", "alg", "n", "e", "crv", "x", "y"}
    if not isinstance(kind, str) or kind not in kinds:
        return None
    if kind == "RSA" and len(str(one.get("n", ""))) < SMALLEST_RSA_LETTERS:
        return None  # the library would only warn
    try:
        # Public members alone: a set that gives private ones away is read as if it had not.
        key = kinds[kind].import_key(cast("Any", {name: one[name] for name in names if name in one}))
        return key if _is_strong(key) else None
    except (JoseError, ValueError, TypeError, KeyError, OverflowError):
        return None


def _is_strong(key: Key) -> bool:
    public = key.public_key
    if isinstance(public, RSAPublicKey):
        numbers = public.public_numbers()
        return SMALLEST_RSA_BITS <= public.key_size <= LARGEST_RSA_BITS and 2 < numbers.e < 2**33
    return key.get("crv") == "P-256"  # the only curve of ES256


def _check_parties(claims: Claims, expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise TokenRefused("iss: another service")
    if claims.get("aud") not in (expected.client_id, [expected.client_id]):
        raise TokenRefused("aud: not for this portal alone")
    if claims.get("azp", expected.client_id) != expected.client_id:
        raise TokenRefused("azp: given to somebody else")


def _check_times(claims: Claims, moment: dt.datetime) -> None:
    now, slack = moment.timestamp(), SLACK.total_seconds()
    if _number(claims, "exp") <= now - slack:
        raise TokenRefused("exp: over")
    issued = _number(claims, "iat")
    if issued > now + slack:
        raise TokenRefused("iat: in the future")
    if issued < now - OLDEST.total_seconds():
        raise TokenRefused("iat: too long ago")
    if "nbf" in claims and _number(claims, "nbf") > now + slack:
        raise TokenRefused("nbf: not yet")


def _number(claims: Claims, name: str) -> float:
    value = claims.get(name)
    # The comparison leaves out NaN and the infinities, too.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < LATEST:
        raise TokenRefused(f"{name}: no moment")
    return value


def _subject(claims: Claims) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise TokenRefused("sub: none")
    if not subject.isascii() or not subject.isprintable() or subject != subject.strip():
        raise TokenRefused("sub: not plain")
    return subject


def _email(claims: Claims, expected: Expected) -> str:
    email = claims.get("email")
    if not isinstance(email, str) or not email.isascii():  # letters that merely look alike fold into others
        raise TokenRefused("email: none")
    found = EMAIL.fullmatch(email.lower())
    if found is None:
        raise TokenRefused("email: not an address")
    if not _is_verified(claims, expected.issuer):
        raise TokenRefused("email_verified: not said")
    if found[1] not in expected.domains:
        raise TokenRefused("email: of a domain that was not allowed")
    # Google verifies any address once; that the domain's owner runs the account, only `hd` says.
    if expected.issuer == GOOGLE and claims.get("hd") not in expected.domains:
        raise TokenRefused("hd: not an account of the company")
    return email.lower()


def _is_verified(claims: Claims, issuer: str) -> bool:
    if "email_verified" in claims:
        return claims["email_verified"] is True
    # Entra ID never says it. Of a single tenant, `xms_edov` says that the tenant proved to own the address's domain.
    tenant = ENTRA.fullmatch(issuer)
    if tenant is None:
        return False
    told = claims.get("xms_edov")
    return claims.get("tid") == tenant[1] and (
        told is True or told == "1" or (type(told) is int and told == 1)
    )
