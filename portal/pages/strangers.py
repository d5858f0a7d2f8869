"""A link that came to the wrong person: they say whose it is, and see nothing else."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts import selectors
from accounts.forms import FindForm
from engagements.services.talk import invitation_misdirected
from portal.kernel.errors import LinkDead
from portal.pages.doors import private


@require_http_methods(["GET", "HEAD", "POST"])
def not_mine(request: HttpRequest, token: str) -> HttpResponse:
    """Asks whose it is; POST switches the link off and tells the practice. Dead links are told as such."""
    if selectors.invitation_welcome(token=token) is None:
        return _dead(request, token)
    form = FindForm(request.POST if request.method == "POST" else None)
    form.fields["email"].label = gettext_lazy("Their email address")
    form.fields["email"].help_text = ""
    form.fields["email"].error_messages["required"] = gettext_lazy("Enter their email address")
    if not form.is_valid():
        status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
        context = {"form": form, "token": token}
        return private(render(request, "accounts/not_mine.html", context, status=status))
    try:
        invitation_misdirected(token=token, email=form.cleaned_data["email"])
    except LinkDead:
        return _dead(request, token)
    return private(render(request, "accounts/not_mine_told.html"))


def _dead(request: HttpRequest, token: str) -> HttpResponse:
    return private(render(request, "accounts/link_dead.html", {"token": token}, status=HTTPStatus.GONE))
