"""Letters: rendered from templates, sealed when they hold a secret, sent by the worker through SMTP.

The web process never sends. Whoever sends gives a key that stays the same over retries, and the Message-ID with it,
so that a mailbox shows a letter that was handed over twice only once.
"""

from __future__ import annotations

import dataclasses
import json
import re
import smtplib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.utils import formataddr, parseaddr
from typing import Any, Final
from uuid import UUID

import css_inline
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.db import transaction
from django.template import Context, engines
from django.template.backends.django import DjangoTemplates

from portal.kernel import clock, deliveries, outbox, secrets, tenancy
from portal.kernel.deliveries import Outcome
from portal.kernel.models import SealedLetter, TraceState

LINE_LENGTH: Final = 200
FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
ENHANCED: Final = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b", re.ASCII)
SEALED: Final = "letter"  # what letters are sealed for


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file in a letter. Raises ValueError for a name that is no plain file name."""

    name: str
    content: bytes = field(repr=False)
    kind: str = "application/pdf"

    def __post_init__(self) -> None:
        if not FILE_NAME.fullmatch(self.name):
            raise ValueError(f"no name for a file in a mail: {self.name!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One mail to one address. `message_key` names it over all retries; `from_name` stands before our own address.

    Mails with the same `thread` stand together in a mailbox; `reason` is the kind of cause, for filters; `list_label`
    names whose mails these are, in letters that a host name may have.
    Raises ValidationError for an address that is none; line breaks in what becomes a header are made spaces.
    """

    to: str
    subject: str
    text: str
    html: str = ""
    message_key: str = ""
    reply_to: str = ""
    from_name: str = ""
    thread: str = ""
    reason: str = ""
    list_label: str = ""
    attachments: tuple[Attachment, ...] = ()

    def __post_init__(self) -> None:
        for address in (self.to, *([self.reply_to] if self.reply_to else [])):
            _check_address(address)
        object.__setattr__(self, "subject", one_line(self.subject))
        object.__setattr__(self, "from_name", one_line(self.from_name))
        object.__setattr__(self, "reason", one_line(self.reason))
        object.__setattr__(self, "list_label", one_line(self.list_label))


def _check_address(address: str) -> None:
    """Django's check takes domains that turn into others or into none when the mail is sent, and encoded words."""
    validate_email(address)
    box, _at, domain = address.rpartition("@")
    try:
        validate_email(f"{box}@{domain.encode('idna').decode()}")
    except UnicodeError:
        raise ValidationError("no mail can go to this domain", code="domain") from None
    if "=?" in box:
        raise ValidationError("this would be read as another address", code="encoded")


def one_line(words: str) -> str:
    """Words for a header: no line break, no control character, no more than 200 characters.

    `=?` begins an encoded word (RFC 2047): plain words that hold one would be read as others, line breaks included.
    """
    plain = "".join(c if c.isprintable() else " " for c in words).replace("=?", "= ?")
    return " ".join(plain.split())[:LINE_LENGTH]


def compose(
    name: str, context: Mapping[str, object], *, to: str, **fields: Any
) -> Letter:  # Any: as Letter has them
    """The letter of `templates/mail/<name>/` (subject.txt, body.txt, body.html); `fields` are those of Letter."""
    everything = {**context, "site_url": settings.SITE_URL, "to": to}
    return Letter(
        to=to,
        subject=_render(f"mail/{name}/subject.txt", everything, html=False),
        text=_render(f"mail/{name}/body.txt", everything, html=False).strip() + "\n",
        html=css_inline.inline(
            _render(f"mail/{name}/body.html", everything, html=True),
            keep_at_rules=True,  # the dark theme lives in an @media rule
            load_remote_stylesheets=False,
        ),
        **fields,
    )


def send(letter: Letter) -> None:
    """Hand the letter to the mail server. Raises outbox.Later, or outbox.Hopeless when it is refused for good.

    Raises ValueError without a message key: a second try could not be told from a second letter.
    """
    if not letter.message_key:
        raise ValueError("a letter is sent under the key of its outbox message")
    deliveries.begin(address=letter.to, message_key=letter.message_key, kind=letter.reason)
    try:
        _message(letter).send()
    except smtplib.SMTPRecipientsRefused as error:
        code, said = min(error.recipients.values(), default=(0, b""))
        raise _verdict(letter, code, said) from error
    except smtplib.SMTPDataError as error:
        raise _verdict(letter, error.smtp_code, error.smtp_error) from error
    except (smtplib.SMTPException, OSError) as error:
        # A refused sender or sign-in is for the operator to mend; the letter can wait for that.
        raise outbox.Later(f"mail server: {type(error).__name__}") from error
    deliveries.settle(message_key=letter.message_key, outcome=Outcome(state=TraceState.ACCEPTED))


