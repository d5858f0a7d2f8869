#!/usr/bin/env python3
"""Verify an evidence pack of Latchkey in the folder where it was unpacked. Standard library only.

    python3 verify.py
    python3 verify.py --key 'portal.example.com+1a2b3c4d+AY...' --checkpoint mail.eml

Three things are checked: that each file is the one that was packed; that the record in it is unbroken, by
`audit_verify.py` beside this file; and that papers, pages, consents, offers, deployments, decisions, rings, visits,
reports, exchanged keys and proofs are those that the record tells of.
A checkpoint from a mail or a receipt that you kept proves that the record itself was not written anew. The signatures
inside the PDFs need cryptography that Python does not bring: any PDF reader shows them, and here their fingerprints
are compared with those that the record took down.

Exit codes: 0 nothing is wrong, 1 something is (one line names each file), 2 wrong use.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

FORMAT: Final = "latchkey-evidence-2"
MANIFEST: Final = "manifest.json"
MANIFEST_PRINT: Final = "manifest.sha256"
RECORD: Final = "record/record.jsonl"
DECISIONS: Final = frozenset(
    {
        "engagement:engagement:moved",
        "engagement:engagement:move-refused",
        "client:consent:given",
        "client:consent:refused",
        "client:consent:withdrawn",
        "client:consent:code-mailed",
        "client:question:asked",
        "practice:question:answered",
        "client:colleague:named",
        "engagement:change:asked",
        "engagement:change:moved",
        "client:account:wished",
        "engagement:account-wish:moved",
        "practice:doorbell:refused",
        "aws:visit:not-begun",
        "client:grant:sessions-end-asked",
        "client:grant:deletion-confirmed",
    }
)
LET_IN: Final = "client:doorbell:let-in"
USED: Final = "practice:doorbell:used"
FORCED: Final = "practice:doorbell:forced"
RINGS: Final = {
    "practice:doorbell:rung": "ringing",
    LET_IN: "let_in",
    "client:doorbell:not-now": "not_now",
    USED: "used",
    "engagement:doorbell:expired": "expired",
    FORCED: "forced",
}
REPORTS: Final = {"aws:visit:report-fetched": ("first", "complete"), "aws:visit:report-missing": ("missing",)}
# From these on the portal enters with the new one.
TURNED: Final = ("dropping", "done")
EXCHANGES_BEGUN: Final = ("practice:rotation:begun", "practice:hub-move:begun")
EXCHANGES_MOVED: Final = ("aws:rotation:moved", "aws:hub-move:moved")
Json = dict[str, Any]  # Any: JSON
Exchange = tuple[str, object, str, str]  # how far it came, who began it, from which hub role to which


class NoPack(Exception):
    """Raised where there is no pack to verify; the text says what is missing."""


def main(words: Sequence[str]) -> int:
    """Verify; the exit code."""
    arguments = _parser().parse_args(words)
    folder: Path = arguments.folder
    try:
        faults = [*file_faults(folder), *record_faults(folder, arguments.key, arguments.checkpoint)]
        faults += binding_faults(folder)
    except NoPack as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for fault in faults:
        sys.stdout.write(f"NOT RIGHT: {fault}\n")
    if not faults:
        sys.stdout.write("Nothing is wrong: files, record, and what binds them to each other.\n")
    return 1 if faults else 0


def file_faults(folder: Path) -> list[str]:
    """Files that are not as they were packed, are missing, or were added."""
    text = _read(folder / MANIFEST)
    kept = _read(folder / MANIFEST_PRINT)
    faults = []
    if kept != f"{hashlib.sha256(text).hexdigest()}  {MANIFEST}\n".encode():
        faults.append(f"{MANIFEST} and {MANIFEST_PRINT} do not belong together.")
    listed = _manifest(folder)["files"]
    found = {str(one.relative_to(folder).as_posix()) for one in folder.rglob("*") if one.is_file()}
    found = {name for name in found if "__pycache__" not in name}
    for name, digest in sorted(listed.items()):
        if name not in found:
            faults.append(f"{name} is missing.")
        elif hashlib.sha256(_read(folder / name)).hexdigest() != digest:
            faults.append(f"{name} was changed.")
    extra = found - set(listed) - {MANIFEST, MANIFEST_PRINT}
    return [*faults, *(f"{name} was added." for name in sorted(extra))]


def record_faults(folder: Path, keys: Sequence[str], checkpoints: Sequence[str]) -> list[str]:
    """What the record's own verifier finds; it says the details itself."""
    tool = _tool(folder)
    words = [str(folder / RECORD)]
    for key in keys:
        words += ["--key", key]
    for path in checkpoints:
        words += ["--checkpoint", path]
    return (
        [] if tool.main(words) == 0 else [f"{RECORD} is broken, or is not what the checkpoint vouches for."]
    )


