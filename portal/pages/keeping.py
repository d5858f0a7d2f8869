"""What somebody typed before the sign-in was over or the page had changed: kept in their own browser, for the next try.

Ticks are not kept. To agree is an act on the page as it is then.
"""

from __future__ import annotations

import json
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse

FIELDS: Final = {"account_id": 40, "reason": 300, "question": 1000, "name": 120, "email": 254}
SECONDS: Final = 15 * 60


def keep(request: HttpRequest, response: HttpResponse, code: str) -> HttpResponse:
    """The answer, with what was typed in a signed cookie, for the pages of this project."""
    typed = {name: request.POST.get(name, "")[:longest] for name, longest in FIELDS.items()}
    if any(typed.values()):
        response.set_signed_cookie(
            _name(),
            json.dumps(typed),
            salt=_salt(code),
            max_age=SECONDS,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return response


def kept(request: HttpRequest, code: str) -> dict[str, str]:
    """What was typed before, by field; what a form starts from. Whatever is no longer valid is nothing."""
    text = request.get_signed_cookie(_name(), default="{}", salt=_salt(code), max_age=SECONDS) or "{}"
    found: dict[str, str] = json.loads(text)
    return found


def forget(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The answer to a form that arrived: nothing has to be kept any longer."""
    if _name() in request.COOKIES:
        response.delete_cookie(_name(), samesite="Lax")
    return response


def _name() -> str:
    """With TLS under a prefix that has browsers take it from this host alone. That needs the whole host as its path,
    so what belongs to one engagement is told apart by its salt."""
    return "__Host-kept" if settings.SESSION_COOKIE_SECURE else "kept"


def _salt(code: str) -> str:
    return f"kept:{code}"
