"""The cards of an engagement's page. Reads only."""

from __future__ import annotations

import json
from typing import Final

from django.urls import reverse

from accounts.models import Client, Invitation
from awsaccess.lifecycle import GrantStatus, VisitStatus
from awsaccess.models import ExitProof, Grant, Visit
from awsaccess.probes import CHECKS, PENDING
from awsaccess.selectors import exit_proof, visits_of
from engagements.lifecycle import KNOWN_TO_CLIENT, EngagementStatus
from engagements.models import Assignment, Consent, Engagement, Offer, Referral
from engagements.selectors import (
    assignments_of,
    consents_of,
    handovers_of,
    offer_or_none,
    profile_for,
    referrals_of,
    remarks_of,
    template_agreed,
)
from portal.console import mails, papers, reads, words
from portal.kernel import clock
from portal.kernel.admin import Cell, Disclosure, Fact, Panel, Table, page_of
from portal.kernel.models import AuditEvent

VISITS_SHOWN: Final = 10
RUNNING: Final = frozenset(
    {
        EngagementStatus.DRAFT,
        EngagementStatus.INVITED,
        EngagementStatus.AGREED,
        EngagementStatus.ACTIVE,
        EngagementStatus.PAUSED,
    }
)


def landing_path(engagement: Engagement) -> str:
    """Where the client's links lead."""
    return f"/e/{engagement.code}/"


def page_url(engagement: Engagement) -> str:
    """The page of an engagement."""
    return page_of(Engagement).page_url(engagement)


def standing_of(engagement: Engagement) -> Cell:
    """The word for people. Needs `reads.with_standing`."""
    return words.standing_cell(engagement.status, has_problem=reads.noted(engagement, "has_problem"))


def panels(engagement: Engagement) -> list[Panel]:
    """Everything about one engagement, the nearest first."""
    grant = (
        Grant.objects.filter(engagement=engagement).select_related("offer").order_by("-offer__number").first()
    )
    found = [
        _overview(engagement),
        _mail(engagement),
        _access(engagement, grant),
        _rings(engagement),
        _visits(engagement),
        _people(assignments_of(engagement)),
        _invitations(engagement),
        _talk(engagement),
        _referrals(engagement),
        _handovers(engagement),
        _paper(engagement),
        history_panel(reads.history_of(engagement.pk)),
    ]
    return [panel for panel in found if panel is not None]


def _mail(engagement: Engagement) -> Panel | None:
    """Whom no mail reaches, while somebody still should be reached."""
    return mails.troubles_of(engagement) if engagement.status in KNOWN_TO_CLIENT else None


def grant_facts(grant: Grant) -> tuple[Fact, ...]:
    """How a role is, in words."""
    state = words.GRANTS[GrantStatus(grant.status)]
    return (
        Fact(label="Health", value=Cell(text=state.text, tone=state.tone, small=grant.problem)),
        Fact(label="Last good check", value=Cell(text=words.moment(grant.last_ok_at, "none yet"))),
        Fact(label="Last check", value=Cell(text=words.moment(grant.checked_at, "none yet"))),
    )


def check_facts(grant: Grant) -> tuple[Fact, ...]:
    """The four named checks with their answers."""
    return tuple(
        Fact(label=words.CHECKS[name], value=words.CHECK_ANSWERS[grant.checks.get(name, PENDING)])
        for name in CHECKS
    )


def visit_rows(visits: list[Visit]) -> tuple[tuple[Cell, ...], ...]:
    """Visits as a table shows them."""
    page = page_of(Visit)
    return tuple(
        (
            Cell(text=words.moment(visit.intended_at), url=page.page_url(visit)),
            Cell(text=visit.consultant_name),
            Cell(text=visit.reason, small=visit.refusal),
            words.VISITS[VisitStatus(visit.status)],
        )
        for visit in visits
    )


def history_panel(events: list[AuditEvent]) -> Panel:
    """What the record says, newest first."""
    rows = tuple(
        (
            Cell(text=words.moment(event.at)),
            Cell(text=words.event(event.kind), small=details_of(event)),
            who_did(event),
        )
        for event in events
    )
    table = Table(headings=("When", "What", "Who"), rows=rows)
    return Panel(key="history", title="History", table=table)


def who_did(event: AuditEvent) -> Cell:
    """A person by name, or the portal; the name may have been erased."""
    told = words.told(reads.body_of(event))
    if event.actor.startswith("system:"):
        return Cell(text="The portal")
    return Cell(text=told.name or "erased")


def details_of(event: AuditEvent) -> str:
    """What was said about it, on one line."""
    return words.details(words.told(reads.body_of(event)).details)


def _overview(engagement: Engagement) -> Panel:
    standing = standing_of(engagement)
    said = f"“{engagement.moved_note}”" if engagement.moved_note else standing.small
    facts = (
        [Fact(label="Status", value=Cell(text=standing.text, tone=standing.tone, small=said))] if said else []
    )
    facts += [
        Fact(label="Client", value=_client(engagement)),
        Fact(label="Why", value=Cell(text=engagement.purpose)),
        Fact(label="Kind of access", value=_kind(engagement)),
        Fact(label="AWS account", value=_account(engagement)),
        Fact(label="Ends", value=_ends(engagement)),
    ]
    if engagement.contract_reference:
        facts.append(Fact(label="Contract", value=Cell(text=engagement.contract_reference)))
    if said := _how_to_agree(engagement):
        facts.append(Fact(label="To agree", value=Cell(text=said)))
    return Panel(key="overview", title="Overview", facts=tuple(facts))


