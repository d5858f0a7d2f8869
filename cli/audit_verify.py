#!/usr/bin/env python3
"""Verify an exported audit record of Latchkey, without Latchkey. Standard library only.

    audit_verify.py record.jsonl
    audit_verify.py record.jsonl --key 'portal.example.com+1a2b3c4d+AY...' --checkpoint mail.eml --earlier old.jsonl

The export proves that it is consistent in itself. What was cut off, rewritten as a whole or set back shows only beside
something that was kept outside: checkpoints (a mail, a receipt, or any text file with the signed note in it) and
earlier exports. Take the key from such a mail as well: a key out of the export itself proves little.

Exit codes: 0 nothing is wrong, 1 the record is broken (one line names the first broken event), 2 wrong use.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import email
import email.policy
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

MARK: Final = b"latchkey-audit-v1\n"
FORMAT: Final = "latchkey-audit-export-1"
START: Final = bytes(32)
ED25519_TYPE: Final = b"\x01"
NOTE: Final = re.compile(
    r"^(?P<text>(?P<origin>\S+/hash-chain/(?P<practice>[0-9a-f-]{36}))\n(?P<size>[1-9][0-9]*)\n"
    r"(?P<hash>[A-Za-z0-9+/]{43}=)\n)\n\N{EM DASH} (?P<name>\S+) (?P<signature>[A-Za-z0-9+/]+=*)$",
    re.MULTILINE,
)


class Tamper(StrEnum):
    """What can be done to a record, and is found."""

    EDITED = "edited"
    DELETED = "deleted"
    CUT = "cut off at the end"
    REORDERED = "reordered"
    INSERTED = "inserted"
    REWRITTEN = "rewritten"
    RESTORED = "set back to an older state"
    FORKED = "forked"


class Unreadable(Exception):
    """Raised for input that is no export, no checkpoint, no key or not signed; the text says which and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The first broken event, what was done to it, and how that shows."""

    seq: int
    tamper: Tamper
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A public key as C2SP writes it: name, id, 32 bytes."""

    name: str
    key_id: bytes
    public: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A checkpoint: what is signed, and by whom."""

    practice: str
    size: int
    hash: bytes
    text: str
    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One event of an export."""

    header: Mapping[str, Any]  # Any: JSON
    prev: bytes
    hash: bytes
    body: str | None

    @property
    def seq(self) -> int:
        """Its number, as it claims."""
        return int(self.header["seq"])

    def hash_as(self, *, prev: bytes, seq: int) -> bytes:
        """What its hash would be in that place."""
        return link(prev, {**self.header, "seq": seq})


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What following the events gave: the hash after each of them, up to the first that is broken."""

    hashes: Sequence[bytes]
    finding: Finding | None
    erased: int

    @property
    def size(self) -> int:
        """How many events hold."""
        return len(self.hashes) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What stands beside the events in an export: whose it is, its keys, its checkpoints, the head it claims."""

    practice: str
    keys: Sequence[Key]
    notes: Sequence[Note]
    head_seq: int
    head_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The hash after event `seq`, known from elsewhere. `is_outside`: kept where the record's keeper cannot write."""

    seq: int
    hash: bytes
    is_outside: bool
    is_signed: bool


def main(words: Sequence[str]) -> int:
    """Verify; the exit code."""
    arguments = _parser().parse_args(words)
    try:
        return verify(arguments.export, arguments.key, arguments.checkpoint, arguments.earlier)
    except Unreadable as error:
        sys.stderr.write(f"{error}\n")
        return 2


