"""Who may stand at which client page, decided before the view runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Final
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext

from accounts.lifecycle import HANDS, ContactRole
from accounts.models import Contact, User
from engagements.selectors import engagement_for_client, is_handed_elsewhere, staffing_of
from portal.kernel import actor, web
from portal.kernel.errors import NotAllowed, NotVisible
from portal.pages import keeping
from portal.pages.circumstances import signed_in_at
from portal.pages.frames import Desk, desk_of

FOUND: Final = 302
ANYONE: Final = frozenset(ContactRole)
READERS: Final = frozenset({ContactRole.APPROVER, ContactRole.VIEWER})
DECIDERS: Final = frozenset({ContactRole.APPROVER})

DeskView = Callable[[HttpRequest, Desk], HttpResponse]
CodeView = Callable[[HttpRequest, str], HttpResponse]


def at_desk(*methods: str, roles: frozenset[ContactRole] = READERS) -> Callable[[DeskView], CodeView]:
    """A page of one engagement, for contacts of its client in these roles. HEAD comes with GET.

    Signed out: to the sign-in and back. Another's engagement: NotVisible. Wrong role: NotAllowed.
    """
    allowed = ("HEAD", *methods) if "GET" in methods else methods

    def wrap(view: DeskView) -> CodeView:
        @wraps(view)
        def seated(request: HttpRequest, code: str) -> HttpResponse:
            return view(request, _sit_down(request, code, roles))

        guarded = web.contact_required(seated)

        @wraps(view)
        def answered(request: HttpRequest, code: str) -> HttpResponse:
            if request.method not in allowed:
                return HttpResponseNotAllowed(sorted(allowed))
            if _came_too_late(request):
                back = request.path if "GET" in methods else reverse("client:front", args=[code])
                return private(keeping.keep(request, _sign_in_again(back), code))
            return private(_answer(guarded, request, code))

        return answered

    return wrap


def contact_of(request: HttpRequest) -> Contact:
    """The seat that the scope middleware found; only behind `web.contact_required`."""
    found = getattr(request, "contact", None)
    assert isinstance(found, Contact)  # noqa: S101  # contact_required has sent everybody else away
    return found


def user_of(request: HttpRequest) -> User:
    """The signed-in person; only behind `web.contact_required`."""
    assert isinstance(request.user, User)  # noqa: S101  # as above
    return request.user


def actor_of(desk: Desk) -> actor.Actor:
    """The person at the desk, as services want to know them."""
    return actor.person(desk.user.pk, name=desk.user.name, email=desk.user.email)


def private(response: HttpResponse) -> HttpResponse:
    """No cache keeps what one contact sees, and a fragment is never taken for its page."""
    response.headers["Cache-Control"] = "no-store"
    patch_vary_headers(response, ["HX-Request"])
    return response


def _came_too_late(request: HttpRequest) -> bool:
    """A form of somebody whose sign-in is over by now. Fragments are sent away by `web.contact_required`."""
    posted = request.method == "POST" and not web.is_fragment(request)
    return posted and not request.user.is_authenticated


def _answer(view: CodeView, request: HttpRequest, code: str) -> HttpResponse:
    response = view(request, code)
    arrived = request.method == "POST" and response.status_code == FOUND
    return keeping.forget(request, response) if arrived else response


def _sign_in_again(back: str) -> HttpResponse:
    """To the sign-in, and back to where the form was; to the project if the form's own address knows no GET."""
    return HttpResponseRedirect(f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': back})}")


def _sit_down(request: HttpRequest, code: str, roles: frozenset[ContactRole]) -> Desk:
    engagement = engagement_for_client(code)
    contact = contact_of(request)
    if is_handed_elsewhere(contact, engagement):
        raise NotVisible
    if contact.role not in roles:
        raise _not_for(roles, code)
    # The seat holds the whole rows of firm and client: nothing of them is read a second time.
    if engagement.client_id == contact.client_id:
        engagement.practice, engagement.client = contact.practice, contact.client
    return desk_of(
        engagement=engagement,
        assignments=staffing_of(engagement),
        contact=contact,
        user=user_of(request),
        signed_in_at=signed_in_at(request),
    )


def _not_for(roles: frozenset[ContactRole], code: str) -> NotAllowed:
    """Papers are for readers, the step in AWS for who does it; everything else that is closed is a decision."""
    title, said = (
        gettext("Someone else has to do this"),
        gettext("Only someone who may agree for your company can."),
    )
    if roles == HANDS:
        said = gettext("Only someone who may agree for your company, or who does the step in AWS, can.")
    if roles == READERS:
        title, said = gettext("This paper is for your colleagues"), gettext("You help with the step in AWS.")
    return NotAllowed(
        f"{said} {gettext('Nothing was changed.')}",
        title=title,
        next_url=reverse("client:front", args=[code]),
        next_label=gettext("Go back"),
    )
