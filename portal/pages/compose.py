"""Each page put together: rows read once, worded by the presenters, handed to one template."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import quote

from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from awsaccess.provision import ways
from awsaccess.selectors import (
    Access,
    CardState,
    access_agreed,
    access_of,
    exit_proof,
    live_card,
    permissions_needed,
    quick_create_url,
    stack_name,
    stack_url,
    template_address,
    visits_in_short,
    visits_of,
)
from engagements.lifecycle import EngagementStatus
from engagements.models import Consent, Offer, ScopeChange
from engagements.selectors import (
    consent_checkpoint,
    consent_in_short,
    consent_latest,
    offer_current,
    optional_keys,
    remarks_of,
)
from engagements.services.agreement_codes import agreement_code_is_asked, agreement_code_is_out
from engagements.services.consents import Shown
from engagements.services.evidence import record_now
from portal.kernel import clock, spreadsheets
from portal.kernel.errors import NotVisible
from portal.kernel.step_up import Prompt
from portal.pages import (
    activity,
    changing,
    closings,
    connecting,
    consenting,
    deeds,
    doors_open,
    hands,
    keeping,
    keys,
    problems,
    receipts,
    sessions,
    troubles,
    words,
)
from portal.pages.circumstances import authority_of
from portal.pages.forms import AgreeForm, QuestionForm
from portal.pages.frames import Desk
from portal.pages.pagemodels import Facts
from portal.pages.talk import talk_of

_S = EngagementStatus
CLOSING = frozenset({_S.CLOSING, _S.CLOSED})
SWITCHING_ON = frozenset({_S.AGREED, _S.ACTIVE})
Context = dict[str, Any]  # Any: whatever a template formats


def page(
    request: HttpRequest, desk: Desk, template: str, *, status: int = 200, **context: object
) -> HttpResponse:
    """A whole page in the client's frame."""
    frame = {
        "frame": desk.frame,
        "practice": desk.engagement.practice,
        "client": desk.engagement.client,
        "person": desk.user,
    }
    return render(request, template, {**frame, **context}, status=status)


