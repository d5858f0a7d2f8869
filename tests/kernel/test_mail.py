"""Letters through a real mail server: what arrives, under which name, and what a refusal means."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from portal.kernel import mail, outbox, secrets, tenancy
from portal.kernel.models import SealedLetter
from tests.mailbox import Mailbox, free_port


def letter(**over: Any) -> mail.Letter:  # Any: as Letter has them
    return mail.Letter(
        **{
            "to": "sam@brightwater.example",
            "subject": "Hello",
            "text": "Hello",
            "message_key": "outbox-1",
            **over,
        }
    )


def test_a_letter_arrives_with_its_headers(mailbox: Mailbox) -> None:
    mail.send(letter(from_name="Maya Okafor via Northgate Cloud", reply_to="maya@northgate.example"))
    (found,) = mailbox.letters
    assert found["To"] == "sam@brightwater.example"
    assert found["From"] == "Maya Okafor via Northgate Cloud <portal@northgate.example>"
    assert found["Reply-To"] == "maya@northgate.example"
    assert found["Auto-Submitted"] == "auto-generated"
    assert mailbox.text().strip() == "Hello"
    assert found.get_body(("html",)) is None


def test_a_second_try_has_the_same_message_id_and_another_letter_has_not(mailbox: Mailbox) -> None:
    for key in ("outbox-1", "outbox-1", "outbox-2"):
        mail.send(letter(message_key=key))
    first, again, other = [found["Message-ID"] for found in mailbox.letters]
    assert first == again != other
    assert first.endswith("@northgate.example>")
    assert mailbox.letters[0]["From"] == "portal@northgate.example"


def test_mails_of_one_thread_refer_to_the_same_first_mail(mailbox: Mailbox) -> None:
    for key, thread in (("outbox-1", "a"), ("outbox-2", "a"), ("outbox-3", "b"), ("outbox-4", "")):
        mail.send(letter(message_key=key, thread=thread))
    first, second, other, alone = mailbox.letters
    assert first["References"] == first["In-Reply-To"] == second["References"]
    assert first["References"] not in {other["References"], first["Message-ID"]}
    assert {"References", "In-Reply-To", "List-Id", "X-Portal-Reason"}.isdisjoint(alone.keys())


def test_a_letter_says_why_it_came_and_from_whose_list(mailbox: Mailbox) -> None:
    mail.send(letter(reason="engagements.paused\nBcc: x@y.example", list_label="north"))
    (found,) = mailbox.letters
    assert found["X-Portal-Reason"] == "engagements.paused Bcc: x@y.example"
    assert found["List-Id"] == "<north.northgate.example>"
    assert found["Bcc"] is None


def test_a_letter_without_a_key_is_not_sent(mailbox: Mailbox) -> None:
    with pytest.raises(ValueError, match="outbox message"):
        mail.send(letter(message_key=""))
    assert mailbox.letters == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [("550 no such mailbox", outbox.Hopeless), ("450 try later", outbox.Later), ("", None)],
)
def test_what_the_server_says_of_the_recipient(
    mailbox: Mailbox, answer: str, error: type[Exception] | None
) -> None:
    mailbox.refuse["sam@brightwater.example"] = answer
    if error is None:
        mail.send(letter())
        return
    with pytest.raises(error, match=f"answered {answer[:3]}") as caught:
        mail.send(letter())
    assert "sam@" not in str(caught.value)
    assert mailbox.letters == []


@pytest.mark.parametrize(("answer", "error"), [("554 refused", outbox.Hopeless), ("451 busy", outbox.Later)])
def test_what_the_server_says_of_the_letter(mailbox: Mailbox, answer: str, error: type[Exception]) -> None:
    mailbox.data_answer = answer
    with pytest.raises(error):
        mail.send(letter())


def test_a_server_that_is_away_means_later(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    with pytest.raises(outbox.Later, match="ConnectionRefusedError"):
        mail.send(letter())


@given(st.text(max_size=400))
def test_no_words_reach_another_header(words: str) -> None:
    made = letter(subject=words, from_name=words)
    message = mail._message(made).message()
    assert message.keys().count("To") == 1
    assert "Bcc" not in message
    assert made.subject.isprintable()
    assert len(made.subject) <= mail.LINE_LENGTH


def test_line_breaks_in_a_name_become_spaces() -> None:
    assert letter(subject="a\r\nBcc: x@y.example").subject == "a Bcc: x@y.example"


@pytest.mark.parametrize("field", ["to", "reply_to"])
@pytest.mark.parametrize(
    "address",
    [
        "x",
        "a@b.example\nBcc: c@d.example",
        "a@b.example, c@d.example",
        "a@\u2028.example",
        "a@\uff1d.example",
        "=?utf-8?q?b?=@b.example",
    ],
)
def test_an_address_that_is_none_is_refused(field: str, address: str) -> None:
    with pytest.raises(ValidationError):
        letter(**{field: address})


def test_text_is_not_escaped_and_html_is_inlined_and_keeps_its_dark_theme() -> None:
    made = mail.compose("sign_in_code", {"code": "<1&2>", "minutes": 15}, to="sam@brightwater.example")
    assert "<1&2>" in made.text
    assert "&lt;1&amp;2&gt;" in made.html
    assert "prefers-color-scheme:dark" in made.html.replace(" ", "")
    assert '<h1 style="' in made.html
    assert made.subject == "<1&2> is your sign-in code"


def test_a_sealed_letter_shows_nothing_and_opens_for_its_own_row(real_db: None) -> None:
    with tenancy.use(tenancy.platform_scope()):
        with transaction.atomic(durable=True):
            row = mail.seal_within(letter(text="the code is 123456", message_key=""))
        stored = SealedLetter.objects.get(pk=row.pk)
        assert b"123456" not in bytes(stored.sealed)
        assert mail.unseal(stored, message_key="outbox-7") == letter(
            text="the code is 123456", message_key="outbox-7"
        )
        stored.id = uuid4()
        with pytest.raises(secrets.Unreadable):
            mail.unseal(stored, message_key="outbox-7")
    assert str(row) == f"sealed letter {row.pk}"


def test_a_letter_is_sealed_only_with_its_promise(real_db: None) -> None:
    with tenancy.use(tenancy.platform_scope()), pytest.raises(tenancy.OutsideTransaction):
        mail.seal_within(letter())


def test_a_practice_sees_no_sealed_letters_of_the_platform(real_db: None) -> None:
    with tenancy.use(tenancy.platform_scope()), transaction.atomic(durable=True):
        mail.seal_within(letter())
    with tenancy.use(tenancy.practice_scope(uuid4())):
        assert SealedLetter.objects.count() == 0
    assert SealedLetter.objects.count() == 0
