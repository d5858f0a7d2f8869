"""What the words of every mail are made of: once for text and HTML, so that the two can never tell different things.

The mails themselves stand by who reads them: client_words, consultant_words, both_words, staff_words and nudges.
A subject says who and what in at most 78 characters. Dates are the reader's; a time names its zone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.dateformat import format as date_format
from django.utils.translation import gettext, pgettext

from accounts.models import Invitation
from engagements.emails.scenes import Scene, client_url, console_url
from engagements.lifecycle import ChangeStatus
from engagements.models import IN_FORCE, Engagement, Offer, ScopeChange
from engagements.profiles import PROFILES, Kind
from portal.kernel.languages import spelling

SUBJECT_LENGTH: Final = 78


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A paragraph; `stress` is printed bold, or in capitals where there is no bold."""

    before: str
    stress: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One row of the box. `is_code` for what is compared letter by letter."""

    name: str
    value: str
    is_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One mail. `preview` is the line that mailboxes show beside the subject; `seal` is kept word for word.

    `doubt` says whom to ask whether the mail is genuine, where that is not the host.
    """

    subject: str
    preview: str
    heading: str
    lines: tuple[Line, ...]
    facts: tuple[Fact, ...]
    button: str
    url: str
    note: str
    why: str
    seal: str = ""
    doubt: str = ""


def quoted(text: str) -> str:
    """On one line: where it begins and ends is seen."""
    return f"“{' '.join(text.split())}”"


def subject(main: str, *more: str) -> str:
    """Who and what, and in brackets as much more as 78 characters hold."""
    for count in range(len(more), 0, -1):
        if len(whole := f"{main} ({', '.join(more[:count])})") <= SUBJECT_LENGTH:
            return whole
    return main if len(main) <= SUBJECT_LENGTH else main[: SUBJECT_LENGTH - 1].rstrip() + "…"


def to_client(
    scene: Scene,
    *,
    subject: str,
    preview: str,
    heading: str,
    lines: Sequence[str],
    facts: tuple[Fact, ...],
    button: str,
    note: str,
    page: str = "front",
) -> Words:
    """A mail to somebody at the client; `page` is where its button leads."""
    engagement = scene.engagement
    return Words(
        subject=subject,
        preview=preview,
        heading=heading,
        lines=tuple(Line(before=line) for line in lines),
        facts=facts,
        button=button,
        url=client_url(engagement, page),
        note=note,
        why=gettext("because you look after the project “%(title)s” at %(client)s.")
        % {**title_of(engagement), **client_of(engagement)},
    )


def to_practice(
    scene: Scene,
    *,
    subject: str,
    preview: str,
    heading: str,
    lines: Sequence[str],
    facts: tuple[Fact, ...],
    note: str = "",
) -> Words:
    """A mail to a consultant; its button leads into the console."""
    engagement = scene.engagement
    return Words(
        subject=subject,
        preview=preview,
        heading=heading,
        lines=tuple(Line(before=line) for line in lines),
        facts=facts,
        button=gettext("Open the project"),
        url=console_url(engagement),
        note=note,
        why=gettext("because you work on “%(title)s” for %(client)s.")
        % {**title_of(engagement), **client_of(engagement)},
    )


def three_facts(scene: Scene) -> tuple[Fact, ...]:
    """Which account, what kind of access, until when."""
    engagement = scene.engagement
    return (
        account_fact(engagement),
        Fact(name=gettext("Access"), value=kind_of(engagement)),
        Fact(name=gettext("Until"), value=spelling.day(engagement.ends_at, scene.zone)),
    )


def facts_of_change(scene: Scene, change: ScopeChange) -> tuple[Fact, ...]:
    """As it would be, or is, after the change."""
    return (account_fact(scene.engagement), *facts_of_offer(scene, change.offer))


def facts_of_offer(scene: Scene, offer: Offer) -> tuple[Fact, ...]:
    """What this offer says, whether it holds already or not."""
    kind, ends_at = offer.documents["kind"], dt.datetime.fromisoformat(offer.documents["expires_at"])
    access = gettext("Look only") if kind == Kind.LOOK else gettext("Look and change")
    return (
        Fact(name=gettext("Access"), value=access),
        Fact(name=gettext("Until"), value=spelling.day(ends_at, scene.zone)),
    )


def account_fact(engagement: Engagement) -> Fact:
    """The name and the last four digits are enough to recognise it; a mail is no place for the whole number."""
    ending = gettext("ending %(digits)s") % {"digits": engagement.account_id[-4:]}
    known = [engagement.account_name, ending if engagement.account_id else ""]
    value = ", ".join(word for word in known if word)
    return Fact(name=gettext("Account"), value=value or gettext("you choose it when you agree"))


def other_account_fact(account_id: str, name: str = "") -> Fact:
    """An account that is not, or not yet, the engagement's own."""
    digits = gettext("ending %(digits)s") % {"digits": account_id[-4:]}
    return Fact(name=name or gettext("Account"), value=digits)


def waits_for_others(scene: Scene) -> bool:
    """Of what was asked after the first agreement: somebody else at the client has to agree, too."""
    change = scene.matter.change
    return change is not None and change.status == ChangeStatus.ASKED


def since_fact(scene: Scene, name: str, moment: dt.datetime | None) -> tuple[Fact, ...]:
    """One row, or none while there is no such moment."""
    return (Fact(name=name, value=moment_words(scene, moment)),) if moment else ()


def link_note(scene: Scene, invitation: Invitation) -> str:
    """Whose the link is, and until when it works."""
    day = date_format(invitation.expires_at.astimezone(scene.zone), pgettext("date format", "l j F"))
    return gettext("The link is for you only and works until %(day)s.") % {"day": day}


def is_look_only(engagement: Engagement) -> bool:
    """What was sent decides, whatever became of its profile since; what is not known is never called harmless."""
    offer = engagement.offers.filter(IN_FORCE).order_by("-number").first()
    profile = PROFILES.get(engagement.profile)
    kind = profile.kind if profile is not None else Kind.CHANGE
    return (offer.documents.get("kind", kind) if offer else kind) == Kind.LOOK


def verb_of(engagement: Engagement) -> str:
    """What is asked for: it stands before “your AWS account”."""
    return gettext("look at") if is_look_only(engagement) else gettext("work in")


def kind_of(engagement: Engagement) -> str:
    """The same as a label."""
    return gettext("Look only") if is_look_only(engagement) else gettext("Look and change")


def names_of(scene: Scene) -> str:
    """Whoever works on it; the host where nobody does."""
    return spelling.joined([user.name for user in scene.team] or [scene.host_name])


def moment_words(scene: Scene, moment: dt.datetime) -> str:
    """Friday 20 November 2026, 14:32, London time (GMT)."""
    return f"{spelling.long_moment(moment, scene.zone)}, {spelling.zone_words(scene.zone, moment)}"


def title_of(engagement: Engagement) -> dict[str, str]:
    """To fill in “%(title)s”."""
    return {"title": engagement.title}


def client_of(engagement: Engagement) -> dict[str, str]:
    """To fill in “%(client)s”."""
    return {"client": engagement.client.name}
