"""Another AWS account than the agreed one, in words: what happened, what is at risk, and the two ways on (UX §4)."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext

from awsaccess.selectors import LiveCard
from engagements.lifecycle import MOVABLE
from portal.pages import words
from portal.pages.frames import Desk
from portal.pages.pagemodels import Elsewhere, Where

Hitch = tuple[str, str, str, str]  # tone, icon, title, text
TONE: Final = "wait"


def ending(account_id: str) -> str:
    """The last four digits are enough to tell two accounts apart."""
    return f"…{account_id[-4:]}"


def title_of(other: str, desk: Desk) -> str:
    """Both numbers in one sentence."""
    return gettext("That’s account %(other)s. We expected %(expected)s.") % {
        "other": ending(other),
        "expected": ending(desk.engagement.account_id),
    }


def hitch_elsewhere(live: LiveCard, desk: Desk) -> Hitch | None:
    """The words of the card; None where no other account is in question."""
    first = {"first": desk.frame.lead.first_name}
    calm = gettext("Nothing is switched on, and nothing is at risk.")
    if live.asked_account:
        title = gettext("Please agree to account %(other)s") % {"other": ending(live.asked_account)}
        said = gettext("%(first)s has confirmed it. We use it only after you have agreed to it.") % first
        return TONE, "file-text", title, f"{said} {calm}"
    if live.wished_account:
        title = gettext("We have asked %(first)s to confirm account %(other)s") % {
            **first,
            "other": ending(live.wished_account),
        }
        said = gettext("We email you when %(first)s has answered. Then you agree to the account.") % first
        return TONE, "clock", title, f"{calm} {said}"
    if live.other_account:
        said = gettext("AWS takes that stack back.")
        return TONE, "triangle-alert", title_of(live.other_account, desk), f"{calm} {said}"
    return None


def ways_of(live: LiveCard, desk: Desk) -> Elsewhere | None:
    """What can be done about it; None where no other account is in question."""
    if live.asked_account:
        return _way(Where.CONFIRMED, live.asked_account, desk)
    if live.wished_account:
        return _way(Where.ASKED, live.wished_account, desk)
    return _way(Where.NAMED, live.other_account, desk) if live.other_account else None


def ways_from_text(other: str, desk: Desk) -> Elsewhere:
    """The same where only a message of AWS's names it: it can be asked for while nothing else is."""
    noted = vars(desk.engagement)
    is_free = not noted.get("has_wish") and noted.get("change_status") is None
    return _way(Where.NAMED, other if is_free else "", desk)


def _way(where: Where, account_id: str, desk: Desk) -> Elsewhere:
    is_movable = desk.engagement.status in MOVABLE
    return Elsewhere(
        where=where,
        account_id=account_id if is_movable else "",
        ending=ending(account_id),
        steps=(
            gettext("Delete the stack there if it was created."),
            gettext("Sign out of AWS, and sign in to account %(account)s.")
            % {"account": words.account_number(desk.engagement.account_id)},
            gettext("Then press “Open AWS” again on our page."),
        ),
    )
