"""Exports and the stand-alone verifier: each of the eight ways of changing a record, and its first broken number."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import psycopg
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from accounts.models import Practice
from portal.kernel import actor, audit, checkpoints, export, tenancy
from portal.kernel.models import AuditEvent, AuditHead
from tests.conftest import SqlAs

TOOL = Path(__file__).resolve().parents[1] / "cli" / "audit_verify.py"
A = UUID(int=0xA)
IN_A = tenancy.practice_scope(A)
SEED = "5ea1" * 16


def load() -> ModuleType:
    """The tool as a module, without the folder becoming a package."""
    spec = importlib.util.spec_from_file_location("audit_verify", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["audit_verify"] = module
    spec.loader.exec_module(module)
    return module


tool: Any = load()  # Any: a script has no types of its own here


class Sample(StrEnum):
    """An event kind of these tests."""

    DONE = "sample:thing:done"


@transaction.atomic(durable=True)
def act(reason: str = "because") -> AuditEvent:
    return audit.record(
        Sample.DONE, subject=AuditHead(pk=A), actor=actor.machine("test"), details={"reason": reason}
    )


def happen(times: int, *, seal: bool = True) -> str:
    """So many events in practice A, then a checkpoint; its signed note."""
    with tenancy.use(IN_A):
        for number in range(times):
            act(f"visit {number} – ü \u2028")
        made = checkpoints.checkpoint_make() if seal else None
    return checkpoints.note_of(made) if made else ""


def key() -> str:
    with tenancy.use(IN_A):
        made = checkpoints.checkpoint_latest(A)
    assert made is not None
    return checkpoints.verifier_key_of(made)


def exported(folder: Path, name: str = "record.jsonl") -> Path:
    """What the command writes, logged in as the audit role."""
    with tenancy.use(IN_A):
        if not Practice.objects.exists():
            Practice.objects.create(
                pk=A, code="northgate", name="N", legal_name="N", address="1", support_email="a@b.c"
            )
    connection.close()
    connection.settings_dict["USER"] = "portal_audit_ro"
    try:
        call_command("audit_export", "northgate", out=folder / name)
    finally:
        connection.close()
        connection.settings_dict["USER"] = "portal_web"
    return folder / name


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the tool answered."""

    code: int
    said: str


def verdict(*words: str | Path) -> Verdict:
    """The tool in a process of its own, without site packages: the standard library is all it has."""
    command = [sys.executable, "-I", "-S", str(TOOL), *map(str, words)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, encoding="utf-8")
    return Verdict(code=run.returncode, said=run.stdout + run.stderr)


def unlocked(sql_as: SqlAs) -> psycopg.Connection[tuple[Any, ...]]:
    """A superuser who has put every lock of the record aside."""
    superuser = sql_as("superuser")
    for table in ("kernel_auditbody", "kernel_auditevent", "kernel_auditcheckpoint"):
        superuser.execute(f"alter table {table} disable trigger all")
    superuser.execute("alter table kernel_auditevent drop constraint audit_one_event_per_number")
    return superuser


def delete_events(superuser: psycopg.Connection[tuple[Any, ...]], first: int, last: int) -> None:
    between = (first, last)
    superuser.execute(
        "delete from kernel_auditbody using kernel_auditevent e "
        "where event_id = e.id and e.seq between %s and %s",
        between,
    )
    superuser.execute("delete from kernel_auditevent where seq between %s and %s", between)


# Whole records


def test_an_export_of_an_unbroken_record_verifies_with_keys_from_a_mail(
    real_db: None, tmp_path: Path
) -> None:
    first = happen(3)
    happen(2)
    happen(1, seal=False)
    record, kept = exported(tmp_path), tmp_path / "kept.txt"
    kept.write_text(f"words before\r\n{first}and after\r\n")
    assert record.stat().st_mode & 0o777 == 0o600
    seen = verdict(record, "--key", key(), "--checkpoint", kept)
    assert seen.code == 0
    assert (
        seen.said
        == f"ok    practice {A}: 6 events, 2 checkpoints of its own, 1 from outside, 0 bodies erased\n"
    )


def test_without_a_key_from_outside_the_tool_says_what_that_is_worth(real_db: None, tmp_path: Path) -> None:
    happen(1)
    seen = verdict(exported(tmp_path))
    assert seen.code == 0
    assert "the keys are the export's own" in seen.said


