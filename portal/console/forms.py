"""What several of the console's forms are made of. In all of them every field is named, and nothing else is read."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from awsaccess.aws.arns import BadAccountId, parse_account_id
from portal.kernel.fields import Line, Lines


class MomentInput(forms.DateTimeInput):
    """One labelled field for date and time; stock admin's split inputs have no labels."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


class ReasonForm(forms.Form):
    """Why, if one wants to say so."""

    reason = Line(required=False, max_length=300, help_text="The client reads it.")


class WishForm(forms.Form):
    """The wish that was read: what came since then is not answered by it."""

    wish = Line(widget=forms.HiddenInput, max_length=36)

    def clean_wish(self) -> UUID:
        """Its key; a text that is none was not written by our page."""
        try:
            return UUID(self.cleaned_data["wish"])
        except ValueError:
            raise ValidationError("Open the page again: this is no wish of theirs.") from None


class WishRefuseForm(WishForm):
    """Why the practice cannot use the account."""

    reason = Line(max_length=300, help_text="The client reads it.")


class AnswerForm(forms.Form):
    """An answer to the client."""

    answer = Lines(
        max_length=1000,
        label="Your answer",
        help_text="The client gets it by mail, and reads it on their page.",
        widget=forms.Textarea(attrs={"rows": 5}),
    )


def account_typed(text: str) -> str:
    """Twelve digits, or nothing. Raises ValidationError."""
    try:
        return parse_account_id(text) if text.strip() else ""
    except BadAccountId as error:
        raise ValidationError(str(error)) from None


def offer_rows(form: forms.Form, name: str, rows: QuerySet[Any]) -> None:  # Any: whatever is chosen from
    """Let a field choose among these."""
    field = form.fields[name]
    if isinstance(field, forms.ModelChoiceField):
        field.queryset = rows
