"""Checkpoints: signed ends of a chain, made by the worker, mailed to owners, printed in receipts."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import threading
from enum import StrEnum
from typing import Any
from uuid import UUID

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from portal.kernel import actor, audit, checkpoints, clock, due, tenancy
from portal.kernel.models import AuditCheckpoint, AuditEvent, AuditHead, Due, OutboxMessage
from tests.conftest import SqlAs

A, B, CLIENT = UUID(int=0xA), UUID(int=0xB), UUID(int=0xC)
IN_A = tenancy.practice_scope(A)
DAY = dt.timedelta(days=1)


class Sample(StrEnum):
    """An event kind of these tests."""

    DONE = "sample:thing:done"


@transaction.atomic(durable=True)
def act() -> AuditEvent:
    return audit.record(Sample.DONE, subject=AuditHead(pk=A), actor=actor.machine("test"))


def signed_after(events: int) -> AuditCheckpoint:
    for _ in range(events):
        act()
    made = checkpoints.checkpoint_make()
    assert made is not None
    return made


def turn_of(row: Due) -> due.Turn:
    return due.Turn(
        due_id=row.pk,
        lease_id=UUID(int=1),
        practice_id=row.practice_id,
        client_id=None,
        kind=row.kind,
        object_id=row.object_id,
        attempts=1,
    )


def test_a_checkpoint_says_how_long_the_chain_is_and_how_it_ends(real_db: None) -> None:
    with tenancy.use(IN_A):
        made = signed_after(3)
        head = AuditHead.objects.get()
        assert (made.size, bytes(made.hash)) == (3, bytes(head.hash))
        assert checkpoints.checkpoint_latest(A) == made
    origin, size, digest, blank, signature = checkpoints.note_of(made).splitlines()
    assert origin == f"testserver/hash-chain/{A}"
    assert (size, blank, len(digest)) == ("3", "", 44)
    assert signature.startswith("— testserver ")
    key = Ed25519PublicKey.from_public_bytes(bytes(made.public_key))
    key.verify(bytes(made.signature), f"{origin}\n{size}\n{digest}\n".encode())
    name, key_id, public = checkpoints.verifier_key_of(made).split("+", 2)
    assert (name, len(public)) == ("testserver", 44)
    assert key_id == hashlib.sha256(b"testserver\n\x01" + bytes(made.public_key)).hexdigest()[:8]


def test_an_empty_chain_and_one_that_did_not_grow_get_no_new_checkpoint(real_db: None) -> None:
    with tenancy.use(IN_A):
        assert checkpoints.checkpoint_make() is None
        first = signed_after(1)
        assert checkpoints.checkpoint_make() == first
        assert AuditCheckpoint.objects.count() == 1
        assert signed_after(1).size == 2


def test_two_workers_at_once_make_one(real_db: None) -> None:
    with tenancy.use(IN_A):
        act()
    barrier = threading.Barrier(2)
    made: list[AuditCheckpoint | None] = []

    def work() -> None:
        barrier.wait()
        try:
            with tenancy.use(IN_A):
                made.append(checkpoints.checkpoint_make())
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 2
    assert made[0] == made[1]


def test_the_first_event_plans_the_first_look_and_each_look_plans_the_next(real_db: None) -> None:
    with tenancy.use(IN_A):
        event = act()
        row = Due.objects.get(kind=audit.CHECKPOINT)
        assert (row.object_id, row.next_at) == (A, event.at + DAY)
        act()
        assert Due.objects.count() == 1
        moment = clock.now()
        with clock.frozen(moment):
            assert checkpoints.checkpoint_due(turn_of(row)) == moment + DAY
        assert checkpoints.checkpoint_latest(A) is not None


def test_a_mail_is_promised_once_for_each_size(real_db: None) -> None:
    with tenancy.use(IN_A):
        act()
        turn = turn_of(Due.objects.get())
        for _ in range(3):
            checkpoints.checkpoint_due(turn)
        assert OutboxMessage.objects.filter(kind=checkpoints.MAIL).count() == 1
        signed_after(1)  # for a receipt, between two looks
        checkpoints.checkpoint_due(turn)
        keys = OutboxMessage.objects.values_list("dedupe_key", flat=True).order_by("id")
        assert list(keys) == ["checkpoint-mail:1", "checkpoint-mail:2"]


def test_a_checkpoint_that_covers_an_event_stays_the_same(real_db: None) -> None:
    with tenancy.use(IN_A):
        assert checkpoints.checkpoint_covering(A, seq=1) is None
        first, second = signed_after(2), signed_after(2)
        assert checkpoints.checkpoint_covering(A, seq=1) == first
        assert checkpoints.checkpoint_covering(A, seq=2) == first
        assert checkpoints.checkpoint_covering(A, seq=3) == second
        assert checkpoints.checkpoint_covering(A, seq=5) is None


def test_both_sides_read_them_only_the_practice_writes_them_and_others_see_none(real_db: None) -> None:
    with tenancy.use(IN_A):
        made = signed_after(1)
    with tenancy.use(tenancy.client_scope(A, CLIENT)):
        assert checkpoints.checkpoint_latest(A) == made
        made.pk, made.size = None, 2
        with pytest.raises(DatabaseError, match="row-level security"):
            made.save(force_insert=True)
    with tenancy.use(tenancy.practice_scope(B)):
        assert checkpoints.checkpoint_latest(A) is None


@pytest.mark.parametrize("statement", ["update {} set size = size", "delete from {}", "truncate {}"])
@pytest.mark.parametrize("role", ["portal_web", "portal_worker", "portal_owner"])
def test_nobody_who_logs_in_changes_one(real_db: None, sql_as: SqlAs, role: str, statement: str) -> None:
    with tenancy.use(IN_A):
        signed_after(1)
    session = sql_as(role)
    session.execute(
        "select set_config('app.side', 'practice', false), set_config('app.practice', %s, false)", [str(A)]
    )
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute(statement.format("kernel_auditcheckpoint"))


BROKEN = {
    "edited since": "update kernel_auditevent set actor = 'user:other' where seq = 3",
    "tail cut": (
        "delete from kernel_auditevent where seq > 1; update kernel_audithead set seq = 1, "
        "hash = (select hash from kernel_auditevent where seq = 1)"
    ),
    "head gone": "delete from kernel_audithead",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_does_not_follow_from_the_last_checkpoint_is_not_signed(
    real_db: None, sql_as: SqlAs, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    with tenancy.use(IN_A):
        signed_after(2)
        act()
    superuser = sql_as("superuser")
    _unlock(superuser)
    superuser.execute(BROKEN[name])
    with tenancy.use(IN_A), caplog.at_level(logging.CRITICAL, logger="portal.audit"):
        assert checkpoints.checkpoint_make() is None
        moment = clock.now()
        with clock.frozen(moment):
            assert checkpoints.checkpoint_due(turn_of(Due.objects.get())) == moment + dt.timedelta(hours=1)
        assert AuditCheckpoint.objects.count() == 1
    assert "Not signed" in caplog.text
    assert str(A) in caplog.text


def _unlock(superuser: psycopg.Connection[tuple[Any, ...]]) -> None:
    for table in ("kernel_auditbody", "kernel_auditevent", "kernel_auditcheckpoint"):
        superuser.execute(f"alter table {table} disable trigger all")
    superuser.execute("delete from kernel_auditbody")


def test_without_a_key_nothing_is_signed(real_db: None, settings: Any) -> None:
    settings.AUDIT_SIGNING_KEY = ""
    with tenancy.use(IN_A):
        act()
        with pytest.raises(ImproperlyConfigured, match="Only the worker signs"):
            checkpoints.checkpoint_make()


def test_a_new_key_signs_the_next_checkpoint_and_the_old_ones_stay_true(real_db: None, settings: Any) -> None:
    with tenancy.use(IN_A):
        first = signed_after(1)
        settings.AUDIT_SIGNING_KEY = "ab" * 32
        second = signed_after(1)
        assert first.key_id != second.key_id
        assert checkpoints.first_checkpoint_fault(A) is None


FORGED = {
    "update kernel_auditcheckpoint set hash = sha256('x')": "event 2: the checkpoint's signature does not hold",
    "update kernel_auditcheckpoint set key_id = '00000000'": "event 2: the checkpoint's signature does not hold",
    "delete from kernel_auditevent; delete from kernel_audithead": "event 2: the chain ends before",
    "update kernel_auditevent set hash = sha256('x') where seq = 2": "event 2: its content was changed",
}


def test_a_checkpoint_of_another_history_is_found_by_itself(real_db: None, sql_as: SqlAs) -> None:
    with tenancy.use(IN_A):
        signed_after(2)
    superuser = sql_as("superuser")
    _unlock(superuser)
    superuser.execute("update kernel_auditevent set hash = sha256('x') where seq = 2")
    with tenancy.use(IN_A):
        fault = checkpoints.first_checkpoint_fault(A)
    assert fault == audit.Fault(seq=2, reason="the checkpoint vouches for another history")


@pytest.mark.parametrize("statement", FORGED)
def test_the_command_looks_at_checkpoints_too(real_db: None, sql_as: SqlAs, statement: str) -> None:
    with tenancy.use(IN_A):
        signed_after(2)
    superuser = sql_as("superuser")
    _unlock(superuser)
    superuser.execute(statement)
    connection.close()
    connection.settings_dict["USER"] = "portal_audit_ro"
    try:
        with pytest.raises(CommandError, match=FORGED[statement]):
            call_command("audit_verify")
    finally:
        connection.close()
        connection.settings_dict["USER"] = "portal_web"


def test_a_checkpoint_has_a_name() -> None:
    assert str(AuditCheckpoint(size=7)) == "checkpoint at 7"
