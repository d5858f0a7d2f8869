"""The circumstances of an agreement, as far as a request tells them."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language, gettext

from engagements.services.consents import Evidence
from portal.pages.frames import Desk

LONGEST: Final = 400


def evidence_of(request: HttpRequest, desk: Desk) -> Evidence:
    """Address, browser, languages, way of sign-in and zone; long headers are cut."""
    return Evidence(
        ip=address_of(request),
        user_agent=request.headers.get("User-Agent", "")[:LONGEST],
        accept_language=request.headers.get("Accept-Language", "")[:LONGEST],
        sign_in=sign_in_of(request),
        timezone=desk.zone.key,
        language=get_language() or "",
        authority=authority_of(desk),
    )


def authority_of(desk: Desk) -> str:
    """The sentence beside the box that they ticked, word for word as it stood there."""
    told = {"client": desk.frame.client}
    return gettext("I’ve read this page, and I’m allowed to agree to it for %(client)s.") % told


def address_of(request: HttpRequest) -> str:
    """The caller's address; behind proxies of ours, what the first of them saw and nothing that a caller can write."""
    proxies: int = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    forwarded = [
        part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()
    ]
    if proxies and len(forwarded) >= proxies:
        return forwarded[-proxies]
    return str(request.META.get("REMOTE_ADDR", ""))


def signed_in_at(request: HttpRequest) -> dt.datetime | None:
    """When this session began, as aware UTC; None where it does not say so."""
    told = request.session.get("signed_in_at")
    return dt.datetime.fromisoformat(told) if told else None


def sign_in_of(request: HttpRequest) -> str:
    """How and when the person proved who they are, such as "code at 2026-11-19T14:20:00+00:00"."""
    by, at = request.session.get("signed_in_by", ""), request.session.get("signed_in_at", "")
    return f"{by} at {at}" if by else ""
