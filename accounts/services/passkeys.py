"""Passkeys (WebAuthn): a key pair on somebody's own device, for this site's address and no other.

Every ceremony asks the device to make sure who holds it (a finger, a face, a PIN), so a passkey alone signs in. The
origin must be exactly the site's: a page of a look-alike host gets nothing that works here. A challenge works once,
whoever answers it first: that is counted in PostgreSQL.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast
from urllib.parse import urlsplit
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import selectors
from accounts.lifecycle import AccountEvent, FactorKind
from accounts.models import User
from accounts.services import recovery
from accounts.services.attempts import Limit, attempt_count
from accounts.services.sign_in import person_event_record
from portal.kernel import clock, tenancy
from portal.kernel.errors import InvalidMove, PortalError, RateLimited

# The library reads a list of all public domains when it is loaded: the first passkey does that, and not every command.
if TYPE_CHECKING:
    from fido2.server import Fido2Server
    from fido2.webauthn import AttestedCredentialData

ONCE: Final = Limit(name="passkey challenge", tries=1, within=dt.timedelta(hours=1))
LIFE: Final = dt.timedelta(minutes=5)
# What fido2 makes of a crooked answer; it asserts that a new key is in it at all.
_FAULTS: Final = (ValueError, TypeError, KeyError, AttributeError, AssertionError)


class PasskeyRefused(PortalError):
    """Raised when a device's answer is not what was asked for, too late, or was given before. Ask again."""

    code = "passkey-refused"
    http_status = 422
    title = gettext_lazy("That passkey didn’t work")
    user_message = gettext_lazy("Nothing is at risk. Try again, or use another way to sign in.")


class PasskeyData(TypedDict):
    """What the row of a passkey holds. Nothing in it is secret: it is the public half."""

    name: str
    public: str
    sign_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What a device is asked: `options` for the browser, `state` to judge the answer by."""

    options: str
    state: dict[str, Any]  # Any: fido2's own, kept in the session


def registration_begin(user: User) -> Challenge:
    """Ask a device for a new key pair, one that can be found again without typing an address."""
    from fido2.webauthn import (
        PublicKeyCredentialUserEntity,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    entity = PublicKeyCredentialUserEntity(id=user.pk.bytes, name=user.email, display_name=user.name)
    options, state = _server().register_begin(
        entity,
        [known.credential for known in _keys_of(user.pk)],
        resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _challenge(options, state)


def passkey_enrol(*, user: User, state: dict[str, Any], answer: str, name: str) -> list[str]:
    """Keep a device's new public key; fresh recovery codes, if there were none. Raises PasskeyRefused, InvalidMove."""
    from fido2.webauthn import RegistrationResponse

    _use_up(state)
    try:
        made = _server().register_complete(state, RegistrationResponse.from_dict(json.loads(answer)))
    except _FAULTS as error:
        raise PasskeyRefused from error
    credential = cast("AttestedCredentialData", made.credential_data)
    if any(known.credential.credential_id == credential.credential_id for known in _keys_of(user.pk)):
        raise InvalidMove(_("This passkey is set up already."))
    data = PasskeyData(
        name=name, public=base64.b64encode(bytes(credential)).decode(), sign_count=made.counter
    )
    person_event_record(AccountEvent.FACTOR_ADDED, user=user, details={"kind": FactorKind.PASSKEY.value})
    with selectors.apart(tenancy.user_scope(user.pk)):
        return _enrol(user=user, data=data)


def assertion_begin(user: User | None) -> Challenge:
    """Ask a device to sign: one of this person's, or for a sign-in whichever has a key for this site."""
    from fido2.webauthn import UserVerificationRequirement

    known = [one.credential for one in _keys_of(user.pk)] if user is not None else None
    options, state = _server().authenticate_begin(
        known, user_verification=UserVerificationRequirement.REQUIRED
    )
    return _challenge(options, state)


