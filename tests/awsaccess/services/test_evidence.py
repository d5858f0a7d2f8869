"""The evidence pack of a finished engagement: it passes its own verifier anywhere, and no change of any file goes unnamed."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from awsaccess.evidence.access import access_files
from awsaccess.evidence.shapes import File
from awsaccess.services.leaving import closing_probe
from awsaccess.services.visits import VisitRefused
from engagements import tasks
from engagements.models import Document, Engagement
from engagements.services.consents import engagement_decline
from portal.kernel import checkpoints, clock, outbox, tenancy
from portal.kernel.models import OutboxMessage
from tests.awsaccess.services.cast import (
    Case,
    begin_closing,
    drafted,
    end_by_client,
    enter,
    make_practice,
    publish,
    send,
    verified,
)
from tests.awsaccess.services.choosing import agree as agree_to
from tests.awsaccess.services.choosing import sent as sent_with
from tests.awsaccess.services.packs import list_anew, names, pack_of, unpack, verify
from tests.awsaccess.services.worlds import InMemory
from tests.factories import Firm, acting, make_client
from tests.papers import is_valid
from tests.ux.pdf_text import text_of

Deliver = Callable[[], int]
AsWorker = Callable[[], AbstractContextManager[None]]
MINUTE: Final = dt.timedelta(minutes=1)


@pytest.fixture
def firm(real_db: None, memory: InMemory) -> Firm:
    return make_practice("northgate")


def finished(firm: Firm, memory: InMemory, deliver: Deliver) -> Case:
    """Agreed, switched on, visited, refused once, ended by the client, and proved to be gone; all mails sent."""
    assert tasks.RECEIPT in outbox.HANDLERS
    with clock.frozen(clock.now() - 180 * MINUTE):
        case = verified(firm, memory)
        publish(case)
        enter(case)
        with pytest.raises(VisitRefused):
            enter(case, reason="")
    end_by_client(case)
    begin_closing(case)
    memory.remove(case)
    begin = clock.now()
    for minute in range(7):
        with clock.frozen(begin + minute * MINUTE), tenancy.use(firm.practice_side):
            closing_probe(grant_id=case.grant().pk)
    with tenancy.use(firm.practice_side):  # the proof was written on a clock that was set forward
        OutboxMessage.objects.filter(next_at__gt=clock.now()).update(next_at=clock.now())
    while deliver():
        pass
    assert case.fresh().status == "closed"
    return case


def test_the_pack_of_a_finished_engagement_passes_its_own_verifier(
    firm: Firm, memory: InMemory, deliver: Deliver, tmp_path: Path
) -> None:
    case = finished(firm, memory, deliver)
    folder = unpack(pack_of(case), tmp_path / "pack")
    run = verify(folder)
    assert (run.returncode, run.stderr) == (0, ""), run.stdout
    assert "Nothing is wrong" in run.stdout
    assert {path.partition("/")[0] for path in names(folder)} == {
        *(
            "README.txt",
            "access.json",
            "audit_verify.py",
            "certificates.pem",
            "checks.json",
            "consents",
            "decisions.json",
            "deployments.json",
        ),
        *("engagement.json", "exit_proof.json", "manifest.json", "manifest.sha256", "offers", "papers"),
        *("record", "reports.json", "rings.json", "rotations.json", "shown", "verify.py", "visits.json"),
    }
    papers = sorted((folder / "papers").iterdir())
    assert [path.name.partition("-")[0] for path in papers] == ["certificate", "receipt"]
    for path in papers:
        assert is_valid(path.read_bytes(), certificates_in(folder))
    receipt = text_of(papers[1].read_bytes()).replace(" ", "")
    for line in case.offer().lines:
        assert line["title"].replace(" ", "") in receipt
        assert all(action in receipt for action in line["actions"])  # in the annex
    notes = (folder / "record" / "checkpoints.txt").read_text().split("\n\n")
    seals = [note.splitlines() for note in notes if "/hash-chain/" in note.partition("\n")[0]]
    assert any(
        f"uptonumber{size},yourconsentincluded" in receipt and root in receipt for _, size, root in seals
    )
    visits = json.loads((folder / "visits.json").read_text())["visits"]
    assert [visit["status"] for visit in visits] == ["issued"]
    decided = [one["what"] for one in json.loads((folder / "decisions.json").read_text())["decisions"]]
    assert {"client:consent:given", "client:consent:withdrawn", "engagement:engagement:moved"} <= set(decided)


def certificates_in(folder: Path) -> list[bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    found = x509.load_pem_x509_certificates((folder / "certificates.pem").read_bytes())
    return [one.public_bytes(Encoding.DER) for one in found]


def test_a_change_of_any_file_is_named(
    firm: Firm, memory: InMemory, deliver: Deliver, tmp_path: Path
) -> None:
    folder = unpack(pack_of(finished(firm, memory, deliver)), tmp_path / "pack")
    for name in names(folder):
        path, kept = folder / name, (folder / name).read_bytes()
        path.write_bytes(kept + b"\n")
        run = verify(folder)
        assert run.returncode == 1, name
        assert name in run.stdout, name
        path.unlink()
        if name != "verify.py":
            run = verify(folder)
            assert run.returncode in {1, 2}, name
            assert name in run.stdout + run.stderr
        path.write_bytes(kept)
    (folder / "more.txt").write_text("more")
    assert "more.txt was added." in verify(folder).stdout
    (folder / "more.txt").unlink()
    assert verify(folder).returncode == 0


def test_a_file_that_was_listed_anew_does_not_fit_the_record(
    firm: Firm, memory: InMemory, deliver: Deliver, tmp_path: Path
) -> None:
    """Whoever changes a file and the list of files, too, is caught by the chain."""
    folder = unpack(pack_of(finished(firm, memory, deliver)), tmp_path / "pack")
    kept = {name: (folder / name).read_bytes() for name in names(folder)}
    paper = next(name for name in kept if name.startswith("papers/receipt"))
    changes: dict[str, Callable[[bytes], bytes]] = {
        paper: lambda old: old[:-1] + b"!",
        "shown/consent-1.html": lambda old: old + b"<p>and more</p>",
        "offers/offer-1.json": lambda old: old.replace(b"cost", b"coat"),
        "offers/template-1.txt": lambda old: old + b" ",
        "visits.json": lambda old: old.replace(b'"issued"', b'"refused"'),
        "decisions.json": lambda old: old.replace(b'"offer_sha256": "', b'"offer_sha256": "0'),
        "exit_proof.json": lambda old: old.replace(b'"refusals": ', b'"refusals": 1'),
        "consents/consent-1.json": lambda old: old.replace(b'"given"', b'"gotten"'),
        "engagement.json": lambda old: old.replace(b'"closed"', b'"active"'),
        "access.json": lambda old: old.replace(b'"gone"', b'"verified"'),
        "deployments.json": lambda old: old.replace(b'"version": "', b'"version": "0'),
        "record/record.jsonl": lambda old: old.replace(b"compare", b"combine"),
    }
    for name, change in changes.items():
        for path, content in kept.items():
            (folder / path).write_bytes(content)
        assert change(kept[name]) != kept[name], name
        (folder / name).write_bytes(change(kept[name]))
        list_anew(folder)
        run = verify(folder)
        assert run.returncode == 1, name
        assert "was changed" not in run.stdout, name


def test_what_was_ticked_is_bound_to_the_template_of_that_choice(
    firm: Firm, memory: InMemory, tmp_path: Path
) -> None:
    case = sent_with(firm, "advice", "history")
    agree_to(case, "history")
    folder = unpack(pack_of(case), tmp_path / "pack")
    assert verify(folder).returncode == 0
    offer = json.loads((folder / "offers" / "offer-1.json").read_text())
    of_choice = [each["keys"] for each in offer["documents"]["choices"]].index(["history"]) + 1
    changes: dict[str, tuple[bytes, bytes, str]] = {
        f"offers/template-1-{of_choice}.txt": (b"Description", b"Descripti0n", "with history"),
        "decisions.json": (b'"history"\n', b'"advice"\n', "does not seal what it says"),
    }
    for name, (old, new, words) in changes.items():
        kept = (folder / name).read_bytes()
        (folder / name).write_bytes(kept.replace(old, new) if old in kept else kept + b" ")
        list_anew(folder)
        assert words in verify(folder).stdout, name
        (folder / name).write_bytes(kept)


def test_a_pack_names_nobody_of_another_client(
    firm: Firm, memory: InMemory, deliver: Deliver, tmp_path: Path
) -> None:
    make_client(firm, "Hollins Farm")
    case = finished(firm, memory, deliver)
    with tenancy.use(firm.practice_side):
        other = drafted(firm)
        case_about = str(case.engagement.pk)
    assert other.engagement.pk != case.engagement.pk
    folder = unpack(pack_of(case), tmp_path / "pack")
    record = [json.loads(line) for line in (folder / "record" / "record.jsonl").read_text().splitlines()]
    events = [line for line in record if line["type"] == "event"]
    assert {line["header"]["about"] == case_about for line in events} == {True, False}
    assert all((line["body"] is not None) == (line["header"]["about"] == case_about) for line in events)


def test_a_seal_that_was_kept_outside_vouches_for_the_record(
    firm: Firm, memory: InMemory, deliver: Deliver, tmp_path: Path
) -> None:
    case = finished(firm, memory, deliver)
    with tenancy.use(firm.practice_side):
        latest = checkpoints.checkpoint_latest(firm.practice.pk)
    assert latest is not None
    (tmp_path / "seal.txt").write_text(checkpoints.note_of(latest))
    folder = unpack(pack_of(case), tmp_path / "pack")
    outside = ("--checkpoint", str(tmp_path / "seal.txt"), "--key", checkpoints.verifier_key_of(latest))
    assert verify(folder, *outside).returncode == 0


def test_a_no_stands_in_the_pack_too(firm: Firm, memory: InMemory, tmp_path: Path) -> None:
    case = drafted(firm)
    send(case)
    with tenancy.use(firm.client_side):
        engagement_decline(
            engagement=case.engagement, contact=firm.contact, reason="not now", actor=acting(firm.approver)
        )
    folder = unpack(pack_of(case), tmp_path / "pack")
    assert verify(folder).returncode == 0
    assert "not now" in (folder / "decisions.json").read_text()
    assert not (folder / "papers").exists()


def test_what_happens_while_it_is_packed_is_in_none_of_its_files(
    firm: Firm, memory: InMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = verified(firm, memory)
    enter(case)

    def meanwhile() -> None:
        try:
            enter(case, reason="in this very moment")
        finally:
            connection.close()

    def late(engagement: Engagement) -> Iterator[File]:
        other = threading.Thread(target=meanwhile)
        other.start()
        other.join()
        yield from access_files(engagement)

    with monkeypatch.context() as patch:
        patch.setattr("awsaccess.evidence.pack.access_files", late)
        folder = unpack(pack_of(case), tmp_path / "pack")
    assert len(case.visits()) == 2
    assert len(json.loads((folder / "visits.json").read_text())["visits"]) == 1
    run = verify(folder)
    assert run.returncode == 0, run.stdout


def test_the_command_writes_as_the_audit_role_and_for_its_owner_alone(
    firm: Firm,
    memory: InMemory,
    deliver: Deliver,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = finished(firm, memory, deliver)
    monkeypatch.chdir(tmp_path)
    connection.close()
    connection.settings_dict["USER"] = "portal_audit_ro"
    try:
        call_command("evidence_pack", case.engagement.code)
        call_command("evidence_pack", case.engagement.code, "--out", str(tmp_path / "pack.zip"))
        for words in (["nosuch"], [case.engagement.code, "--out", str(tmp_path / "no" / "pack.zip")]):
            with pytest.raises(CommandError, match="There is no"):
                call_command("evidence_pack", *words)
        monkeypatch.setattr("awsaccess.management.commands.evidence_pack.write_pack", _broken)
        with pytest.raises(OSError, match="disk"):
            call_command("evidence_pack", case.engagement.code, "--out", str(tmp_path / "pack.zip"))
    finally:
        connection.close()
        connection.settings_dict["USER"] = "portal_web"
    assert "python3 verify.py" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"evidence-{case.engagement.code}.zip",
        "pack.zip",
    ]
    assert (tmp_path / "pack.zip").stat().st_mode & 0o777 == 0o600
    assert verify(unpack((tmp_path / "pack.zip").read_bytes(), tmp_path / "unpacked")).returncode == 0


def _broken(*_words: object) -> str:
    raise OSError("disk full")


def test_there_is_nothing_to_certify_without_a_proof(
    firm: Firm, memory: InMemory, as_worker: AsWorker
) -> None:
    from awsaccess.services.leaving import certificate_keep

    case = verified(firm, memory)
    with as_worker(), tenancy.use(firm.practice_side):
        assert certificate_keep(engagement_id=case.engagement.pk) is None
        assert not Document.objects.exists()
