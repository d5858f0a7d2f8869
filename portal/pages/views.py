"""The client's pages. Views parse and choose; selectors read, presenters word, services write."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from accounts.lifecycle import HANDS
from awsaccess.provision import ways
from awsaccess.selectors import access_of, stack_ask, template_text
from awsaccess.services.checks import check_soon
from awsaccess.services.leaving import deletion_confirm
from awsaccess.services.revoking import sessions_end_ask
from awsaccess.services.rotating import LIVE
from engagements.lifecycle import KNOWN_TO_CLIENT, ChangeStatus, DocumentKind, EngagementStatus
from engagements.models import Offer
from engagements.selectors import (
    account_asked,
    approvals_of,
    change_open,
    engagements_of_client,
    is_handed_elsewhere,
    offer_current,
    optional_keys,
    wish_open,
)
from engagements.services.agreement_codes import CodeNeeded, agreement_code_mail
from engagements.services.change_answers import change_decline, change_undo
from engagements.services.closing import engagement_end
from engagements.services.consents import (
    BadAccount,
    Shown,
    consent_give,
    consent_refuse_record,
    engagement_decline,
)
from engagements.services.doorbells import (
    doorbell_answer,
)
from engagements.services.handing import (
    step_hand_over,
)
from engagements.services.pauses import engagement_pause, engagement_resume
from engagements.services.talk import colleague_name, question_ask
from engagements.services.wishes import wish_make, wish_take_back
from portal.kernel import clock, step_up, web
from portal.kernel.errors import InvalidMove, NotVisible, Stale
from portal.pages import (
    changing,
    compose,
    consenting,
    doors_open,
    homes,
    keeping,
    papers,
)
from portal.pages.circumstances import evidence_of
from portal.pages.doors import (
    ANYONE,
    DECIDERS,
    actor_of,
    at_desk,
    contact_of,
    private,
    user_of,
)
from portal.pages.forms import (
    AgreeForm,
    ColleagueForm,
    HandOverForm,
    PasteForm,
    QuestionForm,
    ReasonForm,
)
from portal.pages.frames import Desk, zone_of
from portal.pages.pagemodels import Card
from portal.pages.reads import broken_engagements

_S = EngagementStatus
OPENED = frozenset({_S.ACTIVE, _S.PAUSED, _S.CLOSING})
ENDABLE = frozenset({_S.AGREED, _S.ACTIVE, _S.PAUSED})
RESUME = "engagements.engagement.resume"
LAST_SWAP = 286  # htmx: swap this one and stop asking


@require_safe
@web.contact_required
def home(request: HttpRequest) -> HttpResponse:
    """Every project of the client, newest first."""
    contact = contact_of(request)
    seen = [one for one in engagements_of_client() if not is_handed_elsewhere(contact, one)]
    projects = homes.projects_of(seen, zone_of(user_of(request)), broken=broken_engagements())
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
    asking = _Asking(
        offer=offer,
        html=partial(consenting.paper_html, desk, offer),
        page=partial(compose.consent_page, request, desk, offer),
        next_name="client:connect",
    )
    try:
        shown = _shown(request, desk, asking.html(()))
        return _agree(request, desk, asking, shown)
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
        return _front(desk)
    form = _reason(request, desk)
    if not form.is_valid():
        return compose.reason_page(request, desk, "engagements/decline.html", form)
    engagement_decline(
        engagement=desk.engagement,
        contact=desk.contact,
        reason=form.cleaned_data["reason"],
        actor=actor_of(desk),
    )
    return _front(desk)


@at_desk("GET", "POST")
def question(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Asking decides nothing. The talk stays on the page."""
    if desk.engagement.status not in KNOWN_TO_CLIENT:
        return _front(desk)
    form = QuestionForm(
        request.POST if request.method == "POST" else None,
        initial=keeping.kept(request, desk.engagement.code),
    )
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
        return _front(desk)
    form = ColleagueForm(
        request.POST if request.method == "POST" else None,
        initial=keeping.kept(request, desk.engagement.code),
    )
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
    form = AgreeForm(
        account_known=True,
        optional=optional_keys(found.offer),
        code_out=compose.code_is_out(desk, found.offer),
    )
    return compose.change_review_page(request, desk, found, shown, form)


