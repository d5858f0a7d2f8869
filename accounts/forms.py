"""The two fields of signing in."""

from __future__ import annotations

import re
from typing import Any, Final

from allauth.account.forms import ConfirmLoginCodeForm, RequestLoginCodeForm
from django import forms
from django.utils.translation import gettext_lazy as _

from portal.kernel.fields import Line, Lines

SHORT_NAME: Final = re.compile(r"[a-z0-9_-]{1,40}")


class AddressForm(RequestLoginCodeForm):  # type: ignore[misc]  # allauth has no types
    """Who are you? The same answer for every address."""

    email = forms.EmailField(
        label=_("Email address"),
        max_length=254,
        help_text=_("The one your invitation was sent to."),
        widget=forms.EmailInput(
            attrs={"autocomplete": "email", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )


class CodeForm(ConfirmLoginCodeForm):  # type: ignore[misc]  # allauth has no types
    """Six digits; spaces and dashes that come along when pasting do no harm."""

    code = Lines(  # what comes along when pasting is taken out by allauth
        label=_("6-digit code"),
        max_length=20,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}
        ),
    )


class PracticeForm(forms.Form):
    """Which practice's company account? Its short name stands in the address of its own sign-in page."""

    practice = Line(
        label=_("Short name of your practice"),
        max_length=40,
        help_text=_("Your practice’s owner can tell you. One word, such as northgate."),
        widget=forms.TextInput(
            attrs={"autocomplete": "organization", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )

    def clean_practice(self) -> str:
        """As it stands in addresses."""
        name: str = self.cleaned_data["practice"].strip().lower()
        if not SHORT_NAME.fullmatch(name):
            raise forms.ValidationError(_("A short name has letters, digits and hyphens only."))
        return name


class AppCodeForm(forms.Form):
    """The six digits that an authenticator app shows."""

    code = Lines(
        label=_("6-digit code from the app"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


class FactorForm(forms.Form):
    """A code of the app, or in its place a recovery code."""

    code = Lines(
        label=_("6-digit code"),
        max_length=40,
        help_text=_("From your authenticator app. No phone at hand? Type one of your recovery codes."),
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "autocapitalize": "none",
                "spellcheck": "false",
                "autofocus": True,
            }
        ),
    )


class PasskeyForm(forms.Form):
    """A name for the passkey; what the device answers comes with it."""

    name = Line(
        label=_("Name it"),
        max_length=60,
        help_text=_("So that you know later which device it is on: “work laptop”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    passkey = forms.CharField(max_length=20_000, widget=forms.HiddenInput)


class FindForm(forms.Form):
    """Where an invitation was sent to."""

    email = forms.EmailField(
        max_length=254,
        label=_("Your email address"),
        help_text=_("The one that your consultant has."),
        error_messages={"required": _("Enter your email address")},
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's own
        super().__init__(*args, **{"label_suffix": "", **kwargs})