def test_an_empty_record_verifies(real_db: None, tmp_path: Path) -> None:
    assert "0 events" in verdict(exported(tmp_path)).said


def test_an_export_longer_than_a_batch_is_whole(
    real_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "BATCH", 2)
    happen(7)
    assert "7 events" in verdict(exported(tmp_path)).said


def test_an_erased_body_leaves_the_record_verifiable(real_db: None, tmp_path: Path, sql_as: SqlAs) -> None:
    happen(3)
    unlocked(sql_as).execute(
        "delete from kernel_auditbody using kernel_auditevent e where event_id = e.id and e.seq = 2"
    )
    seen = verdict(exported(tmp_path))
    assert (seen.code, "1 bodies erased" in seen.said) == (0, True)


def test_what_is_appended_while_an_export_runs_is_left_out(real_db: None, tmp_path: Path) -> None:
    happen(3)
    with tenancy.use(IN_A):
        lines = export.lines_of(A)
        written = [next(lines), next(lines)]
        act()
        written.extend(lines)
    record = tmp_path / "record.jsonl"
    record.write_text("".join(written))
    assert verdict(record).code == 0


def test_the_command_knows_codes_ids_and_the_installation(real_db: None, tmp_path: Path) -> None:
    happen(1)
    exported(tmp_path)
    with tenancy.use(IN_A):
        call_command("audit_export", str(A), out=tmp_path / "by-id.jsonl")
    call_command("audit_export", "installation", out=tmp_path / "own.jsonl")
    assert (tmp_path / "by-id.jsonl").read_text() == (tmp_path / "record.jsonl").read_text()
    assert len((tmp_path / "own.jsonl").read_text().splitlines()) == 2
    for wrong in ("nobody", str(UUID(int=7))):
        with pytest.raises(CommandError, match="There is no practice"):
            call_command("audit_export", wrong, out=tmp_path / "x.jsonl")
    with pytest.raises(CommandError, match="There is no folder"):
        call_command("audit_export", "installation", out=tmp_path / "no" / "x.jsonl")