@at_desk("GET", "POST", roles=DECIDERS)
def change_agree(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The one act of agreement to a change. What was agreed to before holds until AWS has the new one."""
    found = change_open(desk.engagement)
    if request.method != "POST" or found is None or found.status != ChangeStatus.ASKED:
        return _to_change(desk)
    asking = _Asking(
        offer=found.offer,
        html=partial(changing.paper_html, desk, found),
        page=partial(compose.change_review_page, request, desk, found),
        next_name="client:change",
    )
    try:
        return _agree(request, desk, asking, _shown(request, desk, asking.html(())))
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


@at_desk("GET", "POST", roles=DECIDERS)
def change_let_go(request: HttpRequest, desk: Desk) -> HttpResponse:
    """An agreed change that AWS does not have yet is taken back. What was agreed to before goes on."""
    found = change_open(desk.engagement)
    if request.method != "POST" or found is None or found.status != ChangeStatus.AGREED:
        return _to_change(desk)
    change_undo(engagement=desk.engagement, contact=desk.contact, actor=actor_of(desk))
    return _front(desk)


@at_desk("GET", roles=ANYONE)
def connect(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The AWS step, with the live card."""
    if desk.engagement.status not in compose.SWITCHING_ON:
        return _front(desk)
    return compose.connect_page(request, desk)


@at_desk("GET", "POST", roles=DECIDERS)
def hand_over(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The step in AWS goes to a colleague, who gets a mail and sees this step alone."""
    if desk.engagement.status not in compose.SWITCHING_ON:
        return _front(desk)
    form = HandOverForm(
        request.POST if request.method == "POST" else None,
        initial=keeping.kept(request, desk.engagement.code),
    )
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
        return _front(desk)
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
    return _front(desk)


@at_desk("POST", roles=DECIDERS)
def account_keep(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """Take back that another account is asked for."""
    if wish_open(desk.engagement) is not None:
        wish_take_back(engagement=desk.engagement, contact=desk.contact, actor=actor_of(desk))
    return _front(desk)


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


@at_desk("POST", roles=HANDS)
def check(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Ask AWS now; the answer shows itself on the card."""
    check_soon(engagement=desk.engagement)
    if not web.is_fragment(request):
        came_from_key = request.POST.get("back") == "key"
        return redirect("client:key", desk.engagement.code) if came_from_key else _front(desk)
    context = compose.live_context(desk, now=clock.now())
    return render(request, compose.live_template(desk), {**context, "whole": True})


@at_desk("GET", "POST", roles=DECIDERS)
def pause(request: HttpRequest, desk: Desk) -> HttpResponse:
    """No visit can start from the next second on."""
    if desk.engagement.status != _S.ACTIVE:
        return _front(desk)
    form = _reason(request, desk)
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
        error = wrong or ("" if asked.is_mailed else str(refusal.user_message))
        return compose.resume_page(request, desk, replace(asked, error=error))
    engagement_resume(engagement=desk.engagement, actor=actor_of(desk))
    return _front(desk)


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
        return _front(desk)
    if request.method != "POST":
        return compose.page(request, desk, "engagements/end.html", inside=compose.inside(desk))
    engagement_end(engagement=desk.engagement, actor=actor_of(desk))
    return _front(desk)


@at_desk("GET", roles=ANYONE)
def sessions(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Who may still be inside, until when, and how the client cuts it short in AWS."""
    if desk.engagement.status not in OPENED:
        return _front(desk)
    return compose.sessions_page(request, desk, pressed=_number(request.GET.get("pressed")))


@at_desk("POST", roles=HANDS)
def sessions_end(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Ask for the block, or for a look at AWS. Ending never asks for a fresh sign-in."""
    page = reverse("client:sessions", args=[desk.engagement.code])
    if desk.engagement.status not in OPENED:
        return _front(desk)
    if "check" in request.POST:
        check_soon(engagement=desk.engagement)
        return redirect(page)
    sessions_end_ask(engagement=desk.engagement, contact=desk.contact, actor=actor_of(desk))
    return redirect(f"{page}?pressed={int(clock.now().timestamp())}")


@at_desk("GET", roles=ANYONE)
def sessions_script(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """The block by the AWS CLI. Only what the page itself shows: nothing before it was asked for."""
    return compose.sessions_script(desk)


@at_desk("GET", roles=ANYONE)
def key(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The exchange of the access's key: what to do in AWS now."""
    return compose.key_page(request, desk) if desk.engagement.status in LIVE else _front(desk)


@at_desk("GET", roles=ANYONE)
def key_script(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """The same step by the AWS CLI."""
    return compose.key_script(desk)


@at_desk("POST", roles=HANDS)
def deleted(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """The client says that it is deleted; the portal then proves it."""
    if desk.engagement.status == _S.CLOSING:
        _confirm(desk)
    return _front(desk)


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


@at_desk("GET")
def activity_table(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """Everything that happened, for a spreadsheet."""
    return compose.activity_table(desk)


@at_desk("GET")
def visits(request: HttpRequest, desk: Desk) -> HttpResponse:
    """What was done in each visit, as AWS tells it."""
    return compose.visits_page(request, desk)


@at_desk("GET")
def receipt(request: HttpRequest, desk: Desk) -> HttpResponse:
    """What was agreed, with everything that was kept as evidence."""
    return compose.receipt_page(request, desk)


@at_desk("GET")
def consent_json(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """The same as a file for machines."""
    return compose.consent_json(desk)


@at_desk("GET")
def certificate(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The proof that everything is gone; before that, the way there."""
    return compose.closed_page(request, desk) if desk.engagement.status == _S.CLOSED else _front(desk)


def _way(desk: Desk, write: Callable[[ways.StackAsk], str], name: str, kind: str) -> HttpResponse:
    ask = stack_ask(desk.engagement)
    if ask is None:
        raise NotVisible
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return private(HttpResponse(write(ask), content_type=f"{kind}; charset=utf-8", headers=headers))


@at_desk("GET")
def receipt_pdf(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """The signed receipt, byte for byte as it was mailed."""
    return papers.download(desk.engagement, DocumentKind.RECEIPT)


@at_desk("GET")
def certificate_pdf(_request: HttpRequest, desk: Desk) -> HttpResponse:
    """The signed certificate, byte for byte as it was mailed."""
    return papers.download(desk.engagement, DocumentKind.CERTIFICATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """One paper that is asked about: the bytes with these ticks, its page, and where a yes leads."""

    offer: Offer
    html: Callable[[Collection[str]], str]
    page: Callable[[Shown, AgreeForm], HttpResponse]
    next_name: str


def _agree(request: HttpRequest, desk: Desk, asking: _Asking, shown: Shown) -> HttpResponse:
    known, code_asked = account_asked(desk.engagement, asking.offer), desk.engagement.code_at_agreement
    wants_code = code_asked and ("send_code" in request.POST or not compose.code_is_out(desk, asking.offer))
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
            code=form.cleaned_data.get("code", ""),
        )
    except CodeNeeded:
        form.add_error("code", consenting.wrong_code())
        return asking.page(shown, form)
    except BadAccount:
        if known:
            raise
        form.add_error("account_id", consenting.own_account(desk))
        return asking.page(shown, form)
    return redirect(asking.next_name, desk.engagement.code)


def _reason(request: HttpRequest, desk: Desk) -> ReasonForm:
    """Starts from what was typed before the sign-in was over."""
    typed = request.POST if request.method == "POST" else None
    return ReasonForm(typed, initial=keeping.kept(request, desk.engagement.code))


def _mail_code(desk: Desk, asking: _Asking, shown: Shown, form: AgreeForm) -> HttpResponse:
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
