"""Addresses of people. Of allauth only what is used: no sign-up, no password, no address book."""

from __future__ import annotations

from allauth.account.views import account_inactive
from django.urls import path
from django.views.decorators.http import require_safe

from accounts.views import factors, services
from accounts.views.brand import logo, sheet
from accounts.views.languages import language
from accounts.views.places import (
    CodeView,
    SignInView,
    choose,
    find,
    home,
    invitation,
    invitation_again,
    page_or_post,
    welcome,
)
from accounts.views.sessions import sessions, sign_out

sign_in = page_or_post(SignInView.as_view())  # allauth's views take a PUT for a POST

urlpatterns = [
    path("", home, name="home"),
    path("choose/", choose, name="choose"),
    path("welcome/", welcome, name="welcome"),
    path("language/", language, name="language"),
    path("brand/<str:digest>.css", sheet, name="brand_sheet"),
    path("brand/<str:digest>.png", logo, name="brand_logo"),
    path("find/", find, name="find"),
    path("i/<str:token>/", invitation, name="invitation"),
    path("i/<str:token>/again/", invitation_again, name="invitation_again"),
    path("account/login/", sign_in, name="account_login"),
    path("account/login/", sign_in, name="account_request_login_code"),  # allauth asks for both names
    path("account/login/code/", page_or_post(CodeView.as_view()), name="account_confirm_login_code"),
    path("account/service/", services.pick, name="service_pick"),
    path("account/service/<slug:practice_code>/", services.door, name="service_door"),
    path("account/service/<slug:practice_code>/back/", services.back, name="service_back"),
    path("account/factor/", factors.show, name="factor_show"),
    path("account/factors/", factors.index, name="factors"),
    path("account/factors/offer/", factors.offer, name="factor_offer"),
    path("account/factors/app/", factors.enrol_totp, name="factor_totp"),
    path("account/factors/passkey/", factors.enrol_passkey, name="factor_passkey"),
    path("account/factors/recovery-codes/", factors.renew_recovery_codes, name="factor_recovery_codes"),
    path("account/factors/<int:factor_id>/remove/", factors.remove, name="factor_remove"),
    path("account/passkey/", factors.passkey_sign_in, name="passkey_sign_in"),
    path("account/passkey/options/", factors.passkey_options, name="passkey_options"),
    path("account/sessions/", sessions, name="sessions"),
    path("account/logout/", page_or_post(sign_out), name="account_logout"),
    path("account/inactive/", require_safe(account_inactive), name="account_inactive"),
]
