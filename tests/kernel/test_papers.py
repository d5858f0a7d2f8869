"""Papers: the same bytes for the same words, whatever the words; keys and certificates; stamps; and what is ours."""

from __future__ import annotations

import datetime as dt
import hashlib
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management import CommandError, call_command
from hypothesis import example, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from engagements.papers import parts
from engagements.papers.parts import Fact, laid_out
from engagements.papers.wording import AND, LANGUAGES, wording_for, words_in
from portal.kernel import mail
from portal.kernel.models import SigningCertificate
from portal.kernel.papers import drawings, judging, keys, signing, stamping, typesetting
from portal.kernel.papers.judging import Judgement
from tests.papers import authority, certificates_in, is_valid, objects_within_a_line, stamp_is_valid

AsWorker = Callable[[], AbstractContextManager[None]]
NOON = dt.datetime(2026, 12, 18, 12, 0, 30, 999, tzinfo=dt.UTC)
HOSTILE = "#panic() $x$ `raw` *b* _i_ @ref <label> \\ // /* \u202e\u0000\x1b 中文 😀 \ud800 \u0301 é\r\nnext\ttab\x85"


def data_of(text: str) -> dict[str, Any]:
    rows = [Fact(name=text, value=text, notes=(text,)), Fact(name="n", value=text, is_code=True)]
    return {
        **dict.fromkeys(
            ("title", "description", "author", "practice", "kind", "tag", "lead", "reference"), text
        ),
        "lang": "en",
        "footer": text,
        "page": "Page",
        "of": "of",
        "icons": drawings.icons(["layers", "x", "nosuch"]),
        "parts": [
            parts.facts(text, rows, note=text),
            parts.able(text, [{"icon": "nosuch", "title": text, "text": text}]),
            parts.unable(text, [text], note=text),
            parts.words(text, [text]),
            parts.code(text, [text], text, new_page=True),
        ],
    }


def typeset(text: str) -> bytes:
    return typesetting.typeset(parts.TEMPLATE, data_of(text), made_at=NOON)


@pytest.fixture
def own_key() -> keys.SigningKey:
    private = keys.new_private_key()
    certificate = keys.self_signed(private, now=dt.datetime.now(dt.UTC))
    return keys.SigningKey(
        private=private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        certificates=(certificate.public_bytes(Encoding.DER),),
    )


# Type


def test_the_same_words_give_the_same_bytes() -> None:
    assert typeset("Brightwater – Zürich") == typeset("Brightwater – Zürich")
    assert typeset("Brightwater") != typeset("Brightwaterr")


def test_no_text_is_markup_and_none_stops_a_paper() -> None:
    assert typeset(HOSTILE).startswith(b"%PDF-1.7")


@given(st.text(max_size=60))
@example("é" * 32)  # as many bytes as a hash has digits
@effort(max_examples=60, deadline=None)
def test_any_text_can_be_printed(text: str) -> None:
    assert typeset(text or "-").startswith(b"%PDF")


def test_what_has_no_shape_is_written_out() -> None:
    assert typesetting.printable("Łukasz, Ωμέγα, Жук\n") == "Łukasz, Ωμέγα, Жук\n"
    assert typesetting.printable("a\u202eb\u200b中😀\x07") == "a[U+202E]b[U+200B][U+4E2D][U+1F600][U+0007]"
    assert typesetting.printable("e\u0301\tx\r\n") == "é    x\n"


def test_a_paper_is_tagged_and_says_what_it_keeps_to() -> None:
    pdf = typeset("x")
    for mark in (
        b"/MarkInfo",
        b"/StructTreeRoot",
        b"<pdfaid:part>2<",
        b"<pdfaid:conformance>A<",
        b"<pdfuaid:part>1<",
    ):
        assert mark in pdf, mark


def test_what_fits_on_a_line_stands_on_one() -> None:
    assert laid_out({"a": [1, "b"]}) == '{"a": [1, "b"]}'
    assert laid_out({}) == "{}"
    long = ["x" * 70, "y" * 70]
    assert laid_out({"a": long}) == '{\n  "a": [\n    "' + "x" * 70 + '",\n    "' + "y" * 70 + '"\n  ]\n}'
    assert laid_out("z" * 200) == '"' + "z" * 200 + '"'


# Words


def test_each_language_has_the_same_words() -> None:
    keyed = [
        {(section, name) for section, told in words_in(one).items() for name in told} for one in LANGUAGES
    ]
    assert keyed[0] == keyed[1]
    assert set(AND) == set(LANGUAGES)


