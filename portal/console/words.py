"""How the console says things: statuses, moments, events. Pure: no queries, no clock."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Container
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.utils.dateformat import format as date_format
from django.utils.timezone import localtime

from awsaccess.lifecycle import GrantStatus, Verdict, VisitKind, VisitStatus
from engagements.lifecycle import DoorbellStatus, EngagementStatus
from engagements.models import Doorbell
from portal.kernel.admin import Cell
from portal.kernel.models import OutboxState

_S = EngagementStatus


class Standing(StrEnum):
    """The six words for people (UX §5), and the draft, which only the console sees."""

    DRAFT = "Draft"
    INVITED = "Invited"
    AGREED = "Agreed"
    ON = "Access on"
    PAUSED = "Paused"
    PROBLEM = "Problem"
    ENDED = "Ended"


STANDINGS: Final = {
    _S.DRAFT: Standing.DRAFT,
    _S.INVITED: Standing.INVITED,
    _S.AGREED: Standing.AGREED,
    _S.ACTIVE: Standing.ON,
    _S.PAUSED: Standing.PAUSED,
    _S.CLOSING: Standing.ENDED,
    _S.CLOSED: Standing.ENDED,
    _S.DECLINED: Standing.ENDED,
    _S.CANCELLED: Standing.ENDED,
}
TONES: Final = {Standing.ON: "ok", Standing.PAUSED: "wait", Standing.PROBLEM: "stop"}
HOW_IT_ENDED: Final = {
    _S.CLOSING: "being closed",
    _S.CLOSED: "closed and proved",
    _S.DECLINED: "the client said no",
    _S.CANCELLED: "withdrawn",
}
GRANTS: Final = {
    GrantStatus.EXPECTED: Cell(text="Waiting for the role", tone="plain"),
    GrantStatus.CHECKING: Cell(text="Being checked", tone="plain"),
    GrantStatus.VERIFIED: Cell(text="Healthy", tone="ok"),
    GrantStatus.DRIFTED: Cell(text="Changed in AWS", tone="stop"),
    GrantStatus.UNSAFE: Cell(text="Unsafe: opens for others", tone="stop"),
    GrantStatus.UNREACHABLE: Cell(text="Refused by AWS", tone="stop"),
    GrantStatus.ENDING: Cell(text="Being closed", tone="wait"),
    GrantStatus.GONE: Cell(text="Gone", tone="plain"),
}
VERDICTS: Final = {
    Verdict.OK: Cell(text="Passed", tone="ok"),
    Verdict.UNSAFE: Cell(text="Unsafe", tone="stop"),
    Verdict.DRIFTED: Cell(text="Changed", tone="stop"),
    Verdict.DENIED: Cell(text="Refused", tone="wait"),
    Verdict.UNKNOWN: Cell(text="No answer", tone="plain"),
}
VISITS: Final = {
    VisitStatus.INTENDED: Cell(text="Being opened", tone="plain"),
    VisitStatus.ISSUED: Cell(text="Opened", tone="ok"),
    VisitStatus.REFUSED: Cell(text="Refused", tone="wait"),
    VisitStatus.ORPHANED: Cell(text="Unfinished: nobody holds it", tone="stop"),
}
DOORS: Final = {VisitKind.CONSOLE.value: "console", VisitKind.CLI.value: "command line"}
RINGS: Final = {
    DoorbellStatus.RINGING: Cell(text="No answer yet", tone="wait"),
    DoorbellStatus.LET_IN: Cell(text="Let in: open AWS now", tone="ok"),
    DoorbellStatus.NOT_NOW: Cell(text="Not now", tone="stop"),
    DoorbellStatus.EXPIRED: Cell(text="Over", tone="plain"),
    DoorbellStatus.USED: Cell(text="Let in", tone="ok"),
    DoorbellStatus.FORCED: Cell(text="Emergency: nobody was asked", tone="stop"),
}
NARROWED: Final = {
    "read_only": "look only",
    "no_contents": "nothing of what is inside",
    "one_address": "from one address only",
}
HOLDS_UNTIL: Final = frozenset({DoorbellStatus.RINGING, DoorbellStatus.LET_IN})
CHECKS: Final = {
    "found": "The role is there",
    "lock": "Only this portal can use it",
    "scope": "It allows what was agreed",
    "ends": "It ends by itself",
}
CHECK_ANSWERS: Final = {
    "ok": Cell(text="Yes", tone="ok"),
    "fail": Cell(text="No", tone="stop"),
    "pending": Cell(text="Not known yet", tone="plain"),
}
DELIVERIES: Final = {
    OutboxState.QUEUED: Cell(text="Queued", tone="plain"),
    OutboxState.INFLIGHT: Cell(text="Being sent", tone="plain"),
    OutboxState.WAITING: Cell(text="Failed, will be tried again", tone="wait"),
    OutboxState.SENT: Cell(text="Sent", tone="ok"),
    OutboxState.DEAD: Cell(text="Given up", tone="stop"),
}
ROLES: Final = {
    "owner": "Owner",
    "consultant": "Consultant",
    "auditor": "Auditor (reads only)",
    "lead": "Leads",
    "member": "Works on it",
    "observer": "Observes, no AWS access",
    "approver": "May agree",
    "viewer": "May look",
    "aws_admin": "Switches it on in AWS",
}
EVENTS: Final = {
    "person:session:ended": "Signed out elsewhere",
    "practice:person:signed-out": "Signed out everywhere by the practice",
    "engagement:engagement:drafted": "Draft written",
    "engagement:engagement:edited": "Draft edited",
    "engagement:change:asked": "Change asked for",
    "engagement:change:moved": "Change answered, taken back or in force",
    "client:account:wished": "Client asks to use another AWS account",
    "engagement:account-wish:moved": "Answered or taken back: another AWS account",
    "aws:grant:account-turned": "Role expected in another AWS account",
    "engagement:profile:saved": "Access profile saved",
    "engagement:profile:retired": "Access profile taken back",
    "engagement:assignment:made": "Person put on it",
    "engagement:assignment:ended": "Person taken off it",
    "engagement:engagement:moved": "Status changed",
    "engagement:offer:frozen": "Offer frozen",
    "engagement:offer:published": "Template put into the bucket",
    "client:consent:given": "Client agreed",
    "client:consent:withdrawn": "Consent withdrawn",
    "client:consent:refused": "Agreement refused by the portal",
    "engagement:document:signed": "Paper signed",
    "engagement:evidence:taken": "Evidence pack taken",
    "client:consent:code-mailed": "Code to agree mailed",
    "client:question:asked": "Client asked a question",
    "practice:question:answered": "Question answered",
    "client:colleague:named": "Client named a colleague who should answer",
    "client:invitation:misdirected": "Invitation came to somebody else",
    "client:aws-step:handed-over": "Step in AWS handed on to a colleague",
    "engagement:engagement:move-refused": "Change of status refused",
    "practice:doorbell:rung": "Rang at the client",
    "practice:doorbell:refused": "Ring or answer refused by the portal",
    "client:doorbell:let-in": "Client let somebody in",
    "client:doorbell:not-now": "Client let somebody in not now",
    "practice:doorbell:used": "Went in as the client said",
    "engagement:doorbell:expired": "Ring was over",
    "practice:doorbell:forced": "Went in without being let in: emergency",
    "aws:visit:not-begun": "Visit refused before AWS was asked",
    "portal:request:refused": "Request refused",
    "person:session:refused": "Sign-in refused",
    "aws:grant:expected": "Role expected",
    "aws:grant:moved": "Role’s health changed",
    "aws:grant:role-made-anew": "Role was made anew",
    "practice:rotation:begun": "Exchange of the external ID begun",
    "aws:rotation:moved": "Exchange of the external ID moved on",
    "practice:rotation:cancelled": "Exchange of the external ID called off",
    "practice:hub-move:begun": "Move to another hub role begun",
    "aws:hub-move:moved": "Move to another hub role went on",
    "practice:hub-move:cancelled": "Move to another hub role called off",
    "aws:grant:exit-proved": "Proved to be gone",
    "aws:visit:intended": "Visit asked for",
    "aws:visit:issued": "Visit opened",
    "aws:visit:refused": "Visit refused",
    "aws:visit:orphaned": "Visit left unfinished",
    "aws:visit:report-fetched": "Report of a visit fetched",
    "aws:visit:report-missing": "Report of a visit not to be had",
    "client:grant:deletion-confirmed": "Client says it is deleted",
    "client:grant:sessions-end-asked": "Client wants open sessions ended",
    "practice:hub:set-up": "AWS set-up changed",
    "aws:hub:role-made-anew": "The hub role was made anew",
    "practice:hub:role-accepted": "Owner says they made the hub role anew",
    "aws:stack:told": "The client’s stack reported",
    "aws:stack:answered": "The client’s stack was answered",
    "practice:practice:opened": "Practice opened",
    "practice:brand:changed": "Branding changed",
    "practice:intake:set-up": "Intake page changed",
    "practice:shop:added": "Shop connection added",
    "practice:shop:changed": "Shop connection changed",
    "practice:shop:secret-set": "New secret of a shop connection",
    "practice:shop:closed": "Shop connection closed",
    "shop:order:taken": "Order came from a shop",
    "shop:order:refused": "Message of a shop refused",
    "client:order:confirmed": "Order confirmed on the intake page",
    "engagement:template:saved": "Engagement template saved",
    "engagement:template:retired": "Engagement template retired",
    "practice:client:added": "Client added",
    "practice:membership:added": "Consultant added",
    "practice:membership:role-changed": "Consultant’s role changed",
    "practice:membership:ended": "Consultant left",
    "practice:contact:added": "Contact added",
    "practice:contact:role-changed": "Contact’s role changed",
    "practice:contact:ended": "Contact left",
    "practice:invitation:made": "Invitation sent",
    "client:invitation:sent-again": "Invitation sent again",
    "client:invitation:used": "Invitation used",
    "person:session:opened": "Signed in",
    "person:factor:added": "Second factor set up",
    "person:factor:removed": "Second factor taken away",
    "person:factor:used": "Second factor shown",
    "person:factor:locked": "Second factor locked after wrong codes",
    "person:recovery-codes:made": "New recovery codes made",
    "practice:sign-in-service:set-up": "Company sign-in set up",
    "practice:sign-in-service:changed": "Company sign-in changed",
    "practice:sign-in-service:switched": "Company sign-in switched on or off",
    "person:service-sign-in:refused": "Company sign-in refused",
    "person:service-account:pinned": "Company account kept for a person",
    "practice:service-account:forgotten": "Company account of a person forgotten",
    "person:step-up:made": "Proved themselves anew for one act",
    "person:step-up:refused": "Act refused without a fresh proof",
}
DELIVERY_KINDS: Final = {
    "engagements.invitation": "Mail: invitation",
    "engagements.receipt": "Mail: receipt",
    "engagements.access_on": "Mail: access is on",
    "engagements.paused": "Mail: paused",
    "engagements.resumed": "Mail: resumed",
    "engagements.problem": "Mail: problem",
    "engagements.not_switched_on": "Mail: not switched on for 7 days",
    "engagements.person_added": "Mail: person added",
    "engagements.person_left": "Mail: person left",
    "engagements.key_add": "Mail: step for a new key",
    "engagements.key_drop": "Mail: step for the old key",
    "engagements.key_done": "Mail: new key in place",
    "engagements.ended": "Mail: ended",
    "engagements.closed": "Mail: closed",
    "engagements.declined": "Mail: declined",
    "engagements.approved": "Mail: one of several agreed",
    "engagements.question": "Mail: question",
    "engagements.answer": "Mail: answer",
    "engagements.colleague": "Mail: colleague named",
    "engagements.handover_asked": "Add a colleague for the step in AWS",
    "engagements.handover": "Mail: step in AWS handed on",
    "engagements.misdirected": "Mail: invitation came to somebody else",
    "engagements.ends_soon": "Mail: access ends soon",
    "engagements.unopened": "Mail: reminder, not opened",
    "engagements.unanswered": "Mail: reminder, not answered",
    "engagements.unconnected": "Mail: reminder, not switched on",
    "mail.delivery": "Mail: an address takes no mail",
    "engagements.rang": "Mail: somebody rings",
    "engagements.let_in": "Mail: let in",
    "engagements.not_now": "Mail: not now",
    "engagements.came_in": "Mail: emergency visit",
    "engagements.order_confirm": "Mail: confirm an order",
    "engagements.order_arrived": "Mail: new order",
    "accounts.invitation": "Mail: invitation",
    "accounts.people_changed": "Mail: people changed",
    "accounts.people_changed.to_one": "Mail: people changed",
    "engagements.receipt_paper": "Signed receipt",
    "grant.certificate": "Signed certificate",
    "audit.checkpoint_mail": "Mail: seal of the record",
    "audit.checkpoint_mail.to_one": "Mail: seal of the record",
    "awsaccess.publish": "Template to the bucket",
    "awsaccess.publish_variant": "Template of a choice to the bucket",
    "awsaccess.publish_key": "Templates of a new key to the bucket",
    "engagement.agreed": "Begin to look for the role",
    "engagement.change_agreed": "Begin to look for a change",
    "engagements.change_asked": "Mail: change asked for",
    "engagements.changed": "Mail: change in force",
    "engagements.change_declined": "Mail: change declined",
    "engagement.closing": "Begin to close",
}

# What became of the step in AWS that a client sent to a colleague, by what stood against it.
OBSTACLES: Final = {
    "": Cell(text="Sent", tone="ok"),
    "is-consultant": Cell(text="Not sent: that is one of your own people", tone="stop"),
    "was-removed": Cell(text="Not sent: you removed that person", tone="stop"),
    "is-over": Cell(text="Not sent: nothing is left to do in AWS", tone="plain"),
}
SHOPS: Final = {
    "signed": "Signed messages (our own form)",
    "stripe": "Stripe",
}

# Which details of an event are words for people.
SAID: Final = frozenset({"note", "reason", "title", "consultant", "email", "role", "account"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The erasable part of an event: who, and what they said."""

    name: str
    email: str
    details: dict[str, str]


