"""Who somebody can be. Pure: no queries, no clock."""

from __future__ import annotations

from enum import StrEnum

from django.db.models import TextChoices


class MemberRole(TextChoices):
    """What a consultant is in a practice."""

    OWNER = "owner"
    CONSULTANT = "consultant"
    AUDITOR = "auditor"


class ContactRole(TextChoices):
    """What a person is at a client."""

    APPROVER = "approver"
    VIEWER = "viewer"
    AWS_ADMIN = "aws_admin"


class AccountEvent(StrEnum):
    """What the audit record calls it: source, subject, action."""

    PRACTICE_OPENED = "practice:practice:opened"
    CLIENT_ADDED = "practice:client:added"
    CONTACT_ADDED = "practice:contact:added"
    INVITATION_MADE = "practice:invitation:made"
    INVITATION_USED = "client:invitation:used"
