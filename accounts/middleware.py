"""Nobody looks into a practice on a mailed code alone (SECURITY §4): allauth has no such rule, so it stands here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.adapters import has_shown_factor, only_practice_of
from portal.kernel import web
from portal.kernel.errors import NotAllowed
from portal.kernel.web import go_to

GetResponse = Callable[[HttpRequest], HttpResponse]


# Where a session that is good for one practice may be, beside that practice's console: its factor is shown, it ends,
# or somebody comes in anew. Everything that belongs to the person and not to the practice is left out.
OF_ONE_PRACTICE: Final = frozenset(
    {
        "home",
        "choose",
        "factor_show",
        "account_logout",
        "account_login",
        "account_request_login_code",
        "service_pick",
        "service_door",
        "service_back",
        "invitation",
        "invitation_again",
        "language",
        "healthz",
        "readyz",
    }
)


class OnePracticeGate:
    """Who came in by a practice's sign-in service stays in that practice.

    Its owner runs the service and can have it vouch for any member. So such a session must open nothing that is the
    person's own: no client, no other practice, and above all no sign-in methods, which would open everything.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Nothing on the way in or out."""
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponse],  # noqa: ARG002  # Django's signature
        args: Sequence[Any],  # noqa: ARG002  # Any: as above
        kwargs: Mapping[str, Any],  # noqa: ARG002  # Any: as above
    ) -> HttpResponse | None:
        """A page that says so for every address that is not listed; nothing for all other sessions."""
        if not request.user.is_authenticated or not only_practice_of(request) or _is_of_one_practice(request):
            return None
        refused = NotAllowed(
            _(
                "You came in with your company’s account, which is good for that practice alone. "
                "For everything else, sign out and sign in with a code by email."
            ),
            next_url=reverse("account_logout"),
            next_label=_("Sign out"),
        )
        if request.method not in web.SAFE_METHODS:
            web.refusal_tell(request, status=refused.http_status, code="one-practice-only")
        return web.refusal(request, refused)


def _is_of_one_practice(request: HttpRequest) -> bool:
    found = request.resolver_match
    return found is not None and (found.namespace == "admin" or found.view_name in OF_ONE_PRACTICE)


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
