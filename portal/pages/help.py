"""Help for clients: open to everybody, the same for everybody, made to be printed."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

PAGES: Final = (
    ("help", gettext_lazy("Ten questions")),
    ("protection", gettext_lazy("Why this is safe")),
    ("privacy", gettext_lazy("Privacy")),
    ("accessibility", gettext_lazy("Accessibility")),
)


@require_safe
def page(request: HttpRequest, name: str) -> HttpResponse:
    """One of PAGES."""
    context = {"pages": PAGES, "here": name, "host": urlsplit(settings.SITE_URL).netloc}
    return render(request, f"help/{name}.html", context)


urlpatterns = [
    path("help/", page, {"name": "help"}, name="help"),
    path("help/safety/", page, {"name": "protection"}, name="protection"),
    path("help/privacy/", page, {"name": "privacy"}, name="privacy"),
    path("help/accessibility/", page, {"name": "accessibility"}, name="accessibility"),
]