def test_moments_and_names_are_written_in_the_readers_way() -> None:
    english, german = wording_for("en", "Europe/London"), wording_for("de-ch", "Asia/Kathmandu")
    assert english.moment(NOON) == "Friday 18 December 2026, 12:00"
    assert german.moment(NOON) == "Freitag, 18. Dezember 2026, 17:45 Uhr"
    assert english.zone_words(NOON) == "London time (GMT)"
    assert german.zone_words(NOON) == "Ortszeit Kathmandu (UTC+05:45)"
    assert wording_for("fr", "No/Where").zone_words(NOON) == "UTC"
    assert english.exact(NOON) == "2026-12-18 12:00:30 UTC"
    assert german.joined(["A", "B", "C"]) == "A, B und C"
    assert english.joined(["A"]) == "A"


# Keys


def test_the_workers_key_is_the_same_every_time_and_its_certificate_too(
    real_db: None, as_worker: AsWorker
) -> None:
    with as_worker():
        first, second = keys.signing_key(), keys.signing_key()
        assert (first.private, first.certificate) == (second.private, second.certificate)
        assert keys.known_certificates() == [first.certificate]
        assert str(SigningCertificate.objects.get()) == keys.fingerprint(first.certificate)


def test_another_name_another_key_or_a_certificate_near_its_end_makes_a_new_one(
    real_db: None, as_worker: AsWorker, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with as_worker():
        made = [keys.signing_key().certificate]
        settings.SITE_URL = "https://portal.example.com"
        made.append(keys.signing_key().certificate)
        settings.AUDIT_SIGNING_KEY = "ab" * 32
        made.append(keys.signing_key().certificate)
        monkeypatch.setattr(keys, "VALID_FOR", keys.VALID_FOR * 3)
        made.append(keys.signing_key().certificate)
        assert len(set(made)) == 4
        assert set(keys.known_certificates()) == set(made)


def test_papers_of_an_old_key_stay_ours(real_db: None, as_worker: AsWorker, settings: Any) -> None:
    with as_worker():
        old = signing.sign(typeset("x"), key=keys.signing_key(), reason="r").pdf
        settings.AUDIT_SIGNING_KEY = "cd" * 32
        keys.signing_key()
        assert judging.judge(old, keys.known_certificates()) is Judgement.WHOLE
        assert is_valid(old, keys.known_certificates())


def test_a_key_of_ones_own_is_made_by_the_command_and_taken(
    real_db: None, as_worker: AsWorker, settings: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("receipt_key", "--out", str(tmp_path))
    assert "RECEIPT_SIGNING_KEY_FILE" in capsys.readouterr().out
    key, certificate = tmp_path / "receipt_signing_key", tmp_path / "receipt_certificate"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    settings.RECEIPT_SIGNING_KEY, settings.RECEIPT_CERTIFICATE = key.read_text(), certificate.read_text()
    with as_worker():
        taken = keys.signing_key()
    assert keys.pem_of(taken.certificate) == certificate.read_text()
    found = x509.load_der_x509_certificate(taken.certificate)
    assert found.subject.rfc4514_string() == "CN=Receipts of testserver"
    with pytest.raises(CommandError, match="is there already"):
        call_command("receipt_key", "--out", str(tmp_path))
    with pytest.raises(CommandError, match="no folder"):
        call_command("receipt_key", "--out", str(tmp_path / "nowhere"))


def test_keys_that_cannot_sign_are_refused(settings: Any) -> None:
    key, other = keys.new_private_key(), keys.new_private_key()
    certificate = keys.self_signed(key, now=NOON).public_bytes(Encoding.PEM).decode()
    strange = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = strange.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for private, match in (
        ("nonsense", "in PEM"),
        (pem, "on the curve P-256"),
        (keys.pem_of_key(other), "another key"),
    ):
        settings.RECEIPT_SIGNING_KEY, settings.RECEIPT_CERTIFICATE = private, certificate
        with pytest.raises(ImproperlyConfigured, match=match):
            keys.signing_key()
    settings.RECEIPT_SIGNING_KEY = settings.AUDIT_SIGNING_KEY = ""
    with pytest.raises(ImproperlyConfigured, match="Only the worker"):
        keys.signing_key()


def test_only_a_p256_key_has_a_public_part_to_compare() -> None:
    assert keys._public(object()) == b""


# Signatures


def test_what_is_added_for_a_signature_begins_on_a_line_of_its_own(own_key: keys.SigningKey) -> None:
    """An archive refuses the paper otherwise: the typesetter's last line has no end."""
    plain = typeset("x")
    assert objects_within_a_line(plain) == []
    assert objects_within_a_line(signing.sign(plain, key=own_key, reason="r").pdf) == []
    assert objects_within_a_line(signing.sign(plain + b"\r\n", key=own_key, reason="r").pdf) == []


def test_a_signature_brings_each_certificate_once(own_key: keys.SigningKey) -> None:
    above = keys.self_signed(keys.new_private_key(), now=NOON).public_bytes(Encoding.DER)
    chain = keys.SigningKey(private=own_key.private, certificates=(own_key.certificate, above))
    for key in (own_key, chain):
        signed = signing.sign(typeset("x"), key=key, reason="r").pdf
        assert sorted(certificates_in(signed)) == sorted(key.certificates)


# Stamps


def test_a_stamp_is_over_the_signature_and_nothing_else(own_key: keys.SigningKey) -> None:
    with authority() as tsa:
        signed = signing.sign(typeset("x"), key=own_key, reason="r", authority=stamping.Authority(tsa.url))
        assert signed.stamped_at is not None
        assert stamp_is_valid(signed.pdf, [own_key.certificate, tsa.certificate])
        tsa.spoil = True
        without = signing.sign(typeset("x"), key=own_key, reason="r", authority=stamping.Authority(tsa.url))
    assert (without.stamped_at, without.trouble) == (None, "no time stamp: the stamp is over something else")
    assert is_valid(without.pdf, [own_key.certificate])


def test_nobody_there_is_no_stamp(own_key: keys.SigningKey) -> None:
    with authority() as tsa:
        gone = stamping.Authority(tsa.url)
    signed = signing.sign(typeset("x"), key=own_key, reason="r", authority=gone)
    assert signed.trouble == "no time stamp: ConnectionRefusedError"


def test_an_answer_that_is_none_is_no_stamp(
    own_key: keys.SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = stamping.Authority("http://localhost:1/")
    monkeypatch.setattr(place, "_post", lambda _question: b"\x30\x03\x02\x01\x00")
    signed = signing.sign(typeset("x"), key=own_key, reason="r", authority=place)
    assert signed.trouble.startswith("no time stamp: ")


@pytest.mark.parametrize("url", ["http://time.example", "ftp://localhost", "nonsense", "https:///x"])
def test_an_authority_is_asked_over_tls(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="https"):
        stamping.Authority(url)
    assert stamping.Authority("https://time.example/").stamped_at is None


# What is ours


def test_what_is_ours_is_told_from_what_is_not(own_key: keys.SigningKey) -> None:
    pdf = signing.sign(typeset("x"), key=own_key, reason="r").pdf
    ours = [own_key.certificate]
    assert judging.judge(pdf, ours) is Judgement.WHOLE
    assert judging.judge(pdf, []) is Judgement.FOREIGN
    assert judging.judge(pdf + b"more", ours) is Judgement.BROKEN
    assert judging.judge(pdf[:200] + b"!" + pdf[201:], ours) is Judgement.BROKEN
    assert judging.judge(b"junk" + pdf, ours) is Judgement.FOREIGN
    assert judging.judge(b"/ByteRange [0 1 2 3] /Contents <zz>", ours) is Judgement.FOREIGN
    assert judging.judge(b"/ByteRange [0 9 99999 9]" * 20, ours) is Judgement.FOREIGN


def test_a_signature_by_another_kind_of_key_or_a_broken_one_does_not_hold(own_key: keys.SigningKey) -> None:
    pdf = signing.sign(typeset("x"), key=own_key, reason="r").pdf
    covered = next(judging._ranges(pdf))
    content = judging._signature(pdf[covered[0] + covered[1] : covered[2]])
    digest = bytes(32)
    assert not judging._holds(content, own_key.certificate, digest)
    named = next(
        one for one in content["signer_infos"][0]["signed_attrs"] if one["type"].native == "message_digest"
    )
    assert not judging._holds(
        content,
        keys.self_signed(keys.new_private_key(), now=NOON).public_bytes(Encoding.DER),
        named["values"].native[0],
    )


# Letters with files


def test_a_file_in_a_letter_has_a_plain_name_and_is_never_sealed() -> None:
    with pytest.raises(ValueError, match="no name"):
        mail.Attachment(name="../x\r\n.pdf", content=b"")
    file = mail.Attachment(name="receipt-x.pdf", content=b"%PDF")
    with pytest.raises(ValueError, match="takes no files"):
        mail.seal_within(mail.Letter(to="a@b.example", subject="s", text="t", attachments=(file,)))
    with pytest.raises(ValidationError):
        mail.Letter(to="nobody", subject="s", text="t", attachments=(file,))


def test_the_fonts_are_the_ones_that_were_written_down() -> None:
    listed = {}
    for line in (typesetting.FONTS / "VENDORED.txt").read_text().splitlines()[2:]:
        digest, name, *_rest = line.split()
        listed[name] = digest
    found = {
        one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in typesetting.FONTS.glob("*.otf")
    }
    assert found == listed
    assert (typesetting.FONTS / "Inter.LICENSE.txt").is_file()
