"""Mails that come back: a delivery report (RFC 3464), read strictly and believed only for the mail whose token it names.

Anybody may write to the address that mails come back to, so what is not
exactly a report that a mail failed is nothing at all.
"""

from __future__ import annotations

import email.message
import email.parser
import email.policy
import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import getaddresses
from typing import Final

from portal.kernel import deliveries
from portal.kernel.deliveries import Outcome
from portal.kernel.mail import one_line
from portal.kernel.models import TraceState

# The report stands before the mail it is about: what comes later is not read at all.
LARGEST: Final = 128 * 1024
MOST_PARTS: Final = 10
MOST_BLOCKS: Final = 20
MOST_ADDRESSES: Final = 20
# The parser calls itself for parts within parts, and looks through a content type once for each of its parameters: on
# 128 KB of quoted semicolons it worked for half a minute.
MOST_TYPES: Final = 30
LONGEST_HEADER: Final = 1000
TYPES: Final = re.compile(rb"^content-type:.*(?:\n[ \t].*)*", re.IGNORECASE | re.MULTILINE)
LINE_ENDS: Final = re.compile(rb"\r\n?")
BLANK_LINES: Final = re.compile(rb"\n{3,}")  # each is one more block to the parser of reports
STATUS: Final = re.compile(r"[45]\.\d{1,3}\.\d{1,3}", re.ASCII)
# Where servers write down which address a mail was for.
ADDRESSED: Final = ("Delivered-To", "X-Original-To", "Envelope-To", "To")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """That a mail failed for good: the token of that mail, and why."""

    token: str
    outcome: Outcome


def read_report(raw: bytes, *, sent_to: Iterable[str] = ()) -> Report | None:
    """What a message reports, or None. `sent_to`: the addresses it was handed over for, where the server says so."""
    head = _readable(raw)
    if head is None:
        return None
    try:
        message = email.parser.BytesParser(policy=email.policy.compat32).parsebytes(head)
        tokens, outcome = _tokens(message, sent_to), _failure(message)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None  # the parser's own faults with what is no mail
    # A report for several mails at once is none: each of ours comes back alone.
    return Report(token=tokens[0], outcome=outcome) if len(tokens) == 1 and outcome is not None else None


def _readable(raw: bytes) -> bytes | None:
    """What the parser may see, with the line ends that it sees; None for what would keep it busy."""
    head = BLANK_LINES.sub(b"\n\n", LINE_ENDS.sub(b"\n", raw[:LARGEST]))
    types = TYPES.findall(head)
    return head if len(types) <= MOST_TYPES and all(len(one) <= LONGEST_HEADER for one in types) else None


def _tokens(message: email.message.Message, sent_to: Iterable[str]) -> tuple[str, ...]:
    values = [value for name in ADDRESSED for value in message.get_all(name, [])][:MOST_ADDRESSES]
    written = [str(value)[:LONGEST_HEADER] for value in values]
    named = [address for _name, address in getaddresses(written)][:MOST_ADDRESSES]
    return tuple(dict.fromkeys(deliveries.tokens_in([*sent_to, *named])))


def _failure(message: email.message.Message) -> Outcome | None:
    kind = str(message.get_param("report-type", "")).lower()
    if message.get_content_type() != "multipart/report" or kind != "delivery-status":
        return None
    parts = message.get_payload()
    for part in parts[:MOST_PARTS] if isinstance(parts, list) else ():
        if isinstance(part, email.message.Message) and part.get_content_type() == "message/delivery-status":
            return _first_failure(part.get_payload())
    return None


def _first_failure(blocks: object) -> Outcome | None:
    """The first block is about the message, each further one about one recipient; ours has one."""
    found = blocks[1:MOST_BLOCKS] if isinstance(blocks, list) else []
    for block in found:
        status = STATUS.fullmatch(_field(block, "Status").split(" ")[0])
        if _field(block, "Action").lower() == "failed" and status is not None:
            said = _field(block, "Diagnostic-Code").partition(";")[2] or "no reason was given"
            return Outcome(state=TraceState.BOUNCED, status=status[0], said=said.strip())
    return None


def _field(block: email.message.Message, name: str) -> str:
    return one_line(str(block.get(name, "")))


def bounce_take(raw: bytes, *, sent_to: Iterable[str] = ()) -> bool:
    """Write down what a message reports. False, and nothing changed, for anything but a report about a mail of ours."""
    report = read_report(raw, sent_to=sent_to)
    if report is None:
        return False
    return deliveries.come_back(token=report.token, outcome=report.outcome)