def test_an_export_that_fails_leaves_the_old_file(
    real_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happen(1)
    before = exported(tmp_path).read_text()
    monkeypatch.setattr(checkpoints, "note_of", lambda _checkpoint: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        exported(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["record.jsonl"]
    assert (tmp_path / "record.jsonl").read_text() == before


# Tampering in the database, by its superuser. Ten events, checkpoints at 4 and 10.

Tampering = Callable[["psycopg.Connection[tuple[Any, ...]]"], None]


def edited(superuser: psycopg.Connection[tuple[Any, ...]]) -> None:
    superuser.execute("update kernel_auditevent set actor = 'user:other' where seq = 6")


def edited_body(superuser: psycopg.Connection[tuple[Any, ...]]) -> None:
    superuser.execute(
        "update kernel_auditbody b set text = replace(text, 'visit', 'picnic') from kernel_auditevent e "
        "where e.id = b.event_id and e.seq = 6"
    )


def edited_and_hashed_anew(superuser: psycopg.Connection[tuple[Any, ...]]) -> None:
    superuser.execute("update kernel_auditevent set actor = 'user:other' where seq = 6")
    rehash(superuser, 6, 6)


def deleted(superuser: psycopg.Connection[tuple[Any, ...]]) -> None:
    delete_events(superuser, 6, 6)


def deleted_and_renumbered(superuser: psycopg.Connection[tuple[Any, ...]]) -> None:
    delete_events(superuser, 6, 6)
    superuser.execute("update kernel_auditevent set seq = seq - 1 where seq > 6")


def cut(superuser: psycopg.Connection[tuple[Any, ...]]) -> None:
    delete_events(superuser, 8, 10)


def swapped(superuser: psycopg.Connection[tuple[Any, ...]]) -> None:
    superuser.execute("update kernel_auditevent set seq = case seq when 6 then 7 when 7 then 6 else seq end")


def inserted_twice(superuser: psycopg.Connection[tuple[Any, ...]]) -> None:
    superuser.execute(COPY.format(number=6))


def inserted_between(superuser: psycopg.Connection[tuple[Any, ...]]) -> None:
    superuser.execute("update kernel_auditevent set seq = seq + 1 where seq >= 6")
    superuser.execute(COPY.format(number=6))
    rehash(superuser, 6, 6)


def rewritten(superuser: psycopg.Connection[tuple[Any, ...]]) -> None:
    superuser.execute("update kernel_auditevent set actor = 'user:other' where seq = 6")
    rehash(superuser, 6, 10)


COPY = (
    "insert into kernel_auditevent (practice_id, seq, at, kind, actor, subject, body_sha256, prev, hash) "
    "select practice_id, {number}, at, kind, 'user:ghost', subject, body_sha256, prev, hash from kernel_auditevent "
    "where seq = 5"
)


def rehash(superuser: psycopg.Connection[tuple[Any, ...]], first: int, last: int) -> None:
    """What somebody with the source code and the database can do: a chain that fits, from here to there."""
    names = [field.attname for field in AuditEvent._meta.concrete_fields]
    columns = sql.SQL(",").join([sql.Identifier(name) for name in names])
    rows = superuser.execute(
        sql.SQL("select {} from kernel_auditevent order by seq").format(columns)
    ).fetchall()
    found = [AuditEvent.from_db(None, names, row) for row in rows]
    events = {event.seq: event for event in found}
    for seq in range(first, last + 1):
        event = events[seq]
        event.prev = events[seq - 1].hash
        event.hash = audit.link(bytes(event.prev), audit.header(event))
        superuser.execute(
            "update kernel_auditevent set prev = %s, hash = %s where seq = %s", [event.prev, event.hash, seq]
        )
    if last == len(events):
        superuser.execute("update kernel_audithead set hash = %s", [events[last].hash])


@pytest.mark.parametrize(
    ("tamper", "seq", "kind"),
    [
        (edited, 6, "edited"),
        (edited_body, 6, "edited"),
        (edited_and_hashed_anew, 6, "edited"),
        (deleted, 6, "deleted"),
        (deleted_and_renumbered, 6, "deleted"),
        (cut, 8, "cut off at the end"),
        (swapped, 6, "reordered"),
        (inserted_twice, 6, "inserted"),
        (inserted_between, 6, "inserted"),
        (rewritten, 10, "rewritten"),
    ],
)
def test_each_change_in_the_database_is_found_and_its_first_number_named(
    real_db: None, tmp_path: Path, sql_as: SqlAs, tamper: Tampering, seq: int, kind: str
) -> None:
    happen(4)
    happen(6)
    told = key()
    tamper(unlocked(sql_as))
    seen = verdict(exported(tmp_path), "--key", told)
    assert seen.code == 1
    assert f"BROKEN practice {A}, event {seq}: {kind}. " in seen.said


def test_a_rewritten_record_is_narrowed_down_by_checkpoints_and_named_by_an_earlier_export(
    real_db: None, tmp_path: Path, sql_as: SqlAs
) -> None:
    happen(4)
    last = happen(6)
    told, earlier = key(), exported(tmp_path, "earlier.jsonl")
    superuser = unlocked(sql_as)
    rewritten(superuser)
    superuser.execute("delete from kernel_auditcheckpoint where size = 10")
    (tmp_path / "mail.txt").write_text(last)
    record = exported(tmp_path)
    assert verdict(record, "--key", told).code == 0  # nothing in the export itself tells
    seen = verdict(record, "--key", told, "--checkpoint", tmp_path / "mail.txt")
    assert f"BROKEN practice {A}, event 10: rewritten. " in seen.said
    assert "The change is at number 5 or later." in seen.said
    seen = verdict(record, "--key", told, "--earlier", earlier)
    assert (
        f"BROKEN practice {A}, event 6: rewritten. Its hash is not the one given away before.\n" in seen.said
    )


def cut_everywhere(superuser: psycopg.Connection[tuple[Any, ...]]) -> None:
    """As a restored backup looks: nothing inside knows better."""
    delete_events(superuser, 8, 10)
    superuser.execute("delete from kernel_auditcheckpoint where size > 7")
    superuser.execute(
        "update kernel_audithead set seq = 7, hash = (select hash from kernel_auditevent where seq = 7)"
    )


@pytest.mark.parametrize("kept", ["--checkpoint", "--earlier"])
def test_a_tail_deleted_without_a_trace_and_a_restored_backup_show_beside_what_was_kept(
    real_db: None, tmp_path: Path, sql_as: SqlAs, kept: str
) -> None:
    happen(4)
    note = happen(6)
    told, earlier, mail = key(), exported(tmp_path, "earlier.jsonl"), tmp_path / "mail.txt"
    mail.write_text(note)
    cut_everywhere(unlocked(sql_as))
    record = exported(tmp_path)
    assert verdict(record, "--key", told).code == 0
    seen = verdict(record, "--key", told, kept, mail if kept == "--checkpoint" else earlier)
    assert seen.code == 1
    assert f"BROKEN practice {A}, event 8: set back to an older state. " in seen.said


def test_a_backup_restored_and_gone_on_with_is_a_fork(real_db: None, tmp_path: Path, sql_as: SqlAs) -> None:
    """The portal signs again after the restore: then two signed histories are in the world."""
    happen(4)
    note = happen(6)
    told, mail = key(), tmp_path / "mail.txt"
    mail.write_text(note)
    cut_everywhere(unlocked(sql_as))
    happen(6)
    seen = verdict(exported(tmp_path), "--key", told, "--checkpoint", mail)
    assert f"BROKEN practice {A}, event 10: forked. Two histories were signed. " in seen.said
    assert "The change is at number 5 or later." in seen.said


def test_two_checkpoints_of_one_size_are_a_fork_even_if_the_record_shows_neither(
    real_db: None, tmp_path: Path
) -> None:
    happen(4)
    digest = hashlib.sha256(b"another history").digest()
    (tmp_path / "other.txt").write_text(note_over(4, digest))
    seen = verdict(exported(tmp_path), "--key", key(), "--checkpoint", tmp_path / "other.txt")
    assert f"BROKEN practice {A}, event 4: forked. " in seen.said


def note_over(size: int, digest: bytes, *, seed: str = SEED) -> str:
    """A note that the installation's key (or another) signed over anything."""
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
    signer = checkpoints.Signer(name="testserver", private=private)
    text = f"testserver/hash-chain/{A}\n{size}\n{tool.base64.b64encode(digest).decode()}\n"
    signed = tool.base64.b64encode(signer.key_id + private.sign(text.encode())).decode()
    return f"{text}\n— testserver {signed}\n"


@pytest.mark.parametrize(
    ("change", "seq", "kind"),
    [
        ("update kernel_audithead set seq = 9", 10, "inserted"),
        ("update kernel_audithead set hash = sha256('x')", 10, "edited"),
        ("delete from kernel_audithead", 1, "inserted"),
        ("update kernel_auditcheckpoint set hash = sha256('x') where size = 4", 4, "edited"),
        ("update kernel_auditevent set prev = sha256('x') where seq = 6", 6, "edited"),
        ("update kernel_auditevent set seq = 11 where seq = 6", 6, "reordered"),
    ],
)
def test_heads_checkpoints_and_single_columns_do_not_hide_either(
    real_db: None, tmp_path: Path, sql_as: SqlAs, change: str, seq: int, kind: str
) -> None:
    happen(4)
    happen(6)
    told = key()
    unlocked(sql_as).execute(change)
    seen = verdict(exported(tmp_path), "--key", told)
    assert f"event {seq}: {kind}. " in seen.said


def test_a_seal_of_a_mail_is_found_in_the_mail_as_it_was_saved(real_db: None, tmp_path: Path) -> None:
    from email.message import EmailMessage

    note = happen(2)
    letter = EmailMessage()
    letter["Subject"] = "Seal of your record"
    letter.set_content(f"Hello,\n\n{note}\nKey: {key()}\n", cte="quoted-printable")
    letter.add_alternative("<p>Hello</p>", subtype="html")
    (tmp_path / "mail.eml").write_bytes(letter.as_bytes())
    assert note.encode() not in letter.as_bytes()
    seen = verdict(exported(tmp_path), "--key", key(), "--checkpoint", tmp_path / "mail.eml")
    assert (seen.code, "1 from outside" in seen.said) == (0, True)


# What proves nothing is refused


def test_wrong_use_is_told_apart_from_a_broken_record(real_db: None, tmp_path: Path) -> None:
    happen(2)
    record, told, text = exported(tmp_path), key(), tmp_path / "text"
    stranger = checkpoints.Signer(
        name="testserver", private=Ed25519PrivateKey.from_private_bytes(bytes.fromhex("ab" * 32))
    )
    foreign = tool.base64.b64encode(b"\x01" + stranger.public).decode()
    uses: dict[str, list[str | Path]] = {
        "is no key": [record, "--key", "nonsense"],
        "do not belong together": [record, "--key", told.replace("testserver", "other")],
        "not signed by any key": [
            record,
            "--key",
            told,
            "--checkpoint",
            write(text, note_over(2, bytes(32), seed="ab" * 32)),
        ],
        "holds no checkpoint of practice": [record, "--checkpoint", write(tmp_path / "none", "hello")],
        "signature is too short": [
            record,
            "--checkpoint",
            write(tmp_path / "short", note_over(2, bytes(32))[:-30] + "\n"),
        ],
        "No such file": [record, "--checkpoint", tmp_path / "away"],
        "no such file": [tmp_path / "away"],
        "is no export": [write(tmp_path / "bad", "hello\n")],
        "is no whole export": [write(tmp_path / "half", record.read_text().rpartition('{"type":"end"')[0])],
        "not an object": [write(tmp_path / "list", "[]\n")],
        "is no part of an export": [write(tmp_path / "odd", '{"type":"odd"}\n')],
        "not an event": [write(tmp_path / "event", record.read_text().replace('"prev":"', '"prev":"x', 1))],
        "cannot be read": [write(tmp_path / "end", record.read_text().replace('"hash"', '"no"'))],
        "the following arguments are required": [],
    }
    for words, use in uses.items():
        seen = verdict(*use)
        assert (seen.code, words.lower() in seen.said.lower()) == (2, True), (words, seen.said)
    assert f"testserver+{stranger.key_id.hex()}+{foreign}" != told


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_an_earlier_export_has_to_hold_itself_and_to_be_of_the_same_practice(
    real_db: None, tmp_path: Path
) -> None:
    happen(2)
    record = exported(tmp_path)
    broken = write(
        tmp_path / "broken", record.read_text().replace("sample:thing:done", "sample:thing:gone", 1)
    )
    other = write(tmp_path / "other", record.read_text().replace(f'"practice":"{A}"', '"practice":"B"', 1))
    assert "is broken itself, at event 1" in verdict(record, "--earlier", broken).said
    assert "of another practice: B" in verdict(record, "--earlier", other).said
    assert verdict(record, "--earlier", record).code == 0


def test_an_exports_own_key_that_is_not_the_trusted_one_proves_nothing(real_db: None, tmp_path: Path) -> None:
    """Somebody who signs a whole forged record with a key of their own is found by the key of the mails."""
    happen(2)
    told = key()
    with tenancy.use(IN_A):
        made = checkpoints.checkpoint_latest(A)
    assert made is not None
    record = exported(tmp_path)
    forged = note_over(2, bytes(made.hash), seed="ab" * 32)
    lines = record.read_text().replace(
        json.dumps(checkpoints.note_of(made), ensure_ascii=False), json.dumps(forged, ensure_ascii=False)
    )
    seen = verdict(write(tmp_path / "forged", lines), "--key", told)
    assert f"BROKEN practice {A}, event 2: edited. " in seen.said
    assert "not signed by a key that you trust" in seen.said


# The tool alone


def test_the_tool_imports_nothing_but_the_standard_library() -> None:
    tree = ast.parse(TOOL.read_text())
    roots = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
        )
    }
    assert roots <= sys.stdlib_module_names


def test_the_tool_and_the_portal_hash_alike() -> None:
    assert tool.MARK == audit.MARK
    assert tool.FORMAT == export.FORMAT


RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("public", "message", "signature"), RFC_8032)
def test_the_vectors_of_rfc_8032_hold(public: str, message: str, signature: str) -> None:
    parts = [bytes.fromhex(text) for text in (public, message, signature)]
    assert tool.ed25519_verify(*parts)
    assert not tool.ed25519_verify(parts[0], parts[1] + b"x", parts[2])


