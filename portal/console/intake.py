"""The public intake page and the templates that orders become drafts of: set up by owners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from engagements.models import EngagementTemplate, IntakePage, Order
from engagements.selectors import profile_for
from engagements.services.shops import Handing, intake_set_up
from engagements.services.templates import Gig, template_add, template_change, template_retire
from portal.console import reads, words
from portal.console.engagement_page import history_panel, page_url
from portal.console.intake_forms import HandingForm, IntakeForm, TemplateForm
from portal.kernel.admin import (
    OWNERS,
    Cell,
    Fact,
    ObjectAction,
    Panel,
    ScopedModelAdmin,
    Table,
    page_of,
)
from portal.kernel.web import actor_of

Asked = Mapping[str, Any]  # Any: a form's cleaned data
ORDERS_SHOWN = 30
TEMPLATE_FIELDS = tuple(Gig.__slots__)


def fit_handing(form: forms.Form, _row: object = None) -> None:
    """Give a form the templates and the people that there are."""
    if isinstance(form, HandingForm):
        templates = EngagementTemplate.objects.filter(retired_at=None).order_by("name", "code")
        form.offer(templates, reads.people_who_work())


def handing_of(asked: Asked) -> Handing:
    """What becomes of an order, as somebody chose it."""
    return Handing(template=asked["template"], lead=asked["lead"])


def handing_facts(row: Any) -> tuple[Fact, ...]:  # Any: an intake page or a shop
    """What becomes of an order."""
    template: EngagementTemplate = row.template
    url = page_of(EngagementTemplate).page_url(template)
    return (
        Fact(label="Template", value=Cell(text=template.name, url=url, small=_length(template))),
        Fact(label="Leads it", value=Cell(text=row.lead.name, small=row.lead.email)),
    )


def orders_panel(rows: QuerySet[Order]) -> Panel:
    """The newest orders that are certain: who has not confirmed an address is nobody's business."""
    found = rows.exclude(confirmed_at=None).select_related("engagement", "shop").order_by("-confirmed_at")
    table = Table(
        headings=("Order", "From", "Came", "Became"),
        rows=tuple(_order_row(order) for order in found[:ORDERS_SHOWN]),
        empty="None yet. Each order shows up here at once, and whoever leads it gets a mail.",
    )
    return Panel(key="orders", title="Orders", table=table)


def _order_row(order: Order) -> tuple[Cell, ...]:
    way = order.shop.name if order.shop else "Intake page"
    return (
        Cell(text=order.order_number, small=way),
        Cell(text=order.company or order.name, small=order.email),
        Cell(text=words.moment(order.confirmed_at)),
        _became(order),
    )


def _became(order: Order) -> Cell:
    if order.engagement is None:
        return Cell(text="No draft", tone="stop", small=order.problem)
    return Cell(text=order.engagement.title, url=page_url(order.engagement))


def _length(template: EngagementTemplate) -> str:
    return f"{template.days} day{'' if template.days == 1 else 's'}"


def _kind_of(template: EngagementTemplate) -> str:
    try:
        return profile_for(template.profile).title
    except KeyError:
        return template.profile


# The intake page


def _set_up(request: HttpRequest, _page: IntakePage, asked: Asked) -> str:
    _save(request, asked)
    return "Saved. The page is open." if asked["is_open"] else "Saved. The page is closed."


def _save(request: HttpRequest, asked: Asked) -> IntakePage:
    return intake_set_up(
        practice=request.membership.practice,  # type: ignore[attr-defined]  # put there by ScopeMiddleware
        handing=handing_of(asked),
        welcome=asked["welcome"].strip(),
        is_open=asked["is_open"],
        actor=actor_of(request),
    )


def _explain_set_up(_page: IntakePage) -> list[str]:
    return [
        "Holds for orders that come from now on. Those that came already keep what they were made with.",
        "While the page is closed, its address shows nothing.",
    ]


def _page_now(_request: HttpRequest, page: IntakePage) -> dict[str, Any]:  # Any: what forms start from
    names = ("welcome", "is_open")
    return {"template": page.template_id, "lead": page.lead_id, **{one: getattr(page, one) for one in names}}


