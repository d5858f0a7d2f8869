"""The evidence pack of an access with a doorbell, reports of visits and an exchanged key: each is there, and bound to the
record and to each other, so that whoever rewrites one of them and the list of files is found out."""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from django.conf import settings

from accounts.models import User
from awsaccess.asking import spec_beside, spec_of
from awsaccess.aws import history
from awsaccess.aws.gateway import HistoryEvent
from awsaccess.evidence.paper import DECISIONS
from awsaccess.lifecycle import RotationStatus
from awsaccess.models import Grant, Rotation, Visit
from awsaccess.provision.access_stack import expected_role
from awsaccess.services.checks import standing_of
from awsaccess.services.moving import hub_move_begin
from awsaccess.services.reports import report_fetch
from awsaccess.services.rotating import rotation_begin, rotation_cancel, rotation_publish
from engagements.models import Doorbell, Engagement
from engagements.services.doorbells import NotLetIn, doorbell_answer, doorbell_expire, doorbell_ring
from portal.kernel import clock, tenancy
from tests.awsaccess.callbacks import scene
from tests.awsaccess.callbacks.scene import Spy
from tests.awsaccess.services.cast import (
    Case,
    check,
    drafted,
    enter,
    look_twice,
    publish,
    send,
    settle,
    watch,
)
from tests.awsaccess.services.packs import list_anew, pack_of, unpack, verify
from tests.awsaccess.services.test_moving import NEW, OLD, build, set_up
from tests.awsaccess.services.worlds import InMemory
from tests.factories import Firm, acting, give_consent

Json = dict[str, Any]  # Any: JSON
Rewrite = Callable[[Json], object]
HOUR: Final = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a pace that has its own test."""
    monkeypatch.setattr(history, "REQUESTS_A_SECOND", 1000.0)


# ---------------------------------------------------------------- the story


def opened(firm: Firm, memory: InMemory, **terms: Any) -> Case:  # Any: the draft's columns
    """Verified, on these terms, under a profile that lets the portal look at what was done."""
    case = drafted(firm)
    with tenancy.use(firm.practice_side):
        Engagement.objects.filter(pk=case.engagement.pk).update(profile="security_review", **terms)
    send(case)
    publish(case)
    give_consent(firm, case.engagement)
    watch(case)
    memory.deploy(case)
    check(case)
    settle(case)
    return case


def ring(case: Case, reason: str) -> Doorbell:
    who = case.firm.owner
    with tenancy.use(case.firm.practice_side):
        return doorbell_ring(
            engagement=case.fresh(), consultant=who, reason=reason, kind="console", actor=acting(who)
        )


def answer(case: Case, asked: Doorbell, *, let_in: bool) -> None:
    firm = case.firm
    with tenancy.use(firm.client_side):
        doorbell_answer(doorbell=asked, contact=firm.contact, let_in=let_in, actor=acting(firm.approver))


def let_in(case: Case, reason: str) -> Visit:
    """Rung, let in, entered."""
    answer(case, ring(case, reason), let_in=True)
    enter(case)
    return case.visits()[-1]


def nobody_answers(case: Case, reason: str) -> None:
    asked = ring(case, reason)
    with tenancy.use(case.firm.practice_side), clock.frozen(clock.now() + HOUR):
        doorbell_expire(doorbell_id=asked.pk)


def fetch(case: Case, memory: InMemory, visit: Visit, *names: str) -> None:
    """The client's history has these, and is looked at late enough to be whole."""
    memory.fake.history[visit.access_key_id] = [
        HistoryEvent(
            event_id=f"e-{number}",
            at=visit.intended_at + dt.timedelta(seconds=number),
            source="ec2.amazonaws.com",
            name=name,
            region="eu-west-1",
            read_only=name.startswith("Describe"),
        )
        for number, name in enumerate(names)
    ]
    with tenancy.use(case.firm.practice_side), clock.frozen(visit.latest_end + HOUR):
        assert report_fetch(visit_id=visit.pk) is None


def rotate(case: Case, memory: InMemory) -> None:
    """The whole exchange: both IDs, then the new one alone."""
    begin(case)
    both_steps(case, memory)


