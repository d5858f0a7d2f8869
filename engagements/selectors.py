"""Reads of the paper side. What is not in scope does not exist."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import BooleanField, Case, OuterRef, Subquery, When

from accounts.models import User
from engagements.lifecycle import OPEN_CHANGES, AssignmentRole, EngagementEvent, EngagementStatus
from engagements.models import (
    CONSENT_IN_FORCE,
    IN_FORCE,
    NOT_OVER,
    Assignment,
    Consent,
    Engagement,
    Offer,
    PracticeProfile,
    ScopeChange,
    lead_first,
)
from engagements.profiles import AccessProfile, profiles_in
from engagements.profiles.own import profile_from
from portal.kernel import checkpoints
from portal.kernel.errors import NotVisible
from portal.kernel.models import AuditCheckpoint


def engagement_for_client(code: str) -> Engagement:
    """One engagement by its public code, with practice, client and `change_status`. Drafts and cancelled ones are not shown.

    Raises NotVisible.
    """
    hidden = (EngagementStatus.DRAFT, EngagementStatus.CANCELLED)
    rows = Engagement.objects.select_related("practice", "client", "moved_by").exclude(status__in=hidden)
    # With the status of the change that waits, if any: pages say so, and no page asks a second time for that.
    waiting = ScopeChange.objects.filter(engagement_id=OuterRef("pk"), status__in=OPEN_CHANGES)
    rows = rows.annotate(change_status=Subquery(waiting.values("status")[:1]))
    if (found := rows.filter(code=code).first()) is None:
        raise NotVisible
    return found


def engagements_of_client() -> list[Engagement]:
    """Everything that was ever sent to the client in scope, newest first."""
    hidden = (EngagementStatus.DRAFT, EngagementStatus.CANCELLED)
    return list(Engagement.objects.exclude(status__in=hidden).order_by("-invited_at"))


def offer_current(engagement: Engagement) -> Offer:
    """The newest offer that holds, or is the first to be answered. Raises NotVisible while there is none."""
    if (found := offer_or_none(engagement)) is None:
        raise NotVisible
    return found


def offer_or_none(engagement: Engagement) -> Offer | None:
    """The same, or None for a draft. With its consent, if it was agreed to."""
    rows = engagement.offers.select_related("consent").filter(IN_FORCE)
    return rows.order_by("-number").first()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreedTemplate:
    """The template of an offer with the choice that was agreed to. `version_id` is empty until it is published."""

    text: str
    sha256: str
    version_id: str


def template_agreed(offer: Offer) -> AgreedTemplate:
    """What the client's stack is made of: with the lines that were ticked; before the consent, with none of them."""
    found = offer.variants.get(choice=choice_of(offer)) if choice_of(offer) else offer
    return AgreedTemplate(
        text=found.template, sha256=found.template_sha256, version_id=found.template_version_id
    )


def choice_of(offer: Offer) -> tuple[str, ...]:
    """The keys of the optional lines that were ticked; none before the consent."""
    consent = getattr(offer, "consent", None)
    return tuple(consent.choice) if consent else ()


def change_open(engagement: Engagement) -> ScopeChange | None:
    """The change that is asked, or agreed to and not in AWS yet, with both offers and the consents to them."""
    rows = ScopeChange.objects.select_related("offer__consent", "before__consent")
    return rows.filter(engagement=engagement, status__in=OPEN_CHANGES).first()


def optional_keys(offer: Offer) -> tuple[str, ...]:
    """The keys of the lines that the client may tick."""
    return tuple(str(line["key"]) for line in offer.documents.get("optional", ()))


def consent_latest(engagement: Engagement) -> Consent | None:
    """The newest consent that took effect, withdrawn or not, with contact, person and offer."""
    rows = engagement.consents.select_related("contact__user", "offer", "withdrawn_by").filter(
        CONSENT_IN_FORCE
    )
    return rows.order_by("-given_at").first()


def consent_live(engagement: Engagement) -> Consent | None:
    """The consent that holds now, or None."""
    rows = engagement.consents.select_related("contact__user", "offer").filter(
        CONSENT_IN_FORCE, withdrawn_at=None
    )
    return rows.order_by("-given_at").first()


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
