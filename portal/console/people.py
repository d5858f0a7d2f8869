"""Clients with their contacts, and the practice's own people: how they come, change and leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts.lifecycle import ContactRole, MemberRole
from accounts.models import Client, Contact, Membership
from accounts.services.people import Person, client_add, contact_add, membership_add, person_sign_out
from engagements.models import Engagement
from engagements.services.people import (
    contact_change_role,
    contact_end,
    membership_change_role,
    membership_end,
)
from portal.console import mails, marks, reads, words
from portal.console.engagement_page import history_panel
from portal.console.filters import MailFilter
from portal.console.people_forms import (
    ClientForm,
    ContactForm,
    ContactRoleForm,
    MemberForm,
    MemberRoleForm,
    SuccessorForm,
)
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
    person = Person(
        email=asked["email"], name=asked["name"], phone=asked["phone"], language=asked["language"]
    )
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
            Cell(text=contact.user.name, small=contact.title, url=page_of(Contact).page_url(contact)),
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


def _contact_role(request: HttpRequest, contact: Contact, asked: Mapping[str, Any]) -> str:
    role = ContactRole(asked["role"])
    contact_change_role(contact=contact, role=role, actor=actor_of(request))
    return f"Saved. {contact.user.name}: {words.ROLES[role]}."


def _explain_contact_role(contact: Contact) -> list[str]:
    return [
        "Holds from their next click on. What they agreed to before stays agreed.",
        *_nobody_may_agree(contact),
    ]


def _contact_left(request: HttpRequest, contact: Contact, _asked: Mapping[str, Any]) -> str:
    contact_end(contact=contact, actor=actor_of(request))
    return f"{contact.user.name} is out: their links and sign-ins ended with it."


def _explain_contact_left(contact: Contact) -> list[str]:
    return [
        f"{contact.user.name} is signed out everywhere, and sees nothing of {contact.client} any more.",
        "Links that were mailed to them stop working. What they agreed to stays agreed.",
        *_nobody_may_agree(contact),
    ]


def _nobody_may_agree(contact: Contact) -> list[str]:
    """What only they can answer, said before it is too late."""
    waiting = reads.waiting_for_an_answer(contact.client_id)
    if contact.role != ContactRole.APPROVER or reads.other_approvers(contact):
        return []
    titles = ", ".join(f"“{engagement.title}”" for engagement in waiting)
    asked = f" {titles} waits for an answer." if waiting else ""
    return [f"Nobody else at {contact.client} may agree.{asked} Add somebody who may."]


def _signed_out(request: HttpRequest, seat: Membership | Contact, _asked: Mapping[str, Any]) -> str:
    person_sign_out(seat=seat, actor=actor_of(request))
    return f"{seat.user.name} is signed out everywhere."


def _explain_signed_out(seat: Membership | Contact) -> list[str]:
    return [
        f"Every browser in which {seat.user.name} is signed in has to sign in again, from the next click on.",
        "For a lost laptop or telephone. Nothing else changes, and the record tells of it.",
    ]


def _is_here(membership: Membership) -> bool:
    return membership.ended_at is None


def _is_ours_to_tend(contact: Contact) -> bool:
    return contact.ended_at is None and bool(reads.noted(contact, "may_staff"))


@admin.register(Contact)
class ContactAdmin(ScopedModelAdmin[Contact]):
    """The clients' people."""

    heading = "Contacts"
    empty_words = "Nobody yet. Contacts are added on their client’s page."
    list_display = ("person", "client_name", "role_words", "email", "mail")
    list_display_links = ("person",)
    list_filter = (MailFilter,)
    list_select_related = ("user", "client")
    search_fields = ("user__name", "user__email", "client__name")
    ordering = ("user__name",)
    object_actions = (
        mails.RESEND,
        ObjectAction(
            slug="role",
            step_up=True,
            label="Change role",
            title="Change what they do",
            explain=_explain_contact_role,
            run=_contact_role,
            offered=_is_ours_to_tend,
            form=ContactRoleForm,
            initial=lambda _request, contact: {"role": contact.role},
            button="Save",
        ),
        ObjectAction(
            slug="sign-out",
            label="Sign out everywhere",
            title="Sign this contact out everywhere",
            explain=_explain_signed_out,
            run=_signed_out,
            offered=_is_ours_to_tend,
            button="Sign them out",
        ),
        ObjectAction(
            slug="end",
            label="Remove",
            title="Remove this contact",
            explain=_explain_contact_left,
            run=_contact_left,
            offered=_is_ours_to_tend,
            button="Remove them now",
            is_grave=True,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contact]:
        """With all that their page says."""
        return mails.with_mail_state(reads.with_tending(request, super().get_queryset(request)))

    @admin.display(description="Name", ordering="user__name")
    def person(self, contact: Contact) -> str:
        """Who."""
        return contact.user.name

    @admin.display(description="Client", ordering="client__name")
    def client_name(self, contact: Contact) -> str:
        """Where."""
        return contact.client.name

    @admin.display(description="Email address", ordering="user__email")
    def email(self, contact: Contact) -> str:
        """Where to reach them."""
        return contact.user.email

    @admin.display(description="Mail")
    def mail(self, contact: Contact) -> SafeString | str:
        """What is wrong with it, if anything is."""
        found = mails.badge(reads.noted(contact, "mail_state"))
        return marks.tag(found) if found is not None else "–"

    @admin.display(description="What they do", ordering="role")
    def role_words(self, contact: Contact) -> str:
        """What they may do, or could."""
        return "Left" if contact.ended_at else words.ROLES[contact.role]

    def page_title(self, obj: Contact) -> str:
        """The person's name."""
        return obj.user.name

    def page_tag(self, obj: Contact) -> Cell | None:
        """That no mail reaches them, if so."""
        return mails.badge(reads.noted(obj, "mail_state"))

    def page_subtitle(self, obj: Contact) -> str:
        """Where."""
        return obj.client.name

    def panels(self, request: HttpRequest, obj: Contact) -> list[Panel]:  # noqa: ARG002
        """Who they are, and what became of them here."""
        facts = [
            Fact(label="Client", value=Cell(text=obj.client.name, url=page_of(Client).page_url(obj.client))),
            Fact(label="What they do", value=Cell(text=self.role_words(obj), small=obj.title)),
            Fact(label="Reach", value=Cell(text=obj.user.email, small=obj.user.phone)),
            mails.fact_of(obj),
        ]
        if obj.ended_at:
            facts.append(Fact(label="Left on", value=Cell(text=words.moment(obj.ended_at))))
        return [
            Panel(key="person", title="Person", facts=tuple(facts)),
            history_panel(reads.history_of_subject(obj)),
        ]


def _member_role(request: HttpRequest, membership: Membership, asked: Mapping[str, Any]) -> str:
    role = MemberRole(asked["role"])
    membership_change_role(
        membership=membership, role=role, successor=asked["successor"], actor=actor_of(request)
    )
    return f"Saved. {membership.user.name}: {words.ROLES[role]}."


def _explain_member_role(membership: Membership) -> list[str]:
    return [
        "Holds from their next click on.",
        "An auditor changes nothing, so for an auditor every assignment ends.",
        *_leads(membership),
    ]


def _member_left(request: HttpRequest, membership: Membership, asked: Mapping[str, Any]) -> str:
    membership_end(membership=membership, successor=asked["successor"], actor=actor_of(request))
    return f"{membership.user.name} is out: their assignments and sign-ins ended with it."


def _explain_member_left(membership: Membership) -> list[str]:
    return [
        f"{membership.user.name} is signed out everywhere, and can start no visit from the next second on.",
        "All their assignments end, and the clients are told. A visit that is open now ends within the hour.",
        *_leads(membership),
    ]


def _leads(membership: Membership) -> list[str]:
    led = [f"“{one.title}” at {one.client.name}" for one in reads.led_by(membership.user_id)]
    if not led:
        return []
    return [f"{membership.user.name} leads {', '.join(led)}. Choose who leads from now on."]


def _fit_successor(form: forms.Form, membership: Membership) -> None:
    if isinstance(form, SuccessorForm):
        form.offer(reads.people_who_work().exclude(pk=membership.user_id))


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
    object_actions = (
        ObjectAction(
            slug="role",
            step_up=True,
            label="Change role",
            title="Change the role",
            explain=_explain_member_role,
            run=_member_role,
            roles=OWNERS,
            offered=_is_here,
            form=MemberRoleForm,
            initial=lambda _request, membership: {"role": membership.role},
            fit=_fit_successor,
            button="Save",
        ),
        ObjectAction(
            slug="sign-out",
            label="Sign out everywhere",
            title="Sign this person out everywhere",
            explain=_explain_signed_out,
            run=_signed_out,
            roles=OWNERS,
            offered=_is_here,
            button="Sign them out",
        ),
        ObjectAction(
            slug="end",
            label="Remove",
            title="Remove this person",
            explain=_explain_member_left,
            run=_member_left,
            roles=OWNERS,
            offered=_is_here,
            form=SuccessorForm,
            fit=_fit_successor,
            button="Remove them now",
            is_grave=True,
        ),
    )

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
        facts = [
            Fact(label="Email address", value=Cell(text=obj.user.email)),
            Fact(label="Role", value=Cell(text=self.role_words(obj), small=obj.title)),
        ]
        if obj.ended_at:
            facts.append(Fact(label="Left on", value=Cell(text=words.moment(obj.ended_at))))
        theirs = Engagement.objects.filter(pk__in=reads.live_assignments(obj.user_id).values("engagement_id"))
        rows = reads.with_standing(request, reads.engagements_seen(request, theirs)).order_by("-ends_at")
        return [
            Panel(key="person", title="Person", facts=tuple(facts)),
            Panel(key="engagements", title="Works on", table=engagement_table(rows)),
        ]
