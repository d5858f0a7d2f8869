"""The paper that is agreed to: built from offer, engagement and people, rendered to the bytes that are kept."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

from django.core import signing
from django.template.loader import render_to_string
from django.utils.translation import get_language, gettext

from accounts.models import User
from engagements.consent_record import SHOWN_FOR
from engagements.models import Engagement, Offer
from engagements.offer_words import OfferWords, summary_of, words_of
from engagements.profiles.reading import grade_stated
from engagements.selectors import account_asked, approvals_of, choice_fixed
from engagements.services.consents import Shown
from engagements.services.doorbells import has_doorbell, may_force
from portal.kernel.errors import Stale
from portal.kernel.languages import spelling
from portal.pages import words
from portal.pages.frames import Desk
from portal.pages.pagemodels import Ability, AccessKind, Approval, Choice, ConsentPaper, Facts, Kind

SALT: Final = "portal.pages.consenting"
PAPER_TEMPLATE: Final = "engagements/consent_document.html"


def paper_html(desk: Desk, offer: Offer, ticked: Collection[str] = ()) -> str:
    """The exact HTML of what is agreed, with these optional lines ticked. The same rows give the same bytes."""
    return render_to_string(PAPER_TEMPLATE, {"paper": paper_of(desk, offer, ticked)})


def paper_of(
    desk: Desk, offer: Offer, ticked: Collection[str] = (), *, ends_at: dt.datetime | None = None
) -> ConsentPaper:
    """Everything that is agreed, in the words of the reader's language as the offer froze them.

    Where a colleague who agreed before has chosen, `ticked` is theirs, whatever is asked for here.
    """
    fixed = fixed_of(desk, offer)
    told = told_of(offer)
    return ConsentPaper(
        facts=facts_of(desk.engagement, desk.people, offer, desk.zone, ends_at=ends_at),
        abilities=tuple(
            Ability(icon=line["icon"], title=said["title"], why=said["why"])
            for line, said in zip(offer.lines, told.lines, strict=True)
        ),
        choices=_choices(offer, told, ticked if fixed is None else fixed),
        is_chosen=fixed is not None,
        warnings=told.warnings,
        cannot=told.limits,
        aws_names=aws_names(offer),
        practice=desk.engagement.practice.name,
        offer_number=offer.number,
        offer_sha256=offer.offer_sha256,
        doorbell=has_doorbell(offer),
        break_glass=may_force(offer),
        grade=_grade_of(told),
    )


def _grade_of(told: OfferWords) -> int | None:
    """Of everything that the profile says, what may be added included, by the measure for the language it is written in."""
    lines = [text for line in (*told.lines, *told.optional) for text in (line["title"], line["why"])]
    return grade_stated([told.summary, *lines, *told.warnings, *told.limits])


def _choices(offer: Offer, told: OfferWords, ticked: Collection[str]) -> tuple[Choice, ...]:
    return tuple(
        Choice(
            key=line["key"],
            icon=line["icon"],
            title=said["title"],
            why=said["why"],
            aws_names="  ".join(line["actions"]),
            is_ticked=line["key"] in ticked,
        )
        for line, said in zip(offer.documents.get("optional", ()), told.optional, strict=True)
    )


def facts_of(
    engagement: Engagement,
    people: Sequence[User],
    offer: Offer,
    zone: ZoneInfo,
    *,
    ends_at: dt.datetime | None = None,
) -> Facts:
    """The short answers that stand first. `ends_at`: of a change that does not hold yet."""
    ends_at = ends_at or engagement.ends_at
    account_id = account_asked(engagement, offer)
    return Facts(
        people=spelling.joined([person.name for person in people]),
        first_names=spelling.joined([person.first_name for person in people]),
        firm=engagement.practice.legal_name,
        title=engagement.title,
        contract=engagement.contract_reference,
        # The name is that of the account it was asked for first.
        account_name=engagement.account_name if account_id == engagement.account_id else "",
        account_number=words.account_number(account_id),
        kind=kind_of(offer),
        until_long=spelling.long_moment(ends_at, zone),
        until_day=spelling.day(ends_at, zone),
        until_zone=spelling.zone_words(zone, ends_at),
    )


def told_of(offer: Offer) -> OfferWords:
    """The offer in the language of the page, as it was frozen."""
    return words_of(offer, get_language() or "")


def kind_of(offer: Offer) -> Kind:
    """Look only, or look and change, with the sentence that the offer gives."""
    code = AccessKind(offer.documents["kind"])
    said = summary_of(offer, get_language() or "")
    if code is AccessKind.LOOK:
        return Kind(
            code=code,
            tag=gettext("Look only"),
            words=said or gettext("They can look. They can’t change anything."),
            icon="eye",
        )
    return Kind(
        code=code,
        tag=gettext("Look and change"),
        words=said or gettext("They can look, and they can change what is listed below."),
        icon="settings-2",
    )


def aws_names(offer: Offer) -> tuple[str, ...]:
    """One line per row of the list: AWS's own permission names. Managed ones come first, by their short name."""
    managed = tuple(str(arn).rpartition("/")[2] for arn in offer.documents.get("managed_policy_arns", ()))
    return managed + tuple("  ".join(line["actions"]) for line in offer.lines)


