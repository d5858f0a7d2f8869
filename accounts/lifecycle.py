"""Who somebody can be. Pure: no queries, no clock."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from django.db.models import TextChoices


class MemberRole(TextChoices):
    """What a consultant is in a practice."""

    OWNER = "owner"
    CONSULTANT = "consultant"
    AUDITOR = "auditor"


# Who works on engagements; auditors see all and change nothing.
WORKERS: Final = frozenset({MemberRole.OWNER, MemberRole.CONSULTANT})


class ContactRole(TextChoices):
    """What a person is at a client."""

    APPROVER = "approver"
    VIEWER = "viewer"
    AWS_ADMIN = "aws_admin"


class AssetKind(TextChoices):
    """What a practice's own look is made of; the value ends its address."""

    SHEET = "css"
    LOGO = "png"


# Who does the step in AWS, and says that it was done. Viewers read.
HANDS: Final = frozenset({ContactRole.APPROVER, ContactRole.AWS_ADMIN})


class SignInKind(StrEnum):
    """How somebody came in; the session keeps it, as evidence and for what asks more than a link."""

    INVITATION = "invitation"
    CODE = "code"
    PASSKEY = "passkey"
    SERVICE = "service"  # the practice's own OpenID Connect provider: opens that practice and nothing else


class FactorKind(TextChoices):
    """What somebody proves themselves with. The values are allauth's: they stand in its table."""

    TOTP = "totp"
    PASSKEY = "webauthn"
    RECOVERY = "recovery_codes"


class Proof(TextChoices):
    """What a step-up was made with. A mailed code is for clients' people without a factor, and for nobody else.

    A recovery code is good for changing factors alone: it is there for the day on which the phone is gone.
    """

    TOTP = "totp"
    PASSKEY = "webauthn"
    RECOVERY = "recovery_codes"
    MAILED_CODE = "mailed_code"


# What counts as a factor of its own. A recovery code only stands in for one, to get in and set up another.
STRONG_FACTORS: Final = frozenset({FactorKind.TOTP, FactorKind.PASSKEY})


class AccountEvent(StrEnum):
    """What the audit record calls it: source, subject, action."""

    PRACTICE_OPENED = "practice:practice:opened"
    BRAND_CHANGED = "practice:brand:changed"
    CLIENT_ADDED = "practice:client:added"
    MEMBERSHIP_ADDED = "practice:membership:added"
    MEMBERSHIP_CHANGED = "practice:membership:role-changed"
    MEMBERSHIP_ENDED = "practice:membership:ended"
    CONTACT_ADDED = "practice:contact:added"
    CONTACT_CHANGED = "practice:contact:role-changed"
    CONTACT_ENDED = "practice:contact:ended"
    INVITATION_MADE = "practice:invitation:made"
    INVITATION_SENT_AGAIN = "client:invitation:sent-again"
    INVITATION_USED = "client:invitation:used"
    SIGNED_IN = "person:session:opened"
    SESSION_ENDED = "person:session:ended"
    SIGNED_OUT = "practice:person:signed-out"
    SIGN_IN_REFUSED = "person:session:refused"
    FACTOR_ADDED = "person:factor:added"
    FACTOR_REMOVED = "person:factor:removed"
    FACTOR_USED = "person:factor:used"
    FACTOR_LOCKED = "person:factor:locked"
    STEP_UP_MADE = "person:step-up:made"
    STEP_UP_REFUSED = "person:step-up:refused"
    RECOVERY_CODES_MADE = "person:recovery-codes:made"
    SERVICE_SET_UP = "practice:sign-in-service:set-up"
    SERVICE_CHANGED = "practice:sign-in-service:changed"
    SERVICE_SWITCHED = "practice:sign-in-service:switched"
    SERVICE_REFUSED = "person:service-sign-in:refused"
    ACCOUNT_PINNED = "person:service-account:pinned"
    ACCOUNT_FORGOTTEN = "practice:service-account:forgotten"