@admin.register(IntakePage)
class IntakePageAdmin(ScopedModelAdmin[IntakePage]):
    """The practice's one page for who has just bought something."""

    heading = "Intake"
    readers = OWNERS
    adders = OWNERS
    is_single = True
    add_form = IntakeForm
    add_heading = "Set up the page"
    add_step_up = True
    add_words = (
        "A public page for clients who have just bought something. They confirm their address, "
        "and a draft stands ready for you."
    )
    empty_words = "There is no page yet. Write an engagement template first, then set up the page."
    list_display = ("__str__",)
    object_actions = (
        ObjectAction(
            slug="edit",
            label="Change",
            title="Change the intake page",
            explain=_explain_set_up,
            run=_set_up,
            roles=OWNERS,
            form=IntakeForm,
            initial=_page_now,
            fit=fit_handing,
            button="Save",
            is_main=True,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[IntakePage]:
        """With what it makes."""
        return super().get_queryset(request).select_related("practice", "template", "lead")

    def changelist_view(
        self,
        request: HttpRequest,
        extra_context: dict[str, Any] | None = None,  # Any: Django's own
    ) -> HttpResponse:
        """The page itself, once there is one."""
        found = self.get_queryset(request).first() if self.has_view_permission(request) else None
        if found is not None:
            return self.object_view(request, str(found.pk))
        return super().changelist_view(request, extra_context)

    def make_add_form(self, request: HttpRequest) -> forms.Form:
        """With what there is to choose from."""
        form = super().make_add_form(request)
        fit_handing(form)
        return form

    def add(self, request: HttpRequest, asked: Asked) -> IntakePage:
        """Open it."""
        return _save(request, asked)

    def page_title(self, obj: IntakePage) -> str:  # noqa: ARG002  # there is one
        """There is one."""
        return "Intake page"

    def page_tag(self, obj: IntakePage) -> Cell:
        """Whether anybody sees it."""
        return Cell(text="Open", tone="ok") if obj.is_open else Cell(text="Closed", tone="plain")

    def panels(self, request: HttpRequest, obj: IntakePage) -> list[Panel]:  # noqa: ARG002
        """Where it is, what becomes of an order, and which came."""
        address = settings.SITE_URL + reverse("intake", args=[obj.practice.code])
        facts = (
            Fact(label="Address", value=Cell(text=address, url=address if obj.is_open else "")),
            *handing_facts(obj),
            Fact(label="First sentence", value=Cell(text=obj.welcome or "Thank you for your order …")),
        )
        return [
            Panel(
                key="page",
                title="Page",
                words="Put this address on your receipts and in your shop.",
                facts=facts,
            ),
            orders_panel(Order.objects.filter(practice_id=obj.practice_id)),
            history_panel(reads.history_of_subject(obj)),
        ]


# Engagement templates


def _gig(asked: Asked) -> Gig:
    return Gig(**{name: asked[name] for name in TEMPLATE_FIELDS})


def _change(request: HttpRequest, template: EngagementTemplate, asked: Asked) -> str:
    template_change(template=template, gig=_gig(asked), actor=actor_of(request))
    return "Saved. Drafts that were made of it before stay as they are."


def _explain_change(_template: EngagementTemplate) -> list[str]:
    return ["Holds for drafts that are made from now on. What was made before stays as it is."]


def _template_now(
    _request: HttpRequest, template: EngagementTemplate
) -> dict[str, Any]:  # Any: what forms start from
    return {name: getattr(template, name) for name in TEMPLATE_FIELDS}


def _retire(request: HttpRequest, template: EngagementTemplate, _asked: Asked) -> str:
    template_retire(template=template, actor=actor_of(request))
    return "Retired. No draft is made of it any more."


def _explain_retire(_template: EngagementTemplate) -> list[str]:
    return ["It is offered no more. What was made of it stays as it is."]


def _is_live(template: EngagementTemplate) -> bool:
    return template.retired_at is None


@admin.register(EngagementTemplate)
class EngagementTemplateAdmin(ScopedModelAdmin[EngagementTemplate]):
    """What orders become drafts of."""

    heading = "Engagement templates"
    url_field = "code"
    readers = OWNERS
    adders = OWNERS
    add_form = TemplateForm
    add_heading = "New template"
    add_words = (
        "For a gig that you sell again and again: an order becomes a draft of it, ready to be looked over."
    )
    empty_words = "No template yet. A template says what an order becomes: which access, what for, how long."
    list_display = ("named", "what", "kind", "length")
    list_display_links = ("named",)
    ordering = ("retired_at", "name")
    object_actions = (
        ObjectAction(
            slug="edit",
            label="Change",
            title="Change the template",
            explain=_explain_change,
            run=_change,
            roles=OWNERS,
            offered=_is_live,
            form=TemplateForm,
            initial=_template_now,
            button="Save",
            is_main=True,
        ),
        ObjectAction(
            slug="retire",
            label="Retire",
            title="Retire the template",
            explain=_explain_retire,
            run=_retire,
            roles=OWNERS,
            offered=_is_live,
            is_grave=True,
        ),
    )

    @admin.display(description="Template", ordering="name")
    def named(self, template: EngagementTemplate) -> str:
        """How the practice calls it."""
        return template.name if _is_live(template) else f"{template.name} (retired)"

    @admin.display(description="The client reads", ordering="title")
    def what(self, template: EngagementTemplate) -> str:
        """Title."""
        return template.title

    @admin.display(description="Kind of access")
    def kind(self, template: EngagementTemplate) -> str:
        """The access profile."""
        return _kind_of(template)

    @admin.display(description="Lasts", ordering="days")
    def length(self, template: EngagementTemplate) -> str:
        """How long."""
        return _length(template)

    def add(self, request: HttpRequest, asked: Asked) -> EngagementTemplate:
        """Keep it."""
        practice = request.membership.practice  # type: ignore[attr-defined]  # put there by ScopeMiddleware
        return template_add(practice=practice, gig=_gig(asked), actor=actor_of(request))

    def page_tag(self, obj: EngagementTemplate) -> Cell | None:
        """Only if it is none any more."""
        return None if _is_live(obj) else Cell(text="Retired", tone="plain")

    def panels(self, request: HttpRequest, obj: EngagementTemplate) -> list[Panel]:  # noqa: ARG002
        """What a draft says that is made of it."""
        facts = (
            Fact(label="Title", value=Cell(text=obj.title)),
            Fact(label="Purpose", value=Cell(text=obj.purpose)),
            Fact(label="Kind of access", value=Cell(text=_kind_of(obj))),
            Fact(label="Lasts", value=Cell(text=_length(obj))),
            Fact(label="Account", value=Cell(text=obj.account_name or "without a name")),
        )
        return [
            Panel(key="template", title="What the draft says", facts=facts),
            history_panel(reads.history_of_subject(obj)),
        ]
