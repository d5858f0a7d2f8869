"""The public page on which anybody checks a paper. It says whether the paper is ours, and nothing of whose it is."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.dateformat import format as date_format
from django.utils.translation import gettext, gettext_lazy, pgettext
from django.views.decorators.http import require_http_methods

from accounts.services.attempts import Limit, attempt_count
from engagements.lifecycle import DocumentKind, DocumentState
from engagements.selectors import Verdict, document_verify_file, document_verify_reference
from portal.kernel.fields import Line
from portal.pages.circumstances import address_of
from portal.pages.doors import private

# A reference has 100 bits, so no number of tries finds one; this keeps the work within bounds.
TRIES: Final = Limit(name="paper", tries=30, within=dt.timedelta(minutes=10))
KINDS: Final = {
    DocumentKind.RECEIPT: gettext_lazy("Receipt of a consent to access"),
    DocumentKind.CERTIFICATE: gettext_lazy("Certificate that an access is gone"),
}
# State: tone, icon, title, text.
ANSWERS: Final = {
    DocumentState.GENUINE: (
        "ok",
        "shield-check",
        gettext_lazy("This paper is genuine"),
        gettext_lazy("We made it, and our record knows it exactly as it is."),
    ),
    DocumentState.ENDED: (
        "ok",
        "shield-check",
        gettext_lazy("This paper is genuine. The access has ended"),
        gettext_lazy("We made it. The access that it is about is over since."),
    ),
    DocumentState.WITHDRAWN: (
        "wait",
        "history",
        gettext_lazy("This paper is genuine. The consent was taken back"),
        gettext_lazy("We made it. The consent that it shows does not hold any more."),
    ),
    DocumentState.ALTERED: (
        "stop",
        "triangle-alert",
        gettext_lazy("This file was altered"),
        gettext_lazy("It says that it comes from here, but it isn’t what we made. Don’t rely on it."),
    ),
    DocumentState.UNRECORDED: (
        "stop",
        "triangle-alert",
        gettext_lazy("Our record doesn’t know this file"),
        gettext_lazy(
            "Our signature on it holds, but we have no such paper. Don’t rely on it before you asked us."
        ),
    ),
    DocumentState.UNKNOWN: (
        "",
        "circle-help",
        gettext_lazy("We don’t know this"),
        gettext_lazy(
            "It isn’t one of our papers, or there is a slip in what was typed. Check it and try again."
        ),
    ),
}


class VerifyForm(forms.Form):
    """A file or a reference; a file counts for more."""

    paper = forms.FileField(
        label=gettext_lazy("The PDF"), required=False, max_length=200, allow_empty_file=True
    )
    reference = Line(
        label=gettext_lazy("Or its reference"),
        required=False,
        max_length=60,
        help_text=gettext_lazy("It stands at the foot of each page, such as 7KQ2M-9XWPN-4HTRD-C3FJA."),
    )

    def clean(self) -> dict[str, Any] | None:  # Any: Django's signature
        """Something has to be asked, and a file may be five megabytes long."""
        asked = super().clean() or {}
        paper = asked.get("paper")
        if paper is None and not asked.get("reference") and not self.errors:
            self.add_error("reference", gettext("Choose the PDF, or type its reference."))
        if isinstance(paper, UploadedFile) and (paper.size or 0) > settings.LARGEST_PAPER:
            self.add_error("paper", gettext("Our papers are smaller than 5 MB, so this is none of them."))
        return asked


@require_http_methods(["GET", "HEAD", "POST"])
def verify(request: HttpRequest) -> HttpResponse:
    """Ask by a file or a reference. Nothing that was sent is kept."""
    if request.method != "POST":
        return _page(request, VerifyForm())
    attempt_count(TRIES, address_of(request))
    form = VerifyForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, form, status=422)
    paper = form.cleaned_data["paper"]
    if paper is not None:
        return _page(request, VerifyForm(), document_verify_file(paper.read()))
    return _page(request, VerifyForm(), document_verify_reference(form.cleaned_data["reference"]))


def _page(
    request: HttpRequest, form: VerifyForm, verdict: Verdict | None = None, *, status: int = 200
) -> HttpResponse:
    return private(render(request, "verify.html", {"form": form, "answer": _answer(verdict)}, status=status))


def _answer(verdict: Verdict | None) -> dict[str, str] | None:
    """What the page says; the day is told in UTC, because nobody is known here."""
    if verdict is None:
        return None
    tone, icon, title, text = ANSWERS[verdict.state]
    made = verdict.made_at
    return {
        "tone": tone,
        "icon": icon,
        "title": str(title),
        "text": str(text),
        "kind": str(KINDS[verdict.kind]) if verdict.kind else "",
        "made": date_format(made.astimezone(dt.UTC), pgettext("date format", "j F Y")) if made else "",
    }
