"""The page on which a reader chooses a language. Open to everybody, and only the press of a button changes anything."""

from __future__ import annotations

from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from accounts.services.languages import language_choose
from portal.kernel.languages.reading import is_spoken, remembered


@require_http_methods(["GET", "HEAD", "POST"])
def language(request: HttpRequest) -> HttpResponse:
    """GET offers the languages; POST remembers one, for the person and in this browser, and leads back."""
    if request.method != "POST":
        return _page(request, request.GET.get("next", ""))
    chosen, back = request.POST.get("language", ""), request.POST.get("next", "")
    if not is_spoken(chosen):
        return _page(request, back, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    if request.user.is_authenticated:
        language_choose(user=request.user, language=chosen)
    return remembered(redirect(_ours(request, back) or reverse("language")), chosen)


def _page(request: HttpRequest, back: str, *, status: int = HTTPStatus.OK) -> HttpResponse:
    context = {"offered": settings.LANGUAGES, "next": _ours(request, back)}
    return render(request, "accounts/language.html", context, status=status)


def _ours(request: HttpRequest, address: str) -> str:
    """The address if it is one of this portal's, or nothing."""
    is_ours = url_has_allowed_host_and_scheme(
        address, {request.get_host()}, require_https=request.is_secure()
    )
    return address if is_ours else ""
