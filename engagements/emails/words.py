"""The words of each mail, once for text and HTML, so that the two can never tell different things.

A subject says who and what in at most 78 characters. Dates are the reader's; a time names its zone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from django.utils.dateformat import format as date_format
from django.utils.translation import gettext, ngettext, pgettext

from accounts.models import Invitation
from engagements.emails.scenes import Scene, client_url, console_url
from engagements.lifecycle import AssignmentRole, ChangeStatus, EngagementStatus
from engagements.models import (
    IN_FORCE,
    Assignment,
    Consent,
    Doorbell,
    Engagement,
    Offer,
    Referral,
    Remark,
    ScopeChange,
)
from engagements.profiles import PROFILES, Kind

SUBJECT_LENGTH: Final = 78


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A paragraph; `stress` is printed bold, or in capitals where there is no bold."""

    before: str
    stress: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One row of the box. `is_code` for what is compared letter by letter."""

    name: str
    value: str
    is_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One mail. `preview` is the line that mailboxes show beside the subject; `seal` is kept word for word.

    `doubt` says whom to ask whether the mail is genuine, where that is not the host.
    """

    subject: str
    preview: str
    heading: str
    lines: tuple[Line, ...]
    facts: tuple[Fact, ...]
    button: str
    url: str
    note: str
    why: str
    seal: str = ""
    doubt: str = ""


def asking(scene: Scene, invitation: Invitation, url: str) -> Words:
    """To an approver: who wants to look at what, and until when."""
    engagement, host = scene.engagement, scene.host_name
    what = _verb(engagement)
    return Words(
        subject=subject(
            gettext("%(name)s asks to %(look)s your AWS account") % {"name": host, "look": what},
            engagement.practice.name,
            engagement.title,
        ),
        preview=gettext("%(kind)s, for “%(title)s”, until %(day)s. Nothing happens until you agree.")
        % {"kind": _kind(engagement), "title": engagement.title, "day": _day(scene, engagement.ends_at)},
        heading=gettext("%(name)s asks to %(look)s your AWS account")
        % {"name": scene.host_first_name, "look": what},
        lines=(_reason(scene),),
        facts=_three_facts(scene),
        button=gettext("Review what they can see"),
        url=url,
        note=gettext("Nothing happens until you agree.") + " " + _link_note(scene, invitation),
        why=gettext("because %(name)s invited you to the project “%(title)s”.")
        % {"name": invitation.invited_by.name, "title": engagement.title},
    )


def link(scene: Scene, invitation: Invitation, url: str) -> Words:
    """To somebody who asked for a link again after the question was answered."""
    engagement = scene.engagement
    return Words(
        subject=subject(gettext("Your link to %(title)s") % _title(engagement), engagement.practice.name),
        preview=gettext("It opens the page of the project and is for you only."),
        heading=gettext("Your link to “%(title)s”") % _title(engagement),
        lines=(Line(before=gettext("Here is your link to the project. It shows how things stand now.")),),
        facts=_three_facts(scene),
        button=gettext("Open the project"),
        url=url,
        note=_link_note(scene, invitation),
        why=gettext("because %(name)s invited you to the project “%(title)s”.")
        % {"name": invitation.invited_by.name, "title": engagement.title},
    )


def receipt(scene: Scene, consent: Consent) -> Words:
    """To the contact who agreed: what, when, and the fingerprint of what was shown."""
    engagement, moment = scene.engagement, _moment(scene, consent.given_at)
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
                % {"moment": moment, "names": _names(scene), "look": _verb(engagement)}
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
        why=gettext("because you agreed to the access for “%(title)s”.") % _title(engagement),
        seal=scene.matter.seal,
    )


def agreed(scene: Scene, consent: Consent) -> Words:
    """To the consultants: the client said yes."""
    engagement, who = scene.engagement, consent.contact.user.name
    if engagement.status == EngagementStatus.INVITED or _waits_for_others(scene):
        return _agreed_in_part(scene, consent)
    return _to_practice(
        scene,
        subject=subject(gettext("%(client)s agreed") % _client(engagement), engagement.title),
        preview=gettext("%(name)s said yes. Switching on in AWS comes next.") % {"name": who},
        heading=gettext("%(client)s agreed") % _client(engagement),
        lines=(
            gettext("%(name)s agreed to the access for “%(title)s” on %(moment)s.")
            % {"name": who, "title": engagement.title, "moment": _moment(scene, consent.given_at)},
            gettext("Next, they switch it on in AWS. We look for it by ourselves and tell you."),
        ),
        facts=_three_facts(scene),
    )


