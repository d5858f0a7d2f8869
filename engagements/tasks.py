"""What the paper side does when its moment comes: mails, and the end of a window. Twice or late changes nothing.

News goes to several people. The promise of a service is first spread into one outbox row for each reader, in one
transaction and under keys that a second try meets again. So each mail has its own Message-ID, tries and failure: a
refused address keeps nobody else from hearing, and nobody is mailed again because somebody else's mail waits.
"""

from __future__ import annotations

import datetime as dt
from typing import Final, Protocol

from django.db import transaction

from accounts import selectors as accounts
from accounts.models import Invitation, User
from engagements.emails import letters
from engagements.emails.news import NEWS
from engagements.emails.scenes import promised_at
from engagements.models import Order
from engagements.services.closing import certificate_key, engagement_expire
from engagements.services.documents import PaperFailed, receipt_make
from engagements.services.doorbells import RING_OVER, doorbell_expire
from engagements.services.drafts import PART_OVER
from engagements.services.handing import ASKED, LETTER, handover_settle
from engagements.services.moves import WINDOW
from engagements.services.orders import CONFIRM, FORGET, order_forget
from engagements.services.people import assignment_over
from engagements.services.reminders import REMIND, engagement_remind
from portal.kernel import checkpoints, clock, deliveries, due, mail, outbox, tenancy
from portal.kernel.models import MailTrace, OutboxMessage, OutboxState

INVITATION: Final = "engagements.invitation"
RECEIPT: Final = "engagements.receipt"
CLOSED: Final = "engagements.closed"
PAPER: Final = "engagements.receipt_paper"
PATIENCE: Final = 6  # tries of a mail, in about five minutes, before it goes without its paper
TO_ONE: Final = ".to_one"  # ends the kind of a row that is one reader's share of the news


@due.handles(WINDOW)
def window_over(turn: due.Turn) -> None:
    """The end of an engagement's window."""
    engagement_expire(engagement_id=turn.object_id)


@due.handles(PART_OVER)
def part_over(turn: due.Turn) -> None:
    """The planned end of somebody's part in an engagement."""
    assignment_over(assignment_id=turn.object_id)


@due.handles(RING_OVER)
def ring_over(turn: due.Turn) -> None:
    """The end of a ring that nobody answered, or of a yes that nobody used."""
    doorbell_expire(doorbell_id=turn.object_id)


@outbox.handles(INVITATION)
def invitation_mail(held: outbox.Claim) -> None:
    """Ask an approver, if the link still leads anywhere."""
    _send_link(held, letters.invitation_letter)


@outbox.handles(LETTER)
def handover_mail(held: outbox.Claim) -> None:
    """Ask a colleague for the step in AWS, if the link still leads anywhere."""
    _send_link(held, letters.handover_letter)


class LetterOfLink(Protocol):
    """Writes the mail of an invitation's link, or None when there is nothing to send any more."""

    def __call__(self, invitation: Invitation, *, reason: str, message_key: str) -> mail.Letter | None: ...


def _send_link(held: outbox.Claim, write: LetterOfLink) -> None:
    invitation = accounts.invitation_to_send(held.object_id)
    if invitation is None:
        return
    letter = write(invitation, reason=held.kind, message_key=mail.key_of(held))
    if letter is not None:
        mail.send(letter)


@outbox.handles(ASKED)
def handover_asked(held: outbox.Claim) -> None:
    """Add whom the client asked for, and promise their mail."""
    handover_settle(handover_id=held.object_id)


@due.handles(REMIND)
def reminder_due(turn: due.Turn) -> dt.datetime | None:
    """A look at whether somebody has to be reminded."""
    return engagement_remind(engagement_id=turn.object_id)


@outbox.handles(CONFIRM)
def order_confirm_mail(held: outbox.Claim) -> None:
    """Ask who ordered whether the address is theirs, as long as the link would still work."""
    order = Order.objects.select_related("practice", "template").filter(pk=held.object_id).first()
    if order is not None and not order.is_over_at(clock.now()):
        mail.send(letters.order_letter(order, reason=held.kind, message_key=mail.key_of(held)))


