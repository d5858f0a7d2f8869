"""What several views do: read a form or a number, and send back to the project."""

from __future__ import annotations

from typing import TypeVar

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from portal.pages import keeping
from portal.pages.frames import Desk

F = TypeVar("F", bound=forms.Form)


def filled(form: type[F], request: HttpRequest, desk: Desk) -> F:
    """The form as it was sent; before that, with what was typed before the sign-in was over."""
    typed = request.POST if request.method == "POST" else None
    return form(typed, initial=keeping.kept(request, desk.engagement.code))


def to_front(desk: Desk) -> HttpResponse:
    """To the page that fits where the engagement stands."""
    return redirect("client:front", desk.engagement.code)


def number_in(text: str | None) -> int | None:
    """A number that our own page may have written; None for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 12 else None