def question(scene: Scene, remark: Remark) -> Words:
    """To the consultants: the client asks something."""
    engagement, who = scene.engagement, {"name": remark.author.name, **_client(scene.engagement)}
    return _to_practice(
        scene,
        subject=subject(gettext("%(client)s has a question") % who, engagement.title),
        preview=gettext("%(name)s asks. Answer on the project’s page.") % who,
        heading=gettext("%(name)s has a question") % who,
        lines=(
            gettext("%(name)s asks about “%(title)s”:") % {**who, **_title(engagement)},
            _quoted(remark.text),
        ),
        facts=_three_facts(scene),
        note=gettext("Answer on the project’s page: the client reads it there too."),
    )


def answer(scene: Scene, remark: Remark) -> Words:
    """To whoever asked."""
    engagement, who = scene.engagement, {"name": remark.author.name}
    return _to_client(
        scene,
        subject=subject(gettext("%(name)s answered") % who, engagement.title, engagement.practice.name),
        preview=gettext("The answer to your question."),
        heading=gettext("%(name)s answered") % who,
        lines=(
            gettext("%(name)s answered about “%(title)s”:") % {**who, **_title(engagement)},
            _quoted(remark.text),
        ),
        facts=_three_facts(scene),
        button=gettext("Open the project"),
        note=gettext("Nothing has changed by asking, and you can ask again."),
    )


def colleague(scene: Scene, referral: Referral) -> Words:
    """To the consultants: somebody else at the client has to answer. Nobody was added by it."""
    engagement = scene.engagement
    who = {"name": referral.contact.user.name, **_client(engagement)}
    return _to_practice(
        scene,
        subject=subject(gettext("%(client)s: somebody else has to agree") % who, engagement.title),
        preview=gettext("%(name)s named a colleague. Nobody was added yet.") % who,
        heading=gettext("Somebody else has to agree"),
        lines=(
            gettext("%(name)s says that a colleague has to answer about “%(title)s”.")
            % {**who, **_title(engagement)},
            gettext("Nobody was added yet. Make sure that the address is right, then add them as a contact."),
        ),
        facts=(
            Fact(name=gettext("Name"), value=referral.name),
            Fact(name=gettext("Address"), value=referral.email),
        ),
    )


def _quoted(text: str) -> str:
    """On one line: where it begins and ends is seen."""
    return f"“{' '.join(text.split())}”"


