"""The second factor: shown at sign-in, set up once, looked after later. And signing in by passkey alone."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import urlsplit

from allauth.account.stages import LoginStageController
from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import ceremonies, selectors
from accounts.adapters import (
    FactorStage,
    has_shown_factor,
    mark_factor,
    only_practice_of,
    open_session,
)
from accounts.forms import AppCodeForm, FactorForm, PasskeyForm
from accounts.lifecycle import FactorKind, SignInKind
from accounts.models import User
from accounts.services import totp
from accounts.services.factors import factor_prove, factor_remove, recovery_codes_renew, totp_enrol
from accounts.services.sessions import sessions_end
from accounts.services.sign_in import sign_in_record
from accounts.step_up import CHANGE_FACTORS
from portal.kernel import step_up
from portal.kernel.errors import NotAllowed, NotVisible, PortalError
from portal.kernel.step_up import PASSKEY_FIELD, Act, StepUpRequired
from portal.kernel.web import sign_in_required

page_or_post = require_http_methods(["GET", "HEAD", "POST"])
PENDING: Final = "totp_pending"


# Showing


@never_cache
@page_or_post
def show(request: HttpRequest) -> HttpResponse:
    """Asks for a factor: between mailed code and console, or from a session that has shown none yet."""
    if request.user.is_authenticated:
        return _show_signed_in(request, request.user)
    stage = LoginStageController.enter(request, FactorStage.key)
    if stage is None:
        return redirect("account_login")
    form = FactorForm(request.POST if request.method == "POST" else None)
    if (kind := _proved(request, form, stage.login.user)) is None:
        return _show_page(request, form, stage.login.user)
    request.factor_shown = kind  # type: ignore[attr-defined]  # the adapter, which allauth calls, reads it
    return cast("HttpResponse", stage.exit())


@require_POST
def passkey_options(request: HttpRequest) -> HttpResponse:
    """What the sign-in page's button asks the browser with. The same for everybody: nobody has said who they are."""
    options = ceremonies.ask_to_sign(request, ceremonies.SIGN_IN, None)
    return HttpResponse(options, content_type="application/json", headers={"Cache-Control": "no-store"})


