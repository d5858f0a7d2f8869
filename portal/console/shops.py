"""Connections to shops: their addresses, their secrets (shown once), and what they told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString

from engagements.lifecycle import ShopKind
from engagements.models import Order, Shop
from engagements.services.shops import shop_add, shop_change, shop_close, shop_secret_make, shop_secret_set
from portal.console import marks, reads, words
from portal.console.engagement_page import history_panel
from portal.console.intake import fit_handing, handing_facts, handing_of, orders_panel
from portal.console.intake_forms import ShopChangeForm, ShopForm, StripeSecretForm
from portal.kernel.admin import OWNERS, Cell, Fact, ObjectAction, Panel, ScopedModelAdmin, page_of
from portal.kernel.web import actor_of

Asked = Mapping[str, Any]  # Any: a form's cleaned data


def _address(shop: Shop) -> str:
    return settings.SITE_URL + reverse("order_hook", args=[shop.code])


def _make(request: HttpRequest, shop: Shop, _asked: Asked) -> HttpResponse:
    secret = shop_secret_make(shop=shop, actor=actor_of(request))
    page = page_of(Shop)
    context = {
        "title": "The new secret",
        "subtitle": shop.name,
        "object_title": shop.name,
        "secret": secret,
        "address": _address(shop),
        "back_url": page.page_url(shop),
    }
    response = page.respond(request, "admin/shop_secret.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _explain_make(shop: Shop) -> list[str]:
    lines = ["The secret is shown once, on the next page. Copy it to your shop at once."]
    return [*lines, "The secret before it stops working now."] if shop.secret_set_at else lines


def _set(request: HttpRequest, shop: Shop, asked: Asked) -> str:
    shop_secret_set(shop=shop, clear=asked["secret"], actor=actor_of(request))
    return "Saved and sealed. Send a test event from Stripe to see it arrive."


def _explain_set(_shop: Shop) -> list[str]:
    return [
        "In Stripe, make an endpoint with this connection’s address and the event checkout.session.completed.",
        "Then copy the endpoint’s signing secret here. It is kept sealed and shown to nobody again.",
    ]


def _edit(request: HttpRequest, shop: Shop, asked: Asked) -> str:
    shop_change(shop=shop, name=asked["name"], handing=handing_of(asked), actor=actor_of(request))
    return "Saved."


def _explain_edit(_shop: Shop) -> list[str]:
    return ["Holds for orders that come from now on."]


def _now(_request: HttpRequest, shop: Shop) -> dict[str, Any]:  # Any: what forms start from
    return {"name": shop.name, "template": shop.template_id, "lead": shop.lead_id}


def _close(request: HttpRequest, shop: Shop, _asked: Asked) -> str:
    shop_close(shop=shop, actor=actor_of(request))
    return "Closed. Nothing more is taken from it."


def _explain_close(_shop: Shop) -> list[str]:
    return [
        "Orders that the shop tells of from now on are refused, and its secret is forgotten.",
        "This can’t be undone. What came already stays.",
    ]


def _is_open(shop: Shop) -> bool:
    return shop.closed_at is None


def _state(shop: Shop) -> Cell:
    if not _is_open(shop):
        return Cell(text="Closed", tone="plain")
    return Cell(text="Ready", tone="ok") if shop.secret_set_at else Cell(text="Needs its secret", tone="wait")


@admin.register(Shop)
class ShopAdmin(ScopedModelAdmin[Shop]):
    """Where orders come from by themselves."""

    heading = "Shop connections"
    url_field = "code"
    readers = OWNERS
    adders = OWNERS
    add_form = ShopForm
    add_heading = "New connection"
    add_words = "A shop tells the portal of each order, and a draft stands ready for you at once."
    add_step_up = True
    empty_words = "No shop is connected. With a connection, each order becomes a draft by itself."
    list_display = ("named", "kind_words", "state", "heard")
    list_display_links = ("named",)
    ordering = ("closed_at", "name")
    object_actions = (
        ObjectAction(
            slug="secret",
            label="Make a secret",
            title="Make a secret",
            explain=_explain_make,
            run=_make,
            roles=OWNERS,
            offered=lambda shop: _is_open(shop) and shop.kind == ShopKind.SIGNED,
            is_main=True,
            step_up=True,
        ),
        ObjectAction(
            slug="stripe",
            label="Set the signing secret",
            title="Set the signing secret",
            explain=_explain_set,
            run=_set,
            roles=OWNERS,
            offered=lambda shop: _is_open(shop) and shop.kind == ShopKind.STRIPE,
            form=StripeSecretForm,
            button="Save",
            is_main=True,
            step_up=True,
        ),
        ObjectAction(
            slug="edit",
            label="Change",
            title="Change the connection",
            explain=_explain_edit,
            run=_edit,
            roles=OWNERS,
            offered=_is_open,
            form=ShopChangeForm,
            initial=_now,
            fit=fit_handing,
            button="Save",
        ),
        ObjectAction(
            slug="close",
            label="Close",
            title="Close the connection",
            explain=_explain_close,
            run=_close,
            roles=OWNERS,
            offered=_is_open,
            button="Close the connection",
            is_grave=True,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Shop]:
        """With what it makes."""
        return super().get_queryset(request).select_related("template", "lead")

    @admin.display(description="Shop", ordering="name")
    def named(self, shop: Shop) -> str:
        """How the practice calls it."""
        return shop.name

    @admin.display(description="Signs")
    def kind_words(self, shop: Shop) -> str:
        """How."""
        return words.SHOPS[shop.kind]

    @admin.display(description="State")
    def state(self, shop: Shop) -> SafeString:
        """Whether it takes anything."""
        return marks.tag(_state(shop))

    @admin.display(description="Last order", ordering="heard_at")
    def heard(self, shop: Shop) -> str:
        """When it last told of one."""
        return words.moment(shop.heard_at, "none yet")

    def make_add_form(self, request: HttpRequest) -> forms.Form:
        """With what there is to choose from."""
        form = super().make_add_form(request)
        fit_handing(form)
        return form

    def add(self, request: HttpRequest, asked: Asked) -> Shop:
        """Give it an address."""
        return shop_add(
            practice=request.membership.practice,  # type: ignore[attr-defined]  # put there by ScopeMiddleware
            name=asked["name"],
            kind=ShopKind(asked["kind"]),
            handing=handing_of(asked),
            actor=actor_of(request),
        )

    def page_tag(self, obj: Shop) -> Cell:
        """Whether it takes anything."""
        return _state(obj)

    def panels(self, request: HttpRequest, obj: Shop) -> list[Panel]:  # noqa: ARG002
        """Its address, what becomes of an order, and which came."""
        facts = (
            Fact(label="Address", value=Cell(text=_address(obj))),
            Fact(label="Signs", value=Cell(text=words.SHOPS[obj.kind])),
            Fact(
                label="Secret",
                value=Cell(text=words.moment(obj.secret_set_at, "not set yet"), small="kept sealed"),
            ),
            *handing_facts(obj),
        )
        return [
            Panel(key="shop", title="Connection", facts=facts),
            orders_panel(Order.objects.filter(shop=obj)),
            history_panel(reads.history_of_subject(obj)),
        ]