@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=200), place=st.integers(0, 511))
@settings(max_examples=60, deadline=None)
def test_what_the_library_signs_holds_and_one_flipped_bit_does_not(
    seed: bytes, message: bytes, place: int
) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = private.public_key().public_bytes_raw(), bytearray(private.sign(message))
    assert tool.ed25519_verify(public, message, bytes(signature))
    signature[place // 8] ^= 1 << place % 8
    assert not tool.ed25519_verify(public, message, bytes(signature))


@given(public=st.binary(min_size=32, max_size=32), signature=st.binary(min_size=64, max_size=64))
@example(public=(2**255 - 19).to_bytes(32, "little"), signature=bytes(64))
@example(public=(1 | 1 << 255).to_bytes(32, "little"), signature=bytes(64))
@example(public=bytes(32), signature=bytes(63))
@settings(max_examples=100, deadline=None)
def test_rubbish_is_no_signature_and_no_error(public: bytes, signature: bytes) -> None:
    accepted = tool.ed25519_verify(public, b"words", signature)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, b"words")
    except InvalidSignature:
        assert not accepted


def test_a_signature_is_not_malleable() -> None:
    public, message, signature = (bytes.fromhex(text) for text in RFC_8032[1])
    scalar = int.from_bytes(signature[32:], "little") + tool.ORDER
    assert not tool.ed25519_verify(public, message, signature[:32] + scalar.to_bytes(32, "little"))


