"""The life of a grant and of a visit as data, and how often AWS is asked. Pure: no queries, no clock, no AWS."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Final

from django.db.models import TextChoices


class GrantStatus(TextChoices):
    """Where one cross-account role stands."""

    EXPECTED = "expected"
    CHECKING = "checking"
    VERIFIED = "verified"
    DRIFTED = "drifted"
    UNSAFE = "unsafe"
    UNREACHABLE = "unreachable"
    ENDING = "ending"
    GONE = "gone"


class Verdict(TextChoices):
    """What one check proved. `unknown` proves nothing: our outage is never the client's change."""

    OK = "ok"
    UNSAFE = "unsafe"
    DRIFTED = "drifted"
    DENIED = "denied"
    UNKNOWN = "unknown"


_S = GrantStatus
_V = Verdict
WATCHED: Final = frozenset({_S.EXPECTED, _S.CHECKING, _S.VERIFIED, _S.DRIFTED, _S.UNSAFE, _S.UNREACHABLE})
NOT_SEEN_YET: Final = frozenset({_S.EXPECTED, _S.CHECKING})
BROKEN: Final = frozenset({_S.DRIFTED, _S.UNSAFE, _S.UNREACHABLE})

_PROVED: Final = {_V.OK: _S.VERIFIED, _V.UNSAFE: _S.UNSAFE, _V.DRIFTED: _S.DRIFTED}
MOVES: Final[dict[GrantStatus, dict[Verdict, GrantStatus]]] = {
    # A role that was never seen is waited for; one that was seen and is refused is told at once.
    _S.EXPECTED: {**_PROVED, _V.DENIED: _S.EXPECTED, _V.UNKNOWN: _S.EXPECTED},
    _S.CHECKING: {**_PROVED, _V.DENIED: _S.EXPECTED, _V.UNKNOWN: _S.CHECKING},
    **{
        status: {**_PROVED, _V.DENIED: _S.UNREACHABLE, _V.UNKNOWN: status}
        for status in (_S.VERIFIED, *sorted(BROKEN))
    },
}


# One refusal may be chance or a change that is still spreading through IAM.
DENIALS_BEFORE_MOVE: Final = 2
# IAM shows a change everywhere within about two minutes, in either direction (AWS_FACTS §9).
PROPAGATION: Final = dt.timedelta(minutes=2)


def status_after(status: GrantStatus, verdict: Verdict, *, denials: int) -> GrantStatus:
    """Where a verdict moves a watched grant. `denials` counts refusals in a row, this one included.

    Raises KeyError for one that is ending or gone.
    """
    after = MOVES[status][verdict]
    return status if verdict is Verdict.DENIED and denials < DENIALS_BEFORE_MOVE else after


def denials_after(verdict: Verdict, *, before: int, role_seen_for: dt.timedelta | None) -> int:
    """Refusals in a row. What is unknown changes nothing; a role seen first just now may not be known everywhere yet.

    `role_seen_for` is the time since that very role opened first, None if it never did.
    """
    if verdict is Verdict.UNKNOWN:
        return before
    if verdict is not Verdict.DENIED or (role_seen_for is not None and role_seen_for < PROPAGATION):
        return 0
    return before + 1


# How long after the consent the role is looked for how often (UX §9); then seven days are over.
SEARCH: Final = (
    (dt.timedelta(minutes=10), dt.timedelta(seconds=5)),
    (dt.timedelta(hours=1), dt.timedelta(minutes=1)),
    (dt.timedelta(days=7), dt.timedelta(minutes=15)),
)
AFTER_THE_SEARCH: Final = dt.timedelta(hours=6)
WHILE_WELL: Final = dt.timedelta(hours=1)
WHILE_BROKEN: Final = dt.timedelta(minutes=5)
# IAM needs minutes to spread a change: a role is looked at closely for a while after it first opened.
AFTER_A_DOUBT: Final = dt.timedelta(seconds=15)
LONGEST_DOUBT: Final = dt.timedelta(minutes=16)
# Checks that were planned together, such as all of an outage, drift apart by this share; a search only forwards, by
# one or two of it, so that a page says no later than promised that access is on (UX row 17).
SPREAD: Final = 0.1


