"""The AWS side: grants with their health, visits, and the practice's own set-up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from awsaccess.door import hub_for
from awsaccess.lifecycle import ROTATING, WATCHED, GrantStatus, RotationStatus, Verdict, VisitStatus
from awsaccess.models import ExitProof, Grant, Hub, Rotation, Verification, Visit
from awsaccess.selectors import differences_found, is_other_silent
from awsaccess.services.checks import CHECK, check_soon
from awsaccess.services.hubs import hub_role_accept, hub_set_up, hub_try
from awsaccess.services.moving import (
    grants_elsewhere,
    hub_move_begin,
    hub_move_can_begin,
    hub_moves_begin,
    hub_moves_possible,
)
from awsaccess.services.rotating import rotation_begin, rotation_can_begin, rotation_cancel, rotation_of
from awsaccess.services.sending import offer_publish, variant_publish
from engagements.models import Engagement, Offer
from portal.console import engagement_page, filters, marks, reads, words
from portal.console.practice_forms import HubForm
from portal.kernel import outbox
from portal.kernel.admin import (
    OWNERS,
    Cell,
    Disclosure,
    Fact,
    ObjectAction,
    Panel,
    ScopedModelAdmin,
    Table,
    page_of,
)
from portal.kernel.errors import Unavailable
from portal.kernel.models import Due
from portal.kernel.web import actor_of
from portal.pages import deeds
from portal.pages.differences import changes_of

CHECKS_SHOWN = 12
STANDS_OUT = "Not used in any earlier visit of this engagement. The client sees it, too."
Asked = Mapping[str, Any]  # Any: a form's cleaned data
# Of an exchange, of the external ID or of the hub role.
BEGUN: Final = (
    "Begun. The client’s people get a mail with the first of two steps. This page shows how far they are."
)


def _check(_request: HttpRequest, grant: Grant, _asked: Asked) -> str:
    if check_soon(engagement=grant.engagement):
        return "AWS is being asked now. The answer shows here within seconds: load the page again."
    return "It was looked at just now. Load the page again in a few seconds."


def _explain_check(_grant: Grant) -> list[str]:
    return ["Asks AWS now whether the role is there, opens only for this portal, and allows what was agreed."]


def _may_rotate(grant: Grant) -> bool:
    return rotation_can_begin(grant, grant.engagement)


def _rotate(request: HttpRequest, grant: Grant, _asked: Asked) -> str:
    rotation_begin(grant=grant, actor=actor_of(request))
    return BEGUN


def _explain_rotate(_grant: Grant) -> list[str]:
    return [
        "The portal makes a new external ID. What the client agreed to does not change, and nobody agrees again.",
        "Step 1, by the client: one update of the stack, after which AWS accepts both the old and the new one.",
        "Once AWS was seen to take the new one, twice, the portal enters with it.",
        "Step 2, by the client: one more update, after which only the new one opens. It is proved that the old is refused.",
        "Visits go on throughout. Until step 1 is done you can call it off.",
    ]


def _may_move(grant: Grant) -> bool:
    return hub_move_can_begin(grant, grant.engagement)


def _move(request: HttpRequest, grant: Grant, _asked: Asked) -> str:
    hub_move_begin(grant=grant, actor=actor_of(request))
    return BEGUN


def _explain_move(_grant: Grant) -> list[str]:
    return [
        "This access still lets in the hub role from before. It moves to the one that is set up now.",
        *MOVE,
    ]


MOVE: Final = (
    "What the client agreed to does not change, and nobody agrees again: your AWS account stays the same.",
    "Step 1, by the client: one update of the stack, after which AWS lets in both hub roles.",
    "Once AWS was seen to let in the new one, twice, the portal comes from it.",
    "Step 2, by the client: one more update, after which only the new one opens. It is proved that the old one is refused.",
    "Visits go on throughout. Keep both roles in your AWS account until no access names the old one any more.",
)


def _may_keep_key(grant: Grant) -> bool:
    rotation = rotation_of(grant)
    return rotation is not None and rotation.status == RotationStatus.ADDING


def _keep_key(request: HttpRequest, grant: Grant, _asked: Asked) -> str:
    rotation_cancel(grant=grant, actor=actor_of(request))
    return "Called off. If the client did step 1 already, they are asked to take it back."


def _explain_keep_key(grant: Grant) -> list[str]:
    rotation = rotation_of(grant)
    what = "hub role from before" if rotation is not None and rotation.is_hub_move else "old external ID"
    return [f"The {what} stays in force. A client who did the first step is asked to take it back in AWS."]


@admin.register(Grant)
class GrantAdmin(ScopedModelAdmin[Grant]):
    """Roles in clients' accounts, and what the last look at each found."""

    heading = "Grants & health"
    list_display = ("account", "work", "state", "last_ok", "problem_words")
    list_display_links = ("account",)
    list_filter = (filters.HealthFilter,)
    list_select_related = ("client", "engagement")
    search_fields = ("client__name", "account_id", "engagement__title")
    ordering = ("client__name", "engagement__title")
    object_actions = (
        ObjectAction(
            slug="check",
            label="Check now",
            title="Check the role now",
            explain=_explain_check,
            run=_check,
            offered=lambda grant: grant.status in WATCHED and bool(grant.account_id),
            is_main=True,
        ),
        ObjectAction(
            slug="rotate",
            label="Exchange the key",
            title="Exchange the external ID",
            explain=_explain_rotate,
            run=_rotate,
            offered=_may_rotate,
            button="Begin",
        ),
        ObjectAction(
            slug="move",
            label="Move to the new hub role",
            title="Move this access to the new hub role",
            explain=_explain_move,
            run=_move,
            roles=OWNERS,
            offered=_may_move,
            button="Begin",
            step_up=True,
        ),
        ObjectAction(
            slug="keep-key",
            label="Call the exchange off",
            title="Call the exchange off",
            explain=_explain_keep_key,
            run=_keep_key,
            offered=_may_keep_key,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Grant]:
        """Of engagements that this person sees."""
        rows = reads.of_engagements_seen(request, super().get_queryset(request))
        return rows.select_related("client", "engagement", "offer", "practice")

    @admin.display(description="AWS account", ordering="account_id")
    def account(self, grant: Grant) -> str:
        """Twelve digits, grouped."""
        return words.account(grant.account_id)

    @admin.display(description="Engagement", ordering="client__name")
    def work(self, grant: Grant) -> SafeString:
        """Client and title."""
        return marks.two_lines(grant.client.name, grant.engagement.title)

    @admin.display(description="State", ordering="status")
    def state(self, grant: Grant) -> SafeString:
        """Healthy, or what is wrong."""
        return marks.tag(words.GRANTS[GrantStatus(grant.status)])

    @admin.display(description="Last good check", ordering="last_ok_at")
    def last_ok(self, grant: Grant) -> str:
        """When AWS last confirmed all."""
        return words.moment(grant.last_ok_at, "none yet")

    @admin.display(description="Last problem")
    def problem_words(self, grant: Grant) -> str:
        """In words, not codes."""
        return grant.problem or "–"

    def page_title(self, obj: Grant) -> str:
        """Whose role."""
        return f"{obj.client.name}: {words.account(obj.account_id)}"

    def page_tag(self, obj: Grant) -> Cell:
        """Its health."""
        return words.GRANTS[GrantStatus(obj.status)]

    def panels(self, request: HttpRequest, obj: Grant) -> list[Panel]:  # noqa: ARG002
        """The role, its checks one by one, the proof of exit once there is one."""
        proof = ExitProof.objects.filter(grant=obj).first()
        found = [
            _role_panel(obj),
            *_key_panel(obj),
            *_changes_panel(obj),
            _checks_panel(obj),
            _verifications_panel(obj),
        ]
        if proof is not None:
            found.insert(1, Panel(key="exit", title="Exit proof", facts=engagement_page.exit_facts(proof)))
        return found


def _role_panel(grant: Grant) -> Panel:
    page = page_of(Engagement)
    arn = grant.role_arn if grant.account_id else "known once the client has named the account"
    engagement = Cell(
        text=grant.engagement.title, url=page.page_url(grant.engagement), small=grant.client.name
    )
    facts = (
        Fact(label="Engagement", value=engagement),
        Fact(label="Role", value=Cell(text=arn)),
        *engagement_page.grant_facts(grant),
        Fact(label="Next check", value=Cell(text=_next_check(grant))),
    )
    return Panel(key="role", title="Role", facts=facts)


def _next_check(grant: Grant) -> str:
    due = Due.objects.filter(kind=CHECK, object_id=grant.pk).first()
    return words.moment(due.next_at if due else None, "none planned")


def _checks_panel(grant: Grant) -> Panel:
    return Panel(key="checks", title="The four checks", facts=engagement_page.check_facts(grant))


ROTATIONS: Final = {
    RotationStatus.ADDING: Cell(text="Step 1: waits for the client to let AWS accept both", tone="wait"),
    RotationStatus.DROPPING: Cell(text="Step 2: waits for the client to take the old one away", tone="wait"),
    RotationStatus.UNDOING: Cell(text="Called off: the client takes the new one away", tone="wait"),
    RotationStatus.DONE: Cell(text="Done: the old one is refused", tone="ok"),
    RotationStatus.CANCELLED: Cell(text="Called off", tone="plain"),
}


def _key_panel(grant: Grant) -> list[Panel]:
    """The exchanges of the external ID, which is no secret but is not shown either, and those of the hub role."""
    rows = tuple(
        (
            Cell(text=words.moment(one.begun_at), small=one.begun_by.name if one.begun_by else ""),
            _exchanged(one),
            rotation_state(one),
            Cell(text=words.moment(one.turned_at, "not yet")),
            Cell(text=words.moment(one.ended_at, "not yet")),
        )
        for one in Rotation.objects.filter(grant=grant).select_related("begun_by").order_by("-begun_at")
    )
    if not rows:
        return []
    table = Table(headings=("Begun", "What", "State", "New one in force since", "Over"), rows=rows)
    words_there = "Old and new open the role side by side until the client has done both steps."
    return [Panel(key="key", title="Exchanges of what opens the role", words=words_there, table=table)]


def _exchanged(rotation: Rotation) -> Cell:
    if not rotation.is_hub_move:
        return Cell(text="The external ID")
    return Cell(text="The hub role", small=f"{rotation.old_hub_role_arn} → {rotation.new_hub_role_arn}")


def rotation_state(rotation: Rotation) -> Cell:
    """How far an exchange is, and what it waits for."""
    cell = ROTATIONS[RotationStatus(rotation.status)]
    if rotation.status == RotationStatus.ADDING and not rotation.both_version_id:
        return replace(cell, small="the templates are on their way to the bucket")
    if rotation.seen_at:
        return replace(cell, small="seen once; looked at again in two minutes")
    return (
        replace(cell, small=NOT_ASKED) if rotation.status in ROTATING and is_other_silent(rotation) else cell
    )


NOT_ASKED: Final = "the other hub role does not open for the portal, or may enter nothing: put it right, or this cannot go on"


def _changes_panel(grant: Grant) -> list[Panel]:
    """What differs, in the sentences that the client reads; AWS's own words stand behind each."""
    changes = changes_of(differences_found(grant), practice=grant.practice.name)
    if not changes:
        return []
    rows = tuple((Cell(text=one.title), Cell(text=one.effect, tone=one.tone)) for one in changes)
    told = "\n\n".join(
        f"{one.title}\nAgreed: {one.agreed or '–'}\nIn AWS now: {one.now or '–'}" for one in changes
    )
    panel = Panel(
        key="differences",
        title="What differs from what was agreed",
        words="The client reads the same sentences. Putting it back is theirs: the portal can change nothing.",
        table=Table(headings=("What", "It opens"), rows=rows),
        disclosures=(Disclosure(summary="The same in AWS’s own words", text=told),),
    )
    return [panel]


def _verifications_panel(grant: Grant) -> Panel:
    checks = list(Verification.objects.filter(grant=grant).order_by("-at")[:CHECKS_SHOWN])
    rows = tuple(
        (Cell(text=words.moment(one.at)), words.VERDICTS[Verdict(one.verdict)], Cell(text=one.reason or "–"))
        for one in checks
    )
    table = Table(
        headings=("When", "Verdict", "What was found"),
        rows=rows,
        empty="Not looked at yet. The portal looks from the moment the client agrees.",
    )
    return Panel(key="verifications", title="Latest checks", table=table, disclosures=_findings(checks))


def _findings(checks: list[Verification]) -> tuple[Disclosure, ...]:
    if not checks:
        return ()
    text = json.dumps(checks[0].findings, indent=2, sort_keys=True, ensure_ascii=False)
    return (Disclosure(summary="Everything that the newest check noted", text=text),)


@admin.register(Visit)
class VisitAdmin(ScopedModelAdmin[Visit]):
    """Who went in, why, and until when. Also those who were refused."""

    heading = "Visits"
    list_display = ("began", "who", "where", "reason", "outcome")
    list_display_links = ("began",)
    list_filter = (filters.MyVisitsFilter, filters.VisitFilter, filters.VisitSinceFilter)
    search_fields = ("client__name", "consultant_name", "reason", "engagement__title")
    ordering = ("-intended_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Visit]:
        """Of engagements that this person sees."""
        rows = reads.of_engagements_seen(request, super().get_queryset(request))
        return rows.select_related("client", "engagement", "grant", "report")

    @admin.display(description="When", ordering="intended_at")
    def began(self, visit: Visit) -> str:
        """When it was asked for."""
        return words.moment(visit.intended_at)

    @admin.display(description="Who", ordering="consultant_name")
    def who(self, visit: Visit) -> str:
        """Who asked."""
        return visit.consultant_name

    @admin.display(description="Where", ordering="client__name")
    def where(self, visit: Visit) -> SafeString:
        """Client, account and door."""
        door = words.DOORS[visit.kind]
        return marks.two_lines(visit.client.name, f"{words.account(visit.grant.account_id)} · {door}")

    @admin.display(description="Outcome", ordering="status")
    def outcome(self, visit: Visit) -> SafeString:
        """How it ended, and until when it can last."""
        return marks.tag(words.VISITS[VisitStatus(visit.status)])

    def page_title(self, obj: Visit) -> str:
        """Who was where."""
        return f"{obj.consultant_name} at {obj.client.name}"

    def page_tag(self, obj: Visit) -> Cell:
        """How it ended."""
        return words.VISITS[VisitStatus(obj.status)]

    def panels(self, request: HttpRequest, obj: Visit) -> list[Panel]:  # noqa: ARG002
        """What is known of it. The credentials are nowhere."""
        facts = (
            Fact(label="Reason", value=Cell(text=obj.reason)),
            Fact(label="Engagement", value=_work_of(obj)),
            Fact(label="AWS account", value=Cell(text=words.account(obj.grant.account_id))),
            Fact(label="Door", value=Cell(text=words.DOORS[obj.kind])),
            Fact(label="Taken of what was agreed", value=Cell(text=_taken(obj))),
            Fact(label="Asked for", value=Cell(text=words.moment(obj.intended_at))),
            Fact(label="Opened", value=Cell(text=words.moment(obj.issued_at, "never"), small=obj.refusal)),
            Fact(label="Over by", value=Cell(text=words.moment(obj.latest_end))),
            Fact(label="Name in the client’s CloudTrail", value=Cell(text=obj.session_name)),
            Fact(label="Access key id", value=Cell(text=obj.access_key_id or "none was given")),
        )
        return [
            Panel(key="visit", title="Visit", facts=facts),
            _deeds_panel(obj),
            engagement_page.history_panel(reads.history_of_subject(obj)),
        ]


def _deeds_panel(visit: Visit) -> Panel:
    """What the client reads of it, in the reader's own zone."""
    found = deeds.deeds_of(visit, timezone.get_current_timezone())
    facts = [Fact(label=group.title, value=Cell(text=str(group.count))) for group in found.groups]
    if found.flagged:
        facts.append(
            Fact(label="Stands out", value=Cell(text=", ".join(found.flagged), tone="stop", small=STANDS_OUT))
        )
    behind = [
        Disclosure(summary=f"{group.title}: the calls", text="\n".join(group.calls))
        for group in found.groups
        if group.calls
    ]
    if found.missing:
        behind.append(Disclosure(summary="What this report does not know", text="\n".join(found.missing)))
    return Panel(
        key="deeds",
        title="What was done",
        words=found.note,
        facts=tuple(facts),
        disclosures=tuple(behind),
    )


def _taken(visit: Visit) -> str:
    return words.narrowing(visit.narrowing, visit.narrowing.get("region", "")) or "all of it"


def _work_of(visit: Visit) -> Cell:
    url = page_of(Engagement).page_url(visit.engagement)
    return Cell(text=visit.engagement.title, url=url, small=visit.client.name)


def _change_hub(request: HttpRequest, hub: Hub, asked: Asked) -> str:
    hub_set_up(practice=hub.practice, **_hub_facts(asked), actor=actor_of(request))
    return "Saved. Check it now, so that nothing comes as a surprise."


def _hub_facts(asked: Asked) -> dict[str, Any]:  # Any: what `hub_set_up` takes
    names = ("role_arn", "region", "template_bucket", "queue_url")
    return {**{name: asked[name] for name in names}, "topic_arns": asked["topic_arns"].split()}


def _explain_change(_hub: Hub) -> list[str]:
    return [
        "Offers that were sent already keep the hub they were made with. Live accesses can be moved to another role of the same account afterwards.",
        "From now on, new offers name this role, and templates go into this bucket.",
    ]


def _hub_now(_request: HttpRequest, hub: Hub) -> dict[str, Any]:  # Any: what forms start from
    names = ("account_id", "role_arn", "region", "template_bucket", "queue_url")
    topics = "\n".join(hub.topic_arns.values())
    return {**{name: getattr(hub, name) for name in names}, "topic_arns": topics}


def _check_hub(_request: HttpRequest, hub: Hub, _asked: Asked) -> str:
    return " ".join(hub_try(hub))


def _explain_check_hub(hub: Hub) -> list[str]:
    told = [
        "Asks AWS who the portal is once it uses the hub role. Nothing is changed, and no client is touched.",
        "Tries the control role: whether the hub may enter it, and whether it may ask for roles.",
    ]
    return (
        [*told, "Tries to read the call-back queue. What lies in it stays there."] if hub.queue_url else told
    )


def _role_known(request: HttpRequest, hub: Hub, _asked: Asked) -> str:
    hub_role_accept(hub=hub, actor=actor_of(request))
    return "Noted. Clients’ roles go by the hub role’s name, so there is nothing for them to do."


def _explain_role_known(_hub: Hub) -> list[str]:
    return [
        "You say that somebody of yours deleted the hub role and made it again under the same name.",
        "If nobody did, leave this, look at who did it in your CloudTrail, and pause what is live.",
    ]


def _move_all(request: HttpRequest, hub: Hub, _asked: Asked) -> str:
    hub_try(hub)  # nothing begins for a role that the portal cannot come from
    done = hub_moves_begin(hub=hub, actor=actor_of(request))
    told = [f"Begun: {done.begun}. Each client gets a mail with the first of two steps."]
    told += [f"{grant.client.name}, {grant.engagement.title}: {why}" for grant, why in done.waiting]
    return " ".join(told)


def _explain_move_all(hub: Hub) -> list[str]:
    possible = hub_moves_possible(hub)
    names = [f"{grant.client.name}: {grant.engagement.title}" for grant in possible[:MOVES_SHOWN]]
    return ["Checks the new hub role first. Then these accesses begin to move to it:", *names, *MOVE]


MOVES_SHOWN: Final = 50


def _elsewhere_panel(request: HttpRequest, hub: Hub) -> list[Panel]:
    """Which accesses keep the old role needed, and how far each is: the guide through the move."""
    rows = reads.of_engagements_seen(request, grants_elsewhere(hub))
    grants = list(rows[:MOVES_SHOWN])
    if not grants:
        return []
    open_ones = Rotation.objects.filter(grant__in=grants, status__in=ROTATING).exclude(new_hub_role_arn="")
    moves = {one.grant_id: one for one in open_ones}
    table = Table(
        headings=("Access", "Hub role from before", "State"),
        rows=tuple(_elsewhere_row(grant, moves.get(grant.pk)) for grant in grants),
    )
    told = (
        f"{rows.count()} still let in another hub role than the one above, and go on working with it."
        " Keep both roles until this list is gone."
    )
    return [Panel(key="elsewhere", title="Accesses that name an older hub role", words=told, table=table)]


def _elsewhere_row(grant: Grant, move: Rotation | None) -> tuple[Cell, ...]:
    url = page_of(Grant).page_url(grant)
    before = move.old_hub_role_arn if move else hub_for(grant.offer, grant).role_arn
    state = rotation_state(move) if move else Cell(text="Not begun", tone="plain")
    return (Cell(text=grant.engagement.title, url=url, small=grant.client.name), Cell(text=before), state)


def _remade_panel(hub: Hub) -> list[Panel]:
    """For whoever sees the page: what happened, whether anything is broken, and the one next step."""
    if hub.remade_at is None:
        return []
    refused = Grant.objects.filter(status=GrantStatus.UNREACHABLE).count()
    facts = (
        Fact(label="Noticed", value=Cell(text=words.moment(hub.remade_at), tone="stop")),
        Fact(label="Clients’ roles", value=_roles_after(refused)),
        Fact(label="Next step", value=Cell(text="An owner presses “It was us”, or finds out who it was")),
    )
    told = (
        "The hub role was deleted, and another one made under its name. Clients’ roles go by that name, so whoever made"
        " the new one can enter them."
    )
    return [Panel(key="remade", title="The hub role is another one", words=told, facts=facts)]


def _roles_after(refused: int) -> Cell:
    """A role whose trust policy was changed by hand to name the hub role itself keeps the id of the deleted one."""
    if not refused:
        return Cell(text="None refuses: nothing is broken", tone="ok")
    said = "“Put it back” on the client’s page leads to the update that mends a trust policy changed by hand"
    return Cell(text=f"Refused by {refused}", tone="stop", small=said)


def _publish(_request: HttpRequest, _hub: Hub, _asked: Asked) -> str:
    waiting = list(reads.unpublished_offers())
    for offer in waiting:
        try:
            offer_publish(offer_id=offer.pk)
            for variant in offer.variants.all():
                variant_publish(variant_id=variant.pk)
        except (outbox.Later, outbox.Hopeless) as error:
            raise Unavailable(f"“{offer.engagement.title}” could not be published: {error}") from None
    return f"Published: {len(waiting)}."


def _explain_publish(_hub: Hub) -> list[str]:
    waiting = [
        f"{offer.engagement.client.name}: {offer.engagement.title}" for offer in reads.unpublished_offers()
    ]
    if not waiting:
        return ["Every template that was sent lies in the bucket already. There is nothing to do."]
    return ["Puts these templates into the bucket now, instead of waiting for the next try:", *waiting]


@admin.register(Hub)
class HubAdmin(ScopedModelAdmin[Hub]):
    """The practice's own AWS side: one row."""

    heading = "AWS set-up"
    add_heading = "Set up AWS"
    add_words = (
        "Your practice’s own AWS side: the role that every visit comes from, and the bucket for templates."
    )
    add_form = HubForm
    add_step_up = True
    adders = OWNERS
    is_single = True
    list_display = ("account", "role_arn", "region", "template_bucket")
    list_display_links = ("account",)
    list_select_related = ("practice",)
    ordering = ("account_id",)
    object_actions = (
        ObjectAction(
            slug="check",
            label="Check the hub",
            title="Check the hub",
            explain=_explain_check_hub,
            run=_check_hub,
            is_main=True,
        ),
        ObjectAction(
            slug="publish",
            label="Publish templates",
            title="Publish templates",
            explain=_explain_publish,
            run=_publish,
            roles=OWNERS,  # it names and moves engagements of the whole practice, also those one does not work on
        ),
        ObjectAction(
            slug="edit",  # the name of "change" is the page's own
            label="Change",
            title="Change the AWS set-up",
            explain=_explain_change,
            run=_change_hub,
            roles=OWNERS,
            form=HubForm,
            initial=_hub_now,
            button="Save",
            step_up=True,
        ),
        ObjectAction(
            slug="move",
            label="Move accesses here",
            title="Move live accesses to this hub role",
            explain=_explain_move_all,
            run=_move_all,
            roles=OWNERS,
            offered=lambda hub: hub_moves_possible(hub).exists(),
            button="Begin",
            step_up=True,
        ),
        ObjectAction(
            slug="role-known",
            label="It was us",
            title="We made the hub role anew",
            explain=_explain_role_known,
            run=_role_known,
            roles=OWNERS,
            offered=lambda hub: hub.remade_at is not None,
            step_up=True,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Hub]:
        """With its practice, which the door to AWS asks for."""
        return super().get_queryset(request).select_related("practice")

    def add(self, request: HttpRequest, asked: Asked) -> Hub:
        """Write it down for the practice in force."""
        return hub_set_up(
            practice=request.membership.practice,  # type: ignore[attr-defined]  # put there by ScopeMiddleware
            **_hub_facts(asked),
            actor=actor_of(request),
        )

    @admin.display(description="AWS account", ordering="account_id")
    def account(self, hub: Hub) -> str:
        """Twelve digits, grouped."""
        return words.account(hub.account_id)

    def page_title(self, obj: Hub) -> str:  # noqa: ARG002  # there is one
        """There is one."""
        return "AWS set-up"

    def panels(self, request: HttpRequest, obj: Hub) -> list[Panel]:
        """What was set up, and which templates wait."""
        facts = (
            Fact(label="AWS account", value=Cell(text=words.account(obj.account_id))),
            Fact(label="Hub role", value=Cell(text=obj.role_arn)),
            Fact(label="Region", value=Cell(text=obj.region)),
            Fact(label="Template bucket", value=Cell(text=obj.template_bucket)),
            Fact(
                label="Call-back queue", value=Cell(text=obj.queue_url or "none: roles are found by trying")
            ),
            Fact(label="Call-back topics", value=Cell(text=", ".join(obj.topic_arns) or "none")),
        )
        return [
            *_remade_panel(obj),
            *_elsewhere_panel(request, obj),
            Panel(
                key="hub",
                title="Hub",
                words="Every visit begins at this role. Its keys are AWS’s own, and none is stored here.",
                facts=facts,
            ),
            _templates_panel(request),
            *([_dropped_panel()] if obj.queue_url else []),
        ]


def _templates_panel(request: HttpRequest) -> Panel:
    waiting = reads.of_engagements_seen(request, reads.unpublished_offers())
    rows = tuple(_template_row(offer) for offer in waiting)
    table = Table(
        headings=("Engagement", "Sent"),
        rows=rows,
        empty="None. Every template that was sent lies in the bucket.",
    )
    return Panel(key="templates", title="Templates on their way", table=table)


def _dropped_panel() -> Panel:
    rows = tuple(
        (Cell(text=words.moment(letter.at)), Cell(text=letter.words))
        for letter in reads.newest_dead_letters()
    )
    table = Table(headings=("When", "Why"), rows=rows, empty="None.")
    return Panel(
        key="dropped",
        title="Messages that were dropped",
        words="Anybody in AWS may write to the topics. What no stack of yours sent is dropped, and changes nothing.",
        table=table,
    )


def _template_row(offer: Offer) -> tuple[Cell, ...]:
    url = reverse("admin:engagements_engagement_change", args=[offer.engagement.code])
    work = Cell(text=offer.engagement.title, url=url, small=offer.engagement.client.name)
    return (work, Cell(text=words.moment(offer.frozen_at)))