@due.handles(FORGET)
def order_over(turn: due.Turn) -> None:
    """The end of a link that nobody pressed."""
    order_forget(order_id=turn.object_id)


@transaction.atomic(durable=True)
def news_spread(held: outbox.Claim) -> None:
    """Promise one mail to each person who hears of it; to nobody when it is no longer so."""
    news = NEWS[held.kind]
    told_at, _key = promised_at(held)
    matter = news.matter(held.object_id, told_at)
    for reader in news.readers(matter) if matter else ():
        outbox.put(
            held.kind + TO_ONE,
            held.object_id,
            dedupe_key=f"to:{held.message_id}:{reader.key}",
            client_id=held.client_id,
        )


def news_mail(held: outbox.Claim) -> None:
    """Mail one reader's share, if it is still so and they still hear of such things."""
    kind = held.kind.removesuffix(TO_ONE)
    news = NEWS[kind]
    told_at, key = promised_at(held)
    matter = news.matter(held.object_id, told_at)
    # The row holds ids only. Its key is made of the reader's, so the reader is found among those of now.
    readers = news.readers(matter) if matter else []
    reader = next((one for one in readers if key.endswith(f":{one.key}")), None)
    if matter is None or reader is None:
        return
    letter = letters.news_letter(news, matter, reader, reason=kind, message_key=mail.key_of(held))
    if letter is not None:
        mail.send(letter)


def receipt_spread(held: outbox.Claim) -> None:
    """First seal the record and make the signed receipt, so that every mail can carry both.

    The mail waits for its paper, but not for ever: after some minutes it goes without, and the paper is promised anew.
    """
    checkpoints.checkpoint_make()
    try:
        receipt_make(consent_id=held.object_id)
    except PaperFailed as error:
        if held.attempts < PATIENCE:
            raise outbox.Later(str(error)) from error
        _promise_paper(held)
    news_spread(held)


@outbox.handles(PAPER)
def receipt_later(held: outbox.Claim) -> None:
    """The receipt whose mail has gone without it. Raises outbox.Later."""
    try:
        receipt_make(consent_id=held.object_id)
    except PaperFailed as error:
        raise outbox.Later(str(error)) from error


@transaction.atomic(durable=True)
def _promise_paper(held: outbox.Claim) -> None:
    outbox.put(PAPER, held.object_id, dedupe_key=f"paper:{held.object_id}", client_id=held.client_id)


def closed_spread(held: outbox.Claim) -> None:
    """The mail about the end waits for the certificate while that is being made; its failing for good is another's news."""
    row = OutboxMessage.objects.filter(dedupe_key=certificate_key(held.object_id)).first()
    is_waiting = row is not None and row.state not in (OutboxState.SENT, OutboxState.DEAD)
    if is_waiting and held.attempts < PATIENCE:
        raise outbox.Later("the certificate is still being made")
    news_spread(held)


def delivery_spread(held: outbox.Claim) -> None:
    """An address stopped taking mail. A mail of the installation's own, such as a sign-in code, belongs to no practice:
    each that knows the person learns how the address is, and nothing of the mail."""
    if held.practice_id != tenancy.PLATFORM_ID:
        news_spread(held)
        return
    trace = MailTrace.objects.filter(pk=held.object_id).first()
    user = User.objects.filter(email=trace.address).first() if trace is not None else None
    if trace is None or user is None:
        return
    for practice_id in {seat.practice_id for seat in accounts.seats_of(user.pk) if seat.client_id}:
        with accounts.apart(tenancy.practice_scope(practice_id)):
            deliveries.copy(trace, address=user.email)


SPREAD: Final = {deliveries.CHANGED: delivery_spread, RECEIPT: receipt_spread, CLOSED: closed_spread}
for _kind in NEWS:
    outbox.handles(_kind)(SPREAD.get(_kind, news_spread))
    outbox.handles(_kind + TO_ONE)(news_mail)
