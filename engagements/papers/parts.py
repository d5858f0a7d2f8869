"""What a paper is made of: parts in the order in which they stand, as the template takes them. Pure data."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from engagements.models import Consent, Engagement
from engagements.papers.wording import Wording, account_number
from portal.kernel.papers.drawings import icons

TEMPLATE: Final[Path] = settings.BASE_DIR / "templates" / "engagements" / "documents" / "document.typ"
LINE: Final = 124  # characters of a line of code
ALWAYS_DRAWN: Final = ("layers", "x")
Part = dict[str, Any]  # Any: JSON for the template


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A question and its answer; `is_code` for what is compared letter by letter."""

    name: str
    value: str
    notes: tuple[str, ...] = ()
    is_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What stands above the parts. `signed` is what the signature says that it is."""

    title: str
    kind: str
    tag: str
    lead: str
    signed: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """Everything that a paper says. `data` is what the template takes; `reason` is what the signature says."""

    language: str
    reason: str
    data: dict[str, Any]  # Any: JSON


def facts(heading: str, rows: Sequence[Fact], *, note: str = "") -> Part:
    """A card of questions and answers; answers that are empty are left out."""
    told = [asdict(row) for row in rows if row.value]
    return {"kind": "facts", "heading": heading, "rows": told, "note": note}


def moment_fact(name: str, at: dt.datetime, say: Wording) -> Fact:
    """A moment where the reader is, and to the second in UTC."""
    return Fact(name=name, value=say.moment(at), notes=(zone_note(at, say),))


def zone_note(at: dt.datetime, say: Wording) -> str:
    """What stands below a moment: whose time it is, and the same in UTC."""
    return f"{say.zone_words(at)} · {say.exact(at)}"


def account_fact(consent: Consent, say: Wording) -> Fact:
    """The number, and what the client calls it."""
    name = consent.engagement.account_name
    return Fact(
        name=say("short.account"), value=account_number(consent.account_id), notes=(name,) if name else ()
    )


def able(heading: str, rows: Sequence[dict[str, str]]) -> Part:
    """A card of lines, each with icon, title and text."""
    return {"kind": "able", "heading": heading, "rows": list(rows)}


def unable(heading: str, rows: Sequence[str], *, note: str) -> Part:
    """A list of what stays impossible."""
    return {"kind": "unable", "heading": heading, "rows": list(rows), "note": note}


def words(heading: str, rows: Sequence[str]) -> Part:
    """Paragraphs."""
    return {"kind": "words", "heading": heading, "rows": list(rows)}


def code(heading: str, rows: Sequence[str], text: str, *, new_page: bool = False) -> Part:
    """Paragraphs, then text that is compared letter by letter."""
    return {"kind": "code", "heading": heading, "rows": list(rows), "code": text, "new_page": new_page}


def laid_out(value: object, *, indent: int = 0) -> str:
    """JSON for people: what fits on a line stands on one."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= LINE or not isinstance(value, dict | list) or not value:
        return flat
    inner, outer = " " * (indent + 2), " " * indent
    if isinstance(value, dict):
        rows = [
            f"{json.dumps(key, ensure_ascii=False)}: {laid_out(one, indent=indent + 2)}"
            for key, one in value.items()
        ]
        return "{\n" + ",\n".join(inner + row for row in rows) + f"\n{outer}}}"
    rows = [laid_out(one, indent=indent + 2) for one in value]
    return "[\n" + ",\n".join(inner + row for row in rows) + f"\n{outer}]"


def paper(engagement: Engagement, say: Wording, head: Head, parts: Sequence[Part]) -> Paper:
    """Head, parts and what stands on each page."""
    practice = engagement.practice
    drawn = {row["icon"] for part in parts if part["kind"] == "able" for row in part["rows"]}
    data = {
        "lang": say.language,
        "title": head.title,
        "description": head.signed,
        "author": practice.legal_name,
        "practice": practice.name,
        "kind": head.kind,
        "tag": head.tag,
        "lead": head.lead,
        "reference": head.reference,
        "footer": say("page.made_by", legal_name=practice.legal_name, address=practice.address),
        "page": say("page.page"),
        "of": say("page.of"),
        "icons": icons(sorted({*drawn, *ALWAYS_DRAWN})),
        "parts": [part for part in parts if part["rows"] or part.get("code")],
    }
    return Paper(language=say.language, reason=head.signed, data=data)