def passkey_prove(*, user: User, state: dict[str, Any], answer: str) -> FactorKind:
    """Judge a device's signature. Raises PasskeyRefused."""
    from fido2.webauthn import AuthenticationResponse

    _use_up(state)
    known = _keys_of(user.pk)
    try:
        response = AuthenticationResponse.from_dict(json.loads(answer))
        used = _server().authenticate_complete(state, [one.credential for one in known], response)
        count = response.response.authenticator_data.counter
    except _FAULTS as error:
        raise PasskeyRefused from error
    row = next(one for one in known if one.credential.credential_id == used.credential_id)
    with selectors.apart(tenancy.user_scope(user.pk)):
        if not _count_up(row.pk, count):
            raise PasskeyRefused
    person_event_record(AccountEvent.FACTOR_USED, user=user, details={"kind": FactorKind.PASSKEY.value})
    return FactorKind.PASSKEY


def passkey_owner(answer: str) -> User:
    """Whose key a device says it used; to be proved next. Raises PasskeyRefused: also for who may not come in."""
    from fido2.utils import websafe_decode

    try:
        handle = json.loads(answer)["response"]["userHandle"]
        user = User.objects.filter(pk=UUID(bytes=websafe_decode(handle)), is_active=True).first()
    except _FAULTS as error:
        raise PasskeyRefused from error
    if user is None:
        raise PasskeyRefused
    return user


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    pk: int
    credential: AttestedCredentialData


def _keys_of(user_id: UUID) -> list[_Key]:
    from fido2.webauthn import AttestedCredentialData

    with selectors.apart(tenancy.user_scope(user_id, read_only=tenancy.current().read_only)):
        rows = list(Authenticator.objects.filter(user_id=user_id, type=FactorKind.PASSKEY).order_by("pk"))
    return [
        _Key(pk=row.pk, credential=AttestedCredentialData(base64.b64decode(row.data["public"])))
        for row in rows
    ]


def _server() -> Fido2Server:
    from fido2.server import Fido2Server
    from fido2.webauthn import PublicKeyCredentialRpEntity

    site = urlsplit(settings.SITE_URL)
    origin = f"{site.scheme}://{site.netloc}"
    entity = PublicKeyCredentialRpEntity(id=site.hostname, name="Latchkey")
    return Fido2Server(entity, verify_origin=lambda told: told == origin)


def _challenge(options: object, state: Any) -> Challenge:  # Any: fido2's own
    asked = cast("dict[str, Any]", options)["publicKey"]  # Any: what the browser's interface takes
    held = {"challenge": state["challenge"], "user_verification": "required", "at": clock.now().isoformat()}
    return Challenge(options=json.dumps(_plain(asked)), state=held)


def _plain(value: Any) -> Any:  # Any: fido2's mappings, as JSON knows them
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return value
    if hasattr(value, "keys"):
        return {key: _plain(value[key]) for key in value.keys()}  # noqa: SIM118  # not a dict
    return [_plain(one) for one in value]


def _use_up(state: dict[str, Any]) -> None:
    if not state or clock.now() >= dt.datetime.fromisoformat(state["at"]) + LIFE:
        raise PasskeyRefused
    try:
        attempt_count(ONCE, state["challenge"])
    except RateLimited as error:
        raise PasskeyRefused from error


@transaction.atomic(durable=True)
def _enrol(*, user: User, data: PasskeyData) -> list[str]:
    Authenticator.objects.create(user=user, type=FactorKind.PASSKEY, data=data)
    has_codes = selectors.factors_seen(user.pk).recovery_left > 0
    return [] if has_codes else recovery.recovery_codes_make_within(user)


@transaction.atomic(durable=True)
def _count_up(pk: int, count: int) -> bool:
    """A counter that does not rise is a copied key; devices that share their keys always say 0."""
    row = Authenticator.objects.select_for_update(of=("self",)).get(pk=pk)
    if count and count <= row.data["sign_count"]:
        return False
    changes = {"data": {**row.data, "sign_count": count}, "last_used_at": clock.now()}
    return bool(Authenticator.objects.filter(pk=pk).update(**changes) == 1)
