"""The desk's addresses, mounted under /demo/ in demo mode alone."""

from __future__ import annotations

from django.urls import path

from portal.demo import desk

urlpatterns = [
    path("", desk.index, name="demo_desk"),
    path("mail/<slug:name>/", desk.mail, name="demo_mail"),
    path("mail/<slug:name>/body", desk.mail_body, name="demo_mail_body"),
]
