"""The second factor: shown at sign-in, set up once, looked after later."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import urlsplit

from allauth.account.stages import LoginStageController
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts import selectors
from accounts.adapters import FactorStage, has_shown_factor, mark_factor
from accounts.forms import AppCodeForm, FactorForm
from accounts.lifecycle import FactorKind
from accounts.models import User
from accounts.services import totp
from accounts.services.factors import factor_prove, totp_enrol
from portal.kernel.errors import PortalError
from portal.kernel.web import sign_in_required

page_or_post = require_http_methods(["GET", "HEAD", "POST"])
PENDING: Final = "totp_pending"


@never_cache
@page_or_post
def show(request: HttpRequest) -> HttpResponse:
    """Asks for a code of the app: between mailed code and console, or from a session that has shown none yet."""
    if request.user.is_authenticated:
        return _show_signed_in(request, request.user)
    stage = LoginStageController.enter(request, FactorStage.key)
    if stage is None:
        return redirect("account_login")
    form = FactorForm(request.POST if request.method == "POST" else None)
    if (kind := _proved(form, stage.login.user)) is None:
        return _show_page(request, form)
    request.factor_shown = kind  # type: ignore[attr-defined]  # the adapter, which allauth calls, reads it
    return cast("HttpResponse", stage.exit())


@sign_in_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """What this person has set up."""
    return render(request, "mfa/index.html", {"factors": selectors.factors_of(_user(request).pk)})


@never_cache
@sign_in_required
@page_or_post
def enrol_totp(request: HttpRequest) -> HttpResponse:
    """Set up an authenticator app: scan, then show that it works."""
    factors = selectors.factors_of(_user(request).pk)
    if factors.is_enough and not has_shown_factor(request):
        return _go(request, "factor_show")
    if factors.has_totp:
        return redirect("factors")
    form = AppCodeForm(request.POST if request.method == "POST" else None)
    secret = _pending_secret(request)
    codes = _enrolled(request, form, secret)
    return _codes_page(request, codes) if codes is not None else _enrol_page(request, form, secret)


def _show_signed_in(request: HttpRequest, user: User) -> HttpResponse:
    if has_shown_factor(request):
        return redirect(_next(request))
    if not selectors.factors_of(user.pk).is_enough:
        return _go(request, "factor_totp")
    form = FactorForm(request.POST if request.method == "POST" else None)
    if (kind := _proved(form, user)) is None:
        return _show_page(request, form)
    mark_factor(request, kind)
    return redirect(_next(request))


def _proved(form: FactorForm, user: User) -> FactorKind | None:
    if not form.is_valid():
        return None
    try:
        return factor_prove(user=user, code=form.cleaned_data["code"], with_recovery=True)
    except PortalError as error:
        form.add_error("code", error.user_message)
        return None


def _enrolled(request: HttpRequest, form: AppCodeForm, secret: str) -> list[str] | None:
    if not form.is_valid():
        return None
    try:
        codes = totp_enrol(user=_user(request), secret=secret, code=form.cleaned_data["code"])
    except PortalError as error:
        form.add_error("code", error.user_message)
        return None
    request.session.pop(PENDING, None)
    mark_factor(request, FactorKind.TOTP)
    return codes


def _pending_secret(request: HttpRequest) -> str:
    """The seed that the page shows, until its first code was given: kept in the sealed session alone."""
    return cast("str", request.session.setdefault(PENDING, totp.new_secret()))


def _show_page(request: HttpRequest, form: FactorForm) -> HttpResponse:
    return render(
        request, "mfa/authenticate.html", {"form": form, "next": _next(request)}, status=_status(form)
    )


def _enrol_page(request: HttpRequest, form: AppCodeForm, secret: str) -> HttpResponse:
    address = totp.address_of(secret, email=_user(request).email, host=urlsplit(settings.SITE_URL).netloc)
    spelt = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    context = {"form": form, "qr": qr_svg(address), "secret": spelt, "next": _next(request)}
    return render(request, "mfa/totp_enrol.html", context, status=_status(form))


def _codes_page(request: HttpRequest, codes: list[str]) -> HttpResponse:
    """The recovery codes, this once; nobody can read them again."""
    if not codes:
        return redirect(_next(request))
    return render(request, "mfa/recovery_codes.html", {"codes": codes, "next": _next(request)})


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
