"""Signed papers as files: the bytes that were kept, and nothing made anew."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.translation import gettext

from engagements.lifecycle import DocumentKind
from engagements.models import Engagement
from engagements.selectors import document_newest
from portal.kernel.errors import NotVisible


def download(engagement: Engagement, kind: DocumentKind) -> HttpResponse:
    """The newest paper of a kind as a file. Raises NotVisible, in words of its own, while it is being made."""
    try:
        document = document_newest(engagement, kind)
    except NotVisible:
        raise NotVisible(
            gettext(
                "The signed paper is not there yet. It takes about a minute; then it comes by email, too."
            ),
            title=gettext("One moment, please"),
            next_label=gettext("Go back"),
        ) from None
    return HttpResponse(
        bytes(document.pdf),
        content_type="application/pdf",
        headers={
            "Content-Disposition": f'attachment; filename="{kind.value}-{engagement.code}.pdf"',
            "Cache-Control": "no-store",
        },
    )
