"""The step in AWS before whoever does it: who asks for it, who agreed, what it makes; and whom it was sent to."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext, gettext_lazy

from awsaccess.selectors import Access
from engagements.models import Consent, Handover
from engagements.selectors import consents_of, handovers_of
from engagements.services.handing import Obstacle
from portal.kernel.languages import spelling
from portal.pages import consenting
from portal.pages.frames import Desk
from portal.pages.pagemodels import Hands, Sent

OBSTACLES: Final = {
    Obstacle.IS_CONSULTANT: gettext_lazy("Not sent: that address belongs to your consultants."),
    Obstacle.WAS_REMOVED: gettext_lazy(
        "Not sent: that person was removed. Ask your consultant to add them again."
    ),
    Obstacle.IS_OVER: gettext_lazy("Not sent: there is nothing left to do in AWS."),
}


def hands_of(desk: Desk, access: Access) -> Hands | None:
    """What somebody who only does the step in AWS is told; None for those who read the papers."""
    if desk.frame.sees_paper or access.offer is None:
        return None
    facts = consenting.facts_of(desk.engagement, desk.people, access.offer, desk.zone)
    given = consents_of(desk.engagement).filter(withdrawn_at=None)
    return Hands(
        asked=_asked(desk),
        agreed=tuple(_agreed(consent, desk) for consent in given),
        role=access.grant.role_name if access.grant else "",
        kind=facts.kind.tag,
        until=facts.until_long,
    )


def sent_of(desk: Desk) -> tuple[Sent, ...]:
    """Whom the step was sent to, the newest first."""
    return tuple(_sent(row, desk) for row in handovers_of(desk.engagement))


def _asked(desk: Desk) -> str:
    rows = handovers_of(desk.engagement)
    own = next((row for row in rows if row.hands_id == desk.contact.pk), None)
    if own is None:
        return ""
    return gettext("%(name)s asks you to do this step. They asked on %(when)s.") % {
        "name": own.contact.user.name,
        "when": spelling.long_moment(own.asked_at, desk.zone),
    }


def _agreed(consent: Consent, desk: Desk) -> str:
    return gettext("%(name)s agreed to it for %(client)s on %(when)s.") % {
        "name": consent.contact.user.name,
        "client": desk.frame.client,
        "when": spelling.long_moment(consent.given_at, desk.zone),
    }


def _sent(row: Handover, desk: Desk) -> Sent:
    text, tone = gettext("Is being sent."), "wait"
    if row.problem:
        text, tone = str(OBSTACLES[Obstacle(row.problem)]), "stop"
    elif row.hands_id is not None:
        text, tone = gettext("Has got a mail with a link."), "ok"
    return Sent(
        name=row.name,
        email=row.email,
        when=spelling.long_moment(row.asked_at, desk.zone),
        text=text,
        tone=tone,
    )