def verify(export: Path, keys: Sequence[str], outside: Sequence[Path], earlier: Sequence[Path]) -> int:
    """Print what is found. Raises Unreadable."""
    rest = read_rest(export)
    trusted = [parse_key(text) for text in keys] or list(rest.keys)
    kept = [note for path in outside for note in notes_in_file(path, practice=rest.practice)]
    require_signed(kept, trusted)
    chain = follow(rows_of(export), lambda: rows_of(export))
    finding = first_finding(
        chain, rest, trusted, kept, [p for path in earlier for p in points_of(path, rest)]
    )
    if not keys:
        sys.stdout.write(
            "note  no --key was given: the keys are the export's own. Compare them with your mails.\n"
        )
    if finding is not None:
        place = f"practice {rest.practice}, event {finding.seq}"
        sys.stdout.write(f"BROKEN {place}: {finding.tamper}. {finding.reason}\n")
        return 1
    told = f"{chain.size} events, {len(rest.notes)} checkpoints of its own, {len(kept)} from outside"
    sys.stdout.write(f"ok    practice {rest.practice}: {told}, {chain.erased} bodies erased\n")
    return 0


def first_finding(
    chain: Chain, rest: Rest, trusted: Sequence[Key], kept: Sequence[Note], earlier: Sequence[Point]
) -> Finding | None:
    """Of everything that is wrong, what is wrong with the lowest number."""
    inside = [_point(note, is_outside=False) for note in rest.notes if is_signed(note, trusted)]
    outside = [_point(note, is_outside=True) for note in kept]
    found = [
        chain.finding,
        *(_forged(note) for note in rest.notes if not is_signed(note, trusted)),
        _contradiction([*inside, *outside, *earlier], chain),
        *([] if chain.finding else [_end([*inside, *outside, *earlier], rest, chain)]),
    ]
    return min((one for one in found if one is not None), key=lambda one: one.seq, default=None)


# The chain itself


def follow(rows: Iterable[Row], again: Any) -> Chain:  # Any: a function that begins to read anew
    """Go from link to link as far as they hold. What broke is looked into with a second reading."""
    hashes, erased = [START], 0
    for row in rows:
        expected = len(hashes)
        if row.seq != expected or row.prev != hashes[-1] or row.hash != link(row.prev, row.header):
            return Chain(hashes=hashes, finding=broken_link(row, hashes, list(again())), erased=erased)
        if row.body is None:
            erased += 1
        elif hashlib.sha256(row.body.encode()).hexdigest() != row.header["body_sha256"]:
            finding = Finding(seq=expected, tamper=Tamper.EDITED, reason="Its details were changed.")
            return Chain(hashes=hashes, finding=finding, erased=erased)
        hashes.append(row.hash)
    return Chain(hashes=hashes, finding=None, erased=erased)


def broken_link(row: Row, hashes: Sequence[bytes], rows: Sequence[Row]) -> Finding:
    """What was done to make `row` not fit after `hashes`."""
    expected = len(hashes)
    if row.seq < expected:
        return Finding(seq=row.seq, tamper=Tamper.INSERTED, reason="This number stands twice.")
    if _stands_later(hashes, rows):
        return Finding(seq=expected, tamper=Tamper.REORDERED, reason="It stands further down.")
    if row.seq > expected:
        return Finding(seq=expected, tamper=Tamper.DELETED, reason="This number is missing.")
    return _renumbered(row, hashes) or _unfitting(row, hashes, rows)


def _stands_later(hashes: Sequence[bytes], rows: Sequence[Row]) -> bool:
    """Whether what belongs here is further down, under whatever number."""
    expected = len(hashes)
    return any(row.hash_as(prev=hashes[-1], seq=expected) == row.hash for row in rows[expected:])


def _renumbered(row: Row, hashes: Sequence[bytes]) -> Finding | None:
    """Whether the row holds under another number: then others were put in or taken out before it."""
    expected = len(hashes)
    before = [place for place, digest in enumerate(hashes[:-1]) if digest == row.prev] or [expected - 2]
    for place in before:
        if place >= 0 and row.hash_as(prev=hashes[place], seq=place + 1) == row.hash:
            reason = f"What is number {expected} now was appended as number {place + 1}."
            return Finding(seq=place + 1, tamper=Tamper.INSERTED, reason=reason)
    for number in range(expected + 1, expected + 1001):
        if row.hash_as(prev=row.prev, seq=number) == row.hash:
            reason = f"What is number {expected} now was appended as number {number}."
            return Finding(seq=expected, tamper=Tamper.DELETED, reason=reason)
    return None


