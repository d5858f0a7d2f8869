"""What the console's pages read, narrowed to what this person may see. PostgreSQL keeps the practices apart below."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, Model, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Concat, Now
from django.http import HttpRequest

from accounts.lifecycle import WORKERS, ContactRole, MemberRole
from accounts.models import Contact, Invitation, Membership, User
from awsaccess.lifecycle import BROKEN
from awsaccess.models import DeadLetter, Grant, Visit
from awsaccess.services.visits import MAY_ENTER
from engagements.lifecycle import (
    OPEN_CHANGES,
    TERMINAL,
    AssignmentRole,
    DoorbellStatus,
    EngagementStatus,
    WishStatus,
)
from engagements.models import (
    NOT_OVER,
    AccountWish,
    Assignment,
    Doorbell,
    Engagement,
    Offer,
    Variant,
)
from portal.kernel import tenancy
from portal.kernel.admin import role_of
from portal.kernel.models import AuditEvent

HISTORY_SHOWN = 100
RINGS_SHOWN = 10


def live_assignments(user_id: Any) -> QuerySet[Assignment]:  # Any: the user model's key
    """Where somebody works now."""
    rows = Assignment.objects.filter(consultant_id=user_id, starts_at__lte=Now())
    return rows.filter(Q(ends_at=None) | Q(ends_at__gt=Now()))


def engagements_seen(request: HttpRequest, rows: QuerySet[Engagement]) -> QuerySet[Engagement]:
    """Owners and auditors see all of the practice, a consultant what they are assigned to."""
    if role_of(request) != MemberRole.CONSULTANT:
        return rows
    return rows.filter(pk__in=live_assignments(request.user.pk).values("engagement_id"))


def of_engagements_seen(
    request: HttpRequest, rows: QuerySet[Any]
) -> QuerySet[Any]:  # Any: grants, visits or offers
    """The same for rows that belong to an engagement."""
    if role_of(request) != MemberRole.CONSULTANT:
        return rows
    return rows.filter(engagement_id__in=live_assignments(request.user.pk).values("engagement_id"))


def with_standing(request: HttpRequest, rows: QuerySet[Engagement]) -> QuerySet[Engagement]:
    """With all that lists say of an engagement, in the same query."""
    mine = live_assignments(request.user.pk).filter(engagement_id=OuterRef("pk"))
    visits = Visit.objects.filter(engagement_id=OuterRef("pk")).order_by("-intended_at")
    rings = Doorbell.objects.filter(
        engagement_id=OuterRef("pk"), consultant_id=request.user.pk, expires_at__gt=Now()
    )
    wishes = AccountWish.objects.filter(engagement_id=OuterRef("pk"), status=WishStatus.ASKED)
    paused_by = Contact.objects.filter(client_id=OuterRef("client_id"), user_id=OuterRef("moved_by_id"))
    return rows.select_related("client", "practice", "moved_by").annotate(
        is_opened=Exists(_opened()),
        has_problem=Exists(Grant.objects.filter(engagement_id=OuterRef("pk"), status__in=BROKEN)),
        is_mine=Exists(mine),
        may_enter=Exists(mine.filter(role__in=MAY_ENTER)),
        may_staff=_may_staff(request, mine),
        moved_by_client=Exists(paused_by),
        is_let_in=Exists(rings.filter(status=DoorbellStatus.LET_IN)),
        is_ringing=Exists(rings.filter(status=DoorbellStatus.RINGING)),
        read_at=Now(),
        last_visit_at=Subquery(visits.values("intended_at")[:1]),
        wished_account=Subquery(wishes.values("account_id")),
        wished_at=Subquery(wishes.values("asked_at")),
    )


def _opened() -> QuerySet[Invitation]:
    """Links of somebody who may agree that were used."""
    used = Invitation.objects.filter(client_id=OuterRef("client_id"), contact__role=ContactRole.APPROVER)
    path = Concat(Value("/e/"), OuterRef("code"), Value("/"))
    return used.filter(landing_path=path, used_at__isnull=False)


def _may_staff(request: HttpRequest, mine: QuerySet[Assignment]) -> Value | Exists:
    """Who says who works on it: owners, and those who do; observers look on."""
    is_owner = role_of(request) == MemberRole.OWNER
    return Value(True) if is_owner else Exists(mine.filter(role__in=MAY_ENTER))  # noqa: FBT003  # SQL's true


def people_who_work() -> QuerySet[User]:
    """Who may lead: owners and consultants of the practice in force who have not left."""
    working = Membership.objects.filter(
        practice_id=tenancy.practice_id(), role__in=WORKERS, ended_at=None
    )  # who asks sees their own places elsewhere too
    return User.objects.filter(pk__in=working.values("user_id"), is_active=True).order_by("name")


def noted(row: Model, name: str) -> Any:  # Any: whatever `with_standing` wrote
    """What `with_standing` or `with_tending` wrote on the row."""
    return vars(row)[name]


def history_of(about_id: Any) -> list[AuditEvent]:  # Any: a key
    """What the record says about one thing, newest first."""
    rows = AuditEvent.objects.select_related("body").filter(about_id=about_id)
    return list(rows.order_by("-seq")[:HISTORY_SHOWN])


def body_of(event: AuditEvent) -> str:
    """The erasable part; empty when it was erased."""
    body = getattr(event, "body", None)
    return body.text if body else ""


def contacts_of(client_id: Any) -> list[Contact]:  # Any: a key
    """The people at a client who have not left."""
    rows = Contact.objects.select_related("user").filter(client_id=client_id, ended_at=None)
    return list(rows.order_by("user__name"))


def with_tending(request: HttpRequest, rows: QuerySet[Contact]) -> QuerySet[Contact]:
    """With names, and whether this person may change or remove them: owners, and who works for their client."""
    mine = live_assignments(request.user.pk).filter(client_id=OuterRef("client_id"))
    return rows.select_related("user", "client").annotate(may_staff=_may_staff(request, mine))


def led_by(user_id: Any) -> list[Engagement]:  # Any: a key
    """What needs another lead when this person goes."""
    rows = Assignment.objects.filter(NOT_OVER, consultant_id=user_id, role=AssignmentRole.LEAD)
    running = Engagement.objects.select_related("client").exclude(status__in=TERMINAL)
    return list(running.filter(pk__in=rows.values("engagement_id")).order_by("client__name", "title"))


def waiting_for_an_answer(client_id: Any) -> list[Engagement]:  # Any: a key
    """What the client is asked and has not answered."""
    rows = Engagement.objects.filter(client_id=client_id, status=EngagementStatus.INVITED)
    return list(rows.order_by("title"))


def other_approvers(contact: Contact) -> bool:
    """True if somebody else at the client may agree."""
    rows = Contact.objects.filter(client_id=contact.client_id, role=ContactRole.APPROVER, ended_at=None)
    return rows.exclude(pk=contact.pk).exists()


def invitations_to(landing_path: str) -> list[Invitation]:
    """The links to one page that were not replaced, newest first."""
    rows = Invitation.objects.select_related("contact__user").filter(
        landing_path=landing_path, replaced_at=None
    )
    return list(rows.order_by("-expires_at"))


def last_reason(request: HttpRequest, engagement: Engagement) -> str:
    """What this person wrote the last time they entered."""
    rows = Visit.objects.filter(engagement=engagement, consultant_id=request.user.pk)
    return rows.order_by("-intended_at").values_list("reason", flat=True).first() or ""


def history_of_subject(row: Model) -> list[AuditEvent]:
    """What the record says of one row itself, newest first."""
    subject = f"{row._meta.label_lower}:{row.pk}"  # noqa: SLF001  # Django documents _meta
    rows = AuditEvent.objects.select_related("body").filter(subject=subject)
    return list(rows.order_by("-seq")[:HISTORY_SHOWN])


def rings_of(engagement: Engagement) -> list[Doorbell]:
    """Who rang, newest first."""
    rows = Doorbell.objects.select_related("answered_by").filter(engagement=engagement)
    return list(rows.order_by("-rung_at")[:RINGS_SHOWN])


def let_in_reason(request: HttpRequest, engagement: Engagement) -> str:
    """What the client let this person in for; empty while they did not."""
    rows = Doorbell.objects.filter(engagement=engagement, consultant_id=request.user.pk)
    rows = rows.filter(status=DoorbellStatus.LET_IN, expires_at__gt=Now())
    return rows.values_list("reason", flat=True).first() or ""


def newest_dead_letters() -> QuerySet[DeadLetter]:
    """What was dropped from the hub's queue last."""
    return DeadLetter.objects.order_by("-at")[:10]