def _kind(engagement: Engagement) -> Cell:
    """As it was sent, whatever became of the profile since; of a draft, as the profile is now."""
    offer = offer_or_none(engagement)
    if offer is not None and "profile_title" in offer.documents:
        return Cell(text=offer.documents["profile_title"], small=offer.documents["summary"])
    try:
        profile = profile_for(engagement.profile)
    except KeyError:
        return Cell(text=engagement.profile, small="Not offered any more")
    return Cell(text=profile.title, small=profile.summary)


def _how_to_agree(engagement: Engagement) -> str:
    """What was asked for beyond one person's yes."""
    people = f"{engagement.approvals_needed} people" if engagement.approvals_needed > 1 else ""
    code = "a code by email" if engagement.code_at_agreement else ""
    door = "each visit let in by the client" if engagement.doorbell else ""
    glass = "except in an emergency" if engagement.break_glass else ""
    return ", ".join(word for word in (people, code, door, glass) if word)


def _client(engagement: Engagement) -> Cell:
    return Cell(text=engagement.client.name, url=page_of(Client).page_url(engagement.client))


def _account(engagement: Engagement) -> Cell:
    number = words.account(engagement.account_id)
    if not engagement.account_name:
        return Cell(text=number)
    return Cell(text=engagement.account_name, small=number)


def _ends(engagement: Engagement) -> Cell:
    left = engagement.ends_at - clock.now()
    is_running = engagement.status in RUNNING and left.total_seconds() > 0
    return Cell(text=words.moment(engagement.ends_at), small=f"in {words.span(left)}" if is_running else "")


def _access(engagement: Engagement, grant: Grant | None) -> Panel | None:
    if grant is None:
        return None
    page = page_of(Grant)
    facts = (*grant_facts(grant), *check_facts(grant))
    if (proof := exit_proof(engagement)) is not None:
        facts = (*grant_facts(grant), *exit_facts(proof))
    links = (Cell(text="Checks, one by one", url=page.page_url(grant)),)
    return Panel(key="access", title="Access", facts=facts, links=links)


def exit_facts(proof: ExitProof) -> tuple[Fact, ...]:
    """How far the proof of exit has come."""
    moments = (
        ("Client says deleted", proof.confirmed_at),
        ("AWS refuses us since", proof.refused_since),
        ("Last visit was over by", proof.sessions_over_at),
        ("Proved to be gone", proof.proved_at),
    )
    return tuple(Fact(label=label, value=Cell(text=words.moment(at, "not yet"))) for label, at in moments)


def _visits(engagement: Engagement) -> Panel | None:
    if engagement.status in {EngagementStatus.DRAFT, EngagementStatus.INVITED, EngagementStatus.DECLINED}:
        return None
    table = Table(
        headings=("When", "Who", "Reason", "Outcome"),
        rows=visit_rows(visits_of(engagement, limit=VISITS_SHOWN)),
        empty="Nobody has been inside yet. Visits show up here, and at the client, as soon as they begin.",
    )
    return Panel(key="visits", title="Visits", table=table)


def _rings(engagement: Engagement) -> Panel | None:
    if not engagement.doorbell or engagement.invited_at is None:
        return None
    rows = tuple(
        (
            Cell(text=words.moment(one.rung_at)),
            Cell(text=one.consultant_name),
            Cell(text=one.reason),
            words.ring(one),
        )
        for one in reads.rings_of(engagement)
    )
    said = "The client lets each visit in."
    if engagement.break_glass:
        said += " In an emergency nobody has to wait, and they are told at once."
    table = Table(headings=("When", "Who", "Reason", "Answer"), rows=rows, empty="Nobody has rung yet.")
    return Panel(key="doorbell", title="Doorbell", words=said, table=table)


def _people(assignments: list[Assignment]) -> Panel:
    rows = tuple(
        (
            Cell(text=row.consultant.name),
            Cell(text=words.ROLES[row.role]),
            Cell(text=words.day(row.starts_at)),
            Cell(text=words.day(row.ends_at, "the end")),
        )
        for row in assignments
    )
    table = Table(headings=("Name", "Part", "From", "Until"), rows=rows, empty="Nobody works on it.")
    return Panel(key="people", title="People", table=table)


def _invitations(engagement: Engagement) -> Panel | None:
    if engagement.invited_at is None:
        return None
    invitations = reads.invitations_to(landing_path(engagement))
    rows = tuple(
        (Cell(text=one.contact.user.name, small=one.contact.user.email), invitation_state(one), _until(one))
        for one in invitations
    )
    table = Table(headings=("Sent to", "Link", "Works until"), rows=rows)
    return Panel(key="invitations", title="Invitations", table=table)


