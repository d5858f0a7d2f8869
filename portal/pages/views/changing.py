"""The answer to a change of what is on."""

from __future__ import annotations

from functools import partial

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from engagements.lifecycle import ChangeStatus
from engagements.selectors import approvals_of, change_open, optional_keys
from engagements.services.change_answers import change_decline, change_undo
from engagements.services.consents import Shown
from portal.kernel import clock, web
from portal.kernel.errors import InvalidMove, Stale
from portal.pages import changing, compose, consenting
from portal.pages.doors import ANYONE, DECIDERS, actor_of, at_desk
from portal.pages.forms import AgreeForm, ReasonForm
from portal.pages.frames import Desk
from portal.pages.views.agreeing import Asking, give_answer, shown_to
from portal.pages.views.answers import to_front


@at_desk("GET", roles=ANYONE)
def change(request: HttpRequest, desk: Desk) -> HttpResponse:
    """What is asked to be changed; once that is agreed, the step in AWS. Who only helps with AWS sees that step alone."""
    found = change_open(desk.engagement)
    if found is None:
        return to_front(desk)
    if found.status == ChangeStatus.AGREED:
        return compose.change_update_page(request, desk, found)
    if not desk.frame.sees_paper:
        return to_front(desk)
    html = changing.paper_html(desk, found)
    shown = Shown(html=html, sha256=consenting.digest(html), displayed_at=clock.now())
    form = AgreeForm(
        account_known=True,
        optional=optional_keys(found.offer),
        code_out=compose.code_is_out(desk, found.offer, now=shown.displayed_at),
    )
    return compose.change_review_page(request, desk, found, shown, form)


@at_desk("GET", "POST", roles=DECIDERS)
def change_agree(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The one act of agreement to a change. What was agreed to before holds until AWS has the new one."""
    found = change_open(desk.engagement)
    if request.method != "POST" or found is None or found.status != ChangeStatus.ASKED:
        return _to_change(desk)
    asking = Asking(
        offer=found.offer,
        html=partial(changing.paper_html, desk, found),
        page=partial(compose.change_review_page, request, desk, found),
        next_name="client:change",
    )
    try:
        return give_answer(request, desk, asking, shown_to(request, desk, asking.html(())))
    except Stale as error:
        address = reverse("client:change", args=[desk.engagement.code])
        return web.refusal(request, Stale(str(error.user_message), next_url=address))
    except InvalidMove:
        if approvals_of(desk.engagement, found.offer).has_agreed(desk.contact):
            return _to_change(desk)
        raise


@at_desk("GET", "POST", roles=DECIDERS)
def change_keep(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Keeping things as they are needs no reason."""
    found = change_open(desk.engagement)
    if found is None or found.status != ChangeStatus.ASKED:
        return to_front(desk)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return compose.reason_page(request, desk, "engagements/change_decline.html", form)
    change_decline(
        engagement=desk.engagement,
        contact=desk.contact,
        reason=form.cleaned_data["reason"],
        actor=actor_of(desk),
    )
    return to_front(desk)


@at_desk("GET", "POST", roles=DECIDERS)
def change_let_go(request: HttpRequest, desk: Desk) -> HttpResponse:
    """An agreed change that AWS does not have yet is taken back. What was agreed to before goes on."""
    found = change_open(desk.engagement)
    if request.method != "POST" or found is None or found.status != ChangeStatus.AGREED:
        return _to_change(desk)
    change_undo(engagement=desk.engagement, contact=desk.contact, actor=actor_of(desk))
    return to_front(desk)


def _to_change(desk: Desk) -> HttpResponse:
    return redirect("client:change", desk.engagement.code)
