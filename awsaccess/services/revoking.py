"""Ending sessions that are open: the client updates the stack, AWS denies what was opened before, a check sees it.

The portal has no right to do it itself, by design: whoever could write the role's policies could widen them (AWS_FACTS §8).
"""

from __future__ import annotations

import shlex
from typing import Final
from uuid import UUID

from django.db import transaction

from accounts.lifecycle import ContactRole
from accounts.models import Contact
from awsaccess.asking import spec_of
from awsaccess.aws.errors import AwsMisconfigured, AwsRejected, AwsTransient
from awsaccess.door import gateway, hub_for
from awsaccess.lifecycle import AccessEvent
from awsaccess.models import Grant
from awsaccess.provision import links
from awsaccess.provision.access_stack import render_template
from awsaccess.selectors import StackUpdate, grant_of, stack_update, template_address
from awsaccess.services.checks import standing_of
from awsaccess.services.turning import DENIAL
from engagements.models import Engagement, Offer
from engagements.selectors import template_agreed
from engagements.services.moves import engagement_locked
from portal.kernel import audit, clock, outbox
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove, NotAllowed, NotVisible

ONE_UPDATE: Final = (
    "A change that was agreed to waits for the stack's update in AWS. Update the stack first, or take the change back: "
    "one update at a time."
)
MAY_ASK: Final = frozenset({ContactRole.APPROVER, ContactRole.AWS_ADMIN})


@transaction.atomic(durable=True)
def sessions_end_ask(*, engagement: Engagement, contact: Contact, actor: Actor) -> None:
    """Every session that is open now shall end: a template that denies them is promised for the client's stack.

    Asked again, it is for those that are open then. Raises NotAllowed, InvalidMove where no role was ever seen.
    """
    if contact.client_id != engagement.client_id or contact.ended_at or contact.role not in MAY_ASK:
        raise NotAllowed
    current, now = engagement_locked(engagement.pk), clock.now()
    grant = grant_of(current)
    if grant is None or grant.role_seen_at is None:
        raise InvalidMove
    if standing_of(grant).waiting is not None:
        raise InvalidMove(ONE_UPDATE)
    outbox.put(DENIAL, grant.pk, dedupe_key=f"denial:{grant.pk}:{now.isoformat()}", client_id=grant.client_id)
    audit.record(
        AccessEvent.SESSIONS_END_ASKED,
        subject=grant,
        actor=actor,
        about_id=current.pk,
        client_id=grant.client_id,
        details={"asked_at": now.isoformat()},
    )


def denial_template(grant: Grant) -> str:
    """The agreed template with the denial of older sessions, with the lines that were ticked and the lock in force.

    Raises NotVisible where nobody asked for it, InvalidMove while the stack waits for another update.
    """
    if grant.deny_before is None:
        raise NotVisible
    return render_template(spec_of(_held(grant), grant), sessions_end_before=grant.deny_before)


def _held(grant: Grant) -> Offer:
    """What the stack is of. A template of what holds would undo a change that the client was just told to make."""
    standing = standing_of(grant)
    if standing.waiting is not None:
        raise InvalidMove(ONE_UPDATE)
    return standing.held


def denial_publish(*, grant_id: UUID) -> None:
    """Put that template into the hub's bucket and write its version down. Twice only moves the moment on.

    The moment is of now and not of the question: sessions that were opened in between are to end, too.
    Raises outbox.Later while AWS does not answer or our set-up is broken, outbox.Hopeless if AWS will not take it.
    """
    grant = _dated(grant_id)
    try:
        held = _held(grant)
        version = gateway().upload_template(
            hub_for(held, grant), key=_key(grant), body=denial_template(grant).encode()
        )
    except (AwsTransient, AwsMisconfigured) as error:
        raise outbox.Later(error.user_message) from None
    except (AwsRejected, InvalidMove) as error:
        raise outbox.Hopeless(error.user_message) from None
    # Asked again meanwhile, or another key in force: that promise publishes the later moment, and the newer lock.
    rows = Grant.objects.filter(
        pk=grant.pk, deny_before=grant.deny_before, lock_changed_at=grant.lock_changed_at
    )
    rows.update(deny_version_id=version)


@transaction.atomic(durable=True)
def _dated(grant_id: UUID) -> Grant:
    Grant.objects.filter(pk=grant_id).update(deny_before=clock.now(), deny_version_id="")
    return Grant.objects.select_related("offer__practice", "engagement").get(pk=grant_id)


def denial_update(grant: Grant) -> StackUpdate | None:
    """What ends the older sessions in the client's stack; None while the template, or another update, is on its way."""
    if not grant.deny_version_id or standing_of(grant).waiting is not None:
        return None
    documents = grant.offer.documents
    address = links.template_url(
        bucket=documents["bucket"],
        region=documents["region"],
        key=_key(grant),
        version_id=grant.deny_version_id,
        partition=documents["partition"],
    )
    return stack_update(grant, address)


def removal_update(grant: Grant) -> StackUpdate | None:
    """What takes the denial away again, once every session is over: the agreed template, with the lock in force.

    None while that template, or another update of the stack, is on its way.
    """
    standing = standing_of(grant)
    if standing.waiting is not None or not template_agreed(standing.held).version_id:
        return None
    return stack_update(grant, template_address(standing.held))


def denial_command(grant: Grant) -> str | None:
    """As `denial_update`, for a shell."""
    update = denial_update(grant)
    return _command(update) if update else None


def removal_command(grant: Grant) -> str | None:
    """As `removal_update`, for a shell."""
    update = removal_update(grant)
    return _command(update) if update else None


def _command(update: StackUpdate) -> str:
    words = [
        "aws",
        "cloudformation",
        "update-stack",
        "--stack-name",
        update.ask.stack_name,
        "--template-url",
        update.template,
        "--capabilities",
        "CAPABILITY_NAMED_IAM",
        "--region",
        update.ask.region,
    ]
    return shlex.join(words)


def _key(grant: Grant) -> str:
    return f"{grant.engagement.code}/end-sessions.json"
