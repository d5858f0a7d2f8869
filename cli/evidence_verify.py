#!/usr/bin/env python3
"""Verify an evidence pack of Latchkey in the folder where it was unpacked. Standard library only.

    python3 verify.py
    python3 verify.py --key 'portal.example.com+1a2b3c4d+AY...' --checkpoint mail.eml

Three things are checked: that each file is the one that was packed; that the record in it is unbroken, by
`audit_verify.py` beside this file; and that papers, pages, offers, visits and proofs are those that the record tells of.
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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

FORMAT: Final = "latchkey-evidence-1"
MANIFEST: Final = "manifest.json"
MANIFEST_PRINT: Final = "manifest.sha256"
RECORD: Final = "record/record.jsonl"
Json = dict[str, Any]  # Any: JSON


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
        yield from _papers(folder, events)
        yield from _consents(folder, events)
        yield from _offers(folder, events)
        yield from _proofs(folder, events)
        yield from _visits(folder, events)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        yield f"something in the pack cannot be read: {type(error).__name__} {error}."


def _papers(folder: Path, events: Sequence[Json]) -> Iterator[str]:
    told = {_details(event)["sha256"] for event in _of(events, "engagement:document:signed")}
    yield from _compared(told, _prints(folder, "papers/*.pdf"), "signed paper")


def _consents(folder: Path, events: Sequence[Json]) -> Iterator[str]:
    told = {_details(event)["shown_sha256"] for event in _of(events, "client:consent:given")}
    yield from _compared(told, _prints(folder, "shown/*.html"), "page that was shown")
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
    choices = [
        *offer["documents"].get("choices", ()),
        {"keys": [], "template_sha256": offer["template_sha256"]},
    ]
    templates = {tuple(each["keys"]): each["template_sha256"] for each in choices}
    if templates.get(tuple(consent["choice"])) != consent["template_sha256"]:
        yield f"decisions.json: the choice of {consent['by']} has another template than the offer says."


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
    told = {_key(event): "intended" for event in _of(events, "aws:visit:intended")}
    for event in events:
        if (kind := event["header"]["kind"]) in ends:
            told[_key(event)] = ends[kind]
    rows = {row["visit"]: row["status"] for row in _json(folder / "visits.json")["visits"]}
    for visit in sorted({*told, *rows}):
        if told.get(visit) != rows.get(visit):
            yield f"visits.json and the record differ on visit {visit}."


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


def _details(event: Json) -> Json:
    found: Json = json.loads(event["body"])["details"]
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
