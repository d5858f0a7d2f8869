"""A device with passkeys, in software: it answers as a browser would, or, when told to, as a crooked one."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AttestedCredentialData

PRESENT, VERIFIED, HAS_KEY = 0x01, 0x04, 0x40
ORIGIN = "http://testserver"


@dataclass(slots=True)
class Device:
    """One key pair, found by whoever asks for this site's keys."""

    origin: str = ORIGIN
    rp_id: str = "testserver"
    is_held_by_owner: bool = True
    sends_key: bool = True
    count: int = 0
    user_handle: bytes = b""
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: os.urandom(16))

    def make(self, options: str) -> str:
        """What the browser posts when a key was made."""
        asked = json.loads(options)
        self.user_handle = websafe_decode(asked["user"]["id"])
        public = ES256.from_cryptography_key(self.key.public_key())  # type: ignore[no-untyped-call]  # fido2 types most
        data = AttestedCredentialData.create(bytes(16), self.credential_id, public)
        with_key = self._authenticator_data(HAS_KEY) + bytes(data)
        authenticator = with_key if self.sends_key else self._authenticator_data(0)
        attestation = cbor.encode({"fmt": "none", "attStmt": {}, "authData": authenticator})
        told = self._client_data("webauthn.create", asked["challenge"])
        return self._posted({"clientDataJSON": told, "attestationObject": attestation})

    def sign(self, options: str) -> str:
        """What the browser posts when the key was used."""
        asked = json.loads(options)
        authenticator = self._authenticator_data(0)
        told = self._client_data("webauthn.get", asked["challenge"])
        signature = self.key.sign(authenticator + hashlib.sha256(told).digest(), ec.ECDSA(SHA256()))
        return self._posted(
            {
                "clientDataJSON": told,
                "authenticatorData": authenticator,
                "signature": signature,
                "userHandle": self.user_handle,
            }
        )

    def _authenticator_data(self, more: int) -> bytes:
        flags = PRESENT | more | (VERIFIED if self.is_held_by_owner else 0)
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client_data(self, kind: str, challenge: str) -> bytes:
        told = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(told).encode()

    def _posted(self, response: dict[str, bytes]) -> str:
        name = websafe_encode(self.credential_id)
        body: dict[str, Any] = {key: websafe_encode(value) for key, value in response.items()}
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": body})
