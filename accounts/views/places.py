"""Signing in, opening an invitation, choosing where to sit, and the way to one's own place."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final, cast

from allauth.account.adapter import get_adapter
from allauth.account.views import ConfirmLoginCodeView, RequestLoginCodeView
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import emails, selectors
from accounts.adapters import InvitationOnlyAdapter, only_practice_of, open_session
from accounts.forms import FindForm
from accounts.lifecycle import SignInKind
from accounts.models import User
from accounts.selectors import Seat
from accounts.services.attempts import CODE_MAILS, CODE_TRIES, attempt_count
from accounts.services.finding import invitation_find_ask
from accounts.services.invitations import invitation_send_again, invitation_use
from accounts.services.letters import letter_rehearse
from accounts.services.sign_in import sign_in_refuse
from portal.kernel.errors import LinkDead, NotVisible, RateLimited
from portal.kernel.web import reference_note, sign_in_required

TOO_OFTEN: Final = "too_many_login_attempts"  # allauth's name of the limit
page_or_post = require_http_methods(["GET", "HEAD", "POST"])


class SignInView(RequestLoginCodeView):  # type: ignore[misc]  # allauth has no types
    """Asks for the address and mails a code; an address nobody knows gets the same page in the same time."""

    def form_valid(self, form: Any) -> HttpResponse:  # Any: allauth's form
        """To the code page, whoever it was, known or not. Who asks too often is told so, known or not."""
        try:
            attempt_count(CODE_MAILS, form.cleaned_data["email"].lower())
        except RateLimited:
            form.add_error("email", get_adapter().validation_error(TOO_OFTEN))
            return self.form_invalid(form)
        if form._user is None:  # noqa: SLF001  # where allauth's form leaves what it found
            _rehearse(form.cleaned_data["email"])
        return cast("HttpResponse", super().form_valid(form))

    def form_invalid(self, form: Any) -> HttpResponse:  # Any: allauth's form
        """The page again; tries beyond the limit are told in the record."""
        if form.has_error("email", TOO_OFTEN):
            _tell_refusal(self.request, form.data.get("email", ""), reason="too many requests")
        return cast("HttpResponse", super().form_invalid(form))

    def _redirect_to_pending_stage(self, request: HttpRequest, stage: object) -> None:
        """Who mistyped the address must be able to come back here."""


class CodeView(ConfirmLoginCodeView):  # type: ignore[misc]  # allauth has no types
    """Asks for the code."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # Any: Django's own
        """The page; for a code that came too late, the address page with a word about it."""
        response = super().dispatch(request, *args, **kwargs)
        if getattr(self, "_process", self) is None:  # where allauth says that the time is over
            messages.error(
                request, _("That code is more than 15 minutes old. Give your address to get a new one.")
            )
        return cast("HttpResponse", response)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # Any: Django's own
        """Each try counts for the address, whichever browser and whichever code it was meant for."""
        try:
            if self._action == "verify":
                attempt_count(CODE_TRIES, self._process.state["email"].lower())
            else:
                attempt_count(CODE_MAILS, self._process.state["email"].lower())
        except RateLimited:
            _tell_refusal(request, str(self._process.state["email"]), reason="too many requests")
            messages.error(request, InvitationOnlyAdapter.error_messages[TOO_OFTEN])
            return redirect("account_login")
        return cast("HttpResponse", super().post(request, *args, **kwargs))

    def form_invalid(self, form: Any) -> HttpResponse:  # Any: allauth's form
        """The page again, or to the address after too many tries; each is told in the record, whoever it was."""
        address = str(self._process.state["email"])
        response = cast("HttpResponse", super().form_invalid(form))
        is_over = response.status_code == HTTPStatus.FOUND
        _tell_refusal(self.request, address, reason="too many wrong codes" if is_over else "wrong code")
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:  # Any: Django's own
        """With the address, enough of it to recognise."""
        context = super().get_context_data(**kwargs)
        return {**context, "masked": masked(context["email"])}

    def _resend_form_valid(self, form: object) -> HttpResponse:
        if self._process.user is None:
            _rehearse(self._process.state["email"])
        messages.info(
            self.request, _("If we know that address, a new code is on its way. Older codes stop working.")
        )
        return cast("HttpResponse", super()._resend_form_valid(form))


