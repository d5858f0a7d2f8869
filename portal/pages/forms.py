"""What client pages take in. Words of refusal are those that the page shows beside the field."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy

from awsaccess.aws.arns import BadAccountId, parse_account_id
from portal.kernel.fields import Line, Lines

# What comes along when a number is pasted from a page or a mail.
NOT_A_DIGIT: Final = re.compile(r"[\s\u2010-\u2015.]")
NO_ACCOUNT: Final = gettext_lazy("An AWS account number has 12 digits. You find it at the top right in AWS.")


class AgreeForm(forms.Form):
    """The tick, the account's number where nobody knows it yet, and the mailed code once one is out."""

    account_id = Lines(
        label=gettext_lazy("Your AWS account number"),
        help_text=gettext_lazy("12 digits, at the top right in AWS. Spaces and dashes are fine."),
        error_messages={"required": gettext_lazy("Enter the 12 digits of your AWS account number")},
        max_length=40,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "spellcheck": "false"}),
    )
    code = Lines(
        label=gettext_lazy("The code we emailed you"),
        help_text=gettext_lazy("6 digits. It works for ten minutes, and only for this page."),
        error_messages={"required": gettext_lazy("Enter the 6 digits of the code we emailed you")},
        max_length=20,
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "one-time-code", "spellcheck": "false"}
        ),
    )
    agree = forms.BooleanField(
        error_messages={"required": gettext_lazy("Tick the box if you agree")},
        label="",
    )

    optional = forms.MultipleChoiceField(required=False, label="")

    def __init__(
        self,
        *args: Any,  # Any: Django's own
        account_known: bool,
        optional: Sequence[str] = (),
        ticked: Sequence[str] = (),
        code_out: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.ticked_before = list(ticked)
        if account_known:
            del self.fields["account_id"]
        if not code_out:
            del self.fields["code"]
        field = self.fields["optional"]
        if isinstance(field, forms.MultipleChoiceField):
            field.choices = [(key, key) for key in optional]

    @property
    def takes_code(self) -> bool:
        """True while there is a code to type."""
        return "code" in self.fields

    @property
    def ticked(self) -> list[str]:
        """The optional lines that are ticked: as they were sent, or as they stood there before."""
        return (
            list(self.cleaned_data.get("optional", ())) or self.ticked_before
            if self.is_bound
            else self.ticked_before
        )

    def clean_account_id(self) -> str:
        """Twelve digits, however they were typed."""
        try:
            return parse_account_id(NOT_A_DIGIT.sub("", self.cleaned_data["account_id"]))
        except BadAccountId:
            raise forms.ValidationError(NO_ACCOUNT) from None


class QuestionForm(forms.Form):
    """What somebody wants to know."""

    question = Lines(
        max_length=1000,
        label=gettext_lazy("Your question"),
        error_messages={"required": gettext_lazy("Write your question")},
        widget=forms.Textarea(attrs={"rows": 5}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's own
        super().__init__(*args, **{"label_suffix": "", **kwargs})


class ColleagueForm(forms.Form):
    """Who should answer instead."""

    name = Line(
        max_length=120,
        label=gettext_lazy("Their name"),
        error_messages={"required": gettext_lazy("Enter their name")},
    )
    email = forms.EmailField(
        max_length=254,
        label=gettext_lazy("Their email address"),
        help_text=gettext_lazy("At your company."),
        error_messages={"required": gettext_lazy("Enter their email address")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's own
        super().__init__(*args, **{"label_suffix": "", **kwargs})


class HandOverForm(ColleagueForm):
    """Who does the step in AWS instead."""


class PasteForm(forms.Form):
    """What AWS said, as it was copied from there."""

    said = Lines(
        max_length=4000,
        label=gettext_lazy("What AWS says"),
        help_text=gettext_lazy(
            "Copy the red text in AWS, and paste it here. We look at it now and don’t keep it."
        ),
        error_messages={"required": gettext_lazy("Paste what AWS says")},
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's own
        super().__init__(*args, **{"label_suffix": "", **kwargs})


class ReasonForm(forms.Form):
    """An optional reason, in the person's own words."""

    reason = Lines(
        required=False,
        max_length=300,
        label=gettext_lazy("Reason (optional)"),
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's own
        super().__init__(*args, **{"label_suffix": "", **kwargs})