def _unfitting(row: Row, hashes: Sequence[bytes], rows: Sequence[Row]) -> Finding:
    expected = len(hashes)
    is_whole = row.hash == link(row.prev, row.header)
    if row.prev != hashes[-1]:
        if any(other.hash == row.prev for other in rows[expected:]):
            return Finding(
                seq=expected, tamper=Tamper.REORDERED, reason="Its predecessor stands further down."
            )
        follower = rows[expected] if len(rows) > expected else None
        # The row is as it was and the next one follows it: so it is the one before that was replaced.
        if is_whole and expected > 1 and (follower is None or follower.prev == row.hash):
            reason = f"Number {expected} was appended after something else."
            return Finding(seq=expected - 1, tamper=Tamper.EDITED, reason=reason)
        return Finding(seq=expected, tamper=Tamper.EDITED, reason="It does not follow its predecessor.")
    return Finding(seq=expected, tamper=Tamper.EDITED, reason="Its content is not what was appended.")


def link(prev: bytes, header: Mapping[str, Any]) -> bytes:  # Any: JSON
    """SHA-256 over mark, predecessor's hash and canonical header."""
    canonical = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(MARK + prev + canonical.encode()).digest()


# What is known from elsewhere


def _contradiction(points: Sequence[Point], chain: Chain) -> Finding | None:
    """The first place where the events lead to another hash than one that was given away."""
    signed: dict[int, set[bytes]] = {}
    for point in points:
        if point.is_signed:
            signed.setdefault(point.seq, set()).add(point.hash)
    twice = [seq for seq, hashes in signed.items() if len(hashes) > 1]
    false = [point.seq for point in points if not _holds(point, chain)]
    seq = min([*twice, *false], default=0)
    if not seq:
        return None
    vouched = max(
        (p.seq for p in points if p.seq < seq and p.seq <= chain.size and _holds(p, chain)), default=0
    )
    span = "" if vouched == seq - 1 else f" The change is at number {vouched + 1} or later."
    both = any(_is_borne_out(point, chain) for point in points if point.is_signed and point.seq >= seq)
    if seq in twice or both:
        return Finding(seq=seq, tamper=Tamper.FORKED, reason=f"Two histories were signed.{span}")
    return Finding(
        seq=seq, tamper=Tamper.REWRITTEN, reason=f"Its hash is not the one given away before.{span}"
    )


def _holds(point: Point, chain: Chain) -> bool:
    """True also for what lies behind the end of what holds: that is looked at apart."""
    return point.seq > chain.size or chain.hashes[point.seq] == point.hash


def _is_borne_out(point: Point, chain: Chain) -> bool:
    return point.seq <= chain.size and chain.hashes[point.seq] == point.hash


def _end(points: Sequence[Point], rest: Rest, chain: Chain) -> Finding | None:
    """Whether the record ends where everything says that it ends."""
    seq = chain.size + 1
    if rest.head_seq > chain.size or any(p.seq > chain.size for p in points if not p.is_outside):
        return Finding(seq=seq, tamper=Tamper.CUT, reason="The export itself knows of later events.")
    if any(point.seq > chain.size for point in points):
        reason = "It was in the record when a checkpoint or an export was given away."
        return Finding(seq=seq, tamper=Tamper.RESTORED, reason=reason)
    if rest.head_seq < chain.size:
        return Finding(
            seq=rest.head_seq + 1, tamper=Tamper.INSERTED, reason="The head of the chain does not know it."
        )
    if rest.head_hash != chain.hashes[-1]:
        return Finding(seq=chain.size, tamper=Tamper.EDITED, reason="The head of the chain has another hash.")
    return None


def _forged(note: Note) -> Finding:
    reason = "The export's checkpoint of this size is not signed by a key that you trust."
    return Finding(seq=note.size, tamper=Tamper.EDITED, reason=reason)


def _point(note: Note, *, is_outside: bool) -> Point:
    return Point(seq=note.size, hash=note.hash, is_outside=is_outside, is_signed=True)


