"""What is done to an engagement's people, and to its draft, from its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from accounts.models import User
from engagements.lifecycle import TERMINAL, AssignmentRole, EngagementStatus
from engagements.models import NOT_OVER, Assignment, Engagement
from engagements.selectors import lead_of
from engagements.services.drafts import Span, Terms, draft_mark, engagement_edit
from engagements.services.people import assignment_end, assignment_make, lead_hand_over
from portal.console import reads
from portal.console.people_forms import AssignForm, LeadForm, ReleaseForm
from portal.console.terms_forms import EditForm, line_value
from portal.kernel.admin import ObjectAction, page_of
from portal.kernel.errors import NotVisible
from portal.kernel.web import actor_of

Asked = Mapping[str, Any]  # Any: a form's cleaned data


def _edit(request: HttpRequest, engagement: Engagement, asked: Asked) -> str:
    terms = Terms(**{field.name: asked[field.name] for field in fields(Terms)})
    engagement_edit(engagement=engagement, terms=terms, seen=asked["seen"], actor=actor_of(request))
    return "Saved. The client sees nothing until you send it."


def _explain_edit(_engagement: Engagement) -> list[str]:
    return [
        "Changes the draft. The client sees nothing until you send it; then it can’t be changed any more."
    ]


def _start_edit(
    _request: HttpRequest, engagement: Engagement
) -> dict[str, Any]:  # Any: what forms start from
    terms = {field.name: getattr(engagement, field.name) for field in fields(Terms)}
    lines = [line_value(engagement.profile, key) for key in engagement.optional]
    return {**terms, "optional": lines, "seen": draft_mark(engagement)}


def _assign(request: HttpRequest, engagement: Engagement, asked: Asked) -> str:
    consultant: User = asked["consultant"]
    assignment_make(
        engagement=engagement,
        consultant=consultant,
        role=AssignmentRole(asked["role"]),
        span=Span(starts_at=asked["starts_at"], ends_at=asked["ends_at"]),
        actor=actor_of(request),
    )
    return f"{consultant.name} is on it now." + _told(engagement)


def _explain_assign(engagement: Engagement) -> list[str]:
    if engagement.status == EngagementStatus.DRAFT:
        return ["The client reads the names of everybody who works on it, and agrees to them."]
    return [
        f"{engagement.client.name} agreed to people by name: they get a mail now, and see it on their page at once.",
        "Whoever works on it can go in from then on, with the same permissions and the same end.",
    ]


def _fit_assign(form: forms.Form, engagement: Engagement) -> None:
    if isinstance(form, AssignForm):
        on_it = _parts(engagement).values("consultant_id")
        form.offer(reads.people_who_work().exclude(pk__in=on_it))


def _hand_over(request: HttpRequest, engagement: Engagement, asked: Asked) -> str:
    lead: User = asked["lead"]
    lead_hand_over(engagement=engagement, to=lead, actor=actor_of(request))
    return f"{lead.name} leads it now." + _told(engagement)


def _explain_hand_over(engagement: Engagement) -> list[str]:
    said = [f"{_lead_name(engagement)} leads it now, and works on after that."]
    if engagement.status != EngagementStatus.DRAFT:
        said.append(f"{engagement.client.name} is told whom to ask from now on.")
    return said


def _fit_hand_over(form: forms.Form, engagement: Engagement) -> None:
    if isinstance(form, LeadForm):
        leads = _parts(engagement).filter(role=AssignmentRole.LEAD)
        form.offer(reads.people_who_work().exclude(pk__in=leads.values("consultant_id")))


def _release(request: HttpRequest, engagement: Engagement, asked: Asked) -> str | HttpResponse:
    row: Assignment = asked["assignment"]
    assignment_end(assignment=row, actor=actor_of(request))
    if row.consultant_id == request.user.pk:  # whose page this may not be any more
        return HttpResponseRedirect(page_of(Engagement).list_url())
    return f"{row.consultant.name} is off it." + _told(engagement)


def _explain_release(engagement: Engagement) -> list[str]:
    said = [
        "They see nothing of it and can start no visit, from the next second on.",
        "A visit that is open now ends by itself, within the hour.",
        f"{_lead_name(engagement)} leads it: hand the lead over before taking them off.",
    ]
    if engagement.status != EngagementStatus.DRAFT:
        said.append(f"{engagement.client.name} is told, and sees it on their page at once.")
    return said


def _fit_release(form: forms.Form, engagement: Engagement) -> None:
    if isinstance(form, ReleaseForm):
        form.offer(_parts(engagement).exclude(role=AssignmentRole.LEAD).order_by("consultant__name"))


def _has_somebody_to_release(engagement: Engagement) -> bool:
    return _may_staff(engagement) and _parts(engagement).exclude(role=AssignmentRole.LEAD).exists()


def _may_staff(engagement: Engagement) -> bool:
    return engagement.status not in TERMINAL and bool(reads.noted(engagement, "may_staff"))


def _may_edit(engagement: Engagement) -> bool:
    return engagement.status == EngagementStatus.DRAFT and _may_staff(engagement)


def _parts(engagement: Engagement) -> QuerySet[Assignment]:
    rows = Assignment.objects.select_related("consultant", "engagement")
    return rows.filter(NOT_OVER, engagement=engagement)


def _lead_name(engagement: Engagement) -> str:
    try:
        return lead_of(engagement).name
    except NotVisible:
        return "Nobody"


def _told(engagement: Engagement) -> str:
    is_draft = engagement.status == EngagementStatus.DRAFT
    return "" if is_draft else f" {engagement.client.name} is told."


ACTIONS = (
    ObjectAction(
        slug="edit",
        label="Edit",
        title="Edit the draft",
        explain=_explain_edit,
        run=_edit,
        offered=_may_edit,
        form=EditForm,
        initial=_start_edit,
        button="Save",
    ),
    ObjectAction(
        slug="assign",
        label="Add person",
        title="Add a person",
        explain=_explain_assign,
        run=_assign,
        offered=_may_staff,
        form=AssignForm,
        fit=_fit_assign,
        step_up=True,
    ),
    ObjectAction(
        slug="lead",
        label="Change lead",
        title="Hand the lead over",
        explain=_explain_hand_over,
        run=_hand_over,
        offered=_may_staff,
        form=LeadForm,
        fit=_fit_hand_over,
        button="Hand it over",
        step_up=True,
    ),
    ObjectAction(
        slug="release",
        label="Take person off",
        title="Take a person off",
        explain=_explain_release,
        run=_release,
        offered=_has_somebody_to_release,
        form=ReleaseForm,
        fit=_fit_release,
        button="Take them off",
    ),
)
