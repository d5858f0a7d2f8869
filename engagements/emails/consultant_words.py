"""The words of the mails that only consultants read."""

from __future__ import annotations

from django.utils.translation import gettext

from engagements.emails.scenes import Scene
from engagements.emails.words import (
    Fact,
    Words,
    account_fact,
    client_of,
    moment_words,
    quoted,
    subject,
    three_facts,
    title_of,
    to_practice,
    waits_for_others,
)
from engagements.lifecycle import EngagementStatus
from engagements.models import Consent, Doorbell, Referral, Remark, ScopeChange


def agreed(scene: Scene, consent: Consent) -> Words:
    """To the consultants: the client said yes."""
    engagement, who = scene.engagement, consent.contact.user.name
    if engagement.status == EngagementStatus.INVITED or waits_for_others(scene):
        return _agreed_in_part(scene, consent)
    return to_practice(
        scene,
        subject=subject(gettext("%(client)s agreed") % client_of(engagement), engagement.title),
        preview=gettext("%(name)s said yes. Switching on in AWS comes next.") % {"name": who},
        heading=gettext("%(client)s agreed") % client_of(engagement),
        lines=(
            gettext("%(name)s agreed to the access for “%(title)s” on %(moment)s.")
            % {"name": who, "title": engagement.title, "moment": moment_words(scene, consent.given_at)},
            gettext("Next, they switch it on in AWS. We look for it by ourselves and tell you."),
        ),
        facts=three_facts(scene),
    )


def question(scene: Scene, remark: Remark) -> Words:
    """To the consultants: the client asks something."""
    engagement, who = scene.engagement, {"name": remark.author.name, **client_of(scene.engagement)}
    return to_practice(
        scene,
        subject=subject(gettext("%(client)s has a question") % who, engagement.title),
        preview=gettext("%(name)s asks. Answer on the project’s page.") % who,
        heading=gettext("%(name)s has a question") % who,
        lines=(
            gettext("%(name)s asks about “%(title)s”:") % {**who, **title_of(engagement)},
            quoted(remark.text),
        ),
        facts=three_facts(scene),
        note=gettext("Answer on the project’s page: the client reads it there too."),
    )


def colleague(scene: Scene, referral: Referral) -> Words:
    """To the consultants: somebody else at the client has to answer. Nobody was added by it."""
    engagement = scene.engagement
    who = {"name": referral.contact.user.name, **client_of(engagement)}
    return to_practice(
        scene,
        subject=subject(gettext("%(client)s: somebody else has to agree") % who, engagement.title),
        preview=gettext("%(name)s named a colleague. Nobody was added yet.") % who,
        heading=gettext("Somebody else has to agree"),
        lines=(
            gettext("%(name)s says that a colleague has to answer about “%(title)s”.")
            % {**who, **title_of(engagement)},
            gettext("Nobody was added yet. Make sure that the address is right, then add them as a contact."),
        ),
        facts=(
            Fact(name=gettext("Name"), value=referral.name),
            Fact(name=gettext("Address"), value=referral.email),
        ),
    )


def _agreed_in_part(scene: Scene, consent: Consent) -> Words:
    """To the consultants: one of several."""
    engagement = scene.engagement
    who = {"name": consent.contact.user.name, **client_of(engagement)}
    return to_practice(
        scene,
        subject=subject(gettext("%(name)s of %(client)s agreed") % who, engagement.title),
        preview=gettext("Others there are still asked."),
        heading=gettext("%(name)s agreed") % who,
        lines=(
            gettext("%(name)s agreed to the access for “%(title)s” on %(moment)s.")
            % {**who, "title": engagement.title, "moment": moment_words(scene, consent.given_at)},
            gettext("%(needed)s people at %(client)s have to agree. Nothing happens before.")
            % {"needed": engagement.approvals_needed, **who},
        ),
        facts=three_facts(scene),
    )


def change_declined(scene: Scene, change: ScopeChange) -> Words:
    """To the consultants: things stay as they are."""
    who = change.moved_by.name if change.moved_by else scene.engagement.client.name
    note = " ".join(change.moved_note.split())
    return to_practice(
        scene,
        subject=subject(
            gettext("%(client)s keeps the access as it is") % client_of(scene.engagement),
            scene.engagement.title,
        ),
        preview=gettext("What was agreed before goes on."),
        heading=gettext("%(client)s keeps the access as it is") % client_of(scene.engagement),
        lines=(
            gettext("%(name)s said no to the change.") % {"name": who},
            gettext("What was agreed before goes on. Nothing was touched in AWS."),
        ),
        facts=(
            account_fact(scene.engagement),
            *((Fact(name=gettext("Reason"), value=note),) if note else ()),
        ),
    )


def order_arrived(scene: Scene) -> Words:
    """To the consultants: somebody bought something, and a draft waits for them."""
    engagement = scene.engagement
    order = Fact(name=gettext("Order"), value=engagement.contract_reference or gettext("no number"))
    return to_practice(
        scene,
        subject=subject(gettext("New order: %(client)s") % client_of(engagement), engagement.title),
        preview=gettext("A draft is ready. The client sees nothing until you send it."),
        heading=gettext("New order: %(client)s") % client_of(engagement),
        lines=(
            gettext("%(client)s ordered “%(title)s”. The portal made a draft of it from your template.")
            % {**client_of(engagement), **title_of(engagement)},
            gettext("Look it over, then send it. The client sees nothing before that."),
        ),
        facts=(order, *three_facts(scene)),
    )


def door_answered(scene: Scene, ring: Doorbell, *, let_in: bool) -> Words:
    """To who rang."""
    by = ring.answered_by.name if ring.answered_by else scene.engagement.client.name
    who = {"name": by, **client_of(scene.engagement)}
    heading = (gettext("%(name)s lets you in") if let_in else gettext("%(name)s says: not now")) % who
    what = (
        gettext("Open AWS from the project’s page. It holds for an hour, for one visit.")
        if let_in
        else gettext("Nothing was opened. Talk to them, or ring again later.")
    )
    return to_practice(
        scene,
        subject=subject(heading, scene.engagement.title),
        preview=what,
        heading=heading,
        lines=(what, quoted(ring.reason)),
        facts=three_facts(scene),
    )
