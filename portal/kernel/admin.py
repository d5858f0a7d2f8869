"""What every list, page and action of the console stands on (SECURITY §3.5).

Pages read first; nothing is edited in place and nothing is deleted. Whatever acts is an `ObjectAction`: a page that
says what will happen, then a POST that calls one service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from http import HTTPStatus
from typing import Any, ClassVar, Final, Generic, TypeVar, cast
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods, require_safe

from portal.kernel import step_up, tenancy
from portal.kernel.errors import NotVisible, PortalError

# The words of a membership's role. The kernel knows no other app, so it knows only the words.
OWNERS: Final = frozenset({"owner"})
WRITERS: Final = frozenset({"owner", "consultant"})
RECORD_READERS: Final = frozenset({"owner", "auditor"})
EVERYBODY: Final = WRITERS | RECORD_READERS

M = TypeVar("M", bound=Model)
View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One answer on a page: words, perhaps a link, a quieter second line, and a tone (`ok`, `wait`, `stop`, `plain`)."""

    text: str
    url: str = ""
    small: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A question and its answer."""

    label: str
    value: Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under headings, or the words that stand there while there are none."""

    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = "Nothing yet."


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """Something long that opens on demand, shown to the letter."""

    summary: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One card of a page. `key` is its anchor."""

    key: str
    title: str
    words: str = ""
    facts: tuple[Fact, ...] = ()
    table: Table | None = None
    disclosures: tuple[Disclosure, ...] = ()
    links: tuple[Cell, ...] = ()


def role_of(request: HttpRequest) -> str:
    """The role of the membership in force; empty for everybody else."""
    return getattr(getattr(request, "membership", None), "role", "")


def has_role(request: HttpRequest, roles: frozenset[str]) -> bool:
    """True for a live member of the practice in one of these roles."""
    return role_of(request) in roles


# What happens when the button is pressed: words for a message, or a page of its own. Raises PortalError.
Effect = Callable[[HttpRequest, M, Mapping[str, Any]], str | HttpResponse]  # Any: a form's cleaned data


def _nothing(_request: HttpRequest, _obj: Any) -> dict[str, Any]:  # Any: what forms start from
    return {}


def _always(_obj: Any) -> bool:  # Any: whatever row
    return True


def _as_it_is(_form: forms.Form, _obj: Any) -> None:  # Any: whatever row
    """For forms that ask the same of every object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectAction(Generic[M]):
    """One thing that can be done to one object: its button, its page, who may, and the service behind it."""

    slug: str
    label: str
    title: str
    explain: Callable[[M], Sequence[str]]
    run: Effect[M]
    roles: frozenset[str] = WRITERS
    offered: Callable[[M], bool] = _always
    form: type[forms.Form] = forms.Form
    initial: Callable[[HttpRequest, M], dict[str, Any]] = _nothing  # Any: as above
    fit: Callable[[forms.Form, M], None] = _as_it_is  # gives the form the choices that this object has
    button: str = ""
    is_grave: bool = False
    is_main: bool = False
    step_up: bool = False  # asks for a fresh proof of who this is: whatever opens or widens access
    template: str = "admin/object_action.html"


class ScopedChangeList(ChangeList):
    """Rows lead to their pages by the public name of the row."""

    def url_for_result(self, result: Model) -> str:
        """The page of a row."""
        return cast("ScopedModelAdmin[Any]", self.model_admin).page_url(result)


