"""Reads the mails that the catcher kept: lists, bodies, sign-in codes. Never writes."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses
from pathlib import Path
from typing import Final

NAME: Final = re.compile(r"\d{20}-\d{6}")
CODE: Final = re.compile(r"^[ \t]*(\d{3})[ -]?(\d{3})[ \t]*\r?$", re.MULTILINE)
CODE_LIFE: Final = dt.timedelta(minutes=15)
HEAD: Final = re.compile(r"<head[^>]*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One kept mail. `name` is its file's name without `.eml` and sorts by arrival."""

    name: str
    subject: str
    sender: str
    recipients: tuple[tuple[str, str], ...]
    plain: str
    html: str

    @property
    def arrived_at(self) -> dt.datetime:
        """The moment at which the catcher had it whole, aware UTC."""
        return dt.datetime.fromtimestamp(int(self.name[:20]) / 1e9, tz=dt.UTC)

    @property
    def to(self) -> str:
        return ", ".join(name or address for name, address in self.recipients)

    @property
    def code(self) -> str:
        """A sign-in code standing alone on its line; empty when there is none."""
        found = CODE.search(self.plain)
        return "".join(found.groups()) if found else ""


def mails(folder: Path, *, limit: int = 100) -> list[Mail]:
    """The newest mails, newest first."""
    return [_read(folder / f"{name}.eml") for name in _names(folder)[:limit]]


def find(folder: Path, name: str) -> Mail | None:
    """One mail by its name; None when there is no such mail, whatever the name looks like."""
    path = folder / f"{name}.eml"
    return _read(path) if NAME.fullmatch(name) and path.is_file() else None


def codes(found: list[Mail], now: dt.datetime) -> dict[str, Mail]:
    """The newest mail with a code that can still be valid, for each address in lower case."""
    newest: dict[str, Mail] = {}
    for mail in found:
        if mail.code and now - mail.arrived_at < CODE_LIFE:
            for _name, address in mail.recipients:
                newest.setdefault(address.lower(), mail)
    return newest


def framed(html: str) -> str:
    """The HTML part, as sent but for one tag: its links open in the whole window, not inside the frame."""
    base = '<base target="_top">'
    head = HEAD.search(html)
    return f"{html[: head.end()]}{base}{html[head.end() :]}" if head else base + html


def _names(folder: Path) -> list[str]:
    return sorted((path.stem for path in folder.glob("*.eml") if NAME.fullmatch(path.stem)), reverse=True)


def _read(path: Path) -> Mail:
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    pairs = getaddresses([str(value) for value in message.get_all("to", [])])
    return Mail(
        name=path.stem,
        subject=str(message["subject"] or ""),
        sender=str(message["from"] or ""),
        recipients=tuple(pairs),
        plain=_part(message, "plain"),
        html=_part(message, "html"),
    )


def _part(message: EmailMessage, kind: str) -> str:
    return "\n".join(_texts(message, f"text/{kind}"))


def _texts(message: EmailMessage, content_type: str) -> Iterator[str]:
    for part in message.walk():
        if part.get_content_type() == content_type and not part.is_attachment():
            yield str(part.get_content())
            return