def points_of(path: Path, rest: Rest) -> list[Point]:
    """Every link of an earlier export, which has to hold in itself. Raises Unreadable."""
    other = read_rest(path)
    if other.practice != rest.practice:
        raise Unreadable(f"{path} is the record of another practice: {other.practice}.")
    chain = follow(rows_of(path), lambda: rows_of(path))
    if chain.finding is not None:
        raise Unreadable(f"{path} is broken itself, at event {chain.finding.seq}: verify it alone first.")
    places = enumerate(chain.hashes)
    return [Point(seq=seq, hash=it, is_outside=True, is_signed=False) for seq, it in places if seq]


# Reading


def rows_of(path: Path) -> Iterator[Row]:
    """The events of an export in the order in which they stand."""
    for number, told in _lines(path):
        if told.get("type") == "event":
            yield _row(told, f"{path}, line {number}")


def read_rest(path: Path) -> Rest:
    """Everything but the events. Raises Unreadable for what is no whole export."""
    start: dict[str, Any] = {}  # Any: JSON
    end: dict[str, Any] = {}
    notes: list[Note] = []
    for number, told in _lines(path):
        match told.get("type"):
            case "start":
                start = told
            case "checkpoint":
                notes.extend(notes_in(str(told.get("note"))))
            case "end":
                end = told
            case "event":
                pass
            case other:
                raise Unreadable(f"{path}, line {number}: {other!r} is no part of an export.")
    if start.get("format") != FORMAT or not end:
        raise Unreadable(f"{path} is no whole export: its first or last line is missing.")
    try:
        keys = [parse_key(str(text)) for text in start["keys"]]
        head_seq, head_hash = int(end["events"]), bytes.fromhex(end["hash"])
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"{path} cannot be read: {error}.") from error
    return Rest(
        practice=str(start.get("practice")), keys=keys, notes=notes, head_seq=head_seq, head_hash=head_hash
    )


