"""What the paper side does when its moment comes: mails, and the end of a window. Twice or late changes nothing.

News goes to several people. The promise of a service is first spread into one outbox row for each reader, in one
transaction and under keys that a second try meets again. So each mail has its own Message-ID, tries and failure: a
refused address keeps nobody else from hearing, and nobody is mailed again because somebody else's mail waits.
"""

from __future__ import annotations

from typing import Final

from django.db import transaction

from accounts import selectors as accounts
from engagements.emails import letters
from engagements.emails.news import NEWS
from engagements.emails.scenes import promised_at
from engagements.services.closing import engagement_expire
from engagements.services.drafts import PART_OVER
from engagements.services.moves import WINDOW
from engagements.services.people import assignment_over
from portal.kernel import checkpoints, due, mail, outbox

INVITATION: Final = "engagements.invitation"
RECEIPT: Final = "engagements.receipt"
TO_ONE: Final = ".to_one"  # ends the kind of a row that is one reader's share of the news


@due.handles(WINDOW)
def window_over(turn: due.Turn) -> None:
    """The end of an engagement's window."""
    engagement_expire(engagement_id=turn.object_id)


@due.handles(PART_OVER)
def part_over(turn: due.Turn) -> None:
    """The planned end of somebody's part in an engagement."""
    assignment_over(assignment_id=turn.object_id)


@outbox.handles(INVITATION)
def invitation_mail(held: outbox.Claim) -> None:
    """Ask an approver, if the link still leads anywhere."""
    invitation = accounts.invitation_to_send(held.object_id)
    if invitation is None:
        return
    letter = letters.invitation_letter(invitation, reason=held.kind, message_key=mail.key_of(held))
    if letter is not None:
        mail.send(letter)


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
    """First seal the record, so that every receipt can carry a seal with its consent under it."""
    checkpoints.checkpoint_make()
    news_spread(held)


for _kind in NEWS:
    outbox.handles(_kind)(receipt_spread if _kind == RECEIPT else news_spread)
    outbox.handles(_kind + TO_ONE)(news_mail)