def unpublished_offers() -> QuerySet[Offer]:
    """Offers of which a template is not in the bucket yet, of engagements that still need it."""
    missing = Q(template_version_id="") | Exists(
        Variant.objects.filter(offer=OuterRef("pk"), template_version_id="")
    )
    rows = Offer.objects.select_related("engagement__client").filter(missing)
    first = Q(change=None, engagement__status__in=(EngagementStatus.INVITED, EngagementStatus.AGREED))
    return rows.filter(first | Q(change__status__in=OPEN_CHANGES)).order_by("frozen_at")


def invitations_seen(request: HttpRequest, rows: QuerySet[Invitation]) -> QuerySet[Invitation]:
    """A consultant sees the links of engagements they are assigned to."""
    if role_of(request) != MemberRole.CONSULTANT:
        return rows
    mine = Engagement.objects.filter(pk__in=live_assignments(request.user.pk).values("engagement_id"))
    return rows.filter(landing_path__in=mine.annotate(path=landing_path()).values("path"))


def engagement_behind(request: HttpRequest, invitation: Invitation) -> Engagement | None:
    """What a link leads to, if this person sees it."""
    seen = engagements_seen(request, Engagement.objects.annotate(path=landing_path()))
    return seen.filter(Q(path=invitation.landing_path)).first()


def landing_path() -> Concat:
    """The address of a client's page, as a link keeps it."""
    return Concat(Value("/e/"), "code", Value("/"))
