"""The steps in AWS, with the live card and the other ways to take them."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from accounts.lifecycle import HANDS
from awsaccess.provision import ways
from awsaccess.selectors import access_of, stack_ask, template_text
from awsaccess.services.checks import check_soon
from awsaccess.services.rotating import LIVE
from engagements.selectors import wish_open
from engagements.services.handing import step_hand_over
from engagements.services.wishes import wish_make, wish_take_back
from portal.kernel import clock, web
from portal.kernel.errors import NotVisible
from portal.pages import compose
from portal.pages.doors import ANYONE, DECIDERS, actor_of, at_desk, private
from portal.pages.forms import HandOverForm, PasteForm
from portal.pages.frames import Desk
from portal.pages.pagemodels import Card
from portal.pages.views.answers import filled, number_in, to_front

LAST_SWAP = 286  # htmx: swap this one and stop asking


@at_desk("GET", roles=ANYONE)
def connect(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The AWS step, with the live card."""
    if desk.engagement.status not in compose.SWITCHING_ON:
        return to_front(desk)
    return compose.connect_page(request, desk)


@at_desk("GET", "POST", roles=DECIDERS)
def hand_over(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The step in AWS goes to a colleague, who gets a mail and sees this step alone."""
    if desk.engagement.status not in compose.SWITCHING_ON:
        return to_front(desk)
    form = filled(HandOverForm, request, desk)
    if not form.is_valid():
        return compose.hand_over_page(request, desk, form)
    step_hand_over(
        engagement=desk.engagement,
        contact=desk.contact,
        name=form.cleaned_data["name"],
        email=form.cleaned_data["email"],
        actor=actor_of(desk),
    )
    return redirect("client:hand_over", desk.engagement.code)


@at_desk("GET", "POST", roles=HANDS)
def trouble(request: HttpRequest, desk: Desk) -> HttpResponse:
    """What a message of AWS's means, and what to do about it. Nothing is kept of it."""
    if desk.engagement.status not in compose.SWITCHING_ON:
        return to_front(desk)
    form = PasteForm(request.POST if request.method == "POST" else None)
    return compose.trouble_page(request, desk, form)


@at_desk("POST", roles=DECIDERS)
def account_use(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Ask to use another AWS account instead. It changes nothing: the practice confirms, then it is agreed to."""
    account_id = request.POST.get("account", "")
    found = wish_open(desk.engagement)
    if found is None or found.account_id != account_id:  # a second press has done nothing more
        wish_make(
            engagement=desk.engagement, contact=desk.contact, account_id=account_id, actor=actor_of(desk)
        )
    return to_front(desk)


@at_desk("POST", roles=DECIDERS)
def account_keep(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """Take back that another account is asked for."""
    if wish_open(desk.engagement) is not None:
        wish_take_back(engagement=desk.engagement, contact=desk.contact, actor=actor_of(desk))
    return to_front(desk)


@at_desk("GET", roles=ANYONE)
def live(request: HttpRequest, desk: Desk) -> HttpResponse:
    """What the live card asks: 204 nothing new, 200 a fragment, 286 the last one (UX §9)."""
    if not web.is_fragment(request):
        return to_front(desk)
    context = compose.live_context(desk, now=clock.now(), started=number_in(request.GET.get("from")))
    card: Card = context["card"]
    pace = number_in(request.GET.get("pace"))
    slower = pace is not None and card.poll_seconds > pace
    if card.digest == request.GET.get("seen") and not slower:
        return HttpResponse(status=204)
    response = render(request, compose.live_template(desk), {**context, "whole": slower})
    if card.poll_seconds == 0:
        response.status_code = LAST_SWAP
    elif slower:
        response.headers["HX-Reswap"] = "outerHTML"
    return response


@at_desk("POST", roles=HANDS)
def check(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Ask AWS now; the answer shows itself on the card."""
    check_soon(engagement=desk.engagement)
    if not web.is_fragment(request):
        came_from_key = request.POST.get("back") == "key"
        return redirect("client:key", desk.engagement.code) if came_from_key else to_front(desk)
    context = compose.live_context(desk, now=clock.now())
    return render(request, compose.live_template(desk), {**context, "whole": True})


@at_desk("GET", roles=ANYONE)
def key(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The exchange of the access's key: what to do in AWS now."""
    return compose.key_page(request, desk) if desk.engagement.status in LIVE else to_front(desk)


@at_desk("GET", roles=ANYONE)
def key_script(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """The same step by the AWS CLI."""
    return compose.key_script(desk)


@at_desk("GET", roles=ANYONE)
def template(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """The exact template that was offered, to read or to run by hand."""
    name, access = f"access-{desk.engagement.code}.json", access_of(desk.engagement)
    return HttpResponse(
        template_text(compose.offer_in(access), access=access),
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@at_desk("GET", roles=ANYONE)
def connect_script(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """The stack by the AWS CLI."""
    return _way(desk, ways.connect_script, "connect.sh", "text/x-shellscript")


@at_desk("GET", roles=ANYONE)
def delete_script(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """The stack's end by the AWS CLI."""
    return _way(desk, ways.delete_script, "remove.sh", "text/x-shellscript")


@at_desk("GET", roles=ANYONE)
def terraform(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """The stack by Terraform."""
    return _way(desk, ways.terraform, "main.tf.json", "application/json")


def _way(desk: Desk, write: Callable[[ways.StackAsk], str], name: str, kind: str) -> HttpResponse:
    ask = stack_ask(desk.engagement)
    if ask is None:
        raise NotVisible
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return private(HttpResponse(write(ask), content_type=f"{kind}; charset=utf-8", headers=headers))
