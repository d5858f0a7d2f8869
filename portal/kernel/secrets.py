"""Bytes that only this installation can read, and tokens that only it can make. Every key comes from SECRET_KEY.

A purpose is part of each key, so that what was sealed for one use opens in no other. Keys of
SECRET_KEY_FALLBACKS still open and still recognise; nothing new is made with them.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import os
from collections.abc import Iterator
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

FORMAT: Final = b"\x01"
NONCE_BYTES: Final = 12
TOKEN_BYTES: Final = 20  # 160 bits, 32 letters


class Unreadable(Exception):
    """Raised when sealed bytes were changed, bound to something else, or sealed under a key that is gone."""


def seal(purpose: str, clear: bytes, *, bound_to: str = "") -> bytes:
    """Encrypt with AES-256-GCM. What is `bound_to` one row, by its id, does not open for another."""
    nonce = os.urandom(NONCE_BYTES)
    key = _key(settings.SECRET_KEY, f"seal:{purpose}")
    return FORMAT + nonce + AESGCM(key).encrypt(nonce, clear, bound_to.encode())


def unseal(purpose: str, sealed: bytes, *, bound_to: str = "") -> bytes:
    """What `seal` was given. Raises Unreadable."""
    mark, nonce, secret = sealed[:1], sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    if mark != FORMAT or len(nonce) != NONCE_BYTES:
        raise Unreadable(purpose)
    for root in _roots():
        try:
            return AESGCM(_key(root, f"seal:{purpose}")).decrypt(nonce, secret, bound_to.encode())
        except InvalidTag:
            continue
    raise Unreadable(purpose)


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


def _roots() -> list[str]:
    return [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]


@functools.lru_cache(maxsize=64)
def _key(root: str, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=b"latchkey", info=purpose.encode()).derive(root.encode())
