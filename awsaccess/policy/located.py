"""JSON that remembers where each part stands, so that a message can point at the line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

SPACE: Final = re.compile(r"[ \t\n\r]*")
STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"', re.ASCII)
NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
CONSTANTS: Final = {"true": True, "false": False, "null": None}
DEEPEST: Final = 30  # a policy needs 6; deeper is an attack on the reader


class NotJson(ValueError):
    """Raised for text that is not JSON, with the offset of the first character that cannot stand there."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message, self.offset = message, offset


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Line and column, both from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One value with its offset. An object's names may repeat: `members` keeps them all, in order."""

    offset: int
    value: object  # text, number, true, false or null; None for an object or a list
    members: tuple[tuple[Node, Node], ...] | None = None
    items: tuple[Node, ...] | None = None

    def plain(self) -> Any:  # Any: JSON
        """As json.loads would give it."""
        if self.members is not None:
            return {name.value: node.plain() for name, node in self.members}
        if self.items is not None:
            return [node.plain() for node in self.items]
        return self.value

    def get(self, name: str) -> Node | None:
        """The member with this name, or None; of an object that is none, None as well."""
        return next((node for key, node in self.members or () if key.value == name), None)

    def listed(self) -> tuple[Node, ...]:
        """IAM writes one value bare and several as a list."""
        return (self,) if self.items is None else self.items


def place_of(text: str, offset: int) -> Place:
    """Where a character stands."""
    before = text[:offset]
    return Place(line=before.count("\n") + 1, column=offset - (before.rfind("\n") + 1) + 1)


def read(text: str) -> Node:
    """The one value that the text holds. Raises NotJson."""
    reader = _Reader(text)
    node = reader.value(depth=0)
    reader.skip()
    if reader.at != len(text):
        raise NotJson("something follows after its end", reader.at)
    return node


class _Reader:
    """A cursor over the text."""

    __slots__ = ("at", "text")

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def skip(self) -> str:
        """Go over white space and look at the next character; empty at the end."""
        found = SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.text[self.at : self.at + 1]

    def value(self, *, depth: int) -> Node:
        letter, start = self.skip(), self.at
        if depth > DEEPEST:
            raise NotJson("it is nested too deep", start)
        if letter == "{":
            members = tuple(self._member(depth) for _ in self._parts("}"))
            return Node(offset=start, value=None, members=members)
        if letter == "[":
            items = tuple(self.value(depth=depth + 1) for _ in self._parts("]"))
            return Node(offset=start, value=None, items=items)
        return self._string() if letter == '"' else self._scalar()

    def _parts(self, closing: str) -> Iterator[None]:
        """Once for each part between the brackets; the caller reads the part."""
        self.at += 1
        if self.skip() == closing:
            self.at += 1
            return
        while True:
            yield
            letter = self.skip()
            if letter not in (",", closing) or not letter:
                raise NotJson(f"a comma or {closing} must stand here", self.at)
            self.at += 1
            if letter == closing:
                return

    def _member(self, depth: int) -> tuple[Node, Node]:
        if self.skip() != '"':
            raise NotJson("a name in double quotes must stand here", self.at)
        name = self._string()
        if self.skip() != ":":
            raise NotJson("a colon must stand here", self.at)
        self.at += 1
        return name, self.value(depth=depth + 1)

    def _string(self) -> Node:
        start = self.at
        found = STRING.match(self.text, start)
        if found is None:
            raise NotJson("this text in quotes does not end, or holds what it may not", start)
        self.at = found.end()
        value = json.loads(found[0])
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise NotJson("this text holds half a character", start)
        return Node(offset=start, value=value)

    def _scalar(self) -> Node:
        start = self.at
        for word, value in CONSTANTS.items():
            if self.text.startswith(word, start):
                self.at += len(word)
                return Node(offset=start, value=value)
        found = NUMBER.match(self.text, start)
        if found is None:
            raise NotJson("a value must stand here", start)
        self.at = found.end()
        return Node(offset=start, value=json.loads(found[0]))
