"""The life of an engagement as data (ARCHITECTURE §4). Pure: no queries, no clock."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from django.db.models import TextChoices


class EngagementStatus(TextChoices):
    """Where an engagement stands. People read the six words of the UX paper, derived from this."""

    DRAFT = "draft"
    INVITED = "invited"
    AGREED = "agreed"
    ACTIVE = "active"
    PAUSED = "paused"
    CLOSING = "closing"
    CLOSED = "closed"
    DECLINED = "declined"
    CANCELLED = "cancelled"


_S = EngagementStatus
MOVES: Final[dict[EngagementStatus, frozenset[EngagementStatus]]] = {
    _S.DRAFT: frozenset({_S.INVITED, _S.CANCELLED}),
    _S.INVITED: frozenset({_S.AGREED, _S.DECLINED, _S.CANCELLED}),
    _S.AGREED: frozenset({_S.ACTIVE, _S.CLOSING}),
    _S.ACTIVE: frozenset({_S.PAUSED, _S.CLOSING}),
    _S.PAUSED: frozenset({_S.ACTIVE, _S.CLOSING}),
    _S.CLOSING: frozenset({_S.CLOSED}),
    _S.CLOSED: frozenset(),
    _S.DECLINED: frozenset(),
    _S.CANCELLED: frozenset(),
}
TERMINAL: Final = frozenset(status for status, onward in MOVES.items() if not onward)
# The end of the window, and a withdrawn consent, close these by themselves.
WAITING_FOR_AN_ANSWER: Final = frozenset({_S.DRAFT, _S.INVITED})
CLOSED_BY_ITSELF: Final = frozenset({_S.AGREED, _S.ACTIVE, _S.PAUSED})


# While there is something to do in AWS: switching on, and mending.
WITH_A_STEP: Final = frozenset({_S.AGREED, _S.ACTIVE})
# The client has read the names of the people, and still meets them.
KNOWN_TO_CLIENT: Final = frozenset({_S.INVITED, _S.AGREED, _S.ACTIVE, _S.PAUSED, _S.CLOSING})


class AssignmentRole(TextChoices):
    """What a consultant is on one engagement. Observers have no AWS access."""

    LEAD = "lead"
    MEMBER = "member"
    OBSERVER = "observer"


# Who goes into the client's account.
WORKING: Final = frozenset({AssignmentRole.LEAD, AssignmentRole.MEMBER})


class ChangeStatus(TextChoices):
    """Where a change of a running access stands. `agreed` waits for the client's stack; `in_force` is proved in AWS."""

    ASKED = "asked"
    AGREED = "agreed"
    IN_FORCE = "in_force"
    DECLINED = "declined"
    TAKEN_BACK = "taken_back"


_C = ChangeStatus
CHANGE_MOVES: Final[dict[ChangeStatus, frozenset[ChangeStatus]]] = {
    _C.ASKED: frozenset({_C.AGREED, _C.DECLINED, _C.TAKEN_BACK}),
    _C.AGREED: frozenset({_C.IN_FORCE, _C.TAKEN_BACK}),
    _C.IN_FORCE: frozenset(),
    _C.DECLINED: frozenset(),
    _C.TAKEN_BACK: frozenset(),
}
OPEN_CHANGES: Final = frozenset({_C.ASKED, _C.AGREED})
# A change is asked while there is an access to change.
CHANGEABLE: Final = frozenset({_S.ACTIVE, _S.PAUSED})
# The AWS account is another one only as long as nothing was ever on in the first (ADR 18).
MOVABLE: Final = frozenset({_S.AGREED})


class WishStatus(TextChoices):
    """Where a client's wish stands to use another AWS account. `confirmed` made an offer, and changes nothing by itself."""

    ASKED = "asked"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    TAKEN_BACK = "taken_back"


_W = WishStatus
WISH_MOVES: Final[dict[WishStatus, frozenset[WishStatus]]] = {
    _W.ASKED: frozenset({_W.CONFIRMED, _W.REFUSED, _W.TAKEN_BACK}),
    _W.CONFIRMED: frozenset(),
    _W.REFUSED: frozenset(),
    _W.TAKEN_BACK: frozenset(),
}


