"""Clients with their contacts, and the practice's own people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest

from accounts.lifecycle import ContactRole, MemberRole
from accounts.models import Client, Membership
from accounts.services.people import Person, client_add, contact_add, membership_add
from engagements.models import Engagement
from portal.console import reads, words
from portal.console.forms import ClientForm, ContactForm, MemberForm
from portal.kernel.admin import (
    OWNERS,
    WRITERS,
    Cell,
    Fact,
    ObjectAction,
    Panel,
    ScopedModelAdmin,
    Table,
    page_of,
)
from portal.kernel.web import actor_of


def _contact_added(request: HttpRequest, client: Client, asked: Mapping[str, Any]) -> str:
    person = Person(email=asked["email"], name=asked["name"], phone=asked["phone"])
    contact_add(
        client=client,
        person=person,
        role=ContactRole(asked["role"]),
        title=asked["title"],
        actor=actor_of(request),
    )
    return f"{asked['name']} was added. They hear of it when you send an engagement."


def _explain_contact(client: Client) -> list[str]:
    return [f"Adds a person at {client}. Nobody is mailed yet."]


@admin.register(Client)
class ClientAdmin(ScopedModelAdmin[Client]):
    """Organisations that the practice works for."""

    heading = "Clients"
    url_field = "code"
    add_heading = "Add client"
    add_form = ClientForm
    adders = WRITERS
    list_display = ("name", "contact_count", "engagement_count")
    list_display_links = ("name",)
    search_fields = ("name",)
    ordering = ("name",)
    object_actions = (
        ObjectAction(
            slug="add-contact",
            label="Add contact",
            title="Add contact",
            explain=_explain_contact,
            run=_contact_added,
            form=ContactForm,
            is_main=True,
            step_up=True,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Client]:
        """With the numbers of the list."""
        seen = reads.engagements_seen(request, Engagement.objects.all())
        return (
            super()
            .get_queryset(request)
            .annotate(
                contact_total=Count("contacts", filter=Q(contacts__ended_at=None), distinct=True),
                engagement_total=Count("engagements", filter=Q(engagements__in=seen), distinct=True),
            )
        )

    @admin.display(description="Contacts", ordering="contact_total")
    def contact_count(self, client: Client) -> int:
        """People there."""
        return int(vars(client)["contact_total"])

    @admin.display(description="Engagements", ordering="engagement_total")
    def engagement_count(self, client: Client) -> int:
        """Gigs there that this person sees."""
        return int(vars(client)["engagement_total"])

    def add(self, request: HttpRequest, asked: Mapping[str, Any]) -> Client:  # Any: a form's cleaned data
        """Add the organisation to the practice in force; the form does not say which that is."""
        practice = request.membership.practice  # type: ignore[attr-defined]  # put there by ScopeMiddleware
        return client_add(practice=practice, name=asked["name"], actor=actor_of(request))

    def panels(self, request: HttpRequest, obj: Client) -> list[Panel]:
        """People and gigs."""
        return [_contacts_panel(obj), _engagements_panel(request, obj)]


def _contacts_panel(client: Client) -> Panel:
    rows = tuple(
        (
            Cell(text=contact.user.name, small=contact.title),
            Cell(text=words.ROLES[contact.role]),
            Cell(text=contact.user.email, small=contact.user.phone),
        )
        for contact in reads.contacts_of(client.pk)
    )
    table = Table(
        headings=("Name", "What they do", "Reach"),
        rows=rows,
        empty="Nobody yet. Add somebody who may agree, so that an engagement can be sent.",
    )
    return Panel(key="contacts", title="Contacts", table=table)


def _engagements_panel(request: HttpRequest, client: Client) -> Panel:
    seen = reads.engagements_seen(request, Engagement.objects.filter(client=client))
    table = engagement_table(reads.with_standing(request, seen).order_by("-ends_at"))
    return Panel(key="engagements", title="Engagements", table=table)


def engagement_table(rows: QuerySet[Engagement]) -> Table:
    """Gigs with their words, each leading to its page."""
    site = page_of(Engagement)
    return Table(
        headings=("Title", "Status", "Ends"),
        rows=tuple(
            (
                Cell(text=row.title, url=site.page_url(row)),
                words.standing_cell(row.status, has_problem=reads.noted(row, "has_problem")),
                Cell(text=words.day(row.ends_at)),
            )
            for row in rows
        ),
    )


@admin.register(Membership)
class MembershipAdmin(ScopedModelAdmin[Membership]):
    """The practice's own people."""

    heading = "People"
    add_heading = "Add person"
    add_form = MemberForm
    add_step_up = True
    adders = OWNERS
    list_display = ("person", "email", "role_words", "title")
    list_display_links = ("person",)
    list_select_related = ("user",)
    search_fields = ("user__name", "user__email")
    ordering = ("user__name",)

    @admin.display(description="Name", ordering="user__name")
    def person(self, membership: Membership) -> str:
        """Who."""
        return membership.user.name

    @admin.display(description="Email address", ordering="user__email")
    def email(self, membership: Membership) -> str:
        """Where to reach them."""
        return membership.user.email

    @admin.display(description="Role", ordering="role")
    def role_words(self, membership: Membership) -> str:
        """What they are here, or were."""
        return "Left" if membership.ended_at else words.ROLES[membership.role]

    def add(self, request: HttpRequest, asked: Mapping[str, Any]) -> Membership:  # Any: a form's cleaned data
        """Add somebody to the practice in force."""
        return membership_add(
            practice=request.membership.practice,  # type: ignore[attr-defined]  # put there by ScopeMiddleware
            person=Person(email=asked["email"], name=asked["name"]),
            role=MemberRole(asked["role"]),
            title=asked["title"],
            actor=actor_of(request),
        )

    def page_title(self, obj: Membership) -> str:
        """The person's name."""
        return obj.user.name

    def panels(self, request: HttpRequest, obj: Membership) -> list[Panel]:
        """Who they are and where they work."""
        facts = (
            Fact(label="Email address", value=Cell(text=obj.user.email)),
            Fact(label="Role", value=Cell(text=self.role_words(obj), small=obj.title)),
        )
        theirs = Engagement.objects.filter(pk__in=reads.live_assignments(obj.user_id).values("engagement_id"))
        rows = reads.with_standing(request, reads.engagements_seen(request, theirs)).order_by("-ends_at")
        return [
            Panel(key="person", title="Person", facts=facts),
            Panel(key="engagements", title="Works on", table=engagement_table(rows)),
        ]
