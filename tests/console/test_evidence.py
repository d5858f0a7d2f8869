"""Signed papers and the evidence pack in the console: who gets them, and what the record tells of it."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from engagements.lifecycle import EngagementEvent
from engagements.models import Consent, Document
from engagements.selectors import grouped
from engagements.services.documents import receipt_make
from portal.kernel import tenancy
from portal.kernel.models import AuditEvent
from tests.console.cast import House, house
from tests.pages.stage import active

AsWorker = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def home(real_db: None) -> House:
    return house(active())


@pytest.fixture
def paper(home: House, as_worker: AsWorker) -> Document:
    with as_worker(), tenancy.use(home.stage.scope):
        found = receipt_make(consent_id=Consent.objects.get().pk)
    assert found is not None
    return found


def test_an_owner_takes_the_pack_and_the_record_tells_of_it(home: House, paper: Document) -> None:
    assert "Take the evidence pack" in home.owner.get(home.url("evidence/")).content.decode()
    answer = home.owner.post(home.url("evidence/"), {"confirm": "yes"})
    assert answer["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as pack:
        assert f"papers/receipt-{grouped(paper.reference)}.pdf" in pack.namelist()
    with tenancy.use(home.stage.scope):
        told = AuditEvent.objects.select_related("body").get(kind=EngagementEvent.EVIDENCE_TAKEN)
    assert hashlib.sha256(answer.content).hexdigest() in told.body.text
    assert told.about_id == home.engagement.pk


def test_an_auditor_takes_it_too_and_a_consultant_does_not(home: House) -> None:
    assert home.auditor.post(home.url("evidence/"), {"confirm": "yes"}).status_code == 200
    assert home.assigned.post(home.url("evidence/"), {"confirm": "yes"}).status_code == 403
    assert home.unassigned.post(home.url("evidence/"), {"confirm": "yes"}).status_code == 404


def test_the_engagements_page_leads_to_the_signed_paper(home: House, paper: Document) -> None:
    page = home.assigned.get(home.url()).content.decode()
    assert grouped(paper.reference) in page
    assert home.url("receipt.pdf") in page
    assert home.assigned.get(home.url("receipt.pdf")).content == bytes(paper.pdf)
    assert home.unassigned.get(home.url("receipt.pdf")).status_code == 404
    assert home.owner.get(home.url("certificate.pdf")).status_code == 404
