"""The words of the mails that only people at the client read, and what stands in no other mail."""

from __future__ import annotations

from django.utils.translation import gettext, ngettext

from accounts.models import Invitation
from engagements.emails.scenes import Scene, client_url
from engagements.emails.words import (
    Fact,
    Line,
    Words,
    account_fact,
    facts_of_change,
    facts_of_offer,
    is_look_only,
    kind_of,
    link_note,
    moment_words,
    names_of,
    other_account_fact,
    quoted,
    subject,
    three_facts,
    title_of,
    to_client,
    verb_of,
    waits_for_others,
)
from engagements.lifecycle import ChangeStatus, EngagementStatus
from engagements.models import Consent, Doorbell, Remark, ScopeChange
from portal.kernel.languages import spelling


def asking(scene: Scene, invitation: Invitation, url: str) -> Words:
    """To an approver: who wants to look at what, and until when."""
    engagement, host = scene.engagement, scene.host_name
    what = verb_of(engagement)
    return Words(
        subject=subject(
            gettext("%(name)s asks to %(look)s your AWS account") % {"name": host, "look": what},
            engagement.practice.name,
            engagement.title,
        ),
        preview=gettext("%(kind)s, for “%(title)s”, until %(day)s. Nothing happens until you agree.")
        % {
            "kind": kind_of(engagement),
            "title": engagement.title,
            "day": spelling.day(engagement.ends_at, scene.zone),
        },
        heading=gettext("%(name)s asks to %(look)s your AWS account")
        % {"name": scene.host_first_name, "look": what},
        lines=(_reason(scene),),
        facts=three_facts(scene),
        button=gettext("Review what they can see"),
        url=url,
        note=gettext("Nothing happens until you agree.") + " " + link_note(scene, invitation),
        why=gettext("because %(name)s invited you to the project “%(title)s”.")
        % {"name": invitation.invited_by.name, "title": engagement.title},
    )


def link(scene: Scene, invitation: Invitation, url: str) -> Words:
    """To somebody who asked for a link again after the question was answered."""
    engagement = scene.engagement
    return Words(
        subject=subject(gettext("Your link to %(title)s") % title_of(engagement), engagement.practice.name),
        preview=gettext("It opens the page of the project and is for you only."),
        heading=gettext("Your link to “%(title)s”") % title_of(engagement),
        lines=(Line(before=gettext("Here is your link to the project. It shows how things stand now.")),),
        facts=three_facts(scene),
        button=gettext("Open the project"),
        url=url,
        note=link_note(scene, invitation),
        why=gettext("because %(name)s invited you to the project “%(title)s”.")
        % {"name": invitation.invited_by.name, "title": engagement.title},
    )


def receipt(scene: Scene, consent: Consent) -> Words:
    """To the contact who agreed: what, when, and the fingerprint of what was shown."""
    engagement, moment = scene.engagement, moment_words(scene, consent.given_at)
    is_next = engagement.status == EngagementStatus.AGREED
    return Words(
        subject=subject(
            gettext("Your receipt: you agreed to the access"), engagement.practice.name, engagement.title
        ),
        preview=gettext("Agreed on %(moment)s. Keep this mail.") % {"moment": moment},
        heading=gettext("You agreed to the access"),
        lines=(
            Line(
                before=gettext(
                    "This is your receipt. On %(moment)s, you agreed that %(names)s may %(look)s your AWS account."
                )
                % {"moment": moment, "names": names_of(scene), "look": verb_of(engagement)}
            ),
            *_after_agreeing(scene, consent),
            *_attached(scene),
        ),
        facts=(
            Fact(name=gettext("Reference"), value=f"{engagement.code.upper()}-{consent.offer.number}"),
            *_facts_of_consent(scene, consent),
            Fact(name=gettext("Fingerprint"), value=consent.shown_sha256, is_code=True),
        ),
        button=_onward(scene, consent, is_next=is_next),
        url=client_url(engagement, "change" if _is_change(consent) else "front" if is_next else "receipt"),
        note=gettext("You can pause or end the access at any time. You don’t need a reason."),
        why=gettext("because you agreed to the access for “%(title)s”.") % title_of(engagement),
        seal=scene.matter.seal,
    )


def answer(scene: Scene, remark: Remark) -> Words:
    """To whoever asked."""
    engagement, who = scene.engagement, {"name": remark.author.name}
    return to_client(
        scene,
        subject=subject(gettext("%(name)s answered") % who, engagement.title, engagement.practice.name),
        preview=gettext("The answer to your question."),
        heading=gettext("%(name)s answered") % who,
        lines=(
            gettext("%(name)s answered about “%(title)s”:") % {**who, **title_of(engagement)},
            quoted(remark.text),
        ),
        facts=three_facts(scene),
        button=gettext("Open the project"),
        note=gettext("Nothing has changed by asking, and you can ask again."),
    )


def approved(scene: Scene, consent: Consent) -> Words:
    """To the others who are asked at the client: one of them agreed; with the last, that all of them did."""
    engagement, who = scene.engagement, {"name": consent.contact.user.name}
    change = scene.matter.change
    is_whole = change.status != ChangeStatus.ASKED if change else engagement.status == EngagementStatus.AGREED
    needed = {"needed": engagement.approvals_needed, "client": engagement.client.name}
    waiting = gettext("%(needed)s people at %(client)s have to agree. Nothing happens before.") % needed
    whole = (
        gettext("Everybody who had to has agreed. One step is left: update the access in AWS.")
        if _is_change(consent)
        else gettext("Everybody who had to has agreed. One step is left: switch the access on in AWS.")
    )
    return to_client(
        scene,
        subject=subject(gettext("%(name)s agreed") % who, engagement.title, engagement.practice.name),
        preview=whole if is_whole else waiting,
        heading=gettext("%(name)s agreed") % who,
        lines=(
            gettext("%(name)s agreed to the access for “%(title)s”.") % {**who, **title_of(engagement)},
            whole if is_whole else waiting,
        ),
        facts=three_facts(scene),
        button=gettext("Open the project"),
        note=gettext("You can say no, or end it, at any time. You don’t need a reason."),
    )