def asked(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The consent page, for those who may read it."""
    if not desk.frame.sees_paper:
        return page(request, desk, "engagements/not_yet.html", question_mail=question_mail(desk))
    offer = offer_current(desk.engagement)
    html = consenting.paper_html(desk, offer)
    shown = Shown(html=html, sha256=consenting.digest(html), displayed_at=clock.now())
    form = AgreeForm(
        account_known=bool(desk.engagement.account_id),
        optional=optional_keys(offer),
        code_out=code_is_out(desk, offer, now=shown.displayed_at),
        initial=keeping.kept(request, desk.engagement.code),
    )
    return consent_page(request, desk, offer, shown, form)


def consent_page(
    request: HttpRequest, desk: Desk, offer: Offer, shown: Shown, form: AgreeForm
) -> HttpResponse:
    """The paper with the decision below it; ticks and text stay through errors."""
    return page(
        request,
        desk,
        "engagements/consent.html",
        status=422 if form.errors else 200,
        paper=consenting.paper_of(desk, offer),
        document=as_shown(consenting.paper_html(desk, offer, form.ticked) if form.ticked else shown.html),
        shown=consenting.seal(desk, shown),
        form=form,
        purpose=desk.engagement.purpose.rstrip("."),
        authority=authority_of(desk),
        approvals=consenting.approval_of(desk),
        talk=talk_of(desk),
        question_mail=question_mail(desk),
    )


def change_review_page(
    request: HttpRequest, desk: Desk, change: ScopeChange, shown: Shown, form: AgreeForm
) -> HttpResponse:
    """The difference with the decision below it; ticks stay through errors."""
    html = changing.paper_html(desk, change, form.ticked) if form.ticked else shown.html
    return page(
        request,
        desk,
        "engagements/change.html",
        status=422 if form.errors else 200,
        in_short=changing.in_short(changing.paper_of(desk, change)),
        moves=bool(change.offer.other_account),
        document=as_shown(html),
        shown=consenting.seal(desk, shown),
        form=form,
        authority=authority_of(desk),
        approvals=consenting.approval_of(desk, change.offer),
        question_mail=question_mail(desk),
    )


def change_update_page(request: HttpRequest, desk: Desk, change: ScopeChange) -> HttpResponse:
    """The step in AWS, with the pinned template of what was agreed."""
    command = changing.update_command(desk, change)
    return page(
        request,
        desk,
        "awsaccess/change.html",
        command=command,
        address=template_address(change.offer) if command else "",
        stack_name=stack_name(desk.engagement),
        stack_url=stack_url(desk.engagement),
        account_number=words.account_number(desk.engagement.account_id),
    )


def code_is_asked(desk: Desk, *, now: dt.datetime) -> bool:
    """True where this reader's yes needs a mailed code."""
    return agreement_code_is_asked(engagement=desk.engagement, signed_in_at=desk.signed_in_at, now=now)


def code_is_out(desk: Desk, offer: Offer, *, now: dt.datetime) -> bool:
    """True while this reader could type a code that was mailed to them for this offer."""
    return code_is_asked(desk, now=now) and agreement_code_is_out(offer=offer, contact=desk.contact)


def connect_page(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The AWS step with its live card."""
    now, access = clock.now(), access_of(desk.engagement)
    return page(
        request,
        desk,
        "awsaccess/connect.html",
        **switching_context(desk, access, now=now, started=int(now.timestamp())),
        account_number=words.account_number(desk.engagement.account_id),
        stack_name=stack_name(desk.engagement),
        question_mail=question_mail(desk),
        hands=hands.hands_of(desk, access),
        permissions=permissions_needed(desk.engagement, access=access),
        **_ways(desk),
    )


def hand_over_page(request: HttpRequest, desk: Desk, form: Form) -> HttpResponse:
    """Who does the step in AWS, and whom it was sent to before."""
    return page(
        request,
        desk,
        "engagements/hand_over.html",
        status=422 if form.errors else 200,
        form=form,
        sent=hands.sent_of(desk),
        account_number=words.account_number(desk.engagement.account_id),
    )


def trouble_page(request: HttpRequest, desk: Desk, form: Form) -> HttpResponse:
    """The question, or what the pasted text means."""
    told = troubles.trouble_of(form.cleaned_data["said"], desk) if form.is_valid() else None
    engagement, access = desk.engagement, access_of(desk.engagement)
    return page(
        request,
        desk,
        "engagements/trouble.html",
        status=422 if form.errors else 200,
        form=form,
        told=told,
        stack_url=stack_url(engagement, access=access),
        open_url=quick_create_url(engagement, access=access)
        or reverse("client:front", args=[engagement.code]),
        permissions=permissions_needed(engagement, access=access),
        question_mail=question_mail(desk),
    )


def _ways(desk: Desk) -> Context:
    """The address that stands within a sentence."""
    return {"delete_script_url": reverse("client:delete_script", args=[desk.engagement.code])}


def live_context(desk: Desk, *, now: dt.datetime, started: int | None = None) -> Context:
    """What the live card shows now. `started` is when its page came, in Unix seconds; None: just now."""
    started = int(now.timestamp()) if started is None else started
    if desk.engagement.status in CLOSING:
        proof, address = exit_proof(desk.engagement), stack_url(desk.engagement)
        context = closings.closing_of(proof, started=started, now=now, zone=desk.zone)
        return {
            "frame": desk.frame,
            "card": context.card,
            "tasks": context.tasks,
            "stack_url": address,
            "has_ways": bool(desk.engagement.account_id),
        }
    return switching_context(desk, access_of(desk.engagement), now=now, started=started)


def switching_context(desk: Desk, access: Access, *, now: dt.datetime, started: int) -> Context:
    """The same for an access that is or was to be switched on. Raises NotVisible before anything was offered."""
    engagement, offer = desk.engagement, offer_in(access)
    found = live_card(engagement, now=now, access=access)
    opening = engagement.status in SWITCHING_ON
    has_way = opening and found.has_template
    return {
        "region": offer.documents["region"],
        "stack_url": stack_url(engagement, access=access),
        "frame": desk.frame,
        "card": connecting.card_of(found, desk, facts_of(desk, offer), started=started, now=now),
        "open_url": quick_create_url(engagement, access=access) if has_way else None,
        "has_ways": bool(found.has_template and engagement.account_id),
        "is_opening": opening,
    }


def offer_in(access: Access) -> Offer:
    """The offer that holds. Raises NotVisible before anything was offered."""
    if access.offer is None:
        raise NotVisible
    return access.offer


def live_template(desk: Desk) -> str:
    """The fragment that belongs to the page on which the card stands."""
    closing = desk.engagement.status in CLOSING
    return "awsaccess/_closing_fragment.html" if closing else "awsaccess/_live_fragment.html"


def status_page(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Access is on, paused, or has a problem; what happened; what they have."""
    engagement, now = desk.engagement, clock.now()
    consent = consent_in_short(engagement)
    offer = consent.offer if consent else offer_current(engagement)
    access = access_agreed(engagement, offer)
    found, facts = live_card(engagement, now=now, access=access), facts_of(desk, offer)
    visits = visits_in_short(engagement)
    paused = engagement.status == _S.PAUSED
    problem = problems.problem_of(found, desk)
    return page(
        request,
        desk,
        "engagements/status.html",
        banner=activity.paused_banner(engagement) if paused else activity.on_banner(found, facts, problem),
        paused=paused,
        problem=problem,
        stack_url=stack_url(engagement, access=access) if problem else "",
        facts=facts,
        days=activity.days_of(
            desk,
            visits=visits,
            consent=consent,
            live=found,
            facts=facts,
            now=now,
            remarks=remarks_of(engagement),
        ),
        change=vars(engagement).get("change_status"),
        is_rotating=found.is_rotating,
        is_new=not visits and not paused and found.state is CardState.ON,
        reference=activity.reference_of(desk.engagement, consent) if consent else "",
        last_visit=activity.last_visit(visits, desk.zone, now=now),
        days_left=words.days_left(engagement.ends_at, desk.zone, now=now),
        inside=activity.open_visits(visits, desk.zone, now=now) if paused else (),
        may_be_inside=sessions.may_be_inside(visits, now=now),
        rings=doors_open.waiting(desk),
    )


def visits_page(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Each visit with its report, or why there is none."""
    found = visits_of(desk.engagement, limit=activity.VISITS_SHOWN)
    return page(
        request, desk, "engagements/visits.html", visits=[deeds.deeds_of(one, desk.zone) for one in found]
    )


def activity_table(desk: Desk) -> HttpResponse:
    """All that the timeline ever showed. Raises NotVisible before anything was offered."""
    engagement, now = desk.engagement, clock.now()
    consent = consent_latest(engagement)
    rows = activity.table_of(
        desk,
        visits=visits_of(engagement, limit=activity.VISITS_IN_TABLE),
        consent=consent,
        live=live_card(engagement, now=now),
        facts=facts_of(desk, consent.offer if consent else offer_current(engagement)),
        now=now,
        remarks=remarks_of(engagement),
    )
    name = f"activity-{engagement.code}.csv"
    return spreadsheets.csv_response(name, activity.table_header(desk), rows)


def closing_page(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The task list of closing, which ticks itself off."""
    now = clock.now()
    visits = visits_of(desk.engagement, limit=activity.VISITS_SHOWN)
    return page(
        request,
        desk,
        "awsaccess/closing.html",
        **live_context(desk, now=now),
        account_number=words.account_number(desk.engagement.account_id),
        inside=activity.open_visits(visits, desk.zone, now=now),
        reason=closings.reason_of(desk.engagement),
        **_ways(desk),
    )


def sessions_page(request: HttpRequest, desk: Desk, *, pressed: int | None) -> HttpResponse:
    """Ending visits that are open. `pressed` is when the reader asked for it, in Unix seconds."""
    pressed_at = None if pressed is None else dt.datetime.fromtimestamp(pressed, dt.UTC)
    ending = sessions.ending_of(desk, now=clock.now(), pressed_at=pressed_at)
    return page(
        request,
        desk,
        "engagements/sessions.html",
        ending=ending,
        pressed=pressed,
        account_number=words.account_number(desk.engagement.account_id),
        stack_url=stack_url(desk.engagement),
    )


def sessions_script(desk: Desk) -> HttpResponse:
    """The block as a script. Raises NotVisible where there is none to be put in."""
    ending = sessions.ending_of(desk, now=clock.now())
    if ending.update is None:
        raise NotVisible
    is_last = ending.stage is sessions.Stage.TAKE_AWAY
    write, name = (
        (ways.connect_script, "connect.sh") if is_last else (ways.end_sessions_script, "end-visits.sh")
    )
    return script_file(write(ending.update.ask), name)


def key_page(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The exchange of the access's key."""
    return page(
        request,
        desk,
        "engagements/key.html",
        key=keys.key_step(desk),
        account_number=words.account_number(desk.engagement.account_id),
        stack_url=stack_url(desk.engagement),
    )


def key_script(desk: Desk) -> HttpResponse:
    """The step as a script. Raises NotVisible where there is none."""
    update = keys.key_step(desk).update
    if update is None:
        raise NotVisible
    return script_file(ways.connect_script(update.ask), "key.sh")


def script_file(text: str, name: str) -> HttpResponse:
    """A shell script to keep."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type="text/x-shellscript; charset=utf-8", headers=headers)


def declined_page(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Who said no. Colleagues read the name, because they said nothing."""
    who = desk.engagement.moved_by
    heading = gettext("You said no")
    if who is not None and who.pk != desk.user.pk:
        heading = gettext("%(name)s said no") % {"name": who.name}
    return page(request, desk, "engagements/declined.html", heading=heading)


def closed_page(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The certificate in words; to those who only help with AWS, that it is over."""
    if not desk.frame.sees_paper:
        return page(request, desk, "engagements/over.html")
    consent = consent_of(desk)
    return page(
        request,
        desk,
        "engagements/closed.html",
        certificate=closings.certificate_of(
            desk,
            facts=facts_of(desk, consent.offer),
            consent=consent,
            proof=exit_proof(desk.engagement),
            visits=visits_of(desk.engagement, limit=closings.VISITS_COUNTED),
        ),
    )


def receipt_page(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The consent as it was given, and the paper as it was shown."""
    consent = consent_of(desk)
    return page(
        request,
        desk,
        "engagements/receipt.html",
        receipt=receipts.receipt_of(desk, consent, consent_checkpoint(consent)),
        shown_language=consent.evidence.get("language", ""),
        document=as_shown(consent.shown_html),
    )


def consent_json(desk: Desk) -> HttpResponse:
    """The consent as a record that machines read, as a file. The same rows give the same bytes."""
    name = f"consent-{desk.engagement.code}.json"
    return HttpResponse(
        record_now(consent_of(desk)),
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def question_page(request: HttpRequest, desk: Desk, form: QuestionForm) -> HttpResponse:
    """What was said so far, and the next question."""
    return page(
        request,
        desk,
        "engagements/question.html",
        status=422 if form.errors else 200,
        form=form,
        talk=talk_of(desk),
        is_open=desk.engagement.status == _S.INVITED,
    )


def reason_page(request: HttpRequest, desk: Desk, template: str, form: Form) -> HttpResponse:
    """A question with an optional reason: say no, pause."""
    return page(request, desk, template, status=422 if form.errors else 200, form=form, inside=inside(desk))


def resume_page(request: HttpRequest, desk: Desk, asked: Prompt) -> HttpResponse:
    """Who paused and why; what stays the same; and what proves who asks."""
    return page(
        request,
        desk,
        "engagements/resume.html",
        status=403 if asked.error else 200,
        step_up=asked,
        facts=facts_of(desk, offer_current(desk.engagement)),
        banner=activity.paused_banner(desk.engagement),
    )


def inside(desk: Desk) -> tuple[str, ...]:
    """Visits that AWS has not ended yet."""
    visits = visits_of(desk.engagement, limit=activity.VISITS_SHOWN)
    return activity.open_visits(visits, desk.zone, now=clock.now())


def facts_of(desk: Desk, offer: Offer) -> Facts:
    """The short answers of an offer, for this reader."""
    return consenting.facts_of(desk.engagement, desk.people, offer, desk.zone)


def consent_of(desk: Desk) -> Consent:
    """The reader's own consent where they gave one, else the newest. Raises NotVisible before there is one."""
    if (found := consent_latest(desk.engagement, first=desk.contact)) is None:
        raise NotVisible
    return found


def question_mail(desk: Desk) -> str:
    """A question to the lead, in the person's own mail program."""
    subject = gettext("Question about “%(title)s”") % {"title": desk.frame.title}
    address = quote(desk.frame.lead.email, safe="@")  # a ? in it would begin further fields, such as bcc
    return f"mailto:{address}?subject={quote(subject, safe='')}"


def as_shown(html: str) -> SafeString:
    """Our own paper, rendered by our own template with escaping on: no other HTML comes in here."""
    return mark_safe(html)  # noqa: S308
