"""The addresses of the installation. Rooms add theirs here."""

from __future__ import annotations

from django.urls import path

from portal.health import live, ready

urlpatterns = [path("healthz", live, name="healthz"), path("readyz", ready, name="readyz")]
