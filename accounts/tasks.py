"""What the worker does for this app when an outbox message is due. Twice or late changes nothing."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.conf import settings
from django.db import transaction

from accounts import emails, selectors
from accounts.services.invitations import LETTER
from accounts.services.letters import SEALED, sealed_letter_forget
from portal.kernel import checkpoints, clock, mail, outbox, secrets
from portal.kernel.models import SealedLetter

SEAL_TO_ONE: Final = f"{checkpoints.MAIL}.to_one"


@outbox.handles(LETTER)
def invitation_mail(held: outbox.Claim) -> None:
    """Mail a plain invitation, if it still leads anywhere."""
    if (invitation := selectors.invitation_to_send(held.object_id)) is not None:
        mail.send(emails.invitation_letter(invitation, message_key=mail.key_of(held)))


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
