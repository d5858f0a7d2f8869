"""What the worker does for this app when an outbox message is due. Twice or late changes nothing."""

from __future__ import annotations

import datetime as dt

from django.conf import settings

from accounts import emails, selectors
from accounts.services.invitations import LETTER
from accounts.services.letters import SEALED, sealed_letter_forget
from portal.kernel import clock, mail, outbox, secrets
from portal.kernel.models import SealedLetter


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


def _readable(row: SealedLetter, *, message_key: str) -> mail.Letter:
    if clock.now() >= row.created_at + dt.timedelta(seconds=settings.SIGN_IN_CODE_SECONDS):
        raise outbox.Hopeless("the code in it is no longer valid")
    try:
        return mail.unseal(row, message_key=message_key)
    except secrets.Unreadable as error:
        raise outbox.Hopeless("the key it was sealed with is gone") from error