def check_wait(
    status: GrantStatus, verdict: Verdict, *, searching_for: dt.timedelta, unknowns: int = 0
) -> dt.timedelta:
    """How long until the next check. `searching_for` is the time since the consent.

    `unknowns` counts checks in a row that proved nothing, this one included: each doubles the wait.
    """
    if status in NOT_SEEN_YET:
        fitting = (wait for until, wait in SEARCH if searching_for < until)
        return max(next(fitting, AFTER_THE_SEARCH), doubt(unknowns) if unknowns > 1 else dt.timedelta())
    if verdict is Verdict.UNKNOWN:
        return doubt(unknowns)
    if verdict is Verdict.DENIED and status is not GrantStatus.UNREACHABLE:
        return AFTER_A_DOUBT  # the second refusal decides
    return WHILE_WELL if status is GrantStatus.VERIFIED else WHILE_BROKEN


def is_last_look(status: GrantStatus, *, searching_for: dt.timedelta) -> bool:
    """True once a role was looked for in vain for seven days: what comes later is asked for by a person or a stack."""
    return status in NOT_SEEN_YET and searching_for >= SEARCH[-1][0]


def doubt(unknowns: int) -> dt.timedelta:
    """15 seconds, doubled for each further check that proved nothing, to 16 minutes."""
    doublings = min(max(unknowns - 1, 0), 10)
    return min(LONGEST_DOUBT, AFTER_A_DOUBT * (1 << doublings))


def closing_wait(closing_for: dt.timedelta) -> dt.timedelta:
    """How long until it is tried again whether a role that should be gone still opens."""
    if closing_for < dt.timedelta(minutes=15):
        return dt.timedelta(seconds=5)
    return dt.timedelta(minutes=1) if closing_for < dt.timedelta(hours=2) else dt.timedelta(minutes=15)


class VisitStatus(TextChoices):
    """One issue of temporary credentials. `intended` without an end becomes `orphaned`, and is shown."""

    INTENDED = "intended"
    ISSUED = "issued"
    REFUSED = "refused"
    ORPHANED = "orphaned"


VISIT_MOVES: Final[dict[VisitStatus, frozenset[VisitStatus]]] = {
    VisitStatus.INTENDED: frozenset({VisitStatus.ISSUED, VisitStatus.REFUSED, VisitStatus.ORPHANED}),
    VisitStatus.ISSUED: frozenset(),
    VisitStatus.REFUSED: frozenset(),
    VisitStatus.ORPHANED: frozenset(),
}


class ReportStatus(TextChoices):
    """How far the report of a visit has come. `missing`: nothing more will come, and the page says why."""

    WAITING = "waiting"
    FIRST = "first"
    COMPLETE = "complete"
    MISSING = "missing"


REPORT_MOVES: Final[dict[ReportStatus, frozenset[ReportStatus]]] = {
    ReportStatus.WAITING: frozenset({ReportStatus.FIRST, ReportStatus.COMPLETE, ReportStatus.MISSING}),
    # A first look that came late is looked at again as a whole.
    ReportStatus.FIRST: frozenset({ReportStatus.FIRST, ReportStatus.COMPLETE, ReportStatus.MISSING}),
    ReportStatus.COMPLETE: frozenset(),
    ReportStatus.MISSING: frozenset(),
}


class Gap(StrEnum):
    """What a report does not know, beside what no event history ever holds."""

    UNSEEN = "unseen"  # regions that gave no answer
    CUT = "cut"  # more events than are read
    ENDED = "ended"  # the access was over before all could be fetched
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


class CallbackStatus(TextChoices):
    """One report of a stack: `open` until it is answered. `lapsed` could not be answered any more."""

    OPEN = "open"
    GRANTED = "granted"
    REFUSED = "refused"
    LAPSED = "lapsed"


