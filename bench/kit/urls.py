"""The portal's addresses and the floor's."""

from __future__ import annotations

from django.urls import include, path

from kit.floor import floor

handler400 = "portal.kernel.web.bad_request"
handler403 = "portal.kernel.web.forbidden"
handler404 = "portal.kernel.web.not_found"
handler500 = "portal.kernel.web.server_error"
urlpatterns = [path("bench/floor/", floor, name="floor"), path("", include("portal.urls"))]