@require_POST
def passkey_sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in with a device alone: it holds the key, and it has made sure who holds the device."""
    if request.user.is_authenticated:
        return redirect(_next(request))
    try:
        user = ceremonies.judge_anybody(request, request.POST.get("passkey", ""))
    except PortalError as error:
        messages.error(request, f"{error.title}. {error.user_message}")
        return redirect("account_login")
    sign_in_record(user=user, by=SignInKind.PASSKEY, factor=FactorKind.PASSKEY)
    open_session(request, user, by=SignInKind.PASSKEY)
    mark_factor(request, FactorKind.PASSKEY)
    return redirect(_next(request))


# Looking after


@require_safe
@sign_in_required
def index(request: HttpRequest) -> HttpResponse:
    """What this person has set up."""
    factors = selectors.factors_of(_user(request).pk)
    return render(request, "mfa/index.html", {"factors": factors, "next": reverse("factors")})


@require_safe
@sign_in_required
def offer(request: HttpRequest) -> HttpResponse:
    """A passkey instead of the mailed code, for next time; with a way past it."""
    return render(request, "mfa/offer.html", {"next": reverse("home")})


@never_cache
@page_or_post
@sign_in_required
def enrol_totp(request: HttpRequest) -> HttpResponse:
    """Set up an authenticator app: scan, then show that it works."""
    factors = selectors.factors_of(_user(request).pk)
    if (elsewhere := _not_yet(request, factors)) is not None:
        return elsewhere
    if factors.has_totp:
        return redirect("factors")
    form = AppCodeForm(request.POST if request.method == "POST" else None)
    secret = _pending_secret(request)
    wrong = _take_proof(request, factors)
    codes = _enrolled(request, form, factors, secret, wrong)
    return _codes_page(request, codes) if codes is not None else _enrol_page(request, form, factors, secret)


@never_cache
@page_or_post
@sign_in_required
def enrol_passkey(request: HttpRequest) -> HttpResponse:
    """Set up a passkey: a name for it, then the browser asks the device."""
    factors = selectors.factors_of(_user(request).pk)
    if (elsewhere := _not_yet(request, factors)) is not None:
        return elsewhere
    wrong = _take_proof(request, factors)
    form = _passkey_form(request)
    if (codes := _passkey_enrolled(request, form, factors, wrong)) is not None:
        return _codes_page(request, codes)
    context = {
        "form": form,
        "options": ceremonies.ask_for_new(request, _user(request)),
        "next": _next(request),
        "step_up": _prompt(request, factors),
    }
    return render(request, "mfa/passkey_enrol.html", context, status=_status(form))


@page_or_post
@sign_in_required
def remove(request: HttpRequest, factor_id: int) -> HttpResponse:
    """Take an app or a passkey away, after proving it with one of them."""
    factors = selectors.factors_of(_user(request).pk)
    if (elsewhere := _not_yet(request, factors)) is not None:
        return elsewhere
    if not any(one.pk == factor_id for one in factors.strong):
        raise NotVisible
    form = forms.Form(request.POST if request.method == "POST" else None)
    if form.is_bound and _spent(request, factors, form, _take_proof(request, factors)):
        factor_remove(user=_user(request), factor_id=factor_id)
        _end_other_sessions(request)
        messages.success(request, _("It was taken away."))
        return redirect("factors")
    return _confirm_page(request, factors, form, "mfa/remove.html")


@never_cache
@page_or_post
@sign_in_required
def renew_recovery_codes(request: HttpRequest) -> HttpResponse:
    """Ten new codes; the old ones stop working."""
    factors = selectors.factors_of(_user(request).pk)
    if not factors.is_enough:
        return redirect("factors")
    if (elsewhere := _not_yet(request, factors)) is not None:
        return elsewhere
    form = forms.Form(request.POST if request.method == "POST" else None)
    if form.is_bound and _spent(request, factors, form, _take_proof(request, factors)):
        return _codes_page(request, recovery_codes_renew(user=_user(request)))
    return _confirm_page(request, factors, form, "mfa/renew.html")


def _show_signed_in(request: HttpRequest, user: User) -> HttpResponse:
    if has_shown_factor(request):
        return redirect(_next(request))
    is_enough = selectors.factors_of(user.pk).is_enough
    if not is_enough and only_practice_of(request):
        raise NotAllowed(
            _(
                "You have no second factor yet, and a company account can’t set one up. Sign out, "
                "sign in with a code we email you, then set this up."
            ),
            next_url=reverse("account_logout"),
            next_label=_("Sign out"),
        )
    if not is_enough:
        return _go(request, "factors" if not user.is_staff else "factor_totp")
    form = FactorForm(request.POST if request.method == "POST" else None)
    if (kind := _proved(request, form, user)) is None:
        return _show_page(request, form, user)
    mark_factor(request, kind)
    return redirect(_next(request))


def _proved(request: HttpRequest, form: FactorForm, user: User) -> FactorKind | None:
    """What was shown; None when nothing was yet, or the wrong thing, which the form then says."""
    answer = request.POST.get("passkey", "")
    if not answer and not form.is_valid():
        return None
    try:
        if answer:
            return ceremonies.judge(request, ceremonies.SHOW, user, answer)
        code, only_practice = form.cleaned_data["code"], only_practice_of(request)
        return factor_prove(user=user, code=code, with_recovery=True, only_practice=only_practice)
    except PortalError as error:
        form.add_error(None if answer else "code", error.user_message)
        return None


def _not_yet(request: HttpRequest, factors: selectors.Factors) -> HttpResponse | None:
    """Where to go first: who has a factor shows it; who came by a link, which can be forwarded, gives a mailed code."""
    if factors.is_enough:
        return None if has_shown_factor(request) else _go(request, "factor_show")
    if request.session.get("signed_in_by") == SignInKind.INVITATION:
        raise NotAllowed(
            _("You came by a link. Sign out, sign in with a code we email you, then set this up."),
            next_url=reverse("account_logout"),
            next_label=_("Sign out"),
        )
    return None


def _enrolled(
    request: HttpRequest, form: AppCodeForm, factors: selectors.Factors, secret: str, wrong: str
) -> list[str] | None:
    if not form.is_valid() or not _spent(request, factors, form, wrong):
        return None
    try:
        codes = totp_enrol(user=_user(request), secret=secret, code=form.cleaned_data["code"])
    except PortalError as error:
        form.add_error("code", error.user_message)
        return None
    request.session.pop(PENDING, None)
    mark_factor(request, FactorKind.TOTP)
    _end_other_sessions(request)
    return codes


def _passkey_form(request: HttpRequest) -> PasskeyForm:
    """Where an older passkey is what proves it, its answer comes first and the new key's after it."""
    if request.method != "POST" or (request.POST.get(PASSKEY_FIELD) and not request.POST.get("passkey")):
        return PasskeyForm(initial={"name": request.POST.get("name", "")})
    return PasskeyForm(request.POST)


