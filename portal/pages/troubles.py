"""What a message of AWS's means for whoever does the step there: what happened, what is at risk, the one way on (UX §4).

The text is whatever somebody pasted: it picks advice, and nothing is believed, shown again or kept of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from django.utils.translation import gettext

from portal.pages.elsewhere import title_of, ways_from_text
from portal.pages.frames import Desk
from portal.pages.pagemodels import Trouble

OPEN, COLLEAGUE, STACK, ASK = "open", "colleague", "stack", "ask"
ACCOUNT_IN_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:(?:iam|sts|cloudformation):[a-z0-9-]*:(\d{12}):", re.ASCII
)


def trouble_of(said: str, desk: Desk) -> Trouble:
    """The words for what was pasted; neutral ones for what is not known."""
    if (other := other_account(said, desk.engagement.account_id)) is not None:
        return _wrong_account(other, desk)
    for sign, tell in SIGNS:
        if sign.search(said):
            return tell(desk)
    return _unknown(desk)


def other_account(said: str, expected: str) -> str | None:
    """The number of the account that the text is about, if it is not the agreed one. None while that is not known.

    Our own number may stand beside theirs: the account of whoever asks AWS is named first.
    """
    found = ACCOUNT_IN_ARN.search(said)
    return found[1] if found and expected and found[1] != expected else None


def _wrong_account(other: str, desk: Desk) -> Trouble:
    elsewhere = ways_from_text(other, desk)
    return Trouble(
        title=title_of(other, desk),
        text=gettext("AWS answered for another account than the one that was agreed."),
        risk=gettext("Nothing is at risk, and nothing is switched on."),
        steps=elsewhere.steps,
        way=OPEN,
        elsewhere=elsewhere,
    )


def _organisation(_desk: Desk) -> Trouble:
    return Trouble(
        title=gettext("A rule of your organisation blocks this"),
        text=gettext(
            "Your company’s AWS organisation forbids it for every sign-in in this account, administrators too. "
            "AWS calls such a rule a service control policy."
        ),
        risk=gettext("Nothing is at risk. Nothing was created."),
        steps=(
            gettext("Whoever manages your AWS organisation can allow this one role."),
            gettext("The permissions below are what they need to know."),
        ),
        way=COLLEAGUE,
        needs_rights=True,
    )


def _rights(_desk: Desk) -> Trouble:
    return Trouble(
        title=gettext("Your AWS sign-in can’t create roles"),
        text=gettext(
            "AWS refused because your own sign-in may not do this step. The project itself is fine."
        ),
        risk=gettext("Nothing is at risk. Nothing was created."),
        steps=(
            gettext("Send the step to the person who manages AWS at your company."),
            gettext("Or ask them for the permissions below."),
        ),
        way=COLLEAGUE,
        needs_rights=True,
    )


def _undone(cause: str, *steps: str) -> Trouble:
    return Trouble(
        title=gettext("AWS stopped and undid everything"),
        text=cause,
        risk=gettext("Nothing was created, and nothing is at risk."),
        steps=(
            *steps,
            gettext("Delete the failed stack in AWS."),
            gettext("Then open AWS again from our page, and create it anew."),
        ),
        way=STACK,
    )


def _exists(_desk: Desk) -> Trouble:
    return _undone(
        gettext("A role or stack of this name is there already, perhaps from an earlier try."),
        gettext("Look for an older stack of ours, and delete it too."),
    )


def _limit(_desk: Desk) -> Trouble:
    return _undone(
        gettext("The account has as many roles or stacks as AWS allows."),
        gettext("Remove one that nobody needs, or ask AWS for a higher limit."),
    )


def _unticked(_desk: Desk) -> Trouble:
    return _undone(
        gettext("The box at the end of AWS’s page was not ticked."),
        gettext("Tick it this time: AWS asks because the stack makes a role."),
    )


def _edited(_desk: Desk) -> Trouble:
    return _undone(
        gettext("What AWS got is not the template that was agreed. Perhaps it was edited on the way."),
        gettext("Use the button on our page, and change nothing."),
    )


def _rolled_back(_desk: Desk) -> Trouble:
    return _undone(
        gettext(
            "AWS does that when one part fails. Usual causes: the name is taken, a rule of your organisation, "
            "a changed template, or a limit that was reached."
        )
    )


def _unknown(desk: Desk) -> Trouble:
    return Trouble(
        title=gettext("We don’t know this message"),
        text=gettext("It is none of the usual ones, so we don’t guess."),
        risk=gettext("Nothing is at risk: access is on only once we have checked it."),
        steps=(
            gettext("Send %(first)s the message. They have seen many of them.")
            % {"first": desk.frame.lead.first_name},
        ),
        way=ASK,
    )


def _sign(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


# The first that fits counts: a rule of the organisation is told as “not authorized”, too.
SIGNS: Final[tuple[tuple[re.Pattern[str], Callable[[Desk], Trouble]], ...]] = (
    (_sign(r"service control polic"), _organisation),
    (_sign(r"InsufficientCapabilities|requires capabilities"), _unticked),
    (_sign(r"not authori[sz]ed|AccessDenied|access denied|UnauthorizedOperation"), _rights),
    (_sign(r"already exists|AlreadyExists"), _exists),
    (_sign(r"LimitExceeded|limit exceeded|cannot exceed quota|quota"), _limit),
    (_sign(r"template (?:format|validation) error|not as agreed|MalformedPolicyDocument"), _edited),
    (_sign(r"ROLLBACK|CREATE_FAILED|rolled back"), _rolled_back),
)
