"""How mail to a person fares: the badge, the reason in words, and sending again what did not arrive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Lower
from django.http import HttpRequest

from accounts.models import Contact
from engagements.emails.nudges import cause_of
from engagements.models import Engagement
from portal.console import words
from portal.kernel import deliveries, outbox
from portal.kernel.admin import Cell, Fact, ObjectAction, Panel, Table, page_of
from portal.kernel.errors import InvalidMove
from portal.kernel.models import MailTrace, TraceState

MOST_AGAIN: Final = 5
STATES: Final = {
    TraceState.ACCEPTED: Cell(text="Accepted by their mail server", tone="ok"),
    TraceState.WAITING: Cell(text="Their mail server wants us to wait", tone="wait"),
    TraceState.REFUSED: Cell(text="Refused", tone="stop"),
    TraceState.BOUNCED: Cell(text="Came back", tone="stop"),
}


def with_mail_state(rows: QuerySet[Contact]) -> QuerySet[Contact]:
    """With what became of the newest mail to each, as `mail_state`; None where none was sent."""
    newest = MailTrace.objects.filter(
        practice_id=OuterRef("practice_id"), address=Lower(OuterRef("user__email"))
    )
    settled = newest.exclude(state=TraceState.SENDING).order_by("-changed_at")
    return rows.annotate(mail_state=Subquery(settled.values("state")[:1]))


def badge(state: str | None) -> Cell | None:
    """What a list shows beside the person: only what needs somebody."""
    if state is None or state == TraceState.ACCEPTED:
        return None
    return STATES[TraceState(state)]


def fact_of(contact: Contact) -> Fact:
    """How mail to a person fares, with the reason in words and the server's own."""
    trace = deliveries.newest_of(contact.user.email).first()
    if trace is None:
        return Fact(label="Mail", value=Cell(text="None sent yet"))
    cell, when = STATES[TraceState(trace.state)], words.moment(trace.changed_at)
    why = f"{cause_of(trace)} {trace.said}" if trace.state in deliveries.FAILED else trace.said
    small = f"{when}. {why}" if trace.state != TraceState.ACCEPTED else when
    return Fact(label="Mail", value=Cell(text=cell.text, tone=cell.tone, small=small))


def troubles_of(engagement: Engagement) -> Panel | None:
    """The people of an engagement's client whom no mail reaches; None where all is well."""
    rows = with_mail_state(
        Contact.objects.select_related("user").filter(client_id=engagement.client_id, ended_at=None)
    )
    found = [one for one in rows.order_by("user__name") if vars(one)["mail_state"] in deliveries.FAILED]
    if not found:
        return None
    page = page_of(Contact)
    table = Table(
        headings=("Sent to", "What became of it", ""),
        rows=tuple(
            (
                Cell(text=one.user.name, small=one.user.email, url=page.page_url(one)),
                fact_of(one).value,
                Cell(text="Send it again", url=page.action_url(one, "resend")),
            )
            for one in found
        ),
    )
    return Panel(
        key="mail",
        title="Mail did not arrive",
        words="They may not know that you asked. Make sure of the address, then send it again.",
        table=table,
    )


def fails(contact: Contact) -> bool:
    """Whether there is anything to send again. Needs `with_mail_state`."""
    return contact.ended_at is None and vars(contact).get("mail_state") in deliveries.FAILED


def _again(
    _request: HttpRequest, contact: Contact, _asked: Mapping[str, Any]
) -> str:  # Any: a form's cleaned data
    sent = outbox.put_again(_messages_of(contact.user.email))
    if not sent:
        raise InvalidMove(
            "That mail can’t be sent again. Send the invitation again from the engagement’s page.",
            title="Nothing to send again",
        )
    return f"{contact.user.name} gets {'it' if sent == 1 else f'{sent} mails'} again. The mark goes once one is accepted."


def _messages_of(address: str) -> list[int]:
    """The promises behind the newest mails that did not arrive. Codes are not sent again: they are over by then."""
    keys = deliveries.newest_of(address).filter(state__in=deliveries.FAILED)
    found = [key.removeprefix("outbox-") for key in keys.values_list("message_key", flat=True)[:MOST_AGAIN]]
    return [int(one) for one in found if one.isdecimal()]


def _explain(contact: Contact) -> list[str]:
    trace = deliveries.newest_of(contact.user.email).first()
    why = cause_of(trace) if trace is not None else ""
    return [
        f"The mail to {contact.user.email} did not arrive. {why}".strip(),
        "It is sent once more to the same address, as far as it is still true.",
        "Is the address wrong? Remove this contact, and add them with the right one.",
    ]


RESEND: Final = ObjectAction(
    slug="resend",
    label="Send again",
    title="Send again what did not arrive",
    explain=_explain,
    run=_again,
    offered=fails,
    button="Send again",
    is_main=True,
)


def addresses_failing(client_ids: set[UUID]) -> QuerySet[Contact]:
    """Contacts of these clients whom no mail reaches."""
    rows = Contact.objects.select_related("user", "client").filter(client_id__in=client_ids, ended_at=None)
    return with_mail_state(rows).filter(Q(mail_state__in=deliveries.FAILED)).order_by("user__name")
