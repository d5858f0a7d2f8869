"""Before anybody agrees, and after: questions of the client, answers of the practice, a colleague who should answer.

None of it moves an engagement, and none of it lets anybody in: who is named is invited by the practice, or not.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.db import transaction
from django.utils.translation import gettext, gettext_lazy

from accounts import selectors
from accounts.lifecycle import ContactRole
from accounts.models import Contact, Invitation, User
from accounts.services.attempts import Limit, attempt_count
from engagements.lifecycle import KNOWN_TO_CLIENT, EngagementEvent, EngagementStatus
from engagements.models import LANDING, Engagement, Referral, Remark
from engagements.services.moves import engagement_locked
from engagements.services.records import engagement_record_within
from portal.kernel import clock, outbox
from portal.kernel.actor import Actor, machine
from portal.kernel.errors import InvalidMove, LinkDead, NotAllowed, PortalError

READERS: Final = frozenset({ContactRole.APPROVER, ContactRole.VIEWER})
LONGEST: Final = 1000
# Each is a mail to somebody: whoever holds a client's session must not be able to flood a mailbox.
QUESTIONS: Final = Limit(name="question", tries=20, within=dt.timedelta(hours=1))
REFERRALS: Final = Limit(name="colleague named", tries=5, within=dt.timedelta(hours=1))


class NothingSaid(PortalError):
    """Raised for words that are only spaces, or too many."""

    code = "nothing-said"
    title = gettext_lazy("There is nothing to send")


def question_ask(*, engagement: Engagement, contact: Contact, text: str, actor: Actor) -> Remark:
    """The client asks; the consultants are mailed. Raises NotAllowed, InvalidMove once it is over, RateLimited."""
    words = _words(text)
    attempt_count(QUESTIONS, str(contact.pk))
    return _say(engagement, contact.user, words, actor, contact=contact)


def question_answer(*, engagement: Engagement, author: User, text: str, actor: Actor) -> Remark:
    """The practice answers; whoever asked is mailed. Raises InvalidMove before any question and once it is over."""
    return _say(engagement, author, _words(text), actor, contact=None)


def colleague_name(
    *, engagement: Engagement, contact: Contact, name: str, email: str, actor: Actor
) -> Referral:
    """Somebody at the client names who should answer. The practice is told, and invites them or does not.

    Raises NotAllowed, InvalidMove once it is answered, RateLimited.
    """
    attempt_count(REFERRALS, str(contact.pk))
    return _name(engagement, contact, name, email.strip().lower(), actor)


def invitation_misdirected(*, token: str, email: str) -> None:
    """Whoever got a link says that it is not theirs, and whose it is. The link stops working; the practice is told.

    Nothing of the engagement is shown or moved. Raises LinkDead for links that do not work any more, RateLimited.
    """
    found = selectors.invitation_find(token=token)
    if found is None or not found.is_live_at(clock.now()):
        raise LinkDead
    attempt_count(REFERRALS, str(found.contact_id))
    with selectors.apart(selectors.invitation_scope(found)):
        _misdirected(found, email.strip().lower())


@transaction.atomic(durable=True)
def _misdirected(found: Invitation, email: str) -> None:
    """Only what the engagement's page in the console needs: the holder of the link is nobody we know."""
    place = LANDING.match(found.landing_path)
    engagement = Engagement.objects.filter(code=place["code"]).first() if place else None
    live = Invitation.objects.filter(pk=found.pk, used_at=None, replaced_at=None)
    if live.update(replaced_at=clock.now()) != 1:
        raise LinkDead
    if engagement is None or engagement.status not in KNOWN_TO_CLIENT:
        return
    made = Referral.objects.create(
        practice_id=found.practice_id,
        client_id=found.client_id,
        engagement=engagement,
        contact_id=found.contact_id,
        name=email[:120],
        email=email,
        made_at=clock.now(),
        is_misdirected=True,
    )
    outbox.put(
        "engagements.misdirected", made.pk, dedupe_key=f"referral:{made.pk}", client_id=found.client_id
    )
    engagement_record_within(
        EngagementEvent.MISDIRECTED, made, engagement, machine("wrong-person"), {"email": email}
    )


@transaction.atomic(durable=True)
def _say(
    engagement: Engagement, author: User, words: str, actor: Actor, *, contact: Contact | None
) -> Remark:
    current = engagement_locked(engagement.pk)
    if contact is not None:
        _require_reader(contact, current)
    if current.status not in KNOWN_TO_CLIENT or (contact is None and not current.remarks.exists()):
        raise InvalidMove
    made = Remark.objects.create(
        practice_id=current.practice_id,
        client_id=current.client_id,
        engagement=current,
        author=author,
        is_from_client=contact is not None,
        text=words,
        said_at=clock.now(),
    )
    kind = "engagements.question" if contact is not None else "engagements.answer"
    outbox.put(kind, made.pk, dedupe_key=f"remark:{made.pk}", client_id=current.client_id)
    event = EngagementEvent.QUESTION_ASKED if contact is not None else EngagementEvent.QUESTION_ANSWERED
    engagement_record_within(event, made, current, actor, {})
    return made


@transaction.atomic(durable=True)
def _name(engagement: Engagement, contact: Contact, name: str, email: str, actor: Actor) -> Referral:
    current = engagement_locked(engagement.pk)
    _require_reader(contact, current)
    if current.status != EngagementStatus.INVITED:
        raise InvalidMove
    made = Referral.objects.create(
        practice_id=current.practice_id,
        client_id=current.client_id,
        engagement=current,
        contact=contact,
        name=name,
        email=email,
        made_at=clock.now(),
    )
    outbox.put(
        "engagements.colleague", made.pk, dedupe_key=f"referral:{made.pk}", client_id=current.client_id
    )
    engagement_record_within(EngagementEvent.COLLEAGUE_NAMED, made, current, actor, {"email": email})
    return made


def _words(text: str) -> str:
    found = text.strip()
    if not found or len(found) > LONGEST:
        raise NothingSaid(
            gettext("Nothing was sent. Write something, in at most %(longest)s characters.")
            % {"longest": LONGEST}
        )
    return found


def _require_reader(contact: Contact, engagement: Engagement) -> None:
    """Read under the engagement's lock, which whoever ends a contact takes too."""
    rows = Contact.objects.filter(pk=contact.pk, client_id=engagement.client_id, ended_at=None)
    if not rows.filter(role__in=READERS).exists():
        raise NotAllowed(gettext("Nothing was sent."))