def standing_of(status: str, *, has_problem: bool) -> Standing:
    """The word for people. A broken grant counts while access would otherwise be on."""
    found = STANDINGS[EngagementStatus(status)]
    return Standing.PROBLEM if found is Standing.ON and has_problem else found


def standing_cell(status: str, *, has_problem: bool) -> Cell:
    """The word with its tone, and how it ended if it did."""
    found = standing_of(status, has_problem=has_problem)
    how = HOW_IT_ENDED.get(EngagementStatus(status), "")
    return Cell(text=found.value, tone=TONES.get(found, "plain"), small=how)


def moment(at: dt.datetime | None, otherwise: str = "–") -> str:
    """21 Nov 2026, 14:37 in the reader's zone."""
    return date_format(localtime(at), "j M Y, H:i") if at else otherwise


def day(at: dt.datetime | None, otherwise: str = "–") -> str:
    """21 Nov 2026 in the reader's zone."""
    return date_format(localtime(at), "j M Y") if at else otherwise


def lately(at: dt.datetime | None, now: dt.datetime) -> str:
    """Today, 14:37; Yesterday, 14:37; 18 Nov; with the year once it is another one."""
    if at is None:
        return "–"
    local, today = localtime(at), localtime(now).date()
    days = (today - local.date()).days
    if days in {0, 1}:
        return f"{'Yesterday' if days else 'Today'}, {date_format(local, 'H:i')}"
    return date_format(local, "j M" if local.year == today.year else "j M Y")


