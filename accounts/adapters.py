"""Where allauth meets this app: nobody signs up, nothing is mailed from the web process, each sign-in is told."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.stages import LoginStage
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts import emails
from accounts.lifecycle import FactorKind, SignInKind
from accounts.models import Contact, User
from accounts.selectors import factors_of
from accounts.services.languages import language_take_over
from accounts.services.letters import letter_promise
from accounts.services.sign_in import sign_in_record
from accounts.sessions import SessionStore
from portal.kernel import clock

BACKEND: Final = "allauth.account.auth_backends.AuthenticationBackend"
ONLY_PRACTICE: Final = "only_practice"  # in the session; ScopeMiddleware reads it
CODE_MAIL: Final = "account/email/login_code"


class InvitationOnlyAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """People are added by their consultant; here they only prove who they are."""

    error_messages: Final = {
        **DefaultAccountAdapter.error_messages,
        "incorrect_code": _("That code doesn't match. Look for the newest email, or ask for a new code."),
        "too_many_login_attempts": _(
            "That was tried too often. Nothing is at risk. Wait a minute, then try again."
        ),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002  # allauth's signature
        """Never."""
        return False

    def is_safe_url(self, url: str | None) -> bool:
        """False for what is no address at all, too: Python refuses to read some, and that would be our fault."""
        try:
            return bool(super().is_safe_url(url))
        except ValueError:
            return False

    def send_mail(
        self, template_prefix: str, email: str, context: dict[str, Any]
    ) -> None:  # Any: allauth's own
        """Promise the mail with a sign-in code. Raises ValueError for any other: none is expected."""
        if template_prefix != CODE_MAIL:
            raise ValueError(f"allauth wants to send {template_prefix}")
        letter_promise(emails.code_letter(to=email, code=context["code"]))

    def get_login_stages(self) -> list[str]:
        """The mailed code, then the factor of people who must have one."""
        return ["allauth.account.stages.LoginByCodeStage", "accounts.adapters.FactorStage"]

    def login(self, request: HttpRequest, user: User) -> None:
        """Somebody gave the right code, and then the right factor where one is needed."""
        factor: FactorKind | None = getattr(request, "factor_shown", None)
        sign_in_record(user=user, by=SignInKind.CODE, factor=factor)
        open_session(request, user, by=SignInKind.CODE)
        if factor is not None:
            mark_factor(request, factor)

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Who was going nowhere in particular, and has nothing but the mailed code, is offered a passkey on the way."""
        user = request.user
        by_code = request.session.get("signed_in_by") == SignInKind.CODE
        if not by_code or not isinstance(user, User) or user.is_staff or factors_of(user.pk).is_enough:
            return str(super().get_login_redirect_url(request))
        return reverse("factor_offer")

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        *rest: Any,  # Any: allauth's own
        **named: Any,  # Any: allauth's own
    ) -> None:
        """Only what has words of ours: the pages say themselves that a code is on its way."""
        if message_template is None:
            super().add_message(request, level, None, *rest, **named)


def open_session(
    request: HttpRequest,
    user: User,
    *,
    by: SignInKind,
    contact: Contact | None = None,
    only_practice: UUID | None = None,
) -> None:
    """Sign in under a new session key; the session keeps how and when, and where the person sits if that is known.

    `only_practice` is the one practice that a session is good for whose service vouched for the person.
    """
    login(request, user, backend=BACKEND)
    language_take_over(user=user, language=get_language() or user.reads)
    SessionStore.clear_expired()
    request.session["signed_in_by"] = by.value
    request.session["browser"] = request.headers.get("User-Agent", "")[:200]
    request.session["signed_in_at"] = clock.now().isoformat()
    for old in ("seat", "factor", ONLY_PRACTICE):
        request.session.pop(old, None)
    if only_practice is not None:
        request.session[ONLY_PRACTICE] = str(only_practice)
    if contact is not None:
        request.session["seat"] = str(contact.pk)


class FactorStage(LoginStage):  # type: ignore[misc]  # allauth has no types
    """Between the mailed code and being signed in: consultants who have a factor show it."""

    key = "mfa_authenticate"
    urlname = "factor_show"

    def handle(self) -> tuple[HttpResponse | None, bool]:
        """To the factor's page, or on. Who has none yet goes on to set one up: the console waits behind it."""
        user = self.login.user
        if not user.is_staff or not factors_of(user.pk).is_enough:
            return None, True
        return HttpResponseRedirect(reverse(self.urlname)), True


class FactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    """A guard: secrets are sealed by our services, for one row each. allauth itself is to keep none."""

    def encrypt(self, text: str) -> str:  # allauth's signature
        """Never."""
        raise NotImplementedError("factors are made by accounts.services")

    def decrypt(self, encrypted_text: str) -> str:  # allauth's signature
        """Never."""
        raise NotImplementedError("factors are read by accounts.services")


def mark_factor(request: HttpRequest, kind: FactorKind) -> None:
    """This session has shown a factor: the console opens. The key changes, as at every rise in rights."""
    request.session.cycle_key()
    request.session["factor"] = kind.value


def only_practice_of(request: HttpRequest) -> str:
    """The id of the one practice that this session is good for; "" for sessions that are the person's own."""
    return str(request.session.get(ONLY_PRACTICE, ""))


def has_shown_factor(request: HttpRequest) -> bool:
    """True if a factor was shown in this session."""
    return request.session.get("factor") in FactorKind.values