# Any change of any export


def chain_in_memory(count: int) -> list[dict[str, Any]]:  # Any: JSON
    """The lines of an export, made without a database."""
    lines: list[dict[str, Any]] = [
        {"type": "start", "format": export.FORMAT, "practice": str(A), "keys": [KEY]}
    ]
    prev = bytes(32)
    for seq in range(1, count + 1):
        body = audit.canonical({"salt": f"{seq}", "details": {"ü": "\u2028"}}).decode()
        event = {
            "v": 1,
            "practice": str(A),
            "client": None,
            "seq": seq,
            "kind": "sample:thing:done",
            "actor": f"user:{seq % 3}",
            "body_sha256": hashlib.sha256(body.encode()).hexdigest(),
        }
        digest = audit.link(prev, audit.canonical(event))
        lines.append(
            {"type": "event", "header": event, "prev": prev.hex(), "hash": digest.hex(), "body": body}
        )
        prev = digest
    lines.append({"type": "checkpoint", "note": note_over(count, prev), "signed_at": ""})
    lines.append({"type": "end", "events": count, "hash": prev.hex()})
    return lines


_SIGNER = checkpoints.Signer(
    name="testserver", private=Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SEED))
)
KEY = f"testserver+{_SIGNER.key_id.hex()}+{tool.base64.b64encode(bytes([1]) + _SIGNER.public).decode()}"
COUNT = 8


