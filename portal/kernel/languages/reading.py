"""In which language a page is: the reader's own, the one they chose in this browser, or the one the browser asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers

ENGLISH: Final = "en"
ENGLISH_PAGES: Final = ("/console/", "/demo/")  # see also `extraction.ENGLISH`
GetResponse = Callable[[HttpRequest], HttpResponse]


class LanguageMiddleware:
    """Puts the reader's language in force round everything that speaks to them, and says in the answer which it is."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The answer, made in that language."""
        language = language_of(request)
        with translation.override(language):
            response = self.get_response(request)
        response.headers.setdefault("Content-Language", language)
        if not request.user.is_authenticated:
            patch_vary_headers(response, ["Accept-Language", "Cookie"])
        return response


def language_of(request: HttpRequest) -> str:
    """A code of `settings.LANGUAGES`. Pages that are not translated are English as a whole."""
    if request.path.startswith(ENGLISH_PAGES):
        return ENGLISH
    own = str(getattr(request.user, "language", ""))
    return own if is_spoken(own) else translation.get_language_from_request(request)


def is_spoken(language: str) -> bool:
    """Whether it is one of ours."""
    return language in dict(settings.LANGUAGES)


def remembered(response: HttpResponse, language: str) -> HttpResponse:
    """The answer, with the language in this browser's keeping: for who is not signed in, and for after signing out."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response
