"""What every page leans on: who is where, the frame round the page, and the pages for what went wrong."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus
from typing import Any, Final, Protocol, cast
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from portal.kernel import actor, refusals
from portal.kernel.errors import PortalError
from portal.kernel.redaction import hide_tokens
from portal.kernel.tenancy import Scope

LINKS: Final = ("/i/", "/to/")  # a token stands in the address
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
log: Final = logging.getLogger("portal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a signed-in person is for one request: the scope, and the row that puts them there."""

    scope: Scope
    membership: Any = None  # Any: a model of accounts, which the kernel does not know
    contact: Any = None  # Any: as above
    closed: PortalError | None = None  # why the seat is not open to this session, though it is this person's


class PlaceFinder(Protocol):
    """The function that `settings.PLACE_FINDER` names; read on each request, never from what the browser claims."""

    def __call__(
        self, *, user_id: UUID, seat: str, in_console: bool, read_only: bool, only_practice: str
    ) -> Place:
        """The place of this person; `seat` is the row they chose last, `only_practice` what the session is good for."""


class PortalRequest(HttpRequest):
    """A request that ScopeMiddleware has seen. `membership` in the console, `contact` elsewhere, or neither."""

    membership: Any  # Any: a model of accounts, which the kernel does not know
    contact: Any  # Any: as above


View = Callable[..., HttpResponse]


def contact_required(view: View) -> View:
    """Let in people who sit at a client; send the others to sign in, or to choose where to sit."""
    return _place_required(view, "contact")


def membership_required(view: View) -> View:
    """Let in people of a practice; send the others to sign in, or to choose where to sit."""
    return _place_required(view, "membership")


def sign_in_required(view: View) -> View:
    """Let in whoever is signed in."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # Any: the view's own
        return view(request, *args, **kwargs) if request.user.is_authenticated else go_sign_in(request)

    return guarded


def _place_required(view: View, name: str) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # Any: the view's own
        if not request.user.is_authenticated:
            return go_sign_in(request)
        if getattr(request, name, None) is None:
            return go_to(request, reverse("choose"))
        return view(request, *args, **kwargs)

    return guarded


def go_sign_in(request: HttpRequest) -> HttpResponse:
    """To the sign-in page and back here; a live fragment cannot follow, so it tells the page to go."""
    return go_to(request, resolve_url(settings.LOGIN_URL))


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    """To a page that has to come first, and back; a live fragment cannot follow, so it tells the page to go."""
    back = request.get_full_path() if request.method in {"GET", "HEAD"} else ""
    if is_fragment(request):
        away = HttpResponse(status=HTTPStatus.UNAUTHORIZED)
        away["HX-Redirect"] = url
        return away
    return HttpResponseRedirect(f"{url}?{urlencode({'next': back})}" if back else url)


def is_fragment(request: HttpRequest) -> bool:
    """True when htmx asks for a part of a page."""
    return request.headers.get("HX-Request") == "true"


def actor_of(request: HttpRequest) -> actor.Actor:
    """The signed-in person, as services want to be told."""
    user = cast("Any", request.user)  # Any: the user model belongs to accounts
    return actor.person(user.pk, name=user.name, email=user.email)


def frame(request: HttpRequest) -> dict[str, Any]:  # Any: what templates show
    """Context processor: what the frame of each page shows. A view's own values win."""
    seat = getattr(request, "contact", None) or getattr(request, "membership", None)
    user = getattr(request, "user", None)
    return {
        "practice": getattr(seat, "practice", None),
        "client": getattr(seat, "client", None),
        "person": user if user is not None and user.is_authenticated else None,
        "host": urlsplit(settings.SITE_URL).netloc,
        "languages": settings.LANGUAGES,
        "own_path": request.get_full_path() if _is_open_page(request) else "",
    }


def _is_open_page(request: HttpRequest) -> bool:
    """Whether its address may stand in another one: no token is in it, and a GET leads there again."""
    return request.method == "GET" and not request.path.startswith((*LINKS, "/language/"))


def refusal(request: HttpRequest, error: PortalError) -> HttpResponse:
    """The page, or for htmx the fragment, of a refusal: what happened, whether anything is at risk, one way on."""
    context = {
        "title": error.title,
        "user_message": error.user_message,
        "next_url": error.next_url or _back(request),
        "next_label": error.next_label,
        "code": error.code,
        "status": error.http_status,
        "reference": reference_note(request, status=error.http_status, code=error.code),
        "own_path": "",  # a page that refuses is the same, whatever was asked for
    }
    name = "errors/_refusal.html" if is_fragment(request) else "errors/refusal.html"
    return render(request, name, context, status=error.http_status)


