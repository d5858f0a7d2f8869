"""Mails that come back: marked by a report that names them, and by nothing else whatever."""

from __future__ import annotations

import email.parser
import io
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from portal.kernel import bounces, clock, deliveries, mail, outbox, secrets, tenancy
from portal.kernel.deliveries import Outcome
from portal.kernel.models import MailTrace, OutboxMessage, TraceState
from tests.counting import steps
from tests.mailbox import Mailbox

A, B = uuid4(), uuid4()
SAM = "sam@brightwater.example"


def letter(key: str = "outbox-1", to: str = SAM, reason: str = "engagements.invitation") -> mail.Letter:
    return mail.Letter(to=to, subject="Hello", text="Hello", message_key=key, reason=reason)


def send(key: str = "outbox-1", *, practice: UUID = A, to: str = SAM, reason: str = "x") -> None:
    with tenancy.use(tenancy.practice_scope(practice)):
        mail.send(letter(key, to, reason))


def report(  # each is one way to be wrong
    to: str,
    *,
    action: str = "failed",
    status: str = "5.1.1",
    kind: str = "delivery-status",
    said: str = "smtp; 550 5.1.1 no such user",
    outer: str = "multipart/report",
) -> bytes:
    """As a mail server writes one."""
    return (
        f"From: MAILER-DAEMON@mx.example\nTo: {to}\nSubject: Undelivered\nMIME-Version: 1.0\n"
        f'Content-Type: {outer}; report-type={kind}; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nSorry.\n"
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
        f"Final-Recipient: rfc822; {SAM}\nAction: {action}\nStatus: {status}\nDiagnostic-Code: {said}\n\n"
        "--b\nContent-Type: message/rfc822\n\nSubject: Hello\n\nHello\n--b--\n"
    ).encode()


def trace(key: str = "outbox-1", practice: UUID = A) -> MailTrace:
    with tenancy.use(tenancy.practice_scope(practice)):
        return MailTrace.objects.get(message_key=key)


def news(practice: UUID = A) -> list[UUID]:
    with tenancy.use(tenancy.practice_scope(practice)):
        rows = OutboxMessage.objects.filter(kind=deliveries.CHANGED).order_by("pk")
        return list(rows.values_list("object_id", flat=True))


def is_marked(raw: bytes, *, sent_to: tuple[str, ...] = ()) -> bool:
    """Whether a message changes what is known of the mail; both must agree."""
    before = trace()
    done = bounces.bounce_take(raw, sent_to=sent_to)
    assert (trace().state != before.state) is done
    return done


@pytest.fixture
def sent(db: None, mailbox: Mailbox) -> str:
    """Where the one mail comes back to."""
    send()
    return deliveries.return_path("outbox-1")


def test_a_mail_that_was_taken_is_written_down_and_comes_from_an_address_of_its_own(
    db: None, mailbox: Mailbox
) -> None:
    envelopes: list[str] = []
    handle = mailbox.handle_DATA

    async def noting(server: Any, session: Any, envelope: Any) -> str:
        envelopes.append(envelope.mail_from)
        return await handle(server, session, envelope)

    mailbox.handle_DATA = noting  # type: ignore[method-assign,assignment]  # a test's own ear
    send("outbox-1")
    send("outbox-2")
    assert envelopes == [deliveries.return_path("outbox-1"), deliveries.return_path("outbox-2")]
    assert len(set(envelopes)) == 2
    assert [str(found["From"]) for found in mailbox.letters] == ["portal@northgate.example"] * 2
    found = trace()
    assert (found.state, found.address, found.kind, str(found)) == ("accepted", SAM, "x", "x accepted")
    assert news() == []


@pytest.mark.parametrize("step", ["RCPT", "DATA"])
def test_a_mail_that_is_refused_for_good_is_marked_and_told_once(
    db: None, mailbox: Mailbox, step: str
) -> None:
    if step == "RCPT":
        mailbox.refuse[SAM] = "550 5.1.1 no such user here"
    else:
        mailbox.data_answer = "554 5.7.1 spam"
    with pytest.raises(outbox.Hopeless):
        send()
    found = trace()
    assert found.state == TraceState.REFUSED
    assert found.status == ("5.1.1" if step == "RCPT" else "5.7.1")
    assert found.said == ("550 5.1.1 no such user here" if step == "RCPT" else "554 5.7.1 spam")
    assert news() == [found.pk]
    with tenancy.use(tenancy.practice_scope(A)):
        assert deliveries.fails("Sam@Brightwater.example")


