"""Links that sign one person in, once: made, used, replaced."""

from __future__ import annotations

import datetime as dt
from typing import Final
from uuid import uuid4

from django.db import transaction
from django.db.models import QuerySet

from accounts import selectors
from accounts.emails import TOKEN_PURPOSE, invitation_url
from accounts.lifecycle import AccountEvent
from accounts.models import Contact, Invitation, User
from portal.kernel import actor as actors
from portal.kernel import audit, clock, outbox, secrets
from portal.kernel.actor import Actor
from portal.kernel.errors import LinkDead
from portal.kernel.models import OutboxMessage

__all__ = [
    "invitation_mail_again",
    "invitation_make",
    "invitation_make_within",
    "invitation_send_again",
    "invitation_url",
    "invitation_use",
]

LIFETIME: Final = dt.timedelta(days=7)
PAUSE: Final = dt.timedelta(minutes=1)  # whoever holds a dead link cannot flood the mailbox
LETTER: Final = "accounts.invitation"


@transaction.atomic(durable=True)
def invitation_make(
    *, contact: Contact, landing_path: str, invited_by: User, actor: Actor, letter_kind: str = LETTER
) -> Invitation:
    """Invite a contact by mail to one page of the portal. See `invitation_make_within`."""
    return invitation_make_within(
        contact=contact,
        landing_path=landing_path,
        invited_by=invited_by,
        actor=actor,
        letter_kind=letter_kind,
    )


def invitation_make_within(
    *,
    contact: Contact,
    landing_path: str,
    invited_by: User,
    actor: Actor,
    letter_kind: str = LETTER,
    event: AccountEvent = AccountEvent.INVITATION_MADE,
) -> Invitation:
    """A link for seven days that signs the contact in and leads to `landing_path`, in the caller's transaction.

    Earlier live links of this contact to the same page stop working. `letter_kind` is the outbox kind whose
    handler mails it; that handler gets the invitation's id. Raises ValueError for a path that is not ours.
    """
    if not landing_path.startswith("/") or landing_path.startswith("//"):
        raise ValueError(f"not a path of the portal: {landing_path!r}")
    moment = clock.now()
    earlier = Invitation.objects.filter(contact=contact, landing_path=landing_path)
    earlier.filter(used_at__isnull=True, replaced_at__isnull=True).update(replaced_at=moment)
    key = uuid4()
    invitation = Invitation.objects.create(
        id=key,
        practice_id=contact.practice_id,
        client_id=contact.client_id,
        contact=contact,
        invited_by=invited_by,
        token_sha256=secrets.fingerprint(next(secrets.tokens(TOKEN_PURPOSE, key.bytes))),
        landing_path=landing_path,
        letter_kind=letter_kind,
        expires_at=moment + LIFETIME,
    )
    outbox.put(letter_kind, key, dedupe_key=f"invitation:{key}", client_id=contact.client_id)
    audit.record(event, subject=invitation, actor=actor, about_id=contact.pk, client_id=contact.client_id)
    return invitation


def invitation_use(*, token: str) -> Invitation:
    """Use a link up; the invitation with its contact and user, who may now be signed in.

    Raises LinkDead when it is unknown, used, replaced or expired, when the person may no longer come in, and for
    all but one of several who use it at the same moment. Opens the scopes it needs itself.
    """
    found = selectors.invitation_find(token=token)
    if found is None:
        raise LinkDead
    with selectors.apart(selectors.invitation_scope(found)):
        return _use(found)


def invitation_send_again(*, token: str) -> None:
    """Mail a fresh link to whoever a dead link was for: to the invited address and to no other.

    Says nothing about what was found: unknown links, people who left and impatient repeats end the same way.
    """
    found = selectors.invitation_find(token=token)
    if found is None:
        return
    with selectors.apart(selectors.invitation_scope(found)):
        _send_again(found)


def invitation_mail_again(found: Invitation) -> None:
    """As `invitation_send_again`, for a link that was found otherwise, in the client's scope."""
    _send_again(found)


@transaction.atomic(durable=True)
def _use(found: Invitation) -> Invitation:
    moment = clock.now()
    invitation = selectors.invitation_to_send(found.pk)
    live = Invitation.objects.filter(
        pk=found.pk, used_at__isnull=True, replaced_at__isnull=True, expires_at__gt=moment
    )
    # The update decides who was first; what was read before it may be old.
    if invitation is None or live.update(used_at=moment) != 1:
        raise LinkDead
    user = invitation.contact.user
    audit.record(
        AccountEvent.INVITATION_USED,
        subject=invitation,
        actor=actors.person(user.pk, name=user.name, email=user.email),
        about_id=invitation.contact_id,
    )
    return invitation


@transaction.atomic(durable=True)
def _send_again(found: Invitation) -> None:
    moment = clock.now()
    contact = Contact.objects.filter(pk=found.contact_id, ended_at__isnull=True, user__is_active=True).first()
    siblings = Invitation.objects.filter(contact_id=found.contact_id, landing_path=found.landing_path)
    if contact is None or _was_mailed_lately(siblings, moment):
        return
    who = actors.machine("dead-link")
    live = siblings.filter(used_at__isnull=True, replaced_at__isnull=True, expires_at__gt=moment).first()
    if live is not None:
        # The living link goes out again: an old one in the wrong hands must not be able to kill it.
        key = f"invitation:{live.pk}:{int(moment.timestamp()) // 60}"
        outbox.put(live.letter_kind, live.pk, dedupe_key=key)
        audit.record(AccountEvent.INVITATION_SENT_AGAIN, subject=live, actor=who, about_id=contact.pk)
        return
    invitation_make_within(
        contact=contact,
        landing_path=found.landing_path,
        invited_by=found.invited_by,
        actor=who,
        letter_kind=found.letter_kind,
        event=AccountEvent.INVITATION_SENT_AGAIN,
    )


def _was_mailed_lately(siblings: QuerySet[Invitation], moment: dt.datetime) -> bool:
    mails = OutboxMessage.objects.filter(object_id__in=siblings.values("pk"))
    return mails.filter(created_at__gt=moment - PAUSE).exists()
