"""Signed papers: made once by the worker, kept as they left, mailed with the receipt, and never made anew."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from psycopg import sql

from accounts.models import User
from engagements import selectors, tasks
from engagements.lifecycle import DocumentKind, DocumentState, EngagementEvent
from engagements.models import Consent, Document, DocumentMark, Engagement
from engagements.offer_words import words_of
from engagements.papers import parts
from engagements.papers.certificate import EndFacts
from engagements.papers.receipt import policy_of
from engagements.papers.wording import account_number, words_in
from engagements.selectors import document_verify_file, document_verify_reference, grouped
from engagements.services import documents
from engagements.services.closing import certificate_key, engagement_end
from engagements.services.documents import PaperFailed, certificate_make, receipt_make
from portal.kernel import audit, checkpoints, clock, outbox, tenancy
from portal.kernel.models import AuditCheckpoint, AuditEvent, OutboxMessage, OutboxState
from portal.kernel.papers import keys, signing, typesetting
from tests.conftest import SqlAs
from tests.factories import (
    Firm,
    acting,
    freeze_offer,
    give_consent,
    make_engagement_agreed,
    make_engagement_closed,
    make_engagement_invited,
    make_firm,
)
from tests.mailbox import Mailbox
from tests.pages import stage
from tests.papers import authority, is_pades, is_valid, stamp_is_valid
from tests.ux.pdf_text import text_of as words_in_pdf

Deliver = Callable[[], int]
AsWorker = Callable[[], AbstractContextManager[None]]
NOON = dt.datetime(2026, 12, 18, 12, 0, 30, tzinfo=dt.UTC)
SECTIONS = ("short", "lines", "signer", "back", "prints", "seal", "annex")
END = EndFacts(
    role_arn="arn:aws:iam::441709265583:role/latchkey-x",
    visits=3,
    refusals=61,
    refused_since=NOON,
    last_refused_at=NOON,
    confirmed_at=None,
    sessions_over_at=NOON,
    proved_at=NOON,
    evidence_sha256="5f" * 32,
)


@pytest.fixture
def firm(real_db: None) -> Firm:
    return make_firm("north")


def consent_of(firm: Firm, engagement: Engagement) -> Consent:
    with tenancy.use(firm.practice_side):
        return Consent.objects.get(engagement=engagement)


def make(firm: Firm, as_worker: AsWorker, consent: Consent) -> Document:
    """The receipt, as the worker makes it."""
    with as_worker(), tenancy.use(firm.practice_side):
        found = receipt_make(consent_id=consent.pk)
    assert found is not None
    return found


def agreed_paper(firm: Firm, as_worker: AsWorker) -> Document:
    return make(firm, as_worker, consent_of(firm, make_engagement_agreed(firm)))


def pdf_of(document: Document) -> bytes:
    return bytes(document.pdf)


def deliver_all(deliver: Deliver) -> None:
    while deliver():
        pass


def files_in(letter: EmailMessage) -> dict[str, bytes]:
    return {str(part.get_filename()): part.get_content() for part in letter.iter_attachments()}


def text_of(letter: EmailMessage) -> str:
    part = letter.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def test_a_receipt_is_signed_kept_and_told_once(firm: Firm, as_worker: AsWorker) -> None:
    engagement = make_engagement_agreed(firm)
    consent = consent_of(firm, engagement)
    made, again = make(firm, as_worker, consent), make(firm, as_worker, consent)
    assert again.pk == made.pk
    assert pdf_of(again) == pdf_of(made)
    assert hashlib.sha256(pdf_of(made)).hexdigest() == made.sha256
    assert is_valid(pdf_of(made), keys.known_certificates())
    assert is_pades(pdf_of(made))
    with tenancy.use(firm.practice_side):
        assert Document.objects.count() == 1
        assert DocumentMark.objects.filter(document=made).count() == 2
        told = AuditEvent.objects.select_related("body").get(kind=EngagementEvent.DOCUMENT_SIGNED)
    assert made.sha256 in told.body.text
    assert told.about_id == engagement.pk
    assert (str(made), str(DocumentMark(document=made))) == (f"receipt of {consent.pk}", f"mark of {made.pk}")


def test_there_is_no_receipt_of_nothing(firm: Firm) -> None:
    with tenancy.use(firm.practice_side):
        assert receipt_make(consent_id=firm.practice.pk) is None


def test_of_two_that_were_made_at_the_same_moment_the_first_one_counts(
    firm: Firm, as_worker: AsWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    consent = consent_of(firm, make_engagement_agreed(firm))
    first = make(firm, as_worker, consent)
    found = selectors.document_of
    answers = [None]  # the second worker looked before the first one was done

    def late(consent: Consent, kind: DocumentKind) -> Document | None:
        return answers.pop() if answers else found(consent, kind)

    monkeypatch.setattr(documents, "document_of", late)
    assert make(firm, as_worker, consent).pk == first.pk


def test_what_left_the_house_stays_whatever_becomes_of_the_template(
    firm: Firm, as_worker: AsWorker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engagement = make_engagement_agreed(firm)
    consent = consent_of(firm, engagement)
    before = make(firm, as_worker, consent)
    template = Path(shutil.copy(parts.TEMPLATE, tmp_path))
    monkeypatch.setattr(parts, "TEMPLATE", template)
    for number in range(3):
        template.write_text(f"{template.read_text()}\n#text[Edition {number}]\n")
        freeze_offer(firm, engagement, template=f"Resources: {{Changed{number}: {{}}}}\n")
        after = make(firm, as_worker, consent)
        assert pdf_of(after) == pdf_of(before)
        assert document_verify_file(pdf_of(after)).state is DocumentState.GENUINE
        assert is_valid(pdf_of(after), keys.known_certificates())


@pytest.mark.parametrize("role", ["portal_web", "portal_worker"])
@pytest.mark.parametrize(
    "table", ["engagements_document", "engagements_documentmark", "kernel_signingcertificate"]
)
def test_no_role_changes_what_was_signed_and_the_web_role_makes_nothing(
    sql_as: SqlAs, role: str, table: str
) -> None:
    look = sql_as(role)
    for act in ("update {} set practice_id = practice_id", "delete from {}", "truncate {}"):
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedColumn)):
            look.execute(sql.SQL(act).format(sql.Identifier(table)))
    (may,) = look.execute("select has_table_privilege(%s, %s, 'INSERT')", [role, table]).fetchone() or (None,)
    assert may is (role == "portal_worker")


def test_the_receipt_travels_with_its_mail_once_and_to_the_client_alone(
    firm: Firm, deliver: Deliver, mailbox: Mailbox
) -> None:
    engagement = make_engagement_agreed(firm)
    deliver_all(deliver)
    with tenancy.use(firm.practice_side):
        document = Document.objects.get()
    files = {str(letter["To"]): files_in(letter) for letter in mailbox.letters}
    name = f"receipt-{engagement.code}.pdf"
    assert files == {firm.approver.email: {name: pdf_of(document)}, firm.owner.email: {}}
    to_client = next(letter for letter in mailbox.letters if letter["To"] == firm.approver.email)
    assert "The signed receipt is attached." in " ".join(text_of(to_client).split())


def broken(*_words: object, **_named: object) -> bytes:
    raise ImproperlyConfigured("the key is away")


def try_until_it_goes(firm: Firm, deliver: Deliver) -> int:
    """Due at once, again and again, until the news is spread; how often that took."""
    for number in range(1, 20):
        with tenancy.use(firm.practice_side):
            OutboxMessage.objects.filter(state=OutboxState.WAITING).update(next_at=clock.now())
        deliver()
        with tenancy.use(firm.practice_side):
            if OutboxMessage.objects.get(kind=tasks.RECEIPT).state == OutboxState.SENT:
                return number
    raise AssertionError("it never went")


def test_a_mail_waits_for_its_paper_and_in_the_end_goes_without(
    firm: Firm,
    deliver: Deliver,
    mailbox: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    make_engagement_agreed(firm)
    with monkeypatch.context() as patch:
        patch.setattr(keys, "signing_key", broken)
        assert try_until_it_goes(firm, deliver) == tasks.PATIENCE
        deliver_all(deliver)
        with tenancy.use(firm.practice_side):
            assert OutboxMessage.objects.get(kind=tasks.PAPER).state == OutboxState.WAITING
    assert [files_in(letter) for letter in mailbox.letters] == [{}, {}]
    assert "could not be made" in caplog.text
    with tenancy.use(firm.practice_side):
        OutboxMessage.objects.filter(kind=tasks.PAPER).update(next_at=clock.now())
    deliver_all(deliver)
    with tenancy.use(firm.practice_side):
        assert Document.objects.count() == 1
    assert len(mailbox.letters) == 2


def test_a_template_that_cannot_be_set_is_told_and_nothing_is_kept(
    firm: Firm, as_worker: AsWorker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken.typ").write_text("#nosuch(")
    monkeypatch.setattr(parts, "TEMPLATE", tmp_path / "broken.typ")
    with pytest.raises(PaperFailed, match="TypesettingFailed"):
        agreed_paper(firm, as_worker)
    with tenancy.use(firm.practice_side):
        assert not Document.objects.exists()


def test_a_time_stamp_is_asked_where_one_is_wanted(firm: Firm, as_worker: AsWorker, settings: Any) -> None:
    with authority() as tsa:
        settings.RECEIPT_TIMESTAMP_URL = tsa.url
        made = agreed_paper(firm, as_worker)
    assert made.stamped_at is not None
    assert made.trouble == ""
    assert len(tsa.asked) == 1
    assert stamp_is_valid(pdf_of(made), [*keys.known_certificates(), tsa.certificate])


def test_an_authority_that_fails_keeps_nobody_from_their_receipt(
    firm: Firm, as_worker: AsWorker, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with authority() as tsa:
        tsa.status = 503
        settings.RECEIPT_TIMESTAMP_URL = tsa.url
        made = agreed_paper(firm, as_worker)
    assert len(tsa.asked) == 2
    assert (made.stamped_at, made.trouble) == (None, "no time stamp: status 503")
    assert "no time stamp" in caplog.text
    assert is_valid(pdf_of(made), keys.known_certificates())


def test_one_flipped_byte_anywhere_is_caught(firm: Firm, as_worker: AsWorker) -> None:
    made = agreed_paper(firm, as_worker)
    pdf, certificates = pdf_of(made), keys.known_certificates()
    gap = pdf.index(b"/Contents <", len(pdf) // 2)
    end = pdf.index(b">", gap)
    for place in range(11, len(pdf), len(pdf) // 40):
        changed = pdf[:place] + bytes([pdf[place] ^ 0x01]) + pdf[place + 1 :]
        assert document_verify_file(changed).state is DocumentState.ALTERED, place
        if not gap < place < end:  # what fills up the room of a signature is signed by nobody
            assert not is_valid(changed, certificates), place


def test_what_was_added_is_caught_and_what_is_not_ours_is_unknown(firm: Firm, as_worker: AsWorker) -> None:
    pdf = pdf_of(agreed_paper(firm, as_worker))
    assert document_verify_file(pdf + b"\n").state is DocumentState.ALTERED
    assert document_verify_file(b"").state is DocumentState.UNKNOWN
    assert document_verify_file(b"%PDF-1.7 ABCDE-FGHJK-MNPQR-STVWX").state is DocumentState.UNKNOWN


def test_our_signature_without_its_record_is_told_apart(
    firm: Firm, as_worker: AsWorker, tmp_path: Path
) -> None:
    made = agreed_paper(firm, as_worker)
    key = _key_of(as_worker)
    template = tmp_path / "other.typ"
    template.write_text('#set document(title: "Other")\nOther')
    plain = typesetting.typeset(template, {}, made_at=NOON)
    foreign = signing.sign(plain, key=key, reason="Somebody’s").pdf
    assert document_verify_file(foreign).state is DocumentState.UNRECORDED
    assert document_verify_file(foreign + b" ").state is DocumentState.ALTERED
    assert made.signed_by == keys.fingerprint(key.certificate)


def _key_of(as_worker: AsWorker) -> keys.SigningKey:
    with as_worker():
        return keys.signing_key()


def test_a_reference_is_found_however_it_is_typed(firm: Firm, as_worker: AsWorker) -> None:
    made = agreed_paper(firm, as_worker)
    assert len(set(made.reference) - set(selectors.REFERENCE_LETTERS)) == 0
    assert len(made.reference) * 5 >= 80  # bits
    typed = grouped(made.reference).lower().replace("0", "o").replace("1", "l")
    for words in (made.reference, grouped(made.reference), f"  {typed} "):
        found = document_verify_reference(words)
        assert (found.state, found.kind) == (DocumentState.GENUINE, DocumentKind.RECEIPT)
    for words in ("", "x", made.reference[:-1], made.reference + "0", str(made.pk), made.sha256):
        assert document_verify_reference(words) == selectors.Verdict(state=DocumentState.UNKNOWN)


def test_a_paper_says_what_became_of_its_consent(firm: Firm, as_worker: AsWorker) -> None:
    engagement = make_engagement_agreed(firm)
    made = make(firm, as_worker, consent_of(firm, engagement))
    with tenancy.use(firm.practice_side):
        engagement_end(engagement=engagement, actor=acting(firm.owner))
    assert document_verify_reference(made.reference).state is DocumentState.ENDED
    other = make_engagement_invited(firm)
    give_consent(firm, other)
    withdrawn = make(firm, as_worker, consent_of(firm, other))
    with tenancy.use(firm.client_side):
        engagement_end(engagement=other, actor=acting(firm.approver))
    assert document_verify_file(pdf_of(withdrawn)).state is DocumentState.WITHDRAWN


def ended_by_practice(firm: Firm) -> Engagement:
    engagement = make_engagement_agreed(firm)
    with tenancy.use(firm.practice_side):
        engagement_end(engagement=engagement, actor=acting(firm.owner))
    return engagement


@pytest.mark.parametrize("made_by", [make_engagement_closed, ended_by_practice, make_engagement_agreed])
@pytest.mark.parametrize("receipts", [0, 1])
def test_a_certificate_is_signed_and_stays_genuine(
    firm: Firm, as_worker: AsWorker, receipts: int, made_by: Callable[[Firm], Engagement]
) -> None:
    consent = consent_of(firm, made_by(firm))
    for _ in range(receipts):
        make(firm, as_worker, consent)
    with as_worker(), tenancy.use(firm.practice_side):
        checkpoints.checkpoint_make()
        made = certificate_make(consent_id=consent.pk, end=END)
    found = document_verify_file(pdf_of(made))
    assert (found.state, found.kind) == (DocumentState.GENUINE, DocumentKind.CERTIFICATE)
    assert is_valid(pdf_of(made), keys.known_certificates())


def test_the_mail_of_the_end_waits_while_the_certificate_is_made(
    firm: Firm, deliver: Deliver, mailbox: Mailbox, as_worker: AsWorker
) -> None:
    engagement = make_engagement_closed(firm)
    consent = consent_of(firm, engagement)
    with tenancy.use(firm.practice_side):
        OutboxMessage.objects.exclude(kind=tasks.CLOSED).update(state=OutboxState.SENT)
        row = OutboxMessage.objects.get(kind=tasks.CLOSED)
        row.pk, row.kind, row.dedupe_key = None, "grant.certificate", certificate_key(engagement.pk)
        row.next_at = clock.now() + dt.timedelta(hours=1)
        row.save(force_insert=True)
    deliver()
    with tenancy.use(firm.practice_side):
        assert OutboxMessage.objects.get(kind=tasks.CLOSED).state == OutboxState.WAITING
    with as_worker(), tenancy.use(firm.practice_side):
        made = certificate_make(consent_id=consent.pk, end=END)
    with tenancy.use(firm.practice_side):
        OutboxMessage.objects.filter(kind="grant.certificate").update(state=OutboxState.SENT)
        OutboxMessage.objects.filter(kind=tasks.CLOSED).update(next_at=clock.now())
    deliver_all(deliver)
    files = {str(letter["To"]): files_in(letter) for letter in mailbox.letters}
    name = f"certificate-{engagement.code}.pdf"
    assert files == {firm.approver.email: {name: pdf_of(made)}, firm.owner.email: {}}


def test_the_mail_of_the_end_does_not_wait_for_ever(firm: Firm, as_worker: AsWorker) -> None:
    engagement = make_engagement_closed(firm)
    with tenancy.use(firm.practice_side):
        row = OutboxMessage.objects.get(kind=tasks.CLOSED)
        row.pk, row.kind, row.dedupe_key = None, "grant.certificate", certificate_key(engagement.pk)
        row.save(force_insert=True)
        promised = OutboxMessage.objects.get(kind=tasks.CLOSED)
        held = outbox.Claim(
            message_id=promised.pk,
            lease_id=engagement.pk,
            practice_id=firm.practice.pk,
            client_id=firm.client.pk,
            kind=tasks.CLOSED,
            object_id=engagement.pk,
            attempts=tasks.PATIENCE,
        )
        tasks.closed_spread(held)
        assert OutboxMessage.objects.filter(kind=tasks.CLOSED + tasks.TO_ONE).count() == 2


@pytest.mark.parametrize(
    ("language", "title"), [("en", b"You agreed"), ("de-at", b"zugestimmt"), ("fr", b"You agreed")]
)
def test_a_receipt_is_in_the_language_of_whoever_agreed(
    firm: Firm, as_worker: AsWorker, language: str, title: bytes
) -> None:
    consent = consent_of(firm, make_engagement_agreed(firm))
    User.objects.filter(pk=firm.approver.pk).update(language=language)
    made = make(firm, as_worker, consent)
    assert made.language == language.partition("-")[0].replace("fr", "en")
    assert title in pdf_of(made)
    assert f"/Lang ({made.language})".encode() in pdf_of(made).replace(b"/Lang(", b"/Lang (")
    assert grouped(made.reference).encode() in pdf_of(made)


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_receipt_says_all_that_was_agreed_by_whom_and_how_to_take_it_back(
    real_db: None, as_worker: AsWorker, language: str
) -> None:
    """Read out of the PDF as a reader copies it; lines break anywhere, so spaces do not count."""
    scene = stage.agreed(evidence=replace(stage.EVIDENCE, language=language))
    with as_worker(), tenancy.use(scene.scope):
        checkpoints.checkpoint_make()
        consent = Consent.objects.select_related("offer", "engagement").get()
        made = receipt_make(consent_id=consent.pk)
        offer, told = consent.offer, words_of(consent.offer, language)
        policy, seal = policy_of(consent), AuditCheckpoint.objects.get()
    assert made is not None
    text = words_in_pdf(pdf_of(made)).replace(" ", "")
    names = words_in(language)
    digest = hashlib.sha256(audit.canonical(policy)).hexdigest()
    for words in (
        *(name["heading"] for section, name in names.items() if section in SECTIONS),
        *(said for line in told.lines for said in (line["title"], line["why"])),
        *told.limits,
        told.summary,
        *(scene.sam.name, scene.sam.email, scene.maya.name, scene.practice.legal_name, scene.client.name),
        *(consent.engagement.title, consent.engagement.purpose, account_number(consent.account_id)),
        f"{offer.documents['expires_at'][:10]}",
        *(consent.shown_sha256, consent.offer_sha256, consent.agreed_sha256, digest, offer.template_sha256),
        *(offer.template_version_id, str(consent.pk), grouped(made.reference)),
        f"http://testserver/e/{consent.engagement.code}/end/",
        f"latchkey-{consent.engagement.code}",
        "http://testserver/verify/",
        *(action for line in offer.lines for action in line["actions"]),
        *(str(one["Sid"]) for inline in policy["policies"] for one in inline["Statement"] if "Sid" in one),
        *checkpoints.note_of(seal).split(),
    ):
        assert words.replace(" ", "") in text, words
