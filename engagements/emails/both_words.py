"""The words of the mails that both sides read, each in their own."""

from __future__ import annotations

from django.utils.translation import gettext

from engagements.emails.scenes import Scene
from engagements.emails.words import (
    Fact,
    Words,
    account_fact,
    client_of,
    facts_of_change,
    is_look_only,
    quoted,
    since_fact,
    subject,
    three_facts,
    title_of,
    to_client,
    to_practice,
    verb_of,
)
from engagements.models import Doorbell, ScopeChange
from portal.kernel.languages import spelling


def declined(scene: Scene) -> Words:
    """To the consultants: the client said no. To colleagues of whoever did, where several had to agree."""
    engagement = scene.engagement
    if scene.reader.is_client:
        said = gettext("%(name)s said no") % {"name": _mover(scene)}
        return to_client(
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
    return to_practice(
        scene,
        subject=subject(gettext("%(client)s said no") % client_of(engagement), engagement.title),
        preview=gettext("Nothing was created in AWS."),
        heading=gettext("%(client)s said no") % client_of(engagement),
        lines=(
            gettext("%(name)s said no to the access for “%(title)s”. Nothing was created in AWS.")
            % {"name": _mover(scene), "title": engagement.title},
        ),
        facts=_said(scene),
    )


def changed(scene: Scene, change: ScopeChange) -> Words:
    """To both: AWS has it now."""
    engagement = scene.engagement
    told = gettext("AWS has confirmed it: the access is exactly what was agreed.")
    if not scene.reader.is_client:
        return to_practice(
            scene,
            subject=subject(
                gettext("The change holds: %(client)s") % client_of(engagement), engagement.title
            ),
            preview=told,
            heading=gettext("The change holds now"),
            lines=(told, gettext("You can work with it from now on.")),
            facts=facts_of_change(scene, change),
        )
    return to_client(
        scene,
        subject=subject(gettext("The change holds now"), engagement.title, engagement.practice.name),
        preview=gettext("You have nothing more to do."),
        heading=gettext("The change holds now"),
        lines=(told, gettext("What you agreed to before no longer holds.")),
        facts=facts_of_change(scene, change),
        button=gettext("See the access"),
        note=gettext("You can pause or end it at any time."),
    )


def access_on(scene: Scene) -> Words:
    """To both: AWS has confirmed the access."""
    engagement = scene.engagement
    about = {"names": _first_names(scene), "look": verb_of(engagement), "client": engagement.client.name}
    told = gettext("AWS has confirmed it: the access is exactly what was agreed.")
    if not scene.reader.is_client:
        return to_practice(
            scene,
            subject=subject(gettext("Access is on: %(client)s") % about, engagement.title),
            preview=told,
            heading=gettext("Access is on"),
            lines=(
                gettext("%(client)s switched on the access for “%(title)s”. You can go in from now on.")
                % {**about, **title_of(engagement)},
                told,
            ),
            facts=three_facts(scene),
        )
    return to_client(
        scene,
        subject=subject(gettext("Access is on"), engagement.title, engagement.practice.name),
        preview=gettext("You have nothing more to do."),
        heading=gettext("Access is on"),
        lines=(
            told,
            gettext("%(names)s can %(look)s your AWS account now. They can’t change anything.") % about
            if is_look_only(engagement)
            else gettext("%(names)s can %(look)s your AWS account now, as you agreed.") % about,
        ),
        facts=three_facts(scene),
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
    facts = (*_said(scene), *since_fact(scene, gettext("Paused on"), engagement.paused_at))
    if scene.reader.is_client:
        return to_client(
            scene,
            subject=subject(gettext("Access is paused"), engagement.title, engagement.practice.name),
            preview=gettext("No new visit can start."),
            heading=gettext("Access is paused"),
            lines=lines,
            facts=facts,
            button=gettext("See the access"),
            note=gettext("You can switch it back on, or end it, whenever you like."),
        )
    return to_practice(
        scene,
        subject=subject(gettext("Access is paused: %(client)s") % client_of(engagement), engagement.title),
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
        return to_client(
            scene,
            subject=subject(gettext("Access is back on"), engagement.title, engagement.practice.name),
            preview=gettext("Same permissions, same end date."),
            heading=gettext("Access is back on"),
            lines=lines,
            facts=three_facts(scene),
            button=gettext("See the access"),
            note=gettext("You can pause or end it again at any time."),
        )
    return to_practice(
        scene,
        subject=subject(gettext("Access is back on: %(client)s") % client_of(engagement), engagement.title),
        preview=gettext("Same permissions, same end date."),
        heading=gettext("Access is back on"),
        lines=lines,
        facts=three_facts(scene),
    )


def problem(scene: Scene) -> Words:
    """To both: AWS refused, or the access is not what was agreed. The page knows how it stands now."""
    engagement = scene.engagement
    found = gettext("At our last check, AWS refused us, or the access was not what was agreed.")
    safe = gettext("No visit can start through it until it is put right.")
    if scene.reader.is_client:
        return to_client(
            scene,
            subject=subject(gettext("The access needs a look"), engagement.title, engagement.practice.name),
            preview=safe,
            heading=gettext("There is a problem with the access"),
            lines=(found, safe),
            facts=three_facts(scene),
            button=gettext("See what happened"),
            note=gettext("The page shows what we found and what you can do. %(name)s knows too.")
            % {"name": scene.host_first_name},
        )
    return to_practice(
        scene,
        subject=subject(
            gettext("Problem with the access: %(client)s") % client_of(engagement), engagement.title
        ),
        preview=safe,
        heading=gettext("There is a problem with the access"),
        lines=(found, safe),
        facts=three_facts(scene),
        note=gettext("The client is told too, and sees how to put it right."),
    )


def came_in_unasked(scene: Scene, ring: Doorbell) -> Words:
    """To both, at once: somebody went in without being let in, as was agreed for an emergency."""
    who = {"name": ring.consultant_name, **client_of(scene.engagement)}
    agreed = gettext("It was agreed that this is possible in an emergency, and that you are told at once.")
    heading = gettext("%(name)s went in without asking: an emergency") % who
    lines = (gettext("%(name)s gave this reason:") % who, quoted(ring.reason))
    if scene.reader.is_client:
        return to_client(
            scene,
            subject=subject(
                gettext("Emergency visit by %(name)s") % who,
                scene.engagement.title,
                scene.engagement.practice.name,
            ),
            preview=heading,
            heading=heading,
            lines=(*lines, agreed),
            facts=three_facts(scene),
            button=gettext("See the visit"),
            note=gettext("If this was no emergency, pause the access and talk to us."),
        )
    return to_practice(
        scene,
        subject=subject(gettext("Emergency visit at %(client)s") % who, scene.engagement.title),
        preview=heading,
        heading=heading,
        lines=(*lines, gettext("The client was told at once.")),
        facts=three_facts(scene),
    )


def not_switched_on(scene: Scene) -> Words:
    """To both: agreed seven days ago, and not in AWS yet. Nothing ends by it, but nobody looks for it any more."""
    engagement = scene.engagement
    told = gettext("We looked for the access in AWS for 7 days. It isn’t there yet.")
    if scene.reader.is_client:
        return to_client(
            scene,
            subject=subject(
                gettext("Access is not switched on yet"), engagement.title, engagement.practice.name
            ),
            preview=told,
            heading=gettext("Access is not switched on yet"),
            lines=(told, gettext("Nothing is at risk: nobody can go in, and what you agreed to stays.")),
            facts=three_facts(scene),
            button=gettext("Switch on access"),
            note=gettext("Did you do it by now? Press “Check now” on that page. %(name)s can help.")
            % {"name": scene.host_first_name},
        )
    return to_practice(
        scene,
        subject=subject(gettext("Not switched on yet: %(client)s") % client_of(engagement), engagement.title),
        preview=told,
        heading=gettext("Access is not switched on yet"),
        lines=(
            told,
            gettext("We look again when somebody presses “Check now”, or when their stack tells us."),
        ),
        facts=three_facts(scene),
        note=gettext("The client is told too. Ask them whether they need help."),
    )


def key_done(scene: Scene) -> Words:
    """To both: only the new key opens, and AWS was seen to refuse the old one."""
    engagement = scene.engagement
    said = gettext("Only the new key opens the access. We tried the old one, and AWS refused it.")
    if scene.reader.is_client:
        return to_client(
            scene,
            subject=subject(gettext("The new key is in place"), engagement.title, engagement.practice.name),
            preview=said,
            heading=gettext("The new key is in place"),
            lines=(said, gettext("You have nothing more to do.")),
            facts=three_facts(scene),
            button=gettext("Open the project"),
            note=gettext("You can pause or end the access at any time. You don’t need a reason."),
        )
    return to_practice(
        scene,
        subject=subject(
            gettext("The new key is in place: %(client)s") % client_of(engagement), engagement.title
        ),
        preview=said,
        heading=gettext("The new key is in place"),
        lines=(said, gettext("You have nothing more to do.")),
        facts=three_facts(scene),
    )


def ended(scene: Scene) -> Words:
    """To both: it is over, and the client is asked to delete the role."""
    engagement = scene.engagement
    facts = (*_said(scene), *since_fact(scene, gettext("Ended on"), engagement.closing_at))
    if scene.reader.is_client:
        return to_client(
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
    return to_practice(
        scene,
        subject=subject(gettext("Access has ended: %(client)s") % client_of(engagement), engagement.title),
        preview=gettext("No new visit can start."),
        heading=gettext("The access has ended"),
        lines=(
            _who_ended(scene) + " " + gettext("No new visit can start."),
            gettext("The client is asked to delete the access in AWS. We tell you once it is proved gone."),
        ),
        facts=facts,
    )


def closed(scene: Scene) -> Words:
    """To both: the access is proved to be gone."""
    engagement = scene.engagement
    told = gettext("We asked AWS to let us in, again and again. AWS refused each time.")
    facts = (account_fact(engagement), *since_fact(scene, gettext("Proved on"), engagement.closed_at))
    if scene.reader.is_client:
        return to_client(
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
    return to_practice(
        scene,
        subject=subject(gettext("The access is gone: %(client)s") % client_of(engagement), engagement.title),
        preview=told,
        heading=gettext("The access is gone"),
        lines=(
            gettext("You can’t get into the AWS account of %(client)s any more.") % client_of(engagement),
            told,
        ),
        facts=facts,
    )


def _said(scene: Scene) -> tuple[Fact, ...]:
    """The words that a person gave for the move; the portal's own are no reason of anybody."""
    note, mover = " ".join(scene.engagement.moved_note.split()), scene.engagement.moved_by
    return (Fact(name=gettext("Reason"), value=note),) if note and mover else ()


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


def _first_names(scene: Scene) -> str:
    return spelling.joined([user.first_name for user in scene.team] or [scene.host_name])
