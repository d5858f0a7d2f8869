"""Somebody cannot find their invitation: the same answer for every address, and the work where nobody can time it."""

from __future__ import annotations

import datetime as dt
from typing import Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.models import Contact, Invitation, User
from accounts.selectors import apart, seats_of
from accounts.services.attempts import Limit, attempt_count
from accounts.services.invitations import invitation_mail_again
from portal.kernel import mail, outbox, secrets, tenancy
from portal.kernel.models import SealedLetter

FIND: Final = "accounts.find_invitation"
OF_ADDRESS: Final = Limit(name="find, by address", tries=5, within=dt.timedelta(hours=1))
OF_ORIGIN: Final = Limit(name="find, by origin", tries=30, within=dt.timedelta(hours=1))
MOST_LINKS: Final = 5


def invitation_find_ask(*, address: str, origin: str) -> None:
    """Promise a look for the links of an address, whoever's it is. Raises RateLimited.

    The address lies sealed until then: whoever reads the database learns of nobody who is no user.
    """
    wanted = address.strip().lower()
    attempt_count(OF_ORIGIN, origin)
    attempt_count(OF_ADDRESS, wanted)
    try:
        note = mail.Letter(to=wanted, subject="", text="")
    except ValidationError:
        return  # no mail could go there
    with apart(tenancy.platform_scope()):
        _promise(note)


def invitation_find_do(*, letter_id: UUID) -> None:
    """Mail the links of an address again, each as the dead link's own page would; then forget who asked."""
    row = SealedLetter.objects.filter(pk=letter_id).first()
    if row is None:
        return
    try:
        address = mail.unseal(row, message_key="").to
    except secrets.Unreadable as error:
        raise outbox.Hopeless("the key it was sealed with is gone") from error
    user = User.objects.filter(email=address, is_active=True).first()
    for seat in seats_of(user.pk) if user is not None else ():
        if seat.client_id is not None:
            with apart(tenancy.client_scope(seat.practice_id, seat.client_id)):
                _mail_again(seat.seat_id)
    _forget(letter_id)


def _mail_again(contact_id: UUID) -> None:
    """The newest link to each page, the newest pages first. What is over is left out by whoever writes the mail."""
    contact = Contact.objects.get(pk=contact_id)
    rows = Invitation.objects.filter(contact=contact).order_by("-expires_at")
    newest = {row.landing_path: row for row in reversed(rows)}
    for found in sorted(newest.values(), key=lambda row: row.expires_at, reverse=True)[:MOST_LINKS]:
        invitation_mail_again(found)


@transaction.atomic(durable=True)
def _promise(note: mail.Letter) -> None:
    row = mail.seal_within(note)
    outbox.put(FIND, row.id, dedupe_key=f"find:{row.id}")


@transaction.atomic(durable=True)
def _forget(letter_id: UUID) -> None:
    SealedLetter.objects.filter(pk=letter_id).delete()