def change_asked(scene: Scene, change: ScopeChange) -> Words:
    """To the approvers: what is on is to be changed, and goes on until they say so."""
    engagement = scene.engagement
    return to_client(
        scene,
        subject=subject(
            gettext("%(name)s asks for a change to the access") % {"name": scene.host_name}, engagement.title
        ),
        preview=gettext("What you agreed to before keeps working."),
        heading=gettext("%(name)s asks for a change to the access") % {"name": scene.host_first_name},
        lines=(
            gettext("Please look at what would be added, and what would be taken away."),
            gettext("What you agreed to before keeps working, whatever you answer."),
        ),
        facts=facts_of_change(scene, change),
        button=gettext("Review the change"),
        note=gettext("Nothing changes until you agree and update it in AWS, too."),
        page="change",
    )


def rings(scene: Scene, ring: Doorbell) -> Words:
    """To who may agree: somebody wants to come in. The mail opens nothing; the page asks."""
    who = {"name": ring.consultant_name}
    return to_client(
        scene,
        subject=subject(
            gettext("%(name)s asks to come in") % who, scene.engagement.title, scene.engagement.practice.name
        ),
        preview=gettext("Nobody gets in before one of you says yes."),
        heading=gettext("%(name)s asks to come in") % who,
        lines=(
            gettext("%(name)s would like to go into your AWS account, to:") % who,
            quoted(ring.reason),
            gettext("Nobody gets in before one of you says yes. After an hour the question is over."),
        ),
        facts=three_facts(scene),
        button=gettext("Answer"),
        note=gettext("If you do nothing, nobody comes in."),
        page="door",
    )


def key_step(scene: Scene, *, is_first: bool) -> Words:
    """To the client: one of the two small steps in AWS by which the access gets a new key. Nothing breaks meanwhile."""
    engagement = scene.engagement
    add = gettext("Please let AWS accept the new key, too.")
    drop = gettext("Please take the key away that is no longer used.")
    return to_client(
        scene,
        subject=subject(
            gettext("A small step in AWS: a new key")
            if is_first
            else gettext("A small step in AWS: the old key"),
            engagement.title,
            engagement.practice.name,
        ),
        preview=add if is_first else drop,
        heading=gettext("The access gets a new key"),
        lines=(
            add if is_first else drop,
            gettext("What %(practice)s can see or do stays exactly what you agreed to.")
            % {"practice": engagement.practice.name},
        ),
        facts=three_facts(scene),
        button=gettext("Open the step"),
        note=gettext("The access goes on working until you do it. It takes about two minutes."),
        page="key",
    )


def _reason(scene: Scene) -> Line:
    """As agreed in contract X, we'd like to … To do that, A and B need to LOOK at the account."""
    engagement = scene.engagement
    purpose = engagement.purpose.strip().rstrip(".").removeprefix("to ")
    why = (
        gettext("As agreed in contract %(contract)s, we’d like to %(purpose)s.")
        if engagement.contract_reference
        else gettext("We’d like to %(purpose)s.")
    ) % {"contract": engagement.contract_reference, "purpose": purpose}
    need = ngettext(
        "To do that, %(names)s needs to", "To do that, %(names)s need to", len(scene.team) or 1
    ) % {"names": names_of(scene)}
    if is_look_only(engagement):
        stress, after = gettext("look"), gettext("at the account. They won’t be able to change anything.")
    else:
        stress, after = gettext("work"), gettext("in the account. The page shows exactly what they can do.")
    return Line(before=f"{why} {need} ", stress=stress, after=f" {after}")


def _after_agreeing(scene: Scene, consent: Consent) -> tuple[Line, ...]:
    if consent.withdrawn_at is not None:
        moment = moment_words(scene, consent.withdrawn_at)
        return (Line(before=gettext("It was taken back on %(moment)s.") % {"moment": moment}),)
    if scene.engagement.status == EngagementStatus.AGREED and not waits_for_others(scene):
        return (Line(before=gettext("One step is left: switch the access on in AWS.")),)
    if scene.engagement.status == EngagementStatus.INVITED or waits_for_others(scene):
        return (Line(before=gettext("Others at your company are still asked. Nothing happens before.")),)
    return ()


def _attached(scene: Scene) -> tuple[Line, ...]:
    if scene.matter.document is None:
        return ()
    return (Line(before=gettext("The signed receipt is attached. Keep it: anybody can check it with us.")),)


def _is_change(consent: Consent) -> bool:
    """Of an access that is on: one that asks for another account is switched on like the first."""
    return "change" in consent.offer.documents and not consent.offer.other_account


def _onward(scene: Scene, consent: Consent, *, is_next: bool) -> str:
    if waits_for_others(scene):
        return gettext("Open the project")
    if _is_change(consent):
        return gettext("Update it in AWS")
    return gettext("Switch on access") if is_next else gettext("See your receipt")


def _facts_of_consent(scene: Scene, consent: Consent) -> tuple[Fact, ...]:
    if _is_change(consent):
        return (account_fact(scene.engagement), *facts_of_offer(scene, consent.offer))
    if consent.offer.other_account:
        return (other_account_fact(consent.account_id), *facts_of_offer(scene, consent.offer))
    return three_facts(scene)
