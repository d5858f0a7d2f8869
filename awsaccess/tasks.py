"""What the AWS side does when a promise or a moment comes. Registered at start, in web and worker alike."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from awsaccess.services.callbacks import ANSWER, hub_listen, listen_soon, stack_answer
from awsaccess.services.changing import change_watch
from awsaccess.services.checks import CHECK, grant_verify, grant_watch
from awsaccess.services.hubs import LISTEN, LOOK, hub_look
from awsaccess.services.leaving import CERTIFICATE, CLOSING, certificate_keep, closing_begin, closing_probe
from awsaccess.services.reports import REPORT, report_fetch
from awsaccess.services.revoking import denial_publish
from awsaccess.services.rotating import PUBLISH, rotation_publish
from awsaccess.services.sending import offer_publish, variant_publish
from awsaccess.services.sweeping import grants_verify
from awsaccess.services.turning import DENIAL
from awsaccess.services.visits import ORPHAN, visit_orphan
from engagements.services.documents import PaperFailed
from portal.kernel import due, outbox


@outbox.handles("awsaccess.publish")
def publish(held: outbox.Claim) -> None:
    """An offer was frozen: its template goes into the hub's bucket."""
    offer_publish(offer_id=held.object_id)


@outbox.handles("awsaccess.publish_variant")
def publish_variant(held: outbox.Claim) -> None:
    """And so does the template of each choice."""
    variant_publish(variant_id=held.object_id)


@outbox.handles(DENIAL)
def publish_denial(held: outbox.Claim) -> None:
    """A client wants older sessions denied: the template that does so goes into the hub's bucket."""
    denial_publish(grant_id=held.object_id)


@outbox.handles(PUBLISH)
def publish_key(held: outbox.Claim) -> None:
    """An external ID is exchanged: the templates for it go into the hub's bucket."""
    rotation_publish(rotation_id=held.object_id)


@outbox.handles("engagement.agreed")
def agreed(held: outbox.Claim) -> None:
    """A client agreed: the role is looked for, and its stack is listened for."""
    grant_watch(engagement_id=held.object_id)
    listen_soon()


@outbox.handles("engagement.change_agreed")
def change_agreed(held: outbox.Claim) -> None:
    """A client agreed to a change: their stack is about to be updated."""
    change_watch(engagement_id=held.object_id)


@outbox.handles("engagement.closing")
def closing(held: outbox.Claim) -> None:
    """An engagement is being closed: its grants end."""
    closing_begin(engagement_id=held.object_id)
    listen_soon()


@outbox.handles(CERTIFICATE)
def certificate(held: outbox.Claim) -> None:
    """An access is proved to be gone: its certificate is made. Raises outbox.Later."""
    try:
        certificate_keep(engagement_id=held.object_id)
    except PaperFailed as error:
        raise outbox.Later(str(error)) from error


@due.handles(CHECK)
def check(turn: due.Turn) -> dt.datetime | None:
    """A grant is looked at."""
    return grant_verify(grant_id=turn.object_id)


@due.handles_many(CHECK)
def check_many(turns: Sequence[due.Turn]) -> Iterator[tuple[due.Turn, dt.datetime | None]]:
    """Many grants are looked at together."""
    return grants_verify(turns)


@due.handles(CLOSING)
def closing_look(turn: due.Turn) -> dt.datetime | None:
    """It is tried whether a role that should be gone still opens."""
    return closing_probe(grant_id=turn.object_id)


@due.handles(ORPHAN)
def orphan(turn: due.Turn) -> None:
    """A visit that was intended has no outcome."""
    visit_orphan(visit_id=turn.object_id)


@due.handles(REPORT)
def report(turn: due.Turn) -> dt.datetime | None:
    """A visit is over: what was done in it is looked up."""
    return report_fetch(visit_id=turn.object_id)


@due.handles(LISTEN)
def listen(turn: due.Turn) -> dt.datetime | None:
    """A hub's queue is read."""
    return hub_listen(hub_id=turn.object_id)


@due.handles(LOOK)
def look_at_hub(turn: due.Turn) -> dt.datetime | None:
    """Which hub role answers under its name."""
    return hub_look(hub_id=turn.object_id)


@due.handles(ANSWER)
def answer(turn: due.Turn) -> dt.datetime | None:
    """A stack waits for its answer."""
    return stack_answer(callback_id=turn.object_id)
