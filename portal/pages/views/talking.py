"""Questions, and who else should answer. They decide nothing."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from engagements.lifecycle import KNOWN_TO_CLIENT, EngagementStatus
from engagements.services.talk import colleague_name, question_ask
from portal.pages import compose
from portal.pages.doors import actor_of, at_desk
from portal.pages.forms import ColleagueForm, QuestionForm
from portal.pages.frames import Desk
from portal.pages.views.answers import filled, to_front

_S = EngagementStatus


@at_desk("GET", "POST")
def question(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Asking decides nothing. The talk stays on the page."""
    if desk.engagement.status not in KNOWN_TO_CLIENT:
        return to_front(desk)
    form = filled(QuestionForm, request, desk)
    if not form.is_valid():
        return compose.question_page(request, desk, form)
    question_ask(
        engagement=desk.engagement,
        contact=desk.contact,
        text=form.cleaned_data["question"],
        actor=actor_of(desk),
    )
    return redirect("client:question", desk.engagement.code)


@at_desk("GET", "POST")
def colleague(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Who should answer instead. It adds nobody: the practice is told, and invites."""
    if desk.engagement.status != _S.INVITED:
        return to_front(desk)
    form = filled(ColleagueForm, request, desk)
    if not form.is_valid():
        return compose.reason_page(request, desk, "engagements/colleague.html", form)
    colleague_name(
        engagement=desk.engagement,
        contact=desk.contact,
        name=form.cleaned_data["name"],
        email=form.cleaned_data["email"],
        actor=actor_of(desk),
    )
    return redirect("client:colleague_named", desk.engagement.code)


@at_desk("GET")
def colleague_named(request: HttpRequest, desk: Desk) -> HttpResponse:
    """That the practice knows, and what comes next."""
    return compose.page(request, desk, "engagements/colleague_named.html")
