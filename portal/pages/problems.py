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
    return _lock(live, desk) if "lock" in failed else _differs(live, desk)


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
