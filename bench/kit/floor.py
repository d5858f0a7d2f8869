"""The floor page: full middleware, session, person, one list query, a template with ten rows. No page can be cheaper."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from engagements.models import Engagement

ROWS: Final = 10


def floor(request: HttpRequest) -> HttpResponse:
    """Ten projects of the client in scope, in a plain template of their own."""
    rows = list(Engagement.objects.order_by("title", "id")[:ROWS])
    return render(request, "floor.html", {"rows": rows, "person": request.user})
