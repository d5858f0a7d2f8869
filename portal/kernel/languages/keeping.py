"""The files of each language beside the code, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from portal.kernel.languages.catalogue import Catalogue, Entry, merged, mo_of, read_po, write_po
from portal.kernel.languages.extraction import asked_in

NAMED: Final = re.compile(r"%\(([^)]+)\)s")
TAG: Final = re.compile(r"</?[a-z][^>]*>")
RENEW: Final = "run `make messages`, fill in what is empty in the PO file, and run it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """One language's files: what they hold, and what they should."""

    language: str
    name: str
    po_path: Path
    text: str
    renewed: Catalogue

    @property
    def mo_path(self) -> Path:
        """What Python reads."""
        return self.po_path.with_suffix(".mo")

    def keep(self) -> None:
        """Write both."""
        self.po_path.write_text(write_po(self.renewed), encoding="utf-8")
        self.mo_path.write_bytes(mo_of(self.renewed))

    def faults(self, *, is_kept: bool) -> Iterator[str]:
        """What somebody has to do, one line each. `is_kept`: the files must be as they would be written, too."""
        for entry in self.renewed.entries:
            yield from (f"{self.name}: {fault}" for fault in faults_of(entry))
        if is_kept and self.text != write_po(self.renewed):
            yield f"{self.name} is not what the code asks for: {RENEW}"
        if is_kept and (not self.mo_path.exists() or self.mo_path.read_bytes() != mo_of(self.renewed)):
            yield f"{self.name} is not what its MO file was made of: run `make messages`"


def shelves_of(base: Path) -> list[Shelf]:
    """The languages that have a catalogue under `base`, by name."""
    asked = asked_in(base)
    return [
        _shelf(path, path.relative_to(base).as_posix(), asked)
        for path in sorted((base / "portal" / "locale").glob("*/LC_MESSAGES/django.po"))
    ]


def faults_of(entry: Entry) -> Iterator[str]:
    """Why these words cannot go out: not translated, not sure, or with other names or tags than were asked for."""
    shown = entry.key.words[:60].replace("\n", " ")
    if not entry.is_whole:
        yield f"“{shown}” ({', '.join(entry.places)}) has no translation: {RENEW}"
        return
    if entry.key.plural and len(entry.forms) != 2:
        yield f"“{shown}” needs a form for one and a form for many"
    wanted, known = _names(entry.key.words) | _names(entry.key.plural), _names(entry.forms[-1])
    if wanted != known or any(_names(form) - wanted for form in entry.forms):
        yield f"“{shown}” has other %(names)s than its translation"
    if not entry.key.plural and sorted(TAG.findall(entry.key.words)) != sorted(TAG.findall(entry.forms[0])):
        yield f"“{shown}” has other tags than its translation"


def _shelf(path: Path, name: str, asked: list[Entry]) -> Shelf:
    text = path.read_text(encoding="utf-8")
    renewed = merged(read_po(text), asked)
    return Shelf(language=path.parent.parent.name, name=name, po_path=path, text=text, renewed=renewed)


def _names(text: str) -> set[str]:
    return set(NAMED.findall(text))