def binding_faults(folder: Path) -> Iterator[str]:
    """What the pack shows and the record does not tell of, or the other way round."""
    about = _manifest(folder)["engagement_id"]
    try:
        events = [told for told in _events(folder) if told["header"]["about"] == about]
        for look in LOOKS:
            yield from look(folder, events)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        yield f"something in the pack cannot be read: {type(error).__name__} {error}."


def _papers(folder: Path, events: Sequence[Json]) -> Iterator[str]:
    told = {_details(event)["sha256"] for event in _of(events, "engagement:document:signed")}
    yield from _compared(told, _prints(folder, "papers/*.pdf"), "signed paper")


def _consents(folder: Path, events: Sequence[Json]) -> Iterator[str]:
    told = {_details(event)["shown_sha256"] for event in _of(events, "client:consent:given")}
    yield from _compared(told, _prints(folder, "shown/*.html"), "page that was shown")
    records = {_details(event).get("record_sha256") for event in _of(events, "client:consent:given")}
    yield from _compared(
        {one for one in records if one}, _prints(folder, "consents/*.json"), "record of a consent"
    )
    rows = {one["consent"]: one for one in _json(folder / "decisions.json")["consents"]}
    for event in _of(events, "client:consent:given"):
        row, details = rows.get(_key(event), {}), _details(event)
        if any(row.get(part) != details.get(part, "") for part in ("offer_sha256", "agreed_sha256")):
            yield "decisions.json does not tell of a consent as the record does."
    for row in rows.values():
        yield from _choice(folder, row)
    taken_back = {_key(event) for event in _of(events, "client:consent:withdrawn")}
    if taken_back != {key for key, row in rows.items() if row["withdrawn_at"]}:
        yield "decisions.json and the record differ on which consents were taken back."


def _choice(folder: Path, consent: Json) -> Iterator[str]:
    """What was agreed to is one hash over the offer, the lines that were ticked and the template of that choice.

    Consents from before there was a choice have none.
    """
    if not consent["agreed_sha256"]:
        return
    parts = {part: consent[part] for part in ("offer_sha256", "choice", "template_sha256")}
    if hashlib.sha256(canonical({"v": 1, **parts})).hexdigest() != consent["agreed_sha256"]:
        yield f"decisions.json: the consent of {consent['by']} does not seal what it says."
    offer = _json(folder / "offers" / f"offer-{consent['offer']}.json")
    if _templates_of(offer).get(tuple(consent["choice"])) != consent["template_sha256"]:
        yield f"decisions.json: the choice of {consent['by']} has another template than the offer says."


def _decisions(folder: Path, events: Sequence[Json]) -> Iterator[str]:
    """What was decided, asked and refused: all of it, in the record's own words."""
    told = {
        event["header"]["seq"]: (
            event["header"]["at"][:19],
            event["header"]["kind"],
            _body(event).get("name"),
            _details(event),
        )
        for event in events
        if event["header"]["kind"] in DECISIONS
    }
    rows = _json(folder / "decisions.json")["decisions"]
    found = {row["number"]: (row["at"][:19], row["what"], row["by"], row["details"]) for row in rows}
    for number in sorted({*told, *found}):
        if told.get(number) != found.get(number):
            yield f"decisions.json and the record differ on event {number}."


def _standing(folder: Path, events: Sequence[Json]) -> Iterator[str]:
    """Where the engagement, its changes and its roles stand is where their last move led them."""
    at: dict[str, str] = {}
    for event in events:
        if event["header"]["kind"] in {
            "engagement:engagement:moved",
            "engagement:change:moved",
            "aws:grant:moved",
        }:
            at[_key(event)] = _details(event)["to"]
        elif event["header"]["kind"] == "aws:grant:exit-proved":
            at[_key(event)] = "gone"
    engagement = _json(folder / "engagement.json")
    if engagement["status"] != at.get(_manifest(folder)["engagement_id"], "draft"):
        yield "engagement.json and the record differ on where the project stands."
    for change in engagement["changes"]:
        if change["status"] != at.get(change["change"], "asked"):
            yield f"engagement.json and the record differ on change {change['change']}."
    for role in _json(folder / "access.json")["roles"]:
        if role["status"] != at.get(role["grant"], "expected"):
            yield f"access.json and the record differ on the role {role['role_name']}."


