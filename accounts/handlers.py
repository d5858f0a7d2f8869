"""What the worker does for this app when an outbox message is due. Twice or late changes nothing."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.conf import settings
from django.db import transaction

from accounts import emails, selectors
from accounts.services.finding import FIND, invitation_find_do
from accounts.services.invitations import LETTER
from accounts.services.letters import SEALED, sealed_letter_forget
from accounts.services.people import CHANGED
from portal.kernel import checkpoints, clock, mail, outbox, secrets
from portal.kernel.models import AuditBody, OutboxMessage, SealedLetter

CHANGED_TO_ONE: Final = f"{CHANGED}.to_one"
SEAL_TO_ONE: Final = f"{checkpoints.MAIL}.to_one"


@outbox.handles(LETTER)
def invitation_mail(held: outbox.Claim) -> None:
    """Mail a plain invitation, if it still leads anywhere."""
    if (invitation := selectors.invitation_to_send(held.object_id)) is not None:
        letter = emails.invitation_letter(invitation, reason=held.kind, message_key=mail.key_of(held))
        mail.send(letter)


@outbox.handles(SEALED)
def sealed_letter_mail(held: outbox.Claim) -> None:
    """Send a sealed letter and forget it; also when it came too late, or is refused for good."""
    row = SealedLetter.objects.filter(pk=held.object_id).first()
    if row is None:
        return  # sent before, by a worker that died before it could say so
    try:
        mail.send(_readable(row, message_key=mail.key_of(held)))
    except outbox.Hopeless:
        sealed_letter_forget(row.pk)
        raise
    sealed_letter_forget(row.pk)


@outbox.handles(FIND)
def invitation_find(held: outbox.Claim) -> None:
    """Look for the links of an address that somebody typed."""
    invitation_find_do(letter_id=held.object_id)


@outbox.handles(CHANGED)
@transaction.atomic(durable=True)
def people_changed_spread(held: outbox.Claim) -> None:
    """Promise the news of one change to each who answers for these people, under keys that a second try meets."""
    seat, key = selectors.seat_find(held.object_id), _key_of(held)
    for user in selectors.answerable_for(seat) if seat is not None else ():
        dedupe_key = f"{key}:{user.pk}"
        outbox.put(CHANGED_TO_ONE, held.object_id, dedupe_key=dedupe_key, client_id=held.client_id)


@outbox.handles(CHANGED_TO_ONE)
def people_changed_mail(held: outbox.Claim) -> None:
    """Mail it to one of them, who still answers for these people."""
    _kind, event_id, user_id = _key_of(held).split(":")
    seat = selectors.seat_find(held.object_id)
    reader = selectors.answerable_for(seat).filter(pk=user_id).first() if seat is not None else None
    told = AuditBody.objects.select_related("event").filter(event_id=int(event_id)).first()
    if seat is None or reader is None or told is None:
        return
    key = mail.key_of(held)
    mail.send(emails.people_letter(seat, told, reader, reason=CHANGED, message_key=key))


def _key_of(held: outbox.Claim) -> str:
    return OutboxMessage.objects.values_list("dedupe_key", flat=True).get(pk=held.message_id)


@outbox.handles(checkpoints.MAIL)
@transaction.atomic(durable=True)
def checkpoint_spread(held: outbox.Claim) -> None:
    """Promise the seal of the record to each owner, each under a key that a second try meets again."""
    for owner in selectors.owners_of(held.practice_id):
        outbox.put(SEAL_TO_ONE, owner.pk, dedupe_key=f"to:{held.message_id}:{owner.pk}")


@outbox.handles(SEAL_TO_ONE)
def checkpoint_mail(held: outbox.Claim) -> None:
    """Mail the newest seal to an owner who still is one."""
    owner = selectors.owners_of(held.practice_id).filter(pk=held.object_id).first()
    checkpoint = checkpoints.checkpoint_latest(held.practice_id)
    if owner is not None and checkpoint is not None:
        key = mail.key_of(held)
        mail.send(emails.checkpoint_letter(owner, checkpoint, reason=checkpoints.MAIL, message_key=key))


def _readable(row: SealedLetter, *, message_key: str) -> mail.Letter:
    if clock.now() >= row.created_at + dt.timedelta(seconds=settings.SIGN_IN_CODE_SECONDS):
        raise outbox.Hopeless("the code in it is no longer valid")
    try:
        return mail.unseal(row, message_key=message_key)
    except secrets.Unreadable as error:
        raise outbox.Hopeless("the key it was sealed with is gone") from error