def clock_time(at: dt.datetime) -> str:
    """14:37 in the reader's zone."""
    return date_format(localtime(at), "H:i")


def span(length: dt.timedelta) -> str:
    """A length of time in its biggest unit: 12 min, 3 hours, 4 days."""
    minutes = max(0, int(length.total_seconds() // 60))
    for size, unit in ((24 * 60, "day"), (60, "hour")):
        if minutes >= size:
            count = minutes // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{minutes} min"


def account(account_id: str) -> str:
    """Grouped by four, as AWS shows it."""
    groups = [account_id[start : start + 4] for start in range(0, len(account_id), 4)]
    return " ".join(groups) or "not known yet"


def event(kind: str) -> str:
    """What happened, in words; the record's own name for what has none."""
    return EVENTS.get(kind, kind)


def told(body: str) -> Told:
    """The body of an event; empty after it was erased."""
    found = json.loads(body) if body else {}
    details = {key: str(value) for key, value in found.get("details", {}).items() if value not in (None, "")}
    return Told(name=found.get("name", ""), email=found.get("email", ""), details=details)


def details(found: dict[str, str]) -> str:
    """The details of an event on one line; digests and row ids are left to those who export the record."""
    is_move = {"from", "to"} <= found.keys()
    moved = f"{_state(found['from'])} → {_state(found['to'])}" if is_move else ""
    said = [_said(key, value) for key, value in found.items() if key in SAID]
    return " · ".join(part for part in (moved, *said) if part)


def narrowing(held: Container[str], region: str) -> str:
    """How much less than was agreed a visit takes, on one line; empty for all of it."""
    said = [text for key, text in NARROWED.items() if key in held]
    return ", ".join([*said, *([f"only in {region}"] if region else [])])


def ring(doorbell: Doorbell) -> Cell:
    """What became of a ring, by whom, and until when a let-in holds."""
    found = RINGS[DoorbellStatus(doorbell.status)]
    who = f"by {doorbell.answered_by.name}" if doorbell.answered_by else ""
    until = f"until {clock_time(doorbell.expires_at)}" if doorbell.status in HOLDS_UNTIL else ""
    return Cell(text=found.text, tone=found.tone, small=" ".join(part for part in (who, until) if part))


def status(value: str) -> str:
    """A status of an engagement or a grant, as a word."""
    return value[:1].upper() + value[1:]


def _state(value: str) -> str:
    return ROLES.get(value) or status(value)


def _said(key: str, value: str) -> str:
    if key == "account":
        return account(value)
    return ROLES.get(value, value) if key == "role" else value