def _deployments(folder: Path, events: Sequence[Json]) -> Iterator[str]:
    """Each publication is told of with its version, and each report of a stack."""
    offers = {_key(event): _details(event)["sha256"] for event in _of(events, "engagement:offer:frozen")}
    versions = {
        (offers.get(_key(event)), _details(event).get("choice", "")): _details(event)["version"]
        for event in _of(events, "engagement:offer:published")
    }
    deployed = _json(folder / "deployments.json")
    found = {
        (row["offer_sha256"], ", ".join(row["choice"])): row["version"]
        for row in deployed["templates"]
        if row["version"]
    }
    if versions != found:
        yield "deployments.json and the record differ on which templates were published."
    yield from _templates(folder, deployed["templates"])
    stacks = Counter((row["grant"], row["kind"], row["stack_id"]) for row in deployed["stacks"])
    told = [(_key(event), _details(event)) for event in _of(events, "aws:stack:told")]
    if stacks != Counter((grant, told["kind"], told["stack"]) for grant, told in told):
        yield "deployments.json and the record differ on what stacks reported."


def _templates(folder: Path, rows: Sequence[Json]) -> Iterator[str]:
    for row in rows:
        offer = _json(folder / "offers" / f"offer-{row['offer']}.json")
        sealed = (offer["offer_sha256"], _templates_of(offer).get(tuple(row["choice"])))
        if (row["offer_sha256"], row["sha256"]) != sealed:
            yield f"deployments.json: a template of offer {row['offer']} is none that the offer seals."


def _offers(folder: Path, events: Sequence[Json]) -> Iterator[str]:
    told = {_details(event)["sha256"] for event in _of(events, "engagement:offer:frozen")}
    found = {}
    for path in sorted(folder.glob("offers/offer-*.json")):
        offer = _json(path)
        template = _read(folder / "offers" / f"template-{offer['number']}.txt")
        name = str(path.relative_to(folder))
        if hashlib.sha256(template).hexdigest() != offer["template_sha256"]:
            yield f"offers/template-{offer['number']}.txt is not the template of {name}."
        for number, choice in enumerate(offer["documents"].get("choices", ()), start=1):
            variant = f"offers/template-{offer['number']}-{number}.txt"
            if hashlib.sha256(_read(folder / variant)).hexdigest() != choice["template_sha256"]:
                yield f"{variant} is not the template of {name} with {', '.join(choice['keys'])}."
        whole = {"v": 1, **{part: offer[part] for part in ("lines", "documents", "template_sha256")}}
        found[hashlib.sha256(canonical(whole)).hexdigest()] = name
    yield from _compared(told, found, "offer")


def _proofs(folder: Path, events: Sequence[Json]) -> Iterator[str]:
    told = {_details(event)["sha256"] for event in _of(events, "aws:grant:exit-proved")}
    rows = _json(folder / "exit_proof.json")["proofs"]
    found = {
        hashlib.sha256(canonical(row["evidence"])).hexdigest(): "exit_proof.json"
        for row in rows
        if row["proved_at"]
    }
    yield from _compared(told, found, "exit proof")


def _visits(folder: Path, events: Sequence[Json]) -> Iterator[str]:
    """A visit is told of when it is intended, and once more when it is known how that ended."""
    ends = {"aws:visit:issued": "issued", "aws:visit:refused": "refused", "aws:visit:orphaned": "orphaned"}
    told: dict[str, tuple[object, ...]] = {}
    for event in _of(events, "aws:visit:intended"):
        details = _details(event)
        told[_key(event)] = ("intended", event["header"]["actor"], details["reason"], details["kind"])
    for event in events:
        if (kind := event["header"]["kind"]) in ends:
            told[_key(event)] = (ends[kind], *told.get(_key(event), ())[1:])
    rows = _json(folder / "visits.json")["visits"]
    found = {row["visit"]: (row["status"], row["person"], row["reason"], row["way"]) for row in rows}
    for visit in sorted({*told, *found}):
        if told.get(visit) != found.get(visit):
            yield f"visits.json and the record differ on visit {visit}."


def _rings(folder: Path, events: Sequence[Json]) -> Iterator[str]:
    """Each ring stands where its last event left it, for the same person and reason, answered by the same."""
    told: dict[str, tuple[object, ...]] = {}
    for event in events:
        if (kind := event["header"]["kind"]) in RINGS:
            details, before = _details(event), told.get(_key(event), (None,))
            answered = event["header"]["actor"] if kind.startswith("client:") else before[-1]
            told[_key(event)] = (RINGS[kind], details["consultant"], details["reason"], answered)
    rows = _json(folder / "rings.json")["rings"]
    found = {
        row["ring"]: (row["status"], row["by"], row["reason"], _person(row["answered_by"])) for row in rows
    }
    for ring in sorted({*told, *found}):
        if told.get(ring) != found.get(ring):
            yield f"rings.json and the record differ on ring {ring}."