def test_a_mail_that_has_to_wait_is_no_bounce(db: None, mailbox: Mailbox) -> None:
    mailbox.refuse[SAM] = "450 greylisted"
    with pytest.raises(outbox.Later):
        send()
    assert (trace().state, trace().status, trace().said) == ("waiting", "", "450 greylisted")
    assert news() == []
    mailbox.refuse.clear()
    send()
    assert (trace().state, news()) == ("accepted", [])


def test_a_mail_that_arrives_later_clears_the_mark_and_says_so(db: None, mailbox: Mailbox) -> None:
    mailbox.refuse[SAM] = "550 no"
    with pytest.raises(outbox.Hopeless):
        send()
    mailbox.refuse.clear()
    send("outbox-2")
    with tenancy.use(tenancy.practice_scope(A)):
        assert not deliveries.fails(SAM)
    assert news() == [trace().pk, trace("outbox-2").pk]


def test_the_news_of_a_bounce_never_tells_of_itself(db: None, mailbox: Mailbox) -> None:
    mailbox.refuse[SAM] = "550 no"
    with pytest.raises(outbox.Hopeless):
        send(reason=deliveries.CHANGED)
    assert (trace().state, news()) == ("refused", [])


def test_a_report_marks_its_mail_once(sent: str) -> None:
    assert is_marked(report(sent))
    found = trace()
    assert (found.state, found.status, found.said) == ("bounced", "5.1.1", "550 5.1.1 no such user")
    assert not is_marked(report(sent, status="5.2.2"))
    assert trace().status == "5.1.1"
    assert news() == [found.pk]


def test_the_server_may_say_whom_the_report_was_for(sent: str) -> None:
    assert is_marked(report("postmaster@northgate.example"), sent_to=(sent.upper(),))


def test_a_report_without_a_reason_is_one_too(sent: str) -> None:
    assert is_marked(report(sent, said="", status="4.4.7 (delivery time expired)"))
    assert (trace().status, trace().said) == ("4.4.7", "no reason was given")


def test_reports_of_other_practices_reach_no_mail_of_this_one(sent: str) -> None:
    send("outbox-9", practice=B)
    assert bounces.bounce_take(report(deliveries.return_path("outbox-9")))
    assert (trace("outbox-9", B).state, trace().state) == ("bounced", "accepted")
    assert (news(), len(news(B))) == ([], 1)


