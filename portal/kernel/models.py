"""The kernel's own tables: the audit chain, the outbox, what is due, sealed letters. They hold ids, never keys, of other apps' rows."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class AuditHead(models.Model):
    """The newest link of one practice's chain. Locked by whoever appends, so that numbers have no gaps."""

    practice_id = models.UUIDField(primary_key=True)
    seq = models.BigIntegerField(default=0)
    hash = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return f"{self.practice_id} at {self.seq}"


class AuditEvent(models.Model):
    """One act, for ever. Every column is part of the hashed header, or it could be edited unseen."""

    id = models.BigAutoField(primary_key=True)
    practice_id = models.UUIDField()
    client_id = models.UUIDField(null=True)
    seq = models.BigIntegerField()
    at = models.DateTimeField()
    kind = models.CharField(max_length=80)
    actor = models.CharField(max_length=80)
    subject = models.CharField(max_length=120)
    about_id = models.UUIDField(null=True)
    body_sha256 = models.CharField(max_length=64)
    prev = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice_id", "seq"], name="audit_one_event_per_number"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["practice_id", "about_id", "-seq"], name="audit_by_what_it_is_about"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"


class AuditBody(models.Model):
    """Names, addresses and reasons of one event, salted. Erasing it leaves the chain verifiable."""

    event = models.OneToOneField(AuditEvent, on_delete=models.PROTECT, primary_key=True, related_name="body")
    practice_id = models.UUIDField()
    client_id = models.UUIDField(null=True)
    text = models.TextField()

    def __str__(self) -> str:
        return f"body of {self.event_id}"


class AuditCheckpoint(models.Model):
    """A signed statement of how long one practice's chain was, and which hash it ended in. Copies of it live outside."""

    id = models.BigAutoField(primary_key=True)
    practice_id = models.UUIDField()
    size = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)
    signed_at = models.DateTimeField()
    origin = models.CharField(max_length=300)
    key_name = models.CharField(max_length=200)
    key_id = models.CharField(max_length=8)
    public_key = models.BinaryField(max_length=32)
    signature = models.BinaryField(max_length=64)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice_id", "size"], name="checkpoint_one_per_size"),
        ]

    def __str__(self) -> str:
        return f"checkpoint at {self.size}"


class OutboxState(models.TextChoices):
    """Where a message is; `waiting` has failed at least once and will be tried again."""

    QUEUED = "queued"
    INFLIGHT = "inflight"
    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"


class OutboxMessage(models.Model):
    """Something that must happen outside PostgreSQL, written in the transaction of its cause. Ids only."""

    id = models.BigAutoField(primary_key=True)
    practice_id = models.UUIDField()
    client_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=80)
    object_id = models.UUIDField()
    dedupe_key = models.CharField(max_length=160)
    state = models.CharField(max_length=10, choices=OutboxState.choices, default=OutboxState.QUEUED)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField()
    lease_id = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, default="")
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice_id", "dedupe_key"], name="outbox_one_row_per_effect"),
            models.CheckConstraint(
                condition=models.Q(state__in=OutboxState.values), name="outbox_known_state"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_at"],
                condition=models.Q(state__in=[OutboxState.QUEUED, OutboxState.WAITING]),
                name="outbox_due",
            ),
            models.Index(
                fields=["lease_until"], condition=models.Q(state=OutboxState.INFLIGHT), name="outbox_leases"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"


class Due(models.Model):
    """When one thing is looked at next. Ids and moments only: sweeps read it across practices."""

    id = models.BigAutoField(primary_key=True)
    practice_id = models.UUIDField()
    client_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=80)
    object_id = models.UUIDField()
    next_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    lease_id = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "object_id"], name="due_one_row_per_thing"),
        ]
        indexes: ClassVar = [models.Index(fields=["next_at"], name="due_by_moment")]

    def __str__(self) -> str:
        return f"{self.kind} at {self.next_at}"


class SealedLetter(models.Model):
    """A letter with a secret in it, such as a sign-in code, encrypted until it is sent; then the row is deleted."""

    id = models.UUIDField(primary_key=True)
    practice_id = models.UUIDField()
    sealed = models.BinaryField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"sealed letter {self.pk}"


class SigningCertificate(models.Model):
    """A certificate that signed papers of this installation. Public, and kept for ever: old papers are known by it."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    der = models.BinaryField()
    known_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.sha256


class TraceState(models.TextChoices):
    """What became of a mail. `accepted` is the next server's word: a mail may still come back after it."""

    SENDING = "sending"
    ACCEPTED = "accepted"
    WAITING = "waiting"  # not now, said the server; it is tried again
    REFUSED = "refused"  # for good, while it was handed over
    BOUNCED = "bounced"  # it came back later


class MailTrace(models.Model):
    """One mail to one address and what became of it. `token_sha256` finds it when it comes back (`portal.kernel.bounces`).

    `status` is the enhanced status of RFC 3463, or empty; `said` what the server said, cut to one line.
    """

    id = models.UUIDField(primary_key=True)
    practice_id = models.UUIDField()
    message_key = models.CharField(max_length=80)
    token_sha256 = models.CharField(max_length=64, db_index=True)
    address = models.CharField(max_length=254)
    kind = models.CharField(max_length=80)
    state = models.CharField(max_length=10, choices=TraceState.choices)
    status = models.CharField(max_length=12, blank=True, default="")
    said = models.CharField(max_length=200, blank=True, default="")
    made_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice_id", "message_key"], name="trace_one_per_mail"),
            models.CheckConstraint(condition=models.Q(state__in=TraceState.values), name="trace_known_state"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["practice_id", "address", "-changed_at"], name="trace_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"
