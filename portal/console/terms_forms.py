"""Forms for what is asked of a client: which access, with which lines, and until when."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.timezone import localtime

from accounts.models import Client, User
from engagements.models import MOST_APPROVALS
from engagements.selectors import profiles_offered
from engagements.services.drafts import MOST_OPTIONAL
from portal.console.forms import MomentInput, account_typed, offer_rows
from portal.kernel import clock, tenancy
from portal.kernel.fields import Line

USUAL_LENGTH: Final = dt.timedelta(weeks=4)


def profile_choices() -> list[tuple[str, str]]:
    """What can be asked for: the shipped profiles, then the practice's own."""
    return [(profile.code, f"{profile.title}: {profile.summary}") for profile in profiles_offered()]


def line_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Every optional line under the title of its profile. A value is `profile:line`."""
    return [
        (
            profile.title,
            [(line_value(profile.code, line.key), line.title) for line in profile.optional_lines],
        )
        for profile in profiles_offered()
        if profile.optional_lines
    ]


def line_value(profile: str, key: str) -> str:
    """How a form names a line."""
    return f"{profile}:{key}"


def _in_four_weeks() -> dt.datetime:
    return localtime(clock.now() + USUAL_LENGTH).replace(hour=18, minute=0, second=0, microsecond=0)


class AccessForm(forms.Form):
    """What kind of access, with which lines to add, and until when."""

    profile = forms.ChoiceField(
        label="Kind of access", choices=profile_choices, widget=forms.RadioSelect, initial="cost_review"
    )
    optional = forms.MultipleChoiceField(
        label="Lines that the client may add",
        choices=line_choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=(
            "The client sees these as boxes to tick, off at first. "
            f"{MOST_OPTIONAL} at most, of the kind of access above. What you leave out is not offered."
        ),
    )
    ends_at = forms.DateTimeField(
        label="Ends",
        widget=MomentInput,
        initial=_in_four_weeks,
        help_text="Access ends by itself at this time.",
    )

    def clean_ends_at(self) -> dt.datetime:
        """A moment that is still to come."""
        ends_at: dt.datetime = self.cleaned_data["ends_at"]
        if ends_at <= clock.now():
            raise ValidationError("The end of the access must lie in the future.")
        return ends_at

    def clean(self) -> dict[str, Any]:  # Any: Django's own
        """The lines by their keys, all of the profile that was chosen."""
        asked = self.cleaned_data
        if "profile" in asked and "optional" in asked:
            asked["optional"] = lines_of(self, asked["profile"], asked["optional"])
        return asked


class TermsForm(AccessForm):
    """What will be asked of a client, whoever leads it."""

    title = Line(max_length=120, help_text="A short name, such as “Cost review”.")
    purpose = Line(
        max_length=300,
        help_text="Ends the sentence “Northgate asks for access …”, such as “to find out why the bill went up”.",
    )
    account_id = Line(
        label="AWS account number",
        required=False,
        max_length=20,
        help_text="12 digits. Leave it empty if you don’t know it: the client fills it in.",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    account_name = Line(
        required=False, max_length=120, help_text="What the client calls it, such as “Production”."
    )
    contract_reference = Line(required=False, max_length=60)
    approvals_needed = forms.ChoiceField(
        label="How many people at the client have to agree",
        choices=[
            ("", "By risk: one to look, two to change things"),
            *((number, str(number)) for number in range(1, MOST_APPROVALS + 1)),
        ],
        required=False,
        help_text="Each of them agrees by themselves, and one no ends it. “By risk” asks no more people than may agree.",
    )
    code_at_agreement = forms.BooleanField(
        label="Ask for a code by email when they agree",
        required=False,
        help_text="Stronger evidence of who agreed, and one more thing to type.",
    )
    field_order: tuple[str, ...] = ("title", "purpose", "profile", "optional", "ends_at")

    doorbell = forms.BooleanField(
        label="Let the client open the door for each visit",
        required=False,
        help_text="Before each visit you ring, and wait until somebody who may agree lets you in.",
    )
    break_glass = forms.BooleanField(
        label="Except in an emergency",
        required=False,
        help_text="Then you may go in without waiting, and the client is told at once. They agree to that, too.",
    )

    def clean(self) -> dict[str, Any]:  # Any: Django's own
        """An exception needs its rule."""
        found = {**(super().clean() or {}), **self.cleaned_data}
        if found.get("break_glass") and not found.get("doorbell"):
            self.add_error(
                "break_glass", "Without a doorbell nobody waits, so there is nothing to leave out."
            )
        return found

    def clean_account_id(self) -> str:
        """Twelve digits, or nothing."""
        return account_typed(self.cleaned_data["account_id"])

    def clean_approvals_needed(self) -> int | None:
        """None: by risk."""
        chosen = self.cleaned_data["approvals_needed"]
        return int(chosen) if chosen else None


def lines_of(form: forms.Form, profile: str, values: list[str]) -> tuple[str, ...]:
    """The keys of the chosen lines. A line of another profile is a fault at the field: it may be a slip in either."""
    titles = {value: f"{group}: {title}" for group, lines in line_choices() for value, title in lines}
    strange = [titles[value] for value in values if not value.startswith(f"{profile}:")]
    if strange:
        form.add_error(
            "optional", f"“{strange[0]}” belongs to another kind of access than the one you chose."
        )
    if len(values) > MOST_OPTIONAL:
        form.add_error("optional", f"Choose {MOST_OPTIONAL} at most.")
    return tuple(value.partition(":")[2] for value in values)


class ChangeForm(AccessForm):
    """Another access, or another end, for what is on."""


class EditForm(TermsForm):
    """A draft that is written anew; `seen` tells what the person began from."""

    seen = forms.CharField(widget=forms.HiddenInput, max_length=64)


class DraftForm(TermsForm):
    """What will be asked, of whom, and who leads it."""

    client = forms.ModelChoiceField(queryset=Client.objects.none(), empty_label="Choose a client")
    lead = forms.ModelChoiceField(
        label="Lead consultant",
        queryset=User.objects.none(),
        empty_label=None,
        help_text="The client reads this name and can reach this person.",
    )
    field_order = ("client", "lead", "title", "purpose", "profile", "optional", "ends_at")

    def __init__(
        self, *args: Any, leads: QuerySet[User], me: User, **kwargs: Any
    ) -> None:  # Any: Django's own
        super().__init__(*args, **kwargs)
        clients = Client.objects.filter(practice_id=tenancy.practice_id()).order_by("name")
        offer_rows(self, "client", clients)
        offer_rows(self, "lead", leads)
        self.initial.setdefault("lead", me.pk)
