"""Visits: what was done in each, and those that are still open."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from accounts.lifecycle import HANDS
from awsaccess.services.checks import check_soon
from awsaccess.services.revoking import sessions_end_ask
from engagements.lifecycle import EngagementStatus
from portal.kernel import clock
from portal.pages import compose
from portal.pages.doors import ANYONE, actor_of, at_desk
from portal.pages.frames import Desk
from portal.pages.views.answers import number_in, to_front

_S = EngagementStatus
OPENED = frozenset({_S.ACTIVE, _S.PAUSED, _S.CLOSING})


@at_desk("GET", roles=ANYONE)
def sessions(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Who may still be inside, until when, and how the client cuts it short in AWS."""
    if desk.engagement.status not in OPENED:
        return to_front(desk)
    return compose.sessions_page(request, desk, pressed=number_in(request.GET.get("pressed")))


@at_desk("POST", roles=HANDS)
def sessions_end(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Ask for the block, or for a look at AWS. Ending never asks for a fresh sign-in."""
    page = reverse("client:sessions", args=[desk.engagement.code])
    if desk.engagement.status not in OPENED:
        return to_front(desk)
    if "check" in request.POST:
        check_soon(engagement=desk.engagement)
        return redirect(page)
    sessions_end_ask(engagement=desk.engagement, contact=desk.contact, actor=actor_of(desk))
    return redirect(f"{page}?pressed={int(clock.now().timestamp())}")


@at_desk("GET", roles=ANYONE)
def sessions_script(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """The block by the AWS CLI. Only what the page itself shows: nothing before it was asked for."""
    return compose.sessions_script(desk)


@at_desk("GET")
def visits(request: HttpRequest, desk: Desk) -> HttpResponse:
    """What was done in each visit, as AWS tells it."""
    return compose.visits_page(request, desk)
