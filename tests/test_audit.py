"""The audit chain: written with its act or not at all, and every way of changing it is found."""

from __future__ import annotations

import json
import threading
from enum import StrEnum
from uuid import UUID

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from portal.kernel import actor, audit, tenancy
from portal.kernel.models import AuditBody, AuditEvent, AuditHead
from tests.conftest import SqlAs

A, B, CLIENT, OTHER = UUID(int=0xA), UUID(int=0xB), UUID(int=0xC), UUID(int=0xD)
MAYA = actor.person(UUID(int=1), name="Maya Okafor", email="maya@northgate.example")


class Sample(StrEnum):
    """An event kind of these tests."""

    DONE = "sample:thing:done"


@transaction.atomic(durable=True)
def act(*, about: UUID | None = None, reason: str = "because") -> AuditEvent:
    return audit.record(
        Sample.DONE, subject=AuditHead(pk=UUID(int=9)), actor=MAYA, about_id=about, details={"reason": reason}
    )


def chain_of(practice: UUID, times: int) -> None:
    with tenancy.use(tenancy.practice_scope(practice)):
        for number in range(times):
            act(reason=f"visit {number}")


def fault_of(practice: UUID) -> audit.Fault | None:
    with tenancy.use(tenancy.practice_scope(practice)):
        events = AuditEvent.objects.filter(practice_id=practice).order_by("seq")
        return audit.first_fault(events, head=AuditHead.objects.filter(pk=practice).first())


def test_an_event_outside_a_transaction_is_refused(real_db: None) -> None:
    with tenancy.use(tenancy.practice_scope(A)), pytest.raises(tenancy.OutsideTransaction):
        audit.record(Sample.DONE, subject=AuditHead(pk=A), actor=MAYA)


def test_an_event_without_a_practice_is_refused(real_db: None) -> None:
    with pytest.raises(tenancy.ScopeError):
        act()


def test_events_are_numbered_and_chained_per_practice(real_db: None) -> None:
    chain_of(A, 3)
    chain_of(B, 1)
    with tenancy.use(tenancy.practice_scope(A)):
        assert list(AuditEvent.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2, 3]
    assert fault_of(A) is None
    assert fault_of(B) is None


def test_a_rolled_back_act_leaves_no_gap(real_db: None) -> None:
    chain_of(A, 1)
    with tenancy.use(tenancy.practice_scope(A)):
        with transaction.atomic(durable=True):
            audit.record(Sample.DONE, subject=AuditHead(pk=A), actor=MAYA)
            transaction.set_rollback(True)
        assert act().seq == 2
    assert fault_of(A) is None


def test_the_body_holds_the_person_and_the_header_does_not(real_db: None) -> None:
    with tenancy.use(tenancy.practice_scope(A)):
        event = act(reason="look at the bill")
        body = json.loads(AuditBody.objects.get(pk=event.pk).text)
    assert body["name"] == "Maya Okafor"
    assert body["details"] == {"reason": "look at the bill"}
    assert len(body["salt"]) == 64
    assert b"Maya" not in audit.header(event)


def test_each_side_sees_its_own_events(real_db: None) -> None:
    with tenancy.use(tenancy.client_scope(A, CLIENT)):
        act()
    with tenancy.use(tenancy.client_scope(A, OTHER)):
        assert AuditEvent.objects.count() == 0
        assert act().seq == 2  # one chain per practice, though it sees none of the first
    with tenancy.use(tenancy.practice_scope(A)):
        assert AuditEvent.objects.count() == 2
    with tenancy.use(tenancy.practice_scope(B)):
        assert AuditEvent.objects.count() == 0


@pytest.mark.parametrize("table", ["kernel_auditevent", "kernel_auditbody"])
@pytest.mark.parametrize(
    "statement", ["update {} set practice_id = practice_id", "delete from {}", "truncate {} cascade"]
)
def test_the_web_role_cannot_change_the_record(
    real_db: None, sql_as: SqlAs, table: str, statement: str
) -> None:
    chain_of(A, 1)
    web = sql_as("portal_web")
    web.execute(
        "select set_config('app.side', 'practice', false), set_config('app.practice', %s, false)", [str(A)]
    )
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        web.execute(statement.format(table))


