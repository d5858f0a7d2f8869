"""A client that asks to use another AWS account: shown with both numbers, confirmed or refused from the engagement's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from awsaccess.services.elsewhere import account_offer
from engagements.models import Engagement
from engagements.selectors import wish_open
from engagements.services.wishes import wish_refuse
from portal.console import reads, words
from portal.console.forms import WishForm, WishRefuseForm
from portal.kernel.admin import Cell, Fact, ObjectAction, Panel
from portal.kernel.web import actor_of

Asked = Mapping[str, Any]  # Any: a form's cleaned data


def wish_panel(engagement: Engagement) -> Panel | None:
    """What the client asks for beside what was agreed; nothing while nothing is."""
    if not _is_wished(engagement) or (wish := wish_open(engagement)) is None:
        return None
    facts = (
        Fact(label="Status", value=Cell(text="Waiting for your answer", tone="wait")),
        Fact(label="They ask for", value=Cell(text=words.account(wish.account_id))),
        Fact(label="Agreed is", value=Cell(text=words.account(wish.instead_of))),
        Fact(label="Asked by", value=Cell(text=wish.contact.user.name, small=wish.contact.user.email)),
        Fact(label="Asked", value=Cell(text=words.moment(wish.asked_at))),
    )
    said = "Nothing is switched on there. It counts once you confirm it and they have agreed to it."
    return Panel(key="account", title="Another AWS account", words=said, facts=facts)


def _is_wished(engagement: Engagement) -> bool:
    return bool(reads.noted(engagement, "wished_account"))


def _may_answer(engagement: Engagement) -> bool:
    return _is_wished(engagement) and bool(reads.noted(engagement, "may_staff"))


def _start(_request: HttpRequest, engagement: Engagement) -> dict[str, Any]:  # Any: what forms start from
    wish = wish_open(engagement)
    return {"wish": wish.pk if wish else ""}


def _confirm(request: HttpRequest, engagement: Engagement, asked: Asked) -> str:
    account_offer(engagement=engagement, wish_id=_wish(asked), actor=actor_of(request))
    return f"Confirmed. The people at {engagement.client.name} who may agree get a mail now."


def _refuse(request: HttpRequest, engagement: Engagement, asked: Asked) -> str:
    wish_refuse(engagement=engagement, wish_id=_wish(asked), reason=asked["reason"], actor=actor_of(request))
    return f"Refused. {engagement.client.name} is told, with your reason."


def _wish(asked: Asked) -> UUID:
    found: UUID = asked["wish"]
    return found


def _explain_confirm(engagement: Engagement) -> list[str]:
    return [
        _both(engagement),
        f"Make sure with {engagement.client.name} that the account is theirs, by a way that you know already.",
        "They are asked to agree to it: the same access, the same end, only the account is another one.",
        "Nothing is switched on, and AWS is asked nothing there, before they have agreed.",
    ]


def _explain_refuse(engagement: Engagement) -> list[str]:
    return [_both(engagement), "What was agreed stays as it is. They get a mail with your reason."]


def _both(engagement: Engagement) -> str:
    wished = words.account(reads.noted(engagement, "wished_account"))
    return f"They ask for account {wished} instead of {words.account(engagement.account_id)}."


ACTIONS = (
    ObjectAction(
        slug="account-confirm",
        label="Confirm the other account",
        title="Confirm the other AWS account",
        explain=_explain_confirm,
        run=_confirm,
        offered=_may_answer,
        form=WishForm,
        initial=_start,
        button="Confirm it",
        is_main=True,
    ),
    ObjectAction(
        slug="account-refuse",
        label="Refuse the other account",
        title="Refuse the other AWS account",
        explain=_explain_refuse,
        run=_refuse,
        offered=_may_answer,
        form=WishRefuseForm,
        initial=_start,
        button="Refuse it",
    ),
)
