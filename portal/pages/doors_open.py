"""Where the client lets each visit in: who rings, what they want, and the two answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext, gettext_lazy

from engagements.lifecycle import DoorbellStatus, EngagementStatus
from engagements.models import Doorbell
from engagements.selectors import doorbell_waiting, doorbells_of
from portal.kernel import clock, step_up
from portal.kernel.errors import NotVisible
from portal.pages import words
from portal.pages.frames import Desk

LET_IN: Final = "engagements.doorbell.let-in"
ANSWERS: Final = {
    DoorbellStatus.LET_IN: gettext_lazy("Let in, and can open AWS until %(time)s."),
    DoorbellStatus.NOT_NOW: gettext_lazy("Not let in."),
    DoorbellStatus.EXPIRED: gettext_lazy("Nobody answered in time, or they did not come."),
    DoorbellStatus.USED: gettext_lazy("Let in, and came."),
    DoorbellStatus.FORCED: gettext_lazy("Came in without waiting, because of an emergency."),
}
KINDS: Final = {
    "console": gettext_lazy("in the AWS console"),
    "cli": gettext_lazy("by the command line"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """One ring in words. `answer` is empty while it waits; `asks` is a proof that letting in takes."""

    key: str
    name: str
    reason: str
    kind: str
    time: str
    until: str
    answer: str
    asks: step_up.Prompt | None = None


def waiting(desk: Desk) -> tuple[Ring, ...]:
    """Who stands at the door now."""
    if not desk.engagement.doorbell or desk.engagement.status != EngagementStatus.ACTIVE:
        return ()
    return tuple(_ring(one, desk) for one in doorbell_waiting(desk.engagement, now=clock.now()))


def ring_of(desk: Desk, key: str) -> Doorbell:
    """The ring that a form names. Raises NotVisible for another engagement's and for what is none."""
    try:
        found = Doorbell.objects.filter(engagement=desk.engagement, pk=UUID(key)).first()
    except ValueError:
        found = None
    if found is None:
        raise NotVisible
    return found


def unproved(request: HttpRequest, doorbell: Doorbell) -> step_up.Prompt | None:
    """What is asked before somebody is let in; None once it was proved, and the proof is spent."""
    gate, act = step_up.gate(), _act(doorbell)
    wrong = gate.take_proof(request, act)
    try:
        gate.spend(request, act)
    except step_up.StepUpRequired:
        # Who pressed the first time has done nothing wrong: the page with the buttons asks for no proof yet.
        return replace(gate.prompt(request, act), error=wrong)
    return None


def door_page(
    request: HttpRequest, desk: Desk, *, ring: Doorbell | None = None, asked: step_up.Prompt | None = None
) -> HttpResponse:
    """Who waits, with the answers, and who rang before. `asked` belongs to the one ring that is being answered."""
    now = clock.now()
    open_ones = doorbell_waiting(desk.engagement, now=now)
    is_on = desk.engagement.status == EngagementStatus.ACTIVE
    shown = [
        replace(_ring(one, desk), asks=asked if ring is not None and one.pk == ring.pk else None)
        for one in (open_ones if is_on else [])
    ]
    before = [one for one in doorbells_of(desk.engagement) if one not in open_ones]
    context = {
        "frame": desk.frame,
        "practice": desk.engagement.practice,
        "client": desk.engagement.client,
        "person": desk.user,
        "rings": shown,
        "is_on": is_on,
        "before": [_ring(one, desk) for one in before],
    }
    status = 403 if asked is not None and asked.error else 200
    return render(request, "engagements/door.html", context, status=status)


def _act(doorbell: Doorbell) -> step_up.Act:
    return step_up.Act(name=LET_IN, object_id=doorbell.pk)


def _ring(doorbell: Doorbell, desk: Desk) -> Ring:
    until = words.clock_time(doorbell.expires_at, desk.zone)
    said = ANSWERS.get(DoorbellStatus(doorbell.status), "")
    if doorbell.status == DoorbellStatus.LET_IN and doorbell.expires_at <= clock.now():
        said = ANSWERS[DoorbellStatus.EXPIRED]
    answer = str(said) % {"time": until}
    if doorbell.answered_by:
        answer += gettext(" %(name)s answered.") % {"name": doorbell.answered_by.name}
    return Ring(
        key=str(doorbell.pk),
        name=doorbell.consultant_name,
        reason=doorbell.reason,
        kind=str(KINDS.get(doorbell.kind, "")),
        time=words.when(doorbell.rung_at, desk.zone, now=clock.now()),
        until=until,
        answer=answer,
    )
