"""Where the one-time notice after an action waits for the next page: in a cookie bound to this very host, or the session."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage

NAME: Final = "messages"


class HostCookie(CookieStorage):
    """Django's, under a name that no other host can set; only over TLS do browsers take such a name."""

    @property
    def cookie_name(self) -> str:  # type: ignore[override]  # an attribute there; the settings decide here
        """As the session's and the form token's cookies are named."""
        return f"__Host-{NAME}" if settings.SESSION_COOKIE_SECURE else NAME


class Notices(FallbackStorage):
    """The cookie; what is too long for it, the session."""

    storage_classes = (HostCookie, SessionStorage)
