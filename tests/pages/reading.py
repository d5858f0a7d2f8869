"""A page as a person reads it: its title, its one heading, its words, where its links lead and what can be pressed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final, Protocol

VOID: Final = frozenset({"meta", "link", "input", "br", "hr", "use", "img"})
UNREAD: Final = frozenset({"title", "script"})


class HasContent(Protocol):
    """What Django's test client answers with."""

    @property
    def content(self) -> bytes:
        """The body."""


@dataclass(kw_only=True)
class Page:
    """What stands on a page. `links` are by their words, `filled` the words of the filled buttons, `forms` the
    addresses that are posted to.
    """

    title: str = ""
    headings: list[str] = field(default_factory=list)
    text: str = ""
    links: dict[str, str] = field(default_factory=dict)
    buttons: list[str] = field(default_factory=list)
    filled: list[str] = field(default_factory=list)
    forms: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    ticked: frozenset[str] = frozenset()

    @property
    def h1(self) -> str:
        """The one heading; a page with two of them, or none, fails here."""
        (only,) = self.headings
        return only


def read(response: HasContent) -> Page:
    """The page in this answer."""
    reader = _Reader()
    reader.feed(response.content.decode())
    reader.close()
    reader.page.text = _plain("".join(reader.words))
    return reader.page


class _Reader(HTMLParser):
    """Keeps the words of every element that is open, so that an element's words are known when it closes."""

    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self.words: list[str] = []
        self._open: list[tuple[str, dict[str, str], list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.words.append(" ")
        if tag == "input":
            self._note_input(told)
        elif tag == "form":
            self.page.forms.append(told.get("action", ""))
        if tag not in VOID:
            self._open.append((tag, told, []))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        opened, attributes, parts = self._open.pop()
        assert opened == tag, f"<{opened}> is closed by </{tag}>"
        self.words.append(" ")
        self._note(tag, attributes, _plain("".join(parts)))

    def handle_data(self, data: str) -> None:
        for _tag, _attributes, parts in self._open:
            parts.append(data)
        if not any(tag in UNREAD for tag, _attributes, _parts in self._open):
            self.words.append(data)

    def _note(self, tag: str, attributes: dict[str, str], words: str) -> None:
        classes = attributes.get("class", "").split()
        if ("btn" in classes and not {"sec", "stop"} & set(classes)) or "fill" in classes:
            self.page.filled.append(words)
        if tag == "title":
            self.page.title = words
        elif tag == "h1":
            self.page.headings.append(words)
        elif tag == "a":
            self.page.links[words] = attributes.get("href", "")
        elif tag == "button":
            self.page.buttons.append(words)
        elif tag == "textarea":
            self.page.fields[attributes["name"]] = words

    def _note_input(self, attributes: dict[str, str]) -> None:
        name = attributes.get("name", "")
        if attributes.get("type") == "checkbox":
            self.page.ticked |= {name} if "checked" in attributes else frozenset()
            return
        self.page.fields[name] = attributes.get("value", "")


def _plain(text: str) -> str:
    joined = re.sub(r"\s+", " ", text.replace("\N{NO-BREAK SPACE}", " ")).strip()
    return re.sub(r" ([.,:;])", r"\1", joined)