def reference_note(request: HttpRequest, *, status: int, code: str) -> str:
    """A short name for this answer, new each time, under which the log has it: what people quote when they ask."""
    reference = secrets.token_hex(4)
    log.info(
        "reference %s: %s %s on %s %s", reference, status, code, request.method, hide_tokens(request.path)
    )
    return reference


def refusal_tell(request: HttpRequest, *, status: int, code: str) -> None:
    """Record that a signed-in person was refused; strangers leave no trace, or they could fill the record."""
    if not request.user.is_authenticated:
        return
    details = {
        "method": request.method,
        "path": hide_tokens(request.path)[:200],
        "status": status,
        "code": code,
    }
    user = cast("Model", request.user)
    refusals.refusal_record(
        refusals.RequestEvent.REFUSED, subject=user, actor=actor_of(request), details=details
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001  # Django calls it so
    """404: the same page for what does not exist and for what is not yours."""
    return _simple(
        request,
        status=HTTPStatus.NOT_FOUND,
        title=_("Page not found"),
        words=_("There is nothing here. Check the address, or use the link in your latest email."),
    )


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001  # Django calls it so
    """403."""
    return _simple(
        request,
        status=HTTPStatus.FORBIDDEN,
        title=_("You can't do this"),
        words=_("Your sign-in doesn't allow this. Nothing was changed."),
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001  # Django calls it so
    """400, without any query: the request itself may be broken."""
    reference = reference_note(request, status=HTTPStatus.BAD_REQUEST, code="bad-request")
    page = _plain(request, _("That didn't work"), _("Nothing was changed."), reference)
    return HttpResponse(page, status=HTTPStatus.BAD_REQUEST)


def too_large(request: HttpRequest) -> HttpResponse:
    """413, without any query and without reading what was sent."""
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    reference = reference_note(request, status=status, code="too-large")
    page = _plain(request, _("That was too large"), _("Nothing was changed."), reference)
    return HttpResponse(page, status=status)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001  # Django calls it so
    """403 for a form that was open too long, or that came from somewhere else."""
    refusal_tell(request, status=HTTPStatus.FORBIDDEN, code="form-not-ours")
    return _simple(
        request,
        status=HTTPStatus.FORBIDDEN,
        title=_("This page was open too long"),
        words=_("Nothing was saved. Open the page again and repeat what you wanted to do."),
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """500: says so, with a reference that stands in the log. Asks the database nothing: it may be the cause."""
    reference = secrets.token_hex(4)
    log.error("reference %s: an error on %s %s", reference, request.method, request.path)
    title, words = _("The problem is on our side"), _("Nothing was lost. Please try again in a minute.")
    return HttpResponse(_plain(request, title, words, reference), status=HTTPStatus.INTERNAL_SERVER_ERROR)


def unrecorded(request: HttpRequest, error: Exception) -> HttpResponse:
    """503 for an act whose event could not be written: it did not happen. The log has the reference and the cause."""
    reference, cause = secrets.token_hex(4), type(error.__cause__ or error).__name__
    log.error("reference %s: no record, no act: %s %s (%s)", reference, request.method, request.path, cause)
    title = _("We couldn't write this down, so it didn't happen")
    words = _("Nothing was changed, and nobody was let in anywhere. Please try again in a minute.")
    return HttpResponse(_plain(request, title, words, reference), status=HTTPStatus.SERVICE_UNAVAILABLE)


def _simple(request: HttpRequest, *, status: HTTPStatus, title: str, words: str) -> HttpResponse:
    error = PortalError(words, title=title, next_url="/", next_label=_("Go to the start page"))
    error.http_status, error.code = status, status.name.lower().replace("_", "-")
    return refusal(request, error)


def _plain(request: HttpRequest, title: str, words: str, reference: str) -> str:
    context = {"title": title, "user_message": words, "reference": reference, "next_url": "/"}
    words_and_look = {
        **context,
        "practice": _practice_known(request),
        "next_label": _("Go to the start page"),
    }
    return render_to_string("errors/refusal.html", words_and_look)


def _practice_known(request: HttpRequest) -> Any:  # Any: a model of accounts, which the kernel does not know
    """The practice of whoever asks, if that was read before: here nothing may be asked of the database."""
    seat = getattr(request, "contact", None) or getattr(request, "membership", None)
    return seat.practice if seat is not None and "practice" in seat._state.fields_cache else None  # noqa: SLF001


def _back(request: HttpRequest) -> str:
    """Where the person was, if that was here; the start page otherwise."""
    came_from = request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(came_from, {request.get_host()}, require_https=request.is_secure()):
        return urlsplit(came_from)._replace(scheme="", netloc="").geturl() or "/"
    return "/"