CALLBACK_MOVES: Final[dict[CallbackStatus, frozenset[CallbackStatus]]] = {
    CallbackStatus.OPEN: frozenset({CallbackStatus.GRANTED, CallbackStatus.REFUSED, CallbackStatus.LAPSED}),
    CallbackStatus.GRANTED: frozenset(),
    CallbackStatus.REFUSED: frozenset(),
    CallbackStatus.LAPSED: frozenset(),
}
# CloudFormation waits 300 seconds (the template says so); SNS, queue and this answer need some of them.
CALLBACK_TIMEOUT: Final = dt.timedelta(seconds=300)
CALLBACK_ANSWER_WITHIN: Final = dt.timedelta(seconds=240)
# IAM spreads a new role within two minutes (AWS_FACTS §9); a wider or missing policy may be a half-made one.
CALLBACK_DENIED_FOR: Final = dt.timedelta(seconds=180)
CALLBACK_DOUBT_FOR: Final = dt.timedelta(seconds=15)
CALLBACK_LOOKS_EVERY: Final = dt.timedelta(seconds=3)


class RotationStatus(TextChoices):
    """One exchange of an external ID or of a hub role. Old and new are both accepted from `adding` until it is over."""

    ADDING = "adding"
    DROPPING = "dropping"
    UNDOING = "undoing"
    DONE = "done"
    CANCELLED = "cancelled"


_R = RotationStatus
ROTATION_MOVES: Final[dict[RotationStatus, frozenset[RotationStatus]]] = {
    _R.ADDING: frozenset({_R.DROPPING, _R.UNDOING, _R.CANCELLED}),
    # From here the portal enters with the new one, and the client may have dropped the old: there is no way back.
    _R.DROPPING: frozenset({_R.DONE}),
    _R.UNDOING: frozenset({_R.CANCELLED}),
    _R.DONE: frozenset(),
    _R.CANCELLED: frozenset(),
}
ROTATING: Final = frozenset(status for status, onward in ROTATION_MOVES.items() if onward)
# What a look that passed must have found before the next step: which lock, and whether the other ID, or the other hub role, opens it.
ROTATION_WANTS: Final = {
    _R.ADDING: ("both", True),
    _R.DROPPING: ("alone", False),
    _R.UNDOING: ("alone", False),
}
ROTATION_NEXT: Final = {
    _R.ADDING: _R.DROPPING,
    _R.DROPPING: _R.DONE,
    _R.UNDOING: _R.CANCELLED,
}
HUB_LOOKS_EVERY: Final = dt.timedelta(hours=1)
WHILE_ROTATING: Final = dt.timedelta(minutes=5)
WHILE_SPREADING: Final = dt.timedelta(minutes=1)


class VisitKind(TextChoices):
    """By which door."""

    CONSOLE = "console"
    CLI = "cli"


class AccessEvent(StrEnum):
    """What the audit record calls it: source, subject, action."""

    HUB_SET_UP = "practice:hub:set-up"
    HUB_ROLE_MADE_ANEW = "aws:hub:role-made-anew"
    HUB_ROLE_ACCEPTED = "practice:hub:role-accepted"
    GRANT_EXPECTED = "aws:grant:expected"
    GRANT_MOVED = "aws:grant:moved"
    ACCOUNT_TURNED = "aws:grant:account-turned"
    ROLE_MADE_ANEW = "aws:grant:role-made-anew"
    DELETION_CONFIRMED = "client:grant:deletion-confirmed"
    SESSIONS_END_ASKED = "client:grant:sessions-end-asked"
    ROTATION_BEGUN = "practice:rotation:begun"
    ROTATION_MOVED = "aws:rotation:moved"
    ROTATION_CANCELLED = "practice:rotation:cancelled"
    HUB_MOVE_BEGUN = "practice:hub-move:begun"
    HUB_MOVE_MOVED = "aws:hub-move:moved"
    HUB_MOVE_CANCELLED = "practice:hub-move:cancelled"
    EXIT_PROVED = "aws:grant:exit-proved"
    STACK_TOLD = "aws:stack:told"
    STACK_ANSWERED = "aws:stack:answered"
    VISIT_NOT_BEGUN = "aws:visit:not-begun"
    VISIT_INTENDED = "aws:visit:intended"
    VISIT_ISSUED = "aws:visit:issued"
    VISIT_REFUSED = "aws:visit:refused"
    VISIT_ORPHANED = "aws:visit:orphaned"
    REPORT_FETCHED = "aws:visit:report-fetched"
    REPORT_MISSING = "aws:visit:report-missing"
