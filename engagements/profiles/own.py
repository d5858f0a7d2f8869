"""A practice's own profiles: from saved JSON to the shape of the shipped ones, and the rules for their words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engagements.profiles.reading import HARDEST, IN_GERMAN, grade
from engagements.profiles.shapes import (
    AccessProfile,
    Kind,
    Limit,
    Line,
    Statement,
    managed_of,
    statements_of,
)
from engagements.profiles.words import words_in

ICON: Final = "list-checks"
MOST_WORDS: Final = 6
LONGEST: Final = {"title": 60, "why": 300, "summary": 200}
GOOD_FOR: Final = ("so we can ", f"{IN_GERMAN} ")  # every line says what it is good for
Saved = Sequence[Mapping[str, Any]]  # Any: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftLine:
    """One line as a practice writes it. `policy` is an IAM policy's text, or empty beside `managed_policies`."""

    title: str
    why: str
    policy: str = ""
    managed_policies: tuple[str, ...] = ()
    optional: bool = False
    icon: str = ICON


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftProfile:
    """A whole profile as a practice writes it.

    `closes_contents`: whether contents, secrets and log-ins are denied whatever the lines allow. A look always does.
    """

    title: str
    kind: Kind
    summary: str
    lines: tuple[DraftLine, ...]
    closes_contents: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class WordFault:
    """Something wrong with the words. `line` counts from 0 over the profile's lines; None for the profile itself."""

    line: int | None
    field: str
    message: str


def word_faults(draft: DraftProfile) -> tuple[WordFault, ...]:
    """Everything that would keep a client from understanding it."""
    return tuple(_faults(draft))


def profile_from(
    *,
    code: str,
    title: str,
    kind: str,
    summary: str,
    lines: Saved,
    limits: Saved,
    guards: Sequence[Statement],
    warnings: Sequence[str],
    language: str,
) -> AccessProfile:
    """The saved JSON of `PracticeProfile` in the shape of the shipped profiles."""
    required = tuple(_line(each) for each in lines if not each["optional"])
    return AccessProfile(
        code=code,
        title=title,
        kind=Kind(kind),
        summary=summary,
        lines=required,
        optional_lines=tuple(_line(each) for each in lines if each["optional"]),
        limits=tuple(_limit(each, language) for each in limits),
        managed_policies=managed_of(required),
        statements=(*statements_of(required), *guards),
        guards=tuple(guards),
        warnings=tuple(warnings),
    )


def _line(saved: Mapping[str, Any]) -> Line:  # Any: JSON
    managed = tuple(saved["managed_policies"])
    names = tuple(arn.rpartition("/")[2] for arn in managed)
    return Line(
        key=saved["key"],
        icon=saved["icon"],
        title=saved["title"],
        why=saved["why"],
        actions=(*names, *_allowed(saved["statements"])),
        statements=tuple(saved["statements"]),
        managed_policies=managed,
    )


def _allowed(statements: Iterable[Statement]) -> list[str]:
    found: dict[str, None] = {}
    for each in statements:
        if each["Effect"] == "Allow":
            actions = each["Action"]
            found.update(dict.fromkeys(actions if isinstance(actions, list) else [actions]))
    return sorted(found)


def _limit(saved: Mapping[str, Any], language: str) -> Limit:  # Any: JSON
    title = words_in(language)["limits"][saved["key"]]["title"]
    return Limit(key=saved["key"], title=title, kept_by=saved["kept_by"])


def _faults(draft: DraftProfile) -> Iterator[WordFault]:
    yield from _of_text(None, "title", draft.title)
    yield from _of_text(None, "summary", draft.summary)
    if not any(not line.optional for line in draft.lines):
        yield WordFault(line=None, field="lines", message="Ask for one line at least that is not optional.")
    for number, line in enumerate(draft.lines):
        yield from _of_text(number, "title", line.title)
        yield from _of_text(number, "why", line.why)
        if len(line.title.split()) > MOST_WORDS:
            yield WordFault(line=number, field="title", message=f"A title has at most {MOST_WORDS} words.")
        if line.why.strip() and not any(words in f"{line.why.lower()} " for words in GOOD_FOR):
            yield WordFault(line=number, field="why", message="Say what it is good for: “so we can …”.")
        if not line.policy.strip() and not line.managed_policies:
            yield WordFault(line=number, field="policy", message="There are no permissions behind this line.")


def _of_text(line: int | None, field: str, text: str) -> Iterator[WordFault]:
    if not text.strip():
        yield WordFault(line=line, field=field, message="This is empty: the client would read nothing.")
    if len(text) > LONGEST[field]:
        message = f"This is too long: {LONGEST[field]} characters at most."
        yield WordFault(line=line, field=field, message=message)
    # The measure is for running English; three words in a title say nothing. A single German sentence swings too far:
    # what the page of a German profile asks for is stated on it.
    if field != "title" and IN_GERMAN not in text.lower() and grade(text) > HARDEST:
        message = f"This is hard to read (grade {grade(text):.0f}). Use shorter words and sentences."
        yield WordFault(line=line, field=field, message=message)
