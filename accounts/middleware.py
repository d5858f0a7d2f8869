"""Nobody looks into a practice on a mailed code alone (SECURITY §4): allauth has no such rule, so it stands here."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from accounts.adapters import has_shown_factor
from portal.kernel.web import go_to

GetResponse = Callable[[HttpRequest], HttpResponse]


class FactorGate:
    """Whoever sits on the practice's side has shown a factor in this session, or is led to where they can.

    It asks about the membership, not about addresses: a page that sees a practice cannot be forgotten here.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The answer, or the way to the factor's page and back."""
        if getattr(request, "membership", None) is None or has_shown_factor(request):
            return self.get_response(request)
        return go_to(request, reverse("factor_show"))
