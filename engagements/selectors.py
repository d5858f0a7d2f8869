"""Reads of the paper side. What is not in scope does not exist."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import BooleanField, Case, Exists, OuterRef, QuerySet, When

from accounts.lifecycle import ContactRole
from accounts.models import Contact, User
from engagements.lifecycle import AssignmentRole, EngagementEvent, EngagementStatus
from engagements.models import (
    NOT_OVER,
    Assignment,
    Consent,
    Engagement,
    Offer,
    PracticeProfile,
    Referral,
    Remark,
    lead_first,
)
from engagements.profiles import AccessProfile, profiles_in
from engagements.profiles.own import profile_from
from portal.kernel import checkpoints
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


def consent_latest(engagement: Engagement, *, first: Contact | None = None) -> Consent | None:
    """The newest consent, withdrawn or not, with contact, person and offer; one of `first`, if they gave any."""
    rows = consents_of(engagement).order_by("-given_at")
    own = rows.filter(contact=first).first() if first is not None else None
    return own or rows.first()


def consents_of(engagement: Engagement) -> QuerySet[Consent]:
    """Every consent in the order in which they were given, withdrawn or not."""
    rows = engagement.consents.select_related("contact__user", "offer", "withdrawn_by")
    return rows.order_by("given_at", "pk")


def consent_live(engagement: Engagement) -> Consent | None:
    """The consent that holds now, or None."""
    return engagement.consents.select_related("contact__user", "offer").filter(withdrawn_at=None).first()


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """Where several people have to agree: who did, in order, and who of the client is still asked."""

    needed: int
    agreed: tuple[Consent, ...] = ()
    asked: tuple[Contact, ...] = ()

    def has_agreed(self, contact: Contact) -> bool:
        """True for whoever said yes already."""
        return any(consent.contact_id == contact.pk for consent in self.agreed)


def approvals_of(engagement: Engagement) -> Approvals:
    """How far the agreement to the newest offer has come. Reads nothing where one person is enough."""
    if engagement.approvals_needed == 1:
        return Approvals(needed=1)
    agreed = tuple(consents_of(engagement).filter(offer=offer_current(engagement), withdrawn_at=None))
    people = Contact.objects.filter(client_id=engagement.client_id, role=ContactRole.APPROVER, ended_at=None)
    said_yes = [consent.contact_id for consent in agreed]
    asked = people.exclude(pk__in=said_yes).select_related("user").order_by("user__name")
    return Approvals(needed=engagement.approvals_needed, agreed=agreed, asked=tuple(asked))


def remarks_of(engagement: Engagement) -> list[Remark]:
    """Questions and answers, the oldest first."""
    return list(engagement.remarks.select_related("author").order_by("said_at", "pk"))


def referrals_of(engagement: Engagement) -> list[Referral]:
    """Who was named as the one who should answer, the newest first; each row notes `is_contact`."""
    there = Contact.objects.filter(client_id=OuterRef("client_id"), ended_at=None)
    same = there.filter(user__email=OuterRef("email"))
    rows = engagement.referrals.select_related("contact__user").annotate(is_contact=Exists(same))
    return list(rows.order_by("-made_at", "pk"))


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
