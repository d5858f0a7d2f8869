"""A change of access, as the client reads it: what is added and taken away, first; the whole text behind it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils.translation import gettext

from awsaccess.selectors import template_address
from engagements.models import Offer, ScopeChange
from engagements.offer_words import ends_at
from engagements.selectors import choice_of, template_agreed
from portal.kernel.languages import spelling
from portal.pages import consenting, words
from portal.pages.frames import Desk
from portal.pages.pagemodels import ConsentPaper

PAPER_TEMPLATE = "engagements/change_document.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineWords:
    """One line as it is read. `actions` tell a line that reads the same and opens something else."""

    key: str
    title: str
    why: str
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePaper:
    """The difference in words. `behind`: lines that read as before and open something else in AWS.

    `opens_more` and `takes_away` were read off the two roles when it was asked, and not off these words. `account_before`
    and `account_after` are empty where the account stays.
    """

    added: tuple[LineWords, ...]
    removed: tuple[LineWords, ...]
    reworded: tuple[LineWords, ...]
    behind: tuple[LineWords, ...]
    now_possible: tuple[str, ...]
    now_impossible: tuple[str, ...]
    kind_before: str
    kind_after: str
    until_before: str
    until_after: str
    until_zone: str
    opens_more: bool
    takes_away: bool
    warnings: tuple[str, ...]
    whole: ConsentPaper
    account_before: str = ""
    account_after: str = ""


def paper_html(desk: Desk, change: ScopeChange, ticked: Collection[str] = ()) -> str:
    """The exact HTML of what is agreed to. The same rows give the same bytes."""
    return render_to_string(PAPER_TEMPLATE, {"paper": paper_of(desk, change, ticked)})


def paper_of(desk: Desk, change: ScopeChange, ticked: Collection[str] = ()) -> ChangePaper:
    """Set difference of the two offers, by the lines' own words; the old one with what was ticked."""
    before, after = _lines(change.before, choice_of(change.before)), _lines(change.offer)
    told_before, told_after = (consenting.told_of(each) for each in (change.before, change.offer))
    limits_before, limits_after = told_before.limits, told_after.limits
    ends_before = ends_at(change.before) or desk.engagement.ends_at
    ends_after = ends_at(change.offer) or desk.engagement.ends_at
    read: Mapping[str, Any] = change.offer.documents["change"]  # Any: JSON as the offer froze it
    kept = {line.title for line in before} & {line.title for line in after}
    return ChangePaper(
        added=_without(after, before),
        removed=_without(before, after),
        reworded=tuple(
            line for line in after if line.title in kept and line.why not in {b.why for b in before}
        ),
        behind=tuple(line for line in after if _opens_otherwise(line, before)),
        now_possible=tuple(text for text in limits_before if text not in limits_after),
        now_impossible=tuple(text for text in limits_after if text not in limits_before),
        kind_before=consenting.kind_of(change.before).tag,
        kind_after=consenting.kind_of(change.offer).tag,
        until_before=spelling.long_moment(ends_before, desk.zone),
        until_after=spelling.long_moment(ends_after, desk.zone),
        until_zone=spelling.zone_words(desk.zone, ends_after),
        opens_more=bool(read["opens_more"]),
        takes_away=bool(read["takes_away"]),
        warnings=tuple(text for text in told_after.warnings if text not in told_before.warnings),
        whole=consenting.paper_of(desk, change.offer, ticked, ends_at=ends_after),
        account_before=words.account_number(str(read.get("instead_of", ""))),
        account_after=words.account_number(change.offer.other_account),
    )


def in_short(paper: ChangePaper) -> str:
    """What the comparison of the two roles says, in one sentence."""
    if paper.account_after:
        return gettext("Only the AWS account is another one. Everything else is as you agreed.")
    if paper.opens_more and paper.takes_away:
        return gettext("This opens more in one place, and takes something away in another.")
    if paper.opens_more:
        return gettext("This opens more than before.")
    if paper.takes_away:
        return gettext("This takes something away, and opens nothing new.")
    return gettext("This opens nothing new, unless you tick something below.")


def update_command(desk: Desk, change: ScopeChange) -> str:
    """What a technical colleague runs instead of clicking; empty while the template is on its way."""
    if not template_agreed(change.offer).version_id:
        return ""
    return "\n".join(
        (
            f"aws cloudformation update-stack --region {change.offer.documents['region']} \\",
            f"  --stack-name latchkey-{desk.engagement.code} \\",
            f'  --template-url "{template_address(change.offer)}" \\',
            "  --capabilities CAPABILITY_NAMED_IAM",
        )
    )


def _lines(offer: Offer, ticked: Sequence[str] = ()) -> list[LineWords]:
    told = consenting.told_of(offer)
    lines = list(zip(offer.lines, told.lines, strict=True))
    more = zip(offer.documents.get("optional", ()), told.optional, strict=True)
    return [
        LineWords(key=line["key"], title=said["title"], why=said["why"], actions=tuple(line["actions"]))
        for line, said in [*lines, *((line, said) for line, said in more if line["key"] in ticked)]
    ]


def _without(lines: Iterable[LineWords], others: Iterable[LineWords]) -> tuple[LineWords, ...]:
    known = {line.title for line in others}
    return tuple(line for line in lines if line.title not in known)


def _opens_otherwise(line: LineWords, before: Iterable[LineWords]) -> bool:
    return any(old.title == line.title and old.actions != line.actions for old in before)
