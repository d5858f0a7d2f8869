"""The addresses of the installation. Rooms add theirs here."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from portal.health import live, ready

handler400 = "portal.kernel.web.bad_request"
handler403 = "portal.kernel.web.forbidden"
handler404 = "portal.kernel.web.not_found"
handler500 = "portal.kernel.web.server_error"

urlpatterns = [
    path("healthz", live, name="healthz"),
    path("readyz", ready, name="readyz"),
    path("console/", admin.site.urls),
    path("", include("accounts.urls")),
]
