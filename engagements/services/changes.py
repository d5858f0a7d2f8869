"""A change of an access that is on: asked, answered, and in force only once the role was proved to be what was agreed."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.utils.translation import gettext

from engagements.lifecycle import (
    CHANGE_MOVES,
    CHANGEABLE,
    MOVABLE,
    OPEN_CHANGES,
    ChangeStatus,
    EngagementEvent,
)
from engagements.models import Engagement, Offer, ScopeChange
from engagements.services.moves import WINDOW
from engagements.services.records import engagement_record_within
from engagements.services.reminders import reminders_plan_within
from portal.kernel import audit, clock, due, outbox, tenancy
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove

STAMPS: Final = {
    ChangeStatus.AGREED: "answered_at",
    ChangeStatus.DECLINED: "answered_at",
    ChangeStatus.IN_FORCE: "in_force_at",
}


def require_changeable(engagement: Engagement) -> None:
    """There is an access that is on, and nothing else is asked of the client. Raises InvalidMove. Under its lock."""
    if engagement.status not in CHANGEABLE or engagement.ends_at <= clock.now():
        raise InvalidMove("Only an access that is on can be changed.")
    _require_nothing_asked(engagement)


def require_movable(engagement: Engagement) -> None:
    """It is agreed to, was never on, and nothing else is asked of the client. Raises InvalidMove. Under its lock."""
    if engagement.status not in MOVABLE or engagement.ends_at <= clock.now():
        raise InvalidMove(gettext("The AWS account can’t be changed now. Nothing was changed."))
    _require_nothing_asked(engagement)


def _require_nothing_asked(engagement: Engagement) -> None:
    if ScopeChange.objects.filter(engagement=engagement, status__in=OPEN_CHANGES).exists():
        raise InvalidMove(
            gettext("A change is waiting already. It has to be answered or taken back before the next one.")
        )


def change_ask_within(*, engagement: Engagement, before: Offer, offer: Offer, actor: Actor) -> ScopeChange:
    """Ask for `offer` instead of `before`, in the caller's transaction. The client's approvers are mailed."""
    tenancy.require_transaction("a change")
    change = ScopeChange.objects.create(
        practice_id=engagement.practice_id,
        client_id=engagement.client_id,
        engagement=engagement,
        offer=offer,
        before=before,
        asked_at=clock.now(),
    )
    engagement_record_within(
        EngagementEvent.CHANGE_ASKED,
        change,
        engagement,
        actor,
        {"offer_sha256": offer.offer_sha256, "before_sha256": before.offer_sha256},
    )
    kind = "engagements.account_asked" if offer.other_account else "engagements.change_asked"
    outbox.put(kind, change.pk, dedupe_key=f"change-asked:{change.pk}", client_id=change.client_id)
    return change


def change_to_answer(*, engagement: Engagement, offer: Offer) -> ScopeChange | None:
    """The change that this offer asks for; None for an offer that is no change. Under the engagement's lock.

    Raises InvalidMove if it was answered or taken back meanwhile, or there is no access left to change.
    """
    change = ScopeChange.objects.filter(offer=offer).first()
    if change is None:
        return None
    held_in = MOVABLE if offer.other_account else CHANGEABLE
    is_on = engagement.status in held_in and engagement.ends_at > clock.now()
    if not is_on or change.status != ChangeStatus.ASKED:
        raise InvalidMove
    return change


def change_agree_within(*, engagement: Engagement, change: ScopeChange, actor: Actor) -> None:
    """asked -> agreed, in the transaction of the last consent; the role is looked at from now on.

    Another account holds at once, as the first consent did: nothing was on that could go on meanwhile.
    """
    change_move_within(change=change, to=ChangeStatus.AGREED, actor=actor)
    if account_id := change.offer.other_account:
        change_move_within(change=change, to=ChangeStatus.IN_FORCE, actor=actor)
        _account_turn_within(engagement, account_id)
        return
    outbox.put(
        "engagement.change_agreed",
        engagement.pk,
        dedupe_key=f"changing:{change.pk}",
        client_id=change.client_id,
    )


def _account_turn_within(engagement: Engagement, account_id: str) -> None:
    """The engagement is in this account from now on, looked for as long as after a first consent."""
    terms = {"account_id": account_id, "account_name": "", "agreed_at": clock.now()}
    Engagement.objects.filter(pk=engagement.pk).update(**terms)
    for name, value in terms.items():
        setattr(engagement, name, value)
    reminders_plan_within(engagement)


def change_move_within(*, change: ScopeChange, to: ChangeStatus, actor: Actor, note: str = "") -> None:
    """Swap the status that was read for `to`, in the caller's transaction. Raises InvalidMove if somebody was faster."""
    tenancy.require_transaction("a move of a change")
    seen = ChangeStatus(change.status)
    changes: dict[str, object] = {"status": to, "moved_by_id": actor.user_id, "moved_note": note[:300]}
    if name := STAMPS.get(to):
        changes[name] = clock.now()
    rows = ScopeChange.objects.filter(pk=change.pk, status=seen)
    if to not in CHANGE_MOVES[seen] or rows.update(**changes) != 1:
        raise InvalidMove
    for name, value in changes.items():
        setattr(change, name, value)
    audit.record(
        EngagementEvent.CHANGE_MOVED,
        subject=change,
        actor=actor,
        about_id=change.engagement_id,
        client_id=change.client_id,
        details={"from": seen.value, "to": to.value, "note": note[:300]},
    )


def change_drop_within(*, engagement: Engagement, actor: Actor) -> None:
    """The access ends, and with it whatever was to be changed of it. In the caller's transaction."""
    for change in ScopeChange.objects.filter(engagement=engagement, status__in=OPEN_CHANGES):
        change_move_within(change=change, to=ChangeStatus.TAKEN_BACK, actor=actor)


def change_in_force_within(*, engagement: Engagement, change: ScopeChange, actor: Actor) -> None:
    """agreed -> in force, in the transaction that writes the proof: from now on the engagement is what it says."""
    change_move_within(change=change, to=ChangeStatus.IN_FORCE, actor=actor)
    documents = change.offer.documents
    terms = {
        "profile": documents["profile"],
        "optional": [*documents["kept"], *(line["key"] for line in documents["optional"])],
        "ends_at": dt.datetime.fromisoformat(documents["expires_at"]),
    }
    Engagement.objects.filter(pk=engagement.pk).update(**terms)
    for name, value in terms.items():
        setattr(engagement, name, value)
    due.schedule(WINDOW, engagement.pk, at=engagement.ends_at, client_id=engagement.client_id)
    outbox.put(
        "engagements.changed", change.pk, dedupe_key=f"changed:{change.pk}", client_id=change.client_id
    )
