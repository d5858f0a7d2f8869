"""The client's pages. Views parse and choose; selectors read, presenters word, services write."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from awsaccess.services.checks import check_soon
from awsaccess.services.leaving import deletion_confirm
from engagements.lifecycle import ChangeStatus, EngagementStatus
from engagements.models import Offer
from engagements.selectors import (
    change_open,
    engagements_of_client,
    offer_current,
    optional_keys,
    template_agreed,
)
from engagements.services.change_answers import change_decline
from engagements.services.closing import engagement_end
from engagements.services.consents import (
    BadAccount,
    Shown,
    consent_give,
    consent_refuse_record,
    engagement_decline,
)
from engagements.services.pauses import engagement_pause, engagement_resume
from portal.kernel import clock, step_up, web
from portal.kernel.errors import InvalidMove, NotVisible, Stale
from portal.pages import changing, compose, consenting, homes, keeping
from portal.pages.circumstances import evidence_of
from portal.pages.doors import (
    ANYONE,
    DECIDERS,
    actor_of,
    at_desk,
    private,
    user_of,
)
from portal.pages.forms import AgreeForm, ReasonForm
from portal.pages.frames import Desk, zone_of
from portal.pages.pagemodels import Card
from portal.pages.reads import broken_engagements

_S = EngagementStatus
ENDABLE = frozenset({_S.AGREED, _S.ACTIVE, _S.PAUSED})
RESUME = "engagements.engagement.resume"
LAST_SWAP = 286  # htmx: swap this one and stop asking


@require_safe
@web.contact_required
def home(request: HttpRequest) -> HttpResponse:
    """Every project of the client, newest first."""
    projects = homes.projects_of(
        engagements_of_client(), zone_of(user_of(request)), broken=broken_engagements()
    )
    return private(render(request, "engagements/home.html", {"projects": projects}))


@at_desk("GET", roles=ANYONE)
def front(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The page that fits where the engagement stands."""
    match EngagementStatus(desk.engagement.status):
        case _S.INVITED:
            return compose.asked(request, desk)
        case _S.AGREED:
            return compose.connect_page(request, desk)
        case _S.ACTIVE | _S.PAUSED:
            return (compose.status_page if desk.frame.sees_paper else compose.connect_page)(request, desk)
        case _S.CLOSING:
            return compose.closing_page(request, desk)
        case _S.CLOSED:
            return compose.closed_page(request, desk)
        case _S.DECLINED:
            return compose.declined_page(request, desk)
        case _S.DRAFT | _S.CANCELLED:  # pragma: no branch  # every status is named
            raise NotVisible


