"""Confirming that the client uses another AWS account: the same access, word for word, in a new offer that names it (ADR 18).

Nothing is asked of AWS here, and nothing in either account is touched: only a consent to the offer makes it hold.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import transaction

from awsaccess.asking import Documents
from awsaccess.lifecycle import GrantStatus
from awsaccess.models import Hub
from awsaccess.provision.access_stack import callback_token_in
from awsaccess.selectors import grant_of
from awsaccess.services.sending import NotReady, publish_promise_within, rendered
from engagements.lifecycle import EngagementEvent
from engagements.models import Engagement, Offer
from engagements.selectors import choice_of, lines_agreed, offer_current, with_choice
from engagements.services.changes import change_ask_within, require_movable
from engagements.services.drafts import offer_freeze_within
from engagements.services.moves import engagement_locked
from engagements.services.wishes import wish_confirm_within, wish_to_answer
from portal.kernel import refusals
from portal.kernel.actor import Actor
from portal.kernel.errors import InvalidMove, NotVisible

FOUND_ALREADY: Final = "The role was just found in the account that was agreed. Look again in a minute."


@refusals.told(EngagementEvent.MOVE_REFUSED, about="engagement")
@transaction.atomic(durable=True)
def account_offer(*, engagement: Engagement, wish_id: UUID, actor: Actor) -> Offer:
    """Confirm the client's wish: they are asked to agree to the same access in the other account.

    `wish_id` is the one that was read. Raises InvalidMove if it waits no more, the access is on or a role was found where
    it was agreed, NotReady for an account that can be no client's.
    """
    current = engagement_locked(engagement.pk)
    wish = wish_to_answer(engagement=current, wish_id=wish_id)
    require_movable(current)
    before, grant = offer_current(current), grant_of(current)
    if grant is None:
        raise NotVisible
    if grant.status != GrantStatus.EXPECTED:
        raise InvalidMove(FOUND_ALREADY)
    if Hub.objects.filter(account_id=wish.account_id).exists():
        raise NotReady("That is your own AWS account’s number. Refuse, and ask the client for theirs.")
    ticked = choice_of(before)
    documents = _same_elsewhere(before, ticked, account_id=wish.account_id, instead_of=wish.instead_of)
    # The stack reports as before: what was refused has used no token up.
    templates = rendered(documents, grant.external_id_in_force, callback_token_in(before.template))
    offer = offer_freeze_within(
        engagement=current,
        lines=lines_agreed(before, ticked),
        documents=documents,
        template=templates[()],
        actor=actor,
    )
    change_ask_within(engagement=current, before=before, offer=offer, actor=actor)
    wish_confirm_within(wish=wish, actor=actor, offer_sha256=offer.offer_sha256)
    publish_promise_within(offer)
    return offer


def _same_elsewhere(before: Offer, ticked: tuple[str, ...], *, account_id: str, instead_of: str) -> Documents:
    """What was agreed, as it was frozen, with the ticked lines in it and the account: nothing is left to choose."""
    documents = dict(with_choice(before.documents, ticked))
    documents.pop("choices", None)
    optional = [str(line["key"]) for line in documents.get("optional", ())]
    taken = [place for place, key in enumerate(optional) if key in ticked]
    return {
        **documents,
        "optional": [],
        "kept": [*documents.get("kept", ()), *ticked],
        "words": {
            language: {
                **said,
                "lines": [*said["lines"], *(said["optional"][place] for place in taken)],
                "optional": [],
            }
            for language, said in documents.get("words", {}).items()
        },
        "account_id": account_id,
        "change": {
            "before_sha256": before.offer_sha256,
            "instead_of": instead_of,
            "opens_more": False,
            "takes_away": False,
        },
    }