def _talk(engagement: Engagement) -> Panel | None:
    """What the client asked and what was answered."""
    rows = tuple(
        (Cell(text=words.moment(one.said_at)), Cell(text=one.author.name), Cell(text=one.text))
        for one in remarks_of(engagement)
    )
    if not rows:
        return None
    return Panel(key="questions", title="Questions", table=Table(headings=("When", "Who", "What"), rows=rows))


def _referrals(engagement: Engagement) -> Panel | None:
    """Who the client says should answer. Adding them is an act of its own, with a fresh proof."""
    rows = tuple(
        (
            Cell(text=one.name, small=one.email),
            Cell(
                text=f"Whoever got {one.contact.user.first_name}’s link"
                if one.is_misdirected
                else one.contact.user.name,
                small=words.moment(one.made_at),
            ),
            _is_added(one),
        )
        for one in referrals_of(engagement)
    )
    if not rows:
        return None
    return Panel(
        key="colleagues",
        title="Somebody else has to agree",
        words="The client named them. Make sure that the address is right before you add them.",
        table=Table(headings=("Named", "By", "Contact"), rows=rows),
        links=(Cell(text="Add a contact", url=page_of(Client).action_url(engagement.client, "add-contact")),),
    )


def _handovers(engagement: Engagement) -> Panel | None:
    """Whom the client asked to do the step in AWS."""
    rows = tuple(
        (
            Cell(text=one.name, small=one.email),
            Cell(text=one.contact.user.name, small=words.moment(one.asked_at)),
            words.OBSTACLES[one.problem] if one.settled_at else Cell(text="Being sent", tone="plain"),
        )
        for one in handovers_of(engagement)
    )
    if not rows:
        return None
    table = Table(headings=("Sent to", "By", "What became of it"), rows=rows)
    return Panel(key="handovers", title="The step in AWS, sent on by the client", table=table)


def _is_added(referral: Referral) -> Cell:
    """Whether they are a contact by now; and a hint where the address lies elsewhere than that of whoever named it."""
    if reads.noted(referral, "is_contact"):
        return Cell(text="Added", tone="ok")
    own = referral.contact.user.email.rpartition("@")[2]
    elsewhere = referral.email.rpartition("@")[2] != own
    return Cell(text="Not added yet", tone="wait", small=f"not at {own}" if elsewhere else "")


def invitation_state(invitation: Invitation) -> Cell:
    """What became of a link."""
    if invitation.used_at is not None:
        return Cell(text="Opened", tone="ok", small=words.moment(invitation.used_at))
    if invitation.replaced_at is not None:
        return Cell(text="Replaced", tone="plain")
    if not invitation.is_live_at(clock.now()):
        return Cell(text="Expired", tone="wait")
    return Cell(text="Not opened yet", tone="plain")


def _until(invitation: Invitation) -> Cell:
    return Cell(text=words.moment(invitation.expires_at))


def _paper(engagement: Engagement) -> Panel | None:
    offer = offer_or_none(engagement)
    if offer is None:
        return None
    given = list(consents_of(engagement))
    facts = (
        *(fact for one in given for fact in _consent_facts(one)),
        *papers.facts(engagement),
        Fact(label="Fingerprint of the offer", value=Cell(text=offer.offer_sha256)),
    )
    return Panel(
        key="consent",
        title="Consent",
        words="" if given else "Nobody has agreed yet. This is what they are asked to agree to.",
        facts=facts,
        links=_records(engagement) if given else (),
        disclosures=_documents(offer),
    )


def _records(engagement: Engagement) -> tuple[Cell, ...]:
    address = reverse(f"admin:{page_of(Engagement).url_name('consents')}", args=[engagement.code])
    return (Cell(text="Download the records of consent", url=address),)


def _consent_facts(consent: Consent) -> tuple[Fact, ...]:
    who = consent.contact.user
    facts = [
        Fact(label="Agreed by", value=Cell(text=who.name, small=who.email)),
        Fact(label="On", value=Cell(text=words.moment(consent.given_at))),
        Fact(label="For account", value=Cell(text=words.account(consent.account_id))),
    ]
    if optional := _optional(consent.offer):
        ticked = [line["title"] for line in optional if line["key"] in consent.choice]
        facts.append(Fact(label="Also allowed", value=Cell(text=", ".join(ticked) or "nothing more")))
    if consent.withdrawn_at is not None:
        facts.append(
            Fact(label="Taken back", value=Cell(text=words.moment(consent.withdrawn_at), tone="stop"))
        )
    return tuple(facts)


def _optional(offer: Offer) -> list[dict[str, str]]:
    """What could be ticked, as it was shown."""
    shown = ("key", "title", "why")
    return [{name: line[name] for name in shown} for line in offer.documents.get("optional", ())]


def _documents(offer: Offer) -> tuple[Disclosure, ...]:
    template = template_agreed(offer).text
    asked = [*offer.lines, *({**line, "optional": True} for line in _optional(offer))]
    lines = json.dumps(asked, indent=2, ensure_ascii=False)
    return (
        Disclosure(summary="What was asked, as it was frozen", text=lines),
        Disclosure(summary="The template that AWS gets", text=template),
    )