def move(case: Case, memory: InMemory) -> None:
    """The whole way to another hub role."""
    build(memory)
    set_up(case.firm)
    with tenancy.use(case.firm.practice_side):
        rotation = hub_move_begin(grant=case.grant(), actor=acting(case.firm.owner))
        rotation_publish(rotation_id=rotation.pk)
    both_steps(case, memory)


def both_steps(case: Case, memory: InMemory) -> None:
    for status in (RotationStatus.DROPPING, RotationStatus.DONE):
        with tenancy.use(case.firm.practice_side):
            rotation = Rotation.objects.get(ended_at=None)
            grant = Grant.objects.select_related("offer__practice", "engagement").get()
            held, is_first = standing_of(grant).held, status is RotationStatus.DROPPING
            spec = spec_beside(held, grant, rotation) if is_first else spec_of(held, grant)
            role = expected_role(spec, case.account_id)
        memory.fake.roles[grant.role_arn].trust_document = role.trust_document
        look_twice(case)
        with tenancy.use(case.firm.practice_side):
            assert Rotation.objects.get(pk=rotation.pk).status == status


def begin(case: Case) -> None:
    with tenancy.use(case.firm.practice_side):
        rotation = rotation_begin(grant=case.grant(), actor=acting(case.firm.owner))
        rotation_publish(rotation_id=rotation.pk)


def busy(firm: Firm, memory: InMemory) -> Case:
    """Let in once, refused, not heard, forced once; one report is there and one is waited for; one key exchanged."""
    case = opened(firm, memory, doorbell=True, break_glass=True)
    with pytest.raises(NotLetIn):
        enter(case, reason="without asking")
    answer(case, ring(case, "too early"), let_in=False)
    nobody_answers(case, "nobody was there")
    fetch(case, memory, let_in(case, "look at the servers"), "DescribeInstances", "StopInstances")
    enter(case, reason="the shop is down", is_emergency=True)
    rotate(case, memory)
    move(case, memory)
    begin(case)
    with tenancy.use(firm.practice_side):
        rotation_cancel(grant=case.grant(), actor=acting(firm.owner))
    return case


@pytest.fixture
def case(north: Firm, memory: InMemory) -> Case:
    return busy(north, memory)


@pytest.fixture
def folder(case: Case, tmp_path: Path) -> Path:
    return unpack(pack_of(case), tmp_path / "pack")


def read(folder: Path, name: str) -> Json:
    found: Json = json.loads((folder / name).read_text())
    return found


# ---------------------------------------------------------------- what is in it


def test_rings_reports_and_exchanged_keys_are_in_the_pack_and_it_verifies(case: Case, folder: Path) -> None:
    run = verify(folder)
    assert (run.returncode, run.stderr) == (0, ""), run.stdout
    rings = read(folder, "rings.json")["rings"]
    told = [(one["reason"], one["status"], (one["answered_by"] or {}).get("name")) for one in rings]
    client = case.firm.approver.name
    assert told == [
        ("too early", "not_now", client),
        ("nobody was there", "expired", None),
        ("look at the servers", "used", client),
        ("the shop is down", "forced", None),
    ]
    visits = read(folder, "visits.json")["visits"]
    assert [one["ring"] for one in visits] == [rings[2]["ring"], rings[3]["ring"]]
    first, second = read(folder, "reports.json")["reports"]
    assert (first["visit"], first["status"]) == (visits[0]["visit"], "complete")
    assert [one["action"] for one in first["events"]] == ["ec2:DescribeInstances", "ec2:StopInstances"]
    assert (second["visit"], second["status"], second["events"]) == (visits[1]["visit"], "waiting", [])
    done, moved, cancelled = read(folder, "rotations.json")["rotations"]
    assert (done["status"], moved["status"], cancelled["status"]) == ("done", "done", "undoing")
    assert (moved["old_hub_role_arn"], moved["new_hub_role_arn"]) == (OLD, NEW)
    assert (done["new_hub_role_arn"], moved["new_external_id"]) == ("", "")
    assert done["new_external_id"] == cancelled["old_external_id"] != done["old_external_id"]
    assert done["begun_by"]["name"] == case.firm.owner.name


