"""What a mail is about, read when it leaves and not when it was promised."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse

from accounts.models import Contact, Invitation, User
from engagements.emails.readers import Reader, team_of
from engagements.lifecycle import (
    KNOWN_TO_CLIENT,
    AssignmentRole,
    ChangeStatus,
    DocumentKind,
    EngagementEvent,
    WishStatus,
)
from engagements.models import (
    LANDING,
    NOT_OVER,
    AccountWish,
    Assignment,
    Consent,
    Document,
    Doorbell,
    Engagement,
    Handover,
    Referral,
    Remark,
    ScopeChange,
)
from portal.kernel import checkpoints, deliveries, outbox
from portal.kernel.models import MailTrace, OutboxMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """An engagement as it is now, with the row that the news is about, if any.

    `beside` is the lead whom a new lead replaces.
    """

    engagement: Engagement
    consent: Consent | None = None
    document: Document | None = None  # the signed paper that goes with it, to the client
    seal: str = ""  # the signed note that vouches for the consent, word for word
    assignment: Assignment | None = None
    remark: Remark | None = None
    referral: Referral | None = None
    beside: Assignment | None = None
    change: ScopeChange | None = None
    trace: MailTrace | None = None  # of a mail that came back
    bounced: Contact | None = None  # whose address that is
    handover: Handover | None = None
    doorbell: Doorbell | None = None
    wish: AccountWish | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A matter before one reader. `team` has the lead first and is empty while nobody works on it.

    `moved_by_client` tells whose the latest move was: only the client undoes what the client did.
    """

    matter: Matter
    reader: Reader
    team: tuple[User, ...]
    moved_by_client: bool

    @property
    def engagement(self) -> Engagement:
        """Shorthand."""
        return self.matter.engagement

    @property
    def host(self) -> User | None:
        """The human behind the mail: the lead, or whoever stands in."""
        return self.team[0] if self.team else None

    @property
    def host_name(self) -> str:
        """Somebody to name, even while nobody leads."""
        return self.host.name if self.host else self.engagement.practice.name

    @property
    def host_first_name(self) -> str:
        """Somebody to call."""
        return self.host.first_name if self.host else self.engagement.practice.name

    @property
    def host_email(self) -> str:
        """Where an answer goes."""
        return self.host.email if self.host else self.engagement.practice.support_email

    @property
    def zone(self) -> ZoneInfo:
        """The reader's."""
        return zone_of(self.reader.user)


