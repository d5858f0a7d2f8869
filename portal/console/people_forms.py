"""Forms about people: at clients, in the practice, and who works on what."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.db.models import Model, QuerySet

from accounts.lifecycle import ContactRole, MemberRole
from accounts.models import Contact, User
from engagements.lifecycle import AssignmentRole
from engagements.models import Assignment
from portal.console.forms import MomentInput, offer_rows
from portal.console.words import ROLES
from portal.kernel.fields import Line


class InviteForm(forms.Form):
    """Whom to send a link."""

    contact = forms.ModelChoiceField(
        label="Send it to",
        queryset=Contact.objects.none(),
        empty_label=None,
        widget=forms.RadioSelect,
        help_text="Links that this person got before stop working.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's own
        super().__init__(*args, **kwargs)
        self.fields["contact"].label_from_instance = _reach  # type: ignore[attr-defined]  # a ModelChoiceField

    def offer(self, contacts: QuerySet[Contact]) -> None:
        """The people to choose from; the first stands ready."""
        offer_rows(self, "contact", contacts)
        self.initial.setdefault("contact", contacts.values_list("pk", flat=True).first())


class AssignForm(forms.Form):
    """Who else works on it."""

    consultant = forms.ModelChoiceField(queryset=User.objects.none(), empty_label="Choose a person")
    role = forms.ChoiceField(
        label="Part",
        choices=[(role.value, ROLES[role]) for role in (AssignmentRole.MEMBER, AssignmentRole.OBSERVER)],
        widget=forms.RadioSelect,
        initial=AssignmentRole.MEMBER,
    )

    starts_at = forms.DateTimeField(
        label="From", required=False, widget=MomentInput, help_text="Leave it empty for “from now on”."
    )
    ends_at = forms.DateTimeField(
        label="Until",
        required=False,
        widget=MomentInput,
        help_text="Ends by itself then. Leave it empty for “to the end of the project”.",
    )

    def offer(self, people: QuerySet[User]) -> None:
        """The people to choose from."""
        offer_rows(self, "consultant", people)


class LeadForm(forms.Form):
    """Who leads it from now on."""

    lead = forms.ModelChoiceField(
        label="Leads it from now on",
        queryset=User.objects.none(),
        empty_label="Choose a person",
        help_text="The client reads this name and can reach this person.",
    )

    def offer(self, people: QuerySet[User]) -> None:
        """The people to choose from."""
        offer_rows(self, "lead", people)


class ReleaseForm(forms.Form):
    """Who is taken off it."""

    assignment = forms.ModelChoiceField(
        label="Person", queryset=Assignment.objects.none(), empty_label=None, widget=forms.RadioSelect
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's own
        super().__init__(*args, **kwargs)
        self.fields["assignment"].label_from_instance = _part  # type: ignore[attr-defined]  # a ModelChoiceField

    def offer(self, rows: QuerySet[Assignment]) -> None:
        """The parts that can end."""
        offer_rows(self, "assignment", rows)


class SuccessorForm(forms.Form):
    """Who leads what somebody led."""

    successor = forms.ModelChoiceField(
        label="Leads their projects from now on",
        queryset=User.objects.none(),
        required=False,
        empty_label="Nobody: they lead nothing",
        help_text="Needed only for somebody who leads a project. Its client is told.",
    )

    def offer(self, people: QuerySet[User]) -> None:
        """The people to choose from."""
        offer_rows(self, "successor", people)


class MemberRoleForm(SuccessorForm):
    """What somebody is in the practice."""

    role = forms.ChoiceField(
        choices=[(role.value, ROLES[role]) for role in MemberRole], widget=forms.RadioSelect
    )
    field_order = ("role", "successor")


class ContactRoleForm(forms.Form):
    """What somebody does at a client."""

    role = forms.ChoiceField(
        label="What they do",
        choices=[(role.value, ROLES[role]) for role in ContactRole],
        widget=forms.RadioSelect,
    )


class ClientForm(forms.Form):
    """An organisation."""

    name = Line(max_length=120)


class PersonForm(forms.Form):
    """Somebody, found again by address."""

    email = forms.EmailField(label="Email address", max_length=254)
    name = Line(max_length=120)
    title = Line(label="Job title", required=False, max_length=120)


class ContactForm(PersonForm):
    """Somebody at a client."""

    phone = Line(required=False, max_length=40)
    language = forms.ChoiceField(
        required=False,
        choices=[("", "Not known: English, until they read in another"), *settings.LANGUAGES],
        help_text="Of their pages and emails. Somebody who is known here already keeps their own.",
    )
    role = forms.ChoiceField(
        label="What they do",
        choices=[(role.value, ROLES[role]) for role in ContactRole],
        widget=forms.RadioSelect,
        initial=ContactRole.APPROVER,
    )


class MemberForm(PersonForm):
    """Somebody in the practice."""

    role = forms.ChoiceField(
        choices=[(role.value, ROLES[role]) for role in MemberRole],
        widget=forms.RadioSelect,
        initial=MemberRole.CONSULTANT,
    )


def _part(row: Model) -> str:
    return f"{row.consultant.name}: {ROLES[row.role]}" if isinstance(row, Assignment) else str(row)


def _reach(contact: Model) -> str:
    return f"{contact.user.name}, {contact.user.email}" if isinstance(contact, Contact) else str(contact)