class DoorbellStatus(TextChoices):
    """Where one ring stands. `forced`: in an emergency nobody was waited for, as was agreed, and the client was told."""

    RINGING = "ringing"
    LET_IN = "let_in"
    NOT_NOW = "not_now"
    EXPIRED = "expired"
    USED = "used"
    FORCED = "forced"


DOORBELL_MOVES: Final[dict[DoorbellStatus, frozenset[DoorbellStatus]]] = {
    DoorbellStatus.RINGING: frozenset(
        {DoorbellStatus.LET_IN, DoorbellStatus.NOT_NOW, DoorbellStatus.EXPIRED}
    ),
    DoorbellStatus.LET_IN: frozenset({DoorbellStatus.USED, DoorbellStatus.EXPIRED}),
    DoorbellStatus.NOT_NOW: frozenset(),
    DoorbellStatus.EXPIRED: frozenset(),
    DoorbellStatus.USED: frozenset(),
    DoorbellStatus.FORCED: frozenset(),
}


class DocumentKind(TextChoices):
    """What a paper is: proof of what was agreed, or of its end."""

    RECEIPT = "receipt"
    CERTIFICATE = "certificate"


class DocumentState(StrEnum):
    """What the public page says of a paper."""

    GENUINE = "genuine"
    ENDED = "ended"  # genuine, and the access it is about is over
    WITHDRAWN = "withdrawn"  # genuine, and the consent was taken back
    ALTERED = "altered"  # it claims to be one of ours and is not what we made
    UNRECORDED = "unrecorded"  # our signature holds, and our record does not know it
    UNKNOWN = "unknown"


class EngagementEvent(StrEnum):
    """What the audit record calls it: source, subject, action."""

    DRAFTED = "engagement:engagement:drafted"
    EDITED = "engagement:engagement:edited"
    ASSIGNED = "engagement:assignment:made"
    UNASSIGNED = "engagement:assignment:ended"
    MOVED = "engagement:engagement:moved"
    OFFER_FROZEN = "engagement:offer:frozen"
    OFFER_PUBLISHED = "engagement:offer:published"
    CONSENT_GIVEN = "client:consent:given"
    CONSENT_WITHDRAWN = "client:consent:withdrawn"
    CONSENT_REFUSED = "client:consent:refused"
    DOCUMENT_SIGNED = "engagement:document:signed"
    EVIDENCE_TAKEN = "engagement:evidence:taken"
    CODE_MAILED = "client:consent:code-mailed"
    QUESTION_ASKED = "client:question:asked"
    QUESTION_ANSWERED = "practice:question:answered"
    COLLEAGUE_NAMED = "client:colleague:named"
    MISDIRECTED = "client:invitation:misdirected"
    STEP_HANDED_OVER = "client:aws-step:handed-over"
    MOVE_REFUSED = "engagement:engagement:move-refused"
    CHANGE_ASKED = "engagement:change:asked"
    CHANGE_MOVED = "engagement:change:moved"
    ACCOUNT_WISHED = "client:account:wished"
    WISH_MOVED = "engagement:account-wish:moved"
    RANG = "practice:doorbell:rung"
    RING_REFUSED = "practice:doorbell:refused"
    LET_IN = "client:doorbell:let-in"
    NOT_LET_IN = "client:doorbell:not-now"
    LET_IN_USED = "practice:doorbell:used"
    RING_EXPIRED = "engagement:doorbell:expired"
    CAME_IN_UNASKED = "practice:doorbell:forced"
    PROFILE_SAVED = "engagement:profile:saved"
    PROFILE_RETIRED = "engagement:profile:retired"
    TEMPLATE_SAVED = "engagement:template:saved"
    TEMPLATE_RETIRED = "engagement:template:retired"
    INTAKE_SET_UP = "practice:intake:set-up"
    SHOP_ADDED = "practice:shop:added"
    SHOP_CHANGED = "practice:shop:changed"
    SHOP_SECRET_SET = "practice:shop:secret-set"  # noqa: S105  # names an event, is no secret
    SHOP_CLOSED = "practice:shop:closed"
    SHOP_REFUSED = "shop:order:refused"
    ORDER_CONFIRMED = "client:order:confirmed"
    ORDER_TAKEN = "shop:order:taken"


class ShopKind(TextChoices):
    """How a shop signs what it tells."""

    SIGNED = "signed"  # our own form, for anything that can work out an HMAC
    STRIPE = "stripe"
