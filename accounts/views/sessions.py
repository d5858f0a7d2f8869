"""Where somebody is signed in, and the way to end it there."""

from __future__ import annotations

from typing import Final, cast

from allauth.account.views import logout
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.services.sessions import sessions_end, sessions_of
from portal.kernel.web import sign_in_required

# Nothing of a person stays in a browser that others use. Not `cookies`: that would reach the operator's other sites.
LEFT_BEHIND: Final = '"cache", "storage"'


def sign_out(request: HttpRequest) -> HttpResponse:
    """A look asks, a press signs out; the browser is told to forget what it kept."""
    answer = cast("HttpResponse", logout(request))
    if request.method == "POST":
        answer["Clear-Site-Data"] = LEFT_BEHIND
    return answer


@require_http_methods(["GET", "HEAD", "POST"])
@sign_in_required
def sessions(request: HttpRequest) -> HttpResponse:
    """The list; POST ends one, or all others."""
    user, key = cast("User", request.user), request.session.session_key or ""
    if request.method != "POST":
        return render(
            request, "accounts/sessions.html", {"sessions": sessions_of(user=user, session_key=key)}
        )
    if ended := sessions_end(user=user, mark=request.POST.get("session", "")[:64], keep_key=key):
        messages.success(request, _("Signed out there."))
    return redirect("sessions" if ended or request.user.is_authenticated else "home")
