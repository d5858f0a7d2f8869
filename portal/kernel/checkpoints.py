"""Signed statements of where a practice's chain ended, as C2SP signed notes (SECURITY §6).

Copies leave the installation in mails and receipts. Whoever holds one can prove later that the chain was cut,
rewritten or set back, even by somebody who could change the whole database.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import Model, Subquery

from portal.kernel import audit, clock, due, outbox, tenancy
from portal.kernel.audit import BEGINNING, CHECKPOINT, CHECKPOINT_EVERY, Fault, Link
from portal.kernel.models import AuditCheckpoint, AuditEvent, AuditHead

MAIL: Final = "audit.checkpoint_mail"  # whoever knows the practice's people handles it
ED25519: Final = b"\x01"  # C2SP's number of the signature type
AFTER_A_FAULT: Final = dt.timedelta(hours=1)
log: Final = logging.getLogger("portal.audit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """The installation's signing key. `key_id` is what C2SP takes: SHA-256 of name, type and public key, 4 bytes."""

    name: str
    private: Ed25519PrivateKey

    @property
    def public(self) -> bytes:
        """32 bytes."""
        return self.private.public_key().public_bytes_raw()

    @property
    def key_id(self) -> bytes:
        """4 bytes."""
        return key_id_of(self.name, self.public)


