"""A change of an access that is on: asked from the engagement's page, and taken back from there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from awsaccess.services.changing import change_offer
from engagements.lifecycle import CHANGEABLE, ChangeStatus
from engagements.models import Engagement, ScopeChange
from engagements.selectors import change_open, choice_of, offer_current
from engagements.services.change_answers import change_take_back
from portal.console import reads, words
from portal.console.terms_forms import ChangeForm, line_value
from portal.kernel.admin import Cell, Fact, ObjectAction, Panel
from portal.kernel.web import actor_of

Asked = Mapping[str, Any]  # Any: a form's cleaned data
STANDINGS = {
    ChangeStatus.ASKED: "Waiting for the client’s answer",
    ChangeStatus.AGREED: "Agreed. Waiting for the client’s stack in AWS",
}


def _ask(request: HttpRequest, engagement: Engagement, asked: Asked) -> str:
    change_offer(
        engagement=engagement,
        profile=asked["profile"],
        optional=asked["optional"],
        ends_at=asked["ends_at"],
        actor=actor_of(request),
    )
    return f"Asked. The people at {engagement.client.name} who may agree get a mail now."


def _explain_ask(engagement: Engagement) -> list[str]:
    return [
        f"{engagement.client.name} reads what is added, taken away and changed, and may keep things as they are.",
        "Whether it opens more is read off the permissions, and stands on their page.",
        "What holds now goes on until they agree and their stack in AWS is updated.",
        "Lines that they added before stay part of the access, as long as they are ticked here.",
    ]


def _start(_request: HttpRequest, engagement: Engagement) -> dict[str, Any]:  # Any: what forms start from
    held = offer_current(engagement)
    keys = dict.fromkeys((*engagement.optional, *choice_of(held)))
    lines = [line_value(engagement.profile, key) for key in keys]
    return {"profile": engagement.profile, "optional": lines, "ends_at": engagement.ends_at}


def _take_back(request: HttpRequest, engagement: Engagement, _asked: Asked) -> str:
    change_take_back(engagement=engagement, actor=actor_of(request))
    return "Taken back. What holds now goes on."


def _explain_take_back(engagement: Engagement) -> list[str]:
    return [
        f"{engagement.client.name} can’t agree to the change any more. What holds now goes on.",
        "If they updated their stack already, the next check finds that it is not what holds.",
    ]


def _may_ask(engagement: Engagement) -> bool:
    may_staff = bool(reads.noted(engagement, "may_staff"))
    return engagement.status in CHANGEABLE and may_staff and change_open(engagement) is None


def _may_take_back(engagement: Engagement) -> bool:
    return bool(reads.noted(engagement, "may_staff")) and change_open(engagement) is not None


def change_panel(engagement: Engagement) -> Panel | None:
    """What is asked of the client beside what holds; nothing while nothing is."""
    if (change := change_open(engagement)) is None:
        return None
    documents = change.offer.documents
    effect = [
        said
        for key, said in (("opens_more", "opens more"), ("takes_away", "takes something away"))
        if documents["change"][key]
    ]
    facts = (
        Fact(label="Status", value=Cell(text=STANDINGS[ChangeStatus(change.status)], tone="wait")),
        Fact(label="Asked", value=Cell(text=words.moment(change.asked_at))),
        *_account_facts(change),
        Fact(label="Kind of access", value=Cell(text=documents["profile_title"], small=documents["summary"])),
        Fact(label="In AWS it", value=Cell(text=" and ".join(effect) or "opens nothing new")),
    )
    return Panel(key="change", title="Change", facts=facts)


def _account_facts(change: ScopeChange) -> tuple[Fact, ...]:
    if not (other := change.offer.other_account):
        return ()
    before = words.account(change.offer.documents["change"]["instead_of"])
    return (Fact(label="AWS account", value=Cell(text=words.account(other), small=f"instead of {before}")),)


ACTIONS = (
    ObjectAction(
        slug="ask-change",
        label="Ask for a change",
        title="Ask for a change",
        explain=_explain_ask,
        run=_ask,
        offered=_may_ask,
        form=ChangeForm,
        initial=_start,
        button="Ask now",
    ),
    ObjectAction(
        slug="change-back",
        label="Take the change back",
        title="Take the change back",
        explain=_explain_take_back,
        run=_take_back,
        offered=_may_take_back,
        button="Take it back",
    ),
)
