"""The form of a practice's own access profile: every line with its policy in plain text, judged where it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django import forms

from awsaccess.policy import documents
from awsaccess.policy.explain import explain
from awsaccess.policy.managed import KNOWN
from awsaccess.policy.plain import plain
from awsaccess.policy.validation import LONGEST_TEXT, Finding, Severity
from awsaccess.services.profiles import ProfileReview, profile_review
from engagements.models import PracticeProfile
from engagements.profiles import AccessProfile, Kind, Line
from engagements.profiles.own import DraftLine, DraftProfile
from engagements.profiles.words import words_in
from portal.kernel import fields
from portal.kernel.admin import Cell

MOST_LINES: Final = 20
KINDS: Final = ((Kind.LOOK.value, "Look only"), (Kind.CHANGE.value, "Look and change"))
LOOK_AT_IT, ONE_MORE = "look", "more"
PARTS: Final = ("title", "why", "policy", "managed", "optional")
Start = dict[str, Any]  # Any: what forms start from


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the form with what is known of it. `told`: what a client's technical person would read of its policy."""

    number: int
    fields: tuple[forms.BoundField, ...]
    warnings: tuple[str, ...]
    told: tuple[str, ...]


class ProfileForm(forms.Form):
    """A whole profile. Nothing is valid until all of it may be saved; whatever is wrong stands at its field."""

    title = fields.Line(required=False, max_length=400, help_text="Consultants choose it by this name.")
    kind = forms.ChoiceField(
        label="How far it goes", choices=KINDS, widget=forms.RadioSelect, initial=Kind.LOOK.value
    )
    summary = fields.Line(
        required=False, max_length=1000, help_text="One sentence for the client: “They can look at …”."
    )
    closes_contents = forms.BooleanField(
        label="Keep contents, secrets and log-ins closed whatever the lines allow",
        required=False,
        initial=True,
        help_text="A profile that only looks always does.",
    )
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)
    starts: tuple[Cell, ...] = ()  # other profiles that it may begin as a copy of

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's own
        super().__init__(*args, **kwargs)
        self.found: ProfileReview | None = None
        self.count = self._count()
        for number in range(self.count):
            self._add_line(number, self._start_of(number))

    @property
    def draft(self) -> DraftProfile:
        """What was typed, without the lines that were left empty."""
        asked = self.cleaned_data
        return DraftProfile(
            title=asked["title"],
            kind=Kind(asked["kind"]),
            summary=asked["summary"],
            lines=tuple(self._line(number) for number in self._written()),
            closes_contents=asked["closes_contents"],
        )

    @property
    def general(self) -> list[forms.BoundField]:
        """What is asked of the profile itself."""
        return [self[name] for name in ("title", "kind", "summary", "closes_contents")]

    @property
    def rows(self) -> list[Row]:
        """Its lines, each with what was found in it."""
        return [self._row(number) for number in range(self.count)]

    @property
    def cannot(self) -> tuple[str, ...]:
        """What the client would read that stays impossible; nothing while something is wrong."""
        if self.found is None or self.found.judged is None:
            return ()
        titles = words_in("en")["limits"]
        return tuple(titles[limit["key"]]["title"] for limit in self.found.judged.limits)

    def clean(self) -> dict[str, Any]:  # Any: Django's own
        """Judge all of it. A look at it, or one more line, is no try to save."""
        if not self.errors:
            self.cleaned_data["draft"] = self.draft
            self.found = profile_review(self.draft)
            self._place_words(self.found)
            self._place_findings(self.found)
        if self.data.get("act") == ONE_MORE:
            self.add_error(None, "There is room for one more line at the end. Nothing was saved yet.")
        elif self.data.get("act") == LOOK_AT_IT:
            self.add_error(None, "This is how it would be read. Nothing was saved yet.")
        return self.cleaned_data

    def _count(self) -> int:
        """As many lines as were sent, or as it begins with, and one to write in."""
        if not self.is_bound:
            return min(len(self.initial.get("lines", ())) + 1, MOST_LINES)
        text = str(self.data.get("rows", ""))
        sent = int(text) if text.isascii() and text.isdigit() and len(text) < 3 else 1
        return max(1, min(sent + (self.data.get("act") == ONE_MORE), MOST_LINES))

    def _start_of(self, number: int) -> Mapping[str, Any]:  # Any: what forms start from
        lines: Sequence[Mapping[str, Any]] = self.initial.get("lines", ())
        return lines[number] if number < len(lines) else {}

    def _add_line(self, number: int, start: Mapping[str, Any]) -> None:
        told = f"line {number + 1}"
        made = {
            "title": fields.Line(label=f"Title of {told}", max_length=400, help_text="At most six words."),
            "why": fields.Line(label=f"What {told} is good for", max_length=1000, help_text="“So we can …”"),
            "policy": fields.Lines(
                label=f"Permissions of {told}",
                max_length=LONGEST_TEXT,
                help_text="An IAM policy as JSON, or its statements alone.",
                widget=forms.Textarea(attrs={"rows": 10, "spellcheck": "false", "class": "code"}),
            ),
            "managed": forms.MultipleChoiceField(
                label=f"AWS’s own policies of {told}",
                choices=[(arn, arn.rpartition("/")[2]) for arn in KNOWN],
                widget=forms.CheckboxSelectMultiple,
            ),
            "optional": forms.BooleanField(label=f"The client may leave {told} out"),
        }
        for part, field in made.items():
            field.required, field.initial = False, start.get(part)
            self.fields[_name(number, part)] = field

    def _written(self) -> list[int]:
        """The rows in which something stands."""
        asked = self.cleaned_data
        told = ("title", "why", "policy", "managed")
        return [n for n in range(self.count) if any(asked.get(_name(n, part)) for part in told)]

    def _line(self, number: int) -> DraftLine:
        asked = {part: self.cleaned_data[_name(number, part)] for part in PARTS}
        return DraftLine(
            title=asked["title"],
            why=asked["why"],
            policy=asked["policy"],
            managed_policies=tuple(asked["managed"]),
            optional=asked["optional"],
        )

    def _place_words(self, found: ProfileReview) -> None:
        written = self._written()
        for fault in found.words:
            if fault.line is not None:
                self.add_error(_name(written[fault.line], fault.field), fault.message)
            else:
                self.add_error(None if fault.field == "lines" else fault.field, fault.message)

    def _place_findings(self, found: ProfileReview) -> None:
        written = self._written()
        for each in found.findings:
            if each.finding.severity is Severity.ERROR:
                self.add_error(_name(written[each.line], "policy"), place_of(each.finding))

    def _row(self, number: int) -> Row:
        return Row(
            number=number + 1,
            fields=tuple(self[_name(number, part)] for part in PARTS),
            warnings=tuple(self._warnings(number)),
            told=tuple(self._told(number)),
        )

    def _warnings(self, number: int) -> Iterator[str]:
        at = self._at(number)
        if self.found is not None and at is not None:
            for each in self.found.findings:
                if each.line == at and each.finding.severity is Severity.WARNING:
                    yield place_of(each.finding)

    def _told(self, number: int) -> Iterator[str]:
        at = self._at(number)
        if self.found is None or at is None:
            return
        managed = [KNOWN[arn] for arn in self.cleaned_data.get(_name(number, "managed")) or ()]
        own = self.found.statements[at]
        opened = [*([documents.document(*own)] if own else []), *managed]
        if opened:
            said = plain(explain(*opened))
            yield from (said.headline, *said.risks, *said.services)

    def _at(self, number: int) -> int | None:
        """The place of a row among those that were judged."""
        written = self._written() if self.is_bound and hasattr(self, "cleaned_data") else []
        return written.index(number) if number in written else None