def _let_in(folder: Path, events: Sequence[Json]) -> Iterator[str]:
    """Where a doorbell was agreed to, each visit has a ring of its own that was opened for it before it began."""
    intended = {_key(event): event["header"]["seq"] for event in _of(events, "aws:visit:intended")}
    rings = {row["ring"]: row for row in _json(folder / "rings.json")["rings"]}
    visits = _json(folder / "visits.json")["visits"]
    for visit in visits:
        offer = _json(folder / "offers" / f"offer-{visit['offer']}.json")["documents"]
        if visit["ring"] is None and not offer.get("doorbell"):
            continue
        ring = rings.get(visit["ring"])
        before = {
            event["header"]["kind"]: event["header"]["seq"]
            for event in events
            if ring and _key(event) == ring["ring"] and event["header"]["seq"] < intended[visit["visit"]]
        }
        if ring is None or not _opens(before, offer):
            yield f"visits.json: nobody had let in visit {visit['visit']}."
        elif (ring["by"], ring["reason"]) != (visit["by"], visit["reason"]):
            yield f"visits.json: visit {visit['visit']} is not what ring {ring['ring']} was for."
    used = Counter(visit["ring"] for visit in visits if visit["ring"])
    gone = Counter(ring for ring, row in rings.items() if row["status"] in {"used", "forced"})
    for ring in sorted((used - gone) + (gone - used)):
        yield f"rings.json: ring {ring} and the visits do not belong together."


def _opens(before: Mapping[str, int], offer: Json) -> bool:
    """Let in and then used, or forced where that was agreed to; `before`: kind -> number of what came before the visit."""
    if FORCED in before:
        return bool(offer.get("doorbell") and offer.get("break_glass"))
    return bool(offer.get("doorbell")) and before.get(LET_IN, 0) < before.get(USED, 0) and LET_IN in before


def _reports(folder: Path, events: Sequence[Json]) -> Iterator[str]:
    """A report is of a visit that was opened, and says what the record sealed when it was fetched."""
    visits = {row["visit"]: row["status"] for row in _json(folder / "visits.json")["visits"]}
    rows = {row["visit"]: row for row in _json(folder / "reports.json")["reports"]}
    told = {_key(event): event for event in events if event["header"]["kind"] in REPORTS}
    for visit, row in rows.items():
        if visits.get(visit) != "issued":
            yield f"reports.json: there was no visit {visit}."
        elif visit not in told and (row["status"] != "waiting" or row["events"]):
            yield f"reports.json: the record tells of no report of visit {visit}."
        elif visit in told and not _is_as_sealed(row, told[visit]):
            yield f"reports.json and the record differ on what was done in visit {visit}."
    for visit in sorted(set(told) - set(rows)):
        yield f"reports.json has no report of visit {visit}, which the record tells of."


def _is_as_sealed(row: Json, event: Json) -> bool:
    """By its hash; reports from before there was one by how much was found."""
    details = _details(event)
    said = {"v": 1, **{part: row[part] for part in ("events", "gaps", "flagged")}}
    sealed = details.get("sha256", hashlib.sha256(canonical(said)).hexdigest())
    is_same = sealed == hashlib.sha256(canonical(said)).hexdigest()
    is_whole = details.get("events", len(row["events"])) == len(row["events"])
    return is_same and is_whole and row["status"] in REPORTS[event["header"]["kind"]]


def _rotations(folder: Path, events: Sequence[Json]) -> Iterator[str]:
    """Exchanges of one role's external ID follow each other: each from the one that was in force, as far as is told.

    So do those of the hub role that may come.
    """
    rows = _json(folder / "rotations.json")["rotations"]
    told = _exchanges(events)
    found: dict[str, list[Exchange]] = {grant: [] for grant in told}
    for row in rows:
        found.setdefault(row["grant"], []).append((row["status"], _person(row["begun_by"]), *_roles(row)))
    for grant in sorted(found):
        if found[grant] != told.get(grant, []):
            yield f"rotations.json and the record differ on the exchanges of role {grant}."
    moves = [row for row in rows if all(_roles(row))]
    yield from _in_turn(folder, [row for row in rows if row not in moves], "external_id", "an ID")
    yield from _in_turn(folder, moves, "hub_role_arn", "a hub role")


