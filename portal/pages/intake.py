"""The public page of a practice for who has just bought something, and the page that confirms the address.

Neither shows whether anybody is known here. Robots are met by a field that people do not see, by a mark that a form has
to be old enough for, and by counters; nobody is asked to find traffic lights.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from allauth.account.adapter import get_adapter
from django import forms
from django.core import signing
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language, gettext, gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from accounts.selectors import apart
from accounts.services.attempts import attempt_count
from awsaccess.aws.arns import BadAccountId, parse_account_id
from awsaccess.selectors import account_objection
from engagements.models import IntakePage, Order
from engagements.selectors import intake_page_at, order_to_confirm
from engagements.services.orders import (
    ORIGIN_TRIES,
    Asked,
    LinkOver,
    order_ask,
    order_confirm,
    order_rehearse,
)
from portal.kernel import clock, tenancy
from portal.kernel.fields import Line, Lines
from portal.pages.forms import NO_ACCOUNT, NOT_A_DIGIT

SALT: Final = "intake"
QUICKEST_SECONDS: Final = 2  # nobody reads the page and fills four fields in less
LONGEST_SECONDS: Final = 12 * 60 * 60
page_or_post = require_http_methods(["GET", "HEAD", "POST"])


class OrderForm(forms.Form):
    """What somebody tells of what they bought. `website` is for robots: people neither see nor reach it."""

    name = Line(
        label=gettext_lazy("Your name"),
        max_length=120,
        error_messages={"required": gettext_lazy("Enter your name")},
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    email = forms.EmailField(
        label=gettext_lazy("Your email address"),
        max_length=254,
        help_text=gettext_lazy("We send a link there, to make sure that it is yours."),
        error_messages={"required": gettext_lazy("Enter your email address")},
        widget=forms.EmailInput(
            attrs={"autocomplete": "email", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    company = Line(
        label=gettext_lazy("Your company (optional)"),
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    order_number = Line(
        label=gettext_lazy("Order number"),
        max_length=60,
        help_text=gettext_lazy("It stands on your receipt."),
        error_messages={"required": gettext_lazy("Enter the number of your order")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    account_id = Lines(
        label=gettext_lazy("Your AWS account number"),
        max_length=40,
        help_text=gettext_lazy("12 digits, at the top right in AWS. Spaces and dashes are fine."),
        error_messages={"required": gettext_lazy("Enter the 12 digits of your AWS account number")},
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "spellcheck": "false"}),
    )
    website = Line(
        label=gettext_lazy("Leave this empty"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "tabindex": "-1"}),
    )
    opened = Line(max_length=400, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, practice_code: str, **kwargs: Any) -> None:  # Any: Django's own
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.practice_code = practice_code
        self.initial["opened"] = mark_of(practice_code)

    @property
    def is_robots(self) -> bool:
        """Whether the field that people do not see was filled."""
        return bool(self.data.get("website", "").strip())

    def clean_account_id(self) -> str:
        """Twelve digits that can be somebody's, however they were typed."""
        try:
            number = parse_account_id(NOT_A_DIGIT.sub("", self.cleaned_data["account_id"]))
        except BadAccountId:
            raise ValidationError(NO_ACCOUNT) from None
        if objection := account_objection(number):
            raise ValidationError(objection)
        return number

    def clean(self) -> dict[str, Any]:  # Any: Django's own
        """Filled in by somebody who had the time to read it: what was typed stays, and the next press is a next try."""
        if not self.errors and not is_old_enough(self.cleaned_data["opened"], self.practice_code):
            self.data = {**dict(self.data.items()), "opened": mark_of(self.practice_code)}
            raise ValidationError(gettext("Please press the button once more."))
        return self.cleaned_data

    def asked(self) -> Asked:
        """As services take it."""
        names = ("name", "email", "company", "order_number", "account_id")
        return Asked(**{name: self.cleaned_data[name] for name in names}, language=get_language() or "")


def mark_of(practice_code: str) -> str:
    """When this form was given out, and by whose page; only we can make one."""
    return signing.dumps([practice_code, int(clock.now().timestamp())], salt=SALT)


def is_old_enough(mark: str, practice_code: str) -> bool:
    """True for a form of this page that was open for longer than a robot takes, and not since yesterday."""
    try:
        code, opened = signing.loads(mark, salt=SALT)
    except signing.BadSignature:
        return False
    age = clock.now().timestamp() - opened
    return bool(code == practice_code) and QUICKEST_SECONDS <= age <= LONGEST_SECONDS


def origin_of(request: HttpRequest) -> str:
    """Who asks, as far as that can be counted: an address, or of IPv6 the network that one customer has."""
    told = str(get_adapter().get_client_ip(request))
    try:
        address = ipaddress.ip_address(told)
    except ValueError:
        return told
    if address.version == 4:
        return told
    return str(ipaddress.ip_network(f"{address}/64", strict=False))


@page_or_post
def ask(request: HttpRequest, practice: str) -> HttpResponse:
    """The page; POST has the link mailed, and says the same to everybody."""
    page = intake_page_at(practice)
    if request.method == "POST":
        return _take(request, page)
    return _form_page(request, page, OrderForm(practice_code=practice))


@require_safe
def sent(request: HttpRequest, practice: str) -> HttpResponse:
    """Look into your mailbox."""
    return _page(request, "intake/sent.html", intake_page_at(practice))


@require_safe
def done(request: HttpRequest, practice: str) -> HttpResponse:
    """It has arrived."""
    return _page(request, "intake/done.html", intake_page_at(practice))


@page_or_post
def confirm(request: HttpRequest, practice: str, mark: str) -> HttpResponse:
    """GET shows what the link is for; POST uses it up, makes the draft and tells the consultants."""
    order = order_to_confirm(token=mark, practice_code=practice)
    if order is None:
        raise LinkOver(
            next_url=reverse("intake", args=[practice]), next_label=gettext("Fill in the page again")
        )
    if request.method == "POST":
        order_confirm(token=mark)
        return redirect("intake_done", practice)
    return render(request, "intake/confirm.html", _context(order) | {"order": order})


def _take(request: HttpRequest, page: IntakePage) -> HttpResponse:
    attempt_count(ORIGIN_TRIES, f"{page.practice_id}:{origin_of(request)}")
    form = OrderForm(request.POST, practice_code=page.practice.code)
    with apart(tenancy.practice_scope(page.practice_id)):
        if not form.is_valid():
            return _form_page(request, page, form, status=422)
        act = order_rehearse if form.is_robots else order_ask
        act(page=page, asked=form.asked())
    return redirect("intake_sent", page.practice.code)


def _form_page(request: HttpRequest, page: IntakePage, form: OrderForm, *, status: int = 200) -> HttpResponse:
    context = {**_context(page), "page": page, "form": form}
    return render(request, "intake/ask.html", context, status=status)


def _page(request: HttpRequest, template: str, page: IntakePage) -> HttpResponse:
    return render(request, template, {**_context(page), "page": page})


def _context(row: IntakePage | Order) -> dict[str, object]:
    return {"practice": row.practice, "template": row.template, "client": None}
