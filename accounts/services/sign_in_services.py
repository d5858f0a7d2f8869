"""A practice's sign-in service: set up, changed, tried, switched. The secret is sealed for its row and shown nowhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from django.conf import settings
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts import selectors
from accounts.lifecycle import AccountEvent
from accounts.models import PinnedAccount, Practice, SignInService, User
from accounts.services import providers
from accounts.services.providers import Portal, ProviderFault
from portal.kernel import audit, secrets
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove, PortalError, Stale, Unavailable

PURPOSE: Final = "sign-in service"
DOMAIN: Final = re.compile(r"(?:(?!-)[a-z0-9-]{1,63}(?<!-)\.)+(?!-)[a-z0-9-]{2,63}(?<!-)")
MOST_DOMAINS: Final = 20
# Anybody can have an address there, so that the domain says nothing about who somebody is.
EVERYBODYS: Final = frozenset(
    {
        "gmail.com",
        "googlemail.com",
        "outlook.com",
        "hotmail.com",
        "live.com",
        "msn.com",
        "yahoo.com",
        "icloud.com",
        "me.com",
        "aol.com",
        "gmx.de",
        "gmx.net",
        "web.de",
        "proton.me",
        "protonmail.com",
    }
)


class BadService(PortalError):
    """Raised for settings that cannot work, naming what is wrong."""

    code = "bad-sign-in-service"
    http_status = 422
    title = "That sign-in service can’t work"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an owner typed. `client_secret` is empty to keep the one that is there."""

    issuer: str
    client_id: str
    domains: Sequence[str]
    client_secret: str = field(default="", repr=False)


def service_set_up(*, practice: Practice, wanted: Wanted, actor: Actor) -> SignInService:
    """Write a practice's service down, switched off. Raises BadService, and InvalidMove if there is one."""
    _check(wanted)
    if not wanted.client_secret:
        raise BadService("The client secret is missing.")
    return _set_up(practice=practice, wanted=wanted, actor=actor)


def service_change(*, service: SignInService, wanted: Wanted, actor: Actor) -> None:
    """Write it anew; sign-ins that are under way are over. Raises BadService, and Stale if somebody was faster.

    Another issuer or client is another world of accounts: what was known of people's accounts is forgotten, and the
    secret has to be typed again, so that nobody can have the old one sent to a server of theirs.
    """
    _check(wanted)
    if _is_elsewhere(service, wanted) and not wanted.client_secret:
        raise BadService("Another issuer or client needs its own client secret. Type it in.")
    _change(service=service, wanted=wanted, actor=actor)


@transaction.atomic(durable=True)
def service_switch(*, service: SignInService, is_enabled: bool, is_required: bool, actor: Actor) -> None:
    """Let people sign in with it or not, and make everybody but owners use it or not. Raises Stale."""
    is_required = is_required and is_enabled
    _swap(service, is_enabled=is_enabled, is_required=is_required)
    audit.record(
        AccountEvent.SERVICE_SWITCHED,
        subject=service,
        actor=actor,
        details={"enabled": int(is_enabled), "required": int(is_required)},
    )


def service_try(*, service: SignInService) -> str:
    """Ask the provider who it is, and for its keys; in words what was found. Raises Unavailable with what is wrong."""
    try:
        provider = providers.provider_find(service.issuer)
        keys = providers.provider_keys(provider)
    except ProviderFault as fault:
        raise Unavailable(fault.reason, title="The service can’t be used as it is") from None
    return f"It answers as it should: {provider.issuer}, with {len(keys)} key(s) that can be used."


@transaction.atomic(durable=True)
def account_forget(*, service: SignInService, user: User, actor: Actor) -> None:
    """The next account that the service vouches for with this person's address is theirs. Raises InvalidMove."""
    if PinnedAccount.objects.filter(service=service, user=user).delete()[0] != 1:
        raise InvalidMove
    audit.record(AccountEvent.ACCOUNT_FORGOTTEN, subject=service, actor=actor, details={"email": user.email})


def service_portal(service: SignInService, *, practice_code: str) -> Portal:
    """What the portal is called there, with the secret. Raises Unreadable."""
    clear = secrets.unseal(PURPOSE, bytes(service.client_secret), bound_to=secrets.place_of(service))
    return Portal(
        client_id=service.oauth_client, client_secret=clear.decode(), redirect_uri=redirect_uri(practice_code)
    )


