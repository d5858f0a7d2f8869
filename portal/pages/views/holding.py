"""What the client holds in their hands: pausing, the door, and the end."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext

from accounts.lifecycle import HANDS
from awsaccess.services.leaving import deletion_confirm
from engagements.lifecycle import EngagementStatus
from engagements.selectors import approvals_of
from engagements.services.closing import engagement_end
from engagements.services.doorbells import doorbell_answer
from engagements.services.pauses import engagement_pause, engagement_resume
from portal.kernel import step_up
from portal.kernel.errors import InvalidMove
from portal.pages import compose, doors_open
from portal.pages.doors import DECIDERS, actor_of, at_desk
from portal.pages.forms import ReasonForm
from portal.pages.frames import Desk
from portal.pages.views.answers import filled, to_front

_S = EngagementStatus
ENDABLE = frozenset({_S.AGREED, _S.ACTIVE, _S.PAUSED})
RESUME = "engagements.engagement.resume"


@at_desk("GET", "POST", roles=DECIDERS)
def pause(request: HttpRequest, desk: Desk) -> HttpResponse:
    """No visit can start from the next second on."""
    if desk.engagement.status != _S.ACTIVE:
        return to_front(desk)
    form = filled(ReasonForm, request, desk)
    if not form.is_valid():
        return compose.reason_page(request, desk, "engagements/pause.html", form)
    engagement_pause(engagement=desk.engagement, actor=actor_of(desk), reason=form.cleaned_data["reason"])
    return to_front(desk)


@at_desk("GET", "POST", roles=DECIDERS)
def resume(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Same permissions, same end date."""
    if desk.engagement.status != _S.PAUSED:
        return to_front(desk)
    gate, act = step_up.gate(), step_up.Act(name=RESUME, object_id=desk.engagement.pk)
    if request.method != "POST":
        return compose.resume_page(request, desk, gate.prompt(request, act))
    wrong = gate.take_proof(request, act)
    try:
        gate.spend(request, act)
    except step_up.StepUpRequired as refusal:
        asked = gate.prompt(request, act)
        # Who was just mailed a code has done nothing wrong.
        error = wrong or ("" if asked.is_mailed else str(refusal.user_message))
        return compose.resume_page(request, desk, replace(asked, error=error))
    engagement_resume(engagement=desk.engagement, actor=actor_of(desk))
    return to_front(desk)


@at_desk("GET", "POST", roles=DECIDERS)
def door(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Who rings, and the two answers. Letting in takes a fresh proof, as all that opens something does; no takes none."""
    said = request.POST.get("answer", "")
    lets_in = said == "in" or step_up.MAIL_FIELD in request.POST
    if not lets_in and said != "not-now":
        return doors_open.door_page(request, desk)
    ring = doors_open.ring_of(desk, request.POST.get("ring", ""))
    if lets_in and (asked := doors_open.unproved(request, ring)) is not None:
        return doors_open.door_page(request, desk, ring=ring, asked=asked)
    doorbell_answer(doorbell=ring, contact=desk.contact, let_in=lets_in, actor=actor_of(desk))
    return redirect("client:door", desk.engagement.code)


@at_desk("GET", "POST", roles=DECIDERS)
def end(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Ending, and with it taking back: no reason, no typing, no fresh sign-in. Receipts lead here at any time."""
    if desk.engagement.status == _S.INVITED and approvals_of(desk.engagement).has_agreed(desk.contact):
        return redirect("client:decline", desk.engagement.code)
    if desk.engagement.status not in ENDABLE:
        return to_front(desk)
    if request.method != "POST":
        return compose.page(request, desk, "engagements/end.html", inside=compose.inside(desk))
    engagement_end(engagement=desk.engagement, actor=actor_of(desk))
    return to_front(desk)


@at_desk("POST", roles=HANDS)
def deleted(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """The client says that it is deleted; the portal then proves it."""
    if desk.engagement.status == _S.CLOSING:
        _confirm(desk)
    return to_front(desk)


def _confirm(desk: Desk) -> None:
    """The list of closing stands a moment before the worker has begun to look: saying so then is too early."""
    try:
        deletion_confirm(engagement=desk.engagement, contact=desk.contact, actor=actor_of(desk))
    except InvalidMove:
        raise InvalidMove(
            gettext("Nothing is at risk: no new visits can start. Press the button again in a minute."),
            title=gettext("One moment, please"),
            next_url=reverse("client:front", args=[desk.engagement.code]),
            next_label=gettext("Back to the list"),
        ) from None
