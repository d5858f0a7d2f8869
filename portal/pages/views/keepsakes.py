"""What is kept of it all, to read and to download."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from engagements.lifecycle import DocumentKind, EngagementStatus
from portal.pages import compose, papers
from portal.pages.doors import at_desk
from portal.pages.frames import Desk
from portal.pages.views.answers import to_front

_S = EngagementStatus


@at_desk("GET")
def activity_table(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """Everything that happened, for a spreadsheet."""
    return compose.activity_table(desk)


@at_desk("GET")
def receipt(request: HttpRequest, desk: Desk) -> HttpResponse:
    """What was agreed, with everything that was kept as evidence."""
    return compose.receipt_page(request, desk)


@at_desk("GET")
def consent_json(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """The same as a file for machines."""
    return compose.consent_json(desk)


@at_desk("GET")
def certificate(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The proof that everything is gone; before that, the way there."""
    return compose.closed_page(request, desk) if desk.engagement.status == _S.CLOSED else to_front(desk)


@at_desk("GET")
def receipt_pdf(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """The signed receipt, byte for byte as it was mailed."""
    return papers.download(desk.engagement, DocumentKind.RECEIPT)


@at_desk("GET")
def certificate_pdf(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """The signed certificate, byte for byte as it was mailed."""
    return papers.download(desk.engagement, DocumentKind.CERTIFICATE)