def zone_of(user: User) -> ZoneInfo:
    """The person's zone; UTC, which every mail names, when the stored name is not known here."""
    try:
        return ZoneInfo(user.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def scene_for(matter: Matter, reader: Reader) -> Scene:
    """The matter as this reader is told of it."""
    engagement = matter.engagement
    return Scene(
        matter=matter,
        reader=reader,
        team=team_of(engagement),
        moved_by_client=_is_contact(engagement, engagement.moved_by_id),
    )


def matter_of_engagement(engagement_id: UUID) -> Matter | None:
    """With practice, client and whoever moved it last. None when it is not in scope."""
    found = _engagements().filter(pk=engagement_id).first()
    return Matter(engagement=found) if found else None


def matter_of_consent(consent_id: UUID) -> Matter | None:
    """With the contact who agreed and the offer. None when it is not in scope."""
    consent = Consent.objects.select_related("contact__user", "offer").filter(pk=consent_id).first()
    if consent is None:
        return None
    checkpoint = checkpoints.checkpoint_over(
        EngagementEvent.CONSENT_GIVEN, subject=consent, about_id=consent.engagement_id
    )
    return Matter(
        engagement=_engagements().get(pk=consent.engagement_id),
        consent=consent,
        change=ScopeChange.objects.filter(offer=consent.offer_id).first(),
        seal=checkpoints.note_of(checkpoint) if checkpoint else "",
        document=_papers(DocumentKind.RECEIPT).filter(consent=consent).first(),
    )


def matter_of_closing(engagement_id: UUID) -> Matter | None:
    """An engagement that is over, with its certificate once that is made. None when it is not in scope."""
    found = matter_of_engagement(engagement_id)
    if found is None:
        return None
    papers = _papers(DocumentKind.CERTIFICATE).filter(engagement=found.engagement)
    return replace(found, document=papers.order_by("-made_at").first())


def _papers(kind: DocumentKind) -> QuerySet[Document]:
    """Without their bytes: those are read when a mail takes them along."""
    return Document.objects.defer("pdf").filter(kind=kind)


def matter_of_joining(assignment_id: UUID) -> Matter | None:
    """Somebody came, or leads now, in whose place. None when that is over, or not in scope."""
    row = _assignments().filter(NOT_OVER, pk=assignment_id).first()
    if row is None:
        return None
    leads = _assignments().filter(engagement_id=row.engagement_id, role=AssignmentRole.LEAD)
    beside = leads.filter(ends_at=row.starts_at).first() if row.role == AssignmentRole.LEAD else None
    return Matter(engagement=_engagements().get(pk=row.engagement_id), assignment=row, beside=beside)


def matter_of_leaving(assignment_id: UUID) -> Matter | None:
    """Somebody left. None when they are on it again, or it is not in scope."""
    row = _assignments().filter(pk=assignment_id).first()
    if row is None or is_on_it(row):
        return None
    return Matter(engagement=_engagements().get(pk=row.engagement_id), assignment=row)


def matter_of_change(*states: ChangeStatus) -> Callable[[UUID], Matter | None]:
    """A change, as long as it stands in one of these states."""

    def find(change_id: UUID) -> Matter | None:
        rows = ScopeChange.objects.select_related("offer", "before", "moved_by")
        change = rows.filter(pk=change_id, status__in=states).first()
        if change is None:
            return None
        return Matter(engagement=_engagements().get(pk=change.engagement_id), change=change)

    return find


def matter_of_remark(remark_id: UUID) -> Matter | None:
    """A question or an answer. None when it is not in scope."""
    row = Remark.objects.select_related("author").filter(pk=remark_id).first()
    return Matter(engagement=_engagements().get(pk=row.engagement_id), remark=row) if row else None


def matter_of_referral(referral_id: UUID) -> Matter | None:
    """A colleague who was named. None when it is not in scope."""
    row = Referral.objects.select_related("contact__user").filter(pk=referral_id).first()
    return Matter(engagement=_engagements().get(pk=row.engagement_id), referral=row) if row else None


def matter_of_trace(trace_id: UUID) -> Matter | None:
    """An address that takes no mail, with the newest running engagement of whose it is.

    None when it takes mail again, or is nobody's at a client that is worked for.
    """
    trace = MailTrace.objects.filter(pk=trace_id).first()
    if trace is None or not deliveries.fails(trace.address):
        return None
    seats = Contact.objects.select_related("user").filter(user__email=trace.address, ended_at=None)
    for contact in seats.order_by("pk"):
        rows = _engagements().filter(client_id=contact.client_id, status__in=KNOWN_TO_CLIENT)
        if (found := rows.order_by("-invited_at").first()) is not None:
            return Matter(engagement=found, trace=trace, bounced=contact)
    return None


def matter_of_doorbell(doorbell_id: UUID) -> Matter | None:
    """A ring with who rang and who answered. None when it is not in scope."""
    row = Doorbell.objects.select_related("consultant", "answered_by").filter(pk=doorbell_id).first()
    return Matter(engagement=_engagements().get(pk=row.engagement_id), doorbell=row) if row else None


def matter_of_wish(*states: WishStatus) -> Callable[[UUID], Matter | None]:
    """Another account that the client asked for, as long as it stands in one of these states."""

    def find(wish_id: UUID) -> Matter | None:
        rows = AccountWish.objects.select_related("contact__user", "moved_by")
        wish = rows.filter(pk=wish_id, status__in=states).first()
        return Matter(engagement=_engagements().get(pk=wish.engagement_id), wish=wish) if wish else None

    return find


def is_on_it(row: Assignment) -> bool:
    """True if the person of this assignment is on the engagement, by it or by another."""
    rows = Assignment.objects.filter(NOT_OVER, engagement_id=row.engagement_id)
    return rows.filter(consultant_id=row.consultant_id).exists()


def _assignments() -> QuerySet[Assignment]:
    return Assignment.objects.select_related("consultant")


def matter_of_invitation(invitation: Invitation) -> Matter | None:
    """The engagement that the link leads to, or None when it leads elsewhere."""
    place = LANDING.match(invitation.landing_path)
    found = _engagements().filter(code=place["code"]).first() if place else None
    return Matter(engagement=found) if found else None


def promised_at(held: outbox.Claim) -> tuple[dt.datetime, str]:
    """When this message was promised, and under which key."""
    row = OutboxMessage.objects.get(pk=held.message_id)
    return row.created_at, row.dedupe_key


def client_url(engagement: Engagement, page: str = "front") -> str:
    """An address of the client's pages; `front` is always the page that fits the status."""
    return settings.SITE_URL + reverse(f"client:{page}", args=[engagement.code])


def console_url(engagement: Engagement) -> str:
    """The engagement in the console, which knows it by its code. Only the name is known here: it is a room above."""
    return settings.SITE_URL + reverse("admin:engagements_engagement_change", args=[engagement.code])


def _engagements() -> QuerySet[Engagement]:
    return Engagement.objects.select_related("practice", "client", "moved_by")


def _is_contact(engagement: Engagement, user_id: UUID | None) -> bool:
    rows = Contact.objects.filter(client_id=engagement.client_id)
    return user_id is not None and rows.filter(user_id=user_id).exists()
