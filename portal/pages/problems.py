"""What is wrong with an access, in words: what happened, is anything at risk, the one way on (UX §4).

AWS answers many causes with the same refusal, so a cause is named only where a check proved it.
"""

from __future__ import annotations

from dataclasses import replace

from django.utils.translation import gettext

from awsaccess.lifecycle import GrantStatus
from awsaccess.selectors import CardState, LiveCard
from portal.pages import words
from portal.pages.differences import changes_of
from portal.pages.elsewhere import Hitch, hitch_elsewhere
from portal.pages.frames import Desk
from portal.pages.pagemodels import Problem

FAIL = "fail"


def problem_of(live: LiveCard, desk: Desk) -> Problem | None:
    """The words for a proven problem, or None."""
    if live.state is not CardState.PROBLEM:
        return None
    changes = changes_of(live.differences, practice=desk.frame.practice)
    return replace(_cause(live, desk), changes=changes)


def _cause(live: LiveCard, desk: Desk) -> Problem:
    failed = {check.key for check in live.checks if check.state == FAIL}
    if live.status == GrantStatus.UNREACHABLE:
        return _shut(desk)
    if "found" in failed:
        return _elsewhere(live, desk)
    if "lock" in failed:
        return _lock(live, desk)
    return _ends(live, desk) if failed == {"ends"} else _differs(live, desk)


def hitch_of(live: LiveCard, desk: Desk) -> Hitch | None:
    """The words for what keeps the access from coming on, or None. Nothing is broken: nothing was on yet."""
    if live.state not in {CardState.WAITING, CardState.CHECKING}:
        return None
    if (elsewhere := hitch_elsewhere(live, desk)) is not None:
        return elsewhere
    if live.is_undone:
        return "wait", "circle-x", *_undone(live)
    if live.is_ours:
        return (
            "wait",
            "info",
            gettext("The problem is on our side"),
            gettext("You have nothing to do, and nothing is at risk. We keep trying, and email you."),
        )
    if live.is_given_up:
        return (
            "",
            "circle",
            gettext("Not switched on yet"),
            gettext(
                "We looked for 7 days, and nothing is at risk. Is it done in AWS by now? Press “Check now”."
            ),
        )
    if live.is_late and not live.is_unanswered:
        return (
            "",
            "loader-circle",
            gettext("Still waiting for AWS"),
            gettext(
                "Nothing has come for 30 minutes, and nothing is at risk. Perhaps your AWS sign-in can’t create roles: "
                "then send the step to a colleague."
            ),
        )
    return None


def _undone(live: LiveCard) -> tuple[str, str]:
    text = gettext(
        "Nothing was created, and nothing is at risk. Delete the failed stack in AWS, then press “Open AWS” again."
    )
    return gettext("AWS stopped and undid everything"), f"{text} {live.refusal}".strip()


def _shut(desk: Desk) -> Problem:
    return Problem(
        title=gettext("AWS no longer lets them in"),
        text=gettext("Nothing is at risk: nobody gets in. The access may be deleted, changed, or blocked."),
        technical="",
        mend_label=gettext("Look at it in AWS"),
        first_name=desk.frame.lead.first_name,
    )


def _elsewhere(live: LiveCard, desk: Desk) -> Problem:
    number = words.account_number(desk.engagement.account_id)
    return Problem(
        title=gettext("That’s another account"),
        text=gettext("We expected account %(account)s. Nothing is switched on. Remove it there.")
        % {"account": number},
        technical=live.problem,
        mend_label=gettext("Remove it in AWS"),
        first_name=desk.frame.lead.first_name,
    )


def _lock(live: LiveCard, desk: Desk) -> Problem:
    return Problem(
        title=gettext("Someone changed the lock"),
        text=gettext(
            "Others might be able to use this access, so we use it no more. "
            "Delete it in AWS, then switch it on again."
        ),
        technical=live.problem,
        mend_label=gettext("Put it back"),
        first_name=desk.frame.lead.first_name,
    )


def _differs(live: LiveCard, desk: Desk) -> Problem:
    """What only takes away keeps nobody out."""
    title, text = (
        gettext("The access is not what you agreed to"),
        gettext("Someone changed it in AWS. Nobody gets in until it is put back."),
    )
    if live.is_narrower:
        title = gettext("Part of the access is missing")
        text = gettext("Nothing is at risk: someone took a part of it away in AWS. The rest still works.")
    return Problem(
        title=title,
        text=text,
        technical=live.problem,
        mend_label=gettext("Put it back"),
        first_name=desk.frame.lead.first_name,
    )


def _ends(live: LiveCard, desk: Desk) -> Problem:
    return Problem(
        title=gettext("Someone changed the end date"),
        text=gettext("The access no longer ends when you agreed. Nobody gets in until it is put back."),
        technical=live.problem,
        mend_label=gettext("Put it back"),
        first_name=desk.frame.lead.first_name,
    )