@at_desk("GET", "POST", roles=DECIDERS)
def agree(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The one act of agreement. A second press, and a reload, land where the first one led."""
    if request.method != "POST" or desk.engagement.status != _S.INVITED:
        return redirect("client:connect", desk.engagement.code)
    offer = offer_current(desk.engagement)
    html = consenting.paper_html(desk, offer)
    try:
        shown = _shown(request, desk, html)
        return _agree(request, desk, offer, shown)
    except Stale:
        code = desk.engagement.code
        refused = web.refusal(request, Stale(next_url=reverse("client:front", args=[code])))
        return keeping.keep(request, refused, code)
    except InvalidMove:
        if desk.engagement.ends_at <= clock.now():
            raise _over(desk) from None
        return redirect("client:connect", desk.engagement.code)


@at_desk("GET", "POST", roles=DECIDERS)
def decline(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Saying no needs no reason."""
    if desk.engagement.status != _S.INVITED:
        return _front(desk)
    form = ReasonForm(request.POST if request.method == "POST" else None, initial=keeping.kept(request))
    if not form.is_valid():
        return compose.reason_page(request, desk, "engagements/decline.html", form)
    engagement_decline(
        engagement=desk.engagement,
        contact=desk.contact,
        reason=form.cleaned_data["reason"],
        actor=actor_of(desk),
    )
    return _front(desk)


@at_desk("GET", roles=ANYONE)
def change(request: HttpRequest, desk: Desk) -> HttpResponse:
    """What is asked to be changed; once that is agreed, the step in AWS. Who only helps with AWS sees that step alone."""
    found = change_open(desk.engagement)
    if found is None:
        return _front(desk)
    if found.status == ChangeStatus.AGREED:
        return compose.change_update_page(request, desk, found)
    if not desk.frame.sees_paper:
        return _front(desk)
    html = changing.paper_html(desk, found)
    shown = Shown(html=html, sha256=consenting.digest(html), displayed_at=clock.now())
    form = AgreeForm(account_known=True, optional=optional_keys(found.offer))
    return compose.change_review_page(request, desk, found, shown, form)


@at_desk("GET", "POST", roles=DECIDERS)
def change_agree(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The one act of agreement to a change. What was agreed to before holds until AWS has the new one."""
    found = change_open(desk.engagement)
    if request.method != "POST" or found is None or found.status != ChangeStatus.ASKED:
        return _to_change(desk)
    try:
        shown = _shown(request, desk, changing.paper_html(desk, found))
    except Stale:
        address = reverse("client:change", args=[desk.engagement.code])
        return web.refusal(request, Stale(next_url=address))
    form = AgreeForm(request.POST, account_known=True, optional=optional_keys(found.offer))
    if not form.is_valid():
        return compose.change_review_page(request, desk, found, shown, form)
    html = changing.paper_html(desk, found, form.ticked)
    consent_give(
        engagement=desk.engagement,
        offer=found.offer,
        contact=desk.contact,
        account_id=desk.engagement.account_id,
        shown=replace(shown, html=html, sha256=consenting.digest(html)),
        choice=form.ticked,
        evidence=evidence_of(request, desk),
        actor=actor_of(desk),
    )
    return _to_change(desk)


@at_desk("GET", "POST", roles=DECIDERS)
def change_keep(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Keeping things as they are needs no reason."""
    found = change_open(desk.engagement)
    if found is None or found.status != ChangeStatus.ASKED:
        return _front(desk)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return compose.reason_page(request, desk, "engagements/change_decline.html", form)
    change_decline(
        engagement=desk.engagement,
        contact=desk.contact,
        reason=form.cleaned_data["reason"],
        actor=actor_of(desk),
    )
    return _front(desk)


@at_desk("GET", roles=ANYONE)
def connect(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The AWS step, with the live card."""
    if desk.engagement.status not in compose.SWITCHING_ON:
        return _front(desk)
    return compose.connect_page(request, desk)


@at_desk("GET", roles=ANYONE)
def live(request: HttpRequest, desk: Desk) -> HttpResponse:
    """What the live card asks: 204 nothing new, 200 a fragment, 286 the last one (UX §9)."""
    if not web.is_fragment(request):
        return _front(desk)
    context = compose.live_context(desk, now=clock.now(), started=_number(request.GET.get("from")))
    card: Card = context["card"]
    pace = _number(request.GET.get("pace"))
    slower = pace is not None and card.poll_seconds > pace
    if card.digest == request.GET.get("seen") and not slower:
        return HttpResponse(status=204)
    response = render(request, compose.live_template(desk), {**context, "whole": slower})
    if card.poll_seconds == 0:
        response.status_code = LAST_SWAP
    elif slower:
        response.headers["HX-Reswap"] = "outerHTML"
    return response


@at_desk("POST", roles=ANYONE)
def check(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Ask AWS now; the answer shows itself on the card."""
    check_soon(engagement=desk.engagement)
    if not web.is_fragment(request):
        return _front(desk)
    context = compose.live_context(desk, now=clock.now())
    return render(request, compose.live_template(desk), {**context, "whole": True})


@at_desk("GET", "POST", roles=DECIDERS)
def pause(request: HttpRequest, desk: Desk) -> HttpResponse:
    """No visit can start from the next second on."""
    if desk.engagement.status != _S.ACTIVE:
        return _front(desk)
    form = ReasonForm(request.POST if request.method == "POST" else None, initial=keeping.kept(request))
    if not form.is_valid():
        return compose.reason_page(request, desk, "engagements/pause.html", form)
    engagement_pause(engagement=desk.engagement, actor=actor_of(desk), reason=form.cleaned_data["reason"])
    return _front(desk)


@at_desk("GET", "POST", roles=DECIDERS)
def resume(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Same permissions, same end date."""
    if desk.engagement.status != _S.PAUSED:
        return _front(desk)
    gate, act = step_up.gate(), step_up.Act(name=RESUME, object_id=desk.engagement.pk)
    if request.method != "POST":
        return compose.resume_page(request, desk, gate.prompt(request, act))
    wrong = gate.take_proof(request, act)
    try:
        gate.spend(request, act)
    except step_up.StepUpRequired as refusal:
        asked = gate.prompt(request, act)
        # Who was just mailed a code has done nothing wrong.
        error = wrong or ("" if asked.is_mailed else refusal.user_message)
        return compose.resume_page(request, desk, replace(asked, error=error))
    engagement_resume(engagement=desk.engagement, actor=actor_of(desk))
    return _front(desk)


@at_desk("GET", "POST", roles=DECIDERS)
def end(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Ending needs no reason and no typing."""
    if desk.engagement.status not in ENDABLE:
        return _front(desk)
    if request.method != "POST":
        return compose.page(request, desk, "engagements/end.html", inside=compose.inside(desk))
    engagement_end(engagement=desk.engagement, actor=actor_of(desk))
    return _front(desk)


@at_desk("POST", roles=ANYONE)
def deleted(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """The client says that it is deleted; the portal then proves it."""
    if desk.engagement.status == _S.CLOSING:
        _confirm(desk)
    return _front(desk)


@at_desk("GET", roles=ANYONE)
def template(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """The exact template that was offered, to read or to run by hand."""
    name = f"access-{desk.engagement.code}.json"
    return HttpResponse(
        template_agreed(offer_current(desk.engagement)).text,
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@at_desk("GET")
def receipt(request: HttpRequest, desk: Desk) -> HttpResponse:
    """What was agreed, with everything that was kept as evidence."""
    return compose.receipt_page(request, desk)


@at_desk("GET")
def certificate(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The proof that everything is gone; before that, the way there."""
    return compose.closed_page(request, desk) if desk.engagement.status == _S.CLOSED else _front(desk)


def _agree(request: HttpRequest, desk: Desk, offer: Offer, shown: Shown) -> HttpResponse:
    known = desk.engagement.account_id
    form = AgreeForm(request.POST, account_known=bool(known), optional=optional_keys(offer))
    if not form.is_valid():
        return compose.consent_page(request, desk, offer, shown, form)
    try:
        consent_give(
            engagement=desk.engagement,
            offer=offer,
            contact=desk.contact,
            account_id=known or form.cleaned_data["account_id"],
            shown=consenting.with_ticks(desk, offer, shown, form.ticked),
            choice=form.ticked,
            evidence=evidence_of(request, desk),
            actor=actor_of(desk),
        )
    except BadAccount:
        if known:
            raise
        form.add_error("account_id", consenting.own_account(desk))
        return compose.consent_page(request, desk, offer, shown, form)
    return redirect("client:connect", desk.engagement.code)


def _shown(request: HttpRequest, desk: Desk, html: str) -> Shown:
    """What this person was shown. Raises Stale, told in the record: the value may have been made up."""
    try:
        return consenting.unseal(request.POST.get("shown", ""), html=html, desk=desk)
    except Stale as error:
        consent_refuse_record(engagement=desk.engagement, actor=actor_of(desk), error=error)
        raise


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


def _over(desk: Desk) -> InvalidMove:
    """The end has passed, and the sweep that takes the invitation back is not through yet."""
    first = {"first": desk.frame.lead.first_name}
    return InvalidMove(
        gettext("Nothing was saved, and nothing was created in AWS. Ask %(first)s for a new one.") % first,
        title=gettext("This invitation has ended"),
        next_url=compose.question_mail(desk),
        next_label=gettext("Write to %(first)s") % first,
    )


def _front(desk: Desk) -> HttpResponse:
    return redirect("client:front", desk.engagement.code)


def _to_change(desk: Desk) -> HttpResponse:
    return redirect("client:change", desk.engagement.code)


def _number(text: str | None) -> int | None:
    """A number that our own page may have written; None for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 12 else None
