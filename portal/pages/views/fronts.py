"""The list of projects, and the page that fits where one stands."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from engagements.lifecycle import EngagementStatus
from engagements.selectors import engagements_of_client, is_handed_elsewhere
from portal.kernel import web
from portal.kernel.errors import NotVisible
from portal.pages import compose, homes
from portal.pages.doors import ANYONE, at_desk, contact_of, private, user_of
from portal.pages.frames import Desk, zone_of
from portal.pages.reads import broken_engagements

_S = EngagementStatus


@require_safe
@web.contact_required
def home(request: HttpRequest) -> HttpResponse:
    """Every project of the client, newest first."""
    contact = contact_of(request)
    seen = [one for one in engagements_of_client() if not is_handed_elsewhere(contact, one)]
    projects = homes.projects_of(seen, zone_of(user_of(request)), broken=broken_engagements())
    return private(render(request, "engagements/home.html", {"projects": projects}))


@at_desk("GET", roles=ANYONE)
def front(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The page that fits where the engagement stands."""
    match EngagementStatus(desk.engagement.status):
        case _S.INVITED:
            return compose.asked(request, desk)
        case _S.AGREED:
            return compose.connect_page(request, desk)
        case _S.ACTIVE | _S.PAUSED:
            return (compose.status_page if desk.frame.sees_paper else compose.connect_page)(request, desk)
        case _S.CLOSING:
            return compose.closing_page(request, desk)
        case _S.CLOSED:
            return compose.closed_page(request, desk)
        case _S.DECLINED:
            return compose.declined_page(request, desk)
        case _S.DRAFT | _S.CANCELLED:  # pragma: no branch  # every status is named
            raise NotVisible
