"""The public page: what it says of a paper, what it never says, and that it works for anybody, without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from engagements.models import Consent, Document
from engagements.selectors import grouped
from engagements.services.closing import engagement_end
from engagements.services.documents import receipt_make
from portal.kernel import tenancy
from portal.pages.verifying import TRIES
from tests.pages import stage
from tests.pages.stage import Stage

AsWorker = Callable[[], AbstractContextManager[None]]
TITLE = re.compile(r'<h2 id="a-h">([^<]+)</h2>')


@pytest.fixture
def scene(real_db: None) -> Stage:
    return stage.agreed()


@pytest.fixture
def paper(scene: Stage, as_worker: AsWorker) -> Document:
    with as_worker(), tenancy.use(scene.scope):
        found = receipt_make(consent_id=Consent.objects.get().pk)
    assert found is not None
    return found


def upload(content: bytes) -> Any:  # Any: the test client's own type
    return Browser().post("/verify/", {"paper": SimpleUploadedFile("receipt.pdf", content)})


def typed(reference: str) -> Any:  # Any: as above
    return Browser().post("/verify/", {"reference": reference})


def said(answer: Any) -> str:  # Any: as above
    assert answer.status_code == 200
    found = TITLE.search(answer.content.decode())
    assert found is not None
    return found[1]


def test_a_genuine_paper_is_known_by_its_bytes_and_by_its_reference(scene: Stage, paper: Document) -> None:
    for answer in (upload(bytes(paper.pdf)), typed(grouped(paper.reference))):
        assert said(answer) == "This paper is genuine"
        assert "Receipt of a consent to access" in answer.content.decode()
        assert nothing_else(answer, scene, paper)


def nothing_else(answer: Any, scene: Stage, paper: Document) -> bool:  # Any: as above
    """Of whose paper it is, of what it says, and of our rows, the page tells nothing."""
    engagement = scene.engagement
    secrets = (
        *(scene.sam.name, scene.sam.email, scene.maya.name, scene.practice.name, scene.client.name),
        *(
            engagement.code,
            engagement.title,
            engagement.purpose,
            engagement.account_id,
            engagement.account_name,
        ),
        *(str(paper.pk), str(paper.consent_id), paper.sha256, paper.reference, grouped(paper.reference)),
    )
    page = answer.content.decode()
    return not [secret for secret in secrets if secret and secret in page]


def test_a_changed_paper_and_one_whose_consent_is_gone_are_told_apart(scene: Stage, paper: Document) -> None:
    pdf = bytes(paper.pdf)
    altered = upload(pdf[:-3] + b"!" + pdf[-2:])
    assert said(altered) == "This file was altered"
    engagement = scene.fresh()
    with tenancy.use(scene.client_scope):
        engagement_end(engagement=engagement, actor=scene.sam_acts)
    withdrawn = upload(pdf)
    assert said(withdrawn) == "This paper is genuine. The consent was taken back"
    assert all(nothing_else(answer, scene, paper) for answer in (altered, withdrawn))


def test_all_that_is_unknown_is_answered_alike(paper: Document) -> None:
    bodies, counts = set(), set()
    for words in (
        "7KQ2M-9XWPN-4HTRD-C3FJA",
        "x",
        paper.sha256[:60],
        str(paper.pk),
        grouped(paper.reference)[:-1],
    ):
        with CaptureQueriesContext(
            connection,
        ) as asked:
            answer = typed(words)
        assert said(answer) == "We don’t know this"
        bodies.add(re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", answer.content.decode()))
        counts.add(len([one for one in asked.captured_queries if "documentmark" in one["sql"]]))
    assert len(bodies) == 1
    assert counts == {1}


@pytest.mark.parametrize(
    "fields", [{}, {"reference": ""}, {"reference": "a\u202eb"}, {"reference": "x" * 61}]
)
def test_what_cannot_be_asked_is_said(db: None, fields: dict[str, str]) -> None:
    answer = Browser().post("/verify/", fields)
    assert answer.status_code == 422
    assert "There is a problem" in answer.content.decode()


def test_a_file_may_have_five_megabytes_and_no_more(db: None, settings: Any) -> None:
    assert said(upload(b"%PDF" + bytes(settings.LARGEST_PAPER - 4))) == "We don’t know this"
    assert upload(bytes(settings.LARGEST_PAPER + 1)).status_code == 422
    assert upload(bytes(settings.LARGEST_PAPER + 32 * 1024)).status_code == 413
    other = Browser().post("/account/login/", {"x": SimpleUploadedFile("a", bytes(300 * 1024))})
    assert other.status_code == 413


def test_an_empty_file_is_no_paper(db: None) -> None:
    assert said(upload(b"")) == "We don’t know this"


def test_too_many_questions_are_refused(db: None) -> None:
    for _ in range(TRIES.tries):
        assert typed("7KQ2M-9XWPN-4HTRD-C3FJA").status_code == 200
    assert typed("7KQ2M-9XWPN-4HTRD-C3FJA").status_code == 429


def test_the_page_needs_no_sign_in_and_no_script(db: None) -> None:
    page = Browser().get("/verify/")
    assert page.status_code == 200
    assert b"<script" not in page.content
    assert b'enctype="multipart/form-data"' in page.content
    assert page["Cache-Control"] == "no-store"


def test_the_client_downloads_what_was_kept(scene: Stage, as_worker: AsWorker) -> None:
    early = scene.browser().get(scene.path("receipt.pdf"))
    assert early.status_code == 404
    assert "not there yet" in early.content.decode()
    with as_worker(), tenancy.use(scene.scope):
        made = receipt_make(consent_id=Consent.objects.get().pk)
    assert made is not None
    answer = scene.browser().get(scene.path("receipt.pdf"))
    assert answer.content == bytes(made.pdf)
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == f'attachment; filename="receipt-{scene.engagement.code}.pdf"'
