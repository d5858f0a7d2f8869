"""Reads of the paper side. What is not in scope does not exist."""

from __future__ import annotations

from django.db.models import BooleanField, Case, When

from accounts.models import User
from accounts.selectors import apart
from engagements.lifecycle import AssignmentRole, EngagementEvent, EngagementStatus
from engagements.models import (
    NOT_OVER,
    Assignment,
    Consent,
    Engagement,
    EngagementTemplate,
    IntakePage,
    Offer,
    Order,
    PracticeProfile,
    Shop,
    lead_first,
)
from engagements.profiles import AccessProfile, profiles_in
from engagements.profiles.own import profile_from
from portal.kernel import checkpoints, clock, secrets, tenancy
from portal.kernel.errors import NotVisible
from portal.kernel.models import AuditCheckpoint


def engagement_for_client(code: str) -> Engagement:
    """One engagement by its public code, with practice and client. Drafts and cancelled ones are not shown.

    Raises NotVisible.
    """
    hidden = (EngagementStatus.DRAFT, EngagementStatus.CANCELLED)
    rows = Engagement.objects.select_related("practice", "client", "moved_by").exclude(status__in=hidden)
    if (found := rows.filter(code=code).first()) is None:
        raise NotVisible
    return found


def engagements_of_client() -> list[Engagement]:
    """Everything that was ever sent to the client in scope, newest first."""
    hidden = (EngagementStatus.DRAFT, EngagementStatus.CANCELLED)
    return list(Engagement.objects.exclude(status__in=hidden).order_by("-invited_at"))


def offer_current(engagement: Engagement) -> Offer:
    """The newest offer. Raises NotVisible while there is none."""
    if (found := engagement.offers.order_by("-number").first()) is None:
        raise NotVisible
    return found


def consent_latest(engagement: Engagement) -> Consent | None:
    """The newest consent, withdrawn or not, with contact, person and offer."""
    rows = engagement.consents.select_related("contact__user", "offer", "withdrawn_by")
    return rows.order_by("-given_at").first()


def consent_live(engagement: Engagement) -> Consent | None:
    """The consent that holds now, or None."""
    return engagement.consents.select_related("contact__user", "offer").filter(withdrawn_at=None).first()


def consent_checkpoint(consent: Consent) -> AuditCheckpoint | None:
    """The first seal of the practice's record that has this consent under it; None until there is one."""
    return checkpoints.checkpoint_over(
        EngagementEvent.CONSENT_GIVEN, subject=consent, about_id=consent.engagement_id
    )


def assignments_of(engagement: Engagement) -> list[Assignment]:
    """Who works on it or is about to, the lead first."""
    return lead_first(engagement.assignments.select_related("consultant").filter(NOT_OVER))


def staffing_of(engagement: Engagement) -> list[Assignment]:
    """Everybody who ever was on it, the lead first; each row notes `is_over`. One query."""
    is_over = Case(When(NOT_OVER, then=False), default=True, output_field=BooleanField())
    return lead_first(engagement.assignments.select_related("consultant").annotate(is_over=is_over))


def lead_of(engagement: Engagement) -> User:
    """The lead consultant: the human on every page. Raises NotVisible if nobody leads."""
    for assignment in assignments_of(engagement):
        if assignment.role == AssignmentRole.LEAD:
            return assignment.consultant
    raise NotVisible


def profiles_offered(language: str = "en") -> list[AccessProfile]:
    """What can be asked for: the shipped library, then the practice's own by title."""
    own = PracticeProfile.objects.filter(retired_at=None).order_by("title", "code")
    return [*profiles_in(language).values(), *(profile_of(row, language) for row in own)]


def profile_for(code: str, language: str = "en") -> AccessProfile:
    """A shipped profile, or one of the practice in scope that is not retired. Raises KeyError for any other."""
    if (shipped := profiles_in(language).get(code)) is not None:
        return shipped
    row = PracticeProfile.objects.filter(code=code, retired_at=None).first()
    if row is None:
        raise KeyError(code)
    return profile_of(row, language)


def practice_profile(code: str) -> PracticeProfile:
    """The row of a practice's own profile, retired or not, to be edited. Raises NotVisible."""
    if (row := PracticeProfile.objects.filter(code=code).first()) is None:
        raise NotVisible
    return row


def profile_of(row: PracticeProfile, language: str = "en") -> AccessProfile:
    """A practice's own profile in the shape of the shipped ones. Its lines are in the words that it was written in."""
    return profile_from(
        code=row.code,
        title=row.title,
        kind=row.kind,
        summary=row.summary,
        lines=row.lines,
        limits=row.limits,
        guards=row.guards,
        warnings=row.warnings,
        language=language,
    )


def templates_offered() -> list[EngagementTemplate]:
    """What drafts can be made of, by name."""
    return list(EngagementTemplate.objects.filter(retired_at=None).order_by("name", "code"))


def page_door(practice_code: str) -> str:
    """By what a practice's intake page is found before anybody is known."""
    return secrets.fingerprint(f"intake page of {practice_code}")


def shop_door(code: str) -> str:
    """By what a connection is found before its message was checked."""
    return secrets.fingerprint(f"shop {code}")


def intake_page_at(practice_code: str) -> IntakePage:
    """The open page of a practice, with practice and template. Raises NotVisible: shut and never made look the same."""
    read_only = tenancy.current().read_only
    with apart(tenancy.bearer_scope(page_door(practice_code), read_only=read_only)):
        page = IntakePage.objects.filter(token_sha256=page_door(practice_code), is_open=True).first()
    if page is None:
        raise NotVisible
    with apart(tenancy.practice_scope(page.practice_id, read_only=read_only)):
        return IntakePage.objects.select_related("practice", "template", "lead").get(pk=page.pk)


def shop_at(code: str) -> Shop | None:
    """The connection at this address, as long as it takes anything."""
    with apart(tenancy.bearer_scope(shop_door(code))):
        return Shop.objects.filter(token_sha256=shop_door(code), closed_at=None).exclude(secret=b"").first()


def order_find(*, token: str) -> Order | None:
    """The order that this link confirms, live or over; no other row of anybody is visible meanwhile."""
    door = secrets.fingerprint(token)
    with apart(tenancy.bearer_scope(door, read_only=tenancy.current().read_only)):
        return Order.objects.filter(token_sha256=door).first()


def order_to_confirm(*, token: str, practice_code: str) -> Order | None:
    """A live order with its practice and template, if the link is this practice's. None when it is over."""
    found = order_find(token=token)
    if found is None or found.is_over_at(clock.now()):
        return None
    with apart(tenancy.practice_scope(found.practice_id, read_only=tenancy.current().read_only)):
        rows = Order.objects.select_related("practice", "template")
        return rows.filter(pk=found.pk, practice__code=practice_code).first()
