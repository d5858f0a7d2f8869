"""Signed papers: made once by the worker, kept as they left, mailed with the receipt, and never made anew."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from engagements.lifecycle import EngagementEvent
from engagements.models import Consent, Document, DocumentMark, Engagement
from engagements.services.documents import receipt_make
from portal.kernel import tenancy
from portal.kernel.models import AuditEvent
from tests.factories import Firm, make_engagement_agreed, make_firm
from tests.mailbox import Mailbox

Deliver = Callable[[], int]
AsWorker = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def firm(real_db: None) -> Firm:
    return make_firm("north")


def consent_of(firm: Firm, engagement: Engagement) -> Consent:
    with tenancy.use(firm.practice_side):
        return Consent.objects.get(engagement=engagement)


def test_a_receipt_is_signed_kept_and_told_once(firm: Firm, as_worker: AsWorker, mailbox: Mailbox) -> None:
    engagement = make_engagement_agreed(firm)
    consent = consent_of(firm, engagement)
    with as_worker(), tenancy.use(firm.practice_side):
        made = receipt_make(consent_id=consent.pk)
        again = receipt_make(consent_id=consent.pk)
    assert again.pk == made.pk
    assert bytes(again.pdf) == bytes(made.pdf)
    assert hashlib.sha256(bytes(made.pdf)).hexdigest() == made.sha256
    with tenancy.use(firm.practice_side):
        assert Document.objects.count() == 1
        assert DocumentMark.objects.filter(document=made).count() == 2
        told = AuditEvent.objects.select_related("body").get(kind=EngagementEvent.DOCUMENT_SIGNED)
    assert made.sha256 in told.body.text
    assert told.about_id == engagement.pk
