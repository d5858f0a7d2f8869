"""Bytes that only this installation can read, and tokens that only it can make. Every key comes from SECRET_KEY.

A purpose is part of each key, so that what was sealed for one use opens in no other. Keys of
SECRET_KEY_FALLBACKS still open and still recognise; nothing new is made with them. What is sealed begins with the id of
its key and is bound to its place, and `manage.py rotate_secrets` seals what is kept anew under the newest key.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db.models import Model

from portal.kernel import tenancy
from portal.kernel.tenancy import Scope

FORMAT: Final = b"\x02"
KEY_ID_BYTES: Final = 4
NONCE_BYTES: Final = 12
HEAD_BYTES: Final = 1 + KEY_ID_BYTES
TOKEN_BYTES: Final = 20  # 160 bits, 32 letters


class Unreadable(Exception):
    """Raised when sealed bytes were changed, bound to something else, or sealed under a key that is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedThing:
    """One sealed value where it is kept. `place` finds it again; `bound_to` is what it was sealed with."""

    place: Any  # whatever key the keeper's table has
    sealed: bytes
    bound_to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """One kind of things that stay sealed for long: how to read them all, and how to put one back.

    `things` and `swap` run in each of `scopes`. `swap` writes the new value only where the old one still is, in a transaction
    of its own, and says whether it did.
    """

    purpose: str
    scopes: Callable[[], Iterable[Scope]]
    things: Callable[[], Iterable[SealedThing]]
    swap: Callable[[SealedThing, bytes], bool]


KEEPERS: Final[dict[str, Keeper]] = {}


def keeps(keeper: Keeper) -> None:
    """Tell `rotate_secrets` of a kind, once, when its app starts."""
    KEEPERS[keeper.purpose] = keeper


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What a rotation did: things sealed anew, things that were under the newest key, things no key opens."""

    renewed: int = 0
    current: int = 0
    unreadable: int = 0


def rotate(keeper: Keeper) -> Rotated:
    """Seal everything of one kind under the newest key. May be run again at any time, beside a working portal."""
    counts = {"renewed": 0, "current": 0, "unreadable": 0}
    for scope in keeper.scopes():
        with tenancy.use(scope):
            for thing in keeper.things():
                counts[_renew(keeper, thing)] += 1
    return Rotated(**counts)


def _renew(keeper: Keeper, thing: SealedThing) -> str:
    if is_current(thing.sealed):
        return "current"
    try:
        clear = unseal(keeper.purpose, thing.sealed, bound_to=thing.bound_to)
    except Unreadable:
        return "unreadable"
    # Not there any more: used or sealed anew by somebody else meanwhile, which is as good.
    is_ours = keeper.swap(thing, seal(keeper.purpose, clear, bound_to=thing.bound_to))
    return "renewed" if is_ours else "current"


def is_current(sealed: bytes) -> bool:
    """Whether it was sealed under the newest key."""
    return sealed[:HEAD_BYTES] == FORMAT + _key_id(settings.SECRET_KEY)


def place_of(row: Model) -> str:
    """What a row's secrets are bound to: its table, its key and its practice, so that they open in no other row."""
    return f"{row._meta.db_table}:{row.pk}:{getattr(row, 'practice_id', '')}"  # noqa: SLF001  # Django documents _meta


def seal(purpose: str, clear: bytes, *, bound_to: str = "") -> bytes:
    """Encrypt with AES-256-GCM: format, key id, nonce, ciphertext. What is `bound_to` one place opens in no other."""
    nonce, head = os.urandom(NONCE_BYTES), FORMAT + _key_id(settings.SECRET_KEY)
    key = _key(settings.SECRET_KEY, f"seal:{purpose}")
    return head + nonce + AESGCM(key).encrypt(nonce, clear, head + bound_to.encode())


def unseal(purpose: str, sealed: bytes, *, bound_to: str = "") -> bytes:
    """What `seal` was given. Raises Unreadable."""
    head, nonce = sealed[:HEAD_BYTES], sealed[HEAD_BYTES : HEAD_BYTES + NONCE_BYTES]
    root = next((root for root in _roots() if head == FORMAT + _key_id(root)), None)
    if root is None or len(nonce) != NONCE_BYTES:
        raise Unreadable(purpose)
    secret = sealed[HEAD_BYTES + NONCE_BYTES :]
    try:
        return AESGCM(_key(root, f"seal:{purpose}")).decrypt(nonce, secret, head + bound_to.encode())
    except InvalidTag:
        raise Unreadable(purpose) from None


def tokens(purpose: str, about: bytes) -> Iterator[str]:
    """The token for these bytes under each key, newest first: 32 letters and digits, the same every time."""
    for root in _roots():
        digest = hmac.digest(_key(root, f"token:{purpose}"), about, "sha256")
        yield base64.b32encode(digest[:TOKEN_BYTES]).decode().lower()


def fingerprint(token: str) -> str:
    """SHA-256 of a token in hexadecimal: what the database keeps instead of it."""
    return hashlib.sha256(token.encode()).hexdigest()


class SealedSerializer:
    """Django's session serializer: a signed session can be read by whoever reads the table, and it holds sign-in codes."""

    def dumps(self, obj: Any) -> bytes:  # Any: Django's own signature
        """Sealed JSON."""
        return seal("session", json.dumps(obj, separators=(",", ":")).encode())

    def loads(self, data: bytes) -> Any:  # Any: Django's own signature
        """The object again. Raises Unreadable, which Django takes for an empty session."""
        return json.loads(unseal("session", data))


def _key_id(root: str) -> bytes:
    """Says which key it was and nothing about it: derived as keys are, for no other purpose."""
    return _key(root, "key-id")[:KEY_ID_BYTES]


def _roots() -> list[str]:
    return [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]


@functools.lru_cache(maxsize=64)
def _key(root: str, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=b"latchkey", info=purpose.encode()).derive(root.encode())