def _passkey_enrolled(
    request: HttpRequest, form: PasskeyForm, factors: selectors.Factors, wrong: str
) -> list[str] | None:
    if not form.is_valid() or not _spent(request, factors, form, wrong):
        return None
    asked = form.cleaned_data
    try:
        codes = ceremonies.keep_new(request, _user(request), answer=asked["passkey"], name=asked["name"])
    except PortalError as error:
        form.add_error(None, error.user_message)
        return None
    mark_factor(request, FactorKind.PASSKEY)
    _end_other_sessions(request)
    return codes


def _end_other_sessions(request: HttpRequest) -> None:
    """A change of factors is what somebody does who fears that another is in: nobody else stays in."""
    sessions_end(user=_user(request), keep_key=request.session.session_key or "")


# The step-up for changing factors: the first one is set up without, there is nothing yet to prove it with


def _act(request: HttpRequest) -> Act:
    return Act(name=CHANGE_FACTORS, object_id=_user(request).pk)


def _take_proof(request: HttpRequest, factors: selectors.Factors) -> str:
    is_asked = factors.is_enough and request.method == "POST"
    return step_up.gate().take_proof(request, _act(request)) if is_asked else ""


def _spent(request: HttpRequest, factors: selectors.Factors, form: forms.Form, wrong: str) -> bool:
    if not factors.is_enough:
        return True
    try:
        step_up.gate().spend(request, _act(request))
    except StepUpRequired as refusal:
        form.add_error(None, wrong or refusal.user_message)
        return False
    return True


def _prompt(request: HttpRequest, factors: selectors.Factors) -> step_up.Prompt | None:
    return step_up.gate().prompt(request, _act(request)) if factors.is_enough else None


# Pages


def _pending_secret(request: HttpRequest) -> str:
    """The seed that the page shows, until its first code was given: kept in the sealed session alone."""
    return cast("str", request.session.setdefault(PENDING, totp.new_secret()))


def _show_page(request: HttpRequest, form: FactorForm, user: User) -> HttpResponse:
    factors = selectors.factors_of(user.pk)
    options = ceremonies.ask_to_sign(request, ceremonies.SHOW, user) if factors.has_passkey else ""
    context = {"form": form, "next": _next(request), "options": options}
    return render(request, "mfa/authenticate.html", context, status=_status(form))


def _enrol_page(
    request: HttpRequest, form: AppCodeForm, factors: selectors.Factors, secret: str
) -> HttpResponse:
    address = totp.address_of(secret, email=_user(request).email, host=urlsplit(settings.SITE_URL).netloc)
    spelt = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    context = {
        "form": form,
        "qr": qr_svg(address),
        "secret": spelt,
        "next": _next(request),
        "step_up": _prompt(request, factors),
        "is_first": not factors.is_enough,
    }
    return render(request, "mfa/totp_enrol.html", context, status=_status(form))


def _codes_page(request: HttpRequest, codes: list[str]) -> HttpResponse:
    """The recovery codes, this once; nobody can read them again."""
    if not codes:
        return redirect(_next(request))
    page = render(request, "mfa/recovery_codes.html", {"codes": codes, "next": _next(request)})
    page["Cache-Control"] = "no-store"
    return page


def _confirm_page(
    request: HttpRequest, factors: selectors.Factors, form: forms.Form, template: str
) -> HttpResponse:
    context = {"form": form, "step_up": _prompt(request, factors)}
    return render(request, template, context, status=_status(form))


def qr_svg(text: str) -> SafeString:
    """A QR code as an SVG element without any style. Safe: it holds a path of digits and nothing of the text."""
    import qrcode
    from qrcode.image.svg import SvgPathImage

    drawn = qrcode.make(text, image_factory=SvgPathImage).to_string(encoding="unicode")
    return mark_safe(str(drawn))  # noqa: S308  # made by us, of numbers


def _user(request: HttpRequest) -> User:
    return cast("User", request.user)


def _go(request: HttpRequest, name: str) -> HttpResponse:
    query = request.GET.urlencode()
    return HttpResponseRedirect(f"{reverse(name)}?{query}" if query else reverse(name))


def _next(request: HttpRequest) -> str:
    """Where the person was going, if that is here."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours else reverse("home")


def _status(form: Any) -> int:  # Any: a form
    return HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