def seal_within(letter: Letter) -> SealedLetter:
    """Keep a letter with a secret in it until the worker sends it, in the caller's transaction and platform scope.

    Raises ValueError for a letter with files: what is sealed is a few lines of text.
    """
    if letter.attachments:
        raise ValueError("a sealed letter takes no files")
    tenancy.require_transaction("a sealed letter")
    row = SealedLetter(id=uuid.uuid4(), practice_id=tenancy.practice_id(), created_at=clock.now())
    clear = json.dumps(dataclasses.asdict(letter)).encode()
    row.sealed = secrets.seal(SEALED, clear, bound_to=secrets.place_of(row))
    row.save(force_insert=True)
    return row


def unseal(row: SealedLetter, *, message_key: str) -> Letter:
    """The letter of a row, under the key of the message that carries it. Raises secrets.Unreadable."""
    clear = secrets.unseal(SEALED, bytes(row.sealed), bound_to=secrets.place_of(row))
    told = {**json.loads(clear), "attachments": ()}
    return dataclasses.replace(Letter(**told), message_key=message_key)


def _sealed_letters() -> list[secrets.SealedThing]:
    rows = SealedLetter.objects.order_by("created_at")
    return [
        secrets.SealedThing(place=row.pk, sealed=bytes(row.sealed), bound_to=secrets.place_of(row))
        for row in rows
    ]


@transaction.atomic(durable=True)
def _swap_letter(thing: secrets.SealedThing, sealed: bytes) -> bool:
    rows = SealedLetter.objects.filter(pk=thing.place, sealed=thing.sealed)
    return rows.update(sealed=sealed) == 1


secrets.keeps(
    secrets.Keeper(
        purpose=SEALED, scopes=lambda: [tenancy.platform_scope()], things=_sealed_letters, swap=_swap_letter
    )
)


def key_of(held: outbox.Claim) -> str:
    """The message key of whatever this outbox message sends."""
    return f"outbox-{held.message_id}"


def message_id(message_key: str) -> str:
    """The Message-ID header of a key: the same on each try, without telling how many letters there were."""
    number: UUID = uuid.uuid5(uuid.NAMESPACE_URL, f"{settings.SITE_URL}/{message_key}")
    return f"<{number}@{_own_domain()}>"


def _own_address() -> str:
    return parseaddr(settings.MAIL_FROM)[1]


def _own_domain() -> str:
    return Address(addr_spec=_own_address()).domain


def _headers(letter: Letter) -> dict[str, str]:
    """A thread refers to a first mail that nobody got: so it holds whichever of its mails somebody gets."""
    found = {
        "From": formataddr((letter.from_name, _own_address())) if letter.from_name else settings.MAIL_FROM,
        "Message-ID": message_id(letter.message_key),
        "Auto-Submitted": "auto-generated",
        "X-Portal-Reason": letter.reason,
        "List-Id": f"<{letter.list_label}.{_own_domain()}>" if letter.list_label else "",
    }
    if letter.thread:
        root = message_id(f"thread-{letter.thread}")
        found |= {"In-Reply-To": root, "References": root}
    return {name: value for name, value in found.items() if value}


def _message(letter: Letter) -> EmailMultiAlternatives:
    message = EmailMultiAlternatives(
        subject=letter.subject,
        body=letter.text,
        from_email=deliveries.return_path(letter.message_key),  # of the envelope; the header is below
        to=[letter.to],
        reply_to=[letter.reply_to] if letter.reply_to else None,
        headers=_headers(letter),
    )
    if letter.html:
        message.attach_alternative(letter.html, "text/html")
    for attached in letter.attachments:
        message.attach(attached.name, attached.content, attached.kind)
    return message


def _verdict(letter: Letter, code: int, said: bytes | str) -> Exception:
    """What follows from a refusal, after it is written down."""
    told = said.decode(errors="replace") if isinstance(said, bytes) else said
    status = ENHANCED.search(told)
    is_final = code >= 500
    deliveries.settle(
        message_key=letter.message_key,
        outcome=Outcome(
            state=TraceState.REFUSED if is_final else TraceState.WAITING,
            status=status[0] if status else "",
            said=one_line(f"{code} {told}"),
        ),
    )
    words = f"mail server answered {code}"
    return outbox.Hopeless(words) if is_final else outbox.Later(words)


def _render(name: str, context: Mapping[str, Any], *, html: bool) -> str:  # Any: whatever templates show
    """Text is no HTML: escaping there would put &amp; into names and links."""
    backend = engines["django"]
    assert isinstance(backend, DjangoTemplates)  # noqa: S101  # the one engine of the settings
    return backend.engine.get_template(name).render(Context(dict(context), autoescape=html))