class ScopedModelAdmin(admin.ModelAdmin[M]):
    """Lists and read-first pages of what is in scope. Subclasses say what else is allowed, and to whom."""

    actions = None
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    url_field: ClassVar[str] = "pk"
    heading: ClassVar[str] = ""
    empty_words: ClassVar[str] = "Nothing yet."
    readers: ClassVar[frozenset[str]] = EVERYBODY
    adders: ClassVar[frozenset[str]] = frozenset()
    add_form: ClassVar[type[forms.Form] | None] = None
    add_heading: ClassVar[str] = ""
    add_words: ClassVar[str] = ""
    add_template: ClassVar[str] = "admin/object_add.html"
    is_single: ClassVar[bool] = False  # one for each practice: added once, and changed after that
    add_step_up: ClassVar[bool] = False  # as for an ObjectAction, bound to the practice
    object_actions: ClassVar[tuple[ObjectAction[Any], ...]] = ()  # Any: of this admin's model

    # What a subclass fills in

    def panels(self, request: HttpRequest, obj: M) -> list[Panel]:
        """The cards of the object's page."""
        raise NotImplementedError

    def add(self, request: HttpRequest, asked: Mapping[str, Any]) -> M:
        """Make the object by its service. Raises PortalError."""
        raise NotImplementedError

    def make_add_form(self, request: HttpRequest) -> forms.Form:
        """The empty form, or the one that came back."""
        if self.add_form is None:
            raise PermissionDenied
        return self.add_form(request.POST if request.method == "POST" else None)

    def page_title(self, obj: M) -> str:
        """The first heading of the object's page."""
        return str(obj)

    def page_subtitle(self, obj: M) -> str:  # noqa: ARG002  # for subclasses
        """The second heading, or nothing."""
        return ""

    def page_tag(self, obj: M) -> Cell | None:  # noqa: ARG002  # for subclasses
        """How it stands, in one word with its tone, or nothing."""
        return None

    # Who may

    def has_view_permission(self, request: HttpRequest, obj: M | None = None) -> bool:  # noqa: ARG002
        """Members in a role that reads this."""
        return has_role(request, self.readers)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """As above."""
        return has_role(request, self.readers)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only where there is a form and a service, and room for one more."""
        if self.add_form is None or not has_role(request, self.adders):
            return False
        return not (self.is_single and self.get_queryset(request).exists())

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:  # noqa: ARG002
        """Nothing is edited in place."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:  # noqa: ARG002
        """Nothing is deleted."""
        return False

    # What there is

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        """The practice's rows. PostgreSQL would show no others; this says so a second time."""
        rows = super().get_queryset(request)
        practice = tenancy.current().practice_id
        return rows.filter(practice_id=practice) if practice else rows.none()

    def find(self, request: HttpRequest, object_id: str) -> M:
        """One row of what this person sees. Raises Http404: not there and not yours look the same."""
        if not (
            object_id.isascii() and object_id.isprintable()
        ):  # PostgreSQL takes no NUL; int() takes any digits
            raise Http404
        try:
            return self.get_queryset(request).get(**{self.url_field: object_id})
        except (ObjectDoesNotExist, ValueError, ValidationError):
            raise Http404 from None

    # Addresses

    def get_urls(self) -> list[URLPattern]:
        """The list, the form, the page and the actions: nothing else of the stock admin is reachable."""
        pages = [
            path("", self._guarded(require_safe(self.changelist_view)), name=self.url_name("changelist"))
        ]
        if self.add_form is not None:
            form = require_http_methods(["GET", "HEAD", "POST"])(self._add_page())
            pages.append(path("add/", self._guarded(form), name=self.url_name("add")))
        pages.append(
            path(
                "<str:object_id>/",
                self._guarded(require_safe(self.object_view)),
                name=self.url_name("change"),
            )
        )
        return [*pages, *(self._action_url(action) for action in self.object_actions)]

    def url_name(self, what: str) -> str:
        """The name of an address, as the admin names them."""
        return f"{self.opts.app_label}_{self.opts.model_name}_{what}"

    def page_url(self, obj: M) -> str:
        """The address of the object's page."""
        return reverse(f"admin:{self.url_name('change')}", args=[getattr(obj, self.url_field)])

    def list_url(self) -> str:
        """The address of the list."""
        return reverse(f"admin:{self.url_name('changelist')}")

    def action_url(self, obj: M, slug: str) -> str:
        """The address of an action's page."""
        return reverse(f"admin:{self.url_name(slug)}", args=[getattr(obj, self.url_field)])

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:  # noqa: ARG002  # Django's own
        """Only the filters beside the list. Stock admin lets any column be asked, shown or not, by any operator."""
        return lookup in {getattr(one, "parameter_name", "") for one in self.get_list_filter(request)}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002  # Any: Django's
        """With links to our pages."""
        return ScopedChangeList

    def _add_page(self) -> View:
        def view(request: HttpRequest) -> HttpResponse:
            return self.add_view(request)

        if self.add_step_up:
            view.step_up_action = (self, "add")  # type: ignore[attr-defined]  # for the walk over all addresses
        return view

    def _guarded(self, view: View) -> View:
        guarded: View = self.admin_site.admin_view(view)
        return guarded

    def _action_url(self, action: ObjectAction[M]) -> URLPattern:
        view = dangerous_action(self, action)
        return path(f"<str:object_id>/{action.slug}/", self._guarded(view), name=self.url_name(action.slug))

    # Pages

    def changelist_view(
        self,
        request: HttpRequest,
        extra_context: dict[str, Any] | None = None,  # Any: Django's own
    ) -> HttpResponse:
        """The list under its own heading, with a button to add to it for those who may."""
        may_add = self.has_add_permission(request)
        context = {
            "title": self.heading,
            "empty_words": self.empty_words,
            "add_url": reverse(f"admin:{self.url_name('add')}") if may_add else "",
            "add_label": self.add_heading,
            "list_tools": self.list_tools(request),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def list_tools(self, request: HttpRequest) -> list[Cell]:  # noqa: ARG002  # for subclasses
        """More buttons of the list."""
        return []

    def object_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Everything about one object, to read, with the buttons of what can be done now."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        obj = self.find(request, object_id)
        context = {
            "title": self.page_title(obj),
            "subtitle": self.page_subtitle(obj),
            "page_tag": self.page_tag(obj),
            "panels": self.panels(request, obj),
            "buttons": self.buttons(request, obj),
        }
        return self.respond(request, "admin/object_page.html", context)

    def buttons(self, request: HttpRequest, obj: M) -> list[dict[str, Any]]:  # Any: what the template formats
        """What this person may do to it now."""
        return [
            {
                "label": action.label,
                "url": self.action_url(obj, action.slug),
                "is_main": action.is_main,
                "is_grave": action.is_grave,
            }
            for action in self.object_actions
            if has_role(request, action.roles) and action.offered(obj)
        ]

    def add_view(  # type: ignore[override]  # ours has no object and opens no transaction
        self, request: HttpRequest
    ) -> HttpResponse:
        """The form; POST makes the object by its service."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = self.make_add_form(request)
        act = self.act_of("add", tenancy.practice_id()) if self.add_step_up else None
        error = _take_proof(request, act)
        if request.method == "POST" and form.is_valid() and _has_proof(request, act, form, error):
            made = attempt(form, lambda: self.add(request, form.cleaned_data))
            if made is not None:
                messages.success(request, f"{made} was added.")
                return HttpResponseRedirect(self.page_url(made))
        context = {
            "title": self.add_heading,
            "explained": self.add_words,
            "form": form,
            "button": "Save",
            "back_url": self.list_url(),
            "step_up": _prompt(request, act, error),
        }
        return self.respond(request, self.add_template, context, status=form_status(form))

    def act_of(self, slug: str, object_id: UUID) -> step_up.Act:
        """How a step-up names an action here."""
        return step_up.Act(name=f"{self.opts.label_lower}.{slug}", object_id=object_id)

    def respond(
        self, request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
    ) -> TemplateResponse:  # Any: what a template formats
        """A page in the console's frame."""
        frame = {**self.admin_site.each_context(request), "opts": self.opts}
        crumbs = {"list_url": self.list_url(), "list_title": self.heading}
        return TemplateResponse(request, template, {**frame, **crumbs, **context}, status=status)


def page_of(model: type[M]) -> ScopedModelAdmin[M]:
    """The admin of a model; every one that is registered is ours."""
    return cast("ScopedModelAdmin[M]", admin.site.get_model_admin(model))


def form_status(form: forms.Form) -> int:
    """422 for a form that came back with faults."""
    return HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK


T = TypeVar("T")


def attempt(form: forms.Form, act: Callable[[], T]) -> T | None:
    """What `act` gives, or None after its refusal was written over the form, so that nothing typed is lost.

    Raises Http404 for what is not visible.
    """
    try:
        return act()
    except NotVisible:
        raise Http404 from None
    except PortalError as error:
        form.add_error(None, error.user_message)
        return None


def dangerous_action(model_admin: ScopedModelAdmin[M], action: ObjectAction[M]) -> View:
    """The view of an action: object (404), role (403), GET only explains, POST with `confirm` acts, refusals are told.

    The view is marked, so that a walk over all addresses finds any that act without this.
    """

    def view(request: HttpRequest, object_id: str) -> HttpResponse:
        obj = model_admin.find(request, object_id)
        if not has_role(request, action.roles):
            raise PermissionDenied
        if not action.offered(obj):
            messages.warning(request, "This can’t be done as things stand now. Nothing was changed.")
            return HttpResponseRedirect(model_admin.page_url(obj))
        if request.method == "POST":
            return _act(model_admin, action, request, obj)
        form = action.form(initial=action.initial(request, obj))
        action.fit(form, obj)
        return _ask(model_admin, action, request, obj, form)

    marked = require_http_methods(["GET", "HEAD", "POST"])(view)
    marked.is_dangerous_action = True  # type: ignore[attr-defined]  # the mark
    if action.step_up:
        marked.step_up_action = (model_admin, action.slug)  # type: ignore[attr-defined]  # for the same walk
    return update_wrapper(marked, view)


def _act(
    model_admin: ScopedModelAdmin[M], action: ObjectAction[M], request: HttpRequest, obj: M
) -> HttpResponse:
    form = action.form(request.POST, request.FILES)
    action.fit(form, obj)
    act = _act_of(model_admin, action, obj)
    # Proved first and spent last: what was typed wrong elsewhere in the form costs no second code.
    error = _take_proof(request, act)
    if not form.is_valid():
        return _ask(model_admin, action, request, obj, form, error)
    if request.POST.get("confirm") != "yes":
        form.add_error(None, "Press the button to confirm. Nothing was changed.")
        return _ask(model_admin, action, request, obj, form, error)
    if not _has_proof(request, act, form, error):
        return _ask(model_admin, action, request, obj, form, error)
    told = attempt(form, lambda: action.run(request, obj, form.cleaned_data))
    if told is None:
        _renew(form, action.initial(request, obj))
        return _ask(model_admin, action, request, obj, form)
    if isinstance(told, HttpResponse):
        return told
    messages.success(request, told)
    return HttpResponseRedirect(model_admin.page_url(obj))


def _renew(form: forms.Form, initial: Mapping[str, Any]) -> None:  # Any: as forms take it
    """What was typed stays; marks that are good for one try start anew, so that the next press is a next try."""
    fresh = {field.html_name: initial[field.name] for field in form.hidden_fields() if field.name in initial}
    form.data = {**dict(form.data.items()), **fresh}


def _ask(
    model_admin: ScopedModelAdmin[M],
    action: ObjectAction[M],
    request: HttpRequest,
    obj: M,
    form: forms.Form,
    error: str = "",
) -> HttpResponse:
    context = {
        "title": action.title,
        "subtitle": model_admin.page_title(obj),
        "object_title": model_admin.page_title(obj),
        "explained": action.explain(obj),
        "form": form,
        "button": action.button or action.label,
        "is_grave": action.is_grave,
        "back_url": model_admin.page_url(obj),
        "step_up": _prompt(request, _act_of(model_admin, action, obj), error),
    }
    return model_admin.respond(request, action.template, context, status=form_status(form))


def _act_of(model_admin: ScopedModelAdmin[M], action: ObjectAction[M], obj: M) -> step_up.Act | None:
    return model_admin.act_of(action.slug, obj.pk) if action.step_up else None


def _take_proof(request: HttpRequest, act: step_up.Act | None) -> str:
    is_asked = act is not None and request.method == "POST"
    return step_up.gate().take_proof(request, act) if act is not None and is_asked else ""


def _has_proof(request: HttpRequest, act: step_up.Act | None, form: forms.Form, error: str) -> bool:
    """Spend the proof that the act needs; without one, say so over the form."""
    if act is None:
        return True
    try:
        step_up.gate().spend(request, act)
    except step_up.StepUpRequired as refusal:
        form.add_error(None, error or refusal.user_message)
        return False
    return True


def _prompt(request: HttpRequest, act: step_up.Act | None, error: str) -> step_up.Prompt | None:
    return step_up.gate().prompt(request, act, error=error) if act is not None else None
