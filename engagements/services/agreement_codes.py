"""A code that is mailed to whoever is about to agree, and retyped: good for one person, one offer, ten minutes, once.

Each agreement asks for it where the engagement says so; elsewhere only somebody whose sign-in is older than `FRESH` is
asked (ADR 16).
"""

from __future__ import annotations

import datetime as dt
import secrets as randomness
from collections.abc import Iterator
from typing import Final

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext_lazy

from accounts.models import Contact
from accounts.services.attempts import Limit, attempt_count
from accounts.services.letters import letter_promise
from engagements.emails.letters import agreement_code_letter
from engagements.lifecycle import EngagementEvent
from engagements.models import AgreementCode, Engagement, Offer
from engagements.services.records import engagement_record_within
from portal.kernel import clock, secrets, tenancy
from portal.kernel.actor import Actor
from portal.kernel.errors import PortalError

LIFE: Final = dt.timedelta(minutes=10)
# Who signed in within it has just proved who they are, and needs the time to read.
FRESH: Final = dt.timedelta(minutes=30)
TRIES: Final = 5
MAILS: Final = Limit(name="mail with an agreement code", tries=5, within=dt.timedelta(hours=1))
PURPOSE: Final = "agreement-code"


class CodeNeeded(PortalError):
    """Raised when an agreement lacks its code, or the code is wrong, too old, tried too often or used."""

    code = "code-needed"
    http_status = 403
    title = gettext_lazy("Enter the code we emailed you")
    user_message = gettext_lazy(
        "Nothing was saved. This agreement needs the code that we emailed you for it."
    )


def agreement_code_mail(*, engagement: Engagement, offer: Offer, contact: Contact, actor: Actor) -> None:
    """Mail a new six-digit code; every earlier one of this person for this offer stops working. Raises RateLimited."""
    attempt_count(MAILS, str(contact.pk))
    digits = f"{randomness.randbelow(10**6):06d}"
    _make(engagement=engagement, offer=offer, contact=contact, digits=digits, actor=actor)
    letter_promise(
        agreement_code_letter(
            engagement=engagement, person=contact.user, code=digits, minutes=LIFE.seconds // 60
        )
    )


def agreement_code_is_asked(
    *, engagement: Engagement, signed_in_at: dt.datetime | None, now: dt.datetime
) -> bool:
    """True where a yes needs the mailed code. A sign-in whose time is not known counts as an old one."""
    is_fresh = signed_in_at is not None and now - FRESH <= signed_in_at <= now
    return engagement.code_at_agreement or not is_fresh


def agreement_code_is_out(*, offer: Offer, contact: Contact) -> bool:
    """True while there is a code that could be typed."""
    return _live(offer, contact).exists()


def agreement_code_match(*, offer: Offer, contact: Contact, typed: str) -> AgreementCode:
    """The live code that was typed. The try is counted and committed before it is compared. Raises CodeNeeded."""
    row = _count(offer, contact)
    digits = "".join(letter for letter in typed if letter in "0123456789")
    if row is None or not any(
        randomness.compare_digest(row.mark, one) for one in _marks(offer, contact, digits)
    ):
        raise CodeNeeded
    return row


def agreement_code_use_within(*, row: AgreementCode, offer: Offer, contact: Contact) -> None:
    """Use it up, in the caller's transaction. Raises CodeNeeded: it was used or ran out in this moment."""
    tenancy.require_transaction("an agreement code")
    rows = AgreementCode.objects.filter(pk=row.pk, offer=offer, contact=contact, used_at=None)
    if rows.filter(expires_at__gt=clock.now()).update(used_at=clock.now()) != 1:
        raise CodeNeeded


@transaction.atomic(durable=True)
def _make(*, engagement: Engagement, offer: Offer, contact: Contact, digits: str, actor: Actor) -> None:
    moment = clock.now()
    _live(offer, contact).update(tries=TRIES)
    made = AgreementCode.objects.create(
        practice_id=engagement.practice_id,
        client_id=engagement.client_id,
        engagement=engagement,
        offer=offer,
        contact=contact,
        mark=next(_marks(offer, contact, digits)),
        made_at=moment,
        expires_at=moment + LIFE,
    )
    engagement_record_within(
        EngagementEvent.CODE_MAILED, made, engagement, actor, {"offer_sha256": offer.offer_sha256}
    )


@transaction.atomic(durable=True)
def _count(offer: Offer, contact: Contact) -> AgreementCode | None:
    """Of many tries at the same moment, each sees the count of the one before."""
    row = _live(offer, contact).order_by("-made_at").first()
    if row is None or _live(offer, contact).filter(pk=row.pk).update(tries=F("tries") + 1) != 1:
        return None
    return row


def _live(offer: Offer, contact: Contact) -> QuerySet[AgreementCode]:
    rows = AgreementCode.objects.filter(offer=offer, contact=contact, used_at=None, tries__lt=TRIES)
    return rows.filter(expires_at__gt=clock.now())


def _marks(offer: Offer, contact: Contact, digits: str) -> Iterator[str]:
    """Bound to the person and to the hash of what they agree to; the newest key's first."""
    return secrets.tokens(PURPOSE, f"{contact.pk}:{offer.offer_sha256}:{digits}".encode())
