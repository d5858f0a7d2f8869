"""Receipts and certificates before an independent judge of PDF/A-2a and PDF/UA-1, veraPDF: `make pdfa`.

Not part of the tests, for the judge is no part of the portal; `verapdf` has to be on the PATH. What it once found is
told by tests that need no judge: tests/kernel/test_papers.py, "Signatures".
"""

from __future__ import annotations

import datetime as dt
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import pytest

from accounts.models import User
from awsaccess.services.sending import engagement_send
from engagements.models import Consent, Document, Engagement
from engagements.profiles import PROFILES
from engagements.services.documents import certificate_make, receipt_make
from engagements.services.drafts import engagement_draft
from portal.kernel import checkpoints, clock, tenancy
from tests.awsaccess.services.cast import make_practice
from tests.awsaccess.services.worlds import InMemory
from tests.engagements.test_documents import END
from tests.factories import ACCOUNT_ID, Firm, acting, give_consent
from tests.kernel.test_papers import HOSTILE
from tests.papers import Tsa, authority

AsWorker = Callable[[], AbstractContextManager[None]]
FLAVOURS: Final = ("2a", "ua1")
# What a paper says it keeps to, by a number that there is none of. Of the same length: every place stays as it was.
SPOILED: Final = {b'pdfaid:part="2"': b'pdfaid:part="9"', b'pdfuaid:part="1"': b'pdfuaid:part="9"'}


def judged(flavour: str, *papers: Path) -> dict[str, str]:
    """PASS or FAIL for each paper."""
    asked = ["verapdf", "--flavour", flavour, "--format", "text", *map(str, papers)]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    words = [line.split() for line in told.stdout.splitlines()]
    found = {Path(line[1]).name: line[0] for line in words if line[0] in {"PASS", "FAIL"}}
    assert set(found) == {paper.name for paper in papers}, told.stdout + told.stderr
    return found


@pytest.fixture
def firm(real_db: None, memory: InMemory) -> Firm:
    return make_practice("northgate")


@pytest.fixture
def tsa() -> Iterator[Tsa]:
    with authority() as found:
        yield found


def agreed(firm: Firm, profile: str, title: str) -> Engagement:
    """Sent with its real template, so that the annex holds the real policy, and agreed to."""
    with tenancy.use(firm.practice_side):
        engagement = engagement_draft(
            client=firm.client,
            lead=firm.owner,
            title=title,
            purpose="to find out why the bill went up",
            profile=profile,
            ends_at=clock.now() + dt.timedelta(days=28),
            actor=acting(firm.owner),
            account_id=ACCOUNT_ID,
            approvals_needed=1,
        )
        engagement_send(engagement=engagement, actor=acting(firm.owner))
    give_consent(firm, engagement)
    return engagement


def papers_of(firm: Firm, as_worker: AsWorker, engagement: Engagement) -> list[Document]:
    """Its receipt and its certificate, as the worker makes them."""
    with as_worker(), tenancy.use(firm.practice_side):
        consent = Consent.objects.get(engagement=engagement)
        receipt = receipt_make(consent_id=consent.pk)
        assert receipt is not None
        return [receipt, certificate_make(consent_id=consent.pk, end=END)]


@pytest.mark.parametrize("stamped", [False, True], ids=["without a stamp", "with a time stamp"])
@pytest.mark.parametrize("language", ["en", "de"])
def test_an_independent_judge_finds_every_paper_fit_for_an_archive(
    firm: Firm, as_worker: AsWorker, tmp_path: Path, settings: Any, tsa: Tsa, *, language: str, stamped: bool
) -> None:
    settings.RECEIPT_TIMESTAMP_URL = tsa.url if stamped else ""
    User.objects.filter(pk=firm.approver.pk).update(language=language)
    with as_worker(), tenancy.use(firm.practice_side):
        checkpoints.checkpoint_make()
    made = []
    for profile in PROFILES:
        title = HOSTILE.replace("\0", "").replace("\ud800", "")[:100] if stamped else "Cost review"
        for document in papers_of(firm, as_worker, agreed(firm, profile, title)):
            assert (document.stamped_at is not None) is stamped
            made.append(tmp_path / f"{profile}-{document.kind}.pdf")
            made[-1].write_bytes(bytes(document.pdf))
    assert len(made) == 2 * len(PROFILES)
    for flavour in FLAVOURS:
        assert set(judged(flavour, *made).values()) == {"PASS"}, flavour


def test_the_judge_looks(firm: Firm, as_worker: AsWorker, tmp_path: Path) -> None:
    """One that passes everything would prove nothing."""
    pdf = bytes(papers_of(firm, as_worker, agreed(firm, "cost_review", "Cost review"))[0].pdf)
    for good, bad in SPOILED.items():
        assert pdf.count(good) == 1
        pdf = pdf.replace(good, bad)
    spoiled = tmp_path / "spoiled.pdf"
    spoiled.write_bytes(pdf)
    for flavour in FLAVOURS:
        assert judged(flavour, spoiled) == {"spoiled.pdf": "FAIL"}
