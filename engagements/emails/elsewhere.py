"""The words about another AWS account than the agreed one: asked for, refused, and to be agreed to."""

from __future__ import annotations

from django.utils.translation import gettext

from engagements.emails.scenes import Scene, client_url, console_url
from engagements.emails.words import Fact, Line, Words, other_account_fact, subject
from engagements.models import AccountWish, ScopeChange


def wished(scene: Scene, wish: AccountWish) -> Words:
    """To the consultants: the client asks to use another account. It waits for them."""
    engagement = scene.engagement
    who = {"name": wish.contact.user.name, "client": engagement.client.name, "title": engagement.title}
    return Words(
        subject=subject(gettext("%(client)s asks to use another AWS account") % who, engagement.title),
        preview=gettext("Nothing is switched on there. Confirm it, or say why not."),
        heading=gettext("%(client)s asks to use another AWS account") % who,
        lines=(
            Line(
                before=gettext("%(name)s asks to use another account for “%(title)s” than was agreed.") % who
            ),
            Line(
                before=gettext(
                    "If you confirm it, they are asked to agree to that account. Nothing is switched on before."
                )
            ),
        ),
        facts=_both(wish.account_id, wish.instead_of),
        button=gettext("Open the project"),
        url=console_url(engagement),
        note=gettext("Make sure with them that the account is theirs before you confirm it."),
        why=gettext("because you work on “%(title)s” for %(client)s.") % who,
    )


def refused(scene: Scene, wish: AccountWish) -> Words:
    """To the approvers: the practice says no, and why."""
    engagement = scene.engagement
    who = {"name": wish.moved_by.name if wish.moved_by else scene.host_name}
    heading = gettext("%(name)s said no to the other account") % who
    reason = Fact(name=gettext("Reason"), value=" ".join(wish.moved_note.split()))
    return Words(
        subject=subject(heading, engagement.title, engagement.practice.name),
        preview=gettext("What you agreed to stays as it is."),
        heading=heading,
        lines=(
            Line(before=gettext("You asked to use another AWS account than was agreed.")),
            Line(before=gettext("%(name)s said no. What you agreed to stays as it is.") % who),
        ),
        facts=(*_both(wish.account_id, wish.instead_of), reason),
        button=gettext("Open the project"),
        url=client_url(engagement),
        note=gettext("Nothing was switched on there. You can ask us about it."),
        why=_why_client(scene),
    )


def asked(scene: Scene, change: ScopeChange) -> Words:
    """To the approvers: the practice confirmed it, and it waits for their consent."""
    engagement, host = scene.engagement, {"name": scene.host_name}
    before = str(change.offer.documents["change"]["instead_of"])
    return Words(
        subject=subject(gettext("Please agree to the other AWS account"), engagement.title),
        preview=gettext("Only the account is another one. Everything else is as you agreed."),
        heading=gettext("Please agree to the other AWS account"),
        lines=(
            Line(before=gettext("You asked for it, and %(name)s has confirmed it.") % host),
            Line(before=gettext("Only the account is another one. Everything else is as you agreed.")),
        ),
        facts=_both(change.offer.other_account, before),
        button=gettext("Review the account"),
        url=client_url(engagement, "change"),
        note=gettext("Nothing is switched on there before you agree."),
        why=_why_client(scene),
    )


def _both(account_id: str, instead_of: str) -> tuple[Fact, ...]:
    return other_account_fact(account_id), other_account_fact(instead_of, gettext("Instead of"))


def _why_client(scene: Scene) -> str:
    engagement = scene.engagement
    return gettext("because you look after the project “%(title)s” at %(client)s.") % {
        "title": engagement.title,
        "client": engagement.client.name,
    }
