"""Asking for a change: a new offer for the same role, with the external ID in force and the same hub."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.db import transaction

from awsaccess.asking import Asked, Documents, documents_of, spec_from, spec_of
from awsaccess.door import hub_for
from awsaccess.models import Grant
from awsaccess.policy.effect import effect_of
from awsaccess.provision.access_stack import callback_token_in, expected_role
from awsaccess.selectors import grant_of
from awsaccess.services.checks import CHECK
from awsaccess.services.sending import NotReady, publish_promise_within, rendered
from engagements.lifecycle import CHANGEABLE
from engagements.models import Engagement, Offer
from engagements.selectors import choice_of, offer_current
from engagements.services.changes import change_ask_within, require_changeable
from engagements.services.drafts import Terms, offer_freeze_within, require_possible
from engagements.services.moves import engagement_locked
from portal.kernel import clock, due
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove, NotVisible

KEY_FIRST: Final = (
    "The access's key is being exchanged. Wait until the client has done both steps, or call the exchange off, "
    "then ask for a change: one update of the stack at a time."
)


@transaction.atomic(durable=True)
def change_offer(
    *, engagement: Engagement, profile: str, optional: Sequence[str], ends_at: dt.datetime, actor: Actor
) -> Offer:
    """Ask the client for another access or another end. What holds now goes on until AWS has the new one.

    `optional`: lines that the client may add; one that they added already is asked for as a part of the access.
    Raises InvalidMove unless the access is on, nothing else is asked and no key exchanged, BadDraft for what nobody could agree to,
    NotReady if nothing would change or AWS would not take it.
    """
    current = engagement_locked(engagement.pk)
    require_changeable(current)
    before, grant = offer_current(current), grant_of(current)
    if grant is None:
        raise NotVisible
    if grant.is_rotating:
        raise InvalidMove(KEY_FIRST)
    require_possible(_terms(current, profile, optional, ends_at))
    asked = _asked(before, profile, optional, ends_at)
    # The lock that is in force by now, which an exchange has made another than the one that was agreed (ADR 13).
    hub = {**before.documents, "hub_role_arn": hub_for(before, grant).role_arn}
    documents = documents_of(current, asked, hub)
    documents["change"] = _effect(before, documents, grant)
    # The stack's report stays as it is: another token would be a new resource, and the old one's end would go unheard.
    templates = rendered(documents, grant.external_id_in_force, callback_token_in(before.template))
    offer = offer_freeze_within(
        engagement=current,
        lines=asked.profile_in().lines_as_data(),
        documents=documents,
        template=templates.pop(()),
        variants=templates,
        actor=actor,
    )
    change_ask_within(engagement=current, before=before, offer=offer, actor=actor)
    publish_promise_within(offer)
    return offer


def change_watch(*, engagement_id: UUID) -> None:
    """The client has agreed: the role is looked at soon, because their stack is about to change."""
    with transaction.atomic(durable=True):
        engagement = engagement_locked(engagement_id)
        if engagement.status not in CHANGEABLE:
            return
        for grant in Grant.objects.filter(engagement=engagement):
            due.schedule(CHECK, grant.pk, at=clock.now(), client_id=grant.client_id)


def _terms(engagement: Engagement, profile: str, optional: Sequence[str], ends_at: dt.datetime) -> Terms:
    return Terms(
        title=engagement.title,
        purpose=engagement.purpose,
        profile=profile,
        ends_at=ends_at,
        optional=tuple(optional),
    )


def _asked(before: Offer, profile: str, optional: Sequence[str], ends_at: dt.datetime) -> Asked:
    """What the client added before is kept where the same profile still has it."""
    held = (*before.documents.get("kept", ()), *choice_of(before))
    is_same = before.documents["profile"] == profile
    kept = tuple(key for key in optional if is_same and key in held)
    left = tuple(key for key in optional if key not in kept)
    return Asked(profile=profile, ends_at=ends_at, optional=left, kept=kept)


def _effect(before: Offer, documents: Documents, grant: Grant) -> Documents:
    """Read off both roles; the page says it, and the offer's hash covers it. Raises NotReady for no change."""
    account = grant.account_id
    new = expected_role(spec_from(documents, external_id=grant.external_id_in_force), account)
    effect = effect_of(expected_role(spec_of(before, grant), account), new)
    if not effect.changed and not documents["optional"]:
        raise NotReady("Nothing would change. Choose another kind of access, other lines or another end.")
    return {
        "before_sha256": before.offer_sha256,
        "opens_more": effect.may_open_more,
        "takes_away": effect.narrower is not False,
    }