def finding_of(lines: list[dict[str, Any]], folder: Path) -> Any:  # Any: JSON, and the script's own type
    path = folder / "record.jsonl"
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    rest = tool.read_rest(path)
    chain = tool.follow(tool.rows_of(path), lambda: tool.rows_of(path))
    return tool.first_finding(chain, rest, [tool.parse_key(KEY)], [], [])


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_single_change_of_any_event_is_found_at_its_place(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lines = chain_in_memory(COUNT)
    folder = tmp_path_factory.getbasetemp()
    assert finding_of(lines, folder) is None
    seq = data.draw(st.integers(1, COUNT))
    line = lines[seq]
    match data.draw(st.sampled_from(["header", "body", "prev", "hash", "gone", "twice", "swap"])):
        case "header":
            name = data.draw(st.sampled_from(["practice", "client", "kind", "actor", "body_sha256", "new"]))
            line["header"] = {**line["header"], name: data.draw(st.text(min_size=1, max_size=9)) + "!"}
        case "body":
            line["body"] += data.draw(st.text(min_size=1, max_size=9))
        case "prev" | "hash" as name:
            line[name] = hashlib.sha256(data.draw(st.binary(max_size=4))).hexdigest()
        case "gone":
            del lines[seq]
        case "twice":
            lines.insert(seq, dict(line))
        case _:
            seq = min(seq, COUNT - 1)
            lines[seq], lines[seq + 1] = lines[seq + 1], lines[seq]
    found = finding_of(lines, folder)
    assert found is not None
    assert found.seq == seq


@given(first=st.integers(1, COUNT), actor=st.text(min_size=1, max_size=9))
@settings(max_examples=40, deadline=None)
def test_a_record_hashed_anew_from_anywhere_never_passes_the_checkpoint(
    tmp_path_factory: pytest.TempPathFactory, first: int, actor: str
) -> None:
    lines = chain_in_memory(COUNT)
    lines[first]["header"]["actor"] = f"!{actor}"
    prev = bytes.fromhex(lines[first]["prev"])
    for line in lines[first : COUNT + 1]:
        line["prev"], prev = prev.hex(), audit.link(prev, audit.canonical(line["header"]))
        line["hash"] = prev.hex()
    lines[-1]["hash"] = prev.hex()
    found = finding_of(lines, tmp_path_factory.getbasetemp())
    assert (found.seq, found.tamper) == (COUNT, tool.Tamper.REWRITTEN)
