"""What client pages take in. Words of refusal are those that the page shows beside the field."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy

from awsaccess.aws.arns import BadAccountId, parse_account_id
from portal.kernel.fields import Lines

# What comes along when a number is pasted from a page or a mail.
NOT_A_DIGIT: Final = re.compile(r"[\s\u2010-\u2015.]")


class AgreeForm(forms.Form):
    """The tick, and the account's number where nobody knows it yet."""

    account_id = Lines(
        label=gettext_lazy("Your AWS account number"),
        help_text=gettext_lazy("12 digits, at the top right in AWS. Spaces and dashes are fine."),
        error_messages={"required": gettext_lazy("Enter the 12 digits of your AWS account number")},
        max_length=40,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "spellcheck": "false"}),
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
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        if account_known:
            del self.fields["account_id"]
        field = self.fields["optional"]
        if isinstance(field, forms.MultipleChoiceField):
            field.choices = [(key, key) for key in optional]

    @property
    def ticked(self) -> list[str]:
        """The optional lines that are ticked; none in a form that nobody has sent yet."""
        return list(self.cleaned_data.get("optional", ())) if self.is_bound else []

    def clean_account_id(self) -> str:
        """Twelve digits, however they were typed."""
        try:
            return parse_account_id(NOT_A_DIGIT.sub("", self.cleaned_data["account_id"]))
        except BadAccountId as error:
            raise forms.ValidationError(str(error)) from None


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