OTHER = "portal+b" + "a" * 32 + "@northgate.example"
DEEP = b"".join(
    b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (number, number) for number in range(5000)
)
HOSTILE: Final[dict[str, Callable[[str], bytes]]] = {
    "made-up token": lambda _to: report(OTHER),
    "no token": lambda _to: report("portal@northgate.example"),
    "another domain": lambda to: report(to.replace("northgate", "elsewhere")),
    "cut token": lambda to: report(to.replace("@", "", 1)[:-1] + "@northgate.example"),
    "two tokens": lambda to: report(f"{to}, {OTHER}"),
    "delayed": lambda to: report(to, action="delayed", status="4.4.1"),
    "delivered": lambda to: report(to, action="delivered", status="2.0.0"),
    "a success that failed": lambda to: report(to, status="2.0.0"),
    "no status": lambda to: report(to, status="5"),
    "another report": lambda to: report(to, kind="disposition-notification"),
    "not a report": lambda to: report(to, outer="multipart/mixed"),
    "one part": lambda to: report(to, outer="text/plain"),
    "report within": lambda to: (
        f'To: {to}\nContent-Type: multipart/report; report-type=delivery-status; boundary="c"\n\n--c\n'.encode()
        + b"Content-Type: message/rfc822\n\n"
        + report(to)
        + b"\n--c--\n"
    ),
    "status as text": lambda to: report(to).replace(b"message/delivery-status", b"text/plain"),
    "no blocks": lambda to: report(to).replace(b"Final-Recipient", b"--b--\n\nFinal-Recipient"),
    "empty": lambda _to: b"",
    "noise": lambda _to: bytes(range(256)) * 40,
    "a reply": lambda to: f"To: {to}\nSubject: Out of office\n\nBack on Monday.\n".encode(),
    "nested": lambda to: f"To: {to}\n".encode() + DEEP,
    "nested messages": lambda to: f"To: {to}\n".encode() + b"Content-Type: message/rfc822\n\n" * 3000,
    "huge before": lambda to: b"X-Fill: " + b"x" * bounces.LARGEST + b"\n" + report(to),
    "strange letters": lambda to: report(to).replace(b"report-type=", b"report-type*=utf-99''"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_report_of_ours_changes_nothing(sent: str, name: str) -> None:
    assert not is_marked(HOSTILE[name](sent))
    assert news() == []


# What a parser could be kept busy with: each is a beginning and what comes after it again and again.
REPORT: Final = b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
DEEP_ENOUGH: Final = b"".join(
    b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (number, number)
    for number in range(bounces.MOST_TYPES)
)
TIRING: Final[dict[str, tuple[bytes, bytes]]] = {
    "headers": (b"", b"A: b\n"),
    "addresses": (b"To: ", b"a@b.example, "),
    "at signs": (b"To: ", b"@"),
    "comments": (b"To: ", b"("),
    "groups": (b"To: ", b":;"),
    "headers of addresses": (b"", b"To: a@b.example\n"),
    "folded lines": (b"To: a@b.example", b"\n a"),
    "parts": (REPORT, b"--b\n\n"),
    "parts within parts": (DEEP_ENOUGH, b"--%d\n\n" % (bounces.MOST_TYPES - 1)),
    "blocks": (REPORT + b"--b\nContent-Type: message/delivery-status\n\n", b"A: b\n\n"),
    "blank lines": (REPORT + b"--b\nContent-Type: message/delivery-status\n\n", b"\n"),
    "other blank lines": (REPORT + b"--b\nContent-Type: message/delivery-status\n\n", b"\r"),
    "a status": (REPORT + b"--b\nContent-Type: message/delivery-status\n\nA: b\n\nStatus: ", b" "),
}
STEPS_A_BYTE: Final = 40


@pytest.mark.parametrize("name", TIRING)
@pytest.mark.parametrize("times_as_long", [1, 8])
def test_a_message_of_any_length_is_read_in_so_many_steps(name: str, times_as_long: int) -> None:
    begun, again = TIRING[name]
    raw = begun + again * (times_as_long * bounces.LARGEST // len(again))
    assert steps(lambda: bounces.read_report(raw)) <= STEPS_A_BYTE * bounces.LARGEST


PARAMETERS: Final = b"Content-Type: multipart/report; a="
# One call of the parser goes over these again for each of their parts, so that they are never shown to it.
NEVER_SHOWN: Final[dict[str, bytes]] = {
    "quoted semicolons": PARAMETERS + b'"' + b'\\";' * 400,
    "semicolons": PARAMETERS + b";" * bounces.LONGEST_HEADER,
    "on many lines": PARAMETERS + b"\n ;" * bounces.LONGEST_HEADER,
    "on many lines with other ends": PARAMETERS + b"\r\n\t;" * bounces.LONGEST_HEADER,
    "after another line end": b"Subject: a\r" + PARAMETERS + b";" * bounces.LONGEST_HEADER,
    "in a part": REPORT + b"--b\n" + PARAMETERS + b";" * bounces.LONGEST_HEADER,
    "in small letters": PARAMETERS.lower() + b";" * bounces.LONGEST_HEADER,
    "one more part": DEEP_ENOUGH + b"Content-Type: text/plain\n",
    "one more part, after other line ends": DEEP_ENOUGH.replace(b"\n", b"\r") + b"Content-Type: text/plain\r",
    "one more part, after a blank of its own": DEEP_ENOUGH.replace(b": ", b":\x1c") + b"Content-Type:\x1ca/b",
}


@pytest.mark.parametrize("name", NEVER_SHOWN)
def test_what_would_keep_the_parser_busy_is_not_shown_to_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[bytes] = []
    parse = email.parser.BytesParser.parsebytes

    def noting(parser: email.parser.BytesParser, text: bytes) -> Any:  # Any: as the library has it
        shown.append(text)
        return parse(parser, text)

    monkeypatch.setattr(email.parser.BytesParser, "parsebytes", noting)
    assert bounces.read_report(NEVER_SHOWN[name] + b"\n\n--b\n") is None
    assert shown == []
    longest = b"Content-Type: text/plain; a=".ljust(bounces.LONGEST_HEADER, b"b")
    assert bounces.read_report(longest + b"\n\n") is None
    assert len(shown) == 1


def test_an_address_is_found_at_the_beginning_of_a_header_alone(sent: str) -> None:
    far = "a" * bounces.LONGEST_HEADER
    assert not is_marked(report(f"{far}@b.example, {sent}"))
    assert is_marked(report(f"{sent}, {far}@b.example"))


def test_many_addresses_and_many_recipients_are_not_read_for_ever(sent: str) -> None:
    block = f"Final-Recipient: rfc822; {SAM}\nAction: delayed\nStatus: 4.0.0\n\n".encode()
    raw = report(sent).replace(b"Final-Recipient", block * 40 + b"Final-Recipient")
    assert not is_marked(raw)
    assert not is_marked(report(", ".join(["a@b.example"] * 3000 + [sent])))


def test_what_a_server_says_is_one_short_line(sent: str) -> None:
    assert is_marked(report(sent, said="smtp; 550 <b>\x1b[31m" + "x" * 900))
    assert len(trace().said) <= 200
    assert trace().said.startswith("550 <b> [31m")


def test_an_old_mail_comes_back_no_more(sent: str) -> None:
    late = clock.now() + deliveries.COMES_BACK_WITHIN
    with clock.frozen(late):
        assert not is_marked(report(sent))


def test_what_is_known_of_an_address_is_forgotten_in_time(sent: str) -> None:
    with clock.frozen(clock.now() + deliveries.KEPT_FOR):
        send("outbox-2")
    with tenancy.use(tenancy.practice_scope(A)):
        assert list(MailTrace.objects.values_list("message_key", flat=True)) == ["outbox-2"]


def test_a_long_address_of_ours_is_left_as_it_is(settings: SimpleNamespace) -> None:
    settings.MAIL_FROM = f"Portal <{'p' * 40}@northgate.example>"
    assert deliveries.return_path("outbox-1") == f"{'p' * 40}@northgate.example"


def test_what_the_installation_met_is_copied_without_telling_what_it_was(db: None, mailbox: Mailbox) -> None:
    mailbox.refuse[SAM] = "550 5.1.1 no"
    with pytest.raises(outbox.Hopeless):
        send(practice=tenancy.PLATFORM_ID, reason="sign-in")
    found = trace(practice=tenancy.PLATFORM_ID)
    for _ in range(2):
        with tenancy.use(tenancy.practice_scope(A)):
            deliveries.copy(found, address=SAM)
    copied = trace(f"copy-{found.pk}-refused")
    assert (copied.kind, copied.state, copied.token_sha256) == ("", "refused", "")
    with tenancy.use(tenancy.practice_scope(B)):
        assert not deliveries.fails(SAM)


def test_a_result_without_a_row_is_nobodys(db: None) -> None:
    with tenancy.use(tenancy.practice_scope(A)):
        deliveries.settle(message_key="outbox-77", outcome=Outcome(state=TraceState.ACCEPTED))
        assert not MailTrace.objects.exists()


def test_the_command_reads_what_the_server_pipes_in(
    sent: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for raw, said in (
        (report(sent) + b"\n" * bounces.LARGEST * 2, "one mail came back"),
        (b"hello", "nothing to do"),
    ):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(raw)))
        call_command("bounce_read")
        assert capsys.readouterr().out.strip() == said


@given(st.binary(max_size=2000))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    to = deliveries.return_path("outbox-1")
    head = f'To: {to}\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n--b\n'
    assert bounces.read_report(raw) is None
    bounces.read_report(head.encode() + raw)


def test_tokens_are_worked_out_from_the_key_and_kept_as_a_hash(sent: str) -> None:
    (token,) = deliveries.tokens_in([sent])
    assert trace().token_sha256 == secrets.fingerprint(token)
    assert token not in str(vars(trace()))


@pytest.mark.parametrize("fault", [ValueError, LookupError, TypeError, AttributeError, RecursionError])
def test_a_fault_of_the_parsers_own_is_no_report(
    fault: type[Exception], sent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_parser: object, _text: bytes) -> None:
        raise fault

    monkeypatch.setattr(email.parser.BytesParser, "parsebytes", fail)
    assert bounces.read_report(report(sent)) is None
