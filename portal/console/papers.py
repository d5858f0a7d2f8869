"""Signed papers and the evidence pack, as files for people of the practice."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from awsaccess.evidence import write_pack
from engagements.lifecycle import DocumentKind, EngagementStatus
from engagements.models import Engagement
from engagements.selectors import documents_of, grouped
from engagements.services.documents import evidence_taken_record
from portal.console import words
from portal.kernel.admin import RECORD_READERS, Cell, Fact, ObjectAction
from portal.kernel.web import actor_of

NAMES = {DocumentKind.RECEIPT: "Signed receipt", DocumentKind.CERTIFICATE: "Signed certificate"}
UNSENT = frozenset({EngagementStatus.DRAFT, EngagementStatus.CANCELLED})


def facts(engagement: Engagement) -> tuple[Fact, ...]:
    """Each signed paper with its reference; the newest of each kind leads to its file."""
    newest = {document.kind: document.pk for document in documents_of(engagement)}
    return tuple(
        Fact(
            label=NAMES[DocumentKind(document.kind)],
            value=Cell(
                text=grouped(document.reference),
                url=_url(engagement, DocumentKind(document.kind))
                if newest[document.kind] == document.pk
                else "",
                small=f"{words.moment(document.made_at)}{', without a time stamp' if document.trouble else ''}",
            ),
        )
        for document in documents_of(engagement)
    )


def explain(engagement: Engagement) -> list[str]:
    """What is in the pack, and what the record will tell."""
    whole = (
        f"You get one ZIP with everything about {engagement.client.name}, {engagement.title}: signed papers, "
    )
    return [
        whole
        + "decisions, rings, visits and what was done in them, exchanged keys, checks, the proof of its end, "
        "the record, and what verifies all of it.",
        "It holds names, addresses and reasons. The record tells that you took it.",
    ]


def take(
    request: HttpRequest,
    engagement: Engagement,
    _asked: Mapping[str, Any],  # Any: cleaned data
) -> HttpResponse:
    """The pack, once the record tells of it: what could not be written down is not handed out."""
    file = io.BytesIO()
    digest = write_pack(engagement, file)
    evidence_taken_record(engagement=engagement, actor=actor_of(request), sha256=digest)
    return HttpResponse(
        file.getvalue(),
        content_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="evidence-{engagement.code}.zip"',
            "Cache-Control": "no-store",
        },
    )


EVIDENCE = ObjectAction(
    slug="evidence",
    label="Evidence pack",
    title="Take the evidence pack",
    explain=explain,
    run=take,
    roles=RECORD_READERS,
    offered=lambda engagement: engagement.status not in UNSENT,
    button="Download the pack",
    step_up=True,
)


def _url(engagement: Engagement, kind: DocumentKind) -> str:
    return reverse(f"admin:engagements_engagement_{kind.value}_pdf", args=[engagement.code])
