"""What somebody typed before the sign-in was over or the page had changed: kept in their own browser, for the next try.

Ticks are not kept. To agree is an act on the page as it is then.
"""

from __future__ import annotations

import json
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

COOKIE: Final = "kept"
FIELDS: Final = {"account_id": 40, "reason": 300, "question": 1000, "name": 120, "email": 254}
SECONDS: Final = 15 * 60


def keep(request: HttpRequest, response: HttpResponse, code: str) -> HttpResponse:
    """The answer, with what was typed in a signed cookie of this project's pages."""
    typed = {name: request.POST.get(name, "")[:longest] for name, longest in FIELDS.items()}
    if any(typed.values()):
        response.set_signed_cookie(
            COOKIE,
            json.dumps(typed),
            salt=COOKIE,
            max_age=SECONDS,
            path=_pages_of(code),
            secure=request.is_secure(),
            httponly=True,
            samesite="Lax",
        )
    return response


def kept(request: HttpRequest) -> dict[str, str]:
    """What was typed before, by field; what a form starts from. Whatever is no longer valid is nothing."""
    text = request.get_signed_cookie(COOKIE, default="{}", salt=COOKIE, max_age=SECONDS) or "{}"
    found: dict[str, str] = json.loads(text)
    return found


def forget(request: HttpRequest, response: HttpResponse, code: str) -> HttpResponse:
    """The answer to a form that arrived: nothing has to be kept any longer."""
    if COOKIE in request.COOKIES:
        response.delete_cookie(COOKIE, path=_pages_of(code), samesite="Lax")
    return response


def _pages_of(code: str) -> str:
    return reverse("client:front", args=[code])
