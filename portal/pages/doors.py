"""Who may stand at which client page, decided before the view runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Final
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import reverse
from django.utils.cache import patch_vary_headers

from accounts.lifecycle import ContactRole
from accounts.models import Contact, User
from engagements.selectors import assignments_of, engagement_for_client
from portal.kernel.actor import Actor, person
from portal.kernel.errors import NotAllowed
from portal.pages.frames import Desk, desk_of

ANYONE: Final = frozenset(ContactRole)
READERS: Final = frozenset({ContactRole.APPROVER, ContactRole.VIEWER})
DECIDERS: Final = frozenset({ContactRole.APPROVER})

DeskView = Callable[[HttpRequest, Desk], HttpResponse]
CodeView = Callable[[HttpRequest, str], HttpResponse]


def at_desk(
    *methods: str, roles: frozenset[ContactRole] = READERS
) -> Callable[[DeskView], CodeView]:
    """A page of one engagement, for contacts of its client in these roles. HEAD comes with GET.

    Signed out: to the sign-in and back. Another's engagement: NotVisible. Wrong role: NotAllowed.
    """
    allowed = ("GET", "HEAD", *methods) if "GET" in methods else methods

    def wrap(view: DeskView) -> CodeView:
        @wraps(view)
        def guarded(request: HttpRequest, code: str) -> HttpResponse:
            if request.method not in allowed:
                return HttpResponseNotAllowed(allowed)
            if (elsewhere := way_in(request)) is not None:
                return elsewhere
            return private(view(request, _sit_down(request, code, roles)))

        return guarded

    return wrap


def way_in(request: HttpRequest) -> HttpResponse | None:
    """Where somebody without a seat has to go first; None for a contact of a client."""
    if not request.user.is_authenticated:
        target = f"{reverse('account_login')}?next={quote(request.get_full_path())}"
        return _send(request, target)
    if contact_of(request) is None:
        return _send(request, f"/choose/?next={quote(request.get_full_path())}")
    return None


def contact_of(request: HttpRequest) -> Contact | None:
    """The seat that the scope middleware found for this request."""
    found: Contact | None = getattr(request, "contact", None)
    return found


def user_of(request: HttpRequest) -> User:
    """The signed-in person; only behind `way_in`."""
    assert isinstance(request.user, User)  # noqa: S101  # way_in has sent everybody else away
    return request.user


def actor_of(desk: Desk) -> Actor:
    """The person at the desk, as services want to know them."""
    return person(desk.user.pk, name=desk.user.name, email=desk.user.email)


def is_fragment(request: HttpRequest) -> bool:
    """True when the live card asks, not a person who opens a page."""
    return request.headers.get("HX-Request") == "true"


def private(response: HttpResponse) -> HttpResponse:
    """No cache keeps what one contact sees, and a fragment is never taken for its page."""
    response.headers["Cache-Control"] = "no-store"
    patch_vary_headers(response, ["HX-Request"])
    return response


def _sit_down(request: HttpRequest, code: str, roles: frozenset[ContactRole]) -> Desk:
    engagement = engagement_for_client(code)
    contact = contact_of(request)
    if contact is None or contact.role not in roles:
        raise NotAllowed(
            "Someone else at your company has to do this. Nothing was changed.",
            title="Someone else has to do this",
            next_url=reverse("client:front", args=[code]),
            next_label="Go back",
        )
    return desk_of(
        engagement=engagement,
        assignments=assignments_of(engagement),
        contact=contact,
        user=user_of(request),
    )


def _send(request: HttpRequest, target: str) -> HttpResponse:
    """A redirect; the live card gets it in a header, because it would follow a plain one into its own box."""
    if is_fragment(request):
        return private(HttpResponse(status=401, headers={"HX-Redirect": target}))
    return private(HttpResponseRedirect(target))
