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


class SignInKind(StrEnum):
    """How somebody came in; the session keeps it, as evidence and for what asks more than a link."""

    INVITATION = "invitation"
    CODE = "code"


class AccountEvent(StrEnum):
    """What the audit record calls it: source, subject, action."""

    PRACTICE_OPENED = "practice:practice:opened"
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
