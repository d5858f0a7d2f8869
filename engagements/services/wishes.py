"""The client would rather use another AWS account than the agreed one: asked, answered, taken back (ADR 18).

A wish changes nothing. Confirmed, it becomes an offer that names the other account, and only a consent to that counts;
that offer is made where the access is known (`awsaccess.services.elsewhere`).
"""

from __future__ import annotations

import datetime as dt
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from accounts.models import Contact
from accounts.services.attempts import Limit, attempt_count
from engagements.lifecycle import MOVABLE, WISH_MOVES, EngagementEvent, WishStatus
from engagements.models import AccountWish, Engagement
from engagements.selectors import offer_current, wish_open
from engagements.services.changes import require_movable
from engagements.services.consents import ACCOUNT, BadAccount, require_approver
from engagements.services.moves import engagement_locked
from portal.kernel import audit, clock, outbox, refusals, tenancy
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove

WISHED: Final = "engagements.account_wished"
REFUSED: Final = "engagements.account_refused"
# Each is a mail to everybody who works on it.
WISHES: Final = Limit(name="another account wished", tries=10, within=dt.timedelta(hours=1))


@refusals.told(EngagementEvent.MOVE_REFUSED, about="engagement")
def wish_make(*, engagement: Engagement, contact: Contact, account_id: str, actor: Actor) -> AccountWish:
    """Somebody who may agree asks to use this account instead of the agreed one; the consultants are mailed.

    `account_id`: 12 digits. Raises NotAllowed for others, BadAccount for one that cannot be the client's, InvalidMove
    once the access was on or while another is asked for, RateLimited.
    """
    attempt_count(WISHES, str(contact.pk))
    return _make(engagement, contact, account_id, actor)


@transaction.atomic(durable=True)
def _make(engagement: Engagement, contact: Contact, account_id: str, actor: Actor) -> AccountWish:
    current = engagement_locked(engagement.pk)
    require_approver(contact, current)
    require_movable(current)
    if wish_open(current) is not None:
        raise InvalidMove(gettext("You asked for another account already. Take that back first."))
    _require_another(current, account_id)
    made = AccountWish.objects.create(
        practice_id=current.practice_id,
        client_id=current.client_id,
        engagement=current,
        contact=contact,
        account_id=account_id,
        instead_of=current.account_id,
        asked_at=clock.now(),
    )
    outbox.put(WISHED, made.pk, dedupe_key=f"wish:{made.pk}", client_id=made.client_id)
    _record(EngagementEvent.ACCOUNT_WISHED, made, actor, {})
    return made


@refusals.told(EngagementEvent.MOVE_REFUSED, about="engagement")
@transaction.atomic(durable=True)
def wish_take_back(*, engagement: Engagement, contact: Contact, actor: Actor) -> None:
    """asked -> taken back, by anybody who may agree. Raises NotAllowed for others, InvalidMove if nothing is asked."""
    current = engagement_locked(engagement.pk)
    require_approver(contact, current)
    if (wish := wish_open(current)) is None:
        raise InvalidMove
    _move(wish, WishStatus.TAKEN_BACK, actor)


@refusals.told(EngagementEvent.MOVE_REFUSED, about="engagement")
@transaction.atomic(durable=True)
def wish_refuse(*, engagement: Engagement, wish_id: UUID, reason: str, actor: Actor) -> None:
    """asked -> refused, by the practice, with the reason: whoever may agree is mailed.

    `wish_id` is the one that was read: raises InvalidMove if it was taken back or answered, or another came.
    """
    wish = wish_to_answer(engagement=engagement_locked(engagement.pk), wish_id=wish_id)
    if not reason.strip():
        raise InvalidMove("Say in a few words why not. The client reads it.")
    _move(wish, WishStatus.REFUSED, actor, note=reason.strip())
    outbox.put(REFUSED, wish.pk, dedupe_key=f"wish-refused:{wish.pk}", client_id=wish.client_id)


def wish_to_answer(*, engagement: Engagement, wish_id: UUID) -> AccountWish:
    """The wish that was read, if it still waits. Under the engagement's lock. Raises InvalidMove."""
    found = wish_open(engagement)
    if found is None or found.pk != wish_id or engagement.status not in MOVABLE:
        raise InvalidMove("The client took it back, or it was answered already. Nothing was changed.")
    return found


def wish_confirm_within(*, wish: AccountWish, actor: Actor, offer_sha256: str) -> None:
    """asked -> confirmed, in the transaction that asks the client to agree to the other account."""
    tenancy.require_transaction("an answer to a wish")
    _move(wish, WishStatus.CONFIRMED, actor, offer_sha256=offer_sha256)


def wish_drop_within(*, engagement: Engagement, actor: Actor) -> None:
    """The access is on in the agreed account, or ends: nobody answers any more. In the caller's transaction."""
    tenancy.require_transaction("the end of a wish")
    if (wish := wish_open(engagement)) is not None:
        _move(wish, WishStatus.TAKEN_BACK, actor)


def _require_another(engagement: Engagement, account_id: str) -> None:
    ours = offer_current(engagement).documents.get("hub_account_id")
    if not ACCOUNT.fullmatch(account_id) or account_id in (ours, engagement.account_id):
        raise BadAccount


def _move(wish: AccountWish, to: WishStatus, actor: Actor, *, note: str = "", offer_sha256: str = "") -> None:
    """Swap the status that was read for `to`. Raises InvalidMove if somebody was faster."""
    seen = WishStatus(wish.status)
    changes = {
        "status": to,
        "moved_by_id": actor.user_id,
        "moved_note": note[:300],
        "answered_at": clock.now(),
    }
    rows = AccountWish.objects.filter(pk=wish.pk, status=seen)
    if to not in WISH_MOVES[seen] or rows.update(**changes) != 1:
        raise InvalidMove
    for name, value in changes.items():
        setattr(wish, name, value)
    told = {"from": seen.value, "to": to.value, "note": note[:300]}
    _record(
        EngagementEvent.WISH_MOVED,
        wish,
        actor,
        {**told, "offer_sha256": offer_sha256} if offer_sha256 else told,
    )


def _record(kind: EngagementEvent, wish: AccountWish, actor: Actor, details: dict[str, str]) -> None:
    audit.record(
        kind,
        subject=wish,
        actor=actor,
        about_id=wish.engagement_id,
        client_id=wish.client_id,
        details={"account": wish.account_id, "instead_of": wish.instead_of, **details},
    )