def masked(address: str) -> str:
    """The first letter and the domain of an address."""
    name, _at, domain = address.rpartition("@")
    return f"{name[:1]}•••@{domain}"


def _tell_refusal(request: HttpRequest, address: str, *, reason: str) -> None:
    sign_in_refuse(address=address, reason=reason, origin=get_adapter().get_client_ip(request))


def _rehearse(address: str) -> None:
    letter_rehearse(emails.code_letter(to=address, code="000000"))


@page_or_post
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows who invites whom; POST uses the link up, signs in and leads on."""
    if request.method == "POST":
        return _enter(request, token)
    if (found := selectors.invitation_welcome(token=token)) is None:
        return _dead_link(request, token)
    context = {
        "invitation": found,
        "guest": found.contact.user,
        "consultant": found.invited_by,
        "practice": found.practice,
        "client": None,
        "token": token,
        "is_colleague": selectors.is_from_colleague(found),
    }
    return render(request, "accounts/invitation.html", context)


@require_POST
def invitation_again(request: HttpRequest, token: str) -> HttpResponse:
    """Mail a new link to the invited address; the answer is the same for every link."""
    invitation_send_again(token=token)
    return render(request, "accounts/invitation_again.html")


@page_or_post
def find(request: HttpRequest) -> HttpResponse:
    """“Where is my invitation?” The answer is the same for every address."""
    form = FindForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
        return render(request, "accounts/find.html", {"form": form}, status=status)
    origin = get_adapter().get_client_ip(request)
    invitation_find_ask(address=form.cleaned_data["email"], origin=origin)
    return render(request, "accounts/found.html")


def _enter(request: HttpRequest, token: str) -> HttpResponse:
    try:
        used = invitation_use(token=token)
    except LinkDead:
        return _dead_link(request, token)
    open_session(request, used.contact.user, by=SignInKind.INVITATION, contact=used.contact)
    return redirect(used.landing_path)


def _dead_link(request: HttpRequest, token: str) -> HttpResponse:
    """Whoever is signed in as the invited person needs no link; everybody else may have a new one mailed."""
    if request.user.is_authenticated:
        own = selectors.invitation_is_own(token=token, user_id=request.user.pk)
        if own is not None:
            return redirect(own.landing_path)
    reference = reference_note(request, status=HTTPStatus.GONE, code=LinkDead.code)
    context = {"token": token, "reference": reference}
    return render(request, "accounts/link_dead.html", context, status=HTTPStatus.GONE)


@require_safe
@sign_in_required
def home(request: HttpRequest) -> HttpResponse:
    """To the seat chosen last, or the only one; otherwise to the chooser."""
    seats = selectors.seats_of(cast("User", request.user).pk, only_practice=only_practice_of(request))
    chosen = request.session.get("seat")
    seat = next((one for one in seats if str(one.seat_id) == chosen), seats[0] if len(seats) == 1 else None)
    return HttpResponseRedirect(_door(seat) if seat else reverse("choose"))


@page_or_post
@sign_in_required
def choose(request: HttpRequest) -> HttpResponse:
    """Shows the seats of this person; POST sits them down."""
    if request.method == "POST":
        return _sit(request)
    seats = selectors.named_seats_of(cast("User", request.user).pk, only_practice=only_practice_of(request))
    return render(request, "accounts/choose.html", {"seats": seats, "next": request.GET.get("next", "")})


@require_safe
@sign_in_required
def welcome(request: HttpRequest) -> HttpResponse:
    """A quiet page for a seat that has no room of its own yet."""
    return render(request, "accounts/welcome.html")


def _sit(request: HttpRequest) -> HttpResponse:
    wanted = request.POST.get("seat", "")
    seats = selectors.seats_of(cast("User", request.user).pk, only_practice=only_practice_of(request))
    seat = next((one for one in seats if str(one.seat_id) == wanted), None)
    if seat is None:
        raise NotVisible
    request.session["seat"] = wanted
    back = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(back if is_ours else _door(seat))


def _door(seat: Seat) -> str:
    """The start page of a seat. The rooms behind it are added by others, under these names."""
    return reverse("client_home") if seat.client_id else reverse("admin:index")
