"""Catalogues of words as files: PO, which people edit, and MO, which Python reads. Nothing but Python is needed."""

from __future__ import annotations

import ast
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

MAGIC: Final = 0x950412DE  # of an MO file, in the byte order of whoever wrote it
VERSION: Final = 0
CONTEXT: Final = "\x04"  # stands between context and words
PLURAL: Final = "\x00"  # stands between the forms of a plural
KEYWORDS: Final = ("msgctxt", "msgid_plural", "msgid", "msgstr")  # the longer one first
HEAD: Final = """\
# The words of Latchkey. Edit only what stands behind `msgstr`, then run `make messages`.
# docs/languages.md says how: the glossary, whom we address, and what {names} and %(names)s are.
"""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Key:
    """What the code asks for. `plural` is empty for words that have one form, `context` for words that need none."""

    words: str
    context: str = ""
    plural: str = ""

    @property
    def id(self) -> str:
        """How Python's gettext finds it."""
        both = f"{self.words}{PLURAL}{self.plural}" if self.plural else self.words
        return f"{self.context}{CONTEXT}{both}" if self.context else both


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry. `forms` are the translations, one for each form of a plural; `places` the files that ask for it."""

    key: Key
    forms: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    is_fuzzy: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether every form is there and somebody stands behind it."""
        return bool(self.forms) and all(self.forms) and not self.is_fuzzy


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """A language's words: the header as it stands in the file, then the entries in their order."""

    header: str
    entries: tuple[Entry, ...]

    def by_key(self) -> dict[Key, Entry]:
        """The entries by what is asked for."""
        return {entry.key: entry for entry in self.entries}


class Unreadable(ValueError):
    """Raised for a PO file with a line that is none of the format's. The message names the line."""


@dataclass(slots=True)
class _Draft:
    """An entry while its lines are read."""

    texts: dict[str, str] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)
    is_fuzzy: bool = False
    last: str = ""


def read_po(text: str) -> Catalogue:
    """The catalogue in a PO file. Raises Unreadable. Obsolete entries and remarks are left out."""
    drafts = [draft for draft in _drafts(text) if draft.texts]
    entries = [_entry(draft) for draft in drafts]
    header = next((entry.forms[0] for entry in entries if not entry.key.words), "")
    return Catalogue(header=header, entries=tuple(entry for entry in entries if entry.key.words))


def write_po(catalogue: Catalogue) -> str:
    """The file. The same catalogue gives the same text, so that two people's changes can be laid side by side."""
    parts = [HEAD + 'msgid ""\n' + f"msgstr {_quoted(catalogue.header)}\n"]
    parts += [_written(entry) for entry in catalogue.entries]
    return "\n".join(parts)


def mo_of(catalogue: Catalogue) -> bytes:
    """The bytes that Python's gettext reads. Entries that are not whole are left out: English stands in."""
    told = {entry.key.id: PLURAL.join(entry.forms) for entry in catalogue.entries if entry.is_whole}
    return mo_bytes({"": catalogue.header, **told})


def mo_bytes(words: Mapping[str, str]) -> bytes:
    """An MO file without a hash table, sorted by id as the format wants it. Layout: GNU gettext's manual, "MO Files"."""
    pairs = sorted((name.encode(), told.encode()) for name, told in words.items())
    start = 28
    table = start + 16 * len(pairs)
    blob, places = b"", {0: b"", 1: b""}
    for side in (0, 1):
        for pair in pairs:
            places[side] += struct.pack("<II", len(pair[side]), table + len(blob))
            blob += pair[side] + b"\x00"
    numbers = (MAGIC, VERSION, len(pairs), start, start + 8 * len(pairs), 0, table)
    return struct.pack("<7I", *numbers) + places[0] + places[1] + blob


def _drafts(text: str) -> Iterator[_Draft]:
    draft = _Draft()
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line:
            yield draft
            draft = _Draft()
        elif line.startswith("#"):
            _note(draft, line)
        else:
            _take(draft, line, number)
    yield draft


def _note(draft: _Draft, line: str) -> None:
    if line.startswith("#:"):
        draft.places += line[2:].split()
    elif line.startswith("#,"):
        draft.is_fuzzy = draft.is_fuzzy or "fuzzy" in line


def _take(draft: _Draft, line: str, number: int) -> None:
    name, _space, quoted = line.partition(" ")
    if line.startswith('"'):
        name, quoted = draft.last, line
    if name.partition("[")[0] not in KEYWORDS:
        raise Unreadable(f"line {number}: {line}")
    try:
        said = ast.literal_eval(quoted)  # PO quotes as C does, and so does Python
    except (ValueError, SyntaxError):
        raise Unreadable(f"line {number}: {line}") from None
    draft.texts[name] = draft.texts.get(name, "") + said
    draft.last = name


def _entry(draft: _Draft) -> Entry:
    forms = [text for name, text in sorted(draft.texts.items()) if name.startswith("msgstr")]
    key = Key(
        words=draft.texts.get("msgid", ""),
        context=draft.texts.get("msgctxt", ""),
        plural=draft.texts.get("msgid_plural", ""),
    )
    return Entry(key=key, forms=tuple(forms), places=tuple(draft.places), is_fuzzy=draft.is_fuzzy)


def _written(entry: Entry) -> str:
    lines = [f"#: {place}" for place in entry.places]
    lines += ["#, fuzzy"] if entry.is_fuzzy else []
    lines += [f"msgctxt {_quoted(entry.key.context)}"] if entry.key.context else []
    lines.append(f"msgid {_quoted(entry.key.words)}")
    if entry.key.plural:
        lines.append(f"msgid_plural {_quoted(entry.key.plural)}")
        lines += [f"msgstr[{number}] {_quoted(form)}" for number, form in enumerate(entry.forms or ("", ""))]
    else:
        lines.append(f"msgstr {_quoted(''.join(entry.forms))}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """On one line, or a line for each of the text's own."""
    pieces = text.splitlines(keepends=True) or [""]
    quoted = [f'"{_escaped(piece)}"' for piece in pieces]
    return quoted[0] if len(quoted) == 1 else "\n".join(['""', *quoted])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")


def merged(catalogue: Catalogue, asked: Iterable[Entry]) -> Catalogue:
    """What the code asks for now, with the translations that are there. New words are empty; the others are forgotten."""
    known = catalogue.by_key()
    entries = tuple(_renewed(entry, known.get(entry.key)) for entry in asked)
    return Catalogue(header=catalogue.header, entries=entries)


def _renewed(asked: Entry, known: Entry | None) -> Entry:
    if known is None:
        return asked
    return Entry(key=asked.key, forms=known.forms, places=asked.places, is_fuzzy=known.is_fuzzy)
