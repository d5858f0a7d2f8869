"""The answer to what is asked: the one act of agreement, and saying no."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext

from engagements.lifecycle import EngagementStatus
from engagements.models import Offer
from engagements.selectors import account_asked, offer_current, optional_keys
from engagements.services.agreement_codes import CodeNeeded, agreement_code_mail
from engagements.services.consents import (
    BadAccount,
    Shown,
    consent_give,
    consent_refuse_record,
    engagement_decline,
)
from portal.kernel import clock, web
from portal.kernel.errors import InvalidMove, Stale
from portal.pages import compose, consenting, keeping
from portal.pages.circumstances import evidence_of
from portal.pages.doors import DECIDERS, actor_of, at_desk
from portal.pages.forms import AgreeForm, ReasonForm
from portal.pages.frames import Desk
from portal.pages.views.answers import filled, to_front

_S = EngagementStatus


@at_desk("GET", "POST", roles=DECIDERS)
def agree(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The one act of agreement. A second press, and a reload, land where the first one led."""
    if request.method != "POST" or desk.engagement.status != _S.INVITED:
        return redirect("client:connect", desk.engagement.code)
    offer = offer_current(desk.engagement)
    asking = Asking(
        offer=offer,
        html=partial(consenting.paper_html, desk, offer),
        page=partial(compose.consent_page, request, desk, offer),
        next_name="client:connect",
    )
    try:
        shown = shown_to(request, desk, asking.html(()))
        return give_answer(request, desk, asking, shown)
    except Stale as error:
        code = desk.engagement.code
        told = Stale(str(error.user_message), next_url=reverse("client:front", args=[code]))
        refused = web.refusal(request, told)
        return keeping.keep(request, refused, code)
    except InvalidMove:
        if desk.engagement.ends_at <= clock.now():
            raise _over(desk) from None
        return redirect("client:connect", desk.engagement.code)


@at_desk("GET", "POST", roles=DECIDERS)
def decline(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Saying no needs no reason."""
    if desk.engagement.status != _S.INVITED:
        return to_front(desk)
    form = filled(ReasonForm, request, desk)
    if not form.is_valid():
        return compose.reason_page(request, desk, "engagements/decline.html", form)
    engagement_decline(
        engagement=desk.engagement,
        contact=desk.contact,
        reason=form.cleaned_data["reason"],
        actor=actor_of(desk),
    )
    return to_front(desk)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One paper that is asked about: the bytes with these ticks, its page, and where a yes leads."""

    offer: Offer
    html: Callable[[Collection[str]], str]
    page: Callable[[Shown, AgreeForm], HttpResponse]
    next_name: str


def give_answer(request: HttpRequest, desk: Desk, asking: Asking, shown: Shown) -> HttpResponse:
    """The yes, if the form holds all it needs; otherwise the page again. Raises what `consent_give` raises."""
    known, now = account_asked(desk.engagement, asking.offer), clock.now()
    code_asked = compose.code_is_asked(desk, now=now)
    is_out = compose.code_is_out(desk, asking.offer, now=now)
    wants_code = code_asked and ("send_code" in request.POST or not is_out)
    form = AgreeForm(
        request.POST,
        account_known=bool(known),
        code_out=code_asked and not wants_code,
        optional=optional_keys(asking.offer),
        ticked=consenting.fixed_of(desk, asking.offer) or (),
    )
    if not form.is_valid():
        return asking.page(shown, form)
    if wants_code:
        return _mail_code(desk, asking, shown, form)
    try:
        consent_give(
            engagement=desk.engagement,
            offer=asking.offer,
            contact=desk.contact,
            account_id=known or form.cleaned_data["account_id"],
            shown=consenting.as_ticked(shown, asking.html(form.ticked)),
            choice=form.ticked,
            evidence=evidence_of(request, desk),
            actor=actor_of(desk),
            signed_in_at=desk.signed_in_at,
            code=form.cleaned_data.get("code", ""),
        )
    except CodeNeeded:
        if not form.takes_code:  # the sign-in grew old between the look at the form and the lock
            return _mail_code(desk, asking, shown, form)
        form.add_error("code", consenting.wrong_code())
        return asking.page(shown, form)
    except BadAccount:
        if known:
            raise
        form.add_error("account_id", consenting.own_account(desk))
        return asking.page(shown, form)
    return redirect(asking.next_name, desk.engagement.code)


def _mail_code(desk: Desk, asking: Asking, shown: Shown, form: AgreeForm) -> HttpResponse:
    """All is filled in but the code: it is on its way, and the page comes again with a place for it."""
    offer = asking.offer
    agreement_code_mail(engagement=desk.engagement, offer=offer, contact=desk.contact, actor=actor_of(desk))
    again = AgreeForm(
        initial=form.cleaned_data,
        account_known=bool(desk.engagement.account_id),
        code_out=True,
        optional=optional_keys(offer),
        ticked=form.ticked,
    )
    return asking.page(shown, again)


def shown_to(request: HttpRequest, desk: Desk, html: str) -> Shown:
    """What this person was shown. Raises Stale, told in the record: the value may have been made up."""
    try:
        return consenting.unseal(request.POST.get("shown", ""), html=html, desk=desk)
    except Stale as error:
        consent_refuse_record(engagement=desk.engagement, actor=actor_of(desk), error=error)
        raise


def _over(desk: Desk) -> InvalidMove:
    """The end has passed, and the sweep that takes the invitation back is not through yet."""
    first = {"first": desk.frame.lead.first_name}
    return InvalidMove(
        gettext("Nothing was saved, and nothing was created in AWS. Ask %(first)s for a new one.") % first,
        title=gettext("This invitation has ended"),
        next_url=compose.question_mail(desk),
        next_label=gettext("Write to %(first)s") % first,
    )
