"""Pages that do what no page should, to see what becomes of it; beside all real addresses."""

from __future__ import annotations

from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import include, path

from accounts.models import Client, Contact
from portal.kernel import errors, tenancy
from portal.kernel.web import actor_of, contact_required, membership_required

handler400 = "portal.kernel.web.bad_request"
handler403 = "portal.kernel.web.forbidden"
handler404 = "portal.kernel.web.not_found"
handler500 = "portal.kernel.web.server_error"

REFUSALS = {
    name: getattr(errors, name)
    for name in ("NotVisible", "NotAllowed", "InvalidMove", "Stale", "LinkDead", "RateLimited", "Unavailable")
}


def refuse(_request: HttpRequest, name: str) -> HttpResponse:
    raise REFUSALS[name]


def forbid(_request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


def bad(_request: HttpRequest) -> HttpResponse:
    raise BadRequest


def broken(_request: HttpRequest, **_kwargs: str) -> HttpResponse:
    raise RuntimeError("a secret in the middle of a bug")


def who(_request: HttpRequest) -> HttpResponse:
    scope = tenancy.current()
    return HttpResponse(f"{scope.side} {scope.client_id or scope.practice_id} {scope.read_only}")


def late(request: HttpRequest) -> TemplateResponse:
    """Asks the database only while the page is rendered, after the view has returned."""
    return TemplateResponse(request, "accounts/choose.html", {"seats": Client.objects.all()})


def write(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(Contact.objects.update(title="changed by a page")))


@contact_required
def for_contacts(request: HttpRequest) -> HttpResponse:
    return HttpResponse(actor_of(request).name)


@membership_required
def for_members(request: HttpRequest) -> HttpResponse:
    return HttpResponse(actor_of(request).reference)


def form(request: HttpRequest) -> HttpResponse:
    return render(request, "account/logout.html")


urlpatterns = [
    path("refuse/<str:name>/", refuse),
    path("i/<str:token>/broken/", broken),
    path("forbid/", forbid),
    path("bad/", bad),
    path("broken/", broken),
    path("who/", who),
    path("console/who/", who),
    path("late/", late),
    path("write/", write),
    path("for-contacts/", for_contacts),
    path("console/for-members/", for_members),
    path("form/", form),
    path("", include("portal.urls")),
]