def start_from(profile: AccessProfile) -> Start:
    """A form that begins with the lines of another profile, in its own words."""
    asked = [(line, False) for line in profile.lines] + [(line, True) for line in profile.optional_lines]
    return {
        "title": profile.title,
        "kind": profile.kind.value,
        "summary": profile.summary,
        "closes_contents": bool(profile.guards) or profile.kind is Kind.LOOK,
        "lines": [_start_of_line(line, optional=optional) for line, optional in asked],
    }


def start_over(row: PracticeProfile) -> Start:
    """A form that begins with what was saved, to the letter; `seen` tells which version that was."""
    return {
        "title": row.title,
        "kind": row.kind,
        "summary": row.summary,
        "closes_contents": bool(row.guards) or row.kind == Kind.LOOK,
        "seen": row.number,
        "lines": [
            {
                **{part: line[part] for part in ("title", "why", "policy", "optional")},
                "managed": line["managed_policies"],
            }
            for line in row.lines
        ],
    }


def place_of(finding: Finding) -> str:
    """A finding with its place in the text."""
    return f"Line {finding.line}, column {finding.column}: {finding.message}"


def _start_of_line(line: Line, *, optional: bool) -> Start:
    policy = json.dumps(list(line.statements), indent=2) if line.statements else ""
    return {
        "title": line.title,
        "why": line.why,
        "policy": policy,
        "managed": list(line.managed_policies),
        "optional": optional,
    }


def _name(number: int, part: str) -> str:
    return f"line{number}-{part}"
