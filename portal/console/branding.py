"""Branding: the practice's name, colours, logo, sender and contact, with a picture of what clients will see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.brand.colours import Colour, contrast, told
from accounts.brand.sheet import DARK_GREY, DARK_SURFACE, GREY, SURFACE, Palette, Shade, palette_of
from accounts.models import Practice
from accounts.services.branding import Look, brand_mark, look_of, practice_brand
from portal.console import reads
from portal.console.engagement_page import history_panel
from portal.console.intake_forms import BrandForm
from portal.kernel import tenancy
from portal.kernel.admin import OWNERS, Cell, Fact, ObjectAction, Panel, ScopedModelAdmin, page_of
from portal.kernel.web import actor_of

Asked = Mapping[str, Any]  # Any: a form's cleaned data
SHIPPED = ("#1b4db3", "#9dbbff")  # the portal's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One theme as it is drawn: its shade, its grounds, and how well the two can be told apart."""

    name: str
    shade: Shade
    ground: Colour
    card: Colour
    words: Colour
    quiet: Colour
    on_button: str
    on_grey: str


def samples_of(palette: Palette) -> list[Sample]:
    """Light and dark."""
    return [
        _sample("On light screens", palette.light, SURFACE, GREY, ("#f5f7fa", "#142033", "#465467")),
        _sample("On dark screens", palette.dark, DARK_SURFACE, DARK_GREY, ("#0e1520", "#edf2f8", "#a9b7c8")),
    ]


def _sample(name: str, shade: Shade, card: Colour, grey: Colour, inks: tuple[str, str, str]) -> Sample:
    ground, words, quiet = map(Colour.parse, inks)
    return Sample(
        name=name,
        shade=shade,
        ground=ground,
        card=card,
        words=words,
        quiet=quiet,
        on_button=told(contrast(shade.words, shade.fill)),
        on_grey=told(contrast(shade.ink, grey)),
    )


def _palette(look: Look) -> Palette:
    """What would be seen; the portal's own colours where none was chosen. Raises BadBrand."""
    return look.palette() or palette_of(*SHIPPED)


def _brand(request: HttpRequest, practice: Practice, asked: Asked) -> str | HttpResponse:
    look = Look(**{name: asked[name] for name in Look.__slots__})
    if "look" in request.POST:
        return _shown(request, practice, look)
    practice_brand(
        practice=practice,
        look=look,
        logo=asked["logo"],
        drops_logo=asked["drops_logo"],
        seen=asked["seen"],
        actor=actor_of(request),
    )
    return "Saved. Clients see it from the next page on, and in the next mail."


def _shown(request: HttpRequest, practice: Practice, look: Look) -> HttpResponse:
    """The form again with a picture of what was chosen. Nothing is saved."""
    page = page_of(Practice)
    context = {
        "title": "Change the branding",
        "explained": _explain(practice),
        "form": BrandForm(request.POST),
        "button": "Save",
        "back_url": page.page_url(practice),
        "samples": samples_of(_palette(look)),
        "sample_name": look.name,
        "practice": practice,
    }
    return page.respond(request, "admin/brand_form.html", context)


def _explain(_practice: Practice) -> list[str]:
    return [
        "Clients see the new look at once, on every page and in every mail.",
        "A colour that not everybody could read is not taken, and you are told why.",
    ]


def _start(_request: HttpRequest, practice: Practice) -> dict[str, Any]:  # Any: what forms start from
    look = look_of(practice)
    return {**{name: getattr(look, name) for name in Look.__slots__}, "seen": brand_mark(practice)}


@admin.register(Practice)
class BrandingAdmin(ScopedModelAdmin[Practice]):
    """The one practice that this is."""

    heading = "Branding"
    readers = OWNERS
    object_actions = (
        ObjectAction(
            slug="brand",
            label="Change",
            title="Change the branding",
            explain=_explain,
            run=_brand,
            roles=OWNERS,
            form=BrandForm,
            initial=_start,
            button="Save",
            is_main=True,
            template="admin/brand_form.html",
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Practice]:  # noqa: ARG002
        """There is one."""
        return Practice.objects.filter(pk=tenancy.practice_id())

    def changelist_view(
        self,
        request: HttpRequest,
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002  # Any: Django's own
    ) -> HttpResponse:
        """Its page: a list of one would be in the way."""
        return self.object_view(request, str(tenancy.practice_id()))

    def respond(
        self, request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
    ) -> Any:  # Any: what a template formats
        """With the pictures."""
        practice = self.get_queryset(request).get()
        now = {"samples": samples_of(_palette(look_of(practice))), "sample_name": practice.name}
        name = "admin/brand_page.html" if template == "admin/object_page.html" else template
        # Its page is the list's: one crumb leads there.
        named = {"practice": practice, **context, "object_title": ""}
        return super().respond(request, name, {**now, **named}, status=status)

    def page_title(self, obj: Practice) -> str:  # noqa: ARG002  # there is one
        """There is one."""
        return "Branding"

    def panels(self, request: HttpRequest, obj: Practice) -> list[Panel]:  # noqa: ARG002
        """What clients read, and the history."""
        facts = (
            Fact(label="Name", value=Cell(text=obj.name)),
            Fact(label="Colour", value=Cell(text=obj.brand_colour or "the portal’s blue")),
            Fact(
                label="On dark screens", value=Cell(text=obj.brand_colour_dark or "the portal’s light blue")
            ),
            Fact(label="Logo", value=Cell(text=_logo_words(obj))),
        )
        contact = (
            Fact(label="Sender of mails", value=Cell(text=obj.sender)),
            Fact(label="Support", value=Cell(text=obj.support_email, small=obj.support_phone)),
            Fact(label="Privacy page", value=_link(obj.privacy_url)),
        )
        return [
            Panel(key="look", title="Look", facts=facts),
            Panel(key="contact", title="Contact", facts=contact),
            history_panel(reads.history_of_subject(obj)),
        ]


def _logo_words(practice: Practice) -> str:
    if not practice.brand_logo:
        return "none"
    return f"PNG, {practice.logo_width} by {practice.logo_height} pixels"


def _link(url: str) -> Cell:
    return Cell(text=url, url=url) if url else Cell(text="none")
