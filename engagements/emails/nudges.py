"""The words of mails that somebody is waiting behind: reminders, the step in AWS handed on, mails that came back."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Final

from django.utils.dateformat import format as date_format
from django.utils.translation import gettext, gettext_lazy, pgettext

from accounts.models import Contact, Invitation
from engagements.emails.client_words import asking
from engagements.emails.scenes import Scene
from engagements.emails.words import (
    Fact,
    Line,
    Words,
    account_fact,
    client_of,
    link_note,
    moment_words,
    names_of,
    subject,
    three_facts,
    title_of,
    to_client,
    to_practice,
    verb_of,
)
from engagements.lifecycle import EngagementStatus
from engagements.models import Handover, Referral
from engagements.reminding import UNTIL_CONNECTED
from portal.kernel import clock
from portal.kernel.models import MailTrace

# RFC 3463, as far as a cause can be named; what a server says beside it stands in the console.
CAUSES: Final = (
    ("5.1.1", gettext_lazy("There is no such address.")),
    ("5.1.10", gettext_lazy("There is no such address.")),
    ("5.1.2", gettext_lazy("There is no such domain.")),
    ("5.1.", gettext_lazy("The address is not right.")),
    ("5.2.1", gettext_lazy("The mailbox is switched off.")),
    ("5.2.2", gettext_lazy("The mailbox is full.")),
    ("5.4.", gettext_lazy("The mail server was not reached.")),
    ("5.7.", gettext_lazy("The mail server refuses our mail, perhaps as spam.")),
    ("4.", gettext_lazy("The mail server did not take it for days.")),
)


def cause_of(trace: MailTrace) -> str:
    """Why a mail did not arrive, in words for consultants. Nothing is named that the status does not say."""
    found = next((words for start, words in CAUSES if _is_of(trace.status, start)), "")
    return str(found) or gettext("The mail server refused it.")


def _is_of(status: str, start: str) -> bool:
    return status.startswith(start) if start.endswith(".") else status == start


def ends_soon(scene: Scene) -> Words:
    """To both: the access ends by itself, when, and what comes then."""
    engagement = scene.engagement
    day = date_format(engagement.ends_at.astimezone(scene.zone), pgettext("date format", "l j F"))
    when = gettext("The access for “%(title)s” ends by itself on %(moment)s.") % {
        **title_of(engagement),
        "moment": moment_words(scene, engagement.ends_at),
    }
    after = gettext("After that, nobody can start a visit.")
    if scene.reader.is_client:
        return to_client(
            scene,
            subject=subject(
                gettext("Access ends on %(day)s") % {"day": day}, engagement.title, engagement.practice.name
            ),
            preview=after,
            heading=gettext("The access ends soon"),
            lines=(
                when,
                after
                + " "
                + gettext("We then ask you to delete the access in AWS, and prove that it is gone."),
            ),
            facts=three_facts(scene),
            button=gettext("See the access"),
            note=gettext("You have nothing to do now. You can end it sooner at any time."),
        )
    return to_practice(
        scene,
        subject=subject(
            gettext("Access ends on %(day)s: %(client)s") % {"day": day, **client_of(engagement)},
            engagement.title,
        ),
        preview=after,
        heading=gettext("The access ends soon"),
        lines=(when, after),
        facts=three_facts(scene),
        note=gettext("The client is told too. Is something left to do? Then ask them in time."),
    )


def unopened(scene: Scene, invitation: Invitation | None, url: str) -> Words:
    """To both: nobody has opened the invitation yet."""
    engagement = scene.engagement
    if scene.reader.is_client:
        return _asked_again(scene, invitation, url, gettext("The invitation has not been opened yet."))
    told = gettext("Nobody at %(client)s has opened the invitation to “%(title)s” yet.") % {
        **client_of(engagement),
        **title_of(engagement),
    }
    return _stuck(scene, gettext("%(client)s has not opened the invitation"), told, engagement.invited_at)


def unanswered(scene: Scene, invitation: Invitation | None, url: str) -> Words:
    """To both: it was opened, and there is no answer."""
    engagement = scene.engagement
    if scene.reader.is_client:
        return _asked_again(
            scene, invitation, url, gettext("There is no answer yet. You can say no as well.")
        )
    told = gettext("%(client)s has opened the invitation to “%(title)s”, and not answered yet.") % {
        **client_of(engagement),
        **title_of(engagement),
    }
    return _stuck(scene, gettext("%(client)s has not answered the invitation"), told, engagement.invited_at)


def unconnected(scene: Scene) -> Words:
    """To both: agreed, and not switched on in AWS."""
    engagement = scene.engagement
    if not scene.reader.is_client:
        told = gettext("%(client)s agreed to “%(title)s”, and has not switched it on in AWS yet.") % {
            **client_of(engagement),
            **title_of(engagement),
        }
        return _stuck(
            scene,
            gettext("%(client)s has not switched on the access"),
            told,
            engagement.agreed_at,
            _search(scene),
        )
    left = gettext("One step is left: switch the access on in AWS. It takes about two minutes.")
    return to_client(
        scene,
        subject=subject(
            gettext("Reminder: one step is left in AWS"), engagement.title, engagement.practice.name
        ),
        preview=gettext("Nothing is switched on until then."),
        heading=gettext("One step is left in AWS"),
        lines=(
            left,
            gettext("Can’t sign in to AWS as an administrator? The page sends the step to a colleague."),
            *_search(scene),
        ),
        facts=three_facts(scene),
        button=gettext("Switch on access"),
        note=gettext("Nothing is switched on until then, and nobody can come in."),
    )


def _search(scene: Scene) -> tuple[str, ...]:
    """After a week the portal looks less often, and says so."""
    agreed_at = scene.engagement.agreed_at
    if agreed_at is None or clock.now() < agreed_at + UNTIL_CONNECTED[-1] - dt.timedelta(hours=1):
        return ()
    return (
        gettext(
            "We have looked for it for 7 days. From now on we look four times a day, and when you ask us to."
        ),
    )


def handover(scene: Scene, row: Handover, invitation: Invitation, url: str) -> Words:
    """To a colleague: who asks them for the step in AWS, and what it is."""
    engagement, asker = scene.engagement, row.contact.user
    who = {"name": asker.name, "first": asker.first_name, **client_of(engagement), **title_of(engagement)}
    told = {
        **who,
        "names": names_of(scene),
        "practice": engagement.practice.name,
        "look": verb_of(engagement),
    }
    return Words(
        subject=subject(
            gettext("%(name)s asks you to switch on access in AWS") % who, engagement.practice.name
        ),
        preview=gettext("One step in AWS, about two minutes. The page shows what it creates."),
        heading=gettext("%(first)s asks you to switch on access in AWS") % who,
        lines=(
            Line(
                before=gettext(
                    "%(name)s of %(client)s agreed that %(names)s of %(practice)s may %(look)s an AWS account."
                )
                % told
            ),
            Line(
                before=gettext(
                    "One step is left, in AWS, and %(first)s asks you to do it. "
                    "The page shows what it creates before you start."
                )
                % who
            ),
        ),
        facts=(Fact(name=gettext("Asked by"), value=f"{asker.name}, {asker.email}"), *three_facts(scene)),
        button=gettext("See what to do"),
        url=url,
        note=gettext("The page opens this one step and nothing else.") + " " + link_note(scene, invitation),
        why=gettext("because %(name)s named you for the step in AWS.") % who,
        doubt=gettext("Ask %(first)s in person before you press anything.") % who,
    )


def bounced(scene: Scene, contact: Contact, trace: MailTrace) -> Words:
    """To the consultants: a person at the client gets no mail."""
    engagement, who = scene.engagement, {"name": contact.user.name, **client_of(scene.engagement)}
    return to_practice(
        scene,
        subject=subject(gettext("Mail to %(name)s came back: %(client)s") % who, engagement.title),
        preview=gettext("They may not know that you asked."),
        heading=gettext("Mail to %(name)s came back") % who,
        lines=(
            gettext("A mail to %(name)s of %(client)s did not arrive. They may not know that you asked.")
            % who,
            gettext("Check the address with them, then send it again from their page in the console."),
        ),
        facts=(
            Fact(name=gettext("Address"), value=trace.address),
            Fact(name=gettext("Why"), value=cause_of(trace)),
            account_fact(engagement),
        ),
    )


def misdirected(scene: Scene, row: Referral) -> Words:
    """To the consultants: the invitation came to somebody else."""
    engagement, who = scene.engagement, {"name": row.contact.user.name, **client_of(scene.engagement)}
    return to_practice(
        scene,
        subject=subject(gettext("%(client)s: the invitation came to somebody else") % who, engagement.title),
        preview=gettext("The link was switched off. Nobody was added."),
        heading=gettext("The invitation came to somebody else"),
        lines=(
            gettext(
                "Whoever got the invitation for %(name)s says that it is not theirs. The link was switched off."
            )
            % who,
            gettext(
                "They saw nothing of the project. Nobody was added: make sure of the address, then invite again."
            ),
        ),
        facts=(
            Fact(name=gettext("Sent to"), value=row.contact.user.email),
            Fact(name=gettext("Meant for"), value=row.email),
        ),
    )


def _asked_again(scene: Scene, invitation: Invitation | None, url: str, line: str) -> Words:
    """The question once more, with the link that works still, or with the way by a code."""
    engagement, host = scene.engagement, scene.host_name
    named = {"name": host, "look": verb_of(engagement)}
    told = gettext("Reminder: %(name)s asks to %(look)s your AWS account") % named
    if invitation is not None:
        first = asking(scene, invitation, url)
        again = Line(before=line)
        return replace(
            first,
            subject=subject(told, engagement.practice.name, engagement.title),
            lines=(again, *first.lines),
        )
    return to_client(
        scene,
        subject=subject(told, engagement.practice.name, engagement.title),
        preview=gettext("Nothing happens until you agree."),
        heading=gettext("%(name)s asks to %(look)s your AWS account")
        % {**named, "name": scene.host_first_name},
        lines=(line,),
        facts=three_facts(scene),
        button=gettext("Review what they can see"),
        note=gettext("Nothing happens until you agree. You sign in with a code that we mail you."),
    )


def _stuck(
    scene: Scene, heading: str, told: str, since: dt.datetime | None, more: tuple[str, ...] = ()
) -> Words:
    """To the consultants: what waits, since when, and what they can do about it."""
    engagement = scene.engagement
    named = heading % client_of(engagement)
    waiting = Fact(name=gettext("Since"), value=moment_words(scene, since)) if since else None
    return to_practice(
        scene,
        subject=subject(named, engagement.title),
        preview=told,
        heading=named,
        lines=(told, *more),
        facts=(*([waiting] if waiting else []), *three_facts(scene)),
        note=gettext("We have reminded them too. You can send it again, or call.")
        if engagement.status == EngagementStatus.INVITED
        else gettext("We have reminded them too. A call often helps."),
    )
