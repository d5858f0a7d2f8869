"""The live card: what is known of the access in AWS, in words, and how soon to ask again."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.utils.translation import gettext, gettext_lazy

from awsaccess.selectors import CardState, Check, LiveCard, Step, StepState
from portal.pages import words
from portal.pages.elsewhere import ways_of
from portal.pages.frames import Desk
from portal.pages.pagemodels import AccessKind, Card, CheckRow, Facts
from portal.pages.problems import hitch_of, problem_of

QUICK_SECONDS, EASY_SECONDS, SLOW_SECONDS = 3, 15, 60
QUICK_UNTIL_SECONDS, EASY_UNTIL_SECONDS = 10 * 60, 60 * 60
FINISHED: Final = frozenset({CardState.ON, CardState.GONE})
SPINNER: Final = "loader-circle"
# tone, icon, title, text. A problem has words of its own.
FACES: Final = {
    CardState.WAITING: (
        "",
        SPINNER,
        gettext_lazy("Waiting for AWS"),
        gettext_lazy(
            "This page updates by itself. You can close it: we keep checking for 7 days, and email you."
        ),
    ),
    CardState.CHECKING: (
        "wait",
        SPINNER,
        gettext_lazy("Found it. Checking the details"),
        gettext_lazy("This takes a few seconds."),
    ),
    CardState.ON: ("ok", "check", gettext_lazy("Access is on and checked"), ""),
    CardState.PROBLEM: ("stop", "triangle-alert", "", ""),
    CardState.PAUSED: (
        "wait",
        "pause",
        gettext_lazy("Access is paused"),
        gettext_lazy("Nobody can start a visit."),
    ),
    CardState.ENDING: (
        "wait",
        SPINNER,
        gettext_lazy("Access is ending"),
        gettext_lazy("No new visits. We keep checking until AWS lets nobody in."),
    ),
    CardState.GONE: (
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
# what stands there, mark, icon
STEPS: Final = {
    StepState.DONE: (gettext_lazy("Done"), "ok", "circle-check"),
    StepState.NOW: (gettext_lazy("Now"), "", SPINNER),
    StepState.LATER: (gettext_lazy("Then"), "", "circle"),
    StepState.SKIPPED: (gettext_lazy("Not needed"), "ok", "circle-check"),
}


def card_of(live: LiveCard, desk: Desk, facts: Facts, *, started: int, now: dt.datetime) -> Card:
    """The card as it stands. `started` is when the page came or was last pressed, in Unix seconds."""
    tone, icon, title, text = FACES[live.state]
    problem = problem_of(live, desk)
    if (hitch := hitch_of(live, desk)) is not None:
        tone, icon, title, text = hitch
    shown_title = problem.title if problem else str(title)
    return Card(
        tone=tone,
        icon=icon,
        spins=icon == SPINNER,
        title=shown_title,
        text=problem.text if problem else str(text) if hitch else _text(live, desk, str(text)),
        said=shown_title,
        rows=tuple(_row(check, desk, facts) for check in live.checks),
        is_on=live.state is CardState.ON,
        check_label=gettext("Check again") if problem else gettext("Check now"),
        digest=live.digest,
        poll_seconds=0 if live.state in FINISHED else pace_seconds(started, now),
        started=started,
        problem=problem,
        steps=tuple(_step(step, desk) for step in live.steps),
        elsewhere=ways_of(live, desk),
    )


def pace_seconds(started: int, now: dt.datetime) -> int:
    """How often the page asks: quick for ten minutes after the load or the last press, easy for an hour, then slow."""
    age = int(now.timestamp()) - started
    if age < QUICK_UNTIL_SECONDS:
        return QUICK_SECONDS
    return EASY_SECONDS if age < EASY_UNTIL_SECONDS else SLOW_SECONDS


def _text(live: LiveCard, desk: Desk, usual: str) -> str:
    if live.state is CardState.ON:
        return _passed(live, desk)
    if live.refusal and live.state is CardState.WAITING:
        return gettext("We told AWS no, so AWS takes the stack back. %(reason)s") % {"reason": live.refusal}
    if live.is_unanswered and live.state in {CardState.WAITING, CardState.CHECKING}:
        return gettext("AWS hasn’t answered yet. We keep trying for 7 days, and email you then.")
    if live.other_region and live.state in {CardState.WAITING, CardState.CHECKING}:
        return f"{usual} {gettext('The stack is in region %(region)s.') % {'region': live.other_region}}"
    return usual


def _passed(live: LiveCard, desk: Desk) -> str:
    if live.verified_at is None:
        return gettext("All four checks passed. We’ve emailed you a receipt.")
    at = words.clock_time(live.verified_at, desk.zone)
    return gettext("All four checks passed at %(time)s. We’ve emailed you a receipt.") % {"time": at}


def _step(step: Step, desk: Desk) -> CheckRow:
    answer, mark, icon = STEPS[step.state]
    title = {
        "making": gettext("AWS makes the role when you press “Create stack”"),
        "told": gettext("AWS tells us by itself"),
        "checking": gettext("We check that only %(practice)s gets in") % {"practice": desk.frame.practice},
    }[step.key]
    if step.state is StepState.DONE:
        title = {"making": gettext("AWS has made the role"), "told": gettext("AWS told us")}[step.key]
    if step.state is StepState.NOW and step.key == "checking":
        title = gettext("We are checking the role")
    return CheckRow(title=title, answer=str(answer), mark=mark, icon=icon)


def _row(check: Check, desk: Desk, facts: Facts) -> CheckRow:
    answer, mark, icon = ANSWERS[check.state]
    return CheckRow(title=_check_title(check.key, desk, facts), answer=str(answer), mark=mark, icon=icon)


def _check_title(key: str, desk: Desk, facts: Facts) -> str:
    looks = facts.kind.code is AccessKind.LOOK
    return {
        "found": gettext("Access role found in your account"),
        "lock": gettext("Only %(practice)s can use it") % {"practice": desk.frame.practice},
        "scope": gettext("It can only look, as you agreed")
        if looks
        else gettext("It can do what you agreed to, no more"),
        "ends": gettext("It ends on %(day)s") % {"day": facts.until_day},
    }[key]