def test_the_readme_names_every_file(folder: Path) -> None:
    text = (folder / "README.txt").read_text()
    tops = {path.name + ("/" if path.is_dir() else "") for path in folder.iterdir()}
    unnamed = {name for name in tops if name not in text}
    assert unnamed == {"README.txt", "manifest.json", "manifest.sha256"}


def test_refused_acts_are_among_the_decisions(folder: Path) -> None:
    decided = read(folder, "decisions.json")["decisions"]
    assert "aws:visit:not-begun" in {one["what"] for one in decided}


def test_pack_and_verifier_know_the_same_decisions() -> None:
    assert {kind.value for kind in DECISIONS} == _tool().DECISIONS


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "verifier", settings.BASE_DIR / "cli" / "evidence_verify.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_person_who_is_called_otherwise_by_now_spoils_nothing(case: Case, tmp_path: Path) -> None:
    for person in (case.firm.owner, case.firm.approver):
        with tenancy.use(tenancy.user_scope(person.pk)):
            assert User.objects.filter(pk=person.pk).update(name="Somebody Else") == 1
    folder = unpack(pack_of(case), tmp_path / "renamed")
    run = verify(folder)
    assert run.returncode == 0, run.stdout
    assert "Somebody Else" in (folder / "rings.json").read_text()