TAMPERINGS: dict[str, tuple[str, int]] = {
    "edited row": ("update kernel_auditevent set actor = 'user:other' where seq = 2", 2),
    "edited time": ("update kernel_auditevent set at = at + interval '1 second' where seq = 2", 2),
    "deleted in the middle": ("delete from kernel_auditevent where seq = 2", 2),
    "deleted tail": ("delete from kernel_auditevent where seq = 4", 4),
    "reordered": ("update kernel_auditevent set seq = case seq when 2 then 3 when 3 then 2 else seq end", 2),
    "inserted": (
        (
            "insert into kernel_auditevent (practice_id, seq, at, kind, actor, subject, body_sha256, prev, hash) "
            "select practice_id, 5, at, kind, actor, subject, body_sha256, hash, hash from kernel_auditevent where seq = 4"
        ),
        5,
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_superusers_change_is_found_and_its_place_named(real_db: None, sql_as: SqlAs, name: str) -> None:
    chain_of(A, 4)
    statement, broken = TAMPERINGS[name]
    superuser = sql_as("superuser")
    superuser.execute("alter table kernel_auditbody drop constraint if exists kernel_auditbody_event_id_fk")
    for table in ("kernel_auditevent", "kernel_auditbody"):
        superuser.execute(f"alter table {table} disable trigger all")
    superuser.execute("alter table kernel_auditevent drop constraint audit_one_event_per_number")
    superuser.execute("truncate kernel_auditbody")
    superuser.execute(statement)
    found = fault_of(A)
    assert found is not None
    assert found.seq == broken


def test_the_command_verifies_every_practice_as_the_audit_role(
    real_db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    chain_of(A, 2)
    chain_of(B, 1)
    verify()
    assert "2 chains verified." in capsys.readouterr().out


def test_the_command_names_practice_and_event_of_a_changed_body(real_db: None, sql_as: SqlAs) -> None:
    chain_of(A, 2)
    superuser = sql_as("superuser")
    superuser.execute("alter table kernel_auditbody disable trigger all")
    superuser.execute("update kernel_auditbody set text = replace(text, 'visit 1', 'visit 9')")
    with pytest.raises(CommandError, match=f"Practice {A}, event 2: its details were changed"):
        verify()


def test_the_command_names_a_chain_whose_head_is_gone(real_db: None, sql_as: SqlAs) -> None:
    chain_of(A, 2)
    sql_as("superuser").execute("delete from kernel_audithead")
    with pytest.raises(CommandError, match=f"Practice {A}, event 3"):
        verify()


def verify() -> None:
    """Run the command logged in as the audit role, as `manage.py audit_verify` does."""
    connection.close()
    connection.settings_dict["USER"] = "portal_audit_ro"
    try:
        call_command("audit_verify")
    finally:
        connection.close()
        connection.settings_dict["USER"] = "portal_web"


def test_two_who_write_at_once_get_two_numbers(real_db: None) -> None:
    barrier = threading.Barrier(4)
    seen: list[int] = []

    def write() -> None:
        barrier.wait()
        try:
            with tenancy.use(tenancy.practice_scope(A)):
                seen.extend(act().seq for _ in range(10))
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == list(range(1, 41))
    assert fault_of(A) is None


def test_a_failing_audit_table_fails_the_act(real_db: None, sql_as: SqlAs) -> None:
    sql_as("superuser").execute("revoke insert on kernel_auditevent from portal_web")
    with tenancy.use(tenancy.practice_scope(A)):
        with pytest.raises(DatabaseError):
            act()
        assert AuditHead.objects.count() == 0


def test_a_machine_and_a_row_have_names() -> None:
    assert actor.machine("sweep").reference == "system:sweep"
    assert str(AuditHead(practice_id=A, seq=2)) == f"{A} at 2"
    event = AuditEvent(pk=3, seq=1, kind="sample:thing:done")
    assert str(event) == "1 sample:thing:done"
    assert str(AuditBody(event=event)) == "body of 3"
