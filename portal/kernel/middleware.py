"""What each request passes: its scope, pages for refusals, and headers of pages that are nobody else's business."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Final, cast

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from django.utils.translation import gettext

from portal.kernel import audit, tenancy, web
from portal.kernel.errors import NotVisible, PortalError

CONSOLE: Final = "/console/"
KEPT: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
SAME_FOR_ALL: Final = "max-age=31536000, public, immutable"  # what is named after its own bytes
LARGEST_BODY: Final[int] = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
# Where a file is asked for, by path. It is held in memory alone, and its page counts who sends how many.
LARGER_BODIES: Final[dict[str, int]] = settings.LARGER_BODIES
# What no page asks of a browser. Passkeys and copying to the clipboard are left to our own pages.
NO_DEVICES: Final = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "autoplay",
        "browsing-topics",
        "camera",
        "display-capture",
        "encrypted-media",
        "fullscreen",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "picture-in-picture",
        "screen-wake-lock",
        "serial",
        "usb",
        "xr-spatial-tracking",
    )
)
GetResponse = Callable[[HttpRequest], HttpResponse]


class ScopeMiddleware:
    """Puts the person's scope in force round the view and the rendering of its page.

    Safe methods are read-only inside: a GET cannot write tenant data, whatever its code does. What the sign-in
    machinery writes on a GET is outside: the user is read before the scope begins (which may renew the key of an
    old session), and the session is saved after it ends, by SessionMiddleware.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.find: web.PlaceFinder = import_string(settings.PLACE_FINDER)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The answer, made in the scope of whoever asks."""
        place = self._place(request)
        told = cast("web.PortalRequest", request)
        told.membership, told.contact = place.membership, place.contact
        with tenancy.use(place.scope):
            if self._is_shut(request):
                closed = place.closed or NotVisible(next_url="/", next_label=gettext("Go to the start page"))
                if request.method not in web.SAFE_METHODS:
                    web.refusal_tell(request, status=closed.http_status, code="console-closed")
                return web.refusal(request, closed)
            return self.get_response(request)

    def _place(self, request: HttpRequest) -> web.Place:
        read_only = request.method in web.SAFE_METHODS
        if not request.user.is_authenticated:
            return web.Place(scope=replace(tenancy.NOBODY, read_only=read_only))
        return self.find(
            user_id=request.user.pk,
            seat=str(request.session.get("seat", "")),
            in_console=request.path.startswith(CONSOLE),
            read_only=read_only,
            only_practice=str(request.session.get("only_practice", "")),
        )

    def _is_shut(self, request: HttpRequest) -> bool:
        """The console does not exist for people who belong to no practice."""
        told = cast("web.PortalRequest", request)
        is_console = request.path.startswith(CONSOLE)
        return is_console and request.user.is_authenticated and told.membership is None


class ErrorPages:
    """Makes pages of what services refuse. Everything else goes on to Django, and so to the pages of `web`."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Nothing on the way in or out."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """A page for a PortalError; acts that a signed-in person was refused are told in the record."""
        if (status := _told_status(request, exception)) is not None:
            web.refusal_tell(request, status=status, code=getattr(exception, "code", ""))
        if isinstance(exception, audit.Unrecorded):
            return web.unrecorded(request, exception)
        return web.refusal(request, exception) if isinstance(exception, PortalError) else None


def _told_status(request: HttpRequest, exception: Exception) -> int | None:
    """Which refusals are worth keeping: acts that are forbidden, or upon what is not there or not theirs. A look is
    none: it would let a GET write."""
    if request.method in web.SAFE_METHODS or getattr(exception, "is_told", False):
        return None
    if isinstance(exception, PermissionDenied):
        return HTTPStatus.FORBIDDEN
    if isinstance(exception, Http404):
        return HTTPStatus.NOT_FOUND
    status = exception.http_status if isinstance(exception, PortalError) else None
    return status if status in KEPT else None


class SmallBodies:
    """Refuses a large body unread. Django's own limit leaves out files, which any form would take and put on disk.

    A body without a length is none for Django, so the header decides for every kind of transfer.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """413, or the answer."""
        told = str(request.META.get("CONTENT_LENGTH") or "0")
        largest = LARGER_BODIES.get(request.path, LARGEST_BODY)
        is_small = told.isascii() and told.isdigit() and int(told) <= largest
        return self.get_response(request) if is_small else web.too_large(request)


class PrivateResponse:
    """Keeps pages of people, and pages whose address is a secret, out of caches, search engines and Referer headers."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The answer with its headers."""
        response = self.get_response(request)
        response["X-Robots-Tag"] = "noindex"
        response["Permissions-Policy"] = NO_DEVICES
        # A logo stands in mails too, which people read on other sites.
        response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        is_link = request.path.startswith(web.LINKS)
        if is_link:
            # Not `no-referrer`: browsers then post with `Origin: null`, which the CSRF check refuses.
            response["Referrer-Policy"] = "strict-origin"
        # Whoever has a session, also one that ends with this answer, or that only remembers an address so far.
        had_session = settings.SESSION_COOKIE_NAME in request.COOKIES
        if response.get("Cache-Control") == SAME_FOR_ALL:
            return response
        if is_link or had_session or settings.SESSION_COOKIE_NAME in response.cookies:
            response["Cache-Control"] = "no-store"
        return response
