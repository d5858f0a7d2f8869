"""The record that nobody can change, the mails and other deliveries, the links that were sent: to read only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from accounts.models import Client, Invitation
from portal.console import engagement_page, filters, marks, reads, words
from portal.kernel import audit, tenancy
from portal.kernel.admin import OWNERS, RECORD_READERS, Cell, Fact, Panel, ScopedModelAdmin, page_of
from portal.kernel.models import AuditBody, AuditEvent, AuditHead, OutboxMessage, OutboxState

BATCH: Final = 1000


@admin.register(AuditEvent)
class AuditEventAdmin(ScopedModelAdmin[AuditEvent]):
    """Everything that was done, in one chain per practice."""

    heading = "Audit log"
    readers = RECORD_READERS
    url_field = "seq"
    list_display = ("number", "when", "what", "who", "details")
    list_display_links = ("number",)
    list_filter = (filters.SourceFilter, filters.SinceFilter)
    list_select_related = ("body",)
    search_fields = ("kind", "body__text")
    ordering = ("-seq",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        """With the erasable part."""
        return super().get_queryset(request).select_related("body")

    def get_urls(self) -> list[URLPattern]:
        """Beside the usual ones, the page that verifies the chain."""
        verify = self._guarded(require_safe(self.verify_view))
        return [path("verify/", verify, name=self.url_name("verify")), *super().get_urls()]

    def list_tools(self, request: HttpRequest) -> list[Cell]:  # noqa: ARG002
        """The way to verify the chain."""
        return [Cell(text="Verify the chain", url=reverse(f"admin:{self.url_name('verify')}"))]

    @admin.display(description="No.", ordering="seq")
    def number(self, event: AuditEvent) -> int:
        """Its place in the chain."""
        return event.seq

    @admin.display(description="When", ordering="seq")
    def when(self, event: AuditEvent) -> str:
        """In the reader's zone."""
        return words.moment(event.at)

    @admin.display(description="What", ordering="kind")
    def what(self, event: AuditEvent) -> str:
        """In words."""
        return words.event(event.kind)

    @admin.display(description="Who")
    def who(self, event: AuditEvent) -> str:
        """A person, or the portal itself."""
        return engagement_page.who_did(event).text

    @admin.display(description="Details")
    def details(self, event: AuditEvent) -> str:
        """What was said about it."""
        return engagement_page.details_of(event) or "–"

    def page_title(self, obj: AuditEvent) -> str:
        """Number and words."""
        return f"No. {obj.seq}: {words.event(obj.kind)}"

    def panels(self, request: HttpRequest, obj: AuditEvent) -> list[Panel]:  # noqa: ARG002
        """Every stored column, and the erasable part."""
        told = words.told(reads.body_of(obj))
        client = _client_of(obj.client_id)
        who = Cell(text=engagement_page.who_did(obj).text, small=told.email)
        facts = [
            Fact(label="When", value=Cell(text=words.moment(obj.at))),
            Fact(label="Who", value=who),
            Fact(label="Client", value=_client(client)),
            *(Fact(label=key.capitalize(), value=Cell(text=value)) for key, value in told.details.items()),
        ]
        sealed = (
            Fact(label="Name of the event", value=Cell(text=obj.kind)),
            Fact(label="Subject", value=Cell(text=obj.subject)),
            Fact(label="Actor", value=Cell(text=obj.actor)),
            Fact(label="SHA-256 of the details", value=Cell(text=obj.body_sha256)),
            Fact(label="Follows", value=Cell(text=bytes(obj.prev).hex())),
            Fact(label="SHA-256 of this event", value=Cell(text=bytes(obj.hash).hex())),
        )
        return [
            Panel(key="event", title="What happened", facts=tuple(facts)),
            Panel(key="sealed", title="As it is sealed", facts=sealed),
        ]

    def verify_view(self, request: HttpRequest) -> HttpResponse:
        """Follows the chain from its first event to its head, and says whether a link is broken."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        head = AuditHead.objects.filter(pk=tenancy.practice_id()).first()
        fault = audit.first_fault(_events(), head=head) or audit.first_body_fault(_bodies())
        context = {
            "title": "Verify the audit log",
            "fault": fault,
            "count": head.seq if head else 0,
            "head": bytes(head.hash).hex() if head else "",
        }
        return self.respond(request, "admin/audit_verify.html", context)


def _events() -> Iterator[AuditEvent]:
    """The whole chain in batches: it may be long, and server-side cursors are shut."""
    last = 0
    while batch := list(_chain().filter(seq__gt=last).order_by("seq")[:BATCH]):
        yield from batch
        last = batch[-1].seq


def _bodies() -> Iterator[AuditBody]:
    last = 0
    rows = AuditBody.objects.filter(practice_id=tenancy.practice_id()).select_related("event")
    while batch := list(rows.filter(event__seq__gt=last).order_by("event__seq")[:BATCH]):
        yield from batch
        last = batch[-1].event.seq


def _chain() -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(practice_id=tenancy.practice_id())


def _client_of(client_id: UUID | None) -> Client | None:
    return Client.objects.filter(pk=client_id).first() if client_id else None


def _client(client: Client | None) -> Cell:
    return Cell(text=client.name, url=page_of(Client).page_url(client)) if client else Cell(text="none")


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ScopedModelAdmin[OutboxMessage]):
    """Mails and other promises: what was sent, what waits, what was given up."""

    heading = "Mail and deliveries"
    readers = OWNERS
    list_display = ("made", "what", "state_words", "attempts", "trouble")
    list_display_links = ("made",)
    list_filter = (filters.DeliveryFilter,)
    search_fields = ("kind", "last_error")
    ordering = ("-id",)

    @admin.display(description="Promised", ordering="created_at")
    def made(self, message: OutboxMessage) -> str:
        """When its cause happened."""
        return words.moment(message.created_at)

    @admin.display(description="What", ordering="kind")
    def what(self, message: OutboxMessage) -> str:
        """In words."""
        return words.DELIVERY_KINDS.get(message.kind, message.kind)

    @admin.display(description="State", ordering="state")
    def state_words(self, message: OutboxMessage) -> SafeString:
        """Where it is."""
        return marks.tag(words.DELIVERIES[OutboxState(message.state)])

    @admin.display(description="Last error")
    def trouble(self, message: OutboxMessage) -> str:
        """Why it has not arrived."""
        return message.last_error or "–"

    def page_title(self, obj: OutboxMessage) -> str:
        """What it is."""
        return words.DELIVERY_KINDS.get(obj.kind, obj.kind)

    def page_tag(self, obj: OutboxMessage) -> Cell:
        """Where it is."""
        return words.DELIVERIES[OutboxState(obj.state)]

    def panels(self, request: HttpRequest, obj: OutboxMessage) -> list[Panel]:  # noqa: ARG002
        """When, how often, and why not."""
        client = _client_of(obj.client_id)
        facts = (
            Fact(label="Client", value=_client(client)),
            Fact(label="Promised", value=Cell(text=words.moment(obj.created_at))),
            Fact(label="Sent", value=Cell(text=words.moment(obj.sent_at, "not yet"))),
            Fact(label="Tries", value=Cell(text=str(obj.attempts))),
            Fact(label="Next try", value=Cell(text=_next_try(obj))),
            Fact(label="Last error", value=Cell(text=obj.last_error or "none")),
        )
        return [Panel(key="delivery", title="Delivery", facts=facts)]


def _next_try(message: OutboxMessage) -> str:
    is_over = message.state in {OutboxState.SENT, OutboxState.DEAD}
    return "none" if is_over else words.moment(message.next_at)


@admin.register(Invitation)
class InvitationAdmin(ScopedModelAdmin[Invitation]):
    """Links that were mailed to people at clients. The links themselves are not stored."""

    heading = "Invitations"
    list_display = ("person", "client_name", "state", "invited_by_name", "until")
    list_display_links = ("person",)
    search_fields = ("contact__user__name", "contact__user__email", "client__name")
    ordering = ("-expires_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Invitation]:
        """With the people, and only of engagements that this person sees."""
        rows = reads.invitations_seen(request, super().get_queryset(request))
        return rows.select_related("contact__user", "client", "invited_by")

    @admin.display(description="Sent to", ordering="contact__user__name")
    def person(self, invitation: Invitation) -> str:
        """Whom it lets in."""
        return invitation.contact.user.name

    @admin.display(description="Client", ordering="client__name")
    def client_name(self, invitation: Invitation) -> str:
        """Where they are."""
        return invitation.client.name

    @admin.display(description="Link")
    def state(self, invitation: Invitation) -> SafeString:
        """What became of it."""
        return marks.tag(engagement_page.invitation_state(invitation))

    @admin.display(description="Invited by", ordering="invited_by__name")
    def invited_by_name(self, invitation: Invitation) -> str:
        """In whose name."""
        return invitation.invited_by.name

    @admin.display(description="Works until", ordering="expires_at")
    def until(self, invitation: Invitation) -> str:
        """Seven days from when it was made."""
        return words.moment(invitation.expires_at)

    def page_title(self, obj: Invitation) -> str:
        """To whom."""
        return f"Invitation of {obj.contact.user.name}"

    def page_tag(self, obj: Invitation) -> Cell:
        """What became of it."""
        return engagement_page.invitation_state(obj)

    def panels(self, request: HttpRequest, obj: Invitation) -> list[Panel]:
        """To whom, for what, and what became of it."""
        facts = (
            Fact(label="Sent to", value=Cell(text=obj.contact.user.name, small=obj.contact.user.email)),
            Fact(label="Client", value=_client(obj.client)),
            Fact(label="For", value=_target(request, obj)),
            Fact(label="Invited by", value=Cell(text=obj.invited_by.name)),
            Fact(label="Works until", value=Cell(text=words.moment(obj.expires_at))),
            Fact(label="Opened", value=Cell(text=words.moment(obj.used_at, "not yet"))),
        )
        return [Panel(key="invitation", title="Invitation", facts=facts)]


def _target(request: HttpRequest, invitation: Invitation) -> Cell:
    engagement = reads.engagement_behind(request, invitation)
    if engagement is None:
        return Cell(text="the portal")
    return Cell(text=engagement.title, url=engagement_page.page_url(engagement))
