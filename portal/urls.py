"""The addresses of the installation. Rooms add theirs here."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from portal.health import live, ready
from portal.pages import hooks, intake
from portal.pages.strangers import not_mine
from portal.pages.verifying import verify
from portal.pages.views.fronts import home as client_home

handler400 = "portal.kernel.web.bad_request"
handler403 = "portal.kernel.web.forbidden"
handler404 = "portal.kernel.web.not_found"
handler500 = "portal.kernel.web.server_error"

urlpatterns = [
    path("healthz", live, name="healthz"),
    path("readyz", ready, name="readyz"),
    path("console/", admin.site.urls),
    path("verify/", verify, name="verify"),
    path("e/", client_home, name="client_home"),
    path("to/<slug:practice>/", intake.ask, name="intake"),
    path("to/<slug:practice>/sent/", intake.sent, name="intake_sent"),
    path("to/<slug:practice>/done/", intake.done, name="intake_done"),
    path("to/<slug:practice>/<str:mark>/", intake.confirm, name="intake_confirm"),
    path("i/<str:token>/not-mine/", not_mine, name="not_mine"),
    path("hooks/<slug:shop>/", hooks.order_hook, name="order_hook"),
    path("e/", include("portal.pages.urls")),
    path("", include("portal.pages.help")),
    path("", include("accounts.urls")),
]
if settings.DEMO_MODE:  # the desk shows everybody's sign-in codes
    urlpatterns.insert(0, path("demo/", include("portal.demo.urls")))
