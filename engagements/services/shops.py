"""The public intake page and the connections to shops: set up by owners, found by their address."""

from __future__ import annotations

import secrets as randomness
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from accounts import selectors as accounts
from accounts.models import Practice, User
from engagements.lifecycle import EngagementEvent, ShopKind
from engagements.models import EngagementTemplate, IntakePage, Shop, new_shop_code
from engagements.selectors import page_door, shop_door
from portal.kernel import audit, clock, secrets
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove

PURPOSE: Final = "shop"
SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Handing:
    """What becomes of an order: a draft of this template, led by this person."""

    template: EngagementTemplate
    lead: User


@transaction.atomic(durable=True)
def intake_set_up(
    *, practice: Practice, handing: Handing, welcome: str, is_open: bool, actor: Actor
) -> IntakePage:
    """Open, close or change the practice's one page. Orders that wait for their confirmation keep what they were made with."""
    page, _is_new = IntakePage.objects.update_or_create(
        practice=practice,
        create_defaults={
            "token_sha256": page_door(practice.code),
            **_set(handing),
            "welcome": welcome,
            "is_open": is_open,
        },
        defaults={**_set(handing), "welcome": welcome, "is_open": is_open},
    )
    details: dict[str, str | int | None] = {
        "title": handing.template.name,
        "consultant": handing.lead.email,
        "open": int(is_open),
    }
    audit.record(EngagementEvent.INTAKE_SET_UP, subject=page, actor=actor, details=details)
    return page


@transaction.atomic(durable=True)
def shop_add(*, practice: Practice, name: str, kind: ShopKind, handing: Handing, actor: Actor) -> Shop:
    """A connection with an address of its own. It takes nothing until it has a secret."""
    code = new_shop_code()
    shop = Shop.objects.create(
        practice=practice,
        code=code,
        token_sha256=shop_door(code),
        name=name,
        kind=kind,
        made_at=clock.now(),
        **_set(handing),
    )
    _record(EngagementEvent.SHOP_ADDED, shop, actor)
    return shop


@transaction.atomic(durable=True)
def shop_change(*, shop: Shop, name: str, handing: Handing, actor: Actor) -> None:
    """Another name, template or lead, for the orders that come from now on. Raises InvalidMove for a closed one."""
    if Shop.objects.filter(pk=shop.pk, closed_at=None).update(name=name, **_set(handing)) != 1:
        raise InvalidMove
    shop.refresh_from_db()
    _record(EngagementEvent.SHOP_CHANGED, shop, actor)


def shop_secret_make(*, shop: Shop, actor: Actor) -> str:
    """A new secret for a shop that signs in our form; given once, and the one before it stops working.

    Raises InvalidMove for a closed connection.
    """
    clear = f"lk_{randomness.token_hex(SECRET_BYTES)}"
    shop_secret_set(shop=shop, clear=clear, actor=actor)
    return clear


@transaction.atomic(durable=True)
def shop_secret_set(*, shop: Shop, clear: str, actor: Actor) -> None:
    """Seal the secret that the other side made. Raises InvalidMove for a closed connection."""
    sealed = secrets.seal(PURPOSE, clear.encode(), bound_to=secrets.place_of(shop))
    rows = Shop.objects.filter(pk=shop.pk, closed_at=None)
    if rows.update(secret=sealed, secret_set_at=clock.now()) != 1:
        raise InvalidMove
    _record(EngagementEvent.SHOP_SECRET_SET, shop, actor)


@transaction.atomic(durable=True)
def shop_close(*, shop: Shop, actor: Actor) -> None:
    """Take nothing more from it, and forget its secret. Raises InvalidMove if it was closed."""
    if Shop.objects.filter(pk=shop.pk, closed_at=None).update(closed_at=clock.now(), secret=b"") != 1:
        raise InvalidMove
    _record(EngagementEvent.SHOP_CLOSED, shop, actor)


def shop_secret(shop: Shop) -> bytes:
    """The secret that messages are signed with. Raises secrets.Unreadable."""
    return secrets.unseal(PURPOSE, bytes(shop.secret), bound_to=secrets.place_of(shop))


def _set(handing: Handing) -> dict[str, object]:
    return {"template": handing.template, "lead": handing.lead}


def _record(kind: EngagementEvent, shop: Shop, actor: Actor) -> None:
    audit.record(kind, subject=shop, actor=actor, details={"title": shop.name, "kind": shop.kind})


def _sealed_secrets() -> list[secrets.SealedThing]:
    return [
        secrets.SealedThing(place=row.pk, sealed=bytes(row.secret), bound_to=secrets.place_of(row))
        for row in Shop.objects.exclude(secret=b"").order_by("pk")
    ]


@transaction.atomic(durable=True)
def _swap_secret(thing: secrets.SealedThing, sealed: bytes) -> bool:
    return Shop.objects.filter(pk=thing.place, secret=thing.sealed).update(secret=sealed) == 1


secrets.keeps(
    secrets.Keeper(
        purpose=PURPOSE, scopes=accounts.practice_scopes, things=_sealed_secrets, swap=_swap_secret
    )
)
