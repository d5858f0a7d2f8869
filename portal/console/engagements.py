"""Engagements: the list, the read-first page, and everything that can be done to one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import Case, IntegerField, QuerySet, When
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from accounts.lifecycle import ContactRole, MemberRole
from accounts.models import Contact, User
from accounts.services.invitations import invitation_make
from awsaccess.lifecycle import VisitKind
from awsaccess.services.sending import INVITATION_LETTER, NotReady, engagement_send
from engagements.lifecycle import KNOWN_TO_CLIENT, DocumentKind, EngagementStatus
from engagements.models import Engagement
from engagements.selectors import consents_of, lead_of, remarks_of
from engagements.services.closing import engagement_end
from engagements.services.drafts import engagement_draft
from engagements.services.evidence import record_now
from engagements.services.moves import engagement_cancel
from engagements.services.pauses import engagement_pause, engagement_resume
from engagements.services.talk import question_answer
from portal.console import (
    changing,
    elsewhere,
    engagement_page,
    filters,
    marks,
    opening,
    papers,
    preview,
    reads,
    staffing,
    words,
)
from portal.console.forms import AnswerForm, ReasonForm
from portal.console.people_forms import InviteForm
from portal.console.terms_forms import DraftForm
from portal.console.visit_forms import EmergencyForm, EntryForm, RingForm, VisitForm
from portal.kernel.admin import (
    WRITERS,
    Cell,
    ObjectAction,
    Panel,
    ScopedModelAdmin,
    page_of,
    role_of,
)
from portal.kernel.web import actor_of
from portal.pages.papers import download

_S = EngagementStatus
ENDABLE = frozenset({_S.AGREED, _S.ACTIVE, _S.PAUSED})
HOW_TO_AGREE = ("approvals_needed", "code_at_agreement", "doorbell", "break_glass")
Asked = Mapping[str, Any]  # Any: a form's cleaned data


def _may_open(engagement: Engagement) -> bool:
    return _is_on(engagement) and (not engagement.doorbell or reads.noted(engagement, "is_let_in"))


def _may_ring(engagement: Engagement) -> bool:
    waits = reads.noted(engagement, "is_let_in") or reads.noted(engagement, "is_ringing")
    return engagement.doorbell and not waits and _is_on(engagement)


def _may_force(engagement: Engagement) -> bool:
    is_agreed = engagement.doorbell and engagement.break_glass
    return is_agreed and not reads.noted(engagement, "is_let_in") and _is_on(engagement)


def _is_on(engagement: Engagement) -> bool:
    return (
        engagement.status == _S.ACTIVE
        and reads.noted(engagement, "may_enter")
        and not reads.noted(engagement, "has_problem")
    )


def _open(request: HttpRequest, engagement: Engagement, asked: Asked) -> HttpResponse:
    signin = opening.enter(request, engagement, asked)
    return opening.ready_page(page_of(Engagement), request, engagement, asked, signin)


def _open_unasked(request: HttpRequest, engagement: Engagement, asked: Asked) -> HttpResponse:
    if asked["kind"] == VisitKind.CLI:
        keys = opening.enter_unasked_by_keys(request, engagement, asked)
        return opening.keys_page(page_of(Engagement), request, engagement, asked, keys)
    signin = opening.enter_unasked(request, engagement, asked)
    return opening.ready_page(page_of(Engagement), request, engagement, asked, signin)


def _keys(request: HttpRequest, engagement: Engagement, asked: Asked) -> HttpResponse:
    keys = opening.enter_by_keys(request, engagement, asked)
    return opening.keys_page(page_of(Engagement), request, engagement, asked, keys)


def _send(request: HttpRequest, engagement: Engagement, _asked: Asked) -> str:
    engagement_send(engagement=engagement, actor=actor_of(request))
    return f"Sent. The people at {engagement.client.name} who may agree get a mail now."


def _explain_send(engagement: Engagement) -> list[str]:
    names = [contact.user.name for contact in _approvers(engagement)]
    ends = words.moment(engagement.ends_at)
    return [
        f"{_listed(names)} at {engagement.client.name} will get an invitation by mail.",
        f"They are asked for access until {ends}. What they read can’t be changed afterwards.",
        "Nothing exists in AWS until they agree and switch it on.",
    ]


def _cancel(request: HttpRequest, engagement: Engagement, _asked: Asked) -> str:
    engagement_cancel(engagement=engagement, actor=actor_of(request))
    return "Withdrawn. The client can’t agree to it any more."


def _explain_cancel(engagement: Engagement) -> list[str]:
    if engagement.status == _S.DRAFT:
        return ["The draft is put away. The client never saw it."]
    return [
        "The client can’t agree any more, and the link in their mail leads to nothing.",
        "This can’t be undone.",
    ]


def _pause(request: HttpRequest, engagement: Engagement, asked: Asked) -> str:
    engagement_pause(engagement=engagement, actor=actor_of(request), reason=asked["reason"])
    return "Paused. Nobody can start a visit until it is resumed."


def _explain_pause(_engagement: Engagement) -> list[str]:
    return [
        "No new visit can start from the next second on. The client is told.",
        "A visit that is open now ends by itself, within the hour.",
    ]


def _resume(request: HttpRequest, engagement: Engagement, _asked: Asked) -> str:
    engagement_resume(engagement=engagement, actor=actor_of(request))
    return "Access is on again."


def _explain_resume(engagement: Engagement) -> list[str]:
    return [
        f"Visits can start again: same permissions, same end on {words.day(engagement.ends_at)}.",
        "The client is told.",
    ]


def _end(request: HttpRequest, engagement: Engagement, asked: Asked) -> str:
    engagement_end(engagement=engagement, actor=actor_of(request), reason=asked["reason"])
    return "Ended. The client is asked to delete the role, and the portal proves that it is gone."


def _explain_end(engagement: Engagement) -> list[str]:
    return [
        f"Nobody gets into the account of {engagement.client.name} from the next second on.",
        "The client is asked to delete the role in AWS. Then the portal proves that it is gone.",
        "This can’t be undone. To work there again, you ask again.",
    ]


def _invite(request: HttpRequest, engagement: Engagement, asked: Asked) -> str:
    contact: Contact = asked["contact"]
    invitation_make(
        contact=contact,
        landing_path=engagement_page.landing_path(engagement),
        invited_by=lead_of(engagement),
        letter_kind=INVITATION_LETTER,
        actor=actor_of(request),
    )
    return f"{contact.user.name} gets a new link by mail."


def _explain_invite(_engagement: Engagement) -> list[str]:
    return ["Sends a new link that works once, for seven days. What was asked stays the same."]


def _fit_invite(form: forms.Form, engagement: Engagement) -> None:
    if isinstance(form, InviteForm):
        form.offer(_approvers(engagement))


def _answer(request: HttpRequest, engagement: Engagement, asked: Asked) -> str:
    user = cast("User", request.user)
    question_answer(engagement=engagement, author=user, text=asked["answer"], actor=actor_of(request))
    return "Sent. Whoever asked gets it by mail, and it stands on the client’s page."


def _explain_answer(engagement: Engagement) -> list[str]:
    newest = remarks_of(engagement)[-1]
    return [f"{newest.author.name}: “{newest.text}”", "An answer changes nothing about what was asked for."]


def _approvers(engagement: Engagement) -> QuerySet[Contact]:
    rows = Contact.objects.select_related("user").filter(client_id=engagement.client_id, ended_at=None)
    return rows.filter(role=ContactRole.APPROVER).order_by("user__name")


def _listed(names: list[str]) -> str:
    if len(names) < 2:
        return names[0] if names else "Nobody yet"
    return f"{', '.join(names[:-1])} and {names[-1]}"


ACTIONS = (
    ObjectAction(
        slug="open",
        label="Open AWS",
        title="Open AWS",
        explain=opening.explain,
        run=_open,
        offered=_may_open,
        form=VisitForm,
        initial=opening.start,
        is_main=True,
        step_up=True,
    ),
    ObjectAction(
        slug="keys",
        label="Command line",
        title="Keys for the command line",
        explain=opening.explain_keys,
        run=_keys,
        offered=_may_open,
        form=EntryForm,
        initial=opening.start,
        button="Show the keys",
        step_up=True,
    ),
    ObjectAction(
        slug="ring",
        label="Ring the doorbell",
        title="Ask to be let in",
        explain=opening.explain_ring,
        run=opening.ring,
        offered=_may_ring,
        form=RingForm,
        initial=lambda request, engagement: {"reason": reads.last_reason(request, engagement)},
        button="Ring",
        is_main=True,
    ),
    ObjectAction(
        slug="emergency",
        label="Emergency",
        title="Go in without being let in",
        explain=opening.explain_emergency,
        run=_open_unasked,
        offered=_may_force,
        form=EmergencyForm,
        initial=opening.start,
        button="Go in now",
        is_grave=True,
        step_up=True,
    ),
    ObjectAction(
        slug="send",
        label="Send to the client",
        title="Send to the client",
        explain=_explain_send,
        run=_send,
        offered=lambda engagement: engagement.status == _S.DRAFT,
        button="Send it now",
        is_main=True,
    ),
    ObjectAction(
        slug="resume",
        label="Resume",
        title="Resume access",
        explain=_explain_resume,
        run=_resume,
        offered=lambda one: one.status == _S.PAUSED and not reads.noted(one, "moved_by_client"),
        button="Resume access",
        is_main=True,
        step_up=True,
    ),
    ObjectAction(
        slug="invite",
        label="Send the invitation again",
        title="Send the invitation again",
        explain=_explain_invite,
        run=_invite,
        offered=lambda engagement: engagement.status in {_S.INVITED, _S.AGREED},
        form=InviteForm,
        fit=_fit_invite,
        button="Send the mail",
    ),
    ObjectAction(
        slug="answer",
        label="Answer",
        title="Answer the client",
        explain=_explain_answer,
        run=_answer,
        offered=lambda one: one.status in KNOWN_TO_CLIENT and one.remarks.exists(),
        form=AnswerForm,
        button="Send the answer",
    ),
    *staffing.ACTIONS,
    *changing.ACTIONS,
    *elsewhere.ACTIONS,
    ObjectAction(
        slug="pause",
        label="Pause",
        title="Pause access",
        explain=_explain_pause,
        run=_pause,
        offered=lambda engagement: engagement.status == _S.ACTIVE,
        form=ReasonForm,
        button="Pause access",
    ),
    ObjectAction(
        slug="cancel",
        label="Withdraw",
        title="Withdraw the request",
        explain=_explain_cancel,
        run=_cancel,
        offered=lambda engagement: engagement.status in {_S.DRAFT, _S.INVITED},
        is_grave=True,
    ),
    ObjectAction(
        slug="end",
        label="Close",
        title="End the access",
        explain=_explain_end,
        run=_end,
        offered=lambda engagement: engagement.status in ENDABLE,
        form=ReasonForm,
        button="End the access",
        is_grave=True,
    ),
    papers.EVIDENCE,
)


@admin.register(Engagement)
class EngagementAdmin(ScopedModelAdmin[Engagement]):
    """What is asked of clients, and how it stands."""

    heading = "Engagements"
    url_field = "code"
    add_heading = "New engagement"
    add_words = (
        "This makes a draft. The client sees nothing until you send it, and you can look at their page first."
    )
    add_form = DraftForm
    adders = WRITERS
    list_display = ("client_name", "work", "standing", "last_visit", "ends", "aws")
    list_display_links = ("client_name", "work")
    list_filter = (filters.MineFilter, filters.StandingFilter, filters.EndsFilter, filters.StuckFilter)
    search_fields = ("client__name", "title", "code", "contract_reference", "account_id")
    object_actions = ACTIONS

    def get_queryset(self, request: HttpRequest) -> QuerySet[Engagement]:
        """With all that the list and the page say of each, in one query."""
        return reads.with_standing(request, reads.engagements_seen(request, super().get_queryset(request)))

    def get_ordering(self, request: HttpRequest) -> tuple[Any, ...]:  # noqa: ARG002  # Any: Django takes expressions
        """What runs first, by its end."""
        is_over = Case(When(status__in=filters.OVER, then=1), default=0, output_field=IntegerField())
        return (is_over, "ends_at")

    def get_urls(self) -> list[URLPattern]:
        """Beside the usual ones, the client's page to look at, and the records of what was agreed."""
        look = self._guarded(require_safe(self.preview_view))
        record = self._guarded(require_safe(self.consents_view))
        files = [self._paper_url(kind) for kind in DocumentKind]
        return [
            path("<str:object_id>/preview/", look, name=self.url_name("preview")),
            path("<str:object_id>/consents.json", record, name=self.url_name("consents")),
            *files,
            *super().get_urls(),
        ]

    def _paper_url(self, kind: DocumentKind) -> URLPattern:
        """The newest signed paper of a kind as a file."""

        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            return download(self.find(request, object_id), kind)

        guarded = self._guarded(require_safe(view))
        return path(f"<str:object_id>/{kind.value}.pdf", guarded, name=self.url_name(f"{kind.value}_pdf"))

    @admin.display(description="Client", ordering="client__name")
    def client_name(self, engagement: Engagement) -> str:
        """Whom it is asked of."""
        return engagement.client.name

    @admin.display(description="Title", ordering="title")
    def work(self, engagement: Engagement) -> str:
        """What it is about."""
        return engagement.title

    @admin.display(description="Status", ordering="status")
    def standing(self, engagement: Engagement) -> SafeString:
        """The word for people."""
        return marks.tag(engagement_page.standing_of(engagement))

    @admin.display(description="Last visit", ordering="last_visit_at")
    def last_visit(self, engagement: Engagement) -> str:
        """When somebody last went in, or tried."""
        return words.lately(reads.noted(engagement, "last_visit_at"), reads.noted(engagement, "read_at"))

    @admin.display(description="Ends", ordering="ends_at")
    def ends(self, engagement: Engagement) -> SafeString:
        """When it ends by itself; in red when that is soon."""
        now = reads.noted(engagement, "read_at")
        return marks.until(engagement.ends_at, now=now, is_running=engagement.status in filters.RUNNING)

    @admin.display(description="AWS")
    def aws(self, engagement: Engagement) -> SafeString | str:
        """The way in, where there is one."""
        if not _may_open(engagement):
            return "–"
        return marks.row_button(
            self.action_url(engagement, "open"), "Open AWS", f"for {engagement.client.name}"
        )

    def make_add_form(self, request: HttpRequest) -> forms.Form:
        """With the people who may lead: an owner chooses, a consultant leads what they ask for."""
        user = cast("User", request.user)
        leads = User.objects.filter(pk=user.pk)
        if role_of(request) == MemberRole.OWNER:
            leads = reads.people_who_work()
        data = request.POST if request.method == "POST" else None
        return DraftForm(data, leads=leads, me=user, initial={"client": request.GET.get("client")})

    def add(self, request: HttpRequest, asked: Asked) -> Engagement:
        """Write the draft."""
        names = ("client", "lead", "title", "purpose", "profile", "ends_at")
        more = ("account_id", "account_name", "contract_reference", "optional", *HOW_TO_AGREE)
        return engagement_draft(**{name: asked[name] for name in names + more}, actor=actor_of(request))

    def page_title(self, obj: Engagement) -> str:
        """Client and title, as people speak of it."""
        return f"{obj.client.name}: {obj.title}"

    def page_tag(self, obj: Engagement) -> Cell | None:
        """The word for people beside the title."""
        return engagement_page.standing_of(obj)

    def buttons(
        self, request: HttpRequest, obj: Engagement
    ) -> list[dict[str, Any]]:  # Any: what the template formats
        """The actions, and the client's page."""
        address = reverse(f"admin:{self.url_name('preview')}", args=[obj.code])
        label = "Preview" if obj.status == _S.DRAFT else "The client’s page"
        look = {"label": label, "url": address, "is_main": False, "is_grave": False}
        found = super().buttons(request, obj)
        at = 1 if found and found[0]["is_main"] else 0
        return [*found[:at], look, *found[at:]]

    def panels(self, request: HttpRequest, obj: Engagement) -> list[Panel]:  # noqa: ARG002
        """Overview, access, people, visits, consent, history."""
        asked = (elsewhere.wish_panel(obj), changing.change_panel(obj))
        first, *rest = engagement_page.panels(obj)
        return [first, *(panel for panel in asked if panel), *rest]

    def preview_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The client's page. While something is missing, the engagement's page says what."""
        engagement = self.find(request, object_id)
        back = self.page_url(engagement)
        try:
            return preview.preview_page(request, engagement, back_url=back)
        except NotReady as error:
            messages.warning(request, error.user_message)
            return HttpResponseRedirect(back)

    def consents_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Every consent as the record that the client has of it, the oldest first, in one file."""
        engagement = self.find(request, object_id)
        found = ",\n".join(record_now(consent) for consent in consents_of(engagement) if consent.record)
        name = f"consents-{engagement.code}.json"
        return HttpResponse(
            f"[{found}]\n",
            content_type="application/json",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