def _in_turn(folder: Path, rows: Sequence[Json], what: str, word: str) -> Iterator[str]:
    offers = {role["grant"]: role["offer"] for role in _json(folder / "access.json")["roles"]}
    in_force: dict[str, str] = {}
    for row in rows:
        template = _read(folder / "offers" / f"template-{offers[row['grant']]}.txt").decode()
        old = row[f"old_{what}"]
        if in_force.get(row["grant"], old) != old or (row["grant"] not in in_force and old not in template):
            yield f"rotations.json: an exchange of role {row['grant']} begins with {word} that was not in force."
        in_force[row["grant"]] = row[f"new_{what}"] if row["status"] in TURNED else old


def _roles(row: Json) -> tuple[str, str]:
    """From which hub role to which; empty where the external ID is exchanged, and in packs from before there was a choice."""
    return row.get("old_hub_role_arn", ""), row.get("new_hub_role_arn", "")


def _exchanges(events: Sequence[Json]) -> dict[str, list[Exchange]]:
    """Role -> each exchange: how far it came, who began it, and from which hub role to which.

    A move from where it does not stand moves nothing.
    """
    found: dict[str, list[Exchange]] = {}
    for event in events:
        kind, mine = event["header"]["kind"], found.setdefault(_key(event), [])
        if kind in EXCHANGES_BEGUN:
            details = _details(event)
            mine.append(("adding", event["header"]["actor"], details.get("from", ""), details.get("to", "")))
        elif kind in EXCHANGES_MOVED and mine:
            details, (at, by, old, new) = _details(event), mine[-1]
            mine[-1] = (details["to"] if details["from"] == at else at, by, old, new)
    return {grant: mine for grant, mine in found.items() if mine}


LOOKS: Final = (
    *(_papers, _consents, _decisions, _standing, _offers, _deployments),
    *(_rotations, _rings, _visits, _let_in, _reports, _proofs),
)


def canonical(value: Mapping[str, object]) -> bytes:
    """One spelling for one value, as the record hashes it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _compared(told: set[str], found: Mapping[str, str], what: str) -> Iterator[str]:
    for digest in sorted(set(found) - told):
        yield f"{found[digest]}: the record knows no such {what}."
    for digest in sorted(told - set(found)):
        yield f"The record tells of a {what} {digest[:16]}… that is not in the pack."


def _prints(folder: Path, pattern: str) -> dict[str, str]:
    return {
        hashlib.sha256(_read(path)).hexdigest(): path.relative_to(folder).as_posix()
        for path in sorted(folder.glob(pattern))
    }


def _events(folder: Path) -> Iterator[Json]:
    for line in _read(folder / RECORD).decode().splitlines():
        told = json.loads(line)
        if told["type"] == "event":
            yield told


def _of(events: Sequence[Json], kind: str) -> list[Json]:
    return [event for event in events if event["header"]["kind"] == kind]


def _templates_of(offer: Json) -> dict[tuple[str, ...], str]:
    """Choice -> SHA-256 of its template, as the offer seals it."""
    choices = {tuple(each["keys"]): each["template_sha256"] for each in offer["documents"].get("choices", ())}
    return {**choices, (): offer["template_sha256"]}


def _person(told: Json | None) -> str | None:
    """How the record calls them: names change."""
    return told["person"] if told else None


def _details(event: Json) -> Json:
    found: Json = _body(event).get("details", {})
    return found


def _body(event: Json) -> Json:
    """Empty where it was erased."""
    found: Json = json.loads(event["body"]) if event["body"] is not None else {}
    return found


def _key(event: Json) -> str:
    return str(event["header"]["subject"]).rpartition(":")[2]


def _manifest(folder: Path) -> Json:
    try:
        found = _json(folder / MANIFEST)
    except ValueError as error:
        raise NoPack(f"{MANIFEST} cannot be read: {error}.") from error
    if found.get("format") != FORMAT:
        raise NoPack(f"{MANIFEST} is not of a pack that this can verify.")
    return found


def _json(path: Path) -> Json:
    found: Json = json.loads(_read(path))
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NoPack(f"{path}: {error.strerror}.") from error


def _tool(folder: Path) -> ModuleType:
    """The record's verifier, which lies beside this file: Python's isolated mode does not look there by itself."""
    path = folder / "audit_verify.py"
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location("audit_verify", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise NoPack(f"{path} is missing.")
    module = importlib.util.module_from_spec(spec)
    sys.modules["audit_verify"] = module
    spec.loader.exec_module(module)
    return module


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="verify.py", description="Verify an evidence pack, without Latchkey."
    )
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path(__file__).resolve().parent,
        help="the unpacked pack; this file's folder",
    )
    parser.add_argument("--key", action="append", default=[], help="a public key, from a mail you kept")
    parser.add_argument(
        "--checkpoint", action="append", default=[], help="a mail or text with a signed note, kept outside"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