def test_what_stacks_reported_of_themselves_is_told_as_the_record_does(
    north: Firm, memory: InMemory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("awsaccess.services.callbacks.answer_door", lambda: Spy([], []))
    case = scene.expected(north)
    publish(case)
    memory.deploy(case)
    scene.tell(memory, case, scene.genuine(case))
    scene.answer(case)
    folder = unpack(pack_of(case), tmp_path / "pack")
    deployed = read(folder, "deployments.json")
    assert [(one["kind"], one["status"]) for one in deployed["stacks"]] == [("Create", "granted")]
    assert [one["version"] for one in deployed["templates"]] == [case.offer().template_version_id]
    assert b"Signature=" not in (folder / "deployments.json").read_bytes()
    assert verify(folder).returncode == 0
    assert "what stacks reported" in rewritten(
        folder, "deployments.json", lambda told: told["stacks"].clear()
    )


# ---------------------------------------------------------------- what is found out


def rewritten(folder: Path, name: str, rewrite: Rewrite) -> str:
    """What the verifier says once a file was rewritten and the list of files with it; the file is put back."""
    kept = (folder / name).read_bytes()
    told = json.loads(kept)
    rewrite(told)
    assert json.dumps(told) != json.dumps(json.loads(kept))
    (folder / name).write_text(json.dumps(told))
    list_anew(folder)
    run = verify(folder)
    (folder / name).write_bytes(kept)
    list_anew(folder)
    assert run.returncode == 1, run.stdout
    assert "was changed" not in run.stdout
    return run.stdout


def put(rows: str, number: int, **values: object) -> Rewrite:
    """Write these into the row of that number."""
    return lambda told: told[rows][number].update(values)


REWRITTEN: Final[tuple[tuple[str, Rewrite, str], ...]] = (
    ("rings.json", put("rings", 0, status="let_in"), "differ on ring"),
    ("rings.json", put("rings", 2, reason="anything"), "differ on ring"),
    ("rings.json", put("rings", 2, by="Nobody"), "differ on ring"),
    ("rings.json", put("rings", 2, answered_by=None), "differ on ring"),
    ("rings.json", put("rings", 1, answered_by={"person": "user:me", "name": "Me"}), "differ on ring"),
    ("rings.json", lambda told: told["rings"].pop(1), "differ on ring"),
    ("rings.json", lambda told: told["rings"].pop(2), "nobody had let in visit"),
    ("visits.json", put("visits", 0, ring=None), "nobody had let in visit"),
    ("visits.json", put("visits", 0, ring="another"), "nobody had let in visit"),
    ("visits.json", put("visits", 0, reason="anything"), "differ on visit"),
    ("visits.json", put("visits", 0, person="user:me"), "differ on visit"),
    ("visits.json", put("visits", 0, way="cli"), "differ on visit"),
    (
        "visits.json",
        lambda told: told["visits"][0].update(ring=told["visits"][1]["ring"]),
        "nobody had let in visit",
    ),
    (
        "visits.json",
        lambda told: told["visits"][1].update(ring=told["visits"][0]["ring"]),
        "is not what ring",
    ),
    ("visits.json", lambda told: told["visits"].pop(1), "and the visits do not belong together"),
    ("reports.json", put("reports", 0, visit="another"), "there was no visit"),
    ("reports.json", put("reports", 0, status="missing"), "what was done in visit"),
    ("reports.json", put("reports", 0, gaps=[{"gap": "cut", "regions": []}]), "what was done in visit"),
    ("reports.json", put("reports", 0, flagged=["kms:Decrypt"]), "what was done in visit"),
    ("reports.json", lambda told: told["reports"][0]["events"].pop(), "what was done in visit"),
    (
        "reports.json",
        lambda told: told["reports"][0]["events"][1].update(action="ec2:DescribeVpcs"),
        "what was done in visit",
    ),
    ("reports.json", put("reports", 1, status="complete"), "tells of no report"),
    ("reports.json", lambda told: told["reports"].pop(0), "has no report of visit"),
    ("rotations.json", put("rotations", 0, status="adding"), "differ on the exchanges"),
    ("rotations.json", put("rotations", 0, begun_by=None), "differ on the exchanges"),
    ("rotations.json", lambda told: told["rotations"].pop(), "differ on the exchanges"),
    ("rotations.json", lambda told: told["rotations"].clear(), "differ on the exchanges"),
    ("rotations.json", put("rotations", 0, old_external_id="x" * 36), "an ID that was not in force"),
    ("rotations.json", put("rotations", 0, new_external_id="x" * 36), "an ID that was not in force"),
    ("rotations.json", put("rotations", 1, old_hub_role_arn="arn:other"), "a hub role that was not in force"),
    ("rotations.json", put("rotations", 1, new_hub_role_arn="arn:other"), "differ on the exchanges"),
    ("decisions.json", lambda told: told["decisions"].pop(0), "differ on event"),
    ("decisions.json", put("decisions", 0, by="Nobody"), "differ on event"),
    ("decisions.json", put("decisions", 0, details={}), "differ on event"),
    ("decisions.json", put("decisions", 0, at="2020-01-01T00:00:00"), "differ on event"),
    ("engagement.json", lambda told: told.update(status="closed"), "where the project stands"),
    ("access.json", put("roles", 0, status="gone"), "differ on the role"),
    ("deployments.json", put("templates", 0, version="other"), "which templates were published"),
    ("deployments.json", put("templates", 0, sha256="0" * 64), "none that the offer seals"),
)


def test_whatever_is_rewritten_is_named(folder: Path) -> None:
    for name, rewrite, words in REWRITTEN:
        assert words in rewritten(folder, name, rewrite), (name, words)
    assert verify(folder).returncode == 0


def test_a_visit_that_was_forced_needs_an_agreement_to_that(
    north: Firm, memory: InMemory, tmp_path: Path
) -> None:
    """Judged on a record that tells of a forced visit, and an offer that was rewritten to allow no such thing."""
    case = opened(north, memory, doorbell=True, break_glass=True)
    enter(case, reason="the shop is down", is_emergency=True)
    folder = unpack(pack_of(case), tmp_path / "pack")
    assert verify(folder).returncode == 0
    said = rewritten(folder, "offers/offer-1.json", lambda told: told["documents"].update(break_glass=False))
    assert "nobody had let in visit" in said


def test_reports_from_before_they_were_sealed_are_held_to_what_was_told_of_them() -> None:
    tool = _tool()
    row = {"status": "complete", "events": [{"id": "e-1"}], "gaps": [], "flagged": []}
    body = json.dumps({"details": {"events": 1, "flagged": ""}})
    event = {"header": {"kind": "aws:visit:report-fetched"}, "body": body}
    assert tool._is_as_sealed(row, event)
    assert not tool._is_as_sealed({**row, "events": []}, event)
    assert not tool._is_as_sealed({**row, "status": "waiting"}, event)