def redirect_uri(practice_code: str) -> str:
    """Where the provider sends people back to: one address for each practice, so that no service answers for another."""
    return settings.SITE_URL + reverse("service_back", args=[practice_code])


def domains_read(text: str) -> list[str]:
    """The domains in a text, each once, in small letters; split at spaces, commas and line breaks."""
    return list(dict.fromkeys(word.lower().lstrip("@") for word in re.split(r"[\s,;]+", text) if word))


def _check(wanted: Wanted) -> None:
    try:
        providers.issuer_check(wanted.issuer)
    except ProviderFault as fault:
        raise BadService(fault.reason) from None
    if not wanted.domains or len(wanted.domains) > MOST_DOMAINS:
        raise BadService(f"Name the domains of your people’s addresses: one to {MOST_DOMAINS}.")
    for domain in wanted.domains:
        if not DOMAIN.fullmatch(domain) or len(domain) > 253:
            raise BadService(f"“{domain[:80]}” is no domain, such as example.com.")
        if domain in EVERYBODYS:
            raise BadService(f"Anybody can have an address at {domain}. Name domains that are yours alone.")


def _is_elsewhere(service: SignInService, wanted: Wanted) -> bool:
    return (service.issuer, service.oauth_client) != (wanted.issuer, wanted.client_id)


@transaction.atomic(durable=True)
def _set_up(*, practice: Practice, wanted: Wanted, actor: Actor) -> SignInService:
    service = SignInService(
        id=uuid4(),
        practice=practice,
        door_sha256=selectors.door_of(practice.code),
        issuer=wanted.issuer,
        oauth_client=wanted.client_id,
        domains=list(wanted.domains),
    )
    service.client_secret = _sealed(service, wanted.client_secret)
    try:
        with transaction.atomic():
            service.save(force_insert=True)
    except IntegrityError:
        raise InvalidMove("There is a sign-in service already.") from None
    audit.record(AccountEvent.SERVICE_SET_UP, subject=service, actor=actor, details=_told(wanted))
    return service


@transaction.atomic(durable=True)
def _change(*, service: SignInService, wanted: Wanted, actor: Actor) -> None:
    fields: dict[str, object] = {
        "issuer": wanted.issuer,
        "oauth_client": wanted.client_id,
        "domains": list(wanted.domains),
    }
    if wanted.client_secret:
        fields["client_secret"] = _sealed(service, wanted.client_secret)
    _swap(service, **fields)
    forgotten = 0
    if _is_elsewhere(service, wanted):
        forgotten = PinnedAccount.objects.filter(service=service).delete()[0]
    details = {**_told(wanted), "new_secret": int(bool(wanted.client_secret)), "forgotten": forgotten}
    audit.record(AccountEvent.SERVICE_CHANGED, subject=service, actor=actor, details=details)


def _swap(service: SignInService, **fields: object) -> None:
    rows = SignInService.objects.filter(pk=service.pk, revision=service.revision)
    if rows.update(revision=service.revision + 1, **fields) != 1:
        raise Stale


def _sealed(service: SignInService, clear: str) -> bytes:
    return secrets.seal(PURPOSE, clear.encode(), bound_to=secrets.place_of(service))


def _told(wanted: Wanted) -> dict[str, str | int | None]:
    return {"issuer": wanted.issuer, "client_id": wanted.client_id, "domains": ", ".join(wanted.domains)}


def _sealed_secrets() -> list[secrets.SealedThing]:
    return [
        secrets.SealedThing(place=row.pk, sealed=bytes(row.client_secret), bound_to=secrets.place_of(row))
        for row in SignInService.objects.all()
    ]


@transaction.atomic(durable=True)
def _swap_secret(thing: secrets.SealedThing, sealed: bytes) -> bool:
    rows = SignInService.objects.filter(pk=thing.place, client_secret=thing.sealed)
    return rows.update(client_secret=sealed) == 1


secrets.keeps(
    secrets.Keeper(
        purpose=PURPOSE, scopes=selectors.practice_scopes, things=_sealed_secrets, swap=_swap_secret
    )
)