def fixed_of(desk: Desk, offer: Offer) -> tuple[str, ...] | None:
    """The optional lines that a colleague chose for everybody by agreeing first. None while everything can be ticked."""
    return choice_fixed(offer) if desk.engagement.approvals_needed > 1 else None


def as_ticked(shown: Shown, html: str) -> Shown:
    """The page as it stood when the button was pressed: what was shown, with the ticks in it."""
    return replace(shown, html=html, sha256=digest(html))


def approval_of(desk: Desk, offer: Offer | None = None) -> Approval | None:
    """Who has agreed and who is asked, for everybody who reads the page; None where one person is enough."""
    found = approvals_of(desk.engagement, offer)
    if found.needed == 1:
        return None
    told = {"needed": found.needed, "client": desk.frame.client}
    return Approval(
        words=gettext("%(needed)s people at %(client)s have to agree. Nothing happens before.") % told,
        agreed=tuple(
            (consent.contact.user.name, spelling.long_moment(consent.given_at, desk.zone))
            for consent in found.agreed
        ),
        asked=tuple(contact.user.name for contact in found.asked),
        mine=found.has_agreed(desk.contact),
    )


def own_account(desk: Desk) -> str:
    """What stands beside a number of twelve digits that cannot be the client's: it is the practice's own."""
    name = {"practice": desk.frame.practice}
    return gettext("That is %(practice)s’s own account. Enter the number of yours.") % name


def wrong_code() -> str:
    """Beside the field, whatever was wrong: which of the three it was helps a guesser only."""
    return gettext(
        "That code doesn’t match, is too old, or was tried too often. Use the newest email, or ask for a new code."
    )


def digest(html: str) -> str:
    """SHA-256 of the bytes, in hexadecimal."""
    return hashlib.sha256(html.encode()).hexdigest()


def seal(desk: Desk, shown: Shown) -> str:
    """The hidden value that a page carries: whom it showed which bytes, and when. Nobody else can write it."""
    told = {
        "engagement": desk.engagement.code,
        "contact": str(desk.contact.pk),
        "sha256": shown.sha256,
        "at": shown.displayed_at.isoformat(),
    }
    return signing.dumps(told, salt=SALT)


def unseal(value: str, *, html: str, desk: Desk) -> Shown:
    """What this contact was shown, if it is still what holds. Raises Stale otherwise."""
    try:
        shown = signing.loads(value, salt=SALT, max_age=SHOWN_FOR)
    except signing.BadSignature:
        raise Stale from None
    theirs = (shown["engagement"], shown["contact"], shown["sha256"])
    if theirs != (desk.engagement.code, str(desk.contact.pk), digest(html)):
        raise Stale
    displayed_at = dt.datetime.fromisoformat(shown["at"])
    return Shown(html=html, sha256=shown["sha256"], displayed_at=displayed_at, ticket=value)
