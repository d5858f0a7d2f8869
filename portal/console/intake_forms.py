"""The console's forms for branding, templates, the intake page and shops."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from accounts.brand.png import LARGEST_FILE, BadPicture, picture_read
from accounts.models import User
from accounts.services.branding import BadBrand, Look
from engagements.lifecycle import ShopKind
from engagements.models import EngagementTemplate
from portal.console.terms_forms import profile_choices
from portal.console.words import SHOPS
from portal.kernel.fields import Line

STRIPE_SECRET: Final = re.compile(r"whsec_[A-Za-z0-9+/=_-]{16,200}", re.ASCII)
COLOUR: Final = {"autocomplete": "off", "spellcheck": "false", "placeholder": "#1b4db3"}


class BrandForm(forms.Form):
    """A practice's own look."""

    name = Line(max_length=120, help_text="On every page and in every mail.")
    colour = Line(
        label="Colour",
        required=False,
        max_length=7,
        help_text="For buttons and links. Leave it empty for the portal’s blue. White words stand on it.",
        widget=forms.TextInput(attrs=COLOUR),
    )
    dark = Line(
        label="Colour on dark screens",
        required=False,
        max_length=7,
        help_text="Leave it empty, and the colour above is lightened until everybody can read it.",
        widget=forms.TextInput(attrs={**COLOUR, "placeholder": "#9dbbff"}),
    )
    logo = forms.FileField(
        required=False,
        help_text=f"A PNG of at most {LARGEST_FILE // 1024} kB, each side 16 to 1024 pixels. It is shown 36 pixels high.",
        widget=forms.FileInput(attrs={"accept": "image/png"}),
    )
    drops_logo = forms.BooleanField(label="Take the logo away", required=False)
    sender_name = Line(
        label="Sender of mails",
        required=False,
        max_length=120,
        help_text="Stands in front of the portal’s address. Leave it empty for the name above.",
    )
    support_email = forms.EmailField(label="Support email", max_length=254)
    support_phone = Line(label="Support phone", required=False, max_length=40)
    privacy_url = Line(
        label="Privacy page",
        required=False,
        max_length=300,
        help_text="Its address begins with https://. Clients find it at the end of every page and mail.",
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
    )
    seen = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def clean_logo(self) -> bytes:
        """The picture, written anew: nothing else of the file is kept."""
        file = self.cleaned_data["logo"]
        try:
            return picture_read(file.read()).png if file else b""
        except BadPicture as error:
            raise ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:  # Any: Django's own
        """Colours that everybody can read, with the reason beside the one that is not."""
        if {"colour", "dark"} <= self.cleaned_data.keys():
            try:
                self.look().palette()
            except BadBrand as error:
                self.add_error(error.field, error.user_message)
        return self.cleaned_data

    def look(self) -> Look:
        """As services take it."""
        return Look(**{name: self.cleaned_data.get(name, "") for name in Look.__slots__})

    def clean_privacy_url(self) -> str:
        """A page on the web, and nothing that a browser would run."""
        url: str = self.cleaned_data["privacy_url"].strip()
        if url and not _is_page(url):
            raise ValidationError("Give the whole address of the page. It begins with https://")
        return url


class TemplateForm(forms.Form):
    """What a gig asks for that is sold again and again."""

    name = Line(max_length=60, help_text="How you call it here, such as “Cost review, 2 weeks”.")
    title = Line(max_length=120, help_text="What the client reads, such as “Cost review”.")
    purpose = Line(
        max_length=300,
        help_text="Ends the sentence “Northgate asks for access …”, such as “to find out why the bill went up”.",
    )
    profile = forms.ChoiceField(
        label="Kind of access", choices=profile_choices, widget=forms.RadioSelect, initial="cost_review"
    )
    days = forms.IntegerField(
        label="Days",
        min_value=1,
        max_value=366,
        initial=28,
        help_text="How long the access lasts, from the order on.",
    )
    account_name = Line(
        label="Name of the account",
        required=False,
        max_length=120,
        help_text="What such clients mostly call it, such as “Production”.",
    )


class HandingForm(forms.Form):
    """What becomes of an order."""

    template = forms.ModelChoiceField(
        queryset=EngagementTemplate.objects.none(), empty_label="Choose a template"
    )
    lead = forms.ModelChoiceField(
        label="Leads it",
        queryset=User.objects.none(),
        empty_label="Choose a person",
        help_text="Is told of each order at once. If they leave, an owner steps in.",
    )

    def offer(self, templates: QuerySet[EngagementTemplate], people: QuerySet[User]) -> None:
        """What there is to choose from."""
        for name, rows in (("template", templates), ("lead", people)):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  # as declared above
            field.queryset = rows


class IntakeForm(HandingForm):
    """The public page."""

    welcome = Line(
        required=False,
        max_length=300,
        help_text="The first sentence on the page. Leave it empty for “Thank you for your order …”.",
    )
    is_open = forms.BooleanField(label="The page is open", required=False, initial=True)


class ShopChangeForm(HandingForm):
    """A connection that is there."""

    name = Line(max_length=60, help_text="How you call it, such as “Our web shop”.")
    field_order = ("name",)


class ShopForm(HandingForm):
    """A new connection."""

    name = Line(max_length=60, help_text="How you call it, such as “Our web shop”.")
    kind = forms.ChoiceField(
        label="How it signs",
        choices=[(kind.value, SHOPS[kind]) for kind in ShopKind],
        widget=forms.RadioSelect,
        initial=ShopKind.SIGNED,
    )
    field_order = ("name", "kind")


class StripeSecretForm(forms.Form):
    """The secret that Stripe made."""

    secret = Line(
        label="Signing secret",
        max_length=220,
        help_text="Stripe shows it at the endpoint that you made there. It begins with whsec_ and is kept sealed.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean_secret(self) -> str:
        """As Stripe writes it."""
        secret: str = self.cleaned_data["secret"].strip()
        if not STRIPE_SECRET.fullmatch(secret):
            raise ValidationError("That is no signing secret of Stripe: it begins with whsec_.")
        return secret


def _is_page(url: str) -> bool:
    try:
        found = urlsplit(url)
        host = found.hostname or ""
    except ValueError:
        return False
    is_plain = url.isascii() and url.isprintable() and not set(url) & set(" \"'<>\\`")
    return found.scheme == "https" and "." in host and not found.username and is_plain