def notes_in_file(path: Path, *, practice: str) -> list[Note]:
    """The checkpoints of one practice in a text or a saved mail. Raises Unreadable when there is none."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}.") from error
    found = [note for note in notes_in(_text(content)) if note.practice == practice]
    if not found:
        raise Unreadable(f"{path} holds no checkpoint of practice {practice}.")
    return found


def notes_in(text: str) -> list[Note]:
    """Every signed note in a text. Raises Unreadable for one whose signature cannot be one."""
    found = []
    for match in NOTE.finditer(text.replace("\r\n", "\n")):
        signed = _base64(match["signature"])
        if len(signed) != 68:
            raise Unreadable(
                f"The checkpoint of size {match['size']} is cut or changed: its signature is too short."
            )
        found.append(
            Note(
                practice=match["practice"],
                size=int(match["size"]),
                hash=_base64(match["hash"]),
                text=match["text"],
                name=match["name"],
                key_id=signed[:4],
                signature=signed[4:],
            )
        )
    return found


def parse_key(text: str) -> Key:
    """`name+id+base64`. Raises Unreadable."""
    name, key_id, encoded, *_ = [*text.strip().split("+", 2), "", ""]
    key = _base64(encoded)
    if len(key) != 33 or key[:1] != ED25519_TYPE:
        raise Unreadable(f"{text!r} is no key: it looks like portal.example.com+1a2b3c4d+AY…")
    expected = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    if key_id != expected.hex():
        raise Unreadable(f"{text!r} is no key: its parts do not belong together.")
    return Key(name=name, key_id=expected, public=key[1:])


def require_signed(notes: Iterable[Note], keys: Sequence[Key]) -> None:
    """Raises Unreadable for a checkpoint from outside that none of the keys signed: it proves nothing."""
    for note in notes:
        if not is_signed(note, keys):
            raise Unreadable(f"The checkpoint of size {note.size} is not signed by any key that you gave.")


def is_signed(note: Note, keys: Iterable[Key]) -> bool:
    """Whether one of the keys made the signature."""
    fitting = [key for key in keys if (key.name, key.key_id) == (note.name, note.key_id)]
    return any(ed25519_verify(key.public, note.text.encode(), note.signature) for key in fitting)


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:  # Any: JSON
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                told = json.loads(line)
                if not isinstance(told, dict):
                    raise Unreadable(f"{path}, line {number}: not an object.")
                yield number, told
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}.") from error
    except ValueError as error:
        raise Unreadable(f"{path} is no export: {error}.") from error


def _row(told: Mapping[str, Any], place: str) -> Row:  # Any: JSON
    try:
        header, body = told["header"], told["body"]
        row = Row(
            header=header, prev=bytes.fromhex(told["prev"]), hash=bytes.fromhex(told["hash"]), body=body
        )
        is_whole = isinstance(header["seq"], int) and (body is None or isinstance(body, str))
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"{place}: not an event ({error}).") from error
    if not is_whole:
        raise Unreadable(f"{place}: not an event.")
    return row


def _text(content: bytes) -> str:
    """Of a mail its plain part, as it was before it was packed for the way."""
    if re.search(rb"^MIME-Version:", content, re.MULTILINE | re.IGNORECASE):
        part = email.message_from_bytes(content, policy=email.policy.default).get_body(("plain",))
        if part is not None:
            return str(part.get_content())
    return content.decode("utf-8", "replace")


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


# Ed25519 (RFC 8032, section 5.1), verification alone. No secret is involved, so time may depend on the input.

PRIME: Final = 2**255 - 19
ORDER: Final = 2**252 + 27742317777372353535851937790883648493
CURVE_D: Final = -121665 * pow(121666, -1, PRIME) % PRIME
ROOT_OF_MINUS_ONE: Final = pow(2, (PRIME - 1) // 4, PRIME)
Place = tuple[int, int, int, int]  # X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z
ZERO: Final[Place] = (0, 1, 1, 0)


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether [S]B equals R + [k]A."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, commitment = _decompress(public), _decompress(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or scalar >= ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    challenge = int.from_bytes(digest, "little") % ORDER
    return _same(_times(scalar, BASE), _add(commitment, _times(challenge, key)))


def _decompress(encoded: bytes) -> Place | None:
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= PRIME:
        return None
    square = (y * y - 1) * pow(CURVE_D * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if (x * x - square) % PRIME:
        x = x * ROOT_OF_MINUS_ONE % PRIME
    if (x * x - square) % PRIME or (x == 0 and sign):
        return None
    if x % 2 != sign:
        x = PRIME - x
    return x, y, 1, x * y % PRIME


def _add(one: Place, other: Place) -> Place:
    a = (one[1] - one[0]) * (other[1] - other[0]) % PRIME
    b = (one[1] + one[0]) * (other[1] + other[0]) % PRIME
    c = 2 * one[3] * other[3] * CURVE_D % PRIME
    d = 2 * one[2] * other[2] % PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME


def _times(scalar: int, place: Place) -> Place:
    result = ZERO
    while scalar:
        if scalar & 1:
            result = _add(result, place)
        place, scalar = _add(place, place), scalar >> 1
    return result


def _same(one: Place, other: Place) -> bool:
    return (
        not (one[0] * other[2] - other[0] * one[2]) % PRIME
        and not (one[1] * other[2] - other[1] * one[2]) % PRIME
    )


def _base() -> Place:
    found = _decompress((4 * pow(5, -1, PRIME) % PRIME).to_bytes(32, "little"))
    if found is None:
        raise AssertionError("the base point is on the curve")
    return found


BASE: Final = _base()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="audit_verify.py", description="Verify an exported audit record of Latchkey, without Latchkey."
    )
    parser.add_argument("export", type=Path, help="the file that `manage.py audit_export` wrote")
    parser.add_argument(
        "--key", action="append", default=[], help="a public key, from a mail you kept; may be repeated"
    )
    parser.add_argument(
        "--checkpoint", action="append", default=[], type=Path, help="a mail or text with a signed note"
    )
    parser.add_argument(
        "--earlier", action="append", default=[], type=Path, help="an export of an earlier day"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
