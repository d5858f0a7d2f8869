"""The live card: what is known of the access in AWS, in words, and how soon to ask again."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from django.utils.translation import gettext, gettext_lazy

from awsaccess.selectors import Check, LiveCard
from portal.pages import words
from portal.pages.frames import Desk
from portal.pages.pagemodels import Card, CheckRow

QUICK_SECONDS, EASY_SECONDS, SLOW_SECONDS = 3, 15, 60
QUICK_UNTIL_SECONDS, EASY_UNTIL_SECONDS = 10 * 60, 60 * 60
FINISHED: Final = frozenset({"on", "gone"})
# tone, icon, whether it turns, title, text. The words of a problem come with the problem.
FACES: Final = {
    "waiting": (
        "",
        "loader-circle",
        gettext_lazy("Waiting for AWS"),
        gettext_lazy("This page updates by itself once AWS is ready. You can close it: we’ll email you."),
    ),
    "checking": (
        "wait",
        "loader-circle",
        gettext_lazy("Found it. Checking the details"),
        gettext_lazy("This takes a few seconds."),
    ),
    "on": ("ok", "check", gettext_lazy("Access is on and checked"), ""),
    "problem": (
        "stop",
        "triangle-alert",
        gettext_lazy("Something is not right yet"),
        gettext_lazy("Nobody gets in until it is put right."),
    ),
    "paused": ("wait", "pause", gettext_lazy("Access is paused"), gettext_lazy("Nobody can start a visit.")),
    "ending": (
        "wait",
        "loader-circle",
        gettext_lazy("Access is ending"),
        gettext_lazy("No new visits. We keep checking until AWS lets nobody in."),
    ),
    "gone": (
        "",
        "circle-check",
        gettext_lazy("Access has ended"),
        gettext_lazy("AWS lets nobody in any more."),
    ),
}
ANSWERS: Final = {
    "ok": (gettext_lazy("Yes"), "ok", "circle-check"),
    "fail": (gettext_lazy("No"), "stop", "circle-x"),
    "pending": (gettext_lazy("Waiting"), "", "circle"),
}


def card_of(live: LiveCard, *, ready: bool, started: int, now: dt.datetime, zone: ZoneInfo) -> Card:
    """The card as it stands. `ready` says that AWS can be opened; `started` is when the page came, in Unix seconds."""
    tone, icon, title, text = FACES[live.state]
    problem = live.problem
    shown_title = problem.title if problem else str(title)
    return Card(
        tone=tone,
        icon=icon,
        spins=icon == "loader-circle",
        title=shown_title,
        text=problem.text if problem else (_passed(live, zone) if live.state == "on" else str(text)),
        said=shown_title,
        rows=tuple(_row(check) for check in live.checks),
        is_on=live.state == "on",
        check_label=problem.next_label if problem else gettext("Check now"),
        digest=digest_of(live, ready=ready),
        poll_seconds=0 if live.state in FINISHED else pace_seconds(started, now),
        started=started,
    )


def digest_of(live: LiveCard, *, ready: bool) -> str:
    """Changes when anything changes that the card, or the button beside it, shows."""
    return hashlib.sha256(f"{live.digest}:{ready}".encode()).hexdigest()[:16]


def pace_seconds(started: int, now: dt.datetime) -> int:
    """How often the page asks: quick for ten minutes after the load or the last press, easy for an hour, then slow."""
    age = int(now.timestamp()) - started
    if age < QUICK_UNTIL_SECONDS:
        return QUICK_SECONDS
    return EASY_SECONDS if age < EASY_UNTIL_SECONDS else SLOW_SECONDS


def colleague_mail(desk: Desk, quick_create_url: str) -> str:
    """A letter to a colleague who manages AWS, ready to send from one's own mail program."""
    number = words.account_number(desk.engagement.account_id)
    subject = gettext("Please switch on access in AWS for %(practice)s") % {"practice": desk.frame.practice}
    body = gettext(
        "Hello,\n\nplease switch on the access that we agreed with %(practice)s.\n"
        "1. Sign in to AWS account %(account)s as an administrator and open this address:\n%(url)s\n"
        "2. Scroll to the end and tick the box.\n3. Press “Create stack”.\n\n"
        "Questions? %(lead)s, %(phone)s, %(email)s\n\n%(me)s"
    ) % {
        "practice": desk.frame.practice,
        "account": number,
        "url": quick_create_url,
        "lead": desk.frame.lead.name,
        "phone": desk.frame.lead.phone,
        "email": desk.frame.lead.email,
        "me": desk.frame.me.name,
    }
    return f"mailto:?subject={quote(subject, safe='')}&body={quote(body, safe='')}"


def _passed(live: LiveCard, zone: ZoneInfo) -> str:
    if live.checked_at is None:
        return gettext("All four checks passed. We’ve emailed you a receipt.")
    at = words.clock_time(live.checked_at, zone)
    return gettext("All four checks passed at %(time)s. We’ve emailed you a receipt.") % {"time": at}


def _row(check: Check) -> CheckRow:
    answer, mark, icon = ANSWERS[check.state]
    return CheckRow(title=check.title, answer=str(answer), mark=mark, icon=icon)