def _agreed_in_part(scene: Scene, consent: Consent) -> Words:
    """To the consultants: one of several."""
    engagement = scene.engagement
    who = {"name": consent.contact.user.name, **_client(engagement)}
    return _to_practice(
        scene,
        subject=subject(gettext("%(name)s of %(client)s agreed") % who, engagement.title),
        preview=gettext("Others there are still asked."),
        heading=gettext("%(name)s agreed") % who,
        lines=(
            gettext("%(name)s agreed to the access for “%(title)s” on %(moment)s.")
            % {**who, "title": engagement.title, "moment": _moment(scene, consent.given_at)},
            gettext("%(needed)s people at %(client)s have to agree. Nothing happens before.")
            % {"needed": engagement.approvals_needed, **who},
        ),
        facts=_three_facts(scene),
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
    return _to_client(
        scene,
        subject=subject(gettext("%(name)s agreed") % who, engagement.title, engagement.practice.name),
        preview=whole if is_whole else waiting,
        heading=gettext("%(name)s agreed") % who,
        lines=(
            gettext("%(name)s agreed to the access for “%(title)s”.") % {**who, **_title(engagement)},
            whole if is_whole else waiting,
        ),
        facts=_three_facts(scene),
        button=gettext("Open the project"),
        note=gettext("You can say no, or end it, at any time. You don’t need a reason."),
    )


def declined(scene: Scene) -> Words:
    """To the consultants: the client said no. To colleagues of whoever did, where several had to agree."""
    engagement = scene.engagement
    if scene.reader.is_client:
        said = gettext("%(name)s said no") % {"name": _mover(scene)}
        return _to_client(
            scene,
            subject=subject(said, engagement.title, engagement.practice.name),
            preview=gettext("Nothing was created in AWS."),
            heading=said,
            lines=(
                gettext("%(name)s said no to the access for “%(title)s”. Nothing was created in AWS.")
                % {"name": _mover(scene), "title": engagement.title},
                gettext("That ended it for everybody who was asked."),
            ),
            facts=_said(scene),
            button=gettext("Open the project"),
            note=gettext("You have nothing to do."),
        )
    return _to_practice(
        scene,
        subject=subject(gettext("%(client)s said no") % _client(engagement), engagement.title),
        preview=gettext("Nothing was created in AWS."),
        heading=gettext("%(client)s said no") % _client(engagement),
        lines=(
            gettext("%(name)s said no to the access for “%(title)s”. Nothing was created in AWS.")
            % {"name": _mover(scene), "title": engagement.title},
        ),
        facts=_said(scene),
    )


def change_asked(scene: Scene, change: ScopeChange) -> Words:
    """To the approvers: what is on is to be changed, and goes on until they say so."""
    engagement = scene.engagement
    return _to_client(
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
        facts=_facts_of_change(scene, change),
        button=gettext("Review the change"),
        note=gettext("Nothing changes until you agree and update it in AWS, too."),
        page="change",
    )


def change_declined(scene: Scene, change: ScopeChange) -> Words:
    """To the consultants: things stay as they are."""
    who = change.moved_by.name if change.moved_by else scene.engagement.client.name
    note = " ".join(change.moved_note.split())
    return _to_practice(
        scene,
        subject=subject(
            gettext("%(client)s keeps the access as it is") % _client(scene.engagement),
            scene.engagement.title,
        ),
        preview=gettext("What was agreed before goes on."),
        heading=gettext("%(client)s keeps the access as it is") % _client(scene.engagement),
        lines=(
            gettext("%(name)s said no to the change.") % {"name": who},
            gettext("What was agreed before goes on. Nothing was touched in AWS."),
        ),
        facts=(_account(scene.engagement), *((Fact(name=gettext("Reason"), value=note),) if note else ())),
    )


def changed(scene: Scene, change: ScopeChange) -> Words:
    """To both: AWS has it now."""
    engagement = scene.engagement
    told = gettext("AWS has confirmed it: the access is exactly what was agreed.")
    if not scene.reader.is_client:
        return _to_practice(
            scene,
            subject=subject(gettext("The change holds: %(client)s") % _client(engagement), engagement.title),
            preview=told,
            heading=gettext("The change holds now"),
            lines=(told, gettext("You can work with it from now on.")),
            facts=_facts_of_change(scene, change),
        )
    return _to_client(
        scene,
        subject=subject(gettext("The change holds now"), engagement.title, engagement.practice.name),
        preview=gettext("You have nothing more to do."),
        heading=gettext("The change holds now"),
        lines=(told, gettext("What you agreed to before no longer holds.")),
        facts=_facts_of_change(scene, change),
        button=gettext("See the access"),
        note=gettext("You can pause or end it at any time."),
    )


def order_arrived(scene: Scene) -> Words:
    """To the consultants: somebody bought something, and a draft waits for them."""
    engagement = scene.engagement
    order = Fact(name=gettext("Order"), value=engagement.contract_reference or gettext("no number"))
    return _to_practice(
        scene,
        subject=subject(gettext("New order: %(client)s") % _client(engagement), engagement.title),
        preview=gettext("A draft is ready. The client sees nothing until you send it."),
        heading=gettext("New order: %(client)s") % _client(engagement),
        lines=(
            gettext("%(client)s ordered “%(title)s”. The portal made a draft of it from your template.")
            % {**_client(engagement), **_title(engagement)},
            gettext("Look it over, then send it. The client sees nothing before that."),
        ),
        facts=(order, *_three_facts(scene)),
    )


def access_on(scene: Scene) -> Words:
    """To both: AWS has confirmed the access."""
    engagement = scene.engagement
    about = {"names": _first_names(scene), "look": _verb(engagement), "client": engagement.client.name}
    told = gettext("AWS has confirmed it: the access is exactly what was agreed.")
    if not scene.reader.is_client:
        return _to_practice(
            scene,
            subject=subject(gettext("Access is on: %(client)s") % about, engagement.title),
            preview=told,
            heading=gettext("Access is on"),
            lines=(
                gettext("%(client)s switched on the access for “%(title)s”. You can go in from now on.")
                % {**about, **_title(engagement)},
                told,
            ),
            facts=_three_facts(scene),
        )
    return _to_client(
        scene,
        subject=subject(gettext("Access is on"), engagement.title, engagement.practice.name),
        preview=gettext("You have nothing more to do."),
        heading=gettext("Access is on"),
        lines=(
            told,
            gettext("%(names)s can %(look)s your AWS account now. They can’t change anything.") % about
            if _is_look_only(engagement)
            else gettext("%(names)s can %(look)s your AWS account now, as you agreed.") % about,
        ),
        facts=_three_facts(scene),
        button=gettext("See the access"),
        note=gettext(
            "You see every visit there. It ends by itself, and you can pause or end it sooner at any time."
        ),
    )


def paused(scene: Scene) -> Words:
    """To both: no new visits for now."""
    engagement = scene.engagement
    by_whom = gettext("%(name)s paused the access.") % {"name": _mover(scene)}
    lines = (
        gettext("You paused the access.") if _is_own_move(scene) else by_whom,
        gettext("No new visit can start. A visit that is still open ends by itself; the page shows when."),
    )
    facts = (*_said(scene), *_since(scene, gettext("Paused on"), engagement.paused_at))
    if scene.reader.is_client:
        return _to_client(
            scene,
            subject=subject(gettext("Access is paused"), engagement.title, engagement.practice.name),
            preview=gettext("No new visit can start."),
            heading=gettext("Access is paused"),
            lines=lines,
            facts=facts,
            button=gettext("See the access"),
            note=gettext("You can switch it back on, or end it, whenever you like."),
        )
    return _to_practice(
        scene,
        subject=subject(gettext("Access is paused: %(client)s") % _client(engagement), engagement.title),
        preview=gettext("No new visit can start."),
        heading=gettext("Access is paused"),
        lines=lines,
        facts=facts,
        note=gettext("Only the client can switch it back on.")
        if scene.moved_by_client
        else gettext("You can switch it back on in the console, and so can the client."),
    )


def resumed(scene: Scene) -> Words:
    """To both: visits may start again."""
    engagement = scene.engagement
    by_whom = gettext("%(name)s switched the access back on.") % {"name": _mover(scene)}
    lines = (
        gettext("You switched the access back on.") if _is_own_move(scene) else by_whom,
        gettext("The permissions and the end date are the same as before."),
    )
    if scene.reader.is_client:
        return _to_client(
            scene,
            subject=subject(gettext("Access is back on"), engagement.title, engagement.practice.name),
            preview=gettext("Same permissions, same end date."),
            heading=gettext("Access is back on"),
            lines=lines,
            facts=_three_facts(scene),
            button=gettext("See the access"),
            note=gettext("You can pause or end it again at any time."),
        )
    return _to_practice(
        scene,
        subject=subject(gettext("Access is back on: %(client)s") % _client(engagement), engagement.title),
        preview=gettext("Same permissions, same end date."),
        heading=gettext("Access is back on"),
        lines=lines,
        facts=_three_facts(scene),
    )


def problem(scene: Scene) -> Words:
    """To both: AWS refused, or the access is not what was agreed. The page knows how it stands now."""
    engagement = scene.engagement
    found = gettext("At our last check, AWS refused us, or the access was not what was agreed.")
    safe = gettext("No visit can start through it until it is put right.")
    if scene.reader.is_client:
        return _to_client(
            scene,
            subject=subject(gettext("The access needs a look"), engagement.title, engagement.practice.name),
            preview=safe,
            heading=gettext("There is a problem with the access"),
            lines=(found, safe),
            facts=_three_facts(scene),
            button=gettext("See what happened"),
            note=gettext("The page shows what we found and what you can do. %(name)s knows too.")
            % {"name": scene.host_first_name},
        )
    return _to_practice(
        scene,
        subject=subject(
            gettext("Problem with the access: %(client)s") % _client(engagement), engagement.title
        ),
        preview=safe,
        heading=gettext("There is a problem with the access"),
        lines=(found, safe),
        facts=_three_facts(scene),
        note=gettext("The client is told too, and sees how to put it right."),
    )


def rings(scene: Scene, ring: Doorbell) -> Words:
    """To who may agree: somebody wants to come in. The mail opens nothing; the page asks."""
    who = {"name": ring.consultant_name}
    return _to_client(
        scene,
        subject=subject(
            gettext("%(name)s asks to come in") % who, scene.engagement.title, scene.engagement.practice.name
        ),
        preview=gettext("Nobody gets in before one of you says yes."),
        heading=gettext("%(name)s asks to come in") % who,
        lines=(
            gettext("%(name)s would like to go into your AWS account, to:") % who,
            _quoted(ring.reason),
            gettext("Nobody gets in before one of you says yes. After an hour the question is over."),
        ),
        facts=_three_facts(scene),
        button=gettext("Answer"),
        note=gettext("If you do nothing, nobody comes in."),
        page="door",
    )


def door_answered(scene: Scene, ring: Doorbell, *, let_in: bool) -> Words:
    """To who rang."""
    by = ring.answered_by.name if ring.answered_by else scene.engagement.client.name
    who = {"name": by, **_client(scene.engagement)}
    heading = (gettext("%(name)s lets you in") if let_in else gettext("%(name)s says: not now")) % who
    what = (
        gettext("Open AWS from the project’s page. It holds for an hour, for one visit.")
        if let_in
        else gettext("Nothing was opened. Talk to them, or ring again later.")
    )
    return _to_practice(
        scene,
        subject=subject(heading, scene.engagement.title),
        preview=what,
        heading=heading,
        lines=(what, _quoted(ring.reason)),
        facts=_three_facts(scene),
    )


def came_in_unasked(scene: Scene, ring: Doorbell) -> Words:
    """To both, at once: somebody went in without being let in, as was agreed for an emergency."""
    who = {"name": ring.consultant_name, **_client(scene.engagement)}
    agreed = gettext("It was agreed that this is possible in an emergency, and that you are told at once.")
    heading = gettext("%(name)s went in without asking: an emergency") % who
    lines = (gettext("%(name)s gave this reason:") % who, _quoted(ring.reason))
    if scene.reader.is_client:
        return _to_client(
            scene,
            subject=subject(
                gettext("Emergency visit by %(name)s") % who,
                scene.engagement.title,
                scene.engagement.practice.name,
            ),
            preview=heading,
            heading=heading,
            lines=(*lines, agreed),
            facts=_three_facts(scene),
            button=gettext("See the visit"),
            note=gettext("If this was no emergency, pause the access and talk to us."),
        )
    return _to_practice(
        scene,
        subject=subject(gettext("Emergency visit at %(client)s") % who, scene.engagement.title),
        preview=heading,
        heading=heading,
        lines=(*lines, gettext("The client was told at once.")),
        facts=_three_facts(scene),
    )


def not_switched_on(scene: Scene) -> Words:
    """To both: agreed seven days ago, and not in AWS yet. Nothing ends by it, but nobody looks for it any more."""
    engagement = scene.engagement
    told = gettext("We looked for the access in AWS for 7 days. It isn’t there yet.")
    if scene.reader.is_client:
        return _to_client(
            scene,
            subject=subject(
                gettext("Access is not switched on yet"), engagement.title, engagement.practice.name
            ),
            preview=told,
            heading=gettext("Access is not switched on yet"),
            lines=(told, gettext("Nothing is at risk: nobody can go in, and what you agreed to stays.")),
            facts=_three_facts(scene),
            button=gettext("Switch on access"),
            note=gettext("Did you do it by now? Press “Check now” on that page. %(name)s can help.")
            % {"name": scene.host_first_name},
        )
    return _to_practice(
        scene,
        subject=subject(gettext("Not switched on yet: %(client)s") % _client(engagement), engagement.title),
        preview=told,
        heading=gettext("Access is not switched on yet"),
        lines=(
            told,
            gettext("We look again when somebody presses “Check now”, or when their stack tells us."),
        ),
        facts=_three_facts(scene),
        note=gettext("The client is told too. Ask them whether they need help."),
    )


def key_step(scene: Scene, *, is_first: bool) -> Words:
    """To the client: one of the two small steps in AWS by which the access gets a new key. Nothing breaks meanwhile."""
    engagement = scene.engagement
    add = gettext("Please let AWS accept the new key, too.")
    drop = gettext("Please take the key away that is no longer used.")
    return _to_client(
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
        facts=_three_facts(scene),
        button=gettext("Open the step"),
        note=gettext("The access goes on working until you do it. It takes about two minutes."),
        page="key",
    )


def key_done(scene: Scene) -> Words:
    """To both: only the new key opens, and AWS was seen to refuse the old one."""
    engagement = scene.engagement
    said = gettext("Only the new key opens the access. We tried the old one, and AWS refused it.")
    if scene.reader.is_client:
        return _to_client(
            scene,
            subject=subject(gettext("The new key is in place"), engagement.title, engagement.practice.name),
            preview=said,
            heading=gettext("The new key is in place"),
            lines=(said, gettext("You have nothing more to do.")),
            facts=_three_facts(scene),
            button=gettext("Open the project"),
            note=gettext("You can pause or end the access at any time. You don’t need a reason."),
        )
    return _to_practice(
        scene,
        subject=subject(
            gettext("The new key is in place: %(client)s") % _client(engagement), engagement.title
        ),
        preview=said,
        heading=gettext("The new key is in place"),
        lines=(said, gettext("You have nothing more to do.")),
        facts=_three_facts(scene),
    )


def ended(scene: Scene) -> Words:
    """To both: it is over, and the client is asked to delete the role."""
    engagement = scene.engagement
    facts = (*_said(scene), *_since(scene, gettext("Ended on"), engagement.closing_at))
    if scene.reader.is_client:
        return _to_client(
            scene,
            subject=subject(gettext("Access has ended"), engagement.title, engagement.practice.name),
            preview=gettext("One step is left: delete it in AWS."),
            heading=gettext("The access has ended"),
            lines=(
                _who_ended(scene) + " " + gettext("No new visit can start."),
                gettext("One step is left for you: delete the access in AWS. It takes about a minute.")
                if engagement.activated_at
                else gettext("If you had switched it on in AWS already, delete it there."),
            ),
            facts=facts,
            button=gettext("Close this project"),
            note=gettext("After that we check that AWS lets nobody in, and send you the proof."),
        )
    return _to_practice(
        scene,
        subject=subject(gettext("Access has ended: %(client)s") % _client(engagement), engagement.title),
        preview=gettext("No new visit can start."),
        heading=gettext("The access has ended"),
        lines=(
            _who_ended(scene) + " " + gettext("No new visit can start."),
            gettext("The client is asked to delete the access in AWS. We tell you once it is proved gone."),
        ),
        facts=facts,
    )


def joins(scene: Scene, row: Assignment) -> Words:
    """To both: one more person works on it, or looks on."""
    who = {"name": row.consultant.name, **_title(scene.engagement), **_client(scene.engagement)}
    if row.role == AssignmentRole.OBSERVER:
        heading, what = gettext("%(name)s looks on"), gettext("They read along here and can’t get into AWS.")
    else:
        heading, what = gettext("%(name)s works on it too"), gettext("They can go in as the others can.")
    return _of_staff(
        scene,
        row,
        heading=heading % who,
        lines=(gettext("%(name)s joins the project “%(title)s”.") % who, what),
        facts=_staff_facts(scene, row),
    )


def leads(scene: Scene, row: Assignment, beside: Assignment | None, *, stays: bool) -> Words:
    """To both: somebody else leads, in whose place; `stays` says whether that one still works on it."""
    who = {"name": row.consultant.name, **_title(scene.engagement), **_client(scene.engagement)}
    before = gettext("%(name)s leads the project “%(title)s” from now on, and is the person to ask.") % who
    after = ""
    if beside is not None:
        after = (
            gettext("%(name)s led it before and still works on it.")
            if stays
            else gettext("%(name)s led it before, no longer works on it and can’t go in any more.")
        ) % {"name": beside.consultant.name}
    return _of_staff(
        scene,
        row,
        heading=gettext("%(name)s leads it now") % who,
        lines=(before, after) if after else (before,),
        facts=_staff_facts(scene, row),
    )


def leaves(scene: Scene, row: Assignment) -> Words:
    """To both: somebody is off it."""
    who = {"name": row.consultant.name, **_title(scene.engagement)}
    return _of_staff(
        scene,
        row,
        heading=gettext("%(name)s no longer works on it") % who,
        lines=(
            gettext("%(name)s left the project “%(title)s” and can start no new visit.") % who,
            gettext("A visit that is still open ends by itself; the page shows when."),
        ),
        facts=_since(scene, gettext("Left on"), row.ends_at),
    )


def _of_staff(
    scene: Scene, row: Assignment, *, heading: str, lines: tuple[str, ...], facts: tuple[Fact, ...]
) -> Words:
    engagement = scene.engagement
    if scene.reader.is_client:
        return _to_client(
            scene,
            subject=subject(heading, engagement.title, engagement.practice.name),
            preview=lines[0],
            heading=heading,
            lines=lines,
            facts=facts,
            button=gettext("Open the project"),
            note=gettext("What you were asked for stays as it is. You can pause or end it at any time.")
            if engagement.status != EngagementStatus.INVITED
            else gettext("Nothing happens until you agree."),
        )
    return _to_practice(
        scene,
        subject=subject(f"{heading}: {engagement.client.name}", engagement.title),
        preview=lines[0],
        heading=heading,
        lines=lines,
        facts=facts,
        note="" if row.consultant_id == scene.reader.user.pk else gettext("The client is told too."),
    )


def _staff_facts(scene: Scene, row: Assignment) -> tuple[Fact, ...]:
    from_when = _since(scene, gettext("From"), row.starts_at)
    until = row.ends_at or scene.engagement.ends_at
    return (*from_when, Fact(name=gettext("Until"), value=_day(scene, until)))


def closed(scene: Scene) -> Words:
    """To both: the access is proved to be gone."""
    engagement = scene.engagement
    told = gettext("We asked AWS to let us in, again and again. AWS refused each time.")
    facts = (_account(engagement), *_since(scene, gettext("Proved on"), engagement.closed_at))
    if scene.reader.is_client:
        return _to_client(
            scene,
            subject=subject(
                gettext("The access is gone: your certificate"), engagement.title, engagement.practice.name
            ),
            preview=told,
            heading=gettext("The access is gone"),
            lines=(
                gettext("%(practice)s can’t get into your AWS account any more.")
                % {"practice": engagement.practice.name},
                told,
                *([gettext("The signed certificate is attached.")] if scene.matter.document else []),
            ),
            facts=facts,
            button=gettext("Get your certificate"),
            page="certificate",
            note=gettext("You have nothing more to do. The certificate stays at this address."),
        )
    return _to_practice(
        scene,
        subject=subject(gettext("The access is gone: %(client)s") % _client(engagement), engagement.title),
        preview=told,
        heading=gettext("The access is gone"),
        lines=(
            gettext("You can’t get into the AWS account of %(client)s any more.") % _client(engagement),
            told,
        ),
        facts=facts,
    )


def subject(main: str, *more: str) -> str:
    """Who and what, and in brackets as much more as 78 characters hold."""
    for count in range(len(more), 0, -1):
        if len(whole := f"{main} ({', '.join(more[:count])})") <= SUBJECT_LENGTH:
            return whole
    return main if len(main) <= SUBJECT_LENGTH else main[: SUBJECT_LENGTH - 1].rstrip() + "…"


def zone_words(zone: ZoneInfo, moment: dt.datetime) -> str:
    """London time (GMT); Kolkata time (IST); UTC."""
    if zone.key in {"UTC", "Etc/UTC"}:
        return "UTC"
    local = moment.astimezone(zone)
    short = local.tzname() or ""
    shown = short if short.isalpha() else f"UTC{local.isoformat()[-6:]}"
    city = zone.key.rpartition("/")[2].replace("_", " ")
    return gettext("%(city)s time (%(short)s)") % {"city": city, "short": shown}


def _to_client(
    scene: Scene,
    *,
    subject: str,
    preview: str,
    heading: str,
    lines: Sequence[str],
    facts: tuple[Fact, ...],
    button: str,
    note: str,
    page: str = "front",
) -> Words:
    engagement = scene.engagement
    return Words(
        subject=subject,
        preview=preview,
        heading=heading,
        lines=tuple(Line(before=line) for line in lines),
        facts=facts,
        button=button,
        url=client_url(engagement, page),
        note=note,
        why=gettext("because you look after the project “%(title)s” at %(client)s.")
        % {**_title(engagement), **_client(engagement)},
    )


def _to_practice(
    scene: Scene,
    *,
    subject: str,
    preview: str,
    heading: str,
    lines: Sequence[str],
    facts: tuple[Fact, ...],
    note: str = "",
) -> Words:
    engagement = scene.engagement
    return Words(
        subject=subject,
        preview=preview,
        heading=heading,
        lines=tuple(Line(before=line) for line in lines),
        facts=facts,
        button=gettext("Open the project"),
        url=console_url(engagement),
        note=note,
        why=gettext("because you work on “%(title)s” for %(client)s.")
        % {**_title(engagement), **_client(engagement)},
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
    ) % {"names": _names(scene)}
    if _is_look_only(engagement):
        stress, after = gettext("look"), gettext("at the account. They won’t be able to change anything.")
    else:
        stress, after = gettext("work"), gettext("in the account. The page shows exactly what they can do.")
    return Line(before=f"{why} {need} ", stress=stress, after=f" {after}")


def _after_agreeing(scene: Scene, consent: Consent) -> tuple[Line, ...]:
    if consent.withdrawn_at is not None:
        moment = _moment(scene, consent.withdrawn_at)
        return (Line(before=gettext("It was taken back on %(moment)s.") % {"moment": moment}),)
    if scene.engagement.status == EngagementStatus.AGREED and not _waits_for_others(scene):
        return (Line(before=gettext("One step is left: switch the access on in AWS.")),)
    if scene.engagement.status == EngagementStatus.INVITED or _waits_for_others(scene):
        return (Line(before=gettext("Others at your company are still asked. Nothing happens before.")),)
    return ()


def _attached(scene: Scene) -> tuple[Line, ...]:
    if scene.matter.document is None:
        return ()
    return (Line(before=gettext("The signed receipt is attached. Keep it: anybody can check it with us.")),)


def _three_facts(scene: Scene) -> tuple[Fact, ...]:
    engagement = scene.engagement
    return (
        _account(engagement),
        Fact(name=gettext("Access"), value=_kind(engagement)),
        Fact(name=gettext("Until"), value=_day(scene, engagement.ends_at)),
    )


def _is_change(consent: Consent) -> bool:
    """Of an access that is on: one that asks for another account is switched on like the first."""
    return "change" in consent.offer.documents and not consent.offer.other_account


def _waits_for_others(scene: Scene) -> bool:
    change = scene.matter.change
    return change is not None and change.status == ChangeStatus.ASKED


def _onward(scene: Scene, consent: Consent, *, is_next: bool) -> str:
    if _waits_for_others(scene):
        return gettext("Open the project")
    if _is_change(consent):
        return gettext("Update it in AWS")
    return gettext("Switch on access") if is_next else gettext("See your receipt")


def _facts_of_consent(scene: Scene, consent: Consent) -> tuple[Fact, ...]:
    if _is_change(consent):
        return (_account(scene.engagement), *_facts_of_offer(scene, consent.offer))
    if consent.offer.other_account:
        return (account_fact(consent.account_id), *_facts_of_offer(scene, consent.offer))
    return _three_facts(scene)


def _facts_of_change(scene: Scene, change: ScopeChange) -> tuple[Fact, ...]:
    return (_account(scene.engagement), *_facts_of_offer(scene, change.offer))


def _facts_of_offer(scene: Scene, offer: Offer) -> tuple[Fact, ...]:
    """What this offer says, whether it holds already or not."""
    kind, ends_at = offer.documents["kind"], dt.datetime.fromisoformat(offer.documents["expires_at"])
    access = gettext("Look only") if kind == Kind.LOOK else gettext("Look and change")
    return (
        Fact(name=gettext("Access"), value=access),
        Fact(name=gettext("Until"), value=_day(scene, ends_at)),
    )


def account_fact(account_id: str, name: str = "") -> Fact:
    """An account that is not, or not yet, the engagement's own."""
    digits = gettext("ending %(digits)s") % {"digits": account_id[-4:]}
    return Fact(name=name or gettext("Account"), value=digits)


def _account(engagement: Engagement) -> Fact:
    """The name and the last four digits are enough to recognise it; a mail is no place for the whole number."""
    ending = gettext("ending %(digits)s") % {"digits": engagement.account_id[-4:]}
    known = [engagement.account_name, ending if engagement.account_id else ""]
    value = ", ".join(word for word in known if word)
    return Fact(name=gettext("Account"), value=value or gettext("you choose it when you agree"))


def _said(scene: Scene) -> tuple[Fact, ...]:
    """The words that a person gave for the move; the portal's own are no reason of anybody."""
    note, mover = " ".join(scene.engagement.moved_note.split()), scene.engagement.moved_by
    return (Fact(name=gettext("Reason"), value=note),) if note and mover else ()


def _since(scene: Scene, name: str, moment: dt.datetime | None) -> tuple[Fact, ...]:
    return (Fact(name=name, value=_moment(scene, moment)),) if moment else ()


def _who_ended(scene: Scene) -> str:
    if _is_own_move(scene):
        return gettext("You ended the access.")
    if scene.engagement.moved_by is None:
        return gettext("The agreed end has come.")
    return gettext("%(name)s ended the access.") % {"name": _mover(scene)}


def _is_own_move(scene: Scene) -> bool:
    return scene.engagement.moved_by_id == scene.reader.user.pk


def _mover(scene: Scene) -> str:
    """Who made the latest move; the portal moves by itself as well."""
    return scene.engagement.moved_by.name if scene.engagement.moved_by else gettext("The portal")


def _link_note(scene: Scene, invitation: Invitation) -> str:
    day = date_format(invitation.expires_at.astimezone(scene.zone), pgettext("date format", "l j F"))
    return gettext("The link is for you only and works until %(day)s.") % {"day": day}


def _is_look_only(engagement: Engagement) -> bool:
    """What was sent decides, whatever became of its profile since; what is not known is never called harmless."""
    offer = engagement.offers.filter(IN_FORCE).order_by("-number").first()
    profile = PROFILES.get(engagement.profile)
    kind = profile.kind if profile is not None else Kind.CHANGE
    return (offer.documents.get("kind", kind) if offer else kind) == Kind.LOOK


def _verb(engagement: Engagement) -> str:
    return gettext("look at") if _is_look_only(engagement) else gettext("work in")


def _kind(engagement: Engagement) -> str:
    return gettext("Look only") if _is_look_only(engagement) else gettext("Look and change")


def _names(scene: Scene) -> str:
    return joined([user.name for user in scene.team] or [scene.host_name])


def _first_names(scene: Scene) -> str:
    return joined([user.first_name for user in scene.team] or [scene.host_name])


def joined(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return gettext("%(first)s and %(last)s") % {"first": ", ".join(names[:-1]), "last": names[-1]}


def _day(scene: Scene, moment: dt.datetime) -> str:
    return date_format(moment.astimezone(scene.zone), pgettext("date format", "j F Y"))


def _moment(scene: Scene, moment: dt.datetime) -> str:
    """Friday 20 November 2026, 14:32, London time (GMT)."""
    told = date_format(moment.astimezone(scene.zone), pgettext("date format", "l j F Y, H:i"))
    return f"{told}, {zone_words(scene.zone, moment)}"


def _title(engagement: Engagement) -> dict[str, str]:
    return {"title": engagement.title}


def _client(engagement: Engagement) -> dict[str, str]:
    return {"client": engagement.client.name}
