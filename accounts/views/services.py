"""Signing in with a company's account: which practice, off to its service, and back.

What comes back is a GET with the service's answer in its address. That page changes nothing: it is a form that brings
the answer in by POST, pressed by a script where there is one. So a look at an address never signs anybody in.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.adapters import open_session
from accounts.forms import PracticeForm
from accounts.lifecycle import SignInKind
from accounts.services import service_attempts
from accounts.services.service_sign_in import (
    Answer,
    Asker,
    service_sign_in_begin,
    service_sign_in_finish,
)
from portal.kernel.errors import RateLimited

page_or_post = require_http_methods(["GET", "HEAD", "POST"])
ANSWERED: Final = ("state", "code", "iss", "error")
LONGEST_ANSWER: Final = 5000


@page_or_post
def pick(request: HttpRequest) -> HttpResponse:
    """Which practice? It leads to that practice's own page, whether there is such a practice or not."""
    form = PracticeForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        return redirect("service_door", practice_code=form.cleaned_data["practice"])
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "accounts/service_pick.html", {"form": form}, status=status)


@never_cache
@page_or_post
def door(request: HttpRequest, practice_code: str) -> HttpResponse:
    """A practice's own sign-in page: one button. The same page stands under every name, known or not."""
    browser = request.COOKIES.get(_cookie()) or service_attempts.new_browser()
    if request.method == "POST":
        response = _leave(request, practice_code, browser)
    else:
        context = {"practice_code": practice_code, "next": request.GET.get("next", "")}
        response = render(request, "accounts/service_door.html", context)
    return _remember(response, browser)


@never_cache
@page_or_post
def back(request: HttpRequest, practice_code: str) -> HttpResponse:
    """GET holds what the service answered; POST judges it and lets in."""
    if request.method == "POST":
        return _enter(request, practice_code)
    told = {name: request.GET.get(name, "")[:LONGEST_ANSWER] for name in ANSWERED}
    return render(request, "accounts/service_back.html", {"practice_code": practice_code, "told": told})


def _leave(request: HttpRequest, practice_code: str, browser: str) -> HttpResponse:
    """A page that leads on by itself: our content policy lets no form end at somebody else's server."""
    try:
        address = service_sign_in_begin(
            practice_code=practice_code, asker=_asker(request, browser), next_path=_next(request)
        )
    except RateLimited as refusal:
        messages.error(request, f"{refusal.title}. {refusal.user_message}")
        return redirect("service_door", practice_code=practice_code)
    host = urlsplit(address).hostname
    return render(request, "accounts/service_leave.html", {"address": address, "service_host": host})


def _enter(request: HttpRequest, practice_code: str) -> HttpResponse:
    told = {name: request.POST.get(name, "") for name in ANSWERED}
    came_in = service_sign_in_finish(
        practice_code=practice_code,
        asker=_asker(request, request.COOKIES.get(_cookie(), "")),
        answer=Answer(state=told["state"], code=told["code"], issuer=told["iss"], error=told["error"]),
    )
    open_session(request, came_in.user, by=SignInKind.SERVICE, only_practice=came_in.practice_id)
    response = HttpResponseRedirect(came_in.next_path)
    response.delete_cookie(_cookie(), samesite="Lax")
    return response


def _asker(request: HttpRequest, browser: str) -> Asker:
    return Asker(browser=browser, origin=get_adapter().get_client_ip(request))


def _remember(response: HttpResponse, browser: str) -> HttpResponse:
    """Which browser it was, for as long as a try lasts. Lax: it has to come along when the service sends back."""
    response.set_cookie(
        _cookie(),
        browser,
        max_age=int(2 * service_attempts.LIFE.total_seconds()),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


def _cookie() -> str:
    """Its name: of this very host where there is TLS, so that no neighbour can set it."""
    return "__Host-service" if settings.SESSION_COOKIE_SECURE else "service"


def _next(request: HttpRequest) -> str:
    """Where the person was going, if that is in the console; there is nothing else for this session."""
    wanted = request.POST.get("next", "")
    console = reverse("admin:index")
    is_ours = url_has_allowed_host_and_scheme(wanted, None) and wanted.startswith(console)
    return wanted if is_ours and len(wanted) <= 500 else console