def key_id_of(name: str, public_key: bytes) -> bytes:
    """The short name of a key in notes."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public_key).digest()[:4]


def signer() -> Signer:
    """From AUDIT_SIGNING_KEY. Raises ImproperlyConfigured in a process that has none."""
    if not settings.AUDIT_SIGNING_KEY:
        raise ImproperlyConfigured("Only the worker signs checkpoints: set AUDIT_SIGNING_KEY there.")
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(settings.AUDIT_SIGNING_KEY))
    return Signer(name=urlsplit(settings.SITE_URL).netloc, private=private)


def checkpoint_latest(practice_id: UUID) -> AuditCheckpoint | None:
    """The newest checkpoint of a practice, for both of its sides; None before the first."""
    return AuditCheckpoint.objects.filter(practice_id=practice_id).order_by("-size").first()


def checkpoint_over(kind: StrEnum, *, subject: Model, about_id: UUID) -> AuditCheckpoint | None:
    """The first checkpoint with this event under it, in the practice in scope; None until there is one."""
    practice = tenancy.practice_id()
    events = AuditEvent.objects.filter(
        practice_id=practice, about_id=about_id, kind=kind, subject=audit.reference(subject)
    )
    return checkpoint_covering(practice, seq=Subquery(events.values("seq")[:1]))


def checkpoint_covering(practice_id: UUID, *, seq: int | Subquery) -> AuditCheckpoint | None:
    """The first checkpoint that vouches for event number `seq`: the same one whenever it is asked for."""
    rows = AuditCheckpoint.objects.filter(practice_id=practice_id, size__gte=seq)
    return rows.order_by("size").first()


@transaction.atomic(durable=True)
def checkpoint_make() -> AuditCheckpoint | None:
    """Sign the end of the chain in scope, unless the newest checkpoint is that; the newest one then, or None for an
    empty chain.

    Nothing is signed that does not follow from what was signed before: then the log says CRITICAL, and None is given.
    """
    practice = tenancy.practice_id()
    latest = checkpoint_latest(practice)
    head = AuditHead.objects.filter(pk=practice).first()
    fault = _fault_since(latest, head)
    if fault is not None:
        log.critical(
            "audit chain of practice %s, event %s: %s. Not signed.", practice, fault.seq, fault.reason
        )
        return None
    if head is None or (latest is not None and latest.size == head.seq):
        return latest
    AuditCheckpoint.objects.bulk_create(
        [_signed(head, signer())], ignore_conflicts=True
    )  # two workers at once
    return AuditCheckpoint.objects.get(practice_id=practice, size=head.seq)


@due.handles(CHECKPOINT)
def checkpoint_due(_turn: due.Turn) -> dt.datetime:
    """Once a day: sign, and promise the mail about a checkpoint that nobody was mailed yet."""
    checkpoint = checkpoint_make()
    if checkpoint is None:
        return clock.now() + AFTER_A_FAULT
    _promise_mail(checkpoint)
    return clock.now() + CHECKPOINT_EVERY


def origin_of(practice_id: UUID) -> str:
    """Installation and practice; says what it is, so that it is never taken for the root of a Merkle tree."""
    return f"{urlsplit(settings.SITE_URL).netloc}/hash-chain/{practice_id}"


def text_of(checkpoint: AuditCheckpoint) -> str:
    """What is signed: origin, size, hash, one a line."""
    digest = base64.b64encode(bytes(checkpoint.hash)).decode()
    return f"{checkpoint.origin}\n{checkpoint.size}\n{digest}\n"


def note_of(checkpoint: AuditCheckpoint) -> str:
    """The signed note, to be kept outside word for word."""
    signed = bytes.fromhex(checkpoint.key_id) + bytes(checkpoint.signature)
    return f"{text_of(checkpoint)}\n\N{EM DASH} {checkpoint.key_name} {base64.b64encode(signed).decode()}\n"


def verifier_key_of(checkpoint: AuditCheckpoint) -> str:
    """The public key as the verifier takes it: name+id+key."""
    key = base64.b64encode(ED25519 + bytes(checkpoint.public_key)).decode()
    return f"{checkpoint.key_name}+{checkpoint.key_id}+{key}"


def first_checkpoint_fault(practice_id: UUID) -> Fault | None:
    """The first checkpoint in the database that is not signed, or that the chain does not bear out."""
    for checkpoint in AuditCheckpoint.objects.filter(practice_id=practice_id).order_by("size").iterator():
        if not is_signed(checkpoint):
            return Fault(seq=checkpoint.size, reason="the checkpoint's signature does not hold")
        event = AuditEvent.objects.filter(practice_id=practice_id, seq=checkpoint.size).first()
        if event is None:
            return Fault(seq=checkpoint.size, reason="the chain ends before the checkpoint")
        if bytes(event.hash) != bytes(checkpoint.hash):
            return Fault(seq=checkpoint.size, reason="the checkpoint vouches for another history")
    return None


def is_signed(checkpoint: AuditCheckpoint) -> bool:
    """Whether its own key signed it. Whether that is the installation's key is for those to say who know it."""
    public_key = bytes(checkpoint.public_key)
    if key_id_of(checkpoint.key_name, public_key).hex() != checkpoint.key_id:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(
            bytes(checkpoint.signature), text_of(checkpoint).encode()
        )
    except InvalidSignature:
        return False
    return True


def _fault_since(latest: AuditCheckpoint | None, head: AuditHead | None) -> Fault | None:
    after = Link(seq=latest.size, hash=bytes(latest.hash)) if latest else BEGINNING
    reached = head.seq if head else 0
    if reached < after.seq:
        return Fault(seq=reached + 1, reason="the chain ends before its newest checkpoint")
    events = audit.events_of(tenancy.practice_id(), after=after.seq, until=reached)
    return audit.first_fault(events, head=head, after=after)


def _signed(head: AuditHead, by: Signer) -> AuditCheckpoint:
    checkpoint = AuditCheckpoint(
        practice_id=head.practice_id,
        size=head.seq,
        hash=bytes(head.hash),
        signed_at=clock.now(),
        origin=origin_of(head.practice_id),
        key_name=by.name,
        key_id=by.key_id.hex(),
        public_key=by.public,
    )
    checkpoint.signature = by.private.sign(text_of(checkpoint).encode())
    return checkpoint


@transaction.atomic(durable=True)
def _promise_mail(checkpoint: AuditCheckpoint) -> None:
    """One for each size: a chain that did not grow is not told of again."""
    outbox.put(MAIL, checkpoint.practice_id, dedupe_key=f"checkpoint-mail:{checkpoint.size}")
